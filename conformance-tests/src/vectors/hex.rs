//! C99 hexadecimal floats, read exactly.

/// Reads `0x1.8p+3`, `-0X.8P0`, `0x1`, `inf`, `-inf` or `nan`; more than 53 bits are rounded to nearest, ties to even.
///
/// # Errors
///
/// Anything else, and a number beyond the largest `f64`, in words that follow the text.
pub(crate) fn parse(text: &str) -> Result<f64, &'static str> {
    match text {
        "nan" => return Ok(f64::NAN),
        "inf" => return Ok(f64::INFINITY),
        "-inf" => return Ok(f64::NEG_INFINITY),
        _ => {}
    }
    let (negative, unsigned) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] | rest => (false, rest),
    };
    let [b'0', b'x' | b'X', digits @ ..] = unsigned else {
        return Err("is no C99 hexadecimal float such as 0x1.8p+3, and not inf, -inf or nan");
    };
    let (mantissa, exponent, rest) = mantissa(digits)?;
    let exponent = exponent.saturating_add(binary_exponent(rest)?).clamp(-1 << 40, 1 << 40);
    let magnitude = scale(mantissa, exponent);
    if magnitude.is_infinite() {
        return Err("is beyond the largest f64");
    }
    Ok(if negative { -magnitude } else { magnitude })
}

/// The digits as `mantissa * 2^exponent`, and what follows them. Bits that do not fit leave a 1 in the lowest place,
/// which is below the rounding position.
fn mantissa(digits: &[u8]) -> Result<(u64, i64, &[u8]), &'static str> {
    let (mut mantissa, mut exponent) = (0_u64, 0_i64);
    let (mut seen_digit, mut seen_point) = (false, false);
    let mut at = 0;
    while let Some(&byte) = digits.get(at) {
        if byte == b'.' && !seen_point {
            seen_point = true;
        } else if let Some(digit) = char::from(byte).to_digit(16) {
            seen_digit = true;
            if mantissa >> 60 == 0 {
                mantissa = mantissa << 4 | u64::from(digit);
                exponent -= if seen_point { 4 } else { 0 };
            } else {
                mantissa |= u64::from(digit != 0);
                exponent += if seen_point { 0 } else { 4 };
            }
        } else {
            break;
        }
        at += 1;
    }
    if seen_digit { Ok((mantissa, exponent, &digits[at..])) } else { Err("has no hexadecimal digit") }
}

/// The exponent behind `p`, 0 where there is none. Large ones saturate far beyond what any mantissa can make up for.
fn binary_exponent(text: &[u8]) -> Result<i64, &'static str> {
    let digits = match text {
        [] => return Ok(0),
        [b'p' | b'P', digits @ ..] => digits,
        _ => return Err("has something behind its digits that is no exponent"),
    };
    let (negative, digits) = match digits {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] | rest => (false, rest),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err("has an exponent that is no decimal integer");
    }
    let magnitude =
        digits.iter().fold(0_i64, |value, &digit| value.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    Ok(if negative { -magnitude } else { magnitude })
}

/// `mantissa * 2^exponent`, rounded once.
fn scale(mantissa: u64, exponent: i64) -> f64 {
    if mantissa == 0 {
        return 0.0;
    }
    let bits = 64 - i64::from(mantissa.leading_zeros());
    let highest = exponent + bits - 1;
    if highest > 1023 {
        return f64::INFINITY;
    }
    // The place of the last bit that the result can hold: 52 below the highest, and never below the subnormals'.
    let last = (highest - 52).max(-1074);
    let dropped = last - exponent;
    let kept = match dropped {
        ..=0 => mantissa << -dropped,
        1..=64 => {
            let wide = u128::from(mantissa);
            let (kept, half) = (wide >> dropped, 1_u128 << (dropped - 1));
            let rest = wide - (kept << dropped);
            let up = rest > half || (rest == half && kept & 1 == 1);
            (kept + u128::from(up)) as u64
        }
        _ => 0,
    };
    kept as f64 * power_of_two(last)
}

/// `2^exponent` for `-1074..=971`; the product with an integer of up to 53 bits is exact.
fn power_of_two(exponent: i64) -> f64 {
    let bits = if exponent < -1022 { 1_u64 << (exponent + 1074) } else { ((exponent + 1023) as u64) << 52 };
    f64::from_bits(bits)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn every_form_is_read() {
        let forms = [
            ("0x1p+0", 1.0),
            ("0x1", 1.0),
            ("+0X1.8P3", 12.0),
            ("-0x.8p1", -1.0),
            ("0x10.p-4", 1.0),
            ("0x1.999999999999ap-4", 0.1),
            ("0x0.0000000000000000000000000000001p124", 1.0),
            ("0x1000000000000000000000000000000p-120", 1.0),
            ("0x1.fffffffffffffp+1023", f64::MAX),
            ("0x1p-1074", f64::from_bits(1)),
            ("0x0.8p-1073", f64::from_bits(1)),
            ("0x1.8p-1074", f64::from_bits(2)),
            ("0x1p-1075", 0.0),
            ("0x1.0000000000000000001p-1075", f64::from_bits(1)),
            ("0x1p-99999999999999999999999999", 0.0),
            ("0x0p99999999999999999999999999", 0.0),
            ("0x1.fffffffffffff7p-1023", f64::MIN_POSITIVE),
        ];
        for (text, value) in forms {
            assert_eq!(parse(text).map(f64::to_bits), Ok(value.to_bits()), "{text}");
        }
        assert_eq!(parse("-0x0p+0").map(f64::to_bits), Ok((-0.0_f64).to_bits()));
        assert!(parse("nan").is_ok_and(f64::is_nan));
        assert_eq!(parse("-inf"), Ok(f64::NEG_INFINITY));
    }

    #[test]
    fn more_bits_than_fit_are_rounded_to_nearest_even() {
        let one = 1.0_f64.to_bits();
        for (text, bits) in [
            ("0x1.00000000000008p+0", one),
            ("0x1.00000000000008000000000000000001p+0", one + 1),
            ("0x1.00000000000007ffffffffffffffffffp+0", one),
            ("0x1.00000000000018p+0", one + 2),
            ("0x1.fffffffffffff8p+0", 2.0_f64.to_bits()),
            ("0x123456789abcdef123p-68", f64::from_bits(0x3ff2_3456_789a_bcdf).to_bits()),
        ] {
            assert_eq!(parse(text).map(f64::to_bits), Ok(bits), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "-",
            "0x",
            "0xp1",
            "0x.p1",
            "0x1p",
            "0x1p+",
            "0x1p1.5",
            "0x1..8p0",
            "0x1.8.p0",
            "1.5",
            "1",
            "0x1 ",
            " 0x1",
            "0x1p0f",
            "Inf",
            "NaN",
            "+inf",
            "infinity",
            "0xg",
            "--0x1",
            "0x-1",
            "0x1p+1024",
            "0x1.fffffffffffff8p+1023",
            "0x1p99999999999999999999",
            "é",
            "0x1é",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
