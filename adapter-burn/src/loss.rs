//! The trait for burn's tensors.

use burn::tensor::Tensor;
use label_smoothing_core::{Config, LossParts, Problem, SmoothedLoss};

use crate::composed::{self, Composed};
use crate::memory::{FlexElement, check_float};
use crate::targets::BurnTargets;
use crate::{Error, SmoothedBinaryCrossEntropy, SmoothedCrossEntropy, autograd};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Output {
    /// The mean or sum.
    Reduced,
    /// The unreduced losses.
    Rows,
}

/// How it is computed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Path {
    /// By the kernel where it can see the logits, composed elsewhere.
    Best,
    Composed,
}

/// The rank of the row losses cannot be computed from that of the logits in the type, so each rank has its own line.
/// burn has no tensors of rank 0: the one row of logits of rank 1 has its loss in a tensor of shape `[1]`.
macro_rules! implement {
    ($criterion:ty, $path:expr, $($rank:literal => $rows:literal),*) => {$(
        impl<Y: BurnTargets> SmoothedLoss<Tensor<$rank>, Y> for $criterion {
            type Loss = Tensor<1>;
            type RowLosses = Tensor<$rows>;
            type Error = Error;

            fn loss(&self, logits: Tensor<$rank>, targets: Y) -> Result<Tensor<1>, Error> {
                Ok(evaluate(self.config(), &logits, targets, Output::Reduced, $path)?.0)
            }

            fn row_losses(&self, logits: Tensor<$rank>, targets: Y) -> Result<Tensor<$rows>, Error> {
                Ok(evaluate(self.config(), &logits, targets, Output::Rows, $path)?.0)
            }
        }
    )*};
    ($criterion:ty, $path:expr) => {
        impl<const D: usize, Y: BurnTargets> SmoothedLoss<Tensor<D>, Y> for $criterion {
            type Loss = Tensor<1>;
            type RowLosses = Tensor<D>;
            type Error = Error;

            fn loss(&self, logits: Tensor<D>, targets: Y) -> Result<Tensor<1>, Error> {
                Ok(evaluate(self.config(), &logits, targets, Output::Reduced, $path)?.0)
            }

            fn row_losses(&self, logits: Tensor<D>, targets: Y) -> Result<Tensor<D>, Error> {
                Ok(evaluate(self.config(), &logits, targets, Output::Rows, $path)?.0)
            }
        }
    };
}

implement!(SmoothedCrossEntropy, Path::Best, 1 => 1, 2 => 1, 3 => 2, 4 => 3, 5 => 4, 6 => 5, 7 => 6, 8 => 7);
implement!(Composed<SmoothedCrossEntropy>, Path::Composed, 1 => 1, 2 => 1, 3 => 2, 4 => 3, 5 => 4, 6 => 5, 7 => 6, 8 => 7);
implement!(SmoothedBinaryCrossEntropy, Path::Best);
implement!(Composed<SmoothedBinaryCrossEntropy>, Path::Composed);

/// The loss's type does not depend on the rank of the logits, so one method is enough for all of them.
macro_rules! implement_parts {
    ($($criterion:ty, $path:expr;)*) => {$(
        impl $criterion {
            /// The loss and, from the same pass over the logits, its parts, which add up over micro-batches, devices and
            /// ranks where means do not: sum, denominator, counted rows, correct predictions, and the plain negative
            /// log-likelihood of the targets as they were given, in nats. The loss has the bits of [`SmoothedLoss::loss`].
            ///
            /// # Errors
            ///
            /// Those of [`SmoothedLoss::loss`], and [`Error::NoParts`] where the loss is composed of the framework's
            /// operations: the parts are the kernel's, which works on burn's `flex`.
            pub fn loss_and_parts<const D: usize, Y: BurnTargets>(
                &self,
                logits: Tensor<D>,
                targets: Y,
            ) -> Result<(Tensor<1>, LossParts), Error> {
                let (loss, parts) = evaluate(self.config(), &logits, targets, Output::Reduced, $path)?;
                Ok((loss, parts.ok_or(Error::NoParts)?))
            }
        }
    )*};
}

implement_parts! {
    SmoothedCrossEntropy, Path::Best;
    Composed<SmoothedCrossEntropy>, Path::Composed;
    SmoothedBinaryCrossEntropy, Path::Best;
    Composed<SmoothedBinaryCrossEntropy>, Path::Composed;
}

/// The parts are the kernel's.
fn evaluate<const D: usize, const R: usize, Y: BurnTargets>(
    config: &Config,
    logits: &Tensor<D>,
    targets: Y,
    output: Output,
    path: Path,
) -> Result<(Tensor<R>, Option<LossParts>), Error> {
    check_float("the logits", logits.dtype())?;
    let targets = targets.into_targets(logits)?;
    if targets.are_f64() {
        evaluate_checked(&problem(config, logits, targets.targets::<f64>())?, logits, output, path)
    } else {
        evaluate_checked(&problem(config, logits, targets.targets::<f32>())?, logits, output, path)
    }
}

fn evaluate_checked<const D: usize, const R: usize, P: FlexElement>(
    problem: &Problem<P>,
    logits: &Tensor<D>,
    output: Output,
    path: Path,
) -> Result<(Tensor<R>, Option<LossParts>), Error> {
    if path == Path::Best
        && let Some((losses, parts)) = autograd::evaluate(problem, logits, output)?
    {
        return Ok((losses, Some(parts)));
    }
    Ok((composed::evaluate(problem, logits.clone(), output)?, None))
}

/// The shared input check. Where core asks for rank 0, burn's users are told of the shape `[1]` that stands for it.
fn problem<'p, const D: usize, P: FlexElement>(
    config: &'p Config,
    logits: &Tensor<D>,
    targets: label_smoothing_core::Targets<'p, P>,
) -> Result<Problem<'p, P>, label_smoothing_core::Error> {
    use label_smoothing_core::Error::{MaskShape, RowWeightShape, TargetShape};
    Problem::new(config, &logits.dims(), targets).map_err(|mut error| {
        if let TargetShape { expected, .. } | MaskShape { expected, .. } | RowWeightShape { expected, .. } = &mut error
            && expected.is_empty()
        {
            expected.push(1);
        }
        error
    })
}

/// The shape of the result, `[1]` for what has rank 0 elsewhere.
pub(crate) fn output_dims<P: label_smoothing_core::Element>(problem: &Problem<P>, output: Output) -> Vec<usize> {
    let dims = match output {
        Output::Reduced => Vec::new(),
        Output::Rows => problem.losses_dims(),
    };
    if dims.is_empty() { vec![1] } else { dims }
}
