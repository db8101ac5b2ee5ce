//! What several tests need.

use burn::tensor::{Device, Element, GradientCheckpointingStrategy, Int, Tensor, TensorData};
use label_smoothing_burn::burn;
use label_smoothing_core::{Array, Problem, Targets, kernel, reference};

/// Reproducible numbers between `-scale` and `scale` with full mantissas.
pub(crate) fn numbers(seed: u64, len: usize, scale: f64) -> Vec<f64> {
    let mut state = seed;
    let mut next = || {
        // SplitMix64 (Steele, Lea and Flood 2014).
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    };
    (0..len).map(|_| scale * next()).collect()
}

/// The values in another element type.
pub(crate) fn narrowed<T: label_smoothing_core::Element>(values: &[f64]) -> Vec<T> {
    values.iter().map(|&value| T::from_f64(value)).collect()
}

/// The values as `f64`.
pub(crate) fn widened<T: label_smoothing_core::Element>(values: &[T]) -> Vec<f64> {
    values.iter().map(|value| value.to_f64()).collect()
}

pub(crate) fn tensor<T: Element, const D: usize>(values: &[T], dims: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), dims), (device, T::dtype()))
}

pub(crate) fn classes<const R: usize>(values: &[i64], dims: [usize; R], device: &Device) -> Tensor<R, Int> {
    Tensor::from_data(TensorData::new(values.to_vec(), dims), (device, i64::dtype()))
}

/// The values of a tensor that must be of type `T`.
pub(crate) fn read<T: Element, const D: usize>(tensor: &Tensor<D>) -> Vec<T> {
    tensor.to_data().try_to_vec::<T>().expect("the element type asked for")
}

/// The CPU with autodiff, by both strategies.
pub(crate) fn autodiff_devices() -> [Device; 2] {
    let devices = [Device::flex().autodiff(), Device::flex().autodiff().gradient_checkpointing()];
    let strategies = devices.each_ref().map(Device::gradient_checkpointing_strategy);
    let [first, second] = strategies;
    assert_eq!(first, Some(GradientCheckpointingStrategy::Disabled));
    assert_eq!(second, Some(GradientCheckpointingStrategy::Balanced));
    devices
}

/// Index targets as core takes them.
pub(crate) fn core_classes<'a>(values: &'a [i64], dims: &[usize]) -> Targets<'a, f32> {
    Targets::indices(Array::new(dims, values))
}

/// Loss and gradient by core's kernel on plain slices.
pub(crate) fn kernel_gradient<T: label_smoothing_core::Element, P: label_smoothing_core::Element>(
    problem: &Problem<P>,
    logits: &[T],
    upstream: f64,
) -> (f64, Vec<T>) {
    use label_smoothing_core::Element as _;
    let mut gradient = vec![T::default(); logits.len()];
    let loss = kernel::loss_and_gradient(problem, logits, T::Wide::from_f64(upstream), &mut gradient).unwrap();
    (T::Wide::from_f64(loss.value).to_f64(), gradient)
}

/// `d loss / d value` of the reference by central differences of width `2 h`, in `f64`: off by `h^2` times a third
/// derivative, and by a rounding over `h`.
pub(crate) fn finite_differences(values: &[f64], loss: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    const H: f64 = 1e-5;
    (0..values.len())
        .map(|place| {
            let at = |shift: f64| {
                let mut moved = values.to_vec();
                moved[place] += shift;
                loss(&moved)
            };
            (at(H) - at(-H)) / (2.0 * H)
        })
        .collect()
}

/// The reference's loss for logits in `f64`.
pub(crate) fn reference_loss<P: label_smoothing_core::Element>(problem: &Problem<P>, logits: &[f64]) -> f64 {
    reference::loss(problem, logits).unwrap()
}

/// A matrix product of row-major slices, `n x k` times `k x m`.
pub(crate) fn product(a: &[f64], b: &[f64], k: usize, m: usize) -> Vec<f64> {
    let row = |row: &[f64]| (0..m).map(|j| (0..k).map(|i| row[i] * b[i * m + j]).sum()).collect::<Vec<f64>>();
    a.chunks_exact(k).flat_map(row).collect()
}

#[track_caller]
pub(crate) fn assert_close(actual: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(actual.len(), expected.len());
    for (place, (actual, expected)) in actual.iter().zip(expected).enumerate() {
        assert!((actual - expected).abs() <= tolerance, "at {place}: {actual:e} instead of {expected:e}");
    }
}

/// Equal bits, but for the sign of zeros and the payload of NaNs.
#[track_caller]
pub(crate) fn assert_same(actual: &[f64], expected: &[f64]) {
    assert_eq!(actual.len(), expected.len());
    for (place, (&actual, &expected)) in actual.iter().zip(expected).enumerate() {
        let same = actual == expected || (actual.is_nan() && expected.is_nan());
        assert!(same, "at {place}: {actual:e} instead of {expected:e}");
    }
}
