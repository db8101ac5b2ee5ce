//! The adapter for candle, and its path composed of candle's operations.

use std::sync::LazyLock;

use label_smoothing_candle::candle_core::{self, DType, Device, DeviceLocation, Tensor, Var, WithDType};
use label_smoothing_candle::{
    CandleTargets, Error, LossFamily, LossParts, Masked, Mixed, Probabilities, SmoothedBinaryCrossEntropy,
    SmoothedCrossEntropy, SmoothedLoss, Sparse, Weighted,
};

use super::{Answer, KERNEL_ONLY, agree};
use crate::backend::{Backend, Failure, Gap, Outcome};
use crate::dtype::Dtype;
use crate::input::{CaseInput, Dense, Layout, TargetInput, Verb};
use crate::tolerance::Accuracy;

const FRAMEWORK: &str = "candle-core 0.11.1";

/// The rounding of each coefficient and of each term, and of sums whose halves are added, which hardly grow with a row.
const COMPOSED: Accuracy = Accuracy::Composed { base: 8.0, per_class: 1.0 / 1024.0 };

/// `label-smoothing-candle`: tensors on candle's graph, differentiated by candle, and the same without a graph.
#[derive(Debug, Clone, Copy, Default)]
pub struct Candle;

impl Backend for Candle {
    fn name(&self) -> String {
        "candle".to_owned()
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

    fn flushes_subnormals(&self, dtype: Dtype) -> bool {
        dtype == Dtype::Bf16 && adds_bf16_by_instruction()
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

/// What `label-smoothing-candle` computes where the kernel does not reach: the loss composed of candle's operations.
///
/// It computes on the CPU, unless candle is built with its feature `cuda` or `metal` and finds such a device.
#[derive(Debug, Clone, Copy, Default)]
pub struct CandleComposed;

impl Backend for CandleComposed {
    fn name(&self) -> String {
        "candle-composed".to_owned()
    }

    fn framework(&self) -> String {
        FRAMEWORK.to_owned()
    }

    fn dtypes(&self) -> &[Dtype] {
        // Metal has no f64.
        if COMPOSED_DEVICE.is_metal() { &[Dtype::F32, Dtype::F16, Dtype::Bf16] } else { Dtype::ALL }
    }

    fn device(&self) -> String {
        match COMPOSED_DEVICE.location() {
            DeviceLocation::Cpu => "cpu".to_owned(),
            DeviceLocation::Cuda { gpu_id } => format!("cuda:{gpu_id}"),
            DeviceLocation::Metal { gpu_id } => format!("metal:{gpu_id}"),
        }
    }

    fn gaps(&self) -> Vec<Gap> {
        vec![KERNEL_ONLY, Gap::PARTS, Gap::SLICES]
    }

    fn accuracy(&self) -> Accuracy {
        COMPOSED
    }

    fn flushes_subnormals(&self, dtype: Dtype) -> bool {
        Candle.flushes_subnormals(dtype)
    }

    fn evaluate(&self, input: &CaseInput) -> Result<Outcome, Failure> {
        evaluate(input, Path::Composed)?.outcome()
    }
}

/// The first GPU that candle is built for, or the CPU.
static COMPOSED_DEVICE: LazyLock<Device> = LazyLock::new(|| {
    Device::cuda_if_available(0)
        .and_then(|device| if device.is_cpu() { Device::metal_if_available(0) } else { Ok(device) })
        .unwrap_or(Device::Cpu)
});

/// Whether candle adds up gradients in `bf16`, which those of a view take part in, with an instruction that knows no
/// subnormal numbers.
fn adds_bf16_by_instruction() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx512bf16") && is_x86_feature_detected!("avx512vl");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

#[derive(Clone, Copy)]
enum Path {
    Kernel,
    Composed,
}

impl Path {
    /// Brings a tensor of the host to where this path computes.
    fn place(self, tensor: &Tensor) -> Result<Tensor, Failure> {
        match self {
            Self::Kernel => Ok(tensor.clone()),
            Self::Composed => tensor.to_device(&COMPOSED_DEVICE).map_err(broken),
        }
    }
}

fn evaluate(input: &CaseInput, path: Path) -> Result<Answer, Failure> {
    match &input.targets {
        TargetInput::Indices(classes) => with_rows(input, path, &path.place(&tensor(classes)?)?),
        TargetInput::Probabilities(probabilities) => {
            let memory = path.place(&in_memory(probabilities, input)?)?;
            with_rows(input, path, Probabilities(&viewed(&memory, input)?))
        }
        TargetInput::Mixed { first, second, lambda } => {
            let (first, second) = (path.place(&tensor(first)?)?, path.place(&tensor(second)?)?);
            let lambda = path.place(&in_dtype(lambda, input.dtype.wide())?)?;
            with_rows(input, path, Mixed { first: &first, second: &second, lambda: &lambda })
        }
        TargetInput::Sparse { classes, probabilities } => {
            let classes = path.place(&tensor(classes)?)?;
            let probabilities = path.place(&in_dtype(probabilities, input.dtype.wide())?)?;
            with_rows(input, path, Sparse { classes: &classes, probabilities: &probabilities })
        }
    }
}

/// Adds the row mask and the row weights, where there are some.
fn with_rows(input: &CaseInput, path: Path, targets: impl CandleTargets + Copy) -> Result<Answer, Failure> {
    let mask = input.row_mask.as_ref().map(|mask| path.place(&tensor(&bytes(mask))?)).transpose()?;
    let wide = input.dtype.wide();
    let weights = input.row_weights.as_ref().map(|weights| path.place(&in_dtype(weights, wide)?)).transpose()?;
    match (&mask, &weights) {
        (None, None) => with_targets(input, path, targets),
        (Some(mask), None) => with_targets(input, path, Masked { targets, mask }),
        (None, Some(row_weights)) => with_targets(input, path, Weighted { targets, row_weights }),
        (Some(mask), Some(row_weights)) => {
            with_targets(input, path, Masked { targets: Weighted { targets, row_weights }, mask })
        }
    }
}

fn with_targets(input: &CaseInput, path: Path, targets: impl CandleTargets + Copy) -> Result<Answer, Failure> {
    let config = input.config()?;
    match (config.loss(), path) {
        (LossFamily::CrossEntropy, Path::Kernel) => {
            let criterion = SmoothedCrossEntropy::from_config(config)?;
            ask(&criterion, input, path, targets, |logits| criterion.loss_and_parts(logits, targets))
        }
        (LossFamily::CrossEntropy, Path::Composed) => {
            ask(&SmoothedCrossEntropy::from_config(config)?.composed(), input, path, targets, |_| Err(Error::NoParts))
        }
        (LossFamily::BinaryCrossEntropy, Path::Kernel) => {
            let criterion = SmoothedBinaryCrossEntropy::from_config(config)?;
            ask(&criterion, input, path, targets, |logits| criterion.loss_and_parts(logits, targets))
        }
        (LossFamily::BinaryCrossEntropy, Path::Composed) => {
            ask(&SmoothedBinaryCrossEntropy::from_config(config)?.composed(), input, path, targets, |_| {
                Err(Error::NoParts)
            })
        }
    }
}

/// The loss on a graph and its gradient; without a graph it must be the same.
fn ask<C, Y>(
    criterion: &C,
    input: &CaseInput,
    path: Path,
    targets: Y,
    in_parts: impl Fn(&Tensor) -> Result<(Tensor, LossParts), Error>,
) -> Result<Answer, Failure>
where
    C: for<'l> SmoothedLoss<&'l Tensor, Y, Loss = Tensor, RowLosses = Tensor, Error = Error>,
    Y: Copy,
{
    // Candle makes its variables contiguous, so the variable is what the logits are a view of.
    let variable = Var::from_tensor(&path.place(&in_memory(&input.logits, input)?)?).map_err(broken)?;
    let logits = viewed(&variable, input)?;
    if input.verb == Verb::Parts {
        let (loss, parts) = in_parts(&logits)?;
        agree("loss_and_parts", &widened(&loss)?, "loss", &widened(&criterion.loss(&logits, targets)?)?)?;
        return Ok(Answer::Parts(parts));
    }
    let losses = |logits: &Tensor| {
        if input.row_losses { criterion.row_losses(logits, targets) } else { criterion.loss(logits, targets) }
    };
    let (tracked, untracked) = (losses(&logits)?, losses(&logits.detach())?);
    let values = widened(&tracked)?;
    agree("the loss on a graph", &values, "that without one", &widened(&untracked)?)?;

    let upstream =
        if input.row_losses { input.row_upstream(tracked.elem_count())? } else { vec![input.scalar_upstream()?] };
    let upstream = path.place(&in_dtype(&Dense::new([upstream.len()], upstream), input.dtype.wide())?)?;
    let gradient = differentiated(&tracked, &variable, &upstream).map_err(broken)?;
    if gradient.dtype() != variable.dtype() || gradient.dims() != variable.dims() {
        return Err(Failure::Broken(format!("a gradient of {:?} {:?}", gradient.dtype(), gradient.dims())));
    }
    Ok(Answer::Outcome(Outcome { values, gradient: widened(&viewed(&gradient, input)?)? }))
}

/// `d (sum upstream * losses) / d variable`, by candle.
fn differentiated(losses: &Tensor, variable: &Var, upstream: &Tensor) -> candle_core::Result<Tensor> {
    let sum = losses.flatten_all()?.mul(upstream)?.sum_all()?;
    let mut gradients = sum.backward()?;
    match gradients.remove(variable) {
        Some(gradient) => Ok(gradient),
        None => candle_core::bail!("no gradient reached the logits"),
    }
}

fn dtype(dtype: Dtype) -> DType {
    match dtype {
        Dtype::F64 => DType::F64,
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::Bf16 => DType::BF16,
    }
}

fn tensor<T: WithDType>(dense: &Dense<T>) -> Result<Tensor, Failure> {
    Tensor::from_slice(&dense.values, dense.shape.as_slice(), &Device::Cpu).map_err(broken)
}

/// Candle has no booleans.
fn bytes(mask: &Dense<bool>) -> Dense<u8> {
    Dense { shape: mask.shape.clone(), values: mask.values.iter().map(|&counts| u8::from(counts)).collect() }
}

fn in_dtype(dense: &Dense<f64>, element: Dtype) -> Result<Tensor, Failure> {
    tensor(dense)?.to_dtype(dtype(element)).map_err(broken)
}

/// The values in the logits' element type, which holds them, with nothing or with NaN between them.
fn in_memory(dense: &Dense<f64>, input: &CaseInput) -> Result<Tensor, Failure> {
    match input.layout {
        Layout::Contiguous => in_dtype(dense, input.dtype),
        Layout::Strided => in_dtype(&dense.interleaved(f64::NAN), input.dtype),
    }
}

/// The values as a view of that memory.
fn viewed(memory: &Tensor, input: &CaseInput) -> Result<Tensor, Failure> {
    match (input.layout, memory.rank()) {
        (Layout::Strided, rank @ 1..) => {
            memory.narrow(rank - 1, 0, 1).and_then(|first| first.squeeze(rank - 1)).map_err(broken)
        }
        _ => Ok(memory.clone()),
    }
}

/// The values in row-major order.
fn widened(tensor: &Tensor) -> Result<Vec<f64>, Failure> {
    let flat = tensor.flatten_all().and_then(|flat| flat.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.to_vec1());
    flat.map_err(broken)
}

#[expect(clippy::needless_pass_by_value, reason = "map_err hands it over")]
fn broken(error: candle_core::Error) -> Failure {
    Failure::Broken(format!("candle: {error}"))
}
