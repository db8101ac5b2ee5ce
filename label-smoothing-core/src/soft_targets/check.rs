//! What every builder refuses, in the same words.

use crate::error::Error;
use crate::sum::pairwise;

/// At least two classes.
pub(crate) fn classes(count: usize) -> Result<(), Error> {
    if count >= 2 { Ok(()) } else { Err(refuse("classes", count as f64, "must be at least 2")) }
}

/// A finite number above 0.
pub(super) fn positive(name: impl Into<String>, value: f64) -> Result<(), Error> {
    if value.is_finite() && value > 0.0 { Ok(()) } else { Err(refuse(name, value, "must be finite and above 0")) }
}

/// A finite number from 0 on.
pub(super) fn not_negative(name: impl Into<String>, value: f64) -> Result<(), Error> {
    if value.is_finite() && value >= 0.0 { Ok(()) } else { Err(refuse(name, value, "must be finite and not negative")) }
}

/// A finite number.
pub(super) fn finite(name: impl Into<String>, value: f64) -> Result<(), Error> {
    if value.is_finite() { Ok(()) } else { Err(refuse(name, value, "must be finite")) }
}

/// A share from 0 to 1.
pub(super) fn share(name: impl Into<String>, value: f64) -> Result<(), Error> {
    if (0.0..=1.0).contains(&value) { Ok(()) } else { Err(refuse(name, value, "must be between 0 and 1")) }
}

/// A class index in range.
pub(super) fn class(row: usize, value: i64, classes: usize) -> Result<usize, Error> {
    match usize::try_from(value) {
        Ok(class) if class < classes => Ok(class),
        _ => Err(Error::TargetOutOfRange { row, value, classes, ignored: Vec::new() }),
    }
}

pub(super) fn refuse(name: impl Into<String>, value: f64, range: &'static str) -> Error {
    Error::Parameter { name: name.into(), value, range }
}

/// Masses as shares of their sum, which is above 0.
pub(super) fn normalised(mut masses: Vec<f64>) -> Vec<f64> {
    let sum = pairwise(masses.len(), &|class| masses[class]);
    for mass in &mut masses {
        *mass /= sum;
    }
    masses
}

/// `exp(score_c) / sum exp(score)`; a score of `-inf` has no mass, but not all of them.
pub(super) fn softmax(scores: &[f64]) -> Vec<f64> {
    let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    normalised(scores.iter().map(|score| libm::exp(score - largest)).collect())
}
