//! The same loss, composed of libtorch's differentiable operations: for devices that the kernel does not reach.
//!
//! What does not depend on the logits is formed in `f64` on the host, the denominator with it, and rounded once. What is
//! left is a function of the logits, written so that no step of it or of its derivative cancels:
//!
//! ```text
//! t_c = z_c - max z     the maximum as a constant: L does not depend on it      m: its column, where t_m = 0
//! S_o = sum exp t_c     over c != m
//! L   = A h + w t_m - sum a_c t_c + z_factor lse^2 - offset      A = sum a_c over all c; the other sum over c != m
//! ```
//!
//! `w t_m` is 0, but its derivative is not. A confident row (`S_o <= 1`) takes `h = lse - t_m = log(1 + exp(-t_m) S_o)` and
//! `w = R`, the sum of the other `a_c`, which makes `g_m = R - A S_o / S`. Any other row takes `h = lse = log(exp t_m + S_o)`
//! and `w = -a_m`, which makes `g_m = A p_m - a_m`. They are the same function.
//!
//! `masked_fill` selects away what must not count: its derivative is exactly 0, whatever NaN meets it.

use label_smoothing_core::reference::Coefficients;
use label_smoothing_core::{Config, Element, LossFamily, NonFiniteLogits, Problem};
use tch::{Kind, Tensor};

use crate::loss::Output;
use crate::tensor::{to_host, to_i64, to_i64s};
use crate::{Error, SmoothedBinaryCrossEntropy, SmoothedCrossEntropy};

/// A criterion that computes the loss by libtorch's own operations on every device.
///
/// Without this wrapper that path is taken for logits that are not on the CPU only; there the kernel is faster and more
/// accurate. Ask for it where the gradient is to be differentiated again: every operation in it is libtorch's.
/// The loss in parts (`loss_and_parts`), penalties and other likelihoods than the negative logarithm are the kernel's,
/// and refused here.
///
/// ```
/// use label_smoothing_tch::{SmoothedCrossEntropy, SmoothedLoss};
/// use label_smoothing_tch::tch::Tensor;
///
/// let logits = Tensor::from_slice2(&[[2.0_f32, 0.0, -1.0], [0.5, 1.5, 0.0]]);
/// let targets = Tensor::from_slice(&[0_i64, 1]);
/// let criterion = SmoothedCrossEntropy::new(0.1)?;
/// let loss = criterion.loss(&logits, &targets)?.double_value(&[]);
/// let composed = criterion.composed().loss(&logits, &targets)?.double_value(&[]);
/// assert!((loss - composed).abs() < 1e-6);
/// # Ok::<(), label_smoothing_tch::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Composed<C> {
    criterion: C,
}

macro_rules! composed {
    ($criterion:ty) => {
        impl $criterion {
            /// The same loss, computed by libtorch's own operations on every device; see [`Composed`].
            #[must_use]
            pub fn composed(&self) -> Composed<Self> {
                Composed { criterion: self.clone() }
            }
        }

        impl Composed<$criterion> {
            /// The configuration.
            #[must_use]
            pub fn config(&self) -> &Config {
                self.criterion.config()
            }
        }
    };
}

composed!(SmoothedCrossEntropy);
composed!(SmoothedBinaryCrossEntropy);

pub(crate) fn evaluate<P: Element>(problem: &Problem<P>, logits: &Tensor, output: Output) -> Result<Tensor, Error> {
    Coefficients::check(problem.config())?;
    match output {
        Output::RowLosses => row_losses(problem, logits, Some(1.0), output),
        Output::Loss => {
            problem.check_mean()?;
            let divisor = problem.gradient_divisor();
            let losses = row_losses(problem, logits, divisor, output)?;
            let sum = sum_over(&losses.f_flatten(0, -1)?, 0)?.f_squeeze()?;
            // A mean over nothing has no terms; its value, 0 or NaN, is a constant beside them.
            if divisor.is_none() { Ok(sum.f_add_scalar(problem.reduce(0.0))?) } else { Ok(sum) }
        }
    }
}

