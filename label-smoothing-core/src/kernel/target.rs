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
use super::math;
use super::plan::NO_COLUMN;
use super::rows::{RowSmoothing, Shares};
use crate::element::Element;

/// Columns whose sums are in registers at once. All of the [`LANES`] would take more than any processor has.
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

/// Targets with class weights: another formula, whose factor is 1, and the weights times the row's.
pub(super) struct Weighted<'a, S: Simd, F> {
    smoothed: F,
    weights: &'a [f64],
    factor: f64x8<S>,
}

impl<S: Simd, F: Formula<S>> Formula<S> for Weighted<'_, S, F> {
    #[inline(always)]
    fn coefficients(&self, simd: S, q: f64x8<S>, class: usize) -> f64x8<S> {
        let weights = f64x8::from_slice(simd, &self.weights[class..class + WIDTH]) * self.factor;
        self.smoothed.coefficients(simd, q, class) * weights
    }
}

/// The formula of a target: without a question in the loop over the classes, where speed is promised.
pub(super) enum Kind<'a, S: Simd> {
    Any(Target<'a>),
    Uniform(Uniform<S>),
    Distributed(Distributed<'a, S>),
    WeightedUniform(Weighted<'a, S, Uniform<S>>),
    WeightedDistributed(Weighted<'a, S, Distributed<'a, S>>),
}

impl<'a> Target<'a> {
    #[inline(always)]
    pub(super) fn kind<S: Simd>(&self, simd: S) -> Kind<'a, S> {
        if !math::has_fused(simd) {
            return Kind::Any(*self);
        }
        let splat = |value: f64| f64x8::splat(simd, value);
        let (rest, weight) = (splat(1.0 - self.smoothing.epsilon), splat(self.factor));
        let factor = if self.weights.is_some() { splat(1.0) } else { weight };
        match (self.smoothing.shares, self.weights) {
            (Shares::Constant(share), weights) => {
                let smoothed = Uniform { rest, share: splat(share), factor };
                match weights {
                    Some(weights) => Kind::WeightedUniform(Weighted { smoothed, weights, factor: weight }),
                    None => Kind::Uniform(smoothed),
                }
            }
            (Shares::PerClass { factor: epsilon, values }, weights) => {
                let smoothed = Distributed { rest, epsilon: splat(epsilon), values, factor };
                match weights {
                    Some(weights) => Kind::WeightedDistributed(Weighted { smoothed, weights, factor: weight }),
                    None => Kind::Distributed(smoothed),
                }
            }
        }
    }
}

/// Of any target, and at the row's end of fewer classes: with questions.
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

/// Eight values from `at` on, 0 where there are none.
#[inline(always)]
pub(super) fn eight<S: Simd>(simd: S, values: &[f64], at: usize) -> f64x8<S> {
    f64x8::from_slice(simd, padded(values, at, WIDTH, &mut [0.0; WIDTH]))
}

/// [`PAIR`] values in `f64`.
#[inline(always)]
fn pair<S: Simd, T: Element>(simd: S, values: &[T]) -> [f64x8<S>; 2] {
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
pub(super) struct Block<'b, W, Q> {
    pub(super) target: &'b Target<'b>,
    /// The class of the first column.
    pub(super) first: usize,
    /// The target of each column as given.
    pub(super) given: &'b [Q],
    /// Their logits.
    pub(super) z: &'b [W],
    /// The maximum of the row.
    pub(super) max: f64,
    /// Its column, counted from the first; it may be none of these.
    pub(super) m: usize,
    /// Whether the logits are known to be finite, which saves time.
    pub(super) is_finite: bool,
}

/// [`PAIR`] lanes of the sums: of `a`, `a t`, `q` and `q t`.
type Sums<S> = [[f64x8<S>; 2]; 4];

impl<W: Float, Q: Element> Block<'_, W, Q> {
    /// What the columns add up to, and the coefficient in that of the maximum. The coefficients are left in `kept`, which has
    /// room for a multiple of [`LANES`], if they are to be kept.
    pub(super) fn add_up<const KEEPS: bool>(&self, level: Level, kept: &mut [f64]) -> (GeneralSums, f64) {
        dispatch!(level, simd => match self.target.kind(simd) {
            Kind::Any(target) => self.add::<_, KEEPS>(simd, &target, kept),
            Kind::Uniform(formula) => self.add::<_, KEEPS>(simd, &formula, kept),
            Kind::Distributed(formula) => self.add::<_, KEEPS>(simd, &formula, kept),
            Kind::WeightedUniform(formula) => self.add::<_, KEEPS>(simd, &formula, kept),
            Kind::WeightedDistributed(formula) => self.add::<_, KEEPS>(simd, &formula, kept),
        })
    }

    #[inline(always)]
    fn add<S: Simd, const KEEPS: bool>(
        &self,
        simd: S,
        formula: &impl Formula<S>,
        kept: &mut [f64],
    ) -> (GeneralSums, f64) {
        let mut at_maximum = 0.0;
        let low = self.add_lanes::<S, KEEPS>(simd, formula, 0, &mut at_maximum, kept);
        let high = self.add_lanes::<S, KEEPS>(simd, formula, PAIR, &mut at_maximum, kept);
        let sum = |which: usize| {
            let ([a, b], [c, d]) = (low[which], high[which]);
            join(f64::fold(simd, &[a, b, c, d]).as_slice())
        };
        let sums =
            GeneralSums { of_others: sum(0), shifted: sum(1), given: sum(2), given_shifted: sum(3), offset: 0.0 };
        (sums, at_maximum)
    }

    /// [`PAIR`] lanes from `lane` on of every group of lanes.
    #[inline(always)]
    fn add_lanes<S: Simd, const KEEPS: bool>(
        &self,
        simd: S,
        formula: &impl Formula<S>,
        lane: usize,
        at_maximum: &mut f64,
        kept: &mut [f64],
    ) -> Sums<S> {
        let count = self.given.len();
        let whole = if self.is_finite { count / LANES * LANES } else { 0 };
        // Whole groups on either side of the one that holds the maximum in these lanes; that one, and what is left at the end.
        let has_maximum = (self.m % LANES).wrapping_sub(lane) < PAIR;
        let special = if has_maximum { (self.m / LANES * LANES).min(whole) } else { whole };
        let after = (special + LANES).min(whole);
        let mut sums = [[f64x8::splat(simd, 0.0); 2]; 4];
        for (run, others) in [(0..special, special..after), (after..whole, whole..count)] {
            self.add_run::<S, KEEPS>(simd, formula, lane, run, &mut sums, kept);
            for group in others.step_by(LANES) {
                for half in 0..2 {
                    let at = group + lane + half * WIDTH;
                    if at < count {
                        *at_maximum += self.add_special::<S, KEEPS>(simd, at, half, &mut sums, kept);
                    }
                }
            }
        }
        sums
    }

    /// Adds whole groups whose logits are finite and not the maximum.
    #[inline(always)]
    fn add_run<S: Simd, const KEEPS: bool>(
        &self,
        simd: S,
        formula: &impl Formula<S>,
        lane: usize,
        columns: Range<usize>,
        sums: &mut Sums<S>,
        kept: &mut [f64],
    ) {
        let [mut others, mut shifted, mut given, mut given_shifted] = *sums;
        let (max, mut at) = (f64x8::splat(simd, self.max), columns.start + lane);
        let groups = self.given[columns.clone()].chunks_exact(LANES).zip(self.z[columns].chunks_exact(LANES));
        for (q, z) in groups {
            let (q, z) = (pair(simd, &q[lane..lane + PAIR]), pair(simd, &z[lane..lane + PAIR]));
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

    /// Adds eight columns from `at` on of any kind to half of the lanes; the coefficient in the column of the maximum, if it is
    /// one of them. Not a part of each loop that comes to such columns: they would be most of it.
    #[inline(never)]
    fn add_special<S: Simd, const KEEPS: bool>(
        &self,
        simd: S,
        at: usize,
        half: usize,
        sums: &mut Sums<S>,
        kept: &mut [f64],
    ) -> f64 {
        simd.vectorize(
            #[inline(always)]
            || {
                let counted = self.given.len() - at;
                let column = |column: usize| (self.given.get(at + column), self.z.get(at + column));
                let (mut q, mut z) = ([0.0; WIDTH], [0.0; WIDTH]);
                for (place, (q, z)) in q.iter_mut().zip(&mut z).enumerate() {
                    if let (Some(given), Some(logit)) = column(place) {
                        (*q, *z) = (given.to_f64(), logit.to_f64());
                    }
                }
                let (q, z) = (f64x8::from_slice(simd, &q), f64x8::from_slice(simd, &z));
                let t = masked::<S, f64>(simd, z - self.max, counted, NO_COLUMN);
                let a = masked::<S, f64>(simd, self.target.coefficients(simd, q, self.first + at), counted, NO_COLUMN);
                if KEEPS {
                    a.store_slice(&mut kept[at..at + WIDTH]);
                }
                // The column of the maximum is kept out. Its shifted logit is 0, so that only `R` sees the difference.
                let m = self.m.wrapping_sub(at);
                let at_maximum = a.as_slice().get(m).copied().unwrap_or_default();
                let a = masked::<S, f64>(simd, a, counted, m);
                for (sum, term) in sums.iter_mut().zip([a, a.times_selected(t), q, q.times_selected(t)]) {
                    sum[half] += term;
                }
                at_maximum
            },
        )
    }
}
