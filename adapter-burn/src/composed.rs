//! The same loss composed of burn's own differentiable operations, for devices that the kernel cannot see.

use burn::tensor::{Bool, DType, Device, Int, Tensor, TensorData};
use label_smoothing_core::reference::Coefficients;
use label_smoothing_core::{Config, LossFamily, NonFiniteLogits, Problem};

use crate::loss::{Output, output_dims};
use crate::memory::FlexElement;
use crate::{Error, SmoothedBinaryCrossEntropy, SmoothedCrossEntropy};

/// A loss that is composed of burn's operations on every device, the CPU too.
///
/// The two structs do this by themselves where the logits are on a device that the kernel cannot see, such as a GPU. This
/// one is for those who want to see what that gives: the same definition and the same refusals, but not the same bits.
/// The loss in parts (`loss_and_parts`), penalties and other likelihoods than the negative logarithm are the kernel's,
/// and refused here.
///
/// # Accuracy
///
/// Loss and gradient are within `k u scale` of the exact ones (see the conformance kit) with `k = 8` for any number of
/// classes and rows, where the device's `exp` and `log1p` are good to a unit or two in the last place. Sums are balanced
/// trees, whatever burn's own reductions do. Confident rows keep their relative accuracy. Half types are computed in `f32`.
///
/// ```
/// use label_smoothing_burn::{SmoothedCrossEntropy, SmoothedLoss};
/// use label_smoothing_burn::burn::tensor::{Device, Int, Tensor};
///
/// let device = Device::flex();
/// let logits = Tensor::<2>::from_data([[2.0, 0.0, -1.0]], &device);
/// let targets = Tensor::<1, Int>::from_data([0], &device);
/// let criterion = SmoothedCrossEntropy::new(0.1)?;
/// let by_kernel: f32 = criterion.loss(logits.clone(), targets.clone())?.into_scalar();
/// let composed: f32 = criterion.composed().loss(logits, targets)?.into_scalar();
/// assert!((by_kernel - composed).abs() < 1e-6);
/// # Ok::<(), label_smoothing_burn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Composed<C> {
    criterion: C,
}

