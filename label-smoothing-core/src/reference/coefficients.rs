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
                all.positive[element] = target.weights[class] * target.smoothed[class];
                if is_binary {
                    all.negative[element] = target.weights[class] * target.complement[class];
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
}
