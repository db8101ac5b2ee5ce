//! How far long work is.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on stderr where that is a terminal, and nothing elsewhere.
pub(crate) fn bar(length: usize, unit: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(&format!("{{bar:40}} {{pos}}/{{len}} {unit}, {{eta}} left"));
    ProgressBar::new(length as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
