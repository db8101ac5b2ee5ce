//! `compare`: ours beside what each framework's users would call instead.

#![allow(
    clippy::unnecessary_wraps,
    reason = "a step has the same signature in every framework, whether it can fail or not"
)]

mod batch;
mod chart;
mod contender;
mod measure;
mod memory;
mod report;

#[cfg(feature = "burn")]
mod burn;
#[cfg(feature = "candle")]
mod candle;
#[cfg(feature = "dfdx")]
mod dfdx;
mod kernel;
#[cfg(feature = "ndarray")]
mod ndarray;
#[cfg(feature = "tch")]
mod tch;

use std::fmt::Write;
use std::time::Duration;

use crate::args::{CompareArgs, Side};
use crate::backends;
use crate::error::{Error, Result};
use crate::progress;
use crate::staged;
use contender::{Contender, Fallible, Pair};
use measure::Stream;
use report::Row;

pub(crate) use batch::{Batch, Shape};
pub(crate) use memory::run as peak_memory;

/// A mixture of few and many rows and classes: a small classifier, `ImageNet`, and two language models.
const SHAPES: [Shape; 4] =
    [Shape::new(1024, 10), Shape::new(4096, 1000), Shape::new(16, 8192), Shape::new(32, 128_256)];

/// For the kernel also a batch that no cache holds.
const LARGE: Shape = Shape::new(512, 32_768);

/// What has a row of its own.
pub(crate) struct Compared {
    name: &'static str,
    pairs: fn(&Batch) -> Fallible<Vec<Pair>>,
    /// What computes the loss without us, in the batch's element type and at its rate; nothing where nothing does.
    natives: fn(&Batch) -> Fallible<Vec<Contender>>,
}

const COMPARED: &[Compared] = &[
    Compared { name: backends::DEFAULT, pairs: kernel::pairs, natives: |_| Ok(Vec::new()) },
    #[cfg(feature = "ndarray")]
    Compared { name: "ndarray", pairs: ndarray::pairs, natives: ndarray::natives },
    #[cfg(feature = "candle")]
    Compared { name: "candle", pairs: candle::pairs, natives: candle::natives },
    #[cfg(feature = "burn")]
    Compared { name: "burn", pairs: burn::pairs, natives: burn::natives },
    #[cfg(feature = "dfdx")]
    Compared { name: "dfdx", pairs: dfdx::pairs, natives: dfdx::natives },
    #[cfg(feature = "tch")]
    Compared { name: "tch", pairs: tch::pairs, natives: tch::natives },
];

/// Measures, writes the files that are asked for, and gives the table to print.
pub(crate) fn run(args: &CompareArgs) -> Result<String> {
    let plan = plan(args)?;
    check_outputs(args)?;
    set_threads(args.threads)?;
    let progress = progress::bar(plan.len(), "batches");
    let mut rows = Vec::new();
    for (compared, shape) in plan {
        rows.extend(measure(compared, shape, args)?);
        progress.inc(1);
    }
    progress.finish_and_clear();
    if let Some(path) = &args.json {
        staged::write_text(path, &report::json(&rows)?)?;
    }
    let mut text = report::table(&rows);
    if let Some(path) = &args.svg {
        staged::write_text(path, &chart::svg(&rows).map_err(|error| Error::about(path.display(), error))?)?;
        let _ = writeln!(text, "chart: {}", path.display());
    }
    Ok(text)
}

/// The frameworks' own losses of a batch, each with the framework's name; all that are built in where none is named.
pub(crate) fn natives(names: &[String], batch: &Batch) -> Fallible<Vec<(&'static str, Contender)>> {
    let mut natives = Vec::new();
    for compared in
        COMPARED.iter().filter(|compared| names.is_empty() || names.iter().any(|name| name == compared.name))
    {
        natives.extend((compared.natives)(batch)?.into_iter().map(|native| (compared.name, native)));
    }
    Ok(natives)
}

/// Every backend with every shape.
fn plan(args: &CompareArgs) -> Result<Vec<(&'static Compared, Shape)>> {
    for name in &args.backends {
        find(name)?;
    }
    let chosen =
        COMPARED.iter().filter(|compared| args.backends.is_empty() || args.backends.iter().any(|b| b == compared.name));
    Ok(chosen.flat_map(|compared| shapes(compared, args).into_iter().map(move |shape| (compared, shape))).collect())
}

fn shapes(compared: &Compared, args: &CompareArgs) -> Vec<Shape> {
    let mut shapes = args.shapes.clone();
    if shapes.is_empty() {
        shapes.extend(SHAPES);
        shapes.extend((compared.name == backends::DEFAULT).then_some(LARGE));
    }
    shapes
}

fn find(name: &str) -> Result<&'static Compared> {
    COMPARED.iter().find(|compared| compared.name == name).ok_or_else(|| {
        let names: Vec<String> = COMPARED.iter().map(|compared| compared.name.to_owned()).collect();
        backends::missing(name, "compared", &names)
    })
}

/// Refuses, before any work is done, outputs that cannot be written.
fn check_outputs(args: &CompareArgs) -> Result<()> {
    for path in [&args.json, &args.svg].into_iter().flatten() {
        staged::check(path)?;
    }
    match (&args.json, &args.svg) {
        (Some(json), Some(svg)) if staged::resolved(json) == staged::resolved(svg) => {
            Err(Error::about(svg.display(), "is both --json and --svg"))
        }
        _ => Ok(()),
    }
}

/// For the kernel, ndarray, candle, burn and dfdx, which share rayon's pool, and for libtorch.
pub(crate) fn set_threads(threads: usize) -> Result<()> {
    #[cfg(feature = "tch")]
    label_smoothing_tch::tch::set_num_threads(i32::try_from(threads).unwrap_or(i32::MAX));
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .map_err(|error| Error::about(format_args!("--threads {threads}"), error))
}

/// The rows of one backend and shape: one for each pair.
fn measure(compared: &Compared, shape: Shape, args: &CompareArgs) -> Result<Vec<Row>> {
    let budget = Duration::from_secs_f64(args.seconds);
    let about = |error| Error::about(format_args!("{} {shape}", compared.name), error);
    let timed = || -> Fallible<Vec<Row>> {
        let mut stream = Stream::new(shape.logits(), args.threads);
        let mut rows = Vec::new();
        for mut pair in (compared.pairs)(&Batch::new(shape))? {
            let difference = report::difference(&pair.ours.answer()?, &pair.native.answer()?);
            let timing = measure::alternate(&mut pair, &mut stream, budget)?;
            rows.push(Row::new(compared.name, shape, args.threads, &pair, &timing, difference));
        }
        Ok(rows)
    };
    let mut rows = timed().map_err(about)?;
    for (pair, row) in rows.iter_mut().enumerate() {
        row.ours_peak_bytes_per_logit = memory::peak(compared, pair, Side::Ours, shape, args.threads)?;
        row.native_peak_bytes_per_logit = memory::peak(compared, pair, Side::Native, shape, args.threads)?;
    }
    Ok(rows)
}

#[cfg(test)]
mod tests;
