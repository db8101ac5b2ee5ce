//! Gradient accumulation over micro-batches with unequal padding that gives the full batch's gradient.
//!
//! The loss of each micro-batch is its sum over the number of tokens that count in all of them, which is known before the
//! first step. A mean in each, and then the mean of the means, would give a token more weight the more padding is near it.
//!
//! ```text
//! cargo run --example gradient_accumulation -p label-smoothing-candle
//! ```

use label_smoothing_candle::candle_core::{Device, Tensor, Var};
use label_smoothing_candle::{Config, Denominator, Error, LossParts, SmoothedCrossEntropy, Smoothing};

pub(crate) const PADDING: i64 = -100;
/// Three micro-batches of three tokens with two features each.
pub(crate) const INPUTS: [[[f32; 2]; 3]; 3] =
    [[[1.0, 0.0], [0.9, 0.2], [0.5, 0.5]], [[0.0, 1.0], [0.0, 0.0], [0.0, 0.0]], [[0.1, 0.8], [0.7, -0.3], [0.0, 0.0]]];
pub(crate) const TARGETS: [[i64; 3]; 3] = [[0, 0, 2], [1, PADDING, PADDING], [1, 0, PADDING]];
/// A linear layer from two features to three classes.
pub(crate) const WEIGHTS: [[f32; 3]; 2] = [[0.5, -0.25, 0.0], [-0.5, 0.75, 0.25]];

/// The gradient of the weights over these batches, added up, and the parts of the loss.
pub(crate) fn accumulated(
    weights: &Var,
    batches: &[(Tensor, Tensor)],
    denominator: Denominator,
) -> Result<(Tensor, LossParts), Error> {
    let config = Config::cross_entropy()
        .smoothing(Smoothing::Uniform { epsilon: 0.1 })
        .ignore_index([PADDING])
        .denominator(denominator)
        .build()?;
    let criterion = SmoothedCrossEntropy::from_config(config)?;
    let (mut gradient, mut parts) = (weights.zeros_like()?, Vec::new());
    for (inputs, targets) in batches {
        let (loss, of_batch) = criterion.loss_and_parts(&inputs.matmul(weights)?, targets)?;
        if let Some(of_batch) = loss.backward()?.get(weights) {
            gradient = (gradient + of_batch)?;
        }
        parts.push(of_batch);
    }
    Ok((gradient, parts.into_iter().sum()))
}

pub(crate) fn micro_batches() -> Result<Vec<(Tensor, Tensor)>, Error> {
    let tensors = |(inputs, targets)| Ok((Tensor::new(inputs, &Device::Cpu)?, Tensor::new(targets, &Device::Cpu)?));
    INPUTS.iter().zip(&TARGETS).map(tensors).collect()
}

pub(crate) fn main() -> Result<(), Error> {
    let weights = Var::new(&WEIGHTS, &Device::Cpu)?;
    let counted = TARGETS.as_flattened().iter().filter(|&&target| target != PADDING).count();
    let (gradient, parts) = accumulated(&weights, &micro_batches()?, Denominator::Constant(counted as f64))?;

    let inputs = Tensor::new(&INPUTS, &Device::Cpu)?.reshape((9, 2))?;
    let targets = Tensor::new(&TARGETS, &Device::Cpu)?.flatten_all()?;
    let (of_full_batch, _) = accumulated(&weights, &[(inputs, targets)], Denominator::Counted)?;

    println!("accumulated:\n{gradient}\nof the full batch:\n{of_full_batch}");
    println!("loss {:.4}, perplexity {:.4} over {} tokens", parts.mean(), parts.perplexity(), parts.counted());
    Ok(())
}
