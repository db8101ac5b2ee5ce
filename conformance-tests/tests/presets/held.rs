//! Which vectors hold which preset.

use label_smoothing_core::Preset;

/// How the ids begin of the cases that each preset is held to.
pub(crate) const HELD: &[(Preset, &[&str])] = &[
    (Preset::PytorchIndices, &["peer/pytorch/indices/", "peer/pytorch/all-ignored/", "peer/pytorch/empty-batch/"]),
    (Preset::PytorchProbabilities, &["peer/pytorch/probabilities/"]),
    (Preset::KerasCategorical, &["peer/keras/CategoricalCrossentropy/", "system/keras/categorical/"]),
    (Preset::KerasBinary, &["peer/keras/BinaryCrossentropy/", "system/keras/binary/"]),
    (Preset::Optax, &["peer/optax/softmax_cross_entropy/", "peer/optax/where/"]),
    (Preset::TimmCrossEntropy, &["peer/timm/LabelSmoothingCrossEntropy/"]),
    (Preset::TimmSoftTarget, &["peer/timm/SoftTargetCrossEntropy/", "peer/timm/mixup_target+SoftTargetCrossEntropy/"]),
    (Preset::TimmBinary, &["peer/timm/BinaryCrossEntropy/indices/", "system/timm/indices/"]),
    (Preset::TimmBinaryDense, &["peer/timm/BinaryCrossEntropy/smooth_dense/", "system/timm/dense/"]),
    (Preset::Burn, &["system/burn/"]),
    (Preset::Fairseq, &["peer/fairseq/", "system/fairseq/tokens/"]),
    (Preset::FairseqSentences, &["system/fairseq/sentences/"]),
    (Preset::Tensor2tensor, &["peer/tensor2tensor/", "system/tensor2tensor/"]),
    (Preset::T5x, &["peer/t5x/", "system/t5x/"]),
    (Preset::Espnet, &["peer/espnet/", "system/espnet/"]),
    (Preset::Megatron, &["system/megatron/"]),
    (Preset::Transformers, &["peer/transformers/"]),
    (Preset::ClassyVision, &["system/classy-vision/"]),
    (Preset::Opennmt, &["system/opennmt/"]),
];

/// Vectors that other systems computed with what no preset is for.
pub(crate) const NOT_HELD: &[(&str, &str)] = &[
    ("peer/keras/SparseCategoricalCrossentropy/", "without smoothing"),
    ("peer/optax/integer_labels/", "without smoothing"),
    ("peer/optax/safe_softmax_cross_entropy/", "without smoothing"),
    ("peer/optax/sigmoid_binary_cross_entropy/", "without smoothing"),
    ("peer/optax/rate-per-row/", "one rate per class"),
    ("peer/pytorch/target-built-outside/", "smoothed by the caller"),
    ("peer/pytorch/binary/", "without smoothing"),
    ("system/papers/", "penalties and other likelihoods"),
    ("system/torchvision/", "the focal loss"),
];

/// Systems of which no package is published: their source was followed, not run.
pub(crate) const TRANSCRIBED: &[Preset] = &[Preset::T5x];
