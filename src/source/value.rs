//! jq values as the text that HubSpot takes.

use std::fmt::Write as _;

use jaq_json::Num;
use jaq_std::ValT as _;

use super::jq::Val;

/// The most zeros that an exponent stands for: `1e999999` in a stranger's payload is no reason to write a million.
const ZEROS: usize = 400;

/// A value as text; `None` for null. The error says what it is instead.
pub(super) fn text(value: &Val) -> Result<Option<String>, String> {
    match value {
        Val::Null => Ok(None),
        Val::Arr(items) => {
            let parts: Result<Vec<_>, _> = items.iter().map(part).collect();
            Ok(Some(parts?.into_iter().flatten().collect::<Vec<_>>().join(";")))
        }
        other => part(other),
    }
}

/// The text of a string or a number; `None` for everything else.
pub(super) fn string_or_number(value: &Val) -> Option<String> {
    match value {
        Val::Num(_) | Val::TStr(_) => part(value).ok().flatten(),
        _ => None,
    }
}

/// What kind of value it is, in words.
pub(super) fn kind(value: &Val) -> &'static str {
    match value {
        Val::Null => "null",
        Val::Bool(_) => "true or false",
        Val::Num(_) => "a number",
        Val::BStr(_) => "bytes",
        Val::TStr(_) => "text",
        Val::Arr(_) => "an array",
        Val::Obj(_) => "an object",
    }
}

fn part(value: &Val) -> Result<Option<String>, String> {
    match value {
        Val::Null => Ok(None),
        Val::Bool(value) => Ok(Some(value.to_string())),
        Val::Num(number) => match decimal(number) {
            Some(text) => Ok(Some(text)),
            None => Err(format!("it gives {value}, which can't be written as a decimal number")),
        },
        Val::TStr(_) => {
            let text = value.as_utf8_bytes().and_then(|bytes| std::str::from_utf8(bytes).ok());
            text.map(|text| Some(text.to_owned())).ok_or_else(|| "it gives text that is not UTF-8".to_owned())
        }
        other => Err(format!(
            "it gives {}, but a property takes text, a number, true or false, or a list of these",
            kind(other)
        )),
    }
}

/// A number in plain decimal digits: exact, without an exponent, without needless zeros.
fn decimal(number: &Num) -> Option<String> {
    match number {
        Num::Int(number) => Some(number.to_string()),
        Num::BigInt(number) => Some(number.to_string()),
        Num::Float(number) if number.is_finite() => Some(plain(&format!("{number}"))?),
        Num::Float(_) => None,
        Num::Dec(text) => plain(text),
    }
}

/// Rewrites `-12.50e3` as `-12500`.
fn plain(text: &str) -> Option<String> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i64 = exponent.parse().ok()?;
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let point = i64::try_from(whole.len()).ok()?.checked_add(exponent)?;
    let leading = all.len() - all.trim_start_matches('0').len();
    let digits = all.trim_start_matches('0').trim_end_matches('0');
    if digits.is_empty() {
        return Some("0".to_owned());
    }
    // Digits before the decimal point, now that the leading zeros are gone.
    let point = point - i64::try_from(leading).ok()?;
    // As many zeros as the number itself may have had are no more than was sent.
    let zeros = ZEROS.max(text.len());
    let mut plain = sign.to_owned();
    match usize::try_from(point) {
        Ok(point) if point.saturating_sub(digits.len()) > zeros => return None,
        Ok(0) => write!(plain, "0.{digits}").ok()?,
        Ok(point) if point >= digits.len() => write!(plain, "{digits}{}", "0".repeat(point - digits.len())).ok()?,
        Ok(point) => write!(plain, "{}.{}", &digits[..point], &digits[point..]).ok()?,
        Err(_) => {
            let needed = usize::try_from(-point).ok().filter(|needed| *needed <= zeros)?;
            write!(plain, "0.{}{digits}", "0".repeat(needed)).ok()?;
        }
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jaq_json::read::parse_single;

    fn of(json: &str) -> Result<Option<String>, String> {
        text(&parse_single(json.as_bytes()).unwrap())
    }

    #[test]
    fn numbers_are_exact_and_plain() {
        for (json, expected) in [
            ("0", "0"),
            ("-0.0", "0"),
            ("5.0", "5"),
            ("1.50", "1.5"),
            ("-12.50e3", "-12500"),
            ("1E-3", "0.001"),
            ("0.00120", "0.0012"),
            ("123e-2", "1.23"),
            ("1e21", "1000000000000000000000"),
            ("12345678901234567890123", "12345678901234567890123"),
            ("0.1000000000000000000000001", "0.1000000000000000000000001"),
        ] {
            assert_eq!(of(json), Ok(Some(expected.to_owned())), "{json}");
        }
        assert_eq!(text(&Val::from(0.1_f64)), Ok(Some("0.1".to_owned())));
        assert_eq!(text(&Val::from(1e21_f64)), Ok(Some("1000000000000000000000".to_owned())));
        for json in ["1e999999999", "1e-999999999", "1e99999999999999999999", "NaN", "Infinity"] {
            assert!(of(json).is_err(), "{json}");
        }
    }

    #[test]
    fn other_values() {
        assert_eq!(of("null"), Ok(None));
        assert_eq!(of("true").unwrap().as_deref(), Some("true"));
        assert_eq!(of(r#""a b""#).unwrap().as_deref(), Some("a b"));
        assert_eq!(of(r#"["a", null, 1, false]"#).unwrap().as_deref(), Some("a;1;false"));
        assert_eq!(of("[]").unwrap().as_deref(), Some(""));
        assert!(of("{}").unwrap_err().contains("an object"));
        assert!(of("[[1]]").unwrap_err().contains("an array"));
    }
}
