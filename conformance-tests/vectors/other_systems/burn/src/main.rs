//! What burn's own loss gives: one question in JSON a line on standard input, one answer a line on standard output.

use std::io::{BufRead, Write};

use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Question {
    rows: usize,
    classes: usize,
    logits: Vec<f32>,
    targets: Vec<i64>,
    smoothing: Option<f32>,
    weights: Option<Vec<f32>>,
    pad_tokens: Option<Vec<usize>>,
}

#[derive(Serialize)]
struct Answer {
    loss: f32,
    gradient: Vec<f32>,
}

fn answer(question: Question) -> Answer {
    let Question { rows, classes, logits, targets, smoothing, weights, pad_tokens } = question;
    let device = Device::flex().autodiff();
    let logits = Tensor::<2>::from_data(TensorData::new(logits, [rows, classes]), &device).require_grad();
    let targets = Tensor::<1, Int>::from_data(TensorData::new(targets, [rows]), &device);
    let criterion = CrossEntropyLossConfig::new()
        .with_smoothing(smoothing)
        .with_weights(weights)
        .with_pad_tokens(pad_tokens)
        .init(&device);
    let loss = criterion.forward(logits.clone(), targets);
    let value = loss.clone().into_data().iter::<f32>().next().expect("a loss");
    let gradient = logits.grad(&loss.backward()).expect("a gradient");
    Answer { loss: value, gradient: gradient.into_data().iter::<f32>().collect() }
}

fn main() {
    let mut output = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let question = serde_json::from_str(&line.expect("text")).expect("a question");
        let answer = serde_json::to_string(&answer(question)).expect("finite numbers");
        writeln!(output, "{answer}").expect("a reader");
    }
}
