//! A vocabulary in slices: the loss of logits whose classes are spread over devices or ranks, each with some columns of
//! every row.
//!
//! The smoothed target knows the whole vocabulary, so smoothing over a slice of it, and adding up, is another loss. Here
//! each slice gives numbers per row, and these are merged; nobody needs another slice's logits.
//!
//! **With two exchanges**, with the bits of the whole where slices meet at multiples of 1024 classes:
//!
//! 1. each slice finds its rows' [`Maxima`]; [`Maxima::merge`] is exact, in any order;
//! 2. each slice adds up its rows relative to the merged maxima ([`Slice::sums`]), block by block, and
//!    [`Sums::followed_by`] puts the blocks side by side, in the order of the classes;
//! 3. [`Sums::loss`] is the loss, and [`Slice::gradient`] each slice's part of the gradient.
//!
//! Elsewhere than at multiples of 1024 the blocks are others than the whole's: the result is as accurate, and its bits may differ.
//!
//! **With one exchange**, if a second costs too much: each slice adds up relative to its own maxima, and
//! [`Sums::merge`] rescales to the larger by `exp(max_1 - max)`, in any order. Two roundings more per merge.
//!
//! For every kind of target and smoothing, and class weights: all of that is known on every rank. Refused are penalties and
//! other likelihoods, and what a rank cannot know without the others' logits, which classes they mask with `-inf`.
//!
//! ```
//! use label_smoothing_core::kernel::{self, slices::Slice};
//! use label_smoothing_core::{Array, Config, Problem, Smoothing, Targets};
//!
//! let config = Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: 0.1 }).build()?;
//! let targets = Targets::<f32>::indices(Array::new([2], vec![3, 0]));
//! let problem = Problem::new(&config, &[2, 4], targets)?; // of the whole vocabulary
//!
//! // Classes 0 to 2 on one rank, class 3 on another; each rank knows all targets.
//! let (a, b) = (Slice::new(&problem, 0..3)?, Slice::new(&problem, 3..4)?);
//! let (of_a, of_b) = ([1.0_f32, 2.0, 0.5, 0.0, 1.0, -1.0], [3.0_f32, 0.25]);
//! let maxima = a.maxima(&of_a)?.merge(&b.maxima(&of_b)?)?;
//! let merged = a.sums(&of_a, &maxima)?.followed_by(&b.sums(&of_b, &maxima)?)?.loss(&problem)?;
//! let mut gradient = [0.0_f32; 2];
//! b.gradient(&of_b, &merged, 1.0, &mut gradient)?;
//!
//! let whole = [1.0_f32, 2.0, 0.5, 3.0, 0.0, 1.0, -1.0, 0.25];
//! let mut gradient_of_whole = [0.0_f32; 8];
//! let loss = kernel::loss_and_gradient(&problem, &whole, 1.0, &mut gradient_of_whole)?;
//! assert!((merged.loss.value - loss.value).abs() < 1e-6);
//! assert!((gradient[0] - gradient_of_whole[3]).abs() < 1e-6);
//! # Ok::<(), label_smoothing_core::Error>(())
//! ```

mod gradient;
mod merge;

use std::ops::Range;

use fearless_simd::Level;

use super::batch::{self, AnyRows};
use super::general::{GeneralRow, GeneralScratch, GeneralSums};
use super::lanes::BLOCK;
use super::level;
use super::maximum::{column_of, maximum};
use super::penalized::Terms;
use super::plan::{NO_COLUMN, SpreadPlan, SpreadRow};
use super::row::{self, Row};
use crate::check::Problem;
use crate::config::{LossFamily, NonFiniteLogits};
use crate::element::Element;
use crate::error::{Error, check_length};

pub use merge::{Maxima, Merged, Sums};

use merge::{Block, RowMaximum};

/// Some consecutive classes of a problem's rows.
///
/// Its logits are dense, rows x classes of the slice. The problem is that of the whole vocabulary, with all targets, on
/// every rank.
#[derive(Debug)]
pub struct Slice<'a, P: Clone> {
    problem: &'a Problem<'a, P>,
    part: Part<'a>,
}

