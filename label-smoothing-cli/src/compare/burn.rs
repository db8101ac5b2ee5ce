//! The adapter for burn, beside burn's own smoothed loss.

use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use label_smoothing_burn::burn::tensor::{Device, Gradients, Int, Tensor, TensorData};
use label_smoothing_burn::{SmoothedCrossEntropy, SmoothedLoss};

use super::batch::{Batch, EPSILON};
use super::contender::{Answer, Contender, Fallible, Pair};

#[derive(Clone)]
struct Setup {
    criterion: SmoothedCrossEntropy,
    native: CrossEntropyLoss,
    logits: Tensor<2>,
    targets: Tensor<1, Int>,
}

type Output = (Tensor<1>, Gradients);

pub(super) fn pairs(batch: &Batch) -> Fallible<Vec<Pair>> {
    let device = Device::flex().autodiff();
    let (rows, classes) = (batch.shape.rows, batch.shape.classes);
    let setup = Setup {
        criterion: SmoothedCrossEntropy::new(EPSILON)?,
        native: CrossEntropyLossConfig::new().with_smoothing(Some(EPSILON as f32)).init(&device),
        logits: Tensor::from_data(TensorData::new(batch.logits.clone(), [rows, classes]), &device).require_grad(),
        targets: Tensor::from_data(TensorData::new(batch.targets::<i64>(), [rows]), &device),
    };
    Ok(vec![Pair {
        ours: Contender::new("SmoothedCrossEntropy, backward", setup.clone(), ours, read),
        native: Contender::new("CrossEntropyLossConfig::with_smoothing, backward", setup, native, read),
    }])
}

fn ours(setup: &mut Setup) -> Fallible<Output> {
    let loss = setup.criterion.loss(setup.logits.clone(), setup.targets.clone())?;
    let gradients = loss.backward();
    Ok((loss, gradients))
}

fn native(setup: &mut Setup) -> Fallible<Output> {
    let loss = setup.native.forward(setup.logits.clone(), setup.targets.clone());
    let gradients = loss.backward();
    Ok((loss, gradients))
}

fn read(setup: &Setup, (loss, gradients): Output) -> Fallible<Answer> {
    let gradient = setup.logits.grad(&gradients).ok_or("burn gave the logits no gradient")?;
    Ok(Answer { loss: loss.into_scalar(), gradient: gradient.into_data().try_to_vec()? })
}
