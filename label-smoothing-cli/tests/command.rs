//! The command as a whole: what it is without arguments, statuses, pipes.

mod common;

use std::fs;
use std::io::Read;
use std::process::Stdio;

use common::{Folder, command, digits, refuse, run, stderr, stdout, succeed};
use serde_json::Value;

#[test]
fn conformance_is_run_without_a_subcommand() {
    let options = ["--backend", "kernel", "--filter", "exact/weights"];
    let named = succeed(&[&["conformance"], &options[..]].concat());
    assert!(named.lines().any(|line| line.contains("kernel") && line.contains("bf16")), "{named}");
    assert_eq!(succeed(&options), named);
}

#[test]
fn the_report_of_conformance_is_also_json() {
    let folder = Folder::new();
    let json = folder.path("report.json");
    succeed(&["conformance", "--backend", "ndarray", "--filter", "exact/", "--json", &json]);
    let report: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    let entries = report["backends"].as_array().unwrap();
    assert_eq!(entries.len(), 4);
    assert!(entries.iter().all(|entry| entry["name"] == "ndarray" && entry["passed"].as_u64().unwrap() > 10));
    assert_eq!(folder.names(), ["report.json"]);
}

#[test]
fn calls_that_make_no_sense() {
    for (arguments, words) in [
        (&["conformance", "--filter", "no such case"][..], &["no such case"][..]),
        (&["conformance", "--backend", "numpy"], &["numpy", "kernel"]),
        (&["check", "--vectors"], &["--vectors"]),
        (&["check"], &["--vectors"]),
        (&["evaluate", "--logits", "a.npy"], &["--targets"]),
        (&["evaluate", "--reduction", "average"], &["average", "--reduction"]),
        (&["evaluate", "--dtype", "f8"], &["f8", "--dtype"]),
        (&["evaluate", "--label-smoothing", "much"], &["much", "--label-smoothing"]),
        (&["evaluate", "--ignore-index", "1.5"], &["1.5", "--ignore-index"]),
        (&["evaluate", "--logits", "a.txt"], &["a.txt", "--logits"]),
        (&["evaluate", "--colour"], &["--colour"]),
        (&["dance"], &["dance"]),
        (&["--dance"], &["--dance"]),
        (&["--backend", "kernel", "backends"], &["backends"]),
    ] {
        let line = refuse(arguments);
        for word in words {
            assert!(line.contains(word), "`{word}` is missing in: {line}");
        }
    }
    let folder = Folder::new();
    for json in [folder.path(""), folder.path("no/report.json")] {
        refuse(&["conformance", "--backend", "reference", "--filter", "exact/weights", "--json", &json]);
        assert_eq!(folder.names(), [""; 0]);
    }
}

#[test]
fn a_backend_that_is_not_built_in_is_named_with_its_feature() {
    let built_in = succeed(&["backends"]);
    for name in ["ndarray", "candle", "burn", "dfdx", "tch"] {
        let feature = format!("--features {name}");
        if built_in.contains(&feature) {
            for backend in [name.to_owned(), format!("{name}-composed")] {
                let arguments = digits(&["--backend", &backend]);
                let line = refuse(&arguments);
                assert!(line.contains(&backend) && line.contains(&feature), "{line}");
                assert!(refuse(&["--backend", &backend]).contains(&feature));
            }
        }
    }
}

#[test]
fn backends_says_what_to_add() {
    let table = succeed(&["backends"]);
    for name in ["ndarray", "candle", "burn", "dfdx", "tch"] {
        assert!(table.contains(&format!("cargo add label-smoothing-{name}")), "{table}");
    }
    for version in ["ndarray 0.17.2", "candle-core 0.11.1", "burn 0.22.1", "dfdx 0.13.0", "tch 0.26.0"] {
        assert!(table.contains(version), "{table}");
    }
}

#[test]
fn help_and_version_are_no_errors() {
    for arguments in [&["--help"][..], &["evaluate", "--help"], &["help"]] {
        assert!(succeed(arguments).contains("Usage: label-smoothing"));
    }
    assert!(succeed(&["--version"]).starts_with("label-smoothing 0."));
}

#[test]
fn completions_are_made_for_every_shell() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = succeed(&["completions", shell]);
        for word in ["label-smoothing", "evaluate", "train", "--label-smoothing"] {
            assert!(script.contains(word), "{word} is missing for {shell}");
        }
    }
    assert!(refuse(&["completions", "cmd"]).contains("cmd"));
    refuse(&["completions"]);
}

#[test]
fn help_has_examples() {
    for subcommand in ["", "check", "evaluate", "compare", "accuracy", "train"] {
        let arguments: Vec<&str> = [subcommand, "--help"].into_iter().filter(|word| !word.is_empty()).collect();
        let text = succeed(&arguments);
        let (_, examples) = text.split_once("\nExample").unwrap_or_else(|| panic!("{text}"));
        assert!(examples.contains("  label-smoothing"), "{text}");
        assert!(!text.contains('\x1b'), "colours are for terminals");
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    let arguments = digits(&["--reduction", "none", "--json"]);
    for read in [0, 10] {
        let mut child = command().args(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut pipe = child.stdout.take().unwrap();
        pipe.read_exact(&mut vec![0; read]).unwrap();
        drop(pipe);
        let output = child.wait_with_output().unwrap();
        assert_eq!(stderr(&output), "");
        assert_eq!(output.status.code(), Some(0));
    }
}

#[test]
fn nothing_but_the_report_goes_into_a_pipe() {
    let output = run(&["conformance", "--backend", "reference", "--filter", "exact/weights"]);
    assert_eq!(stderr(&output), "", "no progress where stderr is no terminal");
    assert!(!stdout(&output).contains('\x1b'));
}
