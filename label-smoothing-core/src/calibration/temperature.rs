//! Temperature scaling.

use super::scores::Row;
use super::{classes_of, invalid, negative_log_likelihood, row_count, sum_over};
use crate::element::Element;
use crate::error::Error;
use crate::targets::TargetIndex;

/// The lowest temperature that [`fit_temperature`] gives.
pub const MIN_TEMPERATURE: f64 = 1.0 / 1024.0;

/// The highest temperature that [`fit_temperature`] gives.
pub const MAX_TEMPERATURE: f64 = 1024.0;

/// When to stop: a step that changes the temperature by this share of it.
const TOLERANCE: f64 = 1e-12;

/// Halving the range from the lowest to the highest temperature, in logarithms, comes to the tolerance in 45 steps, and at
/// least every second step halves it.
const MOST_STEPS: usize = 200;

/// The temperature that fits best.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TemperatureFit {
    /// Divide the logits by it.
    pub temperature: f64,
    /// The mean negative log-likelihood of the same rows at that temperature, in nats.
    pub negative_log_likelihood: f64,
    /// Whether there is no minimum between [`MIN_TEMPERATURE`] and [`MAX_TEMPERATURE`], and the temperature is the nearer
    /// end: the lowest where every row is correct, so that sharper is always better, and the highest where the logits do
    /// worse than no logits at all.
    pub at_bound: bool,
}

/// Temperature scaling (Guo et al. 2017, arXiv 1706.04599): the temperature `T` for which the [`negative_log_likelihood`] of
/// `z / T` is least. It changes no row's most probable class. Fit it on rows that the classifier was not trained on, and
/// judge it on yet others.
///
/// # Method
///
/// The negative log-likelihood is convex in `b = 1/T`, and its derivative there is `(1/N) sum_i (sum_c p_ic z_ic - z_(i y_i))`
/// with `p = softmax(b z)`. Newton's method finds its zero, inside of bounds that bisection in `log b` tightens wherever
/// Newton's step leaves them or does not halve the one before. It stops at a step of 1e-12 of `b`. Where every temperature is
/// as good (logits that are all equal), it is 1.
///
/// # Accuracy
///
/// Within 1e-9 of the temperature, relative, of the exact one, where the negative log-likelihood has a curvature that `f64`
/// can see.
///
/// # Errors
///
/// Those of [`negative_log_likelihood`], and a target whose logit is `-inf`, which no temperature helps.
pub fn fit_temperature<T: Element, I: TargetIndex>(
    logits: &[T],
    classes: usize,
    targets: &[I],
) -> Result<TemperatureFit, Error> {
    let rows = row_count("logits", logits.len(), classes)?;
    let indices = classes_of(targets, rows, classes)?;
    for (row, (logits, &target)) in logits.chunks_exact(classes).zip(&*indices).enumerate() {
        // Seen here, and not at every step, to have a softmax.
        Row::new(row, logits, 1.0)?;
        let logit = logits[target as usize].to_f64();
        if logit == f64::NEG_INFINITY {
            return Err(invalid(format!("the logit of row {row}'s target, class {target}"), logit, "finite"));
        }
    }
    let (inverse, at_bound) = zero(|inverse| derivatives(logits, classes, &indices, inverse));
    let temperature = 1.0 / inverse;
    let negative_log_likelihood = negative_log_likelihood(logits, classes, targets, temperature)?;
    Ok(TemperatureFit { temperature, negative_log_likelihood, at_bound })
}

/// The first and the second derivative of the negative log-likelihood by the inverse of the temperature: the mean of
/// `E[z] - z_y` and of the variance of `z`.
fn derivatives<T: Element>(logits: &[T], classes: usize, targets: &[i64], inverse: f64) -> (f64, f64) {
    let of_row = |(logits, &target): (&[T], &i64)| {
        let largest = logits.iter().fold(f64::NEG_INFINITY, |largest, z| largest.max(z.to_f64()));
        // A class that is masked has no mass, and 0 * -inf is no number.
        let others = || logits.iter().map(|z| z.to_f64() - largest).filter(|&t| t != f64::NEG_INFINITY);
        let (mut sum, mut first, mut second) = (0.0, 0.0, 0.0);
        for t in others() {
            let weight = (inverse * t).exp();
            sum += weight;
            first += weight * t;
            second += weight * t * t;
        }
        let mean = first / sum;
        (mean - (logits[target as usize].to_f64() - largest), (second / sum - mean * mean).max(0.0))
    };
    let (slopes, curvatures): (Vec<f64>, Vec<f64>) = logits.chunks_exact(classes).zip(targets).map(of_row).unzip();
    (sum_over(slopes, targets.len()), sum_over(curvatures, targets.len()))
}

/// The inverse temperature at which the slope is 0, and whether it is an end of the range instead.
fn zero(derivatives: impl Fn(f64) -> (f64, f64)) -> (f64, bool) {
    let (mut low, mut high) = (1.0 / MAX_TEMPERATURE, 1.0 / MIN_TEMPERATURE);
    let (at_low, at_high) = (derivatives(low).0, derivatives(high).0);
    if at_low == 0.0 && at_high == 0.0 {
        return (1.0, false);
    }
    if at_low >= 0.0 {
        return (low, true);
    }
    if at_high <= 0.0 {
        return (high, true);
    }
    let (mut inverse, mut last_step) = (1.0, high - low);
    for _ in 0..MOST_STEPS {
        let (slope, curvature) = derivatives(inverse);
        if slope == 0.0 {
            break;
        }
        if slope > 0.0 {
            high = inverse;
        } else {
            low = inverse;
        }
        let newton = inverse - slope / curvature;
        let is_good = newton > low && newton < high && (newton - inverse).abs() <= last_step / 2.0;
        let next = if is_good { newton } else { (low * high).sqrt() };
        last_step = (next - inverse).abs();
        inverse = next;
        if last_step <= TOLERANCE * inverse {
            break;
        }
    }
    (inverse, false)
}
