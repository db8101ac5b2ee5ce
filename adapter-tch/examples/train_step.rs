//! One linear layer, trained on four points with smoothed labels.
//!
//! ```text
//! cargo run --example train_step -p label-smoothing-tch
//! ```

use label_smoothing_tch::tch::nn::{self, Module, OptimizerConfig};
use label_smoothing_tch::tch::{Device, Tensor};
use label_smoothing_tch::{Error, SmoothedCrossEntropy, SmoothedLoss};

/// The loss of each step.
pub(crate) fn train() -> Result<Vec<f64>, Error> {
    let inputs = Tensor::from_slice2(&[[1.0_f32, 0.0], [0.9, 0.2], [0.0, 1.0], [0.1, 0.8]]);
    let targets = Tensor::from_slice(&[0_i64, 0, 1, 1]);
    let criterion = SmoothedCrossEntropy::new(0.1)?;
    let variables = nn::VarStore::new(Device::Cpu);
    let zeros = nn::LinearConfig { ws_init: nn::Init::Const(0.0), bs_init: None, bias: false };
    let layer = nn::linear(variables.root(), 2, 2, zeros);
    let mut optimizer = nn::Sgd::default().build(&variables, 1.0)?;
    let mut losses = Vec::new();
    for _ in 0..5 {
        let loss = criterion.loss(&layer.forward(&inputs), &targets)?;
        optimizer.backward_step(&loss);
        losses.push(loss.double_value(&[]));
    }
    Ok(losses)
}

pub(crate) fn main() -> Result<(), Error> {
    for (step, loss) in train()?.iter().enumerate() {
        println!("step {step}: loss {loss:.4}");
    }
    Ok(())
}
