//! `check`: every vector file passes, and a file with one wrong number, or one that is none, does not.

mod common;

use std::fs;

use common::{Folder, refuse, run, stderr, stdout, vectors};
use serde_json::{Value, json as value};

/// A report of `check` with a status.
fn check(files: &[&str], options: &[&str], status: i32) -> (String, Value) {
    let folder = Folder::new();
    let json = folder.path("report.json");
    let mut arguments = vec!["check", "--vectors"];
    arguments.extend(files);
    arguments.extend(["--json", &json]);
    arguments.extend(options);
    let output = run(&arguments);
    assert_eq!(output.status.code(), Some(status), "{}{}", stdout(&output), stderr(&output));
    assert_eq!(stderr(&output), "");
    assert_eq!(folder.names(), ["report.json"]);
    (stdout(&output).to_owned(), serde_json::from_slice(&fs::read(&json).unwrap()).unwrap())
}

#[test]
fn every_vector_file_passes() {
    let files = vectors();
    assert!(files.len() >= 20);
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let (text, report) = check(&files, &["--backend", "reference", "--backend", "kernel", "--backend", "ndarray"], 0);
    let entries = report["backends"].as_array().unwrap();
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for entry in entries {
        seen.push((entry["name"].as_str().unwrap(), entry["dtype"].as_str().unwrap()));
        assert!(entry["passed"].as_u64().unwrap() > 100, "{entry}");
        for count in ["failed", "unsupported", "refused_wrongly"] {
            assert_eq!(entry[count], value!(0), "{entry}");
        }
        assert_eq!(entry["failures"], value!([]));
        for k in ["worst_k_loss", "worst_k_gradient"] {
            assert!(entry[k].as_f64().unwrap() <= 8.0, "{entry}");
        }
        let claimed = if entry["name"] == "reference" { value!(null) } else { value!(true) };
        assert_eq!(entry["identical_bits"], claimed);
    }
    for backend in ["reference", "kernel", "ndarray"] {
        for dtype in ["f64", "f32", "f16", "bf16"] {
            assert!(seen.contains(&(backend, dtype)), "{backend} {dtype}");
            assert!(text.lines().any(|line| line.contains(backend) && line.contains(dtype)), "{text}");
        }
    }
    assert_eq!(seen.len(), 12);
}

/// A file with one case of two rows and three classes, small enough to compute by hand: `L = log(1 + e + e^2) - z_y`.
fn vector(change: impl FnOnce(&mut Value)) -> Value {
    let lse = (1.0 + 1f64.exp() + 2f64.exp()).ln();
    let p = [0.0, 1.0, 2.0].map(|z: f64| (z - lse).exp());
    let hex = |value: f64| value!(hex(value));
    let mut file = value!({
        "format": "label-smoothing-vectors/1",
        "source": "by hand",
        "flags": {},
        "case_count": 2,
        "cases": [
            {
                "id": "hand/sum/one",
                "loss": "cross_entropy",
                "config": { "reduction": "sum" },
                "logits": { "shape": [2, 3], "class_axis": 1, "values": ["0x0p+0", "0x1p+0", "0x1p+1", "0x0p+0", "0x1p+0", "0x1p+1"] },
                "targets": { "kind": "indices", "values": [2, 0] },
                "expected": {
                    "loss": [hex(2.0 * lse - 2.0)],
                    "gradient": [hex(p[0]), hex(p[1]), hex(p[2] - 1.0), hex(p[0] - 1.0), hex(p[1]), hex(p[2])],
                    "relative_error": "0x1p-51"
                }
            },
            {
                "id": "hand/refused/one",
                "loss": "cross_entropy",
                "config": {},
                "logits": { "shape": [1, 2], "class_axis": 1, "values": ["0x0p+0", "0x1p+0"] },
                "targets": { "kind": "indices", "values": [2] },
                "expected": { "rejected": "target-out-of-range" }
            }
        ]
    });
    change(&mut file);
    file
}

/// A number as a C99 hexadecimal float.
fn hex(value: f64) -> String {
    let (sign, bits) = (if value < 0.0 { "-" } else { "" }, value.to_bits());
    let exponent = i64::try_from(bits >> 52 & 0x7ff).unwrap() - 1023;
    format!("{sign}0x1.{:013x}p{exponent:+}", bits & ((1 << 52) - 1))
}

/// The number that a hexadecimal string of `vector` stands for.
fn number(text: &str) -> f64 {
    let (sign, rest) = text.strip_prefix('-').map_or((1.0, text), |rest| (-1.0, rest));
    let (mantissa, exponent) = rest.strip_prefix("0x1.").unwrap().split_once('p').unwrap();
    let mantissa = u64::from_str_radix(mantissa, 16).unwrap() as f64 / (1_u64 << 52) as f64;
    sign * (1.0 + mantissa) * 2f64.powi(exponent.parse().unwrap())
}

/// Adds to a number of the first case 16 times what the tolerance allows: `4 u` times a scale of at most
/// `A (|z - max| + lse' + 1) + ...`, here below 8, with u that of f64, and the source's own error.
fn off(expected: &mut Value) {
    let allowed = 4.0 * f64::EPSILON / 2.0 * 8.0 + 2f64.powi(-51) * 8.0;
    *expected = value!(hex(number(expected.as_str().unwrap()) + 16.0 * allowed));
}

