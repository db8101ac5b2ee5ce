//! The adapter for candle, beside candle-nn's loss, which does not smooth, and beside the one that its users write.

use candle_nn::{loss, ops};
use label_smoothing_candle::candle_core::backprop::GradStore;
use label_smoothing_candle::candle_core::{D, Device, Tensor, Var};
use label_smoothing_candle::{SmoothedCrossEntropy, SmoothedLoss};

use super::batch::{Batch, EPSILON};
use super::contender::{Answer, Contender, Fallible, Pair};

#[derive(Clone)]
struct Setup {
    criterion: SmoothedCrossEntropy,
    logits: Var,
    targets: Tensor,
}

type Output = (Tensor, GradStore);

pub(super) fn pairs(batch: &Batch) -> Fallible<Vec<Pair>> {
    let dims = (batch.shape.rows, batch.shape.classes);
    let setup = Setup {
        criterion: SmoothedCrossEntropy::new(EPSILON)?,
        logits: Var::from_slice(&batch.logits, dims, &Device::Cpu)?,
        targets: Tensor::from_vec(batch.targets::<u32>(), batch.shape.rows, &Device::Cpu)?,
    };
    let ours = || Contender::new("SmoothedCrossEntropy, backward", setup.clone(), ours, read);
    let native = |is, step| Contender::new(is, setup.clone(), step, read);
    Ok(vec![
        Pair { ours: ours(), native: native("candle_nn::loss::cross_entropy (no smoothing), backward", hard) },
        Pair { ours: ours(), native: native("smoothed by hand: log_softmax, gather, mean_all; backward", by_hand) },
    ])
}

fn ours(setup: &mut Setup) -> Fallible<Output> {
    let loss = setup.criterion.loss(&setup.logits, &setup.targets)?;
    let gradients = loss.backward()?;
    Ok((loss, gradients))
}

fn hard(setup: &mut Setup) -> Fallible<Output> {
    let loss = loss::cross_entropy(&setup.logits, &setup.targets)?;
    let gradients = loss.backward()?;
    Ok((loss, gradients))
}

fn by_hand(setup: &mut Setup) -> Fallible<Output> {
    let log_p = ops::log_softmax(&setup.logits, D::Minus1)?;
    let hard = log_p.gather(&setup.targets.unsqueeze(D::Minus1)?, D::Minus1)?.mean_all()?;
    let uniform = log_p.mean_all()?;
    let loss = ((hard * (EPSILON - 1.0))? - (uniform * EPSILON)?)?;
    let gradients = loss.backward()?;
    Ok((loss, gradients))
}

fn read(setup: &Setup, (loss, gradients): Output) -> Fallible<Answer> {
    let gradient = gradients.get(&setup.logits).ok_or("candle gave the logits no gradient")?;
    Ok(Answer { loss: loss.to_scalar()?, gradient: gradient.flatten_all()?.to_vec1()? })
}
