//! jq values as the text that HubSpot takes.

use std::borrow::Cow;
use std::fmt::Write as _;

use jaq_json::Num;
use jaq_json::Val;
use jaq_std::ValT as _;

use super::html::{LONGEST, utf16_units};

/// The most digits that a number has beyond those in the payload: `1e999999` is no reason to write
/// a million zeros.
const MORE_DIGITS: usize = 40;

/// The longest id of a task or an event, in characters.
const LONGEST_ID: usize = 1000;

/// A value as text; `None` for null. The error says what it is instead.
pub(crate) fn text(value: &Val) -> Result<Option<Cow<'_, str>>, String> {
    match value {
        Val::Null => Ok(None),
        Val::Arr(items) => joined(items).map(|text| Some(text.into())),
        other => part(other),
    }
}

/// An array's values with semicolons between, without its nulls.
fn joined(items: &[Val]) -> Result<String, String> {
    let mut joined = String::new();
    let mut is_first = true;
    for item in items {
        let Some(part) = part(item)? else { continue };
        if !is_first {
            joined.push(';');
        }
        is_first = false;
        joined.push_str(&part);
        // No character takes more than three bytes for a unit of UTF-16.
        if joined.len() > 3 * LONGEST {
            return Err(too_long());
        }
    }
    Ok(joined)
}

/// Text that a property holds, or what is wrong with it: HubSpot counts as Java does, in units of
/// UTF-16.
pub(crate) fn bounded(text: &str) -> Result<&str, String> {
    if text.len() > LONGEST && (text.len() > 3 * LONGEST || utf16_units(text) > LONGEST) {
        return Err(too_long());
    }
    Ok(text)
}

fn too_long() -> String {
    format!(
        "it gives text of more than {LONGEST} characters, which is more than a property holds: cut(60000), say"
    )
}

/// The text of a string or a number, `None` for everything else, as an id.
pub(crate) fn id(value: &Val) -> Result<Option<String>, String> {
    let Some(text) = scalar(value) else { return Ok(None) };
    if text.len() > LONGEST_ID && text.chars().nth(LONGEST_ID).is_some() {
        return Err(format!("it gives an id of more than {LONGEST_ID} characters"));
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

/// What kind of value it is, in words.
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

fn part(value: &Val) -> Result<Option<Cow<'_, str>>, String> {
    match value {
        Val::Null => Ok(None),
        Val::Bool(value) => Ok(Some(if *value { "true" } else { "false" }.into())),
        Val::Num(number) => {
            let too_long = || {
                let number: String = value.to_string().chars().take(60).collect();
                format!("it gives {number}, which can't be written as a decimal number")
            };
            decimal(number).map(|text| Some(text.into())).ok_or_else(too_long)
        }
        Val::TStr(_) => {
            let text = value.as_utf8_bytes().and_then(|bytes| std::str::from_utf8(bytes).ok());
            text.map(|text| Some(text.into()))
                .ok_or_else(|| "it gives text that is not UTF-8".to_owned())
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
        Num::Float(number) if number.is_finite() => plain(&format!("{number:e}")),
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
            let needed = usize::try_from(-point).ok().filter(|needed| *needed <= longest)?;
            write!(plain, "0.{}{digits}", "0".repeat(needed)).ok()?;
        }
    }
    (plain.len() <= longest).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jaq_json::read::parse_single;

    fn of(json: &str) -> Result<Option<String>, String> {
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
        assert!(of("1e45").unwrap_err().starts_with("it gives 1e45, which can't be written"));
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
            assert!(bounded(&unit.repeat(length + 1)).unwrap_err().contains("65536"), "{unit}");
        }
        let list = |length: usize| Val::Arr(vec![Val::from("€".to_owned()); length].into());
        assert!(text(&list(LONGEST / 2)).is_ok());
        assert!(text(&list(LONGEST)).is_err());
    }

    #[test]
    fn an_id_has_at_most_1000_characters() {
        let id = |length: usize| id(&Val::from("ä".repeat(length)));
        assert_eq!(id(1000), Ok(Some("ä".repeat(1000))));
        assert!(id(1001).unwrap_err().contains("1000 characters"));
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
