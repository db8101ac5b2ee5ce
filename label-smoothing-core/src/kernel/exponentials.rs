//! The exponentials of a row: what they and the shifted logits add up to.

use std::ops::Range;

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch};

use super::hints;
use super::lanes::{BLOCK, Float, LANES, MAX_PARTS, Shift, join, masked};
use super::maximum::Largest;
use super::row::Row;
use crate::element::Element;

/// How many bytes beyond where a row is read memory is asked for. Less comes too late, and much more leaves the cache again.
const PREFETCH: usize = 4096;

/// Bytes that come at once.
const CACHE_LINE: usize = 64;

/// Vectors side by side, where there are 32 registers for vectors of 64 bytes.
const MANY: usize = 4;

/// The same elsewhere. More would not stay in registers.
const FEW: usize = 2;

/// Columns that are kept out of the sums.
#[derive(Debug, Clone, Copy)]
struct Excluded {
    /// The column of the maximum, kept out of the exponentials.
    maximum: usize,
    /// The hole, kept out of the shifted logits.
    hole: usize,
}

impl Excluded {
    /// The whole chunks from `column` on, up to `end` at most, of which every column counts.
    #[inline(always)]
    fn plain_from(self, column: usize, end: usize) -> Range<usize> {
        let mut first_other = column + (end - column) / LANES * LANES;
        for excluded in [self.maximum, self.hole] {
            if excluded >= column {
                first_other = first_other.min(excluded / LANES * LANES);
            }
        }
        column..first_other
    }
}

/// What columns of a row add up to.
#[derive(Debug, Clone, Copy)]
pub(super) struct ExponentialSums<W> {
    /// `exp(t)`, but for the column of the maximum.
    pub(super) others: f64,
    /// `t`, but for the hole.
    pub(super) shifted: f64,
    /// The next row's maximum, if there is one; if there is a NaN in that row, any number.
    pub(super) next: Option<W>,
}

/// Adds up `exp(t)` and `t = z - max`, and looks ahead at the next row; `column` is that of the maximum. `exp(t)` of every
/// column is left in `exps`, which has room for a multiple of [`LANES`] columns, or for none.
pub(super) fn exponentials<T: Element>(
    level: Level,
    row: &Row<'_, T>,
    column: usize,
    exps: &mut [T::Wide],
) -> ExponentialSums<T::Wide> {
    let excluded = Excluded { maximum: column, hole: row.hole };
    dispatch!(level, simd => exponentials_at(simd, row, excluded, exps))
}

#[inline(always)]
fn exponentials_at<S: Simd, T: Element>(
    simd: S,
    row: &Row<'_, T>,
    excluded: Excluded,
    exps: &mut [T::Wide],
) -> ExponentialSums<T::Wide> {
    let Row { z, classes, maximum, next, .. } = *row;
    let (mut others, mut shifted) = (0.0, 0.0);
    let mut ahead = Largest::new(simd);
    let shift = Shift::new(simd, <T::Wide as Float>::Vector::splat(simd, maximum));
    for block in (0..classes).step_by(BLOCK) {
        let end = classes.min(block + BLOCK);
        let zero = <T::Wide as Float>::Vector::splat(simd, T::Wide::from_f64(0.0));
        let mut sums = BlockSums { shift, ahead: &mut ahead, exps: [zero; MAX_PARTS], shifted: [zero; MAX_PARTS] };
        let mut column = block;
        while column < end {
            let plain = excluded.plain_from(column, end);
            if plain.is_empty() {
                sums.add_chunk(simd, row, column..end.min(column + LANES), excluded, exps);
                column += LANES;
            } else {
                column = plain.end;
                let kept = exps.get_mut(plain.clone()).unwrap_or_default();
                sums.add_plain(simd, &z[plain.clone()], next.get(plain).unwrap_or_default(), kept);
            }
        }
        others += join(T::Wide::fold(simd, &sums.exps).as_slice());
        shifted += join(T::Wide::fold(simd, &sums.shifted).as_slice());
    }
    let next = (!next.is_empty()).then(|| ahead.finish(simd, next));
    ExponentialSums { others, shifted, next }
}

/// The sums of a block, lane by lane, and what they are made with.
struct BlockSums<'a, S: Simd, W: Float> {
    shift: Shift<S, W>,
    ahead: &'a mut Largest<S, W, false>,
    exps: [W::Vector<S>; MAX_PARTS],
    shifted: [W::Vector<S>; MAX_PARTS],
}

