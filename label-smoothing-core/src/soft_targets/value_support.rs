//! Numbers as classes: bins over an interval, and the way back.

use super::check;
use super::soft_labels::SoftLabels;
use crate::error::{Error, check_length};
use crate::sum::pairwise;

/// `sign(x) ln(1 + |x|)` (Hafner et al. 2023, arXiv 2301.04104): squeezes large values of either sign.
#[must_use]
pub fn symlog(x: f64) -> f64 {
    libm::copysign(libm::log1p(x.abs()), x)
}

/// `sign(x) (exp |x| - 1)`, the inverse of [`symlog`].
#[must_use]
pub fn symexp(x: f64) -> f64 {
    libm::copysign(libm::expm1(x.abs()), x)
}

/// How values are measured along the support.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scale {
    Linear,
    Symlog,
}

/// The bins that a number is written in, so that a regression becomes a classification: K bins with K + 1 edges and K
/// centres.
///
/// | | mass of a value `y` | values that it takes |
/// |---|---|---|
/// | [`two_hot`](Self::two_hot) | the two centres around `y`, in inverse proportion to their distance | first to last centre |
/// | [`hl_gauss`](Self::hl_gauss) | a normal density around `y`, cut off at the ends: its share of each bin | first to last edge |
///
/// and [`expected_value`](Self::expected_value), `sum_c p_c centre_c`, is the way back from probabilities. For two-hot it is
/// the exact inverse; for HL-Gauss inside the support it is off by less than the width of a bin, and near the ends by more.
///
/// * **Typical**: 51 to 255 bins (601 in `MuZero`); ends that no value exceeds.
/// * **When**: values whose noise is heavy or has several peaks, or whose scale drifts, as in value functions. Not where
///   squared error does well already.
/// * **Source**: two-hot in Bellemare et al. 2017, arXiv 1707.06887, and Schrittwieser et al. 2020, arXiv 1911.08265;
///   HL-Gauss in Imani and White 2018, arXiv 1806.04613; Farebrother et al. 2024, arXiv 2403.03950, on both.
///
/// ```
/// use label_smoothing_core::soft_targets::ValueSupport;
/// use label_smoothing_core::Config;
///
/// let support = ValueSupport::centred(-10.0, 10.0, 5)?; // centres -10, -5, 0, 5, 10
/// let labels = support.two_hot(&[1.0, 10.0])?;
/// assert_eq!(labels.row(0), [0.0, 0.0, 0.8, 0.2, 0.0]);
/// assert_eq!(support.expected_value(labels.row(1))?, 10.0);
/// let tensor: Vec<f32> = labels.probabilities(&Config::cross_entropy().build()?)?;
///
/// assert!(support.two_hot(&[10.5]).is_err());
/// assert_eq!(support.clone().clamped().two_hot(&[10.5])?.row(0), labels.row(1));
/// assert!(support.hl_gauss(&[10.5], 0.75).is_ok()); // the last bin goes from 7.5 to 12.5
/// # Ok::<(), label_smoothing_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ValueSupport {
    edges: Vec<f64>,
    centres: Vec<f64>,
    scale: Scale,
    clamps: bool,
}

impl ValueSupport {
    /// K equal bins of which the first begins at `low` and the last ends at `high` (HL-Gauss in Farebrother et al.).
    ///
    /// # Errors
    ///
    /// Less than two bins; ends that are not finite, or so near to each other that the bins have no width; `high` not
    /// above `low`.
    pub fn between(low: f64, high: f64, bins: usize) -> Result<Self, Error> {
        Self::from_edges(steps(low, high, bins, bins)?)
    }

    /// K equal bins of which the first is centred on `low` and the last on `high` (two-hot).
    ///
    /// # Errors
    ///
    /// Those of [`ValueSupport::between`].
    pub fn centred(low: f64, high: f64, bins: usize) -> Result<Self, Error> {
        Self::from_centres(steps(low, high, bins, bins.saturating_sub(1))?)
    }

    /// Bins between these edges, centred half-way.
    ///
    /// # Errors
    ///
    /// Less than three edges; an edge that is not finite or not above the one before it.
    pub fn from_edges(edges: impl Into<Vec<f64>>) -> Result<Self, Error> {
        let edges = edges.into();
        increasing("edges", &edges)?;
        check::classes(edges.len() - 1)?;
        let centres = edges.windows(2).map(|pair| middle(pair[0], pair[1])).collect();
        Ok(Self { edges, centres, scale: Scale::Linear, clamps: false })
    }

