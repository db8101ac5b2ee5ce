//! Every case for one backend and element type.

use crate::backend::{Backend, Failure, Gap, Outcome};
use crate::case::{Case, Check, Expected};
use crate::dtype::Dtype;
use crate::input::{CaseInput, Layout};
use crate::judge::{CONFIDENT, Terms, judge};
use crate::report::BackendReport;
use crate::scale::Scales;
use crate::session::Session;
use crate::suite::Suite;

/// What became of one case. The four never overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Everything that the case demands, contiguous and strided.
    Passed,
    /// A wrong number, an input accepted that must be refused, bits that differ where they are claimed not to, a panic,
    /// something unsupported that no gap declares, or a gap that works after all.
    Failed,
    /// A declared gap, which does fail.
    Unsupported,
    /// An input refused that has a loss, or refused for the wrong reason.
    RefusedWrongly,
}

/// The result of one case.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseResult {
    /// What became of it.
    pub status: Status,
    /// What is wrong; for a declared gap, its reason.
    pub why: String,
    /// The largest `k` of the tolerance that a loss needed.
    pub k_loss: f64,
    /// The largest `k` that a gradient needed.
    pub k_gradient: f64,
    /// Whether all bits were those of the kernel, where the backend claims so.
    pub identical_bits: Option<bool>,
}

/// What went wrong in one layout.
enum Wrong {
    Answer(String),
    Refusal(String),
}

/// The largest `k` of the loss and of the gradient.
type Needed = (f64, f64);

/// Runs one case in one element type: contiguous and strided, together one result. None where the type does not hold
/// the case's numbers.
#[must_use]
pub fn run_case(backend: &dyn Backend, dtype: Dtype, case: &Case) -> Option<CaseResult> {
    if !case.is_held(dtype, backend.loss_dtype(dtype)) {
        return None;
    }
    let gaps = backend.gaps();
    let session = Session::new(backend, dtype, &gaps);
    let (mut needed, mut wrong) = ((0.0, 0.0), None);
    for layout in [Layout::Contiguous, Layout::Strided] {
        match check(&session, case, layout) {
            (k, None) => needed = largest(needed, k),
            (k, Some(found)) => {
                needed = largest(needed, k);
                wrong.get_or_insert((found, layout));
            }
        }
    }
    let noted = session.noted();
    let identical_bits = backend.claims_identical_bits().then_some(noted.difference.is_none());
    let (status, why) = verdict(wrong, noted.gap, noted.difference);
    let (k_loss, k_gradient) = if status == Status::Unsupported { (0.0, 0.0) } else { needed };
    Some(CaseResult { status, why, k_loss, k_gradient, identical_bits })
}

/// Runs every case of a suite for one backend and element type; `progress` is called after each.
pub fn run(backend: &dyn Backend, dtype: Dtype, suite: &Suite, progress: &mut dyn FnMut()) -> BackendReport {
    let mut report = BackendReport::new(backend, dtype);
    for case in suite.cases() {
        match run_case(backend, dtype, case) {
            Some(result) => report.add(case, result),
            None => report.not_held += 1,
        }
        progress();
    }
    report
}

fn largest((loss, gradient): Needed, (other_loss, other_gradient): Needed) -> Needed {
    (loss.max(other_loss), gradient.max(other_gradient))
}

fn verdict(wrong: Option<(Wrong, Layout)>, gap: Option<Gap>, difference: Option<String>) -> (Status, String) {
    let layout = |layout| if layout == Layout::Strided { " (strided)" } else { "" };
    match (wrong, gap, difference) {
        (None, Some(gap), _) => {
            (Status::Failed, format!("declared unsupported ({}: {}), but it works", gap.feature, gap.reason))
        }
        (Some(_), Some(gap), _) => (Status::Unsupported, format!("{}: {}", gap.feature, gap.reason)),
        (Some((Wrong::Answer(why), at)), None, _) => (Status::Failed, why + layout(at)),
        (Some((Wrong::Refusal(why), at)), None, _) => (Status::RefusedWrongly, why + layout(at)),
        (None, None, Some(difference)) => (Status::Failed, format!("claims identical bits, but {difference}")),
        (None, None, None) => (Status::Passed, String::new()),
    }
}

fn check(session: &Session, case: &Case, layout: Layout) -> (Needed, Option<Wrong>) {
    let failure = |failure: Failure| match failure {
        Failure::Refused { .. } => Wrong::Refusal(failure.to_string()),
        Failure::Unsupported(reason) => Wrong::Answer(format!("unsupported, but no gap declares it: {reason}")),
        Failure::Broken(_) => Wrong::Answer(failure.to_string()),
    };
    match &case.check {
        Check::Value { input, expected } => match session.ask(input, layout) {
            Ok(outcome) => value(session, case, input, expected, &outcome),
            Err(other) => ((0.0, 0.0), Some(failure(other))),
        },
        Check::Refusal { input, reason } => {
            let wrong = match session.ask(input, layout) {
                Ok(_) => Some(Wrong::Answer(format!("accepted, but it must be refused as {reason}"))),
                Err(Failure::Refused { kind, .. }) if kind == *reason => None,
                Err(Failure::Refused { kind, message }) => {
                    Some(Wrong::Refusal(format!("refused as {kind}, but the reason is {reason}: {message}")))
                }
                Err(other) => Some(failure(other)),
            };
            ((0.0, 0.0), wrong)
        }
        Check::Law(law) => match law.check(session, layout) {
            Ok(found) => ((found.k_loss, found.k_gradient), found.why.map(Wrong::Answer)),
            Err(other) => ((0.0, 0.0), Some(failure(other))),
        },
    }
}

fn value(
    session: &Session,
    case: &Case,
    input: &CaseInput,
    expected: &Expected,
    outcome: &Outcome,
) -> (Needed, Option<Wrong>) {
    let terms = Terms {
        accuracy: session.backend().accuracy(),
        dtype: session.dtype,
        loss_dtype: session.loss_dtype,
        confident: case.flags.iter().any(|flag| CONFIDENT.contains(&flag.as_str())),
    };
    match Scales::new(input) {
        Ok(scales) => {
            let mut outcome = outcome.clone();
            if let Some(exact) = &expected.gradient {
                outcome.gradient = session.unflushed(&outcome.gradient, exact);
            }
            let judgement = judge(&outcome, expected, &scales, terms);
            ((judgement.k_loss, judgement.k_gradient), judgement.why.map(Wrong::Answer))
        }
        Err(error) => {
            let why = format!("accepted, and the case expects a value, but its input has none: {error}");
            ((f64::INFINITY, f64::INFINITY), Some(Wrong::Answer(why)))
        }
    }
}
