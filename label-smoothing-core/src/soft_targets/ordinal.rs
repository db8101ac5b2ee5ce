//! Rows for classes in an order: grades, ages, stages, stars.
//!
//! Each function gives K rows over K classes, `row_y` for the target class `y`; class indices are the order. All but
//! [`poisson`] and [`triangular`] are symmetric in the two directions away from the target.
//!
//! **When**: a mistake by one class is less bad than one by three. **When not**: the order has no such meaning. The rows
//! are whole targets: give them to [`SoftLabels::smoothing`] with a rate of 1, or less to keep some of the hard target.
//!
//! The binomial, Poisson, exponential and triangular rows are those of the Python package dlordinal 2.7.0, to which the
//! tests hold them.

use super::check;
use super::soft_labels::SoftLabels;
use crate::error::Error;

/// How far apart two classes of an order are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Distance {
    /// `|y - c|`.
    #[default]
    Absolute,
    /// `(y - c)^2`.
    Squared,
}

/// SORD, soft labels for ordinal regression.
///
/// ```text
/// row_y[c] = exp(-alpha d(y, c)) / sum_k exp(-alpha d(y, k))
/// ```
///
/// **Typical**: `alpha` of 1 to 2. **Source**: Díaz and Marathe, CVPR 2019, "Soft labels for ordinal regression".
///
/// # Errors
///
/// Less than two classes; an `alpha` that is not finite and above 0.
///
/// ```
/// use label_smoothing_core::soft_targets::{Distance, sord};
///
/// let rows = sord(4, 1.0, Distance::Squared)?;
/// assert!(rows.row(1)[1] > rows.row(1)[2] && rows.row(1)[2] > rows.row(1)[3]);
/// # Ok::<(), label_smoothing_core::Error>(())
/// ```
pub fn sord(classes: usize, alpha: f64, distance: Distance) -> Result<SoftLabels, Error> {
    check::classes(classes)?;
    check::positive("alpha", alpha)?;
    Ok(by_distance(classes, |steps| match distance {
        Distance::Absolute => -alpha * steps,
        Distance::Squared => -alpha * (steps * steps),
    }))
}

/// Exponential rows: [`sord`] with any power of the distance.
///
/// ```text
/// row_y[c] = exp(-|y - c|^p / tau) / sum_k exp(-|y - k|^p / tau)
/// ```
///
/// **Typical**: `power` 1 to 1.5 and `tau` 1. **Source**: Liu et al. 2020, "Unimodal regularized neuron stick-breaking for
/// ordinal classification"; Vargas et al. 2023, "Exponential loss regularisation for encouraging ordinal constraint".
///
/// # Errors
///
/// Less than two classes; a power or `tau` that is not finite and above 0.
pub fn exponential(classes: usize, power: f64, tau: f64) -> Result<SoftLabels, Error> {
    check::classes(classes)?;
    check::positive("power", power)?;
    check::positive("tau", tau)?;
    Ok(by_distance(classes, |steps| -libm::pow(steps, power) / tau))
}

/// Binomial rows.
///
/// ```text
/// row_y[c] = binomial(K - 1, c) p^c (1 - p)^(K - 1 - c),        p = 0.1 + 0.8 y / (K - 1)
/// ```
///
/// Wide: with 5 classes the middle one keeps 0.375. **When not**: K above 10 or so, where neighbours get nearly as much
/// as the target. **Source**: Liu et al. 2020, "Unimodal regularized neuron stick-breaking for ordinal classification".
///
/// # Errors
///
/// Less than two classes.
pub fn binomial(classes: usize) -> Result<SoftLabels, Error> {
    check::classes(classes)?;
    let last = classes - 1;
    let row = |target: usize| {
        // p / (1 - p), of integers.
        let odds = (last + 8 * target) as f64 / (9 * last - 8 * target) as f64;
        // From the target on, each entry from its neighbour: no binomial coefficient overflows.
        let mut masses = vec![1.0; classes];
        for class in target..last {
            masses[class + 1] = masses[class] * (odds * (last - class) as f64 / (class + 1) as f64);
        }
        for class in (0..target).rev() {
            masses[class] = masses[class + 1] * ((class + 1) as f64 / (odds * (last - class) as f64));
        }
        check::normalised(masses)
    };
    Ok(SoftLabels::built(classes, (0..classes).map(row)))
}

