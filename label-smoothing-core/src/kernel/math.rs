//! The kernel's own exponential and logarithm: the platform's differ between machines.
//!
//! Every operation below is an IEEE 754 operation in a fixed order, so the bits are the same on every instruction set.

use fearless_simd::prelude::*;
use fearless_simd::{Simd, f32x16, f64x8, u64x8};

/// Below this, `exp` in `f32` is no normal number any more (`ln 2^-126` is -87.3365448).
const SUBNORMAL_F32: f32 = -87.3365;

/// Below this, `exp` in `f32` rounds to 0 (`ln 2^-150` is -103.97).
const ZERO_F32: f32 = -104.0;

/// Below this, `exp` in `f64` is no normal number any more (`ln 2^-1022` is -708.39641853).
const SUBNORMAL_F64: f64 = -708.396_4;

/// Below this, `exp` in `f64` rounds to 0 (`ln 2^-1075` is -745.13).
const ZERO_F64: f64 = -745.2;

/// Adding this to a small `f32` rounds it to an integer, which then stands in the low bits.
const ROUND_F32: f32 = 1.5 * 8_388_608.0;
const ROUND_F64: f64 = 1.5 * 4_503_599_627_370_496.0;

/// Whether `a b + c` with one rounding is an instruction. Where it is not, a function that is not inlined does it: there no
/// speed is promised, and some hundred copies of it would be most of the program.
#[inline(always)]
fn has_fused<S: Simd>(simd: S) -> bool {
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
    let rounded = fused_f32(simd, t, splat(std::f32::consts::LOG2_E), splat(ROUND_F32));
    let n = rounded - splat(ROUND_F32);
    let r = fused_f32(simd, n, splat(-0.693_145_75), t) + fused_f32(simd, n, splat(-1.428_606_8e-6), d);
    let mut p = splat(0.001_382_063_4);
    for coefficient in [0.008_368_674, 0.041_668_266, 0.166_665_21, 0.499_999_94, 1.0, 1.0] {
        p = fused_f32(simd, p, r, splat(coefficient));
    }
    let e = f32x16::from_bits(p.to_bits() + (rounded.to_bits() << 23));
    let is_small = t.simd_lt(splat(SUBNORMAL_F32));
    if is_small.any_true() {
        let raised = f32x16::from_bits(p.to_bits() + ((rounded + splat(64.0)).to_bits() << 23));
        let small = t.simd_lt(splat(ZERO_F32)).select(splat(0.0), raised * splat(f32::from_bits((127 - 64) << 23)));
        is_small.select(small, e)
    } else {
        e
    }
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
    let rounded = fused_f64(simd, t, splat(std::f64::consts::LOG2_E), splat(ROUND_F64));
    let n = rounded - splat(ROUND_F64);
    let r = fused_f64(simd, n, splat(-LN_2_HIGH), t) + fused_f64(simd, n, splat(-LN_2_LOW), d);
    let mut p = splat(1.0 / 6_227_020_800.0);
    for coefficient in INVERSE_FACTORIALS {
        p = fused_f64(simd, p, r, splat(coefficient));
    }
    let p = splat(1.0) + fused_f64(simd, r * r, p, r);
    let e = f64x8::from_bits(p.to_bits() + (rounded.to_bits() << 52));
    let is_small = t.simd_lt(splat(SUBNORMAL_F64));
    if is_small.any_true() {
        let raised = f64x8::from_bits(p.to_bits() + ((rounded + splat(64.0)).to_bits() << 52));
        let small = t.simd_lt(splat(ZERO_F64)).select(splat(0.0), raised * splat(f64::from_bits((1023 - 64) << 52)));
        is_small.select(small, e)
    } else {
        e
    }
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
mod tests {
    use fearless_simd::prelude::*;
    use fearless_simd::{Level, dispatch, f32x16, f64x8};

    use super::{exp_f32, exp_f64, log, log_1p};

    /// Values to 106 bits, made by `vectors/generate.py`.
    const VECTORS: &str = include_str!("../../vectors/functions.txt");

    /// A C99 hexadecimal float as Python writes it.
    fn hex(text: &str) -> f64 {
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = digits.strip_prefix("0x").unwrap().split_once('p').unwrap();
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let bits = u64::from_str_radix(&format!("{whole}{fraction}"), 16).unwrap();
        let scale = exponent.parse::<i32>().unwrap() - 4 * i32::try_from(fraction.len()).unwrap();
        // In two steps, since a power of two below the smallest normal number is inexact.
        let value = bits as f64 * 2.0_f64.powi(scale / 2) * 2.0_f64.powi(scale - scale / 2);
        if negative { -value } else { value }
    }

    fn ulp(value: f64) -> f64 {
        f64::from_bits(value.abs().to_bits() + 1) - value.abs()
    }

    #[test]
    fn functions_in_f64_are_within_one_ulp() {
        let mut worst = [("exp", 0.0, 0.0), ("log", 0.0, 0.0), ("log1p", 0.0, 0.0)];
        for line in VECTORS.lines() {
            let fields: Vec<&str> = line.split(' ').collect();
            let (x, value, rest) = (hex(fields[1]), hex(fields[2]), hex(fields[3]));
            let ours = dispatch!(Level::new(), simd => {
                let x = f64x8::splat(simd, x);
                match fields[0] {
                    "exp" => exp_f64(simd, x, f64x8::splat(simd, 0.0)),
                    "log" => log(simd, x),
                    _ => log_1p(simd, x),
                }
                .as_slice()[0]
            });
            let error = ((ours - value) - rest).abs() / ulp(value);
            let worst = worst.iter_mut().find(|worst| worst.0 == fields[0]).unwrap();
            if error > worst.1 {
                (worst.1, worst.2) = (error, x);
            }
        }
        for (name, error, x) in worst {
            println!("{name}: {error:.3} ulp at {x:e}");
            assert!(error < 1.0, "{name} is {error} ulp off at {x:e}");
        }
    }

    /// The platform's functions are the judge, whose own errors are small beside what is allowed.
    #[test]
    fn powers_and_logarithms_of_small_numbers_are_within_their_bounds() {
        dispatch!(Level::new(), simd => {
            let power = |x: f64, y: f64| super::power(simd, f64x8::splat(simd, x), y).as_slice()[0];
            assert_eq!((power(0.0, 0.0), power(0.0, 0.5), power(1.0, 7.0), power(0.25, 0.0)), (1.0, 0.0, 1.0, 1.0));
            for x in [5e-324, 1.5e-310, 2.3e-308, 1e-100, 1e-7, 0.3, 0.5, 0.999_999] {
                let ours = log(simd, f64x8::splat(simd, x)).as_slice()[0];
                assert!((ours - x.ln()).abs() <= 2.0 * ulp(x.ln()), "log {x:e}");
                for y in [0.125_f64, 0.5, 1.0, 2.0, 5.0] {
                    let (ours, exact) = (power(x, y), x.powf(y));
                    let allowed = (3.0 + 2.0 * y * x.ln().abs()) * ulp(exact);
                    assert!((ours - exact).abs() <= allowed, "{x:e}^{y}: {ours:e} for {exact:e}");
                }
            }
        });
    }

    /// The largest error of the exponential in ulp, over each `step`th vector of `f32` from 0 down to where it is 0, and where that is;
    /// the platform's `f64` exponential is the judge, whose own error is nothing beside an `f32`'s ulp.
    fn worst_exp_f32(step: usize) -> (f64, f32) {
        let last = (-104.5_f32).to_bits();
        let mut worst = (0.0, 0.0);
        for first in ((-0.0_f32).to_bits()..last).step_by(16 * step) {
            let t: [f32; 16] = std::array::from_fn(|lane| f32::from_bits(first + lane as u32));
            let ours: [f32; 16] = dispatch!(Level::new(), simd => {
                exp_f32(simd, f32x16::from_slice(simd, &t), f32x16::splat(simd, 0.0)).to_array()
            });
            for (t, ours) in t.into_iter().zip(ours) {
                let exact = f64::from(t).exp();
                let step = f64::from((exact as f32).next_up()) - f64::from(exact as f32);
                let error = (f64::from(ours) - exact).abs() / step;
                if error > worst.0 || error.is_nan() {
                    worst = (error, t);
                }
            }
        }
        worst
    }

    #[test]
    fn exp_in_f32_is_within_its_bound_everywhere() {
        let (error, t) = worst_exp_f32(1);
        println!("exp in f32: {error:.4} ulp at {t:e}");
        assert!(error < 0.9, "{error} ulp at {t:e}");
    }

    /// The same in a moment, also where nothing is optimised.
    #[test]
    fn exp_in_f32_is_within_its_bound_here_and_there() {
        let (error, t) = worst_exp_f32(1021);
        assert!((0.8..0.9).contains(&error), "{error} ulp at {t:e}");
    }

    #[test]
    fn exponentials_end_where_they_say() {
        dispatch!(Level::new(), simd => {
            let f32s = |t: f32| exp_f32(simd, f32x16::splat(simd, t), f32x16::splat(simd, 0.0)).as_slice()[0];
            let f64s = |t: f64| exp_f64(simd, f64x8::splat(simd, t), f64x8::splat(simd, 0.0)).as_slice()[0];
            assert_eq!((f32s(0.0), f64s(0.0)), (1.0, 1.0));
            assert_eq!((f32s(f32::NEG_INFINITY), f64s(f64::NEG_INFINITY)), (0.0, 0.0));
            assert_eq!((f32s(f32::MIN), f64s(f64::MIN)), (0.0, 0.0));
            assert!(f32s(-103.0) > 0.0 && f64s(-744.0) > 0.0);
            let (f32_nan, f64_nan) = (f32x16::splat(simd, f32::NAN), f64x8::splat(simd, f64::NAN));
            for t in [f32::NEG_INFINITY, -105.0] {
                assert_eq!(exp_f32(simd, f32x16::splat(simd, t), f32_nan).as_slice()[0], 0.0);
            }
            for t in [f64::NEG_INFINITY, -746.0] {
                assert_eq!(exp_f64(simd, f64x8::splat(simd, t), f64_nan).as_slice()[0], 0.0);
            }
        });
    }
}
