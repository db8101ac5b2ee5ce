//! The arrays that go with the logits, in the element types that they are computed in.

use label_smoothing_conformance::{CaseInput, Dense, Dtype, Layout, TargetInput};
use label_smoothing_core::{Array, Element, Targets};

use super::options::Options;
use crate::args::EvaluateArgs;
use crate::error::{Error, Result};
use crate::tensor::{Place, Scalar, Tensor, Values};

pub(super) struct Inputs<T> {
    labels: Labels<T>,
    row_mask: Option<Dense<bool>>,
    row_weights: Option<Dense<f64>>,
    /// In the shape that it has in its file.
    upstream: Option<Dense<f64>>,
}

enum Labels<T> {
    Indices(Dense<i64>),
    Probabilities(Dense<T>),
}

impl<T: Element + Scalar> Inputs<T> {
    pub(super) fn read(args: &EvaluateArgs) -> Result<Self> {
        Ok(Self {
            labels: labels(&args.targets)?,
            row_mask: args.row_mask.as_ref().map(mask).transpose()?,
            row_weights: args.row_weights.as_ref().map(rounded::<T::Wide>).transpose()?,
            upstream: args.upstream.as_ref().map(rounded::<T::Wide>).transpose()?,
        })
    }

    /// The targets, masks and weights as core takes them.
    pub(super) fn targets(&self) -> Targets<'_, T> {
        let mut targets = match &self.labels {
            Labels::Indices(classes) => Targets::indices(array(classes)),
            Labels::Probabilities(probabilities) => Targets::probabilities(array(probabilities)),
        };
        if let Some(mask) = &self.row_mask {
            targets = targets.masked(array(mask));
        }
        if let Some(weights) = &self.row_weights {
            targets = targets.weighted(array(weights));
        }
        targets
    }

    /// The upstream gradients, seen to be one for each value of the loss; ones where none are given.
    pub(super) fn upstream(&self, losses_shape: &[usize]) -> Result<Vec<f64>, String> {
        let needed = losses_shape.iter().product();
        match &self.upstream {
            None => Ok(vec![1.0; needed]),
            Some(upstream) if upstream.shape == losses_shape => Ok(upstream.values.clone()),
            // A single number needs no shape.
            Some(upstream) if losses_shape.is_empty() && upstream.values.len() == 1 => Ok(upstream.values.clone()),
            Some(upstream) => Err(format!("has shape {:?}, but the loss has shape {losses_shape:?}", upstream.shape)),
        }
    }

    /// The same for a backend of the conformance kit.
    pub(super) fn case_input(&self, options: &Options, dtype: Dtype, logits: Dense<f64>) -> CaseInput {
        let config = &options.config;
        let targets = match &self.labels {
            Labels::Indices(classes) => TargetInput::Indices(classes.clone()),
            Labels::Probabilities(probabilities) => {
                TargetInput::Probabilities(probabilities.map(|value| value.number()))
            }
        };
        CaseInput {
            row_losses: options.row_losses,
            dtype,
            layout: Layout::Contiguous,
            row_mask: self.row_mask.clone(),
            row_weights: self.row_weights.clone(),
            upstream: self.upstream.as_ref().map(|upstream| upstream.values.clone()),
            ..CaseInput::new(config.loss(), config.to_builder(), logits, targets)
        }
    }
}

fn array<T: Clone>(dense: &Dense<T>) -> Array<'_, T> {
    Array::new(dense.shape.as_slice(), dense.values.as_slice())
}

fn labels<T: Element + Scalar>(place: &Place) -> Result<Labels<T>> {
    let Tensor { shape, values } = place.read()?;
    match values.into_indices() {
        Ok(values) => Ok(Labels::Indices(Dense { shape, values })),
        Err(Values::Bool(_)) => Err(Error::about(
            place,
            "holds bool, but targets are integers (class indices) or floating-point numbers (probabilities)",
        )),
        Err(values) => Ok(Labels::Probabilities(Dense { shape, values: values.into_elements() })),
    }
}

fn mask(place: &Place) -> Result<Dense<bool>> {
    let Tensor { shape, values } = place.read()?;
    if let Some((row, value)) = values.numbers().enumerate().find(|&(_, value)| value != 0.0 && value != 1.0) {
        return Err(Error::about(place, format_args!("the mask of row {row} is {value}, but a mask holds 0 and 1")));
    }
    Ok(Dense { shape, values: values.numbers().map(|value| value != 0.0).collect() })
}

/// The numbers, rounded to `W`.
fn rounded<W: Element>(place: &Place) -> Result<Dense<f64>> {
    let Tensor { shape, values } = place.read()?;
    Ok(Dense { shape, values: values.numbers().map(|value| W::from_f64(value).to_f64()).collect() })
}
