//! The same loss composed of candle's differentiable operations, for devices that the kernel does not reach.
//!
//! Everything that does not depend on the logits is formed on the host in `f64` and rounded once. What is left is a
//! function of the logits that candle differentiates, written so that no step of that cancels:
//!
//! ```text
//! t_c  = z_c - max z            the maximum as a constant: L does not depend on it
//! S_o  = sum exp t_c            over c != m, the first maximum
//! L    = A lse - sum a_c t_c - a_m t_m + z_factor lse^2 - offset        A = sum_c a_c, the sum over c != m
//! ```
//!
//! where `t_m`, whose value is 0 but whose derivative is not, enters `lse` in one of two ways that are the same function.
//! A confident row (`S_o <= 1`) takes `lse - t_m = log(1 + exp(-t_m) S_o)`, which makes `g_m = R - A S_o / S` with `R` the
//! sum of the other `a_c`; any other takes `lse = log(exp t_m + S_o)`, which makes `g_m = A p_m - a_m`.

use candle_core::{DType, Device, Result, Tensor};
use label_smoothing_core::reference::Coefficients;
use label_smoothing_core::{Element, LossFamily, NonFiniteLogits, Problem};

use crate::loss::Output;
use crate::targets::widened;
use crate::{Error, SmoothedBinaryCrossEntropy, SmoothedCrossEntropy};

/// A criterion that computes the loss by candle's own operations on every device.
///
/// Without this wrapper that path is taken for tensors on CUDA and Metal devices only; on the CPU the kernel is faster and
/// more accurate. It is there to be compared with.
/// The loss in parts (`loss_and_parts`), penalties and other likelihoods than the negative logarithm are the kernel's,
/// and refused here.
///
/// ```
/// use label_smoothing_candle::candle_core::{Device, Tensor};
/// use label_smoothing_candle::{SmoothedCrossEntropy, SmoothedLoss};
///
/// let logits = Tensor::new(&[[2.0_f32, 0.0, -1.0], [0.5, 1.5, 0.0]], &Device::Cpu)?;
/// let targets = Tensor::new(&[0_i64, 1], &Device::Cpu)?;
/// let criterion = SmoothedCrossEntropy::new(0.1)?;
/// let loss = criterion.loss(&logits, &targets)?.to_scalar::<f32>()?;
/// let composed = criterion.composed().loss(&logits, &targets)?.to_scalar::<f32>()?;
/// assert!((loss - composed).abs() < 1e-6);
/// # Ok::<(), label_smoothing_candle::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Composed<C> {
    criterion: C,
}

macro_rules! composed {
    ($criterion:ty) => {
        impl $criterion {
            /// The same criterion, computed by candle's own operations on every device.
            #[must_use]
            pub fn composed(&self) -> Composed<Self> {
                Composed { criterion: self.clone() }
            }
        }

        impl Composed<$criterion> {
            /// The configuration.
            #[must_use]
            pub fn config(&self) -> &label_smoothing_core::Config {
                self.criterion.config()
            }
        }
    };
}

composed!(SmoothedCrossEntropy);
composed!(SmoothedBinaryCrossEntropy);

pub(crate) fn evaluate<P: Element>(
    problem: &Problem<P>,
    logits: &Tensor,
    output: Output,
) -> std::result::Result<Tensor, Error> {
    Coefficients::check(problem.config())?;
    // Half types are widened here, so that their gradient is rounded here, once.
    let z = logits.to_dtype(if logits.dtype() == DType::F64 { DType::F64 } else { DType::F32 })?;
    let is_empty = problem.shape().elements() == 0;
    match output {
        Output::Loss => {
            problem.check_mean()?;
            match problem.gradient_divisor() {
                Some(divisor) if !is_empty => Ok(reduce(divisor, &losses(problem, &z, output)?)?),
                _ => Ok(constant(&z, problem.reduce(0.0))?),
            }
        }
        Output::RowLosses if is_empty => Ok(z.reshape(problem.losses_dims())?),
        Output::RowLosses => losses(problem, &z, output),
    }
}

/// The losses one by one.
fn losses<P: Element>(problem: &Problem<P>, z: &Tensor, output: Output) -> std::result::Result<Tensor, Error> {
    let on_host = match problem.config().non_finite_logits() {
        NonFiniteLogits::Propagate => vec![0.0; problem.shape().elements()],
        NonFiniteLogits::RestrictSupport => widened("the logits", z)?,
    };
    let coefficients = Coefficients::new(problem, &on_host)?;
    let coefficients = if z.dtype() == DType::F64 { coefficients } else { coefficients.kept_in_f32() };
    let z = without_uncounted_rows(problem, z)?;
    match problem.config().loss() {
        LossFamily::CrossEntropy => Ok(cross_entropy(problem, &coefficients, &z, output)?),
        LossFamily::BinaryCrossEntropy => Ok(binary(problem, &coefficients, &z)?),
    }
}

