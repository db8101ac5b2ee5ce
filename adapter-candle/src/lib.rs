#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod autograd;
mod composed;
mod error;
mod loss;
mod targets;

label_smoothing_core::criteria! {}

pub use candle_core;
pub use composed::Composed;
pub use error::Error;
pub use label_smoothing_core::{
    ClassWeighting, Config, ConfigBuilder, Denominator, Element, EmptyMean, ErrorKind, Likelihood, LossError,
    LossFamily, LossParts, Masked, Mixed, NonFiniteLogits, OnlineLabelSmoothing, Penalty, PreferenceLoss,
    PreferenceOutcome, PreferencePairs, Preset, Probabilities, Reduction, Schedule, SmoothedLoss, Smoothing, Sparse,
    TargetIndex, Targets, UnknownPreset, Weighted, bf16, calibration, epsilon_over_all, epsilon_over_others, f16,
    per_class_smoothing, soft_targets,
};
pub use targets::{CandleTargets, HostTargets};
