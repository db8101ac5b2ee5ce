//! The network that is trained in every framework, and what is the same for all of them: weights, batches, dropout masks.
//!
//! Whatever is random comes from one generator with a seed (fastrand's), outside of the frameworks. So every framework
//! starts from the same weights and sees the same batches under the same masks.

use fastrand::Rng;

use super::digits::Images;
use crate::error::Fallible;

pub(super) const PIXELS: usize = 64;
pub(super) const HIDDEN: usize = 64;
pub(super) const CLASSES: usize = 10;

/// Images in a batch.
pub(super) const BATCH: usize = 32;

/// The share of the hidden units that a training step leaves out.
pub(super) const DROPOUT: f32 = 0.2;

/// Rows and columns of the parameters: `logits = (mask * relu(images W1 + b1)) W2 + b2`.
pub(super) const SHAPES: [(usize, usize); 4] = [(PIXELS, HIDDEN), (1, HIDDEN), (HIDDEN, CLASSES), (1, CLASSES)];

/// `W1`, `b1`, `W2` and `b2` or their gradients, row-major.
pub(super) type Parameters = [Vec<f32>; 4];

/// A framework with its adapter's loss: one small file each, all alike. Parameters, images and masks come as slices and are
/// made tensors of; nothing is kept from call to call.
pub(super) trait Framework {
    /// The mean loss of a batch, and its gradient by the parameters, by the framework's automatic differentiation.
    fn loss_and_gradients(&self, parameters: &Parameters, batch: &Batch) -> Fallible<(f32, Parameters)>;

    /// The logits of images, without dropout.
    fn logits(&self, parameters: &Parameters, images: &Images) -> Fallible<Vec<f32>>;
}

/// What a step is taken on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Batch {
    pub(super) images: Images,
    /// `rows x HIDDEN`: 0 for a unit that is left out, and for the others what keeps the expectation,
    /// `1 / (1 - DROPOUT)`.
    pub(super) mask: Vec<f32>,
}

/// The random numbers of one seed, each purpose with a generator of its own: the same batches and masks whatever the
/// loss, the noise and the framework.
#[derive(Debug, Clone)]
pub(super) struct Streams {
    pub(super) parts: Rng,
    parameters: Rng,
    order: Rng,
    masks: Rng,
}

impl Streams {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        Self { parts: rng.fork(), parameters: rng.fork(), order: rng.fork(), masks: rng.fork() }
    }

    /// Weights between the bounds of He et al. 2015 (arXiv 1502.01852) for a uniform distribution,
    /// `+-sqrt(6 / inputs)`; biases of 0.
    pub(super) fn parameters(&self) -> Parameters {
        let mut rng = self.parameters.clone();
        SHAPES.map(|(rows, columns)| {
            let bound = if rows == 1 { 0.0 } else { (6.0 / rows as f32).sqrt() };
            (0..rows * columns).map(|_| bound * (2.0 * rng.f32() - 1.0)).collect()
        })
    }

    /// Batches without end: every image once in an order of its own for each pass, what is left of a pass being left out.
    pub(super) fn batches(&self, images: &Images) -> impl Iterator<Item = Batch> {
        let (mut rng, mut masks) = (self.order.clone(), self.masks.clone());
        let mut order: Vec<usize> = Vec::new();
        std::iter::repeat_with(move || {
            if order.len() < BATCH {
                order = (0..images.rows()).collect();
                rng.shuffle(&mut order);
            }
            let rows = order.split_off(order.len() - BATCH);
            let mut unit = || if masks.f32() < DROPOUT { 0.0 } else { 1.0 / (1.0 - DROPOUT) };
            Batch { images: images.select(&rows), mask: (0..BATCH * HIDDEN).map(|_| unit()).collect() }
        })
    }
}
