//! What the kit owns: the questions with their right answers.

use label_smoothing_core::ErrorKind;

use crate::dtype::Dtype;
use crate::input::CaseInput;
use crate::laws::Law;

/// One thing to check. Its id is stable, and names it in every report.
#[derive(Debug, Clone)]
pub struct Case {
    /// Unique among all cases of a run, with `/` between its parts.
    pub id: String,
    /// Which known mistakes the case is there to catch.
    pub flags: Vec<String>,
    /// What is checked.
    pub check: Check,
}

/// What a case demands.
#[derive(Debug, Clone)]
pub enum Check {
    /// The exact answer is known.
    Value {
        /// The question.
        input: CaseInput,
        /// The answer.
        expected: Expected,
    },
    /// The input has no loss, for this reason.
    Refusal {
        /// The question.
        input: CaseInput,
        /// The reason that must be given.
        reason: ErrorKind,
    },
    /// Several answers must agree with one another.
    Law(Law),
}

/// An exact answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Expected {
    /// The reduced loss, or one value per row (binary: per logit).
    pub loss: Vec<f64>,
    /// In the order of the logits; none means that it is not checked.
    pub gradient: Option<Vec<f64>>,
    /// How far the source itself may be from the exact value, relative to the scale of the tolerance.
    pub relative_error: f64,
}

impl Case {
    /// The case's group in reports: the first two parts of its id.
    #[must_use]
    pub fn group(&self) -> &str {
        match self.id.match_indices('/').nth(1) {
            Some((end, _)) => &self.id[..end],
            None => &self.id,
        }
    }

    /// Whether the element type holds the case's numbers; see [`CaseInput::fits`]. Laws round their own.
    #[must_use]
    pub fn is_held(&self, dtype: Dtype, loss_dtype: Dtype) -> bool {
        match &self.check {
            Check::Value { input, .. } | Check::Refusal { input, .. } => input.fits(dtype, loss_dtype),
            Check::Law(_) => true,
        }
    }
}
