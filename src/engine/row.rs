//! A row of a request: the values to write to one task, merged from one or several updates. Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::hubspot::{Input, Record, id_property_field};
use crate::time::Time;
use crate::update::{Link, Missing, OnMissing, RECORD_ID, TaskKey, Unknown, Update, When};

use super::matching::{Found, matches_leniently};

/// The property of the due date.
pub(super) const DUE: &str = "hs_timestamp";

/// The text before a row's index in its trace id.
const TRACE: &str = "taskhook-";

/// One task to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) task: TaskKey,
    pub(super) on_missing: OnMissing,
    /// The newest event time.
    pub(super) time: Time,
    pub(super) properties: BTreeMap<String, String>,
    /// Whether the task keeps the newest event time.
    pub(super) is_guarded: bool,
    /// Whether the task is known not to exist, so that an update of it is not worth a call.
    pub(super) is_missing: bool,
    /// The round in which it is sent: round *n* follows round *n - 1* of the same task, or of one
    /// that HubSpot may take for it.
    pub(super) round: usize,
    /// The properties that hold an owner's id.
    pub(super) owners: BTreeMap<String, Owner>,
    /// What is written besides if the task is made.
    pub(super) on_create: BTreeMap<String, HeldBack>,
    /// What HubSpot said of the task besides its values.
    pub(super) found: Found,
    /// What the task is to hang on, by the update that wants it.
    pub(super) links: Vec<WantedLink>,
    /// A remark for its outcome, once it is written.
    pub(super) note: Option<String>,
    /// The updates that it is made of, by their index, oldest event first.
    pub(super) members: Vec<usize>,
}

/// A value that is written only if its task is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HeldBack {
    pub(super) text: String,
    pub(super) owner: Option<Owner>,
}

/// A record that an update wants its task to hang on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WantedLink {
    /// The update, by its place among those of the run.
    pub(super) member: usize,
    pub(super) task: TaskKey,
    /// When its change happened.
    pub(super) time: Time,
    /// Whether the update was tried before.
    pub(super) is_retried: bool,
    pub(super) when: When,
    pub(super) missing: Missing,
    pub(super) link: Link,
}

/// An owner as an update names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) email: String,
    /// The cure where HubSpot has no such owner.
    pub(super) unknown: Unknown,
}

/// An update that is to be written, its owners looked up.
#[derive(Debug)]
pub(super) struct Resolved<'u> {
    /// Its place among the updates of the run.
    pub(super) index: usize,
    pub(super) update: &'u Update,
    pub(super) values: Vec<Value<'u>>,
}

/// A value of a property.
#[derive(Debug)]
pub(super) struct Value<'u> {
    pub(super) property: &'u str,
    pub(super) text: Cow<'u, str>,
    /// The address of the owner whose id the text is, and the cure where HubSpot has no such owner.
    pub(super) owner: Option<(&'u str, &'u Unknown)>,
}

impl From<(&str, &Unknown)> for Owner {
    fn from((email, unknown): (&str, &Unknown)) -> Self {
        Self { email: email.to_owned(), unknown: unknown.clone() }
    }
}

impl From<Value<'_>> for HeldBack {
    fn from(value: Value<'_>) -> Self {
        Self { text: value.text.into_owned(), owner: value.owner.map(Owner::from) }
    }
}

impl Row {
    /// A row without a value, of no update yet.
    pub(super) fn new(task: TaskKey, time: Time) -> Self {
        Self {
            task,
            on_missing: OnMissing::Fail,
            time,
            properties: BTreeMap::new(),
            is_guarded: false,
            is_missing: false,
            round: 0,
            owners: BTreeMap::new(),
            on_create: BTreeMap::new(),
            found: Found::default(),
            links: Vec::new(),
            note: None,
            members: Vec::new(),
        }
    }

    /// The value of a property. That of the id property stands in the id.
    pub(super) fn value(&self, property: &str) -> Option<&str> {
        if let Some(value) = self.properties.get(property) {
            return Some(value);
        }
        let is_id = self.task.id_property == property && property != RECORD_ID;
        is_id.then_some(self.task.id.as_str())
    }

    /// Every property with its value, the id property included.
    pub(super) fn values(&self) -> impl Iterator<Item = (&str, &str)> {
        let id_property = self.task.id_property.as_str();
        let is_extra = id_property != RECORD_ID && !self.properties.contains_key(id_property);
        let id = is_extra.then_some((id_property, self.task.id.as_str()));
        self.properties.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain(id)
    }

    /// The row as HubSpot takes it. `index` is its place in the request.
    pub(super) fn input(&self, index: usize) -> Input<'_> {
        Input {
            id: &self.task.id,
            id_property: id_property_field(&self.task.id_property),
            object_write_trace_id: format!("{TRACE}{index}"),
            properties: self
                .properties
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect(),
        }
    }

    /// Whether a record has all of the row's values.
    pub(super) fn is_written_in(&self, record: &Record) -> bool {
        self.properties
            .iter()
            .all(|(name, value)| matches_leniently(record.text(name).unwrap_or_default(), value))
    }

    /// Whether it removes the due date.
    pub(super) fn clears_due_date(&self) -> bool {
        self.properties.get(DUE).is_some_and(String::is_empty)
    }

    /// Leaves the due date as it is, which the outcome remarks.
    pub(super) fn leave_due_date_alone(&mut self) {
        self.properties.remove(DUE);
        self.note =
            Some(format!("{DUE}: HubSpot doesn't let the due date be removed; it stays as it was"));
    }

    /// Adds the values that only a task that is made gets.
    pub(super) fn add_held_back(&mut self) {
        for (name, HeldBack { text, owner }) in std::mem::take(&mut self.on_create) {
            if self.properties.contains_key(&name) {
                continue;
            }
            self.owners.extend(owner.map(|owner| (name.clone(), owner)));
            self.properties.insert(name, text);
        }
    }

    /// Gives a task that is to be created a due date, because HubSpot requires one: the event's
    /// time where the mapping gives none.
    pub(super) fn add_due_date(&mut self) {
        self.note = None;
        let due = self.properties.entry(DUE.to_owned()).or_default();
        if due.is_empty() {
            *due = self.time.to_string();
        }
    }
}

/// The place of the row with this trace id in a request of so many rows.
pub(super) fn index_of_trace(trace_id: &str, rows: usize) -> Option<usize> {
    let index = trace_id.strip_prefix(TRACE)?.parse().ok()?;
    (index < rows).then_some(index)
}
