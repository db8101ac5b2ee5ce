//! What a class costs by its probability where that is not `-log p`; of a softmax, and of a sigmoid.

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, f64x8};

use super::binary::{BinaryAnswer, BinaryTargets};
use super::closed_form::{Real, RowSums};
use super::general::WIDTH;
use super::math;
use crate::config::Likelihood;

/// A row's classes, with room for a multiple of [`WIDTH`] each.
#[derive(Debug)]
pub(super) struct Classes<'a> {
    /// `t_c`.
    pub(super) shifted: &'a [f64],
    /// `exp(t_c)`.
    pub(super) exps: &'a [f64],
    /// `1 - p_c`, from the others at the maximum's column.
    pub(super) rest: &'a [f64],
}

/// Writes each class's `a_c phi(p_c)` into `costs` and turns its coefficient `a_c` into `b_c = a_c h(p_c)`.
pub(super) fn weigh(
    level: Level,
    likelihood: Likelihood,
    classes: &Classes,
    row: &RowSums<f64>,
    coefficients: &mut [f64],
    costs: &mut [f64],
) {
    dispatch!(level, simd => {
        let one_over_sum = f64x8::splat(simd, (row.others + 1.0).reciprocal());
        for at in (0..coefficients.len()).step_by(WIDTH) {
            let vector = |values: &[f64]| f64x8::from_slice(simd, &values[at..at + WIDTH]);
            let (rest, minus_log) = (vector(classes.rest), f64x8::splat(simd, row.lse) - vector(classes.shifted));
            let p = vector(classes.exps) * one_over_sum;
            let (cost, slope) = match likelihood {
                Likelihood::NegativeLog => (minus_log, f64x8::splat(simd, 1.0)),
                Likelihood::Focal { gamma, .. } => focal(simd, gamma, p, minus_log, rest),
                Likelihood::Relaxed { alpha } => relaxed(simd, alpha, minus_log, rest),
            };
            let a = vector(coefficients);
            a.times_selected(cost).store_slice(&mut costs[at..at + WIDTH]);
            (a * slope).store_slice(&mut coefficients[at..at + WIDTH]);
        }
    });
}

/// `(1 - p)^gamma (-log p)` and `(1 - p)^gamma (1 + gamma p (-log p) / (1 - p))`.
#[inline(always)]
fn focal<S: Simd>(simd: S, gamma: f64, p: f64x8<S>, minus_log: f64x8<S>, rest: f64x8<S>) -> (f64x8<S>, f64x8<S>) {
    let one = f64x8::splat(simd, 1.0);
    let power = math::power(simd, rest, gamma);
    // -log p and 1 - p vanish together.
    let ratio = rest.simd_eq(f64x8::splat(simd, 0.0)).select(one, p.times_selected(minus_log) / rest);
    (power * minus_log, power * (ratio * gamma + one))
}

/// `((1 - alpha) (-log p) - alpha log(1 - p)) - H`, with `H` the entropy of the share, and `1 - alpha / (1 - p)`; 0 and 0
/// where `1 - p <= alpha`.
#[inline(always)]
fn relaxed<S: Simd>(simd: S, alpha: f64, minus_log: f64x8<S>, rest: f64x8<S>) -> (f64x8<S>, f64x8<S>) {
    let splat = |value: f64| f64x8::splat(simd, value);
    let (zero, one, alpha) = (splat(0.0), splat(1.0), splat(alpha));
    let is_short = rest.simd_gt(alpha);
    let rest = is_short.select(rest, one);
    let entropy = math::entropy_terms(simd, one - alpha) + math::entropy_terms(simd, alpha);
    let cost = ((one - alpha).times_selected(minus_log) - alpha.times_selected(math::log(simd, rest))) - entropy;
    (is_short.select(cost, zero), is_short.select(one - alpha / rest, zero))
}

/// The focal loss of a row's elements; `alpha` weighs the positives.
///
/// ```text
/// x = q s(-z) + (1 - q) s(z),  A = alpha q + (1 - alpha) (1 - q),  CE as without it, CE' its derivative
/// L = w (A x^gamma CE)
/// g = w (A x^gamma (CE' + gamma ((1 - 2 q) s(z) s(-z)) (CE / x)))          CE / x is 1 where x is 0
/// ```
pub(super) fn focal_elements(
    level: Level,
    gamma: f64,
    alpha: Option<f64>,
    z: &[f64],
    targets: &BinaryTargets,
    answer: &mut BinaryAnswer,
) {
    dispatch!(level, simd => focal_elements_at(simd, gamma, alpha, z, targets, answer));
}

#[inline(always)]
fn focal_elements_at<S: Simd>(
    simd: S,
    gamma: f64,
    alpha: Option<f64>,
    z: &[f64],
    targets: &BinaryTargets,
    answer: &mut BinaryAnswer,
) {
    let one = f64x8::splat(simd, 1.0);
    for at in (0..z.len()).step_by(WIDTH) {
        let vector = |values: &[f64]| f64x8::from_slice(simd, &values[at..at + WIDTH]);
        let (q, complement, weight) = (vector(&targets.positive), vector(&targets.negative), vector(&targets.weight));
        let sigmoid = math::sigmoid(simd, vector(z));
        let cost = q.times_selected(sigmoid.if_positive) + complement.times_selected(sigmoid.if_negative);
        let slope = complement * sigmoid.up - q * sigmoid.down;
        let rest = q * sigmoid.down + complement * sigmoid.up;
        let rest_slope = (complement - q) * (sigmoid.up * sigmoid.down);
        let balance = alpha.map_or(one, |alpha| q * alpha + complement * (1.0 - alpha));
        let factor = balance * math::power(simd, rest, gamma);
        let ratio = rest.is_zero().select(one, cost / rest);
        let loss = weight.times_selected(factor.times_selected(cost));
        let gradient = weight * (factor * (slope + rest_slope.times_selected(ratio) * gamma));
        let given = vector(&targets.given);
        let nll = given.times_selected(sigmoid.if_positive) + (one - given).times_selected(sigmoid.if_negative);
        answer.store(at, vector(z), [loss, gradient, nll]);
    }
}
