//! The composed loss against the reference and finite differences, in `f64`, and where it goes beyond the kernel.

use crate::common::{self, against, binary, elements, everything, gradient, leaf, numbers, read, tensor, widened};
use label_smoothing_core::{Array, Problem, Targets, reference};
use label_smoothing_tch::tch::{Kind, Tensor};
use label_smoothing_tch::{
    Config, Denominator, Element, EmptyMean, Masked, NonFiniteLogits, Probabilities, Reduction,
    SmoothedBinaryCrossEntropy, SmoothedCrossEntropy, SmoothedLoss, Smoothing, Weighted,
};

fn assert_near(name: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        let same = (found.is_nan() && expected.is_nan()) || found == expected;
        assert!(same || (found - expected).abs() <= tolerance, "{name}[{place}]: {found:e}, expected {expected:e}");
    }
}

/// Loss, row losses and both gradients of one problem, against the reference.
fn check<T: Element>(name: &str, config: &Config, dims: &[usize], classes: &[i64], z: &[T]) {
    let mut rows = dims.to_vec();
    rows.remove(config.class_axis().unwrap_or(dims.len() - 1));
    let problem = Problem::new(config, dims, Targets::<f64>::indices(Array::new(rows.clone(), classes))).unwrap();
    let (logits, targets) = (leaf(dims, z), Tensor::from_slice(classes).reshape(common::sizes(&rows)));
    let criterion = SmoothedCrossEntropy::from_config(config.clone()).unwrap().composed();
    let z = widened(z);
    // The inputs are below 4 in magnitude and the losses below 20: a few tens of roundings. The half types compute in f32.
    let tolerance = 50.0 * <T::Wide as Element>::UNIT_ROUNDOFF;
    let gradient_tolerance = tolerance.max(2.0 * T::UNIT_ROUNDOFF);

    let loss = criterion.loss(&logits, &targets).unwrap();
    assert_eq!(loss.kind(), common::kind::<T::Wide>(), "{name}");
    assert_near(name, &read(&loss), &[reference::loss(&problem, &z).unwrap()], tolerance);
    let expected = reference::loss_gradient(&problem, &z, 3.0).unwrap();
    assert_near(name, &read(&gradient(&(loss * 3.0), &logits)), &expected, gradient_tolerance);

    let losses = criterion.row_losses(&logits, &targets).unwrap();
    assert_near(name, &read(&losses), &reference::row_losses(&problem, &z).unwrap(), tolerance);
    let upstream = numbers(problem.losses(), 61);
    let upstream: Vec<f64> = upstream.iter().map(|&u| T::Wide::from_f64(u).to_f64()).collect();
    let expected = reference::row_losses_gradient(&problem, &z, &upstream).unwrap();
    assert_near(name, &read(&gradient(&against(&losses, &upstream), &logits)), &expected, 4.0 * gradient_tolerance);
}

#[test]
fn the_composed_loss_is_the_reference() {
    let classes = [0_i64, 4, -100, 2, 2, 3];
    let middle = everything(5).to_builder().class_axis(0).reduction(Reduction::Sum).build().unwrap();
    let others = Config::cross_entropy()
        .smoothing(Smoothing::UniformOthers { epsilon: 0.3 })
        .ignore_index([-100])
        .denominator(Denominator::All)
        .subtract_entropy(true)
        .build()
        .unwrap();
    check::<f64>("everything", &everything(5), &[6, 5], &classes, &elements(30, 62));
    check::<f32>("f32", &everything(5), &[6, 5], &classes, &elements(30, 62));
    check::<label_smoothing_tch::f16>("f16", &everything(5), &[6, 5], &classes, &elements(30, 62));
    check::<label_smoothing_tch::bf16>("bf16", &everything(5), &[6, 5], &classes, &elements(30, 62));
    check::<f64>("first axis", &middle, &[5, 2, 3], &classes, &elements(30, 63));
    check::<f64>("others", &others, &[2, 3, 5], &classes, &elements(30, 64));
}

