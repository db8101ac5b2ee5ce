//! Vector files and configurations that are nearly right: read or refused, and what is read is computed or refused; never
//! a panic. `fuzz/` has the same as targets of libFuzzer, whose corpus this starts from.

#[path = "../../fuzz/mutate.rs"]
mod mutate;

use label_smoothing_conformance::backends::{Kernel, Reference};
use label_smoothing_conformance::{Backend, Dtype, VectorFile, parse_config, run_case};
use label_smoothing_core::LossFamily;
use mutate::Mutations;

/// Of each format in an ordinary run.
const MUTATIONS: usize = 4000;

/// Runs whatever is read; how many cases that were.
fn try_vectors(bytes: &[u8]) -> usize {
    let Ok(file) = VectorFile::parse("fuzz", &String::from_utf8_lossy(bytes)) else { return 0 };
    for case in &file.cases {
        for backend in [&Reference as &dyn Backend, &Kernel] {
            for &dtype in Dtype::ALL {
                let why = run_case(backend, dtype, case).map(|result| result.why).unwrap_or_default();
                assert!(!why.contains("panicked"), "{} in {dtype}: {why}", backend.name());
            }
        }
    }
    file.cases.len()
}

/// Builds whatever is read; whether anything was.
fn try_config(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let parsed = |loss| parse_config("fuzz", &text, loss).is_ok_and(|parsed| parsed.config.build().is_ok());
    [LossFamily::CrossEntropy, LossFamily::BinaryCrossEntropy].map(parsed).contains(&true)
}

#[test]
fn vector_files_nearly_right() {
    let mut mutations = Mutations::new("vectors");
    for whole in mutations.corpus() {
        assert_eq!(try_vectors(whole), 1);
    }
    let read = (0..MUTATIONS).filter(|_| try_vectors(&mutations.mutation()) > 0).count();
    assert!((1..MUTATIONS).contains(&read), "{read} of {MUTATIONS} were read");
}

#[test]
fn configurations_nearly_right() {
    let mut mutations = Mutations::new("config");
    for whole in mutations.corpus() {
        assert!(try_config(whole), "{}", String::from_utf8_lossy(whole));
    }
    let read = (0..MUTATIONS).filter(|_| try_config(&mutations.mutation())).count();
    assert!((1..MUTATIONS).contains(&read), "{read} of {MUTATIONS} were read");
}
