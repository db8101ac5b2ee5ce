//! Misuse gives an error that names value and place, never a panic or a wrong number.

use crate::common::{classes, tensor};
use burn::tensor::{Bool, DType, Device, Int, Tensor, TensorData};
use label_smoothing_burn::{
    BurnTargets, Config, Denominator, EmptyMean, Error, ErrorKind, LossError, Masked, Mixed, Probabilities,
    SmoothedBinaryCrossEntropy, SmoothedCrossEntropy, SmoothedLoss, Weighted, burn,
};

/// Two rows of three classes.
fn logits() -> Tensor<2> {
    tensor(&[1.0_f32, 0.0, -1.0, 0.5, 2.0, 0.0], [2, 3], &Device::flex())
}

fn targets() -> Tensor<1, Int> {
    classes(&[0, 2], [2], &Device::flex())
}

fn floats<const R: usize>(values: &[f32], dims: [usize; R]) -> Tensor<R> {
    tensor(values, dims, &Device::flex())
}

fn bools<const R: usize>(values: &[bool], dims: [usize; R]) -> Tensor<R, Bool> {
    Tensor::from_data(TensorData::new(values.to_vec(), dims), &Device::flex())
}

/// Every way to ask must refuse for the same reason and in the same words.
#[track_caller]
fn refused<Y: BurnTargets + Clone>(config: &Config, logits: &Tensor<2>, targets: &Y, kind: ErrorKind, words: &[&str]) {
    let criterion = SmoothedCrossEntropy::from_config(config.clone()).unwrap();
    let tracked = logits.clone().autodiff().require_grad();
    let errors = [
        criterion.loss(logits.clone(), targets.clone()).err(),
        criterion.row_losses(logits.clone(), targets.clone()).err(),
        criterion.loss(tracked.clone(), targets.clone()).err(),
        criterion.row_losses(tracked, targets.clone()).err(),
        criterion.composed().loss(logits.clone(), targets.clone()).err(),
        criterion.composed().row_losses(logits.clone(), targets.clone()).err(),
    ];
    for error in errors {
        check(&error.expect("a refusal"), kind, words);
    }
}

#[track_caller]
fn check(error: &Error, kind: ErrorKind, words: &[&str]) {
    assert_eq!(LossError::kind(error), kind, "{error}");
    let message = error.to_string();
    for word in words {
        assert!(message.contains(word), "`{word}` is not in: {message}");
    }
}

fn plain() -> Config {
    Config::cross_entropy().build().unwrap()
}

#[test]
fn targets_of_the_wrong_shape() {
    let device = Device::flex();
    let kind = ErrorKind::TargetShape;
    refused(&plain(), &logits(), &classes(&[0, 1, 2], [3], &device), kind, &["the targets", "[3]", "[2]", "[2, 3]"]);
    refused(&plain(), &logits(), &classes(&[0, 1], [2, 1], &device), kind, &["the targets", "[2, 1]"]);
    refused(&plain(), &logits(), &classes(&[], [0], &device), kind, &["the targets", "[0]"]);
    refused(&plain(), &logits(), &Probabilities(floats(&[0.5; 4], [2, 2])), kind, &["probabilities", "[2, 2]"]);
    refused(&plain(), &logits(), &Probabilities(floats(&[0.5; 6], [3, 2])), kind, &["probabilities", "[3, 2]"]);
    let lambda = floats(&[0.5; 3], [3]);
    let mixed = Mixed { first: targets(), second: targets(), lambda };
    refused(&plain(), &logits(), &mixed, kind, &["lambda", "[3]"]);
    let second = classes(&[0], [1], &device);
    let mixed = Mixed { first: targets(), second, lambda: floats(&[0.5; 2], [2]) };
    refused(&plain(), &logits(), &mixed, ErrorKind::TargetShape, &[]);
}

