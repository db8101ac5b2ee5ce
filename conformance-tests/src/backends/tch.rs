//! The adapter for tch, and its path composed of libtorch's operations.

use std::sync::Once;

use label_smoothing_tch::tch::kind::Element as Stored;
use label_smoothing_tch::tch::{self, Kind, TchError, Tensor};
use label_smoothing_tch::{
    Error, LossFamily, LossParts, Masked, Mixed, Probabilities, SmoothedBinaryCrossEntropy, SmoothedCrossEntropy,
    SmoothedLoss, Sparse, TchTargets, Weighted,
};

use super::{Answer, KERNEL_ONLY, agree};
use crate::backend::{Backend, Failure, Gap, Outcome};
use crate::dtype::Dtype;
use crate::input::{CaseInput, Dense, Layout, TargetInput, Verb};
use crate::tolerance::Accuracy;

const FRAMEWORK: &str = "tch 0.26.0, libtorch 2.13.0";

/// Rows of up to 2049 classes need up to 5 on the CPU, mostly for the rounding of each coefficient and of each term; sums over
/// classes are trees, which hardly grow with a row. The rest is for the sums over rows of other devices.
const COMPOSED: Accuracy = Accuracy::Composed { base: 6.0, per_class: 1.0 / 1024.0 };

/// `label-smoothing-tch`: tensors on libtorch's graph, differentiated by libtorch, and the same without a graph.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tch;

impl Backend for Tch {
    fn name(&self) -> String {
        "tch".to_owned()
    }

    fn framework(&self) -> String {
        FRAMEWORK.to_owned()
    }

    fn dtypes(&self) -> &[Dtype] {
        Dtype::ALL
    }

    fn claims_identical_bits(&self) -> bool {
        true
    }

