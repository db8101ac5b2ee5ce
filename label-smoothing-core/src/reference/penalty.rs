//! The terms that are added to a row of the softmax family.

use super::prediction::Prediction;
use crate::config::Penalty;
use crate::sum::pairwise;

impl Prediction {
    fn sum(&self, term: impl Fn(usize) -> f64) -> f64 {
        pairwise(self.t.len(), &term)
    }

    fn p(&self, class: usize) -> f64 {
        self.probability(class).p
    }

    fn rest(&self, class: usize) -> f64 {
        self.probability(class).rest
    }

    /// Whether the class has a logit.
    fn is_there(&self, class: usize) -> bool {
        self.t[class] != f64::NEG_INFINITY
    }

    /// Where the class is the maximum's column, `value`.
    fn at_maximum(&self, class: usize, value: f64) -> f64 {
        if class == self.m { value } else { 0.0 }
    }

    /// `sum_c p_c (max z - z_c)`: with it `H = log1p(S_o)` plus this, and `log p_k + H = t_k` plus this.
    fn mean_distance(&self) -> f64 {
        self.sum(|c| if self.is_there(c) { -self.t[c] * self.p(c) } else { 0.0 })
    }

    /// How far beyond the margin a class is, if it is there.
    fn excess(&self, class: usize, margin: f64) -> f64 {
        if self.is_there(class) { (-self.t[class] - margin).max(0.0) } else { 0.0 }
    }

    /// The loss of the term, given the target after smoothing; see [`Penalty`] for the formulas.
    pub(super) fn penalty(&self, penalty: &Penalty, q: &[f64]) -> f64 {
        match *penalty {
            Penalty::Confidence { strength } => -strength * (self.shifted_lse + self.mean_distance()),
            Penalty::Margin { strength, margin } => strength * self.sum(|c| self.excess(c, margin)),
            Penalty::MaxSuppression { strength } => {
                let count = self.sum(|c| f64::from(u8::from(self.is_there(c))));
                strength * self.sum(|c| if self.is_there(c) { -self.t[c] } else { 0.0 }) / count
            }
            Penalty::Poly { epsilon } => epsilon * self.sum(|c| if q[c] == 0.0 { 0.0 } else { q[c] * self.rest(c) }),
        }
    }

    /// The gradient of the term by each logit.
    pub(super) fn penalty_slopes(&self, penalty: &Penalty, q: &[f64]) -> Vec<f64> {
        let classes = 0..self.t.len();
        match *penalty {
            Penalty::Confidence { strength } => {
                let distance = self.mean_distance();
                let of = |k: usize| if self.is_there(k) { strength * self.p(k) * (self.t[k] + distance) } else { 0.0 };
                classes.map(of).collect()
            }
            Penalty::Margin { strength, margin } => {
                let is_beyond = |c: usize| f64::from(u8::from(self.excess(c, margin) > 0.0));
                let beyond = self.sum(is_beyond);
                classes.map(|k| strength * (self.at_maximum(k, beyond) - is_beyond(k))).collect()
            }
            Penalty::MaxSuppression { strength } => {
                let is_there = |c: usize| f64::from(u8::from(self.is_there(c)));
                let count = self.sum(is_there);
                classes.map(|k| strength * (self.at_maximum(k, 1.0) - is_there(k) / count)).collect()
            }
            Penalty::Poly { epsilon } => {
                // At the maximum's column p_k q_k - q_k = -q_k (1 - p_k), which does not cancel.
                let of_others = self.sum(|c| if c == self.m { 0.0 } else { q[c] * self.p(c) });
                let expected = of_others + q[self.m] * self.p(self.m);
                let difference = |k: usize| {
                    if k == self.m { of_others - q[k] * self.rest(k) } else { expected - q[k] }
                };
                classes.map(|k| epsilon * self.p(k) * difference(k)).collect()
            }
        }
    }
}
