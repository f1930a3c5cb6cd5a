//! Accounting: what an answer says about each row of a batch. Pure.
//!
//! Results are matched by the echoed unique property, by record id, or by elimination where the counts prove it; never
//! by position, since HubSpot keeps no order. A row that nothing speaks of is silent, not done.

use std::collections::BTreeMap;

use super::blame;
use super::plan::Write;
use crate::hubspot::{Answer, Complaint};
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
    let mut verdicts = vec![Verdict::Silent; rows.len()];
    let mut unmatched = Vec::new();
    for record in &answer.results {
        let id = id_of(id_property, &record.id, &record.properties);
        let row = id.and_then(|id| row_of(rows.iter().map(|row| row.task.id.as_str()), &id));
        match row.filter(|row| verdicts[*row] == Verdict::Silent) {
            Some(row) => verdicts[row] = Verdict::Done(Some(record.id.clone()), record.new == Some(true)),
            None => unmatched.push(record),
        }
    }
    for error in flat(&answer.errors) {
        let by_id =
            error.context("ids").iter().filter_map(|id| row_of(rows.iter().map(|row| row.task.id.as_str()), id));
        let named = error.context("objectWriteTraceId").iter();
        let by_trace = named.filter_map(|trace| traces.iter().position(|other| other == trace));
        for row in by_id.chain(by_trace) {
            verdicts[row] = if says_not_found(error) {
                Verdict::Missing
            } else {
                let (reason, detail) = blame::reason(error, &rows[row]);
                Verdict::Refused(reason, detail)
            };
        }
    }
    // Results that don't say whose they are: when there is one for each row that is left, all of those are done.
    let silent: Vec<_> = (0..rows.len()).filter(|row| verdicts[*row] == Verdict::Silent).collect();
    if !silent.is_empty() && unmatched.len() == silent.len() {
        let anonymous = unmatched.iter().all(|record| !record.properties.contains_key(id_property));
        if anonymous && id_property != RECORD_ID {
            let one = if let [record] = unmatched[..] { Some(record) } else { None };
            for row in silent {
                let new = unmatched.iter().all(|record| record.new == Some(true));
                verdicts[row] = Verdict::Done(one.map(|record| record.id.clone()), new);
            }
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

/// The value of the id property in a record, if the record says it.
pub(super) fn id_of(
    id_property: &str,
    record_id: &str,
    properties: &BTreeMap<String, Option<String>>,
) -> Option<String> {
    if id_property == RECORD_ID {
        return Some(record_id.to_owned());
    }
    properties.get(id_property)?.clone()
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
pub(super) fn says_not_found(error: &Complaint) -> bool {
    error.category == "OBJECT_NOT_FOUND" || error.code == "OBJECT_NOT_FOUND" || error.category == "NOT_FOUND"
}

/// Errors, and the errors inside of errors.
fn flat(errors: &[Complaint]) -> impl Iterator<Item = &Complaint> {
    errors.iter().chain(errors.iter().flat_map(|error| &error.errors))
}
