//! The coefficients of any row, class by class: probabilities, class weights, distributions, restricted support.

use std::ops::{Add, Range};

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch, f64x8};

use super::closed_form::Coefficients;
use super::lanes::{BLOCK, LANES, join, widened};
use super::math;
use super::rows::{RowSmoothing, RowWeighting, Rows, mask_out};
use super::target::{Block, Target, eight};
use crate::element::Element;

/// Columns at once.
pub(super) const WIDTH: usize = 8;

/// Room for one row.
#[derive(Debug, Default)]
pub(super) struct GeneralScratch {
    /// What each class gets of the smoothing, where that is the row's own.
    pub(super) shares: Vec<f64>,
    pub(super) room: GeneralRoom,
}

/// Room for coefficients, and for a block. As many as a multiple of [`LANES`] each; what lies beyond the row is 0.
#[derive(Debug, Default)]
pub(super) struct GeneralRoom {
    /// The coefficients, where they are kept.
    pub(super) coefficients: Vec<f64>,
    /// The target as given, of a block.
    given: Vec<f64>,
    /// What is added up besides, of a block.
    terms: Vec<f64>,
}

/// A counted row, the logits of which have a softmax, or some columns of one.
#[derive(Clone)]
pub(super) struct GeneralRow<'p, 'z, T> {
    /// The problem and the row's number in it.
    pub(super) rows: &'p dyn Rows,
    pub(super) row: usize,
    /// The number of classes of the whole row.
    pub(super) classes: usize,
    /// The columns that are looked at.
    pub(super) columns: Range<usize>,
    /// Their logits, and what follows them in memory.
    pub(super) z: &'z [T],
    pub(super) max: f64,
    /// The column of the maximum.
    pub(super) m: usize,
    /// Whether all these logits are known to be finite, which saves time.
    pub(super) is_finite: bool,
}

/// What becomes of a row's target.
#[derive(Debug, Clone, Copy)]
pub(super) struct GeneralAnswer {
    /// What the formula takes of the coefficients.
    pub(super) sums: Coefficients<f64>,
    /// Whether the maximum is at the likeliest class of the target as given.
    pub(super) is_correct: bool,
}

