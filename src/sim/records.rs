//! The records of one object type.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::object::ObjectType;

/// A record, such as a task, as HubSpot holds it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Record {
    /// HubSpot's record id.
    pub id: String,
    /// The values it has; a cleared property isn't there.
    pub properties: BTreeMap<String, String>,
}

impl Record {
    /// The values of a property that the record can be found by: of a contact's e-mail address the
    /// additional ones, too. Not yet proven: L53.
    pub(super) fn values(&self, object: ObjectType, property: &str) -> Vec<&str> {
        let mut values = Vec::new();
        if object.is_email(property)
            && let Some(addresses) = self.properties.get("hs_additional_emails")
        {
            values.extend(addresses.split(';'));
        }
        values.extend(self.properties.get(property).map(String::as_str));
        values
    }
}

/// All records by their ids. A clone shares them, so that a batch can be drafted for the price of its
/// own changes.
#[derive(Clone, Debug)]
pub(super) struct Records {
    object: ObjectType,
    by_id: BTreeMap<String, Arc<Record>>,
    archived: BTreeMap<String, Arc<Record>>,
    created: u64,
}

impl Records {
    pub(super) fn new(object: ObjectType) -> Self {
        Self { object, by_id: BTreeMap::new(), archived: BTreeMap::new(), created: 0 }
    }

    pub(super) fn get(&self, id: &str) -> Option<&Record> {
        self.by_id.get(id).map(Arc::as_ref)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Record> {
        self.by_id.values().map(Arc::as_ref)
    }

    /// The records that are archived, or those that aren't.
    pub(super) fn by_archived(&self, archived: bool) -> &BTreeMap<String, Arc<Record>> {
        if archived { &self.archived } else { &self.by_id }
    }

    /// Archives a record, if there is one with this id.
    pub(super) fn archive(&mut self, id: &str) {
        if let Some(record) = self.by_id.remove(id) {
            self.archived.insert(id.into(), record);
        }
    }

    /// An id that no record has.
    pub(super) fn next_id(&mut self) -> String {
        loop {
            self.created += 1;
            let id = (FIRST_ID + self.created).to_string();
            if !self.by_id.contains_key(&id) {
                return id;
            }
        }
    }

    /// Writes values as they are, and when that was.
    pub(super) fn write(&mut self, id: &str, values: BTreeMap<String, String>, now: Timestamp) {
        let now = format!("{now:.3}");
        let record = Arc::make_mut(self.by_id.entry(id.into()).or_default());
        record.id = id.into();
        let properties = &mut record.properties;
        properties.insert("hs_object_id".into(), id.into());
        properties.insert(self.object.modified().into(), now.clone());
        properties.entry(self.object.created().into()).or_insert(now);
        properties.extend(values);
        properties.retain(|_, value| !value.is_empty());
    }
}

/// New records count up from here.
const FIRST_ID: u64 = 40_000_000_000;
