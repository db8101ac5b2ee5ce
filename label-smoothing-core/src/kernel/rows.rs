//! What rows of other coefficients than a spread ask of the problem.

use std::ops::Range;

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch};

use super::binary::{BinaryTargets, Outcomes};
use super::general::{WIDTH, total};
use super::group::octet;
use super::lanes::Float;
use super::maximum::is_first_of_largest;
use super::plan::{self, SpreadRow};
use super::transposed;
use crate::check::Problem;
use crate::config::{ClassWeighting, NonFiniteLogits, Smoothing};
use crate::element::{Element, Values};
use crate::targets::Labels;

/// How the weights enter a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowWeighting<'a> {
    /// The weight of the whole row.
    pub(super) factor: f64,
    /// The weights of its classes.
    pub(super) classes: Option<&'a [f64]>,
    /// Whether the expectation of the classes' weights is a factor of the row, instead of each being its class's.
    pub(super) is_expected: bool,
}

/// How a row's target is smoothed: `q' = (1 - epsilon) q + shares`.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowSmoothing<'a> {
    /// The rate.
    pub(super) epsilon: f64,
    /// What each class gets.
    pub(super) shares: Shares<'a>,
}

impl RowSmoothing<'_> {
    /// No smoothing.
    const NONE: Self = Self { epsilon: 0.0, shares: Shares::Constant(0.0) };
}

/// What each class gets of the smoothing.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shares<'a> {
    /// The same.
    Constant(f64),
    /// `factor * values_c`.
    PerClass { factor: f64, values: &'a [f64] },
}

/// A problem whatever the type of its probabilities: what rows ask of it.
pub(super) trait Rows: Sync {
    /// The number of classes.
    fn classes(&self) -> usize;

    /// Whether the row is neither masked nor ignored.
    fn is_counted(&self, row: usize) -> bool;

    /// The plan of a row without general coefficients; none for a row that is not counted.
    fn spread(&self, row: usize) -> Option<SpreadRow>;

    /// The target as given, of some of the classes.
    fn given(&self, level: Level, row: usize, classes: Range<usize>, q: &mut [f64]);

    /// The target as given, where it is one probability for each class and lies side by side.
    fn probabilities(&self, row: usize) -> Option<Values<'_>>;

    /// The targets as given of some rows that follow each other, in [octets](super::group::octet); `room` is for rows one
    /// by one.
    fn given_side_by_side(&self, level: Level, rows: Range<usize>, room: &mut Vec<f64>, q: &mut [f64]);

    /// Whether this is the first class of the largest probability of the target as given.
    fn is_likeliest(&self, level: Level, row: usize, class: usize) -> bool;

    /// How every row is smoothed, where that depends on neither its target nor its logits.
    fn common_smoothing(&self) -> Option<RowSmoothing<'_>>;

    /// How the row is smoothed. `mask` writes 0 where a logit is `-inf`, and `room` is for shares that depend on that.
    fn smoothing<'a>(&'a self, row: usize, mask: &dyn Fn(&mut [f64]), room: &'a mut Vec<f64>) -> RowSmoothing<'a>;

    /// The weights.
    fn weighting(&self, row: usize) -> RowWeighting<'_>;

    /// The row's weight.
    fn row_weight(&self, row: usize) -> f64;

    /// Whether the entropy of the smoothed target is taken off.
    fn subtracts_entropy(&self) -> bool;

    /// Whether there is a z-loss.
    fn has_z_loss(&self) -> bool;

    /// The factor of `lse^2`.
    fn z_factor(&self, row: usize) -> f64;

    /// The binary targets of a row.
    fn binary(&self, level: Level, row: usize, targets: &mut BinaryTargets);
}

impl Shares<'_> {
    /// What a class gets.
    #[inline(always)]
    pub(super) fn of(&self, class: usize) -> f64 {
        match self {
            Self::Constant(share) => *share,
            Self::PerClass { factor, values } => factor * values[class],
        }
    }
}

