//! Sending batches until every row of them is accounted for.
//!
//! HubSpot refuses a whole batch for one bad row. Where it doesn't say for which, the parts that
//! may hold it are halved and tried side by side, large ones first, so that good rows don't wait
//! for the end of the search. What was refused is remembered, so that the next delivery goes on
//! where the time of this one ended.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use super::account::{self, Verdict};
use super::blame::{self, Blame, DUE, Guilty};
use super::calls::Calls;
use super::guard::shows;
use super::plan::{self, Read, Write};
use super::{AT_ONCE, AT_ONCE_IN_SEARCH, Ledger, failed_call, owners, read};
use crate::hubspot::{Answer, Call, Error, Input, Refusal, Refused, id_property_field};
use crate::outcome::{FailReason, Outcome, RetryReason};
use crate::update::{OnMissing, TaskKey};

/// The most warnings of one answer that are logged.
const WARNINGS: usize = 5;

/// One of the calls that write.
struct Sending<'c> {
    calls: &'c Calls<'c>,
    call: Call,
    /// What is still to be sent.
    waiting: Vec<Part>,
    /// How many parts of each rank are under way.
    under_way: BTreeMap<u32, usize>,
    /// Whether a part was halved.
    is_searching: bool,
    /// Forbidden parts, while nobody knows whether it is the token's fault.
    doubtful: Vec<Part>,
    probes: Vec<Probe>,
    settled: Vec<(Write, Outcome)>,
    /// Rows of which HubSpot says that there is no such task.
    missing: Vec<Write>,
    /// Rows of which HubSpot said nothing; whether it was not done yet.
    silent: Vec<(Write, bool)>,
    /// Rows whose owner HubSpot refuses, and by which property.
    refused_owners: Vec<(Write, Blame)>,
}

/// Rows with the same id property that share a request.
#[derive(Clone, Default)]
struct Part {
    rows: Vec<Write>,
    /// A part waits until all those of lower ranks are done.
    rank: u32,
    /// Whether an answer to it was lost already.
    was_lost: bool,
    /// The probe that it belongs to.
    probe: Option<usize>,
    /// Whether a probe of such rows told nothing, so that they are halved.
    was_probed: bool,
    /// Whether a row is sent without its empty due date to see whether that was its fault.
    is_without_due: bool,
    /// The verdict of an earlier delivery, for when there is no time for another.
    known: Option<(FailReason, String)>,
}

/// Two rows are tried alone for all that seem to lack the same.
struct Probe {
    rest: Vec<Write>,
    blame: Blame,
    waiting: usize,
    refused: usize,
}

/// How a part ended.
enum Ended {
    Answered(Answer),
    Refused(Box<Refusal>),
    Later(Error),
    /// The answer was lost: what the tasks show.
    Lost(Vec<(Write, Result<Seen, Error>)>),
}

/// What a row's task shows after a write of which nobody knows whether it was done.
enum Seen {
    AsWritten(Option<String>),
    Otherwise,
    Missing,
    /// Neither a task nor the word that there is none.
    Nothing,
}

/// What refusals are remembered by.
#[derive(Hash)]
enum Key<'r> {
    Value(&'r str, &'r str),
    Row(&'r TaskKey, &'r BTreeMap<String, String>),
}

/// Writes everything, and settles it.
pub(super) async fn all(calls: &Calls<'_>, writes: Vec<Write>, ledger: &mut Ledger) {
    // Nothing of a task overtakes what is to be tried again.
    let mut held: BTreeMap<TaskKey, Outcome> = BTreeMap::new();
    for writes in plan::rounds(writes) {
        let mut free = Vec::new();
        let mut newest = Vec::new();
        for write in writes {
            let key = write.task.canonical();
            if let Some(outcome) = held.get(&key) {
                ledger.settle_write(&write, outcome.clone());
            } else {
                newest.extend(write.members.last().map(|index| (key, *index)));
                free.push(write);
            }
        }
        round(calls, free, ledger).await;
        for (key, index) in newest {
            if let Some(outcome @ Outcome::Retry(..)) = &ledger.0[index] {
                held.insert(key, outcome.clone());
            }
        }
    }
}

