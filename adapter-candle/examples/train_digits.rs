//! Real digits with smoothed labels: a small network with candle-nn's layers and its `AdamW`.
//!
//! ```text
//! cargo run --release --example train_digits -p label-smoothing-candle
//! ```

use std::error::Error;
use std::fs;

use candle_nn::{Activation, AdamW, Module, Optimizer, VarBuilder, VarMap, linear, seq};
use label_smoothing_candle::candle_core::{DType, Device, Tensor};
use label_smoothing_candle::{LossParts, SmoothedCrossEntropy, SmoothedLoss};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../label-smoothing-cli/data/digits.csv");
/// Images at the start that are held back; 1500 are left to train on.
const HELD_OUT: usize = 297;
const BATCH: usize = 50;

/// The images, 64 pixels from 0 to 1 each, and which digit each of them is.
fn digits() -> Result<(Tensor, Tensor), Box<dyn Error>> {
    let (mut pixels, mut digits) = (Vec::new(), Vec::new());
    for line in fs::read_to_string(DATA)?.lines() {
        let (image, digit) = line.rsplit_once(',').ok_or("a line without a digit")?;
        for pixel in image.split(',') {
            pixels.push(pixel.parse::<f32>()? / 16.0);
        }
        digits.push(digit.parse::<u32>()?);
    }
    let images = Tensor::from_vec(pixels, (digits.len(), 64), &Device::Cpu)?;
    Ok((images, Tensor::new(digits, &Device::Cpu)?))
}

/// Trains a new network, and gives the parts of the loss on the images that were held back.
pub(crate) fn train(epochs: usize) -> Result<LossParts, Box<dyn Error>> {
    let (images, digits) = digits()?;
    let variables = VarMap::new();
    let root = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
    let network =
        seq().add(linear(64, 32, root.pp("hidden"))?).add(Activation::Relu).add(linear(32, 10, root.pp("output"))?);
    let mut optimizer = AdamW::new_lr(variables.all_vars(), 0.01)?;
    let criterion = SmoothedCrossEntropy::new(0.1)?;
    for epoch in 1..=epochs {
        for start in (HELD_OUT..images.dim(0)?).step_by(BATCH) {
            let logits = network.forward(&images.narrow(0, start, BATCH)?)?;
            let loss = criterion.loss(&logits, &digits.narrow(0, start, BATCH)?)?;
            optimizer.backward_step(&loss)?;
        }
        println!("epoch {epoch} of {epochs}");
    }
    let (images, digits) = (images.narrow(0, 0, HELD_OUT)?, digits.narrow(0, 0, HELD_OUT)?);
    let (_, parts) = criterion.loss_and_parts(&network.forward(&images)?, &digits)?;
    Ok(parts)
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let parts = train(10)?;
    println!("held out: loss {:.4}, accuracy {:.1} %", parts.mean(), 100.0 * parts.accuracy());
    Ok(())
}