impl<'p, T: Element> GeneralRow<'p, '_, T> {
    /// Adds up the coefficients of a whole row; `streamed` is its target as given, where it need not be kept.
    pub(super) fn answer(
        &self,
        level: Level,
        target: &Target<'_>,
        streamed: Option<&[T]>,
        room: &mut GeneralRoom,
    ) -> GeneralAnswer {
        let mut sums = GeneralSums::default();
        let at_maximum = self.each_block(level, target, streamed, room, |block| sums = sums + block);
        let sums = sums.coefficients(at_maximum, self.rows.z_factor(self.row));
        GeneralAnswer { sums, is_correct: self.rows.is_likeliest(level, self.row, self.m) }
    }

    /// Keeps the coefficients of the columns, and finds what each block of them adds up to.
    pub(super) fn blocks(&self, level: Level, scratch: &mut GeneralScratch, each: impl FnMut(GeneralSums)) {
        let GeneralScratch { shares, room } = scratch;
        let target = self.target(level, shares, room);
        self.each_block(level, &target, None, room, each);
    }

    /// What becomes of the row's target; `shares` is for those of its own.
    pub(super) fn target<'t>(&self, level: Level, shares: &'t mut Vec<f64>, room: &mut GeneralRoom) -> Target<'t>
    where
        'p: 't,
    {
        let smoothing = self.smoothing(shares);
        let RowWeighting { mut factor, classes: mut weights, is_expected } = self.rows.weighting(self.row);
        if is_expected {
            factor *= self.expected(level, &smoothing, weights.take(), room);
        }
        Target { smoothing, factor, weights }
    }

    /// The target of the whole row as given, where it lies in memory class by class as the logits do.
    pub(super) fn probabilities(&self) -> Option<&'p [T]> {
        self.rows.probabilities(self.row).and_then(T::of_values)
    }

    /// Adds up the columns, block by block; the coefficient in that of the maximum. The coefficients are kept in the room,
    /// unless there is a target as given that they can be formed of again.
    fn each_block(
        &self,
        level: Level,
        target: &Target<'_>,
        streamed: Option<&[T]>,
        room: &mut GeneralRoom,
        mut each: impl FnMut(GeneralSums),
    ) -> f64 {
        let kept = if streamed.is_none() { self.columns.len().next_multiple_of(LANES) } else { 0 };
        room.coefficients.resize(kept, 0.0);
        let mut at_maximum = 0.0;
        let (mut of_logits, mut of_given) = ([T::Wide::default(); BLOCK], [T::Wide::default(); BLOCK]);
        for first in self.columns.clone().step_by(BLOCK) {
            let block = first..self.columns.end.min(first + BLOCK);
            let offset = self.entropy(level, target, block.clone(), room);
            let GeneralRoom { coefficients, given, .. } = room;
            let at = first - self.columns.start;
            let z = widened(level, &self.z[at..at + block.len()], &mut of_logits);
            let (sums, at_maximum_here) = if let Some(given) = streamed {
                let given = widened(level, &given[block], &mut of_given);
                self.block(target, first, given, z).add_up::<false>(level, &mut [])
            } else {
                let given = self.given(level, block, given);
                self.block(target, first, given, z).add_up::<true>(level, &mut coefficients[at..])
            };
            at_maximum += at_maximum_here;
            each(GeneralSums { offset, ..sums });
        }
        at_maximum
    }

    /// The block that starts at column `first`.
    fn block<'b, Q>(
        &self,
        target: &'b Target<'b>,
        first: usize,
        given: &'b [Q],
        z: &'b [T::Wide],
    ) -> Block<'b, T::Wide, Q> {
        Block { target, first, given, z, max: self.max, m: self.m.wrapping_sub(first), is_finite: self.is_finite }
    }

    /// The target of a block as given.
    fn given<'g>(&self, level: Level, block: Range<usize>, room: &'g mut Vec<f64>) -> &'g [f64] {
        room.resize(block.len(), 0.0);
        self.rows.given(level, self.row, block, room);
        room
    }

    /// What a block adds to the entropy that is taken off.
    fn entropy(&self, level: Level, target: &Target<'_>, block: Range<usize>, room: &mut GeneralRoom) -> f64 {
        if !self.rows.subtracts_entropy() {
            return 0.0;
        }
        let terms = self.smoothed_block(level, &target.smoothing, block, room);
        dispatch!(level, simd => for terms in terms.chunks_exact_mut(WIDTH) {
            math::entropy_terms(simd, f64x8::from_slice(simd, terms)).store_slice(terms);
        });
        target.factor * total(terms)
    }

    /// The smoothed target, without any weight.
    pub(super) fn smoothed(&self, level: Level, scratch: &mut GeneralScratch, smoothed: &mut [f64]) {
        let GeneralScratch { shares, room } = scratch;
        let smoothing = self.smoothing(shares);
        for first in (0..self.classes).step_by(BLOCK) {
            let block = first..self.classes.min(first + BLOCK);
            let of_block = self.smoothed_block(level, &smoothing, block.clone(), room);
            smoothed[block.clone()].copy_from_slice(&of_block[..block.len()]);
        }
    }

    /// The expectation of the classes' weights under the smoothed target.
    fn expected(
        &self,
        level: Level,
        smoothing: &RowSmoothing<'_>,
        weights: Option<&[f64]>,
        room: &mut GeneralRoom,
    ) -> f64 {
        let mut sum = 0.0;
        for first in (0..self.classes).step_by(BLOCK) {
            let terms = self.smoothed_block(level, smoothing, first..self.classes.min(first + BLOCK), room);
            if let Some(weights) = weights {
                terms.iter_mut().zip(&weights[first..]).for_each(|(term, weight)| *term *= weight);
            }
            sum += total(terms);
        }
        sum
    }

    /// The smoothed target of a block, and 0 up to a multiple of [`WIDTH`].
    fn smoothed_block<'r>(
        &self,
        level: Level,
        smoothing: &RowSmoothing<'_>,
        block: Range<usize>,
        room: &'r mut GeneralRoom,
    ) -> &'r mut [f64] {
        let GeneralRoom { given, terms, .. } = room;
        let given = self.given(level, block.clone(), given);
        terms.resize(block.len().next_multiple_of(WIDTH), 0.0);
        dispatch!(level, simd => for (at, terms) in terms.chunks_exact_mut(WIDTH).enumerate() {
            let at = at * WIDTH;
            smoothing.smooth(simd, eight(simd, given, at), block.start + at).store_slice(terms);
        });
        terms[block.len()..].fill(0.0);
        terms
    }

    fn smoothing<'t>(&self, shares: &'t mut Vec<f64>) -> RowSmoothing<'t>
    where
        'p: 't,
    {
        self.rows.smoothing(self.row, &|shares: &mut [f64]| mask_out(shares, self.z), shares)
    }
}

/// What columns of a row add up to.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct GeneralSums {
    /// `R`: of the coefficients, without the column of the maximum.
    pub(super) of_others: f64,
    /// `D`.
    pub(super) shifted: f64,
    /// Of the target as given.
    pub(super) given: f64,
    /// Of its products with the shifted logits.
    pub(super) given_shifted: f64,
    /// The entropy to take off.
    pub(super) offset: f64,
}

impl GeneralSums {
    /// What the formula takes of a whole row's, given the coefficient in the column of the maximum.
    pub(super) fn coefficients(&self, at_maximum: f64, z_factor: f64) -> Coefficients<f64> {
        let Self { of_others, shifted, given, given_shifted, offset } = *self;
        let total = of_others + at_maximum;
        Coefficients { total, total_of_others: of_others, at_maximum, shifted, given, given_shifted, z_factor, offset }
    }
}

impl Add for GeneralSums {
    type Output = Self;

    fn add(self, next: Self) -> Self {
        Self {
            of_others: self.of_others + next.of_others,
            shifted: self.shifted + next.shifted,
            given: self.given + next.given,
            given_shifted: self.given_shifted + next.given_shifted,
            offset: self.offset + next.offset,
        }
    }
}

/// The sum of some columns, in the order of all sums over columns.
#[inline(always)]
pub(super) fn total(values: &[f64]) -> f64 {
    let mut sum = 0.0;
    for block in values.chunks(BLOCK) {
        let mut lanes = [0.0; LANES];
        for values in block.chunks(LANES) {
            for (lane, value) in lanes.iter_mut().zip(values) {
                *lane += value;
            }
        }
        for half in [LANES / 2, LANES / 4] {
            for lane in 0..half {
                lanes[lane] += lanes[lane + half];
            }
        }
        sum += join(&lanes);
    }
    sum
}