/// Poisson rows.
///
/// ```text
/// row_y = softmax_c(pmf(c; y + 1)),          pmf(c; l) = l^c exp(-l) / c!
/// ```
///
/// A softmax of probabilities, not of their logarithms: nearly uniform (with 5 classes from 0.16 to 0.23), and classes `y`
/// and `y + 1` have the same mass. **When**: to repeat published results; [`sord`] or [`exponential`] elsewhere.
/// **Source**: Liu et al. 2020, as dlordinal reads it.
///
/// # Errors
///
/// Less than two classes.
pub fn poisson(classes: usize) -> Result<SoftLabels, Error> {
    check::classes(classes)?;
    let row = |target: usize| {
        let mean = (target + 1) as f64;
        let pmf = |class: usize| {
            let count = class as f64;
            libm::exp(count * libm::log(mean) - mean - libm::lgamma(count + 1.0))
        };
        check::softmax(&(0..classes).map(pmf).collect::<Vec<_>>())
    };
    Ok(SoftLabels::built(classes, (0..classes).map(row)))
}

/// Triangular rows: the target and its neighbours, nothing else.
///
/// Each class is an interval of width 1/K in 0 to 1, and its row what a triangular density around it leaves in each
/// interval: `adjacent` is the mass that each of the two neighbours of an inner class gets.
///
/// ```text
/// inner row   adjacent, 1 - 2 adjacent, adjacent
/// first row   1 - a^2, a^2        a = (sqrt(1 + 4 u) - 1) / 2,     u = s (1 - s) (1 - s^2),  s = sqrt(2 adjacent)
/// last row    b^2, 1 - b^2        b likewise, of u ((K - 1) / K)^2
/// ```
///
/// The last row is not the first one mirrored; both are as published. **Typical**: 0.01 to 0.1. **Source**: Vargas et al.
/// 2023, "Soft labelling based on triangular distributions for ordinal classification".
///
/// # Errors
///
/// Less than two classes; `adjacent` not between 0 and 2/9, above which the density reaches classes further away.
pub fn triangular(classes: usize, adjacent: f64) -> Result<SoftLabels, Error> {
    check::classes(classes)?;
    if !(0.0..=2.0 / 9.0).contains(&adjacent) {
        return Err(check::refuse("adjacent", adjacent, "must be between 0 and 2/9"));
    }
    let s = (2.0 * adjacent).sqrt();
    let inner = s * (1.0 - s) * (1.0 - 2.0 * adjacent);
    let shrunk = (classes - 1) as f64 / classes as f64;
    // (sqrt(1 + 4 u) - 1) / 2 without its cancellation, squared.
    let at_end = |u: f64| (2.0 * u / (1.0 + (1.0 + 4.0 * u).sqrt())).powi(2);
    let (first, last) = (at_end(inner), at_end(inner * (shrunk * shrunk)));
    let row = |target: usize| {
        let mut row = vec![0.0; classes];
        if target == 0 {
            (row[0], row[1]) = (1.0 - first, first);
        } else if target == classes - 1 {
            (row[target - 1], row[target]) = (last, 1.0 - last);
        } else {
            (row[target - 1], row[target + 1]) = (adjacent, adjacent);
            row[target] = 1.0 - 2.0 * adjacent;
        }
        row
    };
    Ok(SoftLabels::built(classes, (0..classes).map(row)))
}

/// Softmax rows of a score that depends on the steps from the target.
fn by_distance(classes: usize, score: impl Fn(f64) -> f64) -> SoftLabels {
    let row = |target: usize| {
        let scores: Vec<f64> = (0..classes).map(|class| score(class.abs_diff(target) as f64)).collect();
        check::softmax(&scores)
    };
    SoftLabels::built(classes, (0..classes).map(row))
}
