//! The error of this adapter.

use candle_core::DeviceLocation;
use label_smoothing_core::{ErrorKind, LossError};

/// What can go wrong: the input has no loss, or candle refused.
///
/// It converts into candle's own error, so that `?` works in functions that return [`candle_core::Result`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input or the configuration has no loss; the message names the value, its place and the allowed range.
    #[error(transparent)]
    Loss(#[from] label_smoothing_core::Error),
    /// A tensor on another device than the logits.
    #[error("{name} are on {found:?}, but the logits are on {expected:?}")]
    Device {
        /// Which tensor: `the targets`, `the row weights`.
        name: &'static str,
        /// Its device.
        found: DeviceLocation,
        /// The device of the logits.
        expected: DeviceLocation,
    },
    /// candle refused.
    #[error("candle: {0}")]
    Framework(#[from] candle_core::Error),
    /// The parts of a loss that is composed of candle's operations.
    #[error("the parts of the loss come from the kernel, on the CPU, but this loss is composed of candle's operations")]
    NoParts,
}

impl LossError for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Loss(error) => error.kind(),
            Self::Device { .. } | Self::Framework(_) | Self::NoParts => ErrorKind::Framework,
        }
    }
}

impl Error {
    /// The reason, from the shared vocabulary; the same as [`LossError::kind`] without the trait in scope.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        LossError::kind(self)
    }
}

impl From<Error> for candle_core::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Loss(error) => Self::wrap(error),
            Error::Framework(error) => error,
            Error::Device { .. } | Error::NoParts => Self::wrap(error),
        }
    }
}
