//! The adapter for ndarray.

use label_smoothing_ndarray::ndarray::{ArrayD, ArrayViewD, ArrayViewMutD, Axis, ShapeBuilder, ShapeError};
use label_smoothing_ndarray::{
    Element, LossFamily, LossGradient, LossParts, Masked, Mixed, NdarrayTargets, Probabilities,
    SmoothedBinaryCrossEntropy, SmoothedCrossEntropy, SmoothedLoss, Sparse, Weighted,
};

use super::{Answer, agree};
use crate::backend::{Backend, Failure, Gap, Outcome};
use crate::dispatch;
use crate::dtype::Dtype;
use crate::input::{CaseInput, Dense, Layout, TargetInput, Verb};
use crate::tolerance::Accuracy;

/// `label-smoothing-ndarray`: views of any layout, the gradient in a new array, in the caller's and in place.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ndarray;

impl Backend for Ndarray {
    fn name(&self) -> String {
        "ndarray".to_owned()
    }

    fn framework(&self) -> String {
        "ndarray 0.17.2".to_owned()
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
        dispatch!(input.dtype, T => evaluate::<T>(input))?.outcome()
    }

    fn parts(&self, input: &CaseInput) -> Result<LossParts, Failure> {
        dispatch!(input.dtype, T => evaluate::<T>(input))?.parts()
    }
}

fn evaluate<T: Element>(input: &CaseInput) -> Result<Answer, Failure> {
    let logits = Tensor::<T>::new(&input.logits, input.layout)?;
    match &input.targets {
        TargetInput::Indices(classes) => with_rows::<T, _>(input, &logits, view(classes)?),
        TargetInput::Probabilities(probabilities) => {
            let probabilities = Tensor::<T>::new(probabilities, input.layout)?;
            with_rows(input, &logits, Probabilities(probabilities.view()))
        }
        TargetInput::Mixed { first, second, lambda } => {
            with_rows(input, &logits, Mixed { first: view(first)?, second: view(second)?, lambda: view(lambda)? })
        }
        TargetInput::Sparse { classes, probabilities } => {
            with_rows(input, &logits, Sparse { classes: view(classes)?, probabilities: view(probabilities)? })
        }
    }
}

/// Adds the row mask and the row weights, where there are some.
fn with_rows<'a, T, Y>(input: &'a CaseInput, logits: &'a Tensor<T>, targets: Y) -> Result<Answer, Failure>
where
    T: Element,
    Y: NdarrayTargets<'a> + Clone,
{
    let mask = input.row_mask.as_ref().map(view).transpose()?;
    let weights = input.row_weights.as_ref().map(view).transpose()?;
    match (mask, weights) {
        (None, None) => with_targets(input, logits, targets),
        (Some(mask), None) => with_targets(input, logits, Masked { targets, mask }),
        (None, Some(row_weights)) => with_targets(input, logits, Weighted { targets, row_weights }),
        (Some(mask), Some(row_weights)) => {
            with_targets(input, logits, Masked { targets: Weighted { targets, row_weights }, mask })
        }
    }
}

fn with_targets<'a, T, Y>(input: &CaseInput, logits: &'a Tensor<T>, targets: Y) -> Result<Answer, Failure>
where
    T: Element,
    Y: NdarrayTargets<'a> + Clone,
{
    let config = input.config()?;
    match config.loss() {
        LossFamily::CrossEntropy => cross_entropy(&SmoothedCrossEntropy::from_config(config)?, input, logits, targets),
        LossFamily::BinaryCrossEntropy => {
            binary_cross_entropy(&SmoothedBinaryCrossEntropy::from_config(config)?, input, logits, targets)
        }
    }
}

