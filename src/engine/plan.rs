//! Which rows are written, in which rounds, and in which batches. Pure.
//!
//! Updates of one task become one row, property by property the later event time wins; among
//! equal times the later arrival. The order of arrival makes no difference where the times differ.
//! Values that are added to others (several checkboxes, `;a`) are not lost in a merge: they are
//! written after those.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;

use super::ledger::Ledger;
use super::matching::Found;
use super::row::{HeldBack, Owner, Resolved, Row, WantedLink};
use super::{account, guard, rules};
use crate::hubspot::BATCH;
use crate::outcome::Outcome;
use crate::time::Time;
use crate::update::{Associate, OnMissing, TaskKey, Update, When};

/// Lets updates wait that are newer than one of their task that has to wait, for its owner, say:
/// written first they would make it look late, and what it says would be lost.
pub(super) fn wait_for_earlier<'u>(
    updates: &[Update],
    resolved: Vec<Resolved<'u>>,
    ledger: &mut Ledger,
) -> Vec<Resolved<'u>> {
    let mut waiting: BTreeMap<TaskKey, ((Time, usize), Outcome)> = BTreeMap::new();
    for (index, update) in updates.iter().enumerate() {
        let Some(outcome @ Outcome::Retry(..)) = ledger.outcome(index) else { continue };
        if update.observe {
            continue;
        }
        let (task, place) = (update.task.canonical(), (update.time, index));
        if waiting.get(&task).is_none_or(|(first, _)| place < *first) {
            waiting.insert(task, (place, outcome.clone()));
        }
    }
    if waiting.is_empty() {
        return resolved;
    }
    let mut free = Vec::new();
    for update in resolved {
        match waiting.get(&update.update.task.canonical()) {
            Some((first, outcome)) if (update.update.time, update.index) > *first => {
                ledger.settle(update.index, outcome.clone());
            }
            _ => free.push(update),
        }
    }
    free
}

/// Merges updates into rows, in the order in which their tasks arrived first. Updates that need no
/// write get their outcome.
pub(super) fn rows(
    updates: Vec<Resolved<'_>>,
    tasks: &guard::Tasks,
    ledger: &mut Ledger,
) -> Vec<Row> {
    let tasks_to_write = by_task(updates, ledger);
    let mut rows = Vec::with_capacity(tasks_to_write.len());
    for mut updates in tasks_to_write {
        let Some(task) = updates.first().map(|first| &first.update.task) else { continue };
        let record = tasks.record(task);
        let mut is_missing = tasks.is_missing(task);
        let mut round = 0;
        // Stable: among equal times the order of arrival stays.
        updates.sort_by_key(|update| update.update.time);
        let on_missing = updates.iter().map(|update| update.update.on_missing).max();
        let on_missing = on_missing.unwrap_or(OnMissing::Fail);
        let on_create = rules::hold_back(&mut updates, record);
        for updates in split_at_additions(updates) {
            let Some(merged) = merge(updates, on_create.clone()) else { continue };
            let found = record.map(Found::from).unwrap_or_default();
            let mut row = Row { on_missing, is_missing, round, found, ..merged };
            let has_nothing = row.properties.is_empty() && row.on_create.is_empty();
            let is_to_link = row.links.iter().any(|link| link.when == When::Always);
            if is_missing && has_nothing && !is_to_link {
                row.links.clear();
                ledger.settle_row(&row, Outcome::Unchanged);
            } else if is_missing && (on_missing != OnMissing::Create || has_nothing) {
                ledger.settle_row(&row, account::not_found(&row.task, on_missing));
            } else if (row.properties.is_empty() && !is_missing)
                || (round == 0 && guard::is_unchanged(&row, tasks))
            {
                ledger.settle_row(&row, Outcome::Unchanged);
            } else {
                is_missing = false;
                round += 1;
                rows.push(row);
            }
        }
    }
    assign_rounds(&mut rows);
    rows
}

/// Groups updates by task, the task that arrived first at the beginning. Updates without a value
/// and without a link are settled.
fn by_task<'u>(updates: Vec<Resolved<'u>>, ledger: &mut Ledger) -> Vec<Vec<Resolved<'u>>> {
    let mut written = Vec::new();
    for update in updates {
        if update.values.is_empty() && update.update.associate.is_none() {
            ledger.settle(update.index, Outcome::Unchanged);
        } else {
            written.push(update);
        }
    }
    group_by(written, |update| &update.update.task)
}

/// Groups items by a key, the group of the first item at the beginning. Items keep their order.
pub(super) fn group_by<T, K: Ord>(items: Vec<T>, key: impl Fn(&T) -> K) -> Vec<Vec<T>> {
    let mut places: BTreeMap<K, usize> = BTreeMap::new();
    let mut groups: Vec<Vec<T>> = Vec::new();
    for item in items {
        let place = *places.entry(key(&item)).or_insert(groups.len());
        if place == groups.len() {
            groups.push(Vec::new());
        }
        groups[place].push(item);
    }
    groups
}

