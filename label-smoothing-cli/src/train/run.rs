//! One training run, and what came out of it.

use label_smoothing_core::calibration::{
    self, Binning, accuracy, brier_score, expected_calibration_error, fit_temperature, mean_confidence,
    negative_log_likelihood, over_confidence, softmax, top_label,
};
use label_smoothing_core::{Config, Smoothing};
use serde::Serialize;

use super::digits::{Images, Parts};
use super::network::{CLASSES, Framework, Streams};
use super::optimiser::{Optimiser, Rule};
use crate::error::Fallible;

/// Steps from one look at the validation part to the next.
const LOOK: usize = 50;

/// Bins of the calibration errors, as many as Guo et al. 2017 use.
pub(super) const BINS: usize = 15;

/// What a run is told.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Setting {
    pub(super) backend: &'static str,
    /// The smoothing rate; 0 is hard labels.
    pub(super) label_smoothing: f64,
    /// The share of the training labels that are wrong.
    pub(super) noise: f64,
    pub(super) seed: u64,
}

/// What it found.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Run {
    #[serde(flatten)]
    pub(super) setting: Setting,
    /// Fitted on the validation part.
    pub(super) temperature: f64,
    /// On the test part, with the logits as they are.
    pub(super) before: Scores,
    /// On the test part, with the logits over the temperature.
    pub(super) after: Scores,
    /// Of each step's batch, with smoothing and dropout.
    pub(super) training_loss: Vec<f32>,
    /// Steps taken and the negative log-likelihood of the validation part, without smoothing.
    pub(super) validation_nll: Vec<(usize, f64)>,
    /// Of the test part; for the charts.
    #[serde(skip)]
    pub(super) confidences: Vec<f64>,
    #[serde(skip)]
    pub(super) correct: Vec<bool>,
}

/// How good a classifier is, and how well it knows it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Scores {
    pub(super) accuracy: f64,
    pub(super) nll: f64,
    pub(super) brier: f64,
    /// In bins of equal width and of equal mass.
    pub(super) ece: f64,
    pub(super) ece_equal_mass: f64,
    pub(super) mean_confidence: f64,
    pub(super) over_confidence: f64,
}

/// The configuration of the loss at a rate.
pub(super) fn config(label_smoothing: f64) -> Result<Config, label_smoothing_core::Error> {
    Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: label_smoothing }).build()
}

/// Trains for so many steps; calls `step` after each.
pub(super) fn train(
    setting: Setting,
    framework: &dyn Framework,
    rule: Rule,
    steps: usize,
    images: &Images,
    step: &dyn Fn(),
) -> Fallible<Run> {
    let streams = Streams::new(setting.seed);
    let parts = Parts::new(images, setting.noise, streams.parts.clone());
    let (mut parameters, mut optimiser) = (streams.parameters(), Optimiser::new(rule));
    let (mut training_loss, mut validation_nll) = (Vec::new(), Vec::new());
    for (at, batch) in streams.batches(&parts.training).take(steps).enumerate() {
        if at % LOOK == 0 {
            validation_nll.push((at, nll(&framework.logits(&parameters, &parts.validation)?, &parts.validation)?));
        }
        let (loss, gradients) = framework.loss_and_gradients(&parameters, &batch)?;
        optimiser.step(&mut parameters, &gradients);
        training_loss.push(loss);
        step();
    }
    let validation = framework.logits(&parameters, &parts.validation)?;
    validation_nll.push((steps, nll(&validation, &parts.validation)?));
    let temperature = fit_temperature(&validation, CLASSES, &parts.validation.labels)?.temperature;
    let logits = framework.logits(&parameters, &parts.test)?;
    let (before, top) = scores(&logits, &parts.test, 1.0)?;
    let (after, _) = scores(&logits, &parts.test, temperature)?;
    let calibration::TopLabel { confidences, correct } = top;
    Ok(Run { setting, temperature, before, after, training_loss, validation_nll, confidences, correct })
}

fn nll(logits: &[f32], images: &Images) -> Result<f64, label_smoothing_core::Error> {
    negative_log_likelihood(logits, CLASSES, &images.labels, 1.0)
}

fn scores(
    logits: &[f32],
    images: &Images,
    temperature: f64,
) -> Result<(Scores, calibration::TopLabel), label_smoothing_core::Error> {
    let probabilities = softmax(logits, CLASSES, temperature)?;
    let top = top_label(&probabilities, CLASSES, &images.labels)?;
    let error = |binning| expected_calibration_error(&top.confidences, &top.correct, binning);
    let scores = Scores {
        accuracy: accuracy(&top.correct)?,
        nll: negative_log_likelihood(logits, CLASSES, &images.labels, temperature)?,
        brier: brier_score(&probabilities, CLASSES, &images.labels)?,
        ece: error(Binning::EqualWidth(BINS))?,
        ece_equal_mass: error(Binning::EqualMass(BINS))?,
        mean_confidence: mean_confidence(&top.confidences)?,
        over_confidence: over_confidence(&top.confidences, &top.correct)?,
    };
    Ok((scores, top))
}
