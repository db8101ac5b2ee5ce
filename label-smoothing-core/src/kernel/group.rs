//! Many rows at once, a row in each lane: for few classes, and for classes that are not on the last axis.
//!
//! The arithmetic is that of [`row`](super::row), to the bit: the 32 lanes of a row are 32 vectors here.

use fearless_simd::prelude::*;
use fearless_simd::{Simd, f64x8};

use super::lanes::{BLOCK, Float, LANES};
use crate::element::Element;

/// Rows at most in one group.
pub(super) const MAX_ROWS: usize = 16;

/// What a group of rows adds up to, by row.
#[derive(Debug, Clone, Copy)]
pub(super) struct GroupSums {
    /// Whether the row has a softmax: no NaN, no `+inf`, not only `-inf`.
    pub(super) is_defined: [bool; MAX_ROWS],
    /// The largest logit.
    pub(super) max: [f64; MAX_ROWS],
    /// Its first column.
    pub(super) column: [usize; MAX_ROWS],
    /// `S_o`, as in a single row.
    pub(super) others: [f64; MAX_ROWS],
    /// The sum of the shifted logits without the hole.
    pub(super) shifted: [f64; MAX_ROWS],
}

/// Eight rows' sums in `f64`, twice.
type Sums<S> = (f64x8<S>, Option<f64x8<S>>);

/// Adds up the rows whose class `c` is the vector at `c * stride`; leaves `exp(t)` of class `c` at `c * WIDTH`.
#[inline(always)]
pub(super) fn sums<S: Simd, T: Element>(
    simd: S,
    z: &[T],
    stride: usize,
    classes: usize,
    holes: &[usize; MAX_ROWS],
    exps: &mut [T::Wide],
) -> GroupSums {
    let width = T::Wide::WIDTH;
    let load = |class: usize| T::load(simd, &z[class * stride..class * stride + width]);
    let number = |value: f64| <T::Wide as Float>::Vector::splat(simd, T::Wide::from_f64(value));

    let mut max = number(f64::NEG_INFINITY);
    let mut is_number = max.simd_eq(max);
    for class in 0..classes {
        let z = load(class);
        is_number &= z.simd_eq(z);
        max = max.max(z);
    }

    let hole = <T::Wide as Float>::Vector::from_fn(simd, |row| T::Wide::from_f64(holes[row] as f64));
    let zero = number(0.0);
    let (mut others, mut shifted) = (zero_wide(simd, zero), zero_wide(simd, zero));
    let mut column = number(-1.0);
    for block in (0..classes).step_by(BLOCK) {
        let mut lanes = ([zero; LANES], [zero; LANES]);
        for class in block..(block + BLOCK).min(classes) {
            let z = load(class);
            let t = z - max;
            let e = T::Wide::exp(simd, t);
            e.store_slice(&mut exps[class * width..(class + 1) * width]);
            let here = number(class as f64);
            // The first column that holds the maximum is kept out; -1 says that there was none yet.
            let is_first = column.simd_lt(zero) & z.simd_eq(max);
            column = is_first.select(here, column);
            lanes.0[class % LANES] += is_first.select(zero, e);
            lanes.1[class % LANES] += hole.simd_eq(here).select(zero, t);
        }
        let used = (classes - block).min(LANES);
        others = add(others, tree::<S, T::Wide>(simd, &lanes.0, used));
        shifted = add(shifted, tree::<S, T::Wide>(simd, &lanes.1, used));
    }
    let is_number = is_number.select(number(1.0), zero);
    GroupSums {
        is_defined: std::array::from_fn(|row| {
            row < width && is_number.as_slice()[row].to_f64() == 1.0 && max.as_slice()[row].to_f64().is_finite()
        }),
        max: std::array::from_fn(|row| if row < width { max.as_slice()[row].to_f64() } else { 0.0 }),
        column: std::array::from_fn(|row| if row < width { column.as_slice()[row].to_f64() as usize } else { 0 }),
        others: flat(others),
        shifted: flat(shifted),
    }
}