/// The same whatever the type of the probabilities; see [`Element::slice_sums`].
#[derive(Debug)]
pub struct Part<'a> {
    rows: AnyRows<'a>,
    /// None if the rows are not all of a spread.
    plan: Option<SpreadPlan<'a>>,
    /// The number of rows.
    count: usize,
    classes: Range<usize>,
}

impl<'a, P: Element> Slice<'a, P> {
    /// The given classes of a problem.
    ///
    /// # Errors
    ///
    /// Classes that the problem does not have, or none; a class axis that is not the last; a smoothing restricted to logits
    /// that are not `-inf`, penalties and other likelihoods, and the binary family, whose classes do not meet.
    pub fn new(problem: &'a Problem<'a, P>, classes: Range<usize>) -> Result<Self, Error> {
        let (all, refuse) = (problem.shape().classes(), |why: String| Err(Error::Configuration(why)));
        if classes.is_empty() || classes.end > all {
            let Range { start, end } = classes;
            return refuse(format!(
                "the slice holds classes {start} to {end} (excluded), but the classes are 0 to {}",
                all - 1
            ));
        }
        if problem.shape().inner() != 1 {
            return refuse("a vocabulary in slices needs the class axis to be the last".to_owned());
        }
        let config = problem.config();
        if config.loss() != LossFamily::CrossEntropy
            || config.non_finite_logits() != NonFiniteLogits::Propagate
            || Terms::new(config).is_some()
        {
            return refuse(
                "a vocabulary in slices takes softmax losses with the likelihood negative_log and non_finite_logits \
                 propagate, and no penalties"
                    .to_owned(),
            );
        }
        let (count, plan) = (problem.shape().rows(), SpreadPlan::new(problem));
        Ok(Self { problem, part: Part { rows: P::rows(problem), plan, count, classes } })
    }

    /// The largest logit of each row of the slice.
    ///
    /// # Errors
    ///
    /// A wrong number of logits.
    pub fn maxima<T: Element>(&self, logits: &[T]) -> Result<Maxima<T::Wide>, Error> {
        self.part.check(logits)?;
        Ok(T::slice_maxima(&self.part, logits))
    }

    /// The sums of each row of the slice, relative to the given maxima: those merged from all slices, or, for
    /// [`Sums::merge`], the slice's own.
    ///
    /// # Errors
    ///
    /// A wrong number of logits, and maxima of another number of rows.
    pub fn sums<T: Element>(&self, logits: &[T], maxima: &Maxima<T::Wide>) -> Result<Sums<T::Wide>, Error> {
        self.part.check(logits)?;
        maxima.check_rows(self.part.count)?;
        Ok(T::slice_sums(&self.part, logits, maxima))
    }
}

