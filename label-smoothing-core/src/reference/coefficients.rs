//! The coefficients of a whole batch as dense arrays, for backends that compose the loss of a framework's operations.

use super::binary;
use super::cross_entropy::entropy;
use super::target::weighted_target;
use crate::check::Problem;
use crate::config::{Config, Likelihood, LossFamily};
use crate::element::Element;
use crate::error::Error;

/// Everything in the formula that does not depend on the logits (but for `restrict_support`, which asks which of them
/// are `-inf`). All zeros for rows that are not counted: whoever composes a loss must keep their logits out, which may
/// be NaN.
///
/// ```text
/// cross entropy   L_row     = sum_c positive_c (-log p_c) + z_factor lse^2 - offset
/// binary          L_element = positive softplus(-z) + negative softplus(z) - offset
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Coefficients {
    /// The factor of `-log p` of each logit, in the order of the logits.
    pub positive: Vec<f64>,
    /// Binary: the factor of `-log (1 - p)` of each logit. Empty for cross entropy.
    pub negative: Vec<f64>,
    /// The factor of `lse^2`, one per row.
    pub z_factors: Vec<f64>,
    /// The entropy to take off, one per unreduced loss.
    pub offsets: Vec<f64>,
}

impl Coefficients {
    /// Refuses configurations whose loss is more than factors of `-log p` and `lse^2`.
    ///
    /// # Errors
    ///
    /// A [likelihood](Config::likelihood) other than the negative logarithm, and [penalties](Config::penalties).
    pub fn check(config: &Config) -> Result<(), Error> {
        let what = match (config.likelihood(), config.penalties()) {
            (Likelihood::NegativeLog, []) => return Ok(()),
            (Likelihood::NegativeLog, [penalty, ..]) => format!("the penalty {}", penalty.name()),
            (likelihood, _) => format!("the likelihood {}", likelihood.name()),
        };
        let message = format!("{what} is computed by the kernel only, not by a framework's own operations");
        Err(Error::Configuration(message))
    }

    /// The coefficients of a batch. `logits` are looked at for `restrict_support` only; any slice of the right length
    /// does otherwise.
    ///
    /// # Errors
    ///
    /// A wrong number of logits, and what [`Coefficients::check`] refuses.
    pub fn new<P: Element>(problem: &Problem<P>, logits: &[f64]) -> Result<Self, Error> {
        Self::check(problem.config())?;
        let shape = problem.shape();
        shape.check_buffer("logits", logits.len())?;
        let is_binary = problem.config().loss() == LossFamily::BinaryCrossEntropy;
        let mut all = Self {
            positive: vec![0.0; shape.elements()],
            negative: vec![0.0; if is_binary { shape.elements() } else { 0 }],
            z_factors: vec![0.0; shape.rows()],
            offsets: vec![0.0; problem.losses()],
        };
        for row in (0..shape.rows()).filter(|&row| problem.is_counted(row)) {
            let elements: Vec<usize> = (0..shape.classes()).map(|class| shape.element(row, class)).collect();
            let z: Vec<f64> = elements.iter().map(|&element| logits[element]).collect();
            let target = weighted_target(problem, row, &z);
            for (class, &element) in elements.iter().enumerate() {
                let (weight, mass) = (target.weights[class], target.smoothed[class]);
                if is_binary {
                    all.positive[element] = weighted(weight, mass);
                    all.negative[element] = weighted(weight, target.complement[class]);
                } else {
                    all.positive[element] = weight * mass;
                }
            }
            if problem.config().subtract_entropy() {
                if is_binary {
                    for (class, &element) in elements.iter().enumerate() {
                        let entropy = binary::entropy(target.smoothed[class], target.complement[class]);
                        all.offsets[element] = target.weights[class] * entropy;
                    }
                } else {
                    all.offsets[row] = target.row_factor * entropy(&target.smoothed);
                }
            }
            all.z_factors[row] = problem.row_weight(row) * problem.config().z_loss();
        }
        Ok(all)
    }

    /// Everything over one number, so that the losses add up to their mean. No factor of `-log p` becomes 0 by that; see
    /// [`kept_in_f32`](Self::kept_in_f32).
    #[must_use]
    pub fn over(mut self, divisor: f64) -> Self {
        for factor in self.factors() {
            *factor = kept(*factor, *factor / divisor, f64::from_bits(1));
        }
        self.z_factors.iter_mut().chain(&mut self.offsets).for_each(|value| *value /= divisor);
        self
    }

    /// The same for a loss that is computed in `f32`, which has no numbers below `2^-149`: a factor of `-log p` that would be
    /// rounded to 0 is that number instead.
    ///
    /// Where its logit is `-inf`, a class costs infinity however little its mass is, and nothing only if it has none.
    /// Elsewhere less than `2^-149 (-log p)` is added, which does not show beside a row of ordinary mass.
    #[must_use]
    pub fn kept_in_f32(mut self) -> Self {
        for factor in self.factors() {
            let is_lost = *factor as f32 == 0.0;
            *factor = if is_lost { kept(*factor, 0.0, f64::from(f32::from_bits(1))) } else { *factor };
        }
        self
    }

    /// The factors of `-log p` and `-log (1 - p)`.
    fn factors(&mut self) -> impl Iterator<Item = &mut f64> {
        self.positive.iter_mut().chain(&mut self.negative)
    }
}

/// The factor of one outcome of an element: what an infinite logit costs is weighted, so no weight but 0 makes it nothing.
fn weighted(weight: f64, mass: f64) -> f64 {
    kept(if weight == 0.0 { 0.0 } else { mass }, weight * mass, f64::from_bits(1))
}

/// What a factor has become, or the least number of its sign if it was not 0 and that is.
fn kept(factor: f64, result: f64, least: f64) -> f64 {
    if result == 0.0 && factor != 0.0 { least.copysign(factor) } else { result }
}

#[cfg(test)]
mod tests {
    use super::{Coefficients, weighted};

    fn of(factors: &[f64], others: &[f64]) -> Coefficients {
        Coefficients {
            positive: factors.to_vec(),
            negative: factors.to_vec(),
            z_factors: others.to_vec(),
            offsets: others.to_vec(),
        }
    }

    #[test]
    fn what_a_mean_divides_by_takes_no_mass_away() {
        let least = f64::from_bits(1);
        let means = of(&[least, -least, 0.0, 3.0], &[least, 2.0]).over(4.0);
        assert_eq!(means, of(&[least, -least, 0.0, 0.75], &[0.0, 0.5]));
    }

    #[test]
    fn no_weight_but_0_takes_an_outcomes_mass_away() {
        let least = f64::from_bits(1);
        assert_eq!([weighted(0.25, least), weighted(0.25, -least)], [least, -least]);
        assert_eq!([weighted(0.0, least), weighted(0.25, 0.0), weighted(0.25, 3.0)], [0.0, 0.0, 0.75]);
    }

    #[test]
    fn a_mass_that_f32_would_round_to_0_is_its_least_number() {
        let least = f64::from(f32::from_bits(1));
        let kept = of(&[4e-46, -4e-46, 5e-324, 0.0, 1.5 * least, 0.1], &[4e-46]).kept_in_f32();
        assert_eq!(kept, of(&[least, -least, least, 0.0, 1.5 * least, 0.1], &[4e-46]));
    }
}
