//! Sending one batch until every row of it is accounted for.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::account::{self, Verdict};
use super::blame::{self, Guilty};
use super::guard::same_value;
use super::plan::Write;
use crate::hubspot::{Call, Error, Hubspot, Input, id_property_field};
use crate::summary::{FailReason, Outcome};
use crate::update::{OnMissing, RECORD_ID};

/// What became of a batch.
#[derive(Default)]
pub(super) struct Settled {
    pub(super) outcomes: Vec<(Write, Outcome)>,
    /// How long HubSpot wants to be left alone, if it said so.
    pub(super) wait: Option<Duration>,
}

/// Rows that the answers leave open.
#[derive(Default)]
struct Open {
    missing: Vec<Write>,
    silent: Vec<Write>,
}

/// Sends a batch of tasks with the same id property.
pub(super) async fn batch(hubspot: &Hubspot, rows: Vec<Write>, deadline: Instant) -> Settled {
    let mut settled = Settled::default();
    let (mut to_create, rows): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.is_missing);
    let mut open = settled.send(hubspot, Call::Update, rows, deadline).await;
    open.missing.extend(settled.look_up(hubspot, Call::Update, open.silent, deadline).await);
    for row in open.missing {
        if row.on_missing == OnMissing::Create {
            to_create.push(row);
        } else {
            let outcome = account::not_found(&row.task, row.on_missing);
            settled.outcomes.push((row, outcome));
        }
    }
    for row in &mut to_create {
        row.add_due_date();
    }
    // Only tasks that are known to be missing: an upsert of others would overwrite their due dates.
    let mut open = settled.send(hubspot, Call::Upsert, to_create, deadline).await;
    open.missing.extend(settled.look_up(hubspot, Call::Upsert, open.silent, deadline).await);
    for row in open.missing {
        let outcome = account::not_found(&row.task, OnMissing::Fail);
        settled.outcomes.push((row, outcome));
    }
    settled
}

impl Settled {
    /// Sends rows, without the guilty ones where HubSpot refuses all for some, in halves where it doesn't say for which.
    async fn send(&mut self, hubspot: &Hubspot, call: Call, rows: Vec<Write>, deadline: Instant) -> Open {
        let mut open = Open::default();
        let mut queue = vec![rows];
        while let Some(mut rows) = queue.pop() {
            if rows.is_empty() {
                continue;
            }
            let inputs: Vec<_> = rows.iter().enumerate().map(|(index, row)| row.input(index)).collect();
            let traces: Vec<_> = inputs.iter().map(|input| input.object_write_trace_id.clone()).collect();
            match hubspot.write(call, &inputs, deadline).await {
                Ok(answer) => {
                    let verdicts = account::verdicts(&rows, &traces, &answer);
                    for (row, verdict) in rows.into_iter().zip(verdicts) {
                        self.take(row, verdict, call, &mut open);
                    }
                }
                Err(Error::Later { reason, wait, detail }) => {
                    self.wait = self.wait.max(wait);
                    // What did not pass for these will not pass for the rest of the batch either.
                    let left = std::iter::once(rows).chain(queue.drain(..)).flatten();
                    self.outcomes.extend(left.map(|row| (row, Outcome::Retry(reason, detail.clone()))));
                }
                Err(Error::Refused(refusal)) => match blame::guilty(&refusal, &rows) {
                    Guilty::All(reason, detail) => self.fail_all(rows, reason, &detail),
                    Guilty::Rows(guilty) => {
                        let mut rest = Vec::new();
                        for (index, row) in rows.into_iter().enumerate() {
                            match guilty.get(&index) {
                                Some((reason, detail)) => {
                                    self.outcomes.push((row, Outcome::Failed(*reason, detail.clone())));
                                }
                                None => rest.push(row),
                            }
                        }
                        queue.push(rest);
                    }
                    Guilty::Unknown if rows.len() == 1 => {
                        let (reason, detail) = blame::alone(&refusal.complaint);
                        self.fail_all(rows, reason, &detail);
                    }
                    Guilty::Unknown => {
                        let second = rows.split_off(rows.len() / 2);
                        queue.extend([second, rows]);
                    }
                },
            }
        }
        open
    }

