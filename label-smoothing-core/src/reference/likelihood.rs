//! What a class costs by its probability: `phi(p)`, and `h(p) = -p phi'(p)` for the gradient.

use super::prediction::Probability;
use crate::config::Likelihood;

impl Likelihood {
    /// `phi(p)`.
    pub(super) fn cost(self, Probability { minus_log, rest, .. }: Probability) -> f64 {
        match self {
            Self::NegativeLog => minus_log,
            Self::Focal { gamma, .. } => rest.powf(gamma) * minus_log,
            Self::Relaxed { alpha } if rest > alpha => {
                let of_target = if alpha == 1.0 { 0.0 } else { (1.0 - alpha) * ((1.0 - alpha).ln() + minus_log) };
                let of_rest = if alpha == 0.0 { 0.0 } else { alpha * (alpha.ln() - rest.ln()) };
                of_target + of_rest
            }
            Self::Relaxed { .. } => 0.0,
        }
    }

    /// `h(p)`.
    pub(super) fn slope(self, Probability { p, minus_log, rest }: Probability) -> f64 {
        match self {
            Self::NegativeLog => 1.0,
            Self::Focal { gamma, .. } => rest.powf(gamma) * (1.0 + gamma * surprise(p, minus_log, rest)),
            Self::Relaxed { alpha } if rest > alpha => 1.0 - alpha / rest,
            Self::Relaxed { .. } => 0.0,
        }
    }
}

/// `p (-log p) / (1 - p)`: 0 at 0, 1 at 1.
fn surprise(p: f64, minus_log: f64, rest: f64) -> f64 {
    if p == 0.0 {
        0.0
    } else if rest == 0.0 {
        1.0
    } else {
        p * minus_log / rest
    }
}
