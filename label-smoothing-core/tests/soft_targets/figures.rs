//! Every figure of `vectors/soft-targets.json` (60 digits) and `vectors/packages.json` (published packages).

use label_smoothing_core::soft_targets::{
    Diagonal, Distance, SoftLabel, SoftLabels, ValueSupport, binomial, exponential, from_distances, from_similarities,
    neighbour_labels, poisson, prior_from_counts, sord, triangular, zipf_by_rank,
};
use label_smoothing_core::{PreferenceLoss, PreferencePairs};
use serde_json::Value;

type Rows = Vec<Vec<f64>>;

const EXACT: &str = include_str!("../../vectors/soft-targets.json");
const PACKAGES: &str = include_str!("../../vectors/packages.json");

/// How far a value may be off the exact one, relative to its size, in units roundoff: where it is the exponential of an
/// argument, the rounding of that argument grows with it.
fn relative(expected: f64) -> f64 {
    let argument = if expected == 0.0 { 0.0 } else { expected.abs().ln().abs() };
    16.0 * (1.0 + argument) * f64::EPSILON / 2.0
}

#[test]
fn every_figure_is_that_of_60_digits() {
    let cases = cases(EXACT);
    assert!(cases.len() >= 80, "{} cases", cases.len());
    for case in &cases {
        let (found, expected) = (answer(case), rows(&case["rows"]));
        compare(case, &found, &expected, |expected| relative(expected) * expected.abs() + f64::MIN_POSITIVE);
        if !["expected_value", "preference"].contains(&text(&case["builder"])) {
            let off = |row: &Vec<f64>| (row.iter().sum::<f64>() - 1.0).abs() > 4.0 * f64::EPSILON;
            assert!(!found.iter().any(off), "a row does not sum to 1: {case}");
        }
    }
}

/// Each package within its own precision.
#[test]
fn every_figure_is_that_of_the_package_that_has_it() {
    let cases = cases(PACKAGES);
    for (package, tolerance) in [
        ("dlordinal", 1e-13),
        // Rounds to f32 at the end.
        ("hl-gauss-pytorch", 1e-7),
        // Adds 1e-5 to a bin's width in `transform_to_2hot`, not in `transform_to_2hot_nonlinear`.
        ("rlax", 1.1e-5),
        ("trl", 1e-13),
    ] {
        let of_package: Vec<&Value> = cases.iter().filter(|case| text(&case["package"]).starts_with(package)).collect();
        assert!(of_package.len() >= 3, "{package} has {} cases", of_package.len());
        for case in of_package {
            // dlordinal lets its intervals begin at 1e-9 instead of 0, and end likewise.
            let tolerance = if text(&case["builder"]) == "triangular" { 2e-7 } else { tolerance };
            compare(case, &answer(case), &rows(&case["rows"]), |expected| tolerance * expected.abs().max(1.0));
        }
    }
}

fn compare(case: &Value, found: &[Vec<f64>], expected: &[Vec<f64>], tolerance: impl Fn(f64) -> f64) {
    assert_eq!(found.len(), expected.len(), "{case}");
    for (row, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert_eq!(found.len(), expected.len(), "{case}");
        for (column, (&found, &expected)) in found.iter().zip(expected).enumerate() {
            let off = (found - expected).abs();
            assert!(off <= tolerance(expected), "row {row}, column {column}: {found:e} for {expected:e} in {case}");
        }
    }
}

