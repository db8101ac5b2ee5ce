//! The trait for tch's tensors.

use label_smoothing_core::{Config, Element, LossParts, Problem, SmoothedLoss, bf16, f16, kernel};
use tch::{Device, Kind, Tensor};

use crate::composed::{self, Composed};
use crate::memory::{Fresh, Stored, slice};
use crate::targets::{HostTargets, TchTargets};
use crate::tensor::{check_logits, dims};
use crate::{Error, SmoothedBinaryCrossEntropy, SmoothedCrossEntropy, autograd};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// The mean or sum.
    Loss,
    /// The losses themselves.
    RowLosses,
}

/// How it is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Path {
    /// By core's kernel on the CPU, by libtorch's operations on other devices.
    ByDevice,
    /// By libtorch's operations everywhere.
    Composed,
}

/// Both structs, and both of their paths, have the same implementation.
macro_rules! implement {
    ($criterion:ty, $path:expr) => {
        impl $criterion {
            /// The loss and, from the same pass over the logits, its parts, which add up over micro-batches, devices and
            /// ranks where means do not: sum, denominator, counted rows, correct predictions, and the plain negative
            /// log-likelihood of the targets as they were given, in nats. The loss has the bits of [`SmoothedLoss::loss`].
            ///
            /// # Errors
            ///
            /// Those of [`SmoothedLoss::loss`], and [`Error::NoParts`] where the loss is composed of the framework's
            /// operations: the parts are the kernel's, which works on the CPU.
            pub fn loss_and_parts<'a, Y: TchTargets<'a>>(
                &self,
                logits: &Tensor,
                targets: Y,
            ) -> Result<(Tensor, LossParts), Error> {
                let (loss, parts) = evaluate(self.config(), logits, targets, Output::Loss, $path)?;
                Ok((loss, parts.ok_or(Error::NoParts)?))
            }
        }

        impl<'l, 'a, Y: TchTargets<'a>> SmoothedLoss<&'l Tensor, Y> for $criterion {
            type Loss = Tensor;
            type RowLosses = Tensor;
            type Error = Error;

            fn loss(&self, logits: &'l Tensor, targets: Y) -> Result<Tensor, Error> {
                Ok(evaluate(self.config(), logits, targets, Output::Loss, $path)?.0)
            }

            fn row_losses(&self, logits: &'l Tensor, targets: Y) -> Result<Tensor, Error> {
                Ok(evaluate(self.config(), logits, targets, Output::RowLosses, $path)?.0)
            }
        }
    };
}

implement!(SmoothedCrossEntropy, Path::ByDevice);
implement!(SmoothedBinaryCrossEntropy, Path::ByDevice);
implement!(Composed<SmoothedCrossEntropy>, Path::Composed);
implement!(Composed<SmoothedBinaryCrossEntropy>, Path::Composed);

/// The parts are the kernel's.
fn evaluate<'a, Y: TchTargets<'a>>(
    config: &Config,
    logits: &Tensor,
    targets: Y,
    output: Output,
    path: Path,
) -> Result<(Tensor, Option<LossParts>), Error> {
    let kind = check_logits(logits)?;
    let path = if logits.device() == Device::Cpu { path } else { Path::Composed };
    let shape = dims(logits);
    match targets.into_targets(logits.device())? {
        HostTargets::F32(targets) => with_problem(&Problem::new(config, &shape, targets)?, logits, kind, output, path),
        HostTargets::F64(targets) => with_problem(&Problem::new(config, &shape, targets)?, logits, kind, output, path),
    }
}

fn with_problem<P: Element>(
    problem: &Problem<P>,
    logits: &Tensor,
    kind: Kind,
    output: Output,
    path: Path,
) -> Result<(Tensor, Option<LossParts>), Error> {
    match (path, kind) {
        (Path::Composed, _) => Ok((composed::evaluate(problem, logits, output)?, None)),
        (Path::ByDevice, Kind::Double) => by_kernel::<f64, P>(problem, logits, output),
        (Path::ByDevice, Kind::Half) => by_kernel::<f16, P>(problem, logits, output),
        (Path::ByDevice, Kind::BFloat16) => by_kernel::<bf16, P>(problem, logits, output),
        (Path::ByDevice, _) => by_kernel::<f32, P>(problem, logits, output),
    }
}