/// The same for both structs: every method of both traits, which must agree.
macro_rules! ask {
    ($name:ident, $criterion:ty) => {
        fn $name<'a, T, Y>(
            criterion: &$criterion,
            input: &CaseInput,
            logits: &'a Tensor<T>,
            targets: Y,
        ) -> Result<Answer, Failure>
        where
            T: Element,
            Y: NdarrayTargets<'a> + Clone,
        {
            if input.verb == Verb::Parts {
                let (loss, parts) = criterion.loss_and_parts(logits.view(), targets.clone())?;
                let alone = criterion.loss(logits.view(), targets)?;
                agree("loss_and_parts", &[loss.to_f64()], "loss", &[alone.to_f64()])?;
                return Ok(Answer::Parts(parts));
            }
            if input.row_losses {
                let alone = criterion.row_losses(logits.view(), targets.clone())?;
                let upstream = row_upstream::<T::Wide>(input, alone.shape())?;
                let (losses, gradient) = criterion.row_losses_and_gradient(logits.view(), targets, upstream.view())?;
                agree("row_losses_and_gradient", &widened(&losses), "row_losses", &widened(&alone))?;
                return Ok(Answer::Outcome(Outcome { values: widened(&losses), gradient: widened(&gradient) }));
            }
            let upstream = T::Wide::from_f64(input.scalar_upstream()?);
            let (loss, gradient) = criterion.loss_and_gradient(logits.view(), targets.clone(), upstream)?;
            let outcome = Outcome { values: vec![loss.to_f64()], gradient: widened(&gradient) };

            let alone = criterion.loss(logits.view(), targets.clone())?;
            agree("loss_and_gradient", &outcome.values, "loss", &[alone.to_f64()])?;
            // A buffer in column-major order, which has to be written through its strides.
            let mut buffer = ArrayD::<T>::default(logits.view().raw_dim().f());
            let into = criterion.loss_and_gradient_into(logits.view(), targets.clone(), upstream, buffer.view_mut())?;
            agree("loss_and_gradient", &outcome.values, "that into a buffer", &[into.to_f64()])?;
            agree("the gradient", &outcome.gradient, "that into a buffer", &widened(&buffer))?;
            let mut overwritten = logits.clone();
            let in_place = criterion.loss_and_gradient_in_place(overwritten.view_mut(), targets, upstream)?;
            agree("loss_and_gradient", &outcome.values, "that in place", &[in_place.to_f64()])?;
            agree("the gradient", &outcome.gradient, "that in place", &widened(&overwritten.view().to_owned()))?;
            Ok(Answer::Outcome(outcome))
        }
    };
}

ask!(cross_entropy, SmoothedCrossEntropy);
ask!(binary_cross_entropy, SmoothedBinaryCrossEntropy);

/// An array and how it is looked at.
#[derive(Clone)]
struct Tensor<T> {
    memory: ArrayD<T>,
    layout: Layout,
}

impl<T: Element> Tensor<T> {
    fn new(dense: &Dense<f64>, layout: Layout) -> Result<Self, Failure> {
        let values = dense.narrow::<T>();
        let Dense { shape, values } = match layout {
            Layout::Contiguous => values,
            Layout::Strided => values.interleaved(T::from_f64(f64::NAN)),
        };
        Ok(Self { memory: ArrayD::from_shape_vec(shape, values).map_err(|error| broken(&error))?, layout })
    }

    fn view(&self) -> ArrayViewD<'_, T> {
        match self.layout {
            Layout::Contiguous => self.memory.view(),
            Layout::Strided => self.memory.index_axis(Axis(self.memory.ndim() - 1), 0),
        }
    }

    fn view_mut(&mut self) -> ArrayViewMutD<'_, T> {
        match self.layout {
            Layout::Contiguous => self.memory.view_mut(),
            Layout::Strided => {
                let last = Axis(self.memory.ndim() - 1);
                self.memory.index_axis_mut(last, 0)
            }
        }
    }
}

fn view<T>(dense: &Dense<T>) -> Result<ArrayViewD<'_, T>, Failure> {
    ArrayViewD::from_shape(dense.shape.as_slice(), &dense.values).map_err(|error| broken(&error))
}

/// In the shape of the row losses, or as many in a row as the case has.
fn row_upstream<W: Element>(input: &CaseInput, shape: &[usize]) -> Result<ArrayD<W>, Failure> {
    let losses = shape.iter().product();
    let upstream = input.unchecked_upstream(losses);
    let shape = if upstream.len() == losses { shape.to_vec() } else { vec![upstream.len()] };
    ArrayD::from_shape_vec(shape, upstream.into_iter().map(W::from_f64).collect()).map_err(|error| broken(&error))
}

fn widened<T: Element>(array: &ArrayD<T>) -> Vec<f64> {
    array.iter().map(|value| value.to_f64()).collect()
}

fn broken(error: &ShapeError) -> Failure {
    Failure::Broken(format!("ndarray took no array of the case's: {error}"))
}
