//! Running the command, and reading and writing its files without its own code.

#![allow(dead_code, reason = "every test target uses a part of it")]
#![allow(unreachable_pub, reason = "it is shared by the test targets")]

use std::ffi::OsStr;
use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

pub const CLASSES: usize = 10;
pub const ROWS: usize = 1797;

/// A folder that is gone when the test is done.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    /// Writes a file and gives its path.
    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        fs::write(self.0.path().join(name), bytes).unwrap();
        self.path(name)
    }

    /// The names of everything in it, sorted.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_label-smoothing"));
    command.stdin(Stdio::null());
    command
}

pub fn run(arguments: &[impl AsRef<OsStr>]) -> Output {
    command().args(arguments).output().unwrap()
}

pub fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

pub fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// What a run that must succeed prints.
pub fn succeed(arguments: &[impl AsRef<OsStr> + Debug]) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
    assert_eq!(stderr(&output), "", "{arguments:?}");
    stdout(&output).to_owned()
}

/// The line that a run at fault prints.
pub fn refuse(arguments: &[impl AsRef<OsStr> + Debug]) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}{}", stdout(&output), stderr(&output));
    assert_eq!(stdout(&output), "", "{arguments:?}");
    let text = stderr(&output);
    assert!(text.starts_with("error: ") && text.ends_with('\n'), "{arguments:?}: {text}");
    assert_eq!(text.lines().count(), 1, "{arguments:?}: {text}");
    text.to_owned()
}

pub fn data(name: &str) -> String {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "data", name].iter().collect();
    path.to_str().unwrap().to_owned()
}

/// The vector files of the conformance kit.
pub fn vectors() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance-tests/vectors");
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<String> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| path.to_str().unwrap().to_owned())
        .collect();
    files.sort();
    files
}

/// `evaluate` on the digits.
pub fn digits(options: &[&str]) -> Vec<String> {
    let (logits, targets) = (data("logits.npy"), data("targets.npy"));
    let mut arguments = vec!["evaluate", "--logits", &logits, "--targets", &targets];
    arguments.extend(options);
    arguments.into_iter().map(str::to_owned).collect()
}

/// The JSON of `evaluate` on the digits.
pub fn digits_json(options: &[&str]) -> Value {
    let mut arguments = digits(options);
    arguments.push("--json".to_owned());
    json(&arguments)
}

pub fn json(arguments: &[impl AsRef<OsStr> + Debug]) -> Value {
    serde_json::from_str(&succeed(arguments)).unwrap()
}

/// The bytes of a `.npy` file, version 1.
pub fn npy(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}");
    while (header.len() + 11) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(data);
    bytes
}

/// Little-endian bytes of f64.
pub fn f64s(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

pub fn i64s(values: &[i64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Header and data of a `.npy` file.
pub fn split_npy(bytes: &[u8]) -> (String, &[u8]) {
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let length = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    assert_eq!((10 + length) % 64, 0, "the data is aligned");
    let (header, data) = bytes[10..].split_at(length);
    (String::from_utf8(header.to_vec()).unwrap(), data)
}

/// The bytes of a `.safetensors` file: name, type, shape as JSON, data.
pub fn safetensors(tensors: &[(&str, &str, &str, &[u8])]) -> Vec<u8> {
    let (mut entries, mut all) = (Vec::new(), Vec::new());
    for (name, dtype, shape, data) in tensors {
        let (start, end) = (all.len(), all.len() + data.len());
        entries
            .push(format!("\"{name}\":{{\"dtype\":\"{dtype}\",\"shape\":{shape},\"data_offsets\":[{start},{end}]}}"));
        all.extend_from_slice(data);
    }
    let header = format!("{{{}}}", entries.join(","));
    let mut bytes = u64::try_from(header.len()).unwrap().to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    bytes.extend(all);
    bytes
}

/// Header and data of a `.safetensors` file.
pub fn split_safetensors(bytes: &[u8]) -> (Value, &[u8]) {
    let length = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
    let (header, data) = bytes[8..].split_at(length);
    (serde_json::from_slice(header).unwrap(), data)
}

/// Whether two numbers differ by rounding only.
pub fn close(actual: &Value, expected: f64, tolerance: f64) {
    let actual = actual.as_f64().unwrap();
    assert!((actual - expected).abs() <= tolerance * expected.abs(), "{actual} is not {expected}");
}
