//! Element types as values.

use std::fmt;
use std::str::FromStr;

use label_smoothing_core::{Element, bf16, f16};

/// An element type of logits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dtype {
    /// IEEE binary64.
    F64,
    /// IEEE binary32.
    F32,
    /// IEEE binary16.
    F16,
    /// The upper half of binary32.
    Bf16,
}

/// Runs `$body` with the type alias `$T` for the element type that a [`Dtype`](crate::Dtype) names.
///
/// ```
/// use label_smoothing_conformance::{Dtype, dispatch};
/// use label_smoothing_core::Element;
///
/// let name = dispatch!(Dtype::Bf16, T => T::NAME);
/// assert_eq!(name, "bf16");
/// ```
#[macro_export]
macro_rules! dispatch {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            $crate::Dtype::F64 => {
                type $T = f64;
                $body
            }
            $crate::Dtype::F32 => {
                type $T = f32;
                $body
            }
            $crate::Dtype::F16 => {
                type $T = $crate::f16;
                $body
            }
            $crate::Dtype::Bf16 => {
                type $T = $crate::bf16;
                $body
            }
        }
    };
}

impl Dtype {
    /// Every element type.
    pub const ALL: &'static [Dtype] = &[Self::F64, Self::F32, Self::F16, Self::Bf16];

    /// The name on the command line and in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        dispatch!(self, T => T::NAME)
    }

    /// The unit roundoff: half the distance from 1 to the next larger value.
    #[must_use]
    pub fn unit_roundoff(self) -> f64 {
        dispatch!(self, T => T::UNIT_ROUNDOFF)
    }

    /// The type that core computes losses of such logits in: `f32` for the half types.
    #[must_use]
    pub fn wide(self) -> Self {
        match self {
            Self::F64 => Self::F64,
            Self::F32 | Self::F16 | Self::Bf16 => Self::F32,
        }
    }

    /// The value rounded to this type, to nearest, ties to even.
    #[must_use]
    pub fn round(self, value: f64) -> f64 {
        dispatch!(self, T => T::from_f64(value).to_f64())
    }

    /// Whether the type holds the value exactly; NaN counts as held.
    #[must_use]
    pub fn fits(self, value: f64) -> bool {
        value.is_nan() || self.round(value) == value
    }

    /// The smallest positive normal number.
    #[must_use]
    pub fn smallest_normal(self) -> f64 {
        match self {
            Self::F64 => f64::MIN_POSITIVE,
            Self::F32 => f64::from(f32::MIN_POSITIVE),
            Self::F16 => f16::MIN_POSITIVE.to_f64(),
            Self::Bf16 => bf16::MIN_POSITIVE.to_f64(),
        }
    }

    /// The smallest positive number.
    #[must_use]
    pub fn smallest_subnormal(self) -> f64 {
        match self {
            Self::F64 => f64::from_bits(1),
            Self::F32 => f64::from(f32::from_bits(1)),
            Self::F16 => f16::from_bits(1).to_f64(),
            Self::Bf16 => bf16::from_bits(1).to_f64(),
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Dtype {
    type Err = UnknownDtype;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.iter().find(|dtype| dtype.name() == name);
        known.copied().ok_or_else(|| UnknownDtype(name.to_owned()))
    }
}

/// A word that is no [`Dtype::name`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no element type; there are f64, f32, f16 and bf16")]
pub struct UnknownDtype(String);
