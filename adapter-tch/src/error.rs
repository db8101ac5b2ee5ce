//! The error of this adapter.

use label_smoothing_core::{ErrorKind, LossError};
use tch::{Device, TchError};

/// What can go wrong: an input that has no loss, or libtorch itself. An exception of libtorch is an error, not a panic.
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
    /// libtorch refused or failed.
    #[error(transparent)]
    Framework(#[from] TchError),
    /// The parts of a loss that is composed of libtorch's operations.
    #[error(
        "the parts of the loss come from the kernel, on the CPU, but this loss is composed of libtorch's operations"
    )]
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
