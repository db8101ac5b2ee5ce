//! The error of this adapter.

use label_smoothing_core::{ErrorKind, LossError};

/// What can go wrong: the input has no loss, or candle refused.
///
/// It converts into candle's own error, so that `?` works in functions that return [`candle_core::Result`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration or the input has no loss; the message names the value, its place and the allowed range.
    #[error(transparent)]
    Loss(#[from] label_smoothing_core::Error),
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
            Self::Framework(_) | Self::NoParts => ErrorKind::Framework,
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
            Error::NoParts => Self::wrap(error),
        }
    }
}
