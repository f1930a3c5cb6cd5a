//! Reading a verified body: strict JSON of limited depth, or a form.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::Delivery;

/// The deepest nesting of arrays and objects that is read.
const DEPTH: usize = 128;

/// JSON that was checked: one value, strict syntax, at most [`DEPTH`] levels.
///
/// jaq's own reader is lenient and recursive without a limit; it may only be given text of this type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Json(String);

/// Why a body can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// There is no body.
    Empty,
    /// It is not UTF-8.
    NotUtf8,
    /// It is not JSON; with what is wrong and where.
    NotJson(String),
    /// Arrays and objects are nested too deeply.
    TooDeep,
}

impl Json {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Checks text.
    pub fn parse(text: Cow<'_, str>) -> Result<Self, Unreadable> {
        if text.trim().is_empty() {
            return Err(Unreadable::Empty);
        }
        // Values are skipped, not built: without recursion, and numbers may be of any size.
        serde_json::from_str::<IgnoredAny>(&text).map_err(|error| Unreadable::NotJson(error.to_string()))?;
        if depth(text.as_bytes()) > DEPTH {
            return Err(Unreadable::TooDeep);
        }
        Ok(Self(text.into_owned()))
    }

    pub(super) fn read(delivery: &Delivery) -> Result<Self, Unreadable> {
        let body = std::str::from_utf8(&delivery.body).map_err(|_| Unreadable::NotUtf8)?;
        let content_type = delivery.headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type = content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
        if media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            Self::from_form(body)
        } else {
            Self::parse(Cow::Borrowed(body))
        }
    }

    /// A form: its field `payload` is JSON (GitHub's other content type), otherwise it is an object of its fields.
    fn from_form(body: &str) -> Result<Self, Unreadable> {
        if body.is_empty() {
            return Err(Unreadable::Empty);
        }
        let mut fields = serde_json::Map::new();
        for (name, value) in form_urlencoded::parse(body.as_bytes()) {
            if name == "payload" {
                return Self::parse(value);
            }
            fields.insert(name.into_owned(), value.into_owned().into());
        }
        Ok(Self(serde_json::Value::Object(fields).to_string()))
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
        serde_json::from_str::<String>(value)
            .ok()
            .or_else(|| value.starts_with(|first: char| first.is_ascii_digit()).then(|| value.to_owned()))
    }
}

/// How deeply arrays and objects are nested in text that is known to be JSON.
fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

impl Unreadable {
    /// A sentence for the sender, without a word of the body.
    #[must_use]
    pub fn summary(&self) -> &'static str {
        match self {
            Self::Empty => "the body is empty",
            Self::NotUtf8 => "the body is not UTF-8",
            Self::NotJson(_) => "the body is not JSON",
            Self::TooDeep => "the body is nested more than 128 deep",
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson(why) => write!(f, "{}: {why}", self.summary()),
            other => f.write_str(other.summary()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Json, Unreadable> {
        Json::parse(Cow::Borrowed(text))
    }

    #[test]
    fn only_strict_json_of_limited_depth_is_read() {
        for text in
            ["", " \n", "{", "{} {}", "{a: 1}", "[1,]", "NaN", "007", "# x\n1", "'a'", "\"\\x\"", "[\"\n\"]", "+1"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
        for text in ["1", "null", " [1e999, 123456789012345678901234567890.10]", "\"[[[\\\"[[\"", "{\"a\": [{}]}"] {
            assert!(parse(text).is_ok(), "{text}");
        }
        let nested = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(&nested(128)).is_ok());
        assert_eq!(parse(&nested(129)), Err(Unreadable::TooDeep));
        assert_eq!(parse(&nested(100_000)), Err(Unreadable::TooDeep));
        assert!(matches!(parse(&"[".repeat(100_000)), Err(Unreadable::NotJson(_))));
    }

    #[test]
    fn a_form_is_its_payload_or_its_fields() {
        assert_eq!(Json::from_form("a=1&b=x+y%26").unwrap().as_str(), r#"{"a":"1","b":"x y&"}"#);
        assert_eq!(Json::from_form("payload=%7B%22a%22%3A1%7D").unwrap().as_str(), r#"{"a":1}"#);
        assert!(Json::from_form("payload=no").is_err());
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
