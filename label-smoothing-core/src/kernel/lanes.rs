//! Vectors of the type that a row is computed in.

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, SimdFloatElement, dispatch, f32x16, f64x8};

use super::math;
use crate::element::Element;

/// Columns that are worked on at once: column `32 k + l` belongs to lane `l`.
pub(super) const LANES: usize = 32;

/// Columns whose lanes are added up in the computing type before they are joined in `f64`.
pub(super) const BLOCK: usize = 1024;

/// Vectors at most in one group of [`LANES`] columns.
pub(super) const MAX_PARTS: usize = 4;

/// Elements at most in one vector.
pub(super) const MAX_WIDTH: usize = 16;

/// A type that rows are computed in: `f32` or `f64`.
pub trait Float: SimdFloatElement + Element<Wide = Self> {
    /// 64 bytes of them.
    type Vector<S: Simd>: SimdFloat<S, Element = Self>;

    /// How many vectors hold 32 columns.
    const PARTS: usize;

    /// The elements of one vector.
    const WIDTH: usize = LANES / Self::PARTS;

    /// Below this, [`Float::exp`] is no normal number any more.
    const SUBNORMAL_EXP: Self;

    /// `a b + c`, rounded once.
    fn fused<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>, c: Self::Vector<S>) -> Self::Vector<S>;

    /// `exp(t + d)` for `t <= 0`, `d` being what was rounded off `t`.
    fn exp<S: Simd>(simd: S, t: Self::Vector<S>, d: Self::Vector<S>) -> Self::Vector<S>;

    /// [`Float::exp`] of several vectors, from [`Float::SUBNORMAL_EXP`] on.
    fn normal_exp<S: Simd, const N: usize>(
        simd: S,
        t: &[Self::Vector<S>; N],
        d: &[Self::Vector<S>; N],
    ) -> [Self::Vector<S>; N];

    /// Lanes `l`, `l + 8`, `l + 16` and `l + 24` added in `f64`, the more distant ones first: the first two levels of
    /// the tree.
    fn fold<S: Simd>(simd: S, lanes: &[Self::Vector<S>; MAX_PARTS]) -> f64x8<S>;

    /// How many vectors of eight `f64` hold what is in one vector.
    const HALVES: usize;

    /// The vector's elements in `f64`, eight at a time; what lies beyond [`Float::HALVES`] is of no account.
    fn widen_vector<S: Simd>(simd: S, vector: Self::Vector<S>) -> [f64x8<S>; 2];

    /// The inverse of [`Float::widen_vector`], rounding to nearest.
    fn narrow_vector<S: Simd>(simd: S, halves: [f64x8<S>; 2]) -> Self::Vector<S>;
}

impl Float for f32 {
    type Vector<S: Simd> = f32x16<S>;
    const PARTS: usize = 2;
    const SUBNORMAL_EXP: Self = math::SUBNORMAL_F32;
    const HALVES: usize = 2;

    #[inline(always)]
    fn fused<S: Simd>(simd: S, a: f32x16<S>, b: f32x16<S>, c: f32x16<S>) -> f32x16<S> {
        math::fused_f32(simd, a, b, c)
    }

    #[inline(always)]
    fn exp<S: Simd>(simd: S, t: f32x16<S>, d: f32x16<S>) -> f32x16<S> {
        math::exp_f32(simd, t, d)
    }

    #[inline(always)]
    fn normal_exp<S: Simd, const N: usize>(simd: S, t: &[f32x16<S>; N], d: &[f32x16<S>; N]) -> [f32x16<S>; N] {
        math::normal_exp_f32(simd, t, d)
    }

    #[inline(always)]
    fn fold<S: Simd>(simd: S, lanes: &[f32x16<S>; MAX_PARTS]) -> f64x8<S> {
        let ((a, b), (c, d)) = (simd.widen_f32x16(lanes[0]), simd.widen_f32x16(lanes[1]));
        (a + c) + (b + d)
    }

    #[inline(always)]
    fn widen_vector<S: Simd>(simd: S, vector: f32x16<S>) -> [f64x8<S>; 2] {
        let (low, high) = simd.widen_f32x16(vector);
        [low, high]
    }

    #[inline(always)]
    fn narrow_vector<S: Simd>(simd: S, [low, high]: [f64x8<S>; 2]) -> f32x16<S> {
        simd.narrow_f64x8(low, high)
    }
}

impl Float for f64 {
    type Vector<S: Simd> = f64x8<S>;
    const PARTS: usize = 4;
    const SUBNORMAL_EXP: Self = math::SUBNORMAL_F64;
    const HALVES: usize = 1;

    #[inline(always)]
    fn fused<S: Simd>(simd: S, a: f64x8<S>, b: f64x8<S>, c: f64x8<S>) -> f64x8<S> {
        math::fused_f64(simd, a, b, c)
    }

    #[inline(always)]
    fn exp<S: Simd>(simd: S, t: f64x8<S>, d: f64x8<S>) -> f64x8<S> {
        math::exp_f64(simd, t, d)
    }

