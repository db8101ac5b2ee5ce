//! The rows of one task: some consecutive rows with memory of their own.

use fearless_simd::prelude::*;
use fearless_simd::{Simd, f64x8};

use super::batch::{Common, RowResult};
use super::closed_form::{self, RowGradient, RowSums};
use super::general::general_row;
use super::lanes::{Float, LANES};
use super::math;
use super::memory::{Memory, Upstream, Write};
use super::plan::{NO_COLUMN, SpreadRow};
use super::row::{self, Coefficients, Excluded, Factors};
use crate::config::LossFamily;
use crate::element::Element;

/// Classes up to which a group of rows is faster than one row after the other.
const FEW_CLASSES: usize = LANES;

/// Classes up to which an `f32` can number them.
const NUMBERED_CLASSES: usize = 1 << 24;

/// Consecutive rows, with the memory that belongs to them and to no other task.
#[derive(Debug)]
pub struct Task<'a, T: Element> {
    pub(super) common: Common<'a>,
    pub(super) first_row: usize,
    pub(super) memory: Memory<'a, T>,
    pub(super) losses: Option<&'a mut [T::Wide]>,
    pub(super) upstream: Upstream<'a, T::Wide>,
    pub(super) results: &'a mut [RowResult],
    pub(super) scratch: Scratch<T>,
}

/// Room for one row or group of rows.
#[derive(Debug, Default)]
pub(super) struct Scratch<T: Element> {
    pub(super) logits: Vec<T>,
    pub(super) exps: Vec<T::Wide>,
    pub(super) gradient: Vec<T::Wide>,
    coefficients: Vec<T::Wide>,
    pub(super) shifted: Vec<f64>,
    pub(super) given: Vec<f64>,
    weighted: Vec<f64>,
}

impl<'a, T: Element> Task<'a, T> {
    /// A task for the rows from `first_row` on, as many as there are results.
    pub(super) fn new(
        common: Common<'a>,
        first_row: usize,
        memory: Memory<'a, T>,
        losses: Option<&'a mut [T::Wide]>,
        upstream: Upstream<'a, T::Wide>,
        results: &'a mut [RowResult],
    ) -> Self {
        Self { common, first_row, memory, losses, upstream, results, scratch: Scratch::default() }
    }

    /// Computes every row.
    #[inline(always)]
    pub(crate) fn run<S: Simd>(mut self, simd: S) {
        let (shape, rows) = (self.common.shape, self.results.len());
        let in_groups = self.common.is_spread
            && (shape.classes() <= FEW_CLASSES || shape.inner() > 1)
            && shape.classes() <= NUMBERED_CLASSES;
        // Loops, not closures handed to iterators: those would be compiled without the instruction set.
        match self.common.family {
            LossFamily::BinaryCrossEntropy => {
                for row in 0..rows {
                    self.binary_row(simd, row);
                }
            }
            LossFamily::CrossEntropy if in_groups => self.groups(simd),
            LossFamily::CrossEntropy => {
                self.make_room(shape.classes());
                for row in 0..rows {
                    self.single_row(simd, row);
                }
            }
        }
    }

    /// The element of a row's first class in this task's memory.
    #[inline(always)]
    pub(super) fn start(&self, row: usize) -> usize {
        let shape = self.common.shape;
        shape.row_start(self.first_row + row) - shape.row_start(self.first_row)
    }

    fn make_room(&mut self, classes: usize) {
        let padded = classes.next_multiple_of(LANES);
        self.scratch.exps.resize(padded, T::Wide::default());
        if self.common.shape.inner() > 1 {
            self.scratch.gradient.resize(padded, T::Wide::default());
        }
        if !self.common.is_spread {
            self.scratch.coefficients.resize(padded, T::Wide::default());
            self.scratch.weighted.resize(classes, 0.0);
            self.scratch.given.resize(classes, 0.0);
            self.scratch.shifted.resize(classes, 0.0);
        }
    }

