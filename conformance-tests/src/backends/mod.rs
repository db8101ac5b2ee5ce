//! The backends that are built in: a thin glue for each adapter, behind the feature of its name.
//!
//! Each is one file that implements [`Backend`] and one line in [`all`].

#[cfg(feature = "burn")]
mod burn;
#[cfg(feature = "candle")]
mod candle;
#[cfg(feature = "dfdx")]
mod dfdx;
mod kernel;
#[cfg(feature = "ndarray")]
mod ndarray;
mod reference;
#[cfg(feature = "tch")]
mod tch;

#[cfg(feature = "burn")]
pub use burn::{Burn, BurnComposed};
#[cfg(feature = "candle")]
pub use candle::{Candle, CandleComposed};
#[cfg(feature = "dfdx")]
pub use dfdx::Dfdx;
pub use kernel::Kernel;
#[cfg(feature = "ndarray")]
pub use ndarray::Ndarray;
pub use reference::Reference;
#[cfg(feature = "tch")]
pub use tch::{Tch, TchComposed};

#[cfg(any(feature = "burn", feature = "candle", feature = "dfdx", feature = "ndarray", feature = "tch"))]
use label_smoothing_core::LossParts;
#[cfg(any(feature = "burn", feature = "candle", feature = "tch"))]
use label_smoothing_core::{Problem, reference::Coefficients};

#[cfg(any(feature = "burn", feature = "candle", feature = "tch"))]
use crate::backend::Gap;
#[cfg(any(feature = "burn", feature = "candle", feature = "dfdx", feature = "ndarray", feature = "tch"))]
use crate::backend::Outcome;
use crate::backend::{Backend, Failure};
use crate::bits::first_difference;

/// Every backend that is built in, in the order of the report.
#[must_use]
pub fn all() -> Vec<Box<dyn Backend>> {
    vec![
        Box::new(Reference),
        Box::new(Kernel),
        #[cfg(feature = "ndarray")]
        Box::new(Ndarray),
        #[cfg(feature = "candle")]
        Box::new(Candle),
        #[cfg(feature = "candle")]
        Box::new(CandleComposed),
        #[cfg(feature = "burn")]
        Box::new(Burn),
        #[cfg(feature = "burn")]
        Box::new(BurnComposed),
        #[cfg(feature = "dfdx")]
        Box::new(Dfdx),
        #[cfg(feature = "tch")]
        Box::new(Tch),
        #[cfg(feature = "tch")]
        Box::new(TchComposed),
    ]
}

/// What the glue of an adapter found out: one way through its tensors' types serves both questions.
#[cfg(any(feature = "burn", feature = "candle", feature = "dfdx", feature = "ndarray", feature = "tch"))]
enum Answer {
    Outcome(Outcome),
    Parts(LossParts),
}

#[cfg(any(feature = "burn", feature = "candle", feature = "dfdx", feature = "ndarray", feature = "tch"))]
impl Answer {
    fn outcome(self) -> Result<Outcome, Failure> {
        match self {
            Self::Outcome(outcome) => Ok(outcome),
            Self::Parts(_) => Err(Failure::Broken("the parts where the loss was asked for".to_owned())),
        }
    }

    fn parts(self) -> Result<LossParts, Failure> {
        match self {
            Self::Parts(parts) => Ok(parts),
            Self::Outcome(_) => Err(Failure::Broken("the loss where its parts were asked for".to_owned())),
        }
    }
}

/// What the losses composed of a framework's operations leave to the kernel: they are refused, by name.
#[cfg(any(feature = "burn", feature = "candle", feature = "tch"))]
const KERNEL_ONLY: Gap = Gap {
    feature: "penalties and other likelihoods",
    reason: "the kernel alone computes them, and this path refuses them by name",
    covers: |input| {
        // What has no loss at all is refused for its own reason.
        let Ok(config) = input.config() else { return false };
        let problem = Problem::new(&config, &input.logits.shape, input.core_targets::<f64>());
        problem.is_ok() && Coefficients::check(&config).is_err()
    },
};

/// Demands that two ways of one backend give the same bits.
///
/// # Errors
///
/// [`Failure::Broken`], naming both ways and the first element that differs.
pub fn agree(one: &str, values: &[f64], other: &str, other_values: &[f64]) -> Result<(), Failure> {
    let Some(at) = first_difference(values, other_values) else { return Ok(()) };
    let show = |values: &[f64]| values.get(at).map_or_else(|| "nothing".to_owned(), |value| format!("{value:e}"));
    let (value, other_value) = (show(values), show(other_values));
    Err(Failure::Broken(format!("{one} and {other} disagree at {at}: {value} and {other_value}")))
}