/// Writes each task once. Creating comes after updating, so that the tasks to create share their
/// calls.
async fn round(calls: &Calls<'_>, writes: Vec<Write>, ledger: &mut Ledger) {
    let (mut to_create, writes): (Vec<_>, Vec<_>) =
        writes.into_iter().partition(|row| row.is_missing);
    for row in each(calls, Call::Update, writes, ledger).await {
        if row.on_missing == OnMissing::Create {
            to_create.push(row);
        } else {
            ledger.settle_write(&row, account::not_found(&row.task, row.on_missing));
        }
    }
    // Only tasks that are known to be missing: an upsert of others would overwrite their due dates.
    to_create.iter_mut().for_each(Write::add_due_date);
    for row in each(calls, Call::Upsert, to_create, ledger).await {
        ledger.settle_write(&row, account::not_found(&row.task, OnMissing::Fail));
    }
}

/// Sends rows by one of the calls, and settles what can be. Gives back the rows whose tasks don't
/// exist.
async fn each(
    calls: &Calls<'_>,
    call: Call,
    mut writes: Vec<Write>,
    ledger: &mut Ledger,
) -> Vec<Write> {
    let mut sending = Sending::new(calls, call);
    while !writes.is_empty() {
        sending.add(writes);
        sending.run().await;
        sending.look_up().await;
        writes = sending.owners_again().await;
    }
    for (row, outcome) in sending.settled {
        ledger.settle_write(&row, outcome);
    }
    sending.missing
}

/// Sends a part, and looks what its tasks show if the answer is lost: they may not be written twice
/// without looking.
async fn attempt(calls: &Calls<'_>, call: Call, mut part: Part) -> (Part, Ended) {
    let inputs: Vec<_> =
        part.rows.iter().enumerate().map(|(index, row)| row.input(index)).collect();
    let ended = match calls.write(call, &inputs).await {
        Ok(answer) => Ended::Answered(answer),
        Err(Error::Refused(refusal)) => Ended::Refused(refusal),
        Err(error @ Error::Later { .. }) => Ended::Later(error),
        Err(Error::Lost) if part.was_lost => Ended::Later(calls.give_up()),
        Err(Error::Lost) => Ended::Lost(read_back(calls, std::mem::take(&mut part.rows)).await),
    };
    (part, ended)
}

impl<'c> Sending<'c> {
    fn new(calls: &'c Calls<'c>, call: Call) -> Self {
        Self {
            calls,
            call,
            waiting: Vec::new(),
            under_way: BTreeMap::new(),
            is_searching: false,
            doubtful: Vec::new(),
            probes: Vec::new(),
            settled: Vec::new(),
            missing: Vec::new(),
            silent: Vec::new(),
            refused_owners: Vec::new(),
        }
    }

    /// Adds rows in full batches. Those that were refused lately are kept apart: in halves where
    /// nobody knows yet which of them was meant, and last where they were refused themselves.
    fn add(&mut self, writes: Vec<Write>) {
        let mut free = Vec::new();
        let mut among: BTreeMap<(String, u64), (Vec<Write>, BTreeSet<String>)> = BTreeMap::new();
        let mut refused: BTreeMap<(String, String, String), Part> = BTreeMap::new();
        for row in writes {
            let Some(row) = self.without_refused_due(row) else { continue };
            let id_property = row.task.id_property.clone();
            match self.remembered(&row) {
                None => free.push(row),
                Some((Refused::Among(group), name)) => {
                    let (rows, names) = among.entry((id_property, group)).or_default();
                    names.extend(name);
                    rows.push(row);
                }
                Some((Refused::Itself(reason, detail), name)) => {
                    let value = name
                        .as_ref()
                        .and_then(|name| row.value(name))
                        .unwrap_or(&row.task.id)
                        .to_owned();
                    let part =
                        refused.entry((id_property, name.unwrap_or_default(), value)).or_default();
                    (part.rank, part.known) = (1, Some((reason, detail)));
                    part.rows.push(row);
                }
            }
        }
        self.waiting
            .extend(plan::batches(free).into_iter().map(|rows| Part { rows, ..Part::default() }));
        for (rows, names) in among.into_values() {
            self.halve(Part { rows, ..Part::default() }, &names);
        }
        for part in refused.into_values() {
            let batches = plan::batches(part.rows.clone()).into_iter();
            self.waiting.extend(batches.map(|rows| Part { rows, ..part.clone() }));
        }
    }

