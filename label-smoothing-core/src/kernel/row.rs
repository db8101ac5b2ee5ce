//! One contiguous row: its maximum, its exponentials, its gradient.

use fearless_simd::Simd;
use fearless_simd::prelude::*;

use super::lanes::{BLOCK, Float, LANES, MAX_PARTS, join};
use crate::element::Element;

/// The largest logit of a row and the first column that holds it; none if the row has no softmax: a NaN or `+inf` in
/// it, or nothing but `-inf`.
#[inline(always)]
pub(super) fn maximum<S: Simd, T: Element>(simd: S, z: &[T]) -> Option<(T::Wide, usize)> {
    let mut best = (T::Wide::from_f64(f64::NEG_INFINITY), 0);
    for (index, block) in z.chunks(BLOCK).enumerate() {
        let largest = block_maximum(simd, block)?;
        if largest > best.0 {
            best = (largest, index);
        }
    }
    let (largest, index) = best;
    if !largest.to_f64().is_finite() {
        return None;
    }
    let from = index * BLOCK;
    let block = &z[from..(from + BLOCK).min(z.len())];
    Some((largest, from + first_equal(simd, block, largest)))
}

/// The largest value of a block; none if there is a NaN in it, which vectors' maxima treat differently on different
/// processors.
#[inline(always)]
fn block_maximum<S: Simd, T: Element>(simd: S, block: &[T]) -> Option<T::Wide> {
    let width = T::Wide::WIDTH;
    let lowest = <T::Wide as Float>::Vector::splat(simd, T::Wide::from_f64(f64::NEG_INFINITY));
    let mut largest = [lowest; 4];
    let mut is_number = lowest.simd_eq(lowest);
    let mut groups = block.chunks_exact(4 * width);
    for group in &mut groups {
        for (largest, z) in largest.iter_mut().zip(group.chunks_exact(width)) {
            let z = T::load(simd, z);
            is_number &= z.simd_eq(z);
            *largest = largest.max(z);
        }
    }
    let mut vectors = groups.remainder().chunks_exact(width);
    for z in &mut vectors {
        let z = T::load(simd, z);
        is_number &= z.simd_eq(z);
        largest[0] = largest[0].max(z);
    }
    let joined = (largest[0].max(largest[1])).max(largest[2].max(largest[3]));
    let mut result = joined.reduce_max();
    for z in vectors.remainder() {
        let z = z.widen();
        if z.to_f64().is_nan() {
            return None;
        }
        if z > result {
            result = z;
        }
    }
    is_number.all_true().then_some(result)
}

#[inline(always)]
fn first_equal<S: Simd, T: Element>(simd: S, block: &[T], value: T::Wide) -> usize {
    let width = T::Wide::WIDTH;
    let wanted = <T::Wide as Float>::Vector::splat(simd, value);
    let mut from = 0;
    for vector in block.chunks_exact(width) {
        if T::load(simd, vector).simd_eq(wanted).any_true() {
            break;
        }
        from += width;
    }
    from + block[from..].iter().position(|z| z.widen() == value).unwrap_or(0)
}

/// What the exponentials of a row add up to.
#[derive(Debug, Clone, Copy)]
pub(super) struct ExpSums {
    /// `S_o`: the sum of `exp(t_c)` over all columns but that of the maximum.
    pub(super) others: f64,
    /// The sum of `t_c` over all columns but the hole.
    pub(super) shifted: f64,
}

/// Columns that a chunk may hold and that are kept out of its sums.
#[derive(Debug, Clone, Copy)]
pub(super) struct Excluded {
    /// The column of the maximum, kept out of the exponentials.
    pub(super) maximum: usize,
    /// The hole, kept out of the shifted logits.
    pub(super) hole: usize,
}

/// Adds up `exp(t)` and `t = z - max`, and leaves `exp(t)` of every column in `exps`, which has room for a multiple of
/// [`LANES`] columns.
#[inline(always)]
pub(super) fn exponentials<S: Simd, T: Element>(
    simd: S,
    z: &[T],
    max: T::Wide,
    excluded: Excluded,
    exps: &mut [T::Wide],
) -> ExpSums {
    let mut sums = ExpSums { others: 0.0, shifted: 0.0 };
    let zero = <T::Wide as Float>::Vector::splat(simd, T::Wide::from_f64(0.0));
    let max = <T::Wide as Float>::Vector::splat(simd, max);
    for (index, block) in z.chunks(BLOCK).enumerate() {
        let from = index * BLOCK;
        let mut lanes = ([zero; MAX_PARTS], [zero; MAX_PARTS]);
        let mut chunks = block.chunks_exact(LANES);
        let mut column = from;
        for z in &mut chunks {
            let kept = &mut exps[column..column + LANES];
            let is_special = column / LANES == excluded.maximum / LANES || column / LANES == excluded.hole / LANES;
            if is_special {
                let inside = Inside { column, columns: LANES, excluded };
                chunk::<S, T>(simd, z, max, Some(inside), &mut lanes, kept);
            } else {
                chunk::<S, T>(simd, z, max, None, &mut lanes, kept);
            }
            column += LANES;
        }
        let rest = chunks.remainder();
        if !rest.is_empty() {
            let mut padded = [T::default(); LANES];
            padded[..rest.len()].copy_from_slice(rest);
            let kept = &mut exps[column..column + LANES];
            let inside = Inside { column, columns: rest.len(), excluded };
            chunk::<S, T>(simd, &padded, max, Some(inside), &mut lanes, kept);
        }
        sums.others += join(T::Wide::fold(simd, &lanes.0));
        sums.shifted += join(T::Wide::fold(simd, &lanes.1));
    }
    sums
}

