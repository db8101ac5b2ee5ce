//! Vector files: the kit's own are complete and in order, and whatever is not is refused in words.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use label_smoothing_conformance::{Check, EMBEDDED, VectorFile, embedded, parse_config};
use label_smoothing_core::{LossFamily, Reduction, Smoothing};

#[test]
fn the_embedded_files_are_those_of_the_folder() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let on_disk: BTreeSet<String> =
        names.filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "json")).collect();
    let built_in: BTreeSet<String> = EMBEDDED.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(built_in, on_disk, "src/vectors/embedded.rs lists the files of vectors/");
}

#[test]
fn the_embedded_files_are_read_and_their_ids_are_unique() {
    let files = embedded().unwrap();
    let mut ids = HashSet::new();
    for file in &files {
        assert!(!file.source.is_empty(), "{} says where its answers come from", file.name);
        for case in &file.cases {
            assert!(ids.insert(case.id.clone()), "{} stands in two files", case.id);
            for flag in &case.flags {
                assert!(file.flags.contains_key(flag), "{}: {flag} is explained", case.id);
            }
        }
    }
    assert!(ids.len() >= 309, "{} cases", ids.len());
}

const FILE: &str = r#"{"format": "label-smoothing-vectors/1", "case_count": 1, "cases": [{"id": "a/b/c",
    "loss": "cross_entropy", "config": {"reduction": "none", "smoothing": {"kind": "uniform", "epsilon": "0x1p-3"}},
    "logits": {"shape": [2, 2], "class_axis": 1, "values": ["0x1p+0", "-inf", "nan", "0x0p+0"]},
    "targets": {"kind": "indices", "values": [0, -1]}, "row_mask": [1, 0], "row_weights": ["0x1p+0", "0x1p+1"],
    "upstream": ["0x1p+0", "0x1p+1"],
    "expected": {"loss": ["inf", "0x0p+0"], "gradient": ["0x0p+0", "0x0p+0", "0x0p+0", "0x0p+0"]}}]}"#;

#[test]
fn a_file_of_ones_own_is_read() {
    let file = VectorFile::parse("mine.json", FILE).unwrap();
    let case = &file.cases[0];
    assert_eq!((case.id.as_str(), case.group()), ("a/b/c", "a/b"));
    let Check::Value { input, expected } = &case.check else { panic!("{case:?}") };
    assert_eq!(input.logits.values[..2], [1.0, f64::NEG_INFINITY]);
    assert_eq!(input.row_mask.as_ref().unwrap().values, [true, false]);
    assert!(input.row_losses);
    assert_eq!(expected.loss, [f64::INFINITY, 0.0]);
    assert_eq!(expected.relative_error, 0.0);
    assert_eq!(input.config().unwrap().class_axis(), Some(1));
}

/// Replaces the first `from` of the file, which must be there, and returns the error.
fn refused(from: &str, to: &str) -> String {
    assert!(FILE.contains(from), "{from}");
    VectorFile::parse("mine.json", &FILE.replacen(from, to, 1)).expect_err(to).to_string()
}