    /// How a row was refused lately, and by which property.
    fn remembered(&self, row: &Write) -> Option<(Refused, Option<String>)> {
        let (refusals, now) = (self.calls.refusals(), Instant::now());
        let mut found =
            refusals.get(&Key::Row(&row.task, &row.properties), now).map(|refused| (refused, None));
        for (name, value) in row.values() {
            if matches!(found, Some((Refused::Itself(..), _))) {
                break;
            }
            if let Some(refused) = refusals.get(&Key::Value(name, value), now) {
                found = Some((refused, Some(name.to_owned())));
            }
        }
        found
    }

    /// The row without an empty due date, if HubSpot refused one lately.
    fn without_refused_due(&mut self, row: Write) -> Option<Write> {
        let is_refused = || {
            matches!(
                self.calls.refusals().get(&Key::Value(DUE, ""), Instant::now()),
                Some(Refused::Itself(..))
            )
        };
        if row.has_empty_due() && is_refused() { self.without_due(row) } else { Some(row) }
    }

    /// The row without its empty due date; it is settled if there is nothing else to write.
    fn without_due(&mut self, mut row: Write) -> Option<Write> {
        row.properties.remove(DUE);
        row.note =
            Some(format!("{DUE}: HubSpot doesn't let the due date be removed; it stays as it was"));
        if row.properties.is_empty() {
            self.settled.push((row, Outcome::Unchanged));
            return None;
        }
        Some(row)
    }

    /// Sends what waits until nothing does.
    async fn run(&mut self) {
        let mut sent = FuturesUnordered::new();
        loop {
            let most = if self.is_searching { AT_ONCE_IN_SEARCH } else { AT_ONCE };
            while sent.len() < most
                && let Some(part) = self.next()
            {
                *self.under_way.entry(part.rank).or_default() += 1;
                sent.push(attempt(self.calls, self.call, part));
            }
            if let Some((part, ended)) = sent.next().await {
                if let Some(count) = self.under_way.get_mut(&part.rank) {
                    *count -= 1;
                }
                self.under_way.retain(|_, count| *count > 0);
                self.take(part, ended);
            }
            if self.calls.has_written() || (sent.is_empty() && self.waiting.is_empty()) {
                // Nobody else will tell whether it is the token's fault.
                for part in std::mem::take(&mut self.doubtful) {
                    self.keep_among_rows(&part.rows);
                    self.halve(part, &BTreeSet::new());
                }
            }
            if sent.is_empty() && self.waiting.is_empty() {
                break;
            }
        }
    }

    /// The largest part of the lowest rank, if none of a lower one is under way.
    fn next(&mut self) -> Option<Part> {
        let waiting = self.waiting.iter().map(|part| part.rank);
        let lowest = waiting.chain(self.under_way.keys().copied()).min()?;
        let mut largest: Option<usize> = None;
        for (index, part) in self.waiting.iter().enumerate().filter(|(_, part)| part.rank == lowest)
        {
            if largest.is_none_or(|other| part.rows.len() > self.waiting[other].rows.len()) {
                largest = Some(index);
            }
        }
        largest.map(|index| self.waiting.remove(index))
    }

    /// Takes what became of a part.
    fn take(&mut self, part: Part, ended: Ended) {
        if let Some(probe) = part.probe {
            let told = match &ended {
                Ended::Refused(refusal) => blame::lacking(&refusal.complaint),
                _ => None,
            };
            self.probed(probe, told.as_ref());
        }
        match ended {
            Ended::Answered(answer) => self.answered(part, &answer),
            Ended::Refused(refusal) => self.refused(part, &refusal),
            Ended::Later(error)
                if part.rows.len() > 1 && is_forbidden(&error) && !self.calls.is_stopped() =>
            {
                self.doubtful.push(part);
            }
            Ended::Later(error) => self.later(part, &error),
            Ended::Lost(rows) => self.lost(part, rows),
        }
    }

