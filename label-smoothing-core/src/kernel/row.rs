//! One contiguous row: what its logits add up to.

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch};

use super::exponentials::{ExponentialSums, exponentials};
use super::lanes::{Float, MAX_WIDTH, Shift};
use super::math;
use super::maximum::column_of;
use super::stats::RowStats;
use crate::element::Element;

/// What a row's logits add up to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sums<W> {
    /// The largest logit.
    pub(super) max: W,
    /// Its first column, `m`.
    pub(super) column: usize,
    /// `S_o`: the sum of `exp(t_c)` over all columns but that of the maximum, `t_c = z_c - max`.
    pub(super) others: f64,
    /// `log1p(S_o)`.
    pub(super) lse: f64,
    /// The sum of `t_c` over all columns but the hole.
    pub(super) shifted: f64,
    /// The next row's maximum; if there is a NaN in that row, any number.
    pub(super) next: Option<W>,
}

impl<W: Float> Sums<W> {
    /// What the gradient needs of them.
    pub(super) fn stats(&self) -> RowStats<W> {
        RowStats { max: self.max, column: self.column, others: self.others }
    }
}

/// A row whose sums were kept: only its exponentials are computed again. The sum of the shifted logits is not among
/// them and NaN here, and so is the loss that needs it.
pub(super) fn again<T: Element>(
    level: Level,
    z: &[T],
    stats: RowStats<T::Wide>,
    exps: &mut [T::Wide],
) -> Option<Sums<T::Wide>> {
    let RowStats { max, column, others } = stats;
    if !max.to_f64().is_finite() {
        return None;
    }
    dispatch!(level, simd => {
        let width = T::Wide::WIDTH;
        let shift = Shift::<_, T::Wide>::new(simd, <T::Wide as Float>::Vector::splat(simd, max));
        let (mut vectors, mut places) = (z.chunks_exact(width), exps.chunks_exact_mut(width));
        for (z, exps) in (&mut vectors).zip(&mut places) {
            shift.exp(simd, T::load(simd, z)).1.store_slice(exps);
        }
        let rest = vectors.remainder();
        if let (false, Some(exps)) = (rest.is_empty(), places.next()) {
            let mut padded = [T::default(); MAX_WIDTH];
            padded[..rest.len()].copy_from_slice(rest);
            shift.exp(simd, T::load(simd, &padded[..width])).1.store_slice(exps);
        }
    });
    Some(Sums { max, column, others, lse: math::log_1p_of(level, others), shifted: f64::NAN, next: None })
}

/// A row that is added up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a, T: Element> {
    /// The row's logits, and what follows them in memory: that does not matter, but a whole vector at the row's end is
    /// quicker to load than a part of one.
    pub(super) z: &'a [T],
    /// The number of its logits.
    pub(super) classes: usize,
    /// Its maximum; if there is a NaN in the row, that or any number.
    pub(super) maximum: T::Wide,
    /// The class that is kept out of the sum of the shifted logits.
    pub(super) hole: usize,
    /// The row that comes next, or nothing: its maximum is found on the way, so that it is read from memory while this
    /// one is computed.
    pub(super) next: &'a [T],
}

/// Adds up a row; none if it has no softmax: a NaN or `+inf` in it, or nothing but `-inf`.
///
/// `exp(t)` of every column is left in `exps`, which has room for a multiple of [`LANES`] columns, or for none.
pub(super) fn sums<T: Element>(level: Level, row: Row<'_, T>, exps: &mut [T::Wide]) -> Option<Sums<T::Wide>> {
    let max = row.maximum;
    if !max.to_f64().is_finite() || row.z.get(row.hole).is_some_and(|z| z.widen().to_f64().is_nan()) {
        return None;
    }
    let column = column_of(level, &row.z[..row.classes], max);
    let ExponentialSums { others, shifted, next } = exponentials(level, &row, column, exps);
    // A NaN stays in the sum, and nothing else becomes one: `t` is never `+inf`.
    (!shifted.is_nan()).then(|| Sums { max, column, others, lse: math::log_1p_of(level, others), shifted, next })
}

/// The sums of one block of a row whose maximum may be elsewhere: of `exp(t)` over all its columns but `excluded`, and of
/// `t` over all but the hole. `exp(t)` is left in `exps` as by [`sums`].
pub(super) fn block<T: Element>(level: Level, block: Row<'_, T>, excluded: usize, exps: &mut [T::Wide]) -> [f64; 2] {
    let ExponentialSums { others, shifted, .. } = exponentials(level, &block, excluded, exps);
    [others, shifted]
}
