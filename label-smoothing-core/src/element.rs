//! The element types of logits: `f32`, `f64`, `f16` and `bf16`.

use fearless_simd::prelude::*;
use fearless_simd::{Simd, f32x16, f64x8};
use half::{bf16, f16};

use crate::check::Problem;
use crate::kernel::slices::{self, Maxima, Merged, Part};
use crate::kernel::{AnyRows, Batch, Float, GradientOf, Memory, Upstream, halves};
use crate::parts::Sums;
use crate::sum::Tree;

/// An element type that the kernel takes. Sealed: the numerics of each type are part of the definition.
///
/// Half-precision logits are widened exactly and computed in `f32`; their losses stay `f32`, and a gradient is rounded
/// once to the type of the logits.
pub trait Element: Copy + Default + PartialEq + std::fmt::Debug + Send + Sync + 'static {
    /// The type that rows are computed in, and that row losses and upstream gradients have: `f64` for `f64`, `f32`
    /// otherwise.
    type Wide: Float + GradientOf<Self>;

    /// The name, such as `bf16`.
    const NAME: &'static str;

    /// The unit roundoff: half the distance from 1 to the next larger value.
    const UNIT_ROUNDOFF: f64;

    /// Widens without loss.
    fn to_f64(self) -> f64;

    /// Rounds to nearest, ties to even.
    #[must_use]
    fn from_f64(value: f64) -> Self;

    /// Widens without loss.
    fn widen(self) -> Self::Wide;

    /// Rounds to nearest, ties to even.
    #[must_use]
    fn narrow(wide: Self::Wide) -> Self;

    /// Loads one vector's worth, widened without loss.
    #[doc(hidden)]
    fn load<S: Simd>(simd: S, from: &[Self]) -> <Self::Wide as Float>::Vector<S>;

    /// Stores one vector's worth, each element rounded to nearest, ties to even.
    #[doc(hidden)]
    fn store<S: Simd>(vector: <Self::Wide as Float>::Vector<S>, to: &mut [Self]);

    /// Values of this type.
    #[doc(hidden)]
    fn values(values: &[Self]) -> Values<'_>;

    /// The values, if they are of this type.
    #[doc(hidden)]
    fn of_values(values: Values<'_>) -> Option<&[Self]>;

    /// Runs a batch of such logits: here, so that it is compiled once and not in every crate that calls it.
    #[doc(hidden)]
    fn run(batch: Batch<'_, Self>) -> Tree<Sums>;

    /// The largest logits of a slice of classes, likewise.
    #[doc(hidden)]
    fn slice_maxima(part: &Part<'_>, logits: &[Self]) -> Maxima<Self::Wide>;

    /// What a slice of classes adds up to.
    #[doc(hidden)]
    fn slice_sums(part: &Part<'_>, logits: &[Self], maxima: &Maxima<Self::Wide>) -> slices::Sums<Self::Wide>;

    /// Writes the gradient of a slice of classes.
    #[doc(hidden)]
    fn slice_gradient(
        part: &Part<'_>,
        memory: Memory<'_, Self>,
        merged: &Merged<Self::Wide>,
        upstream: Upstream<'_, Self::Wide>,
        factor: f64,
    );

    /// The rows of a problem with such probabilities, likewise.
    #[doc(hidden)]
    fn rows<'p>(problem: &'p Problem<'_, Self>) -> AnyRows<'p>;
}

/// Values of one of the types.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub enum Values<'a> {
    F32(&'a [f32]),
    F64(&'a [f64]),
    F16(&'a [f16]),
    Bf16(&'a [bf16]),
}

macro_rules! element {
    ($type:ty, $values:ident, $name:literal, $unit:expr, $to:expr, $from:expr, { $($storage:item)* }) => {
        impl Element for $type {
            const NAME: &'static str = $name;
            const UNIT_ROUNDOFF: f64 = $unit;

            #[inline(always)]
            fn to_f64(self) -> f64 {
                $to(self)
            }

            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                $from(value)
            }

            fn values(values: &[Self]) -> Values<'_> {
                Values::$values(values)
            }

            fn of_values(values: Values<'_>) -> Option<&[Self]> {
                if let Values::$values(values) = values { Some(values) } else { None }
            }

            fn run(batch: Batch<'_, Self>) -> Tree<Sums> {
                batch.run()
            }

            fn slice_maxima(part: &Part<'_>, logits: &[Self]) -> Maxima<Self::Wide> {
                part.maxima(logits)
            }

            fn slice_sums(part: &Part<'_>, logits: &[Self], maxima: &Maxima<Self::Wide>) -> slices::Sums<Self::Wide> {
                part.sums(logits, maxima)
            }

            fn slice_gradient(
                part: &Part<'_>,
                memory: Memory<'_, Self>,
                merged: &Merged<Self::Wide>,
                upstream: Upstream<'_, Self::Wide>,
                factor: f64,
            ) {
                part.write_gradient(memory, merged, upstream, factor);
            }

            fn rows<'p>(problem: &'p Problem<'_, Self>) -> AnyRows<'p> {
                AnyRows::new(problem)
            }

            $($storage)*
        }
    };
}

macro_rules! computed {
    ($type:ty, $values:ident, $vector:ident, $name:literal, $unit:expr, $to:expr, $from:expr) => {
        element!($type, $values, $name, $unit, $to, $from, {
            type Wide = $type;

            #[inline(always)]
            fn widen(self) -> Self {
                self
            }

            #[inline(always)]
            fn narrow(wide: Self) -> Self {
                wide
            }

            #[inline(always)]
            fn load<S: Simd>(simd: S, from: &[Self]) -> $vector<S> {
                $vector::from_slice(simd, from)
            }

            #[inline(always)]
            fn store<S: Simd>(vector: $vector<S>, to: &mut [Self]) {
                vector.store_slice(to);
            }
        });
    };
}

macro_rules! half {
    ($type:ty, $values:ident, $name:literal, $unit:expr, $widen:path, $narrow:path) => {
        element!($type, $values, $name, $unit, <$type>::to_f64, |x: f64| Self::narrow(halves::to_odd(x)), {
            type Wide = f32;

            #[inline(always)]
            fn widen(self) -> f32 {
                $widen(self.to_bits())
            }

            #[inline(always)]
            fn narrow(wide: f32) -> Self {
                Self::from_bits($narrow(wide))
            }

            #[inline(always)]
            fn load<S: Simd>(simd: S, from: &[Self]) -> f32x16<S> {
                let mut wide = [0.0; 16];
                for (wide, half) in wide.iter_mut().zip(&from[..16]) {
                    *wide = half.widen();
                }
                f32x16::from_slice(simd, &wide)
            }

            #[inline(always)]
            fn store<S: Simd>(vector: f32x16<S>, to: &mut [Self]) {
                for (half, &wide) in to[..16].iter_mut().zip(vector.as_slice()) {
                    *half = Self::narrow(wide);
                }
            }
        });
    };
}

computed!(f32, F32, f32x16, "f32", f32::EPSILON as f64 / 2.0, f64::from, |x: f64| x as f32);
computed!(f64, F64, f64x8, "f64", f64::EPSILON / 2.0, |x| x, |x| x);
half!(f16, F16, "f16", 0.000_488_281_25, halves::widen_f16, halves::narrow_f16);
half!(bf16, Bf16, "bf16", 0.003_906_25, halves::widen_bf16, halves::narrow_bf16);
