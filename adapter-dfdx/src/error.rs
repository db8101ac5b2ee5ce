//! The error of this adapter.

use dfdx::tensor::CpuError;
use label_smoothing_core::{ErrorKind, LossError};

/// What can go wrong: an input that has no loss, or dfdx itself.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input or the configuration has no loss; the message names the value, its place and the allowed range.
    #[error(transparent)]
    Loss(#[from] label_smoothing_core::Error),
    /// dfdx could not make a tensor.
    #[error("dfdx: {0}")]
    Framework(#[from] CpuError),
}

impl LossError for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Loss(error) => error.kind(),
            Self::Framework(_) => ErrorKind::Framework,
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
