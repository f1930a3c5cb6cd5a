//! The guard against late events: an older event never overwrites a newer one. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::{Read, Write, is_guarded};
use super::{Ledger, account};
use crate::hubspot::{Answer, Record};
use crate::outcome::Outcome;
use crate::time::Time;
use crate::update::{OnMissing, TaskKey, Update};

/// What is known of guarded tasks before anything is written.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    known: BTreeMap<TaskKey, Record>,
    missing: BTreeSet<TaskKey>,
}

impl Tasks {
    /// Takes what HubSpot says about the tasks of a read.
    pub(super) fn take(&mut self, read: &Read, answer: &Answer) {
        let ids: Vec<_> = read.ids.iter().map(String::as_str).collect();
        let told = account::told(&read.id_property, &ids, answer);
        for (id, record) in ids.iter().zip(told.records) {
            if let Some(record) = record {
                self.known.insert(read.key(id), record.clone());
            }
        }
        self.missing.extend(told.missing.into_iter().map(|id| read.key(ids[id])));
    }

    /// Whether the task was read.
    pub(super) fn is_known(&self, task: &TaskKey) -> bool {
        self.known.contains_key(task)
    }

    /// Whether HubSpot said that there is no such task.
    pub(super) fn is_missing(&self, task: &TaskKey) -> bool {
        self.missing.contains(task) && !self.is_known(task)
    }

    fn value(&self, task: &TaskKey, property: &str) -> Option<&str> {
        self.known.get(task)?.text(property)
    }
}

/// Settles the updates that are stale, and those of tasks that don't exist and that no update wants
/// to be created.
pub(super) fn settle(updates: &[Update], tasks: &Tasks, ledger: &mut Ledger) {
    let creates = |update: &&Update| update.on_missing == OnMissing::Create;
    // Where updates of one task don't agree, the newest of them decides when they are merged.
    let wanted: BTreeSet<_> = updates.iter().filter(creates).map(|update| &update.task).collect();
    for (index, update) in updates.iter().enumerate().filter(|(_, update)| is_guarded(update)) {
        if !ledger.is_open(index) {
            continue;
        }
        if is_stale(update, tasks) {
            ledger.settle(index, Outcome::Stale);
        } else if tasks.is_missing(&update.task) && !wanted.contains(&update.task) {
            ledger.settle(index, account::not_found(&update.task, update.on_missing));
        }
    }
}

/// Whether a newer event has already been applied to the update's task.
fn is_stale(update: &Update, tasks: &Tasks) -> bool {
    let applied = update
        .updated_at_property
        .as_ref()
        .and_then(|property| tasks.value(&update.task, property));
    // A value that is not a time says nothing about what was applied.
    applied
        .and_then(|applied| Time::parse(applied).ok())
        .is_some_and(|applied| applied > update.time)
}

/// Whether a guarded task already is as the write would make it, at the same event time. A newer
/// event is always written, if only to move the time: otherwise a late event in between would pass.
pub(super) fn is_unchanged(write: &Write, tasks: &Tasks) -> bool {
    write.is_guarded
        && write.properties.iter().all(|(name, value)| {
            let current = tasks.value(&write.task, name).unwrap_or_default();
            same_value(current, value)
        })
}

/// Whether HubSpot shows a value that was written, be it without the space around it, as another
/// form of the same number, or as cleaned HTML. For values that were written a moment ago: any
/// other may have been different before.
pub(super) fn shows(current: &str, written: &str) -> bool {
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    let same_number = || matches!((number(current), number(written)), (Some(one), Some(other)) if one.total_cmp(&other).is_eq());
    same_value(current, written)
        || current.trim() == written.trim()
        || same_number()
        || (written.contains(['<', '&']) && words(current) == words(written))
}

/// The words of HTML, without its tags.
fn words(html: &str) -> Vec<String> {
    let mut text = String::with_capacity(html.len());
    for part in html.split('<') {
        // The first part has no tag before it, and no `>` that ends one.
        text.push_str(part.split_once('>').map_or(part, |(_, rest)| rest));
        text.push(' ');
    }
    html_escape::decode_html_entities(&text).split_whitespace().map(str::to_owned).collect()
}

/// Whether HubSpot shows a value that was written: it writes times in its own format, and adds what
/// begins with `;` to what several checkboxes have.
pub(super) fn same_value(current: &str, written: &str) -> bool {
    // Digits may be a number, a telephone number, anything: as a time they are compared with a
    // calendar's time only.
    let is_calendar = current.contains('-') || written.contains('-');
    let time =
        |text: &str| (text.len() >= 10 && is_calendar).then(|| Time::parse(text).ok()).flatten();
    let same_time = || matches!((time(current), time(written)), (Some(current), Some(written)) if current == written);
    let is_added = || {
        written.starts_with(';')
            && written
                .split(';')
                .all(|part| part.is_empty() || current.split(';').any(|has| has == part))
    };
    current == written || same_time() || is_added()
}
