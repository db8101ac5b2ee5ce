//! A value head: a number is predicted as a distribution over bins, and learnt as a classification (HL-Gauss).
//!
//! ```text
//! cargo run --release --bin value_head
//! ```

use std::error::Error;

use burn::module::Module;
use burn::nn::{Linear, LinearConfig, Tanh};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};
use label_smoothing_burn::soft_targets::ValueSupport;
use label_smoothing_burn::{Config, Probabilities, SmoothedCrossEntropy, SmoothedLoss};

const STATES: usize = 64;
const BINS: usize = 51;

#[derive(Module, Debug)]
struct Critic {
    hidden: Linear,
    tanh: Tanh,
    output: Linear,
}

impl Critic {
    fn new(device: &Device) -> Self {
        let (hidden, output) = (LinearConfig::new(1, 32).init(device), LinearConfig::new(32, BINS).init(device));
        Self { hidden, tanh: Tanh::new(), output }
    }

    fn forward(&self, states: Tensor<2>) -> Tensor<2> {
        self.output.forward(self.tanh.forward(self.hidden.forward(states)))
    }
}

/// States from -1 to 1, and what each is worth.
fn values() -> (Vec<f32>, Vec<f64>) {
    let states: Vec<f32> = (0..STATES).map(|state| 2.0 * state as f32 / (STATES - 1) as f32 - 1.0).collect();
    let values = states.iter().map(|&state| 8.0 * f64::from(3.0 * state).sin()).collect();
    (states, values)
}

/// Trains a new critic, and gives the mean distance of its predictions from the values.
fn train(steps: usize) -> Result<f64, Box<dyn Error>> {
    let device = Device::flex().autodiff();
    device.seed(1);
    let (states, values) = values();
    let states = Tensor::<2>::from_data(TensorData::new(states, [STATES, 1]), &device);

    // Each value spreads over its neighbouring bins, as a normal density with three quarters of a bin's width. These labels
    // are soft already, so the configuration smooths nothing.
    let support = ValueSupport::between(-10.0, 10.0, BINS)?;
    let labels = support.hl_gauss(&values, 0.75 * 20.0 / BINS as f64)?;
    let criterion = SmoothedCrossEntropy::from_config(Config::cross_entropy().build()?)?;
    let labels = TensorData::new(labels.probabilities::<f32>(criterion.config())?, [STATES, BINS]);
    let labels = Tensor::<2>::from_data(labels, &device);

    let mut critic = Critic::new(&device);
    let mut optimizer = AdamConfig::new().init();
    for _ in 0..steps {
        let loss = criterion.loss(critic.forward(states.clone()), Probabilities(labels.clone()))?;
        let gradients = GradientsParams::from_grads(loss.backward(), &critic);
        critic = optimizer.step(0.03, critic, gradients);
    }

    let predicted = softmax(critic.valid().forward(states.inner()), 1).into_data().try_to_vec::<f32>()?;
    let mut distance = 0.0;
    for (probabilities, value) in predicted.chunks(BINS).zip(values) {
        let probabilities: Vec<f64> = probabilities.iter().map(|&p| f64::from(p)).collect();
        distance += (support.expected_value(&probabilities)? - value).abs() / STATES as f64;
    }
    Ok(distance)
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("values from -8 to 8 are predicted to within {:.3} on average", train(300)?);
    Ok(())
}

/// To within half a bin, 0.196. Labels smoothed with a rate of 0.1 would pull predictions towards 0 by half a unit.
#[test]
fn values_are_predicted() {
    let distance = train(300).unwrap();
    assert!(distance < 0.196, "{distance}");
}
