//! The loss composed of candle's operations against core's reference, and what only a composition can get wrong.

use crate::common::{
    assert_close, assert_same_bits, composed_loss, composed_row_losses, gradient, numbers, read, tensor, var,
};
use label_smoothing_candle::candle_core::{DType, Device, Tensor, Var};
use label_smoothing_candle::{Config, EmptyMean, NonFiniteLogits, Reduction, Smoothing, bf16, f16};
use label_smoothing_core::{Array, Problem, Targets, reference};

fn classes(values: &[i64]) -> Tensor {
    Tensor::new(values, &Device::Cpu).unwrap()
}

/// Loss, row losses and both gradients in `f64`. All numbers here are below 16, and sums have few terms.
fn check(name: &str, config: &Config, dims: &[usize], logits: &[f64], targets: &[i64]) {
    let rows = config.class_axis().map_or(&dims[..dims.len() - 1], |_| &dims[..1]);
    let core = Targets::<f64>::indices(Array::new(rows, targets.to_vec()));
    let problem = Problem::new(config, dims, core).unwrap();
    let targets = classes(targets).reshape(rows).unwrap();
    let variable = var::<f64>(logits, dims);
    let close = |what: &str, found: &[f64], expected: &[f64]| {
        let (finite, infinite): (Vec<_>, Vec<_>) = found.iter().zip(expected).partition(|(_, e)| e.is_finite());
        assert!(infinite.iter().all(|(f, e)| f == e || (f.is_nan() && e.is_nan())), "{name}: {what} {infinite:?}");
        let (found, expected): (Vec<f64>, Vec<f64>) = finite.into_iter().unzip();
        assert_close(&format!("{name}: {what}"), &found, &expected, 64.0 * f64::EPSILON);
    };

    let loss = composed_loss(config, &variable, &targets).unwrap();
    close("the loss", &read::<f64>(&loss), &[reference::loss(&problem, logits).unwrap()]);
    let expected = reference::loss_gradient(&problem, logits, 1.0).unwrap();
    close("its gradient", &gradient::<f64>(&loss, &variable), &expected);

    let losses = composed_row_losses(config, &variable, &targets).unwrap();
    assert_eq!(losses.dims(), problem.losses_dims());
    close("row losses", &read::<f64>(&losses), &reference::row_losses(&problem, logits).unwrap());
    let upstream: Vec<f64> = (0..problem.losses()).map(|row| [0.5, -2.0, 1.0][row % 3]).collect();
    let expected = reference::row_losses_gradient(&problem, logits, &upstream).unwrap();
    let total = losses.mul(&tensor::<f64>(&upstream, losses.dims())).unwrap().sum_all().unwrap();
    close("their gradient", &gradient::<f64>(&total, &variable), &expected);
}

fn smoothed() -> Config {
    Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: 0.1 }).build().unwrap()
}

fn binary() -> Config {
    Config::binary_cross_entropy().smoothing(Smoothing::UniformHalf { epsilon: 0.1 }).build().unwrap()
}

#[test]
fn it_is_the_reference() {
    let weighted = smoothed().to_builder().class_weights([1.0, 0.5, 0.0, 2.0, 3.0]);
    let all = [
        ("plain", Config::cross_entropy().build().unwrap()),
        ("smoothed", smoothed()),
        ("weighted, z-loss", weighted.z_loss(1e-2).reduction(Reduction::Sum).build().unwrap()),
        ("less its entropy", smoothed().to_builder().subtract_entropy(true).ignore_index([3]).build().unwrap()),
        ("binary", binary()),
        ("binary less its entropy", binary().to_builder().subtract_entropy(true).build().unwrap()),
    ];
    let targets = [4, 0, 2, 1, 3, 3];
    for (name, config) in all {
        check(name, &config, &[6, 5], &numbers(30), &targets);
        let config = config.to_builder().class_axis(1).build().unwrap();
        check(name, &config, &[6, 5], &numbers(30), &targets);
    }
}

/// Confident rows and rows that are not take the largest logit into the gradient in different ways.
#[test]
fn the_largest_logit_may_be_anywhere() {
    #[rustfmt::skip]
    let logits = [
        9.0, 0.0, -1.0, // confident and right
        9.0, 0.0, -1.0, // confident and wrong
        0.0, 0.0, 0.0, // all the largest
        1.0, 2.0, 2.0, // two of them
        0.0, 0.0, -80.0, // the others sum to 1
    ];
    for config in [Config::cross_entropy().build().unwrap(), smoothed(), binary()] {
        check("maxima", &config, &[5, 3], &logits, &[0, 1, 2, 1, 1]);
    }
    check("one class", &smoothed(), &[2, 1], &[3.0, -2.0], &[0, 0]);
}

