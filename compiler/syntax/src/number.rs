//! The values of numbers and quantities: exact integers in the base of their unit.
//!
//! The lexer reports what does not fit; the parser reads the same text again and finds only values.

use crate::ast::{Quantity, Unit};

/// Why a number has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NumberError {
    /// Beyond 64 bits.
    TooLarge,
    /// The letters after it are no unit.
    UnknownUnit,
    /// Smaller than the base of its unit can express.
    TooFine,
}

/// What a suffix measures, and how much one of it is in the base of that.
fn unit(suffix: &str) -> Option<(Unit, i64)> {
    Some(match suffix.as_bytes() {
        b"ms" => (Unit::Duration, 1),
        b"s" => (Unit::Duration, 1_000),
        b"m" => (Unit::Duration, 60_000),
        b"h" => (Unit::Duration, 3_600_000),
        b"d" => (Unit::Duration, 86_400_000),
        b"B" => (Unit::Bytes, 1),
        b"KiB" => (Unit::Bytes, 1 << 10),
        b"MiB" => (Unit::Bytes, 1 << 20),
        b"GiB" => (Unit::Bytes, 1 << 30),
        b"TiB" => (Unit::Bytes, 1 << 40),
        b"KB" => (Unit::Bytes, 1_000),
        b"MB" => (Unit::Bytes, 1_000_000),
        b"GB" => (Unit::Bytes, 1_000_000_000),
        b"TB" => (Unit::Bytes, 1_000_000_000_000),
        b"cpu" => (Unit::Cpu, 1_000),
        b"%" => (Unit::Ratio, 10_000),
        _unknown => return None,
    })
}

/// The value of `1_000`.
pub(crate) fn int(text: &str) -> Result<i64, NumberError> {
    text.bytes()
        .filter(|b| *b != b'_')
        .try_fold(0i64, |sum, digit| {
            sum.checked_mul(10).and_then(|sum| sum.checked_add(i64::from(digit.wrapping_sub(b'0'))))
        })
        .ok_or(NumberError::TooLarge)
}

/// Whether this is what only a minus before it makes a number: the lowest one has no positive counterpart.
pub(crate) fn is_lowest(text: &str) -> bool {
    let digits = text.bytes().filter(|b| *b != b'_').skip_while(|b| *b == b'0');
    digits.eq(*b"9223372036854775808")
}

/// The value of `1_000.5`, always finite.
pub(crate) fn float(text: &str) -> Result<f64, NumberError> {
    let digits: String = text.chars().filter(|c| *c != '_').collect();
    digits.parse().ok().filter(|f: &f64| f.is_finite()).ok_or(NumberError::TooLarge)
}

/// Splits `1.5KiB` into the number and the unit.
pub(crate) fn split(text: &str) -> (&str, &str) {
    let end = text.bytes().position(|c| c.is_ascii_alphabetic() || c == b'%').unwrap_or(text.len());
    text.split_at(end)
}

/// The value of `1.5KiB`.
pub(crate) fn quantity(text: &str) -> Result<Quantity, NumberError> {
    let (number, suffix) = split(text);
    let (unit, factor) = unit(suffix).ok_or(NumberError::UnknownUnit)?;
    let dot = number.bytes().position(|c| c == b'.');
    let Some((whole, fraction)) = dot.and_then(|dot| Some((number.get(..dot)?, number.get(dot + 1..)?))) else {
        let amount = int(number)?.checked_mul(factor).ok_or(NumberError::TooLarge)?;
        return Ok(Quantity { unit, amount });
    };
    let factor = i128::from(factor);
    let whole = i128::from(int(whole)?).checked_mul(factor).ok_or(NumberError::TooLarge)?;
    let digits = fraction.trim_end_matches(['0', '_']).bytes().filter(|b| *b != b'_');
    let mut scale = 1i128;
    let mut part = 0i128;
    for digit in digits {
        scale = scale.checked_mul(10).filter(|s| *s <= 1_000_000_000_000_000).ok_or(NumberError::TooFine)?;
        part = part * 10 + i128::from(digit.wrapping_sub(b'0'));
    }
    let part = part * factor;
    if part % scale != 0 {
        return Err(NumberError::TooFine);
    }
    let amount = i64::try_from(whole + part / scale).map_err(|_| NumberError::TooLarge)?;
    Ok(Quantity { unit, amount })
}

/// The unit a wrong suffix was probably meant to be.
pub(crate) fn similar_unit(suffix: &str) -> Option<&'static str> {
    if suffix == "M" {
        return Some("MiB");
    }
    let meant = match suffix.to_ascii_lowercase().as_str() {
        "sec" | "secs" | "second" | "seconds" => "s",
        "min" | "mins" | "minute" | "minutes" => "m",
        "hr" | "hrs" | "hour" | "hours" => "h",
        "day" | "days" => "d",
        "msec" | "millis" | "milliseconds" => "ms",
        "k" | "ki" | "kib" | "kibs" => "KiB",
        "mi" | "mib" | "mibs" => "MiB",
        "g" | "gi" | "gib" | "gibs" => "GiB",
        "t" | "ti" | "tib" | "tibs" => "TiB",
        "kb" | "kbs" => "KB",
        "mb" | "mbs" => "MB",
        "gb" | "gbs" => "GB",
        "tb" | "tbs" => "TB",
        "b" | "byte" | "bytes" => "B",
        "cpus" | "core" | "cores" => "cpu",
        "percent" | "pct" => "%",
        _ => return None,
    };
    Some(meant)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> i64 {
        quantity(text).unwrap().amount
    }

    #[test]
    fn quantities_are_exact() {
        assert_eq!(amount("1.5s"), 1_500);
        assert_eq!(amount("0.5cpu"), 500);
        assert_eq!(amount("1%"), 10_000);
        assert_eq!(amount("0.0001%"), 1);
        assert_eq!(amount("1.5KiB"), 1_536);
        assert_eq!(amount("1_000MB"), 1_000_000_000);
        assert_eq!(amount("2.50d"), 216_000_000);
    }

    #[test]
    fn what_has_no_value_says_why() {
        assert_eq!(quantity("0.5ms"), Err(NumberError::TooFine));
        assert_eq!(quantity("5MiBs"), Err(NumberError::UnknownUnit));
        assert_eq!(quantity("9999999999TiB"), Err(NumberError::TooLarge));
        assert_eq!(int("9223372036854775807"), Ok(i64::MAX));
        assert_eq!(int("9223372036854775808"), Err(NumberError::TooLarge));
        assert_eq!(float("1.5"), Ok(1.5));
    }
}
