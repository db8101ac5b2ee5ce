//! Core's kernel on plain slices, by every one of its entries.

use label_smoothing_core::kernel::slices::{self, Slice};
use label_smoothing_core::{Config, Element, LossParts, Problem, Reduction, kernel};

use super::agree;
use crate::backend::{Backend, Failure, Outcome};
use crate::dispatch;
use crate::dtype::Dtype;
use crate::input::{CaseInput, Slices};
use crate::tolerance::Accuracy;

/// `label_smoothing_core::kernel`, whose bits every adapter on the CPU must have.
///
/// Each question is asked of every entry that can answer it: value alone, gradient into a buffer of the logits' type, of
/// the wider type, in place, and row by row. They must agree bit for bit.
#[derive(Debug, Clone, Copy, Default)]
pub struct Kernel;

impl Backend for Kernel {
    fn name(&self) -> String {
        "kernel".to_owned()
    }

    fn framework(&self) -> String {
        "none: slices".to_owned()
    }

    fn dtypes(&self) -> &[Dtype] {
        Dtype::ALL
    }

    fn claims_identical_bits(&self) -> bool {
        true
    }

    fn accuracy(&self) -> Accuracy {
        Accuracy::Kernel
    }

    fn evaluate(&self, input: &CaseInput) -> Result<Outcome, Failure> {
        dispatch!(input.dtype, T => evaluate::<T>(input))
    }

    fn parts(&self, input: &CaseInput) -> Result<LossParts, Failure> {
        dispatch!(input.dtype, T => parts::<T>(input))
    }

    fn evaluate_in_slices(&self, input: &CaseInput, slices: &Slices) -> Result<Outcome, Failure> {
        dispatch!(input.dtype, T => in_slices::<T>(input, slices))
    }
}

fn evaluate<T: Element>(input: &CaseInput) -> Result<Outcome, Failure> {
    let config = input.config()?;
    let problem = Problem::new(&config, &input.logits.shape, input.core_targets::<T>())?;
    let logits = input.logits.narrow::<T>().values;
    if input.row_losses { row_losses(&problem, &logits, input) } else { reduced(&config, &problem, &logits, input) }
}

fn row_losses<T: Element>(problem: &Problem<T>, logits: &[T], input: &CaseInput) -> Result<Outcome, Failure> {
    let upstream = narrow::<T::Wide>(&input.unchecked_upstream(problem.losses()));
    let mut losses = vec![T::Wide::default(); problem.losses()];
    let mut gradient = vec![T::default(); logits.len()];
    kernel::row_losses_and_gradient(problem, logits, &upstream, &mut losses, &mut gradient)?;

    let mut wide_losses = losses.clone();
    let mut wide_gradient = vec![T::Wide::default(); logits.len()];
    kernel::row_losses_and_gradient(problem, logits, &upstream, &mut wide_losses, &mut wide_gradient)?;
    let mut losses_alone = vec![T::Wide::default(); problem.losses()];
    kernel::row_losses(problem, logits, &mut losses_alone)?;

    let (values, gradient) = (widen(&losses), widen(&gradient));
    agree("row_losses_and_gradient", &values, "row_losses", &widen(&losses_alone))?;
    agree("row_losses_and_gradient", &values, "that with a wide gradient", &widen(&wide_losses))?;
    agree("the gradient", &gradient, "the wide gradient, rounded", &rounded::<T>(&wide_gradient))?;
    Ok(Outcome { values, gradient })
}

