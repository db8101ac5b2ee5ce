//! What a preset refuses in its system's name, and what it can be refined with.

use label_smoothing_core::{
    Array, ClassWeighting, ConfigBuilder, Denominator, EmptyMean, LossFamily, NonFiniteLogits, Preset, Problem,
    Reduction, Smoothing, Targets, epsilon_over_all, epsilon_over_others,
};

/// A preset at a rate, with what it cannot be built without.
fn started(preset: Preset, epsilon: f64) -> ConfigBuilder {
    let config = preset.config(epsilon);
    match preset {
        Preset::FairseqSentences | Preset::Espnet => config.denominator(Denominator::Constant(4.0)),
        Preset::Opennmt => config.ignore_index([1]),
        _ => config,
    }
}

type Change = fn(ConfigBuilder) -> ConfigBuilder;

/// Everything that the builder can be told, beside the rate and the axis.
const CHANGES: &[(&str, Change)] = &[
    ("class-weights", |config| config.class_weights([1.0, 2.0, 0.5])),
    ("zero-weight", |config| config.class_weights([1.0, 0.0, 0.5])),
    ("by-target", |config| config.class_weighting(ClassWeighting::ByTarget)),
    ("expected", |config| config.class_weighting(ClassWeighting::Expected)),
    ("no-id", |config| config.ignore_index([])),
    ("one-id", |config| config.ignore_index([2])),
    ("negative-id", |config| config.ignore_index([-7])),
    ("two-ids", |config| config.ignore_index([1, 2])),
    ("mean", |config| config.reduction(Reduction::Mean)),
    ("sum", |config| config.reduction(Reduction::Sum)),
    ("over-weights", |config| config.reduction(Reduction::Mean).denominator(Denominator::Weights)),
    ("over-counted", |config| config.reduction(Reduction::Mean).denominator(Denominator::Counted)),
    ("over-all", |config| config.reduction(Reduction::Mean).denominator(Denominator::All)),
    ("over-constant", |config| config.reduction(Reduction::Mean).denominator(Denominator::Constant(3.0))),
    ("empty-zero", |config| config.empty_mean(EmptyMean::Zero)),
    ("empty-nan", |config| config.empty_mean(EmptyMean::Nan)),
    ("empty-error", |config| config.empty_mean(EmptyMean::Error)),
    ("restrict", |config| config.non_finite_logits(NonFiniteLogits::RestrictSupport)),
    ("z-loss", |config| config.z_loss(1e-4)),
    ("excluded", |config| config.excluded_classes([0])),
    ("entropy", |config| config.subtract_entropy(true)),
    ("no-entropy", |config| config.subtract_entropy(false)),
    ("unsmoothed", |config| config.smoothing(Smoothing::None)),
    ("uniform", |config| config.smoothing(Smoothing::Uniform { epsilon: 0.2 })),
    ("others", |config| config.smoothing(Smoothing::UniformOthers { epsilon: 0.2 })),
    ("half", |config| config.smoothing(Smoothing::UniformHalf { epsilon: 0.2 })),
    ("flip", |config| config.smoothing(Smoothing::UniformFlip { epsilon: 0.2 })),
    ("prior", |config| config.smoothing(Smoothing::Distribution { epsilon: 0.2, distribution: vec![0.5, 0.25, 0.25] })),
];

