//! The fast path: loss and gradient in one go over the caller's memory.

mod interim;

use crate::check::Problem;
use crate::element::Element;
use crate::error::Error;
use crate::parts::LossParts;

pub use interim::RowStatistics;

/// What the functions for the reduced loss return.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loss {
    /// The mean or sum, as configured, in nats; not yet rounded to the type of the framework's scalar.
    pub value: f64,
    /// The same in parts that can be added up over batches.
    pub parts: LossParts,
}

impl Loss {
    fn new<P: Element>(problem: &Problem<P>, parts: LossParts) -> Self {
        Self { value: problem.reduce(parts.sum()), parts }
    }
}

/// The reduced loss.
///
/// # Errors
///
/// A wrong number of logits, and a mean over nothing if the configuration refuses it.
pub fn loss<T: Element, P: Element>(problem: &Problem<P>, logits: &[T]) -> Result<Loss, Error> {
    problem.check_mean()?;
    problem.shape().check_buffer("logits", logits.len())?;
    Ok(Loss::new(problem, interim::run(problem, logits, None, None::<(&mut [T], &[T::Wide])>)))
}

/// The reduced loss; `upstream * d loss / d logits` is written into `gradient`.
///
/// `G` is the type of the logits, or the wider type that they are computed in: then the one rounding to the logits'
/// type is left to the caller.
///
/// # Errors
///
/// Those of [`loss`], and a gradient buffer of another length. Nothing is written then.
pub fn loss_and_gradient<T, P, G>(
    problem: &Problem<P>,
    logits: &[T],
    upstream: T::Wide,
    gradient: &mut [G],
) -> Result<Loss, Error>
where
    T: Element,
    P: Element,
    G: Element<Wide = T::Wide>,
{
    problem.check_mean()?;
    problem.shape().check_buffer("logits", logits.len())?;
    problem.shape().check_buffer("gradient", gradient.len())?;
    Ok(Loss::new(problem, interim::run_scaled(problem, logits, upstream, gradient)))
}

/// The reduced loss; `upstream * d loss / d logits` takes the place of the logits.
///
/// # Errors
///
/// Those of [`loss`]. The logits are still there then.
pub fn loss_and_gradient_in_place<T, P>(
    problem: &Problem<P>,
    logits: &mut [T],
    upstream: T::Wide,
) -> Result<Loss, Error>
where
    T: Element,
    P: Element,
{
    let copy = logits.to_vec();
    loss_and_gradient(problem, &copy, upstream, logits)
}

/// The unreduced losses: one per row, or for the binary family one per logit.
///
/// # Errors
///
/// A wrong number of logits or of losses.
pub fn row_losses<T: Element, P: Element>(
    problem: &Problem<P>,
    logits: &[T],
    losses: &mut [T::Wide],
) -> Result<LossParts, Error> {
    problem.shape().check_buffer("logits", logits.len())?;
    check_losses(problem, losses.len())?;
    Ok(interim::run(problem, logits, Some(losses), None::<(&mut [T], &[T::Wide])>))
}

/// The unreduced losses; `d (sum upstream * losses) / d logits` is written into `gradient`, whose type is as for
/// [`loss_and_gradient`].
///
/// # Errors
///
/// Those of [`row_losses`], and a wrong number of upstream gradients or gradient buffer. Nothing is written then.
pub fn row_losses_and_gradient<T, P, G>(
    problem: &Problem<P>,
    logits: &[T],
    upstream: &[T::Wide],
    losses: &mut [T::Wide],
    gradient: &mut [G],
) -> Result<LossParts, Error>
where
    T: Element,
    P: Element,
    G: Element<Wide = T::Wide>,
{
    problem.shape().check_buffer("logits", logits.len())?;
    problem.check_upstream(upstream.len())?;
    check_losses(problem, losses.len())?;
    problem.shape().check_buffer("gradient", gradient.len())?;
    Ok(interim::run(problem, logits, Some(losses), Some((gradient, upstream))))
}

fn check_losses<P: Element>(problem: &Problem<P>, found: usize) -> Result<(), Error> {
    let expected = problem.losses();
    if found == expected { Ok(()) } else { Err(Error::BufferLength { name: "the row losses", found, expected }) }
}
