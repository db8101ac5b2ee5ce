//! The network in candle.

use label_smoothing_candle::candle_core::{Device, Tensor, Var};
use label_smoothing_candle::{Config, SmoothedCrossEntropy, SmoothedLoss};

use super::digits::Images;
use super::network::{Batch, Framework, HIDDEN, PIXELS, Parameters, SHAPES};
use crate::error::Fallible;

struct Candle {
    criterion: SmoothedCrossEntropy,
}

pub(super) fn framework(config: Config) -> Fallible<Box<dyn Framework>> {
    Ok(Box::new(Candle { criterion: SmoothedCrossEntropy::from_config(config)? }))
}

impl Framework for Candle {
    fn loss_and_gradients(&self, parameters: &Parameters, batch: &Batch) -> Fallible<(f32, Parameters)> {
        let parameters = tensors(parameters)?;
        let mask = matrix(&batch.mask, batch.images.rows(), HIDDEN)?;
        let logits = forward(&parameters, &batch.images, Some(&mask))?;
        let targets = Tensor::from_slice(&batch.images.labels, batch.images.rows(), &Device::Cpu)?;
        let loss = self.criterion.loss(&logits, &targets)?;
        let gradients = loss.backward()?;
        let mut found = Parameters::default();
        for (found, parameter) in found.iter_mut().zip(&parameters) {
            let gradient = gradients.get(parameter).ok_or("candle gave a parameter no gradient")?;
            *found = gradient.flatten_all()?.to_vec1()?;
        }
        Ok((loss.to_scalar()?, found))
    }

    fn logits(&self, parameters: &Parameters, images: &Images) -> Fallible<Vec<f32>> {
        Ok(forward(&tensors(parameters)?, images, None)?.flatten_all()?.to_vec1()?)
    }
}

fn forward([w1, b1, w2, b2]: &[Var; 4], images: &Images, mask: Option<&Tensor>) -> Fallible<Tensor> {
    let images = matrix(&images.pixels, images.rows(), PIXELS)?;
    let mut hidden = images.matmul(w1)?.broadcast_add(b1)?.relu()?;
    if let Some(mask) = mask {
        hidden = (hidden * mask)?;
    }
    Ok(hidden.matmul(w2)?.broadcast_add(b2)?)
}

fn tensors(parameters: &Parameters) -> Fallible<[Var; 4]> {
    let tensor = |at: usize| Var::from_slice(&parameters[at], SHAPES[at], &Device::Cpu);
    Ok([tensor(0)?, tensor(1)?, tensor(2)?, tensor(3)?])
}

fn matrix(values: &[f32], rows: usize, columns: usize) -> Fallible<Tensor> {
    Ok(Tensor::from_slice(values, (rows, columns), &Device::Cpu)?)
}
