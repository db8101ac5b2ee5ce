//! One row of the softmax family.

use super::Row;
use super::prediction::{Prediction, Probability, first_maximum};
use super::target::WeightedTarget;
use crate::check::Problem;
use crate::config::Likelihood;
use crate::element::Element;
use crate::sum::pairwise;

/// ```text
/// L   = sum_c a_c phi(p_c) + r z_loss lse^2 + r penalties  t_c = z_c - max z,  lse' = log sum exp t,  lse = max z + lse'
/// g_k = B p_k - b_k + 2 r z_loss lse p_k + r penalties     p_k = exp(t_k) / S,  S = sum exp t
/// ```
///
/// `b_c = a_c h(p_c)` and `B = sum_c b_c`; for the cross entropy `phi(p_c) = -log p_c = lse' - t_c` and `h = 1`.
///
/// With `m` the column of the maximum and `S_o` the sum of the others, `lse' = log1p(S_o)` and `p_m - 1 = -S_o / S`
/// keep what a confident row has left (where `p_m` is at least one half; elsewhere `1 - p_m` would cancel). Terms with `a_c = 0` are left out, not multiplied.
pub(super) fn row<P: Element>(problem: &Problem<P>, row: usize, z: &[f64], target: &WeightedTarget) -> Row {
    let classes = z.len();
    let row_weight = problem.row_weight(row);
    let z_factor = row_weight * problem.config().z_loss();
    let Some(prediction) = Prediction::new(z) else {
        let z_loss = if z_factor == 0.0 { 0.0 } else { f64::NAN };
        return Row { losses: vec![f64::NAN], gradients: vec![f64::NAN; classes], nll: f64::NAN, z_loss, correct: 0 };
    };
    let a = target.coefficients();
    let likelihood = problem.config().likelihood();
    let weighted = |a: &[f64], likelihood: Likelihood| {
        pairwise(classes, &|c| if a[c] == 0.0 { 0.0 } else { a[c] * likelihood.cost(prediction.probability(c)) })
    };
    let z_loss = z_factor * prediction.lse * prediction.lse;
    let mut loss = weighted(&a, likelihood) + z_loss;
    if problem.config().subtract_entropy() {
        loss -= target.row_factor * entropy(&target.smoothed);
    }
    let b: Vec<f64> = (0..classes).map(|c| a[c] * likelihood.slope(prediction.probability(c))).collect();
    let mut gradients = gradients(&b, z_factor, &prediction);
    for penalty in problem.config().penalties() {
        loss += row_weight * prediction.penalty(penalty, &target.smoothed);
        let slopes = prediction.penalty_slopes(penalty, &target.smoothed);
        gradients.iter_mut().zip(slopes).for_each(|(gradient, slope)| *gradient += row_weight * slope);
    }
    Row {
        losses: vec![loss],
        gradients,
        nll: weighted(&target.hard, Likelihood::NegativeLog),
        z_loss,
        correct: u64::from(prediction.m == first_maximum(&target.hard).0),
    }
}

/// `B p_k - b_k + 2 r z_loss lse p_k`.
fn gradients(b: &[f64], z_factor: f64, prediction: &Prediction) -> Vec<f64> {
    let total = pairwise(b.len(), &|c| b[c]);
    let total_of_others = pairwise(b.len(), &|c| if c == prediction.m { 0.0 } else { b[c] });
    let gradient = |k: usize| {
        let Probability { p, rest, .. } = prediction.probability(k);
        let is_likely_maximum = k == prediction.m && prediction.others_sum <= 1.0;
        let of_target = if is_likely_maximum { total_of_others - total * rest } else { total * p - b[k] };
        of_target + 2.0 * z_factor * prediction.lse * p
    };
    (0..b.len()).map(gradient).collect()
}

/// `-sum_c q_c log q_c`, in nats.
pub(super) fn entropy(q: &[f64]) -> f64 {
    pairwise(q.len(), &|c| if q[c] == 0.0 { 0.0 } else { -q[c] * q[c].ln() })
}
