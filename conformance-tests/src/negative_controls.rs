//! Every case with its answer changed: what the kit lets pass must not be what it was told.

use label_smoothing_core::ErrorKind;

use crate::backends::{Kernel, Reference};
use crate::case::{Case, Check, Expected};
use crate::dtype::Dtype;
use crate::input::CaseInput;
use crate::run::{Status, run_case};
use crate::scale::{Place, Scales};
use crate::suite::Suite;
use crate::tolerance::Accuracy;
use crate::vectors::embedded;
use crate::{Backend, laws};

const TIMES: f64 = 16.0;

fn suite() -> Suite {
    Suite::from_files(embedded().unwrap()).unwrap()
}

/// A number that is 16 times the tolerance off, or of another class.
fn changed(exact: f64, place: &Place, classes: usize, relative_error: f64, dtype: Dtype) -> f64 {
    if exact.is_nan() {
        return 1.0;
    }
    if exact.is_infinite() {
        return -exact;
    }
    let bound = place.bound(Accuracy::Kernel.k(classes), dtype, relative_error);
    exact + TIMES * bound.allowed()
}

/// The case with one loss and, apart from it, one gradient changed.
fn with_changed_numbers(input: &CaseInput, expected: &Expected, dtype: Dtype) -> Vec<Expected> {
    let scales = Scales::new(input).unwrap();
    let Expected { relative_error, .. } = *expected;
    let one = |exact: &[f64], places: &[Place], dtype: Dtype| {
        let at = exact.len().checked_sub(1)? * 7 / 11;
        let mut numbers = exact.to_vec();
        numbers[at] = changed(exact[at], &places[at], scales.classes, relative_error, dtype);
        Some(numbers)
    };
    let loss = one(&expected.loss, &scales.loss, dtype.wide()).map(|loss| Expected { loss, ..expected.clone() });
    let gradient = expected.gradient.as_ref().and_then(|gradient| one(gradient, &scales.gradient, dtype));
    let gradient = gradient.map(|gradient| Expected { gradient: Some(gradient), ..expected.clone() });
    loss.into_iter().chain(gradient).collect()
}

#[test]
fn a_number_16_times_the_tolerance_off_is_caught() {
    let mut controls = 0;
    for case in suite().cases() {
        let Check::Value { input, expected } = &case.check else { continue };
        for dtype in [Dtype::F64, Dtype::F32].into_iter().filter(|&dtype| case.is_held(dtype, dtype)) {
            for expected in with_changed_numbers(input, expected, dtype) {
                let check = Check::Value { input: input.clone(), expected };
                let wrong = Case { check, ..case.clone() };
                let backend: &dyn Backend = if dtype == Dtype::F64 { &Reference } else { &Kernel };
                let result = run_case(backend, dtype, &wrong).unwrap();
                assert_eq!(result.status, Status::Failed, "{} in {dtype}", case.id);
                controls += 1;
            }
        }
    }
    assert!(controls > 5000, "{controls}");
}

#[test]
fn another_refusal_is_caught() {
    for case in suite().cases() {
        let (changed, wanted) = match &case.check {
            Check::Refusal { input, reason } => {
                let other = ErrorKind::ALL.iter().find(|kind| *kind != reason).unwrap();
                let none = Expected { loss: vec![0.0], gradient: None, relative_error: 1.0 };
                let accepted = Check::Value { input: input.clone(), expected: none };
                let wrong = Case { check: accepted, ..case.clone() };
                let result = run_case(&Reference, Dtype::F64, &wrong).unwrap();
                assert_eq!(result.status, Status::RefusedWrongly, "{}", case.id);
                (Check::Refusal { input: input.clone(), reason: *other }, Status::RefusedWrongly)
            }
            Check::Value { input, .. } => {
                (Check::Refusal { input: input.clone(), reason: ErrorKind::TargetShape }, Status::Failed)
            }
            Check::Law(_) => continue,
        };
        let result = run_case(&Reference, Dtype::F64, &Case { check: changed, ..case.clone() }).unwrap();
        assert_eq!(result.status, wanted, "{}", case.id);
    }
}

/// Laws are on many scenes: one that applied nowhere would hold for everything.
#[test]
fn every_law_is_tried() {
    let names: Vec<String> = laws::cases().into_iter().map(|case| case.id).collect();
    let laws: std::collections::BTreeSet<&str> = names.iter().filter_map(|id| id.split('/').nth(1)).collect();
    assert!(laws.len() >= 20 && names.len() >= 150, "{} laws, {} cases", laws.len(), names.len());
}
