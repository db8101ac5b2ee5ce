//! Every number that decides between right and wrong, each with its reason.
//!
//! ```text
//! |actual - exact| <= (k u + relative_error) scale + eta
//! ```
//!
//! `u` is the unit roundoff of the output's type: that of the losses for a loss (`f32` for half logits), that of the
//! logits for a gradient. The scale is that of the terms which are added and cancel, not that of the result: a unit in
//! the last place of `p - q` says nothing when `p` is near `q`.

use crate::dtype::Dtype;

/// How accurate a backend promises to be: the `k` of the tolerance.
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

/// A row this short has few roundings: `z - max`, the exponential, a sum in a tree of depth 4, the logarithm, the
/// product with the coefficient and the rounding of the result. Each enters the scale once at most, some by half.
const SHORT_ROW: usize = 16;
const K_SHORT_ROW: f64 = 4.0;

/// The sums of any row are joined in a tree or in a wider type, so that their error does not grow with the row; what
/// is left are the same roundings with the worst luck among many classes.
const K_ANY_ROW: f64 = 8.0;

/// A framework sums in blocks of its own choice, typically 16 or 32 lanes, one after the other: the error of such a sum
/// grows by half a unit roundoff for each addition of a lane, hence by about one for every 16 classes.
const K_COMPOSED_PER_CLASS: f64 = 1.0 / 16.0;

impl Accuracy {
    /// The `k` for rows of this many classes.
    #[must_use]
    pub fn k(self, classes: usize) -> f64 {
        match self {
            Self::Kernel if classes <= SHORT_ROW => K_SHORT_ROW,
            Self::Kernel => K_ANY_ROW,
            Self::Composed { base, per_class } => {
                let classes = classes as f64;
                (base + classes * per_class).min(K_ANY_ROW + classes * K_COMPOSED_PER_CLASS)
            }
        }
    }
}

/// What `|z|` and `lse'` leave out of the cost of a class: the rounding of the term itself. It keeps a scale from
/// vanishing where `-log p` does.
pub(crate) const COST_OF_A_TERM: f64 = 1.0;

/// The same for the binary loss, where `softplus(z) <= |z| + log 2` and one more rounding is that of its logarithm.
pub(crate) const COST_OF_A_BINARY_TERM: f64 = 2.0;

/// The binary gradient `w ((1 - q) s(z) - q s(-z))` is a difference of two terms that are at most `w` each. The focal
/// loss adds `gamma` times what its factor changes by, which is less than `gamma` times as much.
pub(crate) const TERMS_OF_A_BINARY_GRADIENT: f64 = 2.0;

/// What is allowed for below the range where relative errors mean something: numbers below the smallest normal one may
/// be flushed to 0 in `f32` and `f64`, as much hardware does. The half types are converted by software, and their
/// subnormals are needed for gradients: one unit of those.
pub(crate) fn eta(dtype: Dtype) -> f64 {
    match dtype {
        Dtype::F64 | Dtype::F32 => dtype.smallest_normal(),
        Dtype::F16 | Dtype::Bf16 => dtype.smallest_subnormal(),
    }
}

/// The same for a number that a probability enters with this factor. The probability is itself such a number, of the type of
/// the losses: what is flushed there is as many times larger here. From a probability of `2^-102` on in `f32`, `2^-969` in
/// `f64`, that is less than one unit roundoff of the scale, whatever the factor.
pub(crate) fn eta_with(dtype: Dtype, factor_of_p: f64) -> f64 {
    eta(dtype).max(factor_of_p * dtype.wide().smallest_normal())
}

/// A confident row's loss and its target's gradient are both about `exp(-gap)`, which the scale above cannot see. Their
/// relative error comes from the roundings of the exponential, the logarithm and the result (2.5 units), and from that
/// of `z - max`, which the exponential magnifies by the `gap` itself. For a binary element the gap is `|z|`.
#[must_use]
pub fn confident_k(gap: f64) -> f64 {
    2.5 + gap
}

/// What is left of that where the rounding of `z - max` is carried into the exponential, as the kernel does: the gap enters
/// through the high and the low part of its multiples of `log 2`, for which a sixteenth is room enough.
#[must_use]
pub fn confident_k_with_residue(gap: f64) -> f64 {
    2.5 + gap / 16.0
}

/// The sums of a row are `f64` for every type: only there are they rounded in the type of the result. That of the exponentials
/// and its inverse by a unit each.
const K_OF_THE_SUM_IN_F64: f64 = 2.0;

/// And, with smoothing, that of the shifted logits, which is what the loss of a row with a lead is made of: by as much again over
/// hundreds of blocks, but by no more than the lead where that is small.
const K_OF_SHIFTED_LOGITS_IN_F64: f64 = 2.0;

/// [`confident_k_with_residue`] for logits of this type, and for rows without any lead, too: what the kernel promises.
#[must_use]
pub fn kernel_confident_k(dtype: Dtype, gap: f64) -> f64 {
    let of_sums = if dtype == Dtype::F64 { K_OF_THE_SUM_IN_F64 + gap.min(K_OF_SHIFTED_LOGITS_IN_F64) } else { 0.0 };
    confident_k_with_residue(gap) + of_sums
}

