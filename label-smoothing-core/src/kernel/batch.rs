//! A batch cut into tasks, and the tasks' rows.

use fearless_simd::Level;

use super::general::Rows;
use super::memory::{Memory, Upstream};
use super::task::Task;
use crate::check::Problem;
use crate::config::LossFamily;
use crate::element::Element;
use crate::parts::{LossParts, Sums};
use crate::shape::Shape;
use crate::sum::pairwise;

/// Logits below which a task is not worth another thread.
const TASK_LOGITS: usize = 1 << 17;

/// What is asked of a batch.
#[derive(Debug)]
pub(super) struct Job<'a, T: Element> {
    /// The logits, and the gradient if it is wanted.
    pub(super) memory: Memory<'a, T>,
    /// The unreduced losses, if they are wanted.
    pub(super) losses: Option<&'a mut [T::Wide]>,
    /// The upstream gradient.
    pub(super) upstream: Upstream<'a, T::Wide>,
    /// The factor of the gradient before the upstream gradient: one over the denominator.
    pub(super) factor: f64,
}

/// What one row gives to the sums.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RowResult {
    pub(super) loss: f64,
    pub(super) nll: f64,
    pub(super) correct: u64,
}

/// What all tasks of a batch have in common.
#[derive(Clone, Copy)]
pub(crate) struct Common<'a> {
    pub(super) rows: &'a dyn Rows,
    pub(super) shape: &'a Shape,
    pub(super) family: LossFamily,
    pub(super) is_spread: bool,
    pub(super) factor: f64,
}

impl std::fmt::Debug for Common<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Common").field("shape", self.shape).finish_non_exhaustive()
    }
}

/// Runs a batch on the instruction set of this machine.
pub(super) fn run<T: Element, P: Element>(problem: &Problem<P>, job: Job<'_, T>) -> LossParts {
    run_at(Level::new(), problem, job)
}

/// Runs a batch on a given instruction set; the bits are the same on each.
pub(super) fn run_at<T: Element, P: Element>(level: Level, problem: &Problem<P>, job: Job<'_, T>) -> LossParts {
    let shape = problem.shape();
    let mut results = vec![RowResult::default(); shape.rows()];
    let common = Common {
        rows: problem,
        shape,
        family: problem.config().loss(),
        is_spread: super::plan::is_spread(problem),
        factor: job.factor,
    };
    let tasks = cut(common, job, &mut results);
    for_each(tasks, |task| T::run(level, task));
    let sums = Sums {
        loss: pairwise(results.len(), &|row| results[row].loss),
        nll: pairwise(results.len(), &|row| results[row].nll),
        correct: results.iter().map(|row| row.correct).sum(),
    };
    LossParts::new(problem, sums)
}

/// Cuts a batch along the axes before the class axis, where its memory comes apart in slices.
fn cut<'a, T: Element>(common: Common<'a>, job: Job<'a, T>, results: &'a mut [RowResult]) -> Vec<Task<'a, T>> {
    let Job { mut memory, mut losses, upstream, .. } = job;
    let (shape, mut results) = (common.shape, results);
    let per_outer = shape.classes() * shape.inner();
    let losses_per_outer = match common.family {
        LossFamily::CrossEntropy => shape.inner(),
        LossFamily::BinaryCrossEntropy => per_outer,
    };
    let step = if cfg!(feature = "parallel") { TASK_LOGITS.div_ceil(per_outer.max(1)) } else { shape.outer().max(1) };
    let mut tasks = Vec::new();
    for first in (0..shape.outer()).step_by(step) {
        let count = step.min(shape.outer() - first);
        let (head, tail) = memory.split(count * per_outer);
        memory = tail;
        let (head_losses, tail_losses) = match losses.map(|losses| losses.split_at_mut(count * losses_per_outer)) {
            Some((head, tail)) => (Some(head), Some(tail)),
            None => (None, None),
        };
        losses = tail_losses;
        let (head_results, tail_results) = results.split_at_mut(count * shape.inner());
        results = tail_results;
        let first_row = first * shape.inner();
        tasks.push(Task::new(common, first_row, head, head_losses, upstream, head_results));
    }
    tasks
}

#[cfg(feature = "parallel")]
fn for_each<I: Send>(items: Vec<I>, each: impl Fn(I) + Sync + Send) {
    use rayon::prelude::*;
    if items.len() > 1 {
        items.into_par_iter().for_each(each);
    } else {
        items.into_iter().for_each(each);
    }
}

#[cfg(not(feature = "parallel"))]
fn for_each<I>(items: Vec<I>, each: impl Fn(I)) {
    items.into_iter().for_each(each);
}
