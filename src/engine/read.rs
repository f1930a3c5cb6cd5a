//! Reading the tasks that are guarded against late events.

use std::collections::BTreeMap;

use futures_util::StreamExt as _;

use super::calls::Calls;
use super::guard::Tasks;
use super::plan::{self, Read};
use super::{AT_ONCE, Ledger, blame, failed_call};
use crate::hubspot::Error;
use crate::summary::{Outcome, RetryReason};
use crate::update::{TaskKey, Update};

/// Reads them, and settles the updates of those that can't be read: nothing is written blindly.
pub(super) async fn guarded(calls: &Calls<'_>, updates: &[Update], ledger: &mut Ledger) -> Tasks {
    let mut tasks = Tasks::default();
    let mut failed = BTreeMap::new();
    let reads = plan::reads(updates).into_iter().map(|read| batch(calls, read));
    let mut reads = futures_util::stream::iter(reads).buffer_unordered(AT_ONCE);
    while let Some(parts) = reads.next().await {
        for (read, result) in parts {
            match result {
                Ok(answer) => tasks.take(&read, &answer),
                Err(outcome) => failed.extend(read.ids.iter().map(|id| (read.key(id), outcome.clone()))),
            }
        }
    }
    for (index, update) in updates.iter().enumerate().filter(|(_, update)| plan::is_guarded(update)) {
        if let Some(outcome) = failed.get(&update.task) {
            ledger.settle(index, outcome.clone());
        } else if !tasks.is_known(&update.task) && !tasks.is_missing(&update.task) {
            let detail = "HubSpot did not say what the task holds now".to_owned();
            ledger.settle(index, Outcome::Retry(RetryReason::Unavailable, detail));
        }
    }
    tasks
}

/// Reads a batch; in halves where HubSpot refuses it, so that one bad id fails alone.
async fn batch(calls: &Calls<'_>, read: Read) -> Vec<(Read, Result<crate::hubspot::Answer, Outcome>)> {
    let mut done = Vec::new();
    let mut queue = vec![read];
    while let Some(mut read) = queue.pop() {
        let ids: Vec<_> = read.ids.iter().map(String::as_str).collect();
        let properties = read.properties.iter().map(String::as_str).collect();
        match calls.read(&read.id_property, &ids, properties).await {
            Ok(answer) => done.push((read, Ok(answer))),
            Err(Error::Refused(refusal)) if read.ids.len() > 1 && !blame::is_about_all(&refusal, &read.id_property) => {
                let second = read.ids.split_off(read.ids.len() / 2);
                queue.push(Read { ids: second, ..read.clone() });
                queue.push(read);
            }
            Err(error) => {
                let outcome = failed_call(&error, &read.id_property);
                done.push((read, Err(outcome)));
            }
        }
    }
    done
}

impl Read {
    /// The key of a task of this read.
    pub(super) fn key(&self, id: &str) -> TaskKey {
        TaskKey { id_property: self.id_property.clone(), id: id.to_owned() }
    }
}
