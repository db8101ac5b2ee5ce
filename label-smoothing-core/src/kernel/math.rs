//! The kernel's own exponential and logarithm: the platform's differ between machines.
//!
//! Every operation below is an IEEE 754 operation in a fixed order, so the bits are the same on every instruction set.

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, f32x16, f64x8, u32x16, u64x8};

/// Below this, `exp` in `f32` is no normal number any more (`ln 2^-126` is -87.3365448).
pub(super) const SUBNORMAL_F32: f32 = -87.3365;

/// Below this, `exp` in `f32` rounds to 0 (`ln 2^-150` is -103.97).
const ZERO_F32: f32 = -104.0;

/// Below this, `exp` in `f64` is no normal number any more (`ln 2^-1022` is -708.39641853).
pub(super) const SUBNORMAL_F64: f64 = -708.396_4;

/// Below this, `exp` in `f64` rounds to 0 (`ln 2^-1075` is -745.13).
const ZERO_F64: f64 = -745.2;

/// Adding this to a small `f32` rounds it to an integer, which then stands in the low bits.
const ROUND_F32: f32 = 1.5 * 8_388_608.0;
const ROUND_F64: f64 = 1.5 * 4_503_599_627_370_496.0;

/// Whether `a b + c` with one rounding is an instruction. Where it is not, a function that is not inlined does it: there no
/// speed is promised, and some hundred copies of it would be most of the program.
#[inline(always)]
pub(super) fn has_fused<S: Simd>(simd: S) -> bool {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    let has_fused = simd.level().as_avx2().is_some();
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
    let has_fused = cfg!(target_arch = "aarch64") && !simd.level().is_fallback();
    has_fused
}

macro_rules! fused {
    ($name:ident, $software:ident, $vector:ident) => {
        /// `a b + c`, rounded once.
        #[inline(always)]
        pub(super) fn $name<S: Simd>(simd: S, a: $vector<S>, b: $vector<S>, c: $vector<S>) -> $vector<S> {
            if has_fused(simd) { a.mul_add_precise(b, c) } else { $software(simd, a, b, c) }
        }

        #[inline(never)]
        fn $software<S: Simd>(simd: S, a: $vector<S>, b: $vector<S>, c: $vector<S>) -> $vector<S> {
            simd.vectorize(
                #[inline(always)]
                || a.mul_add_precise(b, c),
            )
        }
    };
}
fused!(fused_f32, software_f32, f32x16);
fused!(fused_f64, software_f64, f64x8);

/// `exp(t + d)` for `t <= 0` and a `d` of no more than half a unit in the last place of `t`.
///
/// # Method
///
/// `n = round(t log2 e)`, `r = t + d - n ln 2`: the high part of `n ln 2` goes to `t`, which is exact, the low part to `d`, and
/// then both are added. A polynomial of degree 6 in `r` with fused steps, and `n` added to the exponent bits. Where the result
/// is subnormal, `n + 64` is added and `2^-64` multiplied.
///
/// # Special cases
///
/// 0 below -104 and at `-inf`, whatever `d` is; 1 at 0. NaN is not looked at: the caller keeps it out.
///
/// # Accuracy
///
/// 0.89 ulp, checked over every `f32` in the range.
#[inline(always)]
pub(super) fn exp_f32<S: Simd>(simd: S, t: f32x16<S>, d: f32x16<S>) -> f32x16<S> {
    let splat = |value: f32| f32x16::splat(simd, value);
    let [e] = normal_exp_f32(simd, &[t], &[d]);
    let is_small = t.simd_lt(splat(SUBNORMAL_F32));
    if is_small.any_true() {
        let raised = f32x16::from_bits(e.to_bits() + u32x16::splat(simd, 64 << 23));
        let small = t.simd_lt(splat(ZERO_F32)).select(splat(0.0), raised * splat(f32::from_bits((127 - 64) << 23)));
        is_small.select(small, e)
    } else {
        e
    }
}

