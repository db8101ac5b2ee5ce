//! One row of the binary family: an independent sigmoid per element.

use super::Row;
use super::target::WeightedTarget;
use crate::check::Problem;
use crate::element::Element;
use crate::sum::pairwise;

/// ```text
/// L = w (q softplus(-z) + (1 - q) softplus(z))
/// g = w ((1 - q) s(z) - q s(-z))                    softplus(z) = log(1 + exp z),  s(z) = 1 / (1 + exp(-z))
/// ```
pub(super) fn row<P: Element>(problem: &Problem<P>, z: &[f64], target: &WeightedTarget) -> Row {
    let classes = z.len();
    let WeightedTarget { hard, smoothed, complement, weights, .. } = target;
    let cross_entropy = |z: f64, q: f64, complement: f64| {
        if z.is_nan() { f64::NAN } else { term(q, softplus(-z)) + term(complement, softplus(z)) }
    };
    let loss = |c: usize| {
        let offset = if problem.config().subtract_entropy() { entropy(smoothed[c], complement[c]) } else { 0.0 };
        term(weights[c], cross_entropy(z[c], smoothed[c], complement[c]) - offset)
    };
    let gradient = |c: usize| weights[c] * (complement[c] * sigmoid(z[c]) - smoothed[c] * sigmoid(-z[c]));
    Row {
        losses: (0..classes).map(loss).collect(),
        gradients: (0..classes).map(gradient).collect(),
        z_loss: 0.0,
        nll: pairwise(classes, &|c| cross_entropy(z[c], hard[c], 1.0 - hard[c])),
        correct: (0..classes).filter(|&c| (z[c] > 0.0) == (hard[c] > 0.5)).count() as u64,
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
