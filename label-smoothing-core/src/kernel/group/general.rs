//! The targets of rows of any coefficients, a row in each lane.
//!
//! The arithmetic is that of [`general`](crate::kernel::general), to the bit.

use std::ops::Range;

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, f64x8};

use super::logits::{Wanted, add_to_lane, of_half, tree};
use super::{LogitSums, Logits, Targets};
use crate::kernel::closed_form::{Coefficients, Real, RowGradient};
use crate::kernel::general::WIDTH;
use crate::kernel::lanes::{BLOCK, Float, LANES, MAX_WIDTH};
use crate::kernel::math;
use crate::kernel::rows::{RowSmoothing, Rows};

/// What the targets of a group of rows ask.
///
/// What there is of each class of each row lies in [`octets`](octet): eight rows side by side.
#[derive(Debug)]
pub(in crate::kernel) struct GeneralTargets<'a> {
    classes: usize,
    /// How many times eight rows there are in a group.
    halves: usize,
    is_counted: u64,
    has_z_loss: bool,
    subtracts_entropy: bool,
    /// The batch's factor `f`.
    factor: f64,
    /// The weights of the classes, where each is its class's.
    weights: Option<&'a [f64]>,
    /// What each class gets of the smoothing in every row; nothing where rows have shares of their own.
    common_shares: Vec<f64>,
    /// What each class of each row gets, where rows have shares of their own.
    own_shares: Vec<f64>,
    /// The targets as given; later, in their place, `f a_c`.
    given: Vec<f64>,
    /// `t = z - max`, of eight rows.
    shifted: Vec<f64>,
    /// The lanes of each of the sums, of eight rows.
    lanes: [Vec<f64>; SUMS],
    by_row: ByRow,
}

/// The numbers of each row.
#[derive(Debug)]
struct ByRow {
    /// `1 - epsilon`.
    rest: [f64; MAX_WIDTH],
    /// The weight.
    factor: [f64; MAX_WIDTH],
    z_factor: [f64; MAX_WIDTH],
    sums: [[f64; MAX_WIDTH]; SUMS],
    /// The coefficient in the column of the maximum.
    at_maximum: [f64; MAX_WIDTH],
    /// The first class of the largest probability of the target as given.
    likeliest: [f64; MAX_WIDTH],
}

/// The sums over the classes.
const SUMS: usize = 5;

/// `R`: of the coefficients, without the column of the maximum.
const OF_OTHERS: usize = 0;
/// `D`.
const SHIFTED: usize = 1;
/// Of the target as given.
const GIVEN: usize = 2;
/// Of its products with the shifted logits.
const GIVEN_SHIFTED: usize = 3;
/// The entropy to take off.
const OFFSET: usize = 4;

/// Where a class of eight rows lies: those of rows 0 to 7 class by class, then those of the next eight rows.
#[inline(always)]
pub(in crate::kernel) fn octet(classes: usize, class: usize, half: usize) -> Range<usize> {
    let start = (half * classes + class) * WIDTH;
    start..start + WIDTH
}

impl<'a> GeneralTargets<'a> {
    /// Room for groups of `width` rows; what all rows have in common is there already.
    pub(in crate::kernel) fn new(rows: &'a dyn Rows, classes: usize, width: usize, factor: f64) -> Self {
        let common = rows.common_smoothing();
        let (epsilon, is_common) = (common.map_or(0.0, |common| common.epsilon), common.is_some());
        let shares = |smoothing: RowSmoothing<'_>| (0..classes).map(|class| smoothing.shares.of(class)).collect();
        let by_row = |value: f64| [value; MAX_WIDTH];
        Self {
            classes,
            halves: width / WIDTH,
            is_counted: 0,
            has_z_loss: rows.has_z_loss(),
            subtracts_entropy: rows.subtracts_entropy(),
            factor,
            weights: None,
            common_shares: common.map_or_else(Vec::new, shares),
            own_shares: vec![0.0; if is_common { 0 } else { classes * width }],
            given: vec![0.0; classes * width],
            shifted: vec![0.0; classes * WIDTH],
            lanes: std::array::from_fn(|_| vec![0.0; LANES.min(classes) * WIDTH]),
            by_row: ByRow {
                rest: by_row(1.0 - epsilon),
                factor: by_row(0.0),
                z_factor: by_row(0.0),
                sums: [by_row(0.0); SUMS],
                at_maximum: by_row(0.0),
                likeliest: by_row(0.0),
            },
        }
    }

