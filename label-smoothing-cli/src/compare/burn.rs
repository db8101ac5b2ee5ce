//! The adapter for burn, beside burn's own smoothed loss.

use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use label_smoothing_burn::burn::tensor::{DType, Device, Gradients, Int, Tensor, TensorData};
use label_smoothing_burn::{SmoothedCrossEntropy, SmoothedLoss};
use label_smoothing_conformance::Dtype;

use super::batch::Batch;
use super::contender::{Answer, Contender, Fallible, Pair};

#[derive(Clone)]
struct Setup {
    criterion: SmoothedCrossEntropy,
    native: CrossEntropyLoss,
    logits: Tensor<2>,
    targets: Tensor<1, Int>,
}

type Output = (Tensor<1>, Gradients);

impl Setup {
    fn new(batch: &Batch) -> Fallible<Self> {
        let device = Device::flex().autodiff();
        let (rows, classes) = (batch.shape.rows, batch.shape.classes);
        // burn takes its rate as `f32`, and none of it as no smoothing.
        let rate = (batch.epsilon != 0.0).then_some(batch.epsilon as f32);
        let logits = TensorData::new(batch.logits::<f64>(), [rows, classes]);
        Ok(Self {
            criterion: SmoothedCrossEntropy::new(batch.epsilon)?,
            native: CrossEntropyLossConfig::new().with_smoothing(rate).init(&device),
            logits: Tensor::from_data(logits, (&device, dtype(batch.dtype))).require_grad(),
            targets: Tensor::from_data(TensorData::new(batch.targets::<i64>(), [rows]), &device),
        })
    }

    fn native(self) -> Contender {
        Contender::new("CrossEntropyLossConfig::with_smoothing, backward", self, native, read)
    }
}

pub(super) fn pairs(batch: &Batch) -> Fallible<Vec<Pair>> {
    let setup = Setup::new(batch)?;
    Ok(vec![Pair {
        ours: Contender::new("SmoothedCrossEntropy, backward", setup.clone(), ours, read),
        native: setup.native(),
    }])
}

/// burn makes its smoothed targets in the device's default type, `f32`, and panics where the logits have another.
pub(super) fn natives(batch: &Batch) -> Fallible<Vec<Contender>> {
    let is_possible = batch.epsilon == 0.0 || batch.dtype == Dtype::F32;
    Ok(if is_possible { vec![Setup::new(batch)?.native()] } else { Vec::new() })
}

fn dtype(dtype: Dtype) -> DType {
    match dtype {
        Dtype::F64 => DType::F64,
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::Bf16 => DType::BF16,
    }
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
    let [loss] = loss.try_into_vec_as::<f64>()?[..] else { return Err("burn gave no scalar loss".into()) };
    Ok(Answer { loss, gradient: gradient.try_into_vec_as()? })
}
