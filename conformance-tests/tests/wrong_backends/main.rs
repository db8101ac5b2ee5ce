//! Deliberately wrong backends, each with one mistake that somebody has made. The kit must catch every one of them, and
//! for the right reason: among the cases that fail is one that names the mistake.

mod arithmetic;
mod edges;
mod inputs;
mod manners;
mod outcomes;
mod page;
mod parts;
mod terms;

use std::collections::BTreeSet;

use label_smoothing_conformance::{
    Accuracy, Backend, Case, CaseInput, Dtype, Failure, Gap, Outcome, Report, Status, Suite, backends::Reference,
    run_case,
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

    fn gaps(&self) -> Vec<Gap> {
        vec![Gap::PARTS, Gap::SLICES] // Mistakes in these are in `parts`.
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

/// The lists, by the headings that they have in `WRONG_BACKENDS.md`.
const LISTS: [(&str, &[Mistake]); 6] = [
    ("About the question", inputs::MISTAKES),
    ("About the answer", outcomes::MISTAKES),
    ("Of arithmetic", arithmetic::MISTAKES),
    ("Of conduct", manners::MISTAKES),
    ("At the edges", edges::MISTAKES),
    ("About added terms", terms::MISTAKES),
];

#[test]
fn mistakes_about_the_question_are_caught() {
    all_are_caught(0);
}

#[test]
fn mistakes_about_the_answer_are_caught() {
    all_are_caught(1);
}

#[test]
fn mistakes_of_arithmetic_are_caught() {
    all_are_caught(2);
}

#[test]
fn mistakes_of_conduct_are_caught() {
    all_are_caught(3);
}

#[test]
fn mistakes_at_the_edges_are_caught() {
    all_are_caught(4);
}

#[test]
fn mistakes_about_added_terms_are_caught() {
    all_are_caught(5);
}

/// Each by a case that names it, and by those that `WRONG_BACKENDS.md` says.
fn all_are_caught(list: usize) {
    let (heading, mistakes) = LISTS[list];
    let suite = Suite::standard().unwrap();
    let (mut rows, mut missed) = (Vec::new(), Vec::new());
    for mistake in mistakes {
        let fails = |case: &&Case| {
            let result = run_case(&Wrong(mistake), mistake.dtype, case);
            result.is_some_and(|result| matches!(result.status, Status::Failed | Status::RefusedWrongly))
        };
        let caught: Vec<&Case> = suite.cases().iter().filter(fails).collect();
        if !caught.iter().any(|case| names(case, mistake)) {
            missed.push(mistake.name);
        }
        assert!(caught.len() < suite.cases().len(), "{} is wrong everywhere, which says little", mistake.name);
        rows.push(page::row(mistake.name, mistake.dtype, mistake.caught_by, &caught));
    }
    assert!(missed.is_empty(), "not caught by a case that names it: {missed:?}");
    page::check(heading, &rows);
}

/// Whether the mistake is what the case is there for.
fn names(case: &Case, mistake: &Mistake) -> bool {
    case.flags.iter().any(|flag| flag == mistake.caught_by) || case.id.contains(mistake.caught_by)
}

/// A flag that no mistake shows may be on cases that would not catch it.
#[test]
fn every_flag_of_the_vectors_has_a_mistake() {
    // Not a mistake but a decision: which of several readings of the format is meant.
    const DECISIONS: [&str; 1] = ["reading"];
    let suite = Suite::standard().unwrap();
    let shown: BTreeSet<&str> = LISTS.iter().flat_map(|(_, list)| *list).map(|mistake| mistake.caught_by).collect();
    let flags = suite.flags().keys().map(String::as_str);
    let missing: Vec<&str> = flags.filter(|flag| !shown.contains(flag) && !DECISIONS.contains(flag)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// A law that no mistake breaks would say nothing.
#[test]
fn every_law_is_broken_by_some_mistake() {
    let suite = Suite::standard().unwrap().filter("law/");
    let mut unbroken: BTreeSet<&str> = suite.cases().iter().map(Case::group).collect();
    for mistake in LISTS.iter().flat_map(|(_, list)| *list) {
        for case in suite.cases() {
            if unbroken.contains(case.group()) {
                let result = run_case(&Wrong(mistake), mistake.dtype, case);
                if result.is_some_and(|result| result.status == Status::Failed) {
                    unbroken.remove(case.group());
                }
            }
        }
    }
    let of_parts = parts::broken_laws(&suite);
    unbroken.retain(|law| !of_parts.contains(law));
    assert!(unbroken.is_empty(), "{unbroken:?}");
}

#[test]
fn the_right_answer_is_not_caught() {
    let suite = Suite::standard().unwrap();
    let none = mistake("none", "", right);
    let report = Report::run([&Wrong(&none) as &dyn Backend], &suite, &mut || ());
    assert!(report.is_ok(), "{report}");
}
