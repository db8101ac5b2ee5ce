//! Bad input: status 2, one line that says where and what, and no output file left behind.

mod common;

use std::fs;

use common::{Folder, data, digits, f64s, i64s, npy, refuse, safetensors};

/// Runs `evaluate` on the digits with other files or options, and demands that the line has every one of the words.
struct Digits {
    folder: Folder,
    logits: String,
    targets: String,
}

impl Digits {
    fn new() -> Self {
        Self { folder: Folder::new(), logits: data("logits.npy"), targets: data("targets.npy") }
    }

    fn refuses(&self, options: &[&str], words: &[&str]) {
        refuses_files(&self.logits, &self.targets, options, words);
    }

    fn refuses_logits(&self, logits: &str, words: &[&str]) {
        refuses_files(logits, &self.targets, &[], words);
    }
}

fn refuses_files(logits: &str, targets: &str, options: &[&str], words: &[&str]) {
    let outputs = Folder::new();
    let (loss, gradient) = (outputs.path("loss.npy"), outputs.path("gradient.safetensors"));
    let mut arguments = vec!["evaluate", "--logits", logits, "--targets", targets];
    arguments.extend(["--loss-out", &loss, "--gradient-out", &gradient]);
    arguments.extend(options);
    let line = refuse(&arguments);
    for word in words {
        assert!(line.contains(word), "`{word}` is missing in: {line}");
    }
    assert_eq!(outputs.names(), [""; 0], "{line}");
}

#[test]
fn npy_files_that_are_none() {
    let digits = Digits::new();
    let whole = fs::read(&digits.logits).unwrap();
    let file = |name: &str, bytes: &[u8]| digits.folder.file(name, bytes);

    digits.refuses_logits(&digits.folder.path("missing.npy"), &["missing.npy", "does not exist"]);
    fs::create_dir(digits.folder.path("folder.npy")).unwrap();
    digits.refuses_logits(&digits.folder.path("folder.npy"), &["folder.npy", "is a directory"]);
    for length in [0, 3, 8, 9, 10, 11, 100, 127] {
        digits.refuses_logits(&file("cut.npy", &whole[..length]), &["cut.npy", "is truncated"]);
    }
    let cut = file("cut.npy", &whole[..whole.len() - 1]);
    digits.refuses_logits(&cut, &["cut.npy", "is truncated", "71879 of 71880 bytes"]);
    let long = file("long.npy", &[&whole[..], b"x"].concat());
    digits.refuses_logits(&long, &["long.npy", "1 bytes behind its data"]);
    digits.refuses_logits(&file("magic.npy", b"PK\x03\x04 and so on"), &["magic.npy", "is not a .npy file"]);
    digits.refuses_logits(&file("version.npy", b"\x93NUMPY\x09\x00\x02\x00\x00\x00{}"), &["version.npy", "version"]);
    // Four gigabytes of header, and one that fills a stack when it is parsed.
    let gigantic = file("gigantic.npy", b"\x93NUMPY\x02\x00\xff\xff\xff\xff{'descr'");
    digits.refuses_logits(&gigantic, &["gigantic.npy", "header of 4294967295 bytes"]);
    let deep = [&b"\x93NUMPY\x01\x00\x10\x27"[..], "(".repeat(10_000).as_bytes()].concat();
    digits.refuses_logits(&file("deep.npy", &deep), &["deep.npy", "not an array of plain numbers"]);
    let huge = npy("<f4", false, "(4294967296, 4294967296)", &[]);
    digits.refuses_logits(&file("huge.npy", &huge), &["huge.npy", "too large"]);
    let promised = npy("<f4", false, "(1000000000000,)", &[]);
    digits.refuses_logits(&file("promised.npy", &promised), &["promised.npy", "0 of 4000000000000 bytes"]);
}

