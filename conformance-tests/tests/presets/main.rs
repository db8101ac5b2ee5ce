//! A preset is what its system computed: each vector of another system, with the preset in place of the case's
//! configuration, through every backend that is built in.

mod held;

use std::collections::BTreeSet;

use held::{HELD, NOT_HELD, TRANSCRIBED};
use label_smoothing_conformance::backends::{self, Reference};
use label_smoothing_conformance::{Backend, CaseInput, Check, Dense, Report, Suite, TargetInput, VectorFile, embedded};
use label_smoothing_core::{Config, ConfigBuilder, Denominator, Preset, Reduction, Smoothing};

/// The files of other systems.
fn systems() -> Vec<VectorFile> {
    let files = embedded().unwrap().into_iter();
    files.filter(|file| file.name.starts_with("peer-") || file.name.starts_with("system-")).collect()
}

fn preset_of(id: &str) -> Option<Preset> {
    HELD.iter().find(|(_, starts)| starts.iter().any(|start| id.starts_with(start))).map(|&(preset, _)| preset)
}

/// The cases of these files that a preset is held to, with `change` made to the preset's configuration.
fn suite(preset: Preset, change: impl Fn(ConfigBuilder) -> ConfigBuilder) -> Suite {
    let mut files = systems();
    for file in &mut files {
        file.cases.retain(|case| preset_of(&case.id) == Some(preset));
        for case in &mut file.cases {
            let Check::Value { input, .. } = &mut case.check else { panic!("{} expects no value", case.id) };
            let config = by_preset(preset, &case.id, input);
            input.config = change(config);
            if matches!(preset, Preset::KerasCategorical | Preset::Optax) {
                one_hot(input);
            }
        }
    }
    Suite::from_files(files).unwrap()
}

/// The preset, refined with nothing but the case's parameters: whatever the preset itself decides is left to it.
fn by_preset(preset: Preset, id: &str, input: &CaseInput) -> ConfigBuilder {
    let given = input.config().unwrap();
    let mut config = preset.config(epsilon(preset, &given)).class_axis(given.class_axis());
    if let Some(weights) = given.class_weights() {
        config = config.class_weights(weights);
    }
    if given.ignore_index() != ids_by_default(preset) {
        config = config.ignore_index(given.ignore_index());
    }
    if given.z_loss() != 0.0 {
        config = config.z_loss(given.z_loss());
    }
    if !input.row_losses {
        config = config.reduction(given.reduction());
        if given.reduction() == Reduction::Mean && is_parameter(preset, given.denominator()) {
            config = config.denominator(given.denominator());
        }
    }
    config = config.non_finite_logits(given.non_finite_logits());
    let entropy_is_put_back = ["peer/espnet/", "peer/tensor2tensor/", "peer/t5x/"];
    if entropy_is_put_back.iter().any(|start| id.starts_with(start)) {
        config = config.without_preset().subtract_entropy(false);
    }
    config
}

/// The rate in the system's own convention.
fn epsilon(preset: Preset, given: &Config) -> f64 {
    let rate = given.smoothing().largest_rate();
    if preset == Preset::ClassyVision { rate / (1.0 - rate) } else { rate }
}

/// What the systems ignore unless told otherwise; a preset is not told.
fn ids_by_default(preset: Preset) -> &'static [i64] {
    match preset {
        Preset::PytorchIndices | Preset::Transformers => &[-100],
        Preset::Espnet => &[-1],
        Preset::Tensor2tensor => &[0],
        Preset::Fairseq | Preset::FairseqSentences => &[1],
        _ => &[],
    }
}

/// Whether the denominator is something that the system is told, and not its own way.
fn is_parameter(preset: Preset, denominator: Denominator) -> bool {
    match denominator {
        Denominator::Constant(_) => true,
        Denominator::All => matches!(preset, Preset::T5x | Preset::Optax),
        Denominator::Counted => matches!(preset, Preset::Espnet | Preset::Opennmt),
        Denominator::Weights => matches!(preset, Preset::KerasCategorical | Preset::KerasBinary | Preset::T5x),
    }
}

/// Those systems have no class indices: they were given one-hot rows.
fn one_hot(input: &mut CaseInput) {
    let TargetInput::Indices(indices) = &input.targets else { return };
    let (shape, axis) = (input.logits.shape.clone(), input.config().unwrap().class_axis().unwrap());
    let inner: usize = shape[axis + 1..].iter().product();
    let element = |at: usize| (at / (inner * shape[axis]) * inner + at % inner, at / inner % shape[axis]);
    let hot = |at: usize| {
        let (row, class) = element(at);
        f64::from(u8::from(indices.values[row] == class as i64))
    };
    let values: Vec<f64> = (0..input.logits.values.len()).map(hot).collect();
    input.targets = TargetInput::Probabilities(Dense::new(shape, values));
}

