//! What `accuracy` prints and writes.

use std::collections::BTreeSet;
use std::fmt::Write;

use comfy_table::Table;
use comfy_table::presets::UTF8_BORDERS_ONLY;
use label_smoothing_conformance::Dtype;
use label_smoothing_conformance::accuracy::Worst;
use serde_json::{Map, Value, json};

use super::figures::{By, Contender, Figures};
use crate::error::{Error, Result};

pub(super) fn tables(figures: &Figures, breakdowns: &[By]) -> String {
    let mut text = String::new();
    for &dtype in Dtype::ALL {
        if figures.of(dtype).next().is_some() {
            let _ = writeln!(text, "{dtype}, u = {:e}\n{}", dtype.unit_roundoff(), overall(figures, dtype));
            for &by in breakdowns {
                let _ = writeln!(
                    text,
                    "{dtype} by {}: loss, target's gradient, row sum\n{}",
                    by.name(),
                    parts(figures, dtype, by)
                );
            }
        }
    }
    for contender in &figures.contenders {
        if let Some(failure) = &contender.failure {
            let _ = writeln!(text, "{} in {}: {failure}", name(contender), contender.dtype);
        }
    }
    text.push_str("worst errors in units roundoff u of the element type; see `label-smoothing accuracy --help`\n");
    text
}

fn new_table() -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_BORDERS_ONLY);
    table
}

fn overall(figures: &Figures, dtype: Dtype) -> Table {
    let mut table = new_table();
    let head = ["computed by", "rows", "loss", "target's gradient", "row sum", "of 2.5 + gap", "of 2.5 + gap/16"];
    table.set_header(head);
    for contender in figures.of(dtype) {
        let mut cells = vec![name(contender)];
        match &contender.worst {
            Some(worst) => {
                cells.push(worst.rows.to_string());
                cells.extend(errors(worst).map(|(_, error)| figure(error)));
                cells.extend(
                    [worst.of_bound, worst.of_bound_with_residue].map(|share| format!("{} %", figure(100.0 * share))),
                );
            }
            None => cells.extend(head[1..].iter().map(|_| "-".to_owned())),
        }
        table.add_row(cells);
    }
    table
}

fn parts(figures: &Figures, dtype: Dtype, by: By) -> Table {
    let values: BTreeSet<u64> =
        figures.of(dtype).flat_map(|it| it.parts(by).map(|(value, _)| value.to_bits())).collect();
    let mut table = new_table();
    let head = values.iter().map(|&bits| format!("{} {}", by.name(), f64::from_bits(bits)));
    table.set_header(["computed by".to_owned()].into_iter().chain(head));
    for contender in figures.of(dtype) {
        let cell = |bits: &u64| {
            let worst = contender.parts(by).find(|(value, _)| value.to_bits() == *bits);
            worst.map_or_else(|| "-".to_owned(), |(_, worst)| errors(worst).map(|(_, error)| figure(error)).join(", "))
        };
        table.add_row([name(contender)].into_iter().chain(values.iter().map(cell)));
    }
    table
}

fn name(contender: &Contender) -> String {
    if contender.calls == super::OURS {
        contender.backend.clone()
    } else {
        format!("{}: {}", contender.backend, contender.calls)
    }
}

fn errors(worst: &Worst) -> [(&'static str, f64); 3] {
    let errors = worst.errors;
    [("loss", errors.loss), ("target_gradient", errors.target_gradient), ("row_sum", errors.row_sum)]
}

/// Three digits or so.
fn figure(value: f64) -> String {
    if !value.is_finite() {
        "inf".to_owned()
    } else if value < 999.5 {
        format!("{value:.2}")
    } else {
        format!("{value:.1e}")
    }
}

pub(super) fn json(figures: &Figures) -> Result<String> {
    let contenders: Vec<Value> = figures.contenders.iter().map(contender).collect();
    let mut text = serde_json::to_string_pretty(&json!({ "contenders": contenders })).map_err(Error::new)?;
    text.push('\n');
    Ok(text)
}

fn contender(contender: &Contender) -> Value {
    let mut object = contender.worst.as_ref().map(fields).unwrap_or_default();
    object.insert("backend".to_owned(), json!(contender.backend));
    object.insert("calls".to_owned(), json!(contender.calls));
    object.insert("dtype".to_owned(), json!(contender.dtype.name()));
    object.insert("failure".to_owned(), json!(contender.failure));
    for by in By::ALL {
        let parts = contender.parts(by).map(|(value, worst)| {
            let mut part = fields(worst);
            part.insert(by.name().to_owned(), json!(value));
            Value::Object(part)
        });
        object.insert(format!("by_{}", by.name()), parts.collect());
    }
    Value::Object(object)
}

fn fields(worst: &Worst) -> Map<String, Value> {
    let shares = [("of_bound", worst.of_bound), ("of_bound_with_residue", worst.of_bound_with_residue)];
    let numbers = errors(worst).into_iter().chain(shares).map(|(key, value)| (key.to_owned(), number(value)));
    numbers.chain([("rows".to_owned(), json!(worst.rows))]).collect()
}

/// JSON has no infinity.
fn number(value: f64) -> Value {
    if value.is_finite() { json!(value) } else { json!("inf") }
}