/// The updates of one task, oldest event first, by the rows that they become: one, unless a value
/// is to be added to a value that an earlier update sets. Whether HubSpot adds it (several
/// checkboxes) or sets it (text that begins with `;`) only HubSpot knows, so each is a row of its
/// own, one after the other.
fn split_at_additions(updates: Vec<Resolved<'_>>) -> Vec<Vec<Resolved<'_>>> {
    let mut parts: Vec<Vec<Resolved<'_>>> = Vec::new();
    let mut set = BTreeSet::new();
    for update in updates {
        let adds = update
            .values
            .iter()
            .any(|value| value.text.starts_with(';') && set.contains(value.property));
        if adds {
            set.clear();
        }
        set.extend(update.values.iter().map(|value| value.property));
        match parts.last_mut() {
            Some(part) if !adds => part.push(update),
            _ => parts.push(vec![update]),
        }
    }
    parts
}

/// Merges updates of one task, oldest event first.
fn merge(updates: Vec<Resolved<'_>>, on_create: BTreeMap<String, HeldBack>) -> Option<Row> {
    let newest = updates.last()?.update;
    let mut row = Row { on_create, ..Row::new(newest.task.clone(), newest.time) };
    let mut guards = BTreeSet::new();
    // What writes nothing moves no time: an event before it may still have something to say.
    let mut guarded_at = row.time;
    for update in updates.iter().filter(|update| !update.values.is_empty()) {
        guarded_at = update.update.time;
    }
    for update in updates {
        row.links.extend(wanted_links(update.index, update.update));
        for value in update.values {
            let property = value.property.to_owned();
            if let Some(owner) = value.owner {
                row.owners.insert(property.clone(), Owner::from(owner));
            } else {
                row.owners.remove(&property);
            }
            row.properties.insert(property, value.text.into_owned());
        }
        guards.extend(update.update.updated_at_property.clone());
        row.members.push(update.index);
    }
    let time = guarded_at.to_string();
    if !row.properties.is_empty() {
        row.is_guarded = !guards.is_empty();
        row.properties.extend(guards.into_iter().map(|property| (property, time.clone())));
    } else if !row.on_create.is_empty() {
        let time = HeldBack { text: time, owner: None };
        row.on_create.extend(guards.into_iter().map(|property| (property, time.clone())));
    }
    Some(row)
}

/// The links that an update wants, by its place; none of one that only observes.
pub(super) fn wanted_links(index: usize, update: &Update) -> Vec<WantedLink> {
    let mut links = Vec::new();
    let Some(associate) = update.associate.as_ref().filter(|_| !update.observe) else {
        return links;
    };
    for link in &associate.links {
        let Associate { when, missing, .. } = *associate;
        let (member, task, link) = (index, update.task.clone(), link.clone());
        let (time, is_retried) = (update.time, update.is_retried);
        links.push(WantedLink { member, task, time, is_retried, when, missing, link });
    }
    links
}

/// Lets rows of tasks that HubSpot may take for the same follow each other as if they were one
/// task's: in one request nobody could tell their results apart, and the order of their events has
/// to stay.
fn assign_rounds(rows: &mut [Row]) {
    let mut same: BTreeMap<TaskKey, Vec<&mut Row>> = BTreeMap::new();
    for row in rows {
        same.entry(row.task.canonical()).or_default().push(row);
    }
    for mut rows in same.into_values() {
        // The rows of one task are in the order of their times already.
        rows.sort_by_key(|row| row.time);
        for (round, row) in rows.into_iter().enumerate() {
            row.round = round;
        }
    }
}

/// Groups rows by round: those of one round can go out at the same time.
pub(super) fn rounds(mut rows: Vec<Row>) -> impl Iterator<Item = Vec<Row>> {
    // Those of the first one, which are the most, stay where they are.
    let mut later: BTreeMap<usize, Vec<Row>> = BTreeMap::new();
    for row in rows.extract_if(.., |row| row.round > 0) {
        later.entry(row.round).or_default().push(row);
    }
    iter::once(rows).chain(later.into_values())
}

/// Groups rows by id property, at most [`BATCH`] in a call.
pub(super) fn batches(rows: Vec<Row>) -> Vec<Vec<Row>> {
    let mut by_property: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for row in rows {
        by_property.entry(row.task.id_property.clone()).or_default().push(row);
    }
    let mut batches = Vec::new();
    for rows in by_property.into_values() {
        let mut rows = rows.into_iter();
        while rows.len() > 0 {
            // Not split off: the first part of a list would keep the room of all.
            batches.push(rows.by_ref().take(BATCH).collect());
        }
    }
    batches
}