#[test]
fn npy_files_of_something_else() {
    let digits = Digits::new();
    for (descr, shape, word) in [
        ("|O", "(2,)", "|O"),
        ("<f16", "(2,)", "<f16"),
        ("<c8", "(2,)", "<c8"),
        ("|S3", "(2,)", "|S3"),
        ("<U3", "(2,)", "<U3"),
        ("|V2", "(2,)", "|V2"),
        ("<q7", "(2,)", "type"),
        ("<f4", "(-2,)", "(-2,)"),
        ("<f4", "(2", "plain numbers"),
        ("<f4", "[2]", "plain numbers"),
        ("<f4", "2", "plain numbers"),
        ("|b1", "(2,)", "bool"),
    ] {
        let path = digits.folder.file("other.npy", npy(descr, false, shape, &[1, 1]));
        digits.refuses_logits(&path, &["other.npy", word]);
    }
    let structured = "{'descr': [('a', '<f4'), ('b', '<i8')], 'fortran_order': False, 'shape': (2,), }\n";
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(u16::try_from(structured.len()).unwrap().to_le_bytes());
    bytes.extend(structured.bytes());
    digits.refuses_logits(&digits.folder.file("record.npy", bytes), &["record.npy", "plain numbers"]);
    for header in ["{'descr': '<f4', 'shape': (2,)}", "{'fortran_order': 1, 'descr': '<f4', 'shape': (2,)}", "{(): 1}"]
    {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
        bytes.extend(header.bytes());
        digits.refuses_logits(&digits.folder.file("header.npy", bytes), &["header.npy"]);
    }
    let bad_bool = digits.folder.file("bool.npy", npy("|b1", false, "(1797,)", &[7; 1797]));
    digits.refuses(&["--row-mask", &bad_bool], &["bool.npy"]);
}

#[test]
fn safetensors_that_are_none() {
    let digits = Digits::new();
    let file = |bytes: &[u8]| digits.folder.file("z.safetensors", bytes);
    let two = safetensors(&[("a", "F32", "[2]", &[0; 8]), ("b", "F32", "[1]", &[0; 4])]);

    digits.refuses_logits(&file(b"abc"), &["z.safetensors", "is truncated"]);
    digits.refuses_logits(&file(&[255; 64]), &["z.safetensors", "header of 18446744073709551615 bytes"]);
    digits.refuses_logits(&file(&90_000_000_u64.to_le_bytes()), &["z.safetensors", "0 of the 90000000 bytes"]);
    digits.refuses_logits(&file(b"\x04\0\0\0\0\0\0\0nope"), &["z.safetensors", "header"]);
    digits.refuses_logits(&file(&two[..two.len() - 1]), &["z.safetensors", "is truncated", "11 of 12 bytes"]);
    digits.refuses_logits(&file(&[&two[..], b"x"].concat()), &["z.safetensors", "1 bytes behind its data"]);
    digits.refuses_logits(&file(&two), &["z.safetensors", "FILE:NAME", "a, b"]);
    let place = format!("{}:c", file(&two));
    digits.refuses_logits(&place, &["z.safetensors:c", "no tensor of that name", "a, b"]);
    digits.refuses_logits(&file(b"\x02\0\0\0\0\0\0\0{}"), &["z.safetensors", "holds none"]);
    let wrong = safetensors(&[("a", "F32", "[3]", &[0; 8])]);
    digits.refuses_logits(&file(&wrong), &["z.safetensors", "header"]);
    let overflow = safetensors(&[("a", "F32", "[4294967296,4294967296,0]", &[])]);
    digits.refuses_logits(&file(&overflow), &["z.safetensors"]);
    let eight = safetensors(&[("a", "F8_E4M3", "[2]", &[0; 2])]);
    digits.refuses_logits(&file(&eight), &["z.safetensors", "F8_E4M3"]);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep = [&200_000_u64.to_le_bytes()[..], deep.as_bytes()].concat();
    digits.refuses_logits(&file(&deep), &["z.safetensors", "header"]);
}

