//! Accounting: what an answer says about each row of a batch. Pure.
//!
//! Results are matched by the echoed unique property, by record id, or by elimination where the
//! counts prove it; never by position, since HubSpot keeps no order. A row that nothing speaks of
//! is silent, not done.

use std::collections::{BTreeMap, BTreeSet};

use super::blame::{self, Blame};
use super::plan::Write;
use crate::hubspot::{Answer, Complaint, Record};
use crate::outcome::{FailReason, FilterReason, Outcome};
use crate::update::{OnMissing, RECORD_ID, TaskKey, canonical_id};

/// What an answer says about one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was written; with the record id where the answer says it, and whether the task is new.
    Done(Option<String>, bool),
    /// There is no such task.
    Missing,
    /// It was refused.
    Refused(Blame),
    /// The answer doesn't speak of it.
    Silent,
}

/// The rows of a request by their ids.
pub(super) struct Ids<'r> {
    exact: BTreeMap<&'r str, usize>,
    /// `None` where several share the form.
    alike: BTreeMap<String, Option<usize>>,
}

impl<'r> Ids<'r> {
    pub(super) fn of(rows: impl Iterator<Item = &'r str>) -> Self {
        let mut ids = Self { exact: BTreeMap::new(), alike: BTreeMap::new() };
        for (row, id) in rows.enumerate() {
            ids.exact.entry(id).or_insert(row);
            ids.alike.entry(canonical_id(id)).and_modify(|row| *row = None).or_insert(Some(row));
        }
        ids
    }

    /// The row of an id as HubSpot writes it: exactly, else as the only one that is alike.
    pub(super) fn row(&self, id: &str) -> Option<usize> {
        self.exact.get(id).copied().or_else(|| self.alike.get(&canonical_id(id)).copied().flatten())
    }
}

/// A verdict for each row. `traces` are the trace ids of the rows.
pub(super) fn verdicts(rows: &[Write], traces: &[String], answer: &Answer) -> Vec<Verdict> {
    let Some(first) = rows.first() else { return Vec::new() };
    let id_property = first.task.id_property.as_str();
    let ids = Ids::of(rows.iter().map(|row| row.task.id.as_str()));
    let by_trace: BTreeMap<_, _> = traces.iter().map(String::as_str).zip(0..).collect();
    let mut verdicts = vec![Verdict::Silent; rows.len()];
    let mut strangers = BTreeSet::new();
    // A creation that is repeated after a lost answer finds the task that it made.
    let mut are_new = true;
    for record in &answer.results {
        let by_id = || id_of(id_property, record).and_then(|id| ids.row(id));
        if let Some(row) = by_trace.get(record.trace_id.as_str()).copied().or_else(by_id) {
            verdicts[row] = Verdict::Done(record_id(record), record.new || answer.is_repeated);
        } else {
            // Without a record id it is not a task.
            strangers.extend(record_id(record));
            are_new &= record.new || answer.is_repeated;
        }
    }
    let mut unnamed = Vec::new();
    for error in &answer.errors {
        let by_id = named(error, "ids").filter_map(|id| ids.row(id));
        let by_trace =
            named(error, "objectWriteTraceId").filter_map(|trace| by_trace.get(trace).copied());
        let about: BTreeSet<_> = by_id.chain(by_trace).collect();
        if about.is_empty() {
            unnamed.push(error);
        } else if says_not_found(error) {
            for row in about {
                verdicts[row] = Verdict::Missing;
            }
        } else {
            for (row, blame) in blame::reasons(error, &about, rows) {
                verdicts[row] = Verdict::Refused(blame);
            }
        }
    }
    // Errors that name no row may name a property and a value.
    for error in unnamed {
        let silent = silent(&verdicts);
        if silent.is_empty() {
            break;
        }
        let mut about = blame::rows(error, rows, &silent);
        if about.is_empty() && silent.len() == 1 && strangers.is_empty() && names_nobody(error) {
            // It can only mean the one that is left.
            if says_not_found(error) {
                for row in silent {
                    verdicts[row] = Verdict::Missing;
                }
                continue;
            }
            if blame::says_conflict(error) {
                about = blame::reasons(error, &silent, rows);
            }
        }
        for (row, blame) in about {
            verdicts[row] = Verdict::Refused(blame);
        }
    }
    // Results that don't say whose they are, or say it in another form: when there is a task for
    // each row that is left, all of those are done.
    let silent = silent(&verdicts);
    if strangers.len() == silent.len() {
        let only = strangers.first().filter(|_| strangers.len() == 1);
        for row in silent {
            verdicts[row] = Verdict::Done(only.cloned(), are_new);
        }
    }
    verdicts
}

