//! The adapter for burn on its CPU backend, and its path composed of burn's operations.

use label_smoothing_burn::burn::tensor::{
    Bool, DType, Device, Element as Stored, GradientCheckpointingStrategy, Int, Slice, Tensor, TensorData,
};
use label_smoothing_burn::{
    BurnTargets, Error, HostTargets, LossFamily, LossParts, Masked, Mixed, Probabilities, SmoothedBinaryCrossEntropy,
    SmoothedCrossEntropy, SmoothedLoss, Sparse, Weighted,
};

use super::{Answer, KERNEL_ONLY, agree};
use crate::backend::{Backend, Failure, Gap, Outcome};
use crate::dtype::Dtype;
use crate::input::{CaseInput, Dense, Layout, TargetInput, Verb};
use crate::tolerance::Accuracy;

const FRAMEWORK: &str = "burn 0.22.1, flex";

const NO_RANK_0: Gap = Gap {
    feature: "logits of rank 0",
    reason: "burn has no tensors of rank 0, and the trait is not there for that type",
    covers: |input| input.logits.shape.is_empty(),
};

/// `label-smoothing-burn`: burn's autograd by both of its strategies, and no autograd at all.
#[derive(Debug, Clone, Copy, Default)]
pub struct Burn;

impl Backend for Burn {
    fn name(&self) -> String {
        "burn".to_owned()
    }

    fn framework(&self) -> String {
        FRAMEWORK.to_owned()
    }

    fn dtypes(&self) -> &[Dtype] {
        Dtype::ALL
    }

    fn gaps(&self) -> Vec<Gap> {
        vec![NO_RANK_0, Gap::SLICES]
    }

    fn claims_identical_bits(&self) -> bool {
        true
    }

    fn accuracy(&self) -> Accuracy {
        Accuracy::Kernel
    }

    fn evaluate(&self, input: &CaseInput) -> Result<Outcome, Failure> {
        evaluate(input, Path::Kernel)?.outcome()
    }

    fn parts(&self, input: &CaseInput) -> Result<LossParts, Failure> {
        evaluate(input, Path::Kernel)?.parts()
    }
}

/// What `label-smoothing-burn` computes on devices that the kernel cannot see: the loss composed of burn's operations.
#[derive(Debug, Clone, Copy, Default)]
pub struct BurnComposed;

impl Backend for BurnComposed {
    fn name(&self) -> String {
        "burn-composed".to_owned()
    }

    fn framework(&self) -> String {
        FRAMEWORK.to_owned()
    }

    fn dtypes(&self) -> &[Dtype] {
        Dtype::ALL
    }

    fn gaps(&self) -> Vec<Gap> {
        vec![NO_RANK_0, KERNEL_ONLY, Gap::PARTS, Gap::SLICES]
    }

    fn accuracy(&self) -> Accuracy {
        Accuracy::Composed { base: 8.0, per_class: 0.0 }
    }

    fn evaluate(&self, input: &CaseInput) -> Result<Outcome, Failure> {
        evaluate(input, Path::Composed)?.outcome()
    }
}

#[derive(Clone, Copy)]
enum Path {
    Kernel,
    Composed,
}

/// burn has the rank of a tensor in its type: one line for each that there is a case of.
fn evaluate(input: &CaseInput, path: Path) -> Result<Answer, Failure> {
    match input.logits.shape.len() {
        1 => with_rank::<1, 1>(input, path),
        2 => with_rank::<2, 1>(input, path),
        3 => with_rank::<3, 2>(input, path),
        4 => with_rank::<4, 3>(input, path),
        5 => with_rank::<5, 4>(input, path),
        rank => Err(Failure::Unsupported(format!("logits of rank {rank}"))),
    }
}

fn with_rank<const D: usize, const R: usize>(input: &CaseInput, path: Path) -> Result<Answer, Failure>
where
    SmoothedCrossEntropy:
        for<'i> SmoothedLoss<Tensor<D>, Masks<'i>, Loss = Tensor<1>, RowLosses = Tensor<R>, Error = Error>,
    label_smoothing_burn::Composed<SmoothedCrossEntropy>:
        for<'i> SmoothedLoss<Tensor<D>, Masks<'i>, Loss = Tensor<1>, RowLosses = Tensor<R>, Error = Error>,
{
    let config = input.config()?;
    match (config.loss(), path) {
        (LossFamily::CrossEntropy, Path::Kernel) => {
            let criterion = SmoothedCrossEntropy::from_config(config)?;
            ask::<D, R>(&criterion, input, |logits| criterion.loss_and_parts(logits, Masks(input)))
        }
        (LossFamily::CrossEntropy, Path::Composed) => {
            ask::<D, R>(&SmoothedCrossEntropy::from_config(config)?.composed(), input, |_| Err(Error::NoParts))
        }
        (LossFamily::BinaryCrossEntropy, Path::Kernel) => {
            let criterion = SmoothedBinaryCrossEntropy::from_config(config)?;
            ask::<D, D>(&criterion, input, |logits| criterion.loss_and_parts(logits, Masks(input)))
        }
        (LossFamily::BinaryCrossEntropy, Path::Composed) => {
            ask::<D, D>(&SmoothedBinaryCrossEntropy::from_config(config)?.composed(), input, |_| Err(Error::NoParts))
        }
    }
}

