//! Accounting: the verdict of an answer on each row of a request. Pure.
//!
//! Results are matched by the echoed unique property, by record id, or by elimination where the
//! counts prove it; never by position, since HubSpot keeps no order. A row that nothing speaks of
//! is silent, not done.

use std::collections::{BTreeMap, BTreeSet};

use super::bad_value::Blame;
use super::blame;
use super::matching::{Found, Ids, id_in, record_id};
use super::row::{Row, index_of_trace};
use crate::hubspot::{Answer, Complaint, Record};
use crate::outcome::{FailReason, FilterReason, Outcome};
use crate::update::{OnMissing, TaskKey};

/// The verdict of an answer on one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was written; with what the answer says of the task, and whether that is new.
    Done(Found, bool),
    /// There is no such task.
    Missing,
    /// It was refused.
    Refused(Blame),
    /// The answer doesn't speak of it.
    Silent,
}

/// The verdicts so far on the rows of a request.
struct Verdicts<'r> {
    rows: &'r [Row],
    ids: Ids<'r>,
    so_far: Vec<Verdict>,
}

/// Tasks in an answer of which nobody can say whose they are.
#[derive(Default)]
struct Strangers {
    by_record_id: BTreeMap<String, Found>,
    /// Whether one of them was there before.
    have_old: bool,
}

/// A verdict for each row, in their order.
pub(super) fn verdicts(rows: &[Row], answer: &Answer) -> Vec<Verdict> {
    let mut verdicts = Verdicts {
        rows,
        ids: Ids::new(rows.iter().map(|row| row.task.id.as_str())),
        so_far: vec![Verdict::Silent; rows.len()],
    };
    let strangers = verdicts.add_results(answer);
    let unnamed = verdicts.add_errors(&answer.errors);
    // Errors that name no row may name a property and a value.
    for error in unnamed {
        let silent = verdicts.silent();
        if silent.is_empty() {
            break;
        }
        verdicts.add_unnamed(error, &silent, &strangers);
    }
    verdicts.eliminate(&strangers);
    verdicts.so_far
}

impl Verdicts<'_> {
    fn silent(&self) -> BTreeSet<usize> {
        (0..self.rows.len()).filter(|row| self.so_far[*row] == Verdict::Silent).collect()
    }

    fn refuse(&mut self, blamed: BTreeMap<usize, Blame>) {
        for (row, blame) in blamed {
            self.so_far[row] = Verdict::Refused(blame);
        }
    }

    fn set_missing(&mut self, rows: &BTreeSet<usize>) {
        for row in rows {
            self.so_far[*row] = Verdict::Missing;
        }
    }

    /// Adds the tasks that say whose they are. Returns the others.
    fn add_results(&mut self, answer: &Answer) -> Strangers {
        let id_property = self.rows.first().map_or("", |row| row.task.id_property.as_str());
        let mut strangers = Strangers::default();
        for record in &answer.results {
            // A creation that is repeated after a lost answer finds the task that it made.
            let is_new = record.new || answer.is_repeated;
            let by_id = || self.ids.row(id_in(id_property, record)?);
            if let Some(row) = index_of_trace(&record.trace_id, self.rows.len()).or_else(by_id) {
                self.so_far[row] = Verdict::Done(Found::from(record), is_new);
            } else {
                // Without a record id it is not a task.
                let found = |id| (id, Found::from(record));
                strangers.by_record_id.extend(record_id(record).map(found));
                strangers.have_old |= !is_new;
            }
        }
        strangers
    }

    /// Adds the errors that name rows. Returns the others.
    fn add_errors<'a>(&mut self, errors: &'a [Complaint]) -> Vec<&'a Complaint> {
        let mut unnamed = Vec::new();
        for error in errors {
            let mut about: BTreeSet<_> =
                named(error, "ids").filter_map(|id| self.ids.row(id)).collect();
            for trace_id in named(error, "objectWriteTraceId") {
                about.extend(index_of_trace(trace_id, self.rows.len()));
            }
            if about.is_empty() {
                unnamed.push(error);
            } else if says_not_found(error) {
                self.set_missing(&about);
            } else {
                self.refuse(blame::blame_all(error, &about, self.rows));
            }
        }
        unnamed
    }

    /// Adds an error that names no row, where it can only mean some of the silent ones.
    fn add_unnamed(&mut self, error: &Complaint, silent: &BTreeSet<usize>, strangers: &Strangers) {
        let about = blame::blame_among(error, self.rows, silent);
        let means_the_last =
            silent.len() == 1 && strangers.by_record_id.is_empty() && names_nobody(error);
        if !about.is_empty() {
            self.refuse(about);
        } else if means_the_last && says_not_found(error) {
            self.set_missing(silent);
        } else if means_the_last && blame::says_conflict(error) {
            self.refuse(blame::blame_all(error, silent, self.rows));
        }
    }

    /// Judges by results that don't say whose they are, or say it in another form: when there is a
    /// task for each row that is left, all of those are done.
    fn eliminate(&mut self, strangers: &Strangers) {
        let silent = self.silent();
        if strangers.by_record_id.len() != silent.len() {
            return;
        }
        let mut all = strangers.by_record_id.values().cloned();
        let only = all.next().filter(|_| silent.len() == 1).unwrap_or_default();
        for row in silent {
            self.so_far[row] = Verdict::Done(only.clone(), !strangers.have_old);
        }
    }
}

