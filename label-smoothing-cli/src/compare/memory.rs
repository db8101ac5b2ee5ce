//! Peak memory of a step, as the system sees it.
//!
//! libtorch allocates in C++, where no allocator of Rust counts, so what is read is the peak of the resident memory
//! (`VmHWM` of Linux). An allocator that keeps freed memory would hide what a step takes, so each figure comes from a
//! process of its own in which glibc gives freed memory back; this command calls itself for it.

use std::env;
use std::fs;
use std::process::{Command, Stdio};

use super::batch::{Batch, Shape};
use super::contender::{Contender, Fallible};
use super::{Compared, set_threads};
use crate::args::{PeakMemoryArgs, Side};
use crate::error::{Error, Result};

/// The system counts memory in steps that small batches drown in, so their rows are multiplied.
const FEWEST_LOGITS: usize = 1 << 20;

/// Allocations from this size on are given back to the system when they are freed: it is where glibc starts by default,
/// but without the setting the limit grows with what is freed.
const GIVEN_BACK: &str = "131072";

/// Bytes per logit that a step of the contender takes at its peak, on top of what it was set up with. None where the
/// system does not tell.
pub(super) fn peak(compared: &Compared, pair: usize, side: Side, shape: Shape, threads: usize) -> Result<Option<f64>> {
    if !cfg!(target_os = "linux") {
        return Ok(None);
    }
    let about = |error| Error::about("the process that measures memory", error);
    let output = Command::new(env::current_exe().map_err(|error| about(error.to_string()))?)
        .args(["peak-memory", "--backend", compared.name, "--side", side.name()])
        .args(["--shape", &shape.to_string(), "--pair", &pair.to_string(), "--threads", &threads.to_string()])
        .env("MALLOC_MMAP_THRESHOLD_", GIVEN_BACK)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| about(error.to_string()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(about(said.lines().last().map_or_else(|| output.status.to_string(), str::to_owned)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse().ok())
}

/// What that process does: prints the figure, or nothing where there is none.
pub(crate) fn run(args: &PeakMemoryArgs) -> Result<String> {
    set_threads(args.threads)?;
    let compared = super::find(&args.backend)?;
    let figure = measure(compared, args).map_err(|error| Error::about(compared.name, error))?;
    Ok(figure.map(|bytes| format!("{bytes}\n")).unwrap_or_default())
}

fn measure(compared: &Compared, args: &PeakMemoryArgs) -> Fallible<Option<f64>> {
    let shape = Shape::new(args.shape.rows.max(FEWEST_LOGITS.div_ceil(args.shape.classes)), args.shape.classes);
    let mut contender = contender(compared, args, shape)?;
    // Threads are started, and buffers that live on are touched.
    contender.step()?;
    if fs::write("/proc/self/clear_refs", "5").is_err() {
        return Ok(None);
    }
    let before = status("VmRSS:");
    contender.step()?;
    let peak = status("VmHWM:");
    Ok(before.zip(peak).map(|(before, peak)| (peak - before).max(0.0) / shape.logits() as f64))
}

fn contender(compared: &Compared, args: &PeakMemoryArgs, shape: Shape) -> Fallible<Contender> {
    let mut pairs = (compared.pairs)(&Batch::new(shape))?;
    if args.pair >= pairs.len() {
        return Err(format!("there are {} pairs", pairs.len()).into());
    }
    let pair = pairs.swap_remove(args.pair);
    Ok(match args.side {
        Side::Ours => pair.ours,
        Side::Native => pair.native,
    })
}

/// A figure of this process, in bytes.
fn status(key: &str) -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(1024.0 * kibibytes)
}
