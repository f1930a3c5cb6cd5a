//! What HubSpot says to a batch call: every field is optional to us, since HubSpot's own answers differ.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

/// The answer to a batch call that was taken: what was done, and what was not.
///
/// `status` is not read: it says `COMPLETE` also where half of the batch failed.
#[derive(Debug, Default, Deserialize)]
pub struct Answer {
    /// Tasks, in any order.
    #[serde(default, deserialize_with = "null_is_default")]
    pub results: Vec<Record>,
    /// Errors, in a 207 and in any other 2xx.
    #[serde(default, deserialize_with = "null_is_default")]
    pub errors: Vec<Complaint>,
}

/// A task in an answer.
#[derive(Clone, Debug, Deserialize)]
pub struct Record {
    /// HubSpot's record id; never the unique value.
    #[serde(default, deserialize_with = "null_is_default")]
    pub id: String,
    /// Properties, some with defaults that nobody asked for.
    #[serde(default, deserialize_with = "null_is_default")]
    pub properties: BTreeMap<String, Property>,
    /// Whether an upsert created it.
    #[serde(default)]
    pub new: Option<bool>,
}

/// An error about one or several inputs, or about a whole request.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Complaint {
    /// A kind of error, such as `OBJECT_NOT_FOUND`.
    #[serde(deserialize_with = "null_is_default")]
    pub category: String,
    /// A finer kind, such as `INVALID_OPTION`.
    #[serde(deserialize_with = "null_is_default")]
    pub code: String,
    /// What HubSpot says in English.
    #[serde(deserialize_with = "null_is_default")]
    pub message: String,
    /// Ids, property names, trace ids.
    #[serde(deserialize_with = "null_is_default")]
    pub context: BTreeMap<String, Texts>,
    /// Errors inside of the error.
    #[serde(deserialize_with = "null_is_default")]
    pub errors: Vec<Complaint>,
    /// Which rate limit was hit.
    #[serde(deserialize_with = "null_is_default")]
    pub policy_name: String,
}

/// The value of a property.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Property {
    /// Text, as HubSpot documents it.
    Text(String),
    /// Null, or something else that says nothing to us.
    Other(serde::de::IgnoredAny),
}

/// One text or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Texts {
    /// Several.
    Many(Vec<String>),
    /// One.
    One(String),
    /// Something else, which is of no use to us.
    Other(serde::de::IgnoredAny),
}

impl Record {
    /// The text of a property; `None` where it has none, or the answer doesn't say.
    #[must_use]
    pub fn text(&self, property: &str) -> Option<&str> {
        match self.properties.get(property)? {
            Property::Text(text) => Some(text),
            Property::Other(_) => None,
        }
    }
}

impl Complaint {
    /// The texts of a field of the context.
    #[must_use]
    pub fn context(&self, name: &str) -> &[String] {
        match self.context.get(name) {
            Some(Texts::Many(texts)) => texts,
            Some(Texts::One(text)) => std::slice::from_ref(text),
            _ => &[],
        }
    }
}

fn null_is_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
