use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch, f32x16, f64x8};

use super::{exp_f32, exp_f64, log, log_1p};

/// Values to 106 bits, made by `vectors/generate.py`.
const VECTORS: &str = include_str!("../../../vectors/functions.txt");

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
