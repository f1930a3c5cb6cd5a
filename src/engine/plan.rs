//! What is to be read and written. Pure.
//!
//! Updates of one task become one write, property by property the later event time wins; among
//! equal times the later arrival. The order of arrival makes no difference where the times differ.
//! Values that are added to others (several checkboxes, `;a`) are not lost in a merge: they are
//! written after those.

use std::collections::{BTreeMap, BTreeSet};

use super::{Ledger, account, guard};
use crate::hubspot::BATCH;
use crate::outcome::Outcome;
use crate::time::Time;
use crate::update::{OnMissing, RECORD_ID, TaskKey, Unknown, Update, Value, canonical_id};

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
    /// Whether the task keeps the newest event time.
    pub(super) is_guarded: bool,
    /// Whether the task is known not to exist, so that an update of it is not worth a call.
    pub(super) is_missing: bool,
    /// How many writes of the same task, or of one that HubSpot may take for it, have to be done
    /// before.
    pub(super) round: usize,
    /// The properties that hold an owner's id, with the address and what to do where there is no
    /// such owner.
    pub(super) owners: BTreeMap<String, (String, Unknown)>,
    /// What is told of it although it was written.
    pub(super) note: Option<String>,
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

/// Whether an update's task has to be read before it is written.
pub(super) fn is_guarded(update: &Update) -> bool {
    update.updated_at_property.is_some() && !update.properties.is_empty()
}

/// What has to be read before guarded tasks are written: their times, and their values in case the
/// times are equal.
pub(super) fn reads(updates: &[Update]) -> Vec<Read> {
    let mut wanted: BTreeMap<&str, (BTreeSet<&str>, BTreeSet<&str>)> = BTreeMap::new();
    for update in updates.iter().filter(|update| is_guarded(update)) {
        let (ids, properties) = wanted.entry(&update.task.id_property).or_default();
        ids.insert(&update.task.id);
        // The id property comes along, so that results can be told apart.
        properties.insert(&update.task.id_property);
        properties.extend(update.updated_at_property.as_deref());
        properties.extend(update.properties.iter().map(|(name, _)| name.as_str()));
    }
    // Ids that HubSpot may take for the same are asked for one by one, so that each result has one
    // row.
    let mut apart: BTreeMap<(&str, usize), Vec<&str>> = BTreeMap::new();
    for (id_property, (ids, _)) in &wanted {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for id in ids {
            let count = seen.entry(canonical_id(id)).or_default();
            apart.entry((id_property, *count)).or_default().push(id);
            *count += 1;
        }
    }
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let mut reads = Vec::new();
    for ((id_property, _), ids) in apart {
        let properties: Vec<_> = wanted[id_property].1.iter().copied().collect();
        let batches = ids.chunks(BATCH);
        reads.extend(batches.map(|ids| Read {
            id_property: id_property.to_owned(),
            ids: owned(ids),
            properties: owned(&properties),
        }));
    }
    reads
}

/// Merges what is left to write. Updates that need no write get their outcome.
pub(super) fn writes(
    updates: &[Update],
    mut resolved: Vec<Option<Texts>>,
    tasks: &guard::Tasks,
    ledger: &mut Ledger,
) -> Vec<Write> {
    let mut by_task: BTreeMap<&TaskKey, Vec<usize>> = BTreeMap::new();
    for (index, update) in
        updates.iter().enumerate().filter(|(index, _)| resolved[*index].is_some())
    {
        if resolved[index].as_ref().is_some_and(Vec::is_empty) {
            ledger.settle(index, Outcome::Unchanged);
        } else {
            by_task.entry(&update.task).or_default().push(index);
        }
    }
    // By first arrival, so that what goes out first came in first.
    let mut groups: Vec<_> = by_task.into_iter().collect();
    groups.sort_by_key(|(_, members)| members.first().copied());
    let mut writes = Vec::new();
    for (task, members) in groups {
        let (mut is_missing, mut round) = (tasks.is_missing(task), 0);
        for members in rounds_of(members, updates, &resolved) {
            let write = Write { is_missing, round, ..merge(task, members, updates, &mut resolved) };
            if is_missing && write.on_missing != OnMissing::Create {
                ledger.settle_write(&write, account::not_found(task, write.on_missing));
            } else if round == 0 && guard::is_unchanged(&write, tasks) {
                ledger.settle_write(&write, Outcome::Unchanged);
            } else {
                (is_missing, round) = (false, round + 1);
                writes.push(write);
            }
        }
    }
    take_apart(&mut writes);
    writes
}

