//! The network in tch.

use label_smoothing_tch::tch::{Kind, TchError, Tensor, no_grad_guard};
use label_smoothing_tch::{Config, SmoothedCrossEntropy, SmoothedLoss};

use super::digits::Images;
use super::network::{Batch, Framework, HIDDEN, PIXELS, Parameters, SHAPES};
use crate::error::Fallible;

struct Tch {
    criterion: SmoothedCrossEntropy,
}

pub(super) fn framework(config: Config) -> Fallible<Box<dyn Framework>> {
    Ok(Box::new(Tch { criterion: SmoothedCrossEntropy::from_config(config)? }))
}

impl Framework for Tch {
    fn loss_and_gradients(&self, parameters: &Parameters, batch: &Batch) -> Fallible<(f32, Parameters)> {
        let parameters = tensors(parameters)?.map(|parameter| parameter.set_requires_grad(true));
        let mask = matrix(&batch.mask, batch.images.rows(), HIDDEN)?;
        let logits = forward(&parameters, &batch.images, Some(&mask))?;
        let loss = self.criterion.loss(&logits, &Tensor::f_from_slice(&batch.images.labels)?)?;
        loss.f_backward()?;
        let mut found = Parameters::default();
        for (found, parameter) in found.iter_mut().zip(&parameters) {
            *found = read(&parameter.f_grad()?)?;
        }
        Ok((f32::try_from(&loss)?, found))
    }

    fn logits(&self, parameters: &Parameters, images: &Images) -> Fallible<Vec<f32>> {
        let _guard = no_grad_guard();
        Ok(read(&forward(&tensors(parameters)?, images, None)?)?)
    }
}

fn forward([w1, b1, w2, b2]: &[Tensor; 4], images: &Images, mask: Option<&Tensor>) -> Result<Tensor, TchError> {
    let images = matrix(&images.pixels, images.rows(), PIXELS)?;
    let mut hidden = images.f_matmul(w1)?.f_add(b1)?.f_relu()?;
    if let Some(mask) = mask {
        hidden = hidden.f_mul(mask)?;
    }
    hidden.f_matmul(w2)?.f_add(b2)
}

fn tensors(parameters: &Parameters) -> Result<[Tensor; 4], TchError> {
    let tensor = |at: usize| matrix(&parameters[at], SHAPES[at].0, SHAPES[at].1);
    Ok([tensor(0)?, tensor(1)?, tensor(2)?, tensor(3)?])
}

fn matrix(values: &[f32], rows: usize, columns: usize) -> Result<Tensor, TchError> {
    Tensor::f_from_slice(values)?.f_reshape([rows as i64, columns as i64])
}

fn read(tensor: &Tensor) -> Result<Vec<f32>, TchError> {
    Vec::try_from(tensor.f_to_kind(Kind::Float)?.f_flatten(0, -1)?)
}
