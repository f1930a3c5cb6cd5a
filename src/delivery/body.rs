//! Reading a verified body: strict JSON of limited depth, or a form.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fmt;

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::Delivery;

/// The deepest nesting of arrays and objects that is read.
const DEPTH: usize = 128;

/// The most digits of a number: a million of them cost whoever calculates with it a second.
const DIGITS: usize = 1000;

/// Characters that may stand before JSON: a byte order mark and JSON's white space.
const BEFORE_JSON: [char; 5] = ['\u{feff}', ' ', '\t', '\r', '\n'];

/// JSON that was checked: one value, strict syntax, at most [`DEPTH`] levels, no name twice in one
/// object, whole characters, and numbers of at most [`DIGITS`] digits.
///
/// jaq's own reader is lenient and recursive without a limit; it may only be given text of this
/// type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Json(String);

/// How a sender writes its bodies. The content type says nothing, since no signature covers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON alone.
    Json,
    /// JSON where the body begins as an object or an array does, and a form otherwise.
    JsonOrForm,
}

/// Why a body can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// There is no body.
    Empty,
    /// It is not UTF-8.
    NotUtf8,
    /// It is not JSON; with the mistake and its place.
    NotJson(String),
    /// Arrays and objects are nested too deeply.
    TooDeep,
    /// An object has a name twice; with the place of the second one. Text that its author wrote may
    /// have broken out of the sender's template.
    NameTwice(Place),
    /// A number has too many digits.
    LongNumber(Place),
    /// A form has a field twice.
    FieldTwice,
    /// An array or object has too many elements, or all values together would take too much memory.
    TooManyValues,
}

/// A place in a text: line and column, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    line: usize,
    column: usize,
}

impl Json {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text itself, without copying it.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }

    /// Checks text. Halves of surrogate pairs become U+FFFD, and a byte order mark is left out.
    pub fn parse(text: &str) -> Result<Self, Unreadable> {
        let json = text.trim_start_matches(BEFORE_JSON);
        if json.is_empty() {
            return Err(Unreadable::Empty);
        }
        // Values are skipped, not built: without recursion, and numbers may be of any size.
        serde_json::from_str::<IgnoredAny>(json)
            .map_err(|error| Unreadable::NotJson(error.to_string()))?;
        let json = whole_characters(json);
        check(&json)?;
        Ok(Self(json.into_owned()))
    }

    pub(super) fn read(delivery: &Delivery, format: Format) -> Result<Self, Unreadable> {
        let body = std::str::from_utf8(&delivery.body).map_err(|_| Unreadable::NotUtf8)?;
        let content = body.trim_start_matches(BEFORE_JSON);
        if content.is_empty() {
            return Err(Unreadable::Empty);
        }
        match format {
            Format::JsonOrForm if !content.starts_with(['{', '[']) => Self::from_form(body),
            Format::Json | Format::JsonOrForm => Self::parse(body),
        }
    }

    /// A form: its field `payload` is JSON (GitHub's other content type), otherwise it is an object
    /// of its fields.
    fn from_form(body: &str) -> Result<Self, Unreadable> {
        let mut fields = serde_json::Map::new();
        for (name, value) in form_urlencoded::parse(body.as_bytes()) {
            if fields.insert(name.into_owned(), value.into_owned().into()).is_some() {
                return Err(Unreadable::FieldTwice);
            }
        }
        match fields.get("payload").and_then(serde_json::Value::as_str) {
            Some(payload) => Self::parse(payload),
            None => Ok(Self(serde_json::Value::Object(fields).to_string())),
        }
    }

    /// The JSON at the end of these keys, one object in the other.
    pub(super) fn raw(&self, keys: &[&str]) -> Option<&str> {
        keys.iter().try_fold(self.0.as_str(), |object, key| {
            let fields: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(object).ok()?;
            fields.get(*key).map(|value| value.get())
        })
    }

    /// The text of a number or a string in a field of the outermost object.
    pub(super) fn field(&self, name: &str) -> Option<String> {
        let value = self.raw(&[name])?;
        serde_json::from_str::<String>(value).ok().or_else(|| {
            value.starts_with(|first: char| first.is_ascii_digit()).then(|| value.to_owned())
        })
    }
}

/// JSON with U+FFFD in place of each half of a surrogate pair: a sender may cut text in the middle
/// of a character.
#[must_use]
pub fn whole_characters(json: &str) -> Cow<'_, str> {
    // Nearly always there is none, and this search takes a fraction of the time.
    if !json.contains("\\ud") && !json.contains("\\uD") {
        return Cow::Borrowed(json);
    }
    let mut whole = String::new();
    let (mut copied, mut at) = (0, 0);
    // In JSON a backslash stands in texts alone, at the beginning of an escape.
    while let Some(ahead) = json[at..].find('\\') {
        at += ahead;
        match (code_unit(json, at), code_unit(json, at + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => at += 12,
            (Some(0xd800..=0xdfff), _) => {
                whole.push_str(&json[copied..at]);
                whole.push_str("\\ufffd");
                at += 6;
                copied = at;
            }
            (Some(_), _) => at += 6,
            (None, _) => at += 2,
        }
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    whole.push_str(&json[copied..]);
    Cow::Owned(whole)
}

/// The UTF-16 code unit of the escape `\uXXXX` at a place, if there is one.
fn code_unit(json: &str, at: usize) -> Option<u16> {
    let digits = json.get(at..at + 6)?.strip_prefix("\\u")?;
    u16::from_str_radix(digits, 16).ok()
}

/// A name of an object.
struct Name<'j> {
    text: Cow<'j, str>,
    at: usize,
}

