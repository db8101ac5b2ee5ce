//! The network is the same in every framework, and its gradient is that of finite differences.

use super::digits::{Parts, all};
use super::network::{BATCH, Batch, CLASSES, Framework, HIDDEN, PIXELS, Parameters, SHAPES, Streams};
use super::{TRAINED, run};

type Exact = [Vec<f64>; 4];

fn exact(parameters: &Parameters) -> Exact {
    parameters.clone().map(|values| values.into_iter().map(f64::from).collect())
}

/// The network and its loss in `f64`, from the definition.
fn exact_loss(parameters: &Exact, batch: &Batch, epsilon: f64) -> f64 {
    let mut total = 0.0;
    for row in 0..batch.images.rows() {
        let mask = &batch.mask[row * HIDDEN..(row + 1) * HIDDEN];
        let z = exact_logits(parameters, &batch.images.pixels[row * PIXELS..(row + 1) * PIXELS], mask);
        let lse = z.iter().map(|z| z.exp()).sum::<f64>().ln();
        let target = batch.images.labels[row] as usize;
        for (class, z) in z.iter().enumerate() {
            let q = epsilon / CLASSES as f64 + if class == target { 1.0 - epsilon } else { 0.0 };
            total -= q * (z - lse);
        }
    }
    total / batch.images.rows() as f64
}

fn exact_logits([w1, b1, w2, b2]: &Exact, image: &[f32], mask: &[f32]) -> Vec<f64> {
    let layer = |input: &[f64], weights: &[f64], biases: &[f64]| -> Vec<f64> {
        let outputs = biases.len();
        let sum = |at: usize| input.iter().enumerate().map(|(i, x)| x * weights[i * outputs + at]).sum::<f64>();
        (0..outputs).map(|at| sum(at) + biases[at]).collect()
    };
    let image: Vec<f64> = image.iter().map(|&pixel| f64::from(pixel)).collect();
    let hidden = layer(&image, w1, b1).into_iter().zip(mask).map(|(sum, &mask)| sum.max(0.0) * f64::from(mask));
    layer(&hidden.collect::<Vec<_>>(), w2, b2)
}

fn scene() -> (Parameters, Batch) {
    let streams = Streams::new(1);
    let parts = Parts::new(&all().unwrap(), 0.2, streams.parts.clone());
    let mut parameters = streams.parameters();
    // Biases that are seen.
    for at in [1, 3] {
        for (index, bias) in parameters[at].iter_mut().enumerate() {
            *bias = 0.05 * (index % 7) as f32 - 0.15;
        }
    }
    let batch = streams.batches(&parts.training).next().unwrap();
    (parameters, batch)
}

fn frameworks(epsilon: f64) -> Vec<(&'static str, Box<dyn Framework>)> {
    let config = || run::config(epsilon).unwrap();
    TRAINED.iter().map(|trained| (trained.name, (trained.framework)(config()).unwrap())).collect()
}

#[test]
fn loss_and_logits_are_those_of_the_definition() {
    let (parameters, batch) = scene();
    for epsilon in [0.0, 0.1] {
        let expected = exact_loss(&exact(&parameters), &batch, epsilon);
        for (name, framework) in frameworks(epsilon) {
            let (loss, _) = framework.loss_and_gradients(&parameters, &batch).unwrap();
            assert!((f64::from(loss) - expected).abs() < 1e-6 * expected, "{name}: {loss} is not {expected}");
            let logits = framework.logits(&parameters, &batch.images).unwrap();
            assert_eq!(logits.len(), BATCH * CLASSES, "{name}");
            for (row, logits) in logits.chunks_exact(CLASSES).enumerate() {
                let image = &batch.images.pixels[row * PIXELS..(row + 1) * PIXELS];
                for (actual, expected) in logits.iter().zip(exact_logits(&exact(&parameters), image, &[1.0; HIDDEN])) {
                    assert!((f64::from(*actual) - expected).abs() < 1e-5, "{name}: {actual} is not {expected}");
                }
            }
        }
    }
}

/// Two-sided differences of the exact loss, at parameters across all four.
#[test]
fn gradients_are_those_of_finite_differences() {
    let (parameters, batch) = scene();
    let all: Vec<_> = frameworks(0.1)
        .into_iter()
        .map(|(name, framework)| (name, framework.loss_and_gradients(&parameters, &batch).unwrap().1))
        .collect();
    let mut seen = 0;
    for (at, &(rows, columns)) in SHAPES.iter().enumerate() {
        for index in (0..rows * columns).step_by((rows * columns / 40).max(1)) {
            let moved = |by: f64| {
                let mut parameters = exact(&parameters);
                parameters[at][index] += by;
                exact_loss(&parameters, &batch, 0.1)
            };
            // So small a step that no unit is switched on or off by it.
            let expected = (moved(1e-6) - moved(-1e-6)) / 2e-6;
            seen += usize::from(expected.abs() > 1e-3);
            for (name, gradients) in &all {
                let actual = f64::from(gradients[at][index]);
                assert!(
                    (actual - expected).abs() < 1e-6,
                    "{name}, parameter {at}, {index}: {actual} is not {expected}"
                );
            }
        }
    }
    assert!(seen > 30, "{seen} gradients that are not 0");
}

#[test]
fn streams_are_those_of_their_seed() {
    let images = all().unwrap();
    let first = |seed: u64| {
        let streams = Streams::new(seed);
        (streams.parameters(), streams.batches(&images).take(60).collect::<Vec<_>>())
    };
    assert_eq!(first(1), first(1));
    let (one, other) = (first(1), first(2));
    assert!(one.0 != other.0 && one.1[0].images != other.1[0].images && one.1[0].mask != other.1[0].mask);
    assert_ne!(one.1[0].mask, one.1[1].mask);

    let masks: Vec<f32> = one.1.iter().flat_map(|batch| batch.mask.clone()).collect();
    assert!(masks.iter().all(|&unit| unit == 0.0 || unit == 1.25));
    let left_out = masks.iter().filter(|&&unit| unit == 0.0).count() as f64 / masks.len() as f64;
    assert!((left_out - 0.2).abs() < 0.01, "{left_out}");
    // A pass has 56 batches, in which no image is twice.
    let mut passed: Vec<Vec<u32>> = one.1[..56]
        .iter()
        .flat_map(|batch| batch.images.pixels.chunks(PIXELS).map(|image| image.iter().map(|p| p.to_bits()).collect()))
        .collect();
    passed.sort();
    passed.dedup();
    assert_eq!(passed.len(), 56 * BATCH, "no image of the data set is there twice, and none is drawn twice");
}
