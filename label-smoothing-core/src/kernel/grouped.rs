//! The rows of a task in groups, a row in each lane.

use fearless_simd::prelude::*;
use fearless_simd::{Simd, f64x8};

use super::batch::RowResult;
use super::closed_form::{self, RowGradient, RowSums};
use super::group::{self, GroupFactors, GroupSums, MAX_ROWS};
use super::lanes::Float;
use super::math;
use super::memory::Write;
use super::plan::{NO_COLUMN, SpreadRow};
use super::task::{Task, scaled};
use crate::element::Element;

/// What becomes of one row of a group.
#[derive(Clone, Copy)]
enum Outcome {
    /// The gradient that all lanes get, with these classes set right.
    Special([(usize, f64); 3]),
    /// The same value everywhere.
    Filled(f64),
}

impl<T: Element> Task<'_, T> {
    /// Every row of the task, `WIDTH` rows at a time.
    #[inline(always)]
    pub(super) fn groups<S: Simd>(&mut self, simd: S) {
        let (classes, width) = (self.common.shape.classes(), T::Wide::WIDTH);
        self.scratch.exps.resize(classes * width, T::Wide::default());
        self.scratch.logits.resize(classes * width, T::default());
        if self.memory.wants_gradient() {
            self.scratch.gradient.resize(classes * width, T::Wide::default());
        }
        for first in (0..self.results.len()).step_by(width) {
            let rows = width.min(self.results.len() - first);
            self.group(simd, first, rows);
        }
    }

    #[inline(always)]
    fn group<S: Simd>(&mut self, simd: S, first: usize, rows: usize) {
        let (shape, width) = (self.common.shape, T::Wide::WIDTH);
        let (classes, inner) = (shape.classes(), shape.inner());
        // Rows that lie side by side are vectors as they are; others are copied side by side.
        let is_direct = rows == width && inner > 1 && first % inner + rows <= inner;
        let plans: [Option<SpreadRow>; MAX_ROWS] =
            std::array::from_fn(
                |row| {
                    if row < rows { self.common.rows.spread(self.first_row + first + row) } else { None }
                },
            );
        let holes = plans.map(|plan| plan.map_or(NO_COLUMN, |plan| plan.hole));
        let start = self.start(first);
        let sums = if is_direct {
            let z = &self.memory.logits()[start..];
            group::sums(simd, z, inner, classes, &holes, &mut self.scratch.exps)
        } else {
            self.gather(first, rows);
            group::sums(simd, &self.scratch.logits, width, classes, &holes, &mut self.scratch.exps)
        };
        let (outcomes, factors) = self.finish_group(simd, first, rows, &plans, &sums);
        if self.memory.wants_gradient() {
            let starts = std::array::from_fn(|row| if row < rows { self.start(first + row) } else { 0 });
            let (exps, room) = (&self.scratch.exps[..], &mut self.scratch.gradient[..]);
            let places = Places { starts, rows, classes, inner, is_direct };
            self.memory.write(WriteGroup { simd, exps, room, factors, outcomes, places });
        }
    }

    /// Copies class `c` of each row to place `c * WIDTH` and following.
    #[inline(always)]
    fn gather(&mut self, first: usize, rows: usize) {
        let (shape, width) = (self.common.shape, T::Wide::WIDTH);
        for row in 0..rows {
            let column = self.memory.logits()[self.start(first + row)..].iter().step_by(shape.inner());
            for (class, &z) in column.take(shape.classes()).enumerate() {
                self.scratch.logits[class * width + row] = z;
            }
        }
    }

    #[inline(always)]
    fn finish_group<S: Simd>(
        &mut self,
        simd: S,
        first: usize,
        rows: usize,
        plans: &[Option<SpreadRow>; MAX_ROWS],
        sums: &GroupSums,
    ) -> ([Outcome; MAX_ROWS], GroupFactors<T::Wide>) {
        let zero = T::Wide::default();
        let mut outcomes = [Outcome::Filled(0.0); MAX_ROWS];
        let mut factors =
            GroupFactors { probability: [zero; MAX_ROWS], spread: [zero; MAX_ROWS], upstream: [zero; MAX_ROWS] };
        let lse = log_1p(simd, &sums.others);
        for row in 0..rows {
            let Some(plan) = &plans[row] else {
                if let Some(losses) = &mut self.losses {
                    losses[first + row] = zero;
                }
                continue;
            };
            if !sums.is_defined[row] {
                self.finish(first + row, RowResult { loss: f64::NAN, nll: f64::NAN, correct: 0 });
                outcomes[row] = Outcome::Filled(f64::NAN);
                continue;
            }
            let (max, column) = (sums.max[row], sums.column[row]);
            let row_sums = RowSums { max, column, others: sums.others[row], lse: lse[row] };
            let (start, inner) = (self.start(first + row), self.common.shape.inner());
            let t = plan.hard.map(|(class, _)| self.memory.logits()[start + class * inner].widen().to_f64() - max);
            let whole = plan.sums(column, t, sums.shifted[row]);
            self.finish(first + row, closed_form::result(&whole, &row_sums));
            if self.memory.wants_gradient() {
                let gradient = RowGradient::new(&whole, &row_sums, self.common.factor);
                let exps = &self.scratch.exps;
                let exp = |class: usize| exps[class * T::Wide::WIDTH + row].to_f64();
                outcomes[row] = Outcome::Special(gradient.special(plan, column, exp));
                factors.probability[row] = T::Wide::from_f64(gradient.probability);
                factors.spread[row] = T::Wide::from_f64(self.common.factor * plan.spread);
                factors.upstream[row] = self.upstream.at(self.first_row + first + row);
            }
        }
        (outcomes, factors)
    }
}

