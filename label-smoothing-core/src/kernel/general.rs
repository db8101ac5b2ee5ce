//! The coefficients of any row, one by one: probabilities, class weights, distributions, restricted support.

use std::ops::Add;

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, f64x8};

use super::binary::BinaryTargets;
use super::closed_form::{Coefficients, Real};
use super::lanes::join;
use super::math;
use super::plan::{self, SpreadRow};
use crate::check::Problem;
use crate::config::{ClassWeighting, NonFiniteLogits, Smoothing};
use crate::element::Element;
use crate::sum::{CarriedSum, Tree};
use crate::targets::Labels;

/// Columns at once, and columns that a node of the tree holds.
pub(super) const WIDTH: usize = 8;
const NODE: usize = 64;

/// Room for one row, a multiple of [`WIDTH`] each; what lies beyond the row is 0.
#[derive(Debug, Default)]
pub(super) struct GeneralScratch {
    /// `t = z - max`.
    pub(super) shifted: Vec<f64>,
    /// The target as given.
    given: Vec<f64>,
    /// The coefficients.
    pub(super) coefficients: Vec<f64>,
}

impl GeneralScratch {
    pub(super) fn resize(&mut self, classes: usize) {
        for room in [&mut self.shifted, &mut self.given, &mut self.coefficients] {
            room.resize(classes.next_multiple_of(WIDTH), 0.0);
        }
    }
}

/// Finds the coefficients of a counted row, given its shifted logits and the column of its maximum; and the first class
/// of the largest probability of the target as given.
pub(super) fn general_row(
    level: Level,
    problem: &dyn Rows,
    row: usize,
    maximum: usize,
    classes: usize,
    scratch: &mut GeneralScratch,
) -> (Coefficients<f64>, usize) {
    let GeneralScratch { shifted, given, coefficients } = scratch;
    let (t, q, a) = (&shifted[..classes], &mut given[..classes], &mut coefficients[..classes]);
    problem.given(row, q);
    problem.smoothed(row, t, q, a);
    let mut likeliest = 0;
    for class in 1..classes {
        if q[class] > q[likeliest] {
            likeliest = class;
        }
    }
    let weighting = problem.weighting(row);
    let factor = match weighting {
        RowWeighting::Classes { factor, .. } | RowWeighting::Row { factor } => factor,
        RowWeighting::Expected { factor, weights } => {
            let weight = |class: usize| weights.map_or(1.0, |weights| weights[class]);
            let weighted: Vec<f64> = a.iter().enumerate().map(|(class, a)| weight(class) * a).collect();
            factor * total(&weighted)
        }
    };
    let entropy = if problem.subtracts_entropy() { entropy(level, coefficients) } else { 0.0 };
    let a = &mut coefficients[..classes];
    match weighting {
        RowWeighting::Classes { weights, .. } => a.iter_mut().zip(weights).for_each(|(a, w)| *a *= factor * w),
        _ => a.iter_mut().for_each(|a| *a *= factor),
    }
    let at_maximum = a[maximum];
    let [total, total_of_others, shifted, given, given_shifted] = sums(level, coefficients, given, shifted, maximum);
    let (z_factor, offset) = (problem.z_factor(row), factor * entropy);
    let all = Coefficients { total, total_of_others, at_maximum, shifted, given, given_shifted, z_factor, offset };
    (all, likeliest)
}

/// Several sums at once.
#[derive(Debug, Clone, Copy)]
struct Several<const N: usize>([CarriedSum; N]);

impl<const N: usize> Add for Several<N> {
    type Output = Self;

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(std::array::from_fn(|which| self.0[which] + other.0[which]))
    }
}

/// `A`, `R`, `D`, and the sum and the shifted sum of the target as given.
fn sums(level: Level, a: &[f64], q: &[f64], t: &[f64], maximum: usize) -> [f64; 5] {
    dispatch!(level, simd => sums_at(simd, a, q, t, maximum))
}