/// The loss and its gradient by both strategies of burn's autograd; these, and the loss without autograd, must agree.
fn ask<const D: usize, const R: usize>(
    criterion: &impl for<'i> SmoothedLoss<Tensor<D>, Masks<'i>, Loss = Tensor<1>, RowLosses = Tensor<R>, Error = Error>,
    input: &CaseInput,
    in_parts: impl Fn(Tensor<D>) -> Result<(Tensor<1>, LossParts), Error>,
) -> Result<Answer, Failure> {
    let dims = <[usize; D]>::try_from(input.logits.shape.as_slice());
    let dims = dims.map_err(|_| Failure::Broken(format!("{:?} is not of rank {D}", input.logits.shape)))?;
    let logits = laid_out(&input.logits, dims, input, &Device::flex());
    if input.verb == Verb::Parts {
        let (loss, parts) = in_parts(logits.clone())?;
        agree("loss_and_parts", &widened(loss)?, "loss", &widened(criterion.loss(logits, Masks(input))?)?)?;
        return Ok(Answer::Parts(parts));
    }
    let alone = if input.row_losses {
        widened(criterion.row_losses(logits.clone(), Masks(input))?)?
    } else {
        widened(criterion.loss(logits.clone(), Masks(input))?)?
    };
    let recorded = |strategy| {
        let logits = logits.clone().autodiff().with_gradient_checkpointing_strategy(strategy).require_grad();
        if input.row_losses {
            let losses = criterion.row_losses(logits.clone(), Masks(input))?;
            let upstream = input.row_upstream(losses.shape().num_elements())?;
            differentiated(&logits, losses, upstream, input.dtype)
        } else {
            let loss = criterion.loss(logits.clone(), Masks(input))?;
            differentiated(&logits, loss, vec![input.scalar_upstream()?], input.dtype)
        }
    };
    let outcome = recorded(GradientCheckpointingStrategy::Disabled)?;
    let balanced = recorded(GradientCheckpointingStrategy::Balanced)?;
    agree("the loss with autodiff", &outcome.values, "that without", &alone)?;
    agree("the loss", &outcome.values, "that with checkpointing", &balanced.values)?;
    agree("the gradient", &outcome.gradient, "that with checkpointing", &balanced.gradient)?;
    Ok(Answer::Outcome(outcome))
}

/// The losses, and `d (sum upstream * losses) / d logits` by burn.
fn differentiated<const D: usize, const R: usize>(
    logits: &Tensor<D>,
    losses: Tensor<R>,
    upstream: Vec<f64>,
    dtype: Dtype,
) -> Result<Outcome, Failure> {
    let values = widened(losses.clone().inner())?;
    let upstream = TensorData::new(upstream, losses.shape());
    let upstream = Tensor::<R>::from_data(upstream, (&losses.device(), losses.dtype()));
    let gradients = (losses * upstream).sum().backward();
    let Some(gradient) = logits.grad(&gradients) else {
        return Err(Failure::Broken("no gradient came to the logits".to_owned()));
    };
    if gradient.dtype() != burn_dtype(dtype) || gradient.dims() != logits.dims() {
        return Err(Failure::Broken(format!("a gradient of {:?} {:?}", gradient.dtype(), gradient.dims())));
    }
    Ok(Outcome { values, gradient: widened(gradient)? })
}

/// Runs `$body` with `$R` as the rank of `$dense` and `$dims` as its shape.
macro_rules! with_dims {
    ($dense:expr, $R:ident, $dims:ident => $body:expr) => {
        with_dims!($dense, $R, $dims => $body; 1 2 3 4 5)
    };
    ($dense:expr, $R:ident, $dims:ident => $body:expr; $($rank:literal)*) => {{
        let shape = burn_shape(&$dense.shape);
        match shape.len() {
            $($rank => {
                const $R: usize = $rank;
                let mut $dims = [0; $R];
                $dims.copy_from_slice(shape);
                $body
            })*
            rank => Err(no_rank(rank)),
        }
    }};
}

/// The targets of a case, with its row mask if it has one.
#[derive(Clone, Copy)]
struct Masks<'i>(&'i CaseInput);

/// The targets of a case, with its row weights if it has some.
struct Weights<'i>(&'i CaseInput);

/// The targets of a case alone.
struct Labels<'i>(&'i CaseInput);

impl BurnTargets for Masks<'_> {
    fn into_targets<const D: usize>(self, logits: &Tensor<D>) -> Result<HostTargets, Error> {
        let targets = Weights(self.0);
        let Some(mask) = &self.0.row_mask else { return targets.into_targets(logits) };
        with_dims!(mask, R, dims => {
            let mask = Tensor::<R, Bool>::from_data(TensorData::new(mask.values.clone(), dims), &logits.device());
            Masked { targets, mask }.into_targets(logits)
        })
    }
}

