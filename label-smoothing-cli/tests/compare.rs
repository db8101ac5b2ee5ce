//! `compare`, on batches so small that its figures of speed mean nothing.

mod common;

use std::fs;

use common::{Folder, refuse, run, stderr, succeed};
use serde_json::Value;

const SMALL: [&str; 4] = ["--shape", "8x10", "--seconds", "0.05"];

/// The backends that are compared, with the pairs that each has.
const PAIRS: [(&str, usize); 6] = [("kernel", 2), ("ndarray", 1), ("candle", 2), ("burn", 1), ("dfdx", 1), ("tch", 1)];

const KEYS: [&str; 14] = [
    "backend",
    "classes",
    "dtype",
    "gradient_difference",
    "native_is",
    "native_ns_per_logit",
    "native_peak_bytes_per_logit",
    "ours_is",
    "ours_ns_per_logit",
    "ours_peak_bytes_per_logit",
    "ratio",
    "rows",
    "stream_fraction",
    "threads",
];

fn compare(options: &[&str]) -> Vec<String> {
    ["compare"].iter().chain(&SMALL).chain(options).map(|&text| text.to_owned()).collect()
}

fn is_built_in(backend: &str) -> bool {
    let table = succeed(&["backends"]);
    table.lines().any(|line| line.split_whitespace().nth(1) == Some(backend) && line.contains("built in"))
}

fn number(row: &Value, key: &str) -> f64 {
    row[key].as_f64().unwrap_or_else(|| panic!("{key} is no number in {row}"))
}

#[test]
fn every_backend_is_beside_its_native_loss() {
    let folder = Folder::new();
    let (json, svg) = (folder.path("figures.json"), folder.path("chart.svg"));
    // So many logits that pages which are touched by the way count for little.
    let options = ["--shape", "256x1000", "--seconds", "0.05", "--json", &json, "--svg", &svg];
    let table = succeed(&[&["compare"], &options[..]].concat());
    let report: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    assert_eq!(report.as_object().unwrap().keys().collect::<Vec<_>>(), ["rows"]);
    let rows = report["rows"].as_array().unwrap();

    let names: Vec<&str> = rows.iter().map(|row| row["backend"].as_str().unwrap()).collect();
    let built_in = PAIRS.iter().filter(|(name, _)| is_built_in(name));
    let expected: Vec<&str> = built_in.flat_map(|&(name, pairs)| vec![name; pairs]).collect();
    assert_eq!(names, expected);
    for row in rows {
        let keys: Vec<&String> = row.as_object().unwrap().keys().collect();
        assert_eq!(keys, KEYS);
        assert_eq!((&row["rows"], &row["classes"], &row["threads"]), (&256.into(), &1000.into(), &1.into()));
        assert_eq!(row["dtype"], "f32");
        for key in ["ours_ns_per_logit", "native_ns_per_logit", "ratio", "stream_fraction"] {
            assert!(number(row, key) > 0.0, "{key} in {row}");
        }
        // The ratio is the median of the turns', not that of the medians, but it cannot be the other way around.
        let quotient = number(row, "native_ns_per_logit") / number(row, "ours_ns_per_logit");
        assert!((0.2..5.0).contains(&(number(row, "ratio") / quotient)), "{row}");
        assert!(table.contains(row["backend"].as_str().unwrap()), "{table}");
        // Only where nothing is smoothed do the two sides differ by more than rounding.
        let difference = number(row, "gradient_difference");
        let is_smoothed = !row["native_is"].as_str().unwrap().contains("no smoothing");
        assert!(if is_smoothed { difference < 1e-5 } else { difference > 1e-3 }, "{row}");
        #[cfg(target_os = "linux")]
        check_memory(row);
    }
    assert_eq!(folder.names(), ["chart.svg", "figures.json"]);
    assert!(table.ends_with(&format!("chart: {svg}\n")), "{table}");
    check_chart(&fs::read_to_string(&svg).unwrap(), rows);
}

/// Two bars and a ratio for each row.
fn check_chart(svg: &str, rows: &[Value]) {
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
    for colour in ["#1F6FB4", "#B0B0B0"] {
        assert_eq!(svg.matches(colour).count(), rows.len() + 1, "and one in the legend");
    }
    assert_eq!(svg.matches("256x1000").count(), rows.len());
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
}

/// The bytes per logit that a step takes. The kernel writes where it is told to, and an array of gradients is new memory of
/// the size of the logits. Candle and libtorch multiply it by what comes from upstream into a second one.
#[cfg(target_os = "linux")]
const MEMORY: [(&str, std::ops::Range<f64>); 6] = [
    ("kernel", 0.0..1.0),
    ("ndarray", 3.5..5.0),
    ("candle", 7.0..9.0),
    ("burn", 3.5..5.0),
    ("dfdx", 3.5..5.0),
    ("tch", 7.0..9.0),
];

