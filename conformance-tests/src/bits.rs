//! When two numbers count as the same bits.

/// Whether both have the same bits after `+ 0.0`, which turns -0 into 0 as some frameworks do. Every NaN is the same.
///
/// The numbers are widened; widening keeps different numbers of any type different.
#[must_use]
pub(crate) fn same(a: f64, b: f64) -> bool {
    (a.is_nan() && b.is_nan()) || (a + 0.0).to_bits() == (b + 0.0).to_bits()
}

/// The first place where two slices differ; a different length counts as a difference at the end of the shorter.
pub(crate) fn first_difference(a: &[f64], b: &[f64]) -> Option<usize> {
    let differs = a.iter().zip(b).position(|(&a, &b)| !same(a, b));
    differs.or_else(|| (a.len() != b.len()).then_some(a.len().min(b.len())))
}