fn run(backends: &[Box<dyn Backend>], suite: &Suite) -> Report {
    Report::run(backends.iter().map(AsRef::as_ref), suite, &mut || ())
}

#[test]
fn every_preset_gives_what_its_system_computed_through_every_backend() {
    let backends = backends::all();
    for &preset in Preset::ALL {
        let suite = suite(preset, |config| config);
        assert!(suite.cases().len() >= 2, "{preset} is held to {} cases", suite.cases().len());
        let report = run(&backends, &suite);
        assert!(report.is_ok(), "{preset}: {report}");
    }
}

/// Not one of the files' cases is left out without a reason, and no entry of the lists is idle.
#[test]
fn every_vector_of_another_system_holds_a_preset_or_says_why_not() {
    let files = systems();
    let ids: BTreeSet<&str> = files.iter().flat_map(|file| &file.cases).map(|case| case.id.as_str()).collect();
    let starts = HELD.iter().flat_map(|(_, starts)| *starts).chain(NOT_HELD.iter().map(|(start, _)| start));
    for id in &ids {
        let fitting = starts.clone().filter(|start| id.starts_with(**start)).count();
        assert_eq!(fitting, 1, "{id} belongs to {fitting} entries");
    }
    for start in starts {
        assert!(ids.iter().any(|id| id.starts_with(start)), "{start} begins no id");
    }
}

/// The systems themselves were run; which were not, is known.
#[test]
fn every_preset_is_held_to_the_system_itself() {
    let files = systems();
    for &preset in Preset::ALL {
        let was_run = |file: &VectorFile| {
            let is_copy = file.source.contains("formula done again") || file.source.contains("not run");
            !is_copy && file.cases.iter().any(|case| preset_of(&case.id) == Some(preset))
        };
        assert_eq!(files.iter().any(was_run), !TRANSCRIBED.contains(&preset), "{preset}");
    }
}

/// Presets that take weights, which are in the denominator or not.
const WEIGHTED: &[Preset] = &[
    Preset::PytorchIndices,
    Preset::PytorchProbabilities,
    Preset::KerasCategorical,
    Preset::KerasBinary,
    Preset::TimmBinary,
    Preset::TimmBinaryDense,
    Preset::Burn,
    Preset::Tensor2tensor,
    Preset::T5x,
    Preset::Megatron,
];

/// The denominator in place of the preset's or the case's own.
fn over(denominator: Denominator) -> impl Fn(ConfigBuilder) -> ConfigBuilder {
    move |config| {
        let own = config.clone().build().unwrap().denominator();
        let is_a_number = matches!(own, Denominator::Constant(_));
        config.without_preset().denominator(if is_a_number { own } else { denominator })
    }
}

/// The cases tell a preset from one that is wrong in its smoothing, its entropy, its ignored id or its denominator.
#[test]
fn a_wrong_preset_is_caught() {
    let reference: Vec<Box<dyn Backend>> = vec![Box::new(Reference)];
    for &preset in Preset::ALL {
        let built = preset.config(0.25).without_preset().denominator(Denominator::Counted).build().unwrap();
        let other = match *built.smoothing() {
            Smoothing::Uniform { .. } => |epsilon| Smoothing::UniformOthers { epsilon },
            Smoothing::UniformOthers { .. } => |epsilon| Smoothing::Uniform { epsilon },
            _ => |epsilon| Smoothing::UniformFlip { epsilon },
        };
        let smoothing = |config: ConfigBuilder| {
            let rate = config.clone().build().unwrap().smoothing().largest_rate();
            config.without_preset().smoothing(other(rate))
        };
        let entropy = |config: ConfigBuilder| config.without_preset().subtract_entropy(!built.subtract_entropy());
        for (what, suite) in [("smoothing", suite(preset, smoothing)), ("entropy", suite(preset, entropy))] {
            assert!(!run(&reference, &suite).is_ok(), "no case of {preset} sees another {what}");
        }
        if !built.ignore_index().is_empty() {
            let report = run(&reference, &suite(preset, |config| config.without_preset().ignore_index([])));
            assert!(!report.is_ok(), "no case of {preset} sees its ignored id");
        }
        if WEIGHTED.contains(&preset) {
            let own = preset.config(0.25).build().unwrap().denominator();
            let other = if own == Denominator::Weights { Denominator::Counted } else { Denominator::Weights };
            assert!(!run(&reference, &suite(preset, over(other))).is_ok(), "no case of {preset} sees its denominator");
        }
    }
}
