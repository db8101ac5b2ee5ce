//! The coefficients of any row, class by class: probabilities, class weights, distributions, restricted support.

use std::ops::{Add, Range};

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, f64x8};

use super::closed_form::{Coefficients, Real};
use super::lanes::{BLOCK, Float, LANES, join};
use super::math;
use super::rows::{RowSmoothing, RowWeighting, Rows, Shares, mask_out};
use crate::element::Element;

/// Columns at once.
pub(super) const WIDTH: usize = 8;

/// Room for one row, and for blocks of it. As many as a multiple of [`LANES`] each; what lies beyond the row is 0.
#[derive(Debug, Default)]
pub(super) struct GeneralScratch {
    /// What each class gets of the smoothing, where that is the row's own.
    shares: Vec<f64>,
    /// The coefficients.
    pub(super) coefficients: Vec<f64>,
    blocks: Blocks,
}

/// Room for one block of a row.
#[derive(Debug, Default)]
struct Blocks {
    /// The target as given.
    given: Vec<f64>,
    /// `t = z - max`.
    shifted: Vec<f64>,
    /// What is added up besides.
    terms: Vec<f64>,
}

impl GeneralScratch {
    /// Makes room for some columns of rows of so many classes.
    pub(super) fn resize(&mut self, columns: usize, classes: usize) {
        self.coefficients.resize(columns.next_multiple_of(LANES), 0.0);
        let Blocks { given, shifted, terms } = &mut self.blocks;
        for room in [given, shifted, terms] {
            room.resize(classes.min(BLOCK).next_multiple_of(LANES), 0.0);
        }
    }
}

/// A counted row, the logits of which have a softmax, or some columns of one.
#[derive(Clone)]
pub(super) struct GeneralRow<'a, T> {
    /// The problem and the row's number in it.
    pub(super) rows: &'a dyn Rows,
    pub(super) row: usize,
    /// The number of classes of the whole row.
    pub(super) classes: usize,
    /// The columns that are looked at.
    pub(super) columns: Range<usize>,
    /// Their logits, and what follows them in memory.
    pub(super) z: &'a [T],
    pub(super) max: f64,
    /// The column of the maximum.
    pub(super) m: usize,
    /// Whether all these logits are known to be finite, which saves time.
    pub(super) is_finite: bool,
}

/// What becomes of a row's target, class by class.
struct Target<'a> {
    smoothing: RowSmoothing<'a>,
    subtracts_entropy: bool,
    /// The weight of the row.
    factor: f64,
    /// The weights of its classes.
    weights: Option<&'a [f64]>,
}

impl Target<'_> {
    /// Makes coefficients of the target of so many classes from `first` on, as given; the entropy to take off.
    fn smooth_and_weigh(
        &self,
        level: Level,
        first: usize,
        count: usize,
        q: &[f64],
        a: &mut [f64],
        terms: &mut [f64],
    ) -> f64 {
        let mut offset = 0.0;
        dispatch!(level, simd => {
            smooth(&self.smoothing, first, &q[..count], &mut a[..count]);
            if self.subtracts_entropy {
                entropy_terms(simd, a, terms);
                offset = self.factor * total(&terms[..count]);
            }
            match self.weights {
                Some(weights) => weigh(self.factor, &weights[first..], &mut a[..count]),
                None if self.factor == 1.0 => {}
                None => {
                    for a in &mut a[..count] {
                        *a *= self.factor;
                    }
                }
            }
        });
        offset
    }
}

/// What becomes of a row's target.
#[derive(Debug, Clone, Copy)]
pub(super) struct GeneralAnswer {
    /// What the formula takes of the coefficients.
    pub(super) sums: Coefficients<f64>,
    /// Whether the maximum is at the likeliest class of the target as given.
    pub(super) is_correct: bool,
}

