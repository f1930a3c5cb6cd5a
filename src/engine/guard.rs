//! The guard against late events: an older event never overwrites a newer one. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::ledger::Ledger;
use super::matching::matches_strictly;
use super::row::Row;
use super::{account, rules};
use crate::hubspot::{Answer, BATCH, Record};
use crate::outcome::Outcome;
use crate::time::Time;
use crate::update::{Object, OnMissing, TaskKey, Update, canonical_id};

/// Tasks, or records that tasks hang on, to read in one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Read {
    /// What the records are; `None`: tasks.
    pub(super) object: Option<Object>,
    pub(super) id_property: String,
    pub(super) ids: Vec<String>,
    pub(super) properties: Vec<String>,
}

/// The guarded tasks as HubSpot has them before anything is written.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    known: BTreeMap<TaskKey, Record>,
    missing: BTreeSet<TaskKey>,
}

/// The values of tasks that are needed after they were read: a text may have 64 KB, and a delivery
/// 10,000 tasks.
pub(super) enum Wanted<'u> {
    /// All.
    All,
    /// The times of the tasks of these updates, and their other values where a time is that of an
    /// update: otherwise there is something to write.
    OfGuard(BTreeMap<&'u TaskKey, Vec<&'u Update>>),
}

/// Whether an update may come too late.
pub(super) fn is_guarded(update: &Update) -> bool {
    update.updated_at_property.is_some() && !update.properties.is_empty()
}

/// Whether an update's task has to be read before it is written: otherwise nobody knows whether there
/// is something to write, or a task to link.
pub(super) fn needs_reading(update: &Update) -> bool {
    let creates = update.on_missing == OnMissing::Create && !update.properties.is_empty();
    is_guarded(update)
        || rules::fills_gaps(update)
        || rules::creates_with_owner(update)
        || ((creates || update.associate.is_some()) && rules::may_write_nothing(update))
}

/// The reads of the tasks of updates: of their times, and of the values that would be written, in
/// case the times are equal.
pub(super) fn reads<'u>(updates: impl IntoIterator<Item = &'u Update>) -> Vec<Read> {
    #[derive(Default)]
    struct Asked<'u> {
        ids: BTreeSet<&'u str>,
        properties: BTreeSet<&'u str>,
    }
    let mut asked: BTreeMap<&str, Asked<'_>> = BTreeMap::new();
    for update in updates {
        let Asked { ids, properties } = asked.entry(&update.task.id_property).or_default();
        ids.insert(&update.task.id);
        // The id property comes along, so that results can be told apart.
        properties.insert(&update.task.id_property);
        properties.extend(update.updated_at_property.as_deref());
        properties.extend(update.properties.iter().map(|(name, _)| name.as_str()));
    }
    let mut reads = Vec::new();
    for (id_property, Asked { ids, properties }) in asked {
        let properties: Vec<_> = properties.into_iter().map(str::to_owned).collect();
        for read in Read::all(None, id_property, ids) {
            reads.push(Read { properties: properties.clone(), ..read });
        }
    }
    reads
}

/// The ids in lists of which none has two that HubSpot may take for the same, so that each result
/// belongs to one row.
fn part_look_alikes(ids: BTreeSet<&str>) -> Vec<Vec<&str>> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut lists: Vec<Vec<&str>> = Vec::new();
    for id in ids {
        let count = seen.entry(canonical_id(id)).or_default();
        if *count == lists.len() {
            lists.push(Vec::new());
        }
        lists[*count].push(id);
        *count += 1;
    }
    lists
}

impl Read {
    /// The reads of records by a unique property, each of up to [`BATCH`], and of that property alone.
    pub(super) fn all(object: Option<Object>, id_property: &str, ids: BTreeSet<&str>) -> Vec<Self> {
        let mut reads = Vec::new();
        for ids in part_look_alikes(ids) {
            for ids in ids.chunks(BATCH) {
                reads.push(Self {
                    object,
                    id_property: id_property.to_owned(),
                    ids: ids.iter().map(|id| (*id).to_owned()).collect(),
                    properties: vec![id_property.to_owned()],
                });
            }
        }
        reads
    }

    /// The key of a task of this read.
    pub(super) fn key(&self, id: &str) -> TaskKey {
        TaskKey { id_property: self.id_property.clone(), id: id.to_owned() }
    }

    /// The read in two parts, of which each has half of the ids.
    pub(super) fn halves(mut self) -> [Self; 2] {
        let second = self.ids.split_off(self.ids.len() / 2);
        [self.clone(), Self { ids: second, ..self }]
    }
}

