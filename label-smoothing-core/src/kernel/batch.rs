//! A batch cut into tasks.

use std::sync::{Mutex, PoisonError};

use fearless_simd::Level;

use super::level;
use super::memory::{Memory, Upstream};
use super::penalized::Terms;
use super::plan::SpreadPlan;
use super::rows::Rows;
use super::split;
use super::stats::Stats;
use super::task::Task;
use crate::check::Problem;
use crate::config::LossFamily;
use crate::element::Element;
use crate::parts::{LossParts, Sums};
use crate::shape::Shape;
use crate::sum::Tree;

/// Logits below which a task is not worth another thread.
pub(super) const TASK_LOGITS: usize = 1 << 17;

/// What is asked of a batch.
#[derive(Debug)]
pub(super) struct Job<'a, T: Element> {
    /// The logits, and the gradient if it is wanted.
    pub(super) memory: Memory<'a, T>,
    /// The unreduced losses, if they are wanted.
    pub(super) losses: Option<&'a mut [T::Wide]>,
    /// What is kept or known of the rows.
    pub(super) stats: Stats<'a, T::Wide>,
    /// The upstream gradient.
    pub(super) upstream: Upstream<'a, T::Wide>,
    /// The factor of the gradient before the upstream gradient: one over the denominator.
    pub(super) factor: f64,
}

/// What all tasks of a batch have in common.
#[derive(Clone, Copy)]
pub(super) struct Common<'a> {
    pub(super) level: Level,
    pub(super) rows: &'a dyn Rows,
    pub(super) shape: &'a Shape,
    pub(super) family: LossFamily,
    /// How all rows are planned, where their coefficients are a spread.
    pub(super) plan: Option<&'a SpreadPlan<'a>>,
    /// Penalties and another likelihood, where there are some; then there is no plan.
    pub(super) terms: Option<Terms<'a>>,
    pub(super) factor: f64,
    /// Whether there are more threads than tasks, and rows long enough to be cut.
    pub(super) splits_rows: bool,
}

impl std::fmt::Debug for Common<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Common").field("shape", self.shape).finish_non_exhaustive()
    }
}

/// Runs a batch on the instruction set of this machine.
pub(super) fn run<T: Element, P: Element>(problem: &Problem<P>, job: Job<'_, T>) -> LossParts {
    run_at(level::best(), problem, job)
}

/// Runs a batch on a given instruction set; the bits are the same on each.
pub(super) fn run_at<T: Element, P: Element>(level: Level, problem: &Problem<P>, job: Job<'_, T>) -> LossParts {
    let terms = Terms::new(problem.config());
    let plan = SpreadPlan::new(problem);
    let (shape, family, rows) = (problem.shape(), problem.config().loss(), P::rows(problem).get());
    let tasks = shape.outer().div_ceil(outer_rows_of_task(shape));
    // In this order: asking for the number of threads starts them.
    let splits_rows = split::is_worth_it(shape.classes()) && tasks < threads();
    let common = Common { level, rows, shape, family, plan: plan.as_ref(), terms, factor: job.factor, splits_rows };
    LossParts::new(problem, T::run(Batch { common, job }).total().unwrap_or_default())
}

/// The rows of a problem of any type; see [`Element::rows`].
#[derive(Clone, Copy)]
pub struct AnyRows<'p>(&'p dyn Rows);

impl<'p> AnyRows<'p> {
    pub(crate) fn new<P: Element>(problem: &'p Problem<'_, P>) -> Self {
        Self(problem)
    }

    pub(super) fn get(&self) -> &'p dyn Rows {
        self.0
    }
}

impl std::fmt::Debug for AnyRows<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AnyRows").finish_non_exhaustive()
    }
}

/// A batch that is asked for something; see [`Element::run`].
#[derive(Debug)]
pub struct Batch<'a, T: Element> {
    common: Common<'a>,
    job: Job<'a, T>,
}

impl<T: Element> Batch<'_, T> {
    /// Computes every row; what they add up to.
    pub(crate) fn run(self) -> Tree<Sums> {
        let mut sums = Tree::new();
        for part in map(cut(self.common, self.job), Task::run) {
            sums.append(part);
        }
        sums
    }
}

/// How many rows of so many logits are worth a thread. A power of two, so that tasks are nodes of the tree of rows.
pub(super) fn rows_of_task(logits_per_row: usize) -> usize {
    TASK_LOGITS.div_ceil(logits_per_row.max(1)).next_power_of_two()
}

/// How many indices before the class axis a task has.
fn outer_rows_of_task(shape: &Shape) -> usize {
    if cfg!(feature = "parallel") { rows_of_task(shape.classes() * shape.inner()) } else { shape.outer().max(1) }
}

/// Cuts a batch along the axes before the class axis, where its memory comes apart in slices.
fn cut<'a, T: Element>(common: Common<'a>, job: Job<'a, T>) -> Vec<Task<'a, T>> {
    let Job { mut memory, mut losses, mut stats, upstream, .. } = job;
    let shape = common.shape;
    let per_outer = shape.classes() * shape.inner();
    let losses_per_outer = match common.family {
        LossFamily::CrossEntropy => shape.inner(),
        LossFamily::BinaryCrossEntropy => per_outer,
    };
    let step = outer_rows_of_task(shape);
    // Without rows there may still be any number of indices before the class axis, and any number of classes.
    let outer = if shape.rows() == 0 { 0 } else { shape.outer() };
    let mut tasks = Vec::new();
    for first in (0..outer).step_by(step) {
        let count = step.min(shape.outer() - first);
        let (head, tail) = memory.split(count * per_outer);
        memory = tail;
        let (head_losses, tail_losses) = match losses.map(|losses| losses.split_at_mut(count * losses_per_outer)) {
            Some((head, tail)) => (Some(head), Some(tail)),
            None => (None, None),
        };
        losses = tail_losses;
        let (head_stats, tail_stats) = stats.split(count * shape.inner());
        stats = tail_stats;
        tasks.push(Task {
            common,
            first_row: first * shape.inner(),
            rows: count * shape.inner(),
            offset: first * per_outer,
            memory: head,
            losses: head_losses,
            stats: head_stats,
            upstream,
            sums: Tree::new(),
        });
    }
    tasks
}

/// How many threads there are.
fn threads() -> usize {
    #[cfg(feature = "parallel")]
    return rayon::current_num_threads();
    #[cfg(not(feature = "parallel"))]
    1
}

/// Applies `each` to every item, on the current rayon pool if there are several; the results in the items' order.
pub(super) fn map<I: Send, R: Send>(items: Vec<I>, each: impl Fn(I) -> R + Sync) -> Vec<R> {
    // Every item is locked once, so no lock is ever waited for.
    let places: Vec<_> = items.into_iter().map(|item| Mutex::new((Some(item), None))).collect();
    for_each(places.len(), &|at| {
        let mut place = places[at].lock().unwrap_or_else(PoisonError::into_inner);
        place.1 = place.0.take().map(&each);
    });
    places.into_iter().filter_map(|place| place.into_inner().unwrap_or_else(PoisonError::into_inner).1).collect()
}

/// Calls `each` with every number below `count`, likewise. For any function: rayon's own is compiled once, and not for
/// each of the functions and element types.
fn for_each(count: usize, each: &(dyn Fn(usize) + Sync)) {
    #[cfg(feature = "parallel")]
    if count > 1 {
        use rayon::prelude::*;
        return (0..count).into_par_iter().for_each(each);
    }
    (0..count).for_each(each);
}
