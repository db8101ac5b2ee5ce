//! The adapter for dfdx.

use std::borrow::Cow;

use label_smoothing_core::{Shape as LogitsLayout, Targets};
use label_smoothing_dfdx::dfdx::prelude::{
    Axes2, Axes3, Axes4, Axes5, Axes6, Backward, Cpu, CpuError, Device, Dtype as Number, HasShape, OwnedTape,
    PermuteTo, PutTape, Rank0, Shape, SplitTape, SumTo, Tensor, TensorFromVec, Trace, Unit,
};
use label_smoothing_dfdx::{
    DfdxTargets, Element, Error, LossFamily, LossParts, Masked, Mixed, Probabilities, SmoothedBinaryCrossEntropy,
    SmoothedCrossEntropy, SmoothedLoss, Sparse, Values, Weighted,
};

use super::{Answer, agree};
use crate::backend::{Backend, Failure, Gap, Outcome};
use crate::dtype::Dtype;
use crate::f16;
use crate::input::{CaseInput, Dense, Layout, TargetInput, Verb};
use crate::tolerance::Accuracy;

/// `label-smoothing-dfdx`: tensors with a tape, differentiated by dfdx, and the same without a tape.
///
/// dfdx's only views are permuted axes, so that is what a strided tensor is here; of one axis there is none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Dfdx;

impl Backend for Dfdx {
    fn name(&self) -> String {
        "dfdx".to_owned()
    }

    fn framework(&self) -> String {
        "dfdx 0.13.0".to_owned()
    }

    fn dtypes(&self) -> &[Dtype] {
        &[Dtype::F64, Dtype::F32, Dtype::F16]
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

    /// A tensor has the element type of its tape, and this the type of the logits.
    fn loss_dtype(&self, dtype: Dtype) -> Dtype {
        dtype
    }

    fn evaluate(&self, input: &CaseInput) -> Result<Outcome, Failure> {
        answer(input)?.outcome()
    }

    fn parts(&self, input: &CaseInput) -> Result<LossParts, Failure> {
        answer(input)?.parts()
    }
}

fn answer(input: &CaseInput) -> Result<Answer, Failure> {
    match input.dtype {
        Dtype::F64 => evaluate::<f64>(input),
        Dtype::F32 => evaluate::<f32>(input),
        Dtype::F16 => evaluate::<f16>(input),
        Dtype::Bf16 => Err(Failure::Unsupported("dfdx has no bf16 on the CPU".to_owned())),
    }
}

/// A tensor whose rank is known at run time only.
enum AnyRank<E: Unit> {
    R0(Tensor<Rank0, E, Cpu>),
    R1(Tensor<(usize,), E, Cpu>),
    R2(Tensor<(usize, usize), E, Cpu>),
    R3(Tensor<(usize, usize, usize), E, Cpu>),
    R4(Tensor<(usize, usize, usize, usize), E, Cpu>),
    R5(Tensor<(usize, usize, usize, usize, usize), E, Cpu>),
    R6(Tensor<(usize, usize, usize, usize, usize, usize), E, Cpu>),
}

/// The same expression for the tensor of each rank.
macro_rules! of_any_rank {
    ($any:expr, $tensor:ident => $body:expr) => {
        match $any {
            AnyRank::R0($tensor) => $body,
            AnyRank::R1($tensor) => $body,
            AnyRank::R2($tensor) => $body,
            AnyRank::R3($tensor) => $body,
            AnyRank::R4($tensor) => $body,
            AnyRank::R5($tensor) => $body,
            AnyRank::R6($tensor) => $body,
        }
    };
}

impl<E: Unit> AnyRank<E> {
    fn new(dense: &Dense<E>) -> Result<Self, Failure> {
        let values = dense.values.clone();
        Ok(match dense.shape[..] {
            [] => Self::R0(tensor(values, ())?),
            [a] => Self::R1(tensor(values, (a,))?),
            [a, b] => Self::R2(tensor(values, (a, b))?),
            [a, b, c] => Self::R3(tensor(values, (a, b, c))?),
            [a, b, c, d] => Self::R4(tensor(values, (a, b, c, d))?),
            [a, b, c, d, e] => Self::R5(tensor(values, (a, b, c, d, e))?),
            [a, b, c, d, e, f] => Self::R6(tensor(values, (a, b, c, d, e, f))?),
            _ => return Err(Failure::Unsupported("dfdx has at most six axes".to_owned())),
        })
    }

