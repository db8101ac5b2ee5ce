//! The layer in dfdx.

use label_smoothing_dfdx::dfdx::prelude::{
    Backward, Const, Cpu, Device, Dtype, MeanTo, Rank2, Shape, Tensor, TensorFromVec, Trace, TryMatMul, WithEmptyTape,
};
use label_smoothing_dfdx::{Config, Element, SmoothedCrossEntropy, SmoothedLoss};

use crate::framework::{CLASSES, Found, Framework, Layer, Objective, PIXELS, everything, hard, smoothed, widened};

pub(crate) struct Dfdx;

impl<T> Framework<T> for Dfdx
where
    T: Element + Dtype,
    T::Wide: Dtype,
    Cpu: Device<T>,
{
    fn name(&self) -> &'static str {
        "dfdx"
    }

    fn differentiate(&self, layer: &Layer<T>, objective: Objective) -> Found {
        let weights = weights(layer);
        let logits = images(layer).leaky_trace().matmul(weights.clone());
        // What needs the logits once more gets them without the tape, which goes with the last.
        let loss = criterion(everything()).loss(logits.with_empty_tape(), &layer.digits).unwrap();
        let total = match objective {
            Objective::Loss => criterion(everything()).loss(logits, &layer.digits).unwrap(),
            Objective::ThreeTimesAndAnother => loss * <T as Element>::from_f64(3.0) + logits.square().mean(),
            Objective::TwoLosses => loss + criterion(hard()).row_losses(logits, &layer.digits).unwrap().mean(),
        };
        let loss = read(&total)[0];
        Found { loss, gradient: read(&total.backward().get(&weights)) }
    }

    fn train(&self, layer: &Layer<T>, rate: f64, steps: usize) -> Vec<f64> {
        let images = images(layer);
        let criterion = criterion(smoothed());
        let mut weights = weights(layer);
        let step = |_| {
            let loss = criterion.loss(images.leaky_trace().matmul(weights.clone()), &layer.digits).unwrap();
            let value = read(&loss)[0];
            weights = weights.clone() - loss.backward().get(&weights) * <T as Element>::from_f64(rate);
            value
        };
        (0..steps).map(step).collect()
    }
}

fn criterion(config: Config) -> SmoothedCrossEntropy {
    SmoothedCrossEntropy::from_config(config).unwrap()
}

fn images<T: Dtype>(layer: &Layer<T>) -> Tensor<(usize, Const<PIXELS>), T, Cpu> {
    Cpu::default().tensor_from_vec(layer.images.clone(), (layer.digits.len(), Const))
}

fn weights<T: Dtype>(layer: &Layer<T>) -> Tensor<Rank2<PIXELS, CLASSES>, T, Cpu> {
    Cpu::default().tensor_from_vec(layer.weights.clone(), (Const, Const))
}

fn read<S: Shape, T: Element + Dtype, Tape>(tensor: &Tensor<S, T, Cpu, Tape>) -> Vec<f64> {
    widened(&tensor.as_vec())
}