macro_rules! composed {
    ($($criterion:ident),*) => {$(
        impl $criterion {
            /// The same loss, composed of burn's operations on every device; see [`Composed`].
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
    )*};
}
composed!(SmoothedCrossEntropy, SmoothedBinaryCrossEntropy);

/// The loss on the logits' graph.
pub(crate) fn evaluate<const D: usize, const R: usize, P: FlexElement>(
    problem: &Problem<P>,
    logits: Tensor<D>,
    output: Output,
) -> Result<Tensor<R>, Error> {
    Coefficients::check(problem.config())?;
    if output == Output::Reduced {
        problem.check_mean()?;
    }
    let shape = problem.shape();
    let wide = if logits.dtype() == DType::F64 { DType::F64 } else { DType::F32 };
    if shape.rows() == 0 {
        return Ok(of_no_rows(problem, logits.cast(wide), output));
    }
    let terms = Terms::new(problem, &logits, output)?;
    let z = logits.cast(wide).reshape([shape.outer(), shape.classes(), shape.inner()]);
    let z = z.mask_fill(terms.ignored.clone(), 0.0);
    let dims = burn::tensor::Shape::from(output_dims(problem, output));
    if nothing_counts(problem, output) {
        return Ok(z.sum().add_scalar(problem.reduce(0.0)).reshape(dims));
    }
    let losses = match problem.config().loss() {
        LossFamily::CrossEntropy => cross_entropy(z, terms, output),
        LossFamily::BinaryCrossEntropy => binary_cross_entropy(z, &terms),
    };
    if output == Output::Rows {
        return Ok(losses.reshape(dims));
    }
    let sum = sum_over(losses.reshape([problem.losses()]), 0);
    // Divided by a tensor: burn's gradient of a division by a scalar is rounded to f32.
    let divisor = problem.gradient_divisor().unwrap_or(1.0);
    let divisor = constant(vec![divisor], [1, 1, 1], &sum.device().inner(), wide);
    Ok((sum / divisor.reshape([1])).reshape(dims))
}

/// Whatever the rows hold, a mean over nothing is a constant with gradient 0: none of them is looked at.
fn nothing_counts<P: FlexElement>(problem: &Problem<P>, output: Output) -> bool {
    output == Output::Reduced && problem.gradient_divisor().is_none()
}

/// burn's `reshape` reads a length of 0 as "leave it", so an empty batch goes round it.
fn of_no_rows<const D: usize, const R: usize, P: FlexElement>(
    problem: &Problem<P>,
    logits: Tensor<D>,
    output: Output,
) -> Tensor<R> {
    let dims = burn::tensor::Shape::from(output_dims(problem, output));
    match (output, problem.config().loss()) {
        (Output::Reduced, _) => logits.sum().add_scalar(problem.reduce(0.0)).reshape(dims),
        (Output::Rows, LossFamily::CrossEntropy) => {
            let axis = problem.shape().axis();
            logits.sum_dim(axis).squeeze_dim(axis)
        }
        (Output::Rows, LossFamily::BinaryCrossEntropy) => logits.reshape(dims),
    }
}

/// What does not depend on the logits, as constants in the shape `outer x classes x inner`, with a length of 1 where
/// there is one value per row.
struct Terms {
    /// The logits that are not looked at.
    ignored: Tensor<3, Bool>,
    positive: Tensor<3>,
    /// The binary family's factors of `-log (1 - p)`.
    negative: Option<Tensor<3>>,
    /// Only where there is a z-loss.
    z_factor: Option<Tensor<3>>,
    offset: Tensor<3>,
}

impl Terms {
    fn new<const D: usize, P: FlexElement>(
        problem: &Problem<P>,
        logits: &Tensor<D>,
        output: Output,
    ) -> Result<Self, Error> {
        let shape = problem.shape();
        let z = match problem.config().non_finite_logits() {
            NonFiniteLogits::Propagate => vec![0.0; shape.elements()],
            NonFiniteLogits::RestrictSupport => logits.clone().inner().try_into_vec_as::<f64>()?,
        };
        let coefficients = Coefficients::new(problem, &z)?;
        let coefficients = if logits.dtype() == DType::F64 { coefficients } else { coefficients.kept_in_f32() };
        let Coefficients { positive, negative, z_factors, offsets } = coefficients;
        let nothing_counts = nothing_counts(problem, output);
        let ignored = (0..shape.rows()).map(|row| nothing_counts || !problem.is_counted(row)).collect();

        let all = [shape.outer(), shape.classes(), shape.inner()];
        let rows = [shape.outer(), 1, shape.inner()];
        let offset_shape = if offsets.len() == shape.rows() { rows } else { all };
        let device = logits.device().inner();
        let upload = |values: Vec<f64>, shape| constant(values, shape, &device, logits.dtype());
        Ok(Self {
            ignored: Tensor::<3, Bool>::from_data(TensorData::new::<bool, _>(ignored, rows), &device).expand(all),
            negative: (!negative.is_empty()).then(|| upload(negative, all)),
            z_factor: (problem.config().z_loss() != 0.0).then(|| upload(z_factors, rows)),
            offset: upload(offsets, offset_shape),
            positive: upload(positive, all),
        })
    }
}

/// A tensor without autodiff in the type that logits of `dtype` are computed in; each value is rounded once.
fn constant(values: Vec<f64>, shape: [usize; 3], device: &Device, dtype: DType) -> Tensor<3> {
    if dtype == DType::F64 {
        Tensor::from_data(TensorData::new(values, shape), (device, DType::F64))
    } else {
        let values: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
        Tensor::from_data(TensorData::new(values, shape), (device, DType::F32))
    }
}

/// What is decided by the values of the logits and has no gradient: where each row's maximum is, and how it is treated.
struct Anchor {
    /// The column of the maximum.
    column: Tensor<3, Int>,
    /// The maximum; 0 in a row that has no loss.
    max: Tensor<3>,
    /// Where the maximum is, in the shape of the logits.
    is_max: Tensor<3, Bool>,
    /// Rows whose likeliest class has more than half of the probability.
    is_confident: Tensor<3, Bool>,
    /// 1, or NaN for a row that has no loss: one with a NaN or `+inf`, or of nothing but `-inf`.
    one: Tensor<3>,
}

impl Anchor {
    fn new(z: Tensor<3>) -> Self {
        let [outer, classes, inner] = z.dims();
        let all = [outer, classes, inner];
        let is_finite = z.clone().max_dim(1).is_finite();
        let has_no_loss = is_finite.bool_not().bool_or(z.clone().is_nan().any_dim(1));
        let z = z.mask_fill(has_no_loss.clone().expand(all), 0.0);
        let column = z.clone().argmax(1);
        let max = z.clone().gather(1, column.clone());
        let columns = Tensor::<1, Int>::arange(0..classes.cast_signed() as i64, (&z.device(), column.dtype()));
        let is_max = columns.reshape([1, classes, 1]).expand(all).equal(column.clone().expand(all));
        let others = z.sub(max.clone()).exp().mask_fill(is_max.clone(), 0.0);
        let is_confident = sum_over(others, 1).lower_scalar(1.0);
        let one = max.ones_like().mask_fill(has_no_loss, f64::NAN);
        Self { column, max, is_max, is_confident, one }
    }
}

/// ```text
/// L = A lse' - sum_c a_c t_c + z_factor lse^2 - offset        t_c = z_c - max z,  lse' = log sum exp t,  lse = max z + lse'
/// ```
///
/// The value does not depend on how the derivative of the maximum `z_m` is carried, but the rounding of the gradient
/// does. In a confident row `g_m = R - A S_o / S` keeps what `A p_m - a_m` cancels, and in any other row it is the other
/// way round (`S_o`, `R`: the sums of `exp t` and of `a` without column `m`). So the maximum is taken as a constant, and
/// of `held` and `rest` one is `z_m - max`, which is 0 with the derivative of `z_m`, and the other nothing at all: a
/// confident row has `S_o - S_o held` and `sum a t - R held`, any other row has `exp(t_m) = 1 + rest`.
fn cross_entropy(z: Tensor<3>, terms: Terms, output: Output) -> Tensor<3> {
    let Anchor { column, max, is_max, is_confident, one } = Anchor::new(z.clone().inner());
    let all = z.dims();
    let z = z * one.clone();
    let zero = z.clone().gather(1, column) - max.clone();
    let held = zero.clone().mask_fill(is_confident.clone().bool_not(), 0.0);
    let rest = zero.mask_fill(is_confident.clone(), 0.0);

    let t = z - max.clone();
    let others = sum_over(t.clone().exp().mask_fill(is_max.clone(), 0.0), 1);
    let shifted_lse = (others.clone() - others * held.clone() + rest).log1p();
    // Terms of coefficient 0 are selected away, not multiplied: their t may be infinite.
    let has_no_term =
        is_max.clone().bool_and(is_confident.expand(all)).bool_or(terms.positive.clone().equal_scalar(0.0));
    let total = sum_over(terms.positive.clone(), 1);
    let of_others = sum_over(terms.positive.clone().mask_fill(is_max, 0.0), 1);
    let of_target = sum_over(terms.positive * t.mask_fill(has_no_term, 0.0), 1) - of_others * held.clone();
    let loss = total * one * shifted_lse.clone() - of_target - terms.offset;
    match terms.z_factor {
        Some(factor) => {
            let added = z_loss(factor, max + held + shifted_lse, &loss, output);
            loss + added
        }
        None => loss,
    }
}

/// `factor lse^2`, to be added to losses. Beside one that is infinite it is `factor (lse^2 - c^2)` with the constant
/// `c = lse`, which is 0 and has the same derivatives: a square that leaves the range of the type would make NaN of minus
/// infinity.
fn z_loss(factor: Tensor<3>, lse: Tensor<3>, losses: &Tensor<3>, output: Output) -> Tensor<3> {
    let is_infinite = losses.clone().inner().is_inf();
    let is_infinite = match output {
        Output::Reduced => is_infinite.any().reshape([1, 1, 1]).expand(lse.dims()), // They are added up.
        Output::Rows => is_infinite,
    };
    let c = lse.clone().inner().mask_fill(is_infinite.bool_not(), 0.0);
    // The factor, which may be 0, comes first: the square leaves the range where the factor brings it back.
    factor * (lse.clone() + c.clone()) * (lse - c)
}

/// ```text
/// L = positive softplus(-z) + negative softplus(z) - offset        softplus(z) = max(z, 0) + log1p(exp(-|z|))
/// ```
///
/// Which side of 0 a logit is on is decided once, as a constant, so that the derivative at 0 is right too.
fn binary_cross_entropy(z: Tensor<3>, terms: &Terms) -> Tensor<3> {
    let is_below = z.clone().inner().lower_scalar(0.0);
    let magnitude = z.clone().mask_where(is_below.clone().bool_not(), z.clone().neg());
    let shared = magnitude.exp().log1p();
    let positive = terms.positive.clone();
    let negative = terms.negative.clone().unwrap_or_else(|| positive.zeros_like());
    let is_zero = |factor: &Tensor<3>| factor.clone().equal_scalar(0.0);
    let above = z.clone().mask_fill(is_below.clone().bool_or(is_zero(&negative)), 0.0);
    let below = z.neg().mask_fill(is_below.bool_not().bool_or(is_zero(&positive)), 0.0);
    (positive.clone() + negative.clone()) * shared + negative * above + positive * below - terms.offset.clone()
}

/// The sum over an axis as a balanced tree, whose error grows with the logarithm of the length only: burn's backends add
/// in orders of their own, the CPU's one after the other.
fn sum_over<const D: usize>(mut terms: Tensor<D>, axis: usize) -> Tensor<D> {
    loop {
        let length = terms.dims()[axis];
        if length <= 4 {
            return terms.sum_dim(axis);
        }
        let half = length / 2;
        let part = |start, length| terms.clone().narrow(axis, start, length);
        let pairs = part(0, half) + part(half, half);
        terms = if length.is_multiple_of(2) { pairs } else { Tensor::cat(vec![pairs, part(length - 1, 1)], axis) };
    }
}
