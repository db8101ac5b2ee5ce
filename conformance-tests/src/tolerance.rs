//! Every number that decides between right and wrong, each with its reason.

/// How accurate a backend promises to be: the `k` in `|actual - exact| <= k u scale + eta`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Accuracy {
    /// The accuracy of the kernel: `k <= 4` for rows of up to 16 classes, `k <= 8` for any number.
    Kernel,
    /// A path composed of a framework's operations, whose sums over classes grow: `k <= base + classes * per_class`,
    /// and never above `8 + classes / 16`.
    Composed {
        /// The part that does not grow.
        base: f64,
        /// The growth with the number of classes.
        per_class: f64,
    },
}