#[test]
fn masks_and_row_weights_of_the_wrong_shape() {
    let mask = bools(&[true; 6], [2, 3]);
    let kind = ErrorKind::MaskShape;
    refused(&plain(), &logits(), &Masked { targets: targets(), mask }, kind, &["[2, 3]", "[2]"]);
    let mask = bools(&[true], [1]);
    refused(&plain(), &logits(), &Masked { targets: targets(), mask }, kind, &["[1]", "[2]"]);
    let weighted = |values: &[f32]| Weighted { targets: targets(), row_weights: floats(values, [values.len()]) };
    let kind = ErrorKind::InvalidRowWeights;
    refused(&plain(), &logits(), &weighted(&[1.0; 3]), kind, &["[3]", "[2]"]);
    refused(&plain(), &logits(), &weighted(&[1.0, -0.5]), kind, &["row 1", "-0.5"]);
    refused(&plain(), &logits(), &weighted(&[f32::INFINITY, 1.0]), kind, &["row 0", "inf"]);
}

#[test]
fn targets_that_are_no_class() {
    let kind = ErrorKind::TargetOutOfRange;
    let cases: [(DType, TensorData, &str); 7] = [
        (DType::I64, TensorData::from([0_i64, -1]), "-1"),
        (DType::I64, TensorData::from([0_i64, 3]), "3"),
        (DType::I64, TensorData::from([0, i64::MIN]), "-9223372036854775808"),
        (DType::I32, TensorData::from([0_i32, -1]), "-1"),
        (DType::U8, TensorData::from([0_u8, u8::MAX]), "255"),
        (DType::U32, TensorData::from([0_u32, u32::MAX]), "4294967295"),
        // Beyond i64: the nearest that core can name, and not a negative number.
        (DType::U64, TensorData::from([0_u64, u64::MAX]), "9223372036854775807"),
    ];
    for (dtype, data, value) in cases {
        let targets = Tensor::<1, Int>::from_data(data, (&Device::flex(), dtype));
        assert_eq!(targets.dtype(), dtype);
        let words = ["row 1", &format!("is {value},"), "0 to 2"];
        refused(&plain(), &logits(), &targets, kind, &words);
        // Masked, the same row is not looked at.
        let criterion = SmoothedCrossEntropy::from_config(plain()).unwrap();
        let masked = Masked { targets, mask: bools(&[true, false], [2]) };
        assert!(criterion.loss(logits(), masked).is_ok());
    }
    let ignoring = Config::cross_entropy().ignore_index([-1]).build().unwrap();
    let targets = Tensor::<1, Int>::from_data(TensorData::from([-1, 5]), (&Device::flex(), DType::I32));
    refused(&ignoring, &logits(), &targets, kind, &["row 1", "is 5", "-1 is ignored"]);
}

#[test]
fn probabilities_and_mixing_factors_out_of_range() {
    let kind = ErrorKind::InvalidTargets;
    let negative = floats(&[0.5, 0.5, 0.0, 1.0, -0.25, 0.25], [2, 3]);
    refused(&plain(), &logits(), &Probabilities(negative), kind, &["row 1, class 1", "-0.25"]);
    let not_a_number = floats(&[f32::NAN, 0.5, 0.0, 1.0, 0.0, 0.0], [2, 3]);
    refused(&plain(), &logits(), &Probabilities(not_a_number), kind, &["row 0, class 0", "NaN"]);
    let mixed = Mixed { first: targets(), second: targets(), lambda: floats(&[0.5, 1.5], [2]) };
    refused(&plain(), &logits(), &mixed, kind, &["row 1", "1.5"]);
}

#[test]
fn element_types_without_a_place() {
    use burn::tensor::quantization::QuantScheme;
    let kind = ErrorKind::UnsupportedDtype;
    let quantized = logits().quantize_dynamic(&QuantScheme::default());
    refused(&plain(), &quantized, &targets(), kind, &["logits", "f32, f64, f16 or bf16"]);
    let soft = floats(&[0.5; 6], [2, 3]).quantize_dynamic(&QuantScheme::default());
    refused(&plain(), &logits(), &Probabilities(soft), kind, &["the target probabilities"]);
}