    /// Bins around these centres: an edge half-way between neighbours, and at the ends as far from the centre as the edge
    /// on its other side.
    ///
    /// # Errors
    ///
    /// Less than two centres; a centre that is not finite or not above the one before it.
    pub fn from_centres(centres: impl Into<Vec<f64>>) -> Result<Self, Error> {
        let centres = centres.into();
        check::classes(centres.len())?;
        increasing("centres", &centres)?;
        let last = centres.len() - 1;
        let between = centres.windows(2).map(|pair| middle(pair[0], pair[1]));
        let mut edges = vec![centres[0] - (middle(centres[0], centres[1]) - centres[0])];
        edges.extend(between);
        edges.push(centres[last] + (centres[last] - middle(centres[last - 1], centres[last])));
        increasing("edges", &edges)?;
        Ok(Self { edges, centres, scale: Scale::Linear, clamps: false })
    }

    /// Measures values by their [`symlog`]: the edges and centres are symlogs of values, and the way back takes [`symexp`].
    /// (Dreamer in its later form puts two-hot between the symexps themselves: that is
    /// [`ValueSupport::from_centres`] of these.)
    #[must_use]
    pub fn symlog(self) -> Self {
        Self { scale: Scale::Symlog, ..self }
    }

    /// Moves values outside the support to its nearest end, instead of refusing them. A value that is NaN is refused all
    /// the same.
    #[must_use]
    pub fn clamped(self) -> Self {
        Self { clamps: true, ..self }
    }

    /// The number of bins, K.
    #[must_use]
    pub fn bins(&self) -> usize {
        self.centres.len()
    }

    /// The K + 1 edges, ascending; symlogs if the support measures by these.
    #[must_use]
    pub fn edges(&self) -> &[f64] {
        &self.edges
    }

    /// The K centres, ascending; symlogs if the support measures by these.
    #[must_use]
    pub fn centres(&self) -> &[f64] {
        &self.centres
    }

    /// A row per value: `(c_(i+1) - y) / (c_(i+1) - c_i)` on the centre at or below `y`, the rest on the one above.
    ///
    /// # Errors
    ///
    /// A value outside the first and last centre, unless the support clamps; a NaN.
    pub fn two_hot(&self, values: &[f64]) -> Result<SoftLabels, Error> {
        let row = |(at, &value): (usize, &f64)| {
            let y = self.inside(at, value, &self.centres)?;
            let above = self.centres.partition_point(|&centre| centre < y);
            let mut row = vec![0.0; self.bins()];
            if self.centres[above] == y {
                row[above] = 1.0;
            } else {
                let (low, high) = (self.centres[above - 1], self.centres[above]);
                // Each from its own difference: 1 less a rounded share would lose a small one.
                row[above - 1] = (high - y) / (high - low);
                row[above] = (y - low) / (high - low);
            }
            Ok(row)
        };
        let rows = values.iter().enumerate().map(row).collect::<Result<Vec<_>, Error>>()?;
        Ok(SoftLabels::built(self.bins(), rows))
    }

    /// A row per value, with `F` the normal distribution function around `y` and sigma `sigma_in_bins` mean bin widths:
    ///
    /// ```text
    /// q_i = (F(edge_(i+1)) - F(edge_i)) / (F(edge_K) - F(edge_0))
    /// ```
    ///
    /// **Typical**: `sigma_in_bins` 0.75 (Farebrother et al.), from 0.5 to 2.
    ///
    /// # Errors
    ///
    /// A value outside the first and last edge, unless the support clamps; a NaN; a sigma that is not finite and above 0, or
    /// beside which the support has no width.
    pub fn hl_gauss(&self, values: &[f64], sigma_in_bins: f64) -> Result<SoftLabels, Error> {
        check::positive("sigma_in_bins", sigma_in_bins)?;
        let ends = self.edges[self.bins()] - self.edges[0];
        let sigma = sigma_in_bins * (ends / self.bins() as f64);
        let row = |(at, &value): (usize, &f64)| {
            let y = self.inside(at, value, &self.edges)?;
            let reduced = |edge: f64| (edge - y) / sigma * std::f64::consts::FRAC_1_SQRT_2;
            let masses: Vec<f64> =
                self.edges.windows(2).map(|pair| normal_between(reduced(pair[0]), reduced(pair[1]))).collect();
            let sum = pairwise(masses.len(), &|bin| masses[bin]);
            if !(sum.is_finite() && sum >= f64::MIN_POSITIVE) {
                return Err(check::refuse("sigma_in_bins", sigma_in_bins, "must be in proportion to the support"));
            }
            Ok(check::normalised(masses))
        };
        let rows = values.iter().enumerate().map(row).collect::<Result<Vec<_>, Error>>()?;
        Ok(SoftLabels::built(self.bins(), rows))
    }

