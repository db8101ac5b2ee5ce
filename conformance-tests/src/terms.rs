//! What likelihoods and penalties add to the scale of the tolerance: each the sum of the absolute values of what it is made
//! of, each with the relative error that the part itself has.
//!
//! With `m` the first column of the maximum, `l_c = -log p_c`, `r_c = l_c + 1` (the relative error of `p_c` in units
//! roundoff), `x_c = 1 - p_c`, and
//!
//! ```text
//! T     = sum_{o != m} p_o r_o                   what is off in everything that vanishes with the other columns
//! s_c   = sum_{o != c} p_o r_o / x_c             the relative error of x_c
//! v_c   = l_m + T at m, r_c elsewhere            the error of l_c
//! ```
//!
//! a class costs, and the factor of its mass in the gradient is
//!
//! ```text
//! negative_log   r_c                                                                     1
//! focal          x_c^gamma (v_c + gamma s_c l_c)                                         h_c (1 + (1 + gamma) s_c)
//! relaxed        (1 - alpha) (|log(1 - alpha)| + r_c)                                    1 + alpha / x_c (1 + s_c)
//!                + alpha (|log alpha| + |log x_c| + s_c), 0 where the target has its share
//! ```
//!
//! and the penalties add to a loss, and to a gradient,
//!
//! ```text
//! confidence       l_m + T + N,  N = sum_{o != m} p_o |t_o| r_o            p_k (|t_k| r_k + (1 + r_k) N)
//! margin           2 sum over those beyond of |t_c| + margin               2 beyond; twice their number at m
//! max_suppression  2 mean_c |t_c|                                          2 / K; 2 more at m
//! poly             sum_c q_c x_c s_c                                       p_k ((r_k + s_k) q_k x_k + sum_{c != k} q_c p_c (r_k + r_c))
//! ```
//!
//! times their strength and the row's weight. The twos stand for the products and the additions to the row, which have
//! room in the other terms: there they multiply an `r` of at least 1. All of them keep the small parts of a confident row, so that a mistake there
//! shows wherever nothing else is in the scale.

use label_smoothing_core::{Likelihood, Penalty};

/// Next to the share of a relaxed target, a rounding decides on which side it is.
const AT_THE_SHARE: f64 = 1.0 - 1e-6;

/// A row's softmax, class by class, in the kit's own arithmetic.
#[derive(Debug)]
pub(crate) struct Prediction {
    maximum: usize,
    /// `z - max z`.
    t: Vec<f64>,
    p: Vec<f64>,
    /// `1 - p`.
    rest: Vec<f64>,
    lse: f64,
}

impl Prediction {
    /// Of logits that have a softmax; of others, whatever comes out: they have no tolerance.
    pub(crate) fn new(z: &[f64]) -> Self {
        let max = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let maximum = z.iter().position(|&z| z == max).unwrap_or(0);
        let t: Vec<f64> = z.iter().map(|z| z - max).collect();
        let others: f64 = t.iter().enumerate().filter(|&(c, _)| c != maximum).map(|(_, t)| t.exp()).sum();
        let p: Vec<f64> = t.iter().map(|t| t.exp() / (1.0 + others)).collect();
        let rest = |c: usize| if c == maximum { others / (1.0 + others) } else { 1.0 - p[c] };
        Self { maximum, rest: (0..z.len()).map(rest).collect(), t, p, lse: others.ln_1p() }
    }

    fn is_there(&self, class: usize) -> bool {
        self.t[class] != f64::NEG_INFINITY
    }

    /// `sum of term(c)` over the classes but one, where the term is there.
    fn sum_but(&self, class: usize, term: impl Fn(usize) -> f64) -> f64 {
        (0..self.t.len()).filter(|&c| c != class && self.is_there(c)).map(term).sum()
    }

    /// `l_c`.
    fn minus_log(&self, class: usize) -> f64 {
        self.lse - self.t[class]
    }

    /// `r_c`.
    fn error(&self, class: usize) -> f64 {
        self.minus_log(class) + 1.0
    }

    /// `s_c`.
    fn error_of_rest(&self, class: usize) -> f64 {
        let error = self.sum_but(class, |c| self.p[c] * self.error(c));
        if error == 0.0 { 1.0 } else { error / self.rest[class] }
    }

    /// `T`.
    fn tail(&self) -> f64 {
        self.sum_but(self.maximum, |c| self.p[c] * self.error(c))
    }

    /// What a class's cost counts, whose logit is not `-inf`.
    pub(crate) fn cost(&self, likelihood: Likelihood, class: usize) -> f64 {
        let rest = self.rest[class];
        match likelihood {
            Likelihood::Focal { gamma, .. } => {
                let log = self.minus_log(class);
                let error = if class == self.maximum { log + self.tail() } else { log + 1.0 };
                rest.powf(gamma) * (error + gamma * self.error_of_rest(class) * log)
            }
            Likelihood::Relaxed { alpha } if rest < alpha * AT_THE_SHARE => 0.0,
            Likelihood::Relaxed { alpha } => {
                let log = |x: f64| if x == 0.0 { 0.0 } else { x.ln().abs() };
                let of_target = (1.0 - alpha) * (log(1.0 - alpha) + self.error(class));
                of_target + alpha * (log(alpha) + log(rest) + self.error_of_rest(class))
            }
            _ => self.error(class),
        }
    }

