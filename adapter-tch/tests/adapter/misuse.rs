//! Misuse gives an error of the right kind that names value and place, never a panic or a number.

use crate::common::{self, elements, leaf, meta, tensor};
use label_smoothing_tch::tch::{Kind, Tensor};
use label_smoothing_tch::{
    Config, EmptyMean, Error, ErrorKind, Masked, Mixed, Probabilities, SmoothedBinaryCrossEntropy,
    SmoothedCrossEntropy, SmoothedLoss, TchTargets, Weighted,
};

fn logits() -> Tensor {
    leaf(&[2, 3], &elements::<f32>(6, 51))
}

/// All four ways to the loss refuse, for the same reason and in the same words.
fn refused<'a, Y: TchTargets<'a> + Copy>(logits: &Tensor, targets: Y) -> Error {
    let criterion = SmoothedCrossEntropy::new(0.1).unwrap();
    refused_by(&criterion, logits, targets)
}

fn refused_by<'a, Y: TchTargets<'a> + Copy>(criterion: &SmoothedCrossEntropy, logits: &Tensor, targets: Y) -> Error {
    let error = criterion.loss(logits, targets).unwrap_err();
    let others = [
        criterion.row_losses(logits, targets).unwrap_err(),
        criterion.composed().loss(logits, targets).unwrap_err(),
        criterion.composed().row_losses(logits, targets).unwrap_err(),
    ];
    for other in others {
        assert_eq!((other.kind(), first_line(&other)), (error.kind(), first_line(&error)));
    }
    error
}

