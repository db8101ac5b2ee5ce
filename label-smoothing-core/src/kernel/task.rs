//! The rows of one task: some consecutive rows with memory of their own.

use super::batch::Common;
use super::closed_form::{Losses, RowGradient, RowSums};
use super::general::{GeneralRow, GeneralScratch};
use super::gradient::{self, Coefficients, Factors, OfTarget, PerClass};
use super::lanes::{Float, LANES};
use super::maximum;
use super::memory::{Memory, Upstream, Write};
use super::plan::{NO_COLUMN, SpreadPlan, SpreadRow};
use super::row::{self, Row};
use super::split;
use super::stats::{RowStats, Stats};
use crate::config::LossFamily;
use crate::element::Element;
use crate::parts::Sums;
use crate::sum::Tree;

/// Classes up to which a group of rows is faster than one row after the other.
const FEW_CLASSES: usize = 128;

/// The same where rows have coefficients class by class, which take more of the cache.
const FEW_CLASSES_WITH_COEFFICIENTS: usize = 64;

/// Classes up to which an `f32` can number them.
const NUMBERED_CLASSES: usize = 1 << 24;

/// Consecutive rows, with the memory that belongs to them and to no other task.
#[derive(Debug)]
pub(super) struct Task<'a, T: Element> {
    pub(super) common: Common<'a>,
    pub(super) first_row: usize,
    pub(super) rows: usize,
    /// The element that this task's memory begins with.
    pub(super) offset: usize,
    pub(super) memory: Memory<'a, T>,
    pub(super) losses: Option<&'a mut [T::Wide]>,
    pub(super) stats: Stats<'a, T::Wide>,
    pub(super) upstream: Upstream<'a, T::Wide>,
    /// What the rows add up to so far.
    pub(super) sums: Tree<Sums>,
}

/// Room for one row.
#[derive(Debug)]
struct Scratch<T: Element> {
    /// The logits, where they do not lie side by side.
    logits: Vec<T>,
    /// `exp(t)`.
    exps: Vec<T::Wide>,
    /// The gradient, where it does not lie side by side.
    gradient: Vec<T::Wide>,
    general: GeneralScratch,
}

impl<T: Element> Scratch<T> {
    fn new(task: &Task<T>) -> Self {
        let classes = task.common.shape.classes();
        let (wants_gradient, is_apart) = (task.memory.wants_gradient(), task.common.shape.inner() > 1);
        let room = |needed: bool| vec![T::Wide::default(); if needed { classes.next_multiple_of(LANES) } else { 0 }];
        Self {
            logits: Vec::new(),
            exps: room(wants_gradient),
            gradient: room(wants_gradient && is_apart),
            general: GeneralScratch::default(),
        }
    }
}

