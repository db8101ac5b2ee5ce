#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod calibration;
mod check;
mod config;
mod criteria;
mod element;
mod error;
pub mod kernel;
mod parts;
pub mod reference;
mod shape;
mod smoothed_loss;
mod sum;
mod targets;

pub use check::Problem;
pub use config::{
    ClassWeighting, Config, ConfigBuilder, Denominator, EmptyMean, LossFamily, NonFiniteLogits, Preset, Reduction,
    Smoothing, UnknownPreset, epsilon_over_all, epsilon_over_others,
};
pub use element::Element;
pub use error::{Error, ErrorKind, LossError, UnknownErrorKind};
pub use half::{bf16, f16};
pub use parts::LossParts;
pub use shape::Shape;
pub use smoothed_loss::{LossGradient, SmoothedLoss};
pub use targets::{Array, Labels, Masked, Mixed, Probabilities, TargetIndex, Targets, Weighted};
