//! Misuse is an error that names what is wrong, never a panic and never a number.

use crate::common::{composed_loss, composed_row_losses, loss, numbers, row_losses, tensor};
use label_smoothing_candle::candle_core::{self, DType, Device, Tensor};
use label_smoothing_candle::{
    CandleTargets, Config, EmptyMean, Error, ErrorKind, LossError, Masked, Mixed, Probabilities, SmoothedCrossEntropy,
    SmoothedLoss, Weighted,
};

/// The four ways of asking must refuse with the same words.
fn refusal<Y: CandleTargets + Copy>(config: &Config, logits: &Tensor, targets: Y) -> (ErrorKind, String) {
    let error = loss(config, logits, targets).expect_err("the loss");
    let (kind, message) = (error.kind(), error.to_string());
    assert_eq!(LossError::kind(&error), kind);
    let others = [
        row_losses(config, logits, targets),
        composed_loss(config, logits, targets),
        composed_row_losses(config, logits, targets),
    ];
    for other in others {
        assert_eq!(other.expect_err(&message).to_string(), message);
    }
    (kind, message)
}

fn plain() -> Config {
    Config::cross_entropy().build().unwrap()
}

fn logits() -> Tensor {
    tensor::<f32>(&numbers(6), &[2, 3])
}

fn classes() -> Tensor {
    Tensor::new(&[0_u32, 1], &Device::Cpu).unwrap()
}

#[test]
fn targets_of_the_wrong_shape() {
    let three = Tensor::new(&[0_u32, 1, 2], &Device::Cpu).unwrap();
    let (kind, message) = refusal(&plain(), &logits(), &three);
    assert_eq!(kind, ErrorKind::TargetShape);
    assert_eq!(message, "the targets has shape [3], but logits of shape [2, 3] with classes on axis 1 need [2]");
    let column = classes().unsqueeze(1).unwrap();
    assert_eq!(refusal(&plain(), &logits(), &column).0, ErrorKind::TargetShape);
    let soft = tensor::<f32>(&[0.5; 4], &[2, 2]);
    assert_eq!(refusal(&plain(), &logits(), Probabilities(&soft)).0, ErrorKind::TargetShape);
    let lambda = tensor::<f32>(&[0.5; 3], &[3]);
    let mixed = Mixed { first: &classes(), second: &classes(), lambda: &lambda };
    assert_eq!(refusal(&plain(), &logits(), mixed).0, ErrorKind::TargetShape);
}

#[test]
fn targets_of_the_wrong_type() {
    let floats = tensor::<f32>(&[0.0, 1.0], &[2]);
    let (kind, message) = refusal(&plain(), &logits(), &floats);
    assert_eq!(kind, ErrorKind::UnsupportedDtype);
    assert_eq!(message, "the targets are f32, but must be integers (u8, u32, i16, i32 or i64)");
    let integers = logits().to_dtype(DType::I64).unwrap();
    let (kind, message) = refusal(&plain(), &logits(), Probabilities(&integers));
    assert_eq!(kind, ErrorKind::UnsupportedDtype);
    assert_eq!(message, "the target probabilities are i64, but must be f32, f64, f16 or bf16");
    let mixed = Mixed { first: &classes(), second: &classes(), lambda: &classes() };
    assert_eq!(
        refusal(&plain(), &logits(), mixed).1,
        "the mixing factors (lambda) are u32, but must be f32, f64, f16 or bf16"
    );
    let masked = Masked { targets: &classes(), mask: &floats };
    assert_eq!(refusal(&plain(), &logits(), masked).0, ErrorKind::UnsupportedDtype);
    let weighted = Weighted { targets: &classes(), row_weights: &classes() };
    assert_eq!(refusal(&plain(), &logits(), weighted).0, ErrorKind::UnsupportedDtype);
}

#[test]
fn logits_of_the_wrong_type() {
    for dtype in [DType::U8, DType::U32, DType::I16, DType::I32, DType::I64, DType::F8E4M3] {
        let logits = Tensor::ones((2, 3), DType::F32, &Device::Cpu).unwrap().to_dtype(dtype).unwrap();
        let (kind, message) = refusal(&plain(), &logits, &classes());
        assert_eq!(kind, ErrorKind::UnsupportedDtype);
        assert_eq!(message, format!("the logits are {}, but must be f32, f64, f16 or bf16", dtype.as_str()));
    }
}

#[test]
fn logits_without_classes() {
    let scalar = Tensor::new(1.0_f32, &Device::Cpu).unwrap();
    let one = Tensor::new(0_u32, &Device::Cpu).unwrap();
    let (kind, message) = refusal(&plain(), &scalar, &one);
    assert_eq!((kind, message.as_str()), (ErrorKind::LogitsRank, "logits of rank 0 have no class axis at all"));
    let far = Config::cross_entropy().class_axis(2).build().unwrap();
    assert_eq!(refusal(&far, &logits(), &classes()).0, ErrorKind::LogitsRank);
    let none = tensor::<f32>(&[], &[2, 0]);
    let (kind, message) = refusal(&plain(), &none, &classes());
    assert_eq!((kind, message.as_str()), (ErrorKind::NoClasses, "the logits of shape [2, 0] have no class on axis 1"));
}