    fn answered(&mut self, part: Part, answer: &Answer) {
        let verdicts = account::verdicts(&part.rows, &traces(&part.rows), answer);
        log_warnings(answer);
        let mut again = Vec::new();
        for (row, verdict) in part.rows.into_iter().zip(verdicts) {
            match verdict {
                Verdict::Done(record_id, is_new) => {
                    if part.is_without_due {
                        self.keep_due();
                    }
                    self.done(row, record_id, is_new);
                }
                Verdict::Refused(blame) => again.extend(self.blame(row, blame)),
                Verdict::Missing => self.missing.push(row),
                Verdict::Silent => self.silent.push((row, answer.is_pending())),
            }
        }
        self.wait(Part { rows: again, ..Part::default() });
    }

    fn refused(&mut self, part: Part, refusal: &Refusal) {
        let like = Part { rows: Vec::new(), probe: None, ..part.clone() };
        match blame::guilty(refusal, &part.rows, &traces(&part.rows)) {
            Guilty::All(reason, detail) => self.fail_all(part.rows, reason, &detail),
            Guilty::Rows(mut guilty) => {
                let mut rest = Vec::new();
                for (index, row) in part.rows.into_iter().enumerate() {
                    match guilty.remove(&index) {
                        Some(blame) => rest.extend(self.blame(row, blame)),
                        None => rest.push(row),
                    }
                }
                self.wait(Part { rows: rest, ..like });
            }
            Guilty::Later(later) => {
                let (later, first) = split(part.rows, |index, _| later.contains(&index));
                self.wait(Part { rows: first, ..like.clone() });
                self.wait(Part { rows: later, rank: like.rank + 1, ..like });
            }
            Guilty::Values(names) => {
                let (suspects, free) =
                    split(part.rows, |_, row| names.iter().any(|name| row.value(name).is_some()));
                let values = suspects
                    .iter()
                    .flat_map(|row| row.values().filter(|(name, _)| names.contains(*name)));
                self.calls.refusals().keep_among(
                    values.map(|(name, value)| Key::Value(name, value)),
                    Instant::now(),
                );
                self.wait(Part { rows: free, ..like.clone() });
                self.halve(Part { rows: suspects, ..like }, &names);
            }
            Guilty::Lacking(_, blame) if part.rows.len() == 1 => {
                for row in part.rows {
                    let again = self.blame(row, blame.clone()).into_iter().collect();
                    self.wait(Part { rows: again, ..like.clone() });
                }
            }
            Guilty::Lacking(lacking, blame) if !part.was_probed => {
                let (suspects, free) = split(part.rows, |index, _| lacking.contains(&index));
                self.wait(Part { rows: free, ..like });
                self.probe(suspects, blame);
            }
            Guilty::Lacking(..) | Guilty::Unknown if part.rows.len() > 1 => {
                self.keep_among_rows(&part.rows);
                self.halve(part, &BTreeSet::new());
            }
            Guilty::Lacking(..) | Guilty::Unknown => {
                let (reason, detail) = blame::of_one(refusal);
                for row in part.rows {
                    // Whatever HubSpot says: without it the rest may get through.
                    if reason == FailReason::Rejected && row.has_empty_due() {
                        let rows = self.without_due(row).into_iter().collect();
                        self.wait(Part { rows, is_without_due: true, ..like.clone() });
                    } else {
                        let key = Key::Row(&row.task, &row.properties);
                        self.calls.refusals().keep_itself(&key, reason, &detail, Instant::now());
                        self.settled.push((row, Outcome::Failed(reason, detail.clone())));
                    }
                }
            }
        }
    }

    /// Fails a row that is refused itself. Gives it back where it is to be sent again without what
    /// is refused.
    fn blame(&mut self, row: Write, blame: Blame) -> Option<Write> {
        if blame.is_about(DUE) && row.has_empty_due() {
            self.keep_due();
            return self.without_due(row);
        }
        if row.owners.keys().any(|name| blame.is_about(name)) {
            self.refused_owners.push((row, blame));
            return None;
        }
        self.fail(row, blame);
        None
    }

