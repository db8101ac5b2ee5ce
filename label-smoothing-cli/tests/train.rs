//! `train`, for a few steps: its files, its figures, the same curves in every framework, and what it refuses.

mod common;

use std::fs;

use common::{Folder, refuse, run, stderr, succeed};
use serde_json::Value;

const BACKENDS: [&str; 5] = ["candle", "ndarray", "burn", "dfdx", "tch"];

const SCORES: [&str; 7] = ["accuracy", "brier", "ece", "ece_equal_mass", "mean_confidence", "nll", "over_confidence"];

/// Trains into a folder; the text and the figures.
fn train(folder: &Folder, options: &[&str]) -> (String, Value) {
    let out = folder.path("out");
    let text = succeed(&[&["train", "--out", &out], options].concat());
    (text, serde_json::from_slice(&fs::read(folder.path("out/figures.json")).unwrap()).unwrap())
}

fn built_in() -> Vec<&'static str> {
    let table = succeed(&["backends"]);
    let is_built_in = |name: &&str| {
        table.lines().any(|line| line.split_whitespace().nth(1) == Some(*name) && line.contains("built in"))
    };
    BACKENDS.into_iter().filter(is_built_in).collect()
}

fn names(folder: &Folder) -> Vec<String> {
    let entries = fs::read_dir(folder.path("out")).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn keys(value: &Value) -> Vec<&String> {
    value.as_object().unwrap().keys().collect()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn hard_labels_beside_smoothed_ones() {
    let folder = Folder::new();
    let (text, figures) = train(&folder, &["--steps", "60", "--seeds", "2", "--label-smoothing", "0.2"]);
    let mut expected: Vec<String> = Vec::new();
    for picture in ["confidence", "loss", "reliability"] {
        for noise in ["clean", "noise-20"] {
            expected.extend(["png", "svg"].map(|kind| format!("{picture}-{noise}.{kind}")));
        }
    }
    expected.push("figures.json".to_owned());
    expected.sort();
    assert_eq!(names(&folder), expected);
    for name in &expected {
        let path = format!("{}/{name}", folder.path("out"));
        assert!(text.lines().any(|line| line == path), "{path} is missing in: {text}");
        check_picture(&path);
    }
    assert_eq!(keys(&figures), ["agreement", "runs", "settings", "summary", "timing"]);
    assert_eq!(figures["agreement"], Value::Null);
    assert_eq!(figures["settings"]["label_smoothing"], serde_json::json!([0.0, 0.2]));
    assert_eq!(figures["settings"]["noise"], serde_json::json!([0.0, 0.2]));
    let runs = figures["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 2 * 2 * 2);
    runs.iter().for_each(check_run);
    let summary = figures["summary"].as_array().unwrap();
    assert_eq!(summary.len(), 2 * 2);
    for group in summary {
        check_group(group, runs);
    }
    check_time(&figures);
    for word in ["hard labels", "smoothing 0.2", "20 % of the training labels wrong", "accuracy", "NLL", "Brier", "ECE"]
    {
        assert!(text.contains(word), "{word} is missing in: {text}");
    }
    assert_eq!(text.matches("smoothing 0.2 against hard labels").count(), 4, "{text}");
    assert!(!text.contains('\x1b'), "colours are for terminals");
}

fn check_picture(path: &str) {
    let bytes = fs::read(path).unwrap();
    let kind = path.rsplit('.').next().unwrap();
    if kind == "png" {
        assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n") && bytes.ends_with(b"IEND\xae\x42\x60\x82"), "{path}");
        // Something is drawn: an empty page would be packed into less.
        assert!(bytes.len() > 5000, "{path}: {} bytes", bytes.len());
    } else if kind == "svg" {
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with("<svg") && text.trim_end().ends_with("</svg>"), "{path}");
        assert!(!text.contains("NaN") && !text.contains("inf"), "{path}");
        let labels: &[&str] = match path.rsplit('/').next().unwrap().split('-').next().unwrap() {
            "reliability" => &["confidence", "accuracy", "hard labels", "smoothing 0.2", "ECE"],
            "confidence" => &["confidence", "test images, per cent", "hard labels", "smoothing 0.2"],
            "loss" => &["step", "loss in nats (logarithmic)", "hard labels", "smoothing 0.2"],
            _ => &["step", "loss in nats (logarithmic)"],
        };
        for label in labels {
            assert!(text.contains(label), "{label} is missing in {path}");
        }
    }
}

/// The figures of a run are those of a classifier, and fit each other.
fn check_run(run: &Value) {
    for when in ["before", "after"] {
        let scores = &run[when];
        assert_eq!(keys(scores), SCORES, "{run}");
        for name in ["accuracy", "ece", "ece_equal_mass", "mean_confidence"] {
            assert!((0.0..=1.0).contains(&number(&scores[name])), "{name} in {scores}");
        }
        assert!((0.0..=2.0).contains(&number(&scores["brier"])) && number(&scores["nll"]) > 0.0, "{scores}");
        let gap = number(&scores["mean_confidence"]) - number(&scores["accuracy"]);
        assert!((gap - number(&scores["over_confidence"])).abs() < 1e-12, "{scores}");
        assert!(number(&scores["ece"]) >= gap.abs() - 1e-12, "{scores}");
    }
    // A temperature changes no prediction, and 997 images are tested.
    assert_eq!(run["before"]["accuracy"], run["after"]["accuracy"]);
    let correct = 997.0 * number(&run["before"]["accuracy"]);
    assert!((correct - correct.round()).abs() < 1e-9 && correct > 400.0, "{correct} of 997 are correct");
    assert!(number(&run["temperature"]) > 0.0);
    assert_eq!(run["training_loss"].as_array().unwrap().len(), 60);
    let looks = run["validation_nll"].as_array().unwrap();
    let steps: Vec<u64> = looks.iter().map(|look| look[0].as_u64().unwrap()).collect();
    assert_eq!(steps, [0, 50, 60]);
    assert!(number(&looks[2][1]) < 0.7 * number(&looks[0][1]), "nothing was learnt: {looks:?}");
}

/// Means and sample standard deviations of two seeds.
fn check_group(group: &Value, runs: &[Value]) {
    let same = |key: &str, run: &&Value| run[key] == group[key];
    let members: Vec<&Value> =
        runs.iter().filter(|run| ["backend", "noise", "label_smoothing"].iter().all(|key| same(key, run))).collect();
    assert_eq!(members.len(), 2);
    assert_ne!(members[0]["seed"], members[1]["seed"]);
    for when in ["before", "after"] {
        for name in SCORES {
            let [a, b] = [0, 1].map(|at| number(&members[at][when][name]));
            let statistic = &group[when][name];
            assert!((number(&statistic["mean"]) - f64::midpoint(a, b)).abs() < 1e-12, "{name} in {group}");
            assert!((number(&statistic["spread"]) - (a - b).abs() / 2_f64.sqrt()).abs() < 1e-12, "{name} in {group}");
        }
    }
}

fn check_time(figures: &Value) {
    let timing = &figures["timing"][0];
    assert_eq!(timing["label_smoothing"], 0.2);
    let [hard, smoothed, added] =
        ["hard_microseconds", "smoothed_microseconds", "added_microseconds"].map(|key| number(&timing[key]));
    assert!(hard > 0.0 && smoothed > 0.0 && added.abs() < hard.max(smoothed), "{timing}");
}

/// From the same weights, on the same batches, under the same masks.
#[test]
fn every_framework_has_the_same_loss_curve() {
    let backends = built_in();
    for optimizer in ["adamw", "sgd"] {
        let folder = Folder::new();
        let mut options = vec!["--steps", "50", "--seeds", "1", "--optimizer", optimizer];
        options.extend(backends.iter().flat_map(|name| ["--backend", name]));
        let (text, figures) = train(&folder, &options);
        let runs = figures["runs"].as_array().unwrap();
        assert_eq!(runs.len(), 4 * backends.len());
        let mut largest = 0.0_f64;
        for run in runs {
            let curve = |run: &Value| run["training_loss"].as_array().unwrap().iter().map(number).collect::<Vec<_>>();
            let alike = runs
                .iter()
                .filter(|other| ["noise", "label_smoothing", "seed"].iter().all(|key| run[key] == other[key]));
            let ours = curve(run);
            let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
            assert_eq!(ours.len(), 50);
            assert!(mean(&ours[40..]) < 0.9 * mean(&ours[..10]), "nothing was learnt: {ours:?}");
            for other in alike {
                for (step, (one, other)) in ours.iter().zip(curve(other)).enumerate() {
                    assert!((one - other).abs() <= 1e-3, "step {step} of {}: {one} and {other}", run["backend"]);
                    largest = largest.max((one - other).abs());
                }
            }
        }
        println!("{optimizer}: {backends:?} differ by at most {largest:.2e}");
        if backends.len() > 1 {
            let agreement = &figures["agreement"];
            assert_eq!(agreement["backends"], serde_json::json!(backends));
            assert_eq!(agreement["steps"], 50);
            assert!((number(&agreement["largest_difference"]) - largest).abs() < 1e-6, "{agreement} and {largest}");
            assert!(text.contains("differ by at most"), "{text}");
            check_picture(&folder.path("out/frameworks.svg"));
            check_picture(&folder.path("out/frameworks.png"));
        }
    }
}

/// Smoothing is in the loss that is trained on: a smoothed loss is above its entropy, a hard one is not.
#[test]
fn a_rate_of_zero_is_hard_labels_only() {
    let folder = Folder::new();
    let (text, figures) = train(&folder, &["--steps", "1", "--seeds", "1", "--label-smoothing", "0"]);
    assert_eq!(figures["settings"]["label_smoothing"], serde_json::json!([0.0]));
    assert_eq!(figures["summary"][0]["before"]["nll"]["spread"], Value::Null);
    assert!(!text.contains("against hard labels"), "{text}");
}

#[test]
fn full_has_every_rate_and_noise() {
    let folder = Folder::new();
    let (_, figures) = train(&folder, &["--full", "--steps", "1", "--seeds", "1"]);
    assert_eq!(figures["settings"]["label_smoothing"], serde_json::json!([0.0, 0.05, 0.1, 0.2]));
    assert_eq!(figures["settings"]["noise"], serde_json::json!([0.0, 0.1, 0.2]));
    assert_eq!(figures["runs"].as_array().unwrap().len(), 12);
    assert!(names(&folder).iter().any(|name| name == "reliability-noise-10.svg"));
}

/// Another run takes the place of the files of the one before, and of nothing else.
#[test]
fn a_folder_that_is_there_already() {
    let folder = Folder::new();
    fs::create_dir(folder.path("out")).unwrap();
    folder.file("out/mine.txt", "mine");
    folder.file("out/figures.json", "old");
    let (_, figures) = train(&folder, &["--steps", "1", "--seeds", "1"]);
    assert!(figures.is_object());
    assert_eq!(fs::read_to_string(folder.path("out/mine.txt")).unwrap(), "mine");
    assert!(names(&folder).iter().all(|name| !name.starts_with('.')), "{:?}", names(&folder));
}

#[test]
fn nothing_but_the_report_goes_into_a_pipe() {
    let folder = Folder::new();
    let output = run(&["train", "--steps", "1", "--seeds", "1", "--out", &folder.path("out")]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stderr(&output), "", "no progress where stderr is no terminal");
}

#[test]
fn calls_that_make_no_sense() {
    let folder = Folder::new();
    let file = folder.file("file", "not a folder");
    let nowhere = folder.path("no/out");
    for (options, words) in [
        (&["--label-smoothing", "1.5"][..], &["--label-smoothing", "1.5", "between 0 and 1"][..]),
        (&["--label-smoothing", "-0.1"], &["--label-smoothing", "-0.1", "between 0 and 1"]),
        (&["--label-smoothing", "nan"], &["--label-smoothing", "NaN", "between 0 and 1"]),
        (&["--label-smoothing", "much"], &["--label-smoothing", "much"]),
        (&["--full", "--label-smoothing", "0.1"], &["--full", "--label-smoothing"]),
        (&["--steps", "0"], &["--steps", "0", "100000"]),
        (&["--steps", "100001"], &["--steps", "100001", "100000"]),
        (&["--seeds", "0"], &["--seeds", "0", "100"]),
        (&["--optimizer", "lion"], &["--optimizer", "lion", "adamw"]),
        (&["--backend", "numpy"], &["numpy", "candle"]),
        (&["--backend", "kernel"], &["kernel", "trained in are candle"]),
        (&["--out", &file], &["file", "is no folder"]),
        (&["--out", &nowhere], &["out", "there is no folder"]),
    ] {
        let mut arguments = vec!["train", "--seeds", "1"];
        let out = folder.path("out");
        if !options.contains(&"--out") {
            arguments.extend(["--out", &out]);
        }
        if options.contains(&"--seeds") {
            arguments.drain(1..3);
        }
        arguments.extend(options);
        let line = refuse(&arguments);
        for word in words {
            assert!(line.contains(word), "`{word}` is missing in: {line}");
        }
        assert_eq!(folder.names(), ["file"], "{arguments:?}");
    }
}

#[test]
fn a_backend_that_is_not_built_in_is_named_with_its_feature() {
    let built_in = built_in();
    for name in BACKENDS.iter().filter(|name| !built_in.contains(name)) {
        let line = refuse(&["train", "--backend", name]);
        assert!(line.contains(name) && line.contains(&format!("--features {name}")), "{line}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_takes_no_files() {
    let line = refuse(&["train", "--steps", "1", "--out", "/proc/self"]);
    assert!(line.contains("/proc/self") && line.contains("cannot be written"), "{line}");
    let line = refuse(&["train", "--steps", "1", "--out", "/proc/self/out"]);
    assert!(line.contains("/proc/self/out") && line.contains("cannot be written"), "{line}");
}

/// A limit on the size of files fails in the middle of a write, as a full disk does.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_nothing_behind() {
    let folder = Folder::new();
    let out = folder.path("out");
    let mut limited = std::process::Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_label-smoothing")]);
    let output = limited.args(["train", "--steps", "1", "--seeds", "1", "--out", &out]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let line = stderr(&output);
    assert!(line.contains("out") && line.contains("cannot be written") && line.lines().count() == 1, "{line}");
    assert_eq!(folder.names(), [""; 0]);
}
