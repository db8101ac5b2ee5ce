//! How accurate a loss is, in units roundoff of its element type, on confident rows and on others.
//!
//! # For people who bring a backend
//!
//! The judge of the kit holds an answer to the scale of the terms that cancel in it. Here the answer itself is the scale, on
//! rows whose target has the largest logit, by a lead of 0 to 80 nats:
//!
//! ```text
//! loss                 |actual - exact| / (u |exact|)
//! target's gradient    |actual - exact| / (u (R + A (1 - p_y)))       R = e (K - 1) / K, A = 1; without smoothing, u |exact|
//! row sum              |sum_k g_k| / u
//! ```
//!
//! with `e` the smoothing rate, `u` the unit roundoff of the output's type, and its smallest normal number in place of a
//! smaller scale. So a result that is rounded once has an error of at most 1, and one that is lost altogether an error of
//! `1 / u`. An answer that is not finite has an infinite error.
//!
//! Exact answers come from [`Sums`], in about 104 bits and with nothing of the kernel or the reference in them.
//!
//! ```
//! use label_smoothing_conformance::accuracy::{Point, Sums, ask, confident_k};
//! use label_smoothing_conformance::{Dtype, backends};
//!
//! let row = Point { dtype: Dtype::F32, classes: 1000, lead: 40, offset: 0 }.row(0);
//! let answer = ask(&backends::Kernel, &row, 0.0)?;
//! let errors = Sums::of(&row).exact(0.0).errors(&answer, Dtype::F32, Dtype::F32);
//! assert!(errors.target_gradient <= confident_k(row.gap));
//! # Ok::<(), label_smoothing_conformance::Failure>(())
//! ```

mod row;
mod wide;

use label_smoothing_core::{Config, LossFamily, Smoothing};

use crate::backend::{Backend, Failure, Outcome};
use crate::dtype::Dtype;
use crate::input::{CaseInput, Dense, Layout, TargetInput};

pub use crate::tolerance::{K_ROW_SUM, confident_k, confident_k_with_residue, kernel_confident_k, row_sum_k};
pub use row::{CLASSES, EPSILONS, LEADS, OFFSETS, Point, Row};
pub use wide::DoubleDouble;

/// What the exact answers of a row are made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sums {
    classes: usize,
    /// `sum exp(z_c - z_y)` over the classes other than the target.
    exponentials: DoubleDouble,
    /// `sum (z_y - z_c)`.
    differences: DoubleDouble,
}

impl Sums {
    /// Of a row whose target has the largest logit: no term of the answers is negative then, and none cancels.
    #[must_use]
    pub fn of(row: &Row) -> Self {
        let zero = DoubleDouble::from(0.0);
        let mut sums = Self { classes: row.logits.len(), exponentials: zero, differences: zero };
        for (class, &logit) in row.logits.iter().enumerate() {
            if class != row.target {
                let behind = DoubleDouble::sum(row.logits[row.target], -logit);
                sums.exponentials = sums.exponentials + (-behind).exp();
                sums.differences = sums.differences + behind;
            }
        }
        sums
    }

    /// The exact answers with this smoothing rate, uniform over all classes.
    #[must_use]
    pub fn exact(&self, epsilon: f64) -> Exact {
        let classes = DoubleDouble::from(self.classes as f64);
        let share = DoubleDouble::from(epsilon) / classes;
        let of_others = share * (classes - DoubleDouble::ONE);
        let not_target = self.exponentials / (DoubleDouble::ONE + self.exponentials);
        Exact {
            loss: self.exponentials.ln_1p() + share * self.differences,
            target_gradient: of_others - not_target,
            gradient_scale: (of_others + not_target).to_f64(),
        }
    }
}

/// The exact answers of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exact {
    /// In nats.
    pub loss: DoubleDouble,
    /// The gradient at the target.
    pub target_gradient: DoubleDouble,
    /// `R + A (1 - p_y)`: the two parts of that gradient, which has one of them only without smoothing.
    pub gradient_scale: f64,
}

