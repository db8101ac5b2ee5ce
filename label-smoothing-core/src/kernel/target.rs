//! What becomes of a row's target, class by class: the coefficients and what they add up to.
//!
//! Coefficients are formed in registers, of targets as given in the logits' type or in `f64`. So a row of probabilities
//! costs one more stream of reads: its gradient forms them again.

use std::ops::Range;

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, f64x8};

use super::closed_form::Real;
use super::general::{GeneralSums, WIDTH};
use super::lanes::{Float, LANES, join, masked};
use super::plan::NO_COLUMN;
use super::rows::{RowSmoothing, Shares};
use crate::element::Element;

/// Columns whose sums are in registers at once. All of the [`LANES`] would take more than most processors have.
const PAIR: usize = 2 * WIDTH;

/// What becomes of a row's target.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) smoothing: RowSmoothing<'a>,
    /// The weight of the row.
    pub(super) factor: f64,
    /// The weights of its classes.
    pub(super) weights: Option<&'a [f64]>,
}

impl RowSmoothing<'_> {
    /// `(1 - epsilon) q + shares`, of eight classes from `class` on.
    #[inline(always)]
    pub(super) fn smooth<S: Simd>(&self, simd: S, q: f64x8<S>, class: usize) -> f64x8<S> {
        let kept = q * (1.0 - self.epsilon);
        match self.shares {
            Shares::Constant(share) => kept + share,
            Shares::PerClass { factor, values } => kept + eight(simd, values, class) * factor,
        }
    }
}

/// How coefficients are formed.
pub(super) trait Formula<S: Simd> {
    /// Those of eight classes from `class` on, whose target as given is `q`.
    fn coefficients(&self, simd: S, q: f64x8<S>, class: usize) -> f64x8<S>;
}

/// Any target; there may be fewer than eight classes.
impl<S: Simd> Formula<S> for Target<'_> {
    #[inline(always)]
    fn coefficients(&self, simd: S, q: f64x8<S>, class: usize) -> f64x8<S> {
        let smoothed = self.smoothing.smooth(simd, q, class);
        match self.weights {
            Some(weights) => smoothed * (eight(simd, weights, class) * self.factor),
            None => smoothed * self.factor,
        }
    }
}

/// Targets whose smoothing and weight are the same for each class.
pub(super) struct Uniform<S: Simd> {
    rest: f64x8<S>,
    share: f64x8<S>,
    factor: f64x8<S>,
}

impl<S: Simd> Formula<S> for Uniform<S> {
    #[inline(always)]
    fn coefficients(&self, _: S, q: f64x8<S>, _: usize) -> f64x8<S> {
        (q * self.rest + self.share) * self.factor
    }
}

/// Targets whose smoothing is a distribution.
pub(super) struct Distributed<'a, S: Simd> {
    rest: f64x8<S>,
    epsilon: f64x8<S>,
    values: &'a [f64],
    factor: f64x8<S>,
}

impl<S: Simd> Formula<S> for Distributed<'_, S> {
    #[inline(always)]
    fn coefficients(&self, simd: S, q: f64x8<S>, class: usize) -> f64x8<S> {
        let shares = f64x8::from_slice(simd, &self.values[class..class + WIDTH]) * self.epsilon;
        (q * self.rest + shares) * self.factor
    }
}

/// The formula of a target: where it is a common one, without questions in the loop over the classes.
pub(super) enum Kind<'a, S: Simd> {
    Uniform(Uniform<S>),
    Distributed(Distributed<'a, S>),
    Other(Target<'a>),
}

impl<'a> Target<'a> {
    #[inline(always)]
    pub(super) fn kind<S: Simd>(&self, simd: S) -> Kind<'a, S> {
        let (rest, factor) = (f64x8::splat(simd, 1.0 - self.smoothing.epsilon), f64x8::splat(simd, self.factor));
        match (self.weights, self.smoothing.shares) {
            (None, Shares::Constant(share)) => {
                Kind::Uniform(Uniform { rest, share: f64x8::splat(simd, share), factor })
            }
            (None, Shares::PerClass { factor: epsilon, values }) => {
                Kind::Distributed(Distributed { rest, epsilon: f64x8::splat(simd, epsilon), values, factor })
            }
            (Some(_), _) => Kind::Other(*self),
        }
    }
}

