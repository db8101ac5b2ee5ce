//! What the logits are compared with. Targets are typed, never guessed from shapes.

use std::borrow::Cow;

/// Target probabilities in the shape of the logits, finite and not negative; they need not sum to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Probabilities<T>(
    /// The framework's floating-point tensor.
    pub T,
);

/// Two classes per row: `lambda` of the first and `1 - lambda` of the second (mixup: Zhang et al. 2018, arXiv
/// 1710.09412; CutMix: Yun et al. 2019, arXiv 1905.04899).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mixed<I, L> {
    /// The first class of each row.
    pub first: I,
    /// The second class of each row.
    pub second: I,
    /// The share of the first, between 0 and 1, one per row.
    pub lambda: L,
}

/// A few classes per row with their probabilities, such as a teacher's largest ones, without the `N x K` matrix.
///
/// Both have the shape of the logits without the class axis, and one axis more at the end: the `k` entries of a row.
/// Probabilities are finite and not negative; they need not sum to 1, and a class that is there twice has the sum of both. An
/// entry whose class is an ignored id pads its row and is not looked at; a row of nothing but these is ignored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sparse<C, P> {
    /// The classes of each row.
    pub classes: C,
    /// The probability of each.
    pub probabilities: P,
}

/// Targets of which some rows are ignored: a row whose mask is false is not looked at, and its loss and gradient are 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Masked<T, M> {
    /// Any kind of target.
    pub targets: T,
    /// One per row; false (or 0) ignores it.
    pub mask: M,
}

/// Targets whose rows count differently.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weighted<T, W> {
    /// Any kind of target.
    pub targets: T,
    /// One per row, finite and not negative; multiplies the row's loss and its share of the denominator `weights`.
    pub row_weights: W,
}

/// An integer type that targets may have.
///
/// A value that `i64` does not hold is no class of any batch: it becomes the nearest `i64` and is refused for its
/// value, unless its row is masked.
pub trait TargetIndex: Copy {
    /// The values as `i64`, borrowed where they are that already.
    fn to_i64s(values: &[Self]) -> Cow<'_, [i64]>;
}

impl TargetIndex for i64 {
    fn to_i64s(values: &[Self]) -> Cow<'_, [i64]> {
        Cow::Borrowed(values)
    }
}

macro_rules! target_index {
    ($($integer:ty),*) => {$(
        impl TargetIndex for $integer {
            #[allow(unused_comparisons, reason = "never true for unsigned integers")]
            fn to_i64s(values: &[Self]) -> Cow<'_, [i64]> {
                let nearest = |value| if value < 0 { i64::MIN } else { i64::MAX };
                values.iter().map(|&value| i64::try_from(value).unwrap_or_else(|_| nearest(value))).collect()
            }
        }
    )*};
}
target_index!(i8, i16, i32, i128, isize, u8, u16, u32, u64, u128, usize);

/// A dense, row-major array on the host: what an adapter makes of its framework's tensor, borrowed where it can be.
#[derive(Debug, Clone, PartialEq)]
pub struct Array<'a, T: Clone> {
    shape: Vec<usize>,
    values: Cow<'a, [T]>,
}

impl<'a, T: Clone> Array<'a, T> {
    /// An array of this shape. That the values fill it is checked with everything else, not here.
    pub fn new(shape: impl Into<Vec<usize>>, values: impl Into<Cow<'a, [T]>>) -> Self {
        Self { shape: shape.into(), values: values.into() }
    }

    /// The lengths of the axes.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The values, the last axis fastest.
    #[must_use]
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// Whether shape and values are those of `expected` axes.
    pub(crate) fn has_shape(&self, expected: &[usize]) -> bool {
        let elements = expected.iter().try_fold(1_usize, |elements, &length| elements.checked_mul(length));
        self.shape == expected && Some(self.values.len()) == elements
    }
}

/// The entries of one row of sparse labels that do not pad it: each a class and its probability.
pub(crate) fn sparse_row<'a>(
    classes: &'a Array<'_, i64>,
    probabilities: &'a Array<'_, f64>,
    ignored: &'a [i64],
    row: usize,
) -> impl Iterator<Item = (i64, f64)> {
    let per_row = classes.shape().last().copied().unwrap_or(0);
    let entries = row * per_row..(row + 1) * per_row;
    let pairs = classes.values()[entries.clone()].iter().zip(&probabilities.values()[entries]);
    pairs.map(|(&class, &probability)| (class, probability)).filter(|(class, _)| !ignored.contains(class))
}

/// The kind of target, with its values on the host.
#[derive(Debug, Clone, PartialEq)]
pub enum Labels<'a, P: Clone> {
    /// One class, or ignored id, per row.
    Indices(Array<'a, i64>),
    /// One probability per logit.
    Probabilities(Array<'a, P>),
    /// Two classes per row.
    Mixed {
        /// The first class of each row.
        first: Array<'a, i64>,
        /// The second class of each row.
        second: Array<'a, i64>,
        /// The share of the first.
        lambda: Array<'a, f64>,
    },
    /// A few classes per row.
    Sparse {
        /// The classes, with an axis for a row's entries at the end.
        classes: Array<'a, i64>,
        /// The probability of each.
        probabilities: Array<'a, f64>,
    },
}

impl<P: Clone> Labels<'_, P> {
    /// The kind in words.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Indices(_) => "class indices",
            Self::Probabilities(_) => "probabilities",
            Self::Mixed { .. } => "mixed targets",
            Self::Sparse { .. } => "sparse soft labels",
        }
    }
}

/// Targets as every adapter hands them to core, with the rows' masks and weights. `P` is the type of probabilities.
#[derive(Debug, Clone, PartialEq)]
pub struct Targets<'a, P: Clone> {
    pub(crate) labels: Labels<'a, P>,
    pub(crate) masks: Vec<Array<'a, bool>>,
    pub(crate) row_weights: Vec<Array<'a, f64>>,
}

impl<'a, P: Clone> Targets<'a, P> {
    /// One class, or ignored id, per row.
    #[must_use]
    pub fn indices(classes: Array<'a, i64>) -> Self {
        Self::from(Labels::Indices(classes))
    }

    /// One probability per logit.
    #[must_use]
    pub fn probabilities(probabilities: Array<'a, P>) -> Self {
        Self::from(Labels::Probabilities(probabilities))
    }

    /// Two classes per row; see [`Mixed`].
    #[must_use]
    pub fn mixed(first: Array<'a, i64>, second: Array<'a, i64>, lambda: Array<'a, f64>) -> Self {
        Self::from(Labels::Mixed { first, second, lambda })
    }

    /// A few classes per row; see [`Sparse`].
    #[must_use]
    pub fn sparse(classes: Array<'a, i64>, probabilities: Array<'a, f64>) -> Self {
        Self::from(Labels::Sparse { classes, probabilities })
    }

    /// Ignores the rows whose mask is false, besides those that are ignored already.
    #[must_use]
    pub fn masked(mut self, mask: Array<'a, bool>) -> Self {
        self.masks.push(mask);
        self
    }

    /// Multiplies the rows' weights.
    #[must_use]
    pub fn weighted(mut self, row_weights: Array<'a, f64>) -> Self {
        self.row_weights.push(row_weights);
        self
    }

    /// The kind of target.
    #[must_use]
    pub fn labels(&self) -> &Labels<'a, P> {
        &self.labels
    }
}

impl<'a, P: Clone> From<Labels<'a, P>> for Targets<'a, P> {
    fn from(labels: Labels<'a, P>) -> Self {
        Self { labels, masks: Vec::new(), row_weights: Vec::new() }
    }
}