    /// The way back: `sum_c p_c centre_c`, its [`symexp`] where the support measures by symlogs.
    ///
    /// # Errors
    ///
    /// Not one probability per bin; a probability that is negative or not finite, or a sum off 1 by more than 1e-3 (the
    /// softmax of half-precision logits passes).
    pub fn expected_value(&self, probabilities: &[f64]) -> Result<f64, Error> {
        check_length("the list of the bins' probabilities", probabilities.len(), self.bins())?;
        for (bin, &value) in probabilities.iter().enumerate() {
            check::not_negative(format!("probabilities[{bin}]"), value)?;
        }
        let sum = pairwise(self.bins(), &|bin| probabilities[bin]);
        if (sum - 1.0).abs() > 1e-3 {
            return Err(check::refuse("the sum of the probabilities", sum, "must be 1 within 1e-3"));
        }
        let expected = pairwise(self.bins(), &|bin| probabilities[bin] * self.centres[bin]);
        Ok(match self.scale {
            Scale::Linear => expected,
            Scale::Symlog => symexp(expected),
        })
    }

    /// A value on the scale of the support, seen to lie between the ends of some places along it.
    fn inside(&self, row: usize, value: f64, places: &[f64]) -> Result<f64, Error> {
        let measured = match self.scale {
            Scale::Linear => value,
            Scale::Symlog => symlog(value),
        };
        let (lowest, highest) = (places[0], places[places.len() - 1]);
        if (lowest..=highest).contains(&measured) {
            return Ok(measured);
        }
        if self.clamps && !value.is_nan() {
            return Ok(measured.clamp(lowest, highest));
        }
        let back = |place: f64| if self.scale == Scale::Symlog { symexp(place) } else { place };
        Err(Error::ValueOutsideSupport { row, value, lowest: back(lowest), highest: back(highest) })
    }
}

/// `low + (high - low) i / count` for `i` from 0 to `count`; ends exactly at `high`.
fn steps(low: f64, high: f64, bins: usize, count: usize) -> Result<Vec<f64>, Error> {
    check::classes(bins)?;
    check::finite("low", low)?;
    check::finite("high", high)?;
    check::positive("the width of the support", high - low)?;
    let step = |index: usize| {
        let part = index as f64 / count as f64;
        if index == count { high } else { low + (high - low) * part }
    };
    Ok((0..=count).map(step).collect())
}

fn increasing(name: &'static str, places: &[f64]) -> Result<(), Error> {
    for (index, &place) in places.iter().enumerate() {
        check::finite(format!("{name}[{index}]"), place)?;
        if index > 0 && place <= places[index - 1] {
            return Err(check::refuse(format!("{name}[{index}]"), place, "must be above the one before it"));
        }
    }
    if places.len() < 2 {
        return Err(check::refuse(format!("the number of {name}"), places.len() as f64, "must be larger"));
    }
    Ok(())
}

/// Half-way, where the sum might overflow.
fn middle(a: f64, b: f64) -> f64 {
    a + (b - a) / 2.0
}

/// `erf(b) - erf(a)` for `a <= b`, keeping its relative precision: far out it is a difference of complements.
fn normal_between(a: f64, b: f64) -> f64 {
    const FAR: f64 = 0.5;
    if a > FAR {
        libm::erfc(a) - libm::erfc(b)
    } else if b < -FAR {
        libm::erfc(-b) - libm::erfc(-a)
    } else {
        libm::erf(b) - libm::erf(a)
    }
}
