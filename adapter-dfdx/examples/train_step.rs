//! One linear layer, trained on four points with smoothed labels.
//!
//! ```text
//! cargo run --example train_step -p label-smoothing-dfdx
//! ```

use dfdx::optim::{Sgd, SgdConfig};
use dfdx::prelude::*;
use label_smoothing_dfdx::{Error, SmoothedCrossEntropy, SmoothedLoss};

fn main() -> Result<(), Error> {
    let device = Cpu::default();
    let inputs = device.tensor([[1.0_f32, 0.0], [0.9, 0.2], [0.0, 1.0], [0.1, 0.8]]);
    let targets = [0, 0, 1, 1];
    let criterion = SmoothedCrossEntropy::new(0.1)?;

    let mut model = device.build_module::<Linear<2, 2>, f32>();
    let mut optimizer = Sgd::new(&model, SgdConfig { lr: 1.0, ..Default::default() });
    let mut gradients = model.alloc_grads();
    for step in 0..5 {
        let logits = model.forward_mut(inputs.trace(gradients));
        let loss = criterion.loss(logits, &targets)?;
        println!("step {step}: loss {:.4}", loss.array());
        gradients = loss.backward();
        optimizer.update(&mut model, &gradients).expect("every weight is used");
        model.zero_grads(&mut gradients);
    }
    Ok(())
}
