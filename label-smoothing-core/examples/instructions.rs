//! Runs the kernel on one batch a number of times, loss and gradient into a buffer, for `scripts/instructions` to count
//! what it takes.
//!
//! ```text
//! instructions                       the names of the batches, each with its number of logits
//! instructions NAME REPETITIONS      runs a batch
//! ```

use std::hint::black_box;
use std::process::ExitCode;

use label_smoothing_core::{
    Array, Config, ConfigBuilder, Element, Error, Likelihood, Penalty, Problem, Smoothing, Targets, bf16, kernel,
};

/// The shape of the logits, with the classes on axis 1.
type Dims = &'static [usize];

/// A name, a shape, and what runs it a number of times.
type Batch = (&'static str, Dims, fn(Dims, usize) -> Result<(), Error>);

/// Small enough for an emulated processor: with more rows of the same kind a logit takes as many instructions.
const BATCHES: &[Batch] = &[
    ("f32-1024x10", &[1024, 10], indices::<f32>),
    ("f32-1024x100", &[1024, 100], indices::<f32>),
    ("f32-256x1000", &[256, 1000], indices::<f32>),
    ("f32-16x8192", &[16, 8192], indices::<f32>),
    ("f32-2x128256", &[2, 128_256], indices::<f32>),
    ("f32-2x19x64x64", &[2, 19, 64, 64], indices::<f32>),
    ("f64-1024x10", &[1024, 10], indices::<f64>),
    ("f64-256x1000", &[256, 1000], indices::<f64>),
    ("bf16-1024x10", &[1024, 10], indices::<bf16>),
    ("bf16-256x1000", &[256, 1000], indices::<bf16>),
    ("f32-256x1000-mixed", &[256, 1000], mixed),
    ("f32-1024x10-probabilities", &[1024, 10], probabilities),
    ("f32-1024x100-probabilities", &[1024, 100], probabilities),
    ("f32-256x1000-probabilities", &[256, 1000], probabilities),
    ("f32-256x1000-distribution", &[256, 1000], distribution),
    ("f32-256x1000-class-weights", &[256, 1000], class_weights),
    ("f32-256x1000-confidence-penalty", &[256, 1000], confidence_penalty),
    ("f32-256x1000-focal", &[256, 1000], focal),
    ("f32-256x1000-binary", &[256, 1000], binary),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.is_empty() {
        for (name, dims, _) in BATCHES {
            println!("{name} {}", dims.iter().product::<usize>());
        }
        return ExitCode::SUCCESS;
    }
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), String> {
    let [name, repetitions] = arguments else { return Err("usage: instructions [NAME REPETITIONS]".to_owned()) };
    let batch = BATCHES.iter().find(|batch| batch.0 == name);
    let (_, dims, run) =
        batch.ok_or_else(|| format!("there is no batch {name}; without arguments their names are printed"))?;
    let repetitions = repetitions.parse().map_err(|_| format!("{repetitions} is not a number of repetitions"))?;
    run(dims, repetitions).map_err(|error| error.to_string())
}

fn cross_entropy() -> ConfigBuilder {
    Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: 0.1 }).class_axis(1)
}

fn indices<T: Element>(dims: Dims, repetitions: usize) -> Result<(), Error> {
    repeat::<T>(&cross_entropy(), dims, Targets::indices(labels(dims, 0)), repetitions)
}

fn mixed(dims: Dims, repetitions: usize) -> Result<(), Error> {
    let lambda = per_row(dims, scattered);
    repeat::<f32>(&cross_entropy(), dims, Targets::mixed(labels(dims, 0), labels(dims, 1 << 20), lambda), repetitions)
}

fn probabilities(dims: Dims, repetitions: usize) -> Result<(), Error> {
    let values: Vec<f32> =
        (0..dims.iter().product()).map(|at| (scattered(at + 7) * 2.0 / dims[1] as f64) as f32).collect();
    repeat(&cross_entropy(), dims, Targets::probabilities(Array::new(dims, values)), repetitions)
}

fn distribution(dims: Dims, repetitions: usize) -> Result<(), Error> {
    let distribution: Vec<f64> = (0..dims[1]).map(|class| (1 + class % 2) as f64 / (1.5 * dims[1] as f64)).collect();
    let config = cross_entropy().smoothing(Smoothing::Distribution { epsilon: 0.1, distribution });
    repeat::<f32>(&config, dims, Targets::indices(labels(dims, 0)), repetitions)
}

fn class_weights(dims: Dims, repetitions: usize) -> Result<(), Error> {
    let weights: Vec<f64> = (0..dims[1]).map(|class| 0.5 + scattered(class)).collect();
    repeat::<f32>(&cross_entropy().class_weights(weights), dims, Targets::indices(labels(dims, 0)), repetitions)
}

fn confidence_penalty(dims: Dims, repetitions: usize) -> Result<(), Error> {
    let config = cross_entropy().penalties([Penalty::Confidence { strength: 0.1 }]);
    repeat::<f32>(&config, dims, Targets::indices(labels(dims, 0)), repetitions)
}

fn focal(dims: Dims, repetitions: usize) -> Result<(), Error> {
    let config = cross_entropy().likelihood(Likelihood::Focal { gamma: 2.0, alpha: None });
    repeat::<f32>(&config, dims, Targets::indices(labels(dims, 0)), repetitions)
}

fn binary(dims: Dims, repetitions: usize) -> Result<(), Error> {
    let config = Config::binary_cross_entropy().smoothing(Smoothing::UniformHalf { epsilon: 0.1 }).class_axis(1);
    repeat::<f32>(&config, dims, Targets::indices(labels(dims, 0)), repetitions)
}

/// Without the input check, whose cost is one pass over the targets.
fn repeat<T: Element>(
    config: &ConfigBuilder,
    dims: Dims,
    targets: Targets<T>,
    repetitions: usize,
) -> Result<(), Error> {
    let config = config.clone().build()?;
    let logits: Vec<T> = (0..dims.iter().product()).map(|at| T::from_f64(scattered(at) * 16.0 - 8.0)).collect();
    let mut gradient = vec![T::default(); logits.len()];
    let problem = Problem::new(&config, dims, targets)?;
    for _ in 0..repetitions {
        let loss = kernel::loss_and_gradient(&problem, black_box(&logits), T::Wide::from_f64(1.0), &mut gradient)?;
        black_box((loss, &mut gradient));
    }
    Ok(())
}

/// One value per row.
fn per_row<T: Clone>(dims: Dims, value: impl Fn(usize) -> T) -> Array<'static, T> {
    let mut rows = dims.to_vec();
    rows.remove(1);
    let values: Vec<T> = (0..rows.iter().product()).map(value).collect();
    Array::new(rows, values)
}

fn labels(dims: Dims, start: usize) -> Array<'static, i64> {
    per_row(dims, |row| (scattered(row + start) * dims[1] as f64) as i64)
}

/// Numbers from 0 to 1 without a visible pattern.
fn scattered(at: usize) -> f64 {
    let bits = (at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((bits ^ (bits >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 11) as f64 / (1_u64 << 53) as f64
}
