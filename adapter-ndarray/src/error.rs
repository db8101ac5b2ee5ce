//! The error of this adapter.

/// What can go wrong. ndarray itself refuses nothing on the way, so this is core's error; adapters of frameworks that
/// do have a type of their own with the same [`kind`](label_smoothing_core::LossError::kind).
pub type Error = label_smoothing_core::Error;
