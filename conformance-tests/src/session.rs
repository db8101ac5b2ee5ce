//! Asking one backend, in one element type, and watching how it answers.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use label_smoothing_core::LossParts;

use crate::backend::{Backend, Failure, Gap, Outcome};
use crate::backends::Kernel;
use crate::bits::first_difference;
use crate::dtype::Dtype;
use crate::input::{CaseInput, Layout, Slices, Verb};

/// One case's conversation with a backend. It remembers what nobody who asks should have to think of: gaps that cover
/// a question, and bits that differ though they are promised not to.
pub(crate) struct Session<'a> {
    backend: &'a dyn Backend,
    pub(crate) dtype: Dtype,
    pub(crate) loss_dtype: Dtype,
    gaps: &'a [Gap],
    noted: RefCell<Noted>,
}

/// What a session has seen.
#[derive(Default)]
pub(crate) struct Noted {
    /// The first gap that covers a question.
    pub(crate) gap: Option<Gap>,
    /// The first difference in bits, where identical ones are claimed.
    pub(crate) difference: Option<String>,
}

impl<'a> Session<'a> {
    pub(crate) fn new(backend: &'a dyn Backend, dtype: Dtype, gaps: &'a [Gap]) -> Self {
        Self { backend, dtype, loss_dtype: backend.loss_dtype(dtype), gaps, noted: RefCell::default() }
    }

    pub(crate) fn backend(&self) -> &dyn Backend {
        self.backend
    }

    pub(crate) fn noted(self) -> Noted {
        self.noted.into_inner()
    }

    /// The backend's answer. Where it claims identical bits, it is asked twice, and the kernel as well.
    pub(crate) fn ask(&self, input: &CaseInput, layout: Layout) -> Result<Outcome, Failure> {
        let input = self.noted_input(input, layout, Verb::Evaluate);
        let answer = guarded(|| self.backend.evaluate(&input));
        if let Ok(outcome) = &answer {
            self.note_difference(layout, || self.difference(&input, outcome));
        }
        answer
    }

    /// The loss in parts; where the backend claims identical bits, the kernel's.
    pub(crate) fn ask_for_parts(&self, input: &CaseInput, layout: Layout) -> Result<LossParts, Failure> {
        let input = self.noted_input(input, layout, Verb::Parts);
        let answer = guarded(|| self.backend.parts(&input));
        if let Ok(parts) = &answer {
            self.note_difference(layout, || match guarded(|| Kernel.parts(&input)) {
                Ok(kernel) if format!("{parts:?}") == format!("{kernel:?}") => None,
                kernel => Some(format!("the parts are {parts:?}, and the kernel's {kernel:?}")),
            });
        }
        answer
    }

    /// The backend's answer with the classes in slices.
    pub(crate) fn ask_in_slices(&self, input: &CaseInput, layout: Layout, slices: &Slices) -> Result<Outcome, Failure> {
        let input = self.noted_input(input, layout, Verb::Slices(slices.clone()));
        guarded(|| self.backend.evaluate_in_slices(&input, slices))
    }

    /// The input as the backend gets it, and a note if a gap covers it.
    fn noted_input(&self, input: &CaseInput, layout: Layout, verb: Verb) -> CaseInput {
        let input = CaseInput { verb, ..input.with(self.dtype, layout) };
        if let Some(gap) = self.gaps.iter().find(|gap| (gap.covers)(&input)) {
            self.noted.borrow_mut().gap.get_or_insert(*gap);
        }
        input
    }

    fn note_difference(&self, layout: Layout, difference: impl FnOnce() -> Option<String>) {
        if self.backend.claims_identical_bits()
            && let Some(difference) = difference()
        {
            let difference = format!("{difference} ({layout:?})");
            self.noted.borrow_mut().difference.get_or_insert(difference);
        }
    }

    /// The gradient, with the wanted numbers where 0 may stand for them: see [`Backend::flushes_subnormals`].
    pub(crate) fn unflushed(&self, gradient: &[f64], wanted: &[f64]) -> Vec<f64> {
        let mut gradient = gradient.to_vec();
        if self.backend.flushes_subnormals(self.dtype) {
            for (value, wanted) in gradient.iter_mut().zip(wanted) {
                if *value == 0.0 && wanted.abs() < self.dtype.smallest_normal() {
                    *value = *wanted;
                }
            }
        }
        gradient
    }

    fn difference(&self, input: &CaseInput, outcome: &Outcome) -> Option<String> {
        let again = guarded(|| self.backend.evaluate(input));
        // Where the framework forces another type on the losses, that is one more rounding of the kernel's.
        let kernel = guarded(|| Kernel.evaluate(input)).map(|mut outcome| {
            outcome.values.iter_mut().for_each(|value| *value = self.loss_dtype.round(*value));
            outcome
        });
        for (who, other) in [("a second time", again), ("the kernel", kernel)] {
            match other {
                Err(failure) => return Some(format!("{who}: {failure}")),
                Ok(other) => {
                    let gradient = self.unflushed(&outcome.gradient, &other.gradient);
                    let pairs = [("loss", &outcome.values, &other.values), ("gradient", &gradient, &other.gradient)];
                    for (name, ours, theirs) in pairs {
                        if let Some(at) = first_difference(ours, theirs) {
                            let show = |values: &[f64]| values.get(at).map(|value| format!("{value:e}"));
                            let (ours, theirs) = (show(ours).unwrap_or_default(), show(theirs).unwrap_or_default());
                            return Some(format!("{name}[{at}] is {ours}, but {theirs} from {who}"));
                        }
                    }
                }
            }
        }
        None
    }
}

/// The answer, with a panic as a failure of this one question.
fn guarded<A>(answer: impl FnOnce() -> Result<A, Failure>) -> Result<A, Failure> {
    catch_unwind(AssertUnwindSafe(answer)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        Err(Failure::Broken(format!("panicked: {}", text.unwrap_or("without a message"))))
    })
}
