//! A batch of utterances of unequal length: logits of shape (utterances, frames, labels), and a mask made of the lengths.
//!
//! ```text
//! cargo run --example speech_batch -p label-smoothing-ndarray
//! ```

use label_smoothing_ndarray::{Error, LossParts, Masked, SmoothedCrossEntropy};
use ndarray::{Array2, Array3, array};

/// Whether a frame belongs to its utterance.
pub(crate) fn mask(lengths: &[usize], frames: usize) -> Array2<bool> {
    Array2::from_shape_fn((lengths.len(), frames), |(utterance, frame)| frame < lengths[utterance])
}

/// The loss of the frames within the lengths: its parts, and its gradient, which is exactly 0 behind them.
pub(crate) fn loss(
    logits: &Array3<f32>,
    labels: &Array2<i64>,
    lengths: &[usize],
) -> Result<(LossParts, Array3<f32>), Error> {
    let criterion = SmoothedCrossEntropy::new(0.1)?;
    let mask = mask(lengths, logits.dim().1);
    let targets = Masked { targets: labels.view(), mask: mask.view() };
    let (_, parts, gradient) = criterion.loss_parts_and_gradient(logits.view(), targets, 1.0)?;
    Ok((parts, gradient))
}

pub(crate) fn main() -> Result<(), Error> {
    // Behind an utterance's end its logits and labels are whatever the memory held.
    let mut logits = Array3::from_shape_fn((2, 4, 5), |(u, t, c)| ((u * 20 + t * 5 + c) as f32).sin());
    logits[[1, 3, 0]] = f32::NAN;
    let labels = array![[1_i64, 0, 3, 4], [2, 2, 0, -7]];
    let (parts, gradient) = loss(&logits, &labels, &[4, 2])?;
    println!("loss {:.4} over {} frames", parts.mean(), parts.counted());
    println!("gradient behind the end: {}", gradient[[1, 3, 0]]);
    Ok(())
}