impl<P: Element> Rows for Problem<'_, P> {
    fn classes(&self) -> usize {
        self.shape().classes()
    }

    fn is_counted(&self, row: usize) -> bool {
        Problem::is_counted(self, row)
    }

    fn spread(&self, row: usize) -> Option<SpreadRow> {
        plan::spread_row(self, row)
    }

    fn given(&self, level: Level, row: usize, classes: Range<usize>, q: &mut [f64]) {
        if let Labels::Probabilities(probabilities) = self.labels() {
            let (values, start, inner) = (probabilities.values(), self.shape().row_start(row), self.shape().inner());
            if inner == 1 {
                return widen(level, &values[start..][classes], q);
            }
            let values = values[start + classes.start * inner..].iter().step_by(inner);
            return q.iter_mut().zip(values).for_each(|(q, value)| *q = value.to_f64());
        }
        q.fill(0.0);
        each_entry(self, row, |class, probability| {
            if classes.contains(&class) {
                q[class - classes.start] += probability;
            }
        });
    }

    fn probabilities(&self, row: usize) -> Option<Values<'_>> {
        match self.labels() {
            Labels::Probabilities(probabilities) if self.shape().inner() == 1 => {
                Some(P::values(&probabilities.values()[self.shape().row_start(row)..][..self.shape().classes()]))
            }
            _ => None,
        }
    }

    fn given_side_by_side(&self, level: Level, rows: Range<usize>, room: &mut Vec<f64>, q: &mut [f64]) {
        let (shape, classes) = (self.shape(), self.shape().classes());
        let place = |row: usize, class: usize| octet(classes, class, row / WIDTH).start + row % WIDTH;
        match self.labels() {
            Labels::Probabilities(probabilities) if shape.inner() == 1 => {
                let elements = shape.row_start(rows.start)..shape.row_start(rows.end);
                room.resize(elements.len(), 0.0);
                widen(level, &probabilities.values()[elements], room);
                for (rows, q) in room.chunks(WIDTH * classes).zip(q.chunks_exact_mut(WIDTH * classes)) {
                    transposed::side_by_side(level, rows, rows.len() / classes, classes, q);
                }
            }
            Labels::Probabilities(probabilities) => {
                for class in 0..classes {
                    for (at, row) in rows.clone().enumerate() {
                        q[place(at, class)] = probabilities.values()[shape.element(row, class)].to_f64();
                    }
                }
            }
            _ => {
                q.fill(0.0);
                for (at, row) in rows.enumerate().filter(|&(_, row)| self.is_counted(row)) {
                    each_entry(self, row, |class, probability| q[place(at, class)] += probability);
                }
            }
        }
    }

    fn is_likeliest(&self, level: Level, row: usize, class: usize) -> bool {
        match self.labels() {
            Labels::Indices(ids) => ids.values()[row] as usize == class,
            Labels::Mixed { first, second, lambda } => {
                let (lambda, ids) = (lambda.values()[row], [first.values()[row], second.values()[row]]);
                let is_first = lambda > 0.5 || (lambda == 0.5 && ids[0] <= ids[1]);
                ids[usize::from(!is_first)] as usize == class
            }
            Labels::Probabilities(probabilities) => {
                let (values, shape) = (probabilities.values(), self.shape());
                if shape.inner() == 1 {
                    let values = &values[shape.row_start(row)..][..shape.classes()];
                    return is_first_of_largest(level, values, class);
                }
                let here = values[shape.element(row, class)].to_f64();
                let mut row = shape.row_of(values, row).map(|q| q.to_f64());
                row.by_ref().take(class).all(|q| q < here) && row.all(|q| q <= here)
            }
            Labels::Sparse { .. } => {
                let of = |class: usize| -> f64 {
                    self.sparse_row(row).filter(|entry| entry.0 as usize == class).map(|entry| entry.1).sum()
                };
                let here = of(class);
                let is_less = |(id, _): (i64, f64)| match id as usize {
                    other if other < class => of(other) < here,
                    other => of(other) <= here,
                };
                (here > 0.0 || class == 0) && self.sparse_row(row).all(is_less)
            }
        }
    }

    fn common_smoothing(&self) -> Option<RowSmoothing<'_>> {
        let (config, classes) = (self.config(), self.shape().classes());
        let is_restricted = config.non_finite_logits() == NonFiniteLogits::RestrictSupport;
        match config.smoothing() {
            Smoothing::None => Some(RowSmoothing::NONE),
            Smoothing::Uniform { epsilon } | Smoothing::Negative { rate: epsilon }
                if !is_restricted && config.excluded_classes().is_empty() =>
            {
                Some(RowSmoothing { epsilon: *epsilon, shares: Shares::Constant(epsilon / classes as f64) })
            }
            Smoothing::Distribution { epsilon, distribution } if !is_restricted => Some(RowSmoothing {
                epsilon: *epsilon,
                shares: Shares::PerClass { factor: *epsilon, values: distribution },
            }),
            _ => None,
        }
    }

    fn smoothing<'a>(&'a self, row: usize, mask: &dyn Fn(&mut [f64]), room: &'a mut Vec<f64>) -> RowSmoothing<'a> {
        if let Some(common) = self.common_smoothing() {
            return common;
        }
        let (epsilon, distribution, hole) = match (self.config().smoothing(), self.labels()) {
            (Smoothing::Uniform { epsilon } | Smoothing::Negative { rate: epsilon }, _) => (*epsilon, None, None),
            (Smoothing::Distribution { epsilon, distribution }, _) => (*epsilon, Some(distribution), None),
            (smoothing, Labels::Indices(classes)) => {
                let class = classes.values()[row] as usize;
                match smoothing {
                    Smoothing::UniformPerClass { epsilons } => (epsilons[class], None, None),
                    Smoothing::UniformOthers { epsilon } => (*epsilon, None, Some(class)),
                    Smoothing::ClassRows { epsilon, rows } => (*epsilon, Some(&rows[class]), None),
                    _ => return RowSmoothing::NONE,
                }
            }
            _ => return RowSmoothing::NONE,
        };
        let is_restricted = self.config().non_finite_logits() == NonFiniteLogits::RestrictSupport;
        let (classes, excluded) = (self.shape().classes(), self.config().excluded_classes());
        let shares = match distribution {
            Some(values) if !is_restricted => Shares::PerClass { factor: epsilon, values },
            None if !is_restricted && excluded.is_empty() && hole.is_none() => {
                Shares::Constant(epsilon / classes as f64)
            }
            _ => {
                room.clear();
                match distribution {
                    Some(values) => room.extend_from_slice(values),
                    None => {
                        room.resize(classes, 1.0);
                        hole.iter().chain(excluded).for_each(|&class| room[class] = 0.0);
                    }
                }
                if is_restricted {
                    mask(room);
                }
                let total = total(room);
                if total == 0.0 {
                    return RowSmoothing::NONE;
                }
                Shares::PerClass { factor: epsilon / total, values: room }
            }
        };
        RowSmoothing { epsilon, shares }
    }

    fn weighting(&self, row: usize) -> RowWeighting<'_> {
        let factor = self.row_weight(row);
        let weights = self.config().class_weights();
        let (factor, classes, is_expected) = match (self.config().class_weighting(), weights, self.labels()) {
            (ClassWeighting::Expected, _, _) => (factor, weights, true),
            (ClassWeighting::InsideSum, _, _) => (factor, weights, false),
            (ClassWeighting::ByTarget, Some(weights), Labels::Indices(classes)) => {
                (factor * weights[classes.values()[row] as usize], None, false)
            }
            (ClassWeighting::ByTarget, _, _) => (factor, None, false),
        };
        RowWeighting { factor, classes, is_expected }
    }

    fn row_weight(&self, row: usize) -> f64 {
        Problem::row_weight(self, row)
    }

    fn subtracts_entropy(&self) -> bool {
        self.config().subtract_entropy()
    }

    fn has_z_loss(&self) -> bool {
        self.config().z_loss() != 0.0
    }

    fn z_factor(&self, row: usize) -> f64 {
        self.row_weight(row) * self.config().z_loss()
    }

    fn binary(&self, level: Level, row: usize, targets: &mut BinaryTargets) {
        let (config, classes) = (self.config(), self.shape().classes());
        self.given(level, row, 0..classes, &mut targets.given[..classes]);
        let excluded = config.excluded_classes();
        let is_new = |&(index, class): &(usize, &usize)| !excluded[..index].contains(class);
        let sharers = classes - excluded.iter().enumerate().filter(is_new).count();
        // The rate, and how much of it each of the two outcomes gets.
        let (epsilon, outcomes) = match config.smoothing() {
            Smoothing::Uniform { epsilon } if sharers > 0 => {
                let share = 1.0 / sharers as f64;
                (*epsilon, Outcomes::Constant { positive: share, negative: (sharers - 1) as f64 * share })
            }
            Smoothing::Distribution { epsilon, distribution } => (*epsilon, Outcomes::PerClass(distribution)),
            Smoothing::UniformHalf { epsilon } => (*epsilon, Outcomes::EVEN),
            Smoothing::UniformFlip { epsilon } => (2.0 * epsilon, Outcomes::EVEN),
            Smoothing::PositivesOnly { epsilon } => (*epsilon, Outcomes::Constant { positive: 0.0, negative: 1.0 }),
            Smoothing::UnbiasedFlip { epsilon } => (-2.0 * epsilon / (1.0 - 2.0 * epsilon), Outcomes::EVEN),
            _ => (0.0, Outcomes::EVEN),
        };
        let (row_weight, weights) = (self.row_weight(row), config.class_weights());
        dispatch!(level, _simd => {
            targets.smooth(classes, epsilon, outcomes);
            targets.weigh(classes, row_weight, weights);
        });
        if sharers > 0 {
            for &class in excluded {
                targets.smooth_one(class, epsilon, 0.0, 1.0);
            }
        }
    }
}