/// Eight values from `at` on, 0 where there are none.
#[inline(always)]
pub(super) fn eight<S: Simd>(simd: S, values: &[f64], at: usize) -> f64x8<S> {
    f64x8::from_slice(simd, padded(values, at, WIDTH, &mut [0.0; WIDTH]))
}

/// [`PAIR`] values in `f64`.
#[inline(always)]
fn widened<S: Simd, T: Element>(simd: S, values: &[T]) -> [f64x8<S>; 2] {
    let (low, high) = values.split_at(T::Wide::WIDTH);
    let halves = T::Wide::widen_vector(simd, T::load(simd, low));
    if high.is_empty() { halves } else { [halves[0], T::Wide::widen_vector(simd, T::load(simd, high))[0]] }
}

/// So many values from `at` on; where they end, in `room`, which holds what follows them.
#[inline(always)]
pub(super) fn padded<'v, T: Copy>(values: &'v [T], at: usize, count: usize, room: &'v mut [T]) -> &'v [T] {
    if let Some(values) = values.get(at..at + count) {
        return values;
    }
    let rest = values.get(at..).unwrap_or_default();
    room[..rest.len()].copy_from_slice(rest);
    &room[..count]
}

/// Some columns of one block of a row.
pub(super) struct Block<'b, T, Q> {
    pub(super) target: &'b Target<'b>,
    /// The class of the first column.
    pub(super) first: usize,
    /// The target of each column as given.
    pub(super) given: &'b [Q],
    /// The logits, and what follows them in memory.
    pub(super) z: &'b [T],
    /// The maximum of the row.
    pub(super) max: f64,
    /// Its column, counted from the first; it may be none of these.
    pub(super) m: usize,
    /// Whether the logits are known to be finite, which saves time.
    pub(super) is_finite: bool,
}

/// The lanes of the sums: of `a`, `a t`, `q` and `q t`.
type Lanes<S> = [[f64x8<S>; 2]; 4];