impl Exact {
    /// How far off an answer is, with losses and gradients of these types.
    #[must_use]
    pub fn errors(&self, answer: &Answer, loss_dtype: Dtype, dtype: Dtype) -> Errors {
        let off = |actual: f64, exact: DoubleDouble| DoubleDouble::from(actual) - exact;
        let sum = answer.gradient.iter().fold(DoubleDouble::from(0.0), |sum, &g| sum + DoubleDouble::from(g));
        Errors {
            loss: in_units(off(answer.loss, self.loss), self.loss.to_f64(), loss_dtype),
            target_gradient: in_units(
                off(answer.gradient[answer.target], self.target_gradient),
                self.gradient_scale,
                dtype,
            ),
            row_sum: in_units(sum, 1.0, dtype),
        }
    }
}

/// Units roundoff of a scale; infinitely many where there is no number.
fn in_units(error: DoubleDouble, scale: f64, dtype: Dtype) -> f64 {
    let units = error.abs().to_f64() / scale.max(dtype.smallest_normal()) / dtype.unit_roundoff();
    if units.is_nan() { f64::INFINITY } else { units }
}

/// What somebody computed for a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The loss, widened.
    pub loss: f64,
    /// The gradient, widened: one for each class.
    pub gradient: Vec<f64>,
    /// The target's class.
    pub target: usize,
}

impl Answer {
    /// Of a row.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] unless there is one gradient for each class.
    pub fn new(row: &Row, loss: f64, gradient: Vec<f64>) -> Result<Self, Failure> {
        if gradient.len() == row.logits.len() {
            Ok(Self { loss, gradient, target: row.target })
        } else {
            Err(Failure::Broken(format!("{} gradients for {} classes", gradient.len(), row.logits.len())))
        }
    }
}

/// What a backend computes for a row: the loss and its gradient, reduced over this row alone.
///
/// # Errors
///
/// Those of the backend, and an answer that does not have one loss and one gradient for each class.
pub fn ask(backend: &dyn Backend, row: &Row, epsilon: f64) -> Result<Answer, Failure> {
    let smoothing = if epsilon == 0.0 { Smoothing::None } else { Smoothing::Uniform { epsilon } };
    let logits = Dense::new([1, row.logits.len()], row.logits.as_slice());
    let targets = TargetInput::Indices(Dense::new([1], [row.target as i64]));
    let config = Config::cross_entropy().smoothing(smoothing);
    let input = CaseInput::new(LossFamily::CrossEntropy, config, logits, targets);
    let Outcome { values, gradient } = backend.evaluate(&input.with(row.dtype, Layout::Contiguous))?;
    match values[..] {
        [loss] => Answer::new(row, loss, gradient),
        _ => Err(Failure::Broken(format!("{} losses for one row", values.len()))),
    }
}

/// Errors in units roundoff: see the [module](self).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Errors {
    /// Of the loss.
    pub loss: f64,
    /// Of the gradient at the target.
    pub target_gradient: f64,
    /// Of the sum of the row's gradient, which is 0.
    pub row_sum: f64,
}

/// The largest errors of one row or more: there is none of no rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Worst {
    /// How many rows.
    pub rows: usize,
    /// The largest errors, which may be those of different rows.
    pub errors: Errors,
    /// The largest share of the bound [`confident_k`] that a loss or target's gradient takes.
    pub of_bound: f64,
    /// The same of the bound [`confident_k_with_residue`].
    pub of_bound_with_residue: f64,
}

impl Worst {
    /// Of one row with this lead.
    #[must_use]
    pub fn of(errors: Errors, gap: f64) -> Self {
        let relative = errors.loss.max(errors.target_gradient);
        Self {
            rows: 1,
            errors,
            of_bound: relative / confident_k(gap),
            of_bound_with_residue: relative / confident_k_with_residue(gap),
        }
    }

    /// Of the rows of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let (a, b) = (self.errors, other.errors);
        Self {
            rows: self.rows + other.rows,
            errors: Errors {
                loss: a.loss.max(b.loss),
                target_gradient: a.target_gradient.max(b.target_gradient),
                row_sum: a.row_sum.max(b.row_sum),
            },
            of_bound: self.of_bound.max(other.of_bound),
            of_bound_with_residue: self.of_bound_with_residue.max(other.of_bound_with_residue),
        }
    }
}

#[cfg(test)]
mod tests;
