//! Deliberately wrong backends, each with one mistake that somebody has made. The kit must catch every one of them, and
//! for the right reason: among the cases that fail is one that names the mistake.

mod arithmetic;
mod edges;
mod inputs;
mod manners;
mod outcomes;
mod terms;

use std::collections::BTreeSet;
use std::fmt::Write;

use label_smoothing_conformance::{
    Accuracy, Backend, Case, CaseInput, Dtype, Failure, Outcome, Report, Status, Suite, backends::Reference, run_case,
};

/// One mistake.
struct Mistake {
    /// What is done wrong.
    name: &'static str,
    /// A flag of a case, or a part of its id, that must be among those that catch it.
    caught_by: &'static str,
    /// The element type in which it shows.
    dtype: Dtype,
    evaluate: fn(&CaseInput) -> Result<Outcome, Failure>,
}

/// A mistake that shows in every element type.
const fn mistake(
    name: &'static str,
    caught_by: &'static str,
    evaluate: fn(&CaseInput) -> Result<Outcome, Failure>,
) -> Mistake {
    Mistake { name, caught_by, dtype: Dtype::F32, evaluate }
}

/// The reference with a mistake in it.
struct Wrong<'a>(&'a Mistake);

impl Backend for Wrong<'_> {
    fn name(&self) -> String {
        self.0.name.to_owned()
    }

    fn framework(&self) -> String {
        "none".to_owned()
    }

    fn dtypes(&self) -> &[Dtype] {
        std::slice::from_ref(&self.0.dtype)
    }

    fn accuracy(&self) -> Accuracy {
        Accuracy::Kernel
    }

    fn evaluate(&self, input: &CaseInput) -> Result<Outcome, Failure> {
        (self.0.evaluate)(input)
    }
}

/// The right answer.
fn right(input: &CaseInput) -> Result<Outcome, Failure> {
    Reference.evaluate(input)
}

#[test]
fn mistakes_about_the_question_are_caught() {
    all_are_caught(inputs::MISTAKES);
}

#[test]
fn mistakes_about_the_answer_are_caught() {
    all_are_caught(outcomes::MISTAKES);
}

#[test]
fn mistakes_of_arithmetic_are_caught() {
    all_are_caught(arithmetic::MISTAKES);
}

#[test]
fn mistakes_of_conduct_are_caught() {
    all_are_caught(manners::MISTAKES);
}

#[test]
fn mistakes_at_the_edges_are_caught() {
    all_are_caught(edges::MISTAKES);
}

#[test]
fn mistakes_about_added_terms_are_caught() {
    all_are_caught(terms::MISTAKES);
}

/// Each by a case that names it. Prints how many cases catch each, and the first that names it.
fn all_are_caught(mistakes: &[Mistake]) {
    let suite = Suite::standard().unwrap();
    let mut table = format!("{:<55} {:>5}  {:<38} for example\n", "mistake", "cases", "named by");
    let mut missed = Vec::new();
    for mistake in mistakes {
        let fails = |case: &&Case| {
            let result = run_case(&Wrong(mistake), mistake.dtype, case);
            result.is_some_and(|result| result.status != Status::Passed)
        };
        let caught: Vec<&Case> = suite.cases().iter().filter(fails).collect();
        let named = caught.iter().find(|case| {
            case.flags.iter().any(|flag| flag == mistake.caught_by) || case.id.contains(mistake.caught_by)
        });
        let example = named.map_or("-", |case| case.id.as_str());
        let _ = writeln!(table, "{:<55} {:>5}  {:<38} {example}", mistake.name, caught.len(), mistake.caught_by);
        if named.is_none() {
            missed.push(mistake.name);
        }
        assert!(caught.len() < suite.cases().len(), "{} is wrong everywhere, which says little", mistake.name);
    }
    println!("{table}");
    assert!(missed.is_empty(), "not caught by a case that names it: {missed:?}");
}

/// A law that no mistake breaks would say nothing.
#[test]
fn every_law_is_broken_by_some_mistake() {
    let suite = Suite::standard().unwrap().filter("law/");
    let lists = [inputs::MISTAKES, outcomes::MISTAKES, arithmetic::MISTAKES, edges::MISTAKES, manners::MISTAKES];
    let mut unbroken: BTreeSet<&str> = suite.cases().iter().map(Case::group).collect();
    for mistake in lists.into_iter().flatten() {
        for case in suite.cases() {
            if unbroken.contains(case.group()) {
                let result = run_case(&Wrong(mistake), mistake.dtype, case);
                if result.is_some_and(|result| result.status == Status::Failed) {
                    unbroken.remove(case.group());
                }
            }
        }
    }
    assert!(unbroken.is_empty(), "{unbroken:?}");
}

#[test]
fn the_right_answer_is_not_caught() {
    let suite = Suite::standard().unwrap();
    let none = mistake("none", "", right);
    let report = Report::run([&Wrong(&none) as &dyn Backend], &suite, &mut || ());
    assert!(report.is_ok(), "{report}");
}
