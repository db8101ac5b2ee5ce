//! Real digits with smoothed labels: a small network with tch's `nn` and its Adam.
//!
//! ```text
//! cargo run --release --example train_digits -p label-smoothing-tch
//! ```

use std::error::Error;
use std::fs;

use label_smoothing_tch::tch::nn::{self, Module, OptimizerConfig};
use label_smoothing_tch::tch::{Device, Tensor, no_grad};
use label_smoothing_tch::{LossParts, SmoothedCrossEntropy, SmoothedLoss};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../label-smoothing-cli/data/digits.csv");
/// Images at the start that are held back; 1500 are left to train on.
const HELD_OUT: i64 = 297;
const BATCH: i64 = 50;

/// The images, 64 pixels from 0 to 1 each, and which digit each of them is.
fn digits() -> Result<(Tensor, Tensor), Box<dyn Error>> {
    let (mut pixels, mut digits) = (Vec::new(), Vec::new());
    for line in fs::read_to_string(DATA)?.lines() {
        let (image, digit) = line.rsplit_once(',').ok_or("a line without a digit")?;
        for pixel in image.split(',') {
            pixels.push(pixel.parse::<f32>()? / 16.0);
        }
        digits.push(digit.parse::<i64>()?);
    }
    Ok((Tensor::from_slice(&pixels).view([-1, 64]), Tensor::from_slice(&digits)))
}

/// Trains a new network, and gives the parts of the loss on the images that were held back.
pub(crate) fn train(epochs: usize) -> Result<LossParts, Box<dyn Error>> {
    let (images, digits) = digits()?;
    let variables = nn::VarStore::new(Device::Cpu);
    let root = variables.root();
    let network = nn::seq()
        .add(nn::linear(&root / "hidden", 64, 32, nn::LinearConfig::default()))
        .add_fn(Tensor::relu)
        .add(nn::linear(&root / "output", 32, 10, nn::LinearConfig::default()));
    let mut optimizer = nn::Adam::default().build(&variables, 0.01)?;
    let criterion = SmoothedCrossEntropy::new(0.1)?;
    for epoch in 1..=epochs {
        for start in (HELD_OUT..images.size()[0]).step_by(BATCH as usize) {
            let logits = network.forward(&images.narrow(0, start, BATCH));
            let loss = criterion.loss(&logits, &digits.narrow(0, start, BATCH))?;
            optimizer.backward_step(&loss);
        }
        println!("epoch {epoch} of {epochs}");
    }
    let (images, digits) = (images.narrow(0, 0, HELD_OUT), digits.narrow(0, 0, HELD_OUT));
    let logits = no_grad(|| network.forward(&images));
    let (_, parts) = criterion.loss_and_parts(&logits, &digits)?;
    Ok(parts)
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let parts = train(10)?;
    println!("held out: loss {:.4}, accuracy {:.1} %", parts.mean(), 100.0 * parts.accuracy());
    Ok(())
}
