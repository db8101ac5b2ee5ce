//! One case.

use std::str::FromStr;

use label_smoothing_core::{ErrorKind, LossFamily};

use super::config::config;
use super::json::Node;
use super::read::{Fault, Fields, Read, bit, count, float, integer, list, tag, text, word};
use crate::case::{Case, Check, Expected};
use crate::input::{CaseInput, Dense, TargetInput};

const KEYS: &[&str] =
    &["id", "flags", "loss", "config", "logits", "targets", "row_mask", "row_weights", "upstream", "expected"];
const FAMILIES: &[(&str, LossFamily)] =
    &[("cross_entropy", LossFamily::CrossEntropy), ("binary_cross_entropy", LossFamily::BinaryCrossEntropy)];

/// The id, so that whatever else is wrong can name the case.
pub(super) fn id(node: &Node) -> Read<&str> {
    match tag(node, "id")? {
        "" => Fault::new("has an empty id"),
        id => Ok(id),
    }
}

pub(super) fn case(node: &Node) -> Read<Case> {
    let fields = Fields::of(node, KEYS)?;
    let loss = fields.required("loss", word(FAMILIES))?;
    let parsed = fields.required("config", |node| config(node, loss))?;
    let (logits, class_axis) = fields.required("logits", logits)?;
    let places = Places::new(&logits.shape, class_axis);
    let targets = fields.required("targets", |node| targets(node, &places))?;
    let mut input = CaseInput::new(loss, parsed.config.class_axis(class_axis), logits, targets);
    input.row_losses = parsed.row_losses;
    input.row_mask = fields.optional("row_mask", list(bit))?.map(|mask| places.per_row(mask));
    input.row_weights = fields.optional("row_weights", list(float))?.map(|weights| places.per_row(weights));
    input.upstream = fields.optional("upstream", list(float))?;
    let id = fields.required("id", text)?.to_owned();
    let flags = fields.optional("flags", list(|node| text(node).map(str::to_owned)))?.unwrap_or_default();
    let check = fields.required("expected", |node| expected(node, input, &places))?;
    Ok(Case { id, flags, check })
}

/// The shapes that values belonging to logits have.
struct Places {
    logits: Vec<usize>,
    /// None where there is no such axis.
    rows: Option<Vec<usize>>,
}

impl Places {
    fn new(logits: &[usize], class_axis: usize) -> Self {
        let rows = (class_axis < logits.len()).then(|| {
            let mut rows = logits.to_vec();
            rows.remove(class_axis);
            rows
        });
        Self { logits: logits.to_vec(), rows }
    }

    /// As many as there are rows get the rows' shape; any other number is one axis, for the backend to refuse.
    fn per_row<T>(&self, values: Vec<T>) -> Dense<T> {
        Self::shaped(self.rows.as_deref(), values)
    }

    /// A whole number of values for each row gets the rows' shape and one axis more.
    fn per_entry<T>(&self, values: Vec<T>) -> Dense<T> {
        let rows = self.rows.iter().flatten().product::<usize>().max(1);
        let shape = self.rows.as_ref().map(|dims| [dims.as_slice(), &[(values.len() / rows).max(1)]].concat());
        Self::shaped(shape.as_deref(), values)
    }

    fn per_logit<T>(&self, values: Vec<T>) -> Dense<T> {
        Self::shaped(Some(&self.logits), values)
    }

    fn shaped<T>(shape: Option<&[usize]>, values: Vec<T>) -> Dense<T> {
        match shape {
            Some(shape) if shape.iter().product::<usize>() == values.len() => Dense::new(shape, values),
            _ => Dense::new([values.len()], values),
        }
    }

    /// How many values the loss has.
    fn losses(&self, input: &CaseInput) -> usize {
        match (input.row_losses, input.loss) {
            (false, _) => 1,
            (true, LossFamily::CrossEntropy) => self.rows.iter().flatten().product(),
            (true, LossFamily::BinaryCrossEntropy) => self.logits.iter().product(),
        }
    }
}

