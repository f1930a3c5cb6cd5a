//! Reading tasks: before guarded ones are written, and after a write of which nobody knows whether
//! it was done.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use futures_util::StreamExt as _;

use super::calls::{AT_ONCE, Calls};
use super::guard::{self, Read, Tasks, Wanted};
use super::ledger::Ledger;
use super::matching::Found;
use super::row::Row;
use super::{account, blame, plan};
use crate::hubspot::{Answer, Error};
use crate::outcome::{Outcome, RetryReason};
use crate::update::Update;

/// The values that a row's task shows after a write that may or may not have been done.
pub(super) enum Seen {
    /// The values that were written.
    AsWritten(Found),
    /// Other values.
    Otherwise,
    /// There is no such task.
    Missing,
    /// Neither a task nor the word that there is none.
    Nothing,
    /// The task can't be read now.
    Failed(Error),
}

/// Reads the tasks of the updates that need it, and settles the updates of those that can't be read:
/// nothing is written blindly.
pub(super) async fn needed(calls: &Calls<'_>, updates: &[Update], ledger: &mut Ledger) -> Tasks {
    let wanted = Wanted::of_guard(updates);
    tasks(calls, updates, guard::needs_reading, &wanted, ledger).await
}

/// Reads the tasks of all updates, guarded or not, and settles the updates in the same way.
pub(super) async fn every(calls: &Calls<'_>, updates: &[Update], ledger: &mut Ledger) -> Tasks {
    tasks(calls, updates, |_| true, &Wanted::All, ledger).await
}

async fn tasks(
    calls: &Calls<'_>,
    updates: &[Update],
    is_read: fn(&Update) -> bool,
    wanted: &Wanted<'_>,
    ledger: &mut Ledger,
) -> Tasks {
    let mut tasks = Tasks::default();
    let mut failed = BTreeMap::new();
    let to_read = updates.iter().filter(|update| is_read(update));
    let calls_to_make = guard::reads(to_read).into_iter().map(|read| in_parts(calls, read));
    let mut under_way = futures_util::stream::iter(calls_to_make).buffer_unordered(AT_ONCE);
    while let Some(parts) = under_way.next().await {
        for (read, result) in parts {
            match result {
                Ok(answer) => tasks.add(&read, &answer, wanted),
                Err(error) => {
                    let outcome = blame::failed_call(&error, &read.id_property);
                    failed.extend(read.ids.iter().map(|id| (read.key(id), outcome.clone())));
                }
            }
        }
    }
    for (index, update) in updates.iter().enumerate() {
        if !is_read(update) {
            continue;
        }
        if let Some(outcome) = failed.get(&update.task) {
            ledger.settle(index, outcome.clone());
        } else if !tasks.is_known(&update.task) && !tasks.is_missing(&update.task) {
            let detail = "HubSpot did not say what the task holds now".to_owned();
            ledger.settle(index, Outcome::Retry(RetryReason::Unavailable, detail));
        }
    }
    tasks
}

/// Reads a batch; in halves where HubSpot refuses it, so that one bad id fails alone, and where it
/// shows tasks of which nobody can say whose they are.
pub(super) async fn in_parts(calls: &Calls<'_>, read: Read) -> Vec<(Read, Result<Answer, Error>)> {
    let mut done = Vec::new();
    let mut queue = VecDeque::from([read]);
    // Both halves before the parts of either: where both are forbidden, it is the token's fault.
    while let Some(mut read) = queue.pop_front() {
        match calls.read(&read).await {
            Ok(answer) => {
                let mixed = account::assign(&read.id_property, &read.ids, &answer).mixed;
                let again: Vec<_> = mixed.iter().map(|row| read.ids[*row].clone()).collect();
                if !again.is_empty() {
                    read.ids.retain(|id| !again.contains(id));
                    queue.extend(Read { ids: again, ..read.clone() }.halves());
                }
                done.push((read, Ok(answer)));
            }
            Err(error) if may_pass_in_halves(&error, &read) && !calls.is_stopped() => {
                queue.extend(read.halves());
            }
            Err(error) => done.push((read, Err(error))),
        }
    }
    done
}

/// Whether the read may succeed for a part of the ids.
fn may_pass_in_halves(error: &Error, read: &Read) -> bool {
    if read.ids.len() < 2 {
        return false;
    }
    match error {
        Error::Refused(refusal) => !blame::is_about_all(refusal, &read.id_property),
        // A task may have a property that needs a scope of its own.
        Error::Later { reason, .. } => *reason == RetryReason::Forbidden && read.object.is_none(),
        Error::Lost => false,
    }
}

/// Reads the tasks of rows back after they were written. Returns each row with
/// the values of its task.
pub(super) async fn back(calls: &Calls<'_>, rows: Vec<Row>) -> Vec<(Row, Seen)> {
    let mut seen = Vec::new();
    for mut rows in plan::batches(rows) {
        let Some(first) = rows.first() else { continue };
        let id_property = first.task.id_property.clone();
        let mut properties = BTreeSet::from([id_property.clone()]);
        properties.extend(rows.iter().flat_map(|row| row.properties.keys().cloned()));
        let ids = rows.iter().map(|row| row.task.id.clone()).collect();
        let properties = properties.into_iter().collect();
        let whole = Read { object: None, id_property, ids, properties };
        for (read, result) in in_parts(calls, whole).await {
            let of_this_read = rows.extract_if(.., |row| read.ids.contains(&row.task.id));
            seen.extend(compare(of_this_read.collect(), &read, &result));
        }
    }
    seen
}

/// Compares rows with the answer to a read of their tasks.
fn compare(rows: Vec<Row>, read: &Read, result: &Result<Answer, Error>) -> Vec<(Row, Seen)> {
    let assigned = match result {
        Ok(answer) => account::assign(&read.id_property, &read.ids, answer),
        Err(Error::Refused(_)) => {
            return rows.into_iter().map(|row| (row, Seen::Nothing)).collect();
        }
        Err(error) => {
            return rows.into_iter().map(|row| (row, Seen::Failed(error.clone()))).collect();
        }
    };
    let places: BTreeMap<_, _> = read.ids.iter().zip(0..).collect();
    let mut seen = Vec::new();
    for row in rows {
        let place: usize = places[&row.task.id];
        let shown = match assigned.records[place] {
            Some(record) if row.is_written_in(record) => Seen::AsWritten(Found::from(record)),
            Some(_) => Seen::Otherwise,
            None if assigned.missing.contains(&place) => Seen::Missing,
            None => Seen::Nothing,
        };
        seen.push((row, shown));
    }
    seen
}
