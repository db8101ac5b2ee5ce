//! `evaluate`: loss and gradient of arrays in files.

mod compute;
mod inputs;
mod options;
mod report;

use std::fmt;

use label_smoothing_conformance::{Dtype, dispatch};
use label_smoothing_core::ErrorKind;

use crate::args::EvaluateArgs;
use crate::backends;
use crate::error::{Error, Result};
use crate::staged::Staged;
use crate::tensor::Values;
use compute::Answer;
use report::Asked;

/// Computes, writes the files that are asked for, and gives the text to print.
pub(crate) fn run(args: &EvaluateArgs) -> Result<String> {
    let backend = backends::choose_one(&args.backend)?;
    let options = options::options(args)?;
    let logits = args.logits.read()?;
    let dtype = dtype(args, &logits.values)?;
    if !backend.dtypes().contains(&dtype) {
        let taken: Vec<&str> = backend.dtypes().iter().map(|dtype| dtype.name()).collect();
        let (name, taken) = (backend.name(), taken.join(", "));
        return Err(Error::new(format_args!("backend {name} takes {taken}, not {dtype}; --dtype converts the logits")));
    }
    check_outputs(args, dtype)?;
    let shape = logits.shape.clone();
    let answer = dispatch!(dtype, T => compute::answer::<T>(args, &options, backend.as_ref(), dtype, logits))?;
    publish(args, &answer)?;
    let asked = Asked { options: &options, backend: &args.backend, dtype, shape };
    if args.json { report::json(&asked, &answer) } else { Ok(report::text(&asked, &answer)) }
}

/// The element type that is asked for, or that the logits have.
fn dtype(args: &EvaluateArgs, logits: &Values) -> Result<Dtype> {
    let own = logits.type_name();
    match (args.dtype, own.parse()) {
        (Some(dtype), _) if own != "bool" => Ok(dtype),
        (None, Ok(dtype)) => Ok(dtype),
        _ => {
            let message = format!("holds {own}, but logits are floating-point numbers; --dtype converts integers");
            Err(Error::about(&args.logits, message))
        }
    }
}

/// Refuses, before any work is done, outputs that cannot be written.
fn check_outputs(args: &EvaluateArgs, dtype: Dtype) -> Result<()> {
    if let Some(place) = &args.loss_out {
        place.check_writable(dtype.wide().name())?;
    }
    if let Some(place) = &args.gradient_out {
        place.check_writable(dtype.name())?;
    }
    match (&args.loss_out, &args.gradient_out) {
        (Some(loss), Some(gradient)) if loss.is_same_file(gradient) => {
            Err(Error::about(gradient, "is both --loss-out and --gradient-out"))
        }
        _ => Ok(()),
    }
}

/// Both outputs or none.
fn publish(args: &EvaluateArgs, answer: &Answer) -> Result<()> {
    let loss = args.loss_out.as_ref().map(|place| place.stage("loss", &answer.values)).transpose()?;
    let gradient = args.gradient_out.as_ref().map(|place| place.stage("gradient", &answer.gradient)).transpose()?;
    loss.into_iter().chain(gradient).try_for_each(Staged::publish)
}

/// A refusal, with the file in front that it is about.
fn refused(args: &EvaluateArgs, kind: ErrorKind, message: impl fmt::Display) -> Error {
    let place = match kind {
        ErrorKind::InvalidClassWeights | ErrorKind::ClassWeightCount => args.class_weights.as_ref(),
        ErrorKind::TargetOutOfRange | ErrorKind::InvalidTargets | ErrorKind::TargetShape => Some(&args.targets),
        ErrorKind::MaskShape => args.row_mask.as_ref(),
        ErrorKind::InvalidRowWeights => args.row_weights.as_ref(),
        ErrorKind::LogitsRank | ErrorKind::NoClasses | ErrorKind::BufferLength => Some(&args.logits),
        _ => None,
    };
    match place {
        Some(place) => Error::about(place, message),
        None => Error::new(message),
    }
}