    /// Asks what the targets of a group of the batch's rows ask. `mask` writes 0 where a logit of one of them, counted from the
    /// group's first, is `-inf`.
    pub(in crate::kernel) fn ask(
        &mut self,
        level: Level,
        rows: &'a dyn Rows,
        of_group: Range<usize>,
        mask: &dyn Fn(usize, &mut [f64]),
        room: &mut Vec<f64>,
    ) {
        self.is_counted = 0;
        rows.given_side_by_side(level, of_group.clone(), room, &mut self.given);
        let mut expected = None;
        for (at, row) in of_group.enumerate().filter(|&(_, row)| rows.is_counted(row)) {
            self.is_counted |= 1 << at;
            let weighting = rows.weighting(row);
            self.by_row.factor[at] = weighting.factor;
            if weighting.is_expected {
                expected = Some(weighting.classes);
            } else {
                self.weights = weighting.classes;
            }
            self.by_row.z_factor[at] = if self.has_z_loss { rows.z_factor(row) } else { 0.0 };
            if self.common_shares.is_empty() {
                let smoothing = rows.smoothing(row, &|shares: &mut [f64]| mask(at, shares), room);
                self.by_row.rest[at] = 1.0 - smoothing.epsilon;
                for class in 0..self.classes {
                    let place = octet(self.classes, class, at / WIDTH).start + at % WIDTH;
                    self.own_shares[place] = smoothing.shares.of(class);
                }
            }
        }
        if let Some(weights) = expected {
            self.expect_weights(level, weights);
        }
    }

    /// Makes the expectation of the classes' weights a factor of each row.
    fn expect_weights(&mut self, level: Level, weights: Option<&[f64]>) {
        dispatch!(level, simd => for half in 0..self.halves {
            let mut sum = f64x8::splat(simd, 0.0);
            for block in (0..self.classes).step_by(BLOCK) {
                let of_block = BLOCK.min(self.classes - block);
                for class in 0..of_block {
                    let mut term = self.smoothed(simd, block + class, half);
                    if let Some(weights) = weights {
                        term *= weights[block + class];
                    }
                    add_to_lane::<_, f64>(simd, &mut self.lanes[GIVEN], class, term);
                }
                sum += tree::<_, f64>(simd, &self.lanes[GIVEN], of_block.min(LANES))[0];
            }
            let factor = &mut self.by_row.factor[half * WIDTH..(half + 1) * WIDTH];
            (f64x8::from_slice(simd, factor) * sum).store_slice(factor);
        });
    }

    /// The smoothed target of a class.
    #[inline(always)]
    fn smoothed<S: Simd>(&self, simd: S, class: usize, half: usize) -> f64x8<S> {
        let place = octet(self.classes, class, half);
        let share = match self.common_shares.get(class) {
            Some(&share) => f64x8::splat(simd, share),
            None => f64x8::from_slice(simd, &self.own_shares[place.clone()]),
        };
        of_half(simd, half, &self.by_row.rest) * f64x8::from_slice(simd, &self.given[place]) + share
    }

    /// Adds up the coefficients of eight rows, whose shifted logits are there, given the columns of their maxima. Not generic,
    /// so that there is one for each instruction set and not one for each type too.
    fn add_up(&mut self, level: Level, half: usize, columns: &[f64]) {
        dispatch!(level, simd => {
            let mut totals = Totals::new(simd, columns);
            let factor = of_half(simd, half, &self.by_row.factor);
            for block in (0..self.classes).step_by(BLOCK) {
                let of_block = BLOCK.min(self.classes - block);
                for at in 0..of_block {
                    self.add_class(simd, half, block + at, at, factor, &mut totals);
                }
                let used = of_block.min(LANES);
                for (sum, lanes) in totals.sums[..OFFSET].iter_mut().zip(&self.lanes) {
                    *sum += tree::<_, f64>(simd, lanes, used)[0];
                }
                if self.subtracts_entropy {
                    totals.sums[OFFSET] += factor * tree::<_, f64>(simd, &self.lanes[OFFSET], used)[0];
                }
            }
            let rows = half * WIDTH..(half + 1) * WIDTH;
            for (sum, place) in totals.sums.iter().zip(&mut self.by_row.sums) {
                sum.store_slice(&mut place[rows.clone()]);
            }
            totals.at_maximum.store_slice(&mut self.by_row.at_maximum[rows.clone()]);
            totals.likeliest.store_slice(&mut self.by_row.likeliest[rows]);
        });
    }

    /// Forms the coefficients of a class of eight rows and adds them to its lane.
    #[inline(always)]
    fn add_class<S: Simd>(
        &mut self,
        simd: S,
        half: usize,
        class: usize,
        at: usize,
        factor: f64x8<S>,
        totals: &mut Totals<S>,
    ) {
        let (place, zero) = (octet(self.classes, class, half), f64x8::splat(simd, 0.0));
        let t = f64x8::from_slice(simd, &self.shifted[class * WIDTH..(class + 1) * WIDTH]);
        let q = f64x8::from_slice(simd, &self.given[place.clone()]);
        let smoothed = self.smoothed(simd, class, half);
        let a = match self.weights {
            Some(weights) => smoothed * (factor * weights[class]),
            None => smoothed * factor,
        };
        let is_maximum = totals.column.simd_eq(totals.here);
        totals.at_maximum = is_maximum.select(a, totals.at_maximum);
        let of_others = is_maximum.select(zero, a);
        let terms = [of_others, of_others.times_selected(t), q, q.times_selected(t)];
        for (lanes, term) in self.lanes.iter_mut().zip(terms) {
            add_to_lane::<S, f64>(simd, lanes, at, term);
        }
        if self.subtracts_entropy {
            let term = math::entropy_terms(simd, smoothed);
            add_to_lane::<S, f64>(simd, &mut self.lanes[OFFSET], at, term);
        }
        totals.compare(q);
        (a * self.factor).store_slice(&mut self.given[place]);
    }
}

