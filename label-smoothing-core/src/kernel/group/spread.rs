//! The targets of rows whose coefficients are a spread, a row in each lane.

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, f64x8};

use super::logits::{Wanted, of_half};
use super::{LogitSums, Logits, Targets};
use crate::kernel::closed_form::{Coefficients, RowGradient, Sharers, Spread};
use crate::kernel::lanes::{Float, MAX_WIDTH};
use crate::kernel::plan::{SpreadPlan, SpreadRow};

/// What the targets of a group of rows ask, by row.
#[derive(Debug)]
pub(in crate::kernel) struct SpreadTargets<W> {
    /// The target's classes, as numbers.
    classes: [[W; MAX_WIDTH]; 2],
    /// Of two target classes, that whose being the maximum is a correct prediction.
    likeliest: [W; MAX_WIDTH],
    /// Which rows are counted. A bit for each.
    is_counted: u64,
    spread: Spread<[f64; MAX_WIDTH]>,
    sharers: Sharers,
    /// Whether the second class is another than the first.
    is_mixed: bool,
    has_z_loss: bool,
    /// The batch's factor `f`.
    factor: f64,
    gradient: Gradient<W>,
}

/// What the gradient is made of besides the probabilities, with the batch's factor in it.
#[derive(Debug)]
struct Gradient<W> {
    /// `f a_c` of the spread.
    spread: [W; MAX_WIDTH],
    /// The gradients of the target's classes.
    at_targets: [[W; MAX_WIDTH]; 2],
}

impl<W: Float> SpreadTargets<W> {
    /// Room for groups of rows; the coefficients that all rows have in common are there already.
    pub(in crate::kernel) fn new(plan: &SpreadPlan, factor: f64) -> Self {
        let nothing = Spread { hard: [0.0; 2], given: [0.0; 2], share: 0.0, z_factor: 0.0, offset: 0.0 };
        let spread = plan.common.map_or(nothing, |common| common.spread());
        let zeros = [W::default(); MAX_WIDTH];
        Self {
            classes: [zeros; 2],
            likeliest: zeros,
            is_counted: 0,
            spread: Spread::of_all(&spread),
            sharers: plan.sharers,
            is_mixed: plan.is_mixed,
            has_z_loss: plan.has_z_loss,
            factor,
            gradient: Gradient { spread: zeros, at_targets: [zeros; 2] },
        }
    }

    /// Starts another group.
    pub(in crate::kernel) fn clear(&mut self) {
        self.is_counted = 0;
    }

    /// Sets a row whose coefficients are those of all rows; no class where it is not counted.
    #[inline(always)]
    pub(in crate::kernel) fn set_class(&mut self, row: usize, class: Option<i64>) {
        self.is_counted |= u64::from(class.is_some()) << row;
        // Of a signed number, which is what processors convert.
        self.classes[0][row] = W::from_f64(class.unwrap_or(0) as f64);
    }

    /// Sets a counted row.
    #[inline(always)]
    pub(in crate::kernel) fn set_row(&mut self, row: usize, target: &SpreadRow) {
        let number = |class: usize| W::from_f64(class as f64);
        self.is_counted |= 1 << row;
        self.classes[0][row] = number(target.classes[0]);
        self.classes[1][row] = number(target.classes[1]);
        self.likeliest[row] = number(target.likeliest());
        self.spread.set(row, &target.spread);
    }

    #[inline(always)]
    fn number<S: Simd>(&self, simd: S, which: usize) -> W::Vector<S> {
        W::Vector::from_slice(simd, &self.classes[which][..W::WIDTH])
    }
}

impl<W: Float> Targets<W> for SpreadTargets<W> {
    fn classes(&self) -> usize {
        self.sharers.classes
    }

    fn is_counted(&self) -> u64 {
        self.is_counted
    }

    fn has_z_loss(&self) -> bool {
        self.has_z_loss
    }

