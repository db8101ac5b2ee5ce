//! What a row's target asks of its logits, known before the logits are looked at.

use std::ops::Range;

use super::closed_form::{Sharers, Spread};
use super::level;
use super::math;
use super::penalized::Terms;
use super::rows::Rows;
use crate::check::Problem;
use crate::config::{ClassWeighting, NonFiniteLogits, Smoothing};
use crate::element::Element;
use crate::targets::Labels;

/// A place that no column has.
pub(super) const NO_COLUMN: usize = usize::MAX;

/// A row whose coefficients are a [`Spread`].
#[derive(Debug, Clone, Copy)]
pub(super) struct SpreadRow {
    /// The classes of the target; of an index, twice the same.
    pub(super) classes: [usize; 2],
    /// The coefficients.
    pub(super) spread: Spread<f64>,
}

impl SpreadRow {
    /// The class that counts as the target's for the number of correct predictions.
    #[inline(always)]
    pub(super) fn likeliest(&self) -> usize {
        let ([a, b], [first, second]) = (self.spread.given, self.classes);
        if a > b || (a == b && first <= second) { first } else { second }
    }
}

/// A batch whose rows are all [`SpreadRow`]s.
#[derive(Debug, Clone, Copy)]
pub(super) struct SpreadPlan<'a> {
    /// What the rows have in common.
    pub(super) sharers: Sharers,
    /// Whether rows have two target classes.
    pub(super) is_mixed: bool,
    /// Whether there is a z-loss.
    pub(super) has_z_loss: bool,
    /// The coefficients, where all counted rows have the same, with their classes and the ids that are ignored.
    pub(super) common: Option<CommonSpread<'a>>,
}

/// The coefficients of index targets without weights, masks, and rates by class.
#[derive(Debug, Clone, Copy)]
pub(super) struct CommonSpread<'a> {
    spread: Spread<f64>,
    classes: &'a [i64],
    ignored: &'a [i64],
}

impl<'a> SpreadPlan<'a> {
    /// The plan of a problem; none if its rows are not all [`SpreadRow`]s.
    pub(super) fn new<P: Element>(problem: &'a Problem<P>) -> Option<Self> {
        let config = problem.config();
        if !is_spread(problem) {
            return None;
        }
        let has_hole = matches!(config.smoothing(), Smoothing::UniformOthers { .. });
        let depends_on_class =
            config.class_weights().is_some() || matches!(config.smoothing(), Smoothing::UniformPerClass { .. });
        let common = match problem.labels() {
            Labels::Indices(classes) if problem.has_plain_rows() && !depends_on_class => Some(CommonSpread {
                spread: spread(problem, [0, 0], [1.0, 0.0], 1.0),
                classes: classes.values(),
                ignored: config.ignore_index(),
            }),
            _ => None,
        };
        Some(Self {
            sharers: Sharers { classes: problem.shape().classes(), has_hole },
            is_mixed: matches!(problem.labels(), Labels::Mixed { .. }),
            has_z_loss: config.z_loss() != 0.0,
            common,
        })
    }

    /// The plan of one row; none for a row that is not counted.
    #[inline(always)]
    pub(super) fn row(&self, rows: &dyn Rows, row: usize) -> Option<SpreadRow> {
        match &self.common {
            Some(common) => common.class(row).map(|class| SpreadRow { classes: [class; 2], spread: common.spread }),
            None => rows.spread(row),
        }
    }

    /// The column that has no share of the spread.
    #[inline(always)]
    pub(super) fn hole(&self, row: &SpreadRow) -> usize {
        if self.sharers.has_hole { row.classes[0] } else { NO_COLUMN }
    }
}

impl CommonSpread<'_> {
    /// The coefficients.
    pub(super) fn spread(&self) -> Spread<f64> {
        self.spread
    }

    /// The class of a counted row.
    #[inline(always)]
    pub(super) fn class(&self, row: usize) -> Option<usize> {
        self.counted(self.classes[row]).map(|id| id as usize)
    }

    /// The classes of the counted ones of some rows, as they are given.
    #[inline(always)]
    pub(super) fn classes(&self, rows: Range<usize>) -> impl Iterator<Item = Option<i64>> {
        self.classes[rows].iter().map(|&id| self.counted(id))
    }

    #[inline(always)]
    fn counted(&self, id: i64) -> Option<i64> {
        (self.ignored.is_empty() || !self.ignored.contains(&id)).then_some(id)
    }
}

