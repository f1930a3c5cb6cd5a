//! The guard against late events: an older event never overwrites a newer one. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::account;
use super::plan::{Read, Write};
use crate::hubspot::{Answer, Record};
use crate::time::Time;
use crate::update::{TaskKey, Update};

/// What is known of guarded tasks before anything is written.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    known: BTreeMap<TaskKey, BTreeMap<String, Option<String>>>,
    missing: BTreeSet<TaskKey>,
}

impl Tasks {
    /// Takes what HubSpot says about the tasks of a read.
    pub(super) fn take(&mut self, read: &Read, answer: Answer) {
        let key = |id: &str| TaskKey { id_property: read.id_property.clone(), id: id.to_owned() };
        for error in answer.errors.iter().filter(|error| account::says_not_found(error)) {
            self.missing.extend(error.context("ids").iter().map(|id| key(id)));
        }
        for Record { id, properties, .. } in answer.results {
            let id = account::id_of(&read.id_property, &id, &properties);
            if let Some(row) = id.and_then(|id| account::row_of(read.ids.iter().map(String::as_str), &id)) {
                self.known.insert(key(&read.ids[row]), properties);
            }
        }
    }

    /// Whether HubSpot said that there is no such task.
    pub(super) fn is_missing(&self, task: &TaskKey) -> bool {
        self.missing.contains(task)
    }

    fn value(&self, task: &TaskKey, property: &str) -> Option<&str> {
        self.known.get(task)?.get(property)?.as_deref()
    }
}

/// Whether a newer event has already been applied to the update's task.
pub(super) fn is_stale(update: &Update, tasks: &Tasks) -> bool {
    let applied = update.updated_at_property.as_ref().and_then(|property| tasks.value(&update.task, property));
    // A value that is not a time says nothing about what was applied.
    applied.and_then(|applied| Time::parse(applied).ok()).is_some_and(|applied| applied > update.time)
}

/// Whether a guarded task already is as the write would make it, at the same event time. A newer event is always
/// written, if only to move the time: otherwise a late event in between would pass.
pub(super) fn is_unchanged(write: &Write, updates: &[Update], tasks: &Tasks) -> bool {
    let guards: BTreeSet<_> =
        write.members.iter().filter_map(|index| updates[*index].updated_at_property.as_deref()).collect();
    !guards.is_empty()
        && write.properties.iter().all(|(name, value)| {
            let current = tasks.value(&write.task, name).unwrap_or_default();
            same_value(current, value)
        })
}

/// Whether HubSpot shows a value that was written: it writes times in its own format.
pub(super) fn same_value(current: &str, written: &str) -> bool {
    let time = |text: &str| (text.len() >= 10).then(|| Time::parse(text).ok()).flatten();
    current == written || matches!((time(current), time(written)), (Some(current), Some(written)) if current == written)
}
