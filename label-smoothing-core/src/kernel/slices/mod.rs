//! A vocabulary in slices: the loss of logits whose classes are spread over devices or ranks, each with some columns of
//! every row.
//!
//! The smoothed target knows the whole vocabulary, so smoothing over a slice of it, and adding up, is another loss. Here
//! each slice gives numbers per row, and these are merged; nobody needs another slice's logits.
//!
//! **In two steps**, with the bits of the whole where slices meet at multiples of 1024 classes:
//!
//! 1. each slice finds its rows' [`Maxima`]; [`Maxima::merge`] is exact, in any order;
//! 2. each slice adds up its rows relative to the merged maxima ([`Slice::sums`]), block by block, and
//!    [`Sums::followed_by`] puts the blocks side by side, in the order of the classes;
//! 3. [`Sums::loss`] is the loss, and [`Slice::gradient`] each slice's part of the gradient.
//!
//! Elsewhere than at multiples of 1024 the blocks are others than the whole's: the result is as accurate, and its bits may differ.
//!
//! **In one step**, if a second exchange costs too much: each slice adds up relative to its own maxima, and
//! [`Sums::merge`] rescales to the larger by `exp(max_1 - max)`, in any order. Two roundings more per merge.
//!
//! For class indices and mixed targets, with every smoothing whose share is the same for all classes: none, `uniform`,
//! `uniform_others`, `uniform_per_class`. Other coefficients are refused.
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

use super::batch;
use super::lanes::BLOCK;
use super::plan::{SpreadPlan, SpreadRow};
use super::row::{self, Maximum, Row};
use crate::check::Problem;
use crate::config::LossFamily;
use crate::element::Element;
use crate::error::{Error, check_length};

pub use merge::{Maxima, Merged, Sums};

use merge::RowMaximum;

/// Some consecutive classes of a problem's rows.
///
/// Its logits are dense, rows x classes of the slice. The problem is that of the whole vocabulary, with all targets, on
/// every rank.
#[derive(Debug)]
pub struct Slice<'a, P: Clone> {
    problem: &'a Problem<'a, P>,
    plan: SpreadPlan<'a>,
    classes: Range<usize>,
}

impl<'a, P: Element> Slice<'a, P> {
    /// The given classes of a problem.
    ///
    /// # Errors
    ///
    /// Classes that the problem does not have, or none; a class axis that is not the last; and coefficients that differ
    /// from class to class (probabilities, a distribution, class weights inside the sum together with smoothing,
    /// excluded or restricted classes), penalties and other likelihoods, and the binary family, whose classes do not meet.
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
        let is_softmax = problem.config().loss() == LossFamily::CrossEntropy;
        match SpreadPlan::new(problem).filter(|_| is_softmax) {
            Some(plan) => Ok(Self { problem, plan, classes }),
            None => refuse(
                "a vocabulary in slices takes softmax losses of indices or mixed targets whose smoothing gives each class \
                 the same share; this configuration has coefficients that differ from class to class, penalties, or \
                 another likelihood than negative_log"
                    .to_owned(),
            ),
        }
    }

    /// The largest logit of each row of the slice.
    ///
    /// # Errors
    ///
    /// A wrong number of logits.
    pub fn maxima<T: Element>(&self, logits: &[T]) -> Result<Maxima<T::Wide>, Error> {
        self.check(logits)?;
        let level = Level::new();
        let rows = self.each_row(|row| {
            let z = self.row_of(logits, row);
            let Maximum { value, is_number } = row::maximum(level, z);
            let value = if is_number { value } else { T::Wide::from_f64(f64::NAN) };
            RowMaximum { value, column: self.classes.start + row::column_of(level, z, value) }
        });
        Ok(Maxima { rows, classes: vec![self.classes.clone()] })
    }

    /// The sums of each row of the slice, relative to the given maxima: those merged from all slices, or, for
    /// [`Sums::merge`], the slice's own.
    ///
    /// # Errors
    ///
    /// A wrong number of logits, and maxima of another number of rows.
    pub fn sums<T: Element>(&self, logits: &[T], maxima: &Maxima<T::Wide>) -> Result<Sums<T::Wide>, Error> {
        self.check(logits)?;
        maxima.check_rows(self.problem.shape().rows())?;
        let level = Level::new();
        let rows = self.each_row(|row| {
            let (z, target) = (self.row_of(logits, row), self.plan.row(self.problem, row));
            (self.blocks(level, z, target.as_ref(), &maxima.rows[row]), self.targets(z, target.as_ref()))
        });
        let (blocks, targets): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        Ok(Sums { maxima: maxima.rows.clone(), blocks: blocks.concat(), targets, classes: vec![self.classes.clone()] })
    }

    fn check<T>(&self, logits: &[T]) -> Result<(), Error> {
        check_length("the slice's logits", logits.len(), self.problem.shape().rows() * self.classes.len())
    }

    fn row_of<'l, T>(&self, logits: &'l [T], row: usize) -> &'l [T] {
        &logits[row * self.classes.len()..(row + 1) * self.classes.len()]
    }

    /// What `each` gives for each row, on the current rayon pool if there are many.
    fn each_row<R: Send>(&self, each: impl Fn(usize) -> R + Sync + Send) -> Vec<R> {
        let rows = self.problem.shape().rows();
        let step = batch::rows_of_task(self.classes.len());
        let tasks: Vec<_> = (0..rows).step_by(step).map(|first| first..rows.min(first + step)).collect();
        batch::map(tasks, |task| task.map(&each).collect::<Vec<_>>()).into_iter().flatten().collect()
    }

    /// The sums of `exp(t)`, without the column of the maximum, and of `t`, without the hole, of each block of a row.
    fn blocks<T: Element>(
        &self,
        level: Level,
        z: &[T],
        target: Option<&SpreadRow>,
        maximum: &RowMaximum<T::Wide>,
    ) -> Vec<[f64; 2]> {
        let Some(target) = target.filter(|_| maximum.is_finite()) else {
            return vec![[0.0; 2]; z.len().div_ceil(BLOCK)];
        };
        let hole = self.plan.hole(target);
        let of_block = |(index, z): (usize, &[T])| {
            let first = self.classes.start + index * BLOCK;
            let (column, hole) = (maximum.column.wrapping_sub(first), hole.wrapping_sub(first));
            let maximum = Maximum { value: maximum.value, is_number: true };
            row::block(level, Row { z, classes: z.len(), maximum, hole, next: &[] }, column)
        };
        z.chunks(BLOCK).enumerate().map(of_block).collect()
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
