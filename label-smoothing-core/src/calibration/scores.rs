//! Scores of single rows and their means.

use super::{classes_of, invalid, row_count, some_rows, sum_over};
use crate::element::Element;
use crate::error::{Error, check_length};
use crate::targets::TargetIndex;

/// The largest logit of a row and the sum of `exp((z - largest) / temperature)` over all columns but the first largest.
pub(super) struct Row {
    pub(super) largest: f64,
    pub(super) others: f64,
}

impl Row {
    /// # Errors
    ///
    /// A logit that is NaN or `+inf`, and a row of nothing but `-inf`: such a row has no softmax.
    pub(super) fn new<T: Element>(row: usize, logits: &[T], temperature: f64) -> Result<Self, Error> {
        let (mut largest, mut at) = (f64::NEG_INFINITY, 0);
        for (class, logit) in logits.iter().enumerate() {
            let z = logit.to_f64();
            if z.is_nan() || z == f64::INFINITY {
                return Err(invalid(format!("the logit of row {row}, class {class}"), z, "finite or -inf"));
            }
            if z > largest {
                (largest, at) = (z, class);
            }
        }
        if largest == f64::NEG_INFINITY {
            return Err(invalid(format!("the largest logit of row {row}"), largest, "finite"));
        }
        let weight = |logit: &T| ((logit.to_f64() - largest) / temperature).exp();
        let others = logits[..at].iter().chain(&logits[at + 1..]).map(weight).sum();
        Ok(Self { largest, others })
    }

    /// `-log softmax(z / temperature)` at the column with this logit; `+inf` where it is `-inf`.
    pub(super) fn nll(&self, logit: f64, temperature: f64) -> f64 {
        self.others.ln_1p() - (logit - self.largest) / temperature
    }
}

pub(super) fn check_temperature(temperature: f64) -> Result<(), Error> {
    if temperature > 0.0 && temperature.is_finite() {
        return Ok(());
    }
    Err(invalid("the temperature", temperature, "positive and finite"))
}

/// Probabilities from logits: `p_c = exp(z_c / T) / sum_k exp(z_k / T)`, row by row. A temperature of 1 is the plain softmax;
/// a higher one flattens, a lower one sharpens.
///
/// # Errors
///
/// No rows, lengths that do not fit, a temperature that is not positive and finite, a logit that is NaN or `+inf`, a row of
/// nothing but `-inf`.
pub fn softmax<T: Element>(logits: &[T], classes: usize, temperature: f64) -> Result<Vec<f64>, Error> {
    row_count("logits", logits.len(), classes)?;
    check_temperature(temperature)?;
    let mut probabilities = Vec::with_capacity(logits.len());
    for (at, logits) in logits.chunks_exact(classes).enumerate() {
        let row = Row::new(at, logits, temperature)?;
        let weight = |logit: &T| ((logit.to_f64() - row.largest) / temperature).exp() / (1.0 + row.others);
        probabilities.extend(logits.iter().map(weight));
    }
    Ok(probabilities)
}

/// The mean negative log-likelihood `(1/N) sum_i -log softmax(z_i / T)_(y_i)` in nats, without smoothing: what
/// [`fit_temperature`](super::fit_temperature) makes as small as it can. From logits, because the probability of a row that is confidently wrong
/// underflows long before its logarithm does.
///
/// It is `+inf` where the logit of a target is `-inf`.
///
/// # Errors
///
/// Those of [`softmax`], and targets that are not one class per row.
pub fn negative_log_likelihood<T: Element, I: TargetIndex>(
    logits: &[T],
    classes: usize,
    targets: &[I],
    temperature: f64,
) -> Result<f64, Error> {
    let rows = row_count("logits", logits.len(), classes)?;
    let targets = classes_of(targets, rows, classes)?;
    check_temperature(temperature)?;
    let row_nll = |((row, logits), &target): ((usize, &[T]), &i64)| {
        Ok(Row::new(row, logits, temperature)?.nll(logits[target as usize].to_f64(), temperature))
    };
    let losses = logits.chunks_exact(classes).enumerate().zip(&*targets).map(row_nll);
    Ok(sum_over(losses.collect::<Result<Vec<_>, Error>>()?, rows))
}