/// Which columns of a chunk count.
#[derive(Clone, Copy)]
struct Inside {
    column: usize,
    columns: usize,
    excluded: Excluded,
}

/// The lanes that exponentials and shifted logits are added in.
type Lanes<S, W> = ([<W as Float>::Vector<S>; MAX_PARTS], [<W as Float>::Vector<S>; MAX_PARTS]);

/// Adds one chunk of [`LANES`] columns to the lanes; what does not count is added as +0.
#[inline(always)]
fn chunk<S: Simd, T: Element>(
    simd: S,
    z: &[T],
    max: <T::Wide as Float>::Vector<S>,
    inside: Option<Inside>,
    lanes: &mut Lanes<S, T::Wide>,
    exps: &mut [T::Wide],
) {
    let width = T::Wide::WIDTH;
    for part in 0..T::Wide::PARTS {
        let mut t = T::load(simd, &z[part * width..(part + 1) * width]) - max;
        let mut e = T::Wide::exp(simd, t);
        e.store_slice(&mut exps[part * width..(part + 1) * width]);
        if let Some(Inside { column, columns, excluded }) = inside {
            let first = column + part * width;
            let counted = columns.saturating_sub(part * width);
            e = masked::<S, T::Wide>(simd, e, counted, excluded.maximum.wrapping_sub(first));
            t = masked::<S, T::Wide>(simd, t, counted, excluded.hole.wrapping_sub(first));
        }
        lanes.0[part] += e;
        lanes.1[part] += t;
    }
}

/// The vector with +0 in the lanes from `counted` on and in lane `kept_out`, which may be no lane of it.
#[inline(always)]
fn masked<S: Simd, W: Float>(simd: S, vector: W::Vector<S>, counted: usize, kept_out: usize) -> W::Vector<S> {
    let splat = |value: usize| W::Vector::splat(simd, W::from_f64(value as f64));
    let lane = W::Vector::from_fn(simd, |lane| W::from_f64(lane as f64));
    let zero = splat(0);
    let counted = lane.simd_lt(splat(counted)).select(vector, zero);
    lane.simd_eq(splat(kept_out.min(LANES))).select(zero, counted)
}

/// Writes `upstream * (exp * probability - coefficient)`, the product and the difference rounded once together, then
/// the product with the upstream gradient rounded, then the element rounded to the type of `out`.
#[inline(always)]
pub(super) fn gradient<S: Simd, G: Element>(simd: S, exps: &[G::Wide], factors: Factors<'_, G::Wide>, out: &mut [G]) {
    let width = G::Wide::WIDTH;
    let splat = |value| <G::Wide as Float>::Vector::splat(simd, value);
    let (probability, upstream) = (splat(factors.probability), splat(factors.upstream));
    let vector = |place: usize, exps: &[G::Wide]| {
        let coefficient = match factors.coefficients {
            Coefficients::Constant(value) => splat(value),
            Coefficients::PerClass(values) => {
                <G::Wide as Float>::Vector::from_slice(simd, &values[place..place + width])
            }
        };
        let e = <G::Wide as Float>::Vector::from_slice(simd, &exps[place..place + width]);
        e.mul_add_precise(probability, -coefficient) * upstream
    };
    let mut place = 0;
    let mut vectors = out.chunks_exact_mut(width);
    for out in &mut vectors {
        G::store(vector(place, exps), out);
        place += width;
    }
    let rest = vectors.into_remainder();
    if !rest.is_empty() {
        let mut padded = [G::default(); LANES];
        G::store(vector(place, exps), &mut padded[..width]);
        rest.copy_from_slice(&padded[..rest.len()]);
    }
}

/// What [`gradient`] multiplies and subtracts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Factors<'a, W> {
    /// `f B / S`.
    pub(super) probability: W,
    /// `f a_c`.
    pub(super) coefficients: Coefficients<'a, W>,
    /// The upstream gradient.
    pub(super) upstream: W,
}

/// The coefficients of a row, in the type that it is computed in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Coefficients<'a, W> {
    /// The same for every class.
    Constant(W),
    /// One for each class, with room for a multiple of [`LANES`].
    PerClass(&'a [W]),
}
