//! `PRESETS.md` is what the presets are.

use std::fmt::Write;
use std::path::PathBuf;

use super::Preset;
use super::system::{ClassWeights, Ignored, Kind, System};
use crate::config::{EmptyMean, Reduction};

const HEAD: &str = "\
| preset | computes what | of | smoothing | entropy | result | a mean is over | ignores | takes |
|---|---|---|---|---|---|---|---|---|
";

const FOOT: &str = "
*Of*: the targets that it takes. *Smoothing*: the kind, and its rate. *Entropy*: whether the entropy of the smoothed
target is taken off, so that the minimum is 0. *Result*: the first is the preset's own. *A mean is over*: what
`Denominator` may be, and what that is in the system; where the first in the list is `constant`, it has to be given.
*Takes*: options, masks and weights beyond these.
";

#[test]
fn presets_md_is_up_to_date() {
    let mut made = HEAD.to_owned();
    for &preset in Preset::ALL {
        writeln!(made, "| `{preset}` | {} |", row(preset.system()).join(" | ")).unwrap();
    }
    made.push_str(FOOT);
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("PRESETS.md");
    if std::env::var_os("UPDATE_PRESETS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(written == made, "PRESETS.md is not what the presets are; UPDATE_PRESETS=1 with this test writes it");
}

fn row(system: &System) -> [String; 8] {
    let own = (system.smoothing)(0.25);
    let rate = match own.largest_rate() {
        0.25 => "e",
        0.2 => "e / (1 + e)",
        other => panic!("a rate of {other} for 0.25"),
    };
    let reductions = system.reductions.iter().map(|&reduction| match reduction {
        Reduction::Mean => "mean",
        Reduction::Sum => "sum",
    });
    let what = |what: &str| what.split(' ').map(as_code).collect::<Vec<_>>().join(" ");
    let denominators = system.denominators.iter().map(|(name, of)| format!("`{name}`: {}", what(of)));
    [
        what(system.title),
        system.targets.iter().copied().map(Kind::name).collect::<Vec<_>>().join("; "),
        format!("`{}`, {rate}", own.name()),
        if system.subtract_entropy { "off" } else { "" }.to_owned(),
        reductions.collect::<Vec<_>>().join(", "),
        denominators.collect::<Vec<_>>().join("; "),
        ignored(system.ignored),
        options(system).join(", "),
    ]
}

/// A word, as code where it is the name of something: `cross_entropy`, `LabelSmoother`; but not PyTorch's.
fn as_code(word: &str) -> String {
    let humps = word.char_indices().filter(|(at, letter)| *at > 0 && letter.is_uppercase()).count();
    if word.contains('_') || (humps > 0 && !word.contains("'s")) { format!("`{word}`") } else { word.to_owned() }
}

fn ignored(ignored: Ignored) -> String {
    match ignored {
        Ignored::No => "nothing".to_owned(),
        Ignored::One(id) => format!("{id}, or another id"),
        Ignored::Classes => "any classes".to_owned(),
        Ignored::Padding => "the class that is padding, and does not smooth over it".to_owned(),
    }
}

fn options(system: &System) -> Vec<&'static str> {
    let class_weights = match system.class_weights {
        ClassWeights::No => None,
        ClassWeights::Yes => Some("class weights"),
        ClassWeights::Positive => Some("class weights above 0"),
    };
    let empty_mean = (system.empty_mean == EmptyMean::Zero).then_some("(0 for a mean over nothing)");
    let below_one = system.below_one.then_some("(a rate below 1)");
    let extras = system.takes.iter().map(|extra| extra.name());
    class_weights.into_iter().chain(extras).chain(empty_mean).chain(below_one).collect()
}
