#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backend;
pub mod backends;
mod bits;
mod case;
mod dtype;
mod input;
mod laws;
mod tolerance;
mod vectors;

pub use backend::{Backend, Failure, Gap, Outcome};
pub use case::{Case, Check, Expected};
pub use dtype::{Dtype, UnknownDtype};
pub use input::{CaseInput, Dense, Layout, TargetInput};
pub use label_smoothing_core::{ErrorKind, bf16, f16};
pub use laws::Law;
pub use tolerance::Accuracy;
pub use vectors::{EMBEDDED, ParsedConfig, VectorError, VectorFile, embedded, parse_config};
