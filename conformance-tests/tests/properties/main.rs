//! What holds for every input, tried on inputs of any shape, type and combination of options, hostile numbers included:
//! the kernel and all other paths against the definition, every adapter on the CPU against the kernel to the bit.
//!
//! `PROPERTY_CASES=100000 cargo test --release ... --test properties` tries more, `PROPERTY_SEED=n` others.

mod inputs;
mod numbers;
mod options;
mod pieces;
mod regressions;
mod run;
mod shape;

use label_smoothing_conformance::backends::{self, Reference};
use label_smoothing_conformance::{
    Backend, Case, CaseInput, Check, Dtype, Expected, Failure, Layout, Status, run_case,
};
use label_smoothing_core::reference::Coefficients;
use label_smoothing_core::{ClassWeighting, Config, Error, Problem};

use inputs::{extreme_inputs, inputs, inputs_in_parts, sliced_inputs};
use pieces::{parts_are_right, slices_are_right};
use run::property;

/// What the definition says, in `f64`, is itself within this many units roundoff of the exact answer; the scale is that of
/// the tolerance.
const UNITS_OF_THE_DEFINITION: f64 = 8.0;

/// Under a logit so large that all others are equal beside it, every rounding of a sum may go the same way; so it may where a
/// row is weighted by the sum of what smoothing gives each class. The kernel's sums of `f64` have no wider type, and lanes of
/// 32 additions each.
const UNITS_OF_A_LANE: f64 = 32.0;

/// A logit at which the least number above 0 counts for less than the tolerance has for numbers that are flushed to 0.
const LARGEST_OF_A_LOST_MASS: f64 = 1e12;

/// The units that an answer may be off beside those of the tolerance.
fn units(input: &CaseInput) -> f64 {
    let is_far = |z: &f64| z.is_finite() && z.abs() * f64::EPSILON > 1.0;
    let is_weighted_by_a_sum = |config: Config| config.class_weighting() == ClassWeighting::Expected;
    let all_equal = input.logits.values.iter().any(is_far) || input.config().is_ok_and(is_weighted_by_a_sum);
    UNITS_OF_THE_DEFINITION + if input.dtype == Dtype::F64 && all_equal { UNITS_OF_A_LANE } else { 0.0 }
}

/// The question with the definition's answer, or with its refusal.
fn case(input: &CaseInput) -> Result<Case, String> {
    let check = match Reference.evaluate(&input.with(Dtype::F64, Layout::Contiguous)) {
        Ok(outcome) => Check::Value {
            input: input.clone(),
            expected: Expected {
                loss: outcome.values,
                gradient: Some(outcome.gradient),
                relative_error: units(input) * Dtype::F64.unit_roundoff(),
            },
        },
        Err(Failure::Refused { kind, .. }) => Check::Refusal { input: input.clone(), reason: kind },
        Err(other) => return Err(format!("the definition: {other}")),
    };
    Ok(Case { id: "property".to_owned(), flags: Vec::new(), check })
}

/// Contiguous and strided, twice, with the kernel's bits where they are claimed.
fn is_right(backend: &dyn Backend, input: &CaseInput) -> Result<(), String> {
    verdict(backend, input.dtype, &case(input)?)
}

/// Nothing is wrong in an element type that the backend has not.
fn verdict(backend: &dyn Backend, dtype: Dtype, case: &Case) -> Result<(), String> {
    if !backend.dtypes().contains(&dtype) {
        return Ok(());
    }
    match run_case(backend, dtype, case) {
        Some(result) if matches!(result.status, Status::Failed | Status::RefusedWrongly) => {
            Err(format!("{} in {dtype}: {}", backend.name(), result.why))
        }
        Some(_) => Ok(()),
        None => Err(format!("{} in {dtype}: an input that the type does not hold", backend.name())),
    }
}