impl Tasks {
    /// No task of these updates is there.
    pub(super) fn missing(updates: &[Update]) -> Self {
        let missing = updates.iter().map(|update| update.task.clone()).collect();
        Self { known: BTreeMap::new(), missing }
    }

    /// Adds the tasks of an answer to a read, with those of their values that `wanted` tells, and
    /// the tasks that it says are missing.
    pub(super) fn add(&mut self, read: &Read, answer: &Answer, wanted: &Wanted<'_>) {
        let assigned = account::assign(&read.id_property, &read.ids, answer);
        for (id, record) in read.ids.iter().zip(assigned.records) {
            if let Some(record) = record {
                let task = read.key(id);
                let record = wanted.keep(&task, record);
                self.known.insert(task, record);
            }
        }
        self.missing.extend(assigned.missing.into_iter().map(|row| read.key(&read.ids[row])));
    }

    /// Whether the task was read.
    pub(super) fn is_known(&self, task: &TaskKey) -> bool {
        self.known.contains_key(task)
    }

    /// Whether HubSpot said that there is no such task.
    pub(super) fn is_missing(&self, task: &TaskKey) -> bool {
        self.missing.contains(task) && !self.is_known(task)
    }

    /// The task as it was read.
    pub(super) fn record(&self, task: &TaskKey) -> Option<&Record> {
        self.known.get(task)
    }

    fn value(&self, task: &TaskKey, property: &str) -> Option<&str> {
        self.record(task)?.text(property)
    }
}

impl<'u> Wanted<'u> {
    /// The values that the guard needs for updates.
    pub(super) fn of_guard(updates: impl IntoIterator<Item = &'u Update>) -> Self {
        let mut by_task: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for update in updates {
            by_task.entry(&update.task).or_default().push(update);
        }
        Self::OfGuard(by_task)
    }

    /// A task as far as it is needed.
    fn keep(&self, task: &TaskKey, record: &Record) -> Record {
        let Self::OfGuard(by_task) = self else { return record.clone() };
        let updates = by_task.get(task).map_or(&[][..], Vec::as_slice);
        let mut names = BTreeSet::new();
        let mut may_be_unchanged = false;
        for update in updates {
            if rules::fills_gaps(update) {
                names.extend(update.write.keys().map(String::as_str));
            }
            if let Some(property) = &update.updated_at_property {
                names.insert(property.as_str());
                may_be_unchanged |= applied_time(record, property) == Some(update.time);
            }
        }
        if may_be_unchanged {
            for update in updates {
                names.extend(update.properties.iter().map(|(name, _)| name.as_str()));
            }
        }
        record.with_only(&names)
    }
}

/// Settles the updates that are stale, and those of tasks that don't exist and that no update wants
/// to be created.
pub(super) fn settle(updates: &[Update], tasks: &Tasks, ledger: &mut Ledger) {
    // Where updates of one task don't agree, it is made if one of them makes it, else passed over if
    // one of them does that.
    let mut rules: BTreeMap<_, OnMissing> = BTreeMap::new();
    for update in updates {
        let rule = rules.entry(&update.task).or_insert(update.on_missing);
        *rule = update.on_missing.max(*rule);
    }
    for (index, update) in updates.iter().enumerate() {
        if !is_guarded(update) || !ledger.is_open(index) {
            continue;
        }
        let on_missing = rules.get(&update.task).copied().unwrap_or(update.on_missing);
        if is_stale(update, tasks) {
            ledger.settle(index, Outcome::Stale);
        } else if tasks.is_missing(&update.task) && on_missing != OnMissing::Create {
            ledger.settle(index, account::not_found(&update.task, on_missing));
        }
    }
}

/// Whether a newer event has already been applied to the update's task.
fn is_stale(update: &Update, tasks: &Tasks) -> bool {
    let Some(property) = &update.updated_at_property else { return false };
    let Some(record) = tasks.record(&update.task) else { return false };
    applied_time(record, property).is_some_and(|applied| applied > update.time)
}

/// The time of the newest event that was applied to a task. A value that is not a time says nothing
/// about it.
fn applied_time(record: &Record, property: &str) -> Option<Time> {
    Time::parse(record.text(property)?).ok()
}

/// Whether a guarded task already has every value of the row, its event time included. A newer
/// event is always written, if only to move the time: otherwise a late event in between would pass.
pub(super) fn is_unchanged(row: &Row, tasks: &Tasks) -> bool {
    let has = |(name, value): (&String, &String)| {
        matches_strictly(tasks.value(&row.task, name).unwrap_or_default(), value)
    };
    row.is_guarded && row.properties.iter().all(has)
}
