//! The fast path: loss and gradient in one go over the caller's memory.

mod batch;
mod binary;
mod closed_form;
mod general;
mod group;
mod grouped;
pub(crate) mod halves;
mod lanes;
mod math;
mod memory;
mod plan;
mod row;
mod task;

use crate::check::Problem;
use crate::element::Element;
use crate::error::Error;
use crate::parts::LossParts;

pub use lanes::Float;
pub use memory::GradientOf;
pub(crate) use task::Task;

use batch::Job;
use memory::{Memory, Upstream};

/// What the functions for the reduced loss return.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loss {
    /// The mean or sum, as configured, in nats; not yet rounded to the type of the framework's scalar.
    pub value: f64,
    /// The same in parts that can be added up over batches.
    pub parts: LossParts,
}

/// The reduced loss.
///
/// # Errors
///
/// A wrong number of logits, and a mean over nothing if the configuration refuses it.
pub fn loss<T: Element, P: Element>(problem: &Problem<P>, logits: &[T]) -> Result<Loss, Error> {
    problem.check_mean()?;
    problem.shape().check_buffer("logits", logits.len())?;
    Ok(reduced(problem, Memory::Read(logits), T::Wide::from_f64(1.0)))
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
    G: GradientOf<T>,
{
    problem.check_mean()?;
    problem.shape().check_buffer("logits", logits.len())?;
    problem.shape().check_buffer("gradient", gradient.len())?;
    Ok(reduced(problem, G::memory(logits, gradient), upstream))
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
    problem.check_mean()?;
    problem.shape().check_buffer("logits", logits.len())?;
    Ok(reduced(problem, Memory::InPlace(logits), upstream))
}

/// Runs the batch; the gradient of a mean over nothing is 0, whatever its rows hold.
fn reduced<T: Element, P: Element>(problem: &Problem<P>, mut memory: Memory<'_, T>, upstream: T::Wide) -> Loss {
    let upstream = Upstream::Loss(upstream);
    let parts = if let Some(divisor) = problem.gradient_divisor() {
        batch::run(problem, Job { memory, losses: None, upstream, factor: 1.0 / divisor })
    } else {
        let logits = Memory::Read(memory.logits());
        let parts = batch::run(problem, Job { memory: logits, losses: None, upstream, factor: 0.0 });
        memory.clear();
        parts
    };
    Loss { value: problem.reduce(parts.sum()), parts }
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
    let upstream = Upstream::Loss(T::Wide::from_f64(1.0));
    Ok(batch::run(problem, Job { memory: Memory::Read(logits), losses: Some(losses), upstream, factor: 1.0 }))
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
    G: GradientOf<T>,
{
    problem.shape().check_buffer("logits", logits.len())?;
    problem.check_upstream(upstream.len())?;
    check_losses(problem, losses.len())?;
    problem.shape().check_buffer("gradient", gradient.len())?;
    let memory = G::memory(logits, gradient);
    let upstream = Upstream::Losses(upstream);
    Ok(batch::run(problem, Job { memory, losses: Some(losses), upstream, factor: 1.0 }))
}

fn check_losses<P: Element>(problem: &Problem<P>, found: usize) -> Result<(), Error> {
    let expected = problem.losses();
    if found == expected { Ok(()) } else { Err(Error::BufferLength { name: "the row losses", found, expected }) }
}

#[cfg(test)]
mod tests;
