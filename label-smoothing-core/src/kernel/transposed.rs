//! Rows laid side by side, a row in each lane, and back.

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch};

use super::lanes::{Float, MAX_WIDTH};
use crate::element::Element;

/// Lays rows that follow each other side by side: class `c` of row `r` goes to `c * WIDTH + r`, widened.
pub(super) fn side_by_side<T: Element>(level: Level, z: &[T], rows: usize, classes: usize, to: &mut [T::Wide]) {
    dispatch!(level, simd => side_by_side_at(simd, z, rows, classes, to));
}

#[inline(always)]
fn side_by_side_at<S: Simd, T: Element>(simd: S, z: &[T], rows: usize, classes: usize, to: &mut [T::Wide]) {
    let (width, last) = (T::Wide::WIDTH, rows - 1);
    for first in (0..classes).step_by(width) {
        let columns = transpose::<S, T::Wide>(
            simd,
            #[inline(always)]
            |row| {
                // What is in the lanes of rows that are not there does not matter.
                let from = row.min(last) * classes + first;
                match z.get(from..from + width) {
                    Some(z) => T::load(simd, z),
                    None => T::load(simd, &padded(&z[from..])[..width]),
                }
            },
        );
        for (class, column) in (first..classes).zip(&columns[..width]) {
            column.store_slice(&mut to[class * width..(class + 1) * width]);
        }
    }
}

#[inline(always)]
fn padded<T: Element>(z: &[T]) -> [T; MAX_WIDTH] {
    let mut padded = [T::default(); MAX_WIDTH];
    padded[..z.len()].copy_from_slice(z);
    padded
}

/// The inverse of [`side_by_side`]: fills `out` with the rows, narrowed. `from` has room for a multiple of `WIDTH`
/// classes.
pub(super) fn one_by_one<G: Element>(level: Level, from: &[G::Wide], classes: usize, out: &mut [G]) {
    dispatch!(level, simd => one_by_one_at(simd, from, classes, out));
}

#[inline(always)]
fn one_by_one_at<S: Simd, G: Element>(simd: S, from: &[G::Wide], classes: usize, out: &mut [G]) {
    let width = G::Wide::WIDTH;
    // Whole vectors are written, beyond a row's end too: the last classes first, then rows in their order, so that what
    // went beyond is written over by what belongs there.
    for first in (0..classes).step_by(width).rev() {
        let rows = transpose::<S, G::Wide>(
            simd,
            #[inline(always)]
            |class| {
                let at = (first + class) * width;
                <G::Wide as Float>::Vector::from_slice(simd, &from[at..at + width])
            },
        );
        for (row, vector) in rows.iter().enumerate().take(width) {
            let at = row * classes + first;
            if at >= out.len() {
                break;
            }
            if let Some(out) = out.get_mut(at..at + width) {
                G::store(*vector, out);
            } else {
                let mut values = [G::default(); MAX_WIDTH];
                G::store(*vector, &mut values[..width]);
                let rest = &mut out[at..];
                rest.copy_from_slice(&values[..rest.len()]);
            }
        }
    }
}

/// Turns `WIDTH` vectors of a row each, which `row` gives, into `WIDTH` vectors of a column each.
///
/// Interleaving the first half of the vectors with the second moves the highest bit of the row's number to the end of
/// the column's; after as many times as there are bits, rows and columns have changed places.
#[inline(always)]
fn transpose<S: Simd, W: Float>(simd: S, row: impl Fn(usize) -> W::Vector<S>) -> [W::Vector<S>; MAX_WIDTH] {
    let half = W::WIDTH / 2;
    let mut vectors = [W::Vector::splat(simd, W::default()); MAX_WIDTH];
    for pair in 0..half {
        (vectors[2 * pair], vectors[2 * pair + 1]) = row(pair).interleave(row(pair + half));
    }
    for _ in 1..W::WIDTH.ilog2() {
        let from = vectors;
        for pair in 0..half {
            (vectors[2 * pair], vectors[2 * pair + 1]) = from[pair].interleave(from[pair + half]);
        }
    }
    vectors
}
