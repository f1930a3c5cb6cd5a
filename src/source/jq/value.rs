//! jq values as the text that HubSpot takes.

use std::borrow::Cow;
use std::fmt::Write as _;

use jaq_json::Num;
use jaq_json::Val;

use super::html::{LONGEST, utf16_units};
use crate::text::shorten_display;

/// The most digits that a number has beyond those in the payload: `1e999999` is no reason to write
/// a million zeros.
const MORE_DIGITS: usize = 40;

/// The longest id of a task or an event, in characters.
const LONGEST_ID: usize = 1000;

/// How much of a number a message shows, in characters.
const SHOWN: usize = 60;

/// Why a value is no text that HubSpot takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotText {
    #[error(
        "it gives text of more than {} characters, which is more than a property holds: \
         cut(60000), say",
        LONGEST
    )]
    TooLong,
    #[error("it gives an id of more than {} characters", LONGEST_ID)]
    LongId,
    /// A number, as far as it is shown.
    #[error("it gives {0}, which can't be written as a decimal number")]
    LongNumber(String),
    #[error("it gives text that is not UTF-8")]
    NotUtf8,
    /// Another kind of value.
    #[error("it gives {0}, but a property takes text, a number, true or false, or a list of these")]
    Kind(&'static str),
}

/// A value as text; `None` for null.
pub(crate) fn text(value: &Val) -> Result<Option<Cow<'_, str>>, NotText> {
    match value {
        Val::Null => Ok(None),
        Val::Arr(items) => joined(items).map(|text| Some(text.into())),
        other => part(other),
    }
}

/// An array's values with semicolons between, without its nulls.
fn joined(items: &[Val]) -> Result<String, NotText> {
    let mut joined = String::new();
    let mut is_first = true;
    for item in items {
        let Some(text) = part(item)? else { continue };
        if !is_first {
            joined.push(';');
        }
        is_first = false;
        joined.push_str(&text);
        // No character takes more than three bytes for a unit of UTF-16.
        if joined.len() > 3 * LONGEST {
            return Err(NotText::TooLong);
        }
    }
    Ok(joined)
}

/// The text, unless a property can't hold it: HubSpot counts as Java does, in units of UTF-16.
pub(crate) fn bounded(text: &str) -> Result<&str, NotText> {
    if text.len() > LONGEST && (text.len() > 3 * LONGEST || utf16_units(text) > LONGEST) {
        return Err(NotText::TooLong);
    }
    Ok(text)
}

/// The text of a string or a number, `None` for everything else, as an id.
pub(crate) fn id(value: &Val) -> Result<Option<String>, NotText> {
    let Some(text) = scalar(value) else { return Ok(None) };
    if text.len() > LONGEST_ID && text.chars().nth(LONGEST_ID).is_some() {
        return Err(NotText::LongId);
    }
    Ok(Some(text.into_owned()))
}

/// The text of a string or a number; `None` for everything else.
pub(crate) fn string_or_number(value: &Val) -> Option<String> {
    scalar(value).map(Cow::into_owned)
}

/// The same, without a copy of a string.
pub(crate) fn scalar(value: &Val) -> Option<Cow<'_, str>> {
    match value {
        Val::Num(_) | Val::TStr(_) => part(value).ok().flatten(),
        _ => None,
    }
}

/// The kind of a value, in words.
pub(crate) fn kind(value: &Val) -> &'static str {
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

/// A value that is no array as text; `None` for null.
fn part(value: &Val) -> Result<Option<Cow<'_, str>>, NotText> {
    match value {
        Val::Null => Ok(None),
        Val::Bool(true) => Ok(Some("true".into())),
        Val::Bool(false) => Ok(Some("false".into())),
        Val::Num(number) => match decimal(number) {
            Some(text) => Ok(Some(text.into())),
            None => Err(NotText::LongNumber(shorten_display(value, SHOWN))),
        },
        Val::TStr(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Some(text.into())),
            Err(_) => Err(NotText::NotUtf8),
        },
        other => Err(NotText::Kind(kind(other))),
    }
}

/// A number in plain decimal digits: exact, without an exponent, without needless zeros.
fn decimal(number: &Num) -> Option<String> {
    match number {
        Num::Int(number) => Some(number.to_string()),
        Num::BigInt(number) => Some(number.to_string()),
        Num::Float(number) if number.is_finite() => plain(&format!("{number:e}")),
        Num::Float(_) => None,
        Num::Dec(text) => plain(text),
    }
}

