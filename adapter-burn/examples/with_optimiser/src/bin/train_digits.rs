//! Real digits with smoothed labels: a small network with burn's modules and its Adam.
//!
//! ```text
//! cargo run --release --bin train_digits
//! ```

use std::error::Error;
use std::fs;

use burn::module::Module;
use burn::nn::{Linear, LinearConfig, Relu};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Int, Tensor, TensorData};
use label_smoothing_burn::{LossParts, SmoothedCrossEntropy, SmoothedLoss};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../label-smoothing-cli/data/digits.csv");
/// Images at the start that are held back; 1500 are left to train on.
const HELD_OUT: usize = 297;
const BATCH: usize = 50;

#[derive(Module, Debug)]
struct Network {
    hidden: Linear,
    relu: Relu,
    output: Linear,
}

impl Network {
    fn new(device: &Device) -> Self {
        let (hidden, output) = (LinearConfig::new(64, 32).init(device), LinearConfig::new(32, 10).init(device));
        Self { hidden, relu: Relu::new(), output }
    }

    fn forward(&self, images: Tensor<2>) -> Tensor<2> {
        self.output.forward(self.relu.forward(self.hidden.forward(images)))
    }
}

/// The images, 64 pixels from 0 to 1 each, and which digit each of them is.
fn digits(device: &Device) -> Result<(Tensor<2>, Tensor<1, Int>), Box<dyn Error>> {
    let (mut pixels, mut digits) = (Vec::new(), Vec::new());
    for line in fs::read_to_string(DATA)?.lines() {
        let (image, digit) = line.rsplit_once(',').ok_or("a line without a digit")?;
        for pixel in image.split(',') {
            pixels.push(pixel.parse::<f32>()? / 16.0);
        }
        digits.push(digit.parse::<i64>()?);
    }
    let count = digits.len();
    let images = Tensor::from_data(TensorData::new(pixels, [count, 64]), device);
    Ok((images, Tensor::from_data(TensorData::new(digits, [count]), device)))
}

/// Trains a new network, and gives the parts of the loss on the images that were held back.
fn train(epochs: usize) -> Result<LossParts, Box<dyn Error>> {
    let device = Device::flex().autodiff();
    device.seed(1);
    let (images, digits) = digits(&device)?;
    let mut network = Network::new(&device);
    let mut optimizer = AdamConfig::new().init();
    let criterion = SmoothedCrossEntropy::new(0.1)?;
    for epoch in 1..=epochs {
        for start in (HELD_OUT..images.dims()[0]).step_by(BATCH) {
            let logits = network.forward(images.clone().narrow(0, start, BATCH));
            let loss = criterion.loss(logits, digits.clone().narrow(0, start, BATCH))?;
            let gradients = GradientsParams::from_grads(loss.backward(), &network);
            network = optimizer.step(0.01, network, gradients);
        }
        println!("epoch {epoch} of {epochs}");
    }
    let (images, digits) = (images.inner().narrow(0, 0, HELD_OUT), digits.inner().narrow(0, 0, HELD_OUT));
    let (_, parts) = criterion.loss_and_parts(network.valid().forward(images), digits)?;
    Ok(parts)
}

fn main() -> Result<(), Box<dyn Error>> {
    let parts = train(10)?;
    println!("held out: loss {:.4}, accuracy {:.1} %", parts.mean(), 100.0 * parts.accuracy());
    Ok(())
}

/// A network that learnt it is right about nine of ten digits it never saw, and as unsure as smoothed labels make it: its
/// smoothed loss stays above the entropy of a smoothed label, 0.5003 nats.
#[test]
fn learns_real_digits() {
    let parts = train(10).unwrap();
    assert_eq!(parts.counted(), 297);
    assert!(parts.accuracy() > 0.85, "{}", parts.accuracy());
    assert!((0.5003..0.9).contains(&parts.mean()), "{}", parts.mean());
}
