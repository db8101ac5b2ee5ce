//! What is counted as what: gaps, refusals, bits, panics, and a run of nothing; and that frameworks have the versions that
//! their backends name.

use std::sync::atomic::{AtomicUsize, Ordering};

use label_smoothing_conformance::backends::{self, Kernel, Reference};
use label_smoothing_conformance::{
    Accuracy, Backend, CaseInput, Dtype, Failure, Gap, Layout, LossParts, Outcome, Report, Status, Suite, TargetInput,
    VectorFile, run_case,
};
use serde_json::{Value, json};

type Evaluate = fn(&CaseInput) -> Result<Outcome, Failure>;

/// A backend put together from parts.
#[derive(Clone)]
struct Parts {
    evaluate: Evaluate,
    gaps: Vec<Gap>,
    claims: bool,
    dtypes: Vec<Dtype>,
}

impl Parts {
    fn new(evaluate: Evaluate) -> Self {
        Self { evaluate, gaps: Vec::new(), claims: false, dtypes: vec![Dtype::F64] }
    }

    fn gap(mut self, covers: fn(&CaseInput) -> bool) -> Self {
        self.gaps.push(Gap { feature: "mixed targets", reason: "the framework has none", covers });
        self
    }

    fn claiming(mut self) -> Self {
        self.claims = true;
        self
    }

    fn report(&self, suite: &Suite) -> Report {
        Report::run([self as &dyn Backend], suite, &mut || ())
    }
}

impl Backend for Parts {
    fn name(&self) -> String {
        "parts".to_owned()
    }

    fn framework(&self) -> String {
        "none".to_owned()
    }

    fn dtypes(&self) -> &[Dtype] {
        &self.dtypes
    }

    fn gaps(&self) -> Vec<Gap> {
        self.gaps.clone()
    }

    fn claims_identical_bits(&self) -> bool {
        self.claims
    }

    fn accuracy(&self) -> Accuracy {
        Accuracy::Kernel
    }

    fn evaluate(&self, input: &CaseInput) -> Result<Outcome, Failure> {
        (self.evaluate)(input)
    }

    fn parts(&self, input: &CaseInput) -> Result<LossParts, Failure> {
        Reference.parts(input)
    }
}

fn suite(text: &str) -> Suite {
    let suite = Suite::standard().unwrap().filter(text);
    assert!(!suite.cases().is_empty(), "{text}");
    suite
}

fn is_mixed(input: &CaseInput) -> bool {
    matches!(input.targets, TargetInput::Mixed { .. })
}

fn without_mixed(input: &CaseInput) -> Result<Outcome, Failure> {
    if is_mixed(input) { Err(Failure::Unsupported("mixed targets".to_owned())) } else { Reference.evaluate(input) }
}

#[test]
fn a_declared_gap_that_fails_is_unsupported() {
    let report = Parts::new(without_mixed).gap(is_mixed).report(&suite("exact/"));
    let entry = &report.backends[0];
    assert!(report.is_ok(), "{report}");
    assert!(entry.counts.unsupported > 10 && entry.counts.passed > 100);
    assert_eq!(entry.gaps.len(), entry.counts.unsupported);
    assert_eq!(entry.gaps[0].why, "mixed targets: the framework has none");
}

#[test]
fn a_declared_gap_that_works_is_a_failure() {
    let report = Parts::new(|input| Reference.evaluate(input)).gap(is_mixed).report(&suite("mixed"));
    assert!(!report.is_ok());
    assert_eq!(report.backends[0].counts.unsupported, 0);
    let why = &report.backends[0].failures[0].why;
    assert_eq!(why, "declared unsupported (mixed targets: the framework has none), but it works");
}

#[test]
fn unsupported_and_not_declared_is_a_failure() {
    let report = Parts::new(without_mixed).report(&suite("mixed"));
    assert!(!report.is_ok());
    assert_eq!(report.backends[0].counts.unsupported, 0);
    assert!(report.backends[0].failures.iter().all(|finding| finding.why.contains("no gap declares it")));
}

