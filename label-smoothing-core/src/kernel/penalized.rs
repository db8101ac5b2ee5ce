//! Rows with penalties, or with another likelihood than the negative logarithm: everything in `f64`, class by class.

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch, f64x8};

use super::binary::WriteElements;
use super::closed_form::{Coefficients, Losses, RowGradient, RowSums};
use super::general::{GeneralAnswer, GeneralRow, GeneralScratch, WIDTH, total};
use super::lanes::LANES;
use super::likelihood::{self, Classes};
use super::math;
use super::maximum;
use super::memory::Upstream;
use super::task::Task;
use crate::config::{Config, Likelihood, Penalty};
use crate::element::Element;

/// What makes a configuration's loss more than coefficients of `-log p` and `lse^2`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms<'a> {
    pub(super) likelihood: Likelihood,
    penalties: &'a [Penalty],
}

impl<'a> Terms<'a> {
    /// None where there is no such thing.
    pub(super) fn new(config: &'a Config) -> Option<Self> {
        let terms = Self { likelihood: config.likelihood(), penalties: config.penalties() };
        (terms.likelihood != Likelihood::NegativeLog || !terms.penalties.is_empty()).then_some(terms)
    }
}

/// Room for one row, a multiple of [`LANES`] each.
#[derive(Debug)]
struct Scratch {
    general: GeneralScratch,
    /// `t = z - max`; 0 beyond the row.
    shifted: Vec<f64>,
    /// The target after smoothing.
    smoothed: Vec<f64>,
    /// `exp(t)`; 0 beyond the row.
    exps: Vec<f64>,
    /// `1 - p`.
    rest: Vec<f64>,
    /// What is added up.
    terms: Vec<f64>,
    /// The gradient, without the batch's factor.
    gradient: Vec<f64>,
}

impl Scratch {
    fn new(classes: usize) -> Self {
        let room = || vec![0.0; classes.next_multiple_of(LANES)];
        Self {
            general: GeneralScratch::default(),
            shifted: room(),
            smoothed: room(),
            exps: room(),
            rest: room(),
            terms: room(),
            gradient: room(),
        }
    }
}

impl<T: Element> Task<'_, T> {
    /// Every row of the task.
    pub(super) fn penalized_rows(&mut self, terms: &Terms) {
        let mut scratch = Scratch::new(self.common.shape.classes());
        for row in 0..self.rows {
            if self.common.rows.is_counted(self.first_row + row) {
                self.penalized_row(row, terms, &mut scratch);
            } else {
                self.skip(row);
            }
        }
    }

    fn penalized_row(&mut self, row: usize, terms: &Terms, scratch: &mut Scratch) {
        let (level, rows, global) = (self.common.level, self.common.rows, self.first_row + row);
        let (classes, inner, start) = (self.common.shape.classes(), self.common.shape.inner(), self.start(row));
        widen(level, &self.memory.logits()[start..], inner, &mut scratch.shifted[..classes]);
        let Some((m, max, is_finite)) = shift(level, &mut scratch.shifted[..classes]) else {
            self.undefined(row);
            return;
        };
        let of_row = exponentials(level, max, m, classes, scratch);
        let (columns, z) = (0..classes, &*scratch.shifted);
        let general = GeneralRow { rows, row: global, classes, columns, z, max: 0.0, m, is_finite };
        let GeneralScratch { shares, room } = &mut scratch.general;
        let target = general.target(level, shares, room);
        let GeneralAnswer { sums: mut a, is_correct } = general.answer(level, &target, None, room);
        if terms.penalties.iter().any(|penalty| matches!(penalty, Penalty::Poly { .. })) {
            general.smoothed(level, &mut scratch.general, &mut scratch.smoothed);
        }
        let mut losses = Losses::new(&a, &of_row);
        if terms.likelihood != Likelihood::NegativeLog {
            losses.loss =
                losses.z_loss + replace_likelihood(level, terms.likelihood, m, classes, &of_row, &mut a, scratch);
        }
        let wants_gradient = self.memory.wants_gradient();
        dispatch!(level, _simd => {
            let mut penalized = Penalized::new(rows.row_weight(global), m, classes, &of_row, wants_gradient, scratch);
            penalized.start(&RowGradient::new(&a, &of_row, 1.0));
            for penalty in terms.penalties {
                losses.loss += penalized.add(penalty);
            }
        });
        self.keep(row, losses, is_correct);
        let upstream = Upstream::Loss(self.upstream.at(global));
        let (factor, gradient) = (self.common.factor, &scratch.gradient[..classes]);
        self.memory.write(WriteElements { level, start, step: inner, factor, gradient, upstream });
    }
}