fn logits(node: &Node) -> Read<(Dense<f64>, usize)> {
    let fields = Fields::of(node, &["shape", "class_axis", "values"])?;
    let shape = fields.required("shape", list(count))?;
    let class_axis = fields.required("class_axis", count)?;
    let values = fields.required("values", list(float))?;
    // Zeros are taken out first: a shape that holds nothing must not hide axes whose product overflows.
    let product = shape.iter().filter(|&&length| length > 0).try_fold(1_usize, |all, &length| all.checked_mul(length));
    let Some(product) = product else {
        return Fault::new(format!("has a shape of more elements than can be counted: {shape:?}"));
    };
    let elements = if shape.contains(&0) { 0 } else { product };
    if values.len() != elements {
        return Fault::new(format!("has {} values, but its shape {shape:?} holds {elements}", values.len()));
    }
    Ok((Dense::new(shape, values), class_axis))
}

fn targets(node: &Node, places: &Places) -> Read<TargetInput> {
    match tag(node, "kind")? {
        "indices" => {
            let fields = Fields::of(node, &["kind", "values"])?;
            Ok(TargetInput::Indices(places.per_row(fields.required("values", list(integer))?)))
        }
        "probabilities" => {
            let fields = Fields::of(node, &["kind", "values"])?;
            Ok(TargetInput::Probabilities(places.per_logit(fields.required("values", list(float))?)))
        }
        "mixed" => {
            let fields = Fields::of(node, &["kind", "first", "second", "lambda"])?;
            Ok(TargetInput::Mixed {
                first: places.per_row(fields.required("first", list(integer))?),
                second: places.per_row(fields.required("second", list(integer))?),
                lambda: places.per_row(fields.required("lambda", list(float))?),
            })
        }
        "sparse" => {
            let fields = Fields::of(node, &["kind", "classes", "probabilities"])?;
            Ok(TargetInput::Sparse {
                classes: places.per_entry(fields.required("classes", list(integer))?),
                probabilities: places.per_entry(fields.required("probabilities", list(float))?),
            })
        }
        other => Fault::new(format!("has the unknown kind `{other}`; known are indices, probabilities, mixed, sparse")),
    }
}

fn expected(node: &Node, input: CaseInput, places: &Places) -> Read<Check> {
    let fields = Fields::of(node, &["loss", "gradient", "relative_error", "rejected"])?;
    if fields.has("rejected") {
        Fields::of(node, &["rejected"])?; // A refusal comes instead of everything else.
        return Ok(Check::Refusal { input, reason: fields.required("rejected", reason)? });
    }
    let loss = fields.required("loss", list(float))?;
    let gradient = fields.optional("gradient", list(float))?;
    let relative_error = fields.optional("relative_error", float)?.unwrap_or(0.0);
    let losses = places.losses(&input);
    if loss.len() != losses {
        return Fault::new(format!("has {} losses, but the reduction gives {losses}", loss.len()));
    }
    let logits = input.logits.values.len();
    if let Some(gradient) = &gradient
        && gradient.len() != logits
    {
        return Fault::new(format!("has {} gradients, but there are {logits} logits", gradient.len()));
    }
    if !(relative_error.is_finite() && relative_error >= 0.0) {
        return Fault::new(format!("has the relative_error {relative_error}, but it must be finite and not negative"));
    }
    Ok(Check::Value { input, expected: Expected { loss, gradient, relative_error } })
}

/// A reason that an input can be refused for; the two that no input has do not count.
fn reason(node: &Node) -> Read<ErrorKind> {
    let name = text(node)?;
    match ErrorKind::from_str(name) {
        Ok(kind) if !matches!(kind, ErrorKind::BufferLength | ErrorKind::Framework) => Ok(kind),
        _ => Fault::new(format!("`{name}` is no reason for a refusal")),
    }
}