/// Whether every row of the problem is a [`SpreadRow`].
fn is_spread<P: Element>(problem: &Problem<P>) -> bool {
    let config = problem.config();
    if Terms::new(config).is_some() {
        return false;
    }
    let labels = !matches!(problem.labels(), Labels::Probabilities(_) | Labels::Sparse { .. });
    let smoothing = match config.smoothing() {
        Smoothing::None => return labels && config.class_weighting() != ClassWeighting::Expected,
        Smoothing::Uniform { .. } | Smoothing::UniformOthers { .. } | Smoothing::UniformPerClass { .. } => true,
        // `Negative` is not: of masses of both signs, the sum over all classes may be infinite against the target's.
        _ => false,
    };
    let weights = config.class_weights().is_none() || config.class_weighting() == ClassWeighting::ByTarget;
    let support = config.non_finite_logits() == NonFiniteLogits::Propagate && config.excluded_classes().is_empty();
    labels && smoothing && weights && support
}

/// One row of a problem with a [`SpreadPlan`]; none for a row that is not counted.
pub(super) fn spread_row<P: Element>(problem: &Problem<P>, row: usize) -> Option<SpreadRow> {
    if !problem.is_counted(row) {
        return None;
    }
    let (classes, given) = match problem.labels() {
        Labels::Indices(classes) => ([classes.values()[row] as usize; 2], [1.0, 0.0]),
        Labels::Mixed { first, second, lambda } => {
            let lambda = lambda.values()[row];
            let both = [first.values()[row] as usize, second.values()[row] as usize];
            if both[0] == both[1] { (both, [1.0, 0.0]) } else { (both, [lambda, 1.0 - lambda]) }
        }
        Labels::Probabilities(_) | Labels::Sparse { .. } => return None, // Not a problem of spread rows.
    };
    Some(SpreadRow { classes, spread: spread(problem, classes, given, problem.row_weight(row)) })
}

/// The coefficients of a counted row.
fn spread<P: Element>(problem: &Problem<P>, classes: [usize; 2], given: [f64; 2], row_weight: f64) -> Spread<f64> {
    let config = problem.config();
    let count = problem.shape().classes();
    let (epsilon, sharers) = match config.smoothing() {
        Smoothing::Uniform { epsilon } => (*epsilon, count),
        Smoothing::UniformPerClass { epsilons } => (epsilons[classes[0]], count),
        Smoothing::UniformOthers { epsilon } => (*epsilon, count - 1),
        _ => (0.0, count),
    };
    let share = if epsilon == 0.0 { 0.0 } else { epsilon / sharers as f64 };
    let hard = given.map(|given| (1.0 - epsilon) * given);
    let unweighted = Spread { hard, given, share, z_factor: row_weight * config.z_loss(), offset: 0.0 };
    let sharers = Sharers { classes: count, has_hole: sharers != count };
    let entropy = if config.subtract_entropy() { entropy(&unweighted, sharers, classes) } else { 0.0 };
    let by_target = config.class_weighting() == ClassWeighting::ByTarget;
    let factor = if by_target { row_weight * problem.class_weight(classes[0]) } else { row_weight };
    // Inside the sum, class weights came with no spread, so each class has its own.
    let of_class = |class| if by_target { factor } else { factor * problem.class_weight(class) };
    Spread {
        hard: [hard[0] * of_class(classes[0]), hard[1] * of_class(classes[1])],
        share: share * factor,
        offset: factor * entropy,
        ..unweighted
    }
}

/// The entropy of a row whose coefficients are not weighted yet.
fn entropy(row: &Spread<f64>, sharers: Sharers, classes: [usize; 2]) -> f64 {
    let term = |q: f64| math::entropy_term_of(level::baseline(), q);
    let [first, second] = row.at_targets(sharers);
    let special = if classes[0] == classes[1] { 1 } else { 2 };
    let at_second = if special == 2 { term(second) } else { 0.0 };
    (term(first) + at_second) + (sharers.classes - special) as f64 * term(row.share)
}
