//! Every option of the loss, valid once built.

mod builder;
mod convention;
mod likelihood;
mod penalty;
mod presets;
mod smoothing;

pub use builder::ConfigBuilder;
pub use convention::{epsilon_over_all, epsilon_over_others};
pub use likelihood::Likelihood;
pub use penalty::Penalty;
pub use presets::{Preset, UnknownPreset};
pub use smoothing::Smoothing;
pub(crate) use smoothing::check_distribution;

use crate::error::Error;
use crate::targets::Targets;

/// Which probability model the logits belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum LossFamily {
    /// A softmax over the class axis: one of K classes is right.
    #[default]
    CrossEntropy,
    /// A sigmoid per element: each class is right or not, by itself.
    BinaryCrossEntropy,
}

/// What class weights mean when the target is soft. `w` are the weights, `q` the smoothed target, `y` the target class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum ClassWeighting {
    /// Row loss `-sum_c w_c q_c log p_c` (PyTorch, burn, Liger).
    #[default]
    InsideSum,
    /// Row loss `w_y * -sum_c q_c log p_c`; for index targets (Paddle with hard labels).
    ByTarget,
    /// Row loss `(sum_c w_c q_c) * -sum_c q_c log p_c`, `q` after smoothing (Paddle with soft labels).
    Expected,
}

/// How one number is made of the row losses. For one loss per row call `row_losses` instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Reduction {
    /// Their sum over the [`Denominator`].
    #[default]
    Mean,
    /// Their sum.
    Sum,
}

/// What a mean divides by.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Denominator {
    /// The sum of the counted rows' weights: `w_y` for indices, `sum_c w_c q_c` (before smoothing) for all others, 1
    /// without class weights; times the row weight.
    #[default]
    Weights,
    /// The number of rows that are not ignored.
    Counted,
    /// The number of rows, ignored ones too.
    All,
    /// A number from outside, such as the tokens over all micro-batches or ranks; finite and not negative.
    Constant(f64),
}

impl Denominator {
    /// The denominator as the vector format writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Weights => "weights",
            Self::Counted => "counted",
            Self::All => "all",
            Self::Constant(_) => "constant",
        }
    }
}

/// What a mean over nothing (a denominator of 0) gives; its gradient is 0 in each case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum EmptyMean {
    /// NaN, as 0 / 0 (PyTorch).
    #[default]
    Nan,
    /// 0 (Keras).
    Zero,
    /// A refusal.
    Error,
}

/// What becomes of classes whose logit is `-inf`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum NonFiniteLogits {
    /// Arithmetic as it falls, but a class with target mass 0 costs nothing however small its probability.
    #[default]
    Propagate,
    /// Smoothing mass goes only to classes whose logit is not `-inf`; the hard part of the target stays where it is.
    RestrictSupport,
}

/// The options behind both [`Config`] and its builder, checked in the first and unchecked in the second.
#[derive(Debug, Clone, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub(crate) struct Options {
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    preset: Option<Preset>,
    loss: LossFamily,
    smoothing: Smoothing,
    class_weights: Option<Vec<f64>>,
    class_weighting: ClassWeighting,
    ignore_index: Vec<i64>,
    reduction: Reduction,
    denominator: Denominator,
    empty_mean: EmptyMean,
    non_finite_logits: NonFiniteLogits,
    z_loss: f64,
    excluded_classes: Vec<usize>,
    subtract_entropy: bool,
    likelihood: Likelihood,
    penalties: Vec<Penalty>,
    class_axis: Option<usize>,
}

/// A complete, valid configuration of the loss.
///
/// [`Config::cross_entropy`] and [`Config::binary_cross_entropy`] start one; every option has the default that
/// PyTorch's class-index path has.
///
/// ```
/// use label_smoothing_core::{ClassWeighting, Config, Reduction, Smoothing};
///
/// let config = Config::cross_entropy()
///     .smoothing(Smoothing::Uniform { epsilon: 0.1 })
///     .class_weights([1.0, 2.0, 0.5])
///     .ignore_index([-100])
///     .reduction(Reduction::Sum)
///     .build()?;
/// assert_eq!(config.class_weighting(), ClassWeighting::InsideSum);
///
/// let refused = Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: -0.1 }).build().unwrap_err();
/// assert_eq!(refused.to_string(), "epsilon is -0.1, but a smoothing rate lies between 0 and 1");
/// # Ok::<(), label_smoothing_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Options", into = "Options"))]
pub struct Config {
    options: Options,
}