/// The lead that the relative error of a tail to the power `gamma + 1` is that of: as the tail's own, as many times, for
/// the loss `(1 - p)^gamma (-log p)` is made of so many tails. The power itself is `exp(gamma log(1 - p))` in most hands,
/// whose exponent, `gamma` times the lead, is rounded no worse.
pub(crate) fn lead_of_a_power(gap: f64, gamma: f64) -> f64 {
    (1.0 + gamma) * confident_k(gap) - confident_k(0.0)
}

/// The gradients of a softmax row sum to 0 within this many units of the row's whole mass. Each entry is rounded once,
/// and all of them are at most twice the mass together; the errors of the probabilities cancel, for these are divided by
/// their own sum.
pub const K_ROW_SUM: f64 = 4.0;

/// [`K_ROW_SUM`] for rows of logits of this type.
///
/// In `f64` the sum of the row has the errors of its own terms and of no wider type, and the bound is that of any number
/// of the row. In the half types each gradient below their normal numbers is off by half of the smallest number.
#[must_use]
pub fn row_sum_k(dtype: Dtype, classes: usize) -> f64 {
    match dtype {
        Dtype::F64 => Accuracy::Kernel.k(classes),
        Dtype::F32 => K_ROW_SUM,
        Dtype::F16 | Dtype::Bf16 => K_ROW_SUM + 0.5 * eta(dtype) * classes as f64 / dtype.unit_roundoff(),
    }
}

/// The bound for one number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bound {
    pub(crate) k: f64,
    pub(crate) unit: f64,
    pub(crate) scale: f64,
    pub(crate) relative_error: f64,
    pub(crate) eta: f64,
}

impl Bound {
    /// How far off the exact value a number may be.
    pub(crate) fn allowed(&self) -> f64 {
        (self.k * self.unit + self.relative_error) * self.scale + self.eta
    }

    /// The `k` that an error needs: 0 where `eta` and the source's own error account for it.
    pub(crate) fn needed_k(&self, error: f64) -> f64 {
        let rest = error - self.eta - self.relative_error * self.scale;
        if rest > 0.0 { rest / (self.unit * self.scale) } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::{Accuracy, Bound, confident_k, confident_k_with_residue, eta, eta_with, kernel_confident_k, row_sum_k};
    use crate::dtype::Dtype;

    #[test]
    fn the_kernel_is_held_to_4_up_to_16_classes_and_to_8_beyond() {
        let k = |classes| Accuracy::Kernel.k(classes);
        assert_eq!((k(1), k(16), k(17), k(1_000_000)), (4.0, 4.0, 8.0, 8.0));
    }

    #[test]
    fn no_composed_path_may_promise_less_than_the_design() {
        let generous = Accuracy::Composed { base: 1e9, per_class: 1e9 };
        assert_eq!((generous.k(16), generous.k(1600)), (9.0, 108.0));
        let strict = Accuracy::Composed { base: 5.0, per_class: 0.01 };
        assert_eq!(strict.k(100), 6.0);
        assert!(Accuracy::Composed { base: f64::NAN, per_class: 0.0 }.k(16) <= 9.0);
    }

    #[test]
    fn eta_is_one_smallest_number() {
        assert_eq!(eta(Dtype::F32), 2.0_f64.powi(-126));
        assert_eq!(eta(Dtype::F64), 2.0_f64.powi(-1022));
        assert_eq!(eta(Dtype::F16), 2.0_f64.powi(-24));
        assert_eq!(eta(Dtype::Bf16), 2.0_f64.powi(-133));
    }

    #[test]
    fn a_probability_that_is_flushed_counts_as_often_as_it_enters() {
        assert_eq!(
            [0.0, 1.0, 8.0].map(|factor| eta_with(Dtype::F32, factor)),
            [-126, -126, -123].map(|e| 2.0_f64.powi(e))
        );
        assert_eq!(eta_with(Dtype::F64, 4.0), 2.0_f64.powi(-1020));
        // Halves are computed in `f32`.
        assert_eq!(eta_with(Dtype::F16, 65536.0), 2.0_f64.powi(-24));
        assert_eq!(eta_with(Dtype::F16, 2.0_f64.powi(104)), 2.0_f64.powi(-22));
        assert_eq!(eta_with(Dtype::Bf16, 8.0), 2.0_f64.powi(-123));
    }

    #[test]
    fn the_needed_k_is_k_at_the_bound() {
        let bound = Bound { k: 4.0, unit: 0.5, scale: 3.0, relative_error: 0.25, eta: 0.125 };
        assert_eq!(bound.allowed(), 4.0 * 0.5 * 3.0 + 0.75 + 0.125);
        assert_eq!(bound.needed_k(bound.allowed()), 4.0);
        assert_eq!(bound.needed_k(0.125), 0.0);
        // What must be exact has no scale to divide by.
        assert_eq!(Bound { scale: 0.0, ..bound }.needed_k(0.125), 0.0);
        assert_eq!((confident_k(40.0), confident_k_with_residue(40.0)), (42.5, 5.0));
        assert_eq!((kernel_confident_k(Dtype::F32, 16.0), kernel_confident_k(Dtype::Bf16, 0.0)), (3.5, 2.5));
        assert_eq!([0.0, 1.0, 16.0].map(|gap| kernel_confident_k(Dtype::F64, gap)), [4.5, 5.5625, 7.5]);
        assert_eq!((row_sum_k(Dtype::F32, 1000), row_sum_k(Dtype::F64, 1000)), (4.0, 8.0));
        assert_eq!(row_sum_k(Dtype::F16, 1 << 15), 4.0 + 2.0);
    }
}
