//! What smoothing adds to the time of a step.

use std::time::Instant;

use serde::Serialize;

use super::network::{Batch, Framework, Parameters};
use crate::error::Fallible;

/// Turns of each kind of step, unless fewer steps are asked for.
const TURNS: usize = 200;

/// Of one framework: what loss, forward and backward pass and the way of the numbers into tensors and back take.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Timing {
    pub(super) backend: &'static str,
    pub(super) label_smoothing: f64,
    /// Medians.
    pub(super) hard_microseconds: f64,
    pub(super) smoothed_microseconds: f64,
    /// The median of the turns' differences.
    pub(super) added_microseconds: f64,
}

/// Takes turns between a step on hard labels and one on smoothed ones.
pub(super) fn measure(
    (backend, label_smoothing): (&'static str, f64),
    (hard, smoothed): (&dyn Framework, &dyn Framework),
    (parameters, batch): (&Parameters, &Batch),
    steps: usize,
) -> Fallible<Timing> {
    let step = |framework: &dyn Framework| -> Fallible<f64> {
        let start = Instant::now();
        framework.loss_and_gradients(parameters, batch)?;
        Ok(1e6 * start.elapsed().as_secs_f64())
    };
    let turns = TURNS.min(steps);
    let (mut times, mut warm_up) = ([Vec::new(), Vec::new(), Vec::new()], turns / 10);
    while times[0].len() < turns {
        let (hard, smoothed) = (step(hard)?, step(smoothed)?);
        if warm_up > 0 {
            warm_up -= 1;
            continue;
        }
        for (times, time) in times.iter_mut().zip([hard, smoothed, smoothed - hard]) {
            times.push(time);
        }
    }
    let [hard_microseconds, smoothed_microseconds, added_microseconds] = times.map(median);
    Ok(Timing { backend, label_smoothing, hard_microseconds, smoothed_microseconds, added_microseconds })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
