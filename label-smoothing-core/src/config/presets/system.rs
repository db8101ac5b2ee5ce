//! What each system computes and what it cannot do, as data.

use super::Preset;
use crate::config::{Denominator, EmptyMean, LossFamily, Reduction, Smoothing};
use crate::targets::Labels;

/// A system: its values of the options, and which of them it can be told to change.
pub(super) struct System {
    /// What errors and the table call it.
    pub(super) title: &'static str,
    pub(super) loss: LossFamily,
    pub(super) smoothing: fn(f64) -> Smoothing,
    /// Whether it asserts that the rate is below 1, or gives NaN at 1.
    pub(super) below_one: bool,
    pub(super) targets: &'static [Kind],
    pub(super) class_weights: ClassWeights,
    pub(super) ignored: Ignored,
    pub(super) takes: &'static [Extra],
    /// The first is its own.
    pub(super) reductions: &'static [Reduction],
    /// Its own, or one that is not among `denominators` where it needs a number from the caller.
    pub(super) denominator: Denominator,
    /// The names of those that its mean can have, with what they are there.
    pub(super) denominators: &'static [(&'static str, &'static str)],
    pub(super) empty_mean: EmptyMean,
    pub(super) subtract_entropy: bool,
}

/// A kind of target.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Indices,
    Probabilities,
    /// Probabilities that are not smoothed: the rate must be 0.
    FinalProbabilities,
    Mixed,
}

/// What only some systems take.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Extra {
    RowMask,
    RowWeights,
    ZLoss,
    RestrictedSupport,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ClassWeights {
    No,
    Yes,
    Positive,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ignored {
    No,
    /// One id, this one unless another is named.
    One(i64),
    /// Any number of classes.
    Classes,
    /// One class, which the caller names and which is out of the smoothed classes.
    Padding,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Indices => "class indices",
            Self::Probabilities => "probabilities",
            Self::FinalProbabilities => "probabilities that are smoothed already (rate 0)",
            Self::Mixed => "mixed pairs",
        }
    }

    pub(super) fn is_of<P: Clone>(self, labels: &Labels<P>) -> bool {
        match self {
            Self::Indices => matches!(labels, Labels::Indices(_)),
            Self::Probabilities | Self::FinalProbabilities => matches!(labels, Labels::Probabilities(_)),
            Self::Mixed => matches!(labels, Labels::Mixed { .. }),
        }
    }
}

impl Extra {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::RowMask => "row mask",
            Self::RowWeights => "row weights",
            Self::ZLoss => "z-loss",
            Self::RestrictedSupport => "support restricted to finite logits",
        }
    }
}

impl Ignored {
    pub(super) fn default_ids(self) -> Vec<i64> {
        match self {
            Self::One(id) => vec![id],
            Self::No | Self::Classes | Self::Padding => Vec::new(),
        }
    }
}

const MEAN: &[Reduction] = &[Reduction::Mean];
const MEAN_AND_SUM: &[Reduction] = &[Reduction::Mean, Reduction::Sum];
const SUM_AND_MEAN: &[Reduction] = &[Reduction::Sum, Reduction::Mean];

const fn uniform(epsilon: f64) -> Smoothing {
    Smoothing::Uniform { epsilon }
}

const fn uniform_others(epsilon: f64) -> Smoothing {
    Smoothing::UniformOthers { epsilon }
}

const fn uniform_half(epsilon: f64) -> Smoothing {
    Smoothing::UniformHalf { epsilon }
}

/// A rate that this leaves as it is was invalid before, and is named as it was given.
fn over_one_plus(epsilon: f64) -> Smoothing {
    let is_valid = epsilon.is_finite() && epsilon >= 0.0;
    uniform(if is_valid { epsilon / (1.0 + epsilon) } else { epsilon })
}