/// [`exp_f32`] of several vectors from [`SUBNORMAL_F32`] on, side by side.
#[inline(always)]
pub(super) fn normal_exp_f32<S: Simd, const N: usize>(
    simd: S,
    t: &[f32x16<S>; N],
    d: &[f32x16<S>; N],
) -> [f32x16<S>; N] {
    let splat = |value: f32| f32x16::splat(simd, value);
    let (mut p, mut r, mut rounded) = ([splat(0.001_382_063_4); N], *d, *t);
    for i in 0..N {
        rounded[i] = fused_f32(simd, t[i], splat(std::f32::consts::LOG2_E), splat(ROUND_F32));
    }
    for i in 0..N {
        let n = rounded[i] - splat(ROUND_F32);
        r[i] = fused_f32(simd, n, splat(-0.693_145_75), t[i]) + fused_f32(simd, n, splat(-1.428_606_8e-6), d[i]);
    }
    for coefficient in [0.008_368_674, 0.041_668_266, 0.166_665_21, 0.499_999_94, 1.0, 1.0] {
        for i in 0..N {
            p[i] = fused_f32(simd, p[i], r[i], splat(coefficient));
        }
    }
    for i in 0..N {
        p[i] = f32x16::from_bits(p[i].to_bits() + (rounded[i].to_bits() << 23));
    }
    p
}

/// `exp(t + d)` for `t <= 0` in `f64`.
///
/// # Method
///
/// As [`exp_f32`], with the series of the exponential up to degree 13 (remainder below 2^-57 for `|r| <= ln 2 / 2`); `n ln 2`
/// is exact in its high part.
///
/// # Special cases
///
/// 0 below -745.2 and at `-inf`; 1 at 0. NaN is not looked at.
///
/// # Accuracy
///
/// Below 1 ulp, checked against 60-digit answers.
#[inline(always)]
pub(super) fn exp_f64<S: Simd>(simd: S, t: f64x8<S>, d: f64x8<S>) -> f64x8<S> {
    let splat = |value: f64| f64x8::splat(simd, value);
    let [e] = normal_exp_f64(simd, &[t], &[d]);
    let is_small = t.simd_lt(splat(SUBNORMAL_F64));
    if is_small.any_true() {
        let raised = f64x8::from_bits(e.to_bits() + u64x8::splat(simd, 64 << 52));
        let small = t.simd_lt(splat(ZERO_F64)).select(splat(0.0), raised * splat(f64::from_bits((1023 - 64) << 52)));
        is_small.select(small, e)
    } else {
        e
    }
}

/// [`exp_f64`] of several vectors from [`SUBNORMAL_F64`] on, side by side.
#[inline(always)]
pub(super) fn normal_exp_f64<S: Simd, const N: usize>(simd: S, t: &[f64x8<S>; N], d: &[f64x8<S>; N]) -> [f64x8<S>; N] {
    /// `1 / k!` from 12 down to 2.
    const INVERSE_FACTORIALS: [f64; 11] = [
        1.0 / 479_001_600.0,
        1.0 / 39_916_800.0,
        1.0 / 3_628_800.0,
        1.0 / 362_880.0,
        1.0 / 40_320.0,
        1.0 / 5_040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        1.0 / 2.0,
    ];
    let splat = |value: f64| f64x8::splat(simd, value);
    let (mut p, mut r, mut rounded) = ([splat(1.0 / 6_227_020_800.0); N], *d, *t);
    for i in 0..N {
        rounded[i] = fused_f64(simd, t[i], splat(std::f64::consts::LOG2_E), splat(ROUND_F64));
    }
    for i in 0..N {
        let n = rounded[i] - splat(ROUND_F64);
        r[i] = fused_f64(simd, n, splat(-LN_2_HIGH), t[i]) + fused_f64(simd, n, splat(-LN_2_LOW), d[i]);
    }
    for coefficient in INVERSE_FACTORIALS {
        for i in 0..N {
            p[i] = fused_f64(simd, p[i], r[i], splat(coefficient));
        }
    }
    for i in 0..N {
        p[i] = splat(1.0) + fused_f64(simd, r[i] * r[i], p[i], r[i]);
        p[i] = f64x8::from_bits(p[i].to_bits() + (rounded[i].to_bits() << 52));
    }
    p
}

