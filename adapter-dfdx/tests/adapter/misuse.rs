//! Wrong inputs: an error of the right kind that names value and place, and never a panic.

use dfdx::prelude::*;
use label_smoothing_dfdx::{
    Config, EmptyMean, Error, ErrorKind, LossError, Masked, Mixed, Probabilities, SmoothedBinaryCrossEntropy,
    SmoothedCrossEntropy, SmoothedLoss, Weighted,
};

type Logits = Tensor<Rank2<2, 3>, f32, Cpu>;

fn logits() -> Logits {
    Cpu::default().tensor([[1.0, 2.0, 0.0], [0.5, -1.0, 0.0]])
}

/// Both methods of both criteria refuse, for this reason and in words that hold all of these.
macro_rules! refused {
    ($logits:expr, $targets:expr, $kind:ident, $($words:literal),+) => {
        refused!(SmoothedCrossEntropy::new(0.1).unwrap(), $logits, $targets, $kind, $($words),+);
        refused!(SmoothedBinaryCrossEntropy::new(0.1).unwrap(), $logits, $targets, $kind, $($words),+);
    };
    ($criterion:expr, $logits:expr, $targets:expr, $kind:ident, $($words:literal),+) => {
        let criterion = $criterion;
        let errors: [Error; 4] = [
            criterion.loss($logits, $targets).unwrap_err(),
            criterion.loss($logits.leaky_traced(), $targets).unwrap_err(),
            criterion.row_losses($logits, $targets).unwrap_err(),
            criterion.row_losses($logits.leaky_traced(), $targets).unwrap_err(),
        ];
        for error in errors {
            assert_eq!(LossError::kind(&error), ErrorKind::$kind, "{error}");
            let message = error.to_string();
            $(assert!(message.contains($words), "`{}` is not in: {message}", $words);)+
        }
    };
}

#[test]
fn targets_of_the_wrong_shape() {
    let device = Cpu::default();
    refused!(logits(), &[0, 1, 2], TargetShape, "the targets", "[3]", "[2, 3]", "[2]");
    refused!(logits(), &Vec::<i64>::new(), TargetShape, "the targets", "[0]");
    let column: Tensor<Rank2<2, 1>, i64, Cpu> = device.zeros();
    refused!(logits(), column.clone(), TargetShape, "the targets", "[2, 1]", "[2]");
    let scalar: Tensor<Rank0, i64, Cpu> = device.zeros();
    refused!(logits(), &scalar, TargetShape, "the targets", "[]", "[2]");
    let soft: Tensor<Rank2<3, 2>, f32, Cpu> = device.zeros();
    refused!(logits(), Probabilities(&soft), TargetShape, "the target probabilities", "[3, 2]", "[2, 3]");
    refused!(logits(), Probabilities([0.5_f32; 5]), TargetShape, "the target probabilities", "[5]", "[2, 3]");
    let mixed = Mixed { first: &[0, 1][..], second: &[1, 1, 1][..], lambda: [0.5_f32; 2] };
    refused!(logits(), mixed, TargetShape, "the second targets", "[3]");
    let mixed = Mixed { first: [0, 1], second: [1, 1], lambda: [0.5_f32] };
    refused!(logits(), mixed, TargetShape, "lambda", "[1]", "[2]");
}

/// Nothing is read of a tensor with the wrong shape: this one stands for 2^60 values.
#[test]
fn targets_of_a_wrong_and_enormous_shape() {
    let one: Tensor<Rank0, i64, Cpu> = Cpu::default().zeros();
    let enormous = one.broadcast_like::<_, Axes2<0, 1>>(&(1_usize << 40, 1_usize << 20));
    refused!(logits(), &enormous, TargetShape, "the targets", "1099511627776", "[2]");
}

#[test]
fn targets_that_are_no_class() {
    refused!(logits(), &[0_u32, u32::MAX], TargetOutOfRange, "row 1", "4294967295", "0 to 2");
    refused!(logits(), &[-1, 0], TargetOutOfRange, "row 0", "-1", "0 to 2");
    refused!(logits(), &[0_u64, u64::MAX], TargetOutOfRange, "row 1", "9223372036854775807");
    refused!(logits(), &[0_usize, 3], TargetOutOfRange, "row 1", "is 3", "0 to 2");
    let tensor = Cpu::default().tensor([0_u8, 255]);
    refused!(logits(), &tensor, TargetOutOfRange, "row 1", "255", "0 to 2");
    let mixed = Mixed { first: [0, 1], second: [1, 9], lambda: [1.0_f64; 2] };
    refused!(logits(), mixed, TargetOutOfRange, "row 1", "9");

    // Unless they are ignored, or their row is.
    let ignoring = |ids: &[i64]| {
        SmoothedCrossEntropy::from_config(Config::cross_entropy().ignore_index(ids).build().unwrap()).unwrap()
    };
    let row = ignoring(&[]).row_losses(logits(), &[0, 0]).unwrap().as_vec()[0];
    assert_eq!(ignoring(&[4_294_967_295]).loss(logits(), &[0_u32, u32::MAX]).unwrap().array(), row);
    assert_eq!(ignoring(&[-1]).loss(logits(), &[0_i8, -1]).unwrap().array(), row);
    let masked = Masked { targets: [0_u64, u64::MAX], mask: [true, false] };
    assert_eq!(ignoring(&[]).loss(logits(), masked).unwrap().array(), row);
    refused!(ignoring(&[-100, -2]), logits(), &[-1, 0], TargetOutOfRange, "[-100, -2] are ignored");
}