impl<T: Element> GeneralRow<'_, T> {
    /// Finds the coefficients of a whole row.
    pub(super) fn answer(&self, level: Level, scratch: &mut GeneralScratch) -> GeneralAnswer {
        let mut sums = GeneralSums::default();
        self.blocks(level, scratch, |block| sums = sums + block);
        let sums = sums.coefficients(scratch.coefficients[self.m], self.rows.z_factor(self.row));
        GeneralAnswer { sums, is_correct: self.rows.is_likeliest(level, self.row, self.m) }
    }

    /// Finds the coefficients of the columns, and what each block of them adds up to.
    pub(super) fn blocks(&self, level: Level, scratch: &mut GeneralScratch, mut each: impl FnMut(GeneralSums)) {
        scratch.resize(self.columns.len(), self.classes);
        let GeneralScratch { shares, coefficients, blocks } = scratch;
        let smoothing = self.smoothing(shares);
        let RowWeighting { mut factor, classes: mut weights, is_expected } = self.rows.weighting(self.row);
        if is_expected {
            factor *= self.expected(level, &smoothing, weights.take(), blocks);
        }
        let target = Target { smoothing, subtracts_entropy: self.rows.subtracts_entropy(), factor, weights };
        for first in self.columns.clone().step_by(BLOCK) {
            let a = &mut coefficients[first - self.columns.start..];
            each(self.block(level, first, &target, blocks, a));
        }
    }

    /// Forms the coefficients of the block that starts at column `first`, and adds it up.
    fn block(
        &self,
        level: Level,
        first: usize,
        target: &Target<'_>,
        blocks: &mut Blocks,
        coefficients: &mut [f64],
    ) -> GeneralSums {
        let block = first..self.columns.end.min(first + BLOCK);
        let (count, room) = (block.len(), block.len().next_multiple_of(LANES));
        let (a, q) = (&mut coefficients[..room], &mut blocks.given[..room]);
        let (t, terms) = (&mut blocks.shifted[..room], &mut blocks.terms[..room]);
        self.rows.given(level, self.row, block.clone(), &mut q[..count]);
        let z = &self.z[first - self.columns.start..];
        dispatch!(level, _simd => shift(z, self.max, &mut t[..count]));
        q[count..].fill(0.0);
        t[count..].fill(0.0);
        let offset = target.smooth_and_weigh(level, first, count, q, a, terms);
        // The column of the maximum is kept out. Its shifted logit is 0, so that only `R` sees the difference.
        let at_maximum = block.contains(&self.m).then(|| std::mem::take(&mut a[self.m - first]));
        let add_up = if self.is_finite { GeneralSums::of_block::<true> } else { GeneralSums::of_block::<false> };
        let sums = add_up(level, a, q, t);
        if let Some(at_maximum) = at_maximum {
            a[self.m - first] = at_maximum;
        }
        GeneralSums { offset, ..sums }
    }

    /// The smoothed target, without any weight.
    pub(super) fn smoothed(&self, level: Level, scratch: &mut GeneralScratch, smoothed: &mut [f64]) {
        let smoothing = self.smoothing(&mut scratch.shares);
        for (block, smoothed) in smoothed[..self.classes].chunks_mut(BLOCK).enumerate() {
            self.smooth_block(level, &smoothing, block * BLOCK, &mut scratch.blocks.given, smoothed);
        }
    }

    /// The expectation of the classes' weights under the smoothed target.
    fn expected(
        &self,
        level: Level,
        smoothing: &RowSmoothing<'_>,
        weights: Option<&[f64]>,
        blocks: &mut Blocks,
    ) -> f64 {
        let mut sum = 0.0;
        for first in (0..self.classes).step_by(BLOCK) {
            let terms = &mut blocks.terms[..BLOCK.min(self.classes - first)];
            self.smooth_block(level, smoothing, first, &mut blocks.given, terms);
            if let Some(weights) = weights {
                weigh(1.0, &weights[first..], terms);
            }
            sum += total(terms);
        }
        sum
    }

    /// The smoothed target of some classes from `first` on.
    fn smooth_block(
        &self,
        level: Level,
        smoothing: &RowSmoothing<'_>,
        first: usize,
        room: &mut [f64],
        smoothed: &mut [f64],
    ) {
        let given = &mut room[..smoothed.len()];
        self.rows.given(level, self.row, first..first + given.len(), given);
        dispatch!(level, _simd => smooth(smoothing, first, given, smoothed));
    }

    fn smoothing<'a>(&'a self, shares: &'a mut Vec<f64>) -> RowSmoothing<'a> {
        self.rows.smoothing(self.row, &|shares: &mut [f64]| mask_out(shares, self.z), shares)
    }
}

