//! One contiguous row: its maximum and its exponentials.

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, f64x8};

use super::hints;
use super::lanes::{BLOCK, Float, LANES, MAX_PARTS, MAX_WIDTH, join, masked, shifted};
use super::math;
use super::stats::RowStats;
use crate::element::Element;

/// How many bytes beyond where a row is read memory is asked for. Less comes too late, and much more leaves the cache again.
const PREFETCH: usize = 4096;

/// Bytes that come at once.
const CACHE_LINE: usize = 64;

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
    /// The next row's maximum.
    pub(super) next: Option<Maximum<W>>,
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
        let max_here = <T::Wide as Float>::Vector::splat(simd, max);
        let (mut vectors, mut places) = (z.chunks_exact(width), exps.chunks_exact_mut(width));
        for (z, exps) in (&mut vectors).zip(&mut places) {
            shifted::<_, T::Wide>(simd, T::load(simd, z), max_here).1.store_slice(exps);
        }
        let rest = vectors.remainder();
        if let (false, Some(exps)) = (rest.is_empty(), places.next()) {
            let mut padded = [T::default(); MAX_WIDTH];
            padded[..rest.len()].copy_from_slice(rest);
            shifted::<_, T::Wide>(simd, T::load(simd, &padded[..width]), max_here).1.store_slice(exps);
        }
        let lse = math::log_1p(simd, f64x8::splat(simd, others)).as_slice()[0];
        Some(Sums { max, column, others, lse, shifted: f64::NAN, next: None })
    })
}

/// The largest logit of a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Maximum<W> {
    pub(super) value: W,
    /// Whether there is no NaN, which vectors' maxima treat differently on different processors.
    pub(super) is_number: bool,
}

/// Finds the largest logit of a row.
pub(super) fn maximum<T: Element>(level: Level, z: &[T]) -> Maximum<T::Wide> {
    dispatch!(level, simd => {
        let mut largest = Largest::new(simd);
        for z in z.chunks_exact(LANES) {
            largest.see(simd, z);
        }
        largest.finish(simd, z)
    })
}

/// A row that is added up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a, T: Element> {
    /// The row's logits, and what follows them in memory: that does not matter, but a whole vector at the row's end is
    /// quicker to load than a part of one.
    pub(super) z: &'a [T],
    /// The number of its logits.
    pub(super) classes: usize,
    /// Its maximum.
    pub(super) maximum: Maximum<T::Wide>,
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
    let Maximum { value, is_number } = row.maximum;
    if !(is_number && value.to_f64().is_finite()) {
        return None;
    }
    dispatch!(level, simd => {
        let column = first_equal(simd, &row.z[..row.classes], value);
        let mut ahead = Largest::new(simd);
        let (others, shifted) = exponentials(simd, &row, column, &mut ahead, exps);
        let lse = math::log_1p(simd, f64x8::splat(simd, others)).as_slice()[0];
        let next = (!row.next.is_empty()).then(|| ahead.finish(simd, row.next));
        Some(Sums { max: value, column, others, lse, shifted, next })
    })
}

/// The first column that holds a value which one of them does.
pub(super) fn column_of<T: Element>(level: Level, z: &[T], value: T::Wide) -> usize {
    dispatch!(level, simd => first_equal(simd, z, value))
}

/// Whether a column is the first one of the largest value; in a row of numbers.
pub(super) fn is_first_of_largest<T: Element>(level: Level, z: &[T], column: usize) -> bool {
    let here = z[column].widen();
    dispatch!(level, simd => {
        let vector = <T::Wide as Float>::Vector::splat(simd, here);
        let vectors = z.chunks_exact(T::Wide::WIDTH);
        for &z in vectors.remainder() {
            if z.widen() > here {
                return false;
            }
        }
        for z in vectors {
            if T::load(simd, z).simd_gt(vector).any_true() {
                return false;
            }
        }
        first_equal(simd, z, here) == column
    })
}

/// The sums of one block of a row whose maximum may be elsewhere: of `exp(t)` over all its columns but `excluded`, and of
/// `t` over all but the hole. `exp(t)` is left in `exps` as by [`sums`].
pub(super) fn block<T: Element>(level: Level, block: Row<'_, T>, excluded: usize, exps: &mut [T::Wide]) -> [f64; 2] {
    dispatch!(level, simd => {
        let (others, shifted) = exponentials(simd, &block, excluded, &mut Largest::new(simd), exps);
        [others, shifted]
    })
}

/// The largest values seen so far.
struct Largest<S: Simd, W: Float> {
    values: [W::Vector<S>; MAX_PARTS],
    is_number: <W::Vector<S> as SimdBase<S>>::Mask,
}

impl<S: Simd, W: Float> Largest<S, W> {
    #[inline(always)]
    fn new(simd: S) -> Self {
        let lowest = W::Vector::splat(simd, W::from_f64(f64::NEG_INFINITY));
        Self { values: [lowest; MAX_PARTS], is_number: lowest.simd_eq(lowest) }
    }

    /// Looks at [`LANES`] columns.
    #[inline(always)]
    fn see<T: Element<Wide = W>>(&mut self, simd: S, z: &[T]) {
        for part in 0..W::PARTS {
            self.see_vector(T::load(simd, &z[part * W::WIDTH..(part + 1) * W::WIDTH]), part);
        }
    }

    #[inline(always)]
    fn see_vector(&mut self, z: W::Vector<S>, part: usize) {
        self.is_number &= z.simd_eq(z);
        self.values[part] = self.values[part].max(z);
    }

