//! Core's kernel on the memory of burn's CPU backend, and its gradient as a step of burn's graph.

use std::marker::PhantomData;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::{BalancedCheckpointing, CheckpointStrategy, NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};
use burn::tensor::Tensor;
use label_smoothing_core::{Element, LossFamily, LossParts, Problem, Shape, kernel};

use crate::Error;
use crate::loss::{Output, output_dims};
use crate::memory::{FlexElement, dense, dispatch, owned};

/// The loss by the kernel, on the logits' graph; nothing where the logits are on a device that the kernel cannot see.
pub(crate) fn evaluate<const D: usize, const R: usize, P: Element>(
    problem: &Problem<P>,
    logits: &Tensor<D>,
    output: Output,
) -> Result<Option<(Tensor<R>, LossParts)>, Error> {
    macro_rules! under {
        ($Backend:ty, $evaluate:expr) => {
            if let Ok(logits) = logits.clone().try_into_primitive::<$Backend>() {
                let (losses, parts) = $evaluate(problem, logits, output)?;
                return Ok(Some((Tensor::from_primitive::<$Backend>(losses), parts)));
            }
        };
    }
    under!(Autodiff<Flex, NoCheckpointing>, recorded::<NoCheckpointing, P>);
    under!(Autodiff<Flex, BalancedCheckpointing>, recorded::<BalancedCheckpointing, P>);
    under!(Flex, plain);
    Ok(None)
}

/// Without autodiff.
fn plain<P: Element>(
    problem: &Problem<P>,
    logits: FlexTensor,
    output: Output,
) -> Result<(FlexTensor, LossParts), Error> {
    let logits = dense(logits);
    dispatch!("the logits", logits.dtype(), T => value::<T, P>(problem, T::slice(&logits), output))
}

/// With autodiff: the gradient is computed now if somebody will ask for it, and not at all otherwise.
fn recorded<C: CheckpointStrategy, P: Element>(
    problem: &Problem<P>,
    logits: FloatTensor<Autodiff<Flex, C>>,
    output: Output,
) -> Result<(FloatTensor<Autodiff<Flex, C>>, LossParts), Error> {
    let (logits, node) = logits.into_parts();
    let logits = dense(logits);
    dispatch!("the logits", logits.dtype(), T => {
        let values = T::slice(&logits);
        match SmoothedLossStep::<T>(PhantomData).prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(step) => {
                let (value, parts, gradient) = value_and_gradient::<T, P>(problem, values, output)?;
                Ok((step.finish(gradient, value), parts))
            }
            OpsKind::UnTracked(step) => {
                let (value, parts) = value::<T, P>(problem, values, output)?;
                Ok((step.finish(value), parts))
            }
        }
    })
}

fn value<T: FlexElement, P: Element>(
    problem: &Problem<P>,
    logits: &[T],
    output: Output,
) -> Result<(FlexTensor, LossParts), Error> {
    let (values, parts) = match output {
        Output::Reduced => {
            let loss = kernel::loss(problem, logits)?;
            (vec![T::Wide::from_f64(loss.value)], loss.parts)
        }
        Output::Rows => {
            let mut losses = vec![T::Wide::default(); problem.losses()];
            let parts = kernel::row_losses(problem, logits, &mut losses)?;
            (losses, parts)
        }
    };
    Ok((T::wide_tensor(output_dims(problem, output), values), parts))
}