// Plain loops from here on: they are compiled for the instruction set that they are inlined into, and closures handed to
// iterators are not.

/// `z - max`.
#[inline(always)]
fn shift<T: Element>(z: &[T], max: f64, shifted: &mut [f64]) {
    for (t, z) in shifted.iter_mut().zip(z) {
        *t = z.widen().to_f64() - max;
    }
}

/// `(1 - epsilon) q + shares`, for the classes from `first` on.
#[inline(always)]
fn smooth(smoothing: &RowSmoothing<'_>, first: usize, given: &[f64], smoothed: &mut [f64]) {
    let rest = 1.0 - smoothing.epsilon;
    match smoothing.shares {
        Shares::Constant(share) => {
            for (smoothed, q) in smoothed.iter_mut().zip(given) {
                *smoothed = rest * q + share;
            }
        }
        Shares::PerClass { factor, values } => {
            for ((smoothed, q), value) in smoothed.iter_mut().zip(given).zip(&values[first..]) {
                *smoothed = rest * q + factor * value;
            }
        }
    }
}

/// Multiplies each class's value by its weight times the factor.
#[inline(always)]
fn weigh(factor: f64, weights: &[f64], values: &mut [f64]) {
    for (value, weight) in values.iter_mut().zip(weights) {
        *value *= factor * weight;
    }
}

/// `-q log q`, where a term of 0 is 0.
#[inline(always)]
fn entropy_terms<S: Simd>(simd: S, q: &[f64], terms: &mut [f64]) {
    for (terms, q) in terms.chunks_exact_mut(WIDTH).zip(q.chunks_exact(WIDTH)) {
        math::entropy_terms(simd, f64x8::from_slice(simd, q)).store_slice(terms);
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
    /// Of coefficients, targets as given and shifted logits, as many as a multiple of [`LANES`] each. Where the logits are
    /// finite, none of the products has to be left out: with a 0 it is a 0, and which one does not matter to a sum that
    /// begins at +0.
    ///
    /// Not generic, so that there is one for each instruction set and not one for each element type too.
    fn of_block<const IS_FINITE: bool>(level: Level, a: &[f64], q: &[f64], t: &[f64]) -> Self {
        dispatch!(level, simd => {
            let part = |part: usize| Self::of_part::<_, IS_FINITE>(simd, part, a, q, t);
            let parts = [part(0), part(1), part(2), part(3)];
            let sum = |which: usize| join(f64::fold(simd, &parts.map(|sums| sums[which])).as_slice());
            Self { of_others: sum(0), shifted: sum(1), given: sum(2), given_shifted: sum(3), offset: 0.0 }
        })
    }

    /// The lanes of every fourth vector, counted from one of the first four. All of the lanes at once would take more registers
    /// than most processors have.
    #[inline(always)]
    fn of_part<S: Simd, const IS_FINITE: bool>(simd: S, part: usize, a: &[f64], q: &[f64], t: &[f64]) -> [f64x8<S>; 4] {
        let [mut others, mut shifted, mut given, mut given_shifted] = [f64x8::splat(simd, 0.0); 4];
        for ((a, q), t) in a.chunks_exact(LANES).zip(q.chunks_exact(LANES)).zip(t.chunks_exact(LANES)) {
            let vector = |values: &[f64]| f64x8::from_slice(simd, &values[part * WIDTH..(part + 1) * WIDTH]);
            let (a, q, t) = (vector(a), vector(q), vector(t));
            others += a;
            given += q;
            if IS_FINITE {
                shifted += a * t;
                given_shifted += q * t;
            } else {
                shifted += a.times_selected(t);
                given_shifted += q.times_selected(t);
            }
        }
        [others, shifted, given, given_shifted]
    }

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
