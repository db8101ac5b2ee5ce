//! One row over several threads, where rows are long and a batch has fewer of them than there are threads.
//!
//! A row is cut between blocks, and the blocks' sums are added in their order: the bits are those of [`row`].

use fearless_simd::Level;

use super::batch::{TASK_LOGITS, map};
use super::gradient::{self, Coefficients, Factors};
use super::lanes::BLOCK;
use super::math;
use super::maximum;
use super::row::{self, Row, Sums};
use crate::element::Element;

/// Columns of a piece: whole blocks, and as many as are worth a thread.
const PIECE: usize = TASK_LOGITS.next_multiple_of(BLOCK);

/// Whether rows of so many classes come apart.
pub(super) fn is_worth_it(classes: usize) -> bool {
    classes >= 2 * PIECE
}

/// What [`row::sums`] gives, the maximum not being known.
pub(super) fn sums<T: Element>(level: Level, z: &[T], hole: usize, exps: &mut [T::Wide]) -> Option<Sums<T::Wide>> {
    let maxima = map(z.chunks(PIECE).collect(), |z| maximum::maximum(level, z).to_f64());
    let highest = maxima.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if maxima.iter().any(|maximum| maximum.is_nan()) || !highest.is_finite() {
        return None;
    }
    let first = maxima.iter().position(|&maximum| maximum == highest)?;
    let maximum = T::Wide::from_f64(highest);
    let start = first * PIECE;
    let column = start + maximum::column_of(level, &z[start..z.len().min(start + PIECE)], maximum);

    let mut rest = exps;
    let pieces = z.chunks(PIECE).enumerate().map(|(piece, z)| {
        let exps = rest.split_off_mut(..rest.len().min(PIECE)).unwrap_or_default();
        Piece { first: piece * PIECE, z, maximum, column, hole, exps }
    });
    let sums = map(pieces.collect(), |piece| piece.blocks(level));
    let (mut others, mut shifted) = (0.0, 0.0);
    for block in sums.into_iter().flatten() {
        others += block[0];
        shifted += block[1];
    }
    Some(Sums { max: maximum, column, others, lse: math::log_1p_of(level, others), shifted, next: None })
}

/// Some columns of a row.
struct Piece<'a, T: Element> {
    /// The first of them.
    first: usize,
    z: &'a [T],
    /// The row's maximum, and its column.
    maximum: T::Wide,
    column: usize,
    hole: usize,
    /// Room for their exponentials, or none.
    exps: &'a mut [T::Wide],
}

impl<T: Element> Piece<'_, T> {
    /// What each block adds up to.
    fn blocks(self, level: Level) -> Vec<[f64; 2]> {
        let Self { first, z, maximum, column, hole, mut exps } = self;
        let blocks = z.chunks(BLOCK).enumerate().map(|(block, z)| {
            let start = first + block * BLOCK;
            let exps = exps.split_off_mut(..exps.len().min(BLOCK)).unwrap_or_default();
            let block = Row { z, classes: z.len(), maximum, hole: hole.wrapping_sub(start), next: &[] };
            row::block(level, block, column.wrapping_sub(start), exps)
        });
        blocks.collect()
    }
}

/// What [`gradient::write`] does.
pub(super) fn write<T, G>(level: Level, exps: &[T::Wide], factors: Factors<T::Wide, Coefficients<'_, T>>, out: &mut [G])
where
    T: Element,
    G: Element<Wide = T::Wide>,
{
    let pieces = exps.chunks(PIECE).zip(out.chunks_mut(PIECE)).enumerate();
    map(pieces.collect(), |(piece, (exps, out))| {
        gradient::write(level, exps, factors.with(factors.coefficients.from(piece * PIECE)), out);
    });
}
