//! From a row's target as given to the coefficients of `-log p_c`.

use crate::check::Problem;
use crate::config::{ClassWeighting, Config, LossFamily, NonFiniteLogits, Smoothing};
use crate::element::Element;
use crate::sum::pairwise;
use crate::targets::Labels;

/// A counted row's target.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct WeightedTarget {
    /// The target as given, `q` before smoothing.
    pub(super) hard: Vec<f64>,
    /// `q` after smoothing.
    pub(super) smoothed: Vec<f64>,
    /// `1 - q` after smoothing, formed without subtracting from 1; what the binary family needs beside `q`.
    pub(super) complement: Vec<f64>,
    /// The factor of each class: its weight as configured, times the row's weight.
    pub(super) weights: Vec<f64>,
    /// The factor of the row's entropy where that is taken off (softmax family).
    pub(super) row_factor: f64,
}

impl WeightedTarget {
    /// `a_c = weight_c * q_c`, the final coefficient of `-log p_c`.
    pub(super) fn coefficients(&self) -> Vec<f64> {
        self.weights.iter().zip(&self.smoothed).map(|(weight, q)| weight * q).collect()
    }
}

pub(super) fn weighted_target<P: Element>(problem: &Problem<P>, row: usize, logits: &[f64]) -> WeightedTarget {
    let config = problem.config();
    let hard = hard_target(problem, row);
    let (smoothed, complement) = match config.loss() {
        LossFamily::CrossEntropy => {
            let smoothed = smooth(config, &hard, target_class(problem, row), logits);
            let complement = smoothed.iter().map(|q| 1.0 - q).collect();
            (smoothed, complement)
        }
        LossFamily::BinaryCrossEntropy => {
            let flipped: Vec<f64> = hard.iter().map(|y| 1.0 - y).collect();
            (smooth_binary(config, &hard, Side::Positive), smooth_binary(config, &flipped, Side::Negative))
        }
    };
    let row_weight = problem.row_weight(row);
    let class_weight = |class: usize| problem.class_weight(class);
    let row_factor = match config.class_weighting() {
        ClassWeighting::InsideSum => row_weight,
        ClassWeighting::ByTarget => row_weight * target_class(problem, row).map_or(1.0, class_weight),
        ClassWeighting::Expected => row_weight * pairwise(hard.len(), &|class| class_weight(class) * smoothed[class]),
    };
    let weights = (0..hard.len()).map(|class| match config.class_weighting() {
        ClassWeighting::InsideSum => row_factor * class_weight(class),
        ClassWeighting::ByTarget | ClassWeighting::Expected => row_factor,
    });
    WeightedTarget { weights: weights.collect(), hard, smoothed, complement, row_factor }
}

/// The row's class, where the target is an index.
fn target_class<P: Element>(problem: &Problem<P>, row: usize) -> Option<usize> {
    match problem.labels() {
        Labels::Indices(classes) => Some(classes.values()[row] as usize),
        _ => None,
    }
}

/// The target before smoothing: one-hot, a mixture of two, or the probabilities as given.
fn hard_target<P: Element>(problem: &Problem<P>, row: usize) -> Vec<f64> {
    let shape = problem.shape();
    let mut hard = vec![0.0; shape.classes()];
    match problem.labels() {
        Labels::Indices(classes) => hard[classes.values()[row] as usize] = 1.0,
        Labels::Mixed { first, second, lambda } => {
            let lambda = lambda.values()[row];
            hard[first.values()[row] as usize] += lambda;
            hard[second.values()[row] as usize] += 1.0 - lambda;
        }
        Labels::Probabilities(probabilities) => {
            for (class, q) in hard.iter_mut().enumerate() {
                *q = probabilities.values()[shape.element(row, class)].to_f64();
            }
        }
    }
    hard
}

