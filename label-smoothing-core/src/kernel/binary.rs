//! The binary family: an independent sigmoid per element, computed in `f64` for every element type.

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, f64x8};

use super::batch::Common;
use super::closed_form::Real;
use super::general::{WIDTH, total};
use super::likelihood::focal_elements;
use super::math::{self, Sigmoid};
use super::memory::{Upstream, Write};
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

/// How much of the smoothing each of an element's two outcomes gets.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outcomes<'a> {
    /// The same for every class.
    Constant { positive: f64, negative: f64 },
    /// The positive outcome's share, by class; the negative gets the rest.
    PerClass(&'a [f64]),
}

impl Outcomes<'_> {
    /// A half each.
    pub(super) const EVEN: Self = Self::Constant { positive: 0.5, negative: 0.5 };
}

impl BinaryTargets {
    /// Smooths every class's target as given.
    #[inline(always)]
    pub(super) fn smooth(&mut self, classes: usize, epsilon: f64, outcomes: Outcomes) {
        match outcomes {
            Outcomes::Constant { positive, negative } => {
                for class in 0..classes {
                    self.smooth_one(class, epsilon, positive, negative);
                }
            }
            Outcomes::PerClass(shares) => {
                for (class, share) in shares[..classes].iter().enumerate() {
                    self.smooth_one(class, epsilon, *share, 1.0 - share);
                }
            }
        }
    }

    /// Smooths one class's target as given.
    #[inline(always)]
    pub(super) fn smooth_one(&mut self, class: usize, epsilon: f64, positive: f64, negative: f64) {
        let y = self.given[class];
        self.positive[class] = (1.0 - epsilon) * y + epsilon * positive;
        self.negative[class] = (1.0 - epsilon) * (1.0 - y) + epsilon * negative;
    }

    /// Gives each class its weight.
    #[inline(always)]
    pub(super) fn weigh(&mut self, classes: usize, row_weight: f64, of_classes: Option<&[f64]>) {
        match of_classes {
            None => self.weight[..classes].fill(row_weight),
            Some(of_classes) => {
                for (weight, of_class) in self.weight[..classes].iter_mut().zip(of_classes) {
                    *weight = row_weight * of_class;
                }
            }
        }
    }
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
        self.common.rows.binary(self.common.level, self.first_row + row, targets);
        let logits = &self.memory.logits()[self.start(row)..];
        let correct = if inner == 1 {
            dispatch!(self.common.level, _simd => widen(&logits[..classes], &targets.given, z))
        } else {
            widen(logits.iter().step_by(inner).take(classes), &targets.given, z)
        };
        match self.common.terms.map(|terms| terms.likelihood) {
            Some(Likelihood::Focal { gamma, alpha }) => {
                focal_elements(self.common.level, gamma, alpha, z, targets, answer);
            }
            _ => elements(self.common.level, z, targets, self.common.rows.subtracts_entropy(), answer),
        }
        let (loss, nll) = dispatch!(self.common.level, _simd => {
            (total(&answer.loss[..classes]), total(&answer.nll[..classes]))
        });
        self.push(row, Sums { loss: loss.into(), nll: nll.into(), correct, ..Sums::default() });
    }

    fn write_binary(&mut self, row: usize, answer: &BinaryAnswer) {
        let (classes, step, start) = (self.common.shape.classes(), self.common.shape.inner(), self.start(row));
        if let Some(losses) = &mut self.losses {
            let places = losses[start..].iter_mut().step_by(step).take(classes);
            places.zip(&answer.loss).for_each(|(place, &loss)| *place = T::Wide::from_f64(loss));
        }
        let upstream = match self.upstream {
            Upstream::Loss(upstream) => Upstream::Loss(upstream),
            Upstream::Losses(upstream) => {
                Upstream::Losses(&upstream[self.common.shape.row_start(self.first_row + row)..])
            }
        };
        let Common { level, factor, .. } = self.common;
        let gradient = &answer.gradient[..classes];
        self.memory.write(WriteElements { level, start, step, factor, gradient, upstream });
    }
}

/// Widens a row's logits; how many of them are on the side of 0 that the target is on.
#[inline(always)]
fn widen<'a, T: Element>(logits: impl IntoIterator<Item = &'a T>, given: &[f64], wide: &mut [f64]) -> u64 {
    let mut correct = 0;
    for ((z, logit), q) in wide.iter_mut().zip(logits).zip(given) {
        *z = logit.widen().to_f64();
        correct += u64::from((*z > 0.0) == (*q > 0.5));
    }
    correct
}

/// Writes a gradient that is given class by class, without the batch's factor and the upstream gradient.
pub(super) struct WriteElements<'a, W> {
    pub(super) level: Level,
    pub(super) start: usize,
    pub(super) step: usize,
    pub(super) factor: f64,
    pub(super) gradient: &'a [f64],
    /// Of each unreduced loss: of each class, at the same distances.
    pub(super) upstream: Upstream<'a, W>,
}

impl<T: Element> Write<T> for WriteElements<'_, T::Wide> {
    fn to<G: Element<Wide = T::Wide>>(self, gradient: &mut [G]) {
        let Self { level, start, step, factor, gradient: values, upstream } = self;
        let places = &mut gradient[start..];
        match upstream {
            Upstream::Loss(upstream) if step == 1 => dispatch!(level, _simd => {
                for (place, value) in places.iter_mut().zip(values) {
                    *place = G::narrow(scaled(upstream, factor * value));
                }
            }),
            _ => {
                let places = places.iter_mut().step_by(step).zip(values).enumerate();
                places.for_each(|(class, (place, value))| {
                    *place = G::narrow(scaled(upstream.at(class * step), factor * value));
                });
            }
        }
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
