//! One linear layer, trained on four points with smoothed labels.
//!
//! ```text
//! cargo run --example train_step -p label-smoothing-ndarray
//! ```

use label_smoothing_ndarray::{Error, LossGradient, SmoothedCrossEntropy};
use ndarray::{Array2, array};

/// The loss of each step.
pub(crate) fn train() -> Result<Vec<f64>, Error> {
    let inputs = array![[1.0_f32, 0.0], [0.9, 0.2], [0.0, 1.0], [0.1, 0.8]];
    let targets = array![0_i64, 0, 1, 1];
    let criterion = SmoothedCrossEntropy::new(0.1)?;
    let mut weights = Array2::<f32>::zeros((2, 2));
    let mut losses = Vec::new();
    for _ in 0..5 {
        let logits = inputs.dot(&weights);
        let (loss, gradient) = criterion.loss_and_gradient(logits.view(), targets.view(), 1.0)?;
        weights.scaled_add(-1.0, &inputs.t().dot(&gradient));
        losses.push(loss.into());
    }
    Ok(losses)
}

pub(crate) fn main() -> Result<(), Error> {
    for (step, loss) in train()?.iter().enumerate() {
        println!("step {step}: loss {loss:.4}");
    }
    Ok(())
}
