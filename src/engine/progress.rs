//! Decides at the end of each part which of its rows are done, fail, are sent again, or are
//! searched.

use std::collections::BTreeSet;

use super::account::{self, Verdict};
use super::bad_value::Blame;
use super::blame::{self, Guilty, failed_call};
use super::calls::Calls;
use super::ledger::Ledger;
use super::matching::Found;
use super::memory::{Memory, Suspects};
use super::read::Seen;
use super::row::{DUE, Row};
use super::schedule::{Part, Schedule};
use crate::hubspot::{Answer, Call, Error, Refusal};
use crate::outcome::{FailReason, Outcome, RetryReason};
use crate::text::cut;
use crate::update::TaskKey;

/// The most warnings of one answer that are logged.
const WARNINGS: usize = 5;

/// How much of a warning's names is logged, in characters.
const NAMES: usize = 100;

const UNACCOUNTED: &str = "HubSpot neither confirmed nor refused it, and does not show the values";

/// How a part ended.
pub(super) enum End {
    Answered(Answer),
    Refused(Box<Refusal>),
    Later(Error),
    /// The answer was lost: the part's rows, with the values of their tasks.
    Lost(Vec<(Row, Seen)>),
}

/// The rows of one of the calls that write.
pub(super) struct Progress<'c> {
    calls: &'c Calls<'c>,
    call: Call,
    memory: Memory<'c>,
    pub(super) schedule: Schedule,
    /// Forbidden parts, while nobody knows whether it is the token's fault.
    doubtful: Vec<Part>,
    settled: Vec<(Row, Outcome)>,
    /// Rows of which HubSpot says that there is no such task.
    missing: Vec<Row>,
    /// Rows of which HubSpot said nothing.
    silent: Vec<Row>,
    /// The tasks of silent rows with which HubSpot was not done yet.
    pending: BTreeSet<TaskKey>,
    /// Rows whose owner HubSpot refuses, and by which property.
    refused_owners: Vec<(Row, Blame)>,
}

impl<'c> Progress<'c> {
    /// Nothing is to be sent yet.
    pub(super) fn new(calls: &'c Calls<'c>, call: Call) -> Self {
        Self {
            calls,
            call,
            memory: calls.memory(),
            schedule: Schedule::default(),
            doubtful: Vec::new(),
            settled: Vec::new(),
            missing: Vec::new(),
            silent: Vec::new(),
            pending: BTreeSet::new(),
            refused_owners: Vec::new(),
        }
    }

    /// Adds rows to send in full batches. Rows that were refused lately are kept apart: in halves
    /// where one of several was meant, and last where they were refused themselves.
    pub(super) fn add(&mut self, rows: Vec<Row>) {
        let mut to_send = rows;
        if self.memory.refuses_empty_due() {
            for row in std::mem::take(&mut to_send) {
                if row.clears_due_date() {
                    to_send.extend(self.without_due(row));
                } else {
                    to_send.push(row);
                }
            }
        }
        let sorted = self.memory.sort(to_send);
        self.schedule.add(Part::new(sorted.free));
        for Suspects { rows, properties } in sorted.suspects {
            self.schedule.halve(Part::new(rows), &properties);
        }
        for (rows, blame) in sorted.refused {
            self.schedule.add(Part { rank: 1, known: Some(blame), ..Part::new(rows) });
        }
    }

    /// Settles the rows that have an outcome. Returns those whose tasks don't exist.
    pub(super) fn settle(self, ledger: &mut Ledger) -> Vec<Row> {
        for (row, outcome) in self.settled {
            ledger.settle_row(&row, outcome);
        }
        self.missing
    }

    /// Draws the conclusions from the end of a part.
    pub(super) fn end(&mut self, part: Part, end: End) {
        self.schedule.end(part.rank);
        if let Some(probe) = part.probe {
            let lacking = match &end {
                End::Refused(refusal) => blame::read_lack(&refusal.complaint),
                _ => None,
            };
            if let Some((rows, blame)) = self.schedule.end_probe(probe, lacking.as_ref()) {
                self.fail_all(rows, &blame);
            }
        }
        match end {
            End::Answered(answer) => self.end_answered(part, &answer),
            End::Refused(refusal) => self.end_refused(part, &refusal),
            End::Later(error)
                if part.rows.len() > 1 && is_forbidden(&error) && !self.calls.is_stopped() =>
            {
                self.doubtful.push(part);
            }
            End::Later(error) => self.postpone(part, &error),
            End::Lost(rows) => self.end_lost(&part, rows),
        }
        if self.calls.has_written() || self.schedule.is_empty() {
            // Nobody else will tell whether it is the token's fault.
            for part in std::mem::take(&mut self.doubtful) {
                self.memory.suspect_rows(&part.rows);
                self.schedule.halve(part, &BTreeSet::new());
            }
        }
    }