/// The row losses, each divided by `divisor`. Without one no row is looked at.
fn row_losses<P: Element>(
    problem: &Problem<P>,
    logits: &Tensor,
    divisor: Option<f64>,
    output: Output,
) -> Result<Tensor, Error> {
    let terms = Terms::new(problem, logits, divisor)?;
    // Half types are computed in f32; the conversion is on the graph and rounds the gradient once.
    let z = logits.f_to_kind(terms.offsets.f_kind()?)?.f_masked_fill(&terms.ignored, 0.0)?;
    match problem.config().loss() {
        LossFamily::CrossEntropy => cross_entropy(&terms, &z, to_i64(problem.shape().axis()), output),
        LossFamily::BinaryCrossEntropy => binary_cross_entropy(&terms, &z),
    }
}

/// What does not depend on the logits, on their device.
struct Terms {
    /// The factor of `-log p`, in the shape of the logits.
    positive: Tensor,
    /// Binary: the factor of `-log (1 - p)`.
    negative: Option<Tensor>,
    /// The factor of `lse^2`, in the shape of the rows; none where there is no z-loss.
    z_factors: Option<Tensor>,
    /// What to take off, in the shape of the losses.
    offsets: Tensor,
    /// Which rows are not counted, in the shape of the logits with a class axis of length 1.
    ignored: Tensor,
}

impl Terms {
    fn new<P: Element>(problem: &Problem<P>, logits: &Tensor, divisor: Option<f64>) -> Result<Self, Error> {
        let (shape, config) = (problem.shape(), problem.config());
        let values = match config.non_finite_logits() {
            NonFiniteLogits::Propagate => vec![0.0; shape.elements()],
            NonFiniteLogits::RestrictSupport => to_host("the logits", logits)?,
        };
        let coefficients = Coefficients::new(problem, &values)?.over(divisor.unwrap_or(1.0));
        let (kind, coefficients) = match logits.f_kind()? {
            Kind::Double => (Kind::Double, coefficients),
            _ => (Kind::Float, coefficients.kept_in_f32()),
        };
        let device = logits.device();
        let upload = |values: Vec<f64>, dims: &[usize]| -> Result<Tensor, Error> {
            let values = if divisor.is_some() { values } else { vec![0.0; values.len()] };
            Ok(Tensor::f_from_slice(&values)?.f_to_kind(kind)?.f_reshape(to_i64s(dims))?.f_to_device(device)?)
        };
        let ignored: Vec<bool> = (0..shape.rows()).map(|row| divisor.is_none() || !problem.is_counted(row)).collect();
        let mut one_class = shape.dims().to_vec();
        one_class[shape.axis()] = 1;
        let is_binary = config.loss() == LossFamily::BinaryCrossEntropy;
        let has_z_loss = config.z_loss() != 0.0;
        Ok(Self {
            positive: upload(coefficients.positive, shape.dims())?,
            negative: is_binary.then(|| upload(coefficients.negative, shape.dims())).transpose()?,
            z_factors: has_z_loss.then(|| upload(coefficients.z_factors, &shape.row_dims())).transpose()?,
            offsets: upload(coefficients.offsets, &problem.losses_dims())?,
            ignored: Tensor::f_from_slice(&ignored)?.f_reshape(to_i64s(&one_class))?.f_to_device(device)?,
        })
    }
}