    fn laid_out(dense: &Dense<E>, layout: Layout) -> Result<Self, Failure> {
        match layout {
            Layout::Contiguous => Self::new(dense),
            Layout::Strided => Self::new(&reversed(dense))?.reversed().map_err(broken),
        }
    }

    /// The same memory with its axes in reverse order.
    fn reversed(self) -> Result<Self, CpuError> {
        Ok(match self {
            Self::R0(_) | Self::R1(_) => self,
            Self::R2(tensor) => Self::R2(tensor.try_permute::<_, Axes2<1, 0>>()?),
            Self::R3(tensor) => Self::R3(tensor.try_permute::<_, Axes3<2, 1, 0>>()?),
            Self::R4(tensor) => Self::R4(tensor.try_permute::<_, Axes4<3, 2, 1, 0>>()?),
            Self::R5(tensor) => Self::R5(tensor.try_permute::<_, Axes5<4, 3, 2, 1, 0>>()?),
            Self::R6(tensor) => Self::R6(tensor.try_permute::<_, Axes6<5, 4, 3, 2, 1, 0>>()?),
        })
    }
}

/// As the adapter reads the tensor inside.
impl<E: Unit> Values for AnyRank<E> {
    type Element = E;

    fn dims(&self) -> Option<Vec<usize>> {
        of_any_rank!(self, tensor => tensor.dims())
    }

    fn values(&self) -> Cow<'_, [E]> {
        of_any_rank!(self, tensor => tensor.values())
    }
}

fn tensor<S: Shape, E: Unit>(values: Vec<E>, shape: S) -> Result<Tensor<S, E, Cpu>, Failure> {
    Cpu::default().try_tensor_from_vec(values, shape).map_err(broken)
}

/// The tensor with its axes in reverse order, in row-major order of those.
fn reversed<E: Copy>(dense: &Dense<E>) -> Dense<E> {
    let shape: Vec<usize> = dense.shape.iter().rev().copied().collect();
    let source = |place: usize| {
        let (mut rest, mut from, mut stride) = (place, 0, dense.values.len());
        for &length in &dense.shape {
            stride /= length;
            from += rest % length * stride;
            rest /= length;
        }
        from
    };
    let values: Vec<E> = (0..dense.values.len()).map(|place| dense.values[source(place)]).collect();
    Dense::new(shape, values)
}

/// Targets of any kind behind one type, so that not every kind is compiled for every rank.
struct AnyTargets<'a, P>(&'a dyn DfdxTargets<Probability = P>);

impl<P> Clone for AnyTargets<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for AnyTargets<'_, P> {}

impl<P: Element> DfdxTargets for AnyTargets<'_, P> {
    type Probability = P;

    fn to_targets(&self, logits: &LogitsLayout) -> Targets<'_, P> {
        self.0.to_targets(logits)
    }
}

fn evaluate<T>(input: &CaseInput) -> Result<Answer, Failure>
where
    T: Element + Number,
    T::Wide: Number,
    Cpu: Device<T>,
{
    match &input.targets {
        TargetInput::Indices(classes) => with_rows::<T, _>(input, AnyRank::new(classes)?),
        TargetInput::Probabilities(probabilities) => {
            with_rows::<T, _>(input, Probabilities(AnyRank::laid_out(&probabilities.narrow::<T>(), input.layout)?))
        }
        TargetInput::Mixed { first, second, lambda } => {
            let (first, second) = (AnyRank::new(first)?, AnyRank::new(second)?);
            with_rows::<T, _>(input, Mixed { first, second, lambda: AnyRank::new(&lambda.narrow::<T::Wide>())? })
        }
        TargetInput::Sparse { classes, probabilities } => {
            let probabilities = AnyRank::new(&probabilities.narrow::<T::Wide>())?;
            with_rows::<T, _>(input, Sparse { classes: AnyRank::new(classes)?, probabilities })
        }
    }
}

/// Adds the row mask and the row weights, where there are some.
fn with_rows<T, Y>(input: &CaseInput, targets: Y) -> Result<Answer, Failure>
where
    T: Element + Number,
    T::Wide: Number,
    Y: DfdxTargets,
    Cpu: Device<T>,
{
    let mask = input.row_mask.as_ref().map(AnyRank::new).transpose()?;
    let weights = input.row_weights.as_ref().map(|weights| AnyRank::new(&weights.narrow::<T::Wide>())).transpose()?;
    match (mask, weights) {
        (None, None) => with_targets::<T, _>(input, AnyTargets(&targets)),
        (Some(mask), None) => with_targets::<T, _>(input, AnyTargets(&Masked { targets, mask })),
        (None, Some(row_weights)) => with_targets::<T, _>(input, AnyTargets(&Weighted { targets, row_weights })),
        (Some(mask), Some(row_weights)) => {
            with_targets::<T, _>(input, AnyTargets(&Masked { targets: Weighted { targets, row_weights }, mask }))
        }
    }
}

