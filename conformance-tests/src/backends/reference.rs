//! The definition itself as a backend.

use label_smoothing_core::{LossParts, Problem, reference};

use crate::backend::{Backend, Failure, Gap, Outcome};
use crate::dtype::Dtype;
use crate::input::CaseInput;
use crate::tolerance::Accuracy;

/// Plain mathematics in `f64` (`label_smoothing_core::reference`), rounded once to the element type asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reference;

impl Backend for Reference {
    fn name(&self) -> String {
        "reference".to_owned()
    }

    fn framework(&self) -> String {
        "none: plain f64 mathematics".to_owned()
    }

    fn dtypes(&self) -> &[Dtype] {
        Dtype::ALL
    }

    fn gaps(&self) -> Vec<Gap> {
        vec![Gap::SLICES]
    }

    fn accuracy(&self) -> Accuracy {
        Accuracy::Kernel
    }

    fn evaluate(&self, input: &CaseInput) -> Result<Outcome, Failure> {
        let config = input.config()?;
        let problem = Problem::new(&config, &input.logits.shape, input.core_targets::<f64>())?;
        let z = input.logits.values.as_slice();
        let (values, gradient) = if input.row_losses {
            let upstream = input.unchecked_upstream(problem.losses());
            (reference::row_losses(&problem, z)?, reference::row_losses_gradient(&problem, z, &upstream)?)
        } else {
            let upstream = input.scalar_upstream()?;
            (vec![reference::loss(&problem, z)?], reference::loss_gradient(&problem, z, upstream)?)
        };
        let round = |dtype: Dtype, values: Vec<f64>| values.into_iter().map(|value| dtype.round(value)).collect();
        Ok(Outcome { values: round(input.dtype.wide(), values), gradient: round(input.dtype, gradient) })
    }

    fn parts(&self, input: &CaseInput) -> Result<LossParts, Failure> {
        let config = input.config()?;
        let problem = Problem::new(&config, &input.logits.shape, input.core_targets::<f64>())?;
        Ok(reference::parts(&problem, &input.logits.values)?)
    }
}
