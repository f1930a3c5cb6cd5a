//! Sending batches until every row of them is accounted for.

use std::collections::BTreeSet;

use futures_util::StreamExt as _;

use super::account::{self, Verdict};
use super::blame::{self, Guilty};
use super::calls::Calls;
use super::guard::same_value;
use super::plan::{self, Write};
use super::{AT_ONCE, Ledger, failed_call};
use crate::hubspot::{Call, Error, Input, id_property_field};
use crate::summary::{FailReason, Outcome};
use crate::update::OnMissing;

/// What became of the rows of a batch.
type Settled = Vec<(Write, Outcome)>;

/// One of the calls that write, for rows with the same id property.
struct Sending<'c> {
    calls: &'c Calls<'c>,
    call: Call,
    settled: Settled,
    /// Rows of which HubSpot says that there is no such task.
    missing: Vec<Write>,
    /// Rows of which HubSpot said nothing.
    silent: Vec<Write>,
    /// Whether an answer was lost already.
    has_lost: bool,
}

/// What a row's task shows after a write of which nobody knows whether it was done.
enum Seen {
    AsWritten(Option<String>),
    Otherwise,
    Missing,
    /// Neither a task nor the word that there is none.
    Nothing,
}

/// Writes everything, and settles it.
pub(super) async fn all(calls: &Calls<'_>, writes: Vec<Write>, ledger: &mut Ledger) {
    for writes in plan::rounds(writes) {
        round(calls, writes, ledger).await;
    }
}

