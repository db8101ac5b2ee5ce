//! The network in dfdx, whose shapes are part of its types.

use label_smoothing_dfdx::dfdx::prelude::{
    AsArray, BroadcastTo, Const, Cpu, NoneTape, Rank1, Rank2, Shape, Tape, Tensor, TensorFromVec, Trace, TryMatMul,
};
use label_smoothing_dfdx::dfdx::tensor_ops::{Backward, TryAdd, TryMul};
use label_smoothing_dfdx::{Config, SmoothedCrossEntropy, SmoothedLoss};

use super::digits::Images;
use super::network::{Batch, CLASSES, Framework, HIDDEN, PIXELS, Parameters};
use crate::error::Fallible;

struct Dfdx {
    criterion: SmoothedCrossEntropy,
}

type Matrix<const R: usize, const C: usize> = Tensor<Rank2<R, C>, f32, Cpu>;
type Vector<const N: usize> = Tensor<Rank1<N>, f32, Cpu>;
/// As many rows as there are images.
type Rows<const C: usize, T = NoneTape> = Tensor<(usize, Const<C>), f32, Cpu, T>;

struct Tensors {
    w1: Matrix<PIXELS, HIDDEN>,
    b1: Vector<HIDDEN>,
    w2: Matrix<HIDDEN, CLASSES>,
    b2: Vector<CLASSES>,
}

pub(super) fn framework(config: Config) -> Fallible<Box<dyn Framework>> {
    Ok(Box::new(Dfdx { criterion: SmoothedCrossEntropy::from_config(config)? }))
}

impl Framework for Dfdx {
    fn loss_and_gradients(&self, parameters: &Parameters, batch: &Batch) -> Fallible<(f32, Parameters)> {
        let tensors = Tensors::new(parameters)?;
        let images = rows(&batch.images.pixels)?.leaky_traced();
        let logits = tensors.forward(images, Some(rows(&batch.mask)?))?;
        let loss = self.criterion.loss(logits, &batch.images.labels)?;
        let value = loss.array();
        let gradients = loss.try_backward()?;
        let Tensors { w1, b1, w2, b2 } = tensors;
        let found = [
            read(&gradients.get(&w1)),
            read(&gradients.get(&b1)),
            read(&gradients.get(&w2)),
            read(&gradients.get(&b2)),
        ];
        Ok((value, found))
    }

    fn logits(&self, parameters: &Parameters, images: &Images) -> Fallible<Vec<f32>> {
        Ok(read(&Tensors::new(parameters)?.forward(rows(&images.pixels)?, None)?))
    }
}

impl Tensors {
    fn new([w1, b1, w2, b2]: &Parameters) -> Fallible<Self> {
        let device = Cpu::default();
        Ok(Self {
            w1: device.try_tensor_from_vec(w1.clone(), (Const, Const))?,
            b1: device.try_tensor_from_vec(b1.clone(), (Const,))?,
            w2: device.try_tensor_from_vec(w2.clone(), (Const, Const))?,
            b2: device.try_tensor_from_vec(b2.clone(), (Const,))?,
        })
    }

    fn forward<T>(&self, images: Rows<PIXELS, T>, mask: Option<Rows<HIDDEN>>) -> Fallible<Rows<CLASSES, T>>
    where
        T: Tape<f32, Cpu>,
    {
        let hidden = images.try_matmul(self.w1.retaped::<T>())?;
        let bias = self.b1.retaped::<T>().try_broadcast_like(&hidden)?;
        let mut hidden = hidden.try_add(bias)?.try_relu()?;
        if let Some(mask) = mask {
            hidden = hidden.try_mul(mask)?;
        }
        let logits = hidden.try_matmul(self.w2.retaped::<T>())?;
        let bias = self.b2.retaped::<T>().try_broadcast_like(&logits)?;
        Ok(logits.try_add(bias)?)
    }
}

fn rows<const C: usize>(values: &[f32]) -> Fallible<Rows<C>> {
    Ok(Cpu::default().try_tensor_from_vec(values.to_vec(), (values.len() / C, Const))?)
}

fn read<S: Shape, T>(tensor: &Tensor<S, f32, Cpu, T>) -> Vec<f32> {
    tensor.as_vec()
}
