//! `evaluate --preset`, on the digits: PyTorch's numbers in float64, and what follows from them because the loss is linear
//! in the rate.

mod common;

use common::{Folder, close, digits, digits_json, f64s, json, npy, refuse};
use serde_json::{Value, json as value};

const F64: f64 = 4e-15;
const PLAIN: f64 = 0.046_878_016_995_183_13;
const TENTH: f64 = 1.440_142_025_953_405_5;

fn by(preset: &str, options: &[&str]) -> Value {
    digits_json(&[&["--dtype", "f64", "--preset", preset], options].concat())
}

#[test]
fn presets_at_a_rate_in_their_own_convention() {
    let eleventh = PLAIN + (TENTH - PLAIN) / 1.1;
    for (preset, options, loss) in [
        ("pytorch_indices", vec!["--label-smoothing", "0.1"], TENTH),
        ("timm_cross_entropy", vec!["--label-smoothing", "0.1"], TENTH),
        ("burn", vec!["--label-smoothing", "0.1"], TENTH),
        ("transformers", vec!["--label-smoothing", "0.1"], TENTH),
        ("transformers", vec!["--label-smoothing", "0.1", "--denominator", "1797"], TENTH),
        ("pytorch_indices", vec!["--label-smoothing", "0.1", "--reduction", "sum"], TENTH * 1797.0),
        ("classy_vision", vec!["--label-smoothing", "0.1"], eleventh),
        // A rate over the nine other classes is nine tenths of one over all ten.
        ("megatron", vec!["--label-smoothing", "0.09"], TENTH),
        ("fairseq", vec!["--label-smoothing", "0.09", "--ignore-index", "-1"], TENTH),
        (
            "fairseq_sentences",
            vec!["--label-smoothing", "0.09", "--ignore-index", "-1", "--denominator", "3594"],
            TENTH / 2.0,
        ),
        ("t5x", vec!["--label-smoothing", "0"], PLAIN * 1797.0),
        ("t5x", vec!["--label-smoothing", "0", "--reduction", "mean", "--denominator", "all"], PLAIN),
    ] {
        let report = by(preset, &options);
        close(&report["loss"], loss, F64 * 4.0);
        assert_eq!(report["options"]["preset"], value!(preset));
    }
}

#[test]
fn the_digits_that_a_preset_ignores_leave_the_mean() {
    let report = by("fairseq", &["--label-smoothing", "0.1"]);
    let ones =
        digits_json(&["--dtype", "f64", "--convention", "others", "--label-smoothing", "0.1", "--ignore-index", "1"]);
    assert_eq!((&report["loss"], &report["counted_rows"]), (&ones["loss"], &ones["counted_rows"]));
    assert_ne!(report["counted_rows"], value!(1797));
}

#[test]
fn a_binary_preset_brings_its_loss() {
    let folder = Folder::new();
    let logits = folder.file("z.npy", npy("<f8", false, "(2, 2)", &f64s(&[0.0; 4])));
    let targets = folder.file("y.npy", npy("<f8", false, "(2, 2)", &f64s(&[0.0, 1.0, 1.0, 0.0])));
    let arguments = [
        "evaluate",
        "--logits",
        &logits,
        "--targets",
        &targets,
        "--preset",
        "keras_binary",
        "--label-smoothing",
        "0.5",
    ];
    let report: Value = json(&[&arguments[..], &["--json"]].concat());
    close(&report["loss"], std::f64::consts::LN_2, F64);
    assert_eq!(report["options"]["loss"], value!("binary_cross_entropy"));
}

#[test]
fn what_a_system_cannot_do_is_refused_in_its_name() {
    for (options, message) in [
        (
            vec!["--preset", "keras_categorical", "--label-smoothing", "0.1"],
            "error: preset keras_categorical: Keras's CategoricalCrossentropy takes probabilities, not class indices",
        ),
        (
            vec![
                "--preset",
                "pytorch_indices",
                "--label-smoothing",
                "0.1",
                "--ignore-index",
                "1",
                "--ignore-index",
                "2",
            ],
            "error: preset pytorch_indices: PyTorch's cross_entropy with class indices ignores one id, not [1, 2]",
        ),
        (vec!["--preset", "espnet", "--label-smoothing", "0.1"], "denominator constant (the utterances) or counted"),
        (
            vec!["--preset", "burn", "--label-smoothing", "0.1", "--reduction", "sum"],
            "no other reduction than the mean",
        ),
        (vec!["--preset", "torch", "--label-smoothing", "0.1"], "there is no preset torch; there are pytorch_indices,"),
        (vec!["--preset", "burn"], "--label-smoothing <E>"),
        (
            vec!["--preset", "burn", "--label-smoothing", "-1"],
            "epsilon is -1, but a smoothing rate lies between 0 and 1",
        ),
        (vec!["--preset", "burn", "--label-smoothing", "0.1", "--convention", "others"], "'--convention <CONVENTION>'"),
        (vec!["--denominator", "tokens"], "neither weights, counted, all nor a number"),
        (vec!["--denominator", "-1"], "the constant denominator is -1, but must be finite and not negative"),
    ] {
        let error = refuse(&digits(&options));
        assert!(error.contains(message), "{options:?}\n  gives  {error}  wanted {message}");
    }
}
