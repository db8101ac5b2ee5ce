//! Smoothing by what the model itself says of each class.

use crate::config::Smoothing;
use crate::element::Element;
use crate::error::{Error, check_length};
use crate::soft_targets::check;

/// Online label smoothing: the rows of the next epoch are the mean predictions for each class in this one.
///
/// ```text
/// row_y = (1 / n_y) sum p(x)          over the n_y examples x of class y that this epoch predicted correctly
/// ```
///
/// `p = softmax(z)`; the first largest logit is the prediction. In the first epoch the rows are uniform. A class that was
/// never predicted correctly keeps its row of the epoch before.
///
/// * **Shapes**: K classes, K rows of K probabilities, and as much for the sums of the running epoch.
/// * **Typical**: a rate of 0.5 in [`OnlineLabelSmoothing::smoothing`].
/// * **When**: up to some thousand classes, each with examples enough in an epoch. Not for vocabularies (K x K numbers), and
///   not where one epoch is all there is.
/// * **Several workers**: each observes its own share; [`OnlineLabelSmoothing::merge`] adds their sums up before
///   [`OnlineLabelSmoothing::finish_epoch`]. With the feature `serde` the state travels and is kept in checkpoints.
/// * **Source**: Zhang et al. 2021, arXiv 2011.12562.
///
/// ```
/// use label_smoothing_core::{Config, OnlineLabelSmoothing};
///
/// let mut online = OnlineLabelSmoothing::new(3)?;
/// // Two examples of class 0, of which the second is predicted wrongly.
/// online.observe(&[2.0_f32, 1.0, 0.0, 0.0, 3.0, 0.0], &[0, 0], &[])?;
/// online.finish_epoch();
/// assert!((online.row(0)[1] - 0.244_728).abs() < 1e-6); // of softmax(2, 1, 0)
/// assert_eq!(online.row(1), [1.0 / 3.0; 3]); // not seen
/// let config = Config::cross_entropy().smoothing(online.smoothing(0.5)).build()?;
/// # Ok::<(), label_smoothing_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Unchecked"))]
pub struct OnlineLabelSmoothing {
    classes: usize,
    /// The rows in use, K x K.
    rows: Vec<f64>,
    /// The sums of the epoch that runs, K x K.
    sums: Vec<f64>,
    /// How many examples are in each sum.
    counts: Vec<u64>,
}

/// A state as it is read.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    classes: usize,
    rows: Vec<f64>,
    sums: Vec<f64>,
    counts: Vec<u64>,
}

#[cfg(feature = "serde")]
impl TryFrom<Unchecked> for OnlineLabelSmoothing {
    type Error = Error;

    fn try_from(read: Unchecked) -> Result<Self, Error> {
        let Unchecked { classes, rows, sums, counts } = read;
        check::classes(classes)?;
        let square = classes.saturating_mul(classes);
        check_length("rows", rows.len(), square)?;
        check_length("sums", sums.len(), square)?;
        check_length("counts", counts.len(), classes)?;
        crate::soft_targets::SoftLabels::new(classes, rows.as_slice())?;
        if let Some(entry) = sums.iter().position(|sum| !(sum.is_finite() && *sum >= 0.0)) {
            let name = format!("sums[{entry}]");
            return Err(Error::Parameter { name, value: sums[entry], range: "must be finite and not negative" });
        }
        Ok(Self { classes, rows, sums, counts })
    }
}

impl OnlineLabelSmoothing {
    /// Before the first epoch: uniform rows, nothing observed.
    ///
    /// # Errors
    ///
    /// Less than two classes.
    pub fn new(classes: usize) -> Result<Self, Error> {
        check::classes(classes)?;
        let square = classes * classes;
        let rows = vec![1.0 / classes as f64; square];
        Ok(Self { classes, rows, sums: vec![0.0; square], counts: vec![0; classes] })
    }

    /// Adds a batch: `logits` row by row, a target each. Examples whose target is an ignored id are left out, and so are rows
    /// that have no softmax (a NaN or `+inf`, or nothing but `-inf`).
    ///
    /// # Errors
    ///
    /// Not one row of K logits per target; a target that is no class and no ignored id. Nothing is added then.
    pub fn observe<T: Element>(&mut self, logits: &[T], targets: &[i64], ignored: &[i64]) -> Result<(), Error> {
        check_length("the logits", logits.len(), targets.len().saturating_mul(self.classes))?;
        let class_of = |(row, &value): (usize, &i64)| match usize::try_from(value) {
            _ if ignored.contains(&value) => Ok(None),
            Ok(class) if class < self.classes => Ok(Some(class)),
            _ => Err(Error::TargetOutOfRange { row, value, classes: self.classes, ignored: ignored.to_vec() }),
        };
        let targets = targets.iter().enumerate().map(class_of).collect::<Result<Vec<_>, _>>()?;
        for (logits, target) in logits.chunks_exact(self.classes).zip(targets) {
            if let Some(class) = target {
                self.observe_row(logits, class);
            }
        }
        Ok(())
    }

    fn observe_row<T: Element>(&mut self, logits: &[T], class: usize) {
        let z = |column: usize| logits[column].to_f64();
        let prediction = (1..self.classes).fold(0, |best, column| if z(column) > z(best) { column } else { best });
        let max = z(prediction);
        if prediction != class || !max.is_finite() || logits.iter().any(|z| z.to_f64().is_nan()) {
            return;
        }
        let exps: Vec<f64> = logits.iter().map(|z| libm::exp(z.to_f64() - max)).collect();
        let total: f64 = exps.iter().sum();
        let sums = &mut self.sums[class * self.classes..(class + 1) * self.classes];
        sums.iter_mut().zip(&exps).for_each(|(sum, exp)| *sum += exp / total);
        self.counts[class] += 1;
    }

    /// Adds what another worker observed in the same epoch.
    ///
    /// # Errors
    ///
    /// Another number of classes. Nothing is added then.
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        check_length("the other worker's counts", other.classes, self.classes)?;
        self.sums.iter_mut().zip(&other.sums).for_each(|(sum, other)| *sum += other);
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, other)| *count += other);
        Ok(())
    }

    /// Makes the rows of the next epoch, and begins it with nothing observed.
    pub fn finish_epoch(&mut self) {
        let sums = self.sums.chunks_exact(self.classes).zip(&self.counts);
        for (row, (sums, &count)) in self.rows.chunks_exact_mut(self.classes).zip(sums) {
            if count > 0 {
                // The sum of sums of softmaxes is the count but for roundings: what they lost is put back.
                let total: f64 = sums.iter().sum();
                row.iter_mut().zip(sums).for_each(|(entry, sum)| *entry = sum / total);
            }
        }
        self.sums.fill(0.0);
        self.counts.fill(0);
    }

    /// The number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// How many correct predictions of each class the running epoch has.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// The row of a class in use.
    ///
    /// # Panics
    ///
    /// Where there is no such class, as an index out of range does.
    #[must_use]
    pub fn row(&self, class: usize) -> &[f64] {
        &self.rows[class * self.classes..(class + 1) * self.classes]
    }

    /// `(1 - e) q + e row_y` with the rows of the last finished epoch. The rate is checked when a configuration is built.
    #[must_use]
    pub fn smoothing(&self, epsilon: f64) -> Smoothing {
        Smoothing::ClassRows { epsilon, rows: self.rows.chunks_exact(self.classes).map(<[f64]>::to_vec).collect() }
    }
}