/// Of these backends, which are all composed or none.
fn every_input_is_right(names: &'static [&'static str]) {
    let is_composed = names.iter().any(|name| name.ends_with("-composed"));
    let chosen: Vec<_> =
        backends::all().into_iter().filter(|backend| names.contains(&backend.name().as_str())).collect();
    property(inputs, move |input| {
        let mut backends = chosen.iter().map(AsRef::as_ref);
        match expectation(input, is_composed).unwrap_or(Expectation::Right) {
            Expectation::Right => {
                let case = case(input)?;
                backends.try_for_each(|backend| verdict(backend, input.dtype, &case))
            }
            Expectation::Defined => backends.try_for_each(|backend| is_defined(backend, input)),
            Expectation::Answered => backends.try_for_each(|backend| has_an_answer(backend, input)),
        }
    });
}

/// What is asked of an answer.
enum Expectation {
    Right,
    /// That there is no NaN but those of the definition.
    Defined,
    /// That there is an answer.
    Answered,
}

/// By whether the numbers that a target and a denominator become are within the range of their types: `f64`, and for the
/// coefficients of composed paths that of the losses. An input without an answer has no numbers.
fn expectation(input: &CaseInput, is_composed: bool) -> Result<Expectation, Error> {
    let config = input.config()?;
    let problem = Problem::new(&config, &input.logits.shape, input.core_targets::<f64>())?;
    let divisor = if input.row_losses { None } else { problem.gradient_divisor() };
    // Below 5.6e-309 one over the denominator is infinite, and every gradient with it; in composed paths every loss.
    if divisor.is_some_and(|divisor| (1.0 / divisor).is_infinite()) {
        return Ok(if is_composed { Expectation::Answered } else { Expectation::Defined });
    }
    let coefficients = Coefficients::new(&problem, &input.logits.values)?;
    // The scale of the tolerance does not see the entropy that is taken off a row of little mass.
    let mass = |row| {
        let elements = (0..problem.shape().classes()).map(|class| problem.shape().element(row, class));
        elements.map(|at| coefficients.positive[at] + coefficients.negative.get(at).unwrap_or(&0.0)).sum::<f64>()
    };
    let has_little = |row| (f64::MIN_POSITIVE..0.1).contains(&mass(row));
    if config.subtract_entropy() && (0..problem.shape().rows()).any(has_little) {
        return Ok(Expectation::Defined);
    }
    if is_composed && input.dtype != Dtype::F64 {
        return Ok(expectation_in_f32(input, &coefficients, &coefficients.clone().over(divisor.unwrap_or(1.0))));
    }
    // Of a mass near the least number smoothing may leave nothing or one, which a logit as large shows.
    let Coefficients { positive, negative, .. } = coefficients;
    let is_far = input.logits.values.iter().any(|z| z.abs() > LARGEST_OF_A_LOST_MASS);
    let is_lost = is_far && positive.iter().chain(&negative).any(|a| *a != 0.0 && a.abs() < f64::MIN_POSITIVE);
    Ok(if is_lost { Expectation::Defined } else { Expectation::Right })
}

/// The same for composed paths in `f32`, of the coefficients of the losses and of those of their mean.
fn expectation_in_f32(input: &CaseInput, of_losses: &Coefficients, of_mean: &Coefficients) -> Expectation {
    let largest = |numbers: &[f64]| numbers.iter().filter(|z| z.is_finite()).fold(0.0, |max: f64, z| max.max(z.abs()));
    let of = |coefficients: &Coefficients| largest(&coefficients.positive).max(largest(&coefficients.negative));
    // The sums over the classes, of coefficients and of costs, may be infinite, and NaN where such a one meets 0 or another
    // sign.
    let reach = (2.0 * largest(&input.logits.values)).max(1.0) * input.logits.values.len() as f64;
    if of(of_losses).max(of(of_mean)) * reach > f64::from(f32::MAX) {
        return Expectation::Answered;
    }
    // Below the smallest normal number digits are lost, which shows where a logit is large enough.
    let has_digits = |a: &f64| *a == 0.0 || a.abs() >= f64::from(f32::MIN_POSITIVE);
    let mut all = of_mean.positive.iter().chain(&of_mean.negative);
    if all.all(has_digits) { Expectation::Right } else { Expectation::Defined }
}

