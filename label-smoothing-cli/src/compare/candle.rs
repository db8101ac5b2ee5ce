//! The adapter for candle, beside candle-nn's loss, which does not smooth, and beside the one that its users write.

use candle_nn::{loss, ops};
use label_smoothing_candle::candle_core::backprop::GradStore;
use label_smoothing_candle::candle_core::{D, DType, Device, Tensor, Var};
use label_smoothing_candle::{SmoothedCrossEntropy, SmoothedLoss};

use super::batch::Batch;
use super::contender::{Answer, Contender, Fallible, Pair};

#[derive(Clone)]
struct Setup {
    criterion: SmoothedCrossEntropy,
    epsilon: f64,
    logits: Var,
    targets: Tensor,
}

type Output = (Tensor, GradStore);

impl Setup {
    fn new(batch: &Batch) -> Fallible<Self> {
        let dims = (batch.shape.rows, batch.shape.classes);
        let logits = Tensor::from_vec(batch.logits::<f64>(), dims, &Device::Cpu)?;
        Ok(Self {
            criterion: SmoothedCrossEntropy::new(batch.epsilon)?,
            epsilon: batch.epsilon,
            logits: Var::from_tensor(&logits.to_dtype(batch.dtype.name().parse::<DType>()?)?)?,
            targets: Tensor::from_vec(batch.targets::<u32>(), batch.shape.rows, &Device::Cpu)?,
        })
    }

    fn ours(&self) -> Contender {
        Contender::new("SmoothedCrossEntropy, backward", self.clone(), ours, read)
    }

    fn hard(&self) -> Contender {
        Contender::new("candle_nn::loss::cross_entropy (no smoothing), backward", self.clone(), hard, read)
    }

    fn by_hand(&self) -> Contender {
        Contender::new("smoothed by hand: log_softmax, gather, mean_all; backward", self.clone(), by_hand, read)
    }
}

pub(super) fn pairs(batch: &Batch) -> Fallible<Vec<Pair>> {
    let setup = Setup::new(batch)?;
    Ok(vec![Pair { ours: setup.ours(), native: setup.hard() }, Pair { ours: setup.ours(), native: setup.by_hand() }])
}

pub(super) fn natives(batch: &Batch) -> Fallible<Vec<Contender>> {
    let setup = Setup::new(batch)?;
    let hard = (batch.epsilon == 0.0).then(|| setup.hard());
    Ok(hard.into_iter().chain([setup.by_hand()]).collect())
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
    let loss = ((hard * (setup.epsilon - 1.0))? - (uniform * setup.epsilon)?)?;
    let gradients = loss.backward()?;
    Ok((loss, gradients))
}

fn read(setup: &Setup, (loss, gradients): Output) -> Fallible<Answer> {
    let gradient = gradients.get(&setup.logits).ok_or("candle gave the logits no gradient")?;
    let gradient = gradient.flatten_all()?.to_dtype(DType::F64)?.to_vec1()?;
    Ok(Answer { loss: loss.to_dtype(DType::F64)?.to_scalar()?, gradient })
}