    fn fail(&mut self, row: Write, blame: Blame) {
        let Blame { reason, detail, properties } = blame;
        if reason == FailReason::InvalidValue {
            for (name, value) in row.values().filter(|(name, _)| properties.contains(*name)) {
                self.calls.refusals().keep_itself(
                    &Key::Value(name, value),
                    reason,
                    &detail,
                    Instant::now(),
                );
            }
        }
        self.settled.push((row, Outcome::Failed(reason, detail)));
    }

    fn done(&mut self, row: Write, record_id: Option<String>, is_new: bool) {
        let refusals = self.calls.refusals();
        refusals.forget(&Key::Row(&row.task, &row.properties));
        row.values().for_each(|(name, value)| refusals.forget(&Key::Value(name, value)));
        let is_created = is_new && self.call == Call::Upsert;
        let outcome =
            if is_created { Outcome::Created(record_id) } else { Outcome::Updated(record_id) };
        self.settled.push((row, outcome));
    }

    fn keep_due(&self) {
        let detail = format!("{DUE}: HubSpot takes no empty value here");
        self.calls.refusals().keep_itself(
            &Key::Value(DUE, ""),
            FailReason::InvalidValue,
            &detail,
            Instant::now(),
        );
    }

    fn keep_among_rows(&self, rows: &[Write]) {
        let keys = rows.iter().map(|row| Key::Row(&row.task, &row.properties));
        self.calls.refusals().keep_among(keys, Instant::now());
    }

    fn wait(&mut self, part: Part) {
        if !part.rows.is_empty() {
            self.waiting.push(part);
        }
    }

    /// Halves a part; rows with the same values of these properties stay together.
    fn halve(&mut self, part: Part, names: &BTreeSet<String>) {
        self.is_searching = true;
        let (mut first, mut second) = (Vec::new(), Vec::new());
        let half = part.rows.len() / 2;
        for mut rows in units(part.rows.clone(), names) {
            let goes_first = first.is_empty() || first.len() + rows.len() <= half;
            if goes_first { first.append(&mut rows) } else { second.append(&mut rows) }
        }
        self.wait(Part { rows: first, probe: None, ..part.clone() });
        self.wait(Part { rows: second, probe: None, ..part });
    }

    /// Tries two rows alone that are as different as can be, for all that seem to lack the same.
    fn probe(&mut self, mut rows: Vec<Write>, blame: Blame) {
        let probe = self.probes.len();
        let mut tried = vec![rows.remove(0)];
        let differences = |row: &Write| {
            let other = |name: &str| tried[0].properties.get(name);
            row.properties.iter().filter(|(name, value)| other(name) != Some(value)).count()
        };
        if let Some((index, _)) = rows.iter().enumerate().max_by_key(|(_, row)| differences(row)) {
            tried.push(rows.remove(index));
        }
        self.probes.push(Probe { rest: rows, blame, waiting: tried.len(), refused: 0 });
        for row in tried {
            self.wait(Part {
                rows: vec![row],
                probe: Some(probe),
                was_probed: true,
                ..Part::default()
            });
        }
    }

    /// Takes what became of one of a probe's rows: where both are refused for what all lack, all
    /// are.
    fn probed(&mut self, probe: usize, told: Option<&Blame>) {
        let probe = &mut self.probes[probe];
        probe.waiting -= 1;
        probe.refused += usize::from(told == Some(&probe.blame));
        if probe.waiting > 0 {
            return;
        }
        let (rest, Blame { reason, detail, .. }) =
            (std::mem::take(&mut probe.rest), probe.blame.clone());
        if probe.refused == 2 {
            self.fail_all(rest, reason, &detail);
        } else {
            self.wait(Part { rows: rest, was_probed: true, ..Part::default() });
        }
    }

    fn fail_all(&mut self, rows: Vec<Write>, reason: FailReason, detail: &str) {
        self.settled
            .extend(rows.into_iter().map(|row| (row, Outcome::Failed(reason, detail.to_owned()))));
    }

