//! The question: a linear layer without bias in front of the loss, on real digits.

use label_smoothing_core::{Config, Element, Smoothing};

/// Pixels of an image.
pub(crate) const PIXELS: usize = 64;
/// The ten digits.
pub(crate) const CLASSES: usize = 10;
/// Images in the file.
pub(crate) const IMAGES: usize = 100;

/// The layer and a batch for it.
///
/// Pixels are multiples of 1/16 and weights multiples of 1/64, both small: the products and sums that make the logits are
/// exact in every element type and in any order. So all frameworks must have the same logits, and the same loss.
pub(crate) struct Layer<T> {
    /// `rows x PIXELS`.
    pub(crate) images: Vec<T>,
    /// One per row.
    pub(crate) digits: Vec<i64>,
    /// `PIXELS x CLASSES`.
    pub(crate) weights: Vec<T>,
}

impl<T: Element> Layer<T> {
    /// The first images, and weights between -1/4 and 1/4.
    pub(crate) fn new(rows: usize) -> Self {
        let lines = include_str!("digits.csv").lines().take(rows);
        let table: Vec<Vec<i64>> =
            lines.map(|line| line.split(',').map(|number| number.parse().unwrap()).collect()).collect();
        assert!(table.len() == rows && table.iter().all(|line| line.len() == PIXELS + 1));
        let mut state = 1_u64;
        let mut weight = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            T::from_f64(((state >> 33) % 33) as f64 / 64.0 - 0.25)
        };
        Self {
            images: table
                .iter()
                .flat_map(|line| &line[..PIXELS])
                .map(|&pixel| T::from_f64(pixel as f64 / 16.0))
                .collect(),
            digits: table.iter().map(|line| line[PIXELS]).collect(),
            weights: (0..PIXELS * CLASSES).map(|_| weight()).collect(),
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.digits.len()
    }
}

/// A mean with an option of each kind; the nines do not count.
pub(crate) fn everything() -> Config {
    let weights = [1.0, 2.0, 0.5, 1.0, 1.5, 1.0, 0.75, 1.0, 1.25, 1.0];
    let config = Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: 0.1 });
    config.class_weights(weights).ignore_index([9]).z_loss(0.01).build().unwrap()
}

/// Cross entropy with smoothing alone.
pub(crate) fn smoothed() -> Config {
    Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: 0.1 }).build().unwrap()
}

/// Cross entropy as it is.
pub(crate) fn hard() -> Config {
    Config::cross_entropy().build().unwrap()
}

/// What was found for one layer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    pub(crate) loss: f64,
    /// By the layer's weights.
    pub(crate) gradient: Vec<f64>,
}

/// What is differentiated.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Objective {
    /// `loss` of [`everything`].
    Loss,
    /// `3 * loss + the mean of the logits' squares`, all but the loss by operations of the framework.
    ThreeTimesAndAnother,
    /// `loss` and, of the same logits, the mean of the `row_losses` of [`hard`].
    TwoLosses,
}

pub(crate) const OBJECTIVES: [Objective; 3] = [Objective::Loss, Objective::ThreeTimesAndAnother, Objective::TwoLosses];

/// A framework with its adapter; one small module each, all alike.
pub(crate) trait Framework<T> {
    fn name(&self) -> &'static str;

    /// The objective, and its gradient by the framework's autograd.
    fn differentiate(&self, layer: &Layer<T>, objective: Objective) -> Found;

    /// Plain gradient descent on the loss of [`smoothed`]: the loss before each step.
    fn train(&self, layer: &Layer<T>, rate: f64, steps: usize) -> Vec<f64>;
}

pub(crate) fn widened<T: Element>(values: &[T]) -> Vec<f64> {
    values.iter().map(|value| value.to_f64()).collect()
}
