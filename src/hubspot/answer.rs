//! HubSpot's answers to batch calls. Every field is optional to us, because HubSpot's own answers
//! differ: a field of another shape than the documented one is read as empty, and spoils nothing
//! else.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// The text before the list of errors inside of a message.
const BEFORE_LIST: &str = "Property values were not valid: ";

/// The answer to a batch call that was taken: the tasks that were written or read, and the errors.
///
/// `status` says `COMPLETE` also where half of the batch failed: only that HubSpot is not done yet
/// is read from it. `numErrors` is not read: it counts error objects, not tasks.
#[derive(Debug, Default, Deserialize)]
pub struct Answer {
    /// Tasks, in any order.
    #[serde(default, deserialize_with = "list")]
    pub results: Vec<Record>,
    /// Errors, in a 207 and in any other 2xx.
    #[serde(default, deserialize_with = "list")]
    pub errors: Vec<Complaint>,
    /// How far HubSpot is.
    #[serde(default, deserialize_with = "text")]
    pub status: String,
    /// Whether an earlier try of the same call may have been carried out.
    #[serde(skip)]
    pub is_repeated: bool,
}

/// A task, or a record that tasks hang on, in an answer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Record {
    /// HubSpot's record id; never the unique value. Empty where the answer doesn't say it.
    #[serde(deserialize_with = "text")]
    pub id: String,
    /// Properties that have a value, some with defaults that nobody asked for.
    #[serde(deserialize_with = "texts")]
    properties: Vec<(String, String)>,
    /// Whether an upsert created it.
    #[serde(deserialize_with = "flag")]
    pub new: bool,
    /// When it was made, as HubSpot writes it. Empty where the answer doesn't say it.
    #[serde(rename = "createdAt", deserialize_with = "text")]
    pub created_at: String,
    /// The trace id of the input that it comes from. Empty where the answer doesn't say it.
    #[serde(rename = "objectWriteTraceId", deserialize_with = "text")]
    pub trace_id: String,
    /// Warnings about values that HubSpot took.
    #[serde(deserialize_with = "list")]
    pub warnings: Vec<Complaint>,
}

/// An error about one or several inputs, or about a whole request.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Complaint {
    /// A kind of error, such as `OBJECT_NOT_FOUND`.
    #[serde(deserialize_with = "text")]
    pub category: String,
    /// A finer kind, such as `INVALID_OPTION`.
    #[serde(deserialize_with = "text")]
    pub code: String,
    /// HubSpot's sentence in English.
    #[serde(deserialize_with = "text")]
    pub message: String,
    /// Ids, property names, trace ids.
    #[serde(deserialize_with = "lists")]
    pub context: BTreeMap<String, Vec<String>>,
    /// Errors inside of the error.
    #[serde(deserialize_with = "list")]
    pub errors: Vec<Complaint>,
    /// Which rate limit was hit.
    #[serde(deserialize_with = "text")]
    pub policy_name: String,
}

impl Answer {
    /// Whether HubSpot is not done yet.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        matches!(self.status.as_str(), "PENDING" | "PROCESSING")
    }
}

impl Record {
    /// The text of a property; `None` where it has none, or the answer doesn't say.
    #[must_use]
    pub fn text(&self, property: &str) -> Option<&str> {
        let (_, text) = self.properties.iter().find(|(name, _)| name == property)?;
        Some(text)
    }

    /// The task with only these of its properties, and without its warnings.
    #[must_use]
    pub fn with_only(&self, properties: &BTreeSet<&str>) -> Self {
        let mut kept = Vec::with_capacity(properties.len());
        for (name, text) in &self.properties {
            if properties.contains(name.as_str()) {
                kept.push((name.clone(), text.clone()));
            }
        }
        let created_at = self.created_at.clone();
        Self { id: self.id.clone(), properties: kept, created_at, ..Self::default() }
    }
}

