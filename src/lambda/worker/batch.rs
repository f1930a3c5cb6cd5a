//! The messages of a run, with their updates and how those ended. Pure.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use super::super::lines::Way;
use super::super::summary::Row;
use crate::outcome::{Associated, Outcome, RetryReason};
use crate::queue::{Arrived, Received};
use crate::update::Update;

/// The messages of a run. Those of one group are in their order.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) items: Vec<Item>,
    /// The updates of all messages, in the order of these.
    pub(super) updates: Vec<Update>,
    /// How many of the updates, at the beginning, are of groups that are tried for the first time.
    pub(super) fresh: usize,
    /// How the updates ended; as many, once they have.
    pub(super) outcomes: Vec<Outcome>,
    /// How the links of updates ended, by their places.
    pub(super) associated: BTreeMap<usize, Associated>,
}

/// A message.
pub(super) struct Item {
    pub(super) received: Received,
    /// Whether the worker took it from the queue itself, so that Lambda knows nothing of it.
    pub(super) is_own: bool,
    /// What it is instead, if it has no updates.
    pub(super) no_update: Option<NoUpdate>,
    pub(super) source: String,
    pub(super) event: String,
    request_id: Option<String>,
    /// The places of its updates among all.
    pub(super) places: Range<usize>,
    /// Whether it is not acknowledged, so that SQS hands it out again.
    pub(super) is_retried: bool,
}

/// A message without updates.
pub(super) enum NoUpdate {
    /// A dead letter that somebody moved here.
    Letter,
    /// Something else, and why it can't be read.
    Unknown(String),
}

impl Batch {
    /// The messages that Lambda handed over, and those that the worker took itself after them. Groups
    /// that were tried before come last: where HubSpot fails because of one task and doesn't say
    /// of which, it shall not take along what is tried for the first time.
    pub(super) fn new(of_lambda: Vec<Received>, own: Vec<Received>) -> Self {
        let of_lambda = of_lambda.into_iter().map(|message| (message, false));
        let own = own.into_iter().map(|message| (message, true));
        let mut all: Vec<_> = of_lambda.chain(own).collect();
        let tried = all.iter().filter(|(message, _)| message.receives > 1);
        let tried: HashSet<_> = tried.map(|(message, _)| message.group.clone()).collect();
        // Stable: the messages of a group keep their order.
        all.sort_by_key(|(message, _)| tried.contains(&message.group));
        let mut batch = Self::default();
        for (message, is_own) in all {
            let is_fresh = !tried.contains(&message.group);
            batch.add(message, is_own);
            if is_fresh {
                batch.fresh = batch.updates.len();
            }
        }
        batch
    }

    fn add(&mut self, mut received: Received, is_own: bool) {
        let start = self.updates.len();
        let (mut source, mut event, mut request_id) = Default::default();
        let mut no_update = None;
        match Arrived::read(&received.text) {
            Arrived::Update(message) => {
                (source, event, request_id) = (message.source, message.event, message.request_id);
                let is_retried = received.receives > 1;
                let updates = message.updates.into_iter();
                self.updates.extend(updates.map(|update| Update { is_retried, ..update }));
                // It is not needed any more, and may be large.
                received.text = String::new();
            }
            Arrived::Letter => no_update = Some(NoUpdate::Letter),
            Arrived::Unknown(why) => no_update = Some(NoUpdate::Unknown(why)),
        }
        let places = start..self.updates.len();
        self.items.push(Item {
            received,
            is_own,
            no_update,
            source,
            event,
            request_id,
            places,
            is_retried: false,
        });
    }

    /// How the updates of a message ended.
    pub(super) fn outcomes(&self, item: &Item) -> &[Outcome] {
        self.outcomes.get(item.places.clone()).unwrap_or_default()
    }

