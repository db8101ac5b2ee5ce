//! The layer in ndarray, which has no autograd: the way back from the logits to the weights is a matrix product.

use label_smoothing_ndarray::ndarray::{Array2, ArrayView1, NdFloat};
use label_smoothing_ndarray::{Config, Element, LossGradient, SmoothedCrossEntropy};

use crate::framework::{Found, Framework, Layer, Objective, PIXELS, everything, hard, smoothed, widened};

pub(crate) struct Ndarray;

impl<T: Element<Wide = T> + NdFloat> Framework<T> for Ndarray {
    fn name(&self) -> &'static str {
        "ndarray"
    }

    fn differentiate(&self, layer: &Layer<T>, objective: Objective) -> Found {
        let (images, weights) = (matrix(&layer.images, layer.rows()), matrix(&layer.weights, PIXELS));
        let logits = images.dot(&weights);
        let targets = ArrayView1::from(&layer.digits);
        let of = |config: Config, upstream: f64| {
            criterion(config).loss_and_gradient(logits.view(), targets, T::from_f64(upstream)).unwrap()
        };
        let (loss, slope) = match objective {
            Objective::Loss => of(everything(), 1.0),
            Objective::ThreeTimesAndAnother => {
                let (loss, slope) = of(everything(), 3.0);
                let count = T::from_f64(logits.len() as f64);
                let squares = logits.mapv(|z| z * z).sum() / count;
                (loss * T::from_f64(3.0) + squares, slope + &logits * (T::from_f64(2.0) / count))
            }
            Objective::TwoLosses => {
                let ((one, slope), criterion) = (of(everything(), 1.0), criterion(hard()));
                let each = T::from_f64(1.0 / layer.rows() as f64);
                let upstream = vec![each; layer.rows()];
                let rows = criterion.row_losses_and_gradient(logits.view(), targets, ArrayView1::from(&upstream));
                let (losses, other_slope) = rows.unwrap();
                (one + losses.sum() * each, slope + other_slope)
            }
        };
        Found { loss: loss.to_f64(), gradient: widened(&values(&images.t().dot(&slope))) }
    }

    fn train(&self, layer: &Layer<T>, rate: f64, steps: usize) -> Vec<f64> {
        let (images, mut weights) = (matrix(&layer.images, layer.rows()), matrix(&layer.weights, PIXELS));
        let criterion = criterion(smoothed());
        let targets = ArrayView1::from(&layer.digits);
        let step = |_| {
            let logits = images.dot(&weights);
            let (loss, slope) = criterion.loss_and_gradient(logits.view(), targets, T::from_f64(1.0)).unwrap();
            weights.scaled_add(T::from_f64(-rate), &images.t().dot(&slope));
            loss.to_f64()
        };
        (0..steps).map(step).collect()
    }
}

fn criterion(config: Config) -> SmoothedCrossEntropy {
    SmoothedCrossEntropy::from_config(config).unwrap()
}

fn matrix<T: Clone>(values: &[T], rows: usize) -> Array2<T> {
    Array2::from_shape_vec((rows, values.len() / rows), values.to_vec()).unwrap()
}

/// In row-major order, in which a product need not lie.
fn values<T: Clone>(matrix: &Array2<T>) -> Vec<T> {
    matrix.iter().cloned().collect()
}
