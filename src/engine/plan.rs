//! What is to be read and written: pure.
//!
//! Updates of one task become one write, property by property the later event time wins; among equal times the later
//! arrival. The order of arrival makes no difference where the times differ.

use std::collections::{BTreeMap, BTreeSet};

use super::guard;
use crate::hubspot::BATCH;
use crate::summary::Outcome;
use crate::time::Time;
use crate::update::{OnMissing, TaskKey, Update};

/// The values of an update, with every owner looked up.
pub(super) type Texts = Vec<(String, String)>;

/// One task to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Write {
    pub(super) task: TaskKey,
    pub(super) on_missing: OnMissing,
    /// The newest event time.
    pub(super) time: Time,
    pub(super) properties: BTreeMap<String, String>,
    /// Whether the task is known not to exist, so that an update of it is not worth a call.
    pub(super) is_missing: bool,
    /// The updates that it is made of, by their index, oldest event first.
    pub(super) members: Vec<usize>,
}

/// Tasks to read in one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) id_property: String,
    pub(super) ids: Vec<String>,
    pub(super) properties: Vec<String>,
}

/// What has to be read before guarded tasks are written: their times, and their values in case the times are equal.
pub(super) fn reads(updates: &[Update], resolved: &[Option<Texts>]) -> Vec<Read> {
    let mut wanted: BTreeMap<&str, (BTreeSet<&str>, BTreeSet<&str>)> = BTreeMap::new();
    for (update, texts) in updates.iter().zip(resolved) {
        let (Some(texts), Some(guard)) = (texts, &update.updated_at_property) else { continue };
        if texts.is_empty() {
            continue;
        }
        let (ids, properties) = wanted.entry(&update.task.id_property).or_default();
        ids.insert(&update.task.id);
        // The id property comes along, so that results can be told apart.
        properties.extend([guard.as_str(), update.task.id_property.as_str()]);
        properties.extend(texts.iter().map(|(name, _)| name.as_str()));
    }
    let mut reads = Vec::new();
    for (id_property, (ids, properties)) in wanted {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let properties = owned(&properties.into_iter().collect::<Vec<_>>());
        for ids in ids.into_iter().collect::<Vec<_>>().chunks(BATCH) {
            let (id_property, properties) = (id_property.to_owned(), properties.clone());
            reads.push(Read { id_property, ids: owned(ids), properties });
        }
    }
    reads
}

/// Merges what is left to write. Updates that need no write get their outcome.
pub(super) fn writes(
    updates: &[Update],
    resolved: &[Option<Texts>],
    tasks: &guard::Tasks,
    outcomes: &mut [Option<Outcome>],
) -> Vec<Write> {
    let mut by_task: BTreeMap<&TaskKey, Vec<usize>> = BTreeMap::new();
    let mut order = Vec::new();
    for (index, (update, texts)) in updates.iter().zip(resolved).enumerate() {
        if outcomes[index].is_some() {
            continue;
        }
        match texts {
            Some(texts) if texts.is_empty() => outcomes[index] = Some(Outcome::Unchanged),
            Some(_) if guard::is_stale(update, tasks) => outcomes[index] = Some(Outcome::Stale),
            Some(_) => by_task
                .entry(&update.task)
                .or_insert_with(|| {
                    order.push(&update.task);
                    Vec::new()
                })
                .push(index),
            None => {}
        }
    }
    let mut writes = Vec::new();
    for task in order {
        let Some(members) = by_task.remove(task) else { continue };
        let mut write = merge(task, members, updates, resolved);
        write.is_missing = tasks.is_missing(task);
        if guard::is_unchanged(&write, updates, tasks) {
            write.members.iter().for_each(|index| outcomes[*index] = Some(Outcome::Unchanged));
        } else {
            writes.push(write);
        }
    }
    writes
}

fn merge(task: &TaskKey, mut members: Vec<usize>, updates: &[Update], resolved: &[Option<Texts>]) -> Write {
    // Stable: among equal times the order of arrival stays.
    members.sort_by_key(|index| updates[*index].time);
    let mut properties = BTreeMap::new();
    let mut guards = BTreeSet::new();
    for index in &members {
        properties.extend(resolved[*index].iter().flatten().cloned());
        guards.extend(updates[*index].updated_at_property.as_ref());
    }
    let newest = members.last().map(|index| &updates[*index]);
    let (time, on_missing) =
        newest.map_or((Time::from_milliseconds(0), OnMissing::Fail), |newest| (newest.time, newest.on_missing));
    properties.extend(guards.into_iter().map(|name| (name.clone(), time.to_string())));
    Write { task: task.clone(), on_missing, time, properties, is_missing: false, members }
}

/// Groups writes by id property, at most [`BATCH`] in a call.
pub(super) fn batches(writes: Vec<Write>) -> Vec<Vec<Write>> {
    let mut by_property: BTreeMap<String, Vec<Write>> = BTreeMap::new();
    for write in writes {
        by_property.entry(write.task.id_property.clone()).or_default().push(write);
    }
    let mut batches = Vec::new();
    for mut writes in by_property.into_values() {
        while writes.len() > BATCH {
            let rest = writes.split_off(BATCH);
            batches.push(std::mem::replace(&mut writes, rest));
        }
        batches.push(writes);
    }
    batches
}
