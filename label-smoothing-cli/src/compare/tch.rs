//! The adapter for tch, beside libtorch's own smoothed loss.

use label_smoothing_tch::tch::{Reduction, Tensor};
use label_smoothing_tch::{SmoothedCrossEntropy, SmoothedLoss};

use super::batch::{Batch, EPSILON};
use super::contender::{Answer, Contender, Fallible, Pair};

/// libtorch's default: no class of ours.
const IGNORED: i64 = -100;

struct Setup {
    criterion: SmoothedCrossEntropy,
    logits: Tensor,
    targets: Tensor,
}

type Output = (Tensor, Vec<Tensor>);

impl Setup {
    fn new(batch: &Batch) -> Fallible<Self> {
        let dims = [batch.shape.rows as i64, batch.shape.classes as i64];
        Ok(Self {
            criterion: SmoothedCrossEntropy::new(EPSILON)?,
            logits: Tensor::f_from_slice(&batch.logits)?.f_reshape(dims)?.f_set_requires_grad(true)?,
            targets: Tensor::f_from_slice(&batch.targets::<i64>())?,
        })
    }
}

pub(super) fn pairs(batch: &Batch) -> Fallible<Vec<Pair>> {
    Ok(vec![Pair {
        ours: Contender::new("SmoothedCrossEntropy, backward", Setup::new(batch)?, ours, read),
        native: Contender::new("libtorch's cross_entropy_loss, backward", Setup::new(batch)?, native, read),
    }])
}

fn ours(setup: &mut Setup) -> Fallible<Output> {
    backward(&setup.logits, setup.criterion.loss(&setup.logits, &setup.targets)?)
}

fn native(setup: &mut Setup) -> Fallible<Output> {
    let loss = setup.logits.f_cross_entropy_loss::<Tensor>(&setup.targets, None, Reduction::Mean, IGNORED, EPSILON)?;
    backward(&setup.logits, loss)
}

/// Gives the gradient instead of adding it to the one that the logits have from the step before.
fn backward(logits: &Tensor, loss: Tensor) -> Fallible<Output> {
    let gradients = Tensor::f_run_backward(&[&loss], &[logits], false, false)?;
    Ok((loss, gradients))
}

fn read(_: &Setup, (loss, gradients): Output) -> Fallible<Answer> {
    let [gradient] = gradients.as_slice() else { return Err("libtorch gave the logits no gradient".into()) };
    Ok(Answer { loss: loss.f_double_value(&[])? as f32, gradient: Vec::try_from(gradient.f_flatten(0, -1)?)? })
}