    /// The updates of a message, with how they ended.
    pub(super) fn rows(&self, item: &Item) -> impl Iterator<Item = Row> {
        let updates = item.places.clone().zip(&self.updates[item.places.clone()]);
        updates.zip(self.outcomes(item)).map(|((place, update), outcome)| {
            let associated = self.associated.get(&place).cloned().unwrap_or_default();
            Row { associated, ..Row::new(update, outcome.clone()) }
        })
    }

    /// Retries the messages with an update that may succeed later, and all later ones of their
    /// groups.
    pub(super) fn retry(&mut self) {
        for item in &mut self.items {
            let outcomes = self.outcomes.get(item.places.clone()).unwrap_or_default();
            item.is_retried = outcomes.iter().any(|outcome| matches!(outcome, Outcome::Retry(..)));
        }
        self.retry_later_ones();
    }

    /// Retries all later messages of a group, too: none may overtake an earlier one of its task.
    pub(super) fn retry_later_ones(&mut self) {
        let mut groups = HashSet::new();
        for item in &mut self.items {
            if item.is_retried {
                groups.insert(item.received.group.clone());
            } else {
                item.is_retried = groups.contains(&item.received.group);
            }
        }
    }

    /// The places of the messages that are retried.
    pub(super) fn retried(&self) -> Vec<usize> {
        (0..self.items.len()).filter(|place| self.items[*place].is_retried).collect()
    }

    /// Whether the time was not enough for it.
    pub(super) fn ran_out(&self) -> bool {
        let late = |outcome: &Outcome| matches!(outcome, Outcome::Retry(RetryReason::Timeout, _));
        self.outcomes.iter().any(late)
    }

    /// Whether the log tells of a message. One that comes back for hours does so each two minutes:
    /// then its 1st, 2nd, 4th, 8th receive and so on.
    pub(super) fn is_told(&self, item: &Item) -> bool {
        let waits = |outcome: &Outcome| matches!(outcome, Outcome::Retry(..));
        item.received.receives.is_power_of_two() || !self.outcomes(item).iter().any(waits)
    }

    /// The ids of the messages that Lambda has to leave in the queue.
    pub(super) fn for_lambda(self) -> Vec<String> {
        let retried = self.items.into_iter().filter(|item| item.is_retried && !item.is_own);
        retried.map(|item| item.received.id).collect()
    }
}

impl Item {
    pub(super) fn way(&self) -> Way<'_> {
        Way {
            webhook_request_id: self.request_id.as_deref(),
            message_id: &self.received.id,
            receives: self.received.receives,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(group: &str, receives: u32) -> Received {
        Received { group: group.to_owned(), receives, ..Received::default() }
    }

    #[test]
    fn a_retry_takes_the_later_messages_of_its_group_along() {
        let messages = ["a", "b", "a", "c", "b", "a"].map(|group| received(group, 1));
        let mut batch = Batch::new(messages.into(), Vec::new());
        batch.items[2].is_retried = true;
        batch.items[3].is_retried = true;
        batch.retry_later_ones();
        let retried: Vec<_> = batch.items.iter().map(|item| item.is_retried).collect();
        assert_eq!(retried, [false, false, true, true, false, true]);
    }

    #[test]
    fn what_was_tried_before_comes_last_with_all_of_its_group_and_in_order() {
        let of_lambda = [("a", 1), ("b", 2), ("c", 1)].map(|(group, times)| received(group, times));
        let own =
            [("b", 1), ("a", 1), ("d", 1), ("d", 3)].map(|(group, times)| received(group, times));
        let batch = Batch::new(of_lambda.into(), own.into());
        let order: Vec<_> = batch
            .items
            .iter()
            .map(|item| (item.received.group.as_str(), item.received.receives, item.is_own))
            .collect();
        let expected = [
            ("a", 1, false),
            ("c", 1, false),
            ("a", 1, true),
            ("b", 2, false),
            ("b", 1, true),
            ("d", 1, true),
            ("d", 3, true),
        ];
        assert_eq!(order, expected);
    }
}