    #[inline(always)]
    fn normal_exp<S: Simd, const N: usize>(simd: S, t: &[f64x8<S>; N], d: &[f64x8<S>; N]) -> [f64x8<S>; N] {
        math::normal_exp_f64(simd, t, d)
    }

    #[inline(always)]
    fn fold<S: Simd>(_: S, lanes: &[f64x8<S>; MAX_PARTS]) -> f64x8<S> {
        (lanes[0] + lanes[2]) + (lanes[1] + lanes[3])
    }

    #[inline(always)]
    fn widen_vector<S: Simd>(_: S, vector: f64x8<S>) -> [f64x8<S>; 2] {
        [vector, vector]
    }

    #[inline(always)]
    fn narrow_vector<S: Simd>(_: S, [vector, _]: [f64x8<S>; 2]) -> f64x8<S> {
        vector
    }
}

/// Several vectors side by side.
pub(super) type Vectors<S, W, const N: usize> = [<W as Float>::Vector<S>; N];

/// Takes the maximum off and makes the exponentials.
#[derive(Clone, Copy)]
pub(super) struct Shift<S: Simd, W: Float> {
    max: W::Vector<S>,
    /// From this `t` on exponentials are normal numbers, and no logit is larger in magnitude than the maximum.
    ordinary: W::Vector<S>,
}

impl<S: Simd, W: Float> Shift<S, W> {
    #[inline(always)]
    pub(super) fn new(simd: S, max: W::Vector<S>) -> Self {
        let splat = |value: f64| W::Vector::splat(simd, W::from_f64(value));
        // Nothing is rounded off if the maximum is 0.
        let large = max.simd_eq(splat(0.0)).select(splat(f64::NEG_INFINITY), max * W::from_f64(-2.0));
        Self { max, ordinary: large.max(W::Vector::splat(simd, W::SUBNORMAL_EXP)) }
    }

    /// `t = z - max`, and `exp(z - max)`: what the subtraction rounds off is carried into the exponential, which would magnify it
    /// to `|t|` units.
    #[inline(always)]
    pub(super) fn exp(&self, simd: S, z: W::Vector<S>) -> (W::Vector<S>, W::Vector<S>) {
        let t = z - self.max;
        // The error of a sum of two numbers of any size (Knuth 1969). NaN where `t` is infinite, which does not matter there.
        let minus_max = t - z;
        let rounded_off = (z - (t - minus_max)) - (self.max + minus_max);
        (t, W::exp(simd, t, rounded_off))
    }

    /// [`Shift::exp`] of several vectors, side by side: a processor that waits for one of them has the others to do.
    #[inline(always)]
    pub(super) fn exps<const N: usize>(&self, simd: S, z: &Vectors<S, W, N>) -> (Vectors<S, W, N>, Vectors<S, W, N>) {
        let (mut t, mut e) = (*z, *z);
        for i in 0..N {
            t[i] = z[i] - self.max;
        }
        let mut lowest = t[0];
        for &t in &t[1..] {
            lowest = lowest.min(t);
        }
        if math::has_fused(simd) && lowest.simd_ge(self.ordinary).all_true() {
            for i in 0..N {
                // The same error in fewer steps, if the first number is not the smaller one (Dekker 1971).
                e[i] = z[i] - (t[i] + self.max);
            }
            e = W::normal_exp(simd, &t, &e);
        } else {
            for i in 0..N {
                e[i] = self.exp(simd, z[i]).1;
            }
        }
        (t, e)
    }
}

/// The vector with +0 in the lanes from `counted` on and in lane `kept_out`, which may be no lane of it.
#[inline(always)]
pub(super) fn masked<S: Simd, W: Float>(
    simd: S,
    vector: W::Vector<S>,
    counted: usize,
    kept_out: usize,
) -> W::Vector<S> {
    let splat = |value: usize| W::Vector::splat(simd, W::from_f64(value as f64));
    let lane = W::Vector::from_fn(simd, |lane| W::from_f64(lane as f64));
    let zero = splat(0);
    let counted = lane.simd_lt(splat(counted)).select(vector, zero);
    lane.simd_eq(splat(kept_out.min(LANES))).select(zero, counted)
}

/// Values in the type that they are computed in: where they lie, or in `room`, which has place for as many.
pub(super) fn widened<'v, T: Element>(level: Level, values: &'v [T], room: &'v mut [T::Wide]) -> &'v [T::Wide] {
    if let Some(values) = T::Wide::of_values(T::values(values)) {
        return values;
    }
    let wide = &mut room[..values.len()];
    dispatch!(level, simd => {
        let (mut from, mut to) = (values.chunks_exact(T::Wide::WIDTH), wide.chunks_exact_mut(T::Wide::WIDTH));
        for (from, to) in (&mut from).zip(&mut to) {
            T::load(simd, from).store_slice(to);
        }
        for (from, to) in from.remainder().iter().zip(to.into_remainder()) {
            *to = from.widen();
        }
    });
    wide
}

/// Joins the eight sums that [`Float::fold`] leaves: the last three levels of the tree.
#[inline(always)]
pub(super) fn join(x: &[f64]) -> f64 {
    ((x[0] + x[4]) + (x[2] + x[6])) + ((x[1] + x[5]) + (x[3] + x[7]))
}
