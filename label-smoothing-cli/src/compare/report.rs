//! What `compare` prints and writes.

use comfy_table::Table;
use comfy_table::presets::UTF8_BORDERS_ONLY;
use serde::Serialize;

use super::batch::Shape;
use super::contender::{Answer, Pair};
use super::measure::Timing;
use crate::error::{Error, Result};

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

    pub(super) fn shape(&self) -> Shape {
        Shape::new(self.rows, self.classes)
    }
}

/// The largest difference between the gradients, over the largest gradient: rounding only where both compute the same.
pub(super) fn difference(ours: &Answer, native: &Answer) -> f64 {
    let largest = ours.gradient.iter().fold(0.0_f64, |largest, g| largest.max(f64::from(g.abs())));
    let differences = ours.gradient.iter().zip(&native.gradient).map(|(a, b)| (f64::from(*a) - f64::from(*b)).abs());
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
        "peak of ours, bytes/logit",
        "of native",
        "ours is",
        "native is",
    ]);
    let bytes = |peak: Option<f64>| peak.map_or_else(|| "unknown".to_owned(), |bytes| format!("{bytes:.1}"));
    for row in rows {
        table.add_row([
            row.backend.to_owned(),
            row.shape().to_string(),
            format!("{:.3}", row.ours_ns_per_logit),
            format!("{:.3}", row.native_ns_per_logit),
            format!("{:.2}", row.ratio),
            format!("{:.0} %", 100.0 * row.stream_fraction),
            bytes(row.ours_peak_bytes_per_logit),
            bytes(row.native_peak_bytes_per_logit),
            row.ours_is.to_owned(),
            row.native_is.to_owned(),
        ]);
    }
    let threads = rows.first().map_or(1, |row| row.threads);
    format!("{table}\nf32, smoothing rate 0.1, forward and backward, threads: {threads}; medians of alternated runs\n")
}
