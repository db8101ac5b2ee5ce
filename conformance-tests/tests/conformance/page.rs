//! The committed `CONFORMANCE.md` against a report.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use label_smoothing_conformance::Report;

/// Holds the file to what the report of a run makes, or writes it anew where `UPDATE_CONFORMANCE` is set. The file has every
/// backend; a build with fewer compares those that it has.
pub(crate) fn is_up_to_date(report: &Report) -> Result<(), String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../CONFORMANCE.md");
    if std::env::var_os("UPDATE_CONFORMANCE").is_some() {
        std::fs::write(&path, report.to_markdown()).map_err(|error| format!("{}: {error}", path.display()))?;
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
    let differences = generated.differences(&committed);
    if differences.is_empty() {
        return Ok(());
    }
    Err(format!("CONFORMANCE.md is not what a run gives, and says how to write it anew:\n{}", differences.join("\n")))
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

    /// What this page has otherwise than the committed one.
    fn differences(&self, committed: &Self) -> Vec<String> {
        let mut found = Vec::new();
        if self.head != committed.head {
            found.push("the head".to_owned());
        }
        let sections = self.sections.iter().filter(|(name, section)| committed.sections.get(*name) != Some(section));
        found.extend(sections.map(|(name, _)| format!("the section on {name}")));
        let rows = self.rows.keys().filter(|row| !committed.rows.contains_key(*row));
        found.extend(rows.map(|row| format!("not in it: {row}")));
        let here = committed.rows.iter().filter(|(_, name)| self.sections.contains_key(*name));
        let gone = here.filter(|(row, _)| !self.rows.contains_key(*row));
        found.extend(gone.map(|(row, _)| format!("in it, but of no run: {row}")));
        found
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