fn reduced<T: Element>(
    config: &Config,
    problem: &Problem<T>,
    logits: &[T],
    input: &CaseInput,
) -> Result<Outcome, Failure> {
    let upstream = T::Wide::from_f64(input.scalar_upstream()?);
    let mut gradient = vec![T::default(); logits.len()];
    let loss = kernel::loss_and_gradient(problem, logits, upstream, &mut gradient)?;

    let mut wide_gradient = vec![T::Wide::default(); logits.len()];
    let wide = kernel::loss_and_gradient(problem, logits, upstream, &mut wide_gradient)?;
    let mut in_place_gradient = logits.to_vec();
    let in_place = kernel::loss_and_gradient_in_place(problem, &mut in_place_gradient, upstream)?;
    let alone = kernel::loss(problem, logits)?;

    let gradient = widen(&gradient);
    let name = "loss_and_gradient";
    for (other, loss_of_other) in [("loss", alone), ("that in place", in_place), ("that with a wide gradient", wide)] {
        let sums = [loss.value, loss.parts.sum(), loss.parts.nll()];
        agree(name, &sums, other, &[loss_of_other.value, loss_of_other.parts.sum(), loss_of_other.parts.nll()])?;
    }
    agree(name, &gradient, "that in place", &widen(&in_place_gradient))?;
    agree(name, &gradient, "the wide gradient, rounded", &rounded::<T>(&wide_gradient))?;
    if config.reduction() == Reduction::Sum {
        let mut losses = vec![T::Wide::default(); problem.losses()];
        let mut by_rows = vec![T::default(); logits.len()];
        kernel::row_losses_and_gradient(problem, logits, &vec![upstream; losses.len()], &mut losses, &mut by_rows)?;
        agree(name, &gradient, "row_losses_and_gradient", &widen(&by_rows))?;
    }
    Ok(Outcome { values: vec![T::Wide::from_f64(loss.value).to_f64()], gradient })
}

fn parts<T: Element>(input: &CaseInput) -> Result<LossParts, Failure> {
    let config = input.config()?;
    let problem = Problem::new(&config, &input.logits.shape, input.core_targets::<T>())?;
    Ok(kernel::loss(&problem, &input.logits.narrow::<T>().values)?.parts)
}

/// Each slice with a copy of its own logits, as if it were on a machine of its own.
fn in_slices<T: Element>(input: &CaseInput, Slices { cuts, one_pass }: &Slices) -> Result<Outcome, Failure> {
    let config = input.config()?;
    let problem = Problem::new(&config, &input.logits.shape, input.core_targets::<T>())?;
    let (classes, logits) = (problem.shape().classes(), input.logits.narrow::<T>().values);
    let ends = cuts.iter().copied().chain([classes]);
    let mut slices = Vec::new();
    for (from, to) in [0].into_iter().chain(cuts.iter().copied()).zip(ends) {
        let own: Vec<T> = logits.chunks(classes).flat_map(|row| &row[from..to]).copied().collect();
        slices.push((from, Slice::new(&problem, from..to)?, own));
    }
    let mut maxima = slices.iter().map(|(_, slice, own)| slice.maxima(own)).collect::<Result<Vec<_>, _>>()?;
    if !one_pass {
        let mut all = maxima[0].clone();
        for of_slice in &maxima[1..] {
            all = all.merge(of_slice)?;
        }
        maxima.fill(all);
    }
    let sums = slices.iter().zip(&maxima).map(|((_, slice, own), maxima)| slice.sums(own, maxima));
    let put_together = |a: slices::Sums<_>, b| if *one_pass { a.merge(&b, &problem) } else { a.followed_by(&b) };
    let Some(sums) = sums.reduce(|a, b| put_together(a?, b?)) else {
        return Err(Failure::Broken("no slices".to_owned()));
    };
    let merged = sums?.loss(&problem)?;

    let mut gradient = vec![0.0; logits.len()];
    for (from, slice, own) in &slices {
        let mut of_slice = vec![T::default(); own.len()];
        if input.row_losses {
            let upstream = narrow::<T::Wide>(&input.unchecked_upstream(problem.losses()));
            slice.row_losses_gradient(own, &merged, &upstream, &mut of_slice)?;
        } else {
            slice.gradient(own, &merged, T::Wide::from_f64(input.scalar_upstream()?), &mut of_slice)?;
        }
        let width = own.len() / problem.shape().rows().max(1);
        for (row, values) in of_slice.chunks(width.max(1)).enumerate() {
            let start = row * classes + from;
            gradient[start..start + width].copy_from_slice(&widen(values));
        }
    }
    let values =
        if input.row_losses { widen(&merged.row_losses) } else { widen(&[T::Wide::from_f64(merged.loss.value)]) };
    Ok(Outcome { values, gradient })
}

fn narrow<T: Element>(values: &[f64]) -> Vec<T> {
    values.iter().map(|&value| T::from_f64(value)).collect()
}

fn widen<T: Element>(values: &[T]) -> Vec<f64> {
    values.iter().map(|value| value.to_f64()).collect()
}

fn rounded<T: Element>(values: &[T::Wide]) -> Vec<f64> {
    values.iter().map(|&value| T::narrow(value).to_f64()).collect()
}