impl Config {
    /// Starts a softmax cross entropy.
    pub fn cross_entropy() -> ConfigBuilder {
        ConfigBuilder::new(LossFamily::CrossEntropy)
    }

    /// Starts a sigmoid cross entropy per element.
    pub fn binary_cross_entropy() -> ConfigBuilder {
        ConfigBuilder::new(LossFamily::BinaryCrossEntropy)
    }

    /// A builder that holds this configuration's options, to change some of them.
    pub fn to_builder(&self) -> ConfigBuilder {
        ConfigBuilder { options: self.options.clone() }
    }

    /// The system in whose name the configuration refuses what that system cannot do, if any.
    #[must_use]
    pub fn preset(&self) -> Option<Preset> {
        self.options.preset
    }

    /// Softmax or sigmoid.
    #[must_use]
    pub fn loss(&self) -> LossFamily {
        self.options.loss
    }

    /// How targets are smoothed.
    #[must_use]
    pub fn smoothing(&self) -> &Smoothing {
        &self.options.smoothing
    }

    /// One weight per class, if any.
    #[must_use]
    pub fn class_weights(&self) -> Option<&[f64]> {
        self.options.class_weights.as_deref()
    }

    /// What class weights mean.
    #[must_use]
    pub fn class_weighting(&self) -> ClassWeighting {
        self.options.class_weighting
    }

    /// The target ids whose rows contribute nothing.
    #[must_use]
    pub fn ignore_index(&self) -> &[i64] {
        &self.options.ignore_index
    }

    /// Mean or sum.
    #[must_use]
    pub fn reduction(&self) -> Reduction {
        self.options.reduction
    }

    /// What a mean divides by.
    #[must_use]
    pub fn denominator(&self) -> Denominator {
        self.options.denominator
    }

    /// What a mean over nothing gives.
    #[must_use]
    pub fn empty_mean(&self) -> EmptyMean {
        self.options.empty_mean
    }

    /// What becomes of classes whose logit is `-inf`.
    #[must_use]
    pub fn non_finite_logits(&self) -> NonFiniteLogits {
        self.options.non_finite_logits
    }

    /// The factor of `lse^2` in each counted row's loss.
    #[must_use]
    pub fn z_loss(&self) -> f64 {
        self.options.z_loss
    }

    /// The classes that get no smoothing mass.
    #[must_use]
    pub fn excluded_classes(&self) -> &[usize] {
        &self.options.excluded_classes
    }

    /// Whether the entropy of the smoothed target is taken off each row's loss.
    #[must_use]
    pub fn subtract_entropy(&self) -> bool {
        self.options.subtract_entropy
    }

    /// What a class costs by its probability.
    #[must_use]
    pub fn likelihood(&self) -> Likelihood {
        self.options.likelihood
    }

    /// The terms that are added to each counted row's loss.
    #[must_use]
    pub fn penalties(&self) -> &[Penalty] {
        &self.options.penalties
    }

    /// The axis of the logits that the classes are on; none means the last.
    #[must_use]
    pub fn class_axis(&self) -> Option<usize> {
        self.options.class_axis
    }

    /// What the preset, if any, has against these targets.
    pub(crate) fn check_targets<P: Clone>(&self, targets: &Targets<P>, classes: usize) -> Result<(), Error> {
        self.preset().map_or(Ok(()), |preset| preset.check_targets(&self.options, targets, classes))
    }

    /// What can be checked only when the number of classes is known.
    pub(crate) fn check_classes(&self, classes: usize) -> Result<(), Error> {
        self.smoothing().check_classes(classes)?;
        if let Some(weights) = self.class_weights()
            && weights.len() != classes
        {
            return Err(Error::ClassWeightCount { found: weights.len(), classes });
        }
        match self.excluded_classes().iter().find(|&&class| class >= classes) {
            Some(class) => Err(Error::Configuration(format!(
                "excluded_classes names class {class}, but the classes are 0 to {}",
                classes - 1
            ))),
            None => Ok(()),
        }
    }
}

impl TryFrom<Options> for Config {
    type Error = Error;

    fn try_from(options: Options) -> Result<Self, Error> {
        options.check()?;
        Ok(Self { options })
    }
}

impl From<Config> for Options {
    fn from(config: Config) -> Self {
        config.options
    }
}