/// The kernel's semantics at the edges: infinities, NaN, ties, one class.
#[test]
fn logits_that_are_not_finite_mean_what_they_mean_elsewhere() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let rows = [
        [1.0, 2.0, 2.0, -inf],
        [0.5, -inf, 1.0, 2.0],
        [-inf, -inf, -inf, -inf],
        [1.0, inf, 0.0, 2.0],
        [1.0, nan, 0.0, 2.0],
        [700.0, -700.0, 0.0, -inf],
        [nan, nan, nan, nan],
    ];
    let targets = [1_i64, 1, 0, 1, 2, 0, 3];
    for epsilon in [0.0, 0.1] {
        for handling in [NonFiniteLogits::Propagate, NonFiniteLogits::RestrictSupport] {
            let smoothing = Smoothing::Uniform { epsilon };
            let config = Config::cross_entropy().smoothing(smoothing).non_finite_logits(handling).build().unwrap();
            for (row, target) in rows.iter().zip(targets) {
                check::<f64>(&format!("{row:?} {epsilon} {handling:?}"), &config, &[1, 4], &[target], row);
            }
            for z in [0.5, inf, -inf, nan] {
                check::<f64>(&format!("one class {z}"), &config, &[1, 1], &[0], &[z]);
            }
        }
    }
}

/// Where PyTorch's own loss is 0 from a lead of 17 nats on.
#[test]
fn a_confident_row_keeps_its_relative_precision() {
    for lead in [10.0_f32, 17.0, 30.0, 60.0] {
        let z = [lead, 0.0, 0.0];
        let logits = leaf(&[1, 3], &z);
        let criterion = SmoothedCrossEntropy::new(0.0).unwrap();
        let loss = criterion.composed().loss(&logits, &Tensor::from_slice(&[0_i64])).unwrap();
        let others = 2.0 * (-f64::from(lead)).exp();
        let (expected, g) = (others.ln_1p(), others / (1.0 + others));
        let tolerance = 4.0 * f64::from(f32::EPSILON);
        assert!((read(&loss)[0] / expected - 1.0).abs() < tolerance, "{lead}");
        let found = read(&gradient(&loss, &logits));
        assert!((found[0] / -g - 1.0).abs() < tolerance && (found[1] / (g / 2.0) - 1.0).abs() < tolerance, "{lead}");
    }
}

/// Rows as flat as can be with many classes, where a gradient by differences of large sums would be lost.
#[test]
fn a_flat_row_of_many_classes_keeps_its_gradient() {
    let z: Vec<f32> = elements::<f32>(2000, 65).iter().map(|z| z / 64.0).collect();
    let (logits, targets) = (leaf(&[1, 2000], &z), [7_i64]);
    let criterion = SmoothedCrossEntropy::new(0.1).unwrap();
    let loss = criterion.composed().loss(&logits, &Tensor::from_slice(&targets)).unwrap();
    let found = read(&gradient(&loss, &logits));
    let problem =
        Problem::new(criterion.config(), &[1, 2000], Targets::<f64>::indices(Array::new([1], targets.to_vec())))
            .unwrap();
    let expected = reference::loss_gradient(&problem, &widened(&z), 1.0).unwrap();
    for (class, (found, expected)) in found.iter().zip(&expected).enumerate() {
        // (A p r + a) u with p = 1/2000, r below 10, and a few roundings of it.
        let scale = if class == 7 { 1.0 } else { 10.0 / 2000.0 };
        assert!((found - expected).abs() <= 4.0 * scale * f64::from(f32::EPSILON), "{class}: {found:e} {expected:e}");
    }
}

#[test]
fn a_mean_over_nothing_has_gradient_0_whatever_the_rows_hold() {
    let targets = Tensor::from_slice(&[0_i64, 1]);
    let logits = leaf(&[2, 2], &[f64::NAN, 1.0, 0.5, f64::INFINITY]);
    let zeros = Tensor::from_slice(&[0.0_f64, 0.0]);
    let weightless = Weighted { targets: &targets, row_weights: &zeros };
    for (empty_mean, expected) in [(EmptyMean::Nan, f64::NAN), (EmptyMean::Zero, 0.0)] {
        let config = Config::cross_entropy().empty_mean(empty_mean).build().unwrap();
        let criterion = SmoothedCrossEntropy::from_config(config).unwrap();
        for loss in [criterion.loss(&logits, weightless), criterion.composed().loss(&logits, weightless)] {
            let loss = loss.unwrap();
            assert_near("mean over nothing", &read(&loss), &[expected], 0.0);
            assert_eq!(read(&gradient(&loss, &logits)), [0.0; 4]);
        }
    }
}

