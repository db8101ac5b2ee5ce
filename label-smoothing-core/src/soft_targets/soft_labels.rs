//! What the builders return.

use super::check;
use crate::config::{Config, Smoothing, check_distribution};
use crate::element::Element;
use crate::error::{Error, check_length};

/// One distribution over the classes: a prior.
///
/// ```
/// use label_smoothing_core::soft_targets::SoftLabel;
/// use label_smoothing_core::Smoothing;
///
/// let prior = SoftLabel::new([0.5, 0.25, 0.25])?;
/// let expected = Smoothing::Distribution { epsilon: 0.1, distribution: vec![0.5, 0.25, 0.25] };
/// assert_eq!(prior.smoothing(0.1), expected);
/// assert!(SoftLabel::new([0.5, 0.25]).is_err()); // sums to 0.75
/// # Ok::<(), label_smoothing_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SoftLabel {
    probabilities: Vec<f64>,
}

impl SoftLabel {
    /// A distribution of the caller's.
    ///
    /// # Errors
    ///
    /// Less than two classes; a probability that is negative or not finite; a sum off 1 by more than 1e-6.
    pub fn new(probabilities: impl Into<Vec<f64>>) -> Result<Self, Error> {
        let probabilities = probabilities.into();
        check::classes(probabilities.len())?;
        check_distribution("probabilities", &probabilities)?;
        Ok(Self { probabilities })
    }

    /// One that a builder of this module made.
    pub(super) fn built(probabilities: Vec<f64>) -> Self {
        Self { probabilities }
    }

    /// The number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.probabilities.len()
    }

    /// The probabilities, one per class.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.probabilities
    }

    /// `(1 - e) q + e d` with this distribution as `d`. The rate is checked when a configuration is built.
    #[must_use]
    pub fn smoothing(&self, epsilon: f64) -> Smoothing {
        Smoothing::Distribution { epsilon, distribution: self.probabilities.clone() }
    }
}

/// Distributions over the classes: one per class, or one per example.
///
/// ```
/// use label_smoothing_core::soft_targets::SoftLabels;
/// use label_smoothing_core::{Config, Smoothing};
///
/// let labels = SoftLabels::new(2, [0.75, 0.25, 0.5, 0.5])?;
/// assert_eq!(labels.of(&[1, 0, 1])?.row(1), [0.75, 0.25]);
///
/// let plain = Config::cross_entropy().build()?;
/// assert_eq!(labels.probabilities::<f32>(&plain)?, [0.75, 0.25, 0.5, 0.5]);
/// let smooths = Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: 0.1 }).build()?;
/// assert!(labels.probabilities::<f32>(&smooths).is_err()); // soft already
/// assert_eq!(labels.smoothed_again(0.5)?.row(0), [0.625, 0.375]); // asked for
/// # Ok::<(), label_smoothing_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SoftLabels {
    classes: usize,
    probabilities: Vec<f64>,
}

impl SoftLabels {
    /// Distributions of the caller's, row by row.
    ///
    /// # Errors
    ///
    /// Less than two classes; a number of probabilities that is no multiple of `classes`; a probability that is negative or
    /// not finite; a row whose sum is off 1 by more than 1e-6.
    pub fn new(classes: usize, probabilities: impl Into<Vec<f64>>) -> Result<Self, Error> {
        let probabilities = probabilities.into();
        check::classes(classes)?;
        let whole_rows = probabilities.len().next_multiple_of(classes);
        check_length("the list of probabilities", probabilities.len(), whole_rows)?;
        for (row, values) in probabilities.chunks_exact(classes).enumerate() {
            check_distribution(&format!("row {row}"), values)?;
        }
        Ok(Self { classes, probabilities })
    }

    /// Rows that a builder of this module made.
    pub(super) fn built(classes: usize, rows: impl IntoIterator<Item = Vec<f64>>) -> Self {
        Self { classes, probabilities: rows.into_iter().flatten().collect() }
    }

    /// The number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.probabilities.len() / self.classes
    }

    /// One row.
    ///
    /// # Panics
    ///
    /// Where there is no such row, as an index out of range does.
    #[must_use]
    pub fn row(&self, row: usize) -> &[f64] {
        &self.probabilities[row * self.classes..(row + 1) * self.classes]
    }

    /// All probabilities, row by row.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.probabilities
    }

    /// `(1 - e) q + e rows[y]` with these rows; a rate of 1 makes the row of its class the whole target. The rate is
    /// checked when a configuration is built.
    ///
    /// # Errors
    ///
    /// Not one row per class.
    pub fn smoothing(&self, epsilon: f64) -> Result<Smoothing, Error> {
        self.check_row_per_class()?;
        let rows = self.probabilities.chunks_exact(self.classes).map(<[f64]>::to_vec).collect();
        Ok(Smoothing::ClassRows { epsilon, rows })
    }

    /// The rows of some classes: one per example, given a row per class.
    ///
    /// # Errors
    ///
    /// Not one row per class; a target that is no class.
    pub fn of(&self, targets: &[i64]) -> Result<Self, Error> {
        self.check_row_per_class()?;
        let row =
            |(at, &target): (usize, &i64)| check::class(at, target, self.classes).map(|class| self.row(class).to_vec());
        let rows = targets.iter().enumerate().map(row).collect::<Result<Vec<_>, _>>()?;
        Ok(Self::built(self.classes, rows))
    }

    /// The values of a tensor for [`Probabilities`](crate::Probabilities), row by row, each rounded once to `T`.
    ///
    /// # Errors
    ///
    /// A configuration that smooths: these labels are soft already. [`SoftLabels::smoothed_again`] asks for both.
    pub fn probabilities<T: Element>(&self, config: &Config) -> Result<Vec<T>, Error> {
        if *config.smoothing() != Smoothing::None {
            let kind = config.smoothing().name();
            return Err(Error::Configuration(format!(
                "the targets are soft labels already, and the configuration smooths them by {kind}: take smoothing none, \
                 or ask for it with smoothed_again"
            )));
        }
        Ok(self.probabilities.iter().map(|&value| T::from_f64(value)).collect())
    }

    /// The explicit word for smoothing what is soft: `(1 - e) q + e / K`.
    ///
    /// # Errors
    ///
    /// A rate that is not between 0 and 1.
    pub fn smoothed_again(&self, epsilon: f64) -> Result<Self, Error> {
        if !(0.0..=1.0).contains(&epsilon) {
            return Err(Error::Rate { name: "epsilon".to_owned(), value: epsilon });
        }
        let share = epsilon / self.classes as f64;
        let probabilities = self.probabilities.iter().map(|q| (1.0 - epsilon) * q + share).collect();
        Ok(Self { classes: self.classes, probabilities })
    }

    fn check_row_per_class(&self) -> Result<(), Error> {
        check_length("the list of the classes' rows", self.rows(), self.classes)
    }
}
