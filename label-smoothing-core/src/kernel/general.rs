//! The coefficients of any row, one by one: probabilities, class weights, distributions, restricted support.

use super::binary::BinaryTarget;
use super::plan::{self, SpreadRow, log};
use crate::check::Problem;
use crate::config::{ClassWeighting, NonFiniteLogits, Smoothing};
use crate::element::Element;
use crate::sum::pairwise;
use crate::targets::Labels;

/// What a row of general coefficients adds up to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct GeneralRow {
    /// `A`, the sum of the coefficients.
    pub(super) total: f64,
    /// `R`, their sum without the column of the maximum.
    pub(super) total_of_others: f64,
    /// `a_m`, the coefficient of the column of the maximum.
    pub(super) at_maximum: f64,
    /// `sum_c a_c t_c`.
    pub(super) shifted: f64,
    /// The sum of the target as given.
    pub(super) given: f64,
    /// `sum_c q_c t_c` of the target as given.
    pub(super) given_shifted: f64,
    /// The first class of the largest probability of the target as given.
    pub(super) target: usize,
    /// The factor of `lse^2`.
    pub(super) z_factor: f64,
    /// The entropy to take off.
    pub(super) offset: f64,
}

/// Columns that the eight lanes of a node of [`sum`]'s tree hold.
const NODE: usize = 64;

/// Adds `value(0) + ... + value(len - 1)`: eight lanes over 64 columns, joined as the vectors' lanes are, and a balanced
/// tree over those.
#[inline(always)]
pub(super) fn sum(len: usize, value: impl Fn(usize) -> f64) -> f64 {
    pairwise(len.div_ceil(NODE), &|node| {
        let (from, to) = (node * NODE, (node * NODE + NODE).min(len));
        let mut x = [0.0; 8];
        let whole = from + (to - from) / 8 * 8;
        for first in (from..whole).step_by(8) {
            for (lane, sum) in x.iter_mut().enumerate() {
                *sum += value(first + lane);
            }
        }
        for column in whole..to {
            x[column - whole] += value(column);
        }
        ((x[0] + x[4]) + (x[2] + x[6])) + ((x[1] + x[5]) + (x[3] + x[7]))
    })
}

/// Fills `a` with the coefficients of a counted row, given its shifted logits `t = z - max` in `f64`. `q` is room for
/// the target as given.
pub(super) fn general_row(
    problem: &dyn Rows,
    row: usize,
    maximum: usize,
    t: &[f64],
    q: &mut [f64],
    a: &mut [f64],
) -> GeneralRow {
    let classes = t.len();
    problem.given(row, q);
    problem.smoothed(row, t, q, a);
    let weighting = problem.weighting(row);
    let factor = match weighting {
        RowWeighting::Classes { factor, .. } | RowWeighting::Row { factor } => factor,
        RowWeighting::Expected { factor, weights } => {
            factor * sum(classes, |c| weights.map_or(1.0, |weights| weights[c]) * a[c])
        }
    };
    let entropy = if problem.subtracts_entropy() {
        sum(classes, |c| if a[c] == 0.0 { 0.0 } else { -a[c] * log(a[c]) })
    } else {
        0.0
    };
    match weighting {
        RowWeighting::Classes { weights, .. } => a.iter_mut().zip(weights).for_each(|(a, w)| *a *= factor * w),
        _ => a.iter_mut().for_each(|a| *a *= factor),
    }
    let selected = |mass: f64, t: f64| if mass == 0.0 { 0.0 } else { mass * t };
    let mut target = 0;
    for class in 1..classes {
        if q[class] > q[target] {
            target = class;
        }
    }
    GeneralRow {
        total: sum(classes, |c| a[c]),
        total_of_others: sum(classes, |c| if c == maximum { 0.0 } else { a[c] }),
        at_maximum: a[maximum],
        shifted: sum(classes, |c| selected(a[c], t[c])),
        given: sum(classes, |c| q[c]),
        given_shifted: sum(classes, |c| selected(q[c], t[c])),
        target,
        z_factor: problem.z_factor(row),
        offset: factor * entropy,
    }
}

