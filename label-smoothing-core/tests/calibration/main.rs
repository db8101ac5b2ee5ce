//! Calibration measures against 60-digit answers and against scikit-learn's, and what they refuse.
//!
//! Inputs and exact answers: `vectors/calibration.json`, by `vectors/calibration.py`. scikit-learn's answers:
//! `vectors/calibration-scikit-learn.json`, by `vectors/ask_calibration.py`.

mod refusals;

use label_smoothing_core::calibration::{
    self, Binning, accuracy, brier_score, expected_calibration_error, fit_temperature, maximum_calibration_error,
    mean_confidence, negative_log_likelihood, over_confidence, reliability_bins, softmax, top_label,
};
use serde_json::Value;

fn cases(kind: &str) -> Vec<(Value, Value)> {
    let read = |text: &str| {
        let mut file: Value = serde_json::from_str(text).unwrap();
        let Value::Array(cases) = file[kind].take() else { panic!("{kind} is no list") };
        cases
    };
    let exact = read(include_str!("../../vectors/calibration.json"));
    let theirs = read(include_str!("../../vectors/calibration-scikit-learn.json"));
    assert!(exact.len() >= 8 && exact.iter().zip(&theirs).all(|(exact, theirs)| exact["name"] == theirs["name"]));
    exact.into_iter().zip(theirs).collect()
}