    /// What the factor of a class's mass in the gradient counts.
    pub(crate) fn slope(&self, likelihood: Likelihood, class: usize) -> f64 {
        let rest = self.rest[class];
        match likelihood {
            Likelihood::Focal { gamma, .. } => {
                let surprise = match self.p[class] {
                    0.0 => 0.0,
                    _ if rest == 0.0 => 1.0,
                    p => p * self.minus_log(class) / rest,
                };
                let slope = rest.powf(gamma) * (1.0 + gamma * surprise);
                slope * (1.0 + (1.0 + gamma) * self.error_of_rest(class))
            }
            Likelihood::Relaxed { alpha } if rest < alpha * AT_THE_SHARE => 0.0,
            Likelihood::Relaxed { alpha } if alpha > 0.0 => 1.0 + alpha / rest * (1.0 + self.error_of_rest(class)),
            _ => 1.0,
        }
    }

    /// What a penalty on this target counts in the loss, and in the gradient of each class.
    pub(crate) fn penalty(&self, penalty: &Penalty, q: &[f64]) -> (f64, Vec<f64>) {
        let classes = 0..self.t.len();
        let there = |c: usize| f64::from(u8::from(self.is_there(c)));
        let at_maximum = |c: usize, value: f64| if c == self.maximum { value } else { 0.0 };
        match *penalty {
            Penalty::Confidence { strength } => {
                let n = self.sum_but(self.maximum, |c| self.p[c] * -self.t[c] * self.error(c));
                let gradient = |k: usize| self.p[k] * (-self.t[k] * self.error(k) + (1.0 + self.error(k)) * n);
                let gradient = classes.map(|k| if self.is_there(k) { strength * gradient(k) } else { 0.0 });
                (strength * (self.lse + self.tail() + n), gradient.collect())
            }
            Penalty::Margin { strength, margin } => {
                let is_beyond = |c: usize| self.is_there(c) && -self.t[c] >= margin;
                let loss: f64 = classes.clone().filter(|&c| is_beyond(c)).map(|c| margin - self.t[c]).sum();
                let count = classes.clone().filter(|&c| is_beyond(c)).count() as f64;
                let of = |k: usize| 2.0 * (f64::from(u8::from(is_beyond(k))) + at_maximum(k, count));
                let gradient = classes.map(|k| strength * of(k));
                (2.0 * strength * loss, gradient.collect())
            }
            Penalty::MaxSuppression { strength } => {
                let count: f64 = classes.clone().map(there).sum();
                let gradient = classes.map(|k| 2.0 * strength * (there(k) / count + at_maximum(k, 1.0)));
                (2.0 * strength * self.sum_but(self.maximum, |c| -self.t[c]) / count, gradient.collect())
            }
            Penalty::Poly { epsilon } => self.poly(epsilon.abs(), q),
            _ => (f64::NAN, vec![f64::NAN; self.t.len()]), // Unknown here; no tolerance is given.
        }
    }

    /// What each class's probability enters a penalty on this target and its gradient with: how large the error of one that
    /// is flushed to 0 becomes.
    pub(crate) fn factors_of_p(&self, penalty: &Penalty, q: &[f64]) -> Vec<f64> {
        match *penalty {
            // `p log p`, and `p (log p + H)` with the entropy `H`.
            Penalty::Confidence { strength } => {
                let entropy = self.sum_but(usize::MAX, |c| self.p[c] * self.minus_log(c));
                let of = |c| if self.is_there(c) { strength * (self.minus_log(c) + entropy) } else { 0.0 };
                (0..self.t.len()).map(of).collect()
            }
            // `q (1 - p)`, and `p (q . p - q)`.
            Penalty::Poly { epsilon } => vec![epsilon.abs() * q.iter().map(|q| q.abs()).sum::<f64>(); self.t.len()],
            // Made of logits alone.
            _ => vec![0.0; self.t.len()],
        }
    }

    fn poly(&self, strength: f64, q: &[f64]) -> (f64, Vec<f64>) {
        let with_mass = |c: &usize| q[*c] != 0.0;
        let own = |c: usize| q[c] * self.rest[c];
        let loss: f64 = (0..q.len()).filter(with_mass).map(|c| own(c) * self.error_of_rest(c)).sum();
        let mass: f64 = self.sum_but(usize::MAX, |c| q[c] * self.p[c]);
        let error: f64 = self.sum_but(usize::MAX, |c| q[c] * self.p[c] * self.error(c));
        let gradient = |k: usize| {
            let (of_p, of_own) = (self.error(k), if with_mass(&k) { own(k) * self.error_of_rest(k) } else { 0.0 });
            let others = (mass - q[k] * self.p[k]) * of_p + (error - q[k] * self.p[k] * of_p);
            self.p[k] * (of_p * own(k) + of_own + others)
        };
        let gradient = (0..q.len()).map(|k| if self.is_there(k) { strength * gradient(k) } else { 0.0 });
        (strength * loss, gradient.collect())
    }
}

