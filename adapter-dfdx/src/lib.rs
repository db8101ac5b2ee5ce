#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod autograd;
mod error;
mod loss;
mod targets;

label_smoothing_core::criteria! {}

pub use dfdx;
pub use error::Error;
pub use label_smoothing_core::{
    ClassWeighting, Config, ConfigBuilder, Denominator, Element, EmptyMean, ErrorKind, Likelihood, LossError,
    LossFamily, LossParts, Masked, Mixed, NonFiniteLogits, OnlineLabelSmoothing, Penalty, PreferenceLoss,
    PreferenceOutcome, PreferencePairs, Preset, Probabilities, Reduction, Schedule, Shape, SmoothedLoss, Smoothing,
    Sparse, Targets, UnknownPreset, Weighted, bf16, calibration, epsilon_over_all, epsilon_over_others, f16,
    per_class_smoothing, soft_targets,
};
pub use loss::LogitsShape;
pub use targets::{DfdxTargets, Values};
