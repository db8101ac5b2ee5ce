//! What slices give, and how it is put together.

use std::ops::{Add, Range};

use crate::check::Problem;
use crate::element::Element;
use crate::error::{Error, check_length};
use crate::kernel::Loss;
use crate::kernel::closed_form::{Losses, Real, RowSums};
use crate::kernel::general::{GeneralRow, GeneralScratch, GeneralSums};
use crate::kernel::lanes::Float;
use crate::kernel::level;
use crate::kernel::math;
use crate::kernel::plan::{NO_COLUMN, SpreadPlan};
use crate::kernel::rows::Rows;
use crate::kernel::stats::{self, RowStats};
use crate::parts::{self, LossParts};
use crate::sum::Tree;

/// The largest logit of a row, and its first class.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct RowMaximum<W> {
    /// NaN if there is a NaN in the row.
    pub(super) value: W,
    pub(super) column: usize,
}

impl<W: Float> RowMaximum<W> {
    pub(super) fn is_finite(&self) -> bool {
        self.value.to_f64().is_finite()
    }

    /// The larger, of equals that of the smaller class; a NaN stays.
    fn merge(self, other: Self) -> Self {
        let (a, b) = (self.value.to_f64(), other.value.to_f64());
        let is_self = a.is_nan() || a > b || (a == b && self.column < other.column);
        if is_self { self } else { other }
    }

    /// How far this is below another maximum that takes its place; none if nothing changes, or there is no softmax.
    fn distance_to(&self, other: &Self) -> Option<f64> {
        let changes = !self.has_bits_of(other) && other.is_finite();
        changes.then(|| self.value.to_f64() - other.value.to_f64())
    }

    fn has_bits_of(&self, other: &Self) -> bool {
        let bits = |maximum: &Self| (maximum.value.to_f64().to_bits(), maximum.column);
        bits(self) == bits(other) || (self.value.to_f64().is_nan() && other.value.to_f64().is_nan())
    }
}

/// The largest logit of each row, over the classes seen so far.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Maxima<W> {
    pub(super) rows: Vec<RowMaximum<W>>,
    pub(super) classes: Vec<Range<usize>>,
}

impl<W: Float> Maxima<W> {
    /// Those over both slices' classes: exact, associative, in any order.
    ///
    /// # Errors
    ///
    /// Another number of rows, and classes that both have seen.
    pub fn merge(&self, other: &Self) -> Result<Self, Error> {
        other.check_rows(self.rows.len())?;
        let rows = self.rows.iter().zip(&other.rows).map(|(a, b)| a.merge(*b)).collect();
        Ok(Self { rows, classes: joined(&self.classes, &other.classes)? })
    }

    pub(super) fn check_rows(&self, expected: usize) -> Result<(), Error> {
        check_length("the rows' maxima", self.rows.len(), expected)
    }
}

/// What a block of a row adds up to.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Block {
    /// `exp(t)`, without the column of the maximum.
    pub(super) others: f64,
    /// Of a row of a spread: `t`, without the hole.
    pub(super) shifted: f64,
    /// Of any other row.
    pub(super) target: GeneralSums,
}

impl Add for Block {
    type Output = Self;

    fn add(self, next: Self) -> Self {
        Self {
            others: self.others + next.others,
            shifted: self.shifted + next.shifted,
            target: self.target + next.target,
        }
    }
}

/// One coefficient of a counted row that is not of a spread.
fn coefficient(rows: &dyn Rows, row: usize, class: usize) -> f64 {
    let (classes, columns) = (rows.classes(), class..class + 1);
    let (z, max, m, is_finite) = (&[0.0_f64], 0.0, NO_COLUMN, true);
    let general = GeneralRow { rows, row, classes, columns, z, max, m, is_finite };
    let mut coefficient = 0.0;
    general.blocks(level::baseline(), &mut GeneralScratch::default(), |sums| coefficient = sums.of_others);
    coefficient
}

