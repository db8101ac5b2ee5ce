//! The formula itself, on the few numbers of a row that everything else boils down to; all in `f64`.

use super::batch::RowResult;
use super::general::GeneralRow;
use super::plan::{NO_COLUMN, SpreadRow};

/// The sums of a row's logits.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowSums {
    /// The largest logit.
    pub(super) max: f64,
    /// Its first column, `m`.
    pub(super) column: usize,
    /// `S_o`: the sum of `exp(t_c)` over the other columns, `t_c = z_c - max`.
    pub(super) others: f64,
    /// `lse' = log1p(S_o)`.
    pub(super) lse: f64,
}

impl SpreadRow {
    /// The row's sums over its coefficients, given the shifted logits of the target's classes and the sum of the
    /// shifted logits without the hole.
    #[inline(always)]
    pub(super) fn sums(&self, column: usize, t: [f64; 2], shifted: f64) -> GeneralRow {
        let selected = |mass: f64, t: f64| if mass == 0.0 { 0.0 } else { mass * t };
        let of_target = selected(self.hard[0].1, t[0]) + selected(self.hard[1].1, t[1]);
        GeneralRow {
            total: self.total(),
            total_of_others: self.total_without(column),
            at_maximum: self.coefficient(column),
            shifted: of_target + selected(self.spread, shifted),
            given: self.given[0] + self.given[1],
            given_shifted: selected(self.given[0], t[0]) + selected(self.given[1], t[1]),
            target: self.target(),
            z_factor: self.z_factor,
            offset: self.offset,
        }
    }
}

/// `L = A lse' - sum_c a_c t_c + z_loss lse^2 - offset`; never `A lse - sum_c a_c z_c`, which cancels at large offsets.
#[inline(always)]
pub(super) fn result(row: &GeneralRow, sums: &RowSums) -> RowResult {
    let lse = sums.max + sums.lse;
    RowResult {
        loss: ((row.total * sums.lse - row.shifted) + row.z_factor * (lse * lse)) - row.offset,
        nll: row.given * sums.lse - row.given_shifted,
        correct: u64::from(sums.column == row.target),
    }
}

/// What the gradient of a row is made of, with the batch's factor `f` in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowGradient {
    factor: f64,
    /// `B = A + 2 z_loss lse`.
    total: f64,
    /// `S`.
    sum: f64,
    /// `f B / S`: what `exp(t_k)` is multiplied by.
    pub(super) probability: f64,
    /// `g_m`, of the column of the maximum.
    pub(super) at_maximum: f64,
}

impl RowGradient {
    #[inline(always)]
    pub(super) fn new(row: &GeneralRow, sums: &RowSums, factor: f64) -> Self {
        let sum = 1.0 + sums.others;
        let of_z = 2.0 * row.z_factor * (sums.max + sums.lse);
        let total = row.total + of_z;
        // g_m = A p_m - a_m is R - A S_o / S as well, which does not cancel where p_m is near 1.
        let of_target = if sums.others > 1.0 {
            row.total / sum - row.at_maximum
        } else {
            row.total_of_others - row.total * (sums.others / sum)
        };
        let at_maximum = of_target + of_z / sum;
        Self { factor, total, sum, probability: factor * total / sum, at_maximum: factor * at_maximum }
    }

    /// `f (B exp(t_k) / S - a_k)`, for one class.
    #[inline(always)]
    pub(super) fn at(&self, exp: f64, coefficient: f64) -> f64 {
        self.factor * (self.total * (exp / self.sum) - coefficient)
    }

    /// The classes whose gradient is not that of the spread, and their gradients, in the order in which they are
    /// written; `exp` gives `exp(t)` of a class.
    #[inline(always)]
    pub(super) fn special(&self, row: &SpreadRow, column: usize, exp: impl Fn(usize) -> f64) -> [(usize, f64); 3] {
        let at = |class: usize| {
            if class == column { (NO_COLUMN, 0.0) } else { (class, self.at(exp(class), row.coefficient(class))) }
        };
        [at(row.hard[0].0), at(row.hard[1].0), (column, self.at_maximum)]
    }
}
