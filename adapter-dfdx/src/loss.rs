//! The trait for dfdx's tensors.

use dfdx::prelude::{Cpu, CpuError, Dim, Dtype, Rank0, ReshapeTo, Shape, SplitTape, Tape, Tensor, TensorFromVec, Unit};
use label_smoothing_core::{Config, Element, LossFamily, LossParts, Problem, SmoothedLoss, kernel};

use crate::autograd::{Spread, put_tape};
use crate::targets::{DfdxTargets, dims};
use crate::{Error, SmoothedBinaryCrossEntropy, SmoothedCrossEntropy};

/// A shape of logits, and the shape of one value per row.
///
/// The class axis is an option and known at run time only, so the lengths of `Rows` are run-time lengths: logits of shape
/// `Rank2<4, 10>` have row losses of shape `(usize,)`. dfdx's `realize` makes them `Rank1<4>` again.
pub trait LogitsShape: Shape {
    /// The shape without one axis.
    type Rows: Shape;
}

/// Logits without an axis have no classes and are refused, but when the loss is called, as in every other framework.
impl LogitsShape for Rank0 {
    type Rows = Rank0;
}

macro_rules! logits_shape {
    ($rank:literal: $($dim:ident)+ => $rows:ty) => {
        impl<$($dim: Dim),+> LogitsShape for ($($dim,)+) {
            type Rows = $rows;
        }
        impl LogitsShape for [usize; $rank] {
            type Rows = $rows;
        }
    };
}
logits_shape!(1: A => ());
logits_shape!(2: A B => (usize,));
logits_shape!(3: A B C => (usize, usize));
logits_shape!(4: A B C D => (usize, usize, usize));
logits_shape!(5: A B C D F => (usize, usize, usize, usize));
logits_shape!(6: A B C D F G => (usize, usize, usize, usize, usize));

type Scalar<E, T> = Tensor<Rank0, E, Cpu, T>;

/// Both structs have the same implementation; they differ in the shape of their row losses only.
macro_rules! implement {
    ($criterion:ty, $row_shape:ty) => {
        impl $criterion {
            /// The loss and, from the same pass over the logits, its parts, which add up over micro-batches, devices and
            /// ranks where means do not: sum, denominator, counted rows, correct predictions, and the plain negative
            /// log-likelihood of the targets as they were given, in nats. The loss has the bits of [`SmoothedLoss::loss`].
            ///
            /// # Errors
            ///
            /// Those of [`SmoothedLoss::loss`].
            pub fn loss_and_parts<S, E, T, Y>(
                &self,
                logits: Tensor<S, E, Cpu, T>,
                targets: Y,
            ) -> Result<(Tensor<Rank0, E, Cpu, T>, LossParts), Error>
            where
                S: LogitsShape,
                E: Element + Dtype,
                E::Wide: Dtype,
                T: Tape<E, Cpu>,
                Y: DfdxTargets,
            {
                loss(self.config(), logits, &targets)
            }
        }

        impl<S, E, T, Y> SmoothedLoss<Tensor<S, E, Cpu, T>, Y> for $criterion
        where
            S: LogitsShape,
            E: Element + Dtype,
            E::Wide: Dtype,
            T: Tape<E, Cpu>,
            Y: DfdxTargets,
        {
            type Loss = Tensor<Rank0, E, Cpu, T>;
            type RowLosses = Tensor<$row_shape, E, Cpu, T>;
            type Error = Error;

            fn loss(&self, logits: Tensor<S, E, Cpu, T>, targets: Y) -> Result<Self::Loss, Error> {
                Ok(loss(self.config(), logits, &targets)?.0)
            }

            fn row_losses(&self, logits: Tensor<S, E, Cpu, T>, targets: Y) -> Result<Self::RowLosses, Error> {
                row_losses(self.config(), logits, &targets)
            }
        }
    };
}

implement!(SmoothedCrossEntropy, S::Rows);
implement!(SmoothedBinaryCrossEntropy, S);

