//! The tasks of a portal.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A task as HubSpot holds it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Task {
    /// HubSpot's record id.
    pub id: String,
    /// The values it has; a cleared property isn't there.
    pub properties: BTreeMap<String, String>,
}

/// All tasks by record id. A clone shares them, so that a batch can be drafted for the price of its
/// own changes.
#[derive(Clone, Debug, Default)]
pub(super) struct Tasks {
    by_id: BTreeMap<String, Arc<Task>>,
    archived: BTreeMap<String, Arc<Task>>,
    created: u64,
}

impl Tasks {
    pub(super) fn get(&self, id: &str) -> Option<&Task> {
        self.by_id.get(id).map(Arc::as_ref)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Task> {
        self.by_id.values().map(Arc::as_ref)
    }

    /// The tasks that are archived, or those that aren't.
    pub(super) fn by_archived(&self, archived: bool) -> &BTreeMap<String, Arc<Task>> {
        if archived { &self.archived } else { &self.by_id }
    }

    /// Archives a task, if there is one with this id.
    pub(super) fn archive(&mut self, id: &str) {
        if let Some(task) = self.by_id.remove(id) {
            self.archived.insert(id.into(), task);
        }
    }

    /// A record id that no task has.
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
        let task = Arc::make_mut(self.by_id.entry(id.into()).or_default());
        task.id = id.into();
        let properties = &mut task.properties;
        properties.insert("hs_object_id".into(), id.into());
        properties.insert("hs_lastmodifieddate".into(), now.clone());
        properties.entry("hs_createdate".into()).or_insert(now);
        properties.extend(values);
        properties.retain(|_, value| !value.is_empty());
    }
}

/// New tasks count up from here.
const FIRST_ID: u64 = 40_000_000_000;

/// The portal's id ("Hub ID").
pub(super) const PORTAL_ID: u32 = 44_556_677;
/// HubSpot's number for the object type task.
pub(super) const TASK_TYPE: &str = "0-27";