/// Writes each task once. Creating comes after updating, so that the tasks to create share their calls.
async fn round(calls: &Calls<'_>, writes: Vec<Write>, ledger: &mut Ledger) {
    let (mut to_create, writes): (Vec<_>, Vec<_>) = writes.into_iter().partition(|row| row.is_missing);
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

/// Sends batches by one of the calls, and settles what can be. Gives back the rows whose tasks don't exist.
async fn each(calls: &Calls<'_>, call: Call, writes: Vec<Write>, ledger: &mut Ledger) -> Vec<Write> {
    let sent = plan::batches(writes).into_iter().map(|batch| send(calls, call, batch));
    let mut sent = futures_util::stream::iter(sent).buffer_unordered(AT_ONCE);
    let mut all_missing = Vec::new();
    while let Some((settled, missing)) = sent.next().await {
        for (row, outcome) in settled {
            ledger.settle_write(&row, outcome);
        }
        all_missing.extend(missing);
    }
    all_missing
}

/// Sends rows by one of the calls. Gives back what is settled, and the rows whose tasks don't exist.
async fn send(calls: &Calls<'_>, call: Call, rows: Vec<Write>) -> (Settled, Vec<Write>) {
    let mut sending =
        Sending { calls, call, settled: Vec::new(), missing: Vec::new(), silent: Vec::new(), has_lost: false };
    sending.write(rows).await;
    sending.look_up().await;
    (sending.settled, sending.missing)
}

impl Sending<'_> {
    /// Writes rows: without the guilty ones where HubSpot refuses all for some, in halves where it doesn't say for
    /// which.
    async fn write(&mut self, rows: Vec<Write>) {
        let mut queue = vec![rows];
        while let Some(rows) = queue.pop() {
            if rows.is_empty() {
                continue;
            }
            let inputs: Vec<_> = rows.iter().enumerate().map(|(index, row)| row.input(index)).collect();
            let traces: Vec<_> = inputs.iter().map(|input| input.object_write_trace_id.clone()).collect();
            let refusal = match self.calls.write(self.call, &inputs).await {
                Ok(answer) => {
                    let verdicts = account::verdicts(&rows, &traces, &answer);
                    rows.into_iter().zip(verdicts).for_each(|(row, verdict)| self.take(row, verdict));
                    continue;
                }
                Err(Error::Lost) => {
                    queue.push(self.after_loss(rows).await);
                    continue;
                }
                Err(error @ Error::Later { .. }) => {
                    self.settle_all(rows, &error);
                    continue;
                }
                Err(Error::Refused(refusal)) => refusal,
            };
            match blame::guilty(&refusal, &rows, &traces) {
                Guilty::All(reason, detail) => self.fail_all(rows, reason, &detail),
                Guilty::Rows(mut guilty) => {
                    let mut rest = Vec::new();
                    for (index, row) in rows.into_iter().enumerate() {
                        match guilty.remove(&index) {
                            Some((reason, detail)) => self.settled.push((row, Outcome::Failed(reason, detail))),
                            None => rest.push(row),
                        }
                    }
                    queue.push(rest);
                }
                Guilty::Unknown | Guilty::Alike if rows.len() == 1 => {
                    let (reason, detail) = blame::of_one(&refusal);
                    self.fail_all(rows, reason, &detail);
                }
                Guilty::Alike => {
                    let (first, again) = plan::apart(rows);
                    // With none to take apart HubSpot means something else.
                    queue.extend(if again.is_empty() { halves(first) } else { [again, first] });
                }
                Guilty::Unknown => queue.extend(halves(rows)),
            }
        }
    }

    fn take(&mut self, row: Write, verdict: Verdict) {
        let outcome = match verdict {
            Verdict::Done(record_id, true) if self.call == Call::Upsert => Outcome::Created(record_id),
            Verdict::Done(record_id, _) => Outcome::Updated(record_id),
            Verdict::Refused(reason, detail) => Outcome::Failed(reason, detail),
            Verdict::Missing => return self.missing.push(row),
            Verdict::Silent => return self.silent.push(row),
        };
        self.settled.push((row, outcome));
    }

    fn settle_all(&mut self, rows: Vec<Write>, error: &Error) {
        self.settled.extend(rows.into_iter().map(|row| {
            let outcome = failed_call(error, &row.task.id_property);
            (row, outcome)
        }));
    }

    fn fail_all(&mut self, rows: Vec<Write>, reason: FailReason, detail: &str) {
        self.settled.extend(rows.into_iter().map(|row| (row, Outcome::Failed(reason, detail.to_owned()))));
    }

    /// Looks at tasks of which an answer said nothing: there and as written, they are done.
    async fn look_up(&mut self) {
        let rows = std::mem::take(&mut self.silent);
        for (row, seen) in self.read_back(rows).await {
            match seen {
                Ok(Seen::AsWritten(record_id)) => self.take(row, Verdict::Done(record_id, true)),
                Ok(Seen::Missing) if self.call == Call::Update => self.missing.push(row),
                Ok(_) | Err(Error::Refused(_)) => {
                    let outcome = Outcome::Failed(FailReason::Unaccounted, UNACCOUNTED.to_owned());
                    self.settled.push((row, outcome));
                }
                Err(error) => self.settle_all(vec![row], &error),
            }
        }
    }

    /// Looks at tasks whose answer was lost, since they may not be written twice without looking. Gives back those that
    /// have to be written again.
    async fn after_loss(&mut self, rows: Vec<Write>) -> Vec<Write> {
        if std::mem::replace(&mut self.has_lost, true) {
            self.settle_all(rows, &self.calls.give_up());
            return Vec::new();
        }
        let mut again = Vec::new();
        for (row, seen) in self.read_back(rows).await {
            match seen {
                Ok(Seen::AsWritten(record_id)) => self.take(row, Verdict::Done(record_id, true)),
                Ok(Seen::Missing) if self.call == Call::Update => self.missing.push(row),
                Ok(Seen::Missing | Seen::Otherwise) => again.push(row),
                Ok(Seen::Nothing) | Err(Error::Refused(_)) => self.settle_all(vec![row], &self.calls.give_up()),
                Err(error) => self.settle_all(vec![row], &error),
            }
        }
        again
    }

    /// What the tasks of at most [`crate::hubspot::BATCH`] rows show.
    async fn read_back(&self, rows: Vec<Write>) -> Vec<(Write, Result<Seen, Error>)> {
        let Some(first) = rows.first() else { return Vec::new() };
        let id_property = first.task.id_property.clone();
        let ids: Vec<_> = rows.iter().map(|row| row.task.id.as_str()).collect();
        let names = rows.iter().flat_map(|row| row.properties.keys().map(String::as_str)).chain([id_property.as_str()]);
        let names: BTreeSet<_> = names.collect();
        let answer = match self.calls.read(&id_property, &ids, names.into_iter().collect()).await {
            Ok(answer) => answer,
            Err(error) => return rows.into_iter().map(|row| (row, Err(error.clone()))).collect(),
        };
        let row_of = |id: &str| account::row_of(ids.iter().copied(), id);
        let mut records = vec![None; rows.len()];
        for record in &answer.results {
            if let Some(row) = account::id_of(&id_property, record).and_then(row_of) {
                records[row] = Some(record);
            }
        }
        let read = (0..rows.len()).filter(|row| records[*row].is_some()).collect();
        let missing = account::missing(&answer, &ids, &read);
        let seen = records.into_iter().enumerate().map(|(index, record)| match record {
            Some(record) if rows[index].is_written_in(record) => Seen::AsWritten(account::record_id(record)),
            Some(_) => Seen::Otherwise,
            None if missing.contains(&index) => Seen::Missing,
            None => Seen::Nothing,
        });
        let seen: Vec<_> = seen.collect();
        rows.into_iter().zip(seen.into_iter().map(Ok)).collect()
    }
}

/// The later half first: the queue is taken from its end.
fn halves(mut rows: Vec<Write>) -> [Vec<Write>; 2] {
    let second = rows.split_off(rows.len() / 2);
    [second, rows]
}

const UNACCOUNTED: &str = "HubSpot neither confirmed nor refused it, and does not show the values";

impl Write {
    /// The row as HubSpot takes it. Its trace id is unique in the request.
    pub(super) fn input(&self, index: usize) -> Input<'_> {
        Input {
            id: &self.task.id,
            id_property: id_property_field(&self.task.id_property),
            object_write_trace_id: format!("taskhook-{index}"),
            properties: self.properties.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        }
    }

    fn is_written_in(&self, record: &crate::hubspot::Record) -> bool {
        self.properties.iter().all(|(name, value)| same_value(record.text(name).unwrap_or_default(), value))
    }

    /// HubSpot wants a due date for a new task; it is the event's time where the mapping gives none.
    pub(super) fn add_due_date(&mut self) {
        let time = self.time.to_string();
        let due = self.properties.entry("hs_timestamp".to_owned()).or_default();
        if due.is_empty() {
            *due = time;
        }
    }
}