fn checked(file: &Value, status: i32) -> (String, Value) {
    let folder = Folder::new();
    check(&[&folder.file("v.json", file.to_string())], &[], status)
}

#[test]
fn the_unchanged_file_passes() {
    let (_, report) = checked(&vector(|_| {}), 0);
    assert!(report["backends"].as_array().unwrap().iter().all(|entry| entry["passed"] == value!(2)), "{report}");
}

#[test]
fn one_wrong_number_fails_and_names_its_case() {
    type Change = fn(&mut Value);
    let changes: [(&str, Change, &str); 6] = [
        ("loss", |file| off(&mut file["cases"][0]["expected"]["loss"][0]), "hand/sum/one"),
        ("first element", |file| off(&mut file["cases"][0]["expected"]["gradient"][0]), "hand/sum/one"),
        ("last element", |file| off(&mut file["cases"][0]["expected"]["gradient"][5]), "hand/sum/one"),
        (
            "whole gradient",
            |file| (0..6).for_each(|at| off(&mut file["cases"][0]["expected"]["gradient"][at])),
            "hand/sum/one",
        ),
        ("reason", |file| file["cases"][1]["expected"]["rejected"] = value!("target-shape"), "hand/refused/one"),
        (
            "refusal of what has a loss",
            |file| file["cases"][0]["expected"] = value!({ "rejected": "target-out-of-range" }),
            "hand/sum/one",
        ),
    ];
    for (name, change, id) in changes {
        let (text, report) = checked(&vector(change), 1);
        assert!(text.contains(id), "{name}: {text}");
        for entry in report["backends"].as_array().unwrap().iter().filter(|entry| entry["dtype"] == "f64") {
            assert_eq!(entry["failures"][0]["id"], value!(id), "{name}: {entry}");
            assert_eq!(entry["failures"].as_array().unwrap().len(), 1, "{name}: {entry}");
            assert_eq!(entry["passed"], value!(1), "{name}: {entry}");
        }
    }
}

/// The same on the files of other programs: one number of the first case that has one, by 16 times the tolerance of
/// f64, which is at least that of its scale's smallest part.
#[test]
fn one_wrong_element_of_a_shipped_file_fails() {
    let files = vectors();
    let file = files.iter().find(|file| file.ends_with("exact-weights.json")).unwrap();
    let mut content: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let cases = content["cases"].as_array_mut().unwrap();
    let case = cases.iter_mut().find(|case| case["expected"]["gradient"].is_array()).unwrap();
    let id = case["id"].as_str().unwrap().to_owned();
    off(&mut case["expected"]["gradient"][0]);
    let (text, _) = checked(&content, 1);
    assert!(text.contains(&id), "{text}");
}

#[test]
fn files_that_are_no_vectors() {
    let folder = Folder::new();
    let refuses = |text: &str, words: &[&str]| {
        let file = folder.file("v.json", text);
        let report = folder.path("report.json");
        let line = refuse(&["check", "--vectors", &file, "--json", &report]);
        for word in [&["v.json"], words].concat() {
            assert!(line.contains(word), "`{word}` is missing in: {line}");
        }
        assert_eq!(folder.names(), ["v.json"]);
    };
    let changed = |change: fn(&mut Value)| vector(change).to_string();
    refuses("PK, surely", &["JSON"]);
    refuses("", &["JSON"]);
    refuses(&"[".repeat(100_000), &["JSON"]);
    refuses(&changed(|file| file["colour"] = value!("red")), &["colour"]);
    refuses(&changed(|file| file["cases"][0]["colour"] = value!("red")), &["hand/sum/one", "colour"]);
    refuses(&changed(|file| file["cases"][0]["config"]["smoothin"] = value!({})), &["hand/sum/one", "smoothin"]);
    refuses(&changed(|file| file["cases"][1]["expected"]["rejected"] = value!("bad-mood")), &["bad-mood"]);
    refuses(&changed(|file| file["case_count"] = value!(3)), &["case_count", "3"]);
    refuses(&changed(|file| file["cases"][1]["id"] = value!("hand/sum/one")), &["hand/sum/one"]);
    refuses(&changed(|file| file["cases"][0]["logits"]["values"][0] = value!(0.5)), &["0.5"]);
    refuses(&changed(|file| file["format"] = value!("label-smoothing-vectors/2")), &["label-smoothing-vectors/2"]);

    let line = refuse(&["check", "--vectors", &folder.path("missing.json")]);
    assert!(line.contains("missing.json"), "{line}");
    let line = refuse(&["check", "--vectors", &folder.path("")]);
    assert!(line.contains("directory"), "{line}");
    let empty = folder.file("v.json", changed(|file| (file["cases"], file["case_count"]) = (value!([]), value!(0))));
    let line = refuse(&["check", "--vectors", &empty]);
    assert!(line.contains("no case"), "{line}");
}

#[test]
fn several_files_make_one_report() {
    let folder = Folder::new();
    let first = folder.file("a.json", vector(|_| {}).to_string());
    let second = folder.file("b.json", vector(|_| {}).to_string().replace("hand/", "other/"));
    let (_, report) = check(&[&first, &second], &["--backend", "kernel"], 0);
    let entries = report["backends"].as_array().unwrap();
    assert!(entries.iter().all(|entry| entry["name"] == "kernel" && entry["passed"] == value!(4)), "{report}");
    let line = refuse(&["check", "--vectors", &first, &first]);
    assert!(line.contains("hand/sum/one"), "{line}");
}
