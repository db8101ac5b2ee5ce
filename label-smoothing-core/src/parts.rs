//! Results in parts that can be added up over micro-batches, devices and ranks.

use std::iter::Sum;
use std::ops::{Add, AddAssign};

use crate::check::Problem;
use crate::config::Denominator;
use crate::element::Element;
use crate::sum::CarriedSum;

/// What a batch gives before anything is divided: add the parts of several batches, then take the mean.
///
/// A mean of means is wrong wherever batches hold different numbers of counted rows; a sum of parts is right.
///
/// ```
/// use label_smoothing_core::{kernel, Array, Config, Problem, Targets};
///
/// let config = Config::cross_entropy().ignore_index([-100]).build()?;
/// let parts = |logits: &[f32], targets: Vec<i64>| {
///     let targets = Targets::<f32>::indices(Array::new([targets.len()], targets));
///     Ok::<_, label_smoothing_core::Error>(kernel::loss(&Problem::new(&config, &[logits.len() / 2, 2], targets)?, logits)?.parts)
/// };
/// let first = parts(&[0.0, 1.0, 2.0, 0.5], vec![1, 0])?;
/// let second = parts(&[1.0, 0.0, 0.0, 0.0], vec![0, -100])?; // padding: one counted row
/// let whole = parts(&[0.0, 1.0, 2.0, 0.5, 1.0, 0.0, 0.0, 0.0], vec![1, 0, 0, -100])?;
/// assert_eq!((first + second).mean(), whole.mean());
/// # Ok::<(), label_smoothing_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LossParts {
    sum: CarriedSum,
    denominator: PartsDenominator,
    nll: CarriedSum,
    z_loss: CarriedSum,
    counted: u64,
    correct: u64,
}

/// Denominators of batches add up, but a constant from outside is already that of all batches together.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
enum PartsDenominator {
    OfBatch(CarriedSum),
    Constant(f64),
}

/// What one pass over the rows adds up.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sums {
    /// The row losses.
    pub(crate) loss: CarriedSum,
    /// The row losses without smoothing and weights.
    pub(crate) nll: CarriedSum,
    /// What the z-loss contributes to the row losses.
    pub(crate) z_loss: CarriedSum,
    /// The correct predictions.
    pub(crate) correct: u64,
}

impl Sums {
    /// Those of a row without a softmax; where it has no z-loss, that is 0 as elsewhere.
    pub(crate) fn undefined(z_factor: f64) -> Self {
        let nan = CarriedSum::from(f64::NAN);
        let z_loss = if z_factor == 0.0 { CarriedSum::default() } else { nan };
        Self { loss: nan, nll: nan, z_loss, correct: 0 }
    }
}

impl Add for Sums {
    type Output = Self;

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self {
            loss: self.loss + other.loss,
            nll: self.nll + other.nll,
            z_loss: self.z_loss + other.z_loss,
            correct: self.correct + other.correct,
        }
    }
}

impl LossParts {
    pub(crate) fn new<P: Element>(problem: &Problem<P>, sums: Sums) -> Self {
        let denominator = match problem.config().denominator() {
            Denominator::Constant(value) => PartsDenominator::Constant(value),
            _ => PartsDenominator::OfBatch(problem.carried_denominator()),
        };
        let Sums { loss, nll, z_loss, correct } = sums;
        Self { sum: loss, denominator, nll, z_loss, counted: problem.counted() as u64, correct }
    }

    /// The sum of the row losses, in nats.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.sum.value()
    }

    pub(crate) fn carried_sum(&self) -> CarriedSum {
        self.sum
    }

    /// What the mean divides by.
    #[must_use]
    pub fn denominator(&self) -> f64 {
        match self.denominator {
            PartsDenominator::OfBatch(sum) => sum.value(),
            PartsDenominator::Constant(value) => value,
        }
    }

    /// The smoothed loss: the sum over the denominator, NaN where that is 0.
    #[must_use]
    pub fn mean(&self) -> f64 {
        match self.denominator() {
            0.0 => f64::NAN,
            denominator => self.sum.over(denominator),
        }
    }

    /// The sum of the counted rows' plain negative log-likelihood of the target as it was given: without smoothing,
    /// weights and z-loss. In nats.
    #[must_use]
    pub fn nll(&self) -> f64 {
        self.nll.value()
    }

    /// How much of [`sum`](Self::sum) is the z-loss: the sum of the rows' `z_loss * lse^2`, row weights included. 0 where
    /// none is configured.
    #[must_use]
    pub fn z_loss(&self) -> f64 {
        self.z_loss.value()
    }

    /// What smoothing adds to the plain loss: `sum - nll - z_loss`, in nats. Class and row weights, an entropy that is taken
    /// off, penalties and another likelihood are in it too, where they are configured; without any of these and without
    /// smoothing it is 0.
    #[must_use]
    pub fn smoothing(&self) -> f64 {
        (self.sum + (-self.nll) + (-self.z_loss)).value()
    }

    /// `exp(nll / counted)`: the perplexity that is comparable between models, smoothed or not.
    #[must_use]
    pub fn perplexity(&self) -> f64 {
        (self.nll() / self.counted as f64).exp()
    }

    /// How many rows (binary: elements) were neither masked nor ignored.
    #[must_use]
    pub fn counted(&self) -> u64 {
        self.counted
    }

    /// In how many counted rows the first largest logit is that of the target's likeliest class (binary: in how many
    /// elements the logit is positive where the target is above one half, and not where it is not).
    #[must_use]
    pub fn correct(&self) -> u64 {
        self.correct
    }

    /// `correct / counted`.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.counted as f64
    }
}

impl Add for LossParts {
    type Output = Self;

    /// Parts of the same configuration. Different constant denominators have no sum: the mean is then NaN.
    fn add(self, other: Self) -> Self {
        use PartsDenominator::{Constant, OfBatch};
        let denominator = match (self.denominator, other.denominator) {
            (OfBatch(a), OfBatch(b)) => OfBatch(a + b),
            (Constant(a), Constant(b)) if a == b => Constant(a),
            _ => Constant(f64::NAN),
        };
        Self {
            sum: self.sum + other.sum,
            denominator,
            nll: self.nll + other.nll,
            z_loss: self.z_loss + other.z_loss,
            counted: self.counted + other.counted,
            correct: self.correct + other.correct,
        }
    }
}

impl AddAssign for LossParts {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for LossParts {
    /// The parts of no batch at all are 0 over 0.
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        let zero = CarriedSum::default();
        let nothing = Self {
            sum: zero,
            denominator: PartsDenominator::OfBatch(zero),
            nll: zero,
            z_loss: zero,
            counted: 0,
            correct: 0,
        };
        parts.reduce(Add::add).unwrap_or(nothing)
    }
}