fn number(value: &Value) -> f64 {
    match value.as_str() {
        Some("-inf") => f64::NEG_INFINITY,
        _ => value.as_f64().unwrap_or_else(|| panic!("{value} is no number")),
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

fn close(what: &str, actual: f64, expected: &Value, tolerance: f64) {
    let expected = number(expected);
    let off = (actual - expected).abs();
    // Not `off > ...`, which a NaN would pass.
    assert!(off <= tolerance * expected.abs().max(1e-3), "{what}: {actual} is not {expected}");
}

struct Predictions {
    name: String,
    classes: usize,
    logits: Vec<f64>,
    targets: Vec<u8>,
}

impl Predictions {
    fn read(case: &Value) -> Self {
        let rows: Vec<Vec<f64>> = case["logits"].as_array().unwrap().iter().map(numbers).collect();
        Self {
            name: case["name"].as_str().unwrap().to_owned(),
            classes: rows[0].len(),
            logits: rows.concat(),
            targets: numbers(&case["targets"]).into_iter().map(|target| target as u8).collect(),
        }
    }
}

#[test]
fn scores_are_the_exact_ones_and_those_of_scikit_learn() {
    let mut shared = 0;
    for (exact, theirs) in cases("predictions") {
        let Predictions { name, classes, logits, targets } = Predictions::read(&exact);
        let nll = negative_log_likelihood(&logits, classes, &targets, 1.0).unwrap();
        close(&format!("{name}: nll"), nll, &exact["nll"], 1e-13);
        let probabilities = softmax(&logits, classes, 1.0).unwrap();
        let brier = brier_score(&probabilities, classes, &targets).unwrap();
        close(&format!("{name}: brier"), brier, &exact["brier"], 1e-12);
        let top = top_label(&probabilities, classes, &targets).unwrap();
        let confidence = mean_confidence(&top.confidences).unwrap();
        close(&format!("{name}: mean confidence"), confidence, &exact["mean_confidence"], 1e-13);
        close(&format!("{name}: accuracy"), accuracy(&top.correct).unwrap(), &exact["accuracy"], 1e-15);
        for (key, ours) in [("nll", nll), ("brier", brier)] {
            if !theirs[key].is_null() {
                close(&format!("{name}: scikit-learn's {key}"), ours, &theirs[key], 1e-12);
                shared += 1;
            }
        }
    }
    assert_eq!(shared, 7 + 9, "figures that scikit-learn has too");
}

#[test]
fn the_temperature_is_the_exact_one_and_that_of_scikit_learn() {
    let mut shared = 0;
    for (exact, theirs) in cases("predictions") {
        let Predictions { name, classes, logits, targets } = Predictions::read(&exact);
        let fit = fit_temperature(&logits, classes, &targets).unwrap();
        close(&name, fit.temperature, &exact["temperature"], 1e-9);
        // Near 0 there is nothing but rounding.
        let expected = number(&exact["nll_at_temperature"]);
        assert!((fit.negative_log_likelihood - expected).abs() <= 1e-12 * expected.max(1e-3), "{name}: {fit:?}");
        assert_eq!(fit.at_bound, exact["at_bound"].as_bool().unwrap(), "{name}");
        if !theirs["temperature"].is_null() {
            // Its optimiser stops at 64 times the roundoff of f64 in the logarithm's bracket, or before.
            close(&format!("{name}: scikit-learn's"), fit.temperature, &theirs["temperature"], 1e-6);
            shared += 1;
        }
    }
    assert_eq!(shared, 5, "temperatures that scikit-learn fits too");
}

/// No neighbour is better, and scaling the logits scales the temperature.
#[test]
fn the_temperature_is_a_minimum_and_scales_with_the_logits() {
    for (exact, _) in cases("predictions") {
        let Predictions { name, classes, logits, targets } = Predictions::read(&exact);
        let fit = fit_temperature(&logits, classes, &targets).unwrap();
        if fit.at_bound || name == "equal logits" || name == "one class" {
            continue;
        }
        for factor in [0.9, 0.999, 1.001, 1.1] {
            let near = negative_log_likelihood(&logits, classes, &targets, factor * fit.temperature).unwrap();
            assert!(near > fit.negative_log_likelihood, "{name}: {factor}");
        }
        let doubled: Vec<f64> = logits.iter().map(|z| 2.0 * z).collect();
        let twice = fit_temperature(&doubled, classes, &targets).unwrap();
        assert!((twice.temperature / fit.temperature - 2.0).abs() < 1e-9, "{name}: {}", twice.temperature);
        let scaled: Vec<f64> = logits.iter().map(|z| z / fit.temperature).collect();
        assert!((fit_temperature(&scaled, classes, &targets).unwrap().temperature - 1.0).abs() < 1e-9, "{name}");
    }
}

fn confidences(case: &Value) -> (Vec<f64>, Vec<bool>) {
    let correct = numbers(&case["correct"]).into_iter().map(|hit| hit == 1.0).collect();
    (numbers(&case["confidences"]), correct)
}

#[test]
fn bins_and_their_errors_are_the_exact_ones_and_those_of_scikit_learn() {
    let mut shared = 0;
    for (exact, theirs) in cases("confidences") {
        let (confidences, correct) = confidences(&exact);
        let gap = over_confidence(&confidences, &correct).unwrap();
        close("over-confidence", gap, &exact["over_confidence"], 1e-13);
        for (binning, ours, curves) in [
            (Binning::EqualWidth as fn(usize) -> Binning, "equal_width", "uniform"),
            (Binning::EqualMass, "equal_mass", "quantile"),
        ] {
            for (at, expected) in exact[ours].as_array().unwrap().iter().enumerate() {
                let binning = binning(expected["bins"].as_u64().unwrap() as usize);
                let what = format!("{}, {binning:?}", exact["name"]);
                let bins = reliability_bins(&confidences, &correct, binning).unwrap();
                let counts =
                    |of: fn(&calibration::Bin) -> usize| bins.iter().map(of).map(|n| n as f64).collect::<Vec<_>>();
                assert_eq!(counts(|bin| bin.count), numbers(&expected["counts"]), "{what}");
                assert_eq!(counts(|bin| bin.correct), numbers(&expected["correct"]), "{what}");
                let ece = expected_calibration_error(&confidences, &correct, binning).unwrap();
                close(&what, ece, &expected["ece"], 1e-13);
                let mce = maximum_calibration_error(&confidences, &correct, binning).unwrap();
                close(&what, mce, &expected["mce"], 1e-13);
                if !theirs[curves].is_null() {
                    curve_is(&what, &bins, &theirs[curves][at]);
                    shared += 1;
                }
            }
        }
    }
    assert_eq!(shared, 6 * 2 * 7, "curves that scikit-learn draws too");
}

/// The share that is correct and the mean confidence of the bins that are not empty.
fn curve_is(what: &str, bins: &[calibration::Bin], curve: &Value) {
    let filled = || bins.iter().filter(|bin| bin.count > 0);
    let accuracies: Vec<f64> = filled().map(|bin| bin.accuracy).collect();
    let confidences: Vec<f64> = filled().map(|bin| bin.mean_confidence).collect();
    for (side, ours) in [accuracies, confidences].into_iter().enumerate() {
        let theirs = numbers(&curve[side]);
        assert_eq!(ours.len(), theirs.len(), "{what}");
        for (ours, theirs) in ours.iter().zip(theirs) {
            assert!((ours - theirs).abs() < 1e-13, "{what}: {ours} is not {theirs}");
        }
    }
}

#[test]
fn a_single_bin_is_the_absolute_over_confidence() {
    for (exact, _) in cases("confidences") {
        let (confidences, correct) = confidences(&exact);
        let gap = over_confidence(&confidences, &correct).unwrap();
        for binning in [Binning::EqualWidth(1), Binning::EqualMass(1)] {
            let error = expected_calibration_error(&confidences, &correct, binning).unwrap();
            assert!((error - gap.abs()).abs() <= 1e-16, "{error} is not |{gap}|");
        }
    }
}

/// What is binned is the collection, not its order.
#[test]
fn the_order_of_the_rows_does_not_matter() {
    for (exact, _) in cases("confidences") {
        let (confidences, correct) = confidences(&exact);
        let backwards: (Vec<f64>, Vec<bool>) =
            (confidences.iter().rev().copied().collect(), correct.iter().rev().copied().collect());
        for binning in [Binning::EqualWidth(10), Binning::EqualMass(10)] {
            let one = expected_calibration_error(&confidences, &correct, binning).unwrap();
            let other = expected_calibration_error(&backwards.0, &backwards.1, binning).unwrap();
            assert!((one - other).abs() <= 1e-15, "{}: {one} and {other}", exact["name"]);
        }
    }
}

#[test]
fn an_edge_belongs_to_the_bin_below_it() {
    let counts = |confidences: &[f64], binning| -> Vec<usize> {
        let correct = vec![true; confidences.len()];
        reliability_bins(confidences, &correct, binning).unwrap().iter().map(|bin| bin.count).collect()
    };
    let next = |x: f64| f64::from_bits(x.to_bits() + 1);
    assert_eq!(counts(&[0.0, 0.25, next(0.25), 0.5, 0.75, next(0.75), 1.0], Binning::EqualWidth(4)), [2, 2, 1, 2]);
    assert_eq!(counts(&[0.1, 0.2, 0.3, 0.7, next(0.7), 0.9], Binning::EqualWidth(10)), [1, 1, 1, 0, 0, 0, 1, 1, 1, 0]);
    assert_eq!(counts(&[0.1, 0.2, 0.3, 0.4, 0.5, 0.6], Binning::EqualMass(3)), [2, 2, 2]);
    assert_eq!(counts(&[0.5; 6], Binning::EqualMass(3)), [6, 0, 0]);
}

#[test]
fn an_empty_bin_has_no_mean_and_is_no_error() {
    let bins = reliability_bins(&[0.9, 1.0], &[true, false], Binning::EqualWidth(2)).unwrap();
    assert_eq!((bins[0].lower, bins[0].upper, bins[0].count, bins[0].correct), (0.0, 0.5, 0, 0));
    assert!(bins[0].mean_confidence.is_nan() && bins[0].accuracy.is_nan());
    assert_eq!((bins[1].mean_confidence, bins[1].accuracy), (0.95, 0.5));
}

/// Half types are widened, and the targets may be of any width.
#[test]
fn every_element_type_is_taken() {
    use label_smoothing_core::{bf16, f16};
    let logits = [1.5, -0.25, 0.0, 2.0, 2.0, -1.0];
    let expected = negative_log_likelihood(&logits, 3, &[0_i64, 1], 1.0).unwrap();
    let nll = [
        negative_log_likelihood(&logits.map(|z| z as f32), 3, &[0_u8, 1], 1.0).unwrap(),
        negative_log_likelihood(&logits.map(f16::from_f64), 3, &[0_u64, 1], 1.0).unwrap(),
        negative_log_likelihood(&logits.map(bf16::from_f64), 3, &[0_i128, 1], 1.0).unwrap(),
    ];
    assert_eq!(nll, [expected; 3]);
    // Of equal logits, the first is named.
    let top = top_label(&softmax(&logits, 3, 1.0).unwrap(), 3, &[0_u32, 1]).unwrap();
    assert_eq!(top.correct, [true, false]);
}

#[test]
fn a_confidently_wrong_row_has_a_finite_score() {
    let logits = [800.0, 0.0, f64::NEG_INFINITY];
    assert_eq!(negative_log_likelihood(&logits, 3, &[1], 1.0).unwrap(), 800.0);
    assert_eq!(negative_log_likelihood(&logits, 3, &[1], 100.0).unwrap(), 8.0 + (-8.0_f64).exp().ln_1p());
    assert_eq!(negative_log_likelihood(&logits, 3, &[2], 1.0).unwrap(), f64::INFINITY);
    assert_eq!(softmax(&logits, 3, 1.0).unwrap(), [1.0, (-800.0_f64).exp(), 0.0]);
    let right = negative_log_likelihood(&[40.0, 0.0], 2, &[0], 1.0).unwrap();
    assert!((right / (-40.0_f64).exp() - 1.0).abs() < 1e-15, "{right}");
}
