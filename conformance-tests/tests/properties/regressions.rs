//! What the properties have found, as single questions.

use label_smoothing_conformance::backends::{self, Kernel, Reference};
use label_smoothing_conformance::{Backend, CaseInput, Dense, Dtype, ErrorKind, Failure, Outcome, TargetInput};
use label_smoothing_core::{Config, Likelihood, LossFamily, Reduction, Smoothing};

use super::is_right;

/// The definition's answer, from every backend that takes the question.
fn all_are_right(input: &CaseInput) {
    for backend in backends::all() {
        is_right(backend.as_ref(), input).unwrap_or_else(|why| panic!("{why}\nfor {input:?}"));
    }
}

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

/// Minus infinity, what a masked class costs under `negative` smoothing, and the square of a large `lse`, which is infinite in
/// `f32`, were NaN together in composed paths: in one row, and where two rows are added up.
#[test]
fn a_z_loss_leaves_an_infinite_loss_of_masked_classes_as_it_is() {
    let masked = f64::NEG_INFINITY;
    for rows in [[[1e30, masked, 0.0], [1.0, 2.0, 3.0]], [[1.0, masked, 0.0], [1e30, 2.0, 3.0]]] {
        for dtype in [Dtype::F32, Dtype::Bf16, Dtype::F64] {
            let logits = rows.concat().into_iter().map(|z| dtype.round(z)).collect::<Vec<_>>();
            let targets = TargetInput::Indices(Dense::new([2], [0, 2]));
            let config = Config::cross_entropy().smoothing(Smoothing::Negative { rate: -0.5 }).z_loss(0.01);
            let input = CaseInput::new(LossFamily::CrossEntropy, config, Dense::new([2, 3], logits), targets);
            let loss = Reference.evaluate(&input).unwrap().values[0];
            assert_eq!(loss, f64::NEG_INFINITY);
            for row_losses in [false, true] {
                all_are_right(&CaseInput { dtype, row_losses, ..input.clone() });
            }
        }
    }
}

/// A mass of 4e-46 is 0 in `f32`, and the loss of composed paths was finite: a class masked by `-inf` costs infinity however
/// little its mass is. So does what a mean makes of the least `f64`.
#[test]
fn a_masked_class_of_the_least_mass_costs_infinity() {
    let masked = f64::NEG_INFINITY;
    for dtype in [Dtype::F64, Dtype::F32, Dtype::Bf16, Dtype::F16] {
        let least = dtype.smallest_subnormal();
        let uniform = Smoothing::Uniform { epsilon: 1.2e-45 };
        let indices = TargetInput::Indices(Dense::new([2], [0, 2]));
        let probabilities = TargetInput::Probabilities(Dense::new([2, 3], [1.0, least, 0.0, 0.0, 1.0, 0.0]));
        for (smoothing, targets) in [(uniform, indices), (Smoothing::None, probabilities)] {
            let config = Config::cross_entropy().smoothing(smoothing);
            let logits = Dense::new([2, 3], [1.0, masked, 0.0, 3.0, 2.0, 1.0]);
            let input = CaseInput::new(LossFamily::CrossEntropy, config, logits, targets);
            assert_eq!(Reference.evaluate(&input).unwrap().values, [f64::INFINITY]);
            all_are_right(&CaseInput { dtype, ..input });
        }
    }
}

/// The same of an infinite logit on the side that has next to no mass.
#[test]
fn an_infinite_binary_logit_on_the_side_of_the_least_mass_costs_infinity() {
    let targets = TargetInput::Indices(Dense::new([1], [0]));
    let smoothing = Smoothing::UniformHalf { epsilon: 1e-45 };
    let config = Config::binary_cross_entropy().smoothing(smoothing).reduction(Reduction::Sum);
    let logits = Dense::new([1, 3], [1.0, f64::INFINITY, -1.0]);
    for (place, z) in [(0, f64::NEG_INFINITY), (0, f64::INFINITY), (1, f64::INFINITY), (1, f64::NEG_INFINITY)] {
        let mut logits = logits.clone();
        logits.values[place] = z;
        let input = CaseInput::new(LossFamily::BinaryCrossEntropy, config.clone(), logits, targets.clone());
        for dtype in [Dtype::F64, Dtype::F32, Dtype::Bf16] {
            all_are_right(&CaseInput { dtype, row_losses: true, ..input.clone() });
        }
    }
}

/// Composed paths took the product of a small mass and a weight below 1 for nothing, where it is less than the least number.
#[test]
fn an_infinite_binary_logit_costs_infinity_whatever_its_weight_is() {
    let targets = TargetInput::Probabilities(Dense::new([1, 2], [5e-324, 1.0]));
    let config = Config::binary_cross_entropy().class_weights([1.0 / 1024.0, 1.0]).reduction(Reduction::Sum);
    for z in [f64::NEG_INFINITY, 0.0, f64::INFINITY] {
        let logits = Dense::new([1, 2], [z, 1.0]);
        let input = CaseInput::new(LossFamily::BinaryCrossEntropy, config.clone(), logits, targets.clone());
        all_are_right(&CaseInput { dtype: Dtype::F64, row_losses: true, ..input });
    }
}