/// What each preset takes of these; it refuses the others. What all of them take is not repeated.
const TAKEN: &[(Preset, &str)] = &[
    (Preset::PytorchIndices, "class-weights zero-weight no-id one-id negative-id sum over-weights empty-nan uniform"),
    (Preset::PytorchProbabilities, "class-weights zero-weight no-id sum over-counted empty-nan uniform"),
    (Preset::KerasCategorical, "no-id sum over-weights over-counted empty-zero uniform"),
    (Preset::KerasBinary, "no-id over-weights over-counted over-constant empty-zero half"),
    (Preset::Optax, "no-id sum over-counted over-all empty-nan restrict uniform"),
    (Preset::TimmCrossEntropy, "no-id over-counted empty-nan uniform"),
    (Preset::TimmSoftTarget, "no-id over-counted empty-nan uniform"),
    (Preset::TimmBinary, "class-weights zero-weight no-id sum over-counted over-constant empty-nan uniform"),
    (Preset::TimmBinaryDense, "class-weights zero-weight no-id sum over-counted over-constant empty-nan half"),
    (Preset::Burn, "class-weights no-id one-id two-ids over-weights empty-nan uniform"),
    (Preset::Fairseq, "no-id one-id negative-id sum over-counted over-constant empty-nan others"),
    (Preset::FairseqSentences, "no-id one-id negative-id sum over-constant empty-nan others"),
    (Preset::Tensor2tensor, "no-id one-id negative-id sum over-weights empty-nan others entropy"),
    (Preset::T5x, "no-id sum over-weights over-all over-constant empty-nan z-loss others entropy"),
    (Preset::Espnet, "no-id one-id negative-id over-counted over-constant empty-nan others entropy"),
    (Preset::Megatron, "no-id sum over-weights over-constant empty-nan others"),
    (Preset::Transformers, "no-id one-id negative-id over-counted over-constant empty-nan uniform"),
    (Preset::ClassyVision, "no-id over-counted empty-nan uniform"),
    // Whatever is said of the excluded classes, they are the padding.
    (Preset::Opennmt, "one-id sum over-counted over-constant empty-nan others entropy excluded"),
];

#[test]
fn every_option_is_taken_or_refused_in_the_systems_name() {
    assert_eq!(TAKEN.iter().map(|(preset, _)| *preset).collect::<Vec<_>>(), Preset::ALL);
    for &(preset, taken) in TAKEN {
        let mut taken: Vec<&str> = taken.split(' ').collect();
        taken.extend(["mean", "empty-error"]);
        if preset != Preset::Opennmt {
            taken.push("unsmoothed"); // There the padding has nothing to be excluded from: a rate of 0 does it.
        }
        if !taken.contains(&"entropy") {
            taken.push("no-entropy");
        }
        assert!(taken.iter().all(|name| CHANGES.iter().any(|(known, _)| known == name)), "{preset}: {taken:?}");
        for (name, change) in CHANGES {
            match change(started(preset, 0.1)).build() {
                Ok(_) => assert!(taken.contains(name), "{preset} takes {name}"),
                Err(error) => {
                    assert!(!taken.contains(name), "{preset} refuses {name}: {error}");
                    assert_eq!(error.kind().name(), "invalid-configuration", "{preset}, {name}: {error}");
                    let beyond = change(started(preset, 0.1)).without_preset().build();
                    let has_a_meaning = beyond.as_ref().map_or(true, |config| config.preset().is_none());
                    assert!(has_a_meaning, "{beyond:?}");
                }
            }
        }
    }
}

/// Which targets each preset takes: indices, probabilities, a mixed pair, a row mask, row weights.
const TARGETS: &[(Preset, &str)] = &[
    (Preset::PytorchIndices, "i"),
    (Preset::PytorchProbabilities, "p"),
    (Preset::KerasCategorical, "pmw"),
    (Preset::KerasBinary, "pmw"),
    (Preset::Optax, "pm"),
    (Preset::TimmCrossEntropy, "i"),
    (Preset::TimmSoftTarget, "x"),
    (Preset::TimmBinary, "i"),
    (Preset::TimmBinaryDense, "p"),
    (Preset::Burn, "i"),
    (Preset::Fairseq, "i"),
    (Preset::FairseqSentences, "i"),
    (Preset::Tensor2tensor, "imw"),
    (Preset::T5x, "imw"),
    (Preset::Espnet, "i"),
    (Preset::Megatron, "imw"),
    (Preset::Transformers, "i"),
    (Preset::ClassyVision, "i"),
    (Preset::Opennmt, "i"),
];

