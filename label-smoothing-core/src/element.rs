//! The element types of logits: `f32`, `f64`, `f16` and `bf16`.

use half::{bf16, f16};

mod sealed {
    pub trait Sealed {}
}

/// An element type that the kernel takes. Sealed: the numerics of each type are part of the definition.
///
/// Half-precision logits are widened exactly and computed in `f32`; their losses stay `f32`, and a gradient is rounded
/// once to the type of the logits.
pub trait Element: sealed::Sealed + Copy + Default + PartialEq + std::fmt::Debug + Send + Sync + 'static {
    /// The type that row losses and upstream gradients have: `f64` for `f64`, `f32` otherwise.
    type Wide: Element<Wide = Self::Wide>;

    /// The name, such as `bf16`.
    const NAME: &'static str;

    /// The unit roundoff: half the distance from 1 to the next larger value.
    const UNIT_ROUNDOFF: f64;

    /// Widens without loss.
    fn to_f64(self) -> f64;

    /// Rounds to nearest, ties to even.
    fn from_f64(value: f64) -> Self;

    /// Widens without loss.
    fn widen(self) -> Self::Wide;

    /// Rounds to nearest, ties to even.
    fn narrow(wide: Self::Wide) -> Self;
}

macro_rules! element {
    ($type:ty, $wide:ty, $name:literal, $unit:expr, $to:expr, $from:expr, $widen:expr, $narrow:expr) => {
        impl sealed::Sealed for $type {}
        impl Element for $type {
            type Wide = $wide;
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
            #[inline(always)]
            fn widen(self) -> $wide {
                $widen(self)
            }
            #[inline(always)]
            fn narrow(wide: $wide) -> Self {
                $narrow(wide)
            }
        }
    };
}

element!(f32, f32, "f32", f32::EPSILON as f64 / 2.0, f64::from, |x: f64| x as f32, |x| x, |x| x);
element!(f64, f64, "f64", f64::EPSILON / 2.0, |x| x, |x| x, |x| x, |x| x);
element!(f16, f32, "f16", 0.000_488_281_25, f16::to_f64, f16::from_f64, f16::to_f32, f16::from_f32);
element!(bf16, f32, "bf16", 0.003_906_25, bf16::to_f64, bf16::from_f64, bf16::to_f32, bf16::from_f32);
