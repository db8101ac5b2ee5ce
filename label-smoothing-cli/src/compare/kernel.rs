//! Core's kernel on slices, beside a plain loop.

use label_smoothing_core::{Array, Config, Problem, Smoothing, Targets, kernel};

use super::batch::{Batch, EPSILON};
use super::contender::{Answer, Contender, Fallible, Pair};

#[derive(Clone)]
struct Setup {
    config: Config,
    dims: [usize; 2],
    logits: Vec<f32>,
    targets: Vec<i64>,
    /// The caller's buffer; empty where the gradient takes the logits' place.
    gradient: Vec<f32>,
}

pub(super) fn pairs(batch: &Batch) -> Fallible<Vec<Pair>> {
    let in_place = Setup {
        config: Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: batch.epsilon }).build()?,
        dims: [batch.shape.rows, batch.shape.classes],
        logits: batch.logits(),
        targets: batch.targets(),
        gradient: Vec::new(),
    };
    let buffered = Setup { gradient: vec![0.0; batch.shape.logits()], ..in_place.clone() };
    Ok(vec![
        Pair {
            ours: Contender::new("kernel::loss_and_gradient, buffer reused", buffered.clone(), ours, read),
            native: Contender::new("a plain scalar loop, buffer reused", buffered, plain, read),
        },
        Pair {
            ours: Contender::new("kernel::loss_and_gradient_in_place", in_place.clone(), ours_in_place, read_in_place),
            native: Contender::new("a plain scalar loop, in place", in_place, plain_in_place, read_in_place),
        },
    ])
}

fn ours(setup: &mut Setup) -> Fallible<f32> {
    let targets = Targets::indices(Array::new([setup.dims[0]], setup.targets.as_slice()));
    let problem = Problem::<f32>::new(&setup.config, &setup.dims, targets)?;
    Ok(kernel::loss_and_gradient(&problem, &setup.logits, 1.0, &mut setup.gradient)?.value as f32)
}

/// From the second step on the logits are the gradient of the step before: another batch, in the same time.
fn ours_in_place(setup: &mut Setup) -> Fallible<f32> {
    let targets = Targets::indices(Array::new([setup.dims[0]], setup.targets.as_slice()));
    let problem = Problem::<f32>::new(&setup.config, &setup.dims, targets)?;
    Ok(kernel::loss_and_gradient_in_place(&problem, &mut setup.logits, 1.0)?.value as f32)
}

/// The formula as one writes it down.
fn plain(setup: &mut Setup) -> Fallible<f32> {
    let [rows, classes] = setup.dims;
    let mut loss = 0.0;
    let batch = setup.logits.chunks_exact(classes).zip(setup.gradient.chunks_exact_mut(classes));
    for ((logits, gradient), &target) in batch.zip(&setup.targets) {
        let max = maximum(logits);
        let (mut sum, mut sum_of_logits) = (0.0, 0.0);
        for (exp, logit) in gradient.iter_mut().zip(logits) {
            sum_of_logits += logit - max;
            *exp = (logit - max).exp();
            sum += *exp;
        }
        loss += plain_loss(sum, sum_of_logits, logits[target as usize] - max, classes);
        plain_gradient(gradient, sum, target as usize, rows);
    }
    Ok(loss / rows as f32)
}

fn plain_in_place(setup: &mut Setup) -> Fallible<f32> {
    let [rows, classes] = setup.dims;
    let mut loss = 0.0;
    for (row, &target) in setup.logits.chunks_exact_mut(classes).zip(&setup.targets) {
        let max = maximum(row);
        let target_logit = row[target as usize] - max;
        let (mut sum, mut sum_of_logits) = (0.0, 0.0);
        for value in &mut *row {
            sum_of_logits += *value - max;
            *value = (*value - max).exp();
            sum += *value;
        }
        loss += plain_loss(sum, sum_of_logits, target_logit, classes);
        plain_gradient(row, sum, target as usize, rows);
    }
    Ok(loss / rows as f32)
}

fn maximum(row: &[f32]) -> f32 {
    row.iter().copied().fold(f32::NEG_INFINITY, f32::max)
}

fn plain_loss(sum: f32, sum_of_logits: f32, target_logit: f32, classes: usize) -> f32 {
    let epsilon = EPSILON as f32;
    sum.ln() - (1.0 - epsilon) * target_logit - epsilon / classes as f32 * sum_of_logits
}

/// The gradient of the mean, in place of the row's exponentials.
fn plain_gradient(row: &mut [f32], sum: f32, target: usize, rows: usize) {
    let (epsilon, classes, rows) = (EPSILON as f32, row.len() as f32, rows as f32);
    for value in &mut *row {
        *value = (*value / sum - epsilon / classes) / rows;
    }
    row[target] -= (1.0 - epsilon) / rows;
}

fn read(setup: &Setup, loss: f32) -> Fallible<Answer> {
    Ok(Answer { loss: loss.into(), gradient: widened(&setup.gradient) })
}

fn read_in_place(setup: &Setup, loss: f32) -> Fallible<Answer> {
    Ok(Answer { loss: loss.into(), gradient: widened(&setup.logits) })
}

fn widened(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| value.into()).collect()
}