    fn end_answered(&mut self, part: Part, answer: &Answer) {
        log_warnings(answer);
        let verdicts = account::verdicts(&part.rows, answer);
        let mut again = Vec::new();
        for (row, verdict) in part.rows.into_iter().zip(verdicts) {
            match verdict {
                Verdict::Done(found, is_new) => {
                    if part.is_without_due {
                        self.memory.refuse_empty_due();
                    }
                    self.finish(row, found, is_new);
                }
                Verdict::Refused(blame) => again.extend(self.fail_or_amend(row, blame)),
                Verdict::Missing => self.missing.push(row),
                Verdict::Silent => {
                    if answer.is_pending() {
                        self.pending.insert(row.task.clone());
                    }
                    self.silent.push(row);
                }
            }
        }
        self.schedule.add(Part::new(again));
    }

    fn end_refused(&mut self, mut part: Part, refusal: &Refusal) {
        match blame::guilty(refusal, &part.rows) {
            Guilty::All(blame) => self.fail_all(part.rows, &blame),
            Guilty::Rows(mut guilty) => {
                let mut rest = Vec::new();
                for (index, row) in part.rows.drain(..).enumerate() {
                    match guilty.remove(&index) {
                        Some(blame) => rest.extend(self.fail_or_amend(row, blame)),
                        None => rest.push(row),
                    }
                }
                self.schedule.add(part.with_rows(rest));
            }
            Guilty::Separately(twins) => {
                let (later, first) = split(&mut part, |index, _| twins.contains(&index));
                self.schedule.add(part.with_rows(first));
                self.schedule.add(Part { rank: part.rank + 1, ..part.with_rows(later) });
            }
            Guilty::Values(properties) => {
                let (suspects, free) = split(&mut part, |_, row| {
                    properties.iter().any(|name| row.value(name).is_some())
                });
                self.memory.suspect_values(&suspects, &properties);
                self.schedule.add(part.with_rows(free));
                self.schedule.halve(part.with_rows(suspects), &properties);
            }
            Guilty::Lacking(_, blame) if part.rows.len() == 1 => {
                for row in std::mem::take(&mut part.rows) {
                    let again = self.fail_or_amend(row, blame.clone());
                    self.schedule.add(part.with_rows(again.into_iter().collect()));
                }
            }
            Guilty::Lacking(lacking, blame) if !part.was_probed => {
                let (suspects, free) = split(&mut part, |index, _| lacking.contains(&index));
                self.schedule.add(part.with_rows(free));
                self.schedule.probe(suspects, blame);
            }
            Guilty::Lacking(..) | Guilty::Unknown if part.rows.len() > 1 => {
                self.memory.suspect_rows(&part.rows);
                self.schedule.halve(part, &BTreeSet::new());
            }
            Guilty::Lacking(..) | Guilty::Unknown => {
                let blame = blame::blame_one(refusal);
                for row in std::mem::take(&mut part.rows) {
                    // Without it the rest may get through, whatever HubSpot says.
                    if blame.reason == FailReason::Rejected && row.clears_due_date() {
                        let rows = self.without_due(row).into_iter().collect();
                        self.schedule.add(Part { is_without_due: true, ..part.with_rows(rows) });
                    } else {
                        self.memory.refuse_row(&row, &blame);
                        self.settled.push((row, blame.outcome()));
                    }
                }
            }
        }
    }

    /// Settles the rows of a lost part whose tasks have the values; the others are sent again.
    fn end_lost(&mut self, part: &Part, rows: Vec<(Row, Seen)>) {
        let mut again = Vec::new();
        for (row, seen) in rows {
            match seen {
                Seen::AsWritten(found) => self.finish(row, found, true),
                Seen::Missing if self.call == Call::Update => self.missing.push(row),
                Seen::Missing | Seen::Otherwise => again.push(row),
                Seen::Nothing => {
                    let error = self.calls.give_up();
                    self.postpone(Part::new(vec![row]), &error);
                }
                Seen::Failed(error) => self.postpone(Part::new(vec![row]), &error),
            }
        }
        self.schedule.add(Part { was_lost: true, ..part.with_rows(again) });
    }