/// Writes 0 where a logit is `-inf`.
pub(super) fn mask_out<'z, T: Element>(shares: &mut [f64], logits: impl IntoIterator<Item = &'z T>) {
    let masked = shares.iter_mut().zip(logits).filter(|(_, z)| z.to_f64() == f64::NEG_INFINITY);
    masked.for_each(|(share, _)| *share = 0.0);
}

/// The entries of the target as given, where it is not one probability for each class: what they add to which class.
fn each_entry<P: Element>(problem: &Problem<P>, row: usize, mut add: impl FnMut(usize, f64)) {
    match problem.labels() {
        Labels::Indices(ids) => add(ids.values()[row] as usize, 1.0),
        Labels::Mixed { first, second, lambda } => {
            let lambda = lambda.values()[row];
            add(first.values()[row] as usize, lambda);
            add(second.values()[row] as usize, 1.0 - lambda);
        }
        _ => problem.sparse_row(row).for_each(|(class, probability)| add(class as usize, probability)),
    }
}

/// Widens values, as many as there is room for.
fn widen<P: Element>(level: Level, values: &[P], to: &mut [f64]) {
    dispatch!(level, simd => {
        let width = P::Wide::WIDTH;
        let mut places = to.chunks_exact_mut(width);
        for (to, values) in (&mut places).zip(values.chunks_exact(width)) {
            let halves = P::Wide::widen_vector(simd, P::load(simd, values));
            for half in 0..P::Wide::HALVES {
                halves[half].store_slice(&mut to[half * WIDTH..(half + 1) * WIDTH]);
            }
        }
        let rest = places.into_remainder();
        let values = &values[values.len() - rest.len()..];
        rest.iter_mut().zip(values).for_each(|(to, value)| *to = value.to_f64());
    });
}
