//! Rows from how alike the classes are.

use super::check;
use super::soft_labels::SoftLabels;
use crate::error::{Error, check_length};

/// What becomes of a class's similarity to itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Diagonal {
    /// It takes part like any other: the row has mass on its own class, mostly the largest.
    #[default]
    Included,
    /// It is left out: the row shares out over the other classes only, as
    /// [`Smoothing::UniformOthers`](crate::Smoothing::UniformOthers) does, and what a rate leaves is all that the class has.
    Excluded,
}

/// A row per class from a matrix of similarities.
///
/// ```text
/// row_y[c] = exp(s[y][c] / t) / sum_k exp(s[y][k] / t)          k over all classes, or over those other than y
/// ```
///
/// * **Shapes**: `similarities` is K x K, row `y` for the target class `y`; it need not be symmetric. K rows come back.
/// * **Typical**: cosines of class embeddings with `t` from 0.05 to 0.5, in [`SoftLabels::smoothing`] with a rate of 0.1.
///   A small `t` gives the nearest class everything, a large one is uniform smoothing.
/// * **When**: mistakes between alike classes cost less than others, and the similarities come from elsewhere. Not where
///   alike classes are what has to be told apart.
/// * **Source**: Liu and `JaJa` 2020, arXiv 2006.14028.
///
/// # Errors
///
/// Less than two classes; a matrix that is not square; a similarity that is not finite; a temperature that is not finite
/// and above 0.
///
/// ```
/// use label_smoothing_core::soft_targets::{Diagonal, from_similarities};
///
/// let cosines = [[1.0, 0.8, 0.1], [0.8, 1.0, 0.2], [0.1, 0.2, 1.0]];
/// let rows = from_similarities(&cosines, 0.5, Diagonal::Excluded)?;
/// assert_eq!(rows.row(0)[0], 0.0);
/// assert!(rows.row(0)[1] > rows.row(0)[2]);
/// # Ok::<(), label_smoothing_core::Error>(())
/// ```
pub fn from_similarities(
    similarities: &[impl AsRef<[f64]>],
    temperature: f64,
    diagonal: Diagonal,
) -> Result<SoftLabels, Error> {
    let matrix = square("similarities", similarities)?;
    check::positive("temperature", temperature)?;
    Ok(rows(&matrix, diagonal, |similarity| similarity / temperature))
}

/// A row per class from a matrix of distances, such as heights of the lowest common ancestor in a taxonomy.
///
/// ```text
/// row_y[c] = exp(-d[y][c] / t) / sum_k exp(-d[y][k] / t)
/// ```
///
/// As [`from_similarities`] of `-d`. **Typical**: distances scaled to at most 1 and `t` from 0.03 to 0.25. **Source**:
/// Bertinetto et al. 2020, arXiv 1912.09393, who write `beta` for `1 / t`.
///
/// # Errors
///
/// Those of [`from_similarities`]; a negative distance; a distance of a class to itself that is not 0.
pub fn from_distances(
    distances: &[impl AsRef<[f64]>],
    temperature: f64,
    diagonal: Diagonal,
) -> Result<SoftLabels, Error> {
    let matrix = square("distances", distances)?;
    for (target, row) in matrix.iter().enumerate() {
        for (class, &distance) in row.iter().enumerate() {
            let name = || format!("distances[{target}][{class}]");
            check::not_negative(name(), distance)?;
            if class == target && distance != 0.0 {
                return Err(check::refuse(name(), distance, "a class's distance to itself must be 0"));
            }
        }
    }
    check::positive("temperature", temperature)?;
    Ok(rows(&matrix, diagonal, |distance| -distance / temperature))
}

fn square<'a>(name: &'static str, matrix: &'a [impl AsRef<[f64]>]) -> Result<Vec<&'a [f64]>, Error> {
    let classes = matrix.len();
    check::classes(classes)?;
    let matrix: Vec<&[f64]> = matrix.iter().map(AsRef::as_ref).collect();
    for (target, row) in matrix.iter().enumerate() {
        check_length("a row of a matrix of classes", row.len(), classes)?;
        for (class, &value) in row.iter().enumerate() {
            check::finite(format!("{name}[{target}][{class}]"), value)?;
        }
    }
    Ok(matrix)
}

fn rows(matrix: &[&[f64]], diagonal: Diagonal, score: impl Fn(f64) -> f64) -> SoftLabels {
    let row = |(target, row): (usize, &&[f64])| {
        let score = |(class, &value): (usize, &f64)| {
            let is_left_out = class == target && diagonal == Diagonal::Excluded;
            if is_left_out { f64::NEG_INFINITY } else { score(value) }
        };
        check::softmax(&row.iter().enumerate().map(score).collect::<Vec<_>>())
    };
    SoftLabels::built(matrix.len(), matrix.iter().enumerate().map(row))
}