fn targets(kind: char) -> Targets<'static, f32> {
    let classes = || Array::new([2], vec![2_i64, 0]);
    match kind {
        'i' => Targets::indices(classes()),
        'p' => Targets::probabilities(Array::new([2, 3], vec![0.5, 0.25, 0.25, 1.0, 0.0, 0.0])),
        _ => Targets::mixed(classes(), classes(), Array::new([2], vec![0.5, 0.25])),
    }
}

/// The refusal, if it is one.
fn refusal(preset: Preset, epsilon: f64, targets: Targets<f32>) -> Option<String> {
    let config = started(preset, epsilon).build().unwrap();
    let error = Problem::new(&config, &[2, 3], targets).err()?;
    assert_eq!(error.kind().name(), "invalid-configuration", "{error}");
    assert!(error.to_string().starts_with(&format!("preset {preset}: ")), "{error}");
    Some(error.to_string())
}

#[test]
fn targets_masks_and_row_weights_are_taken_or_refused_in_the_systems_name() {
    assert_eq!(TARGETS.iter().map(|(preset, _)| *preset).collect::<Vec<_>>(), Preset::ALL);
    for &(preset, taken) in TARGETS {
        let own = taken.chars().next().unwrap();
        for kind in ['i', 'p', 'x'] {
            assert_eq!(refusal(preset, 0.1, targets(kind)).is_none(), kind == own, "{preset}, {kind}");
        }
        let masked = targets(own).masked(Array::new([2], vec![true, false]));
        assert_eq!(refusal(preset, 0.1, masked).is_none(), taken.contains('m'), "{preset}, mask");
        let weighted = targets(own).weighted(Array::new([2], vec![1.0, 2.0]));
        assert_eq!(refusal(preset, 0.1, weighted).is_none(), taken.contains('w'), "{preset}, row weights");
    }
    assert_eq!(refusal(Preset::TimmSoftTarget, 0.0, targets('p')), None);
}

#[test]
fn refusals_say_what_and_in_whose_name() {
    let refused = |config: ConfigBuilder| config.build().unwrap_err().to_string();
    assert_eq!(
        refused(Preset::PytorchIndices.config(0.1).ignore_index([-100, 255])),
        "preset pytorch_indices: PyTorch's cross_entropy with class indices ignores one id, not [-100, 255]"
    );
    assert_eq!(
        refused(Preset::FairseqSentences.config(0.1)),
        "preset fairseq_sentences: fairseq's label_smoothed_cross_entropy with sentence_avg takes its mean over the \
         denominator constant (the sentences), not weights"
    );
    assert_eq!(
        refused(Preset::Opennmt.config(0.1)),
        "preset opennmt: OpenNMT-py's LabelSmoothingLoss smooths over the classes that are not padding: name the padding \
         with ignore_index"
    );
    assert_eq!(
        refused(Preset::Megatron.config(1.0)),
        "preset megatron: Megatron's vocab_parallel_cross_entropy needs a rate below 1, and was given 1"
    );
    assert_eq!(
        refusal(Preset::KerasCategorical, 0.1, targets('i')).unwrap(),
        "preset keras_categorical: Keras's CategoricalCrossentropy takes probabilities, not class indices"
    );
    assert_eq!(
        refusal(Preset::TimmSoftTarget, 0.1, targets('p')).unwrap(),
        "preset timm_soft_target: timm's SoftTargetCrossEntropy with Mixup does not smooth probabilities: the rate is 0.1, \
         but must be 0 with them"
    );
    let config = Preset::Burn.config(0.1).ignore_index([3]).build().unwrap();
    let error = Problem::new(&config, &[2, 3], targets('i')).unwrap_err().to_string();
    assert_eq!(error, "preset burn: burn's CrossEntropyLoss ignores classes, but 3 is none: they are 0 to 2");
}

