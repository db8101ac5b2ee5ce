//! Misuse is an error that names what is wrong, never a panic and never a number.

use label_smoothing_ndarray::ndarray::{Array2, ArrayD, ArrayView, Dimension, IxDyn, RemoveAxis, arr0, array};
use label_smoothing_ndarray::{
    ErrorKind, LossGradient, Masked, Mixed, NdarrayTargets, Probabilities, SmoothedCrossEntropy, SmoothedLoss, Weighted,
};

/// Two rows of three classes.
fn logits() -> Array2<f32> {
    array![[1.0, 0.0, -1.0], [0.5, 2.0, 0.0]]
}

/// Loss, row losses and gradient must refuse for this reason, in the same words, which hold these.
#[track_caller]
fn refused<'a, D, Y>(logits: ArrayView<'a, f32, D>, targets: Y, kind: ErrorKind, words: &[&str])
where
    D: Dimension + RemoveAxis,
    Y: NdarrayTargets<'a> + Clone,
{
    let criterion = SmoothedCrossEntropy::new(0.1).unwrap();
    let errors = [
        criterion.loss(logits.clone(), targets.clone()).unwrap_err(),
        criterion.row_losses(logits.clone(), targets.clone()).unwrap_err(),
        criterion.loss_and_gradient(logits, targets, 1.0).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), kind, "{error}");
        let message = error.to_string();
        for word in words {
            assert!(message.contains(word), "`{word}` is not in: {message}");
        }
    }
}

#[test]
fn targets_of_the_wrong_length() {
    let (logits, kind) = (logits(), ErrorKind::TargetShape);
    refused(logits.view(), array![0_i64, 1, 2].view(), kind, &["the targets", "[3]", "[2]"]);
    refused(logits.view(), array![[0_i64], [1]].view(), kind, &["the targets", "[2, 1]"]);
    refused(logits.view(), Probabilities(Array2::<f32>::zeros((3, 2)).view()), kind, &["probabilities", "[3, 2]"]);
    let (classes, lambda) = (array![0_i64, 1], array![0.5_f32]);
    let mixed = Mixed { first: classes.view(), second: classes.view(), lambda: lambda.view() };
    refused(logits.view(), mixed, kind, &["lambda", "[1]"]);
}

#[test]
fn targets_that_are_no_class() {
    let (logits, kind) = (logits(), ErrorKind::TargetOutOfRange);
    refused(logits.view(), array![0_u32, u32::MAX].view(), kind, &["row 1", "4294967295", "0 to 2"]);
    refused(logits.view(), array![-1_i64, 0].view(), kind, &["row 0", "-1", "0 to 2"]);
    refused(logits.view(), array![0_u64, u64::MAX].view(), kind, &["row 1", "0 to 2"]);
    refused(logits.view(), array![0_i8, 3].view(), kind, &["row 1", "is 3", "0 to 2"]);
}

#[test]
fn masks_and_row_weights_of_the_wrong_shape() {
    let (logits, classes) = (logits(), array![0_i64, 1]);
    let mask = array![true, true, false];
    let masked = Masked { targets: classes.view(), mask: mask.view() };
    refused(logits.view(), masked, ErrorKind::MaskShape, &["[3]", "[2]"]);
    let mask = array![[true, true, false], [true, true, true]];
    let masked = Masked { targets: classes.view(), mask: mask.view() };
    refused(logits.view(), masked, ErrorKind::MaskShape, &["[2, 3]", "[2]"]);
    let row_weights = array![1.0_f32];
    let weighted = Weighted { targets: classes.view(), row_weights: row_weights.view() };
    refused(logits.view(), weighted, ErrorKind::InvalidRowWeights, &["[1]", "[2]"]);
}

/// Of a rank that is known to the compiler, rank 0 is refused by the compiler.
#[test]
fn logits_without_classes() {
    let scalar: ArrayD<f32> = arr0(1.0).into_dyn();
    refused(scalar.view(), arr0(0_i64).view(), ErrorKind::LogitsRank, &["rank 0"]);
    let none = ArrayD::<f32>::zeros(IxDyn(&[2, 0]));
    refused(none.view(), array![0_i64, 0].view(), ErrorKind::NoClasses, &["[2, 0]", "axis 1"]);
}
