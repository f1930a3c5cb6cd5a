//! An update: the task whose unique property has this value gets these property values.
//!
//! The one thing that the two stories of Taskhook share. A delivery is mapped to updates; the
//! engine, or the queue, takes them from there and needs nothing else. Messages of the queue and
//! dead letters hold it as JSON.

use serde::{Deserialize, Serialize};

use crate::time::Time;

/// HubSpot's own record id, as a value of `id_property`.
pub const RECORD_ID: &str = "hs_object_id";

/// The values to write to one task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Update {
    /// Which task.
    #[serde(flatten)]
    pub task: TaskKey,
    /// When the change happened in the ticket system.
    pub time: Time,
    /// The rule for an id that no task has.
    pub on_missing: OnMissing,
    /// The datetime property that keeps the newest event time, if the task is guarded against late
    /// events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at_property: Option<String>,
    /// The properties in the order of the source file, each at most once.
    #[serde(with = "in_order")]
    pub properties: Vec<(String, Value)>,
}

/// A task, by a property with unique values.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskKey {
    /// The unique property; [`RECORD_ID`] means HubSpot's own id.
    pub id_property: String,
    /// Its value.
    pub id: String,
}

impl TaskKey {
    /// The key in canonical form: keys that HubSpot may treat as one task have the same, so whoever
    /// groups by task groups by it. Keys of different tasks may share it as well; then those tasks
    /// are written one after the other.
    #[must_use]
    pub fn canonical(&self) -> Self {
        Self { id_property: self.id_property.clone(), id: canonical_id(&self.id) }
    }
}

/// The id of [`TaskKey::canonical`], for ids of one property. HubSpot ignores outer space and case,
/// and may keep digits as a number.
#[must_use]
pub fn canonical_id(id: &str) -> String {
    // Upper case first: `ß` and `ss`, `ς` and `σ` meet there.
    let folded = id.trim().to_uppercase().to_lowercase();
    if folded.is_empty() || !folded.bytes().all(|byte| byte.is_ascii_digit()) {
        return folded;
    }
    match folded.trim_start_matches('0') {
        "" => "0".to_owned(),
        number => number.to_owned(),
    }
}

/// The value to set a property to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// Text as HubSpot takes it; empty clears the property.
    Text(String),
    /// The id of the HubSpot owner with this e-mail address, to be looked up.
    Owner {
        /// The address.
        #[serde(rename = "owner")]
        email: String,
        /// The rule for an address that no owner has.
        unknown: Unknown,
    },
}

/// The rule for a value that a map or a look-up doesn't know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unknown {
    /// The update fails.
    Fail,
    /// The property is left alone.
    Skip,
    /// This text is written.
    Write(String),
}

/// The rule for an id that no task has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnMissing {
    /// The update fails with `not_found`.
    Fail,
    /// The update is filtered.
    Skip,
    /// The task is created.
    Create,
}

/// Properties as a JSON object that keeps their order.
mod in_order {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::Value;

    pub(super) fn serialize<S: Serializer>(
        properties: &[(String, Value)],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_map(properties.iter().map(|(name, value)| (name, value)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<(String, Value)>, D::Error> {
        let mut properties = Vec::new();
        for (name, value) in serde_json::Map::deserialize(from)? {
            properties.push((name, serde_json::from_value(value).map_err(D::Error::custom)?));
        }
        Ok(properties)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_id_is_the_same_in_any_case_with_or_without_space_and_zeros() {
        for (one, other) in [
            ("T-1", " t-1\u{a0}"),
            ("ÄÖÜ-1", "äöü-1"),
            ("STRASSE", "straße"),
            ("ΟΔΟΣ", "οδος"),
            ("007", "7"),
            ("000", "0"),
        ] {
            assert_eq!(canonical_id(one), canonical_id(other));
        }
        for (one, other) in [("T-1", "T-01"), ("7", "70"), ("a b", "ab"), ("0x7", "x7")] {
            assert_ne!(canonical_id(one), canonical_id(other));
        }
    }
}
