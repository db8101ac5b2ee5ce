//! What the properties have found, as single questions.

use label_smoothing_conformance::backends::{self, Kernel};
use label_smoothing_conformance::{Backend, CaseInput, Dense, Outcome, TargetInput};
use label_smoothing_core::{Config, LossFamily};

/// The square of a large logit is infinite, and a z-loss of 0 times that was NaN.
#[test]
fn a_row_of_large_f64_logits_has_a_loss() {
    for z in [4.5e307, -4.5e307, f64::MAX, 1e155] {
        for classes in [1, 2, 40, 1025] {
            let targets = TargetInput::Indices(Dense::new([1], [0]));
            let logits = Dense::new([1, classes], vec![z; classes]);
            let input = CaseInput::new(LossFamily::CrossEntropy, Config::cross_entropy(), logits, targets);
            let Outcome { values, gradient } = Kernel.evaluate(&input).unwrap();
            let exact = (classes as f64).ln();
            assert!((values[0] - exact).abs() <= 1e-15 * exact, "{z} {classes}: {}", values[0]);
            assert!(gradient.iter().all(|g| g.is_finite()));
            for backend in backends::all().iter().filter(|backend| backend.claims_identical_bits()) {
                assert_eq!(backend.evaluate(&input).unwrap().values, values, "{}", backend.name());
            }
        }
    }
}
