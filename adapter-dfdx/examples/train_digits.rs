//! Real digits with smoothed labels: a small network with dfdx's modules and its Adam.
//!
//! ```text
//! cargo run --release --example train_digits -p label-smoothing-dfdx
//! ```

use std::error::Error;
use std::fs;

use dfdx::optim::{Adam, AdamConfig};
use dfdx::prelude::*;
use label_smoothing_dfdx::{LossParts, SmoothedCrossEntropy, SmoothedLoss};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../label-smoothing-cli/data/digits.csv");
/// Images at the start that are held back; 1500 are left to train on.
const HELD_OUT: usize = 297;
const BATCH: usize = 50;

type Network = ((Linear<64, 32>, ReLU), Linear<32, 10>);

/// The images, 64 pixels from 0 to 1 each, and which digit each of them is.
fn digits() -> Result<(Vec<f32>, Vec<i64>), Box<dyn Error>> {
    let (mut pixels, mut digits) = (Vec::new(), Vec::new());
    for line in fs::read_to_string(DATA)?.lines() {
        let (image, digit) = line.rsplit_once(',').ok_or("a line without a digit")?;
        for pixel in image.split(',') {
            pixels.push(pixel.parse::<f32>()? / 16.0);
        }
        digits.push(digit.parse::<i64>()?);
    }
    Ok((pixels, digits))
}

/// Trains a new network, and gives the parts of the loss on the images that were held back.
pub(crate) fn train(epochs: usize) -> Result<LossParts, Box<dyn Error>> {
    let (pixels, digits) = digits()?;
    let device = Cpu::default();
    let mut network = device.build_module::<Network, f32>();
    let mut optimizer = Adam::new(&network, AdamConfig { lr: 0.01, ..Default::default() });
    let mut gradients = network.alloc_grads();
    let criterion = SmoothedCrossEntropy::new(0.1)?;
    for epoch in 1..=epochs {
        for start in (HELD_OUT..digits.len()).step_by(BATCH) {
            let batch = pixels[64 * start..64 * (start + BATCH)].to_vec();
            let images: Tensor<Rank2<BATCH, 64>, f32, _> = device.tensor(batch);
            let logits = network.forward_mut(images.trace(gradients));
            let loss = criterion.loss(logits, &digits[start..start + BATCH])?;
            gradients = loss.backward();
            optimizer.update(&mut network, &gradients).map_err(|error| format!("{error:?}"))?;
            network.zero_grads(&mut gradients);
        }
        println!("epoch {epoch} of {epochs}");
    }
    let images: Tensor<Rank2<HELD_OUT, 64>, f32, _> = device.tensor(pixels[..64 * HELD_OUT].to_vec());
    let (_, parts) = criterion.loss_and_parts(network.forward(images), &digits[..HELD_OUT])?;
    Ok(parts)
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let parts = train(10)?;
    println!("held out: loss {:.4}, accuracy {:.1} %", parts.mean(), 100.0 * parts.accuracy());
    Ok(())
}
