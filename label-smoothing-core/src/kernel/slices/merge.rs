//! What slices give, and how it is put together.

use std::ops::Range;

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch, f64x8};

use crate::check::Problem;
use crate::element::Element;
use crate::error::{Error, check_length};
use crate::kernel::Loss;
use crate::kernel::closed_form::{Losses, RowSums};
use crate::kernel::lanes::Float;
use crate::kernel::math;
use crate::kernel::plan::{SpreadPlan, SpreadRow};
use crate::kernel::stats::RowStats;
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

/// What each row adds up to, over the classes seen so far.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Sums<W> {
    /// What the sums are relative to.
    pub(super) maxima: Vec<RowMaximum<W>>,
    /// The sums of `exp(t)` without the column of the maximum, and of `t` without the hole: row by row, as many each.
    pub(super) blocks: Vec<[f64; 2]>,
    /// The logits of the target's classes, where they were seen.
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
    pub fn merge(&self, other: &Self, problem: &Problem<impl Element>) -> Result<Self, Error> {
        self.check_rows(other)?;
        let plan = SpreadPlan::new(problem);
        let classes = joined(&self.classes, &other.classes)?;
        let maxima: Vec<_> = self.maxima.iter().zip(&other.maxima).map(|(a, b)| a.merge(*b)).collect();
        let block = |(row, maximum): (usize, &RowMaximum<W>)| {
            let hole = plan.as_ref().and_then(|plan| Some(plan.hole(&plan.row(problem, row)?)));
            let [a, b] = [self, other].map(|sums| sums.rescaled(row, maximum, hole));
            [a[0] + b[0], a[1] + b[1]]
        };
        let blocks = maxima.iter().enumerate().map(block).collect();
        let targets = self.targets.iter().zip(&other.targets).map(|(a, b)| either(*a, *b)).collect();
        Ok(Self { maxima, blocks, targets, classes })
    }

    /// A row's sums relative to another maximum, which is not smaller.
    fn rescaled(&self, row: usize, maximum: &RowMaximum<W>, hole: Option<usize>) -> [f64; 2] {
        let own = &self.maxima[row];
        let [others, shifted] = self.added_up(row);
        if own.has_bits_of(maximum) || !maximum.is_finite() {
            return [others, shifted];
        }
        let holes = usize::from(hole.is_some_and(|hole| self.has_seen(hole)));
        let seen: usize = self.classes.iter().map(ExactSizeIterator::len).sum();
        let distance = own.value.to_f64() - maximum.value.to_f64();
        if distance == f64::NEG_INFINITY {
            // Nothing but -inf: no exponential, and shifted logits of -inf, unless there are none.
            return [0.0, if seen == holes { 0.0 } else { f64::NEG_INFINITY }];
        }
        // The column of the own maximum is one like the others now.
        let own_column = f64::from(u8::from(self.has_seen(own.column)));
        let exp = dispatch!(Level::baseline(), simd => math::exp_f64(simd, f64x8::splat(simd, distance)).as_slice()[0]);
        [(others + own_column) * exp, shifted + (seen - holes) as f64 * distance]
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
        let Some(plan) = SpreadPlan::new(problem).filter(|_| self.classes == [whole] && self.maxima.len() == rows)
        else {
            let (seen, found) = (&self.classes, self.maxima.len());
            return refuse(format!(
                "the slices hold classes {seen:?} of {found} rows, not all {classes} classes of {rows} rows"
            ));
        };
        let (mut tree, mut row_losses, mut stats) = (Tree::new(), Vec::with_capacity(rows), Vec::with_capacity(rows));
        for row in 0..rows {
            let [others, shifted] = self.added_up(row);
            let RowMaximum { value, column } = self.maxima[row];
            let of_row = RowStats { max: value, column, others };
            let sums = match plan.row(problem, row) {
                Some(target) => self.row(row, &plan, &target, &of_row, shifted),
                None => parts::Sums::default(),
            };
            stats.push(of_row);
            row_losses.push(W::from_f64(sums.loss.value()));
            tree.push(row, 0, sums);
        }
        let parts = LossParts::new(problem, tree.total().unwrap_or_default());
        let loss = Loss { value: problem.reduce_carried(parts.carried_sum()), parts };
        Ok(Merged { loss, row_losses, stats })
    }

    /// What one counted row adds to the sums of the batch, given the sum of its shifted logits.
    fn row(&self, row: usize, plan: &SpreadPlan, target: &SpreadRow, stats: &RowStats<W>, shifted: f64) -> parts::Sums {
        let (spread, max, others) = (&target.spread, stats.max.to_f64(), stats.others);
        let ([Some(first), Some(second)], true) = (self.targets[row], max.is_finite()) else {
            return parts::Sums::undefined(spread.z_factor);
        };
        let lse = dispatch!(Level::baseline(), simd => math::log_1p(simd, f64x8::splat(simd, others)).as_slice()[0]);
        let is_maximum = target.classes.map(|class| class == stats.column);
        let a = spread.coefficients(plan.sharers, is_maximum, [first - max, second - max], shifted);
        Losses::new(&a, &RowSums { max, others, lse }).sums(stats.column == target.likeliest())
    }

    /// The blocks of a row, added in their order.
    fn added_up(&self, row: usize) -> [f64; 2] {
        let blocks = self.blocks_per_row();
        let of_row = &self.blocks[row * blocks..(row + 1) * blocks];
        of_row.iter().fold([0.0; 2], |sum, block| [sum[0] + block[0], sum[1] + block[1]])
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
}

/// The loss of a batch whose slices were merged, and what their gradients need.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged<W> {
    /// The reduced loss, and its parts.
    pub loss: Loss,
    /// The loss of each row.
    pub row_losses: Vec<W>,
    pub(super) stats: Vec<RowStats<W>>,
}

fn either(a: [Option<f64>; 2], b: [Option<f64>; 2]) -> [Option<f64>; 2] {
    [a[0].or(b[0]), a[1].or(b[1])]
}

/// The classes of both, in order, neighbours made one.
fn joined(a: &[Range<usize>], b: &[Range<usize>]) -> Result<Vec<Range<usize>>, Error> {
    let mut all = [a, b].concat();
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
