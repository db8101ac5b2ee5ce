//! What dfdx's autograd makes of the losses.

use crate::common::{as_type, classes, indices, kernel_loss, scattered};
use dfdx::losses::cross_entropy_with_logits_loss;
use dfdx::prelude::*;
use label_smoothing_core::{Problem, reference};
use label_smoothing_dfdx::{Config, Probabilities, SmoothedBinaryCrossEntropy, SmoothedCrossEntropy, SmoothedLoss};

const ROWS: usize = 6;
const INPUTS: usize = 3;
const CLASSES: usize = 5;

/// `inputs x weights`, in `f64`.
fn linear(inputs: &[f64], weights: &[f64]) -> Vec<f64> {
    let entry = |row: usize, class: usize| -> f64 {
        (0..INPUTS).map(|i| inputs[row * INPUTS + i] * weights[i * CLASSES + class]).sum()
    };
    (0..ROWS * CLASSES).map(|at| entry(at / CLASSES, at % CLASSES)).collect()
}

/// The derivative of the reference's loss by each weight: the five-point central difference with steps of 1/1024, whose
/// own error is the step's fourth power over 30 times a fifth derivative (below 1e-11 here) and about 1e-12 of rounding.
fn finite_differences(config: &Config, inputs: &[f64], weights: &[f64], targets: &[i64]) -> Vec<f64> {
    let step = 1.0 / 1024.0;
    let loss = |place: usize, steps: f64| {
        let mut moved = weights.to_vec();
        moved[place] += steps * step;
        let problem = Problem::new(config, &[ROWS, CLASSES], indices::<f64>(&[ROWS], targets)).unwrap();
        reference::loss(&problem, &linear(inputs, &moved)).unwrap()
    };
    let difference = |place| {
        let near = loss(place, 1.0) - loss(place, -1.0);
        let far = loss(place, 2.0) - loss(place, -2.0);
        (8.0 * near - far) / (12.0 * step)
    };
    (0..weights.len()).map(difference).collect()
}

/// A linear layer in front, for one element type; the tolerance is that of the type's matrix products.
macro_rules! linear_layer_in_front {
    ($name:ident, $element:ty, $tolerance:literal) => {
        #[test]
        fn $name() {
            let (inputs, weights) = (scattered(ROWS * INPUTS, 1), scattered(INPUTS * CLASSES, 2));
            let inputs: Vec<f64> = inputs.iter().map(|x| x / 8.0).collect();
            let targets = classes(ROWS, CLASSES, Some(-100));
            let config = Config::cross_entropy()
                .smoothing(label_smoothing_dfdx::Smoothing::Uniform { epsilon: 0.1 })
                .class_weights([1.0, 2.0, 0.5, 1.0, 3.0])
                .ignore_index([-100])
                .z_loss(0.25)
                .build()
                .unwrap();
            let expected = finite_differences(&config, &inputs, &weights, &targets);

            let device = Cpu::default();
            let x = device.tensor_from_vec(as_type::<$element>(&inputs), (Const::<ROWS>, Const::<INPUTS>));
            let w = device.tensor_from_vec(as_type::<$element>(&weights), (Const::<INPUTS>, Const::<CLASSES>));
            let criterion = SmoothedCrossEntropy::from_config(config).unwrap();
            let loss = criterion.loss(x.leaky_trace().matmul(w.clone()), &targets).unwrap();
            let gradient = loss.backward().get(&w).as_vec();
            for (place, (found, expected)) in gradient.iter().zip(&expected).enumerate() {
                let error = (f64::from(*found) - expected).abs();
                assert!(error <= $tolerance, "weight {place}: {found} for {expected}, off by {error:e}");
            }
        }
    };
}
// Six rows of entries below 4 in matrix products: a few tens of unit roundoffs, beside the differences' own 1e-11.
linear_layer_in_front!(linear_layer_in_front_f64, f64, 2e-11);
linear_layer_in_front!(linear_layer_in_front_f32, f32, 2e-6);

fn logits(device: &Cpu) -> Tensor<Rank2<ROWS, CLASSES>, f32, Cpu> {
    device.tensor(as_type::<f32>(&scattered(ROWS * CLASSES, 3)))
}

fn soft_targets(device: &Cpu) -> Tensor<Rank2<ROWS, CLASSES>, f32, Cpu> {
    let rows =
        |row: usize| [0.5, 0.25, 0.125, 0.0625, 0.0625].map(move |p| if row.is_multiple_of(2) { p } else { 0.2 });
    device.tensor((0..ROWS).flat_map(rows).collect::<Vec<f32>>())
}

/// Each within `tolerance` of the other.
fn assert_close(found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len());
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= tolerance, "at {place}: {found} for {expected}");
    }
}