fn loss<S, E, T, Y>(
    config: &Config,
    logits: Tensor<S, E, Cpu, T>,
    targets: &Y,
) -> Result<(Scalar<E, T>, LossParts), Error>
where
    S: Shape,
    E: Element + Dtype,
    E::Wide: Dtype,
    T: Tape<E, Cpu>,
    Y: DfdxTargets,
{
    let problem = problem(config, dims(&logits).as_ref(), targets)?;
    let (logits, tape) = contiguous(logits)?.split_tape();
    // The gradient takes the place of this copy of the logits.
    let mut values = widened(&logits);
    let loss = if T::OWNS_TAPE {
        kernel::loss_and_gradient_in_place(&problem, &mut values, Unit::ONE)?
    } else {
        kernel::loss(&problem, &values)?
    };
    // By way of the type that row losses have: the kernel's loss, rounded once more where dfdx forces a half type on it.
    let value = <E as Element>::narrow(<E as Element>::Wide::from_f64(loss.value));
    let output = logits.device().try_tensor_from_vec(vec![value], ())?;
    Ok((put_tape(output, tape, &logits, values, Spread::of_reduced(&problem)), loss.parts))
}

fn row_losses<S, R, E, T, Y>(
    config: &Config,
    logits: Tensor<S, E, Cpu, T>,
    targets: &Y,
) -> Result<Tensor<R, E, Cpu, T>, Error>
where
    S: Shape,
    R: Shape,
    E: Element + Dtype,
    E::Wide: Dtype,
    T: Tape<E, Cpu>,
    Y: DfdxTargets,
{
    let problem = problem(config, dims(&logits).as_ref(), targets)?;
    let (logits, tape) = contiguous(logits)?.split_tape();
    let values = widened(&logits);
    let mut losses = vec![E::Wide::default(); problem.losses()];
    let mut gradient = Vec::new();
    if T::OWNS_TAPE {
        gradient.resize(values.len(), E::Wide::default());
        let ones = vec![Unit::ONE; losses.len()];
        kernel::row_losses_and_gradient(&problem, &values, &ones, &mut losses, &mut gradient)?;
    } else {
        kernel::row_losses(&problem, &values, &mut losses)?;
    }
    let losses = losses.into_iter().map(E::narrow).collect();
    let output = logits.device().try_tensor_from_vec(losses, shape(&problem.losses_dims())?)?;
    let spread = match config.loss() {
        LossFamily::CrossEntropy => Spread::of_rows(&problem),
        LossFamily::BinaryCrossEntropy => Spread::of_logits(&problem),
    };
    Ok(put_tape(output, tape, &logits, gradient, spread))
}

fn problem<'p, Y: DfdxTargets>(
    config: &'p Config,
    logits: &[usize],
    targets: &'p Y,
) -> Result<Problem<'p, Y::Probability>, label_smoothing_core::Error> {
    let shape = label_smoothing_core::Shape::new(config, logits)?;
    Problem::new(config, logits, targets.to_targets(&shape))
}

/// Standard layout, by dfdx's own step on the tape where there is something to do. Its iterator over a tensor of no
/// elements panics, and there is nothing to put in order then.
fn contiguous<S, E, T>(logits: Tensor<S, E, Cpu, T>) -> Result<Tensor<S, E, Cpu, T>, Error>
where
    S: Shape,
    E: Dtype,
    T: Tape<E, Cpu>,
{
    if dims(&logits).as_ref().contains(&0) { Ok(logits) } else { Ok(logits.try_contiguous()?) }
}

/// A copy of contiguous logits: dfdx does not lend its memory. Widening `f32` and `f64` is the identity.
fn widened<S: Shape, E: Element + Unit>(logits: &Tensor<S, E, Cpu>) -> Vec<E::Wide> {
    let dims = dims(logits);
    let mut values = vec![E::default(); dims.as_ref().iter().product()];
    if !values.is_empty() {
        logits.copy_into(&mut values);
    }
    values.into_iter().map(E::widen).collect()
}

/// The shape type of these lengths: that of the logits, or theirs without one axis, so that the lengths fit.
fn shape<R: Shape>(dims: &[usize]) -> Result<R, CpuError> {
    let mut lengths = R::Concrete::default();
    for (axis, &length) in dims.iter().enumerate().take(R::NUM_DIMS) {
        lengths[axis] = length;
    }
    R::from_concrete(&lengths).filter(|_| dims.len() == R::NUM_DIMS).ok_or(CpuError::WrongNumElements)
}
