//! What `evaluate` prints.

use std::fmt::Write;

use label_smoothing_conformance::Dtype;
use serde::Serialize;
use serde_json::Value;

use super::compute::Answer;
use super::options::Options;
use crate::error::{Error, Result};
use crate::tensor::Values;

/// How many losses the text shows; the JSON has all.
const SHOWN: usize = 8;

/// What was asked for.
pub(super) struct Asked<'a> {
    pub(super) options: &'a Options,
    pub(super) backend: &'a str,
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
}

#[derive(Serialize)]
struct Json<'a> {
    loss: Value,
    denominator: Value,
    counted_rows: u64,
    nll: Value,
    gradient_abs_sum: Value,
    backend: &'a str,
    dtype: &'static str,
    shape: &'a [usize],
    options: Value,
}

pub(super) fn json(asked: &Asked, answer: &Answer) -> Result<String> {
    let losses: Vec<Value> = answer.values.values.numbers().map(figure).collect();
    let report = Json {
        loss: if asked.options.row_losses {
            Value::Array(losses)
        } else {
            losses.into_iter().next().unwrap_or_default()
        },
        denominator: figure(answer.parts.denominator()),
        counted_rows: answer.parts.counted(),
        nll: figure(answer.parts.nll()),
        gradient_abs_sum: figure(absolute_sum(&answer.gradient.values)),
        backend: asked.backend,
        dtype: asked.dtype.name(),
        shape: &asked.shape,
        options: options(asked, answer).map_err(Error::new)?,
    };
    let mut text = serde_json::to_string(&report).map_err(Error::new)?;
    text.push('\n');
    Ok(text)
}

/// The configuration in the words of the vector format.
fn options(asked: &Asked, answer: &Answer) -> serde_json::Result<Value> {
    let mut options = serde_json::to_value(&asked.options.config)?;
    if let Value::Object(options) = &mut options {
        options.insert("class_axis".to_owned(), answer.class_axis.into());
        if asked.options.row_losses {
            options.insert("reduction".to_owned(), "none".into());
        }
    }
    Ok(options)
}

/// The number, or where JSON has none the string that vector files have for it.
fn figure(value: f64) -> Value {
    if value.is_nan() {
        "nan".into()
    } else if value.is_infinite() {
        if value > 0.0 { "inf".into() } else { "-inf".into() }
    } else {
        value.into()
    }
}

pub(super) fn text(asked: &Asked, answer: &Answer) -> String {
    let parts = &answer.parts;
    let losses = shown(&answer.values.values);
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<18}{value}");
    };
    if asked.options.row_losses {
        let (shape, count) = (&answer.values.shape, answer.values.values.len());
        let rest = if count > SHOWN { ", ... (all with --json or --loss-out)" } else { "" };
        line("losses", &format!("{}{rest} in shape {shape:?}", losses.join(", ")));
    } else {
        line("loss", &losses.concat());
    }
    line("denominator", &format!("{:?}", parts.denominator()));
    line("counted", &parts.counted().to_string());
    line("nll, summed", &format!("{:?}", parts.nll()));
    line("nll, per counted", &format!("{:?}", parts.nll() / parts.counted() as f64));
    line("sum of |gradient|", &format!("{:?}", absolute_sum(&answer.gradient.values)));
    line("computed", &format!("by {} in {}, logits of shape {:?}", asked.backend, asked.dtype, asked.shape));
    text
}

/// The first values, each with as many digits as its type needs to be read back.
fn shown(values: &Values) -> Vec<String> {
    match values {
        Values::F32(values) => values.iter().take(SHOWN).map(|value| format!("{value:?}")).collect(),
        other => other.numbers().take(SHOWN).map(|value| format!("{value:?}")).collect(),
    }
}

/// In blocks, so that rounding errors do not grow with the number of values.
fn absolute_sum(values: &Values) -> f64 {
    let (blocks, last) = values.numbers().enumerate().fold((0.0, 0.0), |(blocks, block), (index, value)| {
        let value = value.abs();
        if index % 4096 == 0 { (blocks + block, value) } else { (blocks, block + value) }
    });
    blocks + last
}
