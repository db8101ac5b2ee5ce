//! Arithmetic in about 104 bits, for exact answers.
//!
//! Nothing here is the kernel's or the reference's: what measures them must not share their errors. Crates that were
//! tried: `twofloat` 0.8.4 has an `exp` that is off by 1.6e-11, and arbitrary precision (`dashu-float` 0.6.2) takes 60 us
//! for each exponential, of which a sweep needs millions.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// The unevaluated sum of two `f64`, of which the second is at most half a unit in the last place of the first.
///
/// Its operations are those of Dekker and Knuth, with errors of a few 2^-104. Finite values far from the ends of the
/// range of `f64` only.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DoubleDouble {
    /// The value rounded to `f64`.
    pub hi: f64,
    /// What that rounding left, rounded.
    pub lo: f64,
}

/// log 2 to 107 bits: 0.693147180559945309417232121458176568.
const LN_2: DoubleDouble = DoubleDouble { hi: std::f64::consts::LN_2, lo: 2.319_046_813_846_299_6e-17 };

/// Halvings of the argument of the Taylor series, which is below 0.0014 then.
const HALVINGS: i32 = 8;

/// Terms of the series: what is left out is below 1e-35 of the first.
const TERMS: u32 = 11;

impl DoubleDouble {
    /// 1.
    pub const ONE: Self = Self { hi: 1.0, lo: 0.0 };

    /// `a + b`, exactly.
    #[must_use]
    pub fn sum(a: f64, b: f64) -> Self {
        let hi = a + b;
        let of_b = hi - a;
        Self { hi, lo: (a - (hi - of_b)) + (b - of_b) }
    }

    /// `a * b`, exactly.
    fn product(a: f64, b: f64) -> Self {
        let hi = a * b;
        Self { hi, lo: a.mul_add(b, -hi) }
    }

    /// Rounded to `f64`.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        self.hi
    }

    /// The absolute value.
    #[must_use]
    pub fn abs(self) -> Self {
        if self.hi < 0.0 { -self } else { self }
    }

    /// `exp(self)`.
    #[must_use]
    pub fn exp(self) -> Self {
        let (binade, fraction) = self.reduced();
        (Self::ONE + fraction).times_power_of_2(binade)
    }

    /// `exp(self) - 1`, without cancellation near 0.
    #[must_use]
    pub fn exp_m1(self) -> Self {
        let (binade, fraction) = self.reduced();
        if binade == 0 { fraction } else { (Self::ONE + fraction).times_power_of_2(binade) - Self::ONE }
    }

    /// `log(1 + self)` for what is above 0: a step of Newton's method from the answer in `f64`.
    #[must_use]
    pub fn ln_1p(self) -> Self {
        let near = Self::from(self.hi.ln_1p());
        near - (near.exp_m1() - self) / (Self::ONE + self)
    }

    /// `n` and `f`, so that `exp(self) = 2^n (1 + f)`: the Taylor series of a small part, doubled.
    fn reduced(self) -> (i32, Self) {
        let binade = (self.hi / LN_2.hi).round();
        let part = (self - LN_2 * Self::from(binade)).times_power_of_2(-HALVINGS);
        let mut series = Self::ONE;
        for n in (2..=TERMS).rev() {
            series = Self::ONE + part * series / Self::from(f64::from(n));
        }
        let mut fraction = part * series;
        for _ in 0..HALVINGS {
            fraction = fraction + fraction + fraction * fraction;
        }
        (binade as i32, fraction)
    }

    fn times_power_of_2(self, exponent: i32) -> Self {
        let power = 2.0_f64.powi(exponent);
        Self { hi: self.hi * power, lo: self.lo * power }
    }
}

impl From<f64> for DoubleDouble {
    fn from(hi: f64) -> Self {
        Self { hi, lo: 0.0 }
    }
}

impl Neg for DoubleDouble {
    type Output = Self;

    fn neg(self) -> Self {
        Self { hi: -self.hi, lo: -self.lo }
    }
}

impl Add for DoubleDouble {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let (high, low) = (Self::sum(self.hi, other.hi), Self::sum(self.lo, other.lo));
        let high = Self::sum(high.hi, high.lo + low.hi);
        Self::sum(high.hi, high.lo + low.lo)
    }
}

impl Sub for DoubleDouble {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl Mul for DoubleDouble {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let product = Self::product(self.hi, other.hi);
        Self::sum(product.hi, product.lo + (self.hi * other.lo + self.lo * other.hi))
    }
}

impl Div for DoubleDouble {
    type Output = Self;

    /// Long division: three digits of 53 bits.
    fn div(self, other: Self) -> Self {
        let first = self.hi / other.hi;
        let rest = self - other * Self::from(first);
        let second = rest.hi / other.hi;
        let rest = rest - other * Self::from(second);
        Self::sum(first, second) + Self::from(rest.hi / other.hi)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{DoubleDouble, LN_2};
    use crate::vectors::hex::parse;

    /// The functions that mpmath computed in 60 digits and kept to 106 bits.
    #[test]
    fn functions_are_right_to_94_bits() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../label-smoothing-core/vectors/functions.txt");
        let mut checked = 0;
        for line in std::fs::read_to_string(file).unwrap().lines() {
            let (name, numbers) = line.split_once(' ').unwrap();
            let numbers: Vec<f64> = numbers.split(' ').map(|number| parse(number).unwrap()).collect();
            let (x, exact) = (DoubleDouble::from(numbers[0]), DoubleDouble { hi: numbers[1], lo: numbers[2] });
            let actual = match name {
                // Beyond, the second part is not a normal number.
                "exp" if x.hi > -600.0 => x.exp(),
                "log1p" => x.ln_1p(),
                _ => continue,
            };
            let error = (actual - exact).abs().to_f64();
            assert!(error <= 2.0_f64.powi(-94) * exact.abs().to_f64(), "{name} {x:?}: {actual:?} is not {exact:?}");
            checked += 1;
        }
        assert!(checked > 2000, "{checked} functions");
    }

    #[test]
    fn operations_keep_what_an_f64_loses() {
        let tiny = DoubleDouble::from(2.0_f64.powi(-80));
        let sum = DoubleDouble::ONE + tiny;
        assert_eq!((sum.hi, sum.lo), (1.0, 2.0_f64.powi(-80)));
        assert_eq!(sum - DoubleDouble::ONE, tiny);
        assert_eq!((sum * sum).lo, 2.0_f64.powi(-79));
        let third = DoubleDouble::ONE / DoubleDouble::from(3.0);
        let rest = (third + third + third - DoubleDouble::ONE).abs().to_f64();
        assert!(rest < 2.0_f64.powi(-104), "{rest:e}");
        assert!((LN_2.exp() - DoubleDouble::from(2.0)).abs().to_f64() < 2.0_f64.powi(-102));
    }
}
