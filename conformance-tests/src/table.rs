//! Tables for the terminal and for `CONFORMANCE.md`.

use crate::report::{BackendReport, Counts};

/// Rows of cells; the first is the head.
pub(crate) type Table = Vec<Vec<String>>;

const COUNTS: [&str; 6] = ["passed", "failed", "unsupported", "refused wrongly", "worst k, loss", "worst k, gradient"];

/// One row per backend and element type.
pub(crate) fn matrix(entries: &[BackendReport]) -> Table {
    let mut head = vec!["backend", "type"];
    head.extend(COUNTS);
    head.extend(["not held", "identical bits"]);
    let rows = entries.iter().map(|entry| {
        let mut row = vec![entry.name.clone(), entry.dtype.to_string()];
        row.extend(counts(&entry.counts));
        row.push(entry.not_held.to_string());
        row.push(identical_bits(entry.identical_bits).to_owned());
        row
    });
    with_head(&head, rows)
}

pub(crate) fn identical_bits(identical: Option<bool>) -> &'static str {
    match identical {
        Some(true) => "yes",
        Some(false) => "NO",
        None => "not claimed",
    }
}

pub(crate) fn with_head(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Table {
    let head = head.iter().map(|&cell| cell.to_owned()).collect();
    std::iter::once(head).chain(rows).collect()
}

fn counts(counts: &Counts) -> Vec<String> {
    let numbers = [counts.passed, counts.failed, counts.unsupported, counts.refused_wrongly];
    let ks = [counts.worst_k_loss, counts.worst_k_gradient].map(k);
    numbers.iter().map(ToString::to_string).chain(ks).collect()
}

/// A `k` with the digits that say something.
pub(crate) fn k(value: f64) -> String {
    if value.is_finite() && value < 1e6 { format!("{value:.2}") } else { format!("{value:.1e}") }
}

/// Columns of equal width, numbers to the right.
pub(crate) fn text(table: &Table) -> String {
    aligned(table, "  ", "", "")
}

/// A Markdown table.
pub(crate) fn markdown(table: &Table) -> String {
    let lines = aligned(table, " | ", "| ", " |");
    let rule: Vec<String> = widths(table).iter().map(|&width| "-".repeat(width + 2)).collect();
    let (head, rest) = lines.split_once('\n').unwrap_or((&lines, ""));
    format!("{head}\n|{}|\n{rest}", rule.join("|"))
}

fn widths(table: &Table) -> Vec<usize> {
    let columns = table.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |column: usize| table.iter().filter_map(|row| row.get(column)).map(|cell: &String| cell.chars().count()).max();
    (0..columns).map(|column| width(column).unwrap_or(0)).collect()
}

fn aligned(table: &Table, between: &str, before: &str, after: &str) -> String {
    let widths = widths(table);
    let mut text = String::new();
    for row in table {
        let cell = |(cell, &width): (&String, &usize)| {
            if cell.starts_with(|first: char| first.is_ascii_digit()) {
                format!("{cell:>width$}")
            } else {
                format!("{cell:<width$}")
            }
        };
        let cells: Vec<String> = row.iter().zip(&widths).map(cell).collect();
        let line = format!("{before}{}{after}", cells.join(between));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