#[test]
fn targets_that_do_not_fit() {
    let digits = Digits::new();
    let classes =
        |values: &[i64]| digits.folder.file("y.npy", npy("<i8", false, &format!("({},)", values.len()), &i64s(values)));
    let refuses = |targets: &str, options: &[&str], words: &[&str]| {
        refuses_files(&digits.logits, targets, options, words);
    };
    let mut values = vec![0_i64; 1797];
    values[1234] = 10;
    refuses(&classes(&values), &[], &["y.npy", "row 1234", "10", "0 to 9"]);
    values[1234] = -1;
    refuses(&classes(&values), &[], &["y.npy", "row 1234", "-1"]);
    values[1234] = -100;
    refuses(&classes(&values), &["--ignore-index", "-1"], &["y.npy", "row 1234", "-100", "-1 is ignored"]);
    let large: Vec<u8> = (0..1797).flat_map(|row: u64| if row == 7 { u64::MAX } else { 0 }.to_le_bytes()).collect();
    refuses(&digits.folder.file("y.npy", npy("<u8", false, "(1797,)", &large)), &[], &["y.npy", "row 7"]);
    refuses(&classes(&[0; 1796]), &[], &["y.npy", "[1796]", "[1797, 10]"]);
    let square = digits.folder.file("y.npy", npy("<i8", false, "(1797, 1)", &i64s(&[0; 1797])));
    refuses(&square, &[], &["y.npy", "[1797, 1]", "[1797]"]);
    let bools = digits.folder.file("y.npy", npy("|b1", false, "(1797,)", &[0; 1797]));
    refuses(&bools, &[], &["y.npy", "bool"]);

    let mut soft = vec![0.1; 17970];
    soft[56] = -0.5;
    let probabilities = |values: &[f64]| digits.folder.file("q.npy", npy("<f8", false, "(1797, 10)", &f64s(values)));
    refuses(&probabilities(&soft), &[], &["q.npy", "row 5", "class 6", "-0.5"]);
    soft[56] = f64::NAN;
    refuses(&probabilities(&soft), &[], &["q.npy", "row 5", "class 6", "NaN"]);
    soft[56] = 0.5;
    refuses(&probabilities(&soft), &["--ignore-index", "1"], &["ignore_index"]);
    refuses(&probabilities(&soft), &["--label-smoothing", "0.1", "--convention", "others"], &["uniform_others"]);
    let flat = digits.folder.file("q.npy", npy("<f8", false, "(1797,)", &f64s(&[0.1; 1797])));
    refuses(&flat, &[], &["q.npy", "[1797]", "[1797, 10]"]);
}

