//! The formula itself, on the few numbers of a row that everything else boils down to; all in `f64`, for one row or for
//! eight at once.

use std::ops::{Add, Mul, Neg, Sub};

use fearless_simd::prelude::*;
use fearless_simd::{Simd, f64x8};

use crate::parts::Sums;

/// The numbers that the formula is written in: those of one row, or of eight rows.
pub(super) trait Real:
    Copy
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Neg<Output = Self>
    + Add<f64, Output = Self>
    + Mul<f64, Output = Self>
{
    /// A truth value for each row.
    type Mask: Copy;

    /// The same number for each row.
    fn constant(self, value: f64) -> Self;

    /// `1 / self`.
    fn reciprocal(self) -> Self;

    fn is_above(self, value: f64) -> Self::Mask;

    fn is_zero(self) -> Self::Mask;

    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;

    /// The number where the mask is set, 0 elsewhere.
    #[inline(always)]
    fn only_if(self, mask: Self::Mask) -> Self {
        Self::select(mask, self, self.constant(0.0))
    }

    /// 0 where the mask is set, the number elsewhere.
    #[inline(always)]
    fn unless(self, mask: Self::Mask) -> Self {
        Self::select(mask, self.constant(0.0), self)
    }

    /// `self * t`, left out where `self` is 0, however large `t` is.
    #[inline(always)]
    fn times_selected(self, t: Self) -> Self {
        (self * t).unless(self.is_zero())
    }
}

impl Real for f64 {
    type Mask = bool;

    #[inline(always)]
    fn constant(self, value: f64) -> Self {
        value
    }

    #[inline(always)]
    fn reciprocal(self) -> Self {
        1.0 / self
    }

    #[inline(always)]
    fn is_above(self, value: f64) -> bool {
        self > value
    }

    #[inline(always)]
    fn is_zero(self) -> bool {
        self == 0.0
    }

    #[inline(always)]
    fn select(mask: bool, yes: Self, no: Self) -> Self {
        if mask { yes } else { no }
    }
}

impl<S: Simd> Real for f64x8<S> {
    type Mask = <Self as SimdBase<S>>::Mask;

    #[inline(always)]
    fn constant(self, value: f64) -> Self {
        Self::splat(self.token(), value)
    }

    #[inline(always)]
    fn reciprocal(self) -> Self {
        Self::splat(self.token(), 1.0) / self
    }

    #[inline(always)]
    fn is_above(self, value: f64) -> Self::Mask {
        self.simd_gt(Real::constant(self, value))
    }

    #[inline(always)]
    fn is_zero(self) -> Self::Mask {
        self.simd_eq(Real::constant(self, 0.0))
    }

    #[inline(always)]
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
        mask.select(yes, no)
    }
}

/// The sums of a row's logits.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowSums<R> {
    /// The largest logit.
    pub(super) max: R,
    /// `S_o`: the sum of `exp(t_c)` over the other columns, `t_c = z_c - max`.
    pub(super) others: R,
    /// `lse' = log1p(S_o)`.
    pub(super) lse: R,
}

/// What the formula takes of a row's coefficients `a_c`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Coefficients<R> {
    /// `A`, their sum.
    pub(super) total: R,
    /// `R`, their sum without the column of the maximum.
    pub(super) total_of_others: R,
    /// `a_m`, that of the column of the maximum.
    pub(super) at_maximum: R,
    /// `D = sum_c a_c t_c`.
    pub(super) shifted: R,
    /// The sum of the target as given.
    pub(super) given: R,
    /// `sum_c q_c t_c` of the target as given.
    pub(super) given_shifted: R,
    /// The factor of `lse^2`.
    pub(super) z_factor: R,
    /// The entropy to take off.
    pub(super) offset: R,
}

/// The losses of a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Losses<R> {
    /// The row loss.
    pub(super) loss: R,
    /// That of the target as given: the plain negative log-likelihood.
    pub(super) nll: R,
    /// How much of the row loss is `z_loss lse^2`.
    pub(super) z_loss: R,
}

impl<R: Real> Losses<R> {
    /// `L = A lse' - sum_c a_c t_c + z_loss lse^2 - offset`; never `A lse - sum_c a_c z_c`, which cancels at large
    /// offsets.
    #[inline(always)]
    pub(super) fn new(a: &Coefficients<R>, row: &RowSums<R>) -> Self {
        let lse = row.max + row.lse;
        // The square of a large logit is infinite, which must not matter without a z-loss.
        let z_loss = a.z_factor.times_selected(lse * lse);
        let loss = ((a.total * row.lse - a.shifted) + z_loss) - a.offset;
        Self { loss, nll: a.given * row.lse - a.given_shifted, z_loss }
    }
}

