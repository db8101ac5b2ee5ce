//! The layer in burn.

use label_smoothing_burn::burn::tensor::{self, Device, Int, Tensor, TensorData};
use label_smoothing_burn::{Config, Element, SmoothedCrossEntropy, SmoothedLoss};

use crate::framework::{CLASSES, Found, Framework, Layer, Objective, PIXELS, everything, hard, smoothed, widened};

pub(crate) struct Burn;

impl<T: Element + tensor::Element> Framework<T> for Burn {
    fn name(&self) -> &'static str {
        "burn"
    }

    fn differentiate(&self, layer: &Layer<T>, objective: Objective) -> Found {
        let weights = matrix(&layer.weights, PIXELS, CLASSES).require_grad();
        let logits = matrix(&layer.images, layer.rows(), PIXELS).matmul(weights.clone());
        let loss = criterion(everything()).loss(logits.clone(), targets(layer)).unwrap();
        let total = match objective {
            Objective::Loss => loss,
            Objective::ThreeTimesAndAnother => loss * 3.0 + logits.square().mean(),
            Objective::TwoLosses => loss + criterion(hard()).row_losses(logits, targets(layer)).unwrap().mean(),
        };
        let gradients = total.backward();
        Found { loss: read::<T, 1>(&total)[0], gradient: read::<T, 2>(&weights.grad(&gradients).unwrap()) }
    }

    fn train(&self, layer: &Layer<T>, rate: f64, steps: usize) -> Vec<f64> {
        let (images, targets) = (matrix(&layer.images, layer.rows(), PIXELS), targets(layer));
        let criterion = criterion(smoothed());
        let mut weights = matrix(&layer.weights, PIXELS, CLASSES).require_grad();
        let step = |_| {
            let loss = criterion.loss(images.clone().matmul(weights.clone()), targets.clone()).unwrap();
            let gradient = weights.grad(&loss.backward()).unwrap();
            weights = (weights.clone().inner() - gradient * rate).autodiff().require_grad();
            read::<T, 1>(&loss)[0]
        };
        (0..steps).map(step).collect()
    }
}

fn criterion(config: Config) -> SmoothedCrossEntropy {
    SmoothedCrossEntropy::from_config(config).unwrap()
}

fn matrix<T: tensor::Element>(values: &[T], rows: usize, columns: usize) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.to_vec(), [rows, columns]), (&Device::flex().autodiff(), T::dtype()))
}

fn targets<T>(layer: &Layer<T>) -> Tensor<1, Int> {
    Tensor::from_data(TensorData::new(layer.digits.clone(), [layer.digits.len()]), &Device::flex().autodiff())
}

fn read<T: Element + tensor::Element, const D: usize>(tensor: &Tensor<D>) -> Vec<f64> {
    widened(&tensor.to_data().try_to_vec::<T>().unwrap())
}