fn with_targets<T, P>(input: &CaseInput, targets: AnyTargets<'_, P>) -> Result<Answer, Failure>
where
    T: Element + Number,
    T::Wide: Number,
    P: Element,
    Cpu: Device<T>,
{
    let logits = AnyRank::laid_out(&input.logits.narrow::<T>(), input.layout)?;
    let config = input.config()?;
    match config.loss() {
        LossFamily::CrossEntropy => {
            let criterion = SmoothedCrossEntropy::from_config(config)?;
            of_any_rank!(&logits, logits => {
                ask(&criterion, input, logits, targets, |logits| criterion.loss_and_parts(logits, targets))
            })
        }
        LossFamily::BinaryCrossEntropy => {
            let criterion = SmoothedBinaryCrossEntropy::from_config(config)?;
            of_any_rank!(&logits, logits => {
                ask(&criterion, input, logits, targets, |logits| criterion.loss_and_parts(logits, targets))
            })
        }
    }
}

type Plain<S, T> = Tensor<S, T, Cpu>;
type Traced<S, T> = Tensor<S, T, Cpu, OwnedTape<T, Cpu>>;

/// The loss with a tape and its gradient; without a tape it must be the same.
fn ask<C, S, R, T, Y>(
    criterion: &C,
    input: &CaseInput,
    logits: &Plain<S, T>,
    targets: Y,
    in_parts: impl Fn(Plain<S, T>) -> Result<(Plain<Rank0, T>, LossParts), Error>,
) -> Result<Answer, Failure>
where
    C: SmoothedLoss<Plain<S, T>, Y, Loss = Plain<Rank0, T>, RowLosses = Plain<R, T>, Error = Error>,
    C: SmoothedLoss<Traced<S, T>, Y, Loss = Traced<Rank0, T>, RowLosses = Traced<R, T>, Error = Error>,
    S: Shape,
    R: Shape,
    T: Element + Number,
    Y: Copy,
    Cpu: Device<T>,
{
    if input.verb == Verb::Parts {
        let (loss, parts) = in_parts(logits.clone())?;
        agree("loss_and_parts", &widened(&loss), "loss", &widened(&criterion.loss(logits.clone(), targets)?))?;
        return Ok(Answer::Parts(parts));
    }
    let traced = logits.leaky_trace();
    let outcome = if input.row_losses {
        let plain = criterion.row_losses(logits.clone(), targets)?;
        finish(criterion.row_losses(traced, targets)?, &plain, logits, |losses| input.row_upstream(losses))
    } else {
        let plain = criterion.loss(logits.clone(), targets)?;
        finish(criterion.loss(traced, targets)?, &plain, logits, |_| Ok(vec![input.scalar_upstream()?]))
    };
    outcome.map(Answer::Outcome)
}

/// `d (sum upstream * losses) / d logits`, by dfdx.
fn finish<R, S, T>(
    losses: Traced<R, T>,
    without_tape: &Plain<R, T>,
    logits: &Plain<S, T>,
    upstream: impl FnOnce(usize) -> Result<Vec<f64>, Failure>,
) -> Result<Outcome, Failure>
where
    R: Shape,
    S: Shape,
    T: Element + Number,
    Cpu: Device<T>,
{
    let (losses, tape) = losses.split_tape();
    let values = widened(&losses);
    agree("the loss with a tape", &values, "that without one", &widened(without_tape))?;
    let upstream = upstream(values.len())?;
    if values.is_empty() {
        return Ok(Outcome { values, gradient: Vec::new() }); // dfdx's sum over nothing panics.
    }
    let upstream = upstream.into_iter().map(<T as Element>::from_f64).collect();
    let weighted = losses.put_tape(tape) * tensor(upstream, *without_tape.shape())?;
    let sum = weighted.try_sum::<Rank0, R::AllAxes>().map_err(broken)?;
    let gradient = sum.try_backward().map_err(broken)?.get(logits);
    Ok(Outcome { values, gradient: widened(&gradient) })
}

fn widened<S: Shape, T: Element + Unit>(tensor: &Plain<S, T>) -> Vec<f64> {
    tensor.values().iter().map(|value| value.to_f64()).collect()
}

fn broken(error: CpuError) -> Failure {
    Failure::Broken(format!("dfdx: {error}"))
}
