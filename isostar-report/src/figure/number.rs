//! Number formatting: true minus signs, powers of ten in superscript, and only significant digits.

/// Formats a number with this many decimals.
pub fn fixed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        // Rounding a small negative number leaves a signed zero.
        Some(digits) if digits.chars().all(|digit| matches!(digit, '0' | '.')) => digits.into(),
        Some(digits) => format!("−{digits}"),
        None => text,
    }
}

/// Formats a number with four significant digits: `0.1234`, `12.34`, `1234`, `1.234·10⁻⁵`.
pub fn number(value: f64) -> String {
    let magnitude = value.abs();
    if value == 0.0 {
        "0".into()
    } else if (1e-3..1e5).contains(&magnitude) {
        fixed(
            value,
            (3 - magnitude.log10().floor() as i32).clamp(0, 4) as usize,
        )
    } else {
        let exponent = exponent_of(magnitude);
        format!(
            "{}·{}",
            fixed(value / 10f64.powi(exponent), 3),
            power_of_ten(exponent)
        )
    }
}

/// Formats a setting: `−0.1`, `0.02`, `5·10⁻⁵`.
pub fn setting(value: f64) -> String {
    let magnitude = value.abs();
    if value == 0.0 || (1e-3..1e6).contains(&magnitude) {
        return format!("{value}").replace('-', "−");
    }
    let scientific = format!("{value:e}").replace('-', "−");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    format!("{digits}·10{}", superscript(exponent))
}

/// Formats a count with separated thousands: `12 345`.
pub fn count(value: usize) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && digits.len() > 4 {
            // Narrow no-break space.
            text.push('\u{202F}');
        }
        text.push(digit);
    }
    text
}

/// Formats a power of ten: `10⁻³`.
pub fn power_of_ten(exponent: i32) -> String {
    format!("10{}", superscript(&exponent.to_string()))
}

/// Returns the exponent of the greatest power of ten that is not above `magnitude`.
pub fn exponent_of(magnitude: f64) -> i32 {
    let guess = magnitude.log10().floor() as i32;
    // Rounding may put the logarithm of a power of ten just below the integer.
    if 10f64.powi(guess + 1) <= magnitude * (1.0 + 1e-12) {
        guess + 1
    } else {
        guess
    }
}

fn superscript(digits: &str) -> String {
    let raised = |digit| match digit {
        '-' | '−' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        digit => digit
            .to_digit(10)
            .and_then(|digit| char::from_u32('⁰' as u32 + digit))
            .unwrap_or(digit),
    };
    digits.chars().map(raised).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_the_digits_that_count() {
        let cases = [
            (0.0, "0"),
            (0.123_456, "0.1235"),
            (-12.3456, "−12.35"),
            (1234.5, "1234"),
            (-1.234_56e-5, "−1.235·10⁻⁵"),
            (1e5, "1.000·10⁵"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
        assert_eq!(fixed(-0.00001, 3), "0.000");
    }

    #[test]
    fn settings_are_shown_as_they_were_set() {
        for (value, text) in [
            (-0.1, "−0.1"),
            (0.0, "0"),
            (5e-5, "5·10⁻⁵"),
            (1.5e-12, "1.5·10⁻¹²"),
            (32.0, "32"),
        ] {
            assert_eq!(setting(value), text);
        }
    }

    #[test]
    fn thousands_are_set_apart_from_five_digits_on() {
        assert_eq!(
            [count(872), count(4000), count(67_349), count(1_234_567)],
            ["872", "4000", "67\u{202F}349", "1\u{202F}234\u{202F}567"]
        );
    }
}
