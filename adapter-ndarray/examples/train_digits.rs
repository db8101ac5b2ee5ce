//! Real digits with smoothed labels: a small network with its backward pass written by hand.
//!
//! ```text
//! cargo run --release --example train_digits -p label-smoothing-ndarray
//! ```

use std::error::Error;
use std::fs;

use label_smoothing_ndarray::{LossGradient, LossParts, SmoothedCrossEntropy};
use ndarray::{Array1, Array2, ArrayView2, Axis};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../label-smoothing-cli/data/digits.csv");
/// Images at the start that are held back; 1500 are left to train on.
const HELD_OUT: usize = 297;
const BATCH: usize = 50;
const RATE: f32 = 0.5;

/// The images, 64 pixels from 0 to 1 each, and which digit each of them is.
fn digits() -> Result<(Array2<f32>, Array1<i64>), Box<dyn Error>> {
    let (mut pixels, mut digits) = (Vec::new(), Vec::new());
    for line in fs::read_to_string(DATA)?.lines() {
        let (image, digit) = line.rsplit_once(',').ok_or("a line without a digit")?;
        for pixel in image.split(',') {
            pixels.push(pixel.parse::<f32>()? / 16.0);
        }
        digits.push(digit.parse::<i64>()?);
    }
    Ok((Array2::from_shape_vec((digits.len(), 64), pixels)?, Array1::from_vec(digits)))
}

/// A layer with its weights between -1 and 1 over the square root of its inputs, always the same ones.
struct Linear {
    weights: Array2<f32>,
    bias: Array1<f32>,
}

impl Linear {
    fn new(inputs: usize, outputs: usize) -> Self {
        let weight = |(input, output): (usize, usize)| (((input * outputs + output + 1) as f32) * 2.4).sin();
        let weights = Array2::from_shape_fn((inputs, outputs), weight) / (inputs as f32).sqrt();
        Self { weights, bias: Array1::zeros(outputs) }
    }

    fn forward(&self, inputs: &ArrayView2<f32>) -> Array2<f32> {
        inputs.dot(&self.weights) + &self.bias
    }

    /// Takes a step down the gradient of the outputs, and gives that of the inputs.
    fn step(&mut self, inputs: &ArrayView2<f32>, of_outputs: &Array2<f32>) -> Array2<f32> {
        let of_inputs = of_outputs.dot(&self.weights.t());
        self.weights.scaled_add(-RATE, &inputs.t().dot(of_outputs));
        self.bias.scaled_add(-RATE, &of_outputs.sum_axis(Axis(0)));
        of_inputs
    }
}

/// Trains a new network, and gives the parts of the loss on the images that were held back.
pub(crate) fn train(epochs: usize) -> Result<LossParts, Box<dyn Error>> {
    let (images, digits) = digits()?;
    let (held_out_images, images) = images.view().split_at(Axis(0), HELD_OUT);
    let (held_out_digits, digits) = digits.view().split_at(Axis(0), HELD_OUT);
    let (mut hidden, mut output) = (Linear::new(64, 32), Linear::new(32, 10));
    let criterion = SmoothedCrossEntropy::new(0.1)?;
    for epoch in 1..=epochs {
        for (images, digits) in images.axis_chunks_iter(Axis(0), BATCH).zip(digits.axis_chunks_iter(Axis(0), BATCH)) {
            let active = hidden.forward(&images).mapv(relu);
            let logits = output.forward(&active.view());
            let (_, gradient) = criterion.loss_and_gradient(logits.view(), digits, 1.0)?;
            let mut gradient = output.step(&active.view(), &gradient);
            gradient.zip_mut_with(&active, |gradient, &active| *gradient *= f32::from(u8::from(active > 0.0)));
            hidden.step(&images, &gradient);
        }
        println!("epoch {epoch} of {epochs}");
    }
    let logits = output.forward(&hidden.forward(&held_out_images).mapv(relu).view());
    let (_, parts) = criterion.loss_and_parts(logits.view(), held_out_digits)?;
    Ok(parts)
}

fn relu(value: f32) -> f32 {
    value.max(0.0)
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let parts = train(10)?;
    println!("held out: loss {:.4}, accuracy {:.1} %", parts.mean(), 100.0 * parts.accuracy());
    Ok(())
}