    fn later(&mut self, part: Part, error: &Error) {
        if is_forbidden(error) && !self.calls.is_stopped() {
            self.keep_among_rows(&part.rows);
        }
        for row in part.rows {
            let outcome = match (&part.known, error) {
                // It was refused itself a moment ago; there was no time to ask again.
                (Some((reason, detail)), Error::Later { reason: RetryReason::Timeout, .. }) => {
                    Outcome::Failed(*reason, detail.clone())
                }
                _ => failed_call(error, &row.task.id_property),
            };
            self.settled.push((row, outcome));
        }
    }

    /// Takes what the tasks of a part show whose answer was lost; what is not written is sent
    /// again.
    fn lost(&mut self, part: Part, rows: Vec<(Write, Result<Seen, Error>)>) {
        let mut again = Vec::new();
        for (row, seen) in rows {
            match seen {
                Ok(Seen::AsWritten(record_id)) => self.done(row, record_id, true),
                Ok(Seen::Missing) if self.call == Call::Update => self.missing.push(row),
                Ok(Seen::Missing | Seen::Otherwise) => again.push(row),
                Ok(Seen::Nothing) | Err(Error::Refused(_)) => {
                    let error = self.calls.give_up();
                    self.later(Part { rows: vec![row], ..Part::default() }, &error);
                }
                Err(error) => self.later(Part { rows: vec![row], ..Part::default() }, &error),
            }
        }
        self.wait(Part { rows: again, was_lost: true, probe: None, ..part });
    }

    /// Looks at tasks of which an answer said nothing: there and as written, they are done.
    async fn look_up(&mut self) {
        let (rows, pending): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.silent).into_iter().unzip();
        let pending: BTreeSet<_> = rows
            .iter()
            .zip(pending)
            .filter(|(_, pending)| *pending)
            .map(|(row, _)| row.task.clone())
            .collect();
        for (row, seen) in read_back(self.calls, rows).await {
            let outcome = match seen {
                Ok(Seen::AsWritten(record_id)) => {
                    self.done(row, record_id, true);
                    continue;
                }
                Ok(Seen::Missing) if self.call == Call::Update => {
                    self.missing.push(row);
                    continue;
                }
                Ok(_) | Err(Error::Refused(_)) if pending.contains(&row.task) => Outcome::Retry(
                    RetryReason::Unavailable,
                    "HubSpot is not done with it yet".to_owned(),
                ),
                Ok(_) | Err(Error::Refused(_)) => {
                    Outcome::Failed(FailReason::Unaccounted, UNACCOUNTED.to_owned())
                }
                Err(error) => failed_call(&error, &row.task.id_property),
            };
            self.settled.push((row, outcome));
        }
    }

    /// Looks refused owners up anew. Gives back the rows that are to be sent again.
    async fn owners_again(&mut self) -> Vec<Write> {
        let mut again = Vec::new();
        for (mut row, blame) in std::mem::take(&mut self.refused_owners) {
            let property = blame.properties.first().cloned().unwrap_or_default();
            match owners::again(self.calls, &mut row, &property).await {
                Ok(true) if row.properties.is_empty() => {
                    self.settled.push((row, Outcome::Unchanged));
                }
                Ok(true) => again.push(row),
                Ok(false) => self.fail(row, blame),
                Err(outcome) => self.settled.push((row, outcome)),
            }
        }
        again
    }
}

/// The rows for which this holds, and the others.
fn split(rows: Vec<Write>, holds: impl Fn(usize, &Write) -> bool) -> (Vec<Write>, Vec<Write>) {
    let (mut yes, mut no) = (Vec::new(), Vec::new());
    for (index, row) in rows.into_iter().enumerate() {
        if holds(index, &row) { yes.push(row) } else { no.push(row) }
    }
    (yes, no)
}

/// Rows that are tried together, since they have the same values of these properties; each alone if
/// there are none.
fn units(rows: Vec<Write>, names: &BTreeSet<String>) -> Vec<Vec<Write>> {
    if names.is_empty() {
        return rows.into_iter().map(|row| vec![row]).collect();
    }
    let mut places: BTreeMap<Vec<Option<String>>, usize> = BTreeMap::new();
    let mut units: Vec<Vec<Write>> = Vec::new();
    for row in rows {
        let values = names.iter().map(|name| row.value(name).map(str::to_owned)).collect();
        let place = *places.entry(values).or_insert(units.len());
        if place == units.len() {
            units.push(Vec::new());
        }
        units[place].push(row);
    }
    units
}

