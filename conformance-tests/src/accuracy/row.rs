//! The rows that accuracy is measured on: the same in every run and on every machine.

use crate::dtype::Dtype;

/// Leads of the target over the largest other logit, in nats: none, and what PyTorch's `f32` keeps less and less of.
pub const LEADS: &[u32] = &[0, 1, 4, 17, 40, 80];

/// What is added to every logit of a row.
pub const OFFSETS: &[u32] = &[0, 1_000, 1_000_000];

/// Classes of a row: a small classifier, `ImageNet`, and two vocabularies.
pub const CLASSES: &[usize] = &[10, 1_000, 32_768, 262_144];

/// Smoothing rates, uniform over all classes.
pub const EPSILONS: &[f64] = &[0.0, 0.1];

/// Logits lie within so much of the offset, but for the target's.
const SPREAD: f64 = 8.0;

/// Short rows are many, for one of them shows less of what can go wrong than a long one does.
const LOGITS_OF_A_POINT: usize = 1 << 15;
const MOST_ROWS: usize = 64;

/// Where neighbouring numbers are further apart than this, rounded logits are no longer those of the sweep.
const COARSEST: f64 = 1.0;

/// What the rows of one kind have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// The element type of the logits.
    pub dtype: Dtype,
    /// The number of classes, 2 or more.
    pub classes: usize,
    /// By how many nats the target's logit leads, before it is rounded.
    pub lead: u32,
    /// What is added to every logit.
    pub offset: u32,
}

impl Point {
    /// Every combination of leads and offsets with these numbers of classes.
    ///
    /// Offsets are left out where the element type has no number within a nat of each logit: 1000 and more in `bf16`,
    /// 1000000 in `f16`.
    pub fn all(dtype: Dtype, classes: &[usize]) -> impl Iterator<Item = Self> {
        let resolved = move |offset: &u32| {
            let largest = f64::from(*offset) + SPREAD;
            dtype.round(largest + COARSEST) - dtype.round(largest) == COARSEST
        };
        let offsets = OFFSETS.iter().copied().filter(resolved);
        offsets.flat_map(move |offset| {
            let of_offset =
                move |&classes: &usize| LEADS.iter().map(move |&lead| Self { dtype, classes, lead, offset });
            classes.iter().flat_map(of_offset).collect::<Vec<_>>()
        })
    }

    /// Its rows, from 64 of 10 classes to 1 of many.
    pub fn rows(self) -> impl Iterator<Item = Row> {
        let rows = (LOGITS_OF_A_POINT / self.classes).clamp(1, MOST_ROWS);
        (0..rows as u64).map(move |number| self.row(number))
    }

    /// The row of this number, below 256.
    ///
    /// Logits are uniform around the offset, each rounded once to the element type, so that the mantissa is full. Then
    /// the target's is put to the largest other plus the lead, rounded again: the lead is what came of that.
    #[must_use]
    pub fn row(self, number: u64) -> Row {
        let (lead, offset) = (f64::from(self.lead), f64::from(self.offset));
        let mut unit =
            SplitMix((self.classes as u64) << 40 ^ u64::from(self.lead) << 32 ^ u64::from(self.offset) << 8 ^ number);
        let draw = |unit: f64| self.dtype.round(offset + SPREAD * (2.0 * unit - 1.0));
        let mut logits: Vec<f64> = (0..self.classes).map(|_| draw(unit.next())).collect();
        let target = (unit.next() * self.classes as f64) as usize;
        logits[target] = f64::NEG_INFINITY;
        let second = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        logits[target] = self.dtype.round(second + lead);
        let gap = logits[target] - second;
        Row { dtype: self.dtype, logits, target, gap }
    }
}

/// One row, whose target has the largest logit.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The element type that holds every logit.
    pub dtype: Dtype,
    /// The logits.
    pub logits: Vec<f64>,
    /// The class whose logit leads.
    pub target: usize,
    /// By how much, in nats.
    pub gap: f64,
}

/// Steele, Lea and Flood's generator, in two lines of any language: another program made the exact answers of the tests.
struct SplitMix(u64);

impl SplitMix {
    /// From 0 to 1, in 53 bits.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((x ^ (x >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::{CLASSES, LEADS, OFFSETS, Point};
    use crate::dtype::Dtype;

    fn offsets(dtype: Dtype) -> Vec<u32> {
        let mut offsets: Vec<u32> = Point::all(dtype, &[10]).map(|point| point.offset).collect();
        offsets.dedup();
        offsets
    }

    #[test]
    fn offsets_are_left_out_where_logits_would_be_too_coarse() {
        assert_eq!((offsets(Dtype::F64), offsets(Dtype::F32)), (OFFSETS.to_vec(), OFFSETS.to_vec()));
        assert_eq!((offsets(Dtype::F16), offsets(Dtype::Bf16)), (vec![0, 1000], vec![0]));
        assert_eq!(Point::all(Dtype::F32, CLASSES).count(), CLASSES.len() * LEADS.len() * OFFSETS.len());
    }

    #[test]
    fn a_row_has_the_lead_that_was_asked_for_as_far_as_its_type_goes() {
        for &dtype in Dtype::ALL {
            for point in Point::all(dtype, &[10, 1000]) {
                for row in point.rows() {
                    let largest_other = (0..point.classes).filter(|&class| class != row.target).map(|c| row.logits[c]);
                    let largest_other = largest_other.fold(f64::NEG_INFINITY, f64::max);
                    assert_eq!(row.gap, row.logits[row.target] - largest_other);
                    let spacing = dtype.unit_roundoff() * 2.0 * row.logits[row.target].abs();
                    assert!((row.gap - f64::from(point.lead)).abs() <= spacing, "{point:?}: {}", row.gap);
                    assert!(row.logits.iter().all(|&z| dtype.fits(z)));
                }
            }
        }
    }

    /// A sweep over numbers with few bits would not show what roundings do.
    #[test]
    fn mantissas_are_full() {
        let row = Point { dtype: Dtype::F32, classes: 1000, lead: 4, offset: 0 }.row(0);
        let odd = row.logits.iter().filter(|&&z| (z as f32).to_bits() % 2 == 1).count();
        assert!((400..600).contains(&odd), "{odd} of 1000 have the last bit set");
        assert_eq!(Point { dtype: Dtype::F32, classes: 10, lead: 0, offset: 0 }.rows().count(), 64);
        assert_eq!(Point { dtype: Dtype::F32, classes: 262_144, lead: 0, offset: 0 }.rows().count(), 1);
    }
}
