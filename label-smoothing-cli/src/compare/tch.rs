//! The adapter for tch, beside libtorch's own smoothed loss.

use label_smoothing_conformance::Dtype;
use label_smoothing_tch::tch::{Kind, Reduction, Tensor};
use label_smoothing_tch::{SmoothedCrossEntropy, SmoothedLoss};

use super::batch::Batch;
use super::contender::{Answer, Contender, Fallible, Pair};

/// libtorch's default: no class of ours.
const IGNORED: i64 = -100;

struct Setup {
    criterion: SmoothedCrossEntropy,
    epsilon: f64,
    logits: Tensor,
    targets: Tensor,
}

type Output = (Tensor, Vec<Tensor>);

impl Setup {
    fn new(batch: &Batch) -> Fallible<Self> {
        let dims = [batch.shape.rows as i64, batch.shape.classes as i64];
        let logits = Tensor::f_from_slice(&batch.logits::<f64>())?.f_reshape(dims)?.f_to_kind(kind(batch.dtype))?;
        Ok(Self {
            criterion: SmoothedCrossEntropy::new(batch.epsilon)?,
            epsilon: batch.epsilon,
            logits: logits.f_set_requires_grad(true)?,
            targets: Tensor::f_from_slice(&batch.targets::<i64>())?,
        })
    }

    fn native(self) -> Contender {
        Contender::new("libtorch's cross_entropy_loss, backward", self, native, read)
    }
}

pub(super) fn pairs(batch: &Batch) -> Fallible<Vec<Pair>> {
    Ok(vec![Pair {
        ours: Contender::new("SmoothedCrossEntropy, backward", Setup::new(batch)?, ours, read),
        native: Setup::new(batch)?.native(),
    }])
}

pub(super) fn natives(batch: &Batch) -> Fallible<Vec<Contender>> {
    Ok(vec![Setup::new(batch)?.native()])
}

fn kind(dtype: Dtype) -> Kind {
    match dtype {
        Dtype::F64 => Kind::Double,
        Dtype::F32 => Kind::Float,
        Dtype::F16 => Kind::Half,
        Dtype::Bf16 => Kind::BFloat16,
    }
}

fn ours(setup: &mut Setup) -> Fallible<Output> {
    backward(&setup.logits, setup.criterion.loss(&setup.logits, &setup.targets)?)
}

fn native(setup: &mut Setup) -> Fallible<Output> {
    let loss =
        setup.logits.f_cross_entropy_loss::<Tensor>(&setup.targets, None, Reduction::Mean, IGNORED, setup.epsilon)?;
    backward(&setup.logits, loss)
}

/// Gives the gradient instead of adding it to the one that the logits have from the step before.
fn backward(logits: &Tensor, loss: Tensor) -> Fallible<Output> {
    let gradients = Tensor::f_run_backward(&[&loss], &[logits], false, false)?;
    Ok((loss, gradients))
}

fn read(_: &Setup, (loss, gradients): Output) -> Fallible<Answer> {
    let [gradient] = gradients.as_slice() else { return Err("libtorch gave the logits no gradient".into()) };
    let gradient = gradient.f_flatten(0, -1)?.f_to_kind(Kind::Double)?;
    Ok(Answer { loss: loss.f_double_value(&[])?, gradient: Vec::try_from(gradient)? })
}
