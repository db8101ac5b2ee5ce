//! How a hard target is made softer.

use crate::error::Error;

/// How far a distribution's sum may be off 1.
const SUM_TOLERANCE: f64 = 1e-6;

/// How a target distribution `q` over `K` classes is smoothed; `e` is the rate.
///
/// Rates lie between 0 and 1. Which kinds fit which targets and losses is checked when a
/// [`Config`](crate::Config) is built, and where it depends on the targets, when the loss is called.
#[derive(Debug, Clone, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields))]
#[non_exhaustive]
pub enum Smoothing {
    /// The targets as given.
    #[default]
    None,
    /// `(1 - e) q + e / K`: PyTorch, Keras, optax, timm, burn (Szegedy et al. 2016, arXiv 1512.00567).
    Uniform {
        /// The rate.
        epsilon: f64,
    },
    /// `1 - e` on the target and `e / (K - 1)` on each other class; for index targets. Fairseq, tensor2tensor,
    /// ESPnet and Megatron (Vaswani et al. 2017, arXiv 1706.03762).
    UniformOthers {
        /// The rate.
        epsilon: f64,
    },
    /// `(1 - e) q + e d` with a distribution `d` of the user's: a prior, unigram frequencies (Pereyra et al. 2017,
    /// arXiv 1701.06548).
    Distribution {
        /// The rate.
        epsilon: f64,
        /// The distribution, one probability per class.
        distribution: Vec<f64>,
    },
    /// `(1 - e) q + e rows[y]` with a distribution for each target class `y`: class similarity, ordinal classes; for
    /// index targets.
    ClassRows {
        /// The rate.
        epsilon: f64,
        /// One distribution per class.
        rows: Vec<Vec<f64>>,
    },
    /// [`Smoothing::Uniform`] with the rate of the row's target; for index targets.
    UniformPerClass {
        /// One rate per class.
        epsilons: Vec<f64>,
    },
    /// Binary only: `(1 - e) y + e / 2` (Keras).
    UniformHalf {
        /// The rate.
        epsilon: f64,
    },
    /// Binary only: `(1 - 2 e) y + e`, so that 0 and 1 become `e` and `1 - e`.
    UniformFlip {
        /// The rate.
        epsilon: f64,
    },
    /// Binary only: `(1 - e) y`, one-sided (Salimans et al. 2016, arXiv 1606.03498).
    PositivesOnly {
        /// The rate.
        epsilon: f64,
    },
    /// Binary only: `(y - e) / (1 - 2 e)`, the inverse of [`Smoothing::UniformFlip`], so that 0 and 1 become `-e / (1 - 2 e)`
    /// and `(1 - e) / (1 - 2 e)`; `e` is at least 0 and below 1/2.
    ///
    /// Where labels are flipped at the rate `e`, the expected loss is that of the clean labels (Natarajan et al. 2013; robust
    /// DPO: Chowdhury et al. 2024, arXiv 2403.00409). The target lies outside 0 to 1 and **the loss is not bounded below**:
    /// it falls without end as the logit grows on the side of the label.
    UnbiasedFlip {
        /// The rate at which labels are flipped.
        epsilon: f64,
    },
    /// Cross entropy only: `(1 - r) q + r / K` with a **negative** rate `r`, generalised label smoothing (Wei et al. 2022,
    /// arXiv 2106.04149).
    ///
    /// Every class but the target's has negative mass and **the loss is not bounded below**: it falls without end as the
    /// other classes' logits fall. For labels with much noise, after a warm-up without smoothing; typical rates are -0.5 to
    /// -8.
    Negative {
        /// The rate, finite and below 0.
        rate: f64,
    },
}

/// The rates in a smoothing, borrowed either way.
macro_rules! rates_of {
    ($smoothing:expr, $none:expr, $one:path) => {
        match $smoothing {
            Self::None => $none,
            Self::Uniform { epsilon }
            | Self::UniformOthers { epsilon }
            | Self::Distribution { epsilon, .. }
            | Self::ClassRows { epsilon, .. }
            | Self::UniformHalf { epsilon }
            | Self::UniformFlip { epsilon }
            | Self::PositivesOnly { epsilon }
            | Self::UnbiasedFlip { epsilon }
            | Self::Negative { rate: epsilon } => $one(epsilon),
            Self::UniformPerClass { epsilons } => epsilons,
        }
    };
}

