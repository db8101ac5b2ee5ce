//! The trait for candle's tensors.

use candle_core::{DType, Tensor, WithDType};
use label_smoothing_core::{
    Array, Config, Element, Labels, LossParts, Problem, SmoothedLoss, Targets, bf16, f16, kernel,
};

use crate::autograd::Computed;
use crate::composed::{self, Composed};
use crate::targets::{CandleTargets, FLOATS, HostLabels, HostTargets, dtype, with_values};
use crate::{Error, SmoothedBinaryCrossEntropy, SmoothedCrossEntropy};

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
    /// By core's kernel on the CPU, by candle's operations on other devices.
    ByDevice,
    /// By candle's operations everywhere.
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
            pub fn loss_and_parts<Y: CandleTargets>(
                &self,
                logits: &Tensor,
                targets: Y,
            ) -> Result<(Tensor, LossParts), Error> {
                let (loss, parts) = evaluate(self.config(), logits, targets, Output::Loss, $path)?;
                Ok((loss, parts.ok_or(Error::NoParts)?))
            }
        }

        impl<'a, Y: CandleTargets> SmoothedLoss<&'a Tensor, Y> for $criterion {
            type Loss = Tensor;
            type RowLosses = Tensor;
            type Error = Error;

            fn loss(&self, logits: &'a Tensor, targets: Y) -> Result<Tensor, Error> {
                Ok(evaluate(self.config(), logits, targets, Output::Loss, $path)?.0)
            }

            fn row_losses(&self, logits: &'a Tensor, targets: Y) -> Result<Tensor, Error> {
                Ok(evaluate(self.config(), logits, targets, Output::RowLosses, $path)?.0)
            }
        }
    };
}

implement!(SmoothedCrossEntropy, Path::ByDevice);
implement!(SmoothedBinaryCrossEntropy, Path::ByDevice);
implement!(Composed<SmoothedCrossEntropy>, Path::Composed);
implement!(Composed<SmoothedBinaryCrossEntropy>, Path::Composed);

/// Reads the targets, whose probabilities have the element type that they come with. The parts are the kernel's.
fn evaluate<Y: CandleTargets>(
    config: &Config,
    logits: &Tensor,
    targets: Y,
    output: Output,
    path: Path,
) -> Result<(Tensor, Option<LossParts>), Error> {
    if !matches!(logits.dtype(), DType::F32 | DType::F64 | DType::F16 | DType::BF16) {
        return Err(dtype("the logits", logits.dtype(), FLOATS));
    }
    let path = if logits.device().is_cpu() { path } else { Path::Composed };
    let HostTargets { labels, rows } = targets.into_targets(logits.device())?;
    match labels {
        HostLabels::Classes(labels) => with_targets(config, logits, rows.targets(labels), output, path),
        HostLabels::Probabilities(tensor) if tensor.dtype() == DType::F64 => with_values::<f64, _>(&tensor, |values| {
            let labels = Labels::Probabilities(Array::new(tensor.dims(), values));
            with_targets(config, logits, rows.targets(labels), output, path)
        }),
        HostLabels::Probabilities(tensor) => with_values::<f32, _>(&tensor, |values| {
            let labels = Labels::Probabilities(Array::new(tensor.dims(), values));
            with_targets(config, logits, rows.targets(labels), output, path)
        }),
    }
}

fn with_targets<P: Element>(
    config: &Config,
    logits: &Tensor,
    targets: Targets<P>,
    output: Output,
    path: Path,
) -> Result<(Tensor, Option<LossParts>), Error> {
    let problem = Problem::new(config, logits.dims(), targets)?;
    match (path, logits.dtype()) {
        (Path::Composed, _) => Ok((composed::evaluate(&problem, logits, output)?, None)),
        (Path::ByDevice, DType::F64) => by_kernel::<f64, P>(&problem, logits, output),
        (Path::ByDevice, DType::F16) => by_kernel::<f16, P>(&problem, logits, output),
        (Path::ByDevice, DType::BF16) => by_kernel::<bf16, P>(&problem, logits, output),
        (Path::ByDevice, _) => by_kernel::<f32, P>(&problem, logits, output),
    }
}

fn by_kernel<T, P>(problem: &Problem<P>, logits: &Tensor, output: Output) -> Result<(Tensor, Option<LossParts>), Error>
where
    T: Element + WithDType,
    T::Wide: WithDType,
    P: Element,
{
    let computed = compute::<T, P>(problem, logits, output)?;
    let parts = computed.parts;
    Ok((computed.attach(problem, logits)?, Some(parts)))
}

/// The losses, and their gradient where candle tracks the logits, in one go over candle's memory.
fn compute<T, P>(problem: &Problem<P>, logits: &Tensor, output: Output) -> Result<Computed<T::Wide>, Error>
where
    T: Element + WithDType,
    T::Wide: WithDType,
    P: Element,
{
    with_values::<T, _>(logits, |z| {
        let one = <T::Wide as Element>::from_f64(1.0);
        let mut gradient = logits.track_op().then(|| vec![T::Wide::default(); z.len()]);
        if output == Output::Loss {
            let loss = match &mut gradient {
                Some(gradient) => kernel::loss_and_gradient(problem, z, one, gradient)?,
                None => kernel::loss(problem, z)?,
            };
            let losses = vec![<T::Wide as Element>::from_f64(loss.value)];
            return Ok(Computed { losses, shape: Vec::new(), parts: loss.parts, gradient });
        }
        let mut losses = vec![T::Wide::default(); problem.losses()];
        let parts = match &mut gradient {
            Some(gradient) => {
                let upstream = vec![one; losses.len()];
                kernel::row_losses_and_gradient(problem, z, &upstream, &mut losses, gradient)?
            }
            None => kernel::row_losses(problem, z, &mut losses)?,
        };
        Ok(Computed { losses, shape: problem.losses_dims(), parts, gradient })
    })
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor, Var};
    use label_smoothing_core::{Array, Config, Problem, Targets};

    use super::{Output, compute};

    #[test]
    fn no_gradient_is_computed_where_none_is_asked_for() {
        let config = Config::cross_entropy().build().unwrap();
        let targets = Targets::<f32>::indices(Array::new([1], vec![0]));
        let problem = Problem::new(&config, &[1, 2], targets).unwrap();
        let var = Var::new(&[[0.5_f32, 1.0]], &Device::Cpu).unwrap();
        let untracked = Tensor::new(&[[0.5_f32, 1.0]], &Device::Cpu).unwrap();
        let gradient = |logits: &Tensor, output| compute::<f32, f32>(&problem, logits, output).unwrap().gradient;
        for output in [Output::Loss, Output::RowLosses] {
            assert_eq!(gradient(&untracked, output), None);
            assert_eq!(gradient(&var.detach(), output), None);
            assert!(gradient(&var, output).is_some(), "a variable");
            assert!(gradient(&var.affine(2.0, 0.0).unwrap(), output).is_some(), "something computed of it");
        }
    }
}
