//! Terms that are added to each row's loss.

use super::{LossFamily, Options};
use crate::error::Error;

/// A term added to the loss of each counted row of a softmax cross entropy, with its own share of the gradient.
///
/// `z` are the row's logits over `K` classes, `p` their softmax, `m` the first column of the largest logit, `q` the
/// smoothed target. As the z-loss, a penalty is multiplied by the row's weight, and not by class weights; it enters no
/// denominator, and masked and ignored rows have exactly 0. It looks at every class, excluded ones too; of a class
/// whose logit is `-inf` (`p = 0`) every term is 0, and it is left out of means over classes. Several penalties add up,
/// at most one of each kind. `subtract_entropy` takes off nothing of theirs.
///
/// None of the four feels an offset on the whole row, so that their gradients sum to 0 over it.
///
/// The kernel computes them, in `f64` for every element type; losses composed of a framework's own operations, as on
/// GPUs, and presets of other systems refuse them.
///
/// ```
/// use label_smoothing_core::{kernel, Array, Config, Penalty, Problem, Targets};
///
/// let loss = |penalties: Vec<Penalty>| {
///     let config = Config::cross_entropy().penalties(penalties).build()?;
///     let problem = Problem::new(&config, &[1, 3], Targets::<f64>::indices(Array::new([1], vec![0])))?;
///     Ok::<_, label_smoothing_core::Error>(kernel::loss(&problem, &[1.0, 4.0, -2.0])?.value)
/// };
/// let added = |penalty| Ok::<_, label_smoothing_core::Error>(loss(vec![penalty])? - loss(vec![])?);
/// // The largest logit is 4: 3 above their mean, and 3 and 6 above the others.
/// assert!((added(Penalty::MaxSuppression { strength: 0.5 })? - 0.5 * 3.0).abs() < 1e-12);
/// assert!((added(Penalty::Margin { strength: 0.5, margin: 4.0 })? - 0.5 * (6.0 - 4.0)).abs() < 1e-12);
/// # Ok::<(), label_smoothing_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields))]
#[non_exhaustive]
pub enum Penalty {
    /// The entropy of the prediction is rewarded (Pereyra et al. 2017, arXiv 1701.06548).
    ///
    /// ```text
    /// L   = strength * sum_c p_c log p_c                        = -strength * H(p)
    /// g_k = strength * p_k (log p_k + H(p))
    /// ```
    ///
    /// The divergence of `p` from the uniform distribution, where smoothing adds that of the uniform distribution from
    /// `p`: it presses most on rows of middling confidence and lets go of those that are certain. With both, confidence
    /// is punished twice. Typical: 0.1 to 1.
    Confidence {
        /// Finite and not negative.
        strength: f64,
    },
    /// Distances of logits to the largest are punished beyond a margin only (Liu et al. 2022, arXiv 2111.15430).
    ///
    /// ```text
    /// L   = strength * sum_c max(0, z_m - z_c - margin)
    /// g_k = strength * (n [k = m] - [z_m - z_k > margin])       n: how many are beyond the margin
    /// ```
    ///
    /// In place of smoothing, which draws every distance to 0, however small: here rows are free up to the margin.
    /// Logits of `-inf` have no distance. Where several logits are the largest, the first has the gradient. Typical:
    /// margin 6 to 10, strength 0.1 over `K`, since the authors' program takes the mean over the classes where their
    /// paper has this sum. Not for margins below the distances that the task needs: the loss then works against itself.
    Margin {
        /// Finite and not negative.
        strength: f64,
        /// In nats, finite and not negative; a distance of exactly this much is within.
        margin: f64,
    },
    /// The largest logit is suppressed, be it the target's or not (Zhou et al. 2025, arXiv 2502.15798, where it is `MaxSup`).
    ///
    /// ```text
    /// L   = strength * (z_m - mean_c z_c)
    /// g_k = strength * ([k = m] - 1 / K)
    /// ```
    ///
    /// Uniform smoothing at the rate `e` is the cross entropy plus `e (z_y - mean_c z_c)`. This is the same where the
    /// prediction is right; where it is wrong, smoothing lowers the target's logit and makes the mistake more confident,
    /// and this lowers the mistake's. So it takes the place of smoothing. `K` counts the classes whose logit is not
    /// `-inf`. Where several logits are the largest, the first has the gradient. Typical: 0.1, raised to 0.2 over the
    /// training.
    MaxSuppression {
        /// Finite and not negative.
        strength: f64,
    },
    /// The first term of the cross entropy's series in `1 - p_y` gets another factor, `1 + epsilon` (Leng et al. 2022,
    /// arXiv 2204.12511: Poly-1).
    ///
    /// ```text
    /// L   = epsilon * sum_c q_c (1 - p_c)                       for an index without smoothing epsilon * (1 - p_y)
    /// g_k = epsilon * p_k (sum_c q_c p_c - q_k)
    /// ```
    ///
    /// With the smoothed target, as the authors and optax have it. Above 0 it pushes rows that are nearly certain
    /// further, the opposite of what smoothing does; below 0 it holds them back. It changes the cross entropy's own
    /// series and goes with [`Likelihood::NegativeLog`](crate::Likelihood::NegativeLog) only. Typical: 2 for image
    /// classification, to be searched for each task.
    Poly {
        /// Finite and at least -1, at which the first term is gone.
        epsilon: f64,
    },
}

impl Penalty {
    /// The kind as the vector format writes it, such as `max_suppression`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Confidence { .. } => "confidence",
            Self::Margin { .. } => "margin",
            Self::MaxSuppression { .. } => "max_suppression",
            Self::Poly { .. } => "poly",
        }
    }

    fn check_values(&self) -> Result<(), Error> {
        let checked = |field: &str, value: f64, least: f64, range: &str| {
            if value.is_finite() && value >= least {
                return Ok(());
            }
            let name = self.name();
            Err(Error::Configuration(format!(
                "the {field} of the penalty {name} is {value}, but must be finite and {range}"
            )))
        };
        let not_negative = |field, value| checked(field, value, 0.0, "not negative");
        match *self {
            Self::Confidence { strength } | Self::MaxSuppression { strength } => not_negative("strength", strength),
            Self::Margin { strength, margin } => {
                not_negative("strength", strength)?;
                not_negative("margin", margin)
            }
            Self::Poly { epsilon } => checked("epsilon", epsilon, -1.0, "at least -1"),
        }
    }
}

impl Options {
    pub(super) fn check_penalties(&self) -> Result<(), Error> {
        for (at, penalty) in self.penalties.iter().enumerate() {
            penalty.check_values()?;
            let name = penalty.name();
            if self.loss == LossFamily::BinaryCrossEntropy {
                return Err(Error::Configuration(format!("binary cross entropy does not go with the penalty {name}")));
            }
            if self.penalties[..at].iter().any(|other| other.name() == name) {
                return Err(Error::Configuration(format!("penalties has {name} twice")));
            }
        }
        Ok(())
    }
}
