//! Configurations by themselves: whatever is read is refused, or can be built and used.
#![no_main]

use label_smoothing_conformance::parse_config;
use label_smoothing_core::{Array, LossFamily, Problem, Targets, kernel, reference};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for loss in [LossFamily::CrossEntropy, LossFamily::BinaryCrossEntropy] {
        let Ok(parsed) = parse_config("fuzz", text, loss) else { continue };
        let Ok(config) = parsed.config.class_axis(1).build() else { continue };
        let classes = config.class_weights().map_or(3, <[f64]>::len);
        let logits: Vec<f64> = (0..2 * classes).map(|at| at as f64).collect();
        let targets = Targets::<f64>::indices(Array::new([2], vec![0, 1]));
        let Ok(problem) = Problem::new(&config, &[2, classes], targets) else { continue };
        let exact = reference::loss(&problem, &logits);
        let fast = kernel::loss(&problem, &logits);
        assert_eq!(exact.map_err(|error| error.kind()).err(), fast.map_err(|error| error.kind()).err());
    }
});
