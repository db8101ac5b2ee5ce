//! The clock: ours, the framework's own and a stream in turns, and the medians.

use std::time::{Duration, Instant};

use rayon::prelude::*;

use super::contender::{Fallible, Pair};

/// However slow a pair is, it has this many turns.
const FEWEST_TURNS: usize = 5;

/// Steps are timed in packs of at least this long (but never longer than the budget allows), so that reading the clock
/// costs nothing.
const PACK: Duration = Duration::from_millis(1);

/// Medians over the turns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Timing {
    /// Seconds per step.
    pub(super) ours: f64,
    /// Seconds per step.
    pub(super) native: f64,
    /// Native over ours, turn by turn.
    pub(super) ratio: f64,
    /// Stream over ours, turn by turn.
    pub(super) stream_fraction: f64,
}

/// Reads and writes every number of a buffer in place: what moving the logits through memory once and back costs.
#[derive(Debug)]
pub(super) struct Stream {
    values: Vec<f32>,
    threads: usize,
}

impl Stream {
    pub(super) fn new(logits: usize, threads: usize) -> Self {
        Self { values: vec![1.0; logits], threads }
    }

    fn step(&mut self) {
        let flip = |values: &mut [f32]| values.iter_mut().for_each(|value| *value = -*value);
        if self.threads == 1 {
            flip(&mut self.values);
        } else {
            let share = self.values.len().div_ceil(self.threads);
            self.values.par_chunks_mut(share).for_each(flip);
        }
        std::hint::black_box(&mut self.values);
    }
}

/// Takes turns until the time is up.
pub(super) fn alternate(pair: &mut Pair, stream: &mut Stream, budget: Duration) -> Fallible<Timing> {
    let mut stream = || {
        stream.step();
        Ok(())
    };
    let pack = PACK.min(budget / (3 * FEWEST_TURNS as u32));
    let repeats =
        [repeats(pack, || pair.ours.step())?, repeats(pack, || pair.native.step())?, repeats(pack, &mut stream)?];
    let (mut ours, mut native, mut ratios, mut fractions) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let start = Instant::now();
    while ours.len() < FEWEST_TURNS || start.elapsed() < budget {
        let of_ours = seconds(repeats[0], || pair.ours.step())?;
        let of_native = seconds(repeats[1], || pair.native.step())?;
        let of_stream = seconds(repeats[2], &mut stream)?;
        ours.push(of_ours);
        native.push(of_native);
        ratios.push(of_native / of_ours);
        fractions.push(of_stream / of_ours);
    }
    Ok(Timing { ours: median(ours), native: median(native), ratio: median(ratios), stream_fraction: median(fractions) })
}

/// How many steps make a pack. The first step is not looked at: threads are started and memory is fetched in it.
fn repeats(pack: Duration, mut step: impl FnMut() -> Fallible<()>) -> Fallible<u32> {
    step()?;
    let one = seconds(1, step)?;
    Ok((pack.as_secs_f64() / one).ceil().max(1.0) as u32)
}

/// Seconds per step.
fn seconds(repeats: u32, mut step: impl FnMut() -> Fallible<()>) -> Fallible<f64> {
    let start = Instant::now();
    for _ in 0..repeats {
        step()?;
    }
    // A clock may be too coarse to see a short step.
    Ok(start.elapsed().max(Duration::from_nanos(1)).as_secs_f64() / f64::from(repeats))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}

#[cfg(test)]
mod tests {
    use std::thread::sleep;
    use std::time::Duration;

    use super::{Stream, alternate, median};
    use crate::compare::contender::{Answer, Contender, Pair};

    /// A contender that takes so long.
    fn sleeper(milliseconds: u64) -> Contender {
        Contender::new(
            "sleep",
            Duration::from_millis(milliseconds),
            |time| {
                sleep(*time);
                Ok(())
            },
            |_, ()| Ok(Answer { loss: 0.0, gradient: Vec::new() }),
        )
    }

    #[test]
    fn a_ratio_above_one_means_that_ours_is_faster() {
        // A sleep is never shorter than asked for; on a busy machine it may be much longer.
        let mut pair = Pair { ours: sleeper(2), native: sleeper(50) };
        let timing = alternate(&mut pair, &mut Stream::new(1000, 1), Duration::from_millis(10)).unwrap();
        assert!(timing.ours >= 0.002 && timing.native >= 0.050, "{timing:?}");
        assert!(timing.ratio > 1.0, "{timing:?}");
        assert!(timing.stream_fraction > 0.0 && timing.stream_fraction < 1.0, "{timing:?}");
    }

    #[test]
    fn the_stream_touches_every_number_once() {
        for (logits, threads) in [(1000, 1), (1001, 2), (3, 8)] {
            let mut stream = Stream::new(logits, threads);
            stream.step();
            assert_eq!(stream.values, vec![-1.0; logits]);
        }
    }

    #[test]
    fn medians() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(vec![7.0]), 7.0);
    }
}