/// Widens a row's logits, which lie at a distance from each other.
fn widen<T: Element>(level: Level, logits: &[T], step: usize, wide: &mut [f64]) {
    if step > 1 {
        return wide.iter_mut().zip(logits.iter().step_by(step)).for_each(|(wide, z)| *wide = z.to_f64());
    }
    dispatch!(level, _simd => for (wide, z) in wide.iter_mut().zip(logits) {
        *wide = z.widen().to_f64();
    });
}

/// Takes the maximum off; its first column and itself, and whether all logits are finite, or none where the row has no softmax.
fn shift(level: Level, z: &mut [f64]) -> Option<(usize, f64, bool)> {
    let max = maximum::maximum(level, z);
    if !max.is_finite() {
        return None;
    }
    let m = maximum::column_of(level, z, max);
    let mut is_finite = true;
    dispatch!(level, _simd => for z in z {
        *z -= max;
        is_finite &= z.is_finite();
    });
    Some((m, max, is_finite))
}

/// The exponentials, what they add up to, and `1 - p` of each class.
fn exponentials(level: Level, max: f64, m: usize, classes: usize, scratch: &mut Scratch) -> RowSums<f64> {
    let Scratch { shifted, exps, rest, .. } = scratch;
    let others = dispatch!(level, simd => {
        for (exps, t) in exps.chunks_exact_mut(WIDTH).zip(shifted.chunks_exact(WIDTH)) {
            math::exp_f64(simd, f64x8::from_slice(simd, t), f64x8::splat(simd, 0.0)).store_slice(exps);
        }
        exps[classes..].fill(0.0);
        exps[m] = 0.0;
        let others = total(&exps[..classes]);
        exps[m] = 1.0;
        let one_over_sum = 1.0 / (others + 1.0);
        for (rest, e) in rest.iter_mut().zip(&*exps) {
            *rest = 1.0 - e * one_over_sum;
        }
        rest[m] = others * one_over_sum;
        others
    });
    RowSums { max, others, lse: math::log_1p_of(level, others) }
}

/// The row's loss by another likelihood, without its z-loss; the coefficients become those of its gradient.
fn replace_likelihood(
    level: Level,
    likelihood: Likelihood,
    m: usize,
    classes: usize,
    row: &RowSums<f64>,
    a: &mut Coefficients<f64>,
    scratch: &mut Scratch,
) -> f64 {
    let Scratch { general, shifted, exps, rest, terms, .. } = scratch;
    let coefficients = &mut general.room.coefficients;
    let of_classes = Classes { shifted, exps, rest };
    likelihood::weigh(level, likelihood, &of_classes, row, coefficients, terms);
    let loss = total(&terms[..classes]);
    terms.copy_from_slice(coefficients);
    terms[m] = 0.0;
    a.total = total(&coefficients[..classes]);
    a.total_of_others = total(&terms[..classes]);
    a.at_maximum = coefficients[m];
    loss
}

/// What penalties look at and add to.
struct Penalized<'a> {
    row_weight: f64,
    m: usize,
    /// `lse'`.
    lse: f64,
    /// `1 / S`.
    one_over_sum: f64,
    wants_gradient: bool,
    t: &'a [f64],
    e: &'a [f64],
    q: &'a [f64],
    rest: &'a [f64],
    coefficients: &'a [f64],
    terms: &'a mut [f64],
    gradient: &'a mut [f64],
}

