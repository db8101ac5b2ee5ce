//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use label_smoothing_conformance::Dtype;
use label_smoothing_core::{Denominator, LossFamily, Preset};

use crate::accuracy::AccuracyArgs;
use crate::compare::Shape;
use crate::tensor::Place;
use crate::train::Rule;

const ABOUT: &str = "Label-smoothed losses: the same definition in every framework, checked";

const AFTER: &str = "\
Without a subcommand, `conformance` is run.

Examples:
  label-smoothing                                     does every backend compute what it should?
  label-smoothing evaluate --logits z.npy --targets y.npy --label-smoothing 0.1 --gradient-out g.npy
  label-smoothing compare --backend candle --shape 4096x1000 --svg speed.svg
  label-smoothing accuracy --dtype f32 --by lead      how far off is which loss, on confident rows and on others?
  label-smoothing train --label-smoothing 0.1         does smoothing help on real digits?
  label-smoothing completions bash > ~/.local/share/bash-completion/completions/label-smoothing

Exit status: 0 when all is well, 1 when a check fails, 2 when the call or a file is at fault.";

const AFTER_CHECK: &str = "\
Example:
  label-smoothing check --vectors mine.json --backend candle --json report.json";

const AFTER_COMPARE: &str = "\
Example:
  label-smoothing compare --backend candle --backend burn --shape 1024x10 --shape 32x128256 --svg speed.svg

Measure an optimised build, on a machine that does nothing else.";

const AFTER_TRAIN: &str = "\
Examples:
  label-smoothing train --label-smoothing 0.1              hard labels against smoothed ones, clean and with a fifth wrong
  label-smoothing train --full --out results               rates 0, 0.05, 0.1, 0.2; none, a tenth, a fifth wrong; five seeds
  label-smoothing train --backend candle --backend burn    the same training in both, and their loss curves in one chart

A network of 64, 64 and 10 units with dropout is trained on 400 of the 1797 digits of the UCI data set (E. Alpaydin and C.
Kaynak, CC BY 4.0), which are built in; 400 fit the temperature, 997 are tested. Weights, batches and dropout masks come from
one seeded generator and are the same for every backend, and so is the optimiser.";

const AFTER_EVALUATE: &str = "\
Example:
  label-smoothing evaluate --logits logits.npy --targets targets.npy --label-smoothing 0.1 --gradient-out gradient.npy

Each F is FILE.npy, FILE.safetensors, or FILE.safetensors:NAME where the file holds several tensors.

Options on the command line take precedence over those in --config. Logits and target probabilities are rounded to --dtype,
row weights and upstream gradients to f64 for f64 and to f32 otherwise.";

#[derive(Debug, Parser)]
#[command(name = "label-smoothing", version, about = ABOUT, after_help = AFTER, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    #[command(flatten)]
    pub(crate) conformance: ConformanceArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the conformance kit and print the matrix
    Conformance(ConformanceArgs),
    /// Check backends against vector files
    Check(CheckArgs),
    /// Compute loss and gradient of arrays in files
    Evaluate(Box<EvaluateArgs>),
    /// Measure speed and memory beside what each framework's users would call instead
    Compare(CompareArgs),
    /// Measure accuracy beside what each framework's users would call instead
    Accuracy(AccuracyArgs),
    /// What `compare` calls in a process of its own
    #[command(hide = true)]
    PeakMemory(PeakMemoryArgs),
    /// Train a small network on real digits, with hard labels and with smoothed ones, and draw what came out
    Train(TrainArgs),
    /// List the backends and the crates to add for them
    Backends,
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ConformanceArgs {
    /// A backend to run; all that are built in by default
    #[arg(long = "backend", value_name = "NAME")]
    pub(crate) backends: Vec<String>,

    /// Run the cases whose id contains this
    #[arg(long, value_name = "TEXT")]
    pub(crate) filter: Option<String>,

    /// Write the report there, too
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = AFTER_CHECK)]
pub(crate) struct CheckArgs {
    /// Vector files (format 1)
    #[arg(long, value_name = "FILE", num_args = 1.., required = true)]
    pub(crate) vectors: Vec<PathBuf>,

    /// A backend to run; all that are built in by default
    #[arg(long = "backend", value_name = "NAME")]
    pub(crate) backends: Vec<String>,

    /// Write the report there, too
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = AFTER_COMPARE)]
pub(crate) struct CompareArgs {
    /// kernel, ndarray, candle, burn, dfdx or tch; all that are built in by default
    #[arg(long = "backend", value_name = "NAME")]
    pub(crate) backends: Vec<String>,

    /// Rows x classes of a batch, such as 4096x1000; may be given several times
    #[arg(long = "shape", value_name = "NxK")]
    pub(crate) shapes: Vec<Shape>,

    /// Threads of rayon's pool and of libtorch
    #[arg(long, value_name = "T", default_value = "1", value_parser = threads)]
    pub(crate) threads: usize,

    /// Time for each comparison, in seconds
    #[arg(long, value_name = "S", default_value = "2", value_parser = seconds)]
    pub(crate) seconds: f64,

    /// Write the figures there, too
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Draw a chart there
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct PeakMemoryArgs {
    #[arg(long)]
    pub(crate) backend: String,
    /// Which of the backend's pairs, from 0
    #[arg(long)]
    pub(crate) pair: usize,
    #[arg(long, value_enum)]
    pub(crate) side: Side,
    #[arg(long)]
    pub(crate) shape: Shape,
    #[arg(long, value_parser = threads)]
    pub(crate) threads: usize,
}

/// Of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Side {
    Ours,
    Native,
}

impl Side {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Native => "native",
        }
    }
}