/// What follows in messages of libtorch is its stack.
fn first_line(error: &Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

fn assert_refused(error: &Error, kind: ErrorKind, words: &[&str]) {
    assert_eq!(error.kind(), kind, "{error}");
    let message = first_line(error);
    for word in words {
        assert!(message.contains(word), "`{message}` does not say `{word}`");
    }
}

#[test]
fn target_indices_that_are_no_class() {
    for (value, name) in
        [(3, "3"), (-1, "-1"), (-100, "-100"), (i64::from(u32::MAX), "4294967295"), (i64::MAX, "9223372036854775807")]
    {
        let targets = Tensor::from_slice(&[0, value]);
        assert_refused(&refused(&logits(), &targets), ErrorKind::TargetOutOfRange, &["row 1", name, "0 to 2"]);
    }
    let bytes = Tensor::from_slice(&[255_u8, 0]);
    assert_refused(&refused(&logits(), &bytes), ErrorKind::TargetOutOfRange, &["row 0", "255"]);
    let config = Config::cross_entropy().ignore_index([-1, i64::from(u32::MAX)]).build().unwrap();
    let criterion = SmoothedCrossEntropy::from_config(config).unwrap();
    let targets = Tensor::from_slice(&[-1, i64::from(u32::MAX)]);
    assert_eq!(common::read(&criterion.row_losses(&logits(), &targets).unwrap()), [0.0, 0.0]);
}

#[test]
fn targets_of_another_shape() {
    let classes = Tensor::from_slice(&[0_i64, 1, 2]);
    assert_refused(&refused(&logits(), &classes), ErrorKind::TargetShape, &["the targets", "[3]", "[2]", "[2, 3]"]);
    let column = Tensor::from_slice(&[0_i64, 1]).reshape([2, 1]);
    assert_refused(&refused(&logits(), &column), ErrorKind::TargetShape, &["[2, 1]"]);
    let soft = Tensor::ones([3, 2], (Kind::Float, logits().device()));
    assert_refused(&refused(&logits(), Probabilities(&soft)), ErrorKind::TargetShape, &["probabilities", "[3, 2]"]);
    let two = Tensor::from_slice(&[0_i64, 1]);
    let factors = Tensor::from_slice(&[0.5_f32]);
    let mixed = Mixed { first: &two, second: &two, lambda: &factors };
    assert_refused(&refused(&logits(), mixed), ErrorKind::TargetShape, &["lambda", "[1]"]);
    let mixed = Mixed { first: &two, second: &classes, lambda: &factors };
    assert_refused(&refused(&logits(), mixed), ErrorKind::TargetShape, &["the second targets", "[3]"]);
}

#[test]
fn targets_of_another_kind() {
    let floats = Tensor::from_slice(&[0.0_f32, 1.0]);
    let integers = Tensor::from_slice(&[0_i64, 1]);
    let dtype = ErrorKind::UnsupportedDtype;
    assert_refused(&refused(&logits(), &floats), dtype, &["the targets", "Float", "Int64"]);
    assert_refused(&refused(&logits(), &floats.to_kind(Kind::Bool)), dtype, &["the targets", "Bool"]);
    let soft = Tensor::ones([2, 3], (Kind::Int64, logits().device()));
    assert_refused(&refused(&logits(), Probabilities(&soft)), dtype, &["probabilities", "Int64", "Double"]);
    let mixed = Mixed { first: &integers, second: &floats, lambda: &floats };
    assert_refused(&refused(&logits(), mixed), dtype, &["the second targets", "Float"]);
    let mixed = Mixed { first: &integers, second: &integers, lambda: &integers };
    assert_refused(&refused(&logits(), mixed), dtype, &["lambda", "Int64"]);
    let masked = Masked { targets: &integers, mask: &floats };
    assert_refused(&refused(&logits(), masked), dtype, &["row mask", "Float", "Bool"]);
    let weighted = Weighted { targets: &integers, row_weights: &integers };
    assert_refused(&refused(&logits(), weighted), dtype, &["row weights", "Int64"]);
}

#[test]
fn masks_weights_and_factors_that_do_not_fit() {
    let classes = Tensor::from_slice(&[0_i64, 1]);
    let mask = Tensor::from_slice(&[true, false, true]);
    let masked = Masked { targets: &classes, mask: &mask };
    assert_refused(&refused(&logits(), masked), ErrorKind::MaskShape, &["row mask", "[3]", "[2]"]);
    let weights = Tensor::from_slice(&[1.0_f64]);
    let weighted = Weighted { targets: &classes, row_weights: &weights };
    assert_refused(&refused(&logits(), weighted), ErrorKind::InvalidRowWeights, &["row weights", "[1]"]);
    let weights = Tensor::from_slice(&[1.0_f64, -0.5]);
    let weighted = Weighted { targets: &classes, row_weights: &weights };
    assert_refused(&refused(&logits(), weighted), ErrorKind::InvalidRowWeights, &["row 1", "-0.5"]);
    let factors = Tensor::from_slice(&[1.5_f32, 0.0]);
    let mixed = Mixed { first: &classes, second: &classes, lambda: &factors };
    assert_refused(&refused(&logits(), mixed), ErrorKind::InvalidTargets, &["lambda", "row 0", "1.5"]);
    let soft = Tensor::from_slice(&[1.0_f32, 0.0, 0.0, 0.0, f32::NAN, 0.0]).reshape([2, 3]);
    assert_refused(&refused(&logits(), Probabilities(&soft)), ErrorKind::InvalidTargets, &["row 1", "class 1", "NaN"]);
}

#[test]
fn logits_without_classes_or_of_another_kind() {
    let classes = Tensor::from_slice(&[0_i64, 1]);
    let scalar = Tensor::from(1.0_f32);
    assert_refused(&refused(&scalar, &classes), ErrorKind::LogitsRank, &["rank 0"]);
    let none = Tensor::zeros([2, 0], (Kind::Float, scalar.device()));
    assert_refused(&refused(&none, &classes), ErrorKind::NoClasses, &["[2, 0]", "axis 1"]);
    let config = Config::cross_entropy().class_axis(2).build().unwrap();
    let error = refused_by(&SmoothedCrossEntropy::from_config(config).unwrap(), &logits(), &classes);
    assert_refused(&error, ErrorKind::LogitsRank, &["rank 2", "axis 2"]);
    for kind in [Kind::Int64, Kind::Bool, Kind::ComplexFloat, Kind::Float8e5m2] {
        let other = logits().detach().to_kind(kind);
        assert_refused(
            &refused(&other, &classes),
            ErrorKind::UnsupportedDtype,
            &["the logits", &format!("{kind:?}"), "Float"],
        );
    }
}

/// Tensors whose sizes, strides or data make tch panic, in the place of the logits and of the targets.
#[test]
fn tensors_that_are_not_dense() {
    let classes = Tensor::from_slice(&[0_i64, 1]);
    let dense = logits().detach();
    let quantised = dense.quantize_per_tensor(0.1, 0, Kind::QUInt8);
    assert_refused(&refused(&quantised, &classes), ErrorKind::UnsupportedDtype, &["the logits", "QUInt8"]);
    let sizes = Tensor::from_slice(&[1_i64, 3, 1, 3]).reshape([2, 2]);
    let strides = Tensor::from_slice(&[3_i64, 1, 3, 1]).reshape([2, 2]);
    let nested =
        dense.flatten(0, -1).internal_nested_view_from_buffer(&sizes, &strides, &Tensor::from_slice(&[0_i64, 3]));
    let all = [
        (dense.to_sparse_sparse_dim(2), ErrorKind::UnsupportedDtype, "sparse (COO)"),
        (dense.to_sparse_csr(None), ErrorKind::UnsupportedDtype, "sparse (CSR or BSR)"),
        (dense.to_sparse_csc(None), ErrorKind::UnsupportedDtype, "sparse (CSC or BSC)"),
        (dense.to_sparse_bsr([1_i64, 1], None), ErrorKind::UnsupportedDtype, "sparse (CSR or BSR)"),
        (dense.to_mkldnn(), ErrorKind::UnsupportedDtype, "MKL-DNN"),
        (nested, ErrorKind::Framework, "Nested"),
        (Tensor::new(), ErrorKind::UnsupportedDtype, "undefined"),
    ];
    for (other, kind, word) in &all {
        assert_refused(&refused(other, &classes), *kind, &[word]);
        assert_refused(&refused(&dense, Probabilities(other)), *kind, &[word]);
    }
    assert_refused(&refused(&meta(&[2, 3]), &classes), ErrorKind::Framework, &["meta"]);
    let sparse_mask = Tensor::from_slice(&[true, false]).to_sparse_sparse_dim(1);
    let masked = Masked { targets: &classes, mask: &sparse_mask };
    assert_refused(&refused(&dense, masked), ErrorKind::UnsupportedDtype, &["row mask", "sparse"]);
}

/// A meta tensor is on a device of its own, which tch takes for MPS.
#[test]
fn tensors_on_different_devices() {
    let (classes, elsewhere) = (Tensor::from_slice(&[0_i64, 1]), meta(&[2]));
    let all = [
        (refused(&logits(), &elsewhere), "the targets"),
        (refused(&logits(), Probabilities(&elsewhere)), "the target probabilities"),
        (refused(&logits(), Mixed { first: &classes, second: &classes, lambda: &elsewhere }), "lambda"),
        (refused(&logits(), Masked { targets: &classes, mask: &elsewhere }), "the row mask"),
        (refused(&logits(), Weighted { targets: &classes, row_weights: &elsewhere }), "the row weights"),
    ];
    for (error, name) in all {
        assert!(matches!(error, Error::Device { .. }), "{error}");
        assert_refused(&error, ErrorKind::Framework, &[name, "Mps", "the logits are on Cpu"]);
    }
}

/// A tensor of zeros for which libtorch holds no memory. The composed loss takes it, as any operation of libtorch does.
#[test]
fn zeros_without_memory() {
    let classes = Tensor::from_slice(&[0_i64, 1]);
    let zeros = Tensor::internal_efficientzerotensor([2, 3], (Kind::Float, classes.device()));
    let criterion = SmoothedCrossEntropy::new(0.1).unwrap();
    assert_refused(&criterion.loss(&zeros, &classes).unwrap_err(), ErrorKind::Framework, &["the logits", "no memory"]);
    assert_refused(&refused(&logits(), Probabilities(&zeros)), ErrorKind::Framework, &["probabilities", "no memory"]);
}

#[test]
fn an_empty_mean_where_it_is_an_error() {
    let config = Config::cross_entropy().ignore_index([1]).empty_mean(EmptyMean::Error).build().unwrap();
    let criterion = SmoothedCrossEntropy::from_config(config).unwrap();
    let targets = Tensor::from_slice(&[1_i64, 1]);
    for error in [criterion.loss(&logits(), &targets), criterion.composed().loss(&logits(), &targets)] {
        assert_refused(&error.unwrap_err(), ErrorKind::EmptyMean, &["denominator"]);
    }
}

#[test]
fn the_binary_loss_refuses_too() {
    let criterion = SmoothedBinaryCrossEntropy::new(0.1).unwrap();
    let soft = tensor::<f32>(&[2, 3], &[0.5, 0.0, 1.0, 0.0, 1.5, 0.0]);
    let error = criterion.loss(&logits(), Probabilities(&soft)).unwrap_err();
    assert_refused(&error, ErrorKind::InvalidTargets, &["row 1", "class 1", "1.5", "between 0 and 1"]);
}
