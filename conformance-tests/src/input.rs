//! What a backend is asked: one input on the host, and the small steps that every backend's glue needs.

use label_smoothing_core::{Array, Config, ConfigBuilder, Element, Error, LossFamily, Targets};

use crate::backend::Failure;
use crate::dtype::Dtype;

/// A dense, row-major tensor on the host.
#[derive(Debug, Clone, PartialEq)]
pub struct Dense<T> {
    /// The lengths of the axes.
    pub shape: Vec<usize>,
    /// The values, the last axis fastest; as many as the product of the shape.
    pub values: Vec<T>,
}

impl<T> Dense<T> {
    /// A tensor of this shape.
    pub fn new(shape: impl Into<Vec<usize>>, values: impl Into<Vec<T>>) -> Self {
        Self { shape: shape.into(), values: values.into() }
    }

    /// The same tensor with another element type.
    #[must_use]
    pub fn map<U>(&self, convert: impl FnMut(&T) -> U) -> Dense<U> {
        Dense { shape: self.shape.clone(), values: self.values.iter().map(convert).collect() }
    }
}

impl<T: Copy> Dense<T> {
    /// The tensor with a new last axis of length 2, which holds the values at 0 and `filler` at 1.
    ///
    /// Index 0 of that axis is a view of the same values that is not contiguous, whatever the rank. A filler such as NaN
    /// shows where somebody reads the memory without the strides.
    #[must_use]
    pub fn interleaved(&self, filler: T) -> Self {
        let mut shape = self.shape.clone();
        shape.push(2);
        Self { shape, values: self.values.iter().flat_map(|&value| [value, filler]).collect() }
    }
}

impl Dense<f64> {
    /// The values in another element type. The kit only asks for types that hold them exactly.
    #[must_use]
    pub fn narrow<T: Element>(&self) -> Dense<T> {
        self.map(|&value| T::from_f64(value))
    }
}

/// How the values lie in the framework's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Row-major without holes.
    Contiguous,
    /// Any other way to hold the same values in the same shape; see [`Dense::interleaved`]. It applies to the logits,
    /// and to target probabilities where there are some. A framework that has no such tensors ignores it.
    Strided,
}

/// What the logits are compared with. Shapes are those of the case, right or wrong.
#[derive(Debug, Clone, PartialEq)]
pub enum TargetInput {
    /// One class, or ignored id, per row.
    Indices(Dense<i64>),
    /// One probability per logit.
    Probabilities(Dense<f64>),
    /// Two classes per row.
    Mixed {
        /// The first class of each row.
        first: Dense<i64>,
        /// The second class of each row.
        second: Dense<i64>,
        /// The share of the first.
        lambda: Dense<f64>,
    },
    /// A few classes per row, with an axis for these at the end.
    Sparse {
        /// The classes.
        classes: Dense<i64>,
        /// The probability of each.
        probabilities: Dense<f64>,
    },
}

/// What is asked about an input.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Verb {
    /// The loss and its gradient: [`Backend::evaluate`](crate::Backend::evaluate).
    #[default]
    Evaluate,
    /// The loss in parts: [`Backend::parts`](crate::Backend::parts).
    Parts,
    /// The loss and its gradient, with the classes in slices:
    /// [`Backend::evaluate_in_slices`](crate::Backend::evaluate_in_slices).
    Slices(Slices),
}

/// How the classes are cut, and how the slices' results are put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slices {
    /// The classes that the second and every further slice begins with, ascending.
    pub cuts: Vec<usize>,
    /// Whether each slice is added up relative to its own maxima, instead of the maxima of all.
    pub one_pass: bool,
}

/// One question to a backend.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseInput {
    /// The loss family, that of `config`.
    pub loss: LossFamily,
    /// The options, the class axis among them. Not built yet, so that it is the backend that refuses bad ones.
    pub config: ConfigBuilder,
    /// Whether the row losses are asked for (`reduction = none`) instead of the configured reduction.
    pub row_losses: bool,
    /// The logits. Every value is representable in `dtype`.
    pub logits: Dense<f64>,
    /// The element type of the logits, and of target probabilities.
    pub dtype: Dtype,
    /// How the logits lie in memory.
    pub layout: Layout,
    /// The targets.
    pub targets: TargetInput,
    /// One per row; false ignores the row.
    pub row_mask: Option<Dense<bool>>,
    /// One per row.
    pub row_weights: Option<Dense<f64>>,
    /// One per output value; none means ones. Every value is representable in the type of the losses.
    pub upstream: Option<Vec<f64>>,
    /// What is asked; each has its own method of the backend, and a [`Gap`](crate::Gap) can tell them apart by it.
    pub verb: Verb,
}

