//! Mistakes in what only some backends have: the loss in parts, and a vocabulary in slices.

use std::collections::BTreeSet;

use label_smoothing_conformance::backends::Kernel;
use label_smoothing_conformance::{
    Accuracy, Backend, Case, CaseInput, Dtype, Failure, LossParts, Outcome, Slices, Status, Suite, TargetInput,
    run_case,
};
use label_smoothing_core::{Denominator, Smoothing};

use super::page;

/// The kernel with one mistake in it.
struct Broken {
    /// What is done wrong.
    name: &'static str,
    /// The law that must be among those that catch it.
    caught_by: &'static str,
    parts: fn(&CaseInput) -> Result<LossParts, Failure>,
    slices: fn(&CaseInput, &Slices) -> Result<Outcome, Failure>,
}

const BROKEN: [Broken; 5] = [
    Broken {
        name: "padding in the parts' denominator",
        caught_by: "law/parts-add-up",
        parts: |input| Kernel.parts(&configured(input, |config| config.denominator(Denominator::All))),
        slices: right,
    },
    Broken {
        name: "the parts of logits in half precision",
        caught_by: "law/parts-tell-the-plain-loss",
        parts: |input| {
            let logits = input.logits.map(|&z| Dtype::Bf16.round(z));
            Kernel.parts(&CaseInput { logits, ..input.clone() })
        },
        slices: right,
    },
    Broken {
        name: "smoothing over the slice that holds the target (Megatron-LM)",
        caught_by: "law/slices-at-blocks",
        parts: |input| Kernel.parts(input),
        slices: smoothed_over_the_local_slice,
    },
    Broken {
        name: "the last slice left out of the sums",
        caught_by: "law/slices-anywhere",
        parts: |input| Kernel.parts(input),
        slices: |input, slices| if slices.one_pass { right(input, slices) } else { without_the_last(input, slices) },
    },
    Broken {
        name: "the last slice not rescaled to the larger maximum, but dropped",
        caught_by: "law/slices-in-one-pass",
        parts: |input| Kernel.parts(input),
        slices: |input, slices| if slices.one_pass { without_the_last(input, slices) } else { right(input, slices) },
    },
];

impl Backend for Broken {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn framework(&self) -> String {
        "none".to_owned()
    }

    fn dtypes(&self) -> &[Dtype] {
        &[Dtype::F32]
    }

    fn accuracy(&self) -> Accuracy {
        Accuracy::Kernel
    }

    fn evaluate(&self, input: &CaseInput) -> Result<Outcome, Failure> {
        Kernel.evaluate(input)
    }

    fn parts(&self, input: &CaseInput) -> Result<LossParts, Failure> {
        (self.parts)(input)
    }

    fn evaluate_in_slices(&self, input: &CaseInput, slices: &Slices) -> Result<Outcome, Failure> {
        (self.slices)(input, slices)
    }
}

fn right(input: &CaseInput, slices: &Slices) -> Result<Outcome, Failure> {
    Kernel.evaluate_in_slices(input, slices)
}

fn configured(
    input: &CaseInput,
    change: impl FnOnce(label_smoothing_core::ConfigBuilder) -> label_smoothing_core::ConfigBuilder,
) -> CaseInput {
    CaseInput { config: change(input.config.clone()), ..input.clone() }
}

/// The row losses `lse - (1 - e) z_y - e mean(z)`, the mean over the classes of the target's slice.
fn smoothed_over_the_local_slice(input: &CaseInput, slices: &Slices) -> Result<Outcome, Failure> {
    let outcome = right(input, slices)?;
    let (config, TargetInput::Indices(targets)) = (input.config()?, &input.targets) else { return Ok(outcome) };
    let (Smoothing::Uniform { epsilon }, true) = (config.smoothing(), input.row_losses) else { return Ok(outcome) };
    let hard = right(&configured(input, |config| config.smoothing(Smoothing::None)), slices)?;
    let classes = input.logits.shape[1];
    let rows = input.logits.values.chunks(classes).zip(&targets.values).zip(hard.values);
    let local = rows.map(|((z, &target), hard)| {
        let Ok(target) = usize::try_from(target) else { return hard };
        let from = slices.cuts.iter().copied().filter(|&cut| cut <= target).max().unwrap_or(0);
        let to = slices.cuts.iter().copied().filter(|&cut| cut > target).min().unwrap_or(classes);
        hard + epsilon * (z[target] - z[from..to].iter().sum::<f64>() / (to - from) as f64)
    });
    Ok(Outcome { values: local.map(|loss| Dtype::F32.round(loss)).collect(), ..outcome })
}

fn without_the_last(input: &CaseInput, slices: &Slices) -> Result<Outcome, Failure> {
    let (classes, last) = (input.logits.shape[1], slices.cuts.last().copied().unwrap_or(0));
    let mut logits = input.logits.clone();
    logits.values.chunks_mut(classes).for_each(|row| row[last..].fill(f64::NEG_INFINITY));
    right(&CaseInput { logits, ..input.clone() }, slices)
}

/// Their heading in `WRONG_BACKENDS.md`.
pub(super) const HEADING: &str = "In parts and slices";

/// The laws that catch a mistake, case by case.
fn caught<'s>(broken: &Broken, suite: &'s Suite) -> Vec<&'s Case> {
    let fails = |case: &&Case| run_case(broken, Dtype::F32, case).is_some_and(|result| result.status == Status::Failed);
    suite.cases().iter().filter(fails).collect()
}

/// The laws that any of the mistakes breaks.
pub(super) fn broken_laws(suite: &Suite) -> BTreeSet<&str> {
    BROKEN.iter().flat_map(|broken| caught(broken, suite)).map(Case::group).collect()
}

#[test]
fn mistakes_in_parts_and_slices_are_caught() {
    let suite = Suite::standard().unwrap().filter("law/");
    let rows = BROKEN.iter().map(|broken| {
        let caught = caught(broken, &suite);
        let named = caught.iter().any(|case| case.group() == broken.caught_by);
        assert!(
            named,
            "{} is caught by {:?} only",
            broken.name,
            caught.iter().map(|case| &case.id).collect::<Vec<_>>()
        );
        page::row(broken.name, Dtype::F32, broken.caught_by, &caught)
    });
    page::check(HEADING, &rows.collect::<Vec<_>>());
}
