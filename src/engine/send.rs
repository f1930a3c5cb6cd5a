//! Sending rows until every one of them is accounted for.

use std::collections::BTreeMap;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::calls::{AT_ONCE, AT_ONCE_IN_SEARCH, Calls};
use super::ledger::Ledger;
use super::progress::{End, Progress};
use super::row::Row;
use super::schedule::Part;
use super::{account, blame, owners, plan, read};
use crate::hubspot::{Call, Error, Refusal};
use crate::outcome::Outcome;
use crate::update::{OnMissing, TaskKey};

/// Writes all rows, and settles them.
pub(super) async fn all(calls: &Calls<'_>, rows: Vec<Row>, ledger: &mut Ledger) {
    // Nothing of a task overtakes its rows that are to be tried again.
    let mut held: BTreeMap<TaskKey, Outcome> = BTreeMap::new();
    let mut rounds = plan::rounds(rows).peekable();
    while let Some(mut rows) = rounds.next() {
        let is_held = |row: &mut Row| !held.is_empty() && held.contains_key(&row.task.canonical());
        for row in rows.extract_if(.., is_held) {
            if let Some(outcome) = held.get(&row.task.canonical()) {
                ledger.settle_row(&row, outcome.clone());
            }
        }
        let mut newest = Vec::new();
        if rounds.peek().is_some() {
            for row in &rows {
                newest.extend(row.members.last().map(|index| (row.task.canonical(), *index)));
            }
        }
        send_round(calls, rows, ledger).await;
        for (task, index) in newest {
            if let Some(outcome @ Outcome::Retry(..)) = ledger.outcome(index) {
                held.insert(task, outcome.clone());
            }
        }
    }
}

/// Writes each task once. Creating comes after updating, so that the tasks to create share their
/// calls.
async fn send_round(calls: &Calls<'_>, mut rows: Vec<Row>, ledger: &mut Ledger) {
    let mut to_create: Vec<_> = rows.extract_if(.., |row| row.is_missing).collect();
    for row in send_by(calls, Call::Update, rows, ledger).await {
        if row.on_missing == OnMissing::Create {
            to_create.push(row);
        } else {
            ledger.settle_row(&row, account::not_found(&row.task, row.on_missing));
        }
    }
    // Only tasks that are known to be missing: an upsert of others would overwrite their due dates.
    for row in &mut to_create {
        row.add_held_back();
        row.add_due_date();
    }
    for row in send_by(calls, Call::Upsert, to_create, ledger).await {
        ledger.settle_row(&row, account::not_found(&row.task, OnMissing::Fail));
    }
}

/// Sends rows by one of the calls, and settles them. Returns the rows whose tasks don't exist.
async fn send_by(
    calls: &Calls<'_>,
    call: Call,
    mut rows: Vec<Row>,
    ledger: &mut Ledger,
) -> Vec<Row> {
    let mut progress = Progress::new(calls, call);
    while !rows.is_empty() {
        progress.add(rows);
        send_parts(calls, call, &mut progress).await;
        for (row, seen) in read::back(calls, progress.take_silent()).await {
            progress.settle_silent(row, seen);
        }
        rows = replace_owners(calls, &mut progress).await;
    }
    progress.settle(ledger)
}

/// Sends parts side by side until none is left.
async fn send_parts(calls: &Calls<'_>, call: Call, progress: &mut Progress<'_>) {
    let mut sent = FuturesUnordered::new();
    loop {
        let most = if progress.schedule.is_searching() { AT_ONCE_IN_SEARCH } else { AT_ONCE };
        while sent.len() < most
            && let Some(part) = progress.schedule.start()
        {
            sent.push(send_part(calls, call, part));
        }
        let Some((part, end)) = sent.next().await else { break };
        progress.end(part, end);
    }
}

/// Sends a part, and reads its tasks back if the answer is lost: they may not be written twice
/// without looking.
async fn send_part(calls: &Calls<'_>, call: Call, mut part: Part) -> (Part, End) {
    let end = match calls.write(call, &part.rows).await {
        Ok(answer) => End::Answered(answer),
        // The refusal says nothing of the try before, unless no request of this kind can pass.
        Err(Error::Refused(refusal))
            if refusal.is_repeated && !part.was_lost && !is_about_all(&refusal, &part) =>
        {
            End::Lost(read::back(calls, std::mem::take(&mut part.rows)).await)
        }
        Err(Error::Refused(refusal)) => End::Refused(refusal),
        Err(error @ Error::Later { .. }) => End::Later(error),
        Err(Error::Lost) if part.was_lost => End::Later(calls.give_up()),
        Err(Error::Lost) => End::Lost(read::back(calls, std::mem::take(&mut part.rows)).await),
    };
    (part, end)
}

/// Whether a refusal of a part would meet any other part as well.
fn is_about_all(refusal: &Refusal, part: &Part) -> bool {
    let id_property = part.rows.first().map_or("", |row| row.task.id_property.as_str());
    blame::is_about_all(refusal, id_property)
}

/// Looks refused owners up anew. Returns the rows that are to be sent again.
async fn replace_owners(calls: &Calls<'_>, progress: &mut Progress<'_>) -> Vec<Row> {
    let mut again = Vec::new();
    for (mut row, blame) in progress.take_refused_owners() {
        let property = blame.properties.first().map_or("", String::as_str);
        match owners::replace_refused(calls, &mut row, property).await {
            Ok(true) if row.properties.is_empty() => progress.settle_as(row, Outcome::Unchanged),
            Ok(true) => again.push(row),
            Ok(false) => progress.fail(row, &blame),
            Err(outcome) => progress.settle_as(row, outcome),
        }
    }
    again
}
