//! The loss as a part of candle's graph.

use crate::common::{assert_close, assert_same_bits, gradient, loss, numbers, read, row_losses, tensor, var};
use label_smoothing_candle::candle_core::{Device, Tensor, Var, WithDType};
use label_smoothing_candle::{Config, Element, Smoothing};
use label_smoothing_core::{Array, Problem, Targets, kernel, reference};

const CLASSES: [i64; 4] = [2, 0, 1, 2];

fn config() -> Config {
    Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: 0.1 }).z_loss(1e-2).build().unwrap()
}

fn problem(config: &Config) -> Problem<'_, f32> {
    Problem::new(config, &[4, 3], Targets::indices(Array::new([4], CLASSES.to_vec()))).unwrap()
}

fn targets() -> Tensor {
    Tensor::new(&CLASSES, &Device::Cpu).unwrap()
}

/// The inputs and weights of a linear layer, small enough that nothing saturates.
fn layer() -> (Vec<f64>, Vec<f64>) {
    let numbers: Vec<f64> = numbers(14).iter().map(|value| value / 8.0).collect();
    (numbers[..8].to_vec(), numbers[8..].to_vec())
}

fn linear(inputs: &[f64], weights: &[f64]) -> Vec<f64> {
    let product = |row: usize, class: usize| (0..2).map(|i| inputs[2 * row + i] * weights[3 * i + class]).sum();
    (0..12).map(|at| product(at / 3, at % 3)).collect()
}

/// The gradient of a linear layer's weights by central differences of core's reference.
fn weight_gradient_by_differences() -> Vec<f64> {
    let (inputs, weights) = layer();
    let config = config();
    let problem = problem(&config);
    // Truncation: h^2 / 6 times a third derivative below 1; cancellation: 2^-53 times a loss near 1, over h.
    let step = 1e-5;
    let moved = |at: usize, by: f64| {
        let mut weights = weights.clone();
        weights[at] += by;
        reference::loss(&problem, &linear(&inputs, &weights)).unwrap()
    };
    (0..6).map(|at| (moved(at, step) - moved(at, -step)) / (2.0 * step)).collect()
}

fn weight_gradient<T: Element + WithDType>() -> Vec<f64> {
    let (inputs, weights) = layer();
    let weights = var::<T>(&weights, &[2, 3]);
    let logits = tensor::<T>(&inputs, &[4, 2]).matmul(&weights).unwrap();
    gradient::<T>(&loss(&config(), &logits, &targets()).unwrap(), &weights)
}

#[test]
fn a_linear_layer_in_front() {
    let expected = weight_gradient_by_differences();
    assert!(expected.iter().all(|value| value.abs() > 1e-3), "there is something to compare");
    assert_close("f64", &weight_gradient::<f64>(), &expected, 1e-10);
    // Sums of four products below 1 in f32.
    assert_close("f32", &weight_gradient::<f32>(), &expected, 8.0 * 2.0_f64.powi(-24));
}

#[test]
fn a_part_of_a_larger_loss() {
    let logits = var::<f32>(&numbers(12), &[4, 3]);
    let other = logits.sqr().unwrap().sum_all().unwrap();
    let total = ((loss(&config(), &logits, &targets()).unwrap() * 3.0).unwrap() + other).unwrap();

    let config = config();
    let z: Vec<f32> = numbers(12).iter().map(|&z| z as f32).collect();
    let mut expected = vec![0.0_f32; 12];
    kernel::loss_and_gradient(&problem(&config), &z, 3.0, &mut expected).unwrap();
    let expected: Vec<f64> = expected.iter().zip(&z).map(|(g, z)| f64::from(g + 2.0 * z)).collect();
    assert_same_bits("3 loss + |z|^2", &gradient::<f32>(&total, &logits), &expected);
}