impl<T: Element> Task<'_, T> {
    /// Computes every row; what they add up to.
    pub(super) fn run(mut self) -> Tree<Sums> {
        let shape = self.common.shape;
        let few = if self.common.plan.is_some() { FEW_CLASSES } else { FEW_CLASSES_WITH_COEFFICIENTS };
        // As many rows as a vector has lanes may lie side by side.
        let is_grouped = shape.inner() >= T::Wide::WIDTH;
        let in_groups = (shape.classes() <= few || is_grouped) && shape.classes() <= NUMBERED_CLASSES;
        match (self.common.family, self.common.terms, self.common.plan) {
            (LossFamily::BinaryCrossEntropy, ..) => self.binary_rows(),
            (LossFamily::CrossEntropy, Some(terms), _) => self.penalized_rows(&terms),
            (LossFamily::CrossEntropy, None, Some(plan)) if in_groups => self.spread_groups(plan),
            (LossFamily::CrossEntropy, None, None) if in_groups => self.general_groups(),
            (LossFamily::CrossEntropy, None, plan) => self.single_rows(plan),
        }
        self.sums
    }

    /// Every row by itself.
    fn single_rows(&mut self, plan: Option<&SpreadPlan>) {
        let mut scratch = Scratch::new(self);
        let mut maximum = None;
        for row in 0..self.rows {
            let global = self.first_row + row;
            maximum = match plan {
                Some(plan) => match plan.row(self.common.rows, global) {
                    Some(target) => self.spread_row(row, plan, &target, maximum, &mut scratch),
                    None => self.skip(row),
                },
                None if self.common.rows.is_counted(global) => self.general_row(row, maximum, &mut scratch),
                None => self.skip(row),
            };
        }
    }

    /// The element of a row's first class in this task's memory.
    #[inline(always)]
    pub(super) fn start(&self, row: usize) -> usize {
        self.common.shape.row_start(self.first_row + row) - self.offset
    }

    /// Adds what a row gives to the sums.
    pub(super) fn push(&mut self, row: usize, sums: Sums) {
        self.sums.push(self.first_row + row, 0, sums);
    }

    /// A row whose coefficients are a spread, and its maximum if that is known; the next row's, if it was found.
    fn spread_row(
        &mut self,
        row: usize,
        plan: &SpreadPlan,
        target: &SpreadRow,
        maximum: Option<T::Wide>,
        scratch: &mut Scratch<T>,
    ) -> Option<T::Wide> {
        let z = logits_of(self, row, &mut scratch.logits);
        let Some(sums) = self.sums_of(row, z, plan.hole(target), maximum, &mut scratch.exps) else {
            return self.undefined(row);
        };
        let max = sums.max.to_f64();
        let t = target.classes.map(|class| z[class].widen().to_f64() - max);
        self.stats.keep(row, sums.stats());
        let is_maximum = target.classes.map(|class| class == sums.column);
        let a = target.spread.coefficients(plan.sharers, is_maximum, t, sums.shifted);
        let of_row = RowSums { max, others: sums.others, lse: sums.lse };
        self.keep(row, Losses::new(&a, &of_row), sums.column == target.likeliest());
        if !self.memory.wants_gradient() {
            return sums.next;
        }
        let gradient = RowGradient::new(&a, &of_row, self.common.factor);
        let at_targets = target.spread.at_targets(plan.sharers);
        let at = |which: usize| gradient.at(scratch.exps[target.classes[which]].to_f64(), at_targets[which]);
        // In the order in which they are written: of two at the same place, the last holds.
        let second = if plan.is_mixed { target.classes[1] } else { NO_COLUMN };
        let special = [
            (second, if plan.is_mixed { at(1) } else { 0.0 }),
            (target.classes[0], at(0)),
            (sums.column, gradient.at_maximum),
        ];
        let spread = T::Wide::from_f64(target.spread.share * self.common.factor);
        self.write(
            row,
            gradient.probability,
            Coefficients::Constant(spread),
            special,
            &scratch.exps,
            &mut scratch.gradient,
        );
        sums.next
    }

    /// A row of any other coefficients, likewise.
    fn general_row(&mut self, row: usize, maximum: Option<T::Wide>, scratch: &mut Scratch<T>) -> Option<T::Wide> {
        let (classes, level) = (self.common.shape.classes(), self.common.level);
        let z = logits_of(self, row, &mut scratch.logits);
        let Some(sums) = self.sums_of(row, z, NO_COLUMN, maximum, &mut scratch.exps) else {
            return self.undefined(row);
        };
        let max = sums.max.to_f64();
        let (rows, row_of_batch, m) = (self.common.rows, self.first_row + row, sums.column);
        let is_finite = sums.shifted.is_finite();
        let general = GeneralRow { rows, row: row_of_batch, classes, columns: 0..classes, z, max, m, is_finite };
        let GeneralScratch { shares, room } = &mut scratch.general;
        let target = general.target(level, shares, room);
        let streamed = general.probabilities();
        let answer = general.answer(level, &target, streamed, room);
        self.stats.keep(row, sums.stats());
        let of_row = RowSums { max, others: sums.others, lse: sums.lse };
        self.keep(row, Losses::new(&answer.sums, &of_row), answer.is_correct);
        if !self.memory.wants_gradient() {
            return sums.next;
        }
        let factor = self.common.factor;
        let gradient = RowGradient::new(&answer.sums, &of_row, factor);
        let none = (NO_COLUMN, 0.0);
        let special = [none, none, (sums.column, gradient.at_maximum)];
        let coefficients = match streamed {
            Some(given) => Coefficients::OfTarget(OfTarget { factor, target, first: 0, given }),
            None => Coefficients::PerClass(PerClass { factor, values: &room.coefficients }),
        };
        self.write(row, gradient.probability, coefficients, special, &scratch.exps, &mut scratch.gradient);
        sums.next
    }

    /// What a row's logits add up to, `z` being these and what follows them; none if it has no softmax.
    fn sums_of(
        &self,
        row: usize,
        z: &[T],
        hole: usize,
        maximum: Option<T::Wide>,
        exps: &mut [T::Wide],
    ) -> Option<row::Sums<T::Wide>> {
        let (level, classes) = (self.common.level, self.common.shape.classes());
        if let Some(stats) = self.stats.known(row) {
            return row::again(level, &z[..classes], stats, exps);
        }
        if self.common.splits_rows {
            return split::sums(level, &z[..classes], hole, exps);
        }
        let maximum = maximum.unwrap_or_else(|| maximum::maximum(level, &z[..classes]));
        let next = z.get(classes..2 * classes).unwrap_or(&[]);
        row::sums(level, Row { z, classes, maximum, hole, next }, exps)
    }

    /// Keeps what a row of the softmax family gives.
    pub(super) fn keep(&mut self, row: usize, of_row: Losses<f64>, is_correct: bool) {
        self.push(row, of_row.sums(is_correct));
        if let Some(losses) = &mut self.losses {
            losses[row] = T::Wide::from_f64(of_row.loss);
        }
    }

    /// A row that is not counted: its loss and gradient are 0. It does not look ahead.
    pub(super) fn skip(&mut self, row: usize) -> Option<T::Wide> {
        self.push(row, Sums::default());
        self.fill(row, 0.0);
        None
    }

    /// A row without a softmax: its loss and gradient are NaN. It does not look ahead either.
    pub(super) fn undefined(&mut self, row: usize) -> Option<T::Wide> {
        self.push(row, Sums::undefined(self.common.rows.z_factor(self.first_row + row)));
        self.stats.keep(row, RowStats { max: T::Wide::from_f64(f64::NAN), ..RowStats::default() });
        self.fill(row, f64::NAN);
        None
    }

    /// Gives a row the same loss and gradient everywhere.
    fn fill(&mut self, row: usize, value: f64) {
        if let Some(losses) = &mut self.losses {
            losses[row] = T::Wide::from_f64(value);
        }
        let (from, step, classes) = (self.start(row), self.common.shape.inner(), self.common.shape.classes());
        self.memory.write(Fill { from, step, classes, value });
    }

    fn write(
        &mut self,
        row: usize,
        probability: f64,
        coefficients: Coefficients<'_, T>,
        special: [(usize, f64); 3],
        exps: &[T::Wide],
        room: &mut [T::Wide],
    ) {
        let upstream = self.upstream.at(self.first_row + row);
        let factors = Factors { probability: T::Wide::from_f64(probability), coefficients, upstream };
        let (start, shape, level) = (self.start(row), self.common.shape, self.common.level);
        let (classes, inner) = (shape.classes(), shape.inner());
        let splits = self.common.splits_rows;
        self.memory.write(WriteRow { level, splits, exps, factors, special, start, classes, inner, room });
    }
}