impl Complaint {
    /// The error and every error inside of it, the outer ones first.
    #[must_use]
    pub fn all(&self) -> Vec<&Self> {
        let mut all = vec![self];
        let mut next = 0;
        while next < all.len() {
            all.extend(&all[next].errors);
            next += 1;
        }
        all
    }

    /// The list of errors about property values inside of the message: objects with `name`,
    /// `error`, `message` and sometimes `propertyValue`.
    #[must_use]
    pub fn listed(&self) -> Vec<Value> {
        let Some((_, list)) = self.message.split_once(BEFORE_LIST) else { return Vec::new() };
        // The list may be followed by more text.
        let mut lists = serde_json::Deserializer::from_str(list).into_iter();
        lists.next().and_then(Result::ok).unwrap_or_default()
    }

    /// The properties that the context names, not those of the errors inside.
    pub fn property_names(&self) -> impl Iterator<Item = &str> {
        let fields = ["propertyName", "propertyNames", "properties"];
        fields.into_iter().flat_map(|field| self.context(field)).map(String::as_str)
    }

    /// The texts of a field of the context.
    #[must_use]
    pub fn context(&self, name: &str) -> &[String] {
        self.context.get(name).map_or(&[], Vec::as_slice)
    }
}

/// A text, or a number as text; anything else is no text.
fn plain(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn fields<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<serde_json::Map<String, Value>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Object(fields) => fields,
        _ => serde_json::Map::new(),
    })
}

pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(plain(Value::deserialize(deserializer)?).unwrap_or_default())
}

pub(super) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(Value::deserialize(deserializer)? == Value::Bool(true))
}

fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, String)>, D::Error> {
    let mut texts = Vec::new();
    for (name, value) in fields(deserializer)? {
        if let Some(text) = plain(value) {
            texts.push((name, text));
        }
    }
    Ok(texts)
}

/// Lists of texts; one text is a list of one.
fn lists<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, Vec<String>>, D::Error> {
    let mut lists = BTreeMap::new();
    for (name, value) in fields(deserializer)? {
        let values = match value {
            Value::Array(values) => values,
            value => vec![value],
        };
        lists.insert(name, values.into_iter().filter_map(plain).collect());
    }
    Ok(lists)
}

/// A list, without the elements that can't be read.
pub(super) fn list<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let Value::Array(values) = Value::deserialize(deserializer)? else { return Ok(Vec::new()) };
    Ok(values.into_iter().filter_map(|value| T::deserialize(value).ok()).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_field_of_another_shape_says_nothing_and_spoils_nothing_else() {
        let answer: Answer = serde_json::from_str(
            r#"{"status": 7, "numErrors": "many", "links": [], "results": [
                null, 5, {}, {"id": null, "properties": []}, {"id": 9001, "properties": {"ticket": 7, "a": null, "b": "x"}, "new": "yes"}
            ], "errors": [
                "no", {"category": null, "message": {"a": 1}, "context": "none"},
                {"context": {"ids": "1"}, "errors": [{"context": {"ids": ["2", 3, null]}, "errors": [{"code": "C"}]}]}
            ]}"#,
        )
        .unwrap();
        assert_eq!(answer.results.len(), 3);
        let record = answer.results.last().unwrap();
        assert_eq!((record.id.as_str(), record.new), ("9001", false));
        assert_eq!(
            (record.text("ticket"), record.text("a"), record.text("b")),
            (Some("7"), None, Some("x"))
        );
        assert_eq!(answer.errors.len(), 2);
        let all = answer.errors[1].all();
        assert_eq!(
            all.iter().map(|error| error.context("ids").join(",")).collect::<Vec<_>>(),
            ["1", "2,3", ""]
        );
        assert_eq!(all[2].code, "C");
    }

    #[test]
    fn what_is_not_there_is_empty() {
        for body in
            ["{}", r#"{"results": null, "errors": null}"#, r#"{"results": {}, "errors": "none"}"#]
        {
            let answer: Answer = serde_json::from_str(body).unwrap();
            assert!(answer.results.is_empty() && answer.errors.is_empty(), "{body}");
        }
    }
}
