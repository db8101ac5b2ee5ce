//! The error of this adapter.

use burn::tensor::{Device, ExecutionError, TensorReadError};
use label_smoothing_core::{ErrorKind, LossError};

/// What can go wrong.
///
/// burn's own operations panic; everything that would make them do so here is found out first and told as an error.
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
        found: Device,
        /// The device of the logits.
        expected: Device,
    },
    /// burn could not read a tensor.
    #[error(transparent)]
    Framework(#[from] TensorReadError),
    /// The parts of a loss that is composed of burn's operations.
    #[error(
        "the parts of the loss come from the kernel, on burn's flex, but this loss is composed of burn's operations"
    )]
    NoParts,
}

impl From<ExecutionError> for Error {
    fn from(error: ExecutionError) -> Self {
        Self::Framework(error.into())
    }
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