#[test]
fn the_binary_composed_loss_is_the_reference() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let z = [0.0, -0.0, 3.0, -3.0, 60.0, -60.0, inf, -inf, inf, -inf, nan, nan];
    let y = [0.5, 1.0, 1.0, 0.25, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0];
    let unsmoothed = Config::binary_cross_entropy().class_weights([1.0, 2.0, 0.0]).build().unwrap();
    for config in [binary(), unsmoothed, binary().to_builder().subtract_entropy(true).build().unwrap()] {
        let criterion = SmoothedBinaryCrossEntropy::from_config(config.clone()).unwrap().composed();
        let targets = Targets::probabilities(Array::new([4, 3], y.to_vec()));
        let problem = Problem::new(&config, &[4, 3], targets).unwrap();
        let (logits, soft) = (leaf(&[4, 3], &z), tensor(&[4, 3], &y));
        let losses = criterion.row_losses(&logits, Probabilities(&soft)).unwrap();
        assert_near("losses", &read(&losses), &reference::row_losses(&problem, &z).unwrap(), 1e-13);
        let upstream = numbers(12, 66);
        let expected = reference::row_losses_gradient(&problem, &z, &upstream).unwrap();
        assert_near("gradient", &read(&gradient(&against(&losses, &upstream), &logits)), &expected, 1e-14);

        let mask = Tensor::from_slice(&[true, true, false, false]);
        let masked = Masked { targets: Probabilities(&soft), mask: &mask };
        let loss = criterion.loss(&logits, masked).unwrap();
        let kept = Targets::probabilities(Array::new([4, 3], y.to_vec()))
            .masked(Array::new([4], vec![true, true, false, false]));
        let problem = Problem::new(&config, &[4, 3], kept).unwrap();
        assert_near("mean", &read(&loss), &[reference::loss(&problem, &z).unwrap()], 1e-13);
        let expected = reference::loss_gradient(&problem, &z, 1.0).unwrap();
        assert_near("gradient of the mean", &read(&gradient(&loss, &logits)), &expected, 1e-14);
    }
}

/// A row of the Hessian, against central differences (step 2^-10, fourth order: see `autograd.rs`) of the
/// reference's gradient.
#[test]
fn the_composed_loss_can_be_differentiated_twice() {
    let (z, direction) = (elements::<f64>(15, 67), numbers(15, 68));
    let config = everything(5);
    let targets = [4_i64, -100, 2];
    let criterion = SmoothedCrossEntropy::from_config(config.clone()).unwrap().composed();
    let logits = leaf(&[3, 5], &z);
    let loss = criterion.loss(&logits, &Tensor::from_slice(&targets)).unwrap();
    let first = Tensor::run_backward(&[loss], &[&logits], true, true).remove(0);
    let along = first.flatten(0, -1).dot(&Tensor::from_slice(&direction));
    let found = read(&gradient(&along, &logits));

    let problem = Problem::new(&config, &[3, 5], Targets::<f64>::indices(Array::new([3], targets.to_vec()))).unwrap();
    let step = 2.0_f64.powi(-10);
    let at = |steps: f64| {
        let moved: Vec<f64> = z.iter().zip(&direction).map(|(z, d)| z + steps * step * d).collect();
        reference::loss_gradient(&problem, &moved, 1.0).unwrap()
    };
    let (near, far) = ([at(1.0), at(-1.0)], [at(2.0), at(-2.0)]);
    let difference = |place: usize| {
        let of = |pair: &[Vec<f64>; 2]| pair[0][place] - pair[1][place];
        (8.0 * of(&near) - of(&far)) / (12.0 * step)
    };
    let expected: Vec<f64> = (0..15).map(difference).collect();
    assert!(expected.iter().any(|value| value.abs() > 0.1));
    // The direction is up to 4 long per logit, so that its fifth power is in what the differences leave out.
    assert_near("hessian", &found, &expected, 1e-9);
    assert_eq!(first.kind(), Kind::Double);
}