/// dfdx's own loss takes smoothed probabilities: the same definition by other code.
#[test]
fn agrees_with_the_loss_of_dfdx() {
    let device = Cpu::default();
    let (logits, soft) = (logits(&device), soft_targets(&device));
    let smoothed = soft.clone() * 0.9 + 0.1 / CLASSES as f32;

    let theirs = cross_entropy_with_logits_loss(logits.leaky_trace(), smoothed);
    let criterion = SmoothedCrossEntropy::new(0.1).unwrap();
    let ours = criterion.loss(logits.leaky_trace(), Probabilities(soft)).unwrap();
    assert_close(&[ours.array()], &[theirs.array()], 1e-6);
    assert_close(&ours.backward().get(&logits).as_vec(), &theirs.backward().get(&logits).as_vec(), 1e-7);

    let labels = device.tensor((0..ROWS * CLASSES).map(|i| (i % 2) as f32).collect::<Vec<f32>>());
    let smoothed: Tensor<Rank2<ROWS, CLASSES>, f32, Cpu> = labels.clone() * 0.9 + 0.05;
    let theirs = binary_cross_entropy_with_logits_loss(logits.leaky_trace(), smoothed);
    let criterion = SmoothedBinaryCrossEntropy::new(0.1).unwrap();
    let ours = criterion.loss(logits.leaky_trace(), Probabilities(labels)).unwrap();
    assert_close(&[ours.array()], &[theirs.array()], 1e-6);
    assert_close(&ours.backward().get(&logits).as_vec(), &theirs.backward().get(&logits).as_vec(), 1e-7);
}

#[test]
fn a_weighted_sum_with_another_loss() {
    let device = Cpu::default();
    let (logits, soft) = (logits(&device), soft_targets(&device));
    let targets = classes(ROWS, CLASSES, None);
    let criterion = SmoothedCrossEntropy::new(0.1).unwrap();
    let other = |logits| cross_entropy_with_logits_loss(logits, soft.clone());

    let traced = logits.leaky_trace();
    let ours = criterion.loss(traced.with_empty_tape(), &targets).unwrap();
    let sum = ours * 3.0 + other(traced);
    let gradient = sum.backward().get(&logits).as_vec();

    let alone = other(logits.leaky_trace()).backward().get(&logits).as_vec();
    let (_, ours) = kernel_loss(criterion.config(), &[ROWS, CLASSES], indices(&[ROWS], &targets), &logits.as_vec());
    let expected: Vec<f32> = ours.iter().zip(&alone).map(|(ours, other)| 3.0 * ours + other).collect();
    assert_close(&gradient, &expected, 1e-7);
}

/// `backward` consumes a loss, so a second one needs a second loss: of the same logits, in one tape or one after another.
#[test]
fn two_losses_of_the_same_logits() {
    let device = Cpu::default();
    let logits = logits(&device);
    let targets = classes(ROWS, CLASSES, None);
    let criterion = SmoothedCrossEntropy::new(0.1).unwrap();
    let (_, once) = kernel_loss(criterion.config(), &[ROWS, CLASSES], indices(&[ROWS], &targets), &logits.as_vec());
    let twice: Vec<f32> = once.iter().map(|g| 2.0 * g).collect();

    // Two losses in one tape.
    let traced = logits.leaky_trace();
    let first = criterion.loss(traced.with_empty_tape(), &targets).unwrap();
    let second = criterion.loss(traced, &targets).unwrap();
    assert_eq!((first + second).backward().get(&logits).as_vec(), twice);

    // One loss used twice: 4 of it less 2 of it. (dfdx refuses to add a tensor to itself.)
    let loss = criterion.loss(logits.leaky_trace(), &targets).unwrap();
    let doubled = loss.with_empty_tape() * 4.0 - loss * 2.0;
    assert_eq!(doubled.backward().get(&logits).as_vec(), twice);

    // Gradients that are handed on accumulate.
    let gradients = criterion.loss(logits.leaky_trace(), &targets).unwrap().backward();
    let gradients = criterion.loss(logits.trace(gradients), &targets).unwrap().backward();
    assert_eq!(gradients.get(&logits).as_vec(), twice);
}

/// A tape that owns nothing and must not be written on.
#[derive(Default)]
struct Untracked;

impl Merge<Untracked> for Untracked {
    fn merge(self, _: Untracked) -> Self {
        self
    }
}

impl Merge<NoneTape> for Untracked {
    fn merge(self, _: NoneTape) -> Self {
        self
    }
}

impl Tape<f32, Cpu> for Untracked {
    const OWNS_TAPE: bool = false;

    fn add_backward_op<F>(&mut self, _: F)
    where
        F: 'static + FnOnce(&mut Gradients<f32, Cpu>) -> Result<(), CpuError>,
    {
        panic!("a gradient was prepared where none was asked for");
    }
}

#[test]
fn no_gradient_without_a_tape() {
    let device = Cpu::default();
    let logits = logits(&device);
    let before = logits.as_vec();
    let targets = classes(ROWS, CLASSES, None);
    let criterion = SmoothedCrossEntropy::new(0.1).unwrap();

    let traced = criterion.loss(logits.leaky_trace(), &targets).unwrap();
    let loss: Tensor<Rank0, f32, Cpu, NoneTape> = criterion.loss(logits.clone(), &targets).unwrap();
    assert_eq!(loss.array().to_bits(), traced.array().to_bits());
    let loss = criterion.loss(logits.clone().put_tape(Untracked), &targets).unwrap();
    assert_eq!(loss.array().to_bits(), traced.array().to_bits());

    let traced = criterion.row_losses(logits.leaky_trace(), &targets).unwrap();
    let rows: Tensor<(usize,), f32, Cpu, NoneTape> = criterion.row_losses(logits.clone(), &targets).unwrap();
    assert_eq!(rows.as_vec(), traced.as_vec());
    let rows = criterion.row_losses(logits.clone().put_tape(Untracked), &targets).unwrap();
    assert_eq!(rows.as_vec(), traced.as_vec());
    assert_eq!(logits.as_vec(), before, "the caller's logits were changed");
}
