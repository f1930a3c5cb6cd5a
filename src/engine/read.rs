//! Reading the tasks that are guarded against late events.

use std::collections::{BTreeMap, VecDeque};

use futures_util::StreamExt as _;

use super::calls::Calls;
use super::guard::Tasks;
use super::plan::{self, Read};
use super::{AT_ONCE, Ledger, account, blame, failed_call};
use crate::hubspot::{Answer, Error};
use crate::outcome::{Outcome, RetryReason};
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
                Err(error) => {
                    let outcome = failed_call(&error, &read.id_property);
                    failed.extend(read.ids.iter().map(|id| (read.key(id), outcome.clone())));
                }
            }
        }
    }
    for (index, update) in updates.iter().enumerate().filter(|(_, update)| plan::is_guarded(update))
    {
        if let Some(outcome) = failed.get(&update.task) {
            ledger.settle(index, outcome.clone());
        } else if !tasks.is_known(&update.task) && !tasks.is_missing(&update.task) {
            let detail = "HubSpot did not say what the task holds now".to_owned();
            ledger.settle(index, Outcome::Retry(RetryReason::Unavailable, detail));
        }
    }
    tasks
}

/// Reads a batch; in halves where HubSpot refuses it, so that one bad id fails alone, and where it
/// shows tasks of which nobody can say whose they are.
pub(super) async fn batch(calls: &Calls<'_>, read: Read) -> Vec<(Read, Result<Answer, Error>)> {
    let mut done = Vec::new();
    let mut queue = VecDeque::from([read]);
    // Both halves before the parts of either: where both are forbidden, it is the token's fault.
    while let Some(mut read) = queue.pop_front() {
        let ids: Vec<_> = read.ids.iter().map(String::as_str).collect();
        let properties = read.properties.iter().map(String::as_str).collect();
        match calls.read(&read.id_property, &ids, properties).await {
            Ok(answer) => {
                let mixed = account::told(&read.id_property, &ids, &answer).mixed;
                let again: Vec<_> = mixed.iter().map(|row| read.ids[*row].clone()).collect();
                if !again.is_empty() {
                    read.ids.retain(|id| !again.contains(id));
                    queue.extend(Read { ids: again, ..read.clone() }.halves());
                }
                done.push((read, Ok(answer)));
            }
            Err(error)
                if read.ids.len() > 1 && may_be_one(&error, &read) && !calls.is_stopped() =>
            {
                queue.extend(read.halves());
            }
            Err(error) => done.push((read, Err(error))),
        }
    }
    done
}

/// Whether a part of the ids may be read.
fn may_be_one(error: &Error, read: &Read) -> bool {
    match error {
        Error::Refused(refusal) => !blame::is_about_all(refusal, &read.id_property),
        Error::Later { reason, .. } => *reason == RetryReason::Forbidden,
        Error::Lost => false,
    }
}

impl Read {
    fn halves(mut self) -> [Self; 2] {
        let second = self.ids.split_off(self.ids.len() / 2);
        [self.clone(), Self { ids: second, ..self }]
    }

    /// The key of a task of this read.
    pub(super) fn key(&self, id: &str) -> TaskKey {
        TaskKey { id_property: self.id_property.clone(), id: id.to_owned() }
    }
}