/// What most have in common: class indices, a plain mean over the rows, and no options.
const PLAIN: System = System {
    title: "",
    loss: LossFamily::CrossEntropy,
    smoothing: uniform,
    below_one: false,
    targets: &[Kind::Indices],
    class_weights: ClassWeights::No,
    ignored: Ignored::No,
    takes: &[],
    reductions: MEAN,
    denominator: Denominator::Counted,
    denominators: &[("counted", "the rows")],
    empty_mean: EmptyMean::Nan,
    subtract_entropy: false,
};

const PYTORCH_INDICES: System = System {
    title: "PyTorch's cross_entropy with class indices",
    class_weights: ClassWeights::Yes,
    ignored: Ignored::One(-100),
    reductions: MEAN_AND_SUM,
    denominator: Denominator::Weights,
    denominators: &[("weights", "the counted targets' class weights")],
    ..PLAIN
};

const PYTORCH_PROBABILITIES: System = System {
    title: "PyTorch's cross_entropy with class probabilities",
    targets: &[Kind::Probabilities],
    class_weights: ClassWeights::Yes,
    reductions: MEAN_AND_SUM,
    ..PLAIN
};

const KERAS_CATEGORICAL: System = System {
    title: "Keras's CategoricalCrossentropy",
    targets: &[Kind::Probabilities],
    takes: &[Extra::RowMask, Extra::RowWeights],
    reductions: MEAN_AND_SUM,
    denominators: &[("counted", "the rows of the mask"), ("weights", "their sample weights")],
    empty_mean: EmptyMean::Zero,
    ..PLAIN
};

const KERAS_BINARY: System = System {
    title: "Keras's BinaryCrossentropy",
    loss: LossFamily::BinaryCrossEntropy,
    smoothing: uniform_half,
    targets: &[Kind::Probabilities],
    takes: &[Extra::RowMask, Extra::RowWeights],
    denominators: &[
        ("counted", "the elements of the mask's rows"),
        ("weights", "their sample weights"),
        ("constant", "K, for its sum"),
    ],
    empty_mean: EmptyMean::Zero,
    ..PLAIN
};

const OPTAX: System = System {
    title: "optax's smooth_labels and softmax_cross_entropy",
    targets: &[Kind::Probabilities],
    takes: &[Extra::RowMask, Extra::RestrictedSupport],
    reductions: MEAN_AND_SUM,
    denominators: &[("counted", "the rows of the mask"), ("all", "all rows")],
    ..PLAIN
};

const TIMM_CROSS_ENTROPY: System = System { title: "timm's LabelSmoothingCrossEntropy", below_one: true, ..PLAIN };

const TIMM_SOFT_TARGET: System = System {
    title: "timm's SoftTargetCrossEntropy with Mixup",
    targets: &[Kind::Mixed, Kind::FinalProbabilities],
    ..PLAIN
};

const TIMM_BINARY: System = System {
    title: "timm's BinaryCrossEntropy with class indices",
    loss: LossFamily::BinaryCrossEntropy,
    below_one: true,
    class_weights: ClassWeights::Yes,
    reductions: MEAN_AND_SUM,
    denominators: &[("counted", "the elements"), ("constant", "the rows, for sum_classes")],
    ..PLAIN
};

const TIMM_BINARY_DENSE: System = System {
    title: "timm's BinaryCrossEntropy with dense targets",
    smoothing: uniform_half,
    targets: &[Kind::Probabilities],
    ..TIMM_BINARY
};

const BURN: System = System {
    title: "burn's CrossEntropyLoss",
    class_weights: ClassWeights::Positive,
    ignored: Ignored::Classes,
    denominator: Denominator::Weights,
    denominators: &[("weights", "the counted targets' class weights")],
    ..PLAIN
};

const FAIRSEQ: System = System {
    title: "fairseq's label_smoothed_cross_entropy",
    smoothing: uniform_others,
    ignored: Ignored::One(1),
    reductions: MEAN_AND_SUM,
    denominators: &[("counted", "the tokens"), ("constant", "the tokens of all batches")],
    ..PLAIN
};