/// The logits of a row and what follows it; in `room` where they do not lie side by side.
fn logits_of<'a, T: Element>(task: &'a Task<'_, T>, row: usize, room: &'a mut Vec<T>) -> &'a [T] {
    let (start, classes, inner) = (task.start(row), task.common.shape.classes(), task.common.shape.inner());
    if inner == 1 {
        return &task.memory.logits()[start..];
    }
    room.clear();
    room.extend(task.memory.logits()[start..].iter().step_by(inner).take(classes));
    room
}

struct Fill {
    from: usize,
    step: usize,
    classes: usize,
    value: f64,
}

impl<T: Element> Write<T> for Fill {
    fn to<G: Element<Wide = T::Wide>>(self, gradient: &mut [G]) {
        let places = gradient[self.from..].iter_mut().step_by(self.step);
        places.take(self.classes).for_each(|place| *place = G::narrow(T::Wide::from_f64(self.value)));
    }
}

struct WriteRow<'a, T: Element> {
    level: fearless_simd::Level,
    /// Whether several threads write it.
    splits: bool,
    exps: &'a [T::Wide],
    factors: Factors<T::Wide, Coefficients<'a, T>>,
    special: [(usize, f64); 3],
    start: usize,
    classes: usize,
    inner: usize,
    room: &'a mut [T::Wide],
}

impl<T: Element> Write<T> for WriteRow<'_, T> {
    fn to<G: Element<Wide = T::Wide>>(self, gradient: &mut [G]) {
        let Self { level, splits, exps, factors, special, start, classes, inner, room } = self;
        if inner == 1 {
            let write = if splits { split::write } else { gradient::write };
            write(level, exps, factors, &mut gradient[start..start + classes]);
        } else {
            gradient::write(level, exps, factors, &mut room[..classes]);
            let places = gradient[start..].iter_mut().step_by(inner);
            places.zip(&room[..classes]).for_each(|(place, &value)| *place = G::narrow(value));
        }
        for (class, value) in special {
            if class != NO_COLUMN {
                gradient[start + class * inner] = G::narrow(scaled(factors.upstream, value));
            }
        }
    }
}

/// The product of the upstream gradient with a gradient that is rounded first.
#[inline(always)]
pub(super) fn scaled<W: Float>(upstream: W, value: f64) -> W {
    upstream * W::from_f64(value)
}