impl<S: Simd, W: Float> BlockSums<'_, S, W> {
    /// Adds whole chunks of which every column counts, their logits `z`; none or all of them are kept.
    #[inline(always)]
    fn add_plain<T: Element<Wide = W>>(&mut self, simd: S, z: &[T], next: &[T], exps: &mut [W]) {
        let done = if has_many_registers(simd) { self.add_steps::<T, MANY>(simd, 0, z, next, exps) } else { 0 };
        self.add_steps::<T, FEW>(simd, done, z, next, exps);
    }

    /// Adds columns from this one on, `N` vectors side by side and whole chunks at a time, as far as there are so many; the
    /// column after them.
    #[inline(always)]
    fn add_steps<T: Element<Wide = W>, const N: usize>(
        &mut self,
        simd: S,
        mut column: usize,
        z: &[T],
        next: &[T],
        exps: &mut [W],
    ) -> usize {
        let step = N.max(W::PARTS) * W::WIDTH;
        while column + step <= z.len() {
            self.add_vectors::<T, N>(simd, column..column + step, z, next, exps);
            column += step;
        }
        column
    }

    /// Adds some whole chunks, `N` vectors side by side.
    #[inline(always)]
    fn add_vectors<T: Element<Wide = W>, const N: usize>(
        &mut self,
        simd: S,
        columns: Range<usize>,
        z: &[T],
        next: &[T],
        exps: &mut [W],
    ) {
        let vectors = columns.len() / W::WIDTH;
        self.look_ahead(simd, next, columns.clone());
        let (z, exps) = (&z[columns.clone()], exps.get_mut(columns).unwrap_or_default());
        let place = |vector: usize| vector * W::WIDTH..(vector + 1) * W::WIDTH;
        for first in (0..vectors).step_by(N) {
            let mut logits = [self.exps[0]; N];
            for (i, logits) in logits.iter_mut().enumerate() {
                *logits = T::load(simd, &z[place(first + i)]);
            }
            let (t, e) = self.shift.exps(simd, &logits);
            for i in 0..N {
                let part = (first + i) % W::PARTS;
                if !exps.is_empty() {
                    e[i].store_slice(&mut exps[place(first + i)]);
                }
                self.exps[part] += e[i];
                self.shifted[part] += t[i];
            }
        }
    }

    /// Adds a chunk that may have fewer columns, or some that are kept out: they are added as +0.
    #[inline(always)]
    fn add_chunk<T: Element<Wide = W>>(
        &mut self,
        simd: S,
        row: &Row<'_, T>,
        columns: Range<usize>,
        excluded: Excluded,
        exps: &mut [W],
    ) {
        let whole = columns.start..columns.start + LANES;
        self.look_ahead(simd, row.next, whole.clone());
        let mut padded = [T::default(); LANES];
        let z = if let Some(z) = row.z.get(whole.clone()) {
            z
        } else {
            padded[..columns.len()].copy_from_slice(&row.z[columns.clone()]);
            &padded
        };
        let exps = if exps.is_empty() { exps } else { &mut exps[whole] };
        for part in 0..W::PARTS {
            let place = part * W::WIDTH..(part + 1) * W::WIDTH;
            let (t, e) = self.shift.exp(simd, T::load(simd, &z[place.clone()]));
            let (first, counted) = (columns.start + place.start, columns.len().saturating_sub(place.start));
            if !exps.is_empty() {
                e.store_slice(&mut exps[place]);
            }
            self.exps[part] += masked::<S, W>(simd, e, counted, excluded.maximum.wrapping_sub(first));
            self.shifted[part] += masked::<S, W>(simd, t, counted, excluded.hole.wrapping_sub(first));
        }
    }

    /// Looks at the same columns of the next row, unless there are fewer.
    #[inline(always)]
    fn look_ahead<T: Element<Wide = W>>(&mut self, simd: S, next: &[T], columns: Range<usize>) {
        let Some(next) = next.get(columns) else { return };
        for next in next.chunks_exact(LANES) {
            self.ahead.see(simd, next);
        }
        for line in (0..size_of_val(next)).step_by(CACHE_LINE) {
            hints::prefetch(next, (PREFETCH + line) / size_of::<T>());
        }
    }
}

/// Whether there are 32 registers for vectors of 64 bytes.
#[inline(always)]
fn has_many_registers<S: Simd>(simd: S) -> bool {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    let has_many = simd.level().as_avx512().is_some();
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
    let has_many = {
        let _ = simd;
        false
    };
    has_many
}
