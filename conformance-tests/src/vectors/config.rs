//! The `config` object.

use label_smoothing_core::{
    ClassWeighting, Config, ConfigBuilder, Denominator, EmptyMean, LossFamily, NonFiniteLogits, Reduction, Smoothing,
};

use super::json::Node;
use super::read::{Fault, Fields, Read, count, float, integer, list, tag, truth, word};

/// A `config` object, not yet checked for its values: that is the backend's part.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedConfig {
    /// The options.
    pub config: ConfigBuilder,
    /// Whether `reduction` is `none`.
    pub row_losses: bool,
}

const KEYS: &[&str] = &[
    "smoothing",
    "class_weights",
    "class_weighting",
    "ignore_index",
    "reduction",
    "denominator",
    "empty_mean",
    "non_finite_logits",
    "z_loss",
    "excluded_classes",
    "subtract_entropy",
];

pub(super) fn config(node: &Node, loss: LossFamily) -> Read<ParsedConfig> {
    let fields = Fields::of(node, KEYS)?;
    let mut config = match loss {
        LossFamily::CrossEntropy => Config::cross_entropy(),
        LossFamily::BinaryCrossEntropy => Config::binary_cross_entropy(),
    };
    let mut row_losses = false;
    if let Some(value) = fields.optional("smoothing", smoothing)? {
        config = config.smoothing(value);
    }
    if let Some(value) = fields.optional("class_weights", list(float))? {
        config = config.class_weights(value);
    }
    if let Some(value) = fields.optional("class_weighting", word(CLASS_WEIGHTINGS))? {
        config = config.class_weighting(value);
    }
    if let Some(value) = fields.optional("ignore_index", list(integer))? {
        config = config.ignore_index(value);
    }
    if let Some(value) = fields.optional("reduction", word(REDUCTIONS))? {
        row_losses = value.is_none();
        config = config.reduction(value.unwrap_or_default());
    }
    if let Some(value) = fields.optional("denominator", denominator)? {
        config = config.denominator(value);
    }
    if let Some(value) = fields.optional("empty_mean", word(EMPTY_MEANS))? {
        config = config.empty_mean(value);
    }
    if let Some(value) = fields.optional("non_finite_logits", word(POLICIES))? {
        config = config.non_finite_logits(value);
    }
    if let Some(value) = fields.optional("z_loss", float)? {
        config = config.z_loss(value);
    }
    if let Some(value) = fields.optional("excluded_classes", list(count))? {
        config = config.excluded_classes(value);
    }
    if let Some(value) = fields.optional("subtract_entropy", truth)? {
        config = config.subtract_entropy(value);
    }
    Ok(ParsedConfig { config, row_losses })
}

const CLASS_WEIGHTINGS: &[(&str, ClassWeighting)] = &[
    ("inside_sum", ClassWeighting::InsideSum),
    ("by_target", ClassWeighting::ByTarget),
    ("expected", ClassWeighting::Expected),
];
const REDUCTIONS: &[(&str, Option<Reduction>)] =
    &[("none", None), ("mean", Some(Reduction::Mean)), ("sum", Some(Reduction::Sum))];
const DENOMINATORS: &[(&str, Denominator)] =
    &[("weights", Denominator::Weights), ("counted", Denominator::Counted), ("all", Denominator::All)];
const EMPTY_MEANS: &[(&str, EmptyMean)] =
    &[("nan", EmptyMean::Nan), ("zero", EmptyMean::Zero), ("error", EmptyMean::Error)];
const POLICIES: &[(&str, NonFiniteLogits)] =
    &[("propagate", NonFiniteLogits::Propagate), ("restrict_support", NonFiniteLogits::RestrictSupport)];

fn denominator(node: &Node) -> Read<Denominator> {
    match node {
        Node::Object(_) => Ok(Denominator::Constant(Fields::of(node, &["constant"])?.required("constant", float)?)),
        _ => word(DENOMINATORS)(node),
    }
}

fn smoothing(node: &Node) -> Read<Smoothing> {
    let kind = tag(node, "kind")?;
    let rate = |others: &[&str]| {
        let known: Vec<&str> = ["kind", "epsilon"].iter().chain(others).copied().collect();
        let fields = Fields::of(node, &known)?;
        Ok((fields.required("epsilon", float)?, fields))
    };
    Ok(match kind {
        "none" => {
            Fields::of(node, &["kind"])?;
            Smoothing::None
        }
        "uniform" => Smoothing::Uniform { epsilon: rate(&[])?.0 },
        "uniform_others" => Smoothing::UniformOthers { epsilon: rate(&[])?.0 },
        "uniform_half" => Smoothing::UniformHalf { epsilon: rate(&[])?.0 },
        "uniform_flip" => Smoothing::UniformFlip { epsilon: rate(&[])?.0 },
        "unbiased_flip" => Smoothing::UnbiasedFlip { epsilon: rate(&[])?.0 },
        "negative" => Smoothing::Negative { rate: Fields::of(node, &["kind", "rate"])?.required("rate", float)? },
        "positives_only" => Smoothing::PositivesOnly { epsilon: rate(&[])?.0 },
        "distribution" => {
            let (epsilon, fields) = rate(&["distribution"])?;
            Smoothing::Distribution { epsilon, distribution: fields.required("distribution", list(float))? }
        }
        "class_rows" => {
            let (epsilon, fields) = rate(&["rows"])?;
            Smoothing::ClassRows { epsilon, rows: fields.required("rows", list(list(float)))? }
        }
        "uniform_per_class" => {
            let fields = Fields::of(node, &["kind", "epsilons"])?;
            Smoothing::UniformPerClass { epsilons: fields.required("epsilons", list(float))? }
        }
        other => return Fault::new(format!("has the unknown kind `{other}`")),
    })
}
