//! What is compared: two ways to compute loss and gradient of one batch, each set up before any clock runs.

use std::hint::black_box;

pub(super) use crate::error::Fallible;

/// What a step computed, read back from the framework and widened.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    /// In nats.
    pub(crate) loss: f64,
    /// In the order of the logits.
    pub(crate) gradient: Vec<f64>,
}

/// One of the two sides.
pub(crate) struct Contender {
    /// What is called.
    pub(crate) is: &'static str,
    steps: Box<dyn Steps>,
}

impl Contender {
    /// `step` is what a training loop does with the logits of each batch, forward and backward, and what is timed; it
    /// gets what was set up beforehand: the leaf, the targets and the criterion. `read` fetches what it returned.
    pub(super) fn new<S: 'static, O: 'static>(
        is: &'static str,
        setup: S,
        step: fn(&mut S) -> Fallible<O>,
        read: fn(&S, O) -> Fallible<Answer>,
    ) -> Self {
        Self { is, steps: Box::new(Functions { setup, step, read }) }
    }

    /// Loss and gradient, computed and thrown away.
    pub(super) fn step(&mut self) -> Fallible<()> {
        self.steps.step()
    }

    /// Loss and gradient.
    pub(crate) fn answer(&mut self) -> Fallible<Answer> {
        self.steps.answer()
    }
}

/// Ours and what it is compared with.
pub(super) struct Pair {
    pub(super) ours: Contender,
    pub(super) native: Contender,
}

/// The same whatever a framework's tensors are.
trait Steps {
    fn step(&mut self) -> Fallible<()>;
    fn answer(&mut self) -> Fallible<Answer>;
}

struct Functions<S, O> {
    setup: S,
    step: fn(&mut S) -> Fallible<O>,
    read: fn(&S, O) -> Fallible<Answer>,
}

impl<S, O> Steps for Functions<S, O> {
    fn step(&mut self) -> Fallible<()> {
        black_box((self.step)(&mut self.setup)?);
        Ok(())
    }

    fn answer(&mut self) -> Fallible<Answer> {
        let output = (self.step)(&mut self.setup)?;
        (self.read)(&self.setup, output)
    }
}
