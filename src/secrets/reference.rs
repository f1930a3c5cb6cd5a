//! References to secrets, and the values that are accepted of a secret's text. Pure.

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

/// A text that names no secret.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the name or ARN of a secret, with \"#field\" for a field of a JSON secret")]
pub struct NoSecretRef(String);

impl SecretRef {
    /// Reads a reference.
    pub fn parse(text: &str) -> Result<Self, NoSecretRef> {
        let (id, field) = match text.split_once('#') {
            Some((id, field)) => (id, Some(field)),
            None => (text, None),
        };
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "/_+=.@-:!".contains(c);
        if id.is_empty() || !id.chars().all(is_allowed) || field == Some("") {
            return Err(NoSecretRef(text.to_owned()));
        }
        Ok(Self { id: id.to_owned(), field: field.map(str::to_owned) })
    }

    /// The name or ARN of the secret, without the field.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The accepted values: every string that the secret holds at this place, at least one.
    pub fn read(&self, secret: &SecretString) -> Result<Vec<SecretString>, SecretError> {
        let values = match self.find(secret.expose_secret())? {
            Value::Array(values) => values,
            // The console stores the list of a field as text.
            Value::String(text) => match json_in(&text) {
                Some(Value::Array(values)) => values,
                _ => vec![Value::String(text)],
            },
            value => vec![value],
        };
        let unusable = || {
            SecretError::SetUp(format!(
                "the secret {self} is empty, or not text; store text, or a list of texts, in it"
            ))
        };
        let mut accepted = Vec::new();
        for value in values {
            match value {
                Value::String(text) if !text.trim().is_empty() => accepted.push(text.into()),
                _ => return Err(unusable()),
            }
        }
        if accepted.is_empty() { Err(unusable()) } else { Ok(accepted) }
    }

    /// The value of the field, or the whole secret.
    fn find(&self, text: &str) -> Result<Value, SecretError> {
        let id = &self.id;
        match (&self.field, json_in(text)) {
            (None, None) => Ok(Value::String(text.to_owned())),
            (None, Some(Value::Object(fields))) => {
                let names: Vec<_> = fields.keys().map(|name| format!("{self}#{name}")).collect();
                Err(SecretError::SetUp(format!(
                    "the secret {self} is a JSON object; name the field to use: {}",
                    names.join(" or ")
                )))
            }
            (None, Some(json)) => Ok(json),
            (Some(field), Some(Value::Object(mut fields))) => {
                fields.remove(field).ok_or_else(|| {
                    SecretError::Missing(format!("the secret {id} has no field {field:?}"))
                })
            }
            (Some(field), _) => Err(SecretError::SetUp(format!(
                "the secret {id} is no JSON object with a field {field:?}"
            ))),
        }
    }
}

/// The JSON object or array that a text holds, also one that was written as JSON text once more.
fn json_in(text: &str) -> Option<Value> {
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
