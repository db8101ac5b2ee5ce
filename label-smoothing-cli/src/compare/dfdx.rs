//! The adapter for dfdx, beside dfdx's own loss, which takes dense targets.

use label_smoothing_conformance::Dtype;
use label_smoothing_core::{Element, f16};
use label_smoothing_dfdx::dfdx::losses::cross_entropy_with_logits_loss;
use label_smoothing_dfdx::dfdx::prelude::{
    AsArray, Backward, Cpu, Device, Dtype as Number, Gradients, OwnedTape, Rank0, Tensor, TensorFromVec, Trace,
};
use label_smoothing_dfdx::{SmoothedCrossEntropy, SmoothedLoss};

use super::batch::Batch;
use super::contender::{Answer, Contender, Fallible, Pair};

type Matrix<T> = Tensor<(usize, usize), T, Cpu>;

#[derive(Clone)]
struct Setup<T: Number> {
    criterion: SmoothedCrossEntropy,
    logits: Matrix<T>,
    targets: Vec<i64>,
    /// Made here, outside of what is timed, in favour of dfdx.
    dense_targets: Matrix<T>,
}

type Output<T> = (T, Gradients<T, Cpu>);

impl<T: Element + Number> Setup<T>
where
    Cpu: Device<T>,
{
    fn new(batch: &Batch) -> Fallible<Self> {
        let device = Cpu::default();
        let dims = (batch.shape.rows, batch.shape.classes);
        Ok(Self {
            criterion: SmoothedCrossEntropy::new(batch.epsilon)?,
            logits: device.try_tensor_from_vec(batch.logits(), dims)?,
            targets: batch.targets(),
            dense_targets: device.try_tensor_from_vec(smoothed(batch), dims)?,
        })
    }

    fn native(self) -> Contender {
        Contender::new(
            "cross_entropy_with_logits_loss, backward (smoothed dense targets made beforehand)",
            self,
            native,
            read,
        )
    }
}

pub(super) fn pairs(batch: &Batch) -> Fallible<Vec<Pair>> {
    let setup = Setup::<f32>::new(batch)?;
    Ok(vec![Pair {
        ours: Contender::new("SmoothedCrossEntropy, backward", setup.clone(), ours, read),
        native: setup.native(),
    }])
}

/// dfdx has no `bf16`.
pub(super) fn natives(batch: &Batch) -> Fallible<Vec<Contender>> {
    Ok(match batch.dtype {
        Dtype::F64 => vec![Setup::<f64>::new(batch)?.native()],
        Dtype::F32 => vec![Setup::<f32>::new(batch)?.native()],
        Dtype::F16 => vec![Setup::<f16>::new(batch)?.native()],
        Dtype::Bf16 => Vec::new(),
    })
}

fn smoothed<T: Element>(batch: &Batch) -> Vec<T> {
    let (classes, logits) = (batch.shape.classes, batch.shape.logits());
    let share = batch.epsilon / classes as f64;
    let mut dense = vec![T::from_f64(share); logits];
    for (row, target) in dense.chunks_exact_mut(classes).zip(batch.targets::<usize>()) {
        row[target] = T::from_f64(share + (1.0 - batch.epsilon));
    }
    dense
}

fn ours(setup: &mut Setup<f32>) -> Fallible<Output<f32>> {
    let logits = setup.logits.leaky_trace();
    backward(setup.criterion.loss(logits, &setup.targets)?)
}

fn native<T: Number>(setup: &mut Setup<T>) -> Fallible<Output<T>>
where
    Cpu: Device<T>,
{
    backward(cross_entropy_with_logits_loss(setup.logits.leaky_trace(), setup.dense_targets.clone()))
}

fn backward<T: Number>(loss: Tensor<Rank0, T, Cpu, OwnedTape<T, Cpu>>) -> Fallible<Output<T>>
where
    Cpu: Device<T>,
{
    let value = loss.array();
    Ok((value, loss.try_backward()?))
}

fn read<T: Element + Number>(setup: &Setup<T>, (loss, gradients): Output<T>) -> Fallible<Answer>
where
    Cpu: Device<T>,
{
    let widened = <T as Element>::to_f64;
    let gradient = gradients.get(&setup.logits).as_vec();
    Ok(Answer { loss: widened(loss), gradient: gradient.into_iter().map(widened).collect() })
}
