//! The loss put together of pieces: of slices of the classes, of micro-batches of the rows.

use std::ops::Range;

use label_smoothing_conformance::backends::{Kernel, Reference};
use label_smoothing_conformance::{
    Accuracy, Backend, Case, CaseInput, Check, Dense, Dtype, Expected, Failure, Layout, LossParts, Outcome, Slices,
    TargetInput, Verb,
};
use label_smoothing_core::{Config, LossFamily, Reduction};
use proptest::sample::Index;

use super::{UNITS_OF_THE_DEFINITION, is_right, takes, verdict};

/// The kernel with the classes in slices, as a backend like any other.
struct InSlices(Slices);

impl Backend for InSlices {
    fn name(&self) -> String {
        format!("the kernel in slices {:?}", self.0)
    }

    fn framework(&self) -> String {
        Kernel.framework()
    }

    fn dtypes(&self) -> &[Dtype] {
        Dtype::ALL
    }

    /// Where slices meet at the kernel's blocks.
    fn claims_identical_bits(&self) -> bool {
        self.0.cuts.is_empty() || (!self.0.one_pass && self.0.cuts.iter().all(|cut| cut.is_multiple_of(1024)))
    }

    fn accuracy(&self) -> Accuracy {
        Kernel.accuracy()
    }

    fn evaluate(&self, input: &CaseInput) -> Result<Outcome, Failure> {
        Kernel.evaluate_in_slices(input, &self.0)
    }
}

/// Slices give what the whole gives: the bits where they meet at blocks, the definition's numbers within the bound elsewhere.
pub(crate) fn slices_are_right((input, slices): &(CaseInput, Slices)) -> Result<(), String> {
    is_right(&InSlices(slices.clone()), input)
}

/// How far sums in `f64` may be apart that were added up in another order: the rounding of the sum itself, and what adding
/// with a carry leaves of the numbers that cancelled.
fn is_near(one: f64, other: f64, sum_of_sizes: f64) -> bool {
    let allowed = 4.0 * f64::EPSILON * one.abs() + 2.0_f64.powi(-90) * sum_of_sizes;
    one == other || (one.is_nan() && other.is_nan()) || (one - other).abs() <= allowed
}

/// Every adapter has the kernel's parts; those of micro-batches add up to those of the whole; they tell the loss itself and
/// the plain one.
pub(crate) fn parts_are_right(
    backends: &[Box<dyn Backend>],
    (input, cuts): &(CaseInput, Vec<Index>),
) -> Result<(), String> {
    let input = CaseInput { verb: Verb::Parts, ..input.clone() };
    let whole = Kernel.parts(&input);
    let adapters = backends.iter().map(AsRef::as_ref).filter(|backend| backend.claims_identical_bits());
    for backend in adapters.filter(|&backend| takes(backend, &input)) {
        let (ours, kernels) = (shown(&backend.parts(&input)), shown(&whole));
        if ours != kernels {
            return Err(format!("{} in {}: {ours}, and the kernel: {kernels}", backend.name(), input.dtype));
        }
    }
    let Ok(whole) = whole else { return Ok(()) };
    let exact = definition(&input)?;
    if (whole.counted(), whole.correct()) != (exact.counted(), exact.correct()) {
        return Err(format!("the kernel in {}: {whole:?}, and the definition {exact:?}", input.dtype));
    }
    add_up(&input, cuts, &whole)?;
    tell_the_loss(&input, &whole)?;
    verdict(&PlainLoss(input.clone()), input.dtype, &plain_case(&input, &exact)?)
}

/// Every bit of parts, or why there are none.
fn shown(parts: &Result<LossParts, Failure>) -> String {
    match parts {
        Ok(parts) => format!("{parts:?}"),
        Err(Failure::Refused { kind, .. }) => format!("refused as {kind}"),
        Err(other) => other.to_string(),
    }
}

fn add_up(input: &CaseInput, cuts: &[Index], whole: &LossParts) -> Result<(), String> {
    let failed = |failure: Failure| failure.to_string();
    let by_rows = Kernel.evaluate(&CaseInput { row_losses: true, ..input.clone() }).map_err(failed)?;
    let sizes = by_rows.values.iter().map(|loss| loss.abs()).sum::<f64>() + whole.nll() + whole.z_loss();
    let rows = input.logits.values.len() / classes(input).1.max(1);
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(rows + 1)).chain([0, rows]).collect();
    cuts.sort_unstable();
    let batches = cuts.windows(2).map(|cut| Kernel.parts(&rows_of(input, cut[0]..cut[1])));
    let sum: LossParts = batches.collect::<Result<Vec<_>, _>>().map_err(failed)?.into_iter().sum();
    let numbers = |parts: &LossParts| {
        let counts = [parts.counted() as f64, parts.correct() as f64];
        let sums = [parts.sum(), parts.nll(), parts.z_loss(), parts.smoothing(), parts.denominator()];
        (counts, sums, parts.mean())
    };
    let ((counts, sums, mean), (other_counts, other_sums, other_mean)) = (numbers(whole), numbers(&sum));
    let near = sums.iter().zip(other_sums).all(|(&one, other)| is_near(one, other, sizes));
    let near_mean = is_near(mean, other_mean, sizes / whole.denominator().abs());
    if counts == other_counts && near && near_mean {
        return Ok(());
    }
    Err(format!("cut at {cuts:?} in {}, {sum:?}, and the whole {whole:?}", input.dtype))
}

