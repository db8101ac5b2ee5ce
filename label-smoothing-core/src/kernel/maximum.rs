//! The largest logit of a row, and where it is.

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch};

use super::lanes::{Float, LANES, MAX_PARTS, MAX_WIDTH};
use crate::element::Element;

/// The largest logit of a row; NaN if one is.
pub(super) fn maximum<T: Element>(level: Level, z: &[T]) -> T::Wide {
    dispatch!(level, simd => {
        let mut largest = Largest::<_, _, true>::new(simd);
        for z in z.chunks_exact(LANES) {
            largest.see(simd, z);
        }
        largest.finish(simd, z)
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

/// The largest values seen so far. Where there is a NaN, which vectors' maxima treat differently on different processors, the
/// maximum is NaN, or unless `SEES_NAN` any number.
pub(super) struct Largest<S: Simd, W: Float, const SEES_NAN: bool> {
    values: [W::Vector<S>; MAX_PARTS],
    is_number: <W::Vector<S> as SimdBase<S>>::Mask,
}

impl<S: Simd, W: Float, const SEES_NAN: bool> Largest<S, W, SEES_NAN> {
    #[inline(always)]
    pub(super) fn new(simd: S) -> Self {
        let lowest = W::Vector::splat(simd, W::from_f64(f64::NEG_INFINITY));
        Self { values: [lowest; MAX_PARTS], is_number: lowest.simd_eq(lowest) }
    }

    /// Looks at [`LANES`] columns.
    #[inline(always)]
    pub(super) fn see<T: Element<Wide = W>>(&mut self, simd: S, z: &[T]) {
        for part in 0..W::PARTS {
            self.see_vector(T::load(simd, &z[part * W::WIDTH..(part + 1) * W::WIDTH]), part);
        }
    }

    #[inline(always)]
    fn see_vector(&mut self, z: W::Vector<S>, part: usize) {
        if SEES_NAN {
            self.is_number &= z.simd_eq(z);
        }
        self.values[part] = self.values[part].max(z);
    }

    /// Looks at what is left of a row after all whole chunks; the maximum.
    #[inline(always)]
    pub(super) fn finish<T: Element<Wide = W>>(mut self, simd: S, row: &[T]) -> W {
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
        let largest = (a.max(b)).max(c.max(d)).reduce_max();
        if SEES_NAN && !self.is_number.all_true() { W::from_f64(f64::NAN) } else { largest }
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
