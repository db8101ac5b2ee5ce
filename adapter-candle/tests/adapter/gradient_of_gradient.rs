//! Second-order gradients: candle detaches gradients unless it is told not to; the loss then refuses by name, and its
//! composed path differentiates again.

use std::process::Command;

use crate::common::{self, numbers, var};
use label_smoothing_candle::candle_core::{Device, Tensor};
use label_smoothing_candle::{Config, Smoothing};
use label_smoothing_core::{Array, Problem, Targets, reference};

const DO_NOT_DETACH: &str = "CANDLE_GRAD_DO_NOT_DETACH";

/// Whether candle keeps the graph of gradients in this process. Where not, the test is run again in a process where it
/// does, because candle looks at the environment once, and must pass there.
fn is_told_not_to_detach(test: &str) -> bool {
    if std::env::var_os(DO_NOT_DETACH).is_some() {
        return true;
    }
    let this = std::env::current_exe().unwrap();
    let test = format!("{}::{test}", module_path!().rsplit("::").next().unwrap());
    let output = Command::new(this).args(["--exact", &test]).env(DO_NOT_DETACH, "1").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    false
}

fn config() -> Config {
    Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: 0.1 }).z_loss(1e-2).build().unwrap()
}

fn targets() -> Tensor {
    Tensor::new(&[2_u32, 0], &Device::Cpu).unwrap()
}

#[test]
fn second_order_is_refused() {
    if !is_told_not_to_detach("second_order_is_refused") {
        return;
    }
    let logits = var::<f64>(&numbers(6), &[2, 3]);
    let factor = var::<f64>(&[3.0], &[]);
    let value = common::loss(&config(), &logits, &targets()).unwrap();
    let plain = common::gradient::<f64>(&value, &logits);
    let total = value.mul(&factor).unwrap();
    let gradients = total.backward().unwrap();
    let first = gradients.get(&logits).unwrap();
    let tripled: Vec<f64> = plain.iter().map(|g| 3.0 * g).collect();
    common::assert_same_bits("the first order is as ever", &common::read::<f64>(first), &tripled);

    let refused = first.sqr().unwrap().sum_all().unwrap().backward().unwrap_err().to_string();
    assert!(refused.contains("backward is not supported for the gradient of the smoothed loss"), "{refused}");
}

/// Against central differences of the reference's gradient along a fixed direction.
#[test]
fn second_order_of_the_composed_path() {
    if !is_told_not_to_detach("second_order_of_the_composed_path") {
        return;
    }
    // The first row is confident and the second is not, so that both ways of the maximum are there.
    let z = [0.5, -2.0, 3.0, 0.25, 0.5, 0.0];
    let direction = [1.0, -0.5, 0.25, 0.75, -1.0, 0.5];
    let logits = var::<f64>(&z, &[2, 3]);
    let value = common::composed_loss(&config(), &logits, &targets()).unwrap();
    let gradients = value.backward().unwrap();
    let along = (gradients.get(&logits).unwrap() * common::tensor::<f64>(&direction, &[2, 3])).unwrap();
    let found = common::gradient::<f64>(&along.sum_all().unwrap(), &logits);

    let config = config();
    let problem = Problem::<f64>::new(&config, &[2, 3], Targets::indices(Array::new([2], vec![2, 0]))).unwrap();
    let step = 1e-5;
    let gradient = |by: f64| {
        let moved: Vec<f64> = z.iter().zip(direction).map(|(z, d)| z + by * d).collect();
        reference::loss_gradient(&problem, &moved, 1.0).unwrap()
    };
    let (ahead, behind) = (gradient(step), gradient(-step));
    let expected: Vec<f64> = ahead.iter().zip(behind).map(|(a, b)| (a - b) / (2.0 * step)).collect();
    common::assert_close("the Hessian along a direction", &found, &expected, 1e-9);
}