const FAIRSEQ_SENTENCES: System = System {
    title: "fairseq's label_smoothed_cross_entropy with sentence_avg",
    denominator: Denominator::Weights,
    denominators: &[("constant", "the sentences")],
    ..FAIRSEQ
};

const TENSOR2TENSOR: System = System {
    title: "tensor2tensor's padded_cross_entropy",
    smoothing: uniform_others,
    below_one: true,
    ignored: Ignored::One(0),
    takes: &[Extra::RowMask, Extra::RowWeights],
    reductions: MEAN_AND_SUM,
    denominator: Denominator::Weights,
    denominators: &[("weights", "the tokens' weights")],
    subtract_entropy: true,
    ..PLAIN
};

const T5X: System = System {
    title: "T5X's compute_weighted_cross_entropy",
    smoothing: uniform_others,
    below_one: true,
    takes: &[Extra::RowMask, Extra::RowWeights, Extra::ZLoss],
    reductions: SUM_AND_MEAN,
    denominator: Denominator::Weights,
    denominators: &[("weights", "the tokens' weights"), ("all", "all tokens"), ("constant", "any factor")],
    subtract_entropy: true,
    ..PLAIN
};

const ESPNET: System = System {
    title: "ESPnet's LabelSmoothingLoss",
    smoothing: uniform_others,
    ignored: Ignored::One(-1),
    denominator: Denominator::Weights,
    denominators: &[("constant", "the utterances"), ("counted", "the tokens, for normalize_length")],
    subtract_entropy: true,
    ..PLAIN
};

const MEGATRON: System = System {
    title: "Megatron's vocab_parallel_cross_entropy",
    smoothing: uniform_others,
    below_one: true,
    takes: &[Extra::RowMask, Extra::RowWeights],
    reductions: MEAN_AND_SUM,
    denominator: Denominator::Weights,
    denominators: &[("weights", "the loss mask"), ("constant", "the tokens of all batches")],
    ..PLAIN
};

const TRANSFORMERS: System = System {
    title: "Hugging Face's LabelSmoother",
    ignored: Ignored::One(-100),
    denominators: &[("counted", "the tokens"), ("constant", "num_items_in_batch")],
    ..PLAIN
};

const CLASSY_VISION: System =
    System { title: "ClassyVision's LabelSmoothingCrossEntropyLoss", smoothing: over_one_plus, ..PLAIN };

const OPENNMT: System = System {
    title: "OpenNMT-py's LabelSmoothingLoss",
    smoothing: uniform_others,
    ignored: Ignored::Padding,
    reductions: SUM_AND_MEAN,
    denominators: &[("counted", "the tokens"), ("constant", "the sentences")],
    subtract_entropy: true,
    ..PLAIN
};

impl Preset {
    pub(super) fn system(self) -> &'static System {
        match self {
            Self::PytorchIndices => &PYTORCH_INDICES,
            Self::PytorchProbabilities => &PYTORCH_PROBABILITIES,
            Self::KerasCategorical => &KERAS_CATEGORICAL,
            Self::KerasBinary => &KERAS_BINARY,
            Self::Optax => &OPTAX,
            Self::TimmCrossEntropy => &TIMM_CROSS_ENTROPY,
            Self::TimmSoftTarget => &TIMM_SOFT_TARGET,
            Self::TimmBinary => &TIMM_BINARY,
            Self::TimmBinaryDense => &TIMM_BINARY_DENSE,
            Self::Burn => &BURN,
            Self::Fairseq => &FAIRSEQ,
            Self::FairseqSentences => &FAIRSEQ_SENTENCES,
            Self::Tensor2tensor => &TENSOR2TENSOR,
            Self::T5x => &T5X,
            Self::Espnet => &ESPNET,
            Self::Megatron => &MEGATRON,
            Self::Transformers => &TRANSFORMERS,
            Self::ClassyVision => &CLASSY_VISION,
            Self::Opennmt => &OPENNMT,
        }
    }
}