#[inline(always)]
fn log_1p<S: Simd>(simd: S, x: &[f64; MAX_ROWS]) -> [f64; MAX_ROWS] {
    let of = |half: &[f64]| math::log_1p(simd, f64x8::from_slice(simd, half));
    let (low, high) = (of(&x[..8]), of(&x[8..]));
    std::array::from_fn(|row| if row < 8 { low.as_slice()[row] } else { high.as_slice()[row - 8] })
}

/// Where the rows of a group lie in the gradient.
struct Places {
    starts: [usize; MAX_ROWS],
    rows: usize,
    classes: usize,
    inner: usize,
    is_direct: bool,
}

struct WriteGroup<'a, S, W> {
    simd: S,
    exps: &'a [W],
    room: &'a mut [W],
    factors: GroupFactors<W>,
    outcomes: [Outcome; MAX_ROWS],
    places: Places,
}

impl<S: Simd, T: Element> Write<T> for WriteGroup<'_, S, T::Wide> {
    #[inline(always)]
    fn to<G: Element<Wide = T::Wide>>(self, gradient: &mut [G]) {
        let Self { simd, exps, room, factors, outcomes, places } = self;
        let (classes, inner, width) = (places.classes, places.inner, T::Wide::WIDTH);
        if places.is_direct {
            group::gradients(simd, exps, &factors, classes, inner, &mut gradient[places.starts[0]..]);
        } else {
            group::gradients(simd, exps, &factors, classes, width, room);
            for (row, &start) in places.starts[..places.rows].iter().enumerate() {
                let column = gradient[start..].iter_mut().step_by(inner).take(classes);
                for (class, place) in column.enumerate() {
                    *place = G::narrow(room[class * width + row]);
                }
            }
        }
        for (row, &start) in places.starts[..places.rows].iter().enumerate() {
            match outcomes[row] {
                Outcome::Special(special) => {
                    for (class, value) in special {
                        if class != NO_COLUMN {
                            gradient[start + class * inner] = G::narrow(scaled(factors.upstream[row], value));
                        }
                    }
                }
                Outcome::Filled(value) => {
                    let column = gradient[start..].iter_mut().step_by(inner).take(classes);
                    column.for_each(|place| *place = G::narrow(T::Wide::from_f64(value)));
                }
            }
        }
    }
}
