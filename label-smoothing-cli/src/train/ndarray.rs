//! The network in ndarray, which has no automatic differentiation: the way back from the logits is written out.

use label_smoothing_ndarray::ndarray::{Array2, ArrayView1, ArrayView2, Axis};
use label_smoothing_ndarray::{Config, LossGradient, SmoothedCrossEntropy};

use super::digits::Images;
use super::network::{Batch, Framework, HIDDEN, PIXELS, Parameters, SHAPES};
use crate::error::Fallible;

struct Ndarray {
    criterion: SmoothedCrossEntropy,
}

pub(super) fn framework(config: Config) -> Fallible<Box<dyn Framework>> {
    Ok(Box::new(Ndarray { criterion: SmoothedCrossEntropy::from_config(config)? }))
}

impl Framework for Ndarray {
    fn loss_and_gradients(&self, parameters: &Parameters, batch: &Batch) -> Fallible<(f32, Parameters)> {
        let [w1, b1, w2, b2] = matrices(parameters)?;
        let images = matrix(&batch.images.pixels, PIXELS)?;
        let mask = matrix(&batch.mask, HIDDEN)?;
        let sums = images.dot(&w1) + b1;
        let hidden = sums.mapv(|sum| sum.max(0.0)) * mask;
        let logits = hidden.dot(&w2) + b2;
        let targets = ArrayView1::from(&batch.images.labels);
        let (loss, by_logits) = self.criterion.loss_and_gradient(logits.view(), targets, 1.0)?;

        let mut by_sums = by_logits.dot(&w2.t()) * mask;
        by_sums.zip_mut_with(&sums, |slope, &sum| {
            if sum <= 0.0 {
                *slope = 0.0;
            }
        });
        let gradients = [
            values(&images.t().dot(&by_sums)),
            by_sums.sum_axis(Axis(0)).to_vec(),
            values(&hidden.t().dot(&by_logits)),
            by_logits.sum_axis(Axis(0)).to_vec(),
        ];
        Ok((loss, gradients))
    }

    fn logits(&self, parameters: &Parameters, images: &Images) -> Fallible<Vec<f32>> {
        let [w1, b1, w2, b2] = matrices(parameters)?;
        let sums = matrix(&images.pixels, PIXELS)?.dot(&w1) + b1;
        Ok(values(&(sums.mapv(|sum| sum.max(0.0)).dot(&w2) + b2)))
    }
}

fn matrices(parameters: &Parameters) -> Fallible<[ArrayView2<'_, f32>; 4]> {
    let [w1, b1, w2, b2] = parameters;
    Ok([matrix(w1, SHAPES[0].1)?, matrix(b1, SHAPES[1].1)?, matrix(w2, SHAPES[2].1)?, matrix(b2, SHAPES[3].1)?])
}

fn matrix(values: &[f32], columns: usize) -> Fallible<ArrayView2<'_, f32>> {
    Ok(ArrayView2::from_shape((values.len() / columns, columns), values)?)
}

/// In row-major order, in which a product need not lie.
fn values(matrix: &Array2<f32>) -> Vec<f32> {
    matrix.iter().copied().collect()
}
