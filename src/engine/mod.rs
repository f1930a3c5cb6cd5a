//! The engine: every update ends in exactly one true outcome, with the fewest calls.
//!
//! Owners are looked up, guarded tasks are read, stale updates dropped, the rest merged by task, grouped by id
//! property, sent in batches of 100, and accounted for. What to do is decided by pure functions ([`plan`], [`guard`],
//! [`account`], [`blame`]); this file and [`send`] do it.

mod account;
mod blame;
mod guard;
mod owners;
mod plan;
mod send;

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::Instant;

use crate::hubspot::{self, Hubspot};
use crate::summary::{Outcome, RetryReason};
use crate::update::{OnMissing, TaskKey, Update};

use plan::Write;

/// How many batches are under way at once: HubSpot takes 100 to 190 calls in ten seconds from an app, so four calls of
/// half a second each stay below while 10,000 updates still take seconds.
const AT_ONCE: usize = 4;

/// What the updates of one run came to.
pub struct Ended {
    /// One outcome for each update, in their order.
    pub outcomes: Vec<Outcome>,
    /// How long HubSpot wants to be left alone, if it said so.
    pub wait: Option<Duration>,
}

/// The ledger of a run while it goes on: no outcome is given twice.
struct Ledger {
    outcomes: Vec<Option<Outcome>>,
    wait: Option<Duration>,
}

/// Applies updates. With `observe` everything is done but the writing.
pub async fn run(hubspot: &Hubspot, updates: &[Update], deadline: Instant, observe: bool) -> Ended {
    let mut ledger = Ledger { outcomes: vec![None; updates.len()], wait: None };
    let resolved = owners::resolve(hubspot, updates, deadline, &mut ledger).await;
    let current = read_guarded(hubspot, updates, &resolved, deadline, &mut ledger).await;
    let writes = plan::writes(updates, &resolved, &current, &mut ledger.outcomes);
    if observe {
        for write in &writes {
            ledger
                .settle_write(write, &Outcome::Filtered("observed", "TASKHOOK_OBSERVE is set: not written".to_owned()));
        }
    } else {
        let batches = plan::batches(writes);
        let sent = batches.into_iter().map(|batch| send::batch(hubspot, batch, deadline));
        let mut sent = futures_util::stream::iter(sent).buffer_unordered(AT_ONCE);
        while let Some(settled) = sent.next().await {
            ledger.note_wait(settled.wait);
            for (write, outcome) in &settled.outcomes {
                ledger.settle_write(write, outcome);
            }
        }
    }
    ledger.finish()
}

/// Reads the tasks that are guarded against late events, and settles what that alone decides.
async fn read_guarded(
    hubspot: &Hubspot,
    updates: &[Update],
    resolved: &[Option<plan::Texts>],
    deadline: Instant,
    ledger: &mut Ledger,
) -> guard::Tasks {
    let mut tasks = guard::Tasks::default();
    let reads = plan::reads(updates, resolved).into_iter().map(|read| async move {
        let ids: Vec<_> = read.ids.iter().map(String::as_str).collect();
        let properties = read.properties.iter().map(String::as_str).collect();
        let answer = hubspot.read(&read.id_property, &ids, properties, deadline).await;
        (read, answer)
    });
    let mut reads = futures_util::stream::iter(reads).buffer_unordered(AT_ONCE);
    let mut failed = BTreeMap::new();
    while let Some((read, answer)) = reads.next().await {
        match answer {
            Ok(answer) => tasks.take(&read, answer),
            Err(error) => {
                let outcome = ledger.failed_call(&error, &read.id_property);
                let key = |id| TaskKey { id_property: read.id_property.clone(), id };
                failed.extend(read.ids.into_iter().map(|id| (key(id), outcome.clone())));
            }
        }
    }
    for (index, update) in updates.iter().enumerate() {
        let written = resolved[index].as_ref().is_some_and(|texts| !texts.is_empty());
        if !written || update.updated_at_property.is_none() {
            continue;
        }
        if let Some(outcome) = failed.get(&update.task) {
            ledger.outcomes[index] = Some(outcome.clone());
        } else if tasks.is_missing(&update.task) && update.on_missing != OnMissing::Create {
            ledger.outcomes[index] = Some(account::not_found(&update.task, update.on_missing));
        }
    }
    tasks
}

impl Ledger {
    /// Gives a write's outcome to the newest of its updates; the others are merged, or share its fate.
    fn settle_write(&mut self, write: &Write, outcome: &Outcome) {
        let (newest, others) =
            write.members.split_last().map_or((None, &[][..]), |(newest, others)| (Some(newest), others));
        let shared = match outcome {
            Outcome::Updated(_) | Outcome::Created(_) => Outcome::Merged,
            other => other.clone(),
        };
        for index in others {
            self.outcomes[*index] = Some(shared.clone());
        }
        if let Some(index) = newest {
            self.outcomes[*index] = Some(outcome.clone());
        }
    }

    fn note_wait(&mut self, wait: Option<Duration>) {
        self.wait = self.wait.max(wait);
    }

    /// The outcome of updates whose call was not taken, before any of them could be written.
    fn failed_call(&mut self, error: &hubspot::Error, id_property: &str) -> Outcome {
        match error {
            hubspot::Error::Later { reason, wait, detail } => {
                self.note_wait(*wait);
                Outcome::Retry(*reason, detail.clone())
            }
            hubspot::Error::Refused(refusal) => blame::whole(refusal, id_property),
        }
    }

    fn finish(self) -> Ended {
        // Nothing is left without an outcome; if it were, it would be tried again rather than lost.
        let lost = || Outcome::Retry(RetryReason::Unavailable, "it was not accounted for".to_owned());
        Ended {
            outcomes: self.outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(lost)).collect(),
            wait: self.wait,
        }
    }
}