fn cross_entropy(terms: &Terms, z: &Tensor, axis: i64, output: Output) -> Result<Tensor, Error> {
    let sum = |tensor: &Tensor| sum_over(tensor, axis);
    let constant = z.f_detach()?;
    let largest = constant.f_amax(axis, true)?;
    let column = constant.f_argmax(axis, true)?;
    let is_maximum = constant.f_zeros_like()?.f_to_kind(Kind::Bool)?.f_scatter_value(axis, &column, 1)?;

    // In a row without a finite maximum t_m is NaN, and with it the loss and the gradient of every class.
    let t = z.f_sub(&largest)?;
    let t_m = t.f_gather(axis, &column, false)?;
    let exp_others = t.f_masked_fill(&is_maximum, 0.0)?.f_exp()?.f_masked_fill(&is_maximum, 0.0)?;
    let others = sum(&exp_others)?;

    // A, a_m, R: the coefficients' sum, the maximum's own, and the sum of the others.
    let a = &terms.positive;
    let a_m = a.f_gather(axis, &column, false)?;
    let a_others = a.f_masked_fill(&is_maximum, 0.0)?;
    let rest = sum(&a_others)?;
    let total = a_m.f_add(&rest)?;

    let is_confident = others.f_detach()?.f_le(1.0)?;
    let confident = t_m.f_neg()?.f_exp()?.f_mul(&others)?.f_log1p()?;
    let h = confident.f_where_self(&is_confident, &t_m.f_exp()?.f_add(&others)?.f_log()?)?;
    let w = rest.f_where_self(&is_confident, &a_m.f_neg()?)?;

    // Terms with a_c = 0 are left out, not multiplied: their t_c may be infinite.
    let weighted = sum(&a_others.f_mul(&t.f_masked_fill(&a_others.f_eq(0.0)?, 0.0)?)?)?;
    let mut losses = total.f_mul(&h)?.f_add(&w.f_mul(&t_m)?)?.f_sub(&weighted)?;
    if let Some(z_factors) = &terms.z_factors {
        let lse = h.f_add(&t_m.f_mul(&is_confident.f_to_kind(t_m.f_kind()?)?)?)?.f_add(&largest)?;
        losses = losses.f_add(&z_loss(&z_factors.f_unsqueeze(axis)?, &lse, &losses, output)?)?;
    }
    Ok(losses.f_squeeze_dim(axis)?.f_sub(&terms.offsets)?)
}

/// `factor lse^2`, to be added to losses. Beside one that is infinite it is `factor (lse^2 - c^2)` with the constant
/// `c = lse`, which is 0 and has the same derivatives: a square that leaves the range of the type would make NaN of minus
/// infinity.
fn z_loss(factors: &Tensor, lse: &Tensor, losses: &Tensor, output: Output) -> Result<Tensor, Error> {
    let is_infinite = losses.f_detach()?.f_isinf()?;
    let is_infinite = match output {
        Output::Loss => is_infinite.f_any()?, // They are added up.
        Output::RowLosses => is_infinite,
    };
    let c = lse.f_detach()?.f_masked_fill(&is_infinite.f_logical_not()?, 0.0)?;
    // The factor, which may be 0, comes first: the square leaves the range where the factor brings it back.
    Ok(factors.f_mul(&lse.f_add(&c)?)?.f_mul(&lse.f_sub(&c)?)?)
}

/// The sum over an axis, which keeps its place, as a balanced tree: its error grows with the logarithm of the length, whatever
/// the order of libtorch's own sums is on a device.
fn sum_over(values: &Tensor, axis: i64) -> Result<Tensor, Error> {
    const FEW: i64 = 4;
    let mut values = values.shallow_clone();
    loop {
        let length = values.size()[axis as usize];
        if length <= FEW {
            return Ok(values.f_sum_dim_intlist(axis, true, None::<Kind>)?);
        }
        let half = length / 2;
        let pairs = values.f_narrow(axis, 0, half)?.f_add(&values.f_narrow(axis, half, half)?)?;
        values = match length % 2 {
            0 => pairs,
            _ => Tensor::f_cat(&[pairs, values.f_narrow(axis, 2 * half, 1)?], axis)?,
        };
    }
}

fn binary_cross_entropy(terms: &Terms, z: &Tensor) -> Result<Tensor, Error> {
    // -a log s(z), without the terms where a = 0 and the logarithm is infinite.
    let term = |a: &Tensor, z: &Tensor| -> Result<Tensor, Error> {
        let costs_nothing = a.f_eq(0.0)?.f_logical_and(&z.f_isinf()?)?;
        Ok(a.f_mul(&z.f_masked_fill(&costs_nothing, 0.0)?.f_log_sigmoid()?)?.f_neg()?)
    };
    let positive = term(&terms.positive, z)?;
    let losses = match &terms.negative {
        Some(negative) => positive.f_add(&term(negative, &z.f_neg()?)?)?,
        None => positive,
    };
    Ok(losses.f_sub(&terms.offsets)?)
}
