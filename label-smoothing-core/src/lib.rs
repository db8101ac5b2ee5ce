#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

// The kernel's fingerprints, which a test outside of this crate makes too, call it by its name.
#[cfg(test)]
extern crate self as label_smoothing_core;

pub mod calibration;
mod check;
mod config;
mod criteria;
mod element;
mod error;
pub mod kernel;
mod online;
mod parts;
mod preference;
pub mod reference;
mod schedule;
mod shape;
mod smoothed_loss;
pub mod soft_targets;
mod sum;
mod targets;

pub use check::Problem;
pub use config::{
    ClassWeighting, Config, ConfigBuilder, Denominator, EmptyMean, Likelihood, LossFamily, NonFiniteLogits, Penalty,
    Preset, Reduction, Smoothing, UnknownPreset, epsilon_over_all, epsilon_over_others,
};
pub use element::Element;
pub use error::{Error, ErrorKind, LossError, UnknownErrorKind};
pub use half::{bf16, f16};
pub use online::OnlineLabelSmoothing;
pub use parts::LossParts;
pub use preference::{PreferenceLoss, PreferenceOutcome, PreferencePairs};
pub use schedule::{Schedule, per_class_smoothing};
pub use shape::Shape;
pub use smoothed_loss::{LossGradient, SmoothedLoss};
pub use targets::{Array, Labels, Masked, Mixed, Probabilities, Sparse, TargetIndex, Targets, Weighted};