/// What this crate gives for a case.
fn answer(case: &Value) -> Rows {
    let given = &case["given"];
    let (number, list, count) = (|key: &str| float(&given[key]), |key: &str| floats(&given[key]), count(given));
    let diagonal = if given["excluded"] == true { Diagonal::Excluded } else { Diagonal::Included };
    let labels = match text(&case["builder"]) {
        "from_similarities" => from_similarities(&rows(&given["matrix"]), number("temperature"), diagonal),
        "from_distances" => from_distances(&rows(&given["matrix"]), number("temperature"), diagonal),
        "sord" => {
            let distance = if given["power"] == 1 { Distance::Absolute } else { Distance::Squared };
            sord(count("classes"), number("alpha"), distance)
        }
        "exponential" => exponential(count("classes"), number("power"), number("tau")),
        "binomial" => binomial(count("classes")),
        "poisson" => poisson(count("classes")),
        "triangular" => triangular(count("classes"), number("adjacent")),
        "prior_from_counts" => return one(&prior_from_counts(&list("counts"), number("floor")).unwrap()),
        "zipf_by_rank" => {
            let ranks: Vec<usize> = integers(&given["ranks"]).iter().map(|&rank| rank as usize).collect();
            return one(&zipf_by_rank(&ranks, number("exponent"), number("offset")).unwrap());
        }
        "two_hot" => scaled(given, ValueSupport::from_centres(list("centres")).unwrap()).two_hot(&list("values")),
        "hl_gauss" => scaled(given, ValueSupport::from_edges(list("edges")).unwrap())
            .hl_gauss(&list("values"), number("sigma_in_bins")),
        "expected_value" => {
            let support = scaled(given, ValueSupport::from_centres(list("centres")).unwrap());
            return vec![vec![support.expected_value(&list("probabilities")).unwrap()]];
        }
        "neighbour_labels" => {
            let offsets = integers(&given["offsets"]).into_iter().map(|offset| offset as isize);
            let offsets: Vec<(isize, f64)> = offsets.zip(list("weights")).collect();
            neighbour_labels(&integers(&given["labels"]), &[], &offsets).unwrap().dense(count("classes"))
        }
        "preference" => return preferences(given),
        other => panic!("no builder is called {other}"),
    };
    let labels: SoftLabels = labels.unwrap();
    (0..labels.rows()).map(|row| labels.row(row).to_vec()).collect()
}

/// Of each pair the loss, both rewards, and the derivatives of the sum of the losses.
fn preferences(given: &Value) -> Rows {
    let (beta, epsilon) = (float(&given["beta"]), float(&given["epsilon"]));
    let loss = match text(&given["kind"]) {
        "conservative" => PreferenceLoss::conservative(beta, epsilon),
        _ => PreferenceLoss::robust(beta, epsilon),
    };
    let pairs = rows(&given["pairs"]);
    let column = |index: usize| pairs.iter().map(|pair| pair[index]).collect::<Vec<f64>>();
    let columns = [column(0), column(1), column(2), column(3)];
    let [policy_chosen, policy_rejected, reference_chosen, reference_rejected] = &columns;
    let pairs = PreferencePairs { policy_chosen, policy_rejected, reference_chosen, reference_rejected };
    let outcome = loss.unwrap().evaluate(&pairs).unwrap();
    let count = outcome.losses.len();
    let mean = outcome.losses.iter().sum::<f64>() / count as f64;
    let size: f64 = outcome.losses.iter().map(|loss| loss.abs()).sum();
    assert!((mean - outcome.loss).abs() <= 1e-15 * size, "{mean} for {}", outcome.loss);
    let (chosen, rejected) = (&outcome.chosen_gradient, outcome.rejected_gradient());
    let row = |at: usize| {
        let slopes = [chosen[at] * count as f64, rejected[at] * count as f64];
        vec![outcome.losses[at], outcome.chosen_rewards[at], outcome.rejected_rewards[at], slopes[0], slopes[1]]
    };
    (0..count).map(row).collect()
}

fn scaled(given: &Value, support: ValueSupport) -> ValueSupport {
    if given["scale"] == "symlog" { support.symlog() } else { support }
}

fn one(label: &SoftLabel) -> Rows {
    vec![label.values().to_vec()]
}

fn cases(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn float(value: &Value) -> f64 {
    text(value).parse().unwrap()
}

fn floats(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(float).collect()
}

fn rows(value: &Value) -> Rows {
    value.as_array().unwrap().iter().map(floats).collect()
}

fn integers(value: &Value) -> Vec<i64> {
    value.as_array().unwrap().iter().map(|value| value.as_i64().unwrap()).collect()
}

fn count(given: &Value) -> impl Fn(&str) -> usize {
    |key| usize::try_from(given[key].as_u64().unwrap()).unwrap()
}
