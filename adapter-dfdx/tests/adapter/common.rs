//! Inputs that every element type holds exactly, and core's kernel on plain slices to hold dfdx's tensors against.

use label_smoothing_core::{Array, Config, Element, Problem, Targets, kernel};

/// Multiples of 1/16 between -4 and 4, scattered.
pub(crate) fn scattered(count: usize, seed: u32) -> Vec<f64> {
    (0..count as u32).map(|i| f64::from((i.wrapping_mul(2_654_435_761) ^ seed) >> 7 & 127) / 16.0 - 4.0).collect()
}

/// The same in another element type.
pub(crate) fn as_type<E: Element>(values: &[f64]) -> Vec<E> {
    values.iter().map(|&value| E::from_f64(value)).collect()
}

/// Index targets that go through the classes; every third is `ignore` where that is given.
pub(crate) fn classes(rows: usize, count: usize, ignore: Option<i64>) -> Vec<i64> {
    let class = |row: usize| i64::try_from((row * 5 + 2) % count).unwrap();
    (0..rows).map(|row| ignore.filter(|_| row % 3 == 1).unwrap_or_else(|| class(row))).collect()
}

/// Bits after `+ 0.0`, which turns -0 into 0 as dfdx's accumulation does.
pub(crate) fn bits<E: Element>(values: &[E]) -> Vec<u64> {
    values.iter().map(|value| (value.to_f64() + 0.0).to_bits()).collect()
}

/// The kernel's reduced loss, and its gradient before it is narrowed.
pub(crate) fn kernel_loss<E: Element>(
    config: &Config,
    shape: &[usize],
    targets: Targets<'_, E>,
    logits: &[E],
) -> (f64, Vec<E::Wide>) {
    let problem = Problem::new(config, shape, targets).unwrap();
    let mut gradient = vec![E::Wide::default(); logits.len()];
    let loss = kernel::loss_and_gradient(&problem, logits, E::Wide::from_f64(1.0), &mut gradient).unwrap();
    (loss.value, gradient)
}

/// The kernel's row losses, and their gradient for an upstream of ones.
pub(crate) fn kernel_rows<E: Element>(
    config: &Config,
    shape: &[usize],
    targets: Targets<'_, E>,
    logits: &[E],
) -> (Vec<E::Wide>, Vec<E::Wide>) {
    let problem = Problem::new(config, shape, targets).unwrap();
    let ones = vec![E::Wide::from_f64(1.0); problem.losses()];
    let (mut losses, mut gradient) = (ones.clone(), vec![E::Wide::default(); logits.len()]);
    kernel::row_losses_and_gradient(&problem, logits, &ones, &mut losses, &mut gradient).unwrap();
    (losses, gradient)
}

/// `upstream * gradient`, multiplied in the wider type and rounded once.
pub(crate) fn scaled<E: Element>(upstream: f64, gradient: &[E::Wide]) -> Vec<E> {
    gradient.iter().map(|g| E::narrow(E::Wide::from_f64(upstream * g.to_f64()))).collect()
}

/// Core's index targets.
pub(crate) fn indices<'a, E: Element>(shape: &[usize], classes: &'a [i64]) -> Targets<'a, E> {
    Targets::indices(Array::new(shape, classes))
}
