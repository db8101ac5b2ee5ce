//! One row of the softmax family.

use super::Row;
use super::likelihood::Probability;
use super::penalty::Prediction;
use super::target::WeightedTarget;
use crate::check::Problem;
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
    let a = target.coefficients();
    let (m, max) = first_maximum(z);
    if !max.is_finite() || z.iter().any(|z| z.is_nan()) {
        return Row { losses: vec![f64::NAN], gradients: vec![f64::NAN; classes], nll: f64::NAN, correct: 0 };
    }
    let t: Vec<f64> = z.iter().map(|z| z - max).collect();
    let others_sum = pairwise(classes, &|c| if c == m { 0.0 } else { t[c].exp() });
    let sum = 1.0 + others_sum;
    let shifted_lse = others_sum.ln_1p();
    let lse = max + shifted_lse;
    let minus_log_p = |c: usize| shifted_lse - t[c];
    let probability = |c: usize| {
        let p = t[c].exp() / sum;
        let rest = if c == m { others_sum / sum } else { 1.0 - p };
        Probability { p, minus_log: minus_log_p(c), rest }
    };
    let likelihood = problem.config().likelihood();

    let weighted =
        |a: &[f64], cost: &dyn Fn(usize) -> f64| pairwise(classes, &|c| if a[c] == 0.0 { 0.0 } else { a[c] * cost(c) });
    let row_weight = problem.row_weight(row);
    let z_factor = row_weight * problem.config().z_loss();
    let mut loss = weighted(&a, &|c| likelihood.cost(probability(c))) + z_factor * lse * lse;
    if problem.config().subtract_entropy() {
        loss -= target.row_factor * entropy(&target.smoothed);
    }

    let b: Vec<f64> = (0..classes).map(|c| a[c] * likelihood.slope(probability(c))).collect();
    let total = pairwise(classes, &|c| b[c]);
    let total_of_others = pairwise(classes, &|c| if c == m { 0.0 } else { b[c] });
    let gradient = |k: usize| {
        let p = t[k].exp() / sum;
        let is_likely_maximum = k == m && others_sum <= 1.0;
        let of_target = if is_likely_maximum { total_of_others - total * (others_sum / sum) } else { total * p - b[k] };
        of_target + 2.0 * z_factor * lse * p
    };
    let mut gradients: Vec<f64> = (0..classes).map(gradient).collect();

    let prediction = Prediction { t: &t, m, others_sum, q: &target.smoothed };
    for penalty in problem.config().penalties() {
        loss += row_weight * prediction.loss(penalty);
        let of_penalty = prediction.gradient(penalty);
        gradients.iter_mut().zip(of_penalty).for_each(|(gradient, added)| *gradient += row_weight * added);
    }
    Row {
        losses: vec![loss],
        gradients,
        nll: weighted(&target.hard, &minus_log_p),
        correct: u64::from(m == first_maximum(&target.hard).0),
    }
}

/// The first column of the largest value, and the value.
fn first_maximum(values: &[f64]) -> (usize, f64) {
    let mut best = (0, values[0]);
    for (column, &value) in values.iter().enumerate() {
        if value > best.1 {
            best = (column, value);
        }
    }
    best
}

/// `-sum_c q_c log q_c`, in nats.
pub(super) fn entropy(q: &[f64]) -> f64 {
    pairwise(q.len(), &|c| if q[c] == 0.0 { 0.0 } else { -q[c] * q[c].ln() })
}