// Plain loops, and closures that these call: what is handed to an iterator is not compiled for the instruction set.
impl<'a> Penalized<'a> {
    #[inline(always)]
    fn new(
        row_weight: f64,
        m: usize,
        classes: usize,
        row: &RowSums<f64>,
        wants_gradient: bool,
        scratch: &'a mut Scratch,
    ) -> Self {
        Self {
            row_weight,
            m,
            lse: row.lse,
            one_over_sum: 1.0 / (row.others + 1.0),
            wants_gradient,
            t: &scratch.shifted[..classes],
            e: &scratch.exps[..classes],
            q: &scratch.smoothed[..classes],
            rest: &scratch.rest[..classes],
            coefficients: &scratch.general.room.coefficients[..classes],
            terms: &mut scratch.terms[..classes],
            gradient: &mut scratch.gradient[..classes],
        }
    }

    /// Sets the gradient to that of the row without penalties.
    #[inline(always)]
    fn start(&mut self, of_row: &RowGradient<f64>) {
        if self.wants_gradient {
            for ((g, e), a) in self.gradient.iter_mut().zip(self.e).zip(self.coefficients) {
                *g = of_row.at(*e, *a);
            }
            self.gradient[self.m] = of_row.at_maximum;
        }
    }

    /// Adds a penalty's gradient, and returns its loss.
    #[inline(always)]
    fn add(&mut self, penalty: &Penalty) -> f64 {
        let (m, one_over_sum, classes) = (self.m, self.one_over_sum, self.terms.len());
        let (t, e, q, rest) = (&self.t[..classes], &self.e[..classes], &self.q[..classes], &self.rest[..classes]);
        let is_there = |class: usize| t[class] != f64::NEG_INFINITY;
        let flag = |holds: bool| if holds { 1.0 } else { 0.0 };
        match *penalty {
            Penalty::Confidence { strength } => {
                let factor = self.row_weight * strength;
                let distance = self.sum(|c| if e[c] == 0.0 { 0.0 } else { -t[c] * e[c] }) * one_over_sum;
                self.push(factor, |c| if e[c] == 0.0 { 0.0 } else { e[c] * one_over_sum * (t[c] + distance) });
                -(factor * (self.lse + distance))
            }
            Penalty::Margin { strength, margin } => {
                let factor = self.row_weight * strength;
                let is_beyond = |c: usize| is_there(c) && -t[c] - margin > 0.0;
                let beyond = self.sum(|c| flag(is_beyond(c)));
                self.push(factor, |c| if c == m { beyond } else { -flag(is_beyond(c)) });
                factor * self.sum(|c| if is_beyond(c) { -t[c] - margin } else { 0.0 })
            }
            Penalty::MaxSuppression { strength } => {
                let factor = self.row_weight * strength;
                let share = 1.0 / self.sum(|c| flag(is_there(c)));
                self.push(factor, |c| flag(c == m) - if is_there(c) { share } else { 0.0 });
                factor * (self.sum(|c| if is_there(c) { -t[c] } else { 0.0 }) * share)
            }
            Penalty::Poly { epsilon } => {
                let factor = self.row_weight * epsilon;
                let of_others = self.sum(|c| if c == m { 0.0 } else { q[c] * (e[c] * one_over_sum) });
                let expected = of_others + q[m] * one_over_sum;
                let difference = |c: usize| if c == m { of_others - q[c] * rest[c] } else { expected - q[c] };
                self.push(factor, |c| e[c] * one_over_sum * difference(c));
                factor * self.sum(|c| q[c] * rest[c])
            }
        }
    }

    #[inline(always)]
    fn sum(&mut self, term: impl Fn(usize) -> f64) -> f64 {
        for (class, place) in self.terms.iter_mut().enumerate() {
            *place = term(class);
        }
        total(self.terms)
    }

    #[inline(always)]
    fn push(&mut self, factor: f64, slope: impl Fn(usize) -> f64) {
        if self.wants_gradient {
            for (class, g) in self.gradient.iter_mut().enumerate() {
                *g += factor * slope(class);
            }
        }
    }
}