    /// Leaves a part for later.
    fn postpone(&mut self, part: Part, error: &Error) {
        if is_forbidden(error) && !self.calls.is_stopped() {
            self.memory.suspect_rows(&part.rows);
        }
        let is_timeout = matches!(error, Error::Later { reason: RetryReason::Timeout, .. });
        for row in part.rows {
            let outcome = match &part.known {
                // It was refused itself a moment ago; there was no time to ask again.
                Some(blame) if is_timeout => blame.outcome(),
                _ => failed_call(error, &row.task.id_property),
            };
            self.settled.push((row, outcome));
        }
    }

    /// Fails a row that is refused itself. Returns it where it is to be sent again without the
    /// value that is refused.
    fn fail_or_amend(&mut self, row: Row, blame: Blame) -> Option<Row> {
        if blame.is_about(DUE) && row.clears_due_date() {
            self.memory.refuse_empty_due();
            return self.without_due(row);
        }
        if row.owners.keys().any(|name| blame.is_about(name)) {
            self.refused_owners.push((row, blame));
        } else {
            self.fail(row, &blame);
        }
        None
    }

    /// Fails a row, and remembers the values that are refused.
    pub(super) fn fail(&mut self, row: Row, blame: &Blame) {
        if blame.reason == FailReason::InvalidValue {
            self.memory.refuse_values(&row, blame);
        }
        self.settled.push((row, blame.outcome()));
    }

    fn fail_all(&mut self, rows: Vec<Row>, blame: &Blame) {
        self.settled.extend(rows.into_iter().map(|row| (row, blame.outcome())));
    }

    /// Settles a row that was written.
    fn finish(&mut self, mut row: Row, found: Found, is_new: bool) {
        self.memory.forget(&row);
        let record_id = found.record_id.clone();
        row.found = found;
        let outcome = if is_new && self.call == Call::Upsert {
            Outcome::Created(record_id)
        } else {
            Outcome::Updated(record_id)
        };
        self.settled.push((row, outcome));
    }

    /// The row without its empty due date; it is settled if there is nothing else to write.
    fn without_due(&mut self, mut row: Row) -> Option<Row> {
        row.leave_due_date_alone();
        if row.properties.is_empty() {
            self.settled.push((row, Outcome::Unchanged));
            return None;
        }
        Some(row)
    }

    /// Takes the rows of which no answer said anything.
    pub(super) fn take_silent(&mut self) -> Vec<Row> {
        std::mem::take(&mut self.silent)
    }

    /// Settles a silent row by its task: there and as written, it is done.
    pub(super) fn settle_silent(&mut self, row: Row, seen: Seen) {
        let outcome = match seen {
            Seen::AsWritten(found) => return self.finish(row, found, true),
            Seen::Missing if self.call == Call::Update => return self.missing.push(row),
            Seen::Failed(error) => failed_call(&error, &row.task.id_property),
            Seen::Missing | Seen::Otherwise | Seen::Nothing => {
                if self.pending.contains(&row.task) {
                    let detail = "HubSpot is not done with it yet".to_owned();
                    Outcome::Retry(RetryReason::Unavailable, detail)
                } else {
                    Outcome::Failed(FailReason::Unaccounted, UNACCOUNTED.to_owned())
                }
            }
        };
        self.settled.push((row, outcome));
    }

    /// Takes the rows whose owners HubSpot refuses.
    pub(super) fn take_refused_owners(&mut self) -> Vec<(Row, Blame)> {
        std::mem::take(&mut self.refused_owners)
    }

    /// Settles a row outside of a call.
    pub(super) fn settle_as(&mut self, row: Row, outcome: Outcome) {
        self.settled.push((row, outcome));
    }
}

/// Takes the rows of a part: those for which this holds, and the others.
fn split(part: &mut Part, holds: impl Fn(usize, &Row) -> bool) -> (Vec<Row>, Vec<Row>) {
    let mut yes = Vec::new();
    let mut no = Vec::new();
    for (index, row) in part.rows.drain(..).enumerate() {
        if holds(index, &row) { yes.push(row) } else { no.push(row) }
    }
    (yes, no)
}

fn is_forbidden(error: &Error) -> bool {
    matches!(error, Error::Later { reason: RetryReason::Forbidden, .. })
}

/// Logs the values that HubSpot took with reserve: the kind of warning, and the property. Its words
/// may hold a ticket's text.
fn log_warnings(answer: &Answer) {
    let mut warnings = answer.results.iter().flat_map(|record| &record.warnings);
    for warning in warnings.by_ref().take(WARNINGS) {
        let names: Vec<_> = warning.property_names().collect();
        tracing::warn!(
            category = cut(&warning.category, NAMES),
            property = cut(&names.join(", "), NAMES),
            "HubSpot warns of a value that it took"
        );
    }
    let more = warnings.count();
    if more > 0 {
        tracing::warn!(more, "HubSpot warns of more values that it took");
    }
}
