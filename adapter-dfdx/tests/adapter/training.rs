//! Plain SGD through dfdx's autograd and through core's kernel alone: the same losses.

use crate::common::{as_type, classes, indices, kernel_loss, scattered};
use dfdx::prelude::*;
use label_smoothing_dfdx::{Config, SmoothedCrossEntropy, SmoothedLoss, Smoothing};

const ROWS: usize = 16;
const INPUTS: usize = 8;
const CLASSES: usize = 4;
const RATE: f32 = 0.5;

/// `rows x inner` times `inner x columns`, each given by its entries.
fn product(
    rows: usize,
    inner: usize,
    columns: usize,
    left: impl Fn(usize, usize) -> f32,
    right: impl Fn(usize, usize) -> f32,
) -> Vec<f32> {
    let entry = |row: usize, column: usize| (0..inner).map(|i| left(row, i) * right(i, column)).sum();
    (0..rows * columns).map(|at| entry(at / columns, at % columns)).collect()
}

/// The losses of twenty steps on plain slices.
fn by_the_kernel(config: &Config, inputs: &[f32], weights: &[f32], targets: &[i64]) -> Vec<f64> {
    let mut weights = weights.to_vec();
    let step = |_| {
        let x = |row: usize, input: usize| inputs[row * INPUTS + input];
        let logits = product(ROWS, INPUTS, CLASSES, x, |input, class| weights[input * CLASSES + class]);
        let (loss, gradient) = kernel_loss::<f32>(config, &[ROWS, CLASSES], indices(&[ROWS], targets), &logits);
        let of_logits = |row: usize, class: usize| gradient[row * CLASSES + class];
        let gradient = product(INPUTS, ROWS, CLASSES, |input, row| x(row, input), of_logits);
        weights.iter_mut().zip(gradient).for_each(|(weight, g)| *weight -= RATE * g);
        loss
    };
    (0..20).map(step).collect()
}

#[test]
fn twenty_steps() {
    let inputs: Vec<f32> = as_type(&scattered(ROWS * INPUTS, 20).iter().map(|x| x / 4.0).collect::<Vec<_>>());
    let weights: Vec<f32> = as_type(&scattered(INPUTS * CLASSES, 21).iter().map(|w| w / 8.0).collect::<Vec<_>>());
    let targets = classes(ROWS, CLASSES, Some(-100));
    let config = Config::cross_entropy()
        .smoothing(Smoothing::Uniform { epsilon: 0.1 })
        .class_weights([1.0, 2.0, 1.0, 0.5])
        .ignore_index([-100])
        .build()
        .unwrap();
    let expected = by_the_kernel(&config, &inputs, &weights, &targets);

    let device = Cpu::default();
    let criterion = SmoothedCrossEntropy::from_config(config).unwrap();
    let x: Tensor<Rank2<ROWS, INPUTS>, f32, Cpu> = device.tensor(inputs);
    let mut w: Tensor<Rank2<INPUTS, CLASSES>, f32, Cpu> = device.tensor(weights);
    for (step, expected) in expected.iter().enumerate() {
        let loss = criterion.loss(x.leaky_trace().matmul(w.clone()), &targets).unwrap();
        let found = f64::from(loss.array());
        assert!((found - expected).abs() <= 1e-5, "step {step}: {found} for {expected}");
        w = w.clone() - loss.backward().get(&w) * RATE;
    }
    assert!(expected[19] < 0.8 * expected[0], "nothing was learnt: {expected:?}");
}
