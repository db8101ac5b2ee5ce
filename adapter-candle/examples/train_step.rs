//! One linear layer, trained on four points with smoothed labels.
//!
//! ```text
//! cargo run --example train_step -p label-smoothing-candle
//! ```

use label_smoothing_candle::candle_core::{DType, Device, Tensor, Var};
use label_smoothing_candle::{Error, SmoothedCrossEntropy, SmoothedLoss};

/// The loss of each step.
pub(crate) fn train() -> Result<Vec<f64>, Error> {
    let device = Device::Cpu;
    let inputs = Tensor::new(&[[1.0_f32, 0.0], [0.9, 0.2], [0.0, 1.0], [0.1, 0.8]], &device)?;
    let targets = Tensor::new(&[0_i64, 0, 1, 1], &device)?;
    let criterion = SmoothedCrossEntropy::new(0.1)?;
    let weights = Var::zeros((2, 2), DType::F32, &device)?;
    let mut losses = Vec::new();
    for _ in 0..5 {
        let loss = criterion.loss(&inputs.matmul(&weights)?, &targets)?;
        if let Some(gradient) = loss.backward()?.get(&weights) {
            weights.set(&(weights.as_tensor() - gradient)?)?;
        }
        losses.push(loss.to_scalar::<f32>()?.into());
    }
    Ok(losses)
}

pub(crate) fn main() -> Result<(), Error> {
    for (step, loss) in train()?.iter().enumerate() {
        println!("step {step}: loss {loss:.4}");
    }
    Ok(())
}
