//! The batch that both sides of a comparison get.

use std::fmt;
use std::str::FromStr;

use label_smoothing_conformance::Dtype;
use label_smoothing_conformance::accuracy::Row;
use label_smoothing_core::Element;

/// The smoothing rate of every loss that is timed and smooths.
pub(super) const EPSILON: f64 = 0.1;

/// The largest batch: 1 GiB of logits, of which some frameworks hold a dozen arrays at a time.
const LARGEST: usize = 1 << 28;

/// Rows x classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(super) rows: usize,
    pub(super) classes: usize,
}

impl Shape {
    pub(super) const fn new(rows: usize, classes: usize) -> Self {
        Self { rows, classes }
    }

    pub(super) fn logits(self) -> usize {
        self.rows * self.classes
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.rows, self.classes)
    }
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let (rows, classes) = text
            .split_once('x')
            .filter(|(rows, classes)| is_number(rows) && is_number(classes))
            .ok_or("a shape is ROWSxCLASSES, such as 4096x1000")?;
        // What is too large for the integer is too large for the limit.
        let number = |text: &str| text.parse().unwrap_or(usize::MAX);
        let shape = Self::new(number(rows), number(classes));
        match shape.rows.checked_mul(shape.classes) {
            Some(1..=LARGEST) => Ok(shape),
            _ => Err(format!("rows x classes must lie between 1 and {LARGEST}")),
        }
    }
}

/// Logits with a full mantissa and one class index per row, the same in every run.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(super) shape: Shape,
    /// The element type of the logits, which holds every one of them.
    #[allow(dead_code, reason = "those who read it are features")]
    pub(super) dtype: Dtype,
    /// The smoothing rate.
    pub(super) epsilon: f64,
    logits: Vec<f64>,
    targets: Vec<usize>,
}

impl Batch {
    pub(super) fn new(shape: Shape) -> Self {
        let mut random = fastrand::Rng::with_seed(1);
        let logits = (0..shape.logits()).map(|_| f64::from(16.0 * random.f32() - 8.0)).collect();
        let targets = (0..shape.rows).map(|_| random.usize(0..shape.classes)).collect();
        Self { shape, dtype: Dtype::F32, epsilon: EPSILON, logits, targets }
    }

    /// One row whose accuracy is looked at.
    pub(crate) fn of_row(row: &Row, epsilon: f64) -> Self {
        let shape = Shape::new(1, row.logits.len());
        Self { shape, dtype: row.dtype, epsilon, logits: row.logits.clone(), targets: vec![row.target] }
    }

    /// The logits in an element type that holds them: that of the batch, or `f64`.
    pub(super) fn logits<T: Element>(&self) -> Vec<T> {
        self.logits.iter().map(|&logit| T::from_f64(logit)).collect()
    }

    /// The targets in a framework's integer type, which holds every class of the largest batch.
    pub(super) fn targets<I: TryFrom<usize>>(&self) -> Vec<I> {
        self.targets.iter().filter_map(|&class| I::try_from(class).ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Shape;

    #[test]
    fn shapes_are_read() {
        assert_eq!("4096x1000".parse(), Ok(Shape::new(4096, 1000)));
        assert_eq!("1x268435456".parse(), Ok(Shape::new(1, 1 << 28)));
        assert_eq!(Shape::new(16, 8192).to_string().parse(), Ok(Shape::new(16, 8192)));
    }

    #[test]
    fn what_is_no_shape_is_refused() {
        for text in ["", "x", "10", "10x", "x10", "8x10x2", "8 x 10", "8*10", "-8x10", "+8x10", "8x1.5", "8X10", "ax10"]
        {
            assert!(text.parse::<Shape>().unwrap_err().contains("ROWSxCLASSES"), "{text}");
        }
        for text in ["0x10", "8x0", "1x268435457", "4294967296x4294967296", "99999999999999999999999x1"] {
            assert!(text.parse::<Shape>().unwrap_err().contains("268435456"), "{text}");
        }
    }
}
