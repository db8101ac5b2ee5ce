//! The binary family: an independent sigmoid per element, computed in `f64` for every element type.

use fearless_simd::prelude::*;
use fearless_simd::{Simd, f64x8};

use super::batch::RowResult;
use super::general::sum;
use super::math;
use super::memory::Write;
use super::plan::log;
use super::task::{Task, scaled};
use crate::element::Element;

/// What one element's target asks of its logit.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BinaryTarget {
    /// `q` after smoothing.
    pub(super) positive: f64,
    /// `1 - q` after smoothing, formed without subtracting from 1.
    pub(super) negative: f64,
    /// The weight.
    pub(super) weight: f64,
    /// The target as given.
    pub(super) given: f64,
}

/// What one element gives, without denominator and upstream gradient.
#[derive(Debug, Clone, Copy, Default)]
struct BinaryResult {
    /// The loss.
    loss: f64,
    /// The gradient.
    gradient: f64,
    /// The loss of the target as given, without its weight.
    nll: f64,
}

/// Elements that are worked on at once.
const WIDTH: usize = 8;

impl<T: Element> Task<'_, T> {
    /// One row of the binary family.
    #[inline(always)]
    pub(super) fn binary_row<S: Simd>(&mut self, simd: S, row: usize) {
        let shape = self.common.shape;
        let (classes, inner, global) = (shape.classes(), shape.inner(), self.first_row + row);
        let start = self.start(row);
        if !self.common.rows.is_counted(global) {
            if let Some(losses) = &mut self.losses {
                losses[start..].iter_mut().step_by(inner).take(classes).for_each(|loss| *loss = T::Wide::from_f64(0.0));
            }
            let results = vec![BinaryResult::default(); classes];
            return self.write_binary(row, &results);
        }
        let mut given = vec![0.0; classes];
        let mut targets = vec![BinaryTarget::default(); classes.next_multiple_of(WIDTH)];
        self.common.rows.given(global, &mut given);
        self.common.rows.binary(global, &given, &mut targets);
        let mut results = Vec::with_capacity(targets.len());
        let mut correct = 0;
        for (first, targets) in targets.chunks_exact(WIDTH).enumerate().map(|(chunk, targets)| (chunk * WIDTH, targets))
        {
            let mut z = [0.0; WIDTH];
            for (z, class) in z.iter_mut().zip(first..classes) {
                *z = self.memory.logits()[start + class * inner].widen().to_f64();
                correct += u64::from((*z > 0.0) == (given[class] > 0.5));
            }
            results.extend(elements(simd, &z, targets, self.common.rows.subtracts_entropy()));
        }
        if let Some(losses) = &mut self.losses {
            let places = losses[start..].iter_mut().step_by(inner).take(classes);
            places.zip(&results).for_each(|(place, result)| *place = T::Wide::from_f64(result.loss));
        }
        let (loss, nll) = (sum(classes, |c| results[c].loss), sum(classes, |c| results[c].nll));
        self.results[row] = RowResult { loss, nll, correct };
        self.write_binary(row, &results[..classes]);
    }

    fn write_binary(&mut self, row: usize, results: &[BinaryResult]) {
        let (start, step) = (self.start(row), self.common.shape.inner());
        let first = self.common.shape.row_start(self.first_row + row);
        let upstream = self.upstream;
        let factor = self.common.factor;
        let value = |class: usize| scaled(upstream.at(first + class * step), factor * results[class].gradient);
        self.memory.write(WriteElements { start, step, count: results.len(), value });
    }
}

struct WriteElements<F> {
    start: usize,
    step: usize,
    count: usize,
    value: F,
}

impl<T: Element, F: Fn(usize) -> T::Wide> Write<T> for WriteElements<F> {
    fn to<G: Element<Wide = T::Wide>>(self, gradient: &mut [G]) {
        let places = gradient[self.start..].iter_mut().step_by(self.step).take(self.count);
        places.enumerate().for_each(|(class, place)| *place = G::narrow((self.value)(class)));
    }
}

/// ```text
/// L = w (q softplus(-z) + (1 - q) softplus(z)),    softplus(z) = max(z, 0) + log1p(exp(-|z|))
/// g = w ((1 - q) s(z) - q s(-z)),                  s(|z|) = 1 / (1 + exp(-|z|)),  s(-|z|) = exp(-|z|) / (1 + exp(-|z|))
/// ```
#[inline(always)]
fn elements<S: Simd>(
    simd: S,
    z: &[f64; WIDTH],
    targets: &[BinaryTarget],
    subtract_entropy: bool,
) -> [BinaryResult; WIDTH] {
    let magnitudes = f64x8::from_fn(simd, |lane| -z[lane].abs());
    let e = math::exp_f64(simd, magnitudes);
    let tail = math::log_1p(simd, e);
    let (near, far) = (f64x8::splat(simd, 1.0) / (e + 1.0), e / (e + 1.0));
    std::array::from_fn(|lane| {
        let (z, BinaryTarget { positive, negative, weight, given }) = (z[lane], targets[lane]);
        if z.is_nan() {
            return BinaryResult { loss: f64::NAN, gradient: f64::NAN, nll: f64::NAN };
        }
        let tail = tail.as_slice()[lane];
        let (if_negative, if_positive) = (z.max(0.0) + tail, (-z).max(0.0) + tail);
        let (near, far) = (near.as_slice()[lane], far.as_slice()[lane]);
        let (up, down) = if z >= 0.0 { (near, far) } else { (far, near) };
        let entropy = if subtract_entropy {
            let of = |q: f64| if q == 0.0 { 0.0 } else { -q * log(q) };
            of(positive) + of(negative)
        } else {
            0.0
        };
        let loss = term(positive, if_positive) + term(negative, if_negative);
        BinaryResult {
            loss: term(weight, loss - entropy),
            gradient: weight * (negative * up - positive * down),
            nll: term(given, if_positive) + term(1.0 - given, if_negative),
        }
    })
}

/// `mass * cost`, where a mass of 0 costs nothing however large the cost.
#[inline(always)]
fn term(mass: f64, cost: f64) -> f64 {
    if mass == 0.0 { 0.0 } else { mass * cost }
}