/// `ln 2` to 33 bits, so that its product with an exponent is exact, and the rest of it.
const LN_2_HIGH: f64 = f64::from_bits(0x3fe6_2e42_fee0_0000);
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// `log(1 + x)` for `x >= 0`.
///
/// # Method
///
/// `1 + x = 2^k (1 + f) - c` with `1 + f` between `sqrt(1/2)` and `sqrt(2)` and `c` what the addition rounded off; for
/// `x` below `sqrt(2) - 1` simply `f = x`. With `s = f / (2 + f)`, `log(1 + f) = f - s (f - R)`, where
/// `R = 2/3 s^2 + 2/5 s^4 + ...` is the series of the inverse hyperbolic tangent, to `s^22`.
///
/// # Special cases
///
/// 0 at 0. Infinity and NaN are not looked at: a sum of exponentials is finite.
///
/// # Accuracy
///
/// Below 1 ulp, checked against 60-digit answers.
#[inline(always)]
pub(super) fn log_1p<S: Simd>(simd: S, x: f64x8<S>) -> f64x8<S> {
    let splat = |value: f64| f64x8::splat(simd, value);
    let sum = x + splat(1.0);
    let lost = x.simd_lt(splat(1.0)).select(x - (sum - splat(1.0)), splat(1.0) - (sum - x));
    let (k, fraction) = split_exponent(simd, sum);
    let is_small = x.simd_lt(splat(std::f64::consts::SQRT_2 - 1.0));
    let k = is_small.select(splat(0.0), k);
    let f = is_small.select(x, fraction - splat(1.0));
    let correction = is_small.select(splat(0.0), lost / sum);
    log_of_parts(simd, k, f, correction)
}

/// [`exp_f64`] of one number, exactly given.
pub(super) fn exp_of(level: Level, t: f64) -> f64 {
    dispatch!(level, simd => exp_f64(simd, f64x8::splat(simd, t), f64x8::splat(simd, 0.0)).as_slice()[0])
}

/// [`log_1p`] of one number.
pub(super) fn log_1p_of(level: Level, x: f64) -> f64 {
    dispatch!(level, simd => log_1p(simd, f64x8::splat(simd, x)).as_slice()[0])
}

/// [`entropy_terms`] of one number.
pub(super) fn entropy_term_of(level: Level, q: f64) -> f64 {
    dispatch!(level, simd => entropy_terms(simd, f64x8::splat(simd, q)).as_slice()[0])
}

/// `log(x)` for `x > 0`, by the method of [`log_1p`]; a subnormal `x` is multiplied by `2^54` first.
#[inline(always)]
pub(super) fn log<S: Simd>(simd: S, x: f64x8<S>) -> f64x8<S> {
    let splat = |value: f64| f64x8::splat(simd, value);
    let is_small = x.simd_lt(splat(f64::MIN_POSITIVE));
    let raised = is_small.select(x * splat(18_014_398_509_481_984.0), x);
    let (k, fraction) = split_exponent(simd, raised);
    let k = is_small.select(k - splat(54.0), k);
    log_of_parts(simd, k, fraction - splat(1.0), splat(0.0))
}

/// `exp(y log x)` for `x` from 0 to 1 and `y >= 0`: the power, within `2 + 2 y |log x|` ulp.
///
/// # Special cases
///
/// 1 where `y` is 0; 0 at `x = 0` otherwise.
#[inline(always)]
pub(super) fn power<S: Simd>(simd: S, x: f64x8<S>, y: f64) -> f64x8<S> {
    let splat = |value: f64| f64x8::splat(simd, value);
    let is_zero = x.simd_eq(splat(0.0));
    let power = exp_f64(simd, log(simd, is_zero.select(splat(1.0), x)) * splat(y), splat(0.0));
    is_zero.select(splat(if y == 0.0 { 1.0 } else { 0.0 }), power)
}

