//! The definition, as plain mathematics in `f64`.
//!
//! Nothing here is fast or clever. Every option is written as its formula, so that a reader can check it line by line:
//! [`target`](self) smooths a row's target and weights it, `cross_entropy` and `binary` are the two families,
//! `likelihood` and `penalty` what may take the place of `-log p` and be added, and this file adds rows up. The kernel is
//! held against this module, and this module against vectors from other programs.
//!
//! Sums over classes are pairwise and `log(1 + x)` keeps confident rows, so that results are within a few units
//! roundoff of the exact ones (see the conformance kit's tolerance).

mod binary;
mod coefficients;
mod cross_entropy;
mod likelihood;
mod penalty;
mod prediction;
mod target;

use crate::check::Problem;
use crate::config::LossFamily;
use crate::element::Element;
use crate::error::Error;
use crate::parts::{LossParts, Sums};
use crate::sum::{Tree, pairwise};

pub use coefficients::Coefficients;

/// What one row gives; the binary family has one loss per class, the softmax family one.
struct Row {
    losses: Vec<f64>,
    gradients: Vec<f64>,
    nll: f64,
    z_loss: f64,
    correct: u64,
}

/// The reduced loss, in nats.
///
/// # Errors
///
/// A wrong number of logits, and a mean over nothing if the configuration refuses it.
pub fn loss<P: Element>(problem: &Problem<P>, logits: &[f64]) -> Result<f64, Error> {
    problem.check_mean()?;
    Ok(problem.reduce_carried(parts(problem, logits)?.carried_sum()))
}

/// `upstream * d loss / d logits`.
///
/// # Errors
///
/// Those of [`loss`].
pub fn loss_gradient<P: Element>(problem: &Problem<P>, logits: &[f64], upstream: f64) -> Result<Vec<f64>, Error> {
    problem.check_mean()?;
    match problem.gradient_divisor() {
        Some(divisor) => gradient(problem, logits, |_, _| upstream / divisor),
        None => {
            problem.shape().check_buffer("logits", logits.len())?;
            Ok(vec![0.0; logits.len()]) // A mean over nothing has gradient 0, whatever the rows hold.
        }
    }
}

/// The unreduced losses, in nats: one per row, or for the binary family one per logit, in the order of the logits.
///
/// # Errors
///
/// A wrong number of logits.
pub fn row_losses<P: Element>(problem: &Problem<P>, logits: &[f64]) -> Result<Vec<f64>, Error> {
    let mut losses = vec![0.0; problem.losses()];
    for_each_counted_row(problem, logits, |row, result| {
        for (class, loss) in result.losses.into_iter().enumerate() {
            losses[loss_place(problem, row, class)] = loss;
        }
    })?;
    Ok(losses)
}

/// `d (sum upstream * row_losses) / d logits`.
///
/// # Errors
///
/// A wrong number of logits or of upstream gradients.
pub fn row_losses_gradient<P: Element>(
    problem: &Problem<P>,
    logits: &[f64],
    upstream: &[f64],
) -> Result<Vec<f64>, Error> {
    problem.check_upstream(upstream.len())?;
    gradient(problem, logits, |row, class| upstream[loss_place(problem, row, class)])
}

/// The loss in parts that can be added up over batches.
///
/// # Errors
///
/// A wrong number of logits.
pub fn parts<P: Element>(problem: &Problem<P>, logits: &[f64]) -> Result<LossParts, Error> {
    let rows = problem.shape().rows();
    let mut sums = vec![Sums::default(); rows]; // Of a row that is not counted, 0.
    for_each_counted_row(problem, logits, |row, result| {
        let loss = pairwise(result.losses.len(), &|class| result.losses[class]);
        let (nll, z_loss) = (result.nll.into(), result.z_loss.into());
        sums[row] = Sums { loss: loss.into(), nll, z_loss, correct: result.correct };
    })?;
    let mut tree = Tree::new();
    sums.into_iter().enumerate().for_each(|(row, sums)| tree.push(row, 0, sums));
    Ok(LossParts::new(problem, tree.total().unwrap_or_default()))
}

/// The unreduced loss that a row's class contributes to.
fn loss_place<P: Element>(problem: &Problem<P>, row: usize, class: usize) -> usize {
    match problem.config().loss() {
        LossFamily::CrossEntropy => row,
        LossFamily::BinaryCrossEntropy => problem.shape().element(row, class),
    }
}

/// The gradient with the given factor for each row and class; rows that are not counted keep exactly 0.
fn gradient<P: Element>(
    problem: &Problem<P>,
    logits: &[f64],
    factor: impl Fn(usize, usize) -> f64,
) -> Result<Vec<f64>, Error> {
    let mut gradient = vec![0.0; logits.len()];
    for_each_counted_row(problem, logits, |row, result| {
        for (class, value) in result.gradients.into_iter().enumerate() {
            gradient[problem.shape().element(row, class)] = factor(row, class) * value;
        }
    })?;
    Ok(gradient)
}

fn for_each_counted_row<P: Element>(
    problem: &Problem<P>,
    logits: &[f64],
    mut each: impl FnMut(usize, Row),
) -> Result<(), Error> {
    let shape = problem.shape();
    shape.check_buffer("logits", logits.len())?;
    for row in (0..shape.rows()).filter(|&row| problem.is_counted(row)) {
        let z: Vec<f64> = (0..shape.classes()).map(|class| logits[shape.element(row, class)]).collect();
        let target = target::weighted_target(problem, row, &z);
        let result = match problem.config().loss() {
            LossFamily::CrossEntropy => cross_entropy::row(problem, row, &z, &target),
            LossFamily::BinaryCrossEntropy => binary::row(problem, &z, &target),
        };
        each(row, result);
    }
    Ok(())
}
