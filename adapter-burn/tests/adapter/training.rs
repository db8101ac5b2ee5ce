//! Training in burn is training by the kernel.

use crate::common::{autodiff_devices, classes, core_classes, kernel_gradient, narrowed, numbers, read, tensor};
use burn::tensor::Device;
use label_smoothing_burn::{Config, SmoothedCrossEntropy, SmoothedLoss, Smoothing, burn};
use label_smoothing_core::Problem;

const POINTS: usize = 12;
const FEATURES: usize = 5;
const CLASSES: usize = 4;
const RATE: f32 = 0.5;
const STEPS: usize = 20;

fn config() -> Config {
    let smoothing = Smoothing::Uniform { epsilon: 0.1 };
    Config::cross_entropy().smoothing(smoothing).ignore_index([-100]).build().unwrap()
}

fn targets() -> Vec<i64> {
    (0..POINTS as i64).map(|point| if point == 7 { -100 } else { (3 * point + 1) % CLASSES as i64 }).collect()
}

fn inputs() -> Vec<f32> {
    narrowed(&numbers(1, POINTS * FEATURES, 1.0))
}

fn first_weights() -> Vec<f32> {
    narrowed(&numbers(2, FEATURES * CLASSES, 0.5))
}

/// The losses of plain SGD, written out on slices.
fn by_hand() -> Vec<f32> {
    let (config, targets, x) = (config(), targets(), inputs());
    let problem = Problem::new(&config, &[POINTS, CLASSES], core_classes(&targets, &[POINTS])).unwrap();
    let mut w = first_weights();
    let step = |_| {
        let mut logits = vec![0.0_f32; POINTS * CLASSES];
        for (place, logit) in logits.iter_mut().enumerate() {
            let (point, class) = (place / CLASSES, place % CLASSES);
            *logit = (0..FEATURES).map(|f| x[point * FEATURES + f] * w[f * CLASSES + class]).sum();
        }
        let (loss, gradient) = kernel_gradient(&problem, &logits, 1.0);
        for (place, weight) in w.iter_mut().enumerate() {
            let (feature, class) = (place / CLASSES, place % CLASSES);
            let sum = |point: usize| x[point * FEATURES + feature] * gradient[point * CLASSES + class];
            *weight -= RATE * (0..POINTS).map(sum).sum::<f32>();
        }
        loss as f32
    };
    (0..STEPS).map(step).collect()
}

fn in_burn(device: &Device) -> Vec<f32> {
    let criterion = SmoothedCrossEntropy::from_config(config()).unwrap();
    let x = tensor(&inputs(), [POINTS, FEATURES], device);
    let mut w = tensor(&first_weights(), [FEATURES, CLASSES], device).require_grad();
    let step = |_| {
        let loss = criterion.loss(x.clone().matmul(w.clone()), classes(&targets(), [POINTS], device)).unwrap();
        let gradient = w.grad(&loss.backward()).unwrap();
        let next = w.clone().inner() - gradient * RATE;
        w = tensor(&read::<f32, 2>(&next), [FEATURES, CLASSES], device).require_grad();
        read::<f32, 1>(&loss)[0]
    };
    (0..STEPS).map(step).collect()
}

#[test]
fn twenty_steps_agree_with_the_kernel() {
    let expected = by_hand();
    assert!(expected[STEPS - 1] < 0.8 * expected[0], "the loss falls: {expected:?}");
    for device in autodiff_devices() {
        for (actual, expected) in in_burn(&device).iter().zip(&expected) {
            assert!((actual - expected).abs() <= 1e-5, "{actual} instead of {expected}");
        }
    }
}
