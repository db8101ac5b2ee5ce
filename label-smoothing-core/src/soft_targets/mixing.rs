//! Two labels for a blend of two examples.

use std::ops::Range;

use super::check;
use crate::error::{Error, check_length};
use crate::targets::Mixed;

/// The targets of a batch that was blended with a permutation of itself: row `i` is `lambda` of example `i` and
/// `1 - lambda` of example `permutation[i]`.
///
/// * **Shapes**: one label and one entry of the permutation per row; the lists that come back have as many. Put them into
///   the framework's tensors, inside [`Mixed`].
/// * **Typical**: mixup draws `lambda` from Beta(0.2, 0.2) for each batch; [`CutMixBox::lambda`] gives that of `CutMix`.
/// * With smoothing, the mixture of the two smoothed labels is the target: nothing is smoothed twice.
/// * **Source**: Zhang et al. 2018, arXiv 1710.09412 (mixup); Yun et al. 2019, arXiv 1905.04899 (`CutMix`).
///
/// # Errors
///
/// A `lambda` that is not between 0 and 1; a list of another length, or with an index out of range or twice.
///
/// ```
/// use label_smoothing_core::soft_targets::mixed_pairs;
///
/// let mixed = mixed_pairs(&[3, 1, 2], &[2, 0, 1], 0.75)?;
/// assert_eq!((mixed.first, mixed.second, mixed.lambda), (vec![3, 1, 2], vec![2, 3, 1], vec![0.75; 3]));
/// # Ok::<(), label_smoothing_core::Error>(())
/// ```
pub fn mixed_pairs(labels: &[i64], permutation: &[usize], lambda: f64) -> Result<Mixed<Vec<i64>, Vec<f64>>, Error> {
    let rows = labels.len();
    check::share("lambda", lambda)?;
    check_length("the permutation", permutation.len(), rows)?;
    let mut seen = vec![false; rows];
    for (row, &other) in permutation.iter().enumerate() {
        let name = || format!("permutation[{row}]");
        match seen.get_mut(other) {
            None => return Err(check::refuse(name(), other as f64, "must be the number of a row")),
            Some(seen) if *seen => return Err(check::refuse(name(), other as f64, "must not be there twice")),
            Some(seen) => *seen = true,
        }
    }
    let second = permutation.iter().map(|&other| labels[other]).collect();
    Ok(Mixed { first: labels.to_vec(), second, lambda: vec![lambda; rows] })
}

/// The box of an image that `CutMix` takes from the second example, in pixels.
///
/// **Source**: Yun et al. 2019, arXiv 1905.04899.
///
/// ```
/// use label_smoothing_core::soft_targets::CutMixBox;
///
/// // Around the pixel (2, 30) of 32 x 32, for a lambda of 0.75: 16 x 16, of which 10 x 10 lie in the image.
/// let cut = CutMixBox::around([32, 32], [2, 30], 0.75)?;
/// assert_eq!((cut.rows(), cut.columns()), (0..10, 22..32));
/// assert_eq!(cut.lambda(), 1.0 - 100.0 / 1024.0);
/// # Ok::<(), label_smoothing_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutMixBox {
    image: [usize; 2],
    rows: Range<usize>,
    columns: Range<usize>,
}

impl CutMixBox {
    /// A box of an image of `[height, width]` pixels.
    ///
    /// # Errors
    ///
    /// An image without pixels; a range that is reversed or reaches beyond the image.
    pub fn new(image: [usize; 2], rows: Range<usize>, columns: Range<usize>) -> Result<Self, Error> {
        for (axis, (&length, range)) in ["height", "width"].iter().zip(image.iter().zip([&rows, &columns])) {
            check::positive(format!("the image's {axis}"), length as f64)?;
            if range.start > range.end {
                let name = format!("the end of the box's {axis}");
                return Err(check::refuse(name, range.end as f64, "must not be before its start"));
            }
            if range.end > length {
                let name = format!("the end of the box's {axis}");
                return Err(check::refuse(name, range.end as f64, "must not be beyond the image"));
            }
        }
        Ok(Self { image, rows, columns })
    }

    /// The box around a pixel whose area would be `1 - lambda` of the image, cut off at the image's edges: its sides are
    /// `sqrt(1 - lambda)` of the image's, rounded down, half of that (rounded down) on each side of the pixel.
    ///
    /// # Errors
    ///
    /// Those of [`CutMixBox::new`]; a pixel outside the image; a `lambda` that is not between 0 and 1.
    pub fn around(image: [usize; 2], pixel: [usize; 2], lambda: f64) -> Result<Self, Error> {
        check::share("lambda", lambda)?;
        let part = (1.0 - lambda).sqrt();
        let mut ranges = [0..0, 0..0];
        for (axis, range) in ranges.iter_mut().enumerate() {
            if pixel[axis] >= image[axis] {
                return Err(check::refuse(format!("pixel[{axis}]"), pixel[axis] as f64, "must lie in the image"));
            }
            let half = (image[axis] as f64 * part) as usize / 2;
            *range = pixel[axis].saturating_sub(half)..(pixel[axis] + half).min(image[axis]);
        }
        let [rows, columns] = ranges;
        Self::new(image, rows, columns)
    }

    /// The rows of pixels taken from the second example.
    #[must_use]
    pub fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// The columns of pixels taken from the second example.
    #[must_use]
    pub fn columns(&self) -> Range<usize> {
        self.columns.clone()
    }

    /// The share of the first example: 1 less the box's part of the area.
    #[must_use]
    pub fn lambda(&self) -> f64 {
        let area = |height: usize, width: usize| height as f64 * width as f64;
        1.0 - area(self.rows.len(), self.columns.len()) / area(self.image[0], self.image[1])
    }
}
