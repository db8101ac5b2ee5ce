//! The adapter for dfdx, beside dfdx's own loss, which takes dense targets.

use label_smoothing_dfdx::dfdx::losses::cross_entropy_with_logits_loss;
use label_smoothing_dfdx::dfdx::prelude::{
    AsArray, Backward, Cpu, Gradients, OwnedTape, Rank0, Tensor, TensorFromVec, Trace,
};
use label_smoothing_dfdx::{SmoothedCrossEntropy, SmoothedLoss};

use super::batch::{Batch, EPSILON};
use super::contender::{Answer, Contender, Fallible, Pair};

type Matrix = Tensor<(usize, usize), f32, Cpu>;

#[derive(Clone)]
struct Setup {
    criterion: SmoothedCrossEntropy,
    logits: Matrix,
    targets: Vec<i64>,
    /// Made here, outside of what is timed, in favour of dfdx.
    dense_targets: Matrix,
}

type Output = (f32, Gradients<f32, Cpu>);

pub(super) fn pairs(batch: &Batch) -> Fallible<Vec<Pair>> {
    let device = Cpu::default();
    let dims = (batch.shape.rows, batch.shape.classes);
    let setup = Setup {
        criterion: SmoothedCrossEntropy::new(EPSILON)?,
        logits: device.try_tensor_from_vec(batch.logits.clone(), dims)?,
        targets: batch.targets(),
        dense_targets: device.try_tensor_from_vec(smoothed(batch), dims)?,
    };
    Ok(vec![Pair {
        ours: Contender::new("SmoothedCrossEntropy, backward", setup.clone(), ours, read),
        native: Contender::new(
            "cross_entropy_with_logits_loss, backward (smoothed dense targets made beforehand)",
            setup,
            native,
            read,
        ),
    }])
}

fn smoothed(batch: &Batch) -> Vec<f32> {
    let classes = batch.shape.classes;
    let mut dense = vec![EPSILON as f32 / classes as f32; batch.logits.len()];
    for (row, target) in dense.chunks_exact_mut(classes).zip(batch.targets::<usize>()) {
        row[target] += 1.0 - EPSILON as f32;
    }
    dense
}

fn ours(setup: &mut Setup) -> Fallible<Output> {
    let logits = setup.logits.leaky_trace();
    backward(setup.criterion.loss(logits, &setup.targets)?)
}

fn native(setup: &mut Setup) -> Fallible<Output> {
    backward(cross_entropy_with_logits_loss(setup.logits.leaky_trace(), setup.dense_targets.clone()))
}

fn backward(loss: Tensor<Rank0, f32, Cpu, OwnedTape<f32, Cpu>>) -> Fallible<Output> {
    let value = loss.array();
    Ok((value, loss.try_backward()?))
}

fn read(setup: &Setup, (loss, gradients): Output) -> Fallible<Answer> {
    Ok(Answer { loss, gradient: gradients.get(&setup.logits).as_vec() })
}