impl<T: Element, Q: Element> Block<'_, T, Q> {
    /// What the columns add up to, and the coefficient in that of the maximum. The coefficients are left in `kept`, which has
    /// room for a multiple of [`LANES`], if they are to be kept.
    pub(super) fn add_up<const KEEPS: bool>(&self, level: Level, kept: &mut [f64]) -> (GeneralSums, f64) {
        dispatch!(level, simd => match self.target.kind(simd) {
            Kind::Uniform(formula) => self.add::<_, KEEPS>(simd, &formula, kept),
            Kind::Distributed(formula) => self.add::<_, KEEPS>(simd, &formula, kept),
            Kind::Other(target) => self.add::<_, KEEPS>(simd, &target, kept),
        })
    }

    #[inline(always)]
    fn add<S: Simd, const KEEPS: bool>(
        &self,
        simd: S,
        formula: &impl Formula<S>,
        kept: &mut [f64],
    ) -> (GeneralSums, f64) {
        let count = self.given.len();
        // Whole groups of lanes on either side of the one that holds the maximum; that one, and what is left at the end.
        let whole = if self.is_finite { count / LANES * LANES } else { 0 };
        let special = (self.m / LANES * LANES).min(whole);
        let after = (special + LANES).min(whole);
        let mut lanes = [[f64x8::splat(simd, 0.0); 4]; 4];
        let mut at_maximum = 0.0;
        for (lane, part) in [(0, 0), (PAIR, 2)] {
            let mut sums: Lanes<S> = [[f64x8::splat(simd, 0.0); 2]; 4];
            for (run, others) in [(0..special, special..after), (after..whole, whole..count)] {
                self.add_run::<S, KEEPS>(simd, formula, lane, run, &mut sums, kept);
                for at in others.step_by(LANES) {
                    at_maximum += self.add_special::<S, KEEPS>(simd, at + lane, &mut sums, kept);
                }
            }
            for (lanes, [low, high]) in lanes.iter_mut().zip(sums) {
                (lanes[part], lanes[part + 1]) = (low, high);
            }
        }
        let [of_others, shifted, given, given_shifted] = lanes;
        let sum = |lanes: [f64x8<S>; 4]| join(f64::fold(simd, &lanes).as_slice());
        let (of_others, shifted, given, given_shifted) = (sum(of_others), sum(shifted), sum(given), sum(given_shifted));
        (GeneralSums { of_others, shifted, given, given_shifted, offset: 0.0 }, at_maximum)
    }

    /// Adds the [`PAIR`] of lanes from `lane` on, of whole groups of them, whose logits are finite and not the maximum.
    #[inline(always)]
    fn add_run<S: Simd, const KEEPS: bool>(
        &self,
        simd: S,
        formula: &impl Formula<S>,
        lane: usize,
        columns: Range<usize>,
        sums: &mut Lanes<S>,
        kept: &mut [f64],
    ) {
        let [mut others, mut shifted, mut given, mut given_shifted] = *sums;
        let (max, mut at) = (f64x8::splat(simd, self.max), columns.start + lane);
        let groups = self.given[columns.clone()].chunks_exact(LANES).zip(self.z[columns].chunks_exact(LANES));
        for (q, z) in groups {
            let (q, z) = (widened(simd, &q[lane..lane + PAIR]), widened(simd, &z[lane..lane + PAIR]));
            for half in 0..2 {
                let (q, t) = (q[half], z[half] - max);
                let a = formula.coefficients(simd, q, self.first + at + half * WIDTH);
                if KEEPS {
                    a.store_slice(&mut kept[at + half * WIDTH..at + (half + 1) * WIDTH]);
                }
                // None of the products has to be left out: with a 0 it is a 0, and which one does not matter to a sum that
                // begins at +0.
                others[half] += a;
                shifted[half] += a * t;
                given[half] += q;
                given_shifted[half] += q * t;
            }
            at += LANES;
        }
        *sums = [others, shifted, given, given_shifted];
    }

    /// Adds [`PAIR`] columns from `at` on of any kind; the coefficient in the column of the maximum, if it is one of them.
    #[inline(always)]
    fn add_special<S: Simd, const KEEPS: bool>(
        &self,
        simd: S,
        at: usize,
        sums: &mut Lanes<S>,
        kept: &mut [f64],
    ) -> f64 {
        let mut at_maximum = 0.0;
        let (mut q, mut z) = ([Q::default(); PAIR], [T::default(); PAIR]);
        let (q, z) = (padded(self.given, at, PAIR, &mut q), padded(self.z, at, PAIR, &mut z));
        let (q, z) = (widened(simd, q), widened(simd, z));
        for half in 0..2 {
            let (q, at) = (q[half], at + half * WIDTH);
            let counted = self.given.len().saturating_sub(at);
            let t = masked::<S, f64>(simd, z[half] - self.max, counted, NO_COLUMN);
            let a = self.target.coefficients(simd, q, self.first + at);
            let a = masked::<S, f64>(simd, a, counted, NO_COLUMN);
            if KEEPS {
                a.store_slice(&mut kept[at..at + WIDTH]);
            }
            // The column of the maximum is kept out. Its shifted logit is 0, so that only `R` sees the difference.
            let m = self.m.wrapping_sub(at);
            at_maximum += a.as_slice().get(m).copied().unwrap_or_default();
            let a = masked::<S, f64>(simd, a, counted, m);
            let terms = [a, a.times_selected(t), q, q.times_selected(t)];
            for (sum, term) in sums.iter_mut().zip(terms) {
                sum[half] += term;
            }
        }
        at_maximum
    }
}