/// What each row adds up to, over the classes seen so far.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Sums<W> {
    /// What the sums are relative to.
    pub(super) maxima: Vec<RowMaximum<W>>,
    /// Row by row, as many each.
    pub(super) blocks: Vec<Block>,
    /// Of rows of a spread, the logits of the target's classes, where they were seen.
    pub(super) targets: Vec<[Option<f64>; 2]>,
    pub(super) classes: Vec<Range<usize>>,
}

impl<W: Float> Sums<W> {
    /// The sums over this slice's classes and then the next one's, both relative to the same maxima. Associative.
    ///
    /// # Errors
    ///
    /// Sums relative to other maxima, and classes that do not follow this slice's.
    pub fn followed_by(&self, next: &Self) -> Result<Self, Error> {
        self.check_rows(next)?;
        self.check_lists()?;
        next.check_lists()?;
        let same = |(a, b): (&RowMaximum<W>, &RowMaximum<W>)| a.has_bits_of(b);
        if let Some(row) = self.maxima.iter().zip(&next.maxima).position(|pair| !same(pair)) {
            return refuse(format!(
                "the slices' sums of row {row} are relative to different maxima; merge the maxima of all slices first, or \
                 use `merge`, which rescales"
            ));
        }
        if let ([.., Range { end, .. }], [Range { start, .. }, ..]) = (&self.classes[..], &next.classes[..])
            && end != start
        {
            return refuse(format!(
                "a slice that ends before class {end} is followed by one that starts at class {start}"
            ));
        }
        let (ours, theirs) = (self.blocks_per_row(), next.blocks_per_row());
        let rows = self.blocks.chunks(ours.max(1)).zip(next.blocks.chunks(theirs.max(1)));
        Ok(Self {
            blocks: rows.flat_map(|(a, b)| a.iter().chain(b)).copied().collect(),
            targets: self.targets.iter().zip(&next.targets).map(|(a, b)| either(*a, *b)).collect(),
            classes: joined(&self.classes, &next.classes)?,
            maxima: self.maxima.clone(),
        })
    }

    /// The sums over both slices' classes, each relative to its own maxima, rescaled to the larger. In any order, and
    /// within the bounded promise.
    ///
    /// # Errors
    ///
    /// Another number of rows, and classes that both have seen.
    pub fn merge<P: Element>(&self, other: &Self, problem: &Problem<P>) -> Result<Self, Error> {
        self.check_for(problem)?;
        other.check_for(problem)?;
        let (plan, rows) = (SpreadPlan::new(problem), P::rows(problem).get());
        let classes = joined(&self.classes, &other.classes)?;
        let maxima: Vec<_> = self.maxima.iter().zip(&other.maxima).map(|(a, b)| a.merge(*b)).collect();
        let block = |(row, maximum): (usize, &RowMaximum<W>)| match &plan {
            Some(plan) => {
                let hole = plan.row(rows, row).map(|target| plan.hole(&target));
                self.rescaled_spread(row, maximum, hole) + other.rescaled_spread(row, maximum, hole)
            }
            None => self.rescaled_general(rows, row, maximum) + other.rescaled_general(rows, row, maximum),
        };
        let blocks = maxima.iter().enumerate().map(block).collect();
        let targets = self.targets.iter().zip(&other.targets).map(|(a, b)| either(*a, *b)).collect();
        Ok(Self { maxima, blocks, targets, classes })
    }

    /// The sums of a row of a spread relative to another maximum, which is not smaller.
    fn rescaled_spread(&self, row: usize, maximum: &RowMaximum<W>, hole: Option<usize>) -> Block {
        let sums = self.added_up(row);
        let Some(distance) = self.maxima[row].distance_to(maximum) else { return sums };
        let holes = usize::from(hole.is_some_and(|hole| self.has_seen(hole)));
        let seen = self.classes.iter().map(ExactSizeIterator::len).sum::<usize>() - holes;
        // Of nothing but -inf, unless there is nothing.
        let shifted = sums.shifted + (seen as f64).times_selected(distance);
        Block { others: self.rescaled_exponentials(row, sums.others, distance), shifted, ..sums }
    }

