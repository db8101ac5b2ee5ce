//! Targets beyond the uniform: soft labels made from what is known about the classes, as plain mathematics in `f64`.
//!
//! | what is known | builder | gives |
//! |---|---|---|
//! | how alike the classes are | [`from_similarities`], [`from_distances`] | a row per class |
//! | that the classes are in an order | [`ordinal`]: SORD, exponential, binomial, Poisson, triangular | a row per class |
//! | how frequent the classes are | [`prior_from_counts`], [`zipf`], [`zipf_by_rank`] | one row |
//! | that the target is a number | [`ValueSupport`]: two-hot, HL-Gauss | a row per value |
//! | that two examples were blended | [`mixed_pairs`], [`CutMixBox`] | [`Mixed`](crate::Mixed) |
//! | that labels lie in time | [`neighbour_labels`] | a few classes per row |
//! | what a teacher says | [`SparseSoftLabels::top_k`] | a few classes per row |
//!
//! # From soft labels to a loss
//!
//! A row per class goes into [`Smoothing::ClassRows`](crate::Smoothing::ClassRows) by [`SoftLabels::smoothing`], and one
//! row into [`Smoothing::Distribution`](crate::Smoothing::Distribution) by [`SoftLabel::smoothing`]; targets stay class
//! indices. Rows per example are [`Probabilities`](crate::Probabilities): [`SoftLabels::probabilities`] gives their values
//! in the element type of the logits, for the framework's own tensor. Rows of a few classes are [`Sparse`](crate::Sparse).
//!
//! # Soft labels are not smoothed again
//!
//! A label that is soft already says how sure it is, and uniform smoothing on top of it takes that away without a trace.
//! So [`SoftLabels::probabilities`] asks for the configuration and refuses one that smooths. Whoever wants both says so:
//! [`SoftLabels::smoothed_again`]. (`Probabilities` of any other origin are smoothed as the configuration says, as in
//! PyTorch, because nothing is known about them.)
//!
//! # Numerics
//!
//! Exponentials, powers and the error function are those of the crate `libm`, so that targets have the same bits on every
//! platform. Rows sum to 1 within a few units roundoff. Every figure is held to 60-digit arithmetic by the tests.
//!
//! ```
//! use label_smoothing_core::soft_targets::{Distance, sord};
//! use label_smoothing_core::Config;
//!
//! // Five grades. A target of 2 becomes 0.06, 0.24, 0.40, 0.24, 0.06 of the five where the rate is 1.
//! let rows = sord(5, 1.5, Distance::Absolute)?;
//! let config = Config::cross_entropy().smoothing(rows.smoothing(0.5)?).build()?;
//! assert_eq!(config.smoothing().name(), "class_rows");
//! # Ok::<(), label_smoothing_core::Error>(())
//! ```

pub(crate) mod check;
mod mixing;
mod neighbours;
pub mod ordinal;
mod prior;
mod similarity;
mod soft_labels;
mod sparse;
mod value_support;

pub use mixing::{CutMixBox, mixed_pairs};
pub use neighbours::neighbour_labels;
pub use ordinal::{Distance, binomial, exponential, poisson, sord, triangular};
pub use prior::{prior_from_counts, zipf, zipf_by_rank};
pub use similarity::{Diagonal, from_distances, from_similarities};
pub use soft_labels::{SoftLabel, SoftLabels};
pub use sparse::SparseSoftLabels;
pub use value_support::{ValueSupport, symexp, symlog};
