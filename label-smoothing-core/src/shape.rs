//! Where rows and classes lie in a dense, row-major tensor.

use crate::config::Config;
use crate::error::{Error, check_length};

/// The shape of the logits, seen as `outer x classes x inner`.
///
/// Rows are the positions of the shape without the class axis, the last axis fastest: row `o * inner + i` has its
/// class `c` at element `(o * classes + c) * inner + i`. Logits of rank 1 are one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    dims: Vec<usize>,
    axis: usize,
    outer: usize,
    classes: usize,
    inner: usize,
}

impl Shape {
    /// Finds the class axis of `config` in the logits' shape.
    ///
    /// # Errors
    ///
    /// Rank 0, no such axis, a class axis of length 0, or more elements than an address can count.
    pub fn new(config: &Config, dims: &[usize]) -> Result<Self, Error> {
        let rank = dims.len();
        let axis = config.class_axis();
        let axis = match axis {
            Some(at) if at < rank => at,
            None if rank > 0 => rank - 1,
            _ => return Err(Error::ClassAxis { rank, axis }),
        };
        if dims[axis] == 0 {
            return Err(Error::NoClasses { shape: dims.to_vec(), axis });
        }
        // Of f64, the largest element, so that no byte count overflows either; without axes of length 0, so that no product
        // of some of the axes does.
        let lengths = dims.iter().filter(|&&length| length != 0);
        let bytes = lengths.copied().try_fold(size_of::<f64>(), usize::checked_mul);
        if bytes.is_none_or(|bytes| bytes > isize::MAX as usize) {
            return Err(Error::BufferLength { name: "logits", found: 0, expected: usize::MAX });
        }
        Ok(Self {
            dims: dims.to_vec(),
            axis,
            outer: dims[..axis].iter().product(),
            classes: dims[axis],
            inner: dims[axis + 1..].iter().product(),
        })
    }

    /// The lengths of the axes.
    #[must_use]
    pub fn dims(&self) -> &[usize] {
        &self.dims
    }

    /// The class axis.
    #[must_use]
    pub fn axis(&self) -> usize {
        self.axis
    }

    /// The number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The product of the axes before the class axis.
    #[must_use]
    pub fn outer(&self) -> usize {
        self.outer
    }

    /// The product of the axes after the class axis: how many elements apart the classes of a row are.
    #[must_use]
    pub fn inner(&self) -> usize {
        self.inner
    }

    /// The number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.outer * self.inner
    }

    /// The number of logits.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.rows() * self.classes
    }

    /// The shape of one value per row: the logits' without the class axis.
    #[must_use]
    pub fn row_dims(&self) -> Vec<usize> {
        let mut dims = self.dims.clone();
        dims.remove(self.axis);
        dims
    }

    /// The element of a row's first class; the others follow at distances of [`Shape::inner`].
    #[must_use]
    pub fn row_start(&self, row: usize) -> usize {
        row / self.inner * self.classes * self.inner + row % self.inner
    }

    /// The element of one class of one row.
    #[must_use]
    pub fn element(&self, row: usize, class: usize) -> usize {
        self.row_start(row) + class * self.inner
    }

    /// The values of one row, of one value per logit.
    pub(crate) fn row_of<'a, T>(&self, values: &'a [T], row: usize) -> impl Iterator<Item = &'a T> + use<'a, T> {
        values[self.row_start(row)..].iter().step_by(self.inner).take(self.classes)
    }

    /// Refuses a buffer that does not hold one value per logit.
    ///
    /// # Errors
    ///
    /// [`Error::BufferLength`], naming the buffer.
    pub fn check_buffer(&self, name: &'static str, found: usize) -> Result<(), Error> {
        check_length(name, found, self.elements())
    }
}