/// The Brier score `(1/N) sum_i sum_c (p_ic - [c = y_i])^2`, from 0 (all mass on every target) to 2 (all mass on one wrong
/// class): the original form for several classes (Brier 1950, *Monthly Weather Review* 78(1)). With two classes it is twice
/// the form that looks at one of them only.
///
/// That the probabilities of a row sum to 1 is not checked.
///
/// # Errors
///
/// No rows, lengths that do not fit, targets that are not one class per row, a probability outside 0 to 1.
pub fn brier_score<T: Element, I: TargetIndex>(
    probabilities: &[T],
    classes: usize,
    targets: &[I],
) -> Result<f64, Error> {
    let rows = row_count("probabilities", probabilities.len(), classes)?;
    let targets = classes_of(targets, rows, classes)?;
    check_probabilities(probabilities, classes)?;
    let score = |(probabilities, &target): (&[T], &i64)| -> f64 {
        let hit = |class: usize| if class == target as usize { 1.0 } else { 0.0 };
        probabilities.iter().enumerate().map(|(class, p)| (p.to_f64() - hit(class)).powi(2)).sum()
    };
    Ok(sum_over(probabilities.chunks_exact(classes).zip(&*targets).map(score), rows))
}

fn check_probabilities<T: Element>(probabilities: &[T], classes: usize) -> Result<(), Error> {
    match probabilities.iter().position(|p| !(0.0..=1.0).contains(&p.to_f64())) {
        None => Ok(()),
        Some(at) => {
            let name = format!("the probability of row {}, class {}", at / classes, at % classes);
            Err(invalid(name, probabilities[at].to_f64(), "between 0 and 1"))
        }
    }
}

/// What a classifier says of each row if it has to name one class.
#[derive(Debug, Clone, PartialEq)]
pub struct TopLabel {
    /// The largest probability of each row.
    pub confidences: Vec<f64>,
    /// Whether it is the target's; of several largest, the first column counts.
    pub correct: Vec<bool>,
}

/// The most probable class of each row: how probable it is, and whether it is the target.
///
/// # Errors
///
/// Those of [`brier_score`].
pub fn top_label<T: Element, I: TargetIndex>(
    probabilities: &[T],
    classes: usize,
    targets: &[I],
) -> Result<TopLabel, Error> {
    let rows = row_count("probabilities", probabilities.len(), classes)?;
    let targets = classes_of(targets, rows, classes)?;
    check_probabilities(probabilities, classes)?;
    let top = |(probabilities, &target): (&[T], &i64)| {
        let (mut confidence, mut at) = (probabilities[0].to_f64(), 0);
        for (class, p) in probabilities.iter().enumerate() {
            if p.to_f64() > confidence {
                (confidence, at) = (p.to_f64(), class);
            }
        }
        (confidence, at == target as usize)
    };
    let (confidences, correct) = probabilities.chunks_exact(classes).zip(&*targets).map(top).unzip();
    Ok(TopLabel { confidences, correct })
}

/// The mean of the confidences.
///
/// # Errors
///
/// No rows, a confidence outside 0 to 1.
pub fn mean_confidence(confidences: &[f64]) -> Result<f64, Error> {
    check_confidences(confidences)?;
    Ok(sum_over(confidences.iter().copied(), confidences.len()))
}

/// The share of the rows that are correct.
///
/// # Errors
///
/// No rows.
pub fn accuracy(correct: &[bool]) -> Result<f64, Error> {
    some_rows(correct.len())?;
    Ok(correct.iter().filter(|&&correct| correct).count() as f64 / correct.len() as f64)
}

/// The mean confidence minus the accuracy: positive for an over-confident classifier, negative for an under-confident one.
/// Its absolute value is the expected calibration error with a single bin.
///
/// # Errors
///
/// No rows, not one confidence per row, a confidence outside 0 to 1.
pub fn over_confidence(confidences: &[f64], correct: &[bool]) -> Result<f64, Error> {
    check_pairs(confidences, correct)?;
    let gaps = confidences.iter().zip(correct).flat_map(|(&confidence, &hit)| [confidence, -f64::from(u8::from(hit))]);
    Ok(sum_over(gaps, confidences.len()))
}

pub(super) fn check_pairs(confidences: &[f64], correct: &[bool]) -> Result<(), Error> {
    check_length("correct", correct.len(), confidences.len())?;
    check_confidences(confidences)
}

fn check_confidences(confidences: &[f64]) -> Result<(), Error> {
    some_rows(confidences.len())?;
    match confidences.iter().position(|confidence| !(0.0..=1.0).contains(confidence)) {
        Some(row) => Err(invalid(format!("the confidence of row {row}"), confidences[row], "between 0 and 1")),
        None => Ok(()),
    }
}