impl Part<'_> {
    /// The largest logit of each row.
    pub(crate) fn maxima<T: Element>(&self, logits: &[T]) -> Maxima<T::Wide> {
        let level = level::best();
        let rows = self.each_row(|row, _| {
            let z = self.row_of(logits, row);
            let value = maximum(level, z);
            RowMaximum { value, column: self.classes.start + column_of(level, z, value) }
        });
        Maxima { rows, classes: vec![self.classes.clone()] }
    }

    /// The sums of each row, relative to the given maxima.
    pub(crate) fn sums<T: Element>(&self, logits: &[T], maxima: &Maxima<T::Wide>) -> Sums<T::Wide> {
        let level = level::best();
        let rows = self.each_row(|row, scratch| {
            let (z, maximum) = (self.row_of(logits, row), &maxima.rows[row]);
            match &self.plan {
                Some(plan) => {
                    let target = plan.row(self.rows.get(), row);
                    (self.spread_blocks(level, z, plan, target.as_ref(), maximum), self.targets(z, target.as_ref()))
                }
                None => (self.general_blocks(level, z, row, maximum, scratch), [None; 2]),
            }
        });
        let (blocks, targets): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        Sums { maxima: maxima.rows.clone(), blocks: blocks.concat(), targets, classes: vec![self.classes.clone()] }
    }

    fn check<T>(&self, logits: &[T]) -> Result<(), Error> {
        check_length("the slice's logits", logits.len(), self.count * self.classes.len())
    }

    fn row_of<'l, T>(&self, logits: &'l [T], row: usize) -> &'l [T] {
        &logits[row * self.classes.len()..(row + 1) * self.classes.len()]
    }

    /// What `each` gives for each row, on the current rayon pool if there are many.
    fn each_row<R: Send>(&self, each: impl Fn(usize, &mut GeneralScratch) -> R + Sync + Send) -> Vec<R> {
        let step = batch::rows_of_task(self.classes.len());
        let tasks: Vec<_> = (0..self.count).step_by(step).map(|first| first..self.count.min(first + step)).collect();
        let of_task = |task: Range<usize>| {
            let mut scratch = GeneralScratch::default();
            task.map(|row| each(row, &mut scratch)).collect::<Vec<_>>()
        };
        batch::map(tasks, of_task).into_iter().flatten().collect()
    }

    /// What the blocks of a row of a spread add up to.
    fn spread_blocks<T: Element>(
        &self,
        level: Level,
        z: &[T],
        plan: &SpreadPlan,
        target: Option<&SpreadRow>,
        maximum: &RowMaximum<T::Wide>,
    ) -> Vec<Block> {
        let Some(target) = target.filter(|_| maximum.is_finite()) else {
            return vec![Block::default(); z.len().div_ceil(BLOCK)];
        };
        let hole = plan.hole(target);
        let of_block = |(index, z): (usize, &[T])| {
            let hole = hole.wrapping_sub(self.classes.start + index * BLOCK);
            let [others, shifted] = self.exponentials(level, z, index, maximum, hole);
            Block { others, shifted, ..Block::default() }
        };
        z.chunks(BLOCK).enumerate().map(of_block).collect()
    }

    /// What the blocks of any other row add up to.
    fn general_blocks<T: Element>(
        &self,
        level: Level,
        z: &[T],
        row: usize,
        maximum: &RowMaximum<T::Wide>,
        scratch: &mut GeneralScratch,
    ) -> Vec<Block> {
        let mut blocks = vec![Block::default(); z.len().div_ceil(BLOCK)];
        if !self.rows.get().is_counted(row) {
            return blocks;
        }
        let mut is_finite = maximum.is_finite();
        if maximum.is_finite() {
            for ((index, z), block) in z.chunks(BLOCK).enumerate().zip(&mut blocks) {
                let [others, shifted] = self.exponentials(level, z, index, maximum, NO_COLUMN);
                block.others = others;
                is_finite &= shifted.is_finite();
            }
        }
        let mut places = blocks.iter_mut();
        let row = self.general_row(row, z, maximum.value.to_f64(), maximum.column, is_finite);
        row.blocks(level, scratch, |sums| {
            // Without a maximum there are no shifted logits yet.
            let sums =
                if maximum.is_finite() { sums } else { GeneralSums { shifted: 0.0, given_shifted: 0.0, ..sums } };
            if let Some(block) = places.next() {
                block.target = sums;
            }
        });
        blocks
    }

    /// The slice's columns of a row that is not of a spread.
    fn general_row<'l, T>(&self, row: usize, z: &'l [T], max: f64, m: usize, is_finite: bool) -> GeneralRow<'_, 'l, T> {
        let (rows, columns) = (self.rows.get(), self.classes.clone());
        GeneralRow { rows, row, classes: rows.classes(), columns, z, max, m, is_finite }
    }

    /// The sums of `exp(t)`, without the column of the maximum, and of `t`, without the hole, of one block of a row.
    fn exponentials<T: Element>(
        &self,
        level: Level,
        z: &[T],
        index: usize,
        maximum: &RowMaximum<T::Wide>,
        hole: usize,
    ) -> [f64; 2] {
        let column = maximum.column.wrapping_sub(self.classes.start + index * BLOCK);
        let maximum = maximum.value;
        row::block(level, Row { z, classes: z.len(), maximum, hole, next: &[] }, column, &mut [])
    }

    /// The logits of the row's target classes, of those that are in the slice.
    fn targets<T: Element>(&self, z: &[T], target: Option<&SpreadRow>) -> [Option<f64>; 2] {
        let Some(target) = target else { return [None; 2] };
        let inside = |class: &usize| self.classes.contains(class);
        target
            .classes
            .map(|class| Some(class).filter(inside).map(|class| z[class - self.classes.start].widen().to_f64()))
    }
}