    fn wanted(&self) -> Option<Wanted<'_, W>> {
        Some(Wanted { classes: &self.classes, is_mixed: self.is_mixed, is_hole: self.sharers.has_hole })
    }

    fn look(&mut self, _: Level, _: &Logits<'_, W>, _: &LogitSums<W>) {}

    #[inline(always)]
    fn likeliest<S: Simd>(&self, simd: S) -> W::Vector<S> {
        let classes = if self.is_mixed { &self.likeliest } else { &self.classes[0] };
        W::Vector::from_slice(simd, &classes[..W::WIDTH])
    }

    #[inline(always)]
    fn coefficients<S: Simd>(&self, simd: S, half: usize, of_rows: &LogitSums<W>) -> Coefficients<f64x8<S>> {
        let wide = |numbers: &[W; MAX_WIDTH]| LogitSums::of_half(simd, half, numbers);
        let (column, max) = (wide(&of_rows.column), wide(&of_rows.max));
        let is_maximum = [column.simd_eq(wide(&self.classes[0])), column.simd_eq(wide(&self.classes[1]))];
        let t = [wide(&of_rows.z[0]) - max, wide(&of_rows.z[1]) - max];
        let shifted = of_half(simd, half, &of_rows.shifted);
        self.spread.half(simd, half).coefficients(self.sharers, is_maximum, t, shifted)
    }

    #[inline(always)]
    fn keep_gradient<S: Simd>(&mut self, simd: S, of_rows: &LogitSums<W>, gradients: [RowGradient<f64x8<S>>; 2]) {
        let zero = f64x8::splat(simd, 0.0);
        let (mut spread, mut at_targets) = ([zero; 2], [[zero; 2]; 2]);
        for half in 0..W::HALVES {
            let target = self.spread.half(simd, half);
            let of_targets = target.at_targets(self.sharers);
            spread[half] = target.share * self.factor;
            for which in 0..=usize::from(self.is_mixed) {
                let e = LogitSums::of_half(simd, half, &of_rows.e[which]);
                at_targets[which][half] = gradients[half].at(e, of_targets[which]);
            }
        }
        let [first, second] = &mut self.gradient.at_targets;
        let places = [&mut self.gradient.spread, first, second];
        for (wide, place) in [spread, at_targets[0], at_targets[1]].into_iter().zip(places) {
            W::narrow_vector(simd, wide).store_slice(&mut place[..W::WIDTH]);
        }
    }

    #[inline(always)]
    fn gradient<S: Simd>(
        &self,
        simd: S,
        _: usize,
        here: W::Vector<S>,
        e: W::Vector<S>,
        probability: W::Vector<S>,
    ) -> W::Vector<S> {
        let vector = |values: &[W; MAX_WIDTH]| W::Vector::from_slice(simd, &values[..W::WIDTH]);
        let mut g = W::fused(simd, e, probability, -vector(&self.gradient.spread));
        if self.is_mixed {
            g = self.number(simd, 1).simd_eq(here).select(vector(&self.gradient.at_targets[1]), g);
        }
        self.number(simd, 0).simd_eq(here).select(vector(&self.gradient.at_targets[0]), g)
    }
}

impl Spread<[f64; MAX_WIDTH]> {
    /// The same for every row.
    fn of_all(row: &Spread<f64>) -> Self {
        Spread {
            hard: row.hard.map(|value| [value; MAX_WIDTH]),
            given: row.given.map(|value| [value; MAX_WIDTH]),
            share: [row.share; MAX_WIDTH],
            z_factor: [row.z_factor; MAX_WIDTH],
            offset: [row.offset; MAX_WIDTH],
        }
    }

    /// Sets one row's.
    fn set(&mut self, at: usize, row: &Spread<f64>) {
        for which in 0..2 {
            self.hard[which][at] = row.hard[which];
            self.given[which][at] = row.given[which];
        }
        self.share[at] = row.share;
        self.z_factor[at] = row.z_factor;
        self.offset[at] = row.offset;
    }

    /// Those of eight rows.
    #[inline(always)]
    fn half<S: Simd>(&self, simd: S, half: usize) -> Spread<f64x8<S>> {
        let rows = |numbers: &[f64; MAX_WIDTH]| of_half(simd, half, numbers);
        Spread {
            hard: [rows(&self.hard[0]), rows(&self.hard[1])],
            given: [rows(&self.given[0]), rows(&self.given[1])],
            share: rows(&self.share),
            z_factor: rows(&self.z_factor),
            offset: rows(&self.offset),
        }
    }
}
