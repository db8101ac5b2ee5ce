//! Half-precision types to and from `f32`.
//!
//! Integer arithmetic without branches, so that the compiler makes vectors of loops over it. The crate `half` asks for
//! the processor's features element by element, or works on whole slices.

#[inline(always)]
pub(crate) fn widen_bf16(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

#[inline(always)]
pub(crate) fn narrow_bf16(value: f32) -> u16 {
    let bits = value.to_bits();
    let rounded = (bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16) as u16;
    let quiet_nan = (bits >> 16) as u16 | 0x40;
    if value.is_nan() { quiet_nan } else { rounded }
}

#[inline(always)]
pub(crate) fn widen_f16(bits: u16) -> f32 {
    let sign = u32::from(bits & 0x8000) << 16;
    let magnitude = u32::from(bits & 0x7fff);
    // The exponents of f16 moved up to those of f32 by a product, which puts subnormals right as well.
    let scaled = f32::from_bits(magnitude << 13) * f32::from_bits((254 - 15) << 23);
    let infinite_or_nan = (magnitude << 13) | 0x7f80_0000;
    let wide = if magnitude >= 0x7c00 { infinite_or_nan } else { scaled.to_bits() };
    f32::from_bits(sign | wide)
}

#[inline(always)]
pub(crate) fn narrow_f16(value: f32) -> u16 {
    let sign = ((value.to_bits() >> 16) & 0x8000) as u16;
    let magnitude = value.to_bits() & 0x7fff_ffff;
    // Normal results: round off 13 bits, and move the exponent. Too large ones come out as infinity.
    let rounded = magnitude.wrapping_add(0x0fff + ((magnitude >> 13) & 1));
    let normal = (rounded.wrapping_sub((127 - 15) << 23) >> 13).min(0x7c00) as u16;
    // Subnormal results: adding 1/2 lets the hardware round to multiples of 2^-24.
    let subnormal = (f32::from_bits(magnitude) + 0.5).to_bits().wrapping_sub(0.5_f32.to_bits()) as u16;
    let nan = 0x7e00;
    let finite = if magnitude < (127 - 14) << 23 { subnormal } else { normal };
    sign | if magnitude > 0x7f80_0000 { nan } else { finite }
}

/// `x` in `f32`, an inexact one rounded to the neighbour whose last bit is 1: rounded once more, to a half type, it is what
/// `x` itself is rounded to. The crate `half` rounds to `f32` and then to `f16` where the processor helps, and that is wrong
/// where the first rounding makes a tie.
pub(crate) fn to_odd(x: f64) -> f32 {
    let nearest = x as f32;
    if x.is_nan() || f64::from(nearest) == x {
        return nearest;
    }
    let is_beyond = f64::from(nearest).abs() > x.abs();
    f32::from_bits((nearest.to_bits() - u32::from(is_beyond)) | 1)
}

#[cfg(test)]
mod tests {
    use super::{narrow_bf16, narrow_f16, to_odd, widen_bf16, widen_f16};
    use half::{bf16, f16};

    #[test]
    fn halves_widen_as_the_crate_half_does() {
        for bits in 0..=u16::MAX {
            let same =
                |ours: f32, theirs: f32| ours.to_bits() == theirs.to_bits() || (ours.is_nan() && theirs.is_nan());
            assert!(same(widen_f16(bits), f16::from_bits(bits).to_f32()), "f16 {bits:#x}");
            assert!(same(widen_bf16(bits), bf16::from_bits(bits).to_f32()), "bf16 {bits:#x}");
        }
    }

    #[test]
    fn halves_narrow_as_the_crate_half_does() {
        // Every half value, its neighbours in f32, the midpoints between halves, and theirs.
        for high in 0..=u16::MAX {
            for low in [0_u32, 1, 0x0fff, 0x1000, 0x1001, 0x1fff, 0x2000, 0x7fff, 0x8000, 0x8001, 0xffff] {
                let value = f32::from_bits(u32::from(high) << 16 | low);
                if value.is_nan() {
                    assert!(f16::from_bits(narrow_f16(value)).is_nan() && bf16::from_bits(narrow_bf16(value)).is_nan());
                } else {
                    assert_eq!(narrow_f16(value), f16::from_f32(value).to_bits(), "f16 of {value:e}");
                    assert_eq!(narrow_bf16(value), bf16::from_f32(value).to_bits(), "bf16 of {value:e}");
                }
            }
        }
    }

    /// Between every two neighbouring halves: their middle, which goes to the even one, and the `f64` next to it on either
    /// side, which the nearest `f32` does not tell from it.
    #[test]
    fn an_f64_is_rounded_to_a_half_once() {
        fn check(name: &str, widen: impl Fn(u16) -> f32, narrow: impl Fn(f32) -> u16, infinity: u16) {
            for low in 0..infinity - 1 {
                let (a, b) = (f64::from(widen(low)), f64::from(widen(low + 1)));
                let (middle, even) = (f64::midpoint(a, b), low + (low & 1));
                // Beyond the middle by an odd last bit of an `f32` and a bit of an `f64`.
                let beyond = f64::from((middle as f32).next_up()).next_up();
                let near = [(middle.next_down(), low), (middle, even), (middle.next_up(), low + 1), (beyond, low + 1)];
                for (x, expected) in near.into_iter().chain([(a, low)]) {
                    assert_eq!(narrow(to_odd(x)), expected, "{name} of {x:e}");
                    assert_eq!(narrow(to_odd(-x)), expected | 0x8000, "{name} of -{x:e}");
                }
            }
            assert_eq!(narrow(to_odd(f64::MAX)), infinity, "{name}");
            assert_eq!(narrow(to_odd(f64::from_bits(1))), 0, "{name}");
            assert!(to_odd(f64::NAN).is_nan());
        }
        check("f16", widen_f16, narrow_f16, 0x7c00);
        check("bf16", widen_bf16, narrow_bf16, 0x7f80);
    }
}