impl Losses<f64> {
    /// What the row adds to the sums of the batch.
    pub(super) fn sums(self, is_correct: bool) -> Sums {
        let Self { loss, nll, z_loss } = self;
        Sums { loss: loss.into(), nll: nll.into(), z_loss: z_loss.into(), correct: u64::from(is_correct) }
    }
}

/// What the gradient of a row is made of, with the batch's factor `f` in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowGradient<R> {
    factor: f64,
    /// `B = A + 2 z_loss lse`.
    total: R,
    /// `1 / S`.
    one_over_sum: R,
    /// `f B / S`: what `exp(t_k)` is multiplied by.
    pub(super) probability: R,
    /// `f g_m`, of the column of the maximum.
    pub(super) at_maximum: R,
}

impl<R: Real> RowGradient<R> {
    #[inline(always)]
    pub(super) fn new(a: &Coefficients<R>, row: &RowSums<R>, factor: f64) -> Self {
        let one_over_sum = (row.others + 1.0).reciprocal();
        let of_z = a.z_factor * (row.max + row.lse) * 2.0;
        let total = a.total + of_z;
        // g_m = A p_m - a_m is R - A S_o / S as well, which does not cancel where p_m is near 1.
        let of_target = R::select(
            row.others.is_above(1.0),
            a.total * one_over_sum - a.at_maximum,
            a.total_of_others - a.total * (row.others * one_over_sum),
        );
        let at_maximum = (of_target + of_z * one_over_sum) * factor;
        Self { factor, total, one_over_sum, probability: total * factor * one_over_sum, at_maximum }
    }

    /// `f (B exp(t_k) / S - a_k)`, for one class.
    #[inline(always)]
    pub(super) fn at(&self, exp: R, coefficient: R) -> R {
        (self.total * (exp * self.one_over_sum) - coefficient) * self.factor
    }
}

/// The coefficients of a row of index or mixed targets with no, uniform, or uniform-over-others smoothing: a spread on
/// each class, and two masses on top of it at the target's classes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spread<R> {
    /// The coefficient of each of the target's classes over and above the spread; the second is 0 if they are the same.
    pub(super) hard: [R; 2],
    /// The target as given, likewise.
    pub(super) given: [R; 2],
    /// The coefficient of every class, but of the first of the target's where that has no share.
    pub(super) share: R,
    /// The factor of `lse^2`.
    pub(super) z_factor: R,
    /// The entropy to take off.
    pub(super) offset: R,
}

/// What all rows with a spread have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sharers {
    /// The number of classes.
    pub(super) classes: usize,
    /// Whether the first of the target's classes has no share of the spread.
    pub(super) has_hole: bool,
}

impl<R: Real> Spread<R> {
    /// What the formula takes of them, given which of the target's classes is the column of the maximum, the target's
    /// shifted logits, and the sum of the shifted logits without the hole.
    #[inline(always)]
    pub(super) fn coefficients(
        &self,
        sharers: Sharers,
        is_maximum: [R::Mask; 2],
        t: [R; 2],
        shifted: R,
    ) -> Coefficients<R> {
        let Self { hard, given, share, z_factor, offset } = *self;
        let classes = sharers.classes as f64;
        let (shared, shared_by_others, spread_at_maximum) = if sharers.has_hole {
            let by_others = R::select(is_maximum[0], share * (classes - 1.0), share * (classes - 2.0));
            (share * (classes - 1.0), by_others, share.unless(is_maximum[0]))
        } else {
            (share * classes, share * (classes - 1.0), share)
        };
        let of_target = hard[0].times_selected(t[0]) + hard[1].times_selected(t[1]);
        Coefficients {
            total: (hard[0] + hard[1]) + shared,
            total_of_others: (hard[0].unless(is_maximum[0]) + hard[1].unless(is_maximum[1])) + shared_by_others,
            at_maximum: (hard[0].only_if(is_maximum[0]) + hard[1].only_if(is_maximum[1])) + spread_at_maximum,
            shifted: of_target + share.times_selected(shifted),
            given: given[0] + given[1],
            given_shifted: given[0].times_selected(t[0]) + given[1].times_selected(t[1]),
            z_factor,
            offset,
        }
    }

    /// The coefficients of the target's classes.
    #[inline(always)]
    pub(super) fn at_targets(&self, sharers: Sharers) -> [R; 2] {
        let first = if sharers.has_hole { self.hard[0] } else { self.hard[0] + self.share };
        [first, self.hard[1] + self.share]
    }
}