/// The tasks in the answer to a read, by the ids that were asked for.
pub(super) struct Assigned<'a> {
    /// The task of each id.
    pub(super) records: Vec<Option<&'a Record>>,
    /// Ids without a task.
    pub(super) missing: BTreeSet<usize>,
    /// Ids whose tasks are among several that don't say whose they are: read alone, each would be
    /// clear.
    pub(super) mixed: BTreeSet<usize>,
}

/// Assigns the tasks in the answer to a read to the ids that were asked for.
pub(super) fn assign<'a>(
    id_property: &str,
    ids: &[impl AsRef<str>],
    answer: &'a Answer,
) -> Assigned<'a> {
    let rows = Ids::new(ids.iter().map(AsRef::as_ref));
    let mut records = vec![None; ids.len()];
    let mut strangers = BTreeMap::new();
    for record in &answer.results {
        if let Some(row) = id_in(id_property, record).and_then(|id| rows.row(id)) {
            records[row] = Some(record);
        } else if let Some(id) = record_id(record) {
            strangers.insert(id, record);
        }
    }
    let mut missing = BTreeSet::new();
    let mut names_nobody = false;
    for error in answer.errors.iter().filter(|error| says_not_found(error)) {
        missing.extend(named(error, "ids").filter_map(|id| rows.row(id)));
        names_nobody |= self::names_nobody(error);
    }
    let mut left: BTreeSet<_> = (0..ids.len()).collect();
    left.retain(|row| records[*row].is_none() && !missing.contains(row));
    let only = if left.len() == 1 { left.first().copied() } else { None };
    match (only, strangers.len()) {
        // Nobody else was asked for: a task that was merged answers for it, or its id stands there
        // in another form.
        (Some(row), 1) => records[row] = strangers.into_values().next(),
        (Some(row), 0) if missing.is_empty() && names_nobody => _ = missing.insert(row),
        (None, 1..) => return Assigned { records, missing, mixed: left },
        _ => {}
    }
    Assigned { records, missing, mixed: BTreeSet::new() }
}

/// The outcome of an update of a task that doesn't exist.
pub(super) fn not_found(task: &TaskKey, on_missing: OnMissing) -> Outcome {
    let detail = format!("no task has {} {}", task.id_property, task.id);
    match on_missing {
        OnMissing::Skip => Outcome::Filtered(FilterReason::NotFound, detail),
        OnMissing::Fail | OnMissing::Create => Outcome::Failed(FailReason::NotFound, detail),
    }
}

/// Whether an error says that tasks don't exist.
pub(super) fn says_not_found(error: &Complaint) -> bool {
    error.category == "OBJECT_NOT_FOUND" || error.code == "OBJECT_NOT_FOUND"
}

/// Whether an error doesn't say which tasks it means.
fn names_nobody(error: &Complaint) -> bool {
    named(error, "ids").chain(named(error, "objectWriteTraceId")).next().is_none()
}

/// The texts of a field of the context, in an error and in the errors inside of it.
fn named<'e>(error: &'e Complaint, field: &'static str) -> impl Iterator<Item = &'e str> {
    error.all().into_iter().flat_map(move |error| error.context(field)).map(String::as_str)
}
