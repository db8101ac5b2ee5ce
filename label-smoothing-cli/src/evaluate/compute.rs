//! From logits to loss and gradient.

use label_smoothing_conformance::{Backend, Dense, Dtype, Failure, Outcome};
use label_smoothing_core::{Element, LossParts, Problem, kernel};

use super::inputs::Inputs;
use super::options::Options;
use super::refused;
use crate::args::EvaluateArgs;
use crate::backends;
use crate::error::{Error, Result};
use crate::tensor::{Scalar, Tensor};

/// What was computed.
pub(super) struct Answer {
    /// The loss as an array of rank 0, or the losses.
    pub(super) values: Tensor,
    pub(super) gradient: Tensor,
    pub(super) parts: LossParts,
    /// The axis of the classes.
    pub(super) class_axis: usize,
}

pub(super) fn answer<T>(
    args: &EvaluateArgs,
    options: &Options,
    backend: &dyn Backend,
    dtype: Dtype,
    logits: Tensor,
) -> Result<Answer>
where
    T: Element<Wide: Scalar> + Scalar,
{
    let inputs = Inputs::<T>::read(args)?;
    let Tensor { shape, values: logits } = logits;
    let problem =
        Problem::new(&options.config, &shape, inputs.targets()).map_err(|error| refused(args, error.kind(), error))?;
    let losses_shape = if options.row_losses { problem.losses_dims() } else { Vec::new() };
    let upstream = inputs.upstream(&losses_shape).map_err(|problem| match &args.upstream {
        Some(place) => Error::about(place, problem),
        None => Error::new(problem),
    })?;
    let logits = logits.into_elements::<T>();
    let computed = if backend.name() == backends::DEFAULT {
        by_kernel(&problem, logits, options.row_losses, &upstream)
            .map_err(|error| refused(args, error.kind(), error))?
    } else {
        let parts = parts(&problem, &logits, options.row_losses).map_err(|error| refused(args, error.kind(), error))?;
        let logits = Dense { shape: shape.clone(), values: logits.into_iter().map(Scalar::number).collect() };
        let outcome = backend.evaluate(&inputs.case_input(options, dtype, logits));
        narrow(outcome.map_err(|failure| failed(args, backend, failure))?, parts)
    };
    Ok(Answer {
        values: Tensor { shape: losses_shape, values: Scalar::wrap(computed.values) },
        gradient: Tensor { shape: shape.clone(), values: Scalar::wrap(computed.gradient) },
        parts: computed.parts,
        class_axis: problem.shape().axis(),
    })
}

struct Computed<T: Element> {
    values: Vec<T::Wide>,
    gradient: Vec<T>,
    parts: LossParts,
}

/// In the logits' own type and memory. The kit's verb takes and returns `f64` and asks every entry of a backend, which
/// is what checking needs, but many times the memory of a large file.
fn by_kernel<T: Element>(
    problem: &Problem<T>,
    mut logits: Vec<T>,
    row_losses: bool,
    upstream: &[f64],
) -> Result<Computed<T>, label_smoothing_core::Error> {
    let upstream: Vec<T::Wide> = upstream.iter().map(|&upstream| Element::from_f64(upstream)).collect();
    if row_losses {
        let mut values = vec![T::Wide::default(); problem.losses()];
        let mut gradient = vec![T::default(); logits.len()];
        let parts = kernel::row_losses_and_gradient(problem, &logits, &upstream, &mut values, &mut gradient)?;
        return Ok(Computed { values, gradient, parts });
    }
    let upstream = upstream.into_iter().fold(T::Wide::from_f64(1.0), |_, upstream| upstream);
    let loss = kernel::loss_and_gradient_in_place(problem, &mut logits, upstream)?;
    Ok(Computed { values: vec![Element::from_f64(loss.value)], gradient: logits, parts: loss.parts })
}

/// What a backend's verb does not return.
fn parts<T: Element>(
    problem: &Problem<T>,
    logits: &[T],
    row_losses: bool,
) -> Result<LossParts, label_smoothing_core::Error> {
    if row_losses {
        return kernel::row_losses(problem, logits, &mut vec![T::Wide::default(); problem.losses()]);
    }
    Ok(kernel::loss(problem, logits)?.parts)
}

/// The outcome in the types that it was widened from.
fn narrow<T: Element>(outcome: Outcome, parts: LossParts) -> Computed<T> {
    let Outcome { values, gradient } = outcome;
    Computed {
        values: values.into_iter().map(Element::from_f64).collect(),
        gradient: gradient.into_iter().map(Element::from_f64).collect(),
        parts,
    }
}

fn failed(args: &EvaluateArgs, backend: &dyn Backend, failure: Failure) -> Error {
    match failure {
        Failure::Refused { kind, message } => refused(args, kind, message),
        other => Error::about(format_args!("backend {}", backend.name()), other),
    }
}
