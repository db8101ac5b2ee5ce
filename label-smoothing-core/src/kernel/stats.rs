//! What is kept of each row so that its gradient can be computed later without adding the row up again.

use super::lanes::Float;
use crate::error::{Error, check_length};
use crate::shape::Shape;

/// Of one row: its maximum, where that is, and the sum of the other exponentials. As small as it gets, and all that the
/// gradient needs besides the logits.
///
/// Rows of few classes, and elements of the binary family, are computed again from the logits alone: for them it is empty.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RowStats<W> {
    pub(super) max: W,
    pub(super) column: usize,
    pub(super) others: f64,
}

/// Refuses statistics that are not of rows of this shape: they may be those of another batch.
pub(super) fn check<W: Float>(stats: &[RowStats<W>], shape: &Shape) -> Result<(), Error> {
    check_length("the rows' statistics", stats.len(), shape.rows())?;
    match stats.iter().position(|stats| stats.column >= shape.classes()) {
        Some(row) => Err(outside(row, stats[row].column, shape.classes())),
        None => Ok(()),
    }
}

/// The error of a maximum at a class that there is not.
pub(super) fn outside(row: usize, column: usize, classes: usize) -> Error {
    Error::Configuration(format!(
        "row {row} has its maximum at class {column}, but the classes are 0 to {}",
        classes - 1
    ))
}

/// What a task does about them.
#[derive(Debug)]
pub(super) enum Stats<'a, W> {
    /// Nothing.
    None,
    /// Keeps those of each row.
    Keep(&'a mut [RowStats<W>]),
    /// Takes those of each row as known.
    Known(&'a [RowStats<W>]),
}

impl<W: Float> Stats<'_, W> {
    /// Those of the first rows, and the rest.
    pub(super) fn split(self, rows: usize) -> (Self, Self) {
        match self {
            Self::None => (Self::None, Self::None),
            Self::Keep(stats) => {
                let (a, b) = stats.split_at_mut(rows);
                (Self::Keep(a), Self::Keep(b))
            }
            Self::Known(stats) => {
                let (a, b) = stats.split_at(rows);
                (Self::Known(a), Self::Known(b))
            }
        }
    }

    /// Those of a row, if they are known.
    pub(super) fn known(&self, row: usize) -> Option<RowStats<W>> {
        match self {
            Self::Known(stats) => Some(stats[row]),
            _ => None,
        }
    }

    /// Keeps those of a row, if they are to be kept.
    pub(super) fn keep(&mut self, row: usize, stats: RowStats<W>) {
        if let Self::Keep(kept) = self {
            kept[row] = stats;
        }
    }
}
