//! Which secret is meant, and what is accepted of its text. Pure.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::SecretError;

/// A secret, or one field of a JSON secret: `name`, `name#field`, or the same with an ARN.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretRef {
    pub(super) id: String,
    field: Option<String>,
}

impl SecretRef {
    /// Reads a reference. The error is a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (id, field) = match text.split_once('#') {
            Some((id, field)) => (id, Some(field)),
            None => (text, None),
        };
        let allowed = |c: char| c.is_ascii_alphanumeric() || "/_+=.@-:!".contains(c);
        if id.is_empty() || !id.chars().all(allowed) || field == Some("") {
            return Err(format!(
                "{text:?} is not the name or ARN of a secret, with \"#field\" for a field of a JSON secret"
            ));
        }
        Ok(Self { id: id.to_owned(), field: field.map(str::to_owned) })
    }

    /// The name or ARN of the secret, without the field.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What is accepted by a secret's text: every string that it holds at this place.
    pub fn read(&self, secret: &SecretString) -> Result<Vec<SecretString>, SecretError> {
        let text = secret.expose_secret();
        let value = match (&self.field, holds(text)) {
            (None, None) => Value::String(text.to_owned()),
            (None, Some(Value::Object(fields))) => {
                let names: Vec<_> = fields.keys().map(|name| format!("{self}#{name}")).collect();
                return Err(SecretError::set_up(format!(
                    "the secret {self} is a JSON object; name the field to use: {}",
                    names.join(" or ")
                )));
            }
            (None, Some(json)) => json,
            (Some(field), Some(Value::Object(mut fields))) => match fields.remove(field) {
                Some(value) => value,
                None => {
                    return Err(SecretError::missing(format!(
                        "the secret {} has no field {field:?}",
                        self.id
                    )));
                }
            },
            (Some(field), _) => {
                return Err(SecretError::set_up(format!(
                    "the secret {} is no JSON object with a field {field:?}",
                    self.id
                )));
            }
        };
        let values = match value {
            Value::Array(values) => values,
            // The console stores the list of a field as text.
            Value::String(text) => match holds(&text) {
                Some(Value::Array(values)) => values,
                _ => vec![Value::String(text)],
            },
            value => vec![value],
        };
        let strings: Option<Vec<_>> = values
            .into_iter()
            .map(|value| match value {
                Value::String(text) if !text.trim().is_empty() => Some(SecretString::from(text)),
                _ => None,
            })
            .collect();
        strings.filter(|strings| !strings.is_empty()).ok_or_else(|| {
            SecretError::set_up(format!(
                "the secret {self} is empty, or not text; store text, or a list of texts, in it"
            ))
        })
    }
}

/// The JSON object or array that a text holds, also one that was written as JSON text once more.
fn holds(text: &str) -> Option<Value> {
    let unpacked = match serde_json::from_str(text) {
        Ok(Value::String(text)) => serde_json::from_str(&text),
        json => json,
    };
    unpacked.ok().filter(|json| json.is_object() || json.is_array())
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{}#{field}", self.id),
            None => f.write_str(&self.id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(reference: &str, text: &str) -> Result<Vec<String>, String> {
        let values =
            SecretRef::parse(reference).unwrap().read(&SecretString::from(text.to_owned()));
        let expose = |values: Vec<SecretString>| {
            values.iter().map(|value| value.expose_secret().to_owned()).collect()
        };
        values.map(expose).map_err(|error| error.to_string())
    }

    #[test]
    fn a_secret_is_a_string_or_several_or_a_field() {
        assert_eq!(read("a", "s3cret"), Ok(vec!["s3cret".to_owned()]));
        assert_eq!(read("a", "12345"), Ok(vec!["12345".to_owned()]));
        assert_eq!(read("a", r#"["new", "old"]"#), Ok(vec!["new".to_owned(), "old".to_owned()]));
        assert_eq!(read("a#k", r#"{"k": "x"}"#), Ok(vec!["x".to_owned()]));
        assert_eq!(read("a#k", r#"{"k": ["x", "y"]}"#), Ok(vec!["x".to_owned(), "y".to_owned()]));
        // As a person, or the console, may store a list.
        let both = Ok(vec!["new".to_owned(), "old".to_owned()]);
        assert_eq!(read("a", r#""[\"new\", \"old\"]""#), both);
        assert_eq!(read("a", "[\"new\",\n \"old\"]\n"), both);
        assert_eq!(read("a#k", r#"{"k": "[\"new\", \"old\"]"}"#), both);
        assert_eq!(read("a#k", r#""{\"k\": [\"new\", \"old\"]}""#), both);
        for text in ["\"quoted\"", "[no list]", "{no object", "null"] {
            assert_eq!(read("a", text), Ok(vec![text.to_owned()]));
        }
        assert!(read("a#k", r#"{"k": "[\"new\", 1]"}"#).unwrap_err().contains("a#k"));
        assert!(read("a", r#"{"k": "x"}"#).unwrap_err().contains("a#k"));
        assert!(read("a#b", r#"{"k": "x"}"#).unwrap_err().contains("no field \"b\""));
        assert!(read("a#b", "text").unwrap_err().contains("no JSON object"));
        for empty in
            ["", " \n", "[]", r#"[""]"#, r#"[{"a": 1}]"#, r#"["new", ""]"#, r#"["new", 1]"#]
        {
            assert!(read("a", empty).unwrap_err().contains("empty"), "{empty:?}");
        }
    }

    #[test]
    fn a_reference_is_a_name_or_an_arn_with_an_optional_field() {
        let arn =
            "arn:aws:secretsmanager:eu-central-1:123456789012:secret:taskhook/hubspot-AbCdEf#token";
        let reference = SecretRef::parse(arn).unwrap();
        assert_eq!(
            (reference.to_string().as_str(), reference.field.as_deref()),
            (arn, Some("token"))
        );
        for wrong in ["", "#a", "a#", "a b", "ü"] {
            assert!(SecretRef::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