    /// The sums of any other row, likewise.
    fn rescaled_general(&self, rows: &dyn Rows, row: usize, maximum: &RowMaximum<W>) -> Block {
        let sums = self.added_up(row);
        let own = &self.maxima[row];
        let Some(distance) = own.distance_to(maximum).filter(|_| rows.is_counted(row)) else { return sums };
        let others = self.rescaled_exponentials(row, sums.others, distance);
        let mut target = sums.target;
        if self.has_seen(own.column) {
            target.of_others += coefficient(rows, row, own.column);
        }
        target.shifted += target.of_others.times_selected(distance);
        target.given_shifted += target.given.times_selected(distance);
        Block { others, target, ..sums }
    }

    /// The sum of a row's exponentials relative to a larger maximum: the column of its own is one like the others then.
    fn rescaled_exponentials(&self, row: usize, others: f64, distance: f64) -> f64 {
        let own_column = f64::from(u8::from(self.has_seen(self.maxima[row].column)));
        (others + own_column) * math::exp_of(level::baseline(), distance)
    }

    /// The loss, once all classes have been seen.
    ///
    /// # Errors
    ///
    /// Classes that no slice has brought, another number of rows, and a mean over nothing if the configuration refuses it.
    pub fn loss<P: Element>(&self, problem: &Problem<P>) -> Result<Merged<W>, Error> {
        problem.check_mean()?;
        let (rows, classes) = (problem.shape().rows(), problem.shape().classes());
        let whole = 0..classes;
        if self.classes != [whole] || self.maxima.len() != rows {
            let (seen, found) = (&self.classes, self.maxima.len());
            return refuse(format!(
                "the slices hold classes {seen:?} of {found} rows, not all {classes} classes of {rows} rows"
            ));
        }
        self.check_for(problem)?;
        let plan = SpreadPlan::new(problem);
        let (mut tree, mut row_losses, mut merged) = (Tree::new(), Vec::with_capacity(rows), Vec::with_capacity(rows));
        for row in 0..rows {
            let (sums, of_row) = self.row(P::rows(problem).get(), plan.as_ref(), row);
            merged.push(of_row);
            row_losses.push(W::from_f64(sums.loss.value()));
            tree.push(row, 0, sums);
        }
        let parts = LossParts::new(problem, tree.total().unwrap_or_default());
        let loss = Loss { value: problem.reduce_carried(parts.carried_sum()), parts };
        Ok(Merged { loss, row_losses, rows: merged })
    }

    /// What a row adds to the sums of the batch, and what its gradient needs.
    fn row(&self, rows: &dyn Rows, plan: Option<&SpreadPlan>, row: usize) -> (parts::Sums, MergedRow<W>) {
        let (sums, RowMaximum { value, column }) = (self.added_up(row), self.maxima[row]);
        let stats = RowStats { max: value, column, others: sums.others };
        let mut merged = MergedRow { stats, total_of_others: 0.0, at_maximum: 0.0 };
        if !rows.is_counted(row) {
            return (parts::Sums::default(), merged);
        }
        if !self.maxima[row].is_finite() {
            return (parts::Sums::undefined(rows.z_factor(row)), merged);
        }
        if let Some(plan) = plan {
            return (self.spread_row(rows, row, plan, &stats, sums.shifted), merged);
        }
        (merged.total_of_others, merged.at_maximum) = (sums.target.of_others, coefficient(rows, row, column));
        let a = sums.target.coefficients(merged.at_maximum, rows.z_factor(row));
        (Losses::new(&a, &row_sums(&stats)).sums(rows.is_likeliest(level::best(), row, column)), merged)
    }

    /// What one counted row of a spread adds to the sums of the batch, given the sum of its shifted logits.
    fn spread_row(
        &self,
        rows: &dyn Rows,
        row: usize,
        plan: &SpreadPlan,
        stats: &RowStats<W>,
        shifted: f64,
    ) -> parts::Sums {
        let Some(target) = plan.row(rows, row) else { return parts::Sums::default() };
        let [Some(first), Some(second)] = self.targets[row] else {
            // All classes have been seen, but whoever saw these did not say so.
            return parts::Sums::undefined(rows.z_factor(row));
        };
        let (max, is_maximum) = (stats.max.to_f64(), target.classes.map(|class| class == stats.column));
        let a = target.spread.coefficients(plan.sharers, is_maximum, [first - max, second - max], shifted);
        Losses::new(&a, &row_sums(stats)).sums(stats.column == target.likeliest())
    }

