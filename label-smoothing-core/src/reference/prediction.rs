//! The softmax of a row.

use crate::sum::pairwise;

/// A row of logits, seen from its maximum.
pub(super) struct Prediction {
    /// The first column of the maximum.
    pub(super) m: usize,
    /// `t_c = z_c - max z`.
    pub(super) t: Vec<f64>,
    /// `S_o`: the sum of `exp t_c` over the other columns.
    pub(super) others_sum: f64,
    /// `lse' = log1p(S_o)`.
    pub(super) shifted_lse: f64,
    /// `lse = max z + lse'`.
    pub(super) lse: f64,
}

/// A class's probability, said in three ways, each of which keeps what the others lose.
#[derive(Debug, Clone, Copy)]
pub(super) struct Probability {
    /// `p`.
    pub(super) p: f64,
    /// `-log p`.
    pub(super) minus_log: f64,
    /// `1 - p`.
    pub(super) rest: f64,
}

impl Prediction {
    /// None for a row with a NaN or `+inf`, or of nothing but `-inf`.
    pub(super) fn new(z: &[f64]) -> Option<Self> {
        let (m, max) = first_maximum(z);
        if !max.is_finite() || z.iter().any(|z| z.is_nan()) {
            return None;
        }
        let t: Vec<f64> = z.iter().map(|z| z - max).collect();
        let others_sum = pairwise(z.len(), &|c| if c == m { 0.0 } else { t[c].exp() });
        let shifted_lse = others_sum.ln_1p();
        Some(Self { m, t, others_sum, shifted_lse, lse: max + shifted_lse })
    }

    pub(super) fn probability(&self, class: usize) -> Probability {
        let sum = 1.0 + self.others_sum;
        let p = self.t[class].exp() / sum;
        let rest = if class == self.m { self.others_sum / sum } else { 1.0 - p };
        Probability { p, minus_log: self.shifted_lse - self.t[class], rest }
    }
}

/// The first column of the largest value, and the value.
pub(super) fn first_maximum(values: &[f64]) -> (usize, f64) {
    let mut best = (0, values[0]);
    for (column, &value) in values.iter().enumerate() {
        if value > best.1 {
            best = (column, value);
        }
    }
    best
}
