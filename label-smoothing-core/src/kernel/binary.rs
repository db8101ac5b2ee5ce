//! The binary family: an independent sigmoid per element, computed in `f64` for every element type.

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, f64x8};

use super::closed_form::Real;
use super::general::{WIDTH, total};
use super::likelihood::focal_elements;
use super::math::{self, Sigmoid};
use super::memory::Write;
use super::task::{Task, scaled};
use crate::config::Likelihood;
use crate::element::Element;
use crate::parts::Sums;

/// What a row's targets ask of its logits, by class, with room for a multiple of [`WIDTH`]; beyond the row, 0.
#[derive(Debug)]
pub(super) struct BinaryTargets {
    /// `q` after smoothing.
    pub(super) positive: Vec<f64>,
    /// `1 - q` after smoothing, formed without subtracting from 1.
    pub(super) negative: Vec<f64>,
    /// The weight.
    pub(super) weight: Vec<f64>,
    /// The target as given.
    pub(super) given: Vec<f64>,
}

/// What a row's elements give, by class, without denominator and upstream gradient.
#[derive(Debug)]
pub(super) struct BinaryAnswer {
    /// The loss.
    loss: Vec<f64>,
    /// The gradient.
    gradient: Vec<f64>,
    /// The loss of the target as given, without its weight.
    nll: Vec<f64>,
}

impl BinaryAnswer {
    /// Stores loss, gradient and plain loss of the elements from a place on; a NaN is one whatever it is multiplied by.
    #[inline(always)]
    pub(super) fn store<S: Simd>(&mut self, at: usize, z: f64x8<S>, [loss, gradient, nll]: [f64x8<S>; 3]) {
        let (is_number, nan) = (z.simd_eq(z), z.constant(f64::NAN));
        is_number.select(loss, nan).store_slice(&mut self.loss[at..at + WIDTH]);
        is_number.select(gradient, nan).store_slice(&mut self.gradient[at..at + WIDTH]);
        is_number.select(nll, nan).store_slice(&mut self.nll[at..at + WIDTH]);
    }
}

/// Room for one row.
#[derive(Debug)]
struct BinaryScratch {
    z: Vec<f64>,
    targets: BinaryTargets,
    answer: BinaryAnswer,
}

impl BinaryScratch {
    fn new(classes: usize) -> Self {
        let room = || vec![0.0; classes.next_multiple_of(WIDTH)];
        Self {
            z: room(),
            targets: BinaryTargets { positive: room(), negative: room(), weight: room(), given: room() },
            answer: BinaryAnswer { loss: room(), gradient: room(), nll: room() },
        }
    }
}

impl<T: Element> Task<'_, T> {
    /// Every row of the task.
    pub(super) fn binary_rows(&mut self) {
        let mut scratch = BinaryScratch::new(self.common.shape.classes());
        for row in 0..self.rows {
            if self.common.rows.is_counted(self.first_row + row) {
                self.binary_row(row, &mut scratch);
            } else {
                scratch.answer.loss.fill(0.0);
                scratch.answer.gradient.fill(0.0);
                self.push(row, Sums::default());
            }
            self.write_binary(row, &scratch.answer);
        }
    }

    fn binary_row(&mut self, row: usize, scratch: &mut BinaryScratch) {
        let (classes, inner) = (self.common.shape.classes(), self.common.shape.inner());
        let BinaryScratch { z, targets, answer } = scratch;
        self.common.rows.binary(self.first_row + row, targets);
        let logits = self.memory.logits()[self.start(row)..].iter().step_by(inner).take(classes);
        let mut correct = 0;
        for ((z, logit), given) in z.iter_mut().zip(logits).zip(&targets.given) {
            *z = logit.widen().to_f64();
            correct += u64::from((*z > 0.0) == (*given > 0.5));
        }
        match self.common.terms.map(|terms| terms.likelihood) {
            Some(Likelihood::Focal { gamma, alpha }) => {
                focal_elements(self.common.level, gamma, alpha, z, targets, answer);
            }
            _ => elements(self.common.level, z, targets, self.common.rows.subtracts_entropy(), answer),
        }
        let (loss, nll) = (total(&answer.loss[..classes]), total(&answer.nll[..classes]));
        self.push(row, Sums { loss: loss.into(), nll: nll.into(), correct, ..Sums::default() });
    }

    fn write_binary(&mut self, row: usize, answer: &BinaryAnswer) {
        let (classes, step, start) = (self.common.shape.classes(), self.common.shape.inner(), self.start(row));
        if let Some(losses) = &mut self.losses {
            let places = losses[start..].iter_mut().step_by(step).take(classes);
            places.zip(&answer.loss).for_each(|(place, &loss)| *place = T::Wide::from_f64(loss));
        }
        let first = self.common.shape.row_start(self.first_row + row);
        let (upstream, factor) = (self.upstream, self.common.factor);
        let value = |class: usize| scaled(upstream.at(first + class * step), factor * answer.gradient[class]);
        self.memory.write(WriteElements { start, step, classes, value });
    }
}

/// Writes a gradient that is given class by class.
pub(super) struct WriteElements<F> {
    pub(super) start: usize,
    pub(super) step: usize,
    pub(super) classes: usize,
    pub(super) value: F,
}

impl<T: Element, F: Fn(usize) -> T::Wide> Write<T> for WriteElements<F> {
    fn to<G: Element<Wide = T::Wide>>(self, gradient: &mut [G]) {
        let places = gradient[self.start..].iter_mut().step_by(self.step).take(self.classes);
        places.enumerate().for_each(|(class, place)| *place = G::narrow((self.value)(class)));
    }
}

fn elements(level: Level, z: &[f64], targets: &BinaryTargets, subtract_entropy: bool, answer: &mut BinaryAnswer) {
    dispatch!(level, simd => elements_at(simd, z, targets, subtract_entropy, answer));
}

/// ```text
/// L = w (q softplus(-z) + (1 - q) softplus(z)),    softplus(z) = max(z, 0) + log1p(exp(-|z|))
/// g = w ((1 - q) s(z) - q s(-z)),                  s(|z|) = 1 / (1 + exp(-|z|)),  s(-|z|) = exp(-|z|) / (1 + exp(-|z|))
/// ```
#[inline(always)]
fn elements_at<S: Simd>(
    simd: S,
    z: &[f64],
    targets: &BinaryTargets,
    subtract_entropy: bool,
    answer: &mut BinaryAnswer,
) {
    let splat = |value: f64| f64x8::splat(simd, value);
    let one = splat(1.0);
    for at in (0..z.len()).step_by(WIDTH) {
        let vector = |values: &[f64]| f64x8::from_slice(simd, &values[at..at + WIDTH]);
        let z = vector(z);
        let (positive, negative) = (vector(&targets.positive), vector(&targets.negative));
        let (weight, given) = (vector(&targets.weight), vector(&targets.given));
        let Sigmoid { up, down, if_positive, if_negative } = math::sigmoid(simd, z);
        let mut loss = positive.times_selected(if_positive) + negative.times_selected(if_negative);
        if subtract_entropy {
            loss -= math::entropy_terms(simd, positive) + math::entropy_terms(simd, negative);
        }
        let nll = given.times_selected(if_positive) + (one - given).times_selected(if_negative);
        let gradient = weight * (negative * up - positive * down);
        answer.store(at, z, [weight.times_selected(loss), gradient, nll]);
    }
}