#[test]
fn no_classes_and_no_such_axis() {
    let empty = Tensor::<2>::zeros([2, 0], &Device::flex());
    refused(&plain(), &empty, &targets(), ErrorKind::NoClasses, &["[2, 0]", "axis 1"]);
    let axis = Config::cross_entropy().class_axis(2).build().unwrap();
    refused(&axis, &logits(), &targets(), ErrorKind::LogitsRank, &["rank 2", "axis 2"]);
}

/// burn has no tensors of rank 0: one row of logits has its target in a tensor of shape `[1]`, and is told so.
#[test]
fn one_row_of_rank_one() {
    let device = Device::flex();
    let logits = floats(&[1.0, 0.0, -1.0], [3]);
    let criterion = SmoothedCrossEntropy::new(0.1).unwrap();
    assert_eq!(criterion.row_losses(logits.clone(), classes(&[1], [1], &device)).unwrap().dims(), [1]);
    let error = criterion.loss(logits.clone(), classes(&[1, 0], [2], &device)).err().unwrap();
    check(&error, ErrorKind::TargetShape, &["shape [2]", "need [1]"]);
    let mask = bools(&[true, false], [2]);
    let masked = Masked { targets: classes(&[1], [1], &device), mask };
    check(&criterion.loss(logits.clone(), masked).err().unwrap(), ErrorKind::MaskShape, &["[2]", "of shape [1]"]);
    let row_weights = floats(&[1.0, 1.0], [2]);
    let weighted = Weighted { targets: classes(&[1], [1], &device), row_weights };
    check(&criterion.loss(logits, weighted).err().unwrap(), ErrorKind::InvalidRowWeights, &["[2]", "of shape [1]"]);
}

#[test]
fn configurations_that_do_not_fit() {
    let weights = Config::cross_entropy().class_weights([1.0, 2.0]).build().unwrap();
    refused(&weights, &logits(), &targets(), ErrorKind::ClassWeightCount, &["2 class weights", "3 classes"]);
    let ignoring = Config::cross_entropy().ignore_index([-100]).build().unwrap();
    let soft = Probabilities(floats(&[0.5; 6], [2, 3]));
    refused(&ignoring, &logits(), &soft, ErrorKind::InvalidConfiguration, &["ignore_index", "probabilities"]);
    assert_eq!(SmoothedCrossEntropy::new(f64::NAN).unwrap_err().kind(), ErrorKind::InvalidSmoothing);
    assert_eq!(SmoothedBinaryCrossEntropy::from_config(plain()).unwrap_err().kind(), ErrorKind::InvalidConfiguration);
}

#[test]
fn a_mean_over_nothing_where_that_is_an_error() {
    let config = Config::cross_entropy().ignore_index([-100]).empty_mean(EmptyMean::Error);
    let criterion = SmoothedCrossEntropy::from_config(config.build().unwrap()).unwrap();
    let ignored = || classes(&[-100, -100], [2], &Device::flex());
    let tracked = logits().autodiff().require_grad();
    for error in [
        criterion.loss(logits(), ignored()).err(),
        criterion.loss(tracked, ignored()).err(),
        criterion.composed().loss(logits(), ignored()).err(),
    ] {
        check(&error.unwrap(), ErrorKind::EmptyMean, &["weights"]);
    }
    // Row losses are no mean.
    assert!(criterion.row_losses(logits(), ignored()).is_ok());
    assert!(criterion.composed().row_losses(logits(), ignored()).is_ok());
    // Over all rows, nothing ignored is missing.
    let all = criterion.config().to_builder().denominator(Denominator::All).build().unwrap();
    let all = SmoothedCrossEntropy::from_config(all).unwrap();
    assert_eq!(all.loss(logits(), ignored()).unwrap().into_scalar::<f32>(), 0.0);
}
