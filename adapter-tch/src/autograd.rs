//! Value and gradient into libtorch's autograd.
//!
//! tch has no custom autograd functions. So the graph gets an operation whose derivative is the gradient that the kernel
//! computed, the product of the logits and that gradient taken as a constant, and then the operation's result is
//! overwritten in place by the loss. The operation remembers the gradient only: neither the logits nor the result that
//! it had, which may well be NaN where logits are infinite.
//!
//! The backward pass multiplies by the upstream gradient in the type of the losses. For the half types the logits are
//! converted in front, on the graph, so that the product is rounded once to the type of the logits.

use tch::{Kind, Tensor};

use crate::Error;
use crate::tensor::to_i64;

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

/// The row losses on the graph of the logits, with the gradient of each. The classes are on `axis`; without one every
/// logit has a loss of its own.
pub(crate) fn attach_row_losses(
    logits: &Tensor,
    gradient: &Tensor,
    losses: &Tensor,
    axis: Option<usize>,
) -> Result<Tensor, Error> {
    let products = logits.f_to_kind(gradient.f_kind()?)?.f_mul(gradient)?;
    let attached = match axis {
        Some(axis) => products.f_sum_dim_intlist(to_i64(axis), false, None::<Kind>)?,
        None => products,
    };
    attached.f_detach()?.f_copy_(losses)?;
    Ok(attached)
}