#[test]
fn a_run_of_nothing_is_a_failure() {
    let nothing = Suite::standard().unwrap().filter("no case has this in its id");
    assert!(!Parts::new(without_mixed).report(&nothing).is_ok());
    assert!(!Report::default().is_ok());
    let mut typeless = Parts::new(without_mixed);
    typeless.dtypes.clear();
    assert!(!typeless.report(&suite("law/")).is_ok());
}

#[test]
fn a_panic_fails_its_case_only() {
    fn panics(input: &CaseInput) -> Result<Outcome, Failure> {
        if input.logits.shape.len() == 3 {
            std::panic::resume_unwind(Box::new("rank 3"));
        }
        Reference.evaluate(input)
    }
    let report = Parts::new(panics).report(&suite("exact/shapes"));
    let counts = report.backends[0].counts;
    assert!(counts.failed > 0 && counts.passed > 0);
    assert_eq!(report.backends[0].failures[0].why, "broken: panicked: rank 3");
}

/// The kernel's answer with the last bit of one number turned over.
fn turned(input: &CaseInput) -> Result<Outcome, Failure> {
    let mut outcome = Kernel.evaluate(input)?;
    if let Some(value) = outcome.gradient.last_mut() {
        *value = f64::from_bits(value.to_bits() ^ 1);
    }
    Ok(outcome)
}

#[test]
fn bits_are_compared_where_they_are_claimed() {
    let suite = suite("exact/smoothing");
    let honest = Parts::new(turned).report(&suite);
    assert!(honest.is_ok());
    assert_eq!(honest.backends[0].identical_bits, None);
    let claims = Parts::new(turned).claiming().report(&suite);
    assert!(!claims.is_ok());
    assert_eq!(claims.backends[0].identical_bits, Some(false));
    let why = &claims.backends[0].failures[0].why;
    assert!(why.starts_with("claims identical bits, but gradient[") && why.contains("from the kernel"), "{why}");
    let true_claim = Parts::new(|input| Kernel.evaluate(input)).claiming().report(&suite);
    assert!(true_claim.is_ok());
    assert_eq!(true_claim.backends[0].identical_bits, Some(true));
}

fn every_other(input: &CaseInput) -> Result<Outcome, Failure> {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    if CALLS.fetch_add(1, Ordering::Relaxed) % 2 == 1 { turned(input) } else { Kernel.evaluate(input) }
}

#[test]
fn bits_are_compared_in_both_layouts_and_twice() {
    let suite = suite("exact/smoothing");
    let strided =
        Parts::new(|input| if input.layout == Layout::Strided { turned(input) } else { Kernel.evaluate(input) });
    assert_eq!(strided.claiming().report(&suite).backends[0].identical_bits, Some(false));

    let report = Parts::new(every_other).claiming().report(&suite);
    assert_eq!(report.backends[0].identical_bits, Some(false));
    assert!(report.backends[0].failures[0].why.contains("from a second time"), "{report}");
}

#[test]
fn the_sign_of_a_zero_gradient_does_not_matter() {
    let negated_zeros = Parts::new(|input| {
        let mut outcome = Kernel.evaluate(input)?;
        outcome.gradient.iter_mut().filter(|g| **g == 0.0).for_each(|g| *g = -*g);
        Ok(outcome)
    });
    assert!(negated_zeros.claiming().report(&suite("exact/ignore")).is_ok());
}

#[test]
fn a_wrong_answer_in_one_layout_fails_the_case_once() {
    let strided = Parts::new(|input| {
        let mut outcome = Reference.evaluate(input)?;
        if input.layout == Layout::Strided {
            outcome.values.iter_mut().for_each(|value| *value += 1.0);
        }
        Ok(outcome)
    });
    let suite = suite("exact/smoothing");
    let counts = strided.report(&suite).backends[0].counts;
    assert_eq!((counts.failed, counts.total()), (suite.cases().len(), suite.cases().len()));
    let result = run_case(&strided, Dtype::F64, &suite.cases()[0]).unwrap();
    assert_eq!(result.status, Status::Failed);
    assert!(result.why.ends_with("(strided)"), "{}", result.why);
}