/// candle's `gather` takes the largest value of an integer type for "skip"; here it is a class like any other.
#[test]
fn a_target_that_is_no_class() {
    let largest = Tensor::new(&[0_u32, u32::MAX], &Device::Cpu).unwrap();
    let (kind, message) = refusal(&plain(), &logits(), &largest);
    assert_eq!(kind, ErrorKind::TargetOutOfRange);
    assert_eq!(message, "the target of row 1 is 4294967295, but the classes are 0 to 2");
    let none = [
        (Tensor::new(&[u8::MAX, 0], &Device::Cpu), "row 0 is 255"),
        (Tensor::new(&[i64::MAX, 0], &Device::Cpu), "row 0 is 9223372036854775807"),
        (Tensor::new(&[0_i64, -1], &Device::Cpu), "row 1 is -1"),
        (Tensor::new(&[0_i32, 3], &Device::Cpu), "row 1 is 3"),
        (Tensor::new(&[0_i16, i16::MIN], &Device::Cpu), "row 1 is -32768"),
    ];
    for (targets, place) in none {
        let (kind, message) = refusal(&plain(), &logits(), &targets.unwrap());
        assert_eq!(kind, ErrorKind::TargetOutOfRange);
        assert!(message.contains(place), "{message}");
    }
    let ignored = Config::cross_entropy().ignore_index([i64::from(u32::MAX)]).build().unwrap();
    assert!(loss(&ignored, &logits(), &largest).is_ok());
    let masked = Masked { targets: &largest, mask: &Tensor::new(&[1_u8, 0], &Device::Cpu).unwrap() };
    assert!(loss(&plain(), &logits(), masked).is_ok());
}

#[test]
fn values_outside_their_range() {
    let soft = tensor::<f32>(&[0.5, 0.5, 0.0, 1.0, -0.5, 0.5], &[2, 3]);
    let (kind, message) = refusal(&plain(), &logits(), Probabilities(&soft));
    assert_eq!(kind, ErrorKind::InvalidTargets);
    assert!(message.starts_with("the target probability of row 1, class 1 is -0.5"), "{message}");
    let lambda = tensor::<f64>(&[0.5, 1.5], &[2]);
    let mixed = Mixed { first: &classes(), second: &classes(), lambda: &lambda };
    assert_eq!(refusal(&plain(), &logits(), mixed).0, ErrorKind::InvalidTargets);
    let row_weights = tensor::<f32>(&[1.0, f64::NAN], &[2]);
    let weighted = Weighted { targets: &classes(), row_weights: &row_weights };
    let (kind, message) = refusal(&plain(), &logits(), weighted);
    assert_eq!(kind, ErrorKind::InvalidRowWeights);
    assert!(message.starts_with("the weight of row 1 is NaN"), "{message}");
}

#[test]
fn masks_and_weights_of_the_wrong_shape() {
    let mask = Tensor::new(&[1_u8, 1, 0], &Device::Cpu).unwrap();
    let (kind, message) = refusal(&plain(), &logits(), Masked { targets: &classes(), mask: &mask });
    assert_eq!(kind, ErrorKind::MaskShape);
    assert_eq!(message, "the row mask has shape [3], but the logits have rows of shape [2]");
    let row_weights = tensor::<f32>(&[1.0; 6], &[2, 3]);
    let weighted = Weighted { targets: &classes(), row_weights: &row_weights };
    assert_eq!(refusal(&plain(), &logits(), weighted).0, ErrorKind::InvalidRowWeights);
}

#[test]
fn a_mean_over_nothing() {
    let config = Config::cross_entropy().empty_mean(EmptyMean::Error).ignore_index([0, 1]).build().unwrap();
    assert_eq!(loss(&config, &logits(), &classes()).unwrap_err().kind(), ErrorKind::EmptyMean);
    assert_eq!(composed_loss(&config, &logits(), &classes()).unwrap_err().kind(), ErrorKind::EmptyMean);
    assert!(row_losses(&config, &logits(), &classes()).is_ok());
}

#[test]
fn errors_convert_into_candles_own() {
    fn step(logits: &Tensor, targets: &Tensor) -> candle_core::Result<Tensor> {
        Ok(SmoothedCrossEntropy::new(0.1).map_err(Error::from)?.loss(logits, targets)?)
    }
    let error = step(&logits(), &Tensor::new(&[0_u32, 7], &Device::Cpu).unwrap()).unwrap_err();
    assert!(error.to_string().contains("the target of row 1 is 7"), "{error}");
    let refused: Error = candle_core::Error::Msg("no memory".to_owned()).into();
    assert_eq!((refused.kind(), refused.to_string().as_str()), (ErrorKind::Framework, "candle: no memory"));
}

#[cfg(feature = "cuda")]
#[test]
fn targets_on_another_device() {
    let gpu = Device::new_cuda(0).unwrap();
    let there = (logits().to_device(&gpu).unwrap(), classes().to_device(&gpu).unwrap());
    for (logits, targets) in [(&there.0, &classes()), (&logits(), &there.1)] {
        let (kind, message) = refusal(&plain(), logits, targets);
        assert_eq!(kind, ErrorKind::Framework);
        assert!(message.contains("the targets are on") && message.contains("Cuda"), "{message}");
    }
}
