//! An update: the task whose unique property has this value gets these property values.
//!
//! The one thing that the two stories of Taskhook share. A delivery is mapped to updates; the
//! engine, or the queue, takes them from there and needs nothing else. Messages of the queue and
//! dead letters hold it as JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::time::Time;

/// HubSpot's own record id, as a value of `id_property`.
pub const RECORD_ID: &str = "hs_object_id";

/// The property by which contacts are found.
pub const EMAIL: &str = "email";

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
    /// The rules of those properties that are not always written.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub write: BTreeMap<String, Write>,
    /// What the task is to hang on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub associate: Option<Associate>,
    /// Whether everything is done but the writing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub observe: bool,
    /// Whether it is known to have been tried before: its message is received again.
    #[serde(skip)]
    pub is_retried: bool,
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

impl Update {
    /// An update of a task that has to exist, without a value yet.
    #[must_use]
    pub fn new(task: TaskKey, time: Time) -> Self {
        Self {
            task,
            time,
            on_missing: OnMissing::Fail,
            updated_at_property: None,
            properties: Vec::new(),
            write: BTreeMap::new(),
            associate: None,
            observe: false,
            is_retried: false,
        }
    }

    /// The links alone, of a task that is there.
    #[must_use]
    pub fn links_alone(&self) -> Self {
        let associate = self.associate.clone();
        let always = associate.map(|associate| Associate { when: When::Always, ..associate });
        Self { associate: always, ..Self::new(self.task.clone(), self.time) }
    }

    /// Whether it is more than values that are always written.
    #[must_use]
    pub fn is_ruled(&self) -> bool {
        self.observe || self.associate.is_some() || !self.write.is_empty()
    }
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
/// and may keep digits as a number (not yet proven: L3, L4, L5, L6, L7).
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

/// The rule for an id that no task has. Of several updates of one task the last one of these counts
/// that one of them has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnMissing {
    /// The update fails with `not_found`.
    Fail,
    /// The update is filtered.
    Skip,
    /// The task is created.
    Create,
}

/// The rule for a property that is not always written: in HubSpot it is somebody else's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Write {
    /// Only when the task is made.
    Create,
    /// Only where the task has no value.
    Empty,
}

/// What a task is to hang on: HubSpot shows a task on the pages of what it is associated with, and
/// nowhere else but in the list of tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Associate {
    /// The tasks that are linked.
    pub when: When,
    /// The rule for a record that isn't there.
    pub missing: Missing,
    /// The records, in the order of the source file.
    pub links: Vec<Link>,
}

/// The tasks that are linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum When {
    /// Those that the update makes.
    Create,
    /// All.
    Always,
}

/// The rule for a record that isn't there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// The outcome says so, and the update stands.
    Skip,
    /// The update fails with `not_associated`.
    Fail,
}

/// A record that a task is to hang on, by a property with unique values.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Link {
    /// What it is.
    pub to: Object,
    /// The unique property: [`EMAIL`] of contacts, say; [`RECORD_ID`] means HubSpot's own id.
    pub by: String,
    /// Its value.
    pub id: String,
}

/// The objects of HubSpot that tasks can hang on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "they are HubSpot's own")]
pub enum Object {
    Contact,
    Company,
    Deal,
    Ticket,
}

impl Object {
    /// All of them, in the order in which they are named.
    pub const ALL: [Self; 4] = [Self::Contact, Self::Company, Self::Deal, Self::Ticket];

    /// The name in source files and summaries.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::Company => "company",
            Self::Deal => "deal",
            Self::Ticket => "ticket",
        }
    }

    /// The name in HubSpot's paths.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::Contact => "contacts",
            Self::Company => "companies",
            Self::Deal => "deals",
            Self::Ticket => "tickets",
        }
    }
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