/// Adds `used` lanes in `f64` by the tree that a single row's lanes are added by; the others are zero.
#[inline(always)]
fn tree<S: Simd, W: Float>(simd: S, lanes: &[W::Vector<S>; LANES], used: usize) -> Sums<S> {
    // Depth first, so that few vectors are alive: lane l's node at a level is it and what lies `distance` further.
    #[inline(always)]
    fn node<S: Simd, W: Float>(simd: S, lanes: &[W::Vector<S>; LANES], from: usize, used: usize) -> Sums<S> {
        let mut sum = W::widen_vector(simd, lanes[from]);
        // from, from + 16 | from + 8, from + 24: the two lower levels.
        if from + 16 < used {
            sum = add(sum, W::widen_vector(simd, lanes[from + 16]));
        }
        if from + 8 < used {
            let mut far = W::widen_vector(simd, lanes[from + 8]);
            if from + 24 < used {
                far = add(far, W::widen_vector(simd, lanes[from + 24]));
            }
            sum = add(sum, far);
        }
        sum
    }
    let node = |from: usize| (from < used).then(|| node::<S, W>(simd, lanes, from, used));
    let join = |near: Option<Sums<S>>, far: Option<Sums<S>>| match (near, far) {
        (Some(near), Some(far)) => Some(add(near, far)),
        (near, _) => near,
    };
    let even = join(join(node(0), node(4)), join(node(2), node(6)));
    let odd = join(join(node(1), node(5)), join(node(3), node(7)));
    join(even, odd).unwrap_or_else(|| W::widen_vector(simd, lanes[0]))
}

#[inline(always)]
fn add<S: Simd>(a: Sums<S>, b: Sums<S>) -> Sums<S> {
    let second = match (a.1, b.1) {
        (Some(a), Some(b)) => Some(a + b),
        _ => None,
    };
    (a.0 + b.0, second)
}

#[inline(always)]
fn zero_wide<S: Simd, V: SimdFloat<S>>(simd: S, _: V) -> Sums<S> {
    let zero = f64x8::splat(simd, 0.0);
    (zero, (V::LEN > 8).then_some(zero))
}

#[inline(always)]
fn flat<S: Simd>(wide: Sums<S>) -> [f64; MAX_ROWS] {
    std::array::from_fn(|row| match (row < 8, wide.1) {
        (true, _) => wide.0.as_slice()[row],
        (false, Some(second)) => second.as_slice()[row - 8],
        (false, None) => 0.0,
    })
}

/// What [`gradients`] multiplies and subtracts, by row.
#[derive(Debug, Clone, Copy)]
pub(super) struct GroupFactors<W> {
    /// `f B / S`.
    pub(super) probability: [W; MAX_ROWS],
    /// `f a_c` of the spread.
    pub(super) spread: [W; MAX_ROWS],
    /// The upstream gradient.
    pub(super) upstream: [W; MAX_ROWS],
}

/// Writes each class's gradients to the vector at `c * stride`, as [`row::gradient`](super::row::gradient) does.
#[inline(always)]
pub(super) fn gradients<S: Simd, G: Element>(
    simd: S,
    exps: &[G::Wide],
    factors: &GroupFactors<G::Wide>,
    classes: usize,
    stride: usize,
    out: &mut [G],
) {
    let width = G::Wide::WIDTH;
    let vector = |values: &[G::Wide]| <G::Wide as Float>::Vector::from_slice(simd, &values[..width]);
    let (probability, upstream) = (vector(&factors.probability), vector(&factors.upstream));
    let minus_spread = -vector(&factors.spread);
    for class in 0..classes {
        let e = vector(&exps[class * width..]);
        let result = e.mul_add_precise(probability, minus_spread) * upstream;
        G::store(result, &mut out[class * stride..class * stride + width]);
    }
}