#[test]
fn errors_name_file_case_and_key() {
    for (from, to, message) in [
        (
            r#""kind": "uniform","#,
            r#""kind": "uniform", "eps": 1,"#,
            "mine.json: case a/b/c: config.smoothing has the unknown key `eps`; known are kind, epsilon",
        ),
        (r#""epsilon": "0x1p-3""#, r#""epsilon": 0.125"#, "cannot be read as JSON: 0.125 is a decimal number"),
        (
            r#""epsilon": "0x1p-3""#,
            r#""epsilon": "0.125""#,
            "mine.json: case a/b/c: config.smoothing.epsilon `0.125` is no C99 hexadecimal float",
        ),
        (r#""nan", "#, r#""NaN", "#, "case a/b/c: logits.values.2 `NaN` is no C99"),
        (r#""targets": "#, r#""target": "#, "case a/b/c: has the unknown key `target`"),
        (r#""loss": "cross_entropy", "#, "", "case a/b/c: lacks the key `loss`"),
        (r#""class_axis": 1, "#, "", "case a/b/c: logits lacks the key `class_axis`"),
        (r#""class_axis": 1"#, r#""class_axis": -1"#, "logits.class_axis is -1, but must not be negative"),
        (r#""case_count": 1"#, r#""case_count": 2"#, "mine.json: has 1 cases, but its case_count is 2"),
        (r#""case_count": 1, "#, "", "mine.json: lacks the key `case_count`"),
        ("vectors/1", "vectors/2", "mine.json: has the format `label-smoothing-vectors/2`"),
        (r#""id": "a/b/c","#, "", "mine.json: case number 1: lacks the key `id`"),
        ("[2, 2]", "[2, 3]", "logits has 4 values, but its shape [2, 3] holds 6"),
        ("[2, 2]", "[9223372036854775807, 9223372036854775807, 0]", "more elements than can be counted"),
        ("[2, 2]", "[9223372036854775808, 2]", "9223372036854775808 is beyond a 64-bit integer"),
        ("[0, -1]", "[0, 1.5]", "1.5 is a decimal number"),
        ("[0, -1]", "[0, null]", "targets.values.1 is null, but must be an integer"),
        ("[1, 0]", "[1, 2]", "row_mask.1 is 2, but must be 0 or 1"),
        (r#""none""#, r#""avg""#, "config.reduction is `avg`, but must be one of none, mean, sum"),
        (r#"["inf", "0x0p+0"]"#, r#"["inf"]"#, "expected has 1 losses, but the reduction gives 2"),
        (r#""gradient": ["0x0p+0", "#, r#""gradient": ["#, "expected has 3 gradients, but there are 4 logits"),
        (r#""loss": ["inf", "0x0p+0"]"#, r#""rejected": "no-classes""#, "expected has the unknown key `gradient`"),
        (r#""loss": ["inf", "0x0p+0"]"#, r#""loss": ["inf", "0x0p+0"], "relative_error": "-0x1p-9""#, "relative_error"),
        (r#""id": "a/b/c""#, r#""id": "a/b/c", "id": "d""#, "the key `id` stands twice"),
        (r#"{"id": "a/b/c""#, r#"7, {"id": "a/b/c""#, "has 2 cases, but its case_count is 1"),
    ] {
        let found = refused(from, to);
        assert!(found.contains(message), "{to}\n  gives  {found}\n  wanted {message}");
    }
}

#[test]
fn an_id_that_stands_twice_is_refused() {
    let start = FILE.find(r#"{"id""#).unwrap();
    let case = &FILE[start..FILE.len() - 2];
    let twice =
        FILE.replacen(r#""case_count": 1"#, r#""case_count": 2"#, 1).replacen(case, &format!("{case},{case}"), 1);
    let error = VectorFile::parse("mine.json", &twice).unwrap_err();
    assert_eq!(error.to_string(), "mine.json: case a/b/c: id stands twice in the file");
}

#[test]
fn a_reason_for_a_refusal_is_one_of_the_formats() {
    let start = FILE.find(r#""expected": "#).unwrap();
    let with = |reason: &str| format!(r#"{}"expected": {{"rejected": "{reason}"}}}}]}}"#, &FILE[..start]);
    assert!(VectorFile::parse("mine.json", &with("empty-mean")).is_ok());
    for reason in ["framework", "buffer-length", "bad", ""] {
        let error = VectorFile::parse("mine.json", &with(reason)).unwrap_err().to_string();
        assert!(error.contains("is no reason for a refusal"), "{error}");
    }
}

/// No text makes the parser panic or run out of stack: truncated, nested without end, or with any byte replaced.
#[test]
fn broken_files_are_errors() {
    for end in (0..FILE.len()).filter(|&end| FILE.is_char_boundary(end)) {
        assert!(VectorFile::parse("cut.json", &FILE[..end]).is_err(), "cut at {end}");
    }
    for nested in ["[", "{\"a\":", "[[{\"format\":"] {
        assert!(VectorFile::parse("deep.json", &nested.repeat(1_000_000)).is_err());
    }
    let deep = format!(r#"{{"format": {}1{}}}"#, "[".repeat(500_000), "]".repeat(500_000));
    assert!(VectorFile::parse("deep.json", &deep).is_err());
    for text in ["", "null", "[]", "{}", "7", "\"\"", "\u{feff}{}", r#"{"format": null}"#] {
        assert!(VectorFile::parse("other.json", text).is_err(), "{text}");
    }
    for at in 0..FILE.len() {
        for byte in [b'"', b'[', b'}', b'0', b'-', b'e', b' '] {
            let mut bytes = FILE.as_bytes().to_vec();
            bytes[at] = byte;
            let _ = VectorFile::parse("flipped.json", std::str::from_utf8(&bytes).unwrap());
        }
    }
}

#[test]
fn a_config_is_read_by_itself() {
    let parsed = parse_config(
        "c.json",
        r#"{"smoothing": {"kind": "uniform_others", "epsilon": "0x1p-1"},
        "reduction": "sum", "denominator": {"constant": "0x1p+2"}, "excluded_classes": [1], "subtract_entropy": true}"#,
        LossFamily::CrossEntropy,
    )
    .unwrap();
    let config = parsed.config.build().unwrap();
    assert!(!parsed.row_losses);
    assert_eq!(config.smoothing(), &Smoothing::UniformOthers { epsilon: 0.5 });
    assert_eq!(config.reduction(), Reduction::Sum);
    assert!(config.subtract_entropy());
    assert_eq!(config.excluded_classes(), [1]);
    let error =
        parse_config("c.json", r#"{"denominator": {"const": "0x1p+2"}}"#, LossFamily::CrossEntropy).unwrap_err();
    assert_eq!(error.to_string(), "c.json: denominator has the unknown key `const`; known are constant");
}
