//! What the tests share: fixed inputs, tensors of every kind, and exact ways back to numbers.

use label_smoothing_tch::tch::{Device, Kind, Tensor};
use label_smoothing_tch::{Config, Element, Reduction, Smoothing};

/// Fixed, well spread numbers between -4 and 4, from a linear congruential generator.
pub(crate) fn numbers(count: usize, seed: u64) -> Vec<f64> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / f64::from(1 << 21) - 4.0
    };
    (0..count).map(|_| next()).collect()
}

/// Such numbers as an element type has them.
pub(crate) fn elements<T: Element>(count: usize, seed: u64) -> Vec<T> {
    numbers(count, seed).into_iter().map(T::from_f64).collect()
}

/// The kind of tensors of an element type.
pub(crate) fn kind<T: Element>() -> Kind {
    match T::NAME {
        "f64" => Kind::Double,
        "f32" => Kind::Float,
        "f16" => Kind::Half,
        "bf16" => Kind::BFloat16,
        other => panic!("no kind for {other}"),
    }
}

/// Lengths as libtorch counts them.
pub(crate) fn sizes(dims: &[usize]) -> Vec<i64> {
    dims.iter().map(|&length| i64::try_from(length).unwrap()).collect()
}

/// A tensor of these values. The way through Double is exact.
pub(crate) fn tensor<T: Element>(dims: &[usize], values: &[T]) -> Tensor {
    let values: Vec<f64> = values.iter().map(|value| value.to_f64()).collect();
    Tensor::from_slice(&values).to_kind(kind::<T>()).reshape(sizes(dims))
}

/// The same, as a leaf that requires gradients.
pub(crate) fn leaf<T: Element>(dims: &[usize], values: &[T]) -> Tensor {
    tensor(dims, values).set_requires_grad(true)
}

/// The values in row-major order, widened without loss.
pub(crate) fn read(tensor: &Tensor) -> Vec<f64> {
    Vec::try_from(tensor.detach().to_kind(Kind::Double).flatten(0, -1)).unwrap()
}

/// The bits of widened values: the same where the values' own bits are.
pub(crate) fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

pub(crate) fn widened<T: Element>(values: &[T]) -> Vec<f64> {
    values.iter().map(|value| value.to_f64()).collect()
}

/// `d output / d input` by libtorch.
pub(crate) fn gradient(output: &Tensor, input: &Tensor) -> Tensor {
    Tensor::run_backward(&[output], &[input], true, false).remove(0)
}

/// `(output . upstream)`, whose gradient by `output` is `upstream`.
pub(crate) fn against(output: &Tensor, upstream: &[f64]) -> Tensor {
    let upstream = Tensor::from_slice(upstream).to_kind(output.kind());
    output.flatten(0, -1).dot(&upstream)
}

/// Uniform smoothing with a weight for each class, an ignored id and a z-loss.
pub(crate) fn everything(classes: usize) -> Config {
    Config::cross_entropy()
        .smoothing(Smoothing::Uniform { epsilon: 0.1 })
        .class_weights((0..classes).map(|class| 0.5 + class as f64 / 4.0).collect::<Vec<_>>())
        .ignore_index([-100])
        .z_loss(0.01)
        .build()
        .unwrap()
}

pub(crate) fn sum() -> Config {
    Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: 0.1 }).reduction(Reduction::Sum).build().unwrap()
}

pub(crate) fn binary() -> Config {
    Config::binary_cross_entropy().smoothing(Smoothing::UniformHalf { epsilon: 0.2 }).build().unwrap()
}

/// A tensor without values. tch cannot make one, so a scripted module does: its `forward` is
/// `torch.to(argument_1, device=torch.device("meta"))`.
pub(crate) fn meta(dims: &[usize]) -> Tensor {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/to_meta.pt");
    let module = label_smoothing_tch::tch::CModule::load(path).unwrap();
    module.forward_ts(&[Tensor::zeros(sizes(dims), (Kind::Float, Device::Cpu))]).unwrap()
}