/// The logits with 0 for rows that are not counted, so that nothing in them, NaN included, reaches a sum or a gradient.
fn without_uncounted_rows<P: Element>(problem: &Problem<P>, z: &Tensor) -> Result<Tensor> {
    let counted: Vec<u8> = (0..problem.shape().rows()).map(|row| u8::from(problem.is_counted(row))).collect();
    if !counted.contains(&0) {
        return Ok(z.clone());
    }
    let counted = Tensor::from_vec(counted, row_dims(problem), &Device::Cpu)?.to_device(z.device())?;
    counted.broadcast_as(z.shape())?.where_cond(z, &z.zeros_like()?)
}

fn cross_entropy<P: Element>(
    problem: &Problem<P>,
    coefficients: &Coefficients,
    z: &Tensor,
    output: Output,
) -> Result<Tensor> {
    let axis = problem.shape().axis();
    let (values, zeros) = (z.detach(), z.zeros_like()?);
    let (max, is_max) = (values.max_keepdim(axis)?, first_maximum(&values, axis)?);
    let t = z.broadcast_sub(&max)?;
    let t_max = is_max.where_cond(&t, &zeros)?.sum_keepdim(axis)?; // One of them is not 0.
    let others_sum = sum_over(&is_max.where_cond(&zeros, &t.exp()?)?, axis)?;

    let a = uploaded(coefficients.positive.clone(), z.dims(), z)?;
    let a_others = is_max.where_cond(&zeros, &a)?;
    let total = uploaded(row_sums(problem, &coefficients.positive), &row_dims(problem), z)?;
    // Where a_c is 0, t_c may be -inf.
    let terms = sum_over(&a_others.ne(&zeros)?.where_cond(&a_others.mul(&t)?, &zeros)?, axis)?;

    let zero = others_sum.zeros_like()?;
    let is_confident = others_sum.detach().le(&others_sum.ones_like()?)?;
    let (taken_off, kept) = (is_confident.where_cond(&t_max, &zero)?, is_confident.where_cond(&zero, &t_max)?);
    let lse = log_sum(&kept.exp()?, &taken_off.neg()?.exp()?.mul(&others_sum)?)?;
    let a_max = is_max.where_cond(&a, &zeros)?.sum_keepdim(axis)?;
    let of_max = is_confident.where_cond(&sum_over(&a_others, axis)?, &a_max.neg()?)?;

    let mut losses = total.mul(&lse)?.sub(&terms)?.add(&of_max.mul(&t_max)?)?;
    if problem.config().z_loss() != 0.0 {
        let lse = log_sum(&t_max.exp()?, &others_sum)?.add(&max)?;
        let factors = uploaded(coefficients.z_factors.clone(), &row_dims(problem), z)?;
        losses = losses.add(&z_loss(&factors, &lse, &losses, output)?)?;
    }
    if problem.config().subtract_entropy() {
        losses = losses.sub(&uploaded(coefficients.offsets.clone(), &row_dims(problem), z)?)?;
    }
    losses.squeeze(axis)
}

/// `factor lse^2`, to be added to losses. Beside one that is infinite it is `factor (lse^2 - c^2)` with the constant
/// `c = lse`, which is 0 and has the same derivatives: a square that leaves the range of the type would make NaN of minus
/// infinity.
fn z_loss(factors: &Tensor, lse: &Tensor, losses: &Tensor, output: Output) -> Result<Tensor> {
    let is_infinite = losses.detach().abs()?.eq(f64::INFINITY)?;
    let is_infinite = match output {
        Output::Loss => is_infinite.max_all()?.broadcast_as(lse.shape())?, // They are added up.
        Output::RowLosses => is_infinite,
    };
    let c = is_infinite.where_cond(&lse.detach(), &lse.zeros_like()?)?;
    // The factor, which may be 0, comes first: the square leaves the range where the factor brings it back.
    factors.mul(&lse.add(&c)?)?.mul(&lse.sub(&c)?)
}

/// 1 at the first largest value along the axis, 0 elsewhere.
fn first_maximum(values: &Tensor, axis: usize) -> Result<Tensor> {
    let mut dims = vec![1; values.rank()];
    dims[axis] = values.dim(axis)?;
    let classes = Tensor::arange(0, dims[axis] as u32, values.device())?.reshape(dims)?;
    classes.broadcast_eq(&values.argmax_keepdim(axis)?)
}

