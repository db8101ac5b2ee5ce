//! How well a classifier's confidence fits its accuracy, and one number that makes it fit better.
//!
//! Label smoothing is used to make a classifier less over-confident; this module measures whether it did. Everything is a
//! pure function on slices, computed in `f64`:
//!
//! | from | functions |
//! |---|---|
//! | logits and targets | [`softmax`], [`negative_log_likelihood`], [`fit_temperature`] |
//! | probabilities and targets | [`brier_score`], [`top_label`] |
//! | confidences and whether they were right | [`mean_confidence`], [`accuracy`], [`over_confidence`], [`reliability_bins`], [`expected_calibration_error`], [`maximum_calibration_error`] |
//!
//! Logits and probabilities are `rows x classes`, row-major; targets are class indices of any integer type, one per row.
//! No id is ignored here: leave such rows out. The *confidence* of a row is the probability of its most probable class.
//!
//! ```
//! use label_smoothing_core::calibration::{self, Binning};
//!
//! let logits = [4.0_f32, 0.0, 0.0, 0.0, 3.0, 0.0, 5.0, 0.0, 0.0, 0.0, 0.0, 2.0];
//! let targets = [0, 1, 1, 2]; // the third row is wrong, and sure of itself
//! let probabilities = calibration::softmax(&logits, 3, 1.0)?;
//! let top = calibration::top_label(&probabilities, 3, &targets)?;
//! assert_eq!(top.correct, [true, true, false, true]);
//!
//! let error = calibration::expected_calibration_error(&top.confidences, &top.correct, Binning::EqualWidth(15))?;
//! let fit = calibration::fit_temperature(&logits, 3, &targets)?;
//! assert!(error > 0.1 && fit.temperature > 1.0);
//! let before = calibration::negative_log_likelihood(&logits, 3, &targets, 1.0)?;
//! assert!(fit.negative_log_likelihood < before);
//! # Ok::<(), label_smoothing_core::Error>(())
//! ```
//!
//! # Errors
//!
//! [`ErrorKind::BufferLength`](crate::ErrorKind::BufferLength) for slices whose lengths do not fit each other,
//! [`ErrorKind::TargetOutOfRange`](crate::ErrorKind::TargetOutOfRange) for a target that is no class, and
//! [`ErrorKind::InvalidPredictions`](crate::ErrorKind::InvalidPredictions) for anything else: no rows or no classes, a
//! logit, probability or confidence outside its range, a number of bins or a temperature outside theirs.

mod bins;
mod scores;
mod temperature;

use std::borrow::Cow;

use crate::error::{Error, check_length};
use crate::sum::CarriedSum;
use crate::targets::TargetIndex;

pub use bins::{Bin, Binning, expected_calibration_error, maximum_calibration_error, reliability_bins};
pub use scores::{
    TopLabel, accuracy, brier_score, mean_confidence, negative_log_likelihood, over_confidence, softmax, top_label,
};
pub use temperature::{MAX_TEMPERATURE, MIN_TEMPERATURE, TemperatureFit, fit_temperature};

/// One of the values is out of range.
fn invalid(name: impl Into<String>, value: f64, range: &'static str) -> Error {
    Error::Prediction { name: name.into(), value, range }
}

/// The number of rows of a table, which is not 0.
fn row_count(name: &'static str, values: usize, classes: usize) -> Result<usize, Error> {
    if classes == 0 {
        return Err(invalid("the number of classes", 0.0, "at least 1"));
    }
    check_length(name, values, values.next_multiple_of(classes))?;
    some_rows(values / classes)
}

fn some_rows(rows: usize) -> Result<usize, Error> {
    if rows == 0 { Err(invalid("the number of rows", 0.0, "at least 1")) } else { Ok(rows) }
}

/// The targets, seen to be one class for each row.
fn classes_of<I: TargetIndex>(targets: &[I], rows: usize, classes: usize) -> Result<Cow<'_, [i64]>, Error> {
    check_length("targets", targets.len(), rows)?;
    let targets = I::to_i64s(targets);
    let is_class = |target: i64| usize::try_from(target).is_ok_and(|target| target < classes);
    match targets.iter().position(|&target| !is_class(target)) {
        Some(row) => Err(Error::TargetOutOfRange { row, value: targets[row], classes, ignored: Vec::new() }),
        None => Ok(targets),
    }
}

/// The sum over a number, which is that of the terms where a mean is wanted.
fn sum_over(terms: impl IntoIterator<Item = f64>, count: usize) -> f64 {
    let sum = terms.into_iter().fold(CarriedSum::default(), |sum, term| sum + CarriedSum::from(term));
    sum.over(count as f64)
}
