//! One row of the softmax family.

use super::Row;
use super::target::WeightedTarget;
use crate::check::Problem;
use crate::element::Element;
use crate::sum::pairwise;

/// ```text
/// L   = sum_c a_c (lse' - t_c) + r z_loss lse^2            t_c = z_c - max z,  lse' = log sum exp t,  lse = max z + lse'
/// g_k = A p_k - a_k + 2 r z_loss lse p_k                   A = sum_c a_c,  p_k = exp(t_k) / S,  S = sum exp t
/// ```
///
/// With `m` the column of the maximum and `S_o` the sum of the others, `lse' = log1p(S_o)` and `p_m - 1 = -S_o / S`
/// keep what a confident row has left (where `p_m` is at least one half; elsewhere `1 - p_m` would cancel). Terms with `a_c = 0` are left out, not multiplied.
pub(super) fn row<P: Element>(problem: &Problem<P>, row: usize, z: &[f64], target: &WeightedTarget) -> Row {
    let classes = z.len();
    let a = target.coefficients();
    let (m, max) = first_maximum(z);
    let z_factor = problem.row_weight(row) * problem.config().z_loss();
    if !max.is_finite() || z.iter().any(|z| z.is_nan()) {
        let (nan, z_loss) = (f64::NAN, if z_factor == 0.0 { 0.0 } else { f64::NAN });
        return Row { losses: vec![nan], gradients: vec![nan; classes], nll: nan, z_loss, correct: 0 };
    }
    let t: Vec<f64> = z.iter().map(|z| z - max).collect();
    let others_sum = pairwise(classes, &|c| if c == m { 0.0 } else { t[c].exp() });
    let sum = 1.0 + others_sum;
    let shifted_lse = others_sum.ln_1p();
    let lse = max + shifted_lse;
    let minus_log_p = |c: usize| shifted_lse - t[c];

    let weighted = |a: &[f64]| pairwise(classes, &|c| if a[c] == 0.0 { 0.0 } else { a[c] * minus_log_p(c) });
    let z_loss = z_factor * lse * lse;
    let mut loss = weighted(&a) + z_loss;
    if problem.config().subtract_entropy() {
        loss -= target.row_factor * entropy(&target.smoothed);
    }

    let total = pairwise(classes, &|c| a[c]);
    let total_of_others = pairwise(classes, &|c| if c == m { 0.0 } else { a[c] });
    let gradients = (0..classes).map(|k| {
        let p = t[k].exp() / sum;
        let is_likely_maximum = k == m && others_sum <= 1.0;
        let of_target = if is_likely_maximum { total_of_others - total * (others_sum / sum) } else { total * p - a[k] };
        of_target + 2.0 * z_factor * lse * p
    });
    Row {
        losses: vec![loss],
        gradients: gradients.collect(),
        nll: weighted(&target.hard),
        z_loss,
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
