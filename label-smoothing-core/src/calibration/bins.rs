//! Confidence against accuracy, bin by bin.

use super::scores::check_pairs;
use super::{invalid, sum_over};
use crate::error::Error;

/// The most bins there may be.
const MOST_BINS: usize = 65_536;

/// Where the bins lie. With edges `e_0 <= ... <= e_M`, bin `m` holds the confidences with `e_(m-1) < c <= e_m`, as in Guo et
/// al. 2017; the first bin also holds what is not above `e_0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binning {
    /// So many bins of the same width, `e_m = m / M`.
    EqualWidth(usize),
    /// So many bins with the same number of rows, as nearly as rows of equal confidence, which stay together, allow:
    /// `e_m` is the quantile `m / M` of the confidences, interpolated linearly between its neighbours (adaptive bins:
    /// Nixon et al. 2019, arXiv 1904.01685). Where edges coincide, bins are empty.
    EqualMass(usize),
}

impl Binning {
    /// The edges, one more than bins.
    fn edges(self, confidences: &[f64]) -> Result<Vec<f64>, Error> {
        let (Self::EqualWidth(bins) | Self::EqualMass(bins)) = self;
        if !(1..=MOST_BINS).contains(&bins) {
            return Err(invalid("the number of bins", bins as f64, "between 1 and 65536"));
        }
        let edge: &dyn Fn(usize) -> f64 = match self {
            Self::EqualWidth(_) => &|m| m as f64 / bins as f64,
            Self::EqualMass(_) => {
                let mut ordered = confidences.to_vec();
                ordered.sort_by(f64::total_cmp);
                &move |m| quantile(&ordered, m, bins)
            }
        };
        Ok((0..=bins).map(edge).collect())
    }
}

/// The quantile `m / bins` of numbers in order.
fn quantile(ordered: &[f64], m: usize, bins: usize) -> f64 {
    // In integers, so that a quantile that is one of the numbers is exactly that.
    let last = ordered.len() - 1;
    let (whole, part) = (m as u128 * last as u128 / bins as u128, m as u128 * last as u128 % bins as u128);
    let (low, high) = (ordered[whole as usize], ordered[last.min(whole as usize + 1)]);
    low + (high - low) * (part as f64 / bins as f64)
}

/// The rows of one bin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bin {
    /// The lower edge, which is outside but for the first bin.
    pub lower: f64,
    /// The upper edge, which is inside.
    pub upper: f64,
    /// How many rows there are; 0 is no error.
    pub count: usize,
    /// How many of them are correct.
    pub correct: usize,
    /// The mean of their confidences; NaN in an empty bin.
    pub mean_confidence: f64,
    /// The share that is correct; NaN in an empty bin.
    pub accuracy: f64,
    /// The absolute value of the sum of `confidence - correct`.
    gap: f64,
}

/// The bins of a reliability diagram, from the lowest confidence to the highest, the empty ones too.
///
/// # Errors
///
/// No rows, not one confidence per row, a confidence outside 0 to 1, a number of bins outside 1 to 65536.
pub fn reliability_bins(confidences: &[f64], correct: &[bool], binning: Binning) -> Result<Vec<Bin>, Error> {
    check_pairs(confidences, correct)?;
    let edges = binning.edges(confidences)?;
    let bins = edges.len() - 1;
    let mut members = vec![Vec::new(); bins];
    for (&confidence, &hit) in confidences.iter().zip(correct) {
        members[edges[1..bins].partition_point(|&edge| edge < confidence)].push((confidence, hit));
    }
    Ok(members.iter().zip(edges.windows(2)).map(|(rows, edges)| Bin::new(edges[0], edges[1], rows)).collect())
}

impl Bin {
    fn new(lower: f64, upper: f64, rows: &[(f64, bool)]) -> Self {
        let count = rows.len();
        let correct = rows.iter().filter(|(_, hit)| *hit).count();
        let sum = sum_over(rows.iter().map(|(confidence, _)| *confidence), 1);
        let gaps = rows.iter().flat_map(|&(confidence, hit)| [confidence, -f64::from(u8::from(hit))]);
        Self {
            lower,
            upper,
            count,
            correct,
            mean_confidence: sum / count as f64,
            accuracy: correct as f64 / count as f64,
            gap: sum_over(gaps, 1).abs(),
        }
    }
}

/// The expected calibration error, `ECE = sum_m (n_m / N) |accuracy_m - mean confidence_m|` over the bins of the top label's
/// confidence (Naeini et al. 2015, *Obtaining Well Calibrated Probabilities Using Bayesian Binning*, AAAI; in this form Guo
/// et al. 2017, arXiv 1706.04599, who use 15 bins of equal width). Between 0 and 1; empty bins count nothing.
///
/// It depends on the bins: say which with every figure. It is biased upwards where bins hold few rows.
///
/// # Errors
///
/// Those of [`reliability_bins`].
pub fn expected_calibration_error(confidences: &[f64], correct: &[bool], binning: Binning) -> Result<f64, Error> {
    let bins = reliability_bins(confidences, correct, binning)?;
    Ok(sum_over(bins.iter().map(|bin| bin.gap), confidences.len()))
}

/// The maximum calibration error, `MCE = max_m |accuracy_m - mean confidence_m|` over the bins that are not empty (Naeini et
/// al. 2015; Guo et al. 2017, arXiv 1706.04599).
///
/// # Errors
///
/// Those of [`reliability_bins`].
pub fn maximum_calibration_error(confidences: &[f64], correct: &[bool], binning: Binning) -> Result<f64, Error> {
    let bins = reliability_bins(confidences, correct, binning)?;
    let gaps = bins.iter().filter(|bin| bin.count > 0).map(|bin| bin.gap / bin.count as f64);
    Ok(gaps.fold(0.0, f64::max))
}