/// Whether the backend has the element type, and the question is in none of its gaps.
fn takes(backend: &dyn Backend, input: &CaseInput) -> bool {
    backend.dtypes().contains(&input.dtype) && !backend.gaps().iter().any(|gap| (gap.covers)(input))
}

/// No panic, and no refusal.
fn has_an_answer(backend: &dyn Backend, input: &CaseInput) -> Result<(), String> {
    if !takes(backend, input) {
        return Ok(());
    }
    backend.evaluate(input).map(drop).map_err(|failure| format!("{} in {}: {failure}", backend.name(), input.dtype))
}

/// Where differences of logits are beyond the type's range a loss may be infinite that need not be, and a gradient that is
/// beyond it NaN. Still there is no panic, no other NaN that the definition does not have, and not a bit but the kernel's
/// where that is claimed.
fn is_defined(backend: &dyn Backend, input: &CaseInput) -> Result<(), String> {
    if !takes(backend, input) {
        return Ok(());
    }
    let Ok(exact) = Reference.evaluate(input) else { return is_right(backend, input) };
    for layout in [Layout::Contiguous, Layout::Strided] {
        let input = input.with(input.dtype, layout);
        let wrong = |why: String| format!("{} in {} ({layout:?}): {why}", backend.name(), input.dtype);
        let found = backend.evaluate(&input).map_err(|failure| wrong(failure.to_string()))?;
        let mut losses = exact.values.iter().zip(&found.values);
        if losses.any(|(exact, found)| found.is_nan() && !exact.is_nan()) {
            return Err(wrong("a loss is NaN where the definition has one".to_owned()));
        }
        let mut gradient = exact.gradient.iter().zip(&found.gradient);
        if gradient.any(|(exact, found)| found.is_nan() && exact.is_finite()) {
            return Err(wrong("a gradient is NaN where the definition has a number".to_owned()));
        }
    }
    // Whatever the kit says of the numbers themselves.
    let name = backend.name();
    match run_case(backend, input.dtype, &case(input)?) {
        Some(result) if result.identical_bits == Some(false) => {
            Err(format!("{name} in {}: other bits than the kernel's; {}", input.dtype, result.why))
        }
        Some(_) => Ok(()),
        None => Err(format!("{name} in {}: an input that the type does not hold", input.dtype)),
    }
}

const TESTED: [&[&str]; 5] = [
    &["reference", "kernel", "ndarray"],
    &["candle", "tch", "dfdx"],
    &["burn"],
    &["candle-composed", "burn-composed"],
    &["tch-composed"],
];

#[test]
fn the_kernel_and_ndarray_are_right() {
    every_input_is_right(TESTED[0]);
}

#[test]
fn candle_tch_and_dfdx_are_right() {
    every_input_is_right(TESTED[1]);
}

#[test]
fn burn_is_right() {
    every_input_is_right(TESTED[2]);
}

#[test]
fn what_is_composed_of_candles_and_burns_operations_is_right() {
    every_input_is_right(TESTED[3]);
}

#[test]
fn what_is_composed_of_libtorchs_operations_is_right() {
    every_input_is_right(TESTED[4]);
}

#[test]
fn the_largest_logits_give_no_nan() {
    let kernel: Vec<_> = backends::all().into_iter().filter(|backend| backend.claims_identical_bits()).collect();
    property(extreme_inputs, move |input| kernel.iter().try_for_each(|backend| is_defined(backend.as_ref(), input)));
}

#[test]
fn slices_of_the_classes_are_right() {
    property(sliced_inputs, slices_are_right);
}

#[test]
fn the_loss_in_parts_is_right() {
    let backends = backends::all();
    property(inputs_in_parts, move |input| parts_are_right(&backends, input));
}

#[test]
fn no_backend_is_left_out() {
    for backend in backends::all() {
        assert!(TESTED.concat().contains(&backend.name().as_str()), "{}", backend.name());
    }
}