impl BurnTargets for Weights<'_> {
    fn into_targets<const D: usize>(self, logits: &Tensor<D>) -> Result<HostTargets, Error> {
        let targets = Labels(self.0);
        let Some(weights) = &self.0.row_weights else { return targets.into_targets(logits) };
        with_dims!(weights, R, dims => {
            let row_weights = floats::<R>(&weights.values, dims, self.0.dtype.wide(), &logits.device());
            Weighted { targets, row_weights }.into_targets(logits)
        })
    }
}

impl BurnTargets for Labels<'_> {
    fn into_targets<const D: usize>(self, logits: &Tensor<D>) -> Result<HostTargets, Error> {
        let Self(input) = self;
        let device = logits.device();
        match &input.targets {
            TargetInput::Indices(classes) => {
                with_dims!(classes, R, dims => integers::<R>(classes, dims, &device).into_targets(logits))
            }
            TargetInput::Probabilities(probabilities) => with_dims!(probabilities, R, dims => {
                Probabilities(laid_out::<R>(probabilities, dims, input, &device)).into_targets(logits)
            }),
            TargetInput::Mixed { first, second, lambda } => with_dims!(first, R, dims => {
                let first = integers::<R>(first, dims, &device);
                // Both classes have one type, and so one rank.
                let Ok(dims) = <[usize; R]>::try_from(burn_shape(&second.shape)) else { return Err(no_rank(second.shape.len())) };
                let second = integers::<R>(second, dims, &device);
                with_dims!(lambda, L, dims => {
                    let lambda = floats::<L>(&lambda.values, dims, input.dtype.wide(), &device);
                    Mixed { first, second, lambda }.into_targets(logits)
                })
            }),
            TargetInput::Sparse { classes, probabilities } => with_dims!(classes, R, dims => {
                let classes = integers::<R>(classes, dims, &device);
                with_dims!(probabilities, P, dims => {
                    let probabilities = floats::<P>(&probabilities.values, dims, input.dtype.wide(), &device);
                    Sparse { classes, probabilities }.into_targets(logits)
                })
            }),
        }
    }
}

/// What has rank 0 elsewhere has shape `[1]` in burn.
fn burn_shape(shape: &[usize]) -> &[usize] {
    if shape.is_empty() { &[1] } else { shape }
}

/// No reason that a case expects, so that a case of such a rank does not go unseen.
fn no_rank(rank: usize) -> Error {
    label_smoothing_core::Error::Configuration(format!("the glue of burn has no tensors of rank {rank}")).into()
}

fn integers<const R: usize>(dense: &Dense<i64>, dims: [usize; R], device: &Device) -> Tensor<R, Int> {
    Tensor::from_data(TensorData::new(dense.values.clone(), dims), (device, i64::dtype()))
}

fn floats<const R: usize>(values: &[f64], dims: [usize; R], dtype: Dtype, device: &Device) -> Tensor<R> {
    Tensor::from_data(TensorData::new(values.to_vec(), dims), (device, burn_dtype(dtype)))
}

/// The values in the element type, which holds them, with nothing or with NaN between them.
fn laid_out<const R: usize>(dense: &Dense<f64>, dims: [usize; R], input: &CaseInput, device: &Device) -> Tensor<R> {
    if input.layout == Layout::Contiguous || dense.values.is_empty() {
        return floats(&dense.values, dims, input.dtype, device);
    }
    let mut doubled = dims;
    doubled[R - 1] *= 2;
    let interleaved = floats(&dense.interleaved(f64::NAN).values, doubled, input.dtype, device);
    interleaved.slice_dim(R - 1, Slice::new(0, None, 2))
}

fn burn_dtype(dtype: Dtype) -> DType {
    match dtype {
        Dtype::F64 => DType::F64,
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::Bf16 => DType::BF16,
    }
}

/// The values in row-major order.
fn widened<const R: usize>(tensor: Tensor<R>) -> Result<Vec<f64>, Failure> {
    tensor.try_into_vec_as::<f64>().map_err(|error| Failure::Broken(format!("burn: {error}")))
}

#[cfg(test)]
mod tests {
    use label_smoothing_burn::burn::backend::Flex;
    use label_smoothing_core::Config;

    use super::*;

    #[test]
    fn strided_logits_are_strided() {
        let config = Config::cross_entropy();
        let dense = Dense::new([2, 3], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let targets = TargetInput::Indices(Dense::new([2], [0, 1]));
        let input = CaseInput::new(LossFamily::CrossEntropy, config, dense, targets);
        for (layout, contiguous) in [(Layout::Contiguous, true), (Layout::Strided, false)] {
            let input = input.with(Dtype::F32, layout);
            let tensor = laid_out(&input.logits, [2, 3], &input, &Device::flex());
            assert_eq!(widened(tensor.clone()).unwrap(), input.logits.values);
            assert_eq!(tensor.try_into_primitive::<Flex>().unwrap().is_contiguous(), contiguous);
        }
    }
}
