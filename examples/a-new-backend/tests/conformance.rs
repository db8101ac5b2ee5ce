//! Every case of the conformance kit, for this backend.

use label_smoothing_conformance::{Accuracy, Backend, CaseInput, Dtype, Failure, Gap, Outcome, dispatch};
use label_smoothing_core::{Element, LossFamily, SmoothedLoss};
use label_smoothing_nalgebra::SmoothedCrossEntropy;
use nalgebra::DMatrix;

struct Nalgebra;

const GAPS: [Gap; 5] = [
    Gap {
        feature: "the binary loss",
        reason: "left out of the example",
        covers: |input| input.loss == LossFamily::BinaryCrossEntropy,
    },
    Gap {
        feature: "logits of another rank than 2",
        reason: "nalgebra has matrices and no tensors",
        covers: |input| input.logits.shape.len() != 2,
    },
    Gap {
        feature: "another class axis",
        reason: "the classes are in the columns, where nalgebra keeps them together",
        // Options that cannot be built have to be refused, not left out.
        covers: |input| input.config().is_ok_and(|config| config.class_axis().is_some_and(|axis| axis != 1)),
    },
    Gap { reason: "left out of the example", ..Gap::PARTS },
    Gap { reason: "left out of the example", ..Gap::SLICES },
];

impl Backend for Nalgebra {
    fn name(&self) -> String {
        "nalgebra".to_owned()
    }

    fn framework(&self) -> String {
        "nalgebra 0.35".to_owned()
    }

    fn dtypes(&self) -> &[Dtype] {
        Dtype::ALL
    }

    fn gaps(&self) -> Vec<Gap> {
        GAPS.to_vec()
    }

    fn accuracy(&self) -> Accuracy {
        Accuracy::Kernel
    }

    fn claims_identical_bits(&self) -> bool {
        true
    }

    fn evaluate(&self, input: &CaseInput) -> Result<Outcome, Failure> {
        if let Some(gap) = GAPS.iter().find(|gap| (gap.covers)(input)) {
            return Err(Failure::Unsupported(gap.feature.to_owned()));
        }
        dispatch!(input.dtype, T => evaluate::<T>(input))
    }
}

fn evaluate<T: Element>(input: &CaseInput) -> Result<Outcome, Failure> {
    let criterion = SmoothedCrossEntropy::from_config(input.config()?)?;
    let (examples, classes) = (input.logits.shape[0], input.logits.shape[1]);
    let logits = DMatrix::from_vec(classes, examples, input.logits.narrow::<T>().values);
    let targets = input.core_targets::<T>();
    if input.row_losses {
        let upstream: Vec<_> = input.unchecked_upstream(examples).into_iter().map(T::Wide::from_f64).collect();
        let losses = criterion.row_losses(&logits, targets.clone())?;
        let (_, gradient) = criterion.row_losses_and_gradient(&logits, targets, &upstream)?;
        return Ok(Outcome { values: widened(losses.as_slice()), gradient: widened(gradient.as_slice()) });
    }
    let upstream = T::Wide::from_f64(input.scalar_upstream()?);
    let loss = criterion.loss(&logits, targets.clone())?;
    let (_, gradient) = criterion.loss_and_gradient(&logits, targets, upstream)?;
    Ok(Outcome { values: vec![loss.to_f64()], gradient: widened(gradient.as_slice()) })
}

fn widened<T: Element>(values: &[T]) -> Vec<f64> {
    values.iter().map(|value| value.to_f64()).collect()
}

label_smoothing_conformance::main!(Nalgebra);
