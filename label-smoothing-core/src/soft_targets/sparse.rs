//! Soft labels of a few classes per row.

use super::check;
use super::soft_labels::SoftLabels;
use crate::error::{Error, check_length};
use crate::sum::pairwise;

/// Rows that have mass on a few of many classes: a teacher's largest probabilities, the labels of neighbouring tokens.
///
/// `k` entries per row, each a class and a probability; a class that is there twice has the sum of both. Rows need not sum
/// to 1. Their tensors go into [`Sparse`](crate::Sparse): classes and probabilities in the shape of the rows and one axis of
/// `k`. What a teacher's other classes had may be left out, or put back in proportion by [`SparseSoftLabels::normalised`].
///
/// ```
/// use label_smoothing_core::soft_targets::{SoftLabels, SparseSoftLabels};
///
/// let teacher = SoftLabels::new(4, [0.5, 0.125, 0.25, 0.125])?;
/// let top = SparseSoftLabels::top_k(&teacher, 2)?;
/// assert_eq!((top.classes(), top.probabilities()), (&[0, 2][..], &[0.5, 0.25][..]));
/// assert_eq!(top.normalised()?.dense(4)?.row(0), [2.0 / 3.0, 0.0, 1.0 / 3.0, 0.0]);
/// # Ok::<(), label_smoothing_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SparseSoftLabels {
    per_row: usize,
    classes: Vec<i64>,
    probabilities: Vec<f64>,
}

impl SparseSoftLabels {
    /// Rows of `per_row` classes and their probabilities. Ignored ids may stand for classes: a row of nothing but these is
    /// ignored by a loss that ignores them.
    ///
    /// # Errors
    ///
    /// No entry per row; lists of different lengths, or of no whole number of rows; a probability that is negative or not
    /// finite.
    pub fn new(per_row: usize, classes: Vec<i64>, probabilities: Vec<f64>) -> Result<Self, Error> {
        check::positive("the number of entries per row", per_row as f64)?;
        check_length("the list of classes", classes.len(), classes.len().next_multiple_of(per_row))?;
        check_length("the list of probabilities", probabilities.len(), classes.len())?;
        for (entry, &value) in probabilities.iter().enumerate() {
            check::not_negative(format!("probabilities[{entry}]"), value)?;
        }
        Ok(Self { per_row, classes, probabilities })
    }

    /// The `k` largest probabilities of each row, largest first, as they are; of equals, the first classes. For
    /// distillation from a teacher (Hinton et al. 2015, arXiv 1503.02531) without its whole rows.
    ///
    /// # Errors
    ///
    /// A `k` that is not between 1 and the number of classes.
    pub fn top_k(teacher: &SoftLabels, k: usize) -> Result<Self, Error> {
        if !(1..=teacher.classes()).contains(&k) {
            return Err(check::refuse("k", k as f64, "must be between 1 and the number of classes"));
        }
        let (mut classes, mut probabilities) = (Vec::new(), Vec::new());
        for row in 0..teacher.rows() {
            let row = teacher.row(row);
            let mut order: Vec<usize> = (0..row.len()).collect();
            order.sort_by(|&a, &b| row[b].total_cmp(&row[a])); // Stable: of equals, the first.
            classes.extend(order[..k].iter().map(|&class| class as i64));
            probabilities.extend(order[..k].iter().map(|&class| row[class]));
        }
        Self::new(k, classes, probabilities)
    }

    /// The number of entries of each row.
    #[must_use]
    pub fn per_row(&self) -> usize {
        self.per_row
    }

    /// The number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.classes.len() / self.per_row
    }

    /// The classes, row by row.
    #[must_use]
    pub fn classes(&self) -> &[i64] {
        &self.classes
    }

    /// The probabilities, in the order of the classes.
    #[must_use]
    pub fn probabilities(&self) -> &[f64] {
        &self.probabilities
    }

    /// Each row divided by its sum.
    ///
    /// # Errors
    ///
    /// A row whose probabilities are all 0.
    pub fn normalised(&self) -> Result<Self, Error> {
        let mut probabilities = self.probabilities.clone();
        for (row, values) in probabilities.chunks_exact_mut(self.per_row).enumerate() {
            let sum = pairwise(values.len(), &|entry| values[entry]);
            check::positive(format!("the sum of row {row}"), sum)?;
            for value in values {
                *value /= sum;
            }
        }
        Ok(Self { probabilities, ..self.clone() })
    }

    /// The whole rows, for few classes.
    ///
    /// # Errors
    ///
    /// An entry that is no class; what [`SoftLabels::new`] refuses, such as a row that does not sum to 1.
    pub fn dense(&self, classes: usize) -> Result<SoftLabels, Error> {
        check::classes(classes)?;
        let mut values = vec![0.0; self.rows() * classes];
        for (entry, (&class, &probability)) in self.classes.iter().zip(&self.probabilities).enumerate() {
            let row = entry / self.per_row;
            values[row * classes + check::class(row, class, classes)?] += probability;
        }
        SoftLabels::new(classes, values)
    }
}