impl CaseInput {
    /// The reduced loss of contiguous `f64` logits, with nothing else set.
    #[must_use]
    pub fn new(loss: LossFamily, config: ConfigBuilder, logits: Dense<f64>, targets: TargetInput) -> Self {
        Self {
            loss,
            config,
            row_losses: false,
            logits,
            dtype: Dtype::F64,
            layout: Layout::Contiguous,
            targets,
            row_mask: None,
            row_weights: None,
            upstream: None,
            verb: Verb::Evaluate,
        }
    }

    /// The same question in another element type and layout.
    #[must_use]
    pub fn with(&self, dtype: Dtype, layout: Layout) -> Self {
        Self { dtype, layout, ..self.clone() }
    }

    /// The configuration, if it is valid.
    ///
    /// # Errors
    ///
    /// Those of [`ConfigBuilder::build`]; they convert into a [`Failure`].
    pub fn config(&self) -> Result<Config, Error> {
        self.config.clone().build()
    }

    /// Whether the values that become tensors are held exactly: logits and probabilities by `dtype`; mixing factors, sparse probabilities, row
    /// weights and upstream gradients by the type of the losses. What stays in the configuration (rates, class weights,
    /// distributions, the z-loss, a constant denominator) is `f64` in every backend and never rounded.
    #[must_use]
    pub fn fits(&self, dtype: Dtype, loss_dtype: Dtype) -> bool {
        let in_dtype = |values: &[f64]| values.iter().all(|&value| dtype.fits(value));
        let in_loss = |values: &[f64]| values.iter().all(|&value| loss_dtype.fits(value));
        let targets = match &self.targets {
            TargetInput::Indices(_) => true,
            TargetInput::Probabilities(probabilities) => in_dtype(&probabilities.values),
            TargetInput::Mixed { lambda, .. } => in_loss(&lambda.values),
            TargetInput::Sparse { probabilities, .. } => in_loss(&probabilities.values),
        };
        targets
            && in_dtype(&self.logits.values)
            && self.row_weights.as_ref().is_none_or(|weights| in_loss(&weights.values))
            && self.upstream.as_ref().is_none_or(|upstream| in_loss(upstream))
    }

    /// The targets as core takes them, with the probabilities narrowed to `P`.
    #[must_use]
    pub fn core_targets<P: Element>(&self) -> Targets<'_, P> {
        fn array<T: Clone>(dense: &Dense<T>) -> Array<'_, T> {
            Array::new(dense.shape.clone(), dense.values.as_slice())
        }
        let mut targets = match &self.targets {
            TargetInput::Indices(classes) => Targets::indices(array(classes)),
            TargetInput::Probabilities(probabilities) => {
                Targets::probabilities(Array::new(probabilities.shape.clone(), probabilities.narrow::<P>().values))
            }
            TargetInput::Mixed { first, second, lambda } => Targets::mixed(array(first), array(second), array(lambda)),
            TargetInput::Sparse { classes, probabilities } => Targets::sparse(array(classes), array(probabilities)),
        };
        if let Some(mask) = &self.row_mask {
            targets = targets.masked(array(mask));
        }
        if let Some(weights) = &self.row_weights {
            targets = targets.weighted(array(weights));
        }
        targets
    }

    /// The upstream gradient of the reduced loss: 1 where none is given.
    ///
    /// # Errors
    ///
    /// `upstream-shape` where there is not exactly one.
    pub fn scalar_upstream(&self) -> Result<f64, Failure> {
        match self.upstream.as_deref() {
            None => Ok(1.0),
            Some(&[upstream]) => Ok(upstream),
            Some(other) => Err(Error::UpstreamShape { found: other.len(), expected: 1 }.into()),
        }
    }

    /// The upstream gradients of `losses` row losses: ones where none are given.
    ///
    /// For backends whose framework differentiates: there the upstream gradient is no input of the loss, and this is
    /// what refuses a wrong number of them. A backend that takes upstream gradients should be handed
    /// [`CaseInput::unchecked_upstream`] instead and refuse for itself.
    ///
    /// # Errors
    ///
    /// `upstream-shape` where there is not one for each.
    pub fn row_upstream(&self, losses: usize) -> Result<Vec<f64>, Failure> {
        let upstream = self.unchecked_upstream(losses);
        if upstream.len() == losses {
            Ok(upstream)
        } else {
            Err(Error::UpstreamShape { found: upstream.len(), expected: losses }.into())
        }
    }

    /// The upstream gradients as the case has them, however many; `losses` ones where it has none.
    #[must_use]
    pub fn unchecked_upstream(&self, losses: usize) -> Vec<f64> {
        self.upstream.clone().unwrap_or_else(|| vec![1.0; losses])
    }
}