fn silent(verdicts: &[Verdict]) -> BTreeSet<usize> {
    (0..verdicts.len()).filter(|row| verdicts[*row] == Verdict::Silent).collect()
}

/// What the answer to a read says about each id.
pub(super) struct Told<'a> {
    /// The task of each.
    pub(super) records: Vec<Option<&'a Record>>,
    /// Those that don't exist.
    pub(super) missing: BTreeSet<usize>,
    /// Those of which nobody can say which of the tasks that are left are theirs: alone, each
    /// could.
    pub(super) mixed: BTreeSet<usize>,
}

/// Reads the answer to a read of these ids.
pub(super) fn told<'a>(id_property: &str, ids: &[&str], answer: &'a Answer) -> Told<'a> {
    let index = Ids::of(ids.iter().copied());
    let mut records = vec![None; ids.len()];
    let mut strangers = BTreeMap::new();
    for record in &answer.results {
        match id_of(id_property, record).and_then(|id| index.row(id)) {
            Some(row) => records[row] = Some(record),
            None => _ = record_id(record).map(|id| strangers.insert(id, record)),
        }
    }
    let errors: Vec<_> = answer.errors.iter().filter(|error| says_not_found(error)).collect();
    let named: BTreeSet<_> = errors
        .iter()
        .flat_map(|error| named(error, "ids"))
        .filter_map(|id| index.row(id))
        .collect();
    let left = |missing: &BTreeSet<usize>| -> BTreeSet<usize> {
        (0..ids.len()).filter(|row| records[*row].is_none() && !missing.contains(row)).collect()
    };
    let mut missing = named;
    let mut mixed = left(&missing);
    match (strangers.len(), mixed.first().copied()) {
        (_, None) => {}
        // Nobody else was asked for: a task that was merged answers for it, or its id stands there
        // in another form.
        (1, Some(row)) if mixed.len() == 1 => {
            records[row] = strangers.into_values().next();
            mixed.clear();
        }
        (0, Some(row)) => {
            if missing.is_empty()
                && mixed.len() == 1
                && errors.iter().any(|error| names_nobody(error))
            {
                missing.insert(row);
            }
            mixed.clear();
        }
        _ if mixed.len() == 1 => mixed.clear(),
        _ => {}
    }
    Told { records, missing, mixed }
}

/// The outcome of an update of a task that doesn't exist.
pub(super) fn not_found(task: &TaskKey, on_missing: OnMissing) -> Outcome {
    let detail = format!("no task has {} {}", task.id_property, task.id);
    match on_missing {
        OnMissing::Skip => Outcome::Filtered(FilterReason::NotFound, detail),
        OnMissing::Fail | OnMissing::Create => Outcome::Failed(FailReason::NotFound, detail),
    }
}

/// The value of the id property in a record, if the record says it.
pub(super) fn id_of<'r>(id_property: &str, record: &'r Record) -> Option<&'r str> {
    if id_property == RECORD_ID { Some(&record.id) } else { record.text(id_property) }
}

/// The record id, if the record says it.
pub(super) fn record_id(record: &Record) -> Option<String> {
    Some(record.id.clone()).filter(|id| !id.is_empty())
}

/// Whether an error says that tasks don't exist.
fn says_not_found(error: &Complaint) -> bool {
    error.category == "OBJECT_NOT_FOUND" || error.code == "OBJECT_NOT_FOUND"
}

/// Whether an error doesn't say which tasks it means.
fn names_nobody(error: &Complaint) -> bool {
    named(error, "ids").chain(named(error, "objectWriteTraceId")).next().is_none()
}

/// What an error, or an error inside of it, names in its context.
fn named<'e>(error: &'e Complaint, name: &'static str) -> impl Iterator<Item = &'e str> {
    error.all().into_iter().flat_map(move |error| error.context(name)).map(String::as_str)
}
