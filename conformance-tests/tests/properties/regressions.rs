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

/// burn's composed path panicked where no rows met a class axis that is not the last.
#[test]
fn no_rows_at_any_class_axis_are_no_losses() {
    for (shape, axis) in
        [(vec![1, 0], 0), (vec![0, 1], 1), (vec![0, 3], 1), (vec![3, 0, 2], 0), (vec![2, 3, 0], 1), (vec![0, 3, 2], 1)]
    {
        let mut rows = shape.clone();
        rows.remove(axis);
        let targets = TargetInput::Indices(Dense::new(rows, Vec::new()));
        let config = Config::cross_entropy().class_axis(axis);
        let logits = Dense::new(shape.clone(), Vec::new());
        let question = CaseInput::new(LossFamily::CrossEntropy, config, logits, targets);
        let of_rows = CaseInput { row_losses: true, ..question.clone() };
        for backend in backends::all() {
            let answer = backend.evaluate(&of_rows).unwrap_or_else(|why| panic!("{} {shape:?}: {why}", backend.name()));
            assert_eq!(answer, Outcome { values: Vec::new(), gradient: Vec::new() });
            assert!(backend.evaluate(&question).unwrap().values[0].is_nan(), "{} {shape:?}", backend.name());
        }
    }
}