/// `(1 - e) q + e u`, where `u` is a distribution over the classes that may have smoothing mass.
fn smooth(config: &Config, hard: &[f64], target: Option<usize>, logits: &[f64]) -> Vec<f64> {
    let classes = hard.len();
    let may_have_mass = |class: usize| {
        let in_support = match config.non_finite_logits() {
            NonFiniteLogits::Propagate => true,
            NonFiniteLogits::RestrictSupport => logits[class] != f64::NEG_INFINITY,
        };
        in_support && !config.excluded_classes().contains(&class)
    };
    let uniform = |class: usize| if may_have_mass(class) { 1.0 } else { 0.0 };
    let (epsilon, mass): (f64, Vec<f64>) = match (config.smoothing(), target) {
        (Smoothing::Uniform { epsilon } | Smoothing::Negative { rate: epsilon }, _) => {
            (*epsilon, (0..classes).map(uniform).collect())
        }
        (Smoothing::UniformPerClass { epsilons }, Some(y)) => (epsilons[y], (0..classes).map(uniform).collect()),
        (Smoothing::UniformOthers { epsilon }, Some(y)) => {
            (*epsilon, (0..classes).map(|class| if class == y { 0.0 } else { uniform(class) }).collect())
        }
        (Smoothing::Distribution { epsilon, distribution }, _) => {
            (*epsilon, (0..classes).map(|class| uniform(class) * distribution[class]).collect())
        }
        (Smoothing::ClassRows { epsilon, rows }, Some(y)) => {
            (*epsilon, (0..classes).map(|class| uniform(class) * rows[y][class]).collect())
        }
        // No smoothing; the binary kinds and missing target classes were refused.
        _ => return hard.to_vec(),
    };
    let total = match (config.smoothing(), config.non_finite_logits()) {
        // A distribution whose sum is off 1 by a rounding is used as it is.
        (Smoothing::Distribution { .. } | Smoothing::ClassRows { .. }, NonFiniteLogits::Propagate) => 1.0,
        _ => pairwise(classes, &|class| mass[class]),
    };
    if total == 0.0 {
        return hard.to_vec(); // Smoothing mass that finds no class to go to stays with the hard part.
    }
    let mix = |q: f64, u: f64| {
        // The same number with fewer roundings: up to a rate of one half `1 - e` may be inexact, above it is exact.
        if epsilon <= 0.5 { q + epsilon * (u - q) } else { (1.0 - epsilon) * q + epsilon * u }
    };
    (0..classes).map(|class| mix(hard[class], mass[class] / total)).collect()
}

/// Which of the two outcomes of a binary target is asked for.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Positive,
    Negative,
}

/// The smoothed probability of one outcome, given that outcome's `hard` probability. Every kind that is not
/// symmetric in the outcomes says what its smoothing mass of the negative outcome is.
fn smooth_binary(config: &Config, hard: &[f64], side: Side) -> Vec<f64> {
    let classes = hard.len();
    let excluded = |class: usize| config.excluded_classes().contains(&class);
    let included = (0..classes).filter(|&class| !excluded(class)).count();
    let of = |side_mass: f64| if side == Side::Positive { side_mass } else { 1.0 - side_mass };
    let smoothed = |class: usize| {
        let y = hard[class];
        match config.smoothing() {
            Smoothing::Uniform { epsilon } if included > 0 => {
                let share = if excluded(class) { 0.0 } else { 1.0 / included as f64 };
                (1.0 - epsilon) * y + epsilon * of(share)
            }
            Smoothing::Distribution { epsilon, distribution } => {
                (1.0 - epsilon) * y + epsilon * of(distribution[class])
            }
            Smoothing::UniformHalf { epsilon } => (1.0 - epsilon) * y + epsilon / 2.0,
            Smoothing::UniformFlip { epsilon } => (1.0 - 2.0 * epsilon) * y + epsilon,
            Smoothing::PositivesOnly { epsilon } => (1.0 - epsilon) * y + epsilon * of(0.0),
            Smoothing::UnbiasedFlip { epsilon } => (y - epsilon) / (1.0 - 2.0 * epsilon),
            _ => y,
        }
    };
    (0..classes).map(smoothed).collect()
}
