//! `accuracy`, on rows so short that the sweep is quick.

mod common;

use std::fs;

use common::{Folder, refuse, run, stderr, succeed};
use serde_json::Value;

fn measure(options: &[&str]) -> (String, Vec<Value>) {
    let folder = Folder::new();
    let json = folder.path("figures.json");
    let table = succeed(&[&["accuracy", "--json", &json], options].concat());
    let report: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    assert_eq!(report.as_object().unwrap().keys().collect::<Vec<_>>(), ["contenders"]);
    (table, report["contenders"].as_array().unwrap().clone())
}

fn text<'a>(contender: &'a Value, key: &str) -> &'a str {
    contender[key].as_str().unwrap_or_else(|| panic!("{key} is no text in {contender}"))
}

/// Infinite ones, too.
fn number(part: &Value, key: &str) -> f64 {
    let value = &part[key];
    value.as_f64().or_else(|| value.as_str()?.parse().ok()).unwrap_or_else(|| panic!("{key} is no number in {part}"))
}

fn is_built_in(backend: &str) -> bool {
    let table = succeed(&["backends"]);
    table.lines().any(|line| line.split_whitespace().nth(1) == Some(backend) && line.contains("built in"))
}

/// Ours keep the relative precision of confident rows, in `f32` within 2.5 + gap units; what loses it looks like that.
#[test]
fn ours_keep_what_the_frameworks_own_losses_lose() {
    let backends: Vec<&str> = ["kernel", "candle", "tch"].into_iter().filter(|name| is_built_in(name)).collect();
    let mut options = vec!["--dtype", "f32", "--classes", "10", "--by", "lead"];
    options.extend(backends.iter().flat_map(|name| ["--backend", name]));
    let (table, contenders) = measure(&options);
    for contender in &contenders {
        let parts = contender["by_lead"].as_array().unwrap();
        let leads: Vec<f64> = parts.iter().map(|part| number(part, "lead")).collect();
        assert_eq!(leads, [0.0, 1.0, 4.0, 17.0, 40.0, 80.0], "{contender}");
        let rows: f64 = parts.iter().map(|part| number(part, "rows")).sum();
        assert_eq!(rows, number(contender, "rows"), "{contender}");
        let worst = parts.iter().map(|part| number(part, "loss")).fold(0.0, f64::max);
        assert_eq!(worst, number(contender, "loss"), "{contender}");
        assert!(table.contains(text(contender, "backend")), "{table}");
        if text(contender, "calls") == "ours" {
            assert!(number(contender, "of_bound") <= 1.0 && number(contender, "row_sum") <= 4.0, "{contender}");
        } else {
            assert!(number(&parts[5], "loss") > 1e7, "a lead of 80 nats leaves nothing: {contender}");
            assert!(number(&parts[0], "loss") < 100.0, "without a lead nothing is hard: {contender}");
        }
    }
    // candle has two losses without us.
    let natives = ["candle", "candle", "tch"].iter().filter(|name| backends.contains(name)).count();
    assert_eq!(contenders.len(), backends.len() + natives, "{table}");
    assert!(table.contains("lead 80") && !table.contains("lead 81"), "{table}");
}

#[test]
fn backends_types_and_classes_can_be_chosen() {
    let options = ["--backend", "kernel", "--dtype", "f16", "--dtype", "bf16", "--classes", "7", "--classes", "2"];
    let (table, contenders) = measure(&options);
    let of: Vec<(&str, &str)> = contenders.iter().map(|it| (text(it, "backend"), text(it, "dtype"))).collect();
    assert_eq!(of, [("kernel", "f16"), ("kernel", "bf16")]);
    for (contender, offsets) in contenders.iter().zip([2, 1]) {
        let count = |key: &str| contender[key].as_array().unwrap().len();
        assert_eq!((count("by_classes"), count("by_offset"), count("by_epsilon")), (2, offsets, 2));
        assert_eq!(contender["failure"], Value::Null);
        // 64 rows of each number of classes, lead and offset, with each of two rates.
        assert_eq!(number(contender, "rows"), (64 * 2 * 6 * offsets * 2) as f64);
    }
    assert!(table.contains("f16, u = ") && table.contains("bf16, u = ") && !table.contains("f32, u = "), "{table}");
}

#[test]
fn the_same_figures_in_every_run() {
    let options = ["--backend", "kernel", "--dtype", "f32", "--classes", "10"];
    assert_eq!(measure(&options), measure(&options));
}

#[test]
fn nothing_but_the_tables_goes_into_a_pipe() {
    let output = run(&["accuracy", "--backend", "kernel", "--dtype", "f32", "--classes", "2"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stderr(&output), "", "no progress where stderr is no terminal");
}

#[test]
fn calls_that_make_no_sense() {
    let folder = Folder::new();
    let nowhere = folder.path("no/figures.json");
    for (options, words) in [
        (&["--classes", "1"][..], &["--classes", "from 2 to 1048576"][..]),
        (&["--classes", "1048577"], &["1048577", "from 2 to 1048576"]),
        (&["--classes", "many"], &["many", "from 2 to 1048576"]),
        (&["--dtype", "f8"], &["f8", "bf16"]),
        (&["--by", "row"], &["row", "--by"]),
        (&["--backend", "numpy"], &["numpy", "built in are"]),
        (&["--json", &nowhere], &["figures.json", "there is no folder"]),
        (&["--json", &folder.path("")], &["is a directory"]),
    ] {
        let line = refuse(&[&["accuracy"], options].concat());
        for word in words {
            assert!(line.contains(word), "`{word}` is missing in: {line}");
        }
    }
    if is_built_in("dfdx") {
        let line = refuse(&["accuracy", "--backend", "dfdx", "--dtype", "bf16"]);
        assert!(line.contains("none of these backends takes bf16"), "{line}");
    }
}
