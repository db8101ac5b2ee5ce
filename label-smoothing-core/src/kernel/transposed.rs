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
    let width = T::Wide::WIDTH;
    let zero = <T::Wide as Float>::Vector::splat(simd, T::Wide::default());
    for first in (0..classes).step_by(width) {
        let mut vectors = [zero; MAX_WIDTH];
        for (row, vector) in vectors.iter_mut().enumerate().take(width) {
            // What is in the lanes of rows that are not there does not matter.
            let from = row.min(rows - 1) * classes + first;
            *vector = match z.get(from..from + width) {
                Some(z) => T::load(simd, z),
                None => T::load(simd, &padded(&z[from..])[..width]),
            };
        }
        let columns = transpose::<S, T::Wide>(vectors);
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
    let zero = <G::Wide as Float>::Vector::splat(simd, G::Wide::default());
    // Whole vectors are written, beyond a row's end too: the last classes first, then rows in their order, so that what
    // went beyond is written over by what belongs there.
    for first in (0..classes).step_by(width).rev() {
        let mut vectors = [zero; MAX_WIDTH];
        for (class, vector) in vectors.iter_mut().enumerate().take(width) {
            let at = (first + class) * width;
            *vector = <G::Wide as Float>::Vector::from_slice(simd, &from[at..at + width]);
        }
        let rows = transpose::<S, G::Wide>(vectors);
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

/// Turns `WIDTH` vectors of a row each into `WIDTH` vectors of a column each.
///
/// Interleaving the first half of the vectors with the second moves the highest bit of the row's number to the end of
/// the column's; after as many times as there are bits, rows and columns have changed places.
#[inline(always)]
fn transpose<S: Simd, W: Float>(mut vectors: [W::Vector<S>; MAX_WIDTH]) -> [W::Vector<S>; MAX_WIDTH] {
    for _ in 0..W::WIDTH.ilog2() {
        let from = vectors;
        for pair in 0..W::WIDTH / 2 {
            (vectors[2 * pair], vectors[2 * pair + 1]) = from[pair].interleave(from[pair + W::WIDTH / 2]);
        }
    }
    vectors
}
