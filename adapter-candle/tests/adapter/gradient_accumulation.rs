//! The example of gradient accumulation is right, and what it warns of is wrong.

#[path = "../../examples/gradient_accumulation.rs"]
mod example;

use example::{INPUTS, PADDING, TARGETS, WEIGHTS, accumulated, micro_batches};
use label_smoothing_candle::candle_core::{Device, Var};
use label_smoothing_candle::{Config, Denominator, LossParts, Smoothing};
use label_smoothing_core::{Array, Problem, Targets, reference};

/// The gradient of the full batch's weights and its loss: core's reference in `f64`, and the linear layer by hand.
fn full_batch() -> (Vec<f64>, f64) {
    let inputs: Vec<[f64; 2]> = INPUTS.as_flattened().iter().map(|input| input.map(f64::from)).collect();
    let logit = |input: &[f64; 2], class: usize| (0..2).map(|i| input[i] * f64::from(WEIGHTS[i][class])).sum::<f64>();
    let logits: Vec<f64> = inputs.iter().flat_map(|input| (0..3).map(|class| logit(input, class))).collect();
    let smoothing = Smoothing::Uniform { epsilon: 0.1 };
    let config = Config::cross_entropy().smoothing(smoothing).ignore_index([PADDING]).build().unwrap();
    let targets = Targets::<f64>::indices(Array::new([9], TARGETS.as_flattened()));
    let problem = Problem::new(&config, &[9, 3], targets).unwrap();
    let of_logits = reference::loss_gradient(&problem, &logits, 1.0).unwrap();
    let of_weight = |i: usize, class: usize| (0..9).map(|row| inputs[row][i] * of_logits[3 * row + class]).sum();
    let gradient = (0..6).map(|at| of_weight(at / 3, at % 3)).collect();
    (gradient, reference::loss(&problem, &logits).unwrap())
}

/// The gradient that the example accumulates, its parts, and how far the gradient is from the full batch's at most.
fn distance(denominator: Denominator, divisor: f64) -> (f64, LossParts) {
    let weights = Var::new(&WEIGHTS, &Device::Cpu).unwrap();
    let (gradient, parts) = accumulated(&weights, &micro_batches().unwrap(), denominator).unwrap();
    let gradient = gradient.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(gradient.len(), 6);
    let off = |(actual, expected): (&f32, f64)| (f64::from(*actual) / divisor - expected).abs();
    (gradient.iter().zip(full_batch().0).map(off).fold(0.0, f64::max), parts)
}

/// Sums of up to nine products below 1 in `f32`.
const TOLERANCE: f64 = 16.0 / (1 << 24) as f64;

#[test]
fn sums_over_the_tokens_that_count_give_the_full_batch() {
    example::main().unwrap();
    let (distance, parts) = distance(Denominator::Constant(6.0), 1.0);
    assert!(distance <= TOLERANCE, "off by {distance:e}");
    assert_eq!((parts.counted(), parts.denominator()), (6, 6.0));
    assert!((parts.mean() - full_batch().1).abs() <= TOLERANCE, "{}", parts.mean());
}

#[test]
fn means_in_each_micro_batch_do_not() {
    // The parts do: what a mean divides by adds up.
    let (of_mean_of_means, parts) = distance(Denominator::Counted, 3.0);
    assert!((parts.mean() - full_batch().1).abs() <= TOLERANCE, "{}", parts.mean());
    assert!(of_mean_of_means > 0.02, "the mean of means is off by {of_mean_of_means:e}");
    let (of_sum_of_means, _) = distance(Denominator::Counted, 1.0);
    assert!(of_sum_of_means > 0.1, "the sum of means is off by {of_sum_of_means:e}");
}
