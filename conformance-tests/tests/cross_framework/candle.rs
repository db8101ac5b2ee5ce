//! The layer in candle.

use label_smoothing_candle::candle_core::{Device, Tensor, Var, WithDType};
use label_smoothing_candle::{Config, Element, SmoothedCrossEntropy, SmoothedLoss};

use crate::framework::{CLASSES, Found, Framework, Layer, Objective, PIXELS, everything, hard, smoothed, widened};

pub(crate) struct Candle;

impl<T: Element + WithDType> Framework<T> for Candle {
    fn name(&self) -> &'static str {
        "candle"
    }

    fn differentiate(&self, layer: &Layer<T>, objective: Objective) -> Found {
        let weights = Var::from_tensor(&matrix(&layer.weights, PIXELS, CLASSES)).unwrap();
        let logits = matrix(&layer.images, layer.rows(), PIXELS).matmul(&weights).unwrap();
        let targets = targets(layer);
        let loss = criterion(everything()).loss(&logits, &targets).unwrap();
        let total = match objective {
            Objective::Loss => loss,
            Objective::ThreeTimesAndAnother => {
                ((loss * 3.0).unwrap() + logits.sqr().unwrap().mean_all().unwrap()).unwrap()
            }
            Objective::TwoLosses => {
                (loss + criterion(hard()).row_losses(&logits, &targets).unwrap().mean_all().unwrap()).unwrap()
            }
        };
        let gradients = total.backward().unwrap();
        Found { loss: read::<T>(&total)[0], gradient: read::<T>(gradients.get(&weights).unwrap()) }
    }

    fn train(&self, layer: &Layer<T>, rate: f64, steps: usize) -> Vec<f64> {
        let (images, targets) = (matrix(&layer.images, layer.rows(), PIXELS), targets(layer));
        let criterion = criterion(smoothed());
        let weights = Var::from_tensor(&matrix(&layer.weights, PIXELS, CLASSES)).unwrap();
        let step = |_| {
            let loss = criterion.loss(&images.matmul(&weights).unwrap(), &targets).unwrap();
            let step = (loss.backward().unwrap().get(&weights).unwrap() * rate).unwrap();
            weights.set(&weights.sub(&step).unwrap()).unwrap();
            read::<T>(&loss)[0]
        };
        (0..steps).map(step).collect()
    }
}

fn criterion(config: Config) -> SmoothedCrossEntropy {
    SmoothedCrossEntropy::from_config(config).unwrap()
}

fn matrix<T: WithDType>(values: &[T], rows: usize, columns: usize) -> Tensor {
    Tensor::from_slice(values, (rows, columns), &Device::Cpu).unwrap()
}

fn targets<T>(layer: &Layer<T>) -> Tensor {
    Tensor::from_slice(&layer.digits, layer.digits.len(), &Device::Cpu).unwrap()
}

fn read<T: Element + WithDType>(tensor: &Tensor) -> Vec<f64> {
    widened(&tensor.flatten_all().unwrap().to_vec1::<T>().unwrap())
}