#[test]
fn target_values_out_of_range() {
    let nan = Probabilities([0.5, 0.5, 0.0, 0.0, f32::NAN, 0.0]);
    refused!(logits(), nan, InvalidTargets, "row 1", "class 1", "NaN");
    let negative = Probabilities([0.5, 0.5, -0.5, 0.0, 1.0, 0.0_f64]);
    refused!(logits(), negative, InvalidTargets, "row 0", "class 2", "-0.5");
    let mixed = Mixed { first: [0, 1], second: [1, 1], lambda: [0.5_f32, 1.5] };
    refused!(logits(), mixed, InvalidTargets, "lambda", "row 1", "1.5");
}

#[test]
fn masks_and_row_weights() {
    let device = Cpu::default();
    let mask: Tensor<Rank2<2, 3>, bool, Cpu> = device.zeros();
    refused!(logits(), Masked { targets: [0, 1], mask: &mask }, MaskShape, "[2, 3]", "[2]");
    refused!(logits(), Masked { targets: [0, 1], mask: [true] }, MaskShape, "[1]", "[2]");
    let weighted = Weighted { targets: [0, 1], row_weights: [1.0_f32, 1.0, 1.0] };
    refused!(logits(), weighted, InvalidRowWeights, "[3]", "[2]");
    let weighted = Weighted { targets: [0, 1], row_weights: [1.0_f32, -2.0] };
    refused!(logits(), weighted, InvalidRowWeights, "row 1", "-2");
    let weighted = Weighted { targets: [0, 1], row_weights: device.tensor([f64::INFINITY, 1.0]) };
    refused!(logits(), weighted.clone(), InvalidRowWeights, "row 0", "inf");
}

#[test]
fn logits_without_classes() {
    let device = Cpu::default();
    let scalar: Tensor<Rank0, f32, Cpu> = device.zeros();
    refused!(scalar.clone(), &[0], LogitsRank, "rank 0");
    let none: Tensor<Rank2<2, 0>, f32, Cpu> = device.zeros();
    refused!(none.clone(), &[0, 0], NoClasses, "[2, 0]", "axis 1");
    let none: Tensor<(usize, usize), f32, Cpu> = device.zeros_like(&(0, 0));
    refused!(none.clone(), &Vec::<u8>::new(), NoClasses, "[0, 0]", "axis 1");
    let config = Config::cross_entropy().class_axis(2).build().unwrap();
    let criterion = SmoothedCrossEntropy::from_config(config).unwrap();
    refused!(criterion, logits(), &[0, 1], LogitsRank, "rank 2", "axis 2");
}

#[test]
fn configurations_that_do_not_fit() {
    let weights = |weights: &[f64]| {
        SmoothedCrossEntropy::from_config(Config::cross_entropy().class_weights(weights).build().unwrap()).unwrap()
    };
    refused!(weights(&[1.0, 2.0]), logits(), &[0, 1], ClassWeightCount, "2 class weights", "3 classes");
    let config = Config::cross_entropy().ignore_index([0]).empty_mean(EmptyMean::Error).build().unwrap();
    let error: Error =
        SmoothedCrossEntropy::from_config(config).unwrap().loss(logits().leaky_traced(), &[0, 0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::EmptyMean);

    let error: Error = SmoothedCrossEntropy::new(1.5).unwrap_err().into();
    assert_eq!((error.kind(), error.to_string().contains("1.5")), (ErrorKind::InvalidSmoothing, true));
    let error: Error =
        SmoothedCrossEntropy::from_config(Config::binary_cross_entropy().build().unwrap()).unwrap_err().into();
    assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
}

#[test]
fn errors_of_dfdx() {
    let error = Error::from(CpuError::OutOfMemory);
    assert_eq!(error.kind(), ErrorKind::Framework);
    assert!(error.to_string().contains("OutOfMemory"));
    assert!(std::error::Error::source(&error).is_some());
}
