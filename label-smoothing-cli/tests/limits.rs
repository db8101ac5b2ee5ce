//! The command where something gives way: a kill, a full disk, too little memory, files and options made to break it. One
//! line on stderr, status 2, and no file that is half there.

#![cfg(unix)]

mod common;

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::{Folder, command, digits, f64s, i64s, npy, refuse, stderr, stdout, succeed};

/// Runs the command in a shell, after what the shell is asked to do first.
fn after(setting: &str, arguments: &[String]) -> Output {
    let script = format!("{setting}; exec \"$@\"");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_label-smoothing")]).args(arguments);
    shell.stdin(Stdio::null()).output().unwrap()
}

/// The line of a run at fault.
fn fault(output: &Output) -> &str {
    let line = stderr(output);
    assert_eq!(output.status.code(), Some(2), "{line}");
    assert!(line.starts_with("error: ") && line.lines().count() == 1, "{line}");
    line
}

fn owned(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|&argument| argument.to_owned()).collect()
}

/// The limit on the size of files kills the command in the middle of a write, unless it asks for an error instead.
#[cfg(target_os = "linux")]
#[test]
fn killed_in_the_middle_of_a_write_it_leaves_the_old_file() {
    for name in ["g.npy", "g.safetensors"] {
        let folder = Folder::new();
        let gradient = folder.file(name, "the old content");
        let output = after("ulimit -c 0; ulimit -f 8", &digits(&["--gradient-out", &gradient]));
        assert!(output.status.signal().is_some(), "{}: {}", output.status, stderr(&output));
        assert_eq!(fs::read(&gradient).unwrap(), b"the old content");
        // What was being written has a name that nobody takes for the result.
        assert!(folder.names().iter().all(|other| other == name || other.starts_with(".label-smoothing-")));
    }
}