fn traces(rows: &[Write]) -> Vec<String> {
    (0..rows.len()).map(trace).collect()
}

fn trace(index: usize) -> String {
    format!("taskhook-{index}")
}

fn is_forbidden(error: &Error) -> bool {
    matches!(error, Error::Later { reason: RetryReason::Forbidden, .. })
}

/// Logs what HubSpot took with reserve: what kind of warning, and about which property. Its words
/// may hold a ticket's text.
fn log_warnings(answer: &Answer) {
    let cut = |text: &str| text.chars().take(100).collect::<String>();
    let mut warnings = answer.results.iter().flat_map(|record| &record.warnings);
    for warning in warnings.by_ref().take(WARNINGS) {
        let names = ["propertyName", "propertyNames", "properties"]
            .map(|name| warning.context(name).join(", "));
        let property = cut(&names.join(""));
        tracing::warn!(
            category = cut(&warning.category),
            property,
            "HubSpot warns of a value that it took"
        );
    }
    let more = warnings.count();
    if more > 0 {
        tracing::warn!(more, "HubSpot warns of more values that it took");
    }
}

/// What the tasks of rows show.
async fn read_back(calls: &Calls<'_>, rows: Vec<Write>) -> Vec<(Write, Result<Seen, Error>)> {
    let mut all = Vec::new();
    for rows in plan::batches(rows) {
        let Some(first) = rows.first() else { continue };
        let id_property = first.task.id_property.clone();
        let mut properties: BTreeSet<_> =
            rows.iter().flat_map(|row| row.properties.keys().cloned()).collect();
        properties.insert(id_property.clone());
        let ids = rows.iter().map(|row| row.task.id.clone()).collect();
        let mut by_id: BTreeMap<_, _> =
            rows.into_iter().map(|row| (row.task.id.clone(), row)).collect();
        let whole = Read { id_property, ids, properties: properties.into_iter().collect() };
        for (read, result) in read::batch(calls, whole).await {
            let ids: Vec<_> = read.ids.iter().map(String::as_str).collect();
            let told = result.as_ref().map(|answer| account::told(&read.id_property, &ids, answer));
            for (index, id) in ids.iter().enumerate() {
                let Some(row) = by_id.remove(*id) else { continue };
                let seen = match &told {
                    Err(error) => Err((*error).clone()),
                    Ok(told) => Ok(match told.records[index] {
                        Some(record) if row.is_written_in(record) => {
                            Seen::AsWritten(account::record_id(record))
                        }
                        Some(_) => Seen::Otherwise,
                        None if told.missing.contains(&index) => Seen::Missing,
                        None => Seen::Nothing,
                    }),
                };
                all.push((row, seen));
            }
        }
    }
    all
}

const UNACCOUNTED: &str = "HubSpot neither confirmed nor refused it, and does not show the values";

impl Write {
    /// The row as HubSpot takes it. Its trace id is unique in the request.
    pub(super) fn input(&self, index: usize) -> Input<'_> {
        Input {
            id: &self.task.id,
            id_property: id_property_field(&self.task.id_property),
            object_write_trace_id: trace(index),
            properties: self
                .properties
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect(),
        }
    }

    fn is_written_in(&self, record: &crate::hubspot::Record) -> bool {
        self.properties
            .iter()
            .all(|(name, value)| shows(record.text(name).unwrap_or_default(), value))
    }

    /// Whether it removes the due date.
    fn has_empty_due(&self) -> bool {
        self.properties.get(DUE).is_some_and(String::is_empty)
    }

    /// HubSpot wants a due date for a new task; it is the event's time where the mapping gives
    /// none.
    pub(super) fn add_due_date(&mut self) {
        let time = self.time.to_string();
        self.note = None;
        let due = self.properties.entry(DUE.to_owned()).or_default();
        if due.is_empty() {
            *due = time;
        }
    }
}