/// Checks the rules beyond the syntax in text that is known to be JSON. Linear, and without
/// recursion.
fn check(json: &str) -> Result<(), Unreadable> {
    let bytes = json.as_bytes();
    // The names of all open objects, and where in them those of each open object begin; arrays have
    // none.
    let mut names: Vec<Name<'_>> = Vec::new();
    let mut open: Vec<Option<usize>> = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                let end = end_of_text(bytes, at);
                if json[end..].trim_start_matches(BEFORE_JSON).starts_with(':') {
                    names.push(Name { text: name(&json[at..end]), at });
                }
                at = end;
            }
            b'{' | b'[' if open.len() == DEPTH => return Err(Unreadable::TooDeep),
            b'{' | b'[' => {
                open.push((*byte == b'{').then_some(names.len()));
                at += 1;
            }
            b'}' | b']' => {
                if let Some(Some(first)) = open.pop() {
                    if let Some(twice) = twice(&names[first..]) {
                        return Err(Unreadable::NameTwice(Place::at(json, twice.at)));
                    }
                    names.truncate(first);
                }
                at += 1;
            }
            b'-' | b'0'..=b'9' => {
                let length = bytes[at..].iter().take_while(|byte| is_of_number(**byte)).count();
                if bytes[at..at + length].iter().filter(|byte| byte.is_ascii_digit()).count()
                    > DIGITS
                {
                    return Err(Unreadable::LongNumber(Place::at(json, at)));
                }
                at += length;
            }
            _ => at += 1,
        }
    }
    Ok(())
}

/// The end of the text that begins with the quotation mark at a place.
fn end_of_text(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The text of a name in quotation marks.
fn name(quoted: &str) -> Cow<'_, str> {
    if quoted.contains('\\')
        && let Ok(name) = serde_json::from_str::<String>(quoted)
    {
        return Cow::Owned(name);
    }
    Cow::Borrowed(&quoted[1..quoted.len() - 1])
}

/// The first name that stands there a second time.
fn twice<'n, 'j>(names: &'n [Name<'j>]) -> Option<&'n Name<'j>> {
    /// Up to here comparing is cheaper than hashing.
    const FEW: usize = 12;
    if names.len() <= FEW {
        let stands_before = |(index, name): &(usize, &Name<'_>)| {
            names[..*index].iter().any(|one| one.text == name.text)
        };
        return names.iter().enumerate().find(stands_before).map(|(_, name)| name);
    }
    let mut seen = HashSet::with_capacity(names.len());
    names.iter().find(|name| !seen.insert(name.text.as_ref()))
}

fn is_of_number(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E')
}

impl Place {
    /// The place of a byte.
    fn at(text: &str, at: usize) -> Self {
        let before = &text[..at];
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} column {}", self.line, self.column)
    }
}

impl Unreadable {
    /// A sentence for the sender, without a word of the text that was read. `text` says which text
    /// that is: `"body"`.
    #[must_use]
    pub fn summary(&self, text: &str) -> String {
        match self {
            Self::Empty => format!("the {text} is empty"),
            Self::NotUtf8 => format!("the {text} is not UTF-8"),
            Self::NotJson(_) => format!("the {text} is not JSON"),
            Self::TooDeep => format!("the {text} is nested more than 128 deep"),
            Self::NameTwice(_) => format!("an object in the {text} has a name twice"),
            Self::LongNumber(_) => format!("a number in the {text} has more than 1,000 digits"),
            Self::FieldTwice => format!("the form in the {text} has a field twice"),
            Self::TooManyValues => format!("the {text} has more values than are read"),
        }
    }
}