    fn gaps(&self) -> Vec<Gap> {
        vec![Gap::SLICES]
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

/// What `label-smoothing-tch` computes where the kernel does not reach: the loss composed of libtorch's operations.
#[derive(Debug, Clone, Copy, Default)]
pub struct TchComposed;

impl Backend for TchComposed {
    fn name(&self) -> String {
        "tch-composed".to_owned()
    }

    fn framework(&self) -> String {
        FRAMEWORK.to_owned()
    }

    fn dtypes(&self) -> &[Dtype] {
        Dtype::ALL
    }

    fn gaps(&self) -> Vec<Gap> {
        vec![KERNEL_ONLY, Gap::PARTS, Gap::SLICES]
    }

    fn accuracy(&self) -> Accuracy {
        COMPOSED
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

/// A case is too small for threads within an operation. They would only wait for one another, and libtorch's wait by
/// spinning, on cores that other cases are computed on.
static ONE_THREAD: Once = Once::new();

fn evaluate(input: &CaseInput, path: Path) -> Result<Answer, Failure> {
    ONE_THREAD.call_once(|| tch::set_num_threads(1));
    let wide = kind(input.dtype.wide());
    match &input.targets {
        TargetInput::Indices(classes) => with_rows(input, path, &tensor(classes)?),
        TargetInput::Probabilities(probabilities) => {
            with_rows(input, path, Probabilities(&laid_out(probabilities, input.dtype, input.layout)?))
        }
        TargetInput::Mixed { first, second, lambda } => {
            let (first, second) = (tensor(first)?, tensor(second)?);
            let lambda = tensor(lambda)?.f_to_kind(wide).map_err(broken)?;
            with_rows(input, path, Mixed { first: &first, second: &second, lambda: &lambda })
        }
        TargetInput::Sparse { classes, probabilities } => {
            let (classes, probabilities) = (tensor(classes)?, tensor(probabilities)?);
            let probabilities = probabilities.f_to_kind(wide).map_err(broken)?;
            with_rows(input, path, Sparse { classes: &classes, probabilities: &probabilities })
        }
    }
}

/// Adds the row mask and the row weights, where there are some.
fn with_rows<'a>(input: &CaseInput, path: Path, targets: impl TchTargets<'a> + Copy) -> Result<Answer, Failure> {
    let wide = kind(input.dtype.wide());
    let mask = input.row_mask.as_ref().map(tensor).transpose()?;
    let weights = input.row_weights.as_ref().map(tensor).transpose()?;
    let weights = weights.map(|weights| weights.f_to_kind(wide)).transpose().map_err(broken)?;
    match (&mask, &weights) {
        (None, None) => with_targets(input, path, targets),
        (Some(mask), None) => with_targets(input, path, Masked { targets, mask }),
        (None, Some(row_weights)) => with_targets(input, path, Weighted { targets, row_weights }),
        (Some(mask), Some(row_weights)) => {
            with_targets(input, path, Masked { targets: Weighted { targets, row_weights }, mask })
        }
    }
}

fn with_targets<'a>(input: &CaseInput, path: Path, targets: impl TchTargets<'a> + Copy) -> Result<Answer, Failure> {
    let config = input.config()?;
    match (config.loss(), path) {
        (LossFamily::CrossEntropy, Path::Kernel) => {
            let criterion = SmoothedCrossEntropy::from_config(config)?;
            ask(&criterion, input, targets, |logits| criterion.loss_and_parts(logits, targets))
        }
        (LossFamily::CrossEntropy, Path::Composed) => {
            ask(&SmoothedCrossEntropy::from_config(config)?.composed(), input, targets, |_| Err(Error::NoParts))
        }
        (LossFamily::BinaryCrossEntropy, Path::Kernel) => {
            let criterion = SmoothedBinaryCrossEntropy::from_config(config)?;
            ask(&criterion, input, targets, |logits| criterion.loss_and_parts(logits, targets))
        }
        (LossFamily::BinaryCrossEntropy, Path::Composed) => {
            ask(&SmoothedBinaryCrossEntropy::from_config(config)?.composed(), input, targets, |_| Err(Error::NoParts))
        }
    }
}

/// The loss on a graph and its gradient; without a graph it must be the same.
fn ask<C, Y>(
    criterion: &C,
    input: &CaseInput,
    targets: Y,
    in_parts: impl Fn(&Tensor) -> Result<(Tensor, LossParts), Error>,
) -> Result<Answer, Failure>
where
    C: for<'l> SmoothedLoss<&'l Tensor, Y, Loss = Tensor, RowLosses = Tensor, Error = Error>,
    Y: Copy,
{
    let logits = laid_out(&input.logits, input.dtype, input.layout)?.f_set_requires_grad(true).map_err(broken)?;
    if input.verb == Verb::Parts {
        let (loss, parts) = in_parts(&logits)?;
        agree("loss_and_parts", &widened(&loss)?, "loss", &widened(&criterion.loss(&logits, targets)?)?)?;
        return Ok(Answer::Parts(parts));
    }
    let losses = || {
        if input.row_losses { criterion.row_losses(&logits, targets) } else { criterion.loss(&logits, targets) }
    };
    let tracked = losses()?;
    let untracked = {
        let _guard = tch::no_grad_guard();
        losses()?
    };
    let upstream = if input.row_losses { input.row_upstream(tracked.numel())? } else { vec![input.scalar_upstream()?] };
    let values = widened(&tracked)?;
    agree("the loss on a graph", &values, "that without one", &widened(&untracked)?)?;
    let gradient = differentiated(&tracked, &logits, &upstream).map_err(broken)?;
    if gradient.kind() != logits.kind() || gradient.size() != logits.size() {
        return Err(Failure::Broken(format!("a gradient of {:?} {:?}", gradient.kind(), gradient.size())));
    }
    Ok(Answer::Outcome(Outcome { values, gradient: widened(&gradient)? }))
}

/// `d (sum upstream * losses) / d logits`, by libtorch.
fn differentiated(losses: &Tensor, logits: &Tensor, upstream: &[f64]) -> Result<Tensor, TchError> {
    let upstream = Tensor::f_from_slice(upstream)?.f_to_kind(losses.f_kind()?)?;
    let sum = losses.f_flatten(0, -1)?.f_dot(&upstream)?;
    Ok(Tensor::f_run_backward(&[sum], &[logits], false, false)?.remove(0))
}

fn kind(dtype: Dtype) -> Kind {
    match dtype {
        Dtype::F64 => Kind::Double,
        Dtype::F32 => Kind::Float,
        Dtype::F16 => Kind::Half,
        Dtype::Bf16 => Kind::BFloat16,
    }
}

fn tensor<T: Stored>(dense: &Dense<T>) -> Result<Tensor, Failure> {
    let shape = dense.shape.iter().map(|&length| i64::try_from(length)).collect::<Result<Vec<_>, _>>();
    let shape = shape.map_err(|error| Failure::Broken(error.to_string()))?;
    Tensor::f_from_slice(&dense.values).and_then(|flat| flat.f_reshape(shape)).map_err(broken)
}

/// The values in the element type, which holds them, with nothing or with NaN between them.
fn laid_out(dense: &Dense<f64>, dtype: Dtype, layout: Layout) -> Result<Tensor, Failure> {
    let in_kind = |dense: &Dense<f64>| tensor(dense)?.f_to_kind(kind(dtype)).map_err(broken);
    match layout {
        Layout::Contiguous => in_kind(dense),
        Layout::Strided => in_kind(&dense.interleaved(f64::NAN))?.f_select(-1, 0).map_err(broken),
    }
}

/// The values in row-major order.
fn widened(tensor: &Tensor) -> Result<Vec<f64>, Failure> {
    let flat = tensor.f_detach().and_then(|tensor| tensor.f_to_kind(Kind::Double)?.f_flatten(0, -1));
    flat.and_then(Vec::try_from).map_err(broken)
}

#[allow(clippy::needless_pass_by_value, reason = "what map_err hands on")]
fn broken(error: TchError) -> Failure {
    Failure::Broken(format!("libtorch: {error}"))
}
