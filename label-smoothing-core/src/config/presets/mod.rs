//! What other systems compute, by name.

mod check;
mod system;
#[cfg(test)]
mod table;

use std::fmt;
use std::str::FromStr;

use super::{Config, ConfigBuilder, LossFamily};
pub(super) use check::complete;

macro_rules! presets {
    ($(#[$enum_doc:meta])* pub enum Preset { $($(#[$doc:meta])* $variant:ident = $name:literal,)* }) => {
        $(#[$enum_doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[non_exhaustive]
        pub enum Preset {
            $($(#[$doc])* #[cfg_attr(feature = "serde", serde(rename = $name))] $variant,)*
        }

        impl Preset {
            /// Every preset there is.
            pub const ALL: &'static [Preset] = &[$(Preset::$variant,)*];

            /// The name that the command and configurations in files use, such as `pytorch_indices`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Preset::$variant => $name,)* }
            }
        }
    };
}

presets! {
    /// What another system computes: one line, and its number.
    ///
    /// [`Preset::config`] gives a builder with the system's smoothing, denominator, ignored id and constant. Refine it
    /// with what the system itself can be told; what the system cannot do is refused in its name when the configuration
    /// is built, or, for targets, masks and row weights, when the loss sees them. [`ConfigBuilder::without_preset`]
    /// keeps the options and lifts the refusals. Row losses (`reduction = none`) are there for every preset, also where
    /// the system itself only has their mean.
    ///
    /// Losses are in nats. `e` is the rate given, `K` the number of classes, `q` the target, `CE` the cross entropy
    /// with the softmax of the logits. Each preset is held, loss and gradient, to vectors that the system itself
    /// computed (T5X, of which no package is published: its source followed in 60 digits).
    ///
    /// ```
    /// use label_smoothing_core::{Denominator, Preset, Smoothing};
    ///
    /// let config = Preset::Fairseq.config(0.1).build()?;
    /// assert_eq!(config.smoothing(), &Smoothing::UniformOthers { epsilon: 0.1 });
    /// assert_eq!((config.denominator(), config.ignore_index()), (Denominator::Counted, &[1_i64][..]));
    ///
    /// let refined = Preset::PytorchIndices.config(0.1).class_weights([1.0, 2.0, 0.5]).ignore_index([0]).build()?;
    /// assert_eq!(refined.preset(), Some(Preset::PytorchIndices));
    ///
    /// let refused = Preset::PytorchIndices.config(0.1).ignore_index([-100, 255]).build().unwrap_err();
    /// assert_eq!(
    ///     refused.to_string(),
    ///     "preset pytorch_indices: PyTorch's cross_entropy with class indices ignores one id, not [-100, 255]"
    /// );
    /// let beyond = Preset::PytorchIndices.config(0.1).ignore_index([-100, 255]).without_preset().build()?;
    /// assert_eq!(beyond.ignore_index(), [-100, 255]);
    /// # Ok::<(), label_smoothing_core::Error>(())
    /// ```
    ///
    #[doc = include_str!("../../../PRESETS.md")]
    pub enum Preset {
        /// PyTorch's `F.cross_entropy` with class indices: `(1 - e) q + e / K`, class weights inside the sum, the mean
        /// over the weights of the counted rows' targets.
        ///
        /// Differs from the default in that -100 is ignored, as `ignore_index` is by default. Where PyTorch takes a
        /// negative or NaN rate for 0, gives ignored rows that hold NaN a NaN gradient, or overflows in half precision,
        /// this does not.
        ///
        /// Source: torch 2.15.0, `aten/src/ATen/native/LossNLL.cpp`.
        PytorchIndices = "pytorch_indices",
        /// PyTorch's `F.cross_entropy` with class probabilities: as with indices, but the mean is over the rows,
        /// whatever the class weights.
        ///
        /// Differs from the default in the denominator. Where PyTorch gives NaN for `0 * log 0`, this gives 0.
        ///
        /// Source: torch 2.15.0, `aten/src/ATen/native/LossNLL.cpp`.
        PytorchProbabilities = "pytorch_probabilities",
        /// Keras's `CategoricalCrossentropy(from_logits=True)`: `(1 - e) q + e / K` of one-hot or soft targets, the
        /// mean over the rows that a mask leaves (`sum_over_batch_size`), whatever the sample weights.
        ///
        /// Differs from the default in the denominator, and in that a mean over nothing is 0. Sample weights are row
        /// weights; [`Denominator::Weights`](crate::Denominator::Weights) is its reduction `mean_with_sample_weight`.
        /// Class indices are `SparseCategoricalCrossentropy`'s, which has no smoothing in 3.15.1.
        ///
        /// Source: keras 3.15.1, `keras/src/losses/losses.py`, `categorical_crossentropy`.
        KerasCategorical = "keras_categorical",
        /// Keras's `BinaryCrossentropy(from_logits=True)`: `(1 - e) y + e / 2` per element, the mean over the elements
        /// of the rows that a mask leaves.
        ///
        /// Differs from the default in the denominator, and in that a mean over nothing is 0. Keras's `none` and `sum`
        /// are of the rows' means: its `sum` is the mean over the constant `K`
        /// ([`Denominator::Constant`](crate::Denominator::Constant)), and the row losses here are one per element.
        ///
        /// Source: keras 3.15.1, `keras/src/losses/losses.py`, `binary_crossentropy`.
        KerasBinary = "keras_binary",
        /// optax's `softmax_cross_entropy(logits, smooth_labels(labels, e))`, averaged: `(1 - e) q + e / K` of float
        /// labels.
        ///
        /// optax returns one loss per row; the mean here is `jnp.mean` over the rows that `where` leaves, and
        /// [`Denominator::All`](crate::Denominator::All) the one over all rows. A `where` over classes is
        /// [`NonFiniteLogits::RestrictSupport`](crate::NonFiniteLogits::RestrictSupport) with logits of `-inf`. optax
        /// has no smoothing for class indices.
        ///
        /// Source: optax 0.2.8, `optax/losses/_classification.py`, `optax/losses/_smoothing.py`.
        Optax = "optax",
        /// timm's `LabelSmoothingCrossEntropy(e)`: `(1 - e) q + e / K`, the mean over the rows.
        ///
        /// Differs from the default in what it lacks: it has no weights, no ignored id and no other reduction.
        ///
        /// Source: timm 1.0.31, `timm/loss/cross_entropy.py`.
        TimmCrossEntropy = "timm_cross_entropy",
        /// timm's `SoftTargetCrossEntropy` on the targets of `Mixup(label_smoothing=e)`:
        /// `lambda q'_first + (1 - lambda) q'_second` with each `q' = (1 - e) q + e / K`, the mean over the rows.
        ///
        /// The loss itself smooths nothing: with probabilities the rate must be 0.
        ///
        /// Source: timm 1.0.31, `timm/loss/cross_entropy.py`, `timm/data/mixup.py`.
        TimmSoftTarget = "timm_soft_target",
        /// timm's `BinaryCrossEntropy(smoothing=e)` with class indices: one sigmoid per class, `1 - e + e / K` for the
        /// target and `e / K` for every other class, the mean over the elements.
        ///
        /// Differs from the default of the binary loss in the smoothing (not `e / 2`), and in that class weights are
        /// not in the denominator. `sum_classes=True` is the mean over the constant number of rows
        /// ([`Denominator::Constant`](crate::Denominator::Constant)).
        ///
        /// Source: timm 1.0.31, `timm/loss/binary_cross_entropy.py`.
        TimmBinary = "timm_binary",
        /// timm's `BinaryCrossEntropy(smoothing=e, smooth_dense=True)` with dense targets: `(1 - e) y + e / 2`, the
        /// mean over the elements; otherwise as [`Preset::TimmBinary`]. Without `smooth_dense` timm smooths no dense
        /// target: give the rate 0.
        ///
        /// Source: timm 1.0.31, `timm/loss/binary_cross_entropy.py`.
        TimmBinaryDense = "timm_binary_dense",
        /// burn's `CrossEntropyLoss` on logits: `(1 - e) q + e / K`, class weights inside the sum, the mean over the
        /// weights of the targets that are no pad token.
        ///
        /// The default's numbers; burn itself has no other reduction, and its weights are above 0. Up to 0.21 burn
        /// divided by the padded rows, too.
        ///
        /// Source: burn-nn 0.22.1, `src/loss/cross_entropy.rs`.
        Burn = "burn",
        /// fairseq's `label_smoothed_cross_entropy`, per token: `1 - e` on the target and `e / (K - 1)` on each other
        /// class, the mean over the tokens that are not padding.
        ///
        /// Differs from the default in the smoothing, and in that the id 1, padding in fairseq's dictionaries, is
        /// ignored. Name another with [`ConfigBuilder::ignore_index`]; over several GPUs and `update_freq` the
        /// denominator is the constant number of all their tokens. fairseq logs in bits: divide by `ln 2`.
        ///
        /// Source: fairseq 0.12.2, `fairseq/criterions/label_smoothed_cross_entropy.py`.
        Fairseq = "fairseq",
        /// fairseq's `label_smoothed_cross_entropy` with `sentence_avg`: as [`Preset::Fairseq`], but divided by the
        /// number of sentences, which only the caller knows: [`Denominator::Constant`](crate::Denominator::Constant) is
        /// required.
        ///
        /// Source: fairseq 0.12.2, `fairseq/criterions/label_smoothed_cross_entropy.py`.
        FairseqSentences = "fairseq_sentences",
        /// tensor2tensor's `padded_cross_entropy`: `1 - e` on the target and `e / (K - 1)` on each other class, less
        /// the entropy of that target, so that the minimum is 0; the numerator over the denominator that it returns.
        ///
        /// Differs from the default in the smoothing, the constant, and in that the id 0 is ignored
        /// (`weights_nonzero`). Another `weights_fn` is `ignore_index([])` with row weights. `cutoff` and `gaussian`
        /// are not here.
        ///
        /// Source: tensor2tensor 1.15.7, `tensor2tensor/layers/common_layers.py`.
        Tensor2tensor = "tensor2tensor",
        /// T5X's `compute_weighted_cross_entropy`: `1 - e` on the target and `e / (K - 1)` on each other class, less
        /// the entropy of that target, so that the minimum is 0; with [`ConfigBuilder::z_loss`], and weights as row
        /// weights, which multiply both. The sum, as it is by default there.
        ///
        /// `loss_normalizing_factor` is the mean over a [`Denominator`](crate::Denominator): a constant, `Weights`
        /// (`NUM_REAL_TARGET_TOKENS`) or `All` (`NUM_TOTAL_TARGET_TOKENS`). `AVERAGE_PER_SEQUENCE` is `Weights` with
        /// row weights of one over the tokens of the row's sequence.
        ///
        /// Source: t5x at commit 08058ed, `t5x/losses.py`.
        T5x = "t5x",
        /// ESPnet's `LabelSmoothingLoss`: the divergence of the softmax from `1 - e` on the target and `e / (K - 1)` on
        /// each other class, that is `CE` less the entropy of that target, divided by the number of utterances.
        ///
        /// Differs from the default in the smoothing, the constant, and in that the id -1 is ignored. The number of
        /// utterances is the caller's to give, as [`Denominator::Constant`](crate::Denominator::Constant);
        /// [`Denominator::Counted`](crate::Denominator::Counted) is `normalize_length=True`. One of the two is
        /// required.
        ///
        /// Source: espnet 202511, `espnet/nets/pytorch_backend/transformer/label_smoothing_loss.py`.
        Espnet = "espnet",
        /// Megatron's `vocab_parallel_cross_entropy` on one rank: `(1 - s) CE + s mean_c(-log p_c)` with
        /// `s = e K / (K - 1)`, which is `1 - e` on the target and `e / (K - 1)` on each other class; the mean over the
        /// loss mask.
        ///
        /// Differs from the default in the smoothing. The loss mask is a row mask, or row weights. On several ranks
        /// Megatron smooths over the slice of the vocabulary that each rank holds, which no definition of the whole
        /// gives.
        ///
        /// Source: megatron-core 0.15.0, `megatron/core/tensor_parallel/cross_entropy.py`.
        Megatron = "megatron",
        /// Hugging Face's `LabelSmoother(epsilon=e)`: `(1 - e) q + e / K`, the mean over the tokens that are not
        /// ignored.
        ///
        /// Differs from the default in that -100 is ignored. `num_items_in_batch` is
        /// [`Denominator::Constant`](crate::Denominator::Constant). Any other negative label is refused here, and
        /// trained as class 0 there.
        ///
        /// Source: transformers 5.23.0, `src/transformers/trainer_pt_utils.py`.
        Transformers = "transformers",
        /// `ClassyVision`'s `LabelSmoothingCrossEntropyLoss(smoothing_param=e)`: `(q + e / K) / (1 + e)`, the mean over
        /// the rows.
        ///
        /// That is the rate `e / (1 + e)` of the default, which the configuration holds; `e` is not negative and may be
        /// above 1. No id is ignored: there a row of `ignore_index` is trained towards the uniform distribution and
        /// stays in the mean.
        ///
        /// Source: `classy_vision` 0.7.0, `classy_vision/losses/label_smoothing_loss.py`.
        ClassyVision = "classy_vision",
        /// OpenNMT-py's `LabelSmoothingLoss` up to version 2: the divergence of the softmax from `1 - e` on the target,
        /// 0 on the padding and `e / (K - 2)` on each other class; the sum over the tokens that are not padding.
        ///
        /// Differs from the default in the smoothing, in the entropy of the target that is taken off, and in the sum.
        /// The padding must be named with [`ConfigBuilder::ignore_index`], and is put into `excluded_classes` as well
        /// when the configuration is built. Its trainer divides by tokens or sentences: the mean over `Counted` or over
        /// a constant. From version 3 on it uses PyTorch's loss: [`Preset::PytorchIndices`] with a sum.
        ///
        /// Source: OpenNMT-py 2.3.0, `onmt/utils/loss.py`.
        Opennmt = "opennmt",
    }
}

impl Preset {
    /// A builder with what the system computes at the rate `epsilon`, in the system's own convention.
    ///
    /// The rate is checked with everything else when the configuration is built.
    pub fn config(self, epsilon: f64) -> ConfigBuilder {
        let system = self.system();
        let start = match system.loss {
            LossFamily::CrossEntropy => Config::cross_entropy(),
            LossFamily::BinaryCrossEntropy => Config::binary_cross_entropy(),
        };
        let mut builder = start
            .smoothing((system.smoothing)(epsilon))
            .ignore_index(system.ignored.default_ids())
            .reduction(system.reductions[0])
            .denominator(system.denominator)
            .empty_mean(system.empty_mean)
            .subtract_entropy(system.subtract_entropy);
        builder.options.preset = Some(self);
        builder
    }

    /// Softmax or sigmoid.
    #[must_use]
    pub fn loss(self) -> LossFamily {
        self.system().loss
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Preset {
    type Err = UnknownPreset;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.iter().find(|preset| preset.name() == name);
        known.copied().ok_or_else(|| UnknownPreset(name.to_owned()))
    }
}

/// A word that is no [`Preset::name`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no preset {0}; there are {known}", known = names())]
pub struct UnknownPreset(String);

fn names() -> String {
    Preset::ALL.iter().map(|preset| preset.name()).collect::<Vec<_>>().join(", ")
}
