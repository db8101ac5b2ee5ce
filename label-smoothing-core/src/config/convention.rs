//! The two conventions for a smoothing rate.

use crate::error::Error;

/// The rate of [`Smoothing::Uniform`](crate::Smoothing::Uniform) that gives what a rate of
/// [`Smoothing::UniformOthers`](crate::Smoothing::UniformOthers) gives.
///
/// ```text
/// e_all = e_others K / (K - 1)
/// ```
///
/// A rate shared out over all `K` classes gives a part of it back to the target, one shared out over the others does
/// not: the same number means more smoothing in the second convention, twice as much for two classes.
///
/// ```
/// use label_smoothing_core::{epsilon_over_all, epsilon_over_others};
///
/// let fairseq = 0.1;
/// let pytorch = epsilon_over_all(fairseq, 5)?;
/// assert_eq!(pytorch, 0.125); // 0.9 on the target: 1 - 0.125 + 0.125 / 5
/// assert_eq!(epsilon_over_others(pytorch, 5)?, 0.1);
/// # Ok::<(), label_smoothing_core::Error>(())
/// ```
///
/// # Errors
///
/// A rate that is not between 0 and 1; a rate above `(K - 1) / K`, for which the other convention has none; less than
/// two classes.
pub fn epsilon_over_all(epsilon_over_others: f64, classes: usize) -> Result<f64, Error> {
    let others = other_classes(classes)?;
    let given = rate("epsilon over the other classes".to_owned(), epsilon_over_others)?;
    rate(format!("epsilon over all {classes} classes"), given * classes as f64 / others)
}

/// The rate of [`Smoothing::UniformOthers`](crate::Smoothing::UniformOthers) that gives what a rate of
/// [`Smoothing::Uniform`](crate::Smoothing::Uniform) gives.
///
/// ```text
/// e_others = e_all (K - 1) / K
/// ```
///
/// The inverse of [`epsilon_over_all`], up to rounding.
///
/// # Errors
///
/// A rate that is not between 0 and 1; less than two classes.
pub fn epsilon_over_others(epsilon_over_all: f64, classes: usize) -> Result<f64, Error> {
    let others = other_classes(classes)?;
    Ok(rate(format!("epsilon over all {classes} classes"), epsilon_over_all)? * others / classes as f64)
}

fn other_classes(classes: usize) -> Result<f64, Error> {
    if classes < 2 { Err(Error::NoOtherClass { classes }) } else { Ok((classes - 1) as f64) }
}

fn rate(name: String, value: f64) -> Result<f64, Error> {
    if (0.0..=1.0).contains(&value) { Ok(value) } else { Err(Error::Rate { name, value }) }
}