/// Lets writes of tasks that HubSpot may take for the same follow each other as if they were one
/// task's: in one request nobody could tell their results apart, and the order of their events has
/// to stay.
fn take_apart(writes: &mut [Write]) {
    let mut same: BTreeMap<TaskKey, Vec<&mut Write>> = BTreeMap::new();
    for write in writes {
        same.entry(write.task.canonical()).or_default().push(write);
    }
    for mut writes in same.into_values() {
        // Those of one task are in the order of their times already.
        writes.sort_by_key(|write| write.time);
        for (round, write) in writes.into_iter().enumerate() {
            write.round = round;
        }
    }
}

/// The updates of one task, oldest event first, by the writes that they become: one, unless a value
/// is to be added to a value that an earlier update sets. Whether HubSpot adds it (several
/// checkboxes) or sets it (text that begins with `;`) only HubSpot knows, so each is a write of its
/// own, one after the other.
fn rounds_of(
    mut members: Vec<usize>,
    updates: &[Update],
    resolved: &[Option<Texts>],
) -> Vec<Vec<usize>> {
    // Stable: among equal times the order of arrival stays.
    members.sort_by_key(|index| updates[*index].time);
    let mut rounds: Vec<Vec<usize>> = Vec::new();
    let mut names = BTreeSet::new();
    for index in members {
        let texts = resolved[index].iter().flatten();
        let adds = texts.clone().any(|(name, text)| text.starts_with(';') && names.contains(name));
        match rounds.last_mut() {
            Some(round) if !adds => round.push(index),
            _ => {
                names.clear();
                rounds.push(vec![index]);
            }
        }
        names.extend(texts.map(|(name, _)| name));
    }
    rounds
}

/// One write of updates of one task, oldest event first.
fn merge(
    task: &TaskKey,
    members: Vec<usize>,
    updates: &[Update],
    resolved: &mut [Option<Texts>],
) -> Write {
    let mut write = Write {
        task: task.clone(),
        on_missing: OnMissing::Fail,
        time: Time::from_milliseconds(0),
        properties: BTreeMap::new(),
        is_guarded: false,
        is_missing: false,
        round: 0,
        owners: BTreeMap::new(),
        note: None,
        members,
    };
    let mut guards = BTreeSet::new();
    for index in &write.members {
        let update = &updates[*index];
        for (name, text) in resolved[*index].take().unwrap_or_default() {
            let value = update
                .properties
                .iter()
                .find_map(|(other, value)| (*other == name).then_some(value));
            match value {
                Some(Value::Owner { email, unknown }) => {
                    write.owners.insert(name.clone(), (email.clone(), unknown.clone()));
                }
                _ => _ = write.owners.remove(&name),
            }
            write.properties.insert(name, text);
        }
        (write.time, write.on_missing) = (update.time, update.on_missing);
        guards.extend(update.updated_at_property.clone());
    }
    write.is_guarded = !guards.is_empty();
    let time = write.time.to_string();
    write.properties.extend(guards.into_iter().map(|name| (name, time.clone())));
    write
}

/// Writes that can go out at the same time; those of one task one after the other.
pub(super) fn rounds(writes: Vec<Write>) -> impl Iterator<Item = Vec<Write>> {
    let mut rounds: BTreeMap<usize, Vec<Write>> = BTreeMap::new();
    for write in writes {
        rounds.entry(write.round).or_default().push(write);
    }
    rounds.into_values()
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

impl Write {
    /// What it says of a property. The id property's value stands in the id.
    pub(super) fn value(&self, property: &str) -> Option<&str> {
        let own = || {
            Some(self.task.id.as_str())
                .filter(|_| self.task.id_property == property && property != RECORD_ID)
        };
        self.properties.get(property).map(String::as_str).or_else(own)
    }

    /// All that it says, the id included.
    pub(super) fn values(&self) -> impl Iterator<Item = (&str, &str)> {
        let id_property = self.task.id_property.as_str();
        let is_own = id_property == RECORD_ID || self.properties.contains_key(id_property);
        let id = Some((id_property, self.task.id.as_str())).filter(|_| !is_own);
        self.properties.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain(id)
    }
}