/// What the classes of eight rows add up to so far.
struct Totals<S: Simd> {
    /// The columns of the maxima.
    column: f64x8<S>,
    /// The class that comes next.
    here: f64x8<S>,
    sums: [f64x8<S>; SUMS],
    at_maximum: f64x8<S>,
    /// The largest probability of the target as given.
    largest: f64x8<S>,
    /// Its first class.
    likeliest: f64x8<S>,
}

impl<S: Simd> Totals<S> {
    #[inline(always)]
    fn new(simd: S, columns: &[f64]) -> Self {
        let zero = f64x8::splat(simd, 0.0);
        Self {
            column: f64x8::from_slice(simd, columns),
            here: zero,
            sums: [zero; SUMS],
            at_maximum: zero,
            largest: f64x8::splat(simd, -1.0),
            likeliest: zero,
        }
    }

    /// Looks at a class's probability, and goes on to the next class.
    #[inline(always)]
    fn compare(&mut self, q: f64x8<S>) {
        let is_likelier = q.simd_gt(self.largest);
        self.largest = is_likelier.select(q, self.largest);
        self.likeliest = is_likelier.select(self.here, self.likeliest);
        self.here += 1.0;
    }
}

impl<W: Float> Targets<W> for GeneralTargets<'_> {
    fn classes(&self) -> usize {
        self.classes
    }

    fn is_counted(&self) -> u64 {
        self.is_counted
    }

    fn has_z_loss(&self) -> bool {
        self.has_z_loss
    }

    fn wanted(&self) -> Option<Wanted<'_, W>> {
        None
    }

    fn look(&mut self, level: Level, logits: &Logits<'_, W>, of_rows: &LogitSums<W>) {
        let Logits { z, stride } = *logits;
        for half in 0..W::HALVES {
            let mut columns = [0.0; WIDTH];
            dispatch!(level, simd => {
                let max = LogitSums::of_half(simd, half, &of_rows.max);
                for (class, t) in self.shifted.chunks_exact_mut(WIDTH).enumerate() {
                    let z = W::Vector::from_slice(simd, &z[class * stride..class * stride + W::WIDTH]);
                    (W::widen_vector(simd, z)[half] - max).store_slice(t);
                }
                LogitSums::of_half(simd, half, &of_rows.column).store_slice(&mut columns);
            });
            self.add_up(level, half, &columns);
        }
    }

    #[inline(always)]
    fn likeliest<S: Simd>(&self, simd: S) -> W::Vector<S> {
        let likeliest = |half: usize| of_half(simd, half, &self.by_row.likeliest);
        W::narrow_vector(simd, [likeliest(0), likeliest(W::HALVES - 1)])
    }

    #[inline(always)]
    fn coefficients<S: Simd>(&self, simd: S, half: usize, _: &LogitSums<W>) -> Coefficients<f64x8<S>> {
        let sum = |which: usize| of_half(simd, half, &self.by_row.sums[which]);
        let at_maximum = of_half(simd, half, &self.by_row.at_maximum);
        Coefficients {
            total: sum(OF_OTHERS) + at_maximum,
            total_of_others: sum(OF_OTHERS),
            at_maximum,
            shifted: sum(SHIFTED),
            given: sum(GIVEN),
            given_shifted: sum(GIVEN_SHIFTED),
            z_factor: of_half(simd, half, &self.by_row.z_factor),
            offset: sum(OFFSET),
        }
    }

    #[inline(always)]
    fn keep_gradient<S: Simd>(&mut self, _: S, _: &LogitSums<W>, _: [RowGradient<f64x8<S>>; 2]) {}

    #[inline(always)]
    fn gradient<S: Simd>(
        &self,
        simd: S,
        class: usize,
        _: W::Vector<S>,
        e: W::Vector<S>,
        probability: W::Vector<S>,
    ) -> W::Vector<S> {
        let coefficient = |half: usize| f64x8::from_slice(simd, &self.given[octet(self.classes, class, half)]);
        let coefficient = W::narrow_vector(simd, [coefficient(0), coefficient(W::HALVES - 1)]);
        W::fused(simd, e, probability, -coefficient)
    }
}