#[inline(always)]
fn sums_at<S: Simd>(simd: S, a: &[f64], q: &[f64], t: &[f64], maximum: usize) -> [f64; 5] {
    let zero = f64x8::splat(simd, 0.0);
    let mut tree = Tree::new();
    let columns = a.len();
    for from in (0..columns).step_by(NODE) {
        let mut lanes = [zero; 5];
        for at in (from..(from + NODE).min(columns)).step_by(WIDTH) {
            let vector = |values: &[f64]| f64x8::from_slice(simd, &values[at..at + WIDTH]);
            let (a, q, t) = (vector(a), vector(q), vector(t));
            let mut others = a;
            if at <= maximum && maximum < at + WIDTH {
                others.as_mut_slice()[maximum - at] = 0.0;
            }
            lanes[0] += a;
            lanes[1] += others;
            lanes[2] += a.times_selected(t);
            lanes[3] += q;
            lanes[4] += q.times_selected(t);
        }
        let joined = lanes.map(|lanes| join(lanes.as_slice()));
        if columns <= NODE {
            return joined; // One node needs no tree, and no memory for one.
        }
        tree.push(from / NODE, 0, Several(joined.map(CarriedSum::from)));
    }
    tree.total().map_or([0.0; 5], |Several(sums)| sums.map(CarriedSum::value))
}

/// The sum of some columns, in the order of [`sums`].
pub(super) fn total(values: &[f64]) -> f64 {
    if values.len() <= NODE {
        return node(values);
    }
    let mut tree = Tree::new();
    for (index, values) in values.chunks(NODE).enumerate() {
        tree.push(index, 0, CarriedSum::from(node(values)));
    }
    tree.total().unwrap_or_default().value()
}

/// The sum of at most [`NODE`] columns.
fn node(values: &[f64]) -> f64 {
    let mut x = [0.0; WIDTH];
    for values in values.chunks(WIDTH) {
        x.iter_mut().zip(values).for_each(|(x, value)| *x += value);
    }
    join(&x)
}

/// `-sum q log q`, where a term of 0 is 0.
fn entropy(level: Level, q: &[f64]) -> f64 {
    let mut terms = vec![0.0; q.len()];
    dispatch!(level, simd => {
        for (terms, q) in terms.chunks_exact_mut(WIDTH).zip(q.chunks_exact(WIDTH)) {
            math::entropy_terms(simd, f64x8::from_slice(simd, q)).store_slice(terms);
        }
    });
    total(&terms)
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

    /// The binary targets of a row.
    fn binary(&self, row: usize, targets: &mut BinaryTargets);
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
                let values = self.shape().row_of(probabilities.values(), row);
                q.iter_mut().zip(values).for_each(|(q, value)| *q = value.to_f64());
            }
        }
    }

    fn smoothed(&self, row: usize, t: &[f64], given: &[f64], q: &mut [f64]) {
        q.copy_from_slice(given);
        let (epsilon, distribution, hole) = match (self.config().smoothing(), self.labels()) {
            (Smoothing::Uniform { epsilon } | Smoothing::Negative { rate: epsilon }, _) => (*epsilon, None, None),
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
        let excluded = self.config().excluded_classes();
        let share = |class: usize| match distribution {
            _ if is_restricted && t[class] == f64::NEG_INFINITY => 0.0,
            Some(distribution) => distribution[class],
            None if hole == Some(class) || excluded.contains(&class) => 0.0,
            None => 1.0,
        };
        let total = match (distribution, is_restricted) {
            (Some(_), false) => 1.0,
            (None, false) if excluded.is_empty() => (q.len() - usize::from(hole.is_some())) as f64,
            _ => total(&(0..q.len()).map(share).collect::<Vec<_>>()),
        };
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

    fn binary(&self, row: usize, targets: &mut BinaryTargets) {
        let config = self.config();
        let classes = self.shape().classes();
        self.given(row, &mut targets.given[..classes]);
        let is_excluded = |class: usize| config.excluded_classes().contains(&class);
        let sharers = (0..classes).filter(|&class| !is_excluded(class)).count();
        for class in 0..classes {
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
                Smoothing::UnbiasedFlip { epsilon } => (-2.0 * epsilon / (1.0 - 2.0 * epsilon), 0.5, 0.5),
                _ => (0.0, 0.0, 0.0),
            };
            let y = targets.given[class];
            targets.positive[class] = (1.0 - epsilon) * y + epsilon * positive;
            targets.negative[class] = (1.0 - epsilon) * (1.0 - y) + epsilon * negative;
            targets.weight[class] = self.row_weight(row) * self.class_weight(class);
        }
    }
}