/// The class axis and its length.
fn classes(input: &CaseInput) -> (usize, usize) {
    let shape = &input.logits.shape;
    let axis = input.config().ok().and_then(|config| config.class_axis()).unwrap_or(shape.len() - 1);
    (axis, shape[axis])
}

/// The question about some of the rows, in the order of the row losses, with the classes last.
fn rows_of(input: &CaseInput, rows: Range<usize>) -> CaseInput {
    let (axis, classes) = classes(input);
    let inner: usize = input.logits.shape[axis + 1..].iter().product();
    let element = |row: usize, class: usize| (row / inner * classes + class) * inner + row % inner;
    let elements: Vec<usize> =
        rows.clone().flat_map(|row| (0..classes).map(move |class| element(row, class))).collect();
    let logits = |dense: &Dense<f64>| {
        let values: Vec<f64> = elements.iter().map(|&at| dense.values[at]).collect();
        Dense::new([rows.len(), classes], values)
    };
    let targets = match &input.targets {
        TargetInput::Indices(classes) => TargetInput::Indices(per_row(classes, &rows)),
        TargetInput::Probabilities(probabilities) => TargetInput::Probabilities(logits(probabilities)),
        TargetInput::Mixed { first, second, lambda } => TargetInput::Mixed {
            first: per_row(first, &rows),
            second: per_row(second, &rows),
            lambda: per_row(lambda, &rows),
        },
        TargetInput::Sparse { classes, probabilities } => {
            let entries = classes.shape[classes.shape.len() - 1];
            let range = rows.start * entries..rows.end * entries;
            TargetInput::Sparse {
                classes: Dense::new([rows.len(), entries], &classes.values[range.clone()]),
                probabilities: Dense::new([rows.len(), entries], &probabilities.values[range]),
            }
        }
    };
    CaseInput {
        config: input.config.clone().class_axis(1),
        logits: logits(&input.logits),
        targets,
        row_mask: input.row_mask.as_ref().map(|mask| per_row(mask, &rows)),
        row_weights: input.row_weights.as_ref().map(|weights| per_row(weights, &rows)),
        ..input.clone()
    }
}

fn per_row<T: Clone>(dense: &Dense<T>, rows: &Range<usize>) -> Dense<T> {
    Dense::new([rows.len()], &dense.values[rows.clone()])
}

/// The loss is the sum of the parts, or their mean where there is something to divide by.
fn tell_the_loss(input: &CaseInput, parts: &LossParts) -> Result<(), String> {
    let config = input.config().map_err(|error| error.to_string())?;
    let told = match config.reduction() {
        Reduction::Sum => parts.sum(),
        Reduction::Mean if parts.denominator() == 0.0 => return Ok(()),
        Reduction::Mean => parts.mean(),
    };
    let (told, loss) =
        (input.dtype.wide().round(told), Kernel.evaluate(input).map_err(|why| why.to_string())?.values[0]);
    if told.to_bits() == loss.to_bits() || (told.is_nan() && loss.is_nan()) {
        return Ok(());
    }
    Err(format!("the loss is {loss:e} in {}, and its parts say {told:e}", input.dtype))
}

/// The plain loss that the kernel has in the parts of a question, whatever it is asked.
struct PlainLoss(CaseInput);

impl Backend for PlainLoss {
    fn name(&self) -> String {
        "the plain loss of the kernel".to_owned()
    }

    fn framework(&self) -> String {
        Kernel.framework()
    }

    fn dtypes(&self) -> &[Dtype] {
        Dtype::ALL
    }

    fn accuracy(&self) -> Accuracy {
        Kernel.accuracy()
    }

    fn evaluate(&self, asked: &CaseInput) -> Result<Outcome, Failure> {
        let plain = Kernel.parts(&self.0.with(asked.dtype, asked.layout))?.nll();
        Ok(Outcome { values: vec![asked.dtype.wide().round(plain)], gradient: Vec::new() })
    }
}

fn definition(input: &CaseInput) -> Result<LossParts, String> {
    Reference.parts(&input.with(Dtype::F64, Layout::Contiguous)).map_err(|why| why.to_string())
}

/// The question without smoothing, weights and additions, with the plain loss that the definition has in the parts.
fn plain_case(input: &CaseInput, exact: &LossParts) -> Result<Case, String> {
    let config = input.config().map_err(|error| error.to_string())?;
    let plain = match config.loss() {
        LossFamily::CrossEntropy => Config::cross_entropy(),
        LossFamily::BinaryCrossEntropy => Config::binary_cross_entropy(),
    };
    let plain = plain.class_axis(config.class_axis()).ignore_index(config.ignore_index()).reduction(Reduction::Sum);
    Ok(Case {
        id: "plain loss".to_owned(),
        flags: Vec::new(),
        check: Check::Value {
            input: CaseInput { config: plain, row_weights: None, verb: Verb::Evaluate, ..input.clone() },
            expected: Expected {
                loss: vec![exact.nll()],
                gradient: None,
                relative_error: UNITS_OF_THE_DEFINITION * Dtype::F64.unit_roundoff(),
            },
        },
    })
}
