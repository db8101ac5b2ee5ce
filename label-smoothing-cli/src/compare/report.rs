//! What `compare` prints and writes.

use std::fmt::Write;

use comfy_table::Table;
use comfy_table::presets::UTF8_BORDERS_ONLY;
use serde::Serialize;

use super::batch::{EPSILON, Shape};
use super::contender::{Answer, Pair};
use super::measure::Timing;
use crate::error::{Error, Result};

/// A warning for who forgot `--release`.
const UNOPTIMISED: &str =
    if cfg!(debug_assertions) { "\nthis command is built without optimisation: the figures mean nothing" } else { "" };

/// One comparison.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Row {
    pub(super) backend: &'static str,
    rows: usize,
    classes: usize,
    dtype: &'static str,
    pub(super) threads: usize,
    pub(super) ours_ns_per_logit: f64,
    pub(super) native_ns_per_logit: f64,
    pub(super) ratio: f64,
    stream_fraction: f64,
    pub(super) ours_peak_bytes_per_logit: Option<f64>,
    pub(super) native_peak_bytes_per_logit: Option<f64>,
    pub(super) gradient_difference: f64,
    pub(super) ours_is: &'static str,
    pub(super) native_is: &'static str,
}

impl Row {
    pub(super) fn new(
        backend: &'static str,
        shape: Shape,
        threads: usize,
        pair: &Pair,
        timing: &Timing,
        gradient_difference: f64,
    ) -> Self {
        let per_logit = 1e9 / shape.logits() as f64;
        Self {
            backend,
            rows: shape.rows,
            classes: shape.classes,
            dtype: "f32",
            threads,
            ours_ns_per_logit: per_logit * timing.ours,
            native_ns_per_logit: per_logit * timing.native,
            ratio: timing.ratio,
            stream_fraction: timing.stream_fraction,
            ours_peak_bytes_per_logit: None,
            native_peak_bytes_per_logit: None,
            gradient_difference,
            ours_is: pair.ours.is,
            native_is: pair.native.is,
        }
    }

    fn calls(&self) -> String {
        format!("{}: {} beside {}", self.backend, self.ours_is, self.native_is)
    }

    pub(super) fn shape(&self) -> Shape {
        Shape::new(self.rows, self.classes)
    }
}

/// The largest difference between the gradients, over the largest gradient: rounding only where both compute the same.
pub(super) fn difference(ours: &Answer, native: &Answer) -> f64 {
    let largest = ours.gradient.iter().fold(0.0_f64, |largest, g| largest.max(g.abs()));
    let differences = ours.gradient.iter().zip(&native.gradient).map(|(a, b)| (a - b).abs());
    // A batch of one class has no gradient.
    differences.fold(0.0, f64::max) / largest.max(f64::MIN_POSITIVE)
}

pub(super) fn json(rows: &[Row]) -> Result<String> {
    let mut text = serde_json::to_string_pretty(&serde_json::json!({ "rows": rows })).map_err(Error::new)?;
    text.push('\n');
    Ok(text)
}

pub(super) fn table(rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_BORDERS_ONLY);
    table.set_header([
        "backend",
        "batch",
        "ours, ns/logit",
        "native, ns/logit",
        "native/ours",
        "stream/ours",
        "peak memory of ours, bytes/logit",
        "of native",
        "calls",
    ]);
    let mut calls: Vec<String> = Vec::new();
    for row in rows {
        let number = calls.iter().position(|call| *call == row.calls()).unwrap_or(calls.len());
        if number == calls.len() {
            calls.push(row.calls());
        }
        table.add_row([
            row.backend.to_owned(),
            row.shape().to_string(),
            format!("{:.3}", row.ours_ns_per_logit),
            format!("{:.3}", row.native_ns_per_logit),
            format!("{:.2}", row.ratio),
            format!("{:.1} %", 100.0 * row.stream_fraction),
            bytes(row.ours_peak_bytes_per_logit),
            bytes(row.native_peak_bytes_per_logit),
            format!("[{}]", number + 1),
        ]);
    }
    let mut text = format!("{table}\n");
    for (index, call) in calls.iter().enumerate() {
        let _ = writeln!(text, "[{}] {call}", index + 1);
    }
    let threads = rows.first().map_or(1, |row| row.threads);
    let _ =
        writeln!(text, "f32, smoothing rate {EPSILON}, loss and gradient, medians; threads: {threads}{UNOPTIMISED}");
    text
}

fn bytes(peak: Option<f64>) -> String {
    peak.map_or_else(|| "unknown".to_owned(), |bytes| format!("{bytes:.1}"))
}