#[test]
fn killed_at_any_moment_it_leaves_the_old_file_or_the_new_one() {
    let folder = Folder::new();
    let gradient = folder.path("g.npy");
    let arguments = digits(&["--gradient-out", &gradient]);
    let start = Instant::now();
    succeed(&arguments);
    let (whole, took) = (fs::read(&gradient).unwrap(), start.elapsed());
    for tenth in 0..12 {
        fs::write(&gradient, "old").unwrap();
        let mut child = command().args(&arguments).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(took * tenth / 10);
        let _ = child.kill();
        child.wait().unwrap();
        let left = fs::read(&gradient).unwrap();
        assert!(left == b"old" || left == whole, "{} of {} bytes after {tenth}/10", left.len(), whole.len());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_stdout_is_no_success() {
    for options in [&[][..], &["--json"], &["--json", "--reduction", "none"]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = command().args(digits(options)).stdout(full).output().unwrap();
        assert!(fault(&output).contains("No space left on device"), "{}", stderr(&output));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_device_for_a_report_is_no_success() {
    let arguments = ["--backend", "reference", "--filter", "exact/weights", "--json", "/dev/full"];
    let line = refuse(&arguments);
    assert!(line.contains("/dev/full: cannot be written: No space left on device"), "{line}");
}

/// The file that is written aside would replace the pipe, or the device that a link leads to.
#[test]
fn arrays_are_not_written_over_pipes_and_devices() {
    let folder = Folder::new();
    let pipe = folder.path("g.npy");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let link = folder.path("l.npy");
    std::os::unix::fs::symlink("/dev/null", &link).unwrap();
    for (option, path) in [("--gradient-out", &pipe), ("--loss-out", &link)] {
        let line = refuse(&digits(&[option, path]));
        assert!(line.contains(path.as_str()) && line.contains("no ordinary file"), "{line}");
    }
    assert_eq!(folder.names(), ["g.npy", "l.npy"]);
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
}

/// A file whose header is right and whose data takes no room on the disk.
fn sparse(folder: &Folder, name: &str, header: &[u8], length: u64) -> String {
    let path = folder.file(name, header);
    File::options().write(true).open(&path).unwrap().set_len(length).unwrap();
    path
}

/// A gigabyte of address space, which the command needs a tenth of.
const LITTLE_MEMORY: &str = "ulimit -v 1048576";

#[cfg(target_os = "linux")]
#[test]
fn files_larger_than_memory_are_refused() {
    let folder = Folder::new();
    let classes = folder.file("y.npy", npy("<i8", false, "(1,)", &i64s(&[0])));
    let header = npy("<f8", false, "(1, 1073741824)", &[]);
    let npy_file = sparse(&folder, "z.npy", &header, header.len() as u64 + (8 << 30));
    let text = r#"{"z":{"dtype":"F64","shape":[1,1073741824],"data_offsets":[0,8589934592]}}"#;
    let header = [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat();
    let tensors = sparse(&folder, "z.safetensors", &header, header.len() as u64 + (8 << 30));
    for logits in [&npy_file, &tensors] {
        let arguments = owned(&["evaluate", "--logits", logits, "--targets", &classes]);
        let output = after(LITTLE_MEMORY, &arguments);
        assert!(fault(&output).contains("do not fit into memory"), "{}", stderr(&output));
    }
    let npy_header = sparse(&folder, "header.npy", b"\x93NUMPY\x02\x00\xff\xff\xff\xff{'descr'", 5 << 30);
    let tensors_header = sparse(&folder, "header.safetensors", &(4_u64 << 30).to_le_bytes(), 5 << 30);
    for logits in [&npy_header, &tensors_header] {
        let output = after(LITTLE_MEMORY, &owned(&["evaluate", "--logits", logits, "--targets", &classes]));
        assert!(fault(&output).contains("header of 429496729"), "{}", stderr(&output));
    }
    let long = sparse(&folder, "long.json", b"", 8 << 30);
    for arguments in [owned(&["check", "--vectors", &long]), digits(&["--config", &long])] {
        let output = after(LITTLE_MEMORY, &arguments);
        assert!(fault(&output).contains("long.json"), "{}", stderr(&output));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_without_an_end_is_refused() {
    for arguments in [owned(&["check", "--vectors", "/dev/zero"]), digits(&["--config", "/dev/zero"])] {
        let start = Instant::now();
        let output = after("ulimit -v 4194304", &arguments);
        assert!(fault(&output).contains("/dev/zero"), "{}", stderr(&output));
        assert!(start.elapsed() < Duration::from_secs(60));
    }
}

#[test]
fn deep_and_endless_text_is_refused() {
    let folder = Folder::new();
    for (name, text) in [
        ("open.json", "[".repeat(1_000_000)),
        ("keys.json", r#"{"smoothing":"#.repeat(100_000)),
        ("string.json", format!("{{\"{}", "a".repeat(1_000_000))),
        ("number.json", format!("{{\"z_loss\": {}}}", "9".repeat(1_000_000))),
        ("hex.json", format!("{{\"z_loss\": \"0x1.{}p+0\"}}", "g".repeat(100_000))),
    ] {
        let path = folder.file(name, text);
        for arguments in [owned(&["check", "--vectors", &path]), digits(&["--config", &path])] {
            let output = after(LITTLE_MEMORY, &arguments);
            assert!(fault(&output).contains(name), "{}", stderr(&output));
        }
    }
}

#[test]
fn options_that_are_no_numbers() {
    for arguments in [
        digits(&["--denominator", "NaN"]),
        digits(&["--denominator", "-1"]),
        digits(&["--denominator", "inf"]),
        digits(&["--label-smoothing", "nan", "--loss", "binary_cross_entropy"]),
        digits(&["--label-smoothing", "1e999"]),
        digits(&["--class-axis", "18446744073709551615"]),
        digits(&["--class-axis", "-1"]),
        digits(&["--ignore-index", "9223372036854775808"]),
        digits(&["--ignore-index", ""]),
        digits(&["--preset", "fairseq", "--label-smoothing", "NaN"]),
        owned(&["compare", "--seconds", "NaN"]),
        owned(&["compare", "--seconds", "1e999"]),
        owned(&["compare", "--threads", "0"]),
        owned(&["compare", "--threads", "99999999999999999999"]),
        owned(&["compare", "--shape", "18446744073709551615x18446744073709551615"]),
        owned(&["compare", "--shape", "0x0"]),
        owned(&["compare", "--shape", "-1x3"]),
        owned(&["accuracy", "--classes", "18446744073709551616"]),
        owned(&["accuracy", "--classes", "-10"]),
        owned(&["accuracy", "--dtype", "f32\n"]),
        owned(&["--filter", "\u{1b}[2J\n"]),
    ] {
        let line = refuse(&arguments);
        assert!(line.len() < 400, "{line}");
    }
}

/// A start of the command with libtorch in it takes a tenth of a second.
const CALLS: usize = 60;

/// With an empty one, and three that stand for files.
const WORDS: &str = "evaluate check backends --json --logits LOGITS --targets TARGETS --label-smoothing 0.1 -1 NaN --convention \
    others --loss binary_cross_entropy --reduction none sum --dtype f16 bf16 --class-weights WEIGHTS --ignore-index 3 \
    --denominator all 0 --preset keras --class-axis 1 -- -  = --json=x \u{fffd} --backend kernel --vectors";

/// Whatever words stand in whatever order: success with an answer, or one line and status 2; never a panic.
#[test]
fn words_in_any_order() {
    let folder = Folder::new();
    let weights = folder.file("w.npy", npy("<f8", false, "(10,)", &f64s(&[0.5; 10])));
    let logits = folder.file("z.npy", npy("<f4", false, "(2, 10)", &[0; 80]));
    let targets = folder.file("y.npy", npy("<i8", false, "(2,)", &i64s(&[3, 9])));
    let words = WORDS.split(' ').map(|word| match word {
        "WEIGHTS" => weights.as_str(),
        "LOGITS" => logits.as_str(),
        "TARGETS" => targets.as_str(),
        word => word,
    });
    let words: Vec<&str> = words.collect();
    let mut state = 7_u64;
    let mut below = |end: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) as usize) % end
    };
    let (mut answered, mut refused) = (0, 0);
    for _ in 0..CALLS {
        // Most begin as a call that could be answered, so that they get beyond the parser.
        let mut arguments = owned(&["evaluate"]);
        if below(4) > 0 {
            arguments.extend(owned(&["--json", "--logits", &logits, "--targets", &targets]));
        }
        arguments.extend((0..below(5)).map(|_| words[below(words.len())].to_owned()));
        let output = common::run(&arguments);
        let text = stderr(&output);
        match output.status.code() {
            Some(0) => answered += usize::from(text.is_empty() && !stdout(&output).is_empty()),
            Some(2) => refused += usize::from(text.starts_with("error: ") && text.lines().count() == 1),
            other => panic!("{other:?} for {arguments:?}: {text}"),
        }
    }
    assert_eq!(answered + refused, CALLS);
    assert!(answered > 5 && refused > 5, "{answered} answered, {refused} refused");
}