    fn take(&mut self, row: Write, verdict: Verdict, call: Call, open: &mut Open) {
        let outcome = match verdict {
            Verdict::Done(record_id, is_new) if is_new && call == Call::Upsert => Outcome::Created(record_id),
            Verdict::Done(record_id, _) => Outcome::Updated(record_id),
            Verdict::Refused(reason, detail) => Outcome::Failed(reason, detail),
            Verdict::Missing => return open.missing.push(row),
            Verdict::Silent => return open.silent.push(row),
        };
        self.outcomes.push((row, outcome));
    }

    fn fail_all(&mut self, rows: Vec<Write>, reason: FailReason, detail: &str) {
        self.outcomes.extend(rows.into_iter().map(|row| (row, Outcome::Failed(reason, detail.to_owned()))));
    }

    /// Looks at tasks of which an answer said nothing: there and as written, they are done. Gives back the missing.
    async fn look_up(&mut self, hubspot: &Hubspot, call: Call, rows: Vec<Write>, deadline: Instant) -> Vec<Write> {
        let Some(first) = rows.first() else { return Vec::new() };
        let id_property = first.task.id_property.clone();
        let ids: Vec<_> = rows.iter().map(|row| row.task.id.as_str()).collect();
        let names = rows.iter().flat_map(|row| row.properties.keys().map(String::as_str)).chain([id_property.as_str()]);
        let names: BTreeSet<_> = names.collect();
        let answer = match hubspot.read(&id_property, &ids, names.into_iter().collect(), deadline).await {
            Ok(answer) => answer,
            Err(Error::Later { reason, wait, detail }) => {
                self.wait = self.wait.max(wait);
                self.outcomes.extend(rows.into_iter().map(|row| (row, Outcome::Retry(reason, detail.clone()))));
                return Vec::new();
            }
            Err(Error::Refused(_)) => {
                self.fail_all(rows, FailReason::Unaccounted, "HubSpot neither confirmed nor refused it");
                return Vec::new();
            }
        };
        let mut records = vec![None; rows.len()];
        for record in &answer.results {
            let id = account::id_of(&id_property, &record.id, &record.properties);
            if let Some(row) = id.and_then(|id| account::row_of(ids.iter().copied(), &id)) {
                records[row] = Some(record);
            }
        }
        let mut missing = Vec::new();
        for (row, record) in rows.into_iter().zip(records) {
            let Some(record) = record else {
                missing.push(row);
                continue;
            };
            let is_written = row.properties.iter().all(|(name, value)| {
                let current = record.properties.get(name).and_then(Option::as_deref).unwrap_or_default();
                same_value(current, value)
            });
            let outcome = match (is_written, call) {
                (true, Call::Update) => Outcome::Updated(Some(record.id.clone())),
                (true, Call::Upsert) => Outcome::Created(Some(record.id.clone())),
                (false, _) => {
                    let detail = "HubSpot neither confirmed nor refused it, and the task doesn't have the values";
                    Outcome::Failed(FailReason::Unaccounted, detail.to_owned())
                }
            };
            self.outcomes.push((row, outcome));
        }
        missing
    }
}

impl Write {
    /// The row as HubSpot takes it. Its trace id is unique in the request.
    fn input(&self, index: usize) -> Input<'_> {
        Input {
            id: &self.task.id,
            id_property: id_property_field(&self.task.id_property),
            object_write_trace_id: format!("taskhook-{index}"),
            properties: self.properties.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        }
    }

    /// HubSpot wants a due date for a new task; it is the event's time where the mapping gives none.
    fn add_due_date(&mut self) {
        let time = self.time.to_string();
        let due = self.properties.entry("hs_timestamp".to_owned()).or_default();
        if due.is_empty() {
            *due = time;
        }
        if self.task.id_property != RECORD_ID {
            self.properties.entry(self.task.id_property.clone()).or_insert_with(|| self.task.id.clone());
        }
    }
}
