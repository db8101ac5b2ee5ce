//! Mistakes of conduct: what is refused, and how.

use std::sync::atomic::{AtomicUsize, Ordering};

use label_smoothing_conformance::{CaseInput, ErrorKind, Failure, Outcome, TargetInput};

use super::{Mistake, mistake, right};

pub(super) const MISTAKES: &[Mistake] = &[
    mistake("everything accepted", "exact/rejected", |input| match right(input) {
        Err(_) => Ok(Outcome { values: vec![0.0], gradient: vec![0.0; input.logits.values.len()] }),
        outcome => outcome,
    }),
    mistake("one reason for every refusal", "exact/rejected", |input| {
        right(input)
            .map_err(|failure| Failure::Refused { kind: ErrorKind::InvalidConfiguration, message: failure.to_string() })
    }),
    mistake("a panic for a refusal", "exact/rejected", |input| match right(input) {
        Err(failure) => std::panic::resume_unwind(Box::new(failure.to_string())),
        outcome => outcome,
    }),
    mistake("an empty batch refused", "empty-batch", |input| {
        if input.logits.values.is_empty() && right(input).is_ok() {
            return Err(Failure::Refused { kind: ErrorKind::NoClasses, message: "nothing there".to_owned() });
        }
        right(input)
    }),
    mistake("mixed targets unsupported, and no gap says so", "mixed-pair", |input| match input.targets {
        TargetInput::Mixed { .. } => Err(Failure::Unsupported("mixed targets".to_owned())),
        _ => right(input),
    }),
    mistake("a wrong number of gradients", "exact/shapes", |input| {
        let mut outcome = right(input)?;
        if input.logits.shape.len() > 2 {
            outcome.gradient.pop();
        }
        Ok(outcome)
    }),
    mistake("one loss per row for one per element", "exact/reading/binary-unit", per_row),
    mistake("every seventh answer off", "twice-the-same", |input| {
        static CALLS: AtomicUsize = AtomicUsize::new(0);
        let mut outcome = right(input)?;
        if CALLS.fetch_add(1, Ordering::Relaxed) % 7 == 6 {
            outcome.values.iter_mut().for_each(|value| *value += 1e-3);
        }
        Ok(outcome)
    }),
];

/// Binary row losses added up along the class axis.
fn per_row(input: &CaseInput) -> Result<Outcome, Failure> {
    let outcome = right(input)?;
    let classes = input.logits.shape.last().copied().unwrap_or(1).max(1);
    let binary = input.loss == label_smoothing_core::LossFamily::BinaryCrossEntropy;
    if !(binary && input.row_losses) {
        return Ok(outcome);
    }
    Ok(Outcome { values: outcome.values.chunks(classes).map(|row| row.iter().sum()).collect(), ..outcome })
}
