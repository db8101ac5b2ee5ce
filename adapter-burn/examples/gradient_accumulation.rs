//! Gradient accumulation over micro-batches with unequal padding that gives the full batch's gradient.
//!
//! The loss of each micro-batch is its sum over the number of tokens that count in all of them, which is known before the
//! first step. A mean in each, and then the mean of the means, would give a token more weight the more padding is near it.
//!
//! ```text
//! cargo run --example gradient_accumulation -p label-smoothing-burn
//! ```

use label_smoothing_burn::burn::tensor::{Device, Int, Tensor};
use label_smoothing_burn::{Config, Denominator, Error, LossParts, SmoothedCrossEntropy, Smoothing};

pub(crate) const PADDING: i64 = -100;
/// Three micro-batches of three tokens with two features each.
pub(crate) const INPUTS: [[[f32; 2]; 3]; 3] =
    [[[1.0, 0.0], [0.9, 0.2], [0.5, 0.5]], [[0.0, 1.0], [0.0, 0.0], [0.0, 0.0]], [[0.1, 0.8], [0.7, -0.3], [0.0, 0.0]]];
pub(crate) const TARGETS: [[i64; 3]; 3] = [[0, 0, 2], [1, PADDING, PADDING], [1, 0, PADDING]];
/// A linear layer from two features to three classes.
pub(crate) const WEIGHTS: [[f32; 3]; 2] = [[0.5, -0.25, 0.0], [-0.5, 0.75, 0.25]];

/// The gradient of the weights over these batches, added up, and the parts of the loss.
pub(crate) fn accumulated(
    weights: &Tensor<2>,
    batches: Vec<(Tensor<2>, Tensor<1, Int>)>,
    denominator: Denominator,
) -> Result<(Tensor<2>, LossParts), Error> {
    let config = Config::cross_entropy()
        .smoothing(Smoothing::Uniform { epsilon: 0.1 })
        .ignore_index([PADDING])
        .denominator(denominator)
        .build()?;
    let criterion = SmoothedCrossEntropy::from_config(config)?;
    let (mut gradient, mut parts) = (weights.clone().inner().zeros_like(), Vec::new());
    for (inputs, targets) in batches {
        let (loss, of_batch) = criterion.loss_and_parts(inputs.matmul(weights.clone()), targets)?;
        if let Some(of_batch) = weights.grad(&loss.backward()) {
            gradient = gradient + of_batch;
        }
        parts.push(of_batch);
    }
    Ok((gradient, parts.into_iter().sum()))
}

pub(crate) fn micro_batches(device: &Device) -> Vec<(Tensor<2>, Tensor<1, Int>)> {
    let tensors = |(inputs, targets)| (Tensor::<2>::from_data(inputs, device), Tensor::from_data(targets, device));
    INPUTS.into_iter().zip(TARGETS).map(tensors).collect()
}

pub(crate) fn main() -> Result<(), Error> {
    let device = Device::flex().autodiff();
    let weights = Tensor::<2>::from_data(WEIGHTS, &device).require_grad();
    let counted = TARGETS.as_flattened().iter().filter(|&&target| target != PADDING).count();
    let (gradient, parts) = accumulated(&weights, micro_batches(&device), Denominator::Constant(counted as f64))?;

    let inputs = Tensor::<3>::from_data(INPUTS, &device).reshape([9, 2]);
    let targets = Tensor::<2, Int>::from_data(TARGETS, &device).reshape([9]);
    let (of_full_batch, _) = accumulated(&weights, vec![(inputs, targets)], Denominator::Counted)?;

    println!("accumulated:\n{gradient}\nof the full batch:\n{of_full_batch}");
    println!("loss {:.4}, perplexity {:.4} over {} tokens", parts.mean(), parts.perplexity(), parts.counted());
    Ok(())
}
