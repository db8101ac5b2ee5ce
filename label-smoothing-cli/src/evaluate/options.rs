//! The configuration, of `--config` and the options that take precedence over it.

use std::fs;
use std::path::Path;

use label_smoothing_conformance::{ParsedConfig, parse_config};
use label_smoothing_core::{Config, LossFamily, Reduction, Smoothing};

use crate::args::{Convention, EvaluateArgs, Family, ReductionArg};
use crate::error::{Error, Result};

pub(super) struct Options {
    pub(super) config: Config,
    /// Whether the reduction is `none`.
    pub(super) row_losses: bool,
}

pub(super) fn options(args: &EvaluateArgs) -> Result<Options> {
    let ParsedConfig { config, mut row_losses } = match (args.preset, args.label_smoothing) {
        (Some(preset), Some(epsilon)) => ParsedConfig { config: preset.config(epsilon), row_losses: false },
        _ => without_preset(args)?,
    };
    let mut config = config.class_axis(args.class_axis);
    if let Some(place) = &args.class_weights {
        let weights = place.read()?;
        if weights.shape.len() != 1 {
            return Err(Error::about(
                place,
                format_args!("has shape {:?}, but class weights are one list", weights.shape),
            ));
        }
        config = config.class_weights(weights.values.numbers().collect::<Vec<_>>());
    }
    if !args.ignore_index.is_empty() {
        config = config.ignore_index(args.ignore_index.clone());
    }
    if let Some(reduction) = args.reduction {
        row_losses = reduction == ReductionArg::None;
        config = config.reduction(if reduction == ReductionArg::Sum { Reduction::Sum } else { Reduction::Mean });
    }
    if let Some(denominator) = args.denominator {
        config = config.denominator(denominator);
    }
    let config = config.build().map_err(|error| super::refused(args, error.kind(), error))?;
    Ok(Options { config, row_losses })
}

/// The configuration of `--config`, or the default one, with the smoothing of the command line.
fn without_preset(args: &EvaluateArgs) -> Result<ParsedConfig> {
    let ParsedConfig { config, row_losses } = match &args.config {
        Some(path) => read_config(path, args.loss.into())?,
        None => ParsedConfig { config: builder(args.loss), row_losses: false },
    };
    let of_file = config.clone().build().map_err(|error| match &args.config {
        Some(path) => Error::about(path.display(), error),
        None => Error::new(error),
    })?;
    let config = config.smoothing(smoothing(args, of_file.smoothing())?);
    Ok(ParsedConfig { config, row_losses })
}

fn builder(family: Family) -> label_smoothing_core::ConfigBuilder {
    match family {
        Family::CrossEntropy => Config::cross_entropy(),
        Family::BinaryCrossEntropy => Config::binary_cross_entropy(),
    }
}

fn read_config(path: &Path, loss: LossFamily) -> Result<ParsedConfig> {
    let text = fs::read_to_string(path).map_err(|error| Error::about(path.display(), error))?;
    parse_config(&path.display().to_string(), &text, loss).map_err(Error::new)
}

/// `given`, with the rate and the kind of the command line in place of its own.
fn smoothing(args: &EvaluateArgs, given: &Smoothing) -> Result<Smoothing> {
    let mut smoothing = given.clone();
    let rate = rate(&mut smoothing);
    match (args.convention, args.label_smoothing, rate) {
        (None, None, _) => Ok(smoothing),
        (None, Some(epsilon), Some(rate)) => {
            *rate = epsilon;
            Ok(smoothing)
        }
        (None, Some(epsilon), None) => Ok(kind(Convention::All, args.loss, epsilon)),
        (Some(convention), Some(epsilon), _) => Ok(kind(convention, args.loss, epsilon)),
        (Some(convention), None, Some(rate)) => Ok(kind(convention, args.loss, *rate)),
        (Some(_), None, None) => Err(Error::new("--convention needs a rate: add --label-smoothing")),
    }
}

/// The one rate of a kind that has one.
fn rate(smoothing: &mut Smoothing) -> Option<&mut f64> {
    match smoothing {
        Smoothing::Uniform { epsilon }
        | Smoothing::UniformOthers { epsilon }
        | Smoothing::Distribution { epsilon, .. }
        | Smoothing::ClassRows { epsilon, .. }
        | Smoothing::UniformHalf { epsilon }
        | Smoothing::UniformFlip { epsilon }
        | Smoothing::PositivesOnly { epsilon }
        | Smoothing::UnbiasedFlip { epsilon } => Some(epsilon),
        _ => None,
    }
}

/// The binary loss smooths over two outcomes per element: half the rate for each, or the rate for the other one.
fn kind(convention: Convention, loss: Family, epsilon: f64) -> Smoothing {
    match (convention, loss) {
        (Convention::All, Family::CrossEntropy) => Smoothing::Uniform { epsilon },
        (Convention::Others, Family::CrossEntropy) => Smoothing::UniformOthers { epsilon },
        (Convention::All, Family::BinaryCrossEntropy) => Smoothing::UniformHalf { epsilon },
        (Convention::Others, Family::BinaryCrossEntropy) => Smoothing::UniformFlip { epsilon },
    }
}
