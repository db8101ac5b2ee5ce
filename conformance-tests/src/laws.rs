//! Statements about several answers, for inputs whose exact answer nobody has to know.

use crate::input::CaseInput;

/// A law and the input that it starts from.
#[derive(Debug, Clone)]
pub struct Law {
    input: CaseInput,
}

impl Law {
    /// The first question.
    #[must_use]
    pub fn input(&self) -> &CaseInput {
        &self.input
    }
}