    /// Looks at what is left of a row after all whole chunks; the maximum.
    #[inline(always)]
    fn finish<T: Element<Wide = W>>(mut self, simd: S, row: &[T]) -> Maximum<W> {
        let rest = &row[row.len() / LANES * LANES..];
        for z in rest.chunks_exact(W::WIDTH) {
            self.see_vector(T::load(simd, z), 0);
        }
        if !rest.len().is_multiple_of(W::WIDTH) {
            // The last vector's worth, though some of it was seen before; in a shorter row, its last element fills the rest.
            let mut padded = [row[row.len() - 1]; MAX_WIDTH];
            let last = if row.len() < W::WIDTH {
                padded[..row.len()].copy_from_slice(row);
                &padded[..W::WIDTH]
            } else {
                &row[row.len() - W::WIDTH..]
            };
            self.see_vector(T::load(simd, last), 1);
        }
        let [a, b, c, d] = self.values;
        Maximum { value: (a.max(b)).max(c.max(d)).reduce_max(), is_number: self.is_number.all_true() }
    }
}

/// The first place that holds the value, which one does.
#[inline(always)]
fn first_equal<S: Simd, T: Element>(simd: S, block: &[T], value: T::Wide) -> usize {
    let width = T::Wide::WIDTH;
    let wanted = <T::Wide as Float>::Vector::splat(simd, value);
    let mut from = 0;
    for vector in block.chunks_exact(width) {
        let found = T::load(simd, vector).simd_eq(wanted).to_bitmask();
        if found != 0 {
            return from + found.trailing_zeros() as usize;
        }
        from += width;
    }
    from + block[from..].iter().position(|z| z.widen() == value).unwrap_or(0)
}

/// Columns that a chunk may hold and that are kept out of its sums.
#[derive(Debug, Clone, Copy)]
struct Excluded {
    /// The column of the maximum, kept out of the exponentials.
    maximum: usize,
    /// The hole, kept out of the shifted logits.
    hole: usize,
}

/// Adds up `exp(t)` and `t = z - max`, and looks ahead at the next row.
#[inline(always)]
fn exponentials<S: Simd, T: Element>(
    simd: S,
    row: &Row<'_, T>,
    column_of_maximum: usize,
    ahead: &mut Largest<S, T::Wide>,
    exps: &mut [T::Wide],
) -> (f64, f64) {
    let Row { z, classes, maximum, hole, next } = *row;
    let excluded = Excluded { maximum: column_of_maximum, hole };
    let (mut others, mut shifted) = (0.0, 0.0);
    let keeps = !exps.is_empty();
    let zero = <T::Wide as Float>::Vector::splat(simd, T::Wide::from_f64(0.0));
    let max = <T::Wide as Float>::Vector::splat(simd, maximum.value);
    let mut padded = [T::default(); LANES];
    for block in (0..classes).step_by(BLOCK) {
        let mut lanes = ([zero; MAX_PARTS], [zero; MAX_PARTS]);
        for column in (block..classes.min(block + BLOCK)).step_by(LANES) {
            if let Some(columns) = next.get(column..column + LANES) {
                ahead.see(simd, columns);
                for line in (0..size_of_val(columns)).step_by(CACHE_LINE) {
                    hints::prefetch(next, column + (PREFETCH + line) / size_of::<T>());
                }
            }
            let columns = LANES.min(classes - column);
            let z = if let Some(z) = z.get(column..column + LANES) {
                z
            } else {
                padded[..columns].copy_from_slice(&z[column..column + columns]);
                &padded
            };
            let kept = if keeps { &mut exps[column..column + LANES] } else { &mut [] };
            let is_special = columns < LANES
                || column / LANES == excluded.maximum / LANES
                || column / LANES == excluded.hole / LANES;
            let inside = is_special.then_some(Inside { column, columns, excluded });
            chunk::<S, T>(simd, z, max, inside, &mut lanes, kept);
        }
        others += join(T::Wide::fold(simd, &lanes.0).as_slice());
        shifted += join(T::Wide::fold(simd, &lanes.1).as_slice());
    }
    (others, shifted)
}

/// Which columns of a chunk count.
#[derive(Clone, Copy)]
struct Inside {
    column: usize,
    columns: usize,
    excluded: Excluded,
}

/// The lanes that exponentials and shifted logits are added in.
type Lanes<S, W> = ([<W as Float>::Vector<S>; MAX_PARTS], [<W as Float>::Vector<S>; MAX_PARTS]);

/// Adds one chunk of [`LANES`] columns to the lanes; what does not count is added as +0.
#[inline(always)]
fn chunk<S: Simd, T: Element>(
    simd: S,
    z: &[T],
    max: <T::Wide as Float>::Vector<S>,
    inside: Option<Inside>,
    lanes: &mut Lanes<S, T::Wide>,
    exps: &mut [T::Wide],
) {
    let width = T::Wide::WIDTH;
    for part in 0..T::Wide::PARTS {
        let z = T::load(simd, &z[part * width..(part + 1) * width]);
        let (mut t, mut e) = shifted::<S, T::Wide>(simd, z, max);
        if !exps.is_empty() {
            e.store_slice(&mut exps[part * width..(part + 1) * width]);
        }
        if let Some(Inside { column, columns, excluded }) = inside {
            let first = column + part * width;
            let counted = columns.saturating_sub(part * width);
            e = masked::<S, T::Wide>(simd, e, counted, excluded.maximum.wrapping_sub(first));
            t = masked::<S, T::Wide>(simd, t, counted, excluded.hole.wrapping_sub(first));
        }
        lanes.0[part] += e;
        lanes.1[part] += t;
    }
}