/// How the weights enter a row.
#[derive(Debug, Clone, Copy)]
pub(super) enum RowWeighting<'a> {
    /// `factor * w_c` for each class.
    Classes { factor: f64, weights: &'a [f64] },
    /// `factor` for the whole row.
    Row { factor: f64 },
    /// `factor * sum_c w_c q_c` for the whole row.
    Expected { factor: f64, weights: Option<&'a [f64]> },
}

/// A problem whatever the type of its probabilities: what general rows ask of it.
pub(super) trait Rows: Sync {
    /// Whether the row is neither masked nor ignored.
    fn is_counted(&self, row: usize) -> bool;

    /// The plan of a row without general coefficients; none for a row that is not counted.
    fn spread(&self, row: usize) -> Option<SpreadRow>;

    /// The target as given.
    fn given(&self, row: usize, q: &mut [f64]);

    /// The smoothed target, given the shifted logits and the target as given.
    fn smoothed(&self, row: usize, t: &[f64], given: &[f64], q: &mut [f64]);

    /// The weights.
    fn weighting(&self, row: usize) -> RowWeighting<'_>;

    /// Whether the entropy of the smoothed target is taken off.
    fn subtracts_entropy(&self) -> bool;

    /// The factor of `lse^2`.
    fn z_factor(&self, row: usize) -> f64;

    /// The binary targets of a row, given the target as given.
    fn binary(&self, row: usize, given: &[f64], targets: &mut [BinaryTarget]);
}

impl<P: Element> Rows for Problem<'_, P> {
    fn is_counted(&self, row: usize) -> bool {
        Problem::is_counted(self, row)
    }

    fn spread(&self, row: usize) -> Option<SpreadRow> {
        plan::spread_row(self, row)
    }

    fn given(&self, row: usize, q: &mut [f64]) {
        match self.labels() {
            Labels::Indices(classes) => {
                q.fill(0.0);
                q[classes.values()[row] as usize] = 1.0;
            }
            Labels::Mixed { first, second, lambda } => {
                let lambda = lambda.values()[row];
                q.fill(0.0);
                q[first.values()[row] as usize] += lambda;
                q[second.values()[row] as usize] += 1.0 - lambda;
            }
            Labels::Probabilities(probabilities) => {
                let from = self.shape().row_start(row);
                let values = probabilities.values()[from..].iter().step_by(self.shape().inner());
                q.iter_mut().zip(values).for_each(|(q, value)| *q = value.to_f64());
            }
        }
    }

    fn smoothed(&self, row: usize, t: &[f64], given: &[f64], q: &mut [f64]) {
        q.copy_from_slice(given);
        let (epsilon, distribution, hole) = match (self.config().smoothing(), self.labels()) {
            (Smoothing::Uniform { epsilon }, _) => (*epsilon, None, None),
            (Smoothing::Distribution { epsilon, distribution }, _) => (*epsilon, Some(distribution), None),
            (smoothing, Labels::Indices(classes)) => {
                let class = classes.values()[row] as usize;
                match smoothing {
                    Smoothing::UniformPerClass { epsilons } => (epsilons[class], None, None),
                    Smoothing::UniformOthers { epsilon } => (*epsilon, None, Some(class)),
                    Smoothing::ClassRows { epsilon, rows } => (*epsilon, Some(&rows[class]), None),
                    _ => return,
                }
            }
            _ => return,
        };
        let is_restricted = self.config().non_finite_logits() == NonFiniteLogits::RestrictSupport;
        let share = |class: usize| match distribution {
            _ if is_restricted && t[class] == f64::NEG_INFINITY => 0.0,
            Some(distribution) => distribution[class],
            None if hole == Some(class) || self.config().excluded_classes().contains(&class) => 0.0,
            None => 1.0,
        };
        let total = if distribution.is_some() && !is_restricted { 1.0 } else { sum(q.len(), share) };
        if total != 0.0 {
            for (class, q) in q.iter_mut().enumerate() {
                *q = (1.0 - epsilon) * *q + epsilon * share(class) / total;
            }
        }
    }

    fn weighting(&self, row: usize) -> RowWeighting<'_> {
        let factor = self.row_weight(row);
        let weights = self.config().class_weights();
        match (self.config().class_weighting(), weights, self.labels()) {
            (ClassWeighting::Expected, weights, _) => RowWeighting::Expected { factor, weights },
            (ClassWeighting::InsideSum, Some(weights), _) => RowWeighting::Classes { factor, weights },
            (ClassWeighting::ByTarget, Some(weights), Labels::Indices(classes)) => {
                RowWeighting::Row { factor: factor * weights[classes.values()[row] as usize] }
            }
            _ => RowWeighting::Row { factor },
        }
    }

    fn subtracts_entropy(&self) -> bool {
        self.config().subtract_entropy()
    }

    fn z_factor(&self, row: usize) -> f64 {
        self.row_weight(row) * self.config().z_loss()
    }

    fn binary(&self, row: usize, given: &[f64], targets: &mut [BinaryTarget]) {
        let config = self.config();
        let is_excluded = |class: usize| config.excluded_classes().contains(&class);
        let sharers = (0..given.len()).filter(|&class| !is_excluded(class)).count();
        for (class, (target, &y)) in targets.iter_mut().zip(given).enumerate() {
            // The rate, and how much of it each of the two outcomes gets.
            let (epsilon, positive, negative) = match config.smoothing() {
                Smoothing::Uniform { .. } if sharers == 0 => (0.0, 0.0, 0.0),
                Smoothing::Uniform { epsilon } if is_excluded(class) => (*epsilon, 0.0, 1.0),
                Smoothing::Uniform { epsilon } => {
                    let share = 1.0 / sharers as f64;
                    (*epsilon, share, (sharers - 1) as f64 * share)
                }
                Smoothing::Distribution { epsilon, distribution } => {
                    (*epsilon, distribution[class], 1.0 - distribution[class])
                }
                Smoothing::UniformHalf { epsilon } => (*epsilon, 0.5, 0.5),
                Smoothing::UniformFlip { epsilon } => (2.0 * epsilon, 0.5, 0.5),
                Smoothing::PositivesOnly { epsilon } => (*epsilon, 0.0, 1.0),
                _ => (0.0, 0.0, 0.0),
            };
            *target = BinaryTarget {
                positive: (1.0 - epsilon) * y + epsilon * positive,
                negative: (1.0 - epsilon) * (1.0 - y) + epsilon * negative,
                weight: self.row_weight(row) * self.class_weight(class),
                given: y,
            };
        }
    }
}