    /// One row of the softmax family by itself.
    #[inline(always)]
    fn single_row<S: Simd>(&mut self, simd: S, row: usize) {
        let global = self.first_row + row;
        let (start, classes, inner) = (self.start(row), self.common.shape.classes(), self.common.shape.inner());
        if !self.common.rows.is_counted(global) {
            return self.fill(row, 0.0);
        }
        if inner > 1 {
            let column = self.memory.logits()[start..].iter().step_by(inner).take(classes).copied();
            self.scratch.logits.clear();
            self.scratch.logits.extend(column);
        }
        let z = if inner > 1 { &self.scratch.logits[..] } else { &self.memory.logits()[start..start + classes] };
        let Some((max, column)) = row::maximum(simd, z) else {
            self.results[row] = RowResult { loss: f64::NAN, nll: f64::NAN, correct: 0 };
            return self.fill(row, f64::NAN);
        };
        let plan = if self.common.is_spread { self.common.rows.spread(global) } else { None };
        let excluded = Excluded { maximum: column, hole: plan.map_or(NO_COLUMN, |plan| plan.hole) };
        let exp_sums = row::exponentials(simd, z, max, excluded, &mut self.scratch.exps);
        let sums = RowSums {
            max: max.to_f64(),
            column,
            others: exp_sums.others,
            lse: math::log_1p(simd, f64x8::splat(simd, exp_sums.others)).as_slice()[0],
        };
        let t = |class: usize| z[class].widen().to_f64() - sums.max;
        let whole = match plan {
            Some(plan) => plan.sums(column, plan.hard.map(|(class, _)| t(class)), exp_sums.shifted),
            None => {
                for (shifted, z) in self.scratch.shifted.iter_mut().zip(z) {
                    *shifted = z.widen().to_f64() - sums.max;
                }
                let Scratch { shifted, given, weighted, .. } = &mut self.scratch;
                general_row(self.common.rows, global, column, shifted, given, weighted)
            }
        };
        self.finish(row, closed_form::result(&whole, &sums));
        if self.memory.wants_gradient() {
            let gradient = RowGradient::new(&whole, &sums, self.common.factor);
            self.write_row(simd, row, plan, column, &gradient);
        }
    }

    /// Keeps what a row of the softmax family gives.
    #[inline(always)]
    pub(super) fn finish(&mut self, row: usize, result: RowResult) {
        self.results[row] = result;
        if let Some(losses) = &mut self.losses {
            losses[row] = T::Wide::from_f64(result.loss);
        }
    }

    /// Gives a row without a softmax, or one that does not count, the same loss and gradient everywhere.
    pub(super) fn fill(&mut self, row: usize, value: f64) {
        if let Some(losses) = &mut self.losses {
            losses[row] = T::Wide::from_f64(value);
        }
        let (from, step, classes) = (self.start(row), self.common.shape.inner(), self.common.shape.classes());
        self.memory.write(Fill { from, step, classes, value });
    }

    #[inline(always)]
    fn write_row<S: Simd>(
        &mut self,
        simd: S,
        row: usize,
        plan: Option<SpreadRow>,
        column: usize,
        gradient: &RowGradient,
    ) {
        let factor = self.common.factor;
        let start = self.start(row);
        let Scratch { exps, coefficients, weighted, gradient: room, .. } = &mut self.scratch;
        let (coefficients, special) = match &plan {
            Some(plan) => {
                let special = gradient.special(plan, column, |class| exps[class].to_f64());
                (Coefficients::Constant(T::Wide::from_f64(factor * plan.spread)), special)
            }
            None => {
                for (rounded, a) in coefficients.iter_mut().zip(weighted) {
                    *rounded = T::Wide::from_f64(factor * *a);
                }
                let none = (NO_COLUMN, 0.0);
                (Coefficients::PerClass(&coefficients[..]), [none, none, (column, gradient.at_maximum)])
            }
        };
        let upstream = self.upstream.at(self.first_row + row);
        let factors = Factors { probability: T::Wide::from_f64(gradient.probability), coefficients, upstream };
        let (classes, inner) = (self.common.shape.classes(), self.common.shape.inner());
        self.memory.write(WriteRow { simd, exps, factors, special, start, classes, inner, room });
    }
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

struct WriteRow<'a, S, W> {
    simd: S,
    exps: &'a [W],
    factors: Factors<'a, W>,
    special: [(usize, f64); 3],
    start: usize,
    classes: usize,
    inner: usize,
    room: &'a mut [W],
}

impl<S: Simd, T: Element> Write<T> for WriteRow<'_, S, T::Wide> {
    #[inline(always)]
    fn to<G: Element<Wide = T::Wide>>(self, gradient: &mut [G]) {
        let Self { simd, exps, factors, special, start, classes, inner, room } = self;
        if inner == 1 {
            row::gradient(simd, exps, factors, &mut gradient[start..start + classes]);
        } else {
            row::gradient(simd, exps, factors, &mut room[..classes]);
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