#[test]
fn infinite_logits() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    #[rustfmt::skip]
    let logits = [
        1.0, 0.5, -inf, // no mass there
        1.0, -inf, 0.5, // the target is there
        -inf, -inf, -inf,
        inf, 0.0, 1.0,
        0.0, nan, 1.0,
    ];
    let restricted = smoothed().to_builder().non_finite_logits(NonFiniteLogits::RestrictSupport).build().unwrap();
    for config in [Config::cross_entropy().build().unwrap(), restricted, smoothed(), binary()] {
        let config = config.to_builder().reduction(Reduction::Sum).build().unwrap();
        for (row, logits) in logits.chunks(3).enumerate() {
            check(&format!("row {row}"), &config, &[1, 3], logits, &[1]);
        }
    }
}

#[test]
fn confident_rows_keep_their_precision() {
    let config = Config::cross_entropy().build().unwrap();
    for lead in [12.0_f32, 17.0, 30.0, 60.0] {
        let logits = var::<f32>(&[f64::from(lead), 0.0], &[1, 2]);
        let loss = composed_loss(&config, &logits, &classes(&[0])).unwrap();
        let exact = (-f64::from(lead)).exp().ln_1p();
        let units = |found: f64, exact: f64| (found / exact - 1.0).abs() * 2.0_f64.powi(24);
        assert!(units(read::<f32>(&loss)[0], exact) < 2.5, "the loss at a lead of {lead}");
        let found = gradient::<f32>(&loss, &logits);
        let exact = 1.0 / (1.0 + f64::from(lead).exp());
        assert!(units(found[0], -exact) < 2.5 && units(found[1], exact) < 2.5, "{found:?} at a lead of {lead}");
    }
}

#[test]
fn rows_that_are_not_counted_are_exactly_zero() {
    for config in [smoothed(), binary()] {
        let config = config.to_builder().ignore_index([-1]).build().unwrap();
        let logits = var::<f32>(&[1.0, 2.0, f64::NAN, f64::INFINITY, -1.0, 0.5], &[3, 2]);
        let loss = composed_loss(&config, &logits, &classes(&[1, -1, 0])).unwrap();
        let found = gradient::<f32>(&loss, &logits);
        assert!(found[2..4].iter().all(|value| value.to_bits() == 0), "{found:?}");
        assert!(read::<f32>(&loss)[0].is_finite() && found.iter().all(|value| value.is_finite()), "{found:?}");
    }
}

#[test]
fn a_mean_over_nothing_has_gradient_zero() {
    let logits = var::<f32>(&[f64::NAN, 2.0], &[1, 2]);
    let config = smoothed().to_builder().ignore_index([1]);
    let nan = composed_loss(&config.clone().build().unwrap(), &logits, &classes(&[1])).unwrap();
    assert!(read::<f32>(&nan)[0].is_nan());
    assert_eq!(gradient::<f32>(&nan, &logits), [0.0, 0.0]);
    let zero = composed_loss(&config.empty_mean(EmptyMean::Zero).build().unwrap(), &logits, &classes(&[1])).unwrap();
    assert_eq!((read::<f32>(&zero), gradient::<f32>(&zero, &logits)), (vec![0.0], vec![0.0, 0.0]));

    let none = Var::zeros((0, 3), DType::F32, &Device::Cpu).unwrap();
    let loss = composed_loss(&smoothed(), &none, &classes(&[])).unwrap();
    assert!(read::<f32>(&loss)[0].is_nan() && gradient::<f32>(&loss, &none).is_empty());
    assert_eq!(composed_row_losses(&smoothed(), &none, &classes(&[])).unwrap().dims(), [0]);
}

/// Half types are computed in `f32`, and their gradient is rounded once, after the upstream gradient.
#[test]
fn half_types_are_rounded_once() {
    let targets = classes(&[4, 0, 2, 1]);
    let tripled = |logits: &Tensor| (composed_loss(&smoothed(), logits, &targets).unwrap() * 3.0).unwrap();
    let single = var::<f32>(&numbers(20), &[4, 5]);
    let (half, brain) = (var::<f16>(&numbers(20), &[4, 5]), var::<bf16>(&numbers(20), &[4, 5]));
    let expected = gradient::<f32>(&tripled(&single), &single);
    let rounded = |round: fn(f64) -> f64| expected.iter().map(|&value| round(value)).collect::<Vec<_>>();
    let f16s = rounded(|value| f16::from_f32(value as f32).to_f64());
    assert_same_bits("f16", &gradient::<f16>(&tripled(&half), &half), &f16s);
    let bf16s = rounded(|value| bf16::from_f32(value as f32).to_f64());
    assert_same_bits("bf16", &gradient::<bf16>(&tripled(&brain), &brain), &bf16s);
    assert_same_bits("the loss", &read::<f32>(&tripled(&half)), &read::<f32>(&tripled(&single)));
}