/// The sigmoid of both signs, and what it costs on either side.
pub(super) struct Sigmoid<S: Simd> {
    /// `s(z)`.
    pub(super) up: f64x8<S>,
    /// `s(-z)`.
    pub(super) down: f64x8<S>,
    /// `-log s(z)`.
    pub(super) if_positive: f64x8<S>,
    /// `-log s(-z)`.
    pub(super) if_negative: f64x8<S>,
}

/// `e = exp(-|z|)`, `softplus(x) = max(x, 0) + log1p(e)`, `s(|z|) = 1 / (1 + e)`, `s(-|z|) = e / (1 + e)`.
#[inline(always)]
pub(super) fn sigmoid<S: Simd>(simd: S, z: f64x8<S>) -> Sigmoid<S> {
    let (zero, one) = (f64x8::splat(simd, 0.0), f64x8::splat(simd, 1.0));
    let is_positive = z.simd_ge(zero);
    let e = exp_f64(simd, is_positive.select(-z, z), zero);
    let tail = log_1p(simd, e);
    let (near, far) = (one / (e + one), e / (e + one));
    Sigmoid {
        up: is_positive.select(near, far),
        down: is_positive.select(far, near),
        if_positive: is_positive.select(zero, -z) + tail,
        if_negative: is_positive.select(z, zero) + tail,
    }
}

/// `-q log q`, and 0 at 0, for `q >= 0`.
#[inline(always)]
pub(super) fn entropy_terms<S: Simd>(simd: S, q: f64x8<S>) -> f64x8<S> {
    let zero = f64x8::splat(simd, 0.0);
    let is_zero = q.simd_eq(zero);
    let log = log(simd, is_zero.select(f64x8::splat(simd, 1.0), q));
    is_zero.select(zero, -q * log)
}

/// `x = 2^k fraction`, the fraction between `sqrt(1/2)` and `sqrt(2)`.
#[inline(always)]
fn split_exponent<S: Simd>(simd: S, x: f64x8<S>) -> (f64x8<S>, f64x8<S>) {
    let splat = |value: u64| u64x8::splat(simd, value);
    // Moving the bits up by 1 - sqrt(1/2) lets the exponent field change at sqrt(1/2) instead of at 1.
    let bits = x.to_bits() + splat(0x3ff0_0000_0000_0000 - 0x3fe6_a09e_667f_3bcd);
    let fraction = (bits & splat(0x000f_ffff_ffff_ffff)) + splat(0x3fe6_a09e_667f_3bcd);
    // 2^52 + the biased exponent, made by its bits, so that no integer is converted.
    let biased = f64x8::from_bits((bits >> 52) | splat(0x4330_0000_0000_0000));
    let k = biased - f64x8::splat(simd, 4_503_599_627_370_496.0 + 1023.0);
    (k, f64x8::from_bits(fraction))
}

/// `k ln 2 + log(1 + f) + correction`, the small parts added first.
#[inline(always)]
fn log_of_parts<S: Simd>(simd: S, k: f64x8<S>, f: f64x8<S>, correction: f64x8<S>) -> f64x8<S> {
    let splat = |value: f64| f64x8::splat(simd, value);
    let s = f / (f + splat(2.0));
    let square = s * s;
    let fourth = square * square;
    // The even and the odd powers of the square apart: two short chains instead of a long one.
    let (mut even, mut odd) = (splat(2.0 / 23.0), splat(2.0 / 21.0));
    for denominator in [19.0, 15.0, 11.0, 7.0] {
        even = fused_f64(simd, even, fourth, splat(2.0 / denominator));
    }
    for denominator in [17.0, 13.0, 9.0, 5.0] {
        odd = fused_f64(simd, odd, fourth, splat(2.0 / denominator));
    }
    let series = fused_f64(simd, even, fourth, splat(2.0 / 3.0)) + odd * square;
    let r = series * square;
    let half_square = f * f * splat(0.5);
    // f - s (f - R) = f - (f^2/2 - s (f^2/2 + R)): the second form rounds less.
    k * splat(LN_2_HIGH) - ((half_square - (s * (half_square + r) + (k * splat(LN_2_LOW) + correction))) - f)
}

#[cfg(test)]
mod tests;
