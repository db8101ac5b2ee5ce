//! The network in burn.

use label_smoothing_burn::burn::tensor::{Device, Int, Tensor, TensorData, activation};
use label_smoothing_burn::{Config, SmoothedCrossEntropy, SmoothedLoss};

use super::digits::Images;
use super::network::{Batch, Framework, HIDDEN, PIXELS, Parameters, SHAPES};
use crate::error::Fallible;

struct Burn {
    criterion: SmoothedCrossEntropy,
    device: Device,
}

pub(super) fn framework(config: Config) -> Fallible<Box<dyn Framework>> {
    let criterion = SmoothedCrossEntropy::from_config(config)?;
    Ok(Box::new(Burn { criterion, device: Device::flex().autodiff() }))
}

impl Framework for Burn {
    fn loss_and_gradients(&self, parameters: &Parameters, batch: &Batch) -> Fallible<(f32, Parameters)> {
        let parameters = self.tensors(parameters).map(Tensor::require_grad);
        let mask = self.matrix(&batch.mask, batch.images.rows(), HIDDEN);
        let logits = self.forward(parameters.clone(), &batch.images, Some(mask));
        let targets = TensorData::new(batch.images.labels.clone(), [batch.images.rows()]);
        let loss = self.criterion.loss(logits, Tensor::<1, Int>::from_data(targets, &self.device))?;
        let gradients = loss.backward();
        let mut found = Parameters::default();
        for (found, parameter) in found.iter_mut().zip(&parameters) {
            let gradient = parameter.grad(&gradients).ok_or("burn gave a parameter no gradient")?;
            *found = gradient.into_data().try_to_vec()?;
        }
        Ok((loss.into_scalar(), found))
    }

    fn logits(&self, parameters: &Parameters, images: &Images) -> Fallible<Vec<f32>> {
        Ok(self.forward(self.tensors(parameters), images, None).into_data().try_to_vec()?)
    }
}

impl Burn {
    fn forward(&self, [w1, b1, w2, b2]: [Tensor<2>; 4], images: &Images, mask: Option<Tensor<2>>) -> Tensor<2> {
        let images = self.matrix(&images.pixels, images.rows(), PIXELS);
        let mut hidden = activation::relu(images.matmul(w1) + b1);
        if let Some(mask) = mask {
            hidden = hidden * mask;
        }
        hidden.matmul(w2) + b2
    }

    fn tensors(&self, parameters: &Parameters) -> [Tensor<2>; 4] {
        [0, 1, 2, 3].map(|at| self.matrix(&parameters[at], SHAPES[at].0, SHAPES[at].1))
    }

    fn matrix(&self, values: &[f32], rows: usize, columns: usize) -> Tensor<2> {
        Tensor::from_data(TensorData::new(values.to_vec(), [rows, columns]), &self.device)
    }
}
