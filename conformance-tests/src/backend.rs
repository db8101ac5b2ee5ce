//! What a backend is to the kit: one object-safe trait.

use std::fmt;

use label_smoothing_core::{ErrorKind, LossError, LossParts};

use crate::dtype::Dtype;
use crate::input::{CaseInput, Slices, Verb};
use crate::tolerance::Accuracy;

/// Something that computes the smoothed loss and its gradient.
///
/// # For people who bring a backend
///
/// Implement [`Backend::evaluate`]: build your framework's tensors from the [`CaseInput`], build the configuration,
/// call your loss, differentiate it, and return both as `f64`. Say in [`Backend::gaps`] what you do not support. Then
/// add a test target with `harness = false` and one line, `label_smoothing_conformance::main!(YourBackend);`.
///
/// Be honest about three things, which the kit cannot see: build the configuration from the builder you are given, so
/// that your backend is the one that refuses bad ones; let your framework differentiate, rather than calling a formula;
/// and for [`Layout::Strided`](crate::Layout::Strided) hand over a tensor that really is not contiguous.
pub trait Backend: Send + Sync {
    /// The name in reports and on the command line, such as `candle` or `candle-composed`.
    fn name(&self) -> String;

    /// The framework and the version that is linked, such as `candle-core 0.11.1`.
    fn framework(&self) -> String;

    /// The element types of logits that it claims to take. The kit runs all of them.
    fn dtypes(&self) -> &[Dtype];

    /// Where it computes, such as `cpu` or `cuda:0`.
    fn device(&self) -> String {
        "cpu".to_owned()
    }

    /// What it does not support, each with a reason. Every case that a gap covers must fail: one that passes after all
    /// makes the declaration wrong, and that is a failure.
    fn gaps(&self) -> Vec<Gap> {
        Vec::new()
    }

    /// Whether it promises the kernel's bits: for every case, contiguous and strided, every time. Gradients are compared
    /// after `+ 0.0`, because some frameworks turn -0 into 0.
    fn claims_identical_bits(&self) -> bool {
        false
    }

    /// Whether its framework replaces gradients below the smallest normal number of `dtype` by 0 on their way, on this
    /// processor: then 0 may stand for one of those.
    fn flushes_subnormals(&self, _dtype: Dtype) -> bool {
        false
    }

    /// How accurate it promises to be.
    fn accuracy(&self) -> Accuracy;

    /// The type of the losses for logits of `dtype`: `f32` for the half types unless the framework cannot have that.
    fn loss_dtype(&self, dtype: Dtype) -> Dtype {
        dtype.wide()
    }

    /// The loss and its gradient for one input, or why there is none.
    ///
    /// # Errors
    ///
    /// See [`Failure`].
    fn evaluate(&self, input: &CaseInput) -> Result<Outcome, Failure>;

    /// The loss in parts that add up over batches.
    ///
    /// A backend that does not have them leaves this as it is and declares the gap [`Gap::PARTS`].
    ///
    /// # Errors
    ///
    /// See [`Failure`].
    fn parts(&self, _input: &CaseInput) -> Result<LossParts, Failure> {
        Err(Failure::Unsupported("the loss in parts".to_owned()))
    }

    /// What [`Backend::evaluate`] gives, computed of slices of the classes, none of which sees another's logits.
    ///
    /// A backend that does not do this leaves it as it is and declares the gap [`Gap::SLICES`].
    ///
    /// # Errors
    ///
    /// See [`Failure`].
    fn evaluate_in_slices(&self, _input: &CaseInput, _slices: &Slices) -> Result<Outcome, Failure> {
        Err(Failure::Unsupported("a vocabulary in slices".to_owned()))
    }
}

/// Something that a backend does not support.
#[derive(Clone, Copy)]
pub struct Gap {
    /// What is missing, in a few words: `mixed targets`.
    pub feature: &'static str,
    /// Why.
    pub reason: &'static str,
    /// Which inputs it covers.
    pub covers: fn(&CaseInput) -> bool,
}

impl Gap {
    /// Of a backend that has no [`Backend::parts`].
    pub const PARTS: Self = Self {
        feature: "the loss in parts",
        reason: "the parts are the kernel's, and this backend does not call it",
        covers: |input| input.verb == Verb::Parts,
    };

    /// Of a backend that has no [`Backend::evaluate_in_slices`].
    pub const SLICES: Self = Self {
        feature: "a vocabulary in slices",
        reason: "slices are merged on the host, by `label_smoothing_core::kernel::slices`",
        covers: |input| matches!(input.verb, Verb::Slices(_)),
    };
}

impl fmt::Debug for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gap").field("feature", &self.feature).field("reason", &self.reason).finish_non_exhaustive()
    }
}

/// What a backend computed, widened without loss.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The reduced loss as the only value; or, where [`CaseInput::row_losses`] asks for them, one per row (binary: one
    /// per logit), in the order of the logits.
    pub values: Vec<f64>,
    /// `d (sum upstream * values) / d logits`, in the order of the logits.
    pub gradient: Vec<f64>,
}

/// Why a backend gives no [`Outcome`].
///
/// Every error that answers [`LossError::kind`] converts into [`Failure::Refused`], so that `?` is enough.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The input has no loss.
    #[error("refused as {kind}: {message}")]
    Refused {
        /// The reason, from the shared vocabulary.
        kind: ErrorKind,
        /// The error in the backend's words.
        message: String,
    },
    /// The backend does not do this; a [`Gap`] must say so.
    #[error("unsupported: {0}")]
    Unsupported(String),
    /// Something went wrong that is neither: a panic, a tensor that could not be read back, entries of one backend that
    /// contradict one another.
    #[error("broken: {0}")]
    Broken(String),
}

impl<E: LossError> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Refused { kind: error.kind(), message: error.to_string() }
    }
}
