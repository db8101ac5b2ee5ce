//! `train`: the same small network on real digits, with hard labels and with smoothed ones, in one framework or several.

mod charts;
mod digits;
mod network;
mod optimiser;
mod report;
mod run;
mod summary;
mod timing;

#[cfg(feature = "burn")]
mod burn;
#[cfg(feature = "candle")]
mod candle;
#[cfg(feature = "dfdx")]
mod dfdx;
#[cfg(feature = "ndarray")]
mod ndarray;
#[cfg(feature = "tch")]
mod tch;

use std::fmt::Write;

use label_smoothing_core::Config;

use crate::args::TrainArgs;
use crate::backends;
use crate::error::{Error, Fallible, Result};
use crate::progress;
use crate::staged::{Folder, Staged};
use network::{Framework, Streams};
use report::Results;
use run::{Run, Setting};
use timing::Timing;

pub(crate) use optimiser::Rule;

/// A framework to train in.
struct Trained {
    name: &'static str,
    framework: fn(Config) -> Fallible<Box<dyn Framework>>,
}

const TRAINED: &[Trained] = &[
    #[cfg(feature = "candle")]
    Trained { name: "candle", framework: candle::framework },
    #[cfg(feature = "ndarray")]
    Trained { name: "ndarray", framework: ndarray::framework },
    #[cfg(feature = "burn")]
    Trained { name: "burn", framework: burn::framework },
    #[cfg(feature = "dfdx")]
    Trained { name: "dfdx", framework: dfdx::framework },
    #[cfg(feature = "tch")]
    Trained { name: "tch", framework: tch::framework },
];

/// What is to be trained: every combination.
struct Plan {
    backends: Vec<&'static Trained>,
    /// Smoothing rates, 0 first.
    rates: Vec<f64>,
    /// Shares of wrong labels.
    noises: Vec<f64>,
    seeds: Vec<u64>,
    steps: usize,
    optimizer: Rule,
}

impl Plan {
    fn new(args: &TrainArgs) -> Result<Self> {
        run::config(args.label_smoothing).map_err(|error| Error::about("--label-smoothing", error))?;
        let (mut rates, noises, seeds) = if args.full {
            (vec![0.0, 0.05, 0.1, 0.2], vec![0.0, 0.1, 0.2], args.seeds.unwrap_or(5))
        } else {
            (vec![0.0, args.label_smoothing], vec![0.0, 0.2], args.seeds.unwrap_or(3))
        };
        rates.dedup();
        let (steps, optimizer) = (args.steps, args.optimizer);
        Ok(Self { backends: chosen(&args.backends)?, rates, noises, seeds: (1..=seeds).collect(), steps, optimizer })
    }

    /// In the order of the report: a backend's runs together, hard labels first, seed by seed.
    fn settings(&self, backend: &'static str) -> Vec<Setting> {
        let mut settings = Vec::new();
        for &noise in &self.noises {
            for &label_smoothing in &self.rates {
                settings.extend(self.seeds.iter().map(|&seed| Setting { backend, label_smoothing, noise, seed }));
            }
        }
        settings
    }
}

/// The backends of these names, in the order of their names, each once; the first there is where none is named.
fn chosen(names: &[String]) -> Result<Vec<&'static Trained>> {
    let mut chosen: Vec<&'static Trained> = Vec::new();
    for name in names {
        let trained = TRAINED.iter().find(|trained| trained.name == name).ok_or_else(|| {
            let names: Vec<String> = TRAINED.iter().map(|trained| trained.name.to_owned()).collect();
            backends::missing(name, "trained in", &names)
        })?;
        if chosen.iter().all(|other| other.name != trained.name) {
            chosen.push(trained);
        }
    }
    if names.is_empty() {
        let first = TRAINED.first();
        chosen.push(
            first.ok_or_else(|| Error::new("no framework is built in: build the command with --features candle"))?,
        );
    }
    Ok(chosen)
}

/// Trains, writes the figures and charts, and gives what to print.
pub(crate) fn run(args: &TrainArgs) -> Result<String> {
    let plan = Plan::new(args)?;
    let folder = Folder::open(&args.out)?;
    let (runs, timings) = train(&plan)?;
    let groups = summary::groups(&runs);
    let agreement = summary::agreement(&runs);
    let results = Results { plan: &plan, runs: &runs, groups: &groups, timings: &timings, agreement };
    let mut text = results.text();
    let files = charts::stage(&results, &folder)?;
    let json = results.json()?;
    let path = folder.file("figures.json");
    let figures = Staged::new(&path, |writer| std::io::Write::write_all(writer, json.as_bytes()))?;
    text.push('\n');
    for file in files.into_iter().chain([figures]) {
        let _ = writeln!(text, "{}", file.path().display());
        file.publish()?;
    }
    Ok(text)
}

fn train(plan: &Plan) -> Result<(Vec<Run>, Vec<Timing>)> {
    let images = digits::all().map_err(Error::new)?;
    let count = plan.backends.len() * plan.settings("").len() * plan.steps;
    let progress = progress::bar(count, "steps");
    let (mut runs, mut timings) = (Vec::new(), Vec::new());
    for backend in &plan.backends {
        for setting in plan.settings(backend.name) {
            let Setting { label_smoothing, noise, seed, .. } = setting;
            let about = |error| {
                let name = backend.name;
                Error::about(
                    format_args!("{name}, label smoothing {label_smoothing}, noise {noise}, seed {seed}"),
                    error,
                )
            };
            let step = || progress.inc(1);
            let trained = || {
                let framework = (backend.framework)(run::config(label_smoothing)?)?;
                run::train(setting, framework.as_ref(), plan.optimizer, plan.steps, &images, &step)
            };
            runs.push(trained().map_err(about)?);
        }
        timings.extend(time(backend, plan, &images).map_err(|error| Error::about(backend.name, error))?);
    }
    progress.finish_and_clear();
    Ok((runs, timings))
}

/// Of the highest rate; none where all labels are hard.
fn time(backend: &'static Trained, plan: &Plan, images: &digits::Images) -> Fallible<Option<Timing>> {
    let Some(&rate) = plan.rates.last().filter(|&&rate| rate > 0.0) else { return Ok(None) };
    let streams = Streams::new(plan.seeds[0]);
    let batch = streams.batches(images).next().ok_or("there are no images")?;
    let frameworks = ((backend.framework)(run::config(0.0)?)?, (backend.framework)(run::config(rate)?)?);
    let frameworks = (frameworks.0.as_ref(), frameworks.1.as_ref());
    timing::measure((backend.name, rate), frameworks, (&streams.parameters(), &batch), plan.steps).map(Some)
}

#[cfg(test)]
mod tests;