#[test]
fn a_rate_is_named_as_it_was_given() {
    for &preset in Preset::ALL {
        for rate in [-0.5, f64::NAN, f64::INFINITY] {
            let error = started(preset, rate).build().unwrap_err();
            assert_eq!(error.to_string(), format!("epsilon is {rate}, but a smoothing rate lies between 0 and 1"));
        }
        let above = started(preset, 1.5).build();
        assert_eq!(above.is_ok(), preset == Preset::ClassyVision, "{preset} at 1.5");
    }
    let classy = Preset::ClassyVision.config(0.25).build().unwrap();
    assert_eq!(classy.smoothing(), &Smoothing::Uniform { epsilon: 0.2 });
}

#[test]
fn the_padding_of_opennmt_leaves_the_smoothed_classes() {
    let config = Preset::Opennmt.config(0.1).ignore_index([1]).build().unwrap();
    assert_eq!((config.ignore_index(), config.excluded_classes()), (&[1_i64][..], &[1_usize][..]));
    let moved = config.to_builder().ignore_index([0]).build().unwrap();
    assert_eq!(moved.excluded_classes(), [0]);
}

#[test]
fn names_are_read_back() {
    for &preset in Preset::ALL {
        assert_eq!(preset.name().parse(), Ok(preset));
        assert_eq!(started(preset, 0.1).build().unwrap().preset(), Some(preset));
        let is_binary = preset.loss() == LossFamily::BinaryCrossEntropy;
        assert_eq!(is_binary, preset.name().contains("binary"), "{preset}");
    }
    let error = "torch".parse::<Preset>().unwrap_err().to_string();
    assert!(
        error.starts_with("there is no preset torch; there are pytorch_indices, pytorch_probabilities, "),
        "{error}"
    );
}

/// One rate over all classes and another over the others that give the same target, class by class.
#[test]
fn the_conventions_are_converted() {
    for classes in [2_usize, 3, 5, 10, 1000, 128_256] {
        for others in [0.0, 0.1, 0.25, 0.5] {
            let all = epsilon_over_all(others, classes).unwrap();
            let on_target = 1.0 - all + all / classes as f64;
            assert!((on_target - (1.0 - others)).abs() < 1e-15, "{classes}, {others}: {on_target}");
            assert!((all / classes as f64 - others / (classes - 1) as f64).abs() < 1e-16, "{classes}, {others}");
            assert!(
                (epsilon_over_others(all, classes).unwrap() - others).abs() <= 2.0 * f64::EPSILON * others,
                "{classes}, {others}"
            );
        }
        let largest = epsilon_over_others(1.0, classes).unwrap();
        assert_eq!(epsilon_over_all(largest, classes), Ok(1.0), "{classes}");
    }
    let message = |result: Result<f64, label_smoothing_core::Error>| result.unwrap_err().to_string();
    assert_eq!(
        message(epsilon_over_all(0.75, 2)),
        "epsilon over all 2 classes is 1.5, but a smoothing rate lies between 0 and 1"
    );
    assert!(message(epsilon_over_all(-0.1, 4)).starts_with("epsilon over the other classes is -0.1, but"));
    assert!(message(epsilon_over_others(f64::NAN, 4)).starts_with("epsilon over all 4 classes is NaN, but"));
    for classes in [0, 1] {
        assert_eq!(epsilon_over_all(0.1, classes).unwrap_err().kind().name(), "invalid-smoothing");
        assert_eq!(epsilon_over_others(0.1, classes).unwrap_err().kind().name(), "invalid-smoothing");
    }
}

#[cfg(feature = "serde")]
#[test]
fn a_preset_survives_the_round_trip_and_still_refuses() {
    for &preset in Preset::ALL {
        let config = started(preset, 0.25).build().unwrap();
        let text = serde_json::to_string(&config).unwrap();
        assert!(text.contains(&format!(r#""preset":"{preset}""#)), "{text}");
        assert_eq!(serde_json::from_str::<label_smoothing_core::Config>(&text).unwrap(), config);
    }
    let text = r#"{"preset": "pytorch_indices", "ignore_index": [1, 2]}"#;
    let error = serde_json::from_str::<label_smoothing_core::Config>(text).unwrap_err().to_string();
    assert!(error.starts_with("preset pytorch_indices: "), "{error}");
}
