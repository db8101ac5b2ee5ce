//! Value and gradient into libtorch's autograd.
//!
//! tch has no custom autograd functions. So the graph gets an operation whose derivative is the gradient that the kernel
//! computed, the product of the logits and that gradient taken as a constant, and then the operation's result is
//! overwritten in place by the loss. The operation remembers the gradient only: neither the logits nor the result that
//! it had, which may well be NaN where logits are infinite.
//!
//! The backward pass multiplies by the upstream gradient in the type of the losses. For the half types the logits are
//! converted in front, on the graph, so that the product is rounded once to the type of the logits.

use label_smoothing_core::{Element, LossFamily, Problem};
use tch::{Kind, Tensor};

use crate::Error;
use crate::tensor::{to_i64, to_i64s};

/// Whether an operation on the tensor is recorded: it requires gradients, and they are not switched off.
///
/// A view would say that it requires gradients even under `no_grad`; a computed tensor tells the truth. This one is
/// empty.
pub(crate) fn is_tracked(tensor: &Tensor) -> Result<bool, Error> {
    Ok(tensor.requires_grad() && tensor.f_narrow(0, 0, 0)?.f_neg()?.requires_grad())
}

/// The loss on the graph of the logits, with its gradient.
pub(crate) fn attach_loss(logits: &Tensor, gradient: &Tensor, loss: f64) -> Result<Tensor, Error> {
    let logits = logits.f_to_kind(gradient.f_kind()?)?;
    let attached = logits.f_flatten(0, -1)?.f_dot(&gradient.f_flatten(0, -1)?)?;
    let _ = attached.f_detach()?.f_fill_(loss)?;
    Ok(attached)
}

/// The row losses, or those of each logit, on the graph of the logits, with the gradient of each.
pub(crate) fn attach_row_losses<P: Element>(
    problem: &Problem<P>,
    logits: &Tensor,
    gradient: &Tensor,
    losses: &Tensor,
) -> Result<Tensor, Error> {
    let products = logits.f_to_kind(gradient.f_kind()?)?.f_mul(gradient)?;
    let axis = to_i64(problem.shape().axis());
    let uncounted = uncounted_rows(problem)?;
    let (attached, uncounted) = match problem.config().loss() {
        LossFamily::CrossEntropy => (products.f_sum_dim_intlist(axis, false, None::<Kind>)?, uncounted),
        LossFamily::BinaryCrossEntropy => (products, uncounted.map(|rows| rows.f_unsqueeze(axis)).transpose()?),
    };
    let attached = match uncounted {
        // So that their gradient is 0 whatever is upstream: something may have divided by their loss of 0.
        Some(uncounted) => attached.f_masked_fill(&uncounted, 0.0)?,
        None => attached,
    };
    attached.f_detach()?.f_copy_(losses)?;
    Ok(attached)
}

/// Which rows are masked or ignored; none where none is.
fn uncounted_rows<P: Element>(problem: &Problem<P>) -> Result<Option<Tensor>, Error> {
    let rows: Vec<bool> = (0..problem.shape().rows()).map(|row| !problem.is_counted(row)).collect();
    if !rows.contains(&true) {
        return Ok(None);
    }
    Ok(Some(Tensor::f_from_slice(&rows)?.f_reshape(to_i64s(&problem.shape().row_dims()))?))
}