#[test]
fn backward_twice_gives_the_same_twice() {
    let logits = var::<f32>(&numbers(12), &[4, 3]);
    let value = loss(&config(), &logits, &targets()).unwrap();
    let once = gradient::<f32>(&value, &logits);
    assert!(once.iter().any(|&g| g != 0.0));
    assert_same_bits("the second time", &gradient::<f32>(&value, &logits), &once);

    let twice = (&value + &value).unwrap();
    let doubled: Vec<f64> = once.iter().map(|g| 2.0 * g).collect();
    assert_same_bits("used twice", &gradient::<f32>(&twice, &logits), &doubled);
}

#[test]
fn a_second_loss_on_the_same_graph() {
    let memory = var::<f64>(&numbers(12), &[4, 3]);
    let logits = memory.affine(0.5, 0.0).unwrap();
    let plain = Config::cross_entropy().build().unwrap();
    let first = loss(&config(), &logits, &targets()).unwrap();
    let second = row_losses(&plain, &logits, &targets()).unwrap().sum_all().unwrap();
    let both = (&first + &second).unwrap();
    let (first, second) = (gradient::<f64>(&first, &memory), gradient::<f64>(&second, &memory));
    let sum: Vec<f64> = first.iter().zip(&second).map(|(a, b)| a + b).collect();
    assert_close("both together", &gradient::<f64>(&both, &memory), &sum, 1e-15);
}

#[test]
fn the_gradient_survives_a_change_of_the_variable() {
    let logits = var::<f32>(&numbers(12), &[4, 3]);
    let value = loss(&config(), &logits, &targets()).unwrap();
    let expected = gradient::<f32>(&value, &logits);
    logits.set(&Tensor::zeros((4, 3), label_smoothing_candle::candle_core::DType::F32, &Device::Cpu).unwrap()).unwrap();
    assert_same_bits("of the logits as they were", &gradient::<f32>(&value, &logits), &expected);
}

#[test]
fn nothing_is_tracked_where_nothing_is_differentiated() {
    let logits = var::<f32>(&numbers(12), &[4, 3]);
    for untracked in [logits.detach(), tensor::<f32>(&numbers(12), &[4, 3])] {
        assert!(!loss(&config(), &untracked, &targets()).unwrap().track_op());
        assert!(!row_losses(&config(), &untracked, &targets()).unwrap().track_op());
    }
    assert!(loss(&config(), &logits, &targets()).unwrap().track_op());
}

#[test]
fn twenty_steps_of_gradient_descent() {
    const STEPS: usize = 20;
    const RATE: f64 = 0.5;
    let (inputs, start) = layer();
    let config = config();

    let weights: Var = var::<f32>(&start, &[2, 3]);
    let inputs_tensor = tensor::<f32>(&inputs, &[4, 2]);
    let mut found = Vec::new();
    for _ in 0..STEPS {
        let value = loss(&config, &inputs_tensor.matmul(&weights).unwrap(), &targets()).unwrap();
        let gradients = value.backward().unwrap();
        let step = (gradients.get(&weights).unwrap() * RATE).unwrap();
        weights.set(&weights.sub(&step).unwrap()).unwrap();
        found.extend(read::<f32>(&value));
    }

    let (problem, mut weights) = (problem(&config), start);
    let mut expected = Vec::new();
    for _ in 0..STEPS {
        let logits: Vec<f32> = linear(&inputs, &weights).iter().map(|&z| z as f32).collect();
        let mut gradient = vec![0.0_f32; 12];
        expected.push(kernel::loss_and_gradient(&problem, &logits, 1.0, &mut gradient).unwrap().value);
        for (at, weight) in weights.iter_mut().enumerate() {
            let slope: f64 = (0..4).map(|row| inputs[2 * row + at / 3] * f64::from(gradient[3 * row + at % 3])).sum();
            *weight -= RATE * slope;
        }
    }
    assert!(expected[STEPS - 1] < 0.8 * expected[0], "it learns: {expected:?}");
    assert_close("the losses", &found, &expected, 1e-5);
}