impl std::error::Error for Unreadable {}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary("body"))?;
        match self {
            Self::NotJson(why) => write!(f, ": {why}"),
            Self::NameTwice(place) | Self::LongNumber(place) => write!(f, " at {place}"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Json, Unreadable> {
        Json::parse(text)
    }

    #[test]
    fn only_strict_json_of_limited_depth_is_read() {
        for text in [
            "", " \n", "{", "{} {}", "{a: 1}", "[1,]", "NaN", "007", "# x\n1", "'a'", "\"\\x\"",
            "[\"\n\"]", "+1",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        for text in [
            "1",
            "null",
            " [1e999, 123456789012345678901234567890.10]",
            "\"[[[\\\"[[\"",
            "{\"a\": [{}]}",
        ] {
            assert!(parse(text).is_ok(), "{text}");
        }
        let nested = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(&nested(128)).is_ok());
        assert_eq!(parse(&nested(129)), Err(Unreadable::TooDeep));
        assert_eq!(parse(&nested(100_000)), Err(Unreadable::TooDeep));
        assert!(matches!(parse(&"[".repeat(100_000)), Err(Unreadable::NotJson(_))));
    }

    #[test]
    fn a_name_twice_in_one_object_is_refused_however_it_is_written() {
        for text in [
            r#"{"a": 1, "a": 2}"#,
            r#"{"ticket_id": 1, "ticket\u005fid": 2}"#,
            r#"[{"b": {"a": [{"": 1, "": 1}]}}]"#,
            "{\"a\" : 1, \"a\"\n:\t1}",
            // After half of a pair became U+FFFD.
            r#"{"\ud800": 1, "\ud801": 2}"#,
            "{\"\u{fffd}\": 1, \"\\udc00\": 2}",
        ] {
            assert!(matches!(parse(text), Err(Unreadable::NameTwice(_))), "{text}");
        }
        for text in [
            r#"{"a": {"a": 1}, "b": [{"a": 1}, {"a": 1}], "A": "a"}"#,
            r#"["a", "a", "a: b", "a"]"#,
            r#"{"a": "a", "b": "\"a\": 1", "\\u0061": 1}"#,
        ] {
            assert!(parse(text).is_ok(), "{text}");
        }
        let error = parse("{\"a\": 1,\n \"ä\": 0, \"a\": 2}").unwrap_err();
        assert_eq!(error.to_string(), "an object in the body has a name twice at line 2 column 10");
        let many = |last: &str| {
            let names =
                (0..50_000).map(|n| format!("\"name {n}\": 0")).collect::<Vec<_>>().join(", ");
            format!("{{{names}, \"{last}\": 1}}")
        };
        assert!(parse(&many("another")).is_ok());
        assert!(matches!(parse(&many("name 777")), Err(Unreadable::NameTwice(_))));
    }

    #[test]
    fn half_of_a_surrogate_pair_is_a_replacement_character() {
        for (text, expected) in [
            (r#""a\ud83d""#, r#""a\ufffd""#),
            (r#"{"\udc00": "\ud83d\ud83d\ude00"}"#, r#"{"\ufffd": "\ufffd\ud83d\ude00"}"#),
            (
                r#"["\uD83D\n", "\\ud83d", "\\\ud83d", "\ud83d\\ude00"]"#,
                r#"["\ufffd\n", "\\ud83d", "\\\ufffd", "\ufffd\\ude00"]"#,
            ),
            (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
            ("\"\\ud83dü\"", "\"\\ufffdü\""),
        ] {
            assert_eq!(parse(text).unwrap().as_str(), expected, "{text}");
            assert!(serde_json::from_str::<serde_json::Value>(expected).is_ok(), "{expected}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_taken() {
        assert_eq!(parse("\u{feff} {\"a\": 1}").unwrap().as_str(), "{\"a\": 1}");
        assert_eq!(parse("\u{feff}"), Err(Unreadable::Empty));
        assert!(parse("{\u{feff}}").is_err());
    }

    #[test]
    fn a_number_has_at_most_a_thousand_digits() {
        for (number, is_read) in [
            ("1".repeat(1000), true),
            ("1".repeat(1001), false),
            (format!("-0.{}", "1".repeat(999)), true),
            (format!("-0.{}", "1".repeat(1000)), false),
            (format!("1e+{}", "1".repeat(1000)), false),
            (format!("\"{}\"", "1".repeat(5000)), true),
        ] {
            for text in [number.clone(), format!("[{number}]"), format!("{{\"a\":{number}}}")] {
                let read = parse(&text);
                assert!(read.is_ok() == is_read, "{text}");
                assert!(is_read || matches!(read, Err(Unreadable::LongNumber(_))), "{text}");
            }
        }
    }

    #[test]
    fn a_form_is_its_payload_or_its_fields() {
        assert_eq!(Json::from_form("a=1&b=x+y%26").unwrap().as_str(), r#"{"a":"1","b":"x y&"}"#);
        assert_eq!(Json::from_form("payload=%7B%22a%22%3A1%7D").unwrap().as_str(), r#"{"a":1}"#);
        assert!(Json::from_form("payload=no").is_err());
        assert!(matches!(
            Json::from_form(r#"payload={"a":1,"a":2}"#),
            Err(Unreadable::NameTwice(_))
        ));
        for twice in ["a=1&b=2&a=3", "payload={}&payload={}", "payload={}&a=1&%61=1"] {
            assert_eq!(Json::from_form(twice), Err(Unreadable::FieldTwice), "{twice}");
        }
    }

    #[test]
    fn finds_the_time_of_signing() {
        let json = parse(r#"{"a": {"t": 1}, "t": 1681208213456, "s": "2026-01-01"}"#).unwrap();
        assert_eq!(json.field("t").as_deref(), Some("1681208213456"));
        assert_eq!(json.field("s").as_deref(), Some("2026-01-01"));
        assert_eq!(json.field("a"), None);
        assert_eq!(parse("[1]").unwrap().field("t"), None);
    }
}
