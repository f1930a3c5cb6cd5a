//! Accounting: what an answer says about each row of a batch. Pure.
//!
//! Results are matched by the echoed unique property, by record id, or by elimination where the counts prove it; never
//! by position, since HubSpot keeps no order. A row that nothing speaks of is silent, not done.

use std::collections::BTreeSet;

use super::blame;
use super::plan::Write;
use crate::hubspot::{Answer, Complaint, Record};
use crate::summary::{FailReason, Outcome};
use crate::update::{OnMissing, RECORD_ID, TaskKey};

/// What an answer says about one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was written; with the record id where the answer says it, and whether the task is new.
    Done(Option<String>, bool),
    /// There is no such task.
    Missing,
    /// It was refused.
    Refused(FailReason, String),
    /// The answer doesn't speak of it.
    Silent,
}

/// A verdict for each row. `traces` are the trace ids of the rows.
pub(super) fn verdicts(rows: &[Write], traces: &[String], answer: &Answer) -> Vec<Verdict> {
    let Some(first) = rows.first() else { return Vec::new() };
    let id_property = first.task.id_property.as_str();
    let ids = || rows.iter().map(|row| row.task.id.as_str());
    let mut verdicts = vec![Verdict::Silent; rows.len()];
    let mut anonymous = BTreeSet::new();
    // A creation that is repeated after a lost answer finds the task that it made.
    let mut are_new = true;
    for record in &answer.results {
        if let Some(id) = id_of(id_property, record) {
            if let Some(row) = row_of(ids(), id) {
                verdicts[row] = Verdict::Done(record_id(record), record.new || answer.is_repeated);
            }
        } else {
            // Without a record id it is not a task.
            anonymous.extend(record_id(record));
            are_new &= record.new || answer.is_repeated;
        }
    }
    let mut unnamed = Vec::new();
    for error in &answer.errors {
        let by_id = named(error, "ids").filter_map(|id| row_of(ids(), id));
        let by_trace = named(error, "objectWriteTraceId");
        let by_trace = by_trace.filter_map(|trace| traces.iter().position(|other| other == trace));
        let about: Vec<_> = by_id.chain(by_trace).collect();
        if about.is_empty() {
            unnamed.push(error);
        }
        for row in about {
            verdicts[row] = if says_not_found(error) {
                Verdict::Missing
            } else {
                let (reason, detail) = blame::reason(error, &rows[row]);
                Verdict::Refused(reason, detail)
            };
        }
    }
    // Errors that name no row may name a property and a value.
    for error in unnamed {
        let is_silent = |row: &usize| verdicts[*row] == Verdict::Silent;
        let silent: Vec<_> = (0..rows.len()).filter(is_silent).collect();
        if let [row] = silent[..]
            && names_nobody_missing(error)
            && anonymous.is_empty()
        {
            // It names nobody, and can only mean the one that is left.
            verdicts[row] = Verdict::Missing;
            continue;
        }
        for (row, (reason, detail)) in blame::rows(error, rows, &silent) {
            verdicts[row] = Verdict::Refused(reason, detail);
        }
    }
    // Results that don't say whose they are: when there is a task for each row that is left, all of those are done.
    let silent: Vec<_> = (0..rows.len()).filter(|row| verdicts[*row] == Verdict::Silent).collect();
    if anonymous.len() == silent.len() {
        let only = anonymous.first().filter(|_| anonymous.len() == 1);
        for row in silent {
            verdicts[row] = Verdict::Done(only.cloned(), are_new);
        }
    }
    verdicts
}

/// The outcome of an update of a task that doesn't exist.
pub(super) fn not_found(task: &TaskKey, on_missing: OnMissing) -> Outcome {
    let detail = format!("no task has {} {}", task.id_property, task.id);
    match on_missing {
        OnMissing::Skip => Outcome::Filtered("not_found", detail),
        OnMissing::Fail | OnMissing::Create => Outcome::Failed(FailReason::NotFound, detail),
    }
}

/// The rows that the answer to a read says don't exist: those that it names, and one that is left where it names none.
pub(super) fn missing(answer: &Answer, ids: &[&str], read: &BTreeSet<usize>) -> BTreeSet<usize> {
    let errors: Vec<_> = answer.errors.iter().filter(|error| says_not_found(error)).collect();
    let named = errors.iter().flat_map(|error| named(error, "ids"));
    let missing: BTreeSet<_> = named.filter_map(|id| row_of(ids.iter().copied(), id)).collect();
    let left: Vec<_> = (0..ids.len()).filter(|row| !read.contains(row)).collect();
    let is_left = missing.is_empty() && left.len() == 1 && errors.iter().any(|error| names_nobody_missing(error));
    if is_left { left.into_iter().collect() } else { missing }
}

/// The value of the id property in a record, if the record says it.
pub(super) fn id_of<'r>(id_property: &str, record: &'r Record) -> Option<&'r str> {
    if id_property == RECORD_ID { Some(&record.id) } else { record.text(id_property) }
}

/// The record id, if the record says it.
pub(super) fn record_id(record: &Record) -> Option<String> {
    Some(record.id.clone()).filter(|id| !id.is_empty())
}

/// The row of an id as HubSpot writes it: exactly, else as the only one that differs in case or outer space.
pub(super) fn row_of<'r>(rows: impl Iterator<Item = &'r str> + Clone, id: &str) -> Option<usize> {
    rows.clone().position(|row| row == id).or_else(|| {
        let mut alike = rows.enumerate().filter(|(_, row)| row.trim().eq_ignore_ascii_case(id.trim()));
        let found = alike.next().map(|(index, _)| index);
        found.filter(|_| alike.next().is_none())
    })
}

/// Whether an error says that tasks don't exist.
fn says_not_found(error: &Complaint) -> bool {
    error.category == "OBJECT_NOT_FOUND" || error.code == "OBJECT_NOT_FOUND"
}

/// Whether an error says that tasks don't exist, but not which.
fn names_nobody_missing(error: &Complaint) -> bool {
    says_not_found(error) && named(error, "ids").chain(named(error, "objectWriteTraceId")).next().is_none()
}

/// What an error, or an error inside of it, names in its context.
fn named<'e>(error: &'e Complaint, name: &'static str) -> impl Iterator<Item = &'e str> {
    error.all().into_iter().flat_map(move |error| error.context(name)).map(String::as_str)
}
