//! The hook into candle's autograd: an operation whose value and gradient are known before it is applied.

use candle_core::{CpuStorage, CustomOp1, Device, Layout, Result, Shape, Tensor, WithDType};
use label_smoothing_core::{Element, LossFamily, LossParts, Problem};

const NAME: &str = "smoothed loss";

/// What the kernel computed of one batch. `W` is the type of the losses.
pub(crate) struct Computed<W> {
    /// The reduced loss or the row losses.
    pub(crate) losses: Vec<W>,
    /// Their shape.
    pub(crate) shape: Vec<usize>,
    /// What adds up over batches.
    pub(crate) parts: LossParts,
    /// The gradient of their sum, in the order of the logits; none where nobody asked.
    pub(crate) gradient: Option<Vec<W>>,
}

impl<W: WithDType> Computed<W> {
    /// The losses as a tensor on the graph of the logits.
    pub(crate) fn attach<P: Element>(
        self,
        problem: &Problem<P>,
        logits: &Tensor,
    ) -> std::result::Result<Tensor, crate::Error> {
        let Some(gradient) = self.gradient else {
            return Ok(Tensor::from_vec(self.losses, self.shape, &Device::Cpu)?);
        };
        Ok(logits.apply_op1(Precomputed {
            counted: counted(problem, &self.shape)?,
            losses: W::to_cpu_storage_owned(self.losses),
            shape: self.shape.into(),
            class_axis: problem.shape().axis(),
            gradient: Tensor::from_vec(gradient, logits.dims(), &Device::Cpu)?,
        })?)
    }
}

/// Which of several losses are neither masked nor ignored, in their shape; none where all are.
fn counted<P: Element>(problem: &Problem<P>, shape: &[usize]) -> Result<Option<Tensor>> {
    let is_reduced = shape != problem.losses_dims();
    if is_reduced || (0..problem.shape().rows()).all(|row| problem.is_counted(row)) {
        return Ok(None);
    }
    let rows: Vec<u8> = (0..problem.shape().rows()).map(|row| u8::from(problem.is_counted(row))).collect();
    let rows = Tensor::from_vec(rows, problem.shape().row_dims(), &Device::Cpu)?;
    match problem.config().loss() {
        LossFamily::CrossEntropy => Ok(Some(rows)),
        LossFamily::BinaryCrossEntropy => Ok(Some(rows.unsqueeze(problem.shape().axis())?.broadcast_as(shape)?)),
    }
}

/// An operation on the logits that looks at nothing: losses and gradient are in it.
///
/// The gradient has the wide type and is multiplied by the upstream gradient there, so that half types are rounded once.
struct Precomputed {
    losses: CpuStorage,
    shape: Shape,
    class_axis: usize,
    gradient: Tensor,
    counted: Option<Tensor>,
}

impl Precomputed {
    /// The upstream gradient, but 0 for rows that are not counted: it may be anything there, and their gradient is 0.
    fn upstream(&self, upstream: &Tensor) -> Result<Tensor> {
        match &self.counted {
            Some(counted) => counted.where_cond(upstream, &upstream.zeros_like()?),
            None => Ok(upstream.clone()),
        }
    }
}

impl CustomOp1 for Precomputed {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok((self.losses.clone(), self.shape.clone()))
    }

    fn bwd(&self, logits: &Tensor, _: &Tensor, upstream: &Tensor) -> Result<Option<Tensor>> {
        let gradient = if keeps_graph_of_gradients() {
            logits.apply_op1(FirstOrder(self.gradient.clone()))?
        } else {
            self.gradient.clone()
        };
        let upstream = self.upstream(upstream)?;
        let gradient = if upstream.rank() == 0 {
            // A product with 1 would be the same number, at the cost of a pass over the gradient.
            let is_one = upstream.to_dtype(candle_core::DType::F64)?.to_scalar::<f64>()? == 1.0;
            if is_one && !upstream.track_op() { gradient } else { gradient.broadcast_mul(&upstream)? }
        } else if upstream.rank() == gradient.rank() {
            gradient.mul(&upstream)?
        } else {
            gradient.broadcast_mul(&upstream.unsqueeze(self.class_axis)?)?
        };
        Ok(Some(gradient.to_dtype(logits.dtype())?))
    }
}

/// The gradient as a function of the logits, which is not differentiated again: its `bwd` is the trait's, which refuses.
struct FirstOrder(Tensor);

impl CustomOp1 for FirstOrder {
    fn name(&self) -> &'static str {
        "the gradient of the smoothed loss"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        let (storage, _) = self.0.storage_and_layout();
        match &*storage {
            candle_core::Storage::Cpu(storage) => Ok((storage.clone(), self.0.shape().clone())),
            _ => candle_core::bail!("the gradient of the smoothed loss is not on the CPU"),
        }
    }
}

/// Whether candle was told to keep the graph of gradients (it detaches them otherwise), so that they can be
/// differentiated again.
fn keeps_graph_of_gradients() -> bool {
    std::env::var("CANDLE_GRAD_DO_NOT_DETACH").is_ok_and(|value| !value.is_empty() && value != "0")
}