impl Smoothing {
    /// The kind as the vector format writes it, such as `uniform_others`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Uniform { .. } => "uniform",
            Self::UniformOthers { .. } => "uniform_others",
            Self::Distribution { .. } => "distribution",
            Self::ClassRows { .. } => "class_rows",
            Self::UniformPerClass { .. } => "uniform_per_class",
            Self::UniformHalf { .. } => "uniform_half",
            Self::UniformFlip { .. } => "uniform_flip",
            Self::PositivesOnly { .. } => "positives_only",
            Self::UnbiasedFlip { .. } => "unbiased_flip",
            Self::Negative { .. } => "negative",
        }
    }

    /// Whether only the binary loss knows this kind.
    #[must_use]
    pub fn is_binary_only(&self) -> bool {
        matches!(
            self,
            Self::UniformHalf { .. }
                | Self::UniformFlip { .. }
                | Self::PositivesOnly { .. }
                | Self::UnbiasedFlip { .. }
        )
    }

    /// Whether the target is no distribution: its entries lie outside 0 to 1, and the loss is not bounded below.
    #[must_use]
    pub fn is_unbounded(&self) -> bool {
        matches!(self, Self::UnbiasedFlip { .. } | Self::Negative { .. })
    }

    /// Whether this kind needs to know the row's target class.
    #[must_use]
    pub fn is_for_indices_only(&self) -> bool {
        matches!(self, Self::UniformOthers { .. } | Self::ClassRows { .. } | Self::UniformPerClass { .. })
    }

    /// The largest rate in it, by size; 0 for [`Smoothing::None`].
    #[must_use]
    pub fn largest_rate(&self) -> f64 {
        self.rates().iter().fold(0.0, |largest, rate| rate.abs().max(largest))
    }

    fn rates(&self) -> &[f64] {
        rates_of!(self, &[], std::slice::from_ref)
    }

    fn rates_mut(&mut self) -> &mut [f64] {
        rates_of!(self, &mut [], std::slice::from_mut)
    }

    /// Each rate times its factor; none where all are then 0.
    pub(crate) fn scaled(&self, factors: &mut dyn Iterator<Item = f64>) -> Self {
        let mut scaled = self.clone();
        let mut is_off = true;
        for (rate, factor) in scaled.rates_mut().iter_mut().zip(factors) {
            *rate *= factor;
            is_off &= *rate == 0.0;
        }
        if is_off { Self::None } else { scaled }
    }

    /// What can be checked without the number of classes.
    pub(super) fn check_values(&self) -> Result<(), Error> {
        match *self {
            Self::UnbiasedFlip { epsilon } if !(0.0..0.5).contains(&epsilon) => {
                let range = "the rate of unbiased_flip is at least 0 and below 1/2";
                return Err(Error::UnboundedRate { name: "epsilon", value: epsilon, range });
            }
            Self::Negative { rate } if !(rate.is_finite() && rate < 0.0) => {
                let range = "the rate of negative is finite and below 0";
                return Err(Error::UnboundedRate { name: "rate", value: rate, range });
            }
            Self::UnbiasedFlip { .. } | Self::Negative { .. } => return Ok(()),
            _ => {}
        }
        let name = |index: usize| match self {
            Self::UniformPerClass { .. } => format!("epsilons[{index}]"),
            _ => "epsilon".to_owned(),
        };
        for (index, &value) in self.rates().iter().enumerate() {
            if !(0.0..=1.0).contains(&value) {
                return Err(Error::Rate { name: name(index), value });
            }
        }
        match self {
            Self::Distribution { distribution, .. } => check_distribution("distribution", distribution),
            Self::ClassRows { rows, .. } => {
                rows.iter().enumerate().try_for_each(|(class, row)| check_distribution(&format!("rows[{class}]"), row))
            }
            _ => Ok(()),
        }
    }

    /// What can be checked only when the number of classes is known.
    pub(super) fn check_classes(&self, classes: usize) -> Result<(), Error> {
        let length = |name: String, found: usize| {
            if found == classes { Ok(()) } else { Err(Error::SmoothingLength { name, found, classes }) }
        };
        match self {
            Self::UniformOthers { .. } if classes == 1 => Err(Error::NoOtherClass { classes }),
            Self::Distribution { distribution, .. } => length("distribution".to_owned(), distribution.len()),
            Self::UniformPerClass { epsilons } => length("epsilons".to_owned(), epsilons.len()),
            Self::ClassRows { rows, .. } => {
                length("rows".to_owned(), rows.len())?;
                rows.iter().enumerate().try_for_each(|(class, row)| length(format!("rows[{class}]"), row.len()))
            }
            _ => Ok(()),
        }
    }
}

/// Refuses what is no distribution over the classes.
pub(crate) fn check_distribution(name: &str, distribution: &[f64]) -> Result<(), Error> {
    for (class, &value) in distribution.iter().enumerate() {
        if !(value.is_finite() && value >= 0.0) {
            return Err(Error::SmoothingEntry { name: name.to_owned(), class, value });
        }
    }
    let sum: f64 = distribution.iter().sum();
    if (sum - 1.0).abs() <= SUM_TOLERANCE { Ok(()) } else { Err(Error::SmoothingSum { name: name.to_owned(), sum }) }
}
