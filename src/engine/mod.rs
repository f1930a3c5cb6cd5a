//! The engine: every update ends in exactly one true outcome, with the fewest calls.
//!
//! Tasks are read where that is needed, stale updates dropped, owners looked up, the rest merged by
//! task, grouped by id property, sent in batches of 100, and accounted for; then tasks are linked to
//! what they hang on.
//!
//! Pure files decide: [`guard`] drops late updates, [`rules`] holds back the values of properties
//! that are people's own, [`plan`] merges updates into rows, [`schedule`] chooses the rows of the next
//! request, [`account`] reads an answer ([`linked`] one about links), [`blame`] finds the rows that a refusal is about. [`read`],
//! [`owners`], [`send`] and [`links`] make the calls. [`preview()`] shows the requests that they would
//! send, [`compare()`] what would change.

mod account;
mod bad_value;
mod blame;
mod calls;
mod compare;
mod guard;
mod ledger;
mod linked;
mod links;
mod matching;
mod memory;
mod owners;
mod plan;
mod preview;
mod progress;
mod read;
mod row;
mod rules;
mod schedule;
mod send;
#[cfg(test)]
mod tests;

pub use compare::{Compared, Comparison, compare};
pub use preview::{Request, preview};

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::hubspot::Hubspot;
use crate::outcome::{Associated, FilterReason, Outcome};
use crate::update::Update;

use calls::Calls;
use ledger::Ledger;

const OBSERVED: &str =
    "not written: TASKHOOK_OBSERVE is set, or the source file says observe = true";

/// How the updates of one run ended.
#[derive(Default)]
pub struct Ended {
    /// One outcome for each update, in their order.
    pub outcomes: Vec<Outcome>,
    /// How the links of an update ended, by its place, where it has some that were to be made.
    pub associated: BTreeMap<usize, Associated>,
    /// How long HubSpot wants to be left alone, if it said so.
    pub wait: Option<Duration>,
}

/// Applies updates until the deadline. Of those that observe everything is done but the writing.
pub async fn run(hubspot: &Hubspot, updates: &[Update], deadline: Instant) -> Ended {
    let calls = Calls::new(hubspot, deadline);
    let mut ledger = Ledger::new(updates.len());
    let tasks = read::needed(&calls, updates, &mut ledger).await;
    guard::settle(updates, &tasks, &mut ledger);
    links::of_stale(&calls, updates, &tasks, &mut ledger);
    let resolved = owners::resolve(&calls, updates, &tasks, &mut ledger).await;
    let resolved = plan::wait_for_earlier(updates, resolved, &mut ledger);
    let (observing, resolved) = resolved.into_iter().partition(|it| it.update.observe);
    for row in plan::rows(observing, &tasks, &mut ledger) {
        ledger.settle_row(&row, observed());
    }
    let rows = plan::rows(resolved, &tasks, &mut ledger);
    drop(tasks);
    // Futures of this size would make those of every caller as large.
    Box::pin(send::all(&calls, rows, &mut ledger)).await;
    let mut associated = BTreeMap::new();
    let written = ledger.take_written();
    if !written.is_empty() {
        associated = Box::pin(links::make(&calls, written, &mut ledger)).await;
    }
    calls.report_forbidden();
    Ended { outcomes: ledger.finish(), associated, wait: calls.wait() }
}

/// The outcome of an update that would be written if it did not only observe.
#[must_use]
pub fn observed() -> Outcome {
    Outcome::Filtered(FilterReason::Observed, OBSERVED.to_owned())
}
