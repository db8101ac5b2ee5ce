//! What the properties have found, as single questions.

use label_smoothing_conformance::backends::{self, Kernel, Reference};
use label_smoothing_conformance::{Backend, CaseInput, Dense, Dtype, ErrorKind, Failure, Outcome, TargetInput};
use label_smoothing_core::{Config, Likelihood, LossFamily, Smoothing};

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

/// candle's composed path had a NaN loss: the square of a large `lse` is infinite in `f32`, and the factor of a row that weighs
/// nothing multiplied it.
#[test]
fn a_z_loss_on_a_large_logit_of_a_row_without_weight_is_0() {
    let logits = [[1e30, 0.0, -1.0], [1.0, 2.0, 3.0]].concat();
    for dtype in [Dtype::F32, Dtype::Bf16] {
        let logits: Vec<f64> = logits.iter().map(|&z| dtype.round(z)).collect();
        let targets = TargetInput::Indices(Dense::new([2], [0, 2]));
        let config = Config::cross_entropy().z_loss(0.25);
        let input = CaseInput {
            dtype,
            row_weights: Some(Dense::new([2], [0.0, 1.0])),
            ..CaseInput::new(LossFamily::CrossEntropy, config, Dense::new([2, 3], logits), targets)
        };
        let lse = (1.0_f64.exp() + 2.0_f64.exp() + 3.0_f64.exp()).ln();
        let exact = lse - 3.0 + 0.25 * lse * lse;
        for backend in backends::all().iter().filter(|backend| backend.dtypes().contains(&dtype)) {
            let Outcome { values, gradient } = backend.evaluate(&input).unwrap();
            assert!((values[0] - exact).abs() < 1e-5, "{} in {dtype}: {}", backend.name(), values[0]);
            assert!(gradient[..3].iter().all(|&g| g == 0.0), "{} in {dtype}: {gradient:?}", backend.name());
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

/// dfdx rounded the reduced loss to `f16` straight from `f64`, and row losses by way of `f32`: a bit apart next to a tie.
#[test]
fn a_half_loss_is_the_kernels_rounded_once_more() {
    let config = Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: 0.5 }).ignore_index([1]);
    let targets = TargetInput::Indices(Dense::new([3], [1, 0, 1]));
    let logits = Dense::new([3, 2], [0.0, 0.0, -16.0, 4.296_875, 0.0, 0.0]);
    let input = CaseInput { dtype: Dtype::F16, ..CaseInput::new(LossFamily::CrossEntropy, config, logits, targets) };
    let loss = Kernel.evaluate(&input).unwrap().values[0];
    for backend in backends::all().iter().filter(|backend| backend.claims_identical_bits()) {
        let expected = backend.loss_dtype(Dtype::F16).round(loss);
        assert_eq!(backend.evaluate(&input).unwrap().values, [expected], "{}", backend.name());
    }
}

/// Whose power is no number: the definition had a NaN loss, the kernel another. Refused now.
#[test]
fn the_binary_focal_loss_has_no_targets_outside_0_to_1() {
    let config = Config::binary_cross_entropy()
        .smoothing(Smoothing::UnbiasedFlip { epsilon: 0.2 })
        .likelihood(Likelihood::Focal { gamma: 0.75, alpha: None });
    let targets = TargetInput::Indices(Dense::new([1], [1]));
    let input = CaseInput::new(LossFamily::BinaryCrossEntropy, config, Dense::new([1, 2], [0.0, -1.5]), targets);
    for backend in backends::all() {
        let refused =
            matches!(backend.evaluate(&input), Err(Failure::Refused { kind: ErrorKind::InvalidConfiguration, .. }));
        assert!(refused, "{}", backend.name());
    }
}

/// Under `negative` the target's mass is positive and that of the others negative: a sum over all classes, with the rest of
/// the target's mass apart, is infinity minus infinity.
#[test]
fn a_masked_target_costs_infinity_under_negative_smoothing() {
    let config = Config::cross_entropy().smoothing(Smoothing::Negative { rate: -0.5 });
    let targets = TargetInput::Indices(Dense::new([1], [0]));
    let logits = Dense::new([1, 3], [f64::NEG_INFINITY, 1.0, 2.0]);
    let input = CaseInput::new(LossFamily::CrossEntropy, config, logits, targets);
    let [exact, found] = [Reference.evaluate(&input), Kernel.evaluate(&input)].map(|answer| answer.unwrap().values[0]);
    assert!(!found.is_nan(), "NaN where the definition has {exact}");
    assert_eq!(found, exact);
}
