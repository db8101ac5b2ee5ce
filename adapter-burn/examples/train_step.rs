//! One linear layer, trained on four points with smoothed labels.
//!
//! ```text
//! cargo run --example train_step -p label-smoothing-burn
//! ```

use label_smoothing_burn::burn::tensor::{Device, Int, Tensor};
use label_smoothing_burn::{Error, SmoothedCrossEntropy, SmoothedLoss};

/// The loss of each step.
pub(crate) fn train() -> Result<Vec<f64>, Error> {
    let device = Device::flex().autodiff();
    let inputs = Tensor::<2>::from_data([[1.0, 0.0], [0.9, 0.2], [0.0, 1.0], [0.1, 0.8]], &device);
    let targets = Tensor::<1, Int>::from_data([0, 0, 1, 1], &device);
    let criterion = SmoothedCrossEntropy::new(0.1)?;
    let mut weights = Tensor::<2>::zeros([2, 2], &device).require_grad();
    let mut losses = Vec::new();
    for _ in 0..5 {
        let loss = criterion.loss(inputs.clone().matmul(weights.clone()), targets.clone())?;
        let mut gradients = loss.backward();
        if let Some(gradient) = weights.grad_remove(&mut gradients) {
            weights = (weights.inner() - gradient).autodiff().require_grad();
        }
        losses.push(loss.into_scalar::<f32>().into());
    }
    Ok(losses)
}

pub(crate) fn main() -> Result<(), Error> {
    for (step, loss) in train()?.iter().enumerate() {
        println!("step {step}: loss {loss:.4}");
    }
    Ok(())
}
