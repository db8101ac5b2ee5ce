//! One row of the binary family: an independent sigmoid per element.

use super::Row;
use super::target::WeightedTarget;
use crate::check::Problem;
use crate::config::Likelihood;
use crate::element::Element;
use crate::sum::pairwise;

/// ```text
/// L = w (q softplus(-z) + (1 - q) softplus(z))
/// g = w ((1 - q) s(z) - q s(-z))                    softplus(z) = log(1 + exp z),  s(z) = 1 / (1 + exp(-z))
/// ```
///
/// and the focal loss of it, where that is the likelihood.
pub(super) fn row<P: Element>(problem: &Problem<P>, z: &[f64], target: &WeightedTarget) -> Row {
    let classes = z.len();
    let WeightedTarget { hard, smoothed, complement, weights, .. } = target;
    let cross_entropy = |z: f64, q: f64, complement: f64| {
        if z.is_nan() { f64::NAN } else { term(q, softplus(-z)) + term(complement, softplus(z)) }
    };
    let loss = |c: usize| {
        let cost = cross_entropy(z[c], smoothed[c], complement[c]);
        match problem.config().likelihood() {
            Likelihood::Focal { gamma, alpha } => {
                term(weights[c], Focal::new(gamma, alpha, z[c], smoothed[c], complement[c]).loss(cost))
            }
            _ if problem.config().subtract_entropy() => term(weights[c], cost - entropy(smoothed[c], complement[c])),
            _ => term(weights[c], cost),
        }
    };
    let gradient = |c: usize| {
        let slope = complement[c] * sigmoid(z[c]) - smoothed[c] * sigmoid(-z[c]);
        match problem.config().likelihood() {
            Likelihood::Focal { gamma, alpha } => {
                let focal = Focal::new(gamma, alpha, z[c], smoothed[c], complement[c]);
                weights[c] * focal.gradient(cross_entropy(z[c], smoothed[c], complement[c]), slope)
            }
            _ => weights[c] * slope,
        }
    };
    Row {
        losses: (0..classes).map(loss).collect(),
        gradients: (0..classes).map(gradient).collect(),
        z_loss: 0.0,
        nll: pairwise(classes, &|c| cross_entropy(z[c], hard[c], 1.0 - hard[c])),
        correct: (0..classes).filter(|&c| (z[c] > 0.0) == (hard[c] > 0.5)).count() as u64,
    }
}

/// An element's factors of the focal loss.
struct Focal {
    gamma: f64,
    /// `alpha_q`.
    balance: f64,
    /// `1 - p_q = q s(-z) + (1 - q) s(z)`.
    rest: f64,
    /// Its derivative by `z`, `(1 - 2 q) s(z) s(-z)`.
    rest_slope: f64,
}

impl Focal {
    fn new(gamma: f64, alpha: Option<f64>, z: f64, q: f64, complement: f64) -> Self {
        Self {
            gamma,
            balance: alpha.map_or(1.0, |alpha| alpha * q + (1.0 - alpha) * complement),
            rest: q * sigmoid(-z) + complement * sigmoid(z),
            rest_slope: (complement - q) * sigmoid(z) * sigmoid(-z),
        }
    }

    fn loss(&self, cost: f64) -> f64 {
        term(self.balance * self.rest.powf(self.gamma), cost)
    }

    fn gradient(&self, cost: f64, slope: f64) -> f64 {
        // Where nothing is left, the cost and what is left vanish together, and their ratio is 1; where the slope is 0,
        // an infinite cost is.
        let ratio = if self.rest == 0.0 { 1.0 } else { cost / self.rest };
        self.balance * self.rest.powf(self.gamma) * (slope + self.gamma * term(self.rest_slope, ratio))
    }
}

/// `-q log q - (1 - q) log (1 - q)`, in nats.
pub(super) fn entropy(q: f64, complement: f64) -> f64 {
    -term(q, q.ln()) - term(complement, complement.ln())
}

/// `mass * cost`, where a mass of 0 costs nothing however large the cost.
fn term(mass: f64, cost: f64) -> f64 {
    if mass == 0.0 && !cost.is_nan() { 0.0 } else { mass * cost }
}

fn softplus(z: f64) -> f64 {
    z.max(0.0) + (-z.abs()).exp().ln_1p()
}

fn sigmoid(z: f64) -> f64 {
    let e = (-z.abs()).exp();
    if z >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) }
}
