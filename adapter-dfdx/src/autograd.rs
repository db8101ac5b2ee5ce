//! The gradient's way into dfdx's tape.

use dfdx::prelude::{Cpu, Dtype, PutTape, Shape, Tape, Tensor};
use label_smoothing_core::{Element, Problem};

/// Which upstream gradient belongs to which logit. The logits lie as `outer x classes x inner`, and so many factors as
/// `outer x inner`.
pub(crate) struct Spread {
    factors: usize,
    classes: usize,
    inner: usize,
    /// Factors that are 0 whatever the upstream gradient is, so that `NaN * 0` never reaches a row that does not count.
    ignored: Vec<usize>,
}

impl Spread {
    /// For the reduced loss: the one upstream gradient goes to all rows, but to none of a mean over nothing.
    pub(crate) fn of_reduced<P: Element>(problem: &Problem<P>) -> Self {
        let spread = Self::of_rows(problem);
        let ignored = if problem.gradient_divisor().is_none() { (0..spread.factors).collect() } else { spread.ignored };
        Self { ignored, ..spread }
    }

    /// For one loss per row.
    pub(crate) fn of_rows<P: Element>(problem: &Problem<P>) -> Self {
        let shape = problem.shape();
        let ignored = ignored_rows(problem).collect();
        Self { factors: shape.rows(), classes: shape.classes(), inner: shape.inner(), ignored }
    }

    /// For one loss per logit.
    pub(crate) fn of_logits<P: Element>(problem: &Problem<P>) -> Self {
        let shape = problem.shape();
        let elements = |row| (0..shape.classes()).map(move |class| shape.element(row, class));
        let ignored = ignored_rows(problem).flat_map(elements).collect();
        Self { factors: shape.elements(), classes: 1, inner: shape.elements(), ignored }
    }

    fn factors<E: Element>(&self, upstream: &[E]) -> Vec<E::Wide> {
        let mut factors = match upstream {
            &[one] => vec![one.widen(); self.factors],
            many => many.iter().map(|one| one.widen()).collect(),
        };
        for &place in &self.ignored {
            factors[place] = E::Wide::default();
        }
        factors
    }

    /// Adds `upstream * gradient`, each product rounded once to the type of the logits, to what their gradient holds.
    fn accumulate<E>(&self, upstream: &[E], mut gradient: Vec<E::Wide>, logits: &mut Vec<E>)
    where
        E: Element + Dtype,
        E::Wide: Dtype,
    {
        if upstream.iter().any(|&one| one != E::ONE) && !gradient.is_empty() {
            self.scale(&self.factors(upstream), &mut gradient);
        }
        let gradient: Vec<E> = gradient.into_iter().map(E::narrow).collect();
        // Mostly there are only dfdx's zeros, in memory that nobody has touched: writing there for the first time costs
        // several times what the loss does, so the gradient takes their place.
        if logits.len() == gradient.len() && is_zero(logits) {
            *logits = gradient;
        } else {
            logits.iter_mut().zip(gradient).for_each(|(place, g)| *place += g);
        }
    }

    /// Multiplies each logit's gradient by its factor.
    fn scale<W: Dtype>(&self, factors: &[W], gradient: &mut [W]) {
        let blocks = gradient.chunks_exact_mut(self.classes * self.inner);
        for (block, factors) in blocks.zip(factors.chunks_exact(self.inner)) {
            if let &[factor] = factors {
                for g in block {
                    *g *= factor;
                }
            } else {
                for class in block.chunks_exact_mut(self.inner) {
                    class.iter_mut().zip(factors).for_each(|(g, &factor)| *g *= factor);
                }
            }
        }
    }
}

/// Looks at many values at a time, as many as a vector register likes.
fn is_zero<E: Dtype>(values: &[E]) -> bool {
    values.chunks(256).all(|chunk| chunk.iter().fold(true, |zero, &value| zero & (value == E::default())))
}

fn ignored_rows<P: Element>(problem: &Problem<P>) -> impl Iterator<Item = usize> {
    (0..problem.shape().rows()).filter(|&row| !problem.is_counted(row))
}

/// Puts the tape into the losses, with the step back to the logits on it: `gradient` is that of an upstream of ones.
///
/// The step holds no tensor, only their ghosts, so that dfdx may free or reuse their memory in the meantime.
pub(crate) fn put_tape<S, R, E, T>(
    losses: Tensor<R, E, Cpu>,
    mut tape: T,
    logits: &Tensor<S, E, Cpu>,
    gradient: Vec<E::Wide>,
    spread: Spread,
) -> Tensor<R, E, Cpu, T>
where
    S: Shape,
    R: Shape,
    E: Element + Dtype,
    E::Wide: Dtype,
    T: Tape<E, Cpu>,
{
    if T::OWNS_TAPE {
        let (logits, outputs) = (logits.ghost(), losses.ghost());
        tape.add_backward_op(move |gradients| {
            let upstream = gradients.get_or_alloc_mut(&outputs)?.to_vec();
            spread.accumulate(&upstream, gradient, gradients.get_or_alloc_mut(&logits)?);
            Ok(())
        });
    }
    losses.put_tape(tape)
}
