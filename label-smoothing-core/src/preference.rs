//! Losses on pairs of answers, of which one was preferred: direct preference optimisation with smoothed labels.

use crate::check::Problem;
use crate::config::{Config, Smoothing};
use crate::error::{Error, check_length};
use crate::kernel;
use crate::targets::{Array, Targets};

/// Direct preference optimisation (DPO: Rafailov et al. 2023, arXiv 2305.18290) for preferences of which some are wrong.
///
/// With `log p` the summed log-probabilities of an answer's tokens under the policy and the reference model:
///
/// ```text
/// z = beta ((log p(chosen) - log p_ref(chosen)) - (log p(rejected) - log p_ref(rejected)))
///
/// conservative   L = -(1 - e) log s(z) - e log s(-z)
/// robust         L = (-(1 - e) log s(z) + e log s(-z)) / (1 - 2 e)                      s the sigmoid
///
/// rewards        beta (log p - log p_ref), of the chosen and of the rejected answer
/// ```
///
/// Both are the binary loss of the logit `z` and the target 1: conservative (cDPO: Mitchell 2023, "A note on DPO with noisy
/// preferences and relationship to IPO") with [`Smoothing::UniformFlip`], robust (Chowdhury et al. 2024, arXiv 2403.00409)
/// with [`Smoothing::UnbiasedFlip`].
///
/// * **Typical**: `beta` 0.1 to 0.5, `epsilon` the share of preferences believed to be wrong, often 0.1.
/// * **When**: conservative, to stop a policy from driving pairs apart without end: its minimum is at
///   `s(z) = 1 - e`. Robust, where labels are flipped at a rate that is known: its expectation over the flips is the loss of
///   the right labels, but **it is not bounded below**. Neither where preferences are certain.
///
/// # In a framework
///
/// Compute `z` with the framework's tensors as a column of shape `[pairs, 1]`, make the adapter's `SmoothedBinaryCrossEntropy`
/// of [`PreferenceLoss::config`], and call it with the index target 0 for every pair, the first and only class. Given the
/// same `z`, the bits are those of [`PreferenceLoss::evaluate`], and the framework differentiates through `z`.
///
/// ```
/// use label_smoothing_core::{PreferenceLoss, PreferencePairs};
///
/// let pairs = PreferencePairs {
///     policy_chosen: &[-10.0, -8.0],
///     policy_rejected: &[-12.0, -7.5],
///     reference_chosen: &[-10.5, -8.0],
///     reference_rejected: &[-11.5, -8.0],
/// };
/// let conservative = PreferenceLoss::conservative(0.1, 0.1)?.evaluate(&pairs)?;
/// assert!((conservative.loss - 0.683_928_2).abs() < 1e-7);
/// assert!((conservative.chosen_rewards[0] - 0.05).abs() < 1e-15);
/// let robust = PreferenceLoss::robust(0.1, 0.1)?.evaluate(&pairs)?;
/// assert!(robust.loss < conservative.loss);
/// assert!(PreferenceLoss::robust(0.1, 0.5).is_err());
/// # Ok::<(), label_smoothing_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PreferenceLoss {
    beta: f64,
    config: Config,
}

/// The summed log-probabilities of pairs of answers, one entry per pair, in nats.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PreferencePairs<'a> {
    /// Of the preferred answers under the policy.
    pub policy_chosen: &'a [f64],
    /// Of the other answers under the policy.
    pub policy_rejected: &'a [f64],
    /// Of the preferred answers under the reference model.
    pub reference_chosen: &'a [f64],
    /// Of the other answers under the reference model.
    pub reference_rejected: &'a [f64],
}

/// What a batch of pairs gives.
#[derive(Debug, Clone, PartialEq)]
pub struct PreferenceOutcome {
    /// The mean loss, in nats; NaN without pairs.
    pub loss: f64,
    /// The loss of each pair.
    pub losses: Vec<f64>,
    /// `beta (log p - log p_ref)` of each preferred answer.
    pub chosen_rewards: Vec<f64>,
    /// The same of each other answer.
    pub rejected_rewards: Vec<f64>,
    /// The derivative of the mean loss by each `policy_chosen`; that by `policy_rejected` is its negative.
    pub chosen_gradient: Vec<f64>,
}

