#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod accuracy;
mod backend;
pub mod backends;
mod bits;
mod case;
mod dtype;
mod harness;
mod input;
mod judge;
mod laws;
mod markdown;
#[cfg(test)]
mod negative_controls;
mod refusals;
mod report;
mod run;
mod scale;
mod session;
mod suite;
mod table;
mod target;
mod terms;
mod tolerance;
mod vectors;

pub use backend::{Backend, Failure, Gap, Outcome};
pub use case::{Case, Check, Expected};
pub use dtype::{Dtype, UnknownDtype};
pub use harness::test_backends;
pub use input::{CaseInput, Dense, Layout, Slices, TargetInput, Verb};
pub use label_smoothing_core::{ErrorKind, LossParts, bf16, f16};
pub use laws::Law;
pub use report::{BackendReport, Counts, Finding, Report};
pub use run::{CaseResult, Status, run, run_case};
pub use suite::Suite;
pub use tolerance::Accuracy;
pub use vectors::{EMBEDDED, ParsedConfig, VectorError, VectorFile, embedded, parse_config};