fn threads(text: &str) -> Result<usize, String> {
    let threads = text.parse().ok().filter(|threads| (1..=1024).contains(threads));
    threads.ok_or_else(|| "a number from 1 to 1024 is needed".to_owned())
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|&seconds: &f64| seconds > 0.0 && seconds <= 3600.0);
    seconds.ok_or_else(|| "a number above 0 and up to 3600 is needed".to_owned())
}

#[derive(Debug, Args)]
#[command(after_help = AFTER_TRAIN)]
pub(crate) struct TrainArgs {
    /// candle, ndarray, burn, dfdx or tch; candle by default, where it is built in; may be given several times
    #[arg(long = "backend", value_name = "NAME")]
    pub(crate) backends: Vec<String>,

    /// Smoothing rate to compare with hard labels, from 0 to 1
    #[arg(long, value_name = "E", default_value = "0.1", allow_hyphen_values = true)]
    pub(crate) label_smoothing: f64,

    /// Rates 0.05, 0.1 and 0.2, on clean labels and with a tenth and a fifth of them wrong, five seeds
    #[arg(long, conflicts_with = "label_smoothing")]
    pub(crate) full: bool,

    /// Seeds; 3 by default, 5 with --full
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100))]
    pub(crate) seeds: Option<u64>,

    /// Steps of 32 images in each run
    #[arg(long, value_name = "N", default_value = "1500", value_parser = steps)]
    pub(crate) steps: usize,

    /// What takes the steps
    #[arg(long, value_enum, default_value = "adamw")]
    pub(crate) optimizer: Rule,

    /// Folder for the charts and figures.json; made where there is none
    #[arg(long, value_name = "DIR", default_value = "label-smoothing-digits")]
    pub(crate) out: PathBuf,
}

fn steps(text: &str) -> Result<usize, String> {
    let steps = text.parse().ok().filter(|steps| (1..=100_000).contains(steps));
    steps.ok_or_else(|| "a number from 1 to 100000 is needed".to_owned())
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// Whose completions
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
#[command(after_help = AFTER_EVALUATE)]
pub(crate) struct EvaluateArgs {
    /// Logits, of any rank from 1
    #[arg(long, value_name = "F")]
    pub(crate) logits: Place,

    /// Integers are class indices, floating-point numbers in the shape of the logits are probabilities
    #[arg(long, value_name = "F")]
    pub(crate) targets: Place,

    /// What computes it
    #[arg(long, value_name = "NAME", default_value = "kernel")]
    pub(crate) backend: String,

    /// What another system computes, such as `pytorch_indices` or `fairseq`, at its own --label-smoothing
    #[arg(long, value_name = "NAME", requires = "label_smoothing", conflicts_with_all = ["loss", "convention", "config"])]
    pub(crate) preset: Option<Preset>,

    /// Softmax over the classes, or a sigmoid per element
    #[arg(long, value_enum, default_value = "cross_entropy")]
    pub(crate) loss: Family,

    /// Smoothing rate, from 0 to 1
    #[arg(long, value_name = "E", allow_hyphen_values = true)]
    pub(crate) label_smoothing: Option<f64>,

    /// Who gets the rate: all classes, or the others than the target (binary: of the two outcomes)
    #[arg(long, value_enum)]
    pub(crate) convention: Option<Convention>,

    /// A `config` object as in vector files, for every other option
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// One weight per class
    #[arg(long, value_name = "F")]
    pub(crate) class_weights: Option<Place>,

    /// A target whose rows contribute nothing; may be given several times
    #[arg(long, value_name = "I", allow_negative_numbers = true)]
    pub(crate) ignore_index: Vec<i64>,

    /// One 0 or 1 per row; 0 ignores the row
    #[arg(long, value_name = "F")]
    pub(crate) row_mask: Option<Place>,

    /// One weight per row
    #[arg(long, value_name = "F")]
    pub(crate) row_weights: Option<Place>,

    /// `none` gives one loss per row (binary: per logit)
    #[arg(long, value_enum)]
    pub(crate) reduction: Option<ReductionArg>,

    /// What a mean divides by: weights, counted, all, or a number
    #[arg(long, value_name = "D", value_parser = denominator, allow_negative_numbers = true)]
    pub(crate) denominator: Option<Denominator>,

    /// Upstream gradient: one number, or with `--reduction none` one per loss
    #[arg(long, value_name = "F")]
    pub(crate) upstream: Option<Place>,

    /// f32, f64, f16 or bf16; the logits' own by default
    #[arg(long)]
    pub(crate) dtype: Option<Dtype>,

    /// The axis of the logits that the classes are on, from 0; the last by default
    #[arg(long, value_name = "I")]
    pub(crate) class_axis: Option<usize>,

    /// Write the loss or losses there, in f64 for f64 and f32 otherwise
    #[arg(long, value_name = "F")]
    pub(crate) loss_out: Option<Place>,

    /// Write the gradient there, in the element type of the logits
    #[arg(long, value_name = "F")]
    pub(crate) gradient_out: Option<Place>,

    /// Print JSON and nothing else
    #[arg(long)]
    pub(crate) json: bool,
}

fn denominator(text: &str) -> Result<Denominator, String> {
    match text {
        "weights" => Ok(Denominator::Weights),
        "counted" => Ok(Denominator::Counted),
        "all" => Ok(Denominator::All),
        _ => {
            text.parse().map(Denominator::Constant).map_err(|_| "neither weights, counted, all nor a number".to_owned())
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Family {
    CrossEntropy,
    BinaryCrossEntropy,
}

impl From<Family> for LossFamily {
    fn from(family: Family) -> Self {
        match family {
            Family::CrossEntropy => Self::CrossEntropy,
            Family::BinaryCrossEntropy => Self::BinaryCrossEntropy,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Convention {
    All,
    Others,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReductionArg {
    None,
    Mean,
    Sum,
}

#[cfg(test)]
mod tests;