fn value_and_gradient<T: FlexElement, P: Element>(
    problem: &Problem<P>,
    logits: &[T],
    output: Output,
) -> Result<(FlexTensor, LossParts, Gradient<T>), Error> {
    let one = T::Wide::from_f64(1.0);
    let mut gradient = vec![T::Wide::default(); logits.len()];
    let (values, parts, upstream) = match output {
        Output::Reduced => {
            let loss = kernel::loss_and_gradient(problem, logits, one, &mut gradient)?;
            (vec![T::Wide::from_f64(loss.value)], loss.parts, Upstream::One)
        }
        Output::Rows => {
            let mut losses = vec![T::Wide::default(); problem.losses()];
            let ones = vec![one; losses.len()];
            let parts = kernel::row_losses_and_gradient(problem, logits, &ones, &mut losses, &mut gradient)?;
            let upstream = match problem.config().loss() {
                LossFamily::CrossEntropy => Upstream::PerRow,
                LossFamily::BinaryCrossEntropy => Upstream::PerLogit,
            };
            (losses, parts, upstream)
        }
    };
    let gradient = Gradient { values: gradient, shape: problem.shape().clone(), upstream };
    Ok((T::wide_tensor(output_dims(problem, output), values), parts, gradient))
}

/// The step of burn's graph that takes the gradient on to the logits. First order only, like every step of burn's.
#[derive(Debug)]
struct SmoothedLossStep<T>(PhantomData<T>);

impl<T: FlexElement> Backward<Flex, 1> for SmoothedLossStep<T> {
    type State = Gradient<T>;

    fn backward(self, ops: Ops<Gradient<T>, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let upstream = dense(gradients.consume::<Flex>(&ops.node));
        let [parent] = ops.parents;
        if let Some(parent) = parent {
            let shape = ops.state.shape.dims().to_vec();
            let gradient = ops.state.times(T::wide_slice(&upstream));
            gradients.register::<Flex>(parent.id, owned(shape, gradient));
        }
    }
}

/// `d loss / d logits` for an upstream gradient of ones, in the type that it was computed in: it is rounded to the type
/// of the logits only once, after the upstream gradient is in it.
#[derive(Debug, Clone)]
struct Gradient<T: Element> {
    values: Vec<T::Wide>,
    shape: Shape,
    upstream: Upstream,
}

/// What the loss has one value for, and so one upstream gradient.
#[derive(Debug, Clone, Copy)]
enum Upstream {
    One,
    PerRow,
    PerLogit,
}

impl<T: FlexElement> Gradient<T> {
    /// The vector-Jacobian product. An upstream gradient of exactly 1 leaves the gradient as it is.
    fn times(mut self, upstream: &[T::Wide]) -> Vec<T> {
        let inner = self.shape.inner();
        match self.upstream {
            _ if self.values.is_empty() => {}
            Upstream::One => upstream.iter().for_each(|&upstream| scale(&mut self.values, upstream)),
            Upstream::PerLogit => scale_each(&mut self.values, upstream),
            Upstream::PerRow if inner == 1 => {
                let rows = self.values.chunks_exact_mut(self.shape.classes());
                rows.zip(upstream).for_each(|(row, &upstream)| scale(row, upstream));
            }
            Upstream::PerRow => {
                let blocks = self.values.chunks_exact_mut(self.shape.classes() * inner);
                for (block, upstream) in blocks.zip(upstream.chunks_exact(inner)) {
                    block.chunks_exact_mut(inner).for_each(|of_class| scale_each(of_class, upstream));
                }
            }
        }
        T::narrow_all(self.values)
    }
}

fn scale<W: Element>(gradient: &mut [W], upstream: W) {
    if upstream.to_f64() != 1.0 {
        for value in &mut *gradient {
            *value = product(*value, upstream);
        }
    }
}

fn scale_each<W: Element>(gradient: &mut [W], upstream: &[W]) {
    gradient.iter_mut().zip(upstream).for_each(|(value, &upstream)| *value = product(*value, upstream));
}

/// The product, rounded once: that of two `f32` is exact in `f64`. A gradient of exactly 0 stays so whatever is
/// upstream, so that an ignored row has none even where something divided by its loss of 0.
fn product<W: Element>(gradient: W, upstream: W) -> W {
    if gradient.to_f64() == 0.0 { gradient } else { W::from_f64(gradient.to_f64() * upstream.to_f64()) }
}
