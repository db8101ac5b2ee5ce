//! Mass on the labels of neighbouring tokens.

use super::check;
use super::sparse::SparseSoftLabels;
use crate::error::Error;

/// Soft labels of one sequence, in which each token gives some of its mass to the labels of the tokens near it.
///
/// ```text
/// q_t = (delta(y_t) + sum_i w_i delta(y_(t + o_i))) / (1 + sum_i w_i)          i over the offsets that reach a token
/// ```
///
/// An offset that leaves the sequence, or that reaches an ignored id, is left out above and below.
///
/// * **Shapes**: one label per token; `offsets` pairs of an offset (not 0) and a weight. One row per token with
///   `1 + offsets.len()` classes comes back; an entry that is left out repeats the token's own label with probability 0.
/// * **Typical**: weights in the ratio 5 to 2 at offsets of 1 and 2 on either side, so small that the token keeps 0.9.
/// * **When**: labels whose place in time is uncertain, as in speech recognition. Not where each place has one right label.
/// * **Source**: Chorowski and Jaitly 2016, arXiv 1612.02695.
///
/// # Errors
///
/// An offset of 0, or twice the same; a weight that is negative or not finite; a label that is negative and not ignored.
///
/// ```
/// use label_smoothing_core::soft_targets::neighbour_labels;
///
/// let labels = neighbour_labels(&[7, 4, 4], &[], &[(-1, 0.25), (1, 0.25)])?;
/// assert_eq!(labels.classes(), [7, 7, 4, 4, 7, 4, 4, 4, 4]);
/// assert_eq!(labels.probabilities()[..3], [0.8, 0.0, 0.2]); // nothing before the first
/// # Ok::<(), label_smoothing_core::Error>(())
/// ```
pub fn neighbour_labels(labels: &[i64], ignored: &[i64], offsets: &[(isize, f64)]) -> Result<SparseSoftLabels, Error> {
    for (index, &(offset, weight)) in offsets.iter().enumerate() {
        let name = || format!("the offset {index}");
        if offset == 0 {
            return Err(check::refuse(name(), 0.0, "must not be 0"));
        }
        if offsets[..index].iter().any(|&(other, _)| other == offset) {
            return Err(check::refuse(name(), offset as f64, "must not be there twice"));
        }
        check::not_negative(format!("the weight of offset {offset}"), weight)?;
    }
    let is_ignored = |label: i64| ignored.contains(&label);
    for (token, &label) in labels.iter().enumerate() {
        if label < 0 && !is_ignored(label) {
            return Err(check::refuse(format!("labels[{token}]"), label as f64, "must be a class or an ignored id"));
        }
    }
    let mut classes = Vec::with_capacity(labels.len() * (1 + offsets.len()));
    let mut probabilities = Vec::with_capacity(classes.capacity());
    for (token, &label) in labels.iter().enumerate() {
        let neighbour = |offset: isize| {
            let place = token.checked_add_signed(offset)?;
            labels.get(place).copied().filter(|&other| !is_ignored(other) && !is_ignored(label))
        };
        let reached = |&(offset, weight): &(isize, f64)| match neighbour(offset) {
            Some(other) => (other, weight),
            None => (label, 0.0),
        };
        let entries: Vec<(i64, f64)> = std::iter::once((label, 1.0)).chain(offsets.iter().map(reached)).collect();
        let total: f64 = entries.iter().map(|(_, mass)| mass).sum();
        classes.extend(entries.iter().map(|(class, _)| class));
        probabilities.extend(entries.iter().map(|(_, mass)| mass / total));
    }
    SparseSoftLabels::new(1 + offsets.len(), classes, probabilities)
}