    /// The blocks of a row, added in their order.
    fn added_up(&self, row: usize) -> Block {
        let blocks = self.blocks_per_row();
        self.blocks[row * blocks..(row + 1) * blocks].iter().fold(Block::default(), |sum, block| sum + *block)
    }

    fn blocks_per_row(&self) -> usize {
        self.blocks.len() / self.maxima.len().max(1)
    }

    fn has_seen(&self, class: usize) -> bool {
        self.classes.iter().any(|classes| classes.contains(&class))
    }

    fn check_rows(&self, other: &Self) -> Result<(), Error> {
        check_length("the slices' rows", other.maxima.len(), self.maxima.len())
    }

    /// Refuses lists that do not belong together: sums may have been read from what another process wrote.
    fn check_lists(&self) -> Result<(), Error> {
        let (rows, blocks) = (self.maxima.len(), self.blocks.len());
        check_length("the slices' targets", self.targets.len(), rows)?;
        if blocks < rows || !blocks.is_multiple_of(rows.max(1)) {
            return refuse(format!("the slices' sums have {blocks} blocks for {rows} rows"));
        }
        Ok(())
    }

    /// Refuses what are no sums of this problem's rows and classes.
    fn check_for<P: Element>(&self, problem: &Problem<P>) -> Result<(), Error> {
        self.check_lists()?;
        check_length("the slices' rows", self.maxima.len(), problem.shape().rows())?;
        let classes = problem.shape().classes();
        // Where there is no softmax, no column is looked at.
        let is_outside = |maximum: &RowMaximum<W>| !maximum.value.to_f64().is_nan() && maximum.column >= classes;
        match self.maxima.iter().position(is_outside) {
            Some(row) => Err(stats::outside(row, self.maxima[row].column, classes)),
            None => Ok(()),
        }
    }
}

/// The loss of a batch whose slices were merged, and what their gradients need.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged<W> {
    /// The reduced loss, and its parts.
    pub loss: Loss,
    /// The loss of each row.
    pub row_losses: Vec<W>,
    pub(super) rows: Vec<MergedRow<W>>,
}

/// What the gradient of a row needs of all slices.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct MergedRow<W> {
    pub(super) stats: RowStats<W>,
    /// Of a row that is not of a spread, `R`.
    pub(super) total_of_others: f64,
    /// Of such a row, the coefficient in the column of the maximum.
    pub(super) at_maximum: f64,
}

fn row_sums<W: Float>(stats: &RowStats<W>) -> RowSums<f64> {
    let (max, others) = (stats.max.to_f64(), stats.others);
    let lse = math::log_1p_of(level::baseline(), others);
    RowSums { max, others, lse }
}

fn either(a: [Option<f64>; 2], b: [Option<f64>; 2]) -> [Option<f64>; 2] {
    [a[0].or(b[0]), a[1].or(b[1])]
}

/// The classes of both, in order, neighbours made one.
fn joined(a: &[Range<usize>], b: &[Range<usize>]) -> Result<Vec<Range<usize>>, Error> {
    let mut all = [a, b].concat();
    if let Some(Range { start, end }) = all.iter().find(|classes| classes.is_empty()) {
        return refuse(format!("a slice cannot hold classes {start} to {end} (excluded)"));
    }
    all.sort_by_key(|classes| classes.start);
    let mut joined: Vec<Range<usize>> = Vec::new();
    for classes in all {
        match joined.last_mut() {
            Some(last) if last.end > classes.start => {
                return refuse(format!("class {} is in two slices", classes.start));
            }
            Some(last) if last.end == classes.start => last.end = classes.end,
            _ => joined.push(classes),
        }
    }
    Ok(joined)
}

fn refuse<T>(why: String) -> Result<T, Error> {
    Err(Error::Configuration(why))
}
