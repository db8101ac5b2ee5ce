//! Setting options one by one, and checking them together.

use super::presets::complete;
use super::{
    ClassWeighting, Config, Denominator, EmptyMean, Likelihood, LossFamily, NonFiniteLogits, Options, Penalty,
    Reduction, Smoothing,
};
use crate::error::Error;

/// Options on their way to a [`Config`]; [`ConfigBuilder::build`] checks them.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a builder does nothing until it is built"]
pub struct ConfigBuilder {
    pub(super) options: Options,
}

impl ConfigBuilder {
    pub(super) fn new(loss: LossFamily) -> Self {
        Self { options: Options { loss, ..Options::default() } }
    }

    /// How targets are smoothed; not at all by default.
    pub fn smoothing(mut self, smoothing: Smoothing) -> Self {
        self.options.smoothing = smoothing;
        self
    }

    /// One weight per class, finite and not negative; all one by default.
    pub fn class_weights(mut self, weights: impl Into<Vec<f64>>) -> Self {
        self.options.class_weights = Some(weights.into());
        self
    }

    /// What class weights mean; [`ClassWeighting::InsideSum`] by default.
    pub fn class_weighting(mut self, weighting: ClassWeighting) -> Self {
        self.options.class_weighting = weighting;
        self
    }

    /// The target ids whose rows contribute nothing; none by default. For index targets, and of sparse ones, where entries
    /// with such an id pad a row; use a row mask with others.
    pub fn ignore_index(mut self, ids: impl Into<Vec<i64>>) -> Self {
        self.options.ignore_index = ids.into();
        self
    }

    /// Mean or sum; the mean by default.
    pub fn reduction(mut self, reduction: Reduction) -> Self {
        self.options.reduction = reduction;
        self
    }

    /// What a mean divides by; [`Denominator::Weights`] by default.
    pub fn denominator(mut self, denominator: Denominator) -> Self {
        self.options.denominator = denominator;
        self
    }

    /// What a mean over nothing gives; NaN by default.
    pub fn empty_mean(mut self, empty_mean: EmptyMean) -> Self {
        self.options.empty_mean = empty_mean;
        self
    }

    /// What becomes of classes whose logit is `-inf`; [`NonFiniteLogits::Propagate`] by default.
    pub fn non_finite_logits(mut self, policy: NonFiniteLogits) -> Self {
        self.options.non_finite_logits = policy;
        self
    }

    /// Adds `factor * lse^2` to each counted row's loss (Chowdhery et al. 2022, arXiv 2204.02311); 0 by default.
    pub fn z_loss(mut self, factor: f64) -> Self {
        self.options.z_loss = factor;
        self
    }

    /// Classes that get no smoothing mass, such as padding and other special tokens; none by default.
    pub fn excluded_classes(mut self, classes: impl Into<Vec<usize>>) -> Self {
        self.options.excluded_classes = classes.into();
        self
    }

    /// Takes the entropy of the smoothed target, times the factor of the row's cross entropy, off each row's loss, so
    /// that its minimum is 0 and the loss is a divergence; off by default. The gradient is the same.
    pub fn subtract_entropy(mut self, subtract: bool) -> Self {
        self.options.subtract_entropy = subtract;
        self
    }

    /// What a class costs by its probability; [`Likelihood::NegativeLog`], the cross entropy, by default.
    pub fn likelihood(mut self, likelihood: Likelihood) -> Self {
        self.options.likelihood = likelihood;
        self
    }

    /// Terms added to each counted row's loss, at most one of each kind; none by default.
    pub fn penalties(mut self, penalties: impl Into<Vec<Penalty>>) -> Self {
        self.options.penalties = penalties.into();
        self
    }

    /// The axis of the logits that the classes are on; the last by default.
    pub fn class_axis(mut self, axis: impl Into<Option<usize>>) -> Self {
        self.options.class_axis = axis.into();
        self
    }

    /// Keeps the options and forgets the [`Preset`](crate::Preset) that they come from: nothing is refused in its name.
    pub fn without_preset(mut self) -> Self {
        self.options.preset = None;
        self
    }

    /// Checks the options together.
    ///
    /// # Errors
    ///
    /// A rate, distribution, weight or factor outside its range, options that have no meaning together, and what the
    /// preset's system cannot do. Lists that need one entry per class are checked when the loss sees its first logits.
    pub fn build(mut self) -> Result<Config, Error> {
        complete(&mut self.options);
        Config::try_from(self.options)
    }
}

impl Options {
    pub(super) fn check(&self) -> Result<(), Error> {
        self.smoothing.check_values()?;
        for (class, &value) in self.class_weights.iter().flatten().enumerate() {
            if !(value.is_finite() && value >= 0.0) {
                return Err(Error::ClassWeight { class, value });
            }
        }
        let finite_and_not_negative = |name: &str, value: f64| {
            if value.is_finite() && value >= 0.0 {
                return Ok(());
            }
            Err(Error::Configuration(format!("{name} is {value}, but must be finite and not negative")))
        };
        finite_and_not_negative("z_loss", self.z_loss)?;
        if let Denominator::Constant(value) = self.denominator {
            finite_and_not_negative("the constant denominator", value)?;
        }
        self.check_penalties()?;
        self.check_likelihood()?;
        if let Some(message) = self.check_combination() {
            return Err(Error::Configuration(message));
        }
        self.preset.map_or(Ok(()), |preset| preset.check_options(self))
    }

    /// The first combination that has no meaning, in words.
    fn check_combination(&self) -> Option<String> {
        let kind = self.smoothing.name();
        if !self.excluded_classes.is_empty()
            && !matches!(self.smoothing, Smoothing::Uniform { .. } | Smoothing::UniformOthers { .. })
        {
            return Some(format!("excluded_classes goes with uniform and uniform_others, not with {kind}"));
        }
        if self.subtract_entropy && self.smoothing.is_unbounded() {
            return Some(format!("subtract_entropy needs a target that is a distribution, which {kind} does not give"));
        }
        match self.loss {
            LossFamily::CrossEntropy if self.smoothing.is_binary_only() => {
                Some(format!("{kind} smooths binary targets and does not go with cross entropy"))
            }
            LossFamily::CrossEntropy => None,
            LossFamily::BinaryCrossEntropy => {
                let without = |what: &str| Some(format!("binary cross entropy does not go with {what}"));
                if self.smoothing.is_for_indices_only() || matches!(self.smoothing, Smoothing::Negative { .. }) {
                    without(kind)
                } else if self.class_weighting == ClassWeighting::ByTarget {
                    without("class_weighting by_target")
                } else if self.class_weighting == ClassWeighting::Expected {
                    without("class_weighting expected")
                } else if self.z_loss != 0.0 {
                    without("z_loss")
                } else if self.non_finite_logits == NonFiniteLogits::RestrictSupport {
                    without("non_finite_logits restrict_support")
                } else {
                    None
                }
            }
        }
    }
}