impl PreferenceOutcome {
    /// The derivative of the mean loss by each `policy_rejected`.
    #[must_use]
    pub fn rejected_gradient(&self) -> Vec<f64> {
        self.chosen_gradient.iter().map(|slope| -slope).collect()
    }

    /// How many pairs the rewards order as the preferences do.
    #[must_use]
    pub fn correct(&self) -> usize {
        self.chosen_rewards.iter().zip(&self.rejected_rewards).filter(|(chosen, rejected)| chosen > rejected).count()
    }
}

impl PreferenceLoss {
    /// cDPO.
    ///
    /// # Errors
    ///
    /// A `beta` that is not finite and above 0; an `epsilon` that is not between 0 and 1 (at 1/2 a preference says nothing,
    /// above it says the opposite).
    pub fn conservative(beta: f64, epsilon: f64) -> Result<Self, Error> {
        Self::new(beta, Smoothing::UniformFlip { epsilon })
    }

    /// Robust DPO; not bounded below.
    ///
    /// # Errors
    ///
    /// A `beta` that is not finite and above 0; an `epsilon` that is not at least 0 and below 1/2.
    pub fn robust(beta: f64, epsilon: f64) -> Result<Self, Error> {
        Self::new(beta, Smoothing::UnbiasedFlip { epsilon })
    }

    fn new(beta: f64, smoothing: Smoothing) -> Result<Self, Error> {
        if !(beta.is_finite() && beta > 0.0) {
            let range = "must be finite and above 0";
            return Err(Error::Parameter { name: "beta".to_owned(), value: beta, range });
        }
        Ok(Self { beta, config: Config::binary_cross_entropy().smoothing(smoothing).build()? })
    }

    /// The temperature of the rewards.
    #[must_use]
    pub fn beta(&self) -> f64 {
        self.beta
    }

    /// The binary loss of the logits `z`, for an adapter.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The loss, the rewards and the gradient of a batch.
    ///
    /// # Errors
    ///
    /// Lists of different lengths; a log-probability that is not finite.
    pub fn evaluate(&self, pairs: &PreferencePairs<'_>) -> Result<PreferenceOutcome, Error> {
        pairs.check()?;
        let rewards = |policy: &[f64], reference: &[f64]| -> Vec<f64> {
            policy.iter().zip(reference).map(|(policy, reference)| self.beta * (policy - reference)).collect()
        };
        let logits = pairs.differences().map(|difference| self.beta * difference).collect::<Vec<f64>>();
        let count = logits.len();
        let first_class = Targets::<f64>::indices(Array::new([count], vec![0; count]));
        let problem = Problem::new(&self.config, &[count, 1], first_class)?;
        let (mut losses, mut gradient) = (vec![0.0; count], vec![0.0; count]);
        kernel::row_losses(&problem, &logits, &mut losses)?;
        let loss = kernel::loss_and_gradient(&problem, &logits, 1.0, &mut gradient)?.value;
        for slope in &mut gradient {
            *slope *= self.beta;
        }
        Ok(PreferenceOutcome {
            loss,
            losses,
            chosen_rewards: rewards(pairs.policy_chosen, pairs.reference_chosen),
            rejected_rewards: rewards(pairs.policy_rejected, pairs.reference_rejected),
            chosen_gradient: gradient,
        })
    }
}

impl PreferencePairs<'_> {
    fn check(&self) -> Result<(), Error> {
        let expected = self.policy_chosen.len();
        for (name, list) in [
            ("policy_chosen", self.policy_chosen),
            ("policy_rejected", self.policy_rejected),
            ("reference_chosen", self.reference_chosen),
            ("reference_rejected", self.reference_rejected),
        ] {
            check_length(name, list.len(), expected)?;
            if let Some(pair) = list.iter().position(|value| !value.is_finite()) {
                let name = format!("{name}[{pair}]");
                return Err(Error::Parameter { name, value: list[pair], range: "must be finite" });
            }
        }
        Ok(())
    }

    /// The log-ratio of the preferred answer less that of the other.
    fn differences(&self) -> impl Iterator<Item = f64> {
        let chosen = self.policy_chosen.iter().zip(self.reference_chosen).map(|(policy, reference)| policy - reference);
        let rejected = self.policy_rejected.iter().zip(self.reference_rejected);
        chosen.zip(rejected).map(|(chosen, (policy, reference))| chosen - (policy - reference))
    }
}