#[cfg(test)]
mod tests {
    use label_smoothing_core::{Likelihood, Penalty};

    use super::Prediction;

    fn near(actual: f64, expected: f64) {
        assert!((actual - expected).abs() <= 1e-12 * expected.abs(), "{actual} for {expected}");
    }

    /// Two classes with a lead of log 3: p = 3/4 and 1/4, l = log 4/3 and log 4.
    #[test]
    fn the_scales_are_those_written_above() {
        let prediction = Prediction::new(&[3.0_f64.ln(), 0.0]);
        let (lse, lead) = ((4.0_f64 / 3.0).ln(), 3.0_f64.ln());
        let r = [lse + 1.0, lse + lead + 1.0];
        let tail = 0.25 * r[1];
        near(prediction.cost(Likelihood::NegativeLog, 1), r[1]);
        let focal = Likelihood::Focal { gamma: 2.0, alpha: None };
        near(prediction.cost(focal, 0), 0.0625 * (lse + tail + 2.0 * r[1] * lse));
        near(prediction.slope(focal, 0), 0.0625 * (1.0 + 6.0 * lse) * (1.0 + 3.0 * r[1]));
        let relaxed = Likelihood::Relaxed { alpha: 0.125 };
        near(prediction.slope(relaxed, 0), 1.0 + 0.5 * (1.0 + r[1]));
        assert_eq!(prediction.cost(Likelihood::Relaxed { alpha: 0.5 }, 0), 0.0);

        let (loss, gradient) = prediction.penalty(&Penalty::Confidence { strength: 2.0 }, &[1.0, 0.0]);
        let n = tail * lead;
        near(loss, 2.0 * (lse + tail + n));
        near(gradient[0], 2.0 * 0.75 * (1.0 + r[0]) * n);
        let (loss, gradient) = prediction.penalty(&Penalty::Margin { strength: 2.0, margin: 1.0 }, &[1.0, 0.0]);
        near(loss, 4.0 * (lead + 1.0));
        assert_eq!(gradient, [4.0, 4.0]);
        let (loss, gradient) = prediction.penalty(&Penalty::MaxSuppression { strength: 2.0 }, &[1.0, 0.0]);
        near(loss, 2.0 * lead);
        assert_eq!(gradient, [6.0, 2.0]);
        let (loss, gradient) = prediction.penalty(&Penalty::Poly { epsilon: -1.0 }, &[1.0, 0.0]);
        near(loss, 0.25 * r[1]);
        near(gradient[0], 0.75 * 0.25 * (r[0] + r[1]));
        near(gradient[1], 0.25 * 0.75 * (r[1] + r[0]));
    }

    #[test]
    fn what_has_no_logit_has_no_scale() {
        let prediction = Prediction::new(&[1.0, f64::NEG_INFINITY]);
        for penalty in [Penalty::Confidence { strength: 1.0 }, Penalty::Margin { strength: 1.0, margin: 0.5 }] {
            let (loss, gradient) = prediction.penalty(&penalty, &[1.0, 0.0]);
            assert_eq!((loss, gradient), (0.0, vec![0.0, 0.0]), "{penalty:?}");
        }
        assert_eq!(prediction.penalty(&Penalty::Poly { epsilon: 1.0 }, &[0.0, 1.0]).0, 1.0);
        assert_eq!(prediction.factors_of_p(&Penalty::Confidence { strength: 1.0 }, &[1.0, 0.0]), [0.0, 0.0]);
    }

    /// `p = 3/4 and 1/4` again.
    #[test]
    fn penalties_of_probabilities_have_factors_of_them() {
        let prediction = Prediction::new(&[3.0_f64.ln(), 0.0]);
        let minus_log = [(4.0_f64 / 3.0).ln(), 4.0_f64.ln()];
        let entropy = 0.75 * minus_log[0] + 0.25 * minus_log[1];
        let factors = |penalty| prediction.factors_of_p(&penalty, &[2.0, 0.5]);
        let confidence = factors(Penalty::Confidence { strength: 2.0 });
        near(confidence[0], 2.0 * (minus_log[0] + entropy));
        near(confidence[1], 2.0 * (minus_log[1] + entropy));
        assert_eq!(factors(Penalty::Poly { epsilon: -2.0 }), [5.0, 5.0]);
        // Masses of both signs do not cancel.
        assert_eq!(prediction.factors_of_p(&Penalty::Poly { epsilon: 2.0 }, &[1.5, -0.5]), [4.0, 4.0]);
        assert_eq!(factors(Penalty::Margin { strength: 2.0, margin: 1.0 }), [0.0, 0.0]);
        assert_eq!(factors(Penalty::MaxSuppression { strength: 2.0 }), [0.0, 0.0]);
    }
}
