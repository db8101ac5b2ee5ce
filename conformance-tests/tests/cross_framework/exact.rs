//! The same in `f64` by core's reference, with the layer written out.

use label_smoothing_core::{Array, Config, Element, Problem, Targets, kernel, reference};

use crate::framework::{CLASSES, Found, Framework, Layer, Objective, PIXELS, everything, hard, smoothed};

/// The definition.
pub(crate) struct Exact;

impl Framework<f64> for Exact {
    fn name(&self) -> &'static str {
        "reference"
    }

    fn differentiate(&self, layer: &Layer<f64>, objective: Objective) -> Found {
        let (loss, slope) = objective_and_slope(layer, objective, &logits(layer));
        Found { loss, gradient: to_weights(layer, &slope) }
    }

    fn train(&self, layer: &Layer<f64>, rate: f64, steps: usize) -> Vec<f64> {
        let (images, digits) = (layer.images.clone(), layer.digits.clone());
        let mut layer = Layer { images, digits, weights: layer.weights.clone() };
        let config = smoothed();
        let step = |_| {
            let (loss, slope) = mean(&layer, &config, &logits(&layer), 1.0);
            let gradient = to_weights(&layer, &slope);
            layer.weights.iter_mut().zip(gradient).for_each(|(weight, g)| *weight -= rate * g);
            loss
        };
        (0..steps).map(step).collect()
    }
}

/// `images x weights`.
pub(crate) fn logits(layer: &Layer<f64>) -> Vec<f64> {
    let entry = |row: usize, class: usize| -> f64 {
        (0..PIXELS).map(|p| layer.images[row * PIXELS + p] * layer.weights[p * CLASSES + class]).sum()
    };
    (0..layer.rows() * CLASSES).map(|at| entry(at / CLASSES, at % CLASSES)).collect()
}

/// From the gradient by the logits to that by the weights: `images^T x slope`.
fn to_weights(layer: &Layer<f64>, slope: &[f64]) -> Vec<f64> {
    let entry = |pixel: usize, class: usize| -> f64 {
        (0..layer.rows()).map(|row| layer.images[row * PIXELS + pixel] * slope[row * CLASSES + class]).sum()
    };
    (0..PIXELS * CLASSES).map(|at| entry(at / CLASSES, at % CLASSES)).collect()
}

fn targets<T: Element>(layer: &Layer<T>) -> Targets<'_, f64> {
    Targets::indices(Array::new([layer.rows()], layer.digits.as_slice()))
}

/// The mean and its gradient by the logits.
fn mean(layer: &Layer<f64>, config: &Config, z: &[f64], upstream: f64) -> (f64, Vec<f64>) {
    let problem = Problem::new(config, &[layer.rows(), CLASSES], targets(layer)).unwrap();
    (reference::loss(&problem, z).unwrap(), reference::loss_gradient(&problem, z, upstream).unwrap())
}

/// The objective and its gradient by the logits.
fn objective_and_slope(layer: &Layer<f64>, objective: Objective, z: &[f64]) -> (f64, Vec<f64>) {
    let plus = |slope: Vec<f64>, other: Vec<f64>| slope.iter().zip(other).map(|(one, other)| one + other).collect();
    match objective {
        Objective::Loss => mean(layer, &everything(), z, 1.0),
        Objective::ThreeTimesAndAnother => {
            let (loss, slope) = mean(layer, &everything(), z, 3.0);
            let count = z.len() as f64;
            let squares = z.iter().map(|z| z * z).sum::<f64>() / count;
            (3.0 * loss + squares, plus(slope, z.iter().map(|z| 2.0 * z / count).collect()))
        }
        Objective::TwoLosses => {
            let (one, slope) = mean(layer, &everything(), z, 1.0);
            let (other, other_slope) = mean(layer, &hard(), z, 1.0);
            (one + other, plus(slope, other_slope))
        }
    }
}

/// The objective's gradient by the weights without any derivative: five-point differences with a step of 2^-10. What they
/// leave out is the step's fourth power over 30 times a fifth derivative, a step in a weight being one of at most itself
/// in the logits, and a rounding of the objective over the step: 1e-11 together.
pub(crate) fn by_differences(layer: &Layer<f64>, objective: Objective) -> Vec<f64> {
    const STEP: f64 = 1.0 / 1024.0;
    let z = logits(layer);
    let moved = |pixel: usize, class: usize, by: f64| {
        let mut z = z.clone();
        for (row, z) in z.chunks_exact_mut(CLASSES).enumerate() {
            z[class] += by * layer.images[row * PIXELS + pixel];
        }
        objective_and_slope(layer, objective, &z).0
    };
    let difference = |at: usize| {
        let both_ways = |by: f64| moved(at / CLASSES, at % CLASSES, by) - moved(at / CLASSES, at % CLASSES, -by);
        (8.0 * both_ways(STEP) - both_ways(2.0 * STEP)) / (12.0 * STEP)
    };
    (0..PIXELS * CLASSES).map(difference).collect()
}

/// The loss of one image by the kernel on plain slices, and the gradient of the weights, each a single product.
pub(crate) fn one_image_by_the_kernel<T: Element>() -> Found {
    let (layer, exact, config) = (Layer::<T>::new(1), Layer::<f64>::new(1), everything());
    let z: Vec<T> = logits(&exact).into_iter().map(T::from_f64).collect();
    let problem = Problem::new(&config, &[1, CLASSES], targets(&layer)).unwrap();
    let mut slope = vec![T::default(); CLASSES];
    let loss = kernel::loss_and_gradient(&problem, &z, T::Wide::from_f64(1.0), &mut slope).unwrap();
    let product = |at: usize| T::from_f64(exact.images[at / CLASSES] * slope[at % CLASSES].to_f64()).to_f64();
    Found { loss: T::from_f64(loss.value).to_f64(), gradient: (0..PIXELS * CLASSES).map(product).collect() }
}