/// Rewrites `-12.50e3` as `-12500`.
fn plain(text: &str) -> Option<String> {
    let (mantissa, power) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i64 = power.parse().ok()?;
    let (sign, unsigned) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let all_digits = format!("{whole}{fraction}");
    let from_first = all_digits.trim_start_matches('0');
    let digits = from_first.trim_end_matches('0');
    if digits.is_empty() {
        return Some("0".to_owned());
    }
    // How many digits stand before the decimal point, without the leading zeros.
    let leading_zeros = i64::try_from(all_digits.len() - from_first.len()).ok()?;
    let digits_of_whole = i64::try_from(whole.len()).ok()?;
    let point = digits_of_whole.checked_add(exponent)? - leading_zeros;
    let longest = text.len() + MORE_DIGITS;
    let mut plain = sign.to_owned();
    match usize::try_from(point) {
        Ok(point) if point > longest => return None,
        Ok(0) => write!(plain, "0.{digits}").ok()?,
        Ok(point) if point >= digits.len() => {
            write!(plain, "{digits}{}", "0".repeat(point - digits.len())).ok()?;
        }
        Ok(point) => write!(plain, "{}.{}", &digits[..point], &digits[point..]).ok()?,
        Err(_) => {
            let zeros = usize::try_from(-point).ok()?;
            if zeros > longest {
                return None;
            }
            write!(plain, "0.{}{digits}", "0".repeat(zeros)).ok()?;
        }
    }
    (plain.len() <= longest).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jaq_json::read::parse_single;

    fn of(json: &str) -> Result<Option<String>, NotText> {
        text(&parse_single(json.as_bytes()).unwrap()).map(|text| text.map(Cow::into_owned))
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
        assert_eq!(text(&Val::from(0.1_f64)), Ok(Some("0.1".into())));
        assert_eq!(text(&Val::from(1e21_f64)), Ok(Some("1000000000000000000000".into())));
        for json in [
            "1e400",
            "-1e-400",
            "1e999999999",
            "1e-999999999",
            "1e99999999999999999999",
            "NaN",
            "Infinity",
        ] {
            assert!(of(json).is_err(), "{json}");
        }
    }

    #[test]
    fn a_number_is_at_most_40_digits_longer_than_in_the_payload() {
        assert_eq!(of("1e40"), Ok(Some(format!("1{}", "0".repeat(40)))));
        assert_eq!(of("[1e40]"), of("1e40"));
        assert!(
            of("1e45")
                .unwrap_err()
                .to_string()
                .starts_with("it gives 1e45, which can't be written")
        );
        assert!(of("[1e45]").is_err());
        assert!(text(&Val::from(1e300_f64)).is_err());
        let long = "123456789".repeat(100);
        assert_eq!(of(&long), Ok(Some(long.clone())));
        assert_eq!(of(&format!("{long}e40")), Ok(Some(format!("{long}{}", "0".repeat(40)))));
    }

    #[test]
    fn a_text_is_no_longer_than_a_property_holds() {
        for (unit, length) in [("a", LONGEST), ("ä", LONGEST), ("€", LONGEST), ("😀", LONGEST / 2)]
        {
            assert!(bounded(&unit.repeat(length)).is_ok(), "{unit}");
            assert!(
                bounded(&unit.repeat(length + 1)).unwrap_err().to_string().contains("65536"),
                "{unit}"
            );
        }
        let list = |length: usize| Val::Arr(vec![Val::from("€".to_owned()); length].into());
        assert!(text(&list(LONGEST / 2)).is_ok());
        assert!(text(&list(LONGEST)).is_err());
    }

    #[test]
    fn an_id_has_at_most_1000_characters() {
        let id = |length: usize| id(&Val::from("ä".repeat(length)));
        assert_eq!(id(1000), Ok(Some("ä".repeat(1000))));
        assert!(id(1001).unwrap_err().to_string().contains("1000 characters"));
    }

    #[test]
    fn other_values() {
        assert_eq!(of("null"), Ok(None));
        assert_eq!(of("true").unwrap().as_deref(), Some("true"));
        assert_eq!(of(r#""a b""#).unwrap().as_deref(), Some("a b"));
        assert_eq!(of(r#"["a", null, 1, false]"#).unwrap().as_deref(), Some("a;1;false"));
        assert_eq!(of("[]").unwrap().as_deref(), Some(""));
        assert!(of("{}").unwrap_err().to_string().contains("an object"));
        assert!(of("[[1]]").unwrap_err().to_string().contains("an array"));
    }
}