#[cfg(target_os = "linux")]
fn check_memory(row: &Value) {
    let (name, expected) = MEMORY.iter().find(|(name, _)| row["backend"] == *name).unwrap();
    assert!(expected.contains(&number(row, "ours_peak_bytes_per_logit")), "{expected:?} in {row}");
    // The native losses of these two hold no graph either.
    if ["kernel", "ndarray"].contains(name) {
        assert!(expected.contains(&number(row, "native_peak_bytes_per_logit")), "{expected:?} in {row}");
    }
}

#[test]
fn backends_and_shapes_can_be_chosen() {
    let folder = Folder::new();
    let json = folder.path("figures.json");
    let options = ["--backend", "kernel", "--shape", "3x7", "--threads", "2", "--json", &json];
    succeed(&compare(&options));
    let report: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    let shapes: Vec<(&str, u64, u64, u64)> = report["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let count = |key: &str| row[key].as_u64().unwrap();
            (row["backend"].as_str().unwrap(), count("rows"), count("classes"), count("threads"))
        })
        .collect();
    let kernel = |rows, classes| ("kernel", rows, classes, 2);
    assert_eq!(shapes, [kernel(8, 10), kernel(8, 10), kernel(3, 7), kernel(3, 7)]);
}

#[test]
fn nothing_but_the_table_goes_into_a_pipe() {
    let output = run(&compare(&["--backend", "kernel"]));
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stderr(&output), "", "no progress where stderr is no terminal");
}

#[test]
fn calls_that_make_no_sense() {
    let folder = Folder::new();
    let (json, svg) = (folder.path("figures.json"), folder.path("chart.svg"));
    let (folder_itself, nowhere) = (folder.path(""), folder.path("no/figures.json"));
    for (options, words) in [
        (&["--shape", "8"][..], &["8", "--shape", "ROWSxCLASSES"][..]),
        (&["--shape", "8x"], &["8x", "--shape", "ROWSxCLASSES"]),
        (&["--shape", "8x10x2"], &["8x10x2", "--shape", "ROWSxCLASSES"]),
        (&["--shape=-8x10"], &["-8x10", "--shape", "ROWSxCLASSES"]),
        (&["--shape", "0x10"], &["0x10", "--shape", "268435456"]),
        (&["--shape", "8x0"], &["8x0", "--shape", "268435456"]),
        (&["--shape", "999999999999999999999x999999999999999999999"], &["--shape", "268435456"]),
        (&["--threads", "0"], &["--threads", "0", "1024"]),
        (&["--threads", "1025"], &["--threads", "1025", "1024"]),
        (&["--threads", "two"], &["--threads", "two", "1024"]),
        (&["--seconds", "0"], &["--seconds", "0", "3600"]),
        (&["--seconds=-1"], &["--seconds", "-1", "3600"]),
        (&["--seconds", "nan"], &["--seconds", "nan", "3600"]),
        (&["--seconds", "1e300"], &["--seconds", "1e300", "3600"]),
        (&["--backend", "numpy"], &["numpy", "kernel", "ndarray"]),
        (&["--backend", "kernel", "--backend", "numpy"], &["numpy"]),
        (&["--backend", "reference"], &["reference", "compared are kernel"]),
        (&["--backend", "ndarray-composed"], &["ndarray-composed", "compared are kernel"]),
        (&["--json", &folder_itself], &["is a directory"]),
        (&["--svg", &nowhere], &["figures.json", "there is no folder"]),
        (&["--json", &svg], &["both --json and --svg"]),
    ] {
        // Files that could be written, unless they are what is wrong.
        let has = |name| options.iter().any(|option: &&str| option.starts_with(name));
        let mut arguments = vec!["compare".to_owned()];
        arguments.extend(options.iter().map(|&option| option.to_owned()));
        for (name, path) in [("--json", &json), ("--svg", &svg)] {
            if !has(name) {
                arguments.extend([name.to_owned(), path.clone()]);
            }
        }
        let line = refuse(&arguments);
        for word in words {
            assert!(line.contains(word), "`{word}` is missing in: {line}");
        }
        assert_eq!(folder.names(), [""; 0], "{arguments:?}");
    }
}

#[test]
fn a_backend_that_is_not_built_in_is_named_with_its_feature() {
    for (name, _) in PAIRS.iter().filter(|(name, _)| !is_built_in(name)) {
        let line = refuse(&compare(&["--backend", name]));
        assert!(line.contains(name) && line.contains(&format!("--features {name}")), "{line}");
    }
}
