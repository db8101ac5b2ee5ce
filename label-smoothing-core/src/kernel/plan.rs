//! What a row's target asks of its logits, known before the logits are looked at.

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch, f64x8};

use super::math;
use crate::check::Problem;
use crate::config::{ClassWeighting, NonFiniteLogits, Smoothing};
use crate::element::Element;
use crate::targets::Labels;

/// A place that no column has.
pub(super) const NO_COLUMN: usize = usize::MAX;

/// A row whose coefficients are `spread` everywhere but at one or two classes: index and mixed targets with no,
/// uniform, or uniform-over-others smoothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct SpreadRow {
    /// The classes of the target and the coefficient of each, over and above the spread.
    pub(super) hard: [(usize, f64); 2],
    /// The target as given: what the plain negative log-likelihood weighs each class by.
    pub(super) given: [f64; 2],
    /// The coefficient of every class that is not the hole.
    pub(super) spread: f64,
    /// The class that has no share of the spread, or [`NO_COLUMN`].
    pub(super) hole: usize,
    /// The number of classes.
    pub(super) classes: usize,
    /// The factor of `lse^2`.
    pub(super) z_factor: f64,
    /// The entropy to take off.
    pub(super) offset: f64,
}

impl SpreadRow {
    /// `A`, the sum of the coefficients.
    #[inline(always)]
    pub(super) fn total(&self) -> f64 {
        let holes = usize::from(self.hole != NO_COLUMN);
        (self.hard[0].1 + self.hard[1].1) + self.spread * (self.classes - holes) as f64
    }

    /// `R`, the sum of the coefficients of all classes but one, without subtraction.
    #[inline(always)]
    pub(super) fn total_without(&self, class: usize) -> f64 {
        let mass = |index: usize| if self.hard[index].0 == class { 0.0 } else { self.hard[index].1 };
        let left_out = usize::from(self.hole != NO_COLUMN) + usize::from(self.hole != class);
        (mass(0) + mass(1)) + self.spread * (self.classes - left_out) as f64
    }

    /// `a_c`, the coefficient of one class.
    #[inline(always)]
    pub(super) fn coefficient(&self, class: usize) -> f64 {
        let mass = |index: usize| if self.hard[index].0 == class { self.hard[index].1 } else { 0.0 };
        (mass(0) + mass(1)) + if self.hole == class { 0.0 } else { self.spread }
    }

    /// The class that counts as the target's for the number of correct predictions.
    #[inline(always)]
    pub(super) fn target(&self) -> usize {
        let first_wins =
            self.given[0] > self.given[1] || (self.given[0] == self.given[1] && self.hard[0].0 <= self.hard[1].0);
        if first_wins { self.hard[0].0 } else { self.hard[1].0 }
    }

    /// The entropy of the row, whose coefficients are not weighted yet.
    fn entropy(&self) -> f64 {
        let term = |q: f64| if q == 0.0 { 0.0 } else { -q * log(q) };
        let (first, second) = (self.hard[0].0, self.hard[1].0);
        let special = if first == second { 1 } else { 2 };
        let at_second = if special == 2 { term(self.coefficient(second)) } else { 0.0 };
        let rest = self.classes - special;
        (term(self.coefficient(first)) + at_second) + rest as f64 * term(self.spread)
    }
}

/// The natural logarithm of one number, by the kernel's own arithmetic.
pub(super) fn log(x: f64) -> f64 {
    dispatch!(Level::baseline(), simd => math::log(simd, f64x8::splat(simd, x)).as_slice()[0])
}

/// Whether every row of the problem is a [`SpreadRow`].
pub(super) fn is_spread<P: Element>(problem: &Problem<P>) -> bool {
    let config = problem.config();
    let labels = !matches!(problem.labels(), Labels::Probabilities(_));
    let smoothing = match config.smoothing() {
        Smoothing::None => return labels && config.class_weighting() != ClassWeighting::Expected,
        Smoothing::Uniform { .. } | Smoothing::UniformOthers { .. } | Smoothing::UniformPerClass { .. } => true,
        _ => false,
    };
    let weights = config.class_weights().is_none() || config.class_weighting() == ClassWeighting::ByTarget;
    let support = config.non_finite_logits() == NonFiniteLogits::Propagate && config.excluded_classes().is_empty();
    labels && smoothing && weights && support
}

/// The plan of one row of a problem for which [`is_spread`] holds; none for a row that is not counted.
pub(super) fn spread_row<P: Element>(problem: &Problem<P>, row: usize) -> Option<SpreadRow> {
    if !problem.is_counted(row) {
        return None;
    }
    let config = problem.config();
    let (classes, given) = match problem.labels() {
        Labels::Indices(classes) => ([classes.values()[row] as usize; 2], [1.0, 0.0]),
        Labels::Mixed { first, second, lambda } => {
            let lambda = lambda.values()[row];
            let both = [first.values()[row] as usize, second.values()[row] as usize];
            if both[0] == both[1] { (both, [1.0, 0.0]) } else { (both, [lambda, 1.0 - lambda]) }
        }
        Labels::Probabilities(_) => return None, // Not a problem of spread rows.
    };
    let count = problem.shape().classes();
    let (epsilon, sharers, hole) = match config.smoothing() {
        Smoothing::Uniform { epsilon } => (*epsilon, count, NO_COLUMN),
        Smoothing::UniformPerClass { epsilons } => (epsilons[classes[0]], count, NO_COLUMN),
        Smoothing::UniformOthers { epsilon } => (*epsilon, count - 1, classes[0]),
        _ => (0.0, count, NO_COLUMN),
    };
    let spread = if epsilon == 0.0 { 0.0 } else { epsilon / sharers as f64 };
    let row_weight = problem.row_weight(row);
    let mut plan = SpreadRow {
        hard: [(classes[0], (1.0 - epsilon) * given[0]), (classes[1], (1.0 - epsilon) * given[1])],
        given,
        spread,
        hole,
        classes: count,
        z_factor: row_weight * config.z_loss(),
        offset: 0.0,
    };
    let entropy = if config.subtract_entropy() { plan.entropy() } else { 0.0 };
    let by_target = config.class_weighting() == ClassWeighting::ByTarget;
    let factor = if by_target { row_weight * problem.class_weight(classes[0]) } else { row_weight };
    plan.offset = factor * entropy;
    plan.spread *= factor;
    for (class, mass) in &mut plan.hard {
        // Inside the sum, class weights came with no spread, so each class has its own.
        *mass *= if by_target { factor } else { factor * problem.class_weight(*class) };
    }
    Some(plan)
}
