//! The engine: every update ends in exactly one true outcome, with the fewest calls.
//!
//! Guarded tasks are read, stale updates dropped, owners looked up, the rest merged by task,
//! grouped by id property, sent in batches of 100, and accounted for. What to do is decided by pure
//! functions ([`plan`], [`guard`], [`account`], [`blame`]); [`read`], [`owners`] and [`send`] do
//! it. [`preview()`] shows what they would send.

mod account;
mod blame;
mod calls;
mod guard;
mod owners;
mod plan;
mod preview;
mod read;
mod send;
#[cfg(test)]
mod tests;

pub use preview::{Request, preview};

use std::time::Duration;

use tokio::time::Instant;

use crate::hubspot::{Error, Hubspot};
use crate::outcome::{FilterReason, Outcome, RetryReason};
use crate::update::Update;

use calls::Calls;
use plan::Write;

/// How many calls are under way at once: HubSpot takes 100 to 190 in ten seconds from an app, so
/// four of half a second each stay below, while 10,000 updates still take seconds.
const AT_ONCE: usize = 4;

/// How many calls are under way at once while rows are searched that HubSpot refuses without naming
/// them: the parts are small, there are some hundred of them at most, and good rows wait for it.
const AT_ONCE_IN_SEARCH: usize = 8;

/// What the updates of one run came to.
pub struct Ended {
    /// One outcome for each update, in their order.
    pub outcomes: Vec<Outcome>,
    /// How long HubSpot wants to be left alone, if it said so.
    pub wait: Option<Duration>,
}

/// The outcomes so far, by the updates' order.
struct Ledger(Vec<Option<Outcome>>);

/// Applies updates until the deadline. With `observe` everything is done but the writing.
pub async fn run(hubspot: &Hubspot, updates: &[Update], deadline: Instant, observe: bool) -> Ended {
    let calls = Calls::new(hubspot, deadline);
    let mut ledger = Ledger(vec![None; updates.len()]);
    let tasks = read::guarded(&calls, updates, &mut ledger).await;
    guard::settle(updates, &tasks, &mut ledger);
    let resolved = owners::resolve(&calls, updates, &mut ledger).await;
    let writes = plan::writes(updates, resolved, &tasks, &mut ledger);
    if observe {
        for write in &writes {
            ledger.settle_write(write, observed());
        }
    } else {
        send::all(&calls, writes, &mut ledger).await;
    }
    Ended { outcomes: ledger.finish(), wait: calls.wait() }
}

/// The outcome of what would be written if `TASKHOOK_OBSERVE` were not set.
#[must_use]
pub fn observed() -> Outcome {
    Outcome::Filtered(FilterReason::Observed, "TASKHOOK_OBSERVE is set: not written".to_owned())
}

impl Ledger {
    fn is_open(&self, index: usize) -> bool {
        self.0[index].is_none()
    }

    fn settle(&mut self, index: usize, outcome: Outcome) {
        debug_assert!(self.is_open(index), "update {index} has two outcomes");
        self.0[index] = Some(outcome);
    }

    /// Gives a write's outcome to the newest of its updates; the others are merged, or share its
    /// fate.
    fn settle_write(&mut self, write: &Write, outcome: Outcome) {
        let outcome = match &write.note {
            Some(note) if outcome.is_success() => Outcome::Noted(Box::new(outcome), note.clone()),
            _ => outcome,
        };
        let shared = match outcome.without_note() {
            Outcome::Updated(_) | Outcome::Created(_) => Outcome::Merged,
            other => other.clone(),
        };
        if let Some((newest, others)) = write.members.split_last() {
            for index in others {
                self.settle(*index, shared.clone());
            }
            self.settle(*newest, outcome);
        }
    }

    fn finish(self) -> Vec<Outcome> {
        // Nothing is left without an outcome; if it were, it would be tried again rather than lost.
        let lost =
            || Outcome::Retry(RetryReason::Unavailable, "it was not accounted for".to_owned());
        self.0.into_iter().map(|outcome| outcome.unwrap_or_else(lost)).collect()
    }
}

/// The outcome of an update whose call came to nothing. `id_property` is that of its task.
fn failed_call(error: &Error, id_property: &str) -> Outcome {
    match error {
        Error::Later { reason, detail, .. } => Outcome::Retry(*reason, detail.clone()),
        Error::Lost => {
            Outcome::Retry(RetryReason::Unavailable, "the connection to HubSpot broke".to_owned())
        }
        Error::Refused(refusal) => blame::whole(refusal, id_property),
    }
}
