//! `CONFORMANCE.md` at the root is what a run gives, and the versions that backends name are those that are locked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use label_smoothing_conformance::{Report, Suite, backends};

fn at_root(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

/// The file holds every backend; a build with fewer compares those that it has.
#[test]
fn conformance_md_is_up_to_date() {
    let backends = backends::all();
    let report = Report::run(backends.iter().map(AsRef::as_ref), &Suite::standard().unwrap(), &mut || ());
    assert!(report.is_ok(), "{report}");
    let path = at_root("CONFORMANCE.md");
    if std::env::var_os("UPDATE_CONFORMANCE").is_some() {
        std::fs::write(&path, report.to_markdown()).unwrap();
    }
    let file = std::fs::read_to_string(&path).unwrap_or_default();
    // Backends that do not have the kernel's bits use the machine's own exp and log, and needed another k elsewhere.
    let machines: BTreeSet<&str> = report
        .backends
        .iter()
        .filter(|entry| entry.identical_bits.is_none())
        .map(|entry| entry.name.as_str())
        .collect();
    let (committed, generated) = (Page::read(&file, &machines), Page::read(&report.to_markdown(), &machines));
    assert_eq!(committed.head, generated.head, "the head of CONFORMANCE.md");
    let advice = "is not what a run gives; CONFORMANCE.md says how to write it anew";
    for (name, section) in &generated.sections {
        assert_eq!(committed.sections.get(name), Some(section), "the section on {name} {advice}");
    }
    for (row, name) in &generated.rows {
        assert!(committed.rows.contains_key(row), "the row of {name} {advice}: {row}");
    }
    for (row, name) in committed.rows.iter().filter(|(_, name)| generated.sections.contains_key(*name)) {
        assert!(generated.rows.contains_key(row), "a row of {name} in CONFORMANCE.md comes from no run: {row}");
    }
}

/// The file in parts that do not depend on which other backends there are.
#[derive(Debug, PartialEq)]
struct Page {
    head: Vec<String>,
    /// Rows of the first table, with the backend of each.
    rows: BTreeMap<String, String>,
    sections: BTreeMap<String, Vec<String>>,
}

impl Page {
    fn read(text: &str, machines: &BTreeSet<&str>) -> Self {
        let mut page = Self { head: Vec::new(), rows: BTreeMap::new(), sections: BTreeMap::new() };
        let mut section = None;
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("## ") {
                section = Some(name.to_owned());
            }
            let name = section.as_deref().unwrap_or("");
            let row_of = line.strip_prefix("| ").and_then(|line| line.split_whitespace().next()).unwrap_or("");
            match name {
                "" => page.head.push(line.to_owned()),
                "All backends" => {
                    page.rows.insert(normal(line, machines.contains(row_of)), row_of.to_owned());
                }
                name => {
                    let lines = page.sections.entry(name.to_owned()).or_default();
                    lines.push(normal(line, machines.contains(name)));
                }
            }
        }
        page
    }
}

/// A line without the widths of columns, and where asked without the figures that differ between machines.
fn normal(line: &str, mask: bool) -> String {
    if line.starts_with("|--") {
        return "|--".to_owned();
    }
    let is_k = |word: &str| word.contains('.') && word.trim_matches(['(', ')']).parse::<f64>().is_ok();
    line.split_whitespace().filter(|word| !(mask && is_k(word))).collect::<Vec<_>>().join(" ")
}

#[test]
fn frameworks_have_the_versions_that_are_locked() {
    let lock = std::fs::read_to_string(at_root("Cargo.lock")).unwrap();
    for backend in backends::all() {
        let framework = backend.framework();
        if framework.starts_with("none") {
            continue;
        }
        // What the framework binds may follow: "tch 0.26.0, libtorch 2.13.0".
        let crate_and_version = framework.split(',').next().unwrap_or_default();
        let (name, version) = crate_and_version.split_once(' ').expect("a name and a version");
        let entry = format!("name = \"{name}\"\nversion = \"{version}\"\n");
        assert!(lock.contains(&entry), "{} names {framework}, which is not in Cargo.lock", backend.name());
    }
}