/// `log(one + others)` where the value of `one` is 1; `log1p(others)` as accurately as the logarithm is.
fn log_sum(one: &Tensor, others: &Tensor) -> Result<Tensor> {
    let sum = one.add(others)?;
    // What of `others` the sum has lost: a constant, because it is 0 but for rounding.
    let lost = others.sub(&sum.affine(1.0, -1.0)?)?.div(&sum)?.detach();
    sum.log()?.add(&lost)
}

/// `L = positive softplus(-z) + negative softplus(z) - offset`, with `softplus(z) = max(z, 0) + log(1 + exp(-|z|))`.
fn binary<P: Element>(problem: &Problem<P>, coefficients: &Coefficients, z: &Tensor) -> Result<Tensor> {
    let zeros = z.zeros_like()?;
    let is_positive = z.detach().ge(&zeros)?;
    let above = is_positive.where_cond(z, &zeros)?;
    let below = is_positive.where_cond(&zeros, &z.neg()?)?;
    let shared = log_sum(&zeros.ones_like()?, &above.add(&below)?.neg()?.exp()?)?;

    let sums = coefficients.positive.iter().zip(&coefficients.negative).map(|(positive, negative)| positive + negative);
    let either = uploaded(sums.collect(), z.dims(), z)?;
    let positive = uploaded(coefficients.positive.clone(), z.dims(), z)?;
    let negative = uploaded(coefficients.negative.clone(), z.dims(), z)?;
    let term = |factor: &Tensor, cost: &Tensor| factor.ne(&zeros)?.where_cond(&factor.mul(cost)?, &zeros);
    let losses = term(&positive, &below)?.add(&term(&negative, &above)?)?.add(&either.mul(&shared)?)?;
    if problem.config().subtract_entropy() {
        return losses.sub(&uploaded(coefficients.offsets.clone(), z.dims(), z)?);
    }
    Ok(losses)
}

/// Adds the losses up, in `f64` where the device has it.
fn reduce(divisor: f64, losses: &Tensor) -> Result<Tensor> {
    let wide = if losses.device().is_metal() { losses.dtype() } else { DType::F64 };
    let sum = sum_over(&losses.to_dtype(wide)?.flatten_all()?, 0)?;
    sum.reshape(())?.affine(1.0 / divisor, 0.0)?.to_dtype(losses.dtype())
}

/// A number on the graph of the logits, with gradient 0 whatever they hold.
fn constant(z: &Tensor, value: f64) -> Result<Tensor> {
    let nowhere = Tensor::zeros(z.shape(), DType::U8, z.device())?;
    nowhere.where_cond(z, &z.zeros_like()?)?.sum_all()?.affine(1.0, value)
}

/// The logits' shape with a class axis of length 1.
fn row_dims<P: Element>(problem: &Problem<P>) -> Vec<usize> {
    let mut dims = problem.shape().dims().to_vec();
    dims[problem.shape().axis()] = 1;
    dims
}

fn row_sums<P: Element>(problem: &Problem<P>, values: &[f64]) -> Vec<f64> {
    let shape = problem.shape();
    let row = |row| (0..shape.classes()).map(|class| values[shape.element(row, class)]).collect::<Vec<_>>();
    (0..shape.rows()).map(|index| halved_sum(&row(index))).collect()
}

/// The sum of the halves' sums: its error grows with the logarithm of the length.
fn halved_sum(values: &[f64]) -> f64 {
    match values {
        [] => 0.0,
        [value] => *value,
        _ => {
            let (near, far) = values.split_at(values.len() / 2);
            halved_sum(near) + halved_sum(far)
        }
    }
}

/// The sum over an axis, which keeps its place. Candle adds up one element after the other, whose error grows with the
/// length; halves are added here until few are left.
fn sum_over(values: &Tensor, axis: usize) -> Result<Tensor> {
    const FEW: usize = 8;
    let mut values = values.clone();
    while values.dim(axis)? > FEW {
        let length = values.dim(axis)?;
        let half = length / 2;
        let folded = values.narrow(axis, 0, half)?.add(&values.narrow(axis, half, half)?)?;
        values = match length % 2 {
            0 => folded,
            _ => Tensor::cat(&[folded, values.narrow(axis, 2 * half, 1)?], axis)?,
        };
    }
    values.sum_keepdim(axis)
}

/// The values, rounded to the element type of `like`, on its device.
fn uploaded(values: Vec<f64>, dims: &[usize], like: &Tensor) -> Result<Tensor> {
    if like.dtype() == DType::F64 {
        return Tensor::from_vec(values, dims, like.device());
    }
    let rounded: Vec<f32> = values.iter().map(|&value| value as f32).collect();
    Tensor::from_vec(rounded, dims, like.device())
}
