//! The layer in tch.

use label_smoothing_tch::tch::{Kind, Tensor, kind};
use label_smoothing_tch::{Config, Element, SmoothedCrossEntropy, SmoothedLoss};

use crate::framework::{CLASSES, Found, Framework, Layer, Objective, PIXELS, everything, hard, smoothed};

pub(crate) struct Tch;

impl<T: Element + kind::Element> Framework<T> for Tch {
    fn name(&self) -> &'static str {
        "tch"
    }

    fn differentiate(&self, layer: &Layer<T>, objective: Objective) -> Found {
        let weights = matrix(&layer.weights, PIXELS, CLASSES).set_requires_grad(true);
        let logits = matrix(&layer.images, layer.rows(), PIXELS).matmul(&weights);
        let targets = Tensor::from_slice(&layer.digits);
        let loss = criterion(everything()).loss(&logits, &targets).unwrap();
        let total = match objective {
            Objective::Loss => loss,
            Objective::ThreeTimesAndAnother => loss * 3.0 + logits.square().mean(T::KIND),
            Objective::TwoLosses => loss + criterion(hard()).row_losses(&logits, &targets).unwrap().mean(T::KIND),
        };
        total.backward();
        Found { loss: read(&total)[0], gradient: read(&weights.grad()) }
    }

    fn train(&self, layer: &Layer<T>, rate: f64, steps: usize) -> Vec<f64> {
        let (images, targets) = (matrix(&layer.images, layer.rows(), PIXELS), Tensor::from_slice(&layer.digits));
        let criterion = criterion(smoothed());
        let mut weights = matrix(&layer.weights, PIXELS, CLASSES).set_requires_grad(true);
        let step = |_| {
            let loss = criterion.loss(&images.matmul(&weights), &targets).unwrap();
            loss.backward();
            weights = (weights.detach() - weights.grad() * rate).set_requires_grad(true);
            read(&loss)[0]
        };
        (0..steps).map(step).collect()
    }
}

fn criterion(config: Config) -> SmoothedCrossEntropy {
    SmoothedCrossEntropy::from_config(config).unwrap()
}

fn matrix<T: kind::Element>(values: &[T], rows: usize, columns: usize) -> Tensor {
    Tensor::from_slice(values).reshape([rows as i64, columns as i64])
}

fn read(tensor: &Tensor) -> Vec<f64> {
    Vec::try_from(tensor.detach().to_kind(Kind::Double).flatten(0, -1)).unwrap()
}
