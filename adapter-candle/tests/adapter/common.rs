//! What the tests share: numbers, tensors of them, and the two losses behind one function.

use label_smoothing_candle::candle_core::{Device, Tensor, Var, WithDType};
use label_smoothing_candle::{
    CandleTargets, Config, Element, Error, LossFamily, SmoothedBinaryCrossEntropy, SmoothedCrossEntropy, SmoothedLoss,
};

/// Multiples of 1/16 from -8 to 8, which every element type holds; always the same ones.
pub(crate) fn numbers(len: usize) -> Vec<f64> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % 257) as f64 / 16.0 - 8.0
    };
    (0..len).map(|_| next()).collect()
}

pub(crate) fn narrowed<T: Element>(values: &[f64]) -> Vec<T> {
    values.iter().map(|&value| T::from_f64(value)).collect()
}

pub(crate) fn widened<T: Element>(values: &[T]) -> Vec<f64> {
    values.iter().map(|&value| value.to_f64()).collect()
}

pub(crate) fn tensor<T: Element + WithDType>(values: &[f64], dims: &[usize]) -> Tensor {
    Tensor::from_vec(narrowed::<T>(values), dims, &Device::Cpu).unwrap()
}

pub(crate) fn var<T: Element + WithDType>(values: &[f64], dims: &[usize]) -> Var {
    Var::from_tensor(&tensor::<T>(values, dims)).unwrap()
}

/// The values in row-major order.
pub(crate) fn read<T: Element + WithDType>(tensor: &Tensor) -> Vec<f64> {
    assert_eq!(tensor.dtype(), T::DTYPE);
    widened(&tensor.flatten_all().unwrap().to_vec1::<T>().unwrap())
}

/// The gradient of a scalar with respect to a variable.
pub(crate) fn gradient<T: Element + WithDType>(of: &Tensor, var: &Var) -> Vec<f64> {
    read::<T>(of.backward().unwrap().get(var).expect("a gradient for the variable"))
}

pub(crate) fn loss<Y: CandleTargets>(config: &Config, logits: &Tensor, targets: Y) -> Result<Tensor, Error> {
    match config.loss() {
        LossFamily::CrossEntropy => SmoothedCrossEntropy::from_config(config.clone())?.loss(logits, targets),
        LossFamily::BinaryCrossEntropy => {
            SmoothedBinaryCrossEntropy::from_config(config.clone())?.loss(logits, targets)
        }
    }
}

pub(crate) fn row_losses<Y: CandleTargets>(config: &Config, logits: &Tensor, targets: Y) -> Result<Tensor, Error> {
    match config.loss() {
        LossFamily::CrossEntropy => SmoothedCrossEntropy::from_config(config.clone())?.row_losses(logits, targets),
        LossFamily::BinaryCrossEntropy => {
            SmoothedBinaryCrossEntropy::from_config(config.clone())?.row_losses(logits, targets)
        }
    }
}

pub(crate) fn composed_loss<Y: CandleTargets>(config: &Config, logits: &Tensor, targets: Y) -> Result<Tensor, Error> {
    match config.loss() {
        LossFamily::CrossEntropy => SmoothedCrossEntropy::from_config(config.clone())?.composed().loss(logits, targets),
        LossFamily::BinaryCrossEntropy => {
            SmoothedBinaryCrossEntropy::from_config(config.clone())?.composed().loss(logits, targets)
        }
    }
}

pub(crate) fn composed_row_losses<Y: CandleTargets>(
    config: &Config,
    logits: &Tensor,
    targets: Y,
) -> Result<Tensor, Error> {
    match config.loss() {
        LossFamily::CrossEntropy => {
            SmoothedCrossEntropy::from_config(config.clone())?.composed().row_losses(logits, targets)
        }
        LossFamily::BinaryCrossEntropy => {
            SmoothedBinaryCrossEntropy::from_config(config.clone())?.composed().row_losses(logits, targets)
        }
    }
}

/// The same bits, -0 and 0 taken as one: candle adds gradients to zeros, which turns -0 into 0. Any NaN is NaN.
pub(crate) fn assert_same_bits(what: &str, actual: &[f64], expected: &[f64]) {
    assert_eq!(actual.len(), expected.len(), "{what}: lengths");
    for (at, (&a, &e)) in actual.iter().zip(expected).enumerate() {
        let same = (a.is_nan() && e.is_nan()) || (a + 0.0).to_bits() == (e + 0.0).to_bits();
        assert!(same, "{what}: element {at} is {a:e}, not {e:e}");
    }
}

/// Within `tolerance` of one another, absolutely.
pub(crate) fn assert_close(what: &str, actual: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(actual.len(), expected.len(), "{what}: lengths");
    for (at, (&a, &e)) in actual.iter().zip(expected).enumerate() {
        assert!((a - e).abs() <= tolerance, "{what}: element {at} is {a:e}, not {e:e} within {tolerance:e}");
    }
}
