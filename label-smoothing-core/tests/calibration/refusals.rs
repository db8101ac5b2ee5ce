//! What has no calibration, refused in words that name value, place and range.

use std::fmt::Debug;

use label_smoothing_core::calibration::{
    Binning, accuracy, brier_score, expected_calibration_error, fit_temperature, mean_confidence,
    negative_log_likelihood, over_confidence, reliability_bins, softmax, top_label,
};
use label_smoothing_core::{Error, ErrorKind};

fn refused<T: Debug>(result: Result<T, Error>, kind: ErrorKind, message: &str) {
    let error = result.unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (kind, message));
}

const INVALID: ErrorKind = ErrorKind::InvalidPredictions;

#[test]
fn confidences_that_are_none() {
    for (value, text) in [(f64::NAN, "NaN"), (-0.5, "-0.5"), (1.5, "1.5"), (f64::INFINITY, "inf")] {
        let message = format!("the confidence of row 1 is {text}, but must be between 0 and 1");
        let (confidences, correct) = ([0.5, value], [true, false]);
        refused(mean_confidence(&confidences), INVALID, &message);
        refused(over_confidence(&confidences, &correct), INVALID, &message);
        for binning in [Binning::EqualWidth(2), Binning::EqualMass(2)] {
            refused(expected_calibration_error(&confidences, &correct, binning), INVALID, &message);
        }
    }
    refused(over_confidence(&[0.5, 0.5], &[true]), ErrorKind::BufferLength, "1 elements in correct, but 2 are needed");
}

#[test]
fn nothing_to_measure() {
    let message = "the number of rows is 0, but must be at least 1";
    refused(accuracy(&[]), INVALID, message);
    refused(mean_confidence(&[]), INVALID, message);
    refused(reliability_bins(&[], &[], Binning::EqualMass(3)), INVALID, message);
    refused(softmax::<f32>(&[], 3, 1.0), INVALID, message);
    refused(brier_score::<f32, i64>(&[], 3, &[]), INVALID, message);
    refused(fit_temperature::<f32, i64>(&[], 3, &[]), INVALID, message);
    let message = "the number of classes is 0, but must be at least 1";
    refused(top_label::<f32, i64>(&[], 0, &[]), INVALID, message);
    refused(negative_log_likelihood(&[1.0], 0, &[0], 1.0), INVALID, message);
}

#[test]
fn numbers_of_bins_that_are_none() {
    for (bins, text) in [(0, "0"), (65_537, "65537"), (1_000_000_000_000, "1000000000000")] {
        for binning in [Binning::EqualWidth(bins), Binning::EqualMass(bins)] {
            let message = format!("the number of bins is {text}, but must be between 1 and 65536");
            refused(reliability_bins(&[0.5], &[true], binning), INVALID, &message);
        }
    }
    assert_eq!(reliability_bins(&[0.5], &[true], Binning::EqualMass(65_536)).unwrap().len(), 65_536);
}

#[test]
fn logits_without_a_softmax() {
    let nan = [0.0, 1.0, 2.0, f64::NAN];
    let message = "the logit of row 1, class 1 is NaN, but must be finite or -inf";
    refused(softmax(&nan, 2, 1.0), INVALID, message);
    refused(negative_log_likelihood(&nan, 2, &[0, 1], 1.0), INVALID, message);
    refused(fit_temperature(&nan, 2, &[0, 1]), INVALID, message);
    let message = "the logit of row 0, class 2 is inf, but must be finite or -inf";
    refused(softmax(&[0.0, 0.0, f32::INFINITY], 3, 1.0), INVALID, message);
    let message = "the largest logit of row 1 is -inf, but must be finite";
    let masked = [0.0, 0.0, f64::NEG_INFINITY, f64::NEG_INFINITY];
    refused(softmax(&masked, 2, 1.0), INVALID, message);
    refused(fit_temperature(&masked, 2, &[0, 1]), INVALID, message);
    let message = "the logit of row 0's target, class 1 is -inf, but must be finite";
    refused(fit_temperature(&[0.0, f64::NEG_INFINITY], 2, &[1]), INVALID, message);
}

#[test]
fn temperatures_that_are_none() {
    for (temperature, text) in [(0.0, "0"), (-1.0, "-1"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        let message = format!("the temperature is {text}, but must be positive and finite");
        refused(softmax(&[1.0, 2.0], 2, temperature), INVALID, &message);
        refused(negative_log_likelihood(&[1.0, 2.0], 2, &[0], temperature), INVALID, &message);
    }
}

#[test]
fn probabilities_and_targets_that_are_none() {
    for (value, text) in [(f32::NAN, "NaN"), (-0.25, "-0.25"), (1.25, "1.25")] {
        let message = format!("the probability of row 1, class 0 is {text}, but must be between 0 and 1");
        refused(brier_score(&[0.5, 0.5, value, 0.5], 2, &[0, 1]), INVALID, &message);
        refused(top_label(&[0.5, 0.5, value, 0.5], 2, &[0, 1]), INVALID, &message);
    }
    let target = "the target of row 1 is 2, but the classes are 0 to 1";
    refused(brier_score(&[0.5; 4], 2, &[0, 2]), ErrorKind::TargetOutOfRange, target);
    refused(fit_temperature(&[0.5; 4], 2, &[0, 2]), ErrorKind::TargetOutOfRange, target);
    let target = "the target of row 0 is -100, but the classes are 0 to 1";
    refused(top_label(&[0.5; 4], 2, &[-100, 1]), ErrorKind::TargetOutOfRange, target);
    let message = "3 elements in targets, but 2 are needed";
    refused(negative_log_likelihood(&[0.5; 4], 2, &[0, 1, 0], 1.0), ErrorKind::BufferLength, message);
    let message = "5 elements in logits, but 6 are needed";
    refused(softmax(&[0.5; 5], 2, 1.0), ErrorKind::BufferLength, message);
}