#[test]
fn rates_and_weights_out_of_range() {
    let digits = Digits::new();
    for epsilon in ["-0.1", "1.5", "NaN", "-inf", "inf", "1.0000000000000002"] {
        digits.refuses(&["--label-smoothing", epsilon], &["epsilon is", epsilon, "between 0 and 1"]);
        digits.refuses(&["--convention", "others", "--label-smoothing", epsilon], &["epsilon is", epsilon]);
    }
    let weights =
        |values: &[f64]| digits.folder.file("w.npy", npy("<f8", false, &format!("({},)", values.len()), &f64s(values)));
    for (bad, shown) in [(-1.0, "-1"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        let mut values = [1.0; 10];
        values[4] = bad;
        digits.refuses(&["--class-weights", &weights(&values)], &["w.npy", "class_weights[4]", shown]);
        let mut values = [1.0; 1797];
        values[99] = bad;
        digits.refuses(&["--row-weights", &weights(&values)], &["w.npy", "row 99", shown]);
    }
    digits.refuses(&["--class-weights", &weights(&[1.0; 9])], &["w.npy", "9 class weights", "10 classes"]);
    let square = digits.folder.file("w.npy", npy("<f8", false, "(5, 2)", &f64s(&[1.0; 10])));
    digits.refuses(&["--class-weights", &square], &["w.npy", "[5, 2]"]);
    digits.refuses(&["--row-weights", &weights(&[1.0; 10])], &["w.npy", "[10]", "[1797]"]);
    let mask = digits.folder.file("m.npy", npy("|u1", false, "(1797,)", &[2; 1797]));
    digits.refuses(&["--row-mask", &mask], &["m.npy", "row 0", "2"]);
    let mask = digits.folder.file("m.npy", npy("|u1", false, "(10,)", &[1; 10]));
    digits.refuses(&["--row-mask", &mask], &["m.npy", "[10]", "[1797]"]);
}

#[test]
fn upstream_gradients_that_do_not_fit() {
    let digits = Digits::new();
    let upstream =
        |shape: &str, count: usize| digits.folder.file("u.npy", npy("<f8", false, shape, &f64s(&vec![1.0; count])));
    digits.refuses(&["--upstream", &upstream("(2,)", 2)], &["u.npy", "[2]"]);
    digits.refuses(&["--upstream", &upstream("(1797,)", 1797)], &["u.npy", "[1797]"]);
    let none = ["--reduction", "none", "--upstream"];
    digits.refuses(&[&none[..], &[&upstream("()", 1)]].concat(), &["u.npy", "[]", "[1797]"]);
    digits.refuses(&[&none[..], &[&upstream("(3, 599)", 1797)]].concat(), &["u.npy", "[3, 599]", "[1797]"]);
}

#[test]
fn logits_that_do_not_fit() {
    let digits = Digits::new();
    let logits = |descr: &str, shape: &str, data: &[u8]| digits.folder.file("z.npy", npy(descr, false, shape, data));
    digits.refuses_logits(&logits("<f4", "()", &[0; 4]), &["z.npy", "rank 0"]);
    digits.refuses_logits(&logits("<f4", "(3, 0)", &[]), &["z.npy", "[3, 0]"]);
    digits.refuses_logits(&logits("<i4", "(2, 3)", &[0; 24]), &["z.npy", "i32", "--dtype"]);
    digits.refuses(&["--class-axis", "2"], &["logits.npy", "rank 2", "axis 2"]);
    digits.refuses(&["--class-axis", "0"], &["targets.npy", "[1797]", "[10]"]);
}

#[test]
fn configurations_that_are_none() {
    let digits = Digits::new();
    for (text, words) in [
        ("not json", &["c.json", "JSON"][..]),
        ("[]", &["c.json", "object"]),
        (r#"{"smoothin": {"kind": "none"}}"#, &["c.json", "smoothin"]),
        (r#"{"smoothing": {"kind": "uniform", "epsilon": 0.1}}"#, &["c.json", "0.1"]),
        (r#"{"smoothing": {"kind": "uniform", "epsilon": "0x1.8p+0"}}"#, &["c.json", "epsilon", "1.5"]),
        (r#"{"smoothing": {"kind": "uniform"}}"#, &["c.json", "epsilon"]),
        (r#"{"class_weights": ["0x1p+0", "-0x1p+0"]}"#, &["c.json", "class_weights[1]", "-1"]),
        (r#"{"class_weights": ["0x1p+0", "0x1p+0"]}"#, &["2 class weights", "10 classes"]),
        (r#"{"smoothing": {"kind": "uniform_half", "epsilon": "0x1p-3"}}"#, &["c.json", "uniform_half"]),
    ] {
        let config = digits.folder.file("c.json", text);
        digits.refuses(&["--config", &config], words);
    }
    digits.refuses(&["--config", &digits.folder.path("none.json")], &["none.json"]);
    digits.refuses(&["--config", &digits.folder.path("")], &["directory"]);
    let latin = digits.folder.file("latin.json", b"\xe9");
    digits.refuses(&["--config", &latin], &["latin.json"]);
    digits.refuses(&["--convention", "others"], &["--label-smoothing"]);
    let error = digits.folder.file("c.json", r#"{"empty_mean": "error", "denominator": {"constant": "0x0p+0"}}"#);
    for backend in ["kernel", "ndarray"] {
        digits.refuses(&["--config", &error, "--backend", backend], &["mean is over nothing"]);
    }
}

#[test]
fn outputs_that_cannot_be_written() {
    let folder = Folder::new();
    let refuses = |options: &[&str], words: &[&str]| {
        let arguments = digits(options);
        let line = refuse(&arguments);
        for word in words {
            assert!(line.contains(word), "`{word}` is missing in: {line}");
        }
        assert_eq!(folder.names(), ["taken.npy"], "{line}");
    };
    fs::create_dir(folder.path("taken.npy")).unwrap();
    let path = |name: &str| folder.path(name);
    refuses(&["--loss-out", &path("l.npy"), "--gradient-out", &path("taken.npy")], &["taken.npy", "is a directory"]);
    refuses(&["--loss-out", &path("l.npy"), "--gradient-out", &path("no/g.npy")], &["g.npy", "no folder"]);
    refuses(&["--loss-out", &path("x.safetensors:a"), "--gradient-out", &path("x.safetensors:b")], &["x.safetensors"]);
    refuses(&["--loss-out", &path("x.npy"), "--gradient-out", &path("./x.npy")], &["x.npy"]);
    refuses(&["--dtype", "bf16", "--gradient-out", &path("g.npy")], &["g.npy", "bf16"]);
    refuses(&["--gradient-out", &path("g.bin")], &["g.bin", "--gradient-out"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_takes_no_files() {
    let line = refuse(&digits(&["--gradient-out", "/proc/self/g.npy"]));
    assert!(line.contains("/proc/self/g.npy") && line.contains("cannot be written"), "{line}");
    assert!(!line.contains(".label-smoothing-"), "{line}");
}

/// A limit on the size of files fails in the middle of a write, as a full disk does.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_nothing_behind() {
    let folder = Folder::new();
    for gradient in ["g.npy", "g.safetensors"] {
        let gradient = folder.path(gradient);
        let arguments = digits(&["--loss-out", &folder.path("l.npy"), "--gradient-out", &gradient]);
        let mut limited = std::process::Command::new("sh");
        limited.args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_label-smoothing")]);
        let output = limited.args(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let line = common::stderr(&output);
        assert!(line.contains(&gradient) && line.contains("cannot be written") && line.lines().count() == 1, "{line}");
        assert_eq!(folder.names(), [""; 0]);
    }
}
