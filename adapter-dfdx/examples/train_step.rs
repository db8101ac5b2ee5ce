//! One linear layer, trained on four points with smoothed labels.
//!
//! ```text
//! cargo run --example train_step -p label-smoothing-dfdx
//! ```

use dfdx::optim::{Sgd, SgdConfig};
use dfdx::prelude::*;
use label_smoothing_dfdx::{Error, SmoothedCrossEntropy, SmoothedLoss};

/// The loss of each step.
pub(crate) fn train() -> Result<Vec<f64>, Error> {
    let device = Cpu::default();
    let inputs = device.tensor([[1.0_f32, 0.0], [0.9, 0.2], [0.0, 1.0], [0.1, 0.8]]);
    let targets = [0, 0, 1, 1];
    let criterion = SmoothedCrossEntropy::new(0.1)?;

    let mut model = device.build_module::<Linear<2, 2>, f32>();
    let mut optimizer = Sgd::new(&model, SgdConfig { lr: 1.0, ..Default::default() });
    let mut gradients = model.alloc_grads();
    let mut losses = Vec::new();
    for _ in 0..5 {
        let logits = model.forward_mut(inputs.trace(gradients));
        let loss = criterion.loss(logits, &targets)?;
        losses.push(loss.array().into());
        gradients = loss.backward();
        optimizer.update(&mut model, &gradients).expect("every weight is used");
        model.zero_grads(&mut gradients);
    }
    Ok(losses)
}

pub(crate) fn main() -> Result<(), Error> {
    for (step, loss) in train()?.iter().enumerate() {
        println!("step {step}: loss {loss:.4}");
    }
    Ok(())
}