/// The kernel over libtorch's memory: strided logits are copied once, on their graph, contiguous ones not at all.
fn by_kernel<T, P>(problem: &Problem<P>, logits: &Tensor, output: Output) -> Result<(Tensor, Option<LossParts>), Error>
where
    T: Element<Wide: Stored> + Stored,
    P: Element,
{
    let logits = logits.f_resolve_neg()?.f_contiguous()?;
    let values = slice::<T>("the logits", &logits)?;
    let (losses, parts) = match output {
        Output::Loss => loss(problem, &logits, values)?,
        Output::RowLosses => row_losses(problem, &logits, values)?,
    };
    Ok((losses, Some(parts)))
}

fn loss<T, P>(problem: &Problem<P>, logits: &Tensor, values: &[T]) -> Result<(Tensor, LossParts), Error>
where
    T: Element<Wide: Stored>,
    P: Element,
{
    let rounded = |loss: kernel::Loss| T::Wide::from_f64(loss.value).to_f64();
    if !autograd::is_tracked(logits)? {
        let loss = kernel::loss(problem, values)?;
        return Ok((Tensor::f_scalar_tensor(rounded(loss), (T::Wide::KIND, Device::Cpu))?, loss.parts));
    }
    let mut gradient = Fresh::<T::Wide>::new(problem.shape().dims())?;
    let one = T::Wide::from_f64(1.0);
    let loss = kernel::loss_and_gradient(problem, values, one, gradient.values())?;
    Ok((autograd::attach_loss(logits, &gradient.into_tensor(), rounded(loss))?, loss.parts))
}

fn row_losses<T, P>(problem: &Problem<P>, logits: &Tensor, values: &[T]) -> Result<(Tensor, LossParts), Error>
where
    T: Element<Wide: Stored>,
    P: Element,
{
    let mut losses = Fresh::<T::Wide>::new(&problem.losses_dims())?;
    if !autograd::is_tracked(logits)? {
        let parts = kernel::row_losses(problem, values, losses.values())?;
        return Ok((losses.into_tensor(), parts));
    }
    let mut gradient = Fresh::<T::Wide>::new(problem.shape().dims())?;
    let ones = vec![T::Wide::from_f64(1.0); problem.losses()];
    let parts = kernel::row_losses_and_gradient(problem, values, &ones, losses.values(), gradient.values())?;
    Ok((autograd::attach_row_losses(problem, logits, &gradient.into_tensor(), &losses.into_tensor())?, parts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::FRESH;

    /// How many tensors were made for results: the row losses are one, a gradient is one.
    fn made<T>(run: impl FnOnce() -> T) -> usize {
        let before = FRESH.get();
        let _ = run();
        FRESH.get() - before
    }

    #[test]
    fn a_gradient_is_computed_only_where_it_is_recorded() {
        let criterion = SmoothedCrossEntropy::new(0.1).unwrap();
        let (constant, targets) = (Tensor::from_slice2(&[[0.5_f32, 1.5], [1.0, 0.0]]), Tensor::from_slice(&[0_i64, 1]));
        let leaf = constant.copy().set_requires_grad(true);
        let computed = &leaf * 2.0;
        let loss = |logits: &Tensor| made(|| criterion.loss(logits, &targets).unwrap());
        let row_losses = |logits: &Tensor| made(|| criterion.row_losses(logits, &targets).unwrap());
        for tracked in [&leaf, &computed, &leaf.tr().tr(), &computed.to_kind(Kind::BFloat16)] {
            assert_eq!((loss(tracked), row_losses(tracked)), (1, 2));
        }
        for untracked in [&constant, &leaf.detach(), &computed.detach(), &computed.detach().tr()] {
            assert_eq!((loss(untracked), row_losses(untracked)), (0, 1));
        }
        let _guard = tch::no_grad_guard();
        for switched_off in [&leaf, &computed, &leaf.view([2, 2]), &leaf.tr(), &computed.narrow(0, 0, 2)] {
            assert_eq!((loss(switched_off), row_losses(switched_off)), (0, 1));
        }
    }
}
