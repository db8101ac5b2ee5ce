//! What takes the place of the negative log-likelihood.

use super::{LossFamily, Options, Penalty, Smoothing};
use crate::error::Error;

/// What a class costs by its probability: the `phi` of the row loss `sum_c a_c phi(p_c)`.
///
/// `a_c` is the smoothed target's `q_c` with every weight in it, as for the cross entropy, whose `phi` is `-log p`. With
/// `h(p) = -p phi'(p)`, which is 1 for the cross entropy, the gradient of every kind is that of the cross entropy with
/// `b_c = a_c h(p_c)` for `a_c`:
///
/// ```text
/// L   = sum_c a_c phi(p_c)
/// g_k = p_k sum_c b_c - b_k
/// ```
///
/// The z-loss and [penalties](crate::Penalty) are added as to the cross entropy, and the denominator is the same. The
/// plain negative log-likelihood in the parts of the loss is still that of the target as given.
/// `subtract_entropy` goes with the negative log-likelihood only: the others have their minimum elsewhere. The kernel
/// computes the others in `f64` for every element type; losses composed of a framework's own operations, as on GPUs, and
/// presets of other systems refuse them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields))]
#[non_exhaustive]
pub enum Likelihood {
    /// `phi(p) = -log p`: the cross entropy.
    #[default]
    NegativeLog,
    /// The focal loss: what is right already counts less (Lin et al. 2017, arXiv 1708.02002).
    ///
    /// ```text
    /// phi(p) = (1 - p)^gamma (-log p)
    /// h(p)   = (1 - p)^gamma (1 + gamma p (-log p) / (1 - p))
    ///
    /// binary   L = w alpha_q (1 - p_q)^gamma CE,                          CE = q softplus(-z) + (1 - q) softplus(z)
    ///          g = w alpha_q (1 - p_q)^gamma (CE' + gamma CE (1 - 2 q) s(z) s(-z) / (1 - p_q))
    ///          1 - p_q = q s(-z) + (1 - q) s(z),  alpha_q = alpha q + (1 - alpha) (1 - q),  CE' = (1 - q) s(z) - q s(-z)
    /// ```
    ///
    /// Softmax: with soft targets each class has its own factor, as in Keras' `CategoricalFocalCrossentropy`. The
    /// binary loss is that of `RetinaNet`: torchvision's and optax's `sigmoid_focal_loss`, and Keras'
    /// `BinaryFocalCrossentropy`, also for soft and smoothed targets, but not for those of `unbiased_flip`, whose
    /// `1 - p_q` may be negative. For many easy negatives beside few positives; it makes a classifier less confident in
    /// itself, so that smoothing adds little. A confident row's loss vanishes as `(1 - p)^(gamma + 1)`. Typical: gamma 2,
    /// and for detection alpha 0.25.
    ///
    /// ```
    /// use label_smoothing_core::{kernel, Array, Config, Likelihood, Problem, Targets};
    ///
    /// let focal = Likelihood::Focal { gamma: 2.0, alpha: Some(0.25) };
    /// let config = Config::binary_cross_entropy().likelihood(focal).build()?;
    /// let targets = Targets::<f32>::probabilities(Array::new([1, 1], vec![1.0_f32]));
    /// let loss = kernel::loss(&Problem::new(&config, &[1, 1], targets)?, &[0.0_f32])?.value;
    /// assert!((loss - 0.25 * 0.5_f64.powi(2) * 2.0_f64.ln()).abs() < 1e-15); // p = 1/2
    /// # Ok::<(), label_smoothing_core::Error>(())
    /// ```
    Focal {
        /// Finite and not negative; 0 is the cross entropy.
        gamma: f64,
        /// Binary only: the weight of positives, between 0 and 1; negatives have `1 - alpha`. None weighs both by 1. It
        /// enters no denominator. With a softmax, what the paper calls alpha are class weights.
        #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
        alpha: Option<f64>,
    },
    /// Label relaxation: any prediction that gives the target at least `1 - alpha` is right (Lienen and Hüllermeier 2021,
    /// "From Label Smoothing to Label Relaxation", AAAI 35).
    ///
    /// ```text
    /// phi(p) = (1 - alpha) log((1 - alpha) / p) + alpha log(alpha / (1 - p))    while p < 1 - alpha, else exactly 0
    /// h(p)   = 1 - alpha / (1 - p)                                              likewise
    /// ```
    ///
    /// It takes the place of smoothing: what is beyond the target's share may go to any class instead of being spread
    /// evenly. For index targets without smoothing, softmax only. Typical: 0.1.
    Relaxed {
        /// Between 0 and 1; 0 is the cross entropy.
        alpha: f64,
    },
}

impl Likelihood {
    /// The kind as the vector format writes it, such as `negative_log`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::NegativeLog => "negative_log",
            Self::Focal { .. } => "focal",
            Self::Relaxed { .. } => "relaxed",
        }
    }

    fn check_values(self) -> Result<(), Error> {
        let name = self.name();
        let share = |alpha: f64| {
            if (0.0..=1.0).contains(&alpha) {
                return Ok(());
            }
            Err(Error::Configuration(format!(
                "the alpha of the likelihood {name} is {alpha}, but must lie between 0 and 1"
            )))
        };
        match self {
            Self::NegativeLog => Ok(()),
            Self::Focal { gamma, .. } if !(gamma.is_finite() && gamma >= 0.0) => Err(Error::Configuration(format!(
                "the gamma of the likelihood {name} is {gamma}, but must be finite and not negative"
            ))),
            Self::Focal { alpha, .. } => alpha.map_or(Ok(()), share),
            Self::Relaxed { alpha } => share(alpha),
        }
    }
}

impl Options {
    pub(super) fn check_likelihood(&self) -> Result<(), Error> {
        self.likelihood.check_values()?;
        let is_binary = self.loss == LossFamily::BinaryCrossEntropy;
        let has_poly = self.penalties.iter().any(|penalty| matches!(penalty, Penalty::Poly { .. }));
        let without = |what: &str| {
            let name = self.likelihood.name();
            Err(Error::Configuration(format!("the likelihood {name} does not go with {what}")))
        };
        match self.likelihood {
            Likelihood::NegativeLog => Ok(()),
            _ if self.subtract_entropy => without("subtract_entropy"),
            _ if has_poly => without("the penalty poly"),
            Likelihood::Focal { alpha: Some(_), .. } if !is_binary => {
                without("an alpha for cross entropy: give class_weights")
            }
            Likelihood::Relaxed { .. } if is_binary => without("binary cross entropy"),
            Likelihood::Relaxed { .. } if self.smoothing != Smoothing::None => {
                without(&format!("smoothing {}", self.smoothing.name()))
            }
            // `1 - p_q` of such a target may be negative, and its power is no number.
            Likelihood::Focal { .. } if is_binary && self.smoothing.is_unbounded() => {
                without(&format!("smoothing {}", self.smoothing.name()))
            }
            _ => Ok(()),
        }
    }
}
