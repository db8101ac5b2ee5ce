//! One distribution for every row: how frequent the classes are.

use super::check;
use super::soft_labels::SoftLabel;
use crate::error::Error;
use crate::sum::pairwise;

/// The relative frequencies of the classes, none below a floor.
///
/// ```text
/// prior[c] = floor + (1 - K floor) counts[c] / sum counts
/// ```
///
/// The floor is kept exactly and the sum stays 1, which clipping and normalising would not do. A floor of 0 gives the
/// frequencies themselves.
///
/// * **Shapes**: one count per class; counts may be weighted, and so need not be whole.
/// * **Typical**: the counts of the training set, a floor of 0 to 0.1 / K, in [`SoftLabel::smoothing`] with a rate of 0.1.
/// * **When**: many classes of unequal frequency, where uniform smoothing would draw the rare ones up. Not where the classes
///   of the data to come are balanced.
/// * **Source**: Szegedy et al. 2016, arXiv 1512.00567, who allow any prior; Pereyra et al. 2017, arXiv 1701.06548, on
///   unigram frequencies.
///
/// # Errors
///
/// Less than two classes; a count that is negative or not finite; counts that are all 0 or whose sum overflows; a floor
/// that is not between 0 and 1/K.
///
/// ```
/// use label_smoothing_core::soft_targets::prior_from_counts;
///
/// assert_eq!(prior_from_counts(&[30.0, 10.0, 0.0], 0.0)?.values(), [0.75, 0.25, 0.0]);
/// assert_eq!(prior_from_counts(&[3.0, 1.0], 0.25)?.values(), [0.625, 0.375]);
/// # Ok::<(), label_smoothing_core::Error>(())
/// ```
pub fn prior_from_counts(counts: &[f64], floor: f64) -> Result<SoftLabel, Error> {
    let classes = counts.len();
    check::classes(classes)?;
    for (class, &count) in counts.iter().enumerate() {
        check::not_negative(format!("counts[{class}]"), count)?;
    }
    let sum = pairwise(classes, &|class| counts[class]);
    check::positive("the sum of the counts", sum)?;
    let most = 1.0 / classes as f64;
    if !(0.0..=most).contains(&floor) {
        return Err(check::refuse("floor", floor, "must be between 0 and 1 / classes"));
    }
    let shared = 1.0 - classes as f64 * floor;
    Ok(SoftLabel::built(counts.iter().map(|count| floor + shared * (count / sum)).collect()))
}

/// Zipf's law (Mandelbrot's where there is an offset) for classes that are numbered by falling frequency, as the entries
/// of many vocabularies are.
///
/// ```text
/// prior[c] = (c + 1 + offset)^-exponent / sum_k (k + 1 + offset)^-exponent
/// ```
///
/// **Typical**: an exponent near 1 and an offset of 0 to 2.7. **When**: a language model whose counts are not at hand.
/// **Source**: Zipf 1949; Mandelbrot 1953.
///
/// # Errors
///
/// Less than two classes; an exponent or offset that is negative or not finite.
pub fn zipf(classes: usize, exponent: f64, offset: f64) -> Result<SoftLabel, Error> {
    let ranks: Vec<usize> = (1..=classes).collect();
    zipf_by_rank(&ranks, exponent, offset)
}

/// [`zipf`] for classes in any order, given the rank of each: 1 for the most frequent. Classes may share a rank.
///
/// # Errors
///
/// Those of [`zipf`], and a rank of 0.
pub fn zipf_by_rank(ranks: &[usize], exponent: f64, offset: f64) -> Result<SoftLabel, Error> {
    check::classes(ranks.len())?;
    check::not_negative("exponent", exponent)?;
    check::not_negative("offset", offset)?;
    if let Some(class) = ranks.iter().position(|&rank| rank == 0) {
        return Err(check::refuse(format!("ranks[{class}]"), 0.0, "must be at least 1"));
    }
    let best = ranks.iter().min().map_or(1.0, |&rank| rank as f64) + offset;
    let mass = |&rank: &usize| libm::pow(best / (rank as f64 + offset), exponent);
    Ok(SoftLabel::built(check::normalised(ranks.iter().map(mass).collect())))
}