#[test]
fn the_json_is_that_of_the_command() {
    let wrong = Parts::new(|input| {
        let mut outcome = Reference.evaluate(input)?;
        outcome.values.iter_mut().for_each(|value| *value = f64::NAN);
        Ok(outcome)
    });
    let suite = suite("exact/smoothing/none/indices");
    let id = &suite.cases()[0].id;
    let report = wrong.report(&suite).to_json();
    let expected = json!({ "backends": [{
        "name": "parts", "dtype": "f64", "passed": 0, "failed": 1, "unsupported": 0, "refused_wrongly": 0,
        "worst_k_loss": "inf", "worst_k_gradient": report["backends"][0]["worst_k_gradient"], "identical_bits": null,
        "failures": [{ "id": id, "why": report["backends"][0]["failures"][0]["why"] }],
    }] });
    assert_eq!(report, expected);
    assert!(report["backends"][0]["worst_k_gradient"].is_f64());
    assert!(matches!(&report["backends"][0]["failures"][0]["why"], Value::String(why) if why.contains("NaN")));
}

/// A file of one's own that contradicts itself must not bring the judge down.
#[test]
fn a_case_that_no_input_can_meet_fails_in_words() {
    let case = |config: &str, targets: &str, extra: &str, expected: &str| {
        format!(
            r#"{{"format": "label-smoothing-vectors/1", "case_count": 1, "cases": [{{"id": "a", "loss": "cross_entropy",
            "config": {config}, "logits": {{"shape": [2, 2], "class_axis": 1, "values": ["0x1p0", "0x0p0", "0x1p0", "0x0p0"]}},
            "targets": {{"kind": "indices", "values": {targets}}}, {extra} "expected": {expected}}}]}}"#
        )
    };
    let loss = r#"{"loss": ["0x1p0"], "gradient": ["0x0p0", "0x0p0", "0x0p0", "0x0p0"]}"#;
    for (config, targets, extra) in [
        (r#"{"smoothing": {"kind": "uniform", "epsilon": "nan"}}"#, "[0, 1]", ""),
        (r#"{"class_weights": ["0x1p0"]}"#, "[0, 1]", ""),
        (r#"{"smoothing": {"kind": "class_rows", "epsilon": "0x0p0", "rows": []}}"#, "[0, 1]", ""),
        (r#"{"smoothing": {"kind": "uniform_per_class", "epsilons": []}}"#, "[0, 1]", ""),
        ("{}", "[0, 9223372036854775807]", ""),
        ("{}", "[0]", ""),
        ("{}", "[0, 1]", r#""row_mask": [1],"#),
        ("{}", "[0, 1]", r#""row_weights": [],"#),
        ("{}", "[0, 1]", r#""upstream": [],"#),
    ] {
        let file = VectorFile::parse("own.json", &case(config, targets, extra, loss)).unwrap();
        let suite = Suite::from_files([file]).unwrap();
        let refused = Parts::new(|input| Reference.evaluate(input)).report(&suite);
        assert_eq!(refused.backends[0].counts.refused_wrongly, 1, "{config} {targets} {extra}");
        let accepted = Parts::new(|_| Ok(Outcome { values: vec![1.0], gradient: vec![0.0; 4] })).report(&suite);
        assert!(!accepted.is_ok(), "{config} {targets} {extra}");
    }
}

#[test]
fn frameworks_have_the_versions_that_are_locked() {
    let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock")).unwrap();
    for backend in backends::all() {
        let framework = backend.framework();
        if framework.starts_with("none") {
            continue;
        }
        // What the framework binds may follow: "tch 0.26.0, libtorch 2.13.0".
        let crate_and_version = framework.split(',').next().unwrap_or_default();
        let (name, version) = crate_and_version.split_once(' ').expect("a name and a version");
        let entry = format!("name = \"{name}\"\nversion = \"{version}\"\n");
        assert!(lock.contains(&entry), "{} names {framework}, which is not in Cargo.lock", backend.name());
    }
}
