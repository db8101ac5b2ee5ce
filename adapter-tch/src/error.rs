//! The error of this adapter.

use label_smoothing_core::{ErrorKind, LossError};
use tch::{Device, TchError};

/// What can go wrong: an input that has no loss, or libtorch itself. An exception of libtorch is an error, not a panic.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An input or a configuration that has no loss.
    #[error(transparent)]
    Loss(#[from] label_smoothing_core::Error),
    /// Libtorch refused or failed.
    #[error(transparent)]
    Framework(#[from] TchError),
    /// The parts of a loss that is composed of libtorch's operations.
    #[error(
        "the parts of the loss come from the kernel, on the CPU, but this loss is composed of libtorch's operations"
    )]
    NoParts,
    /// Tensors on different devices, which libtorch does not compute with.
    #[error("{name} are on {found:?}, but the logits are on {expected:?}")]
    Device {
        /// Which tensor: `the targets`, `the row weights`.
        name: &'static str,
        /// Its device.
        found: Device,
        /// The device of the logits.
        expected: Device,
    },
}

impl LossError for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Loss(error) => error.kind(),
            Self::Framework(_) | Self::NoParts | Self::Device { .. } => ErrorKind::Framework,
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
