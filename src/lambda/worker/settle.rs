//! What becomes of the messages of a run whose updates have ended: acknowledged, buried as dead
//! letters, or given back.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use tokio::time::Instant;

use super::super::REASON;
use super::super::letters::{DeadLetter, Text};
use super::Function;
use super::batch::{Batch, Item, NoUpdate};
use crate::outcome::Outcome;
use crate::queue::{Content, Letter, letter_of_message};
use crate::telemetry;
use crate::time::Time;

/// The backoff of a message that was received once; it doubles with each receive. An outage of
/// seconds costs seconds.
const FIRST_BACKOFF: Duration = Duration::from_secs(5);

/// The longest backoff, unless HubSpot wants a longer one: so long after an outage everything goes
/// on, and 1,000 receives, which is as many as SQS counts, last for more than a day.
const LONGEST_BACKOFF: Duration = Duration::from_mins(2);

impl Function {
    /// Writes a dead letter for everything that failed for good. Messages whose letters could not be
    /// written are retried, with the later ones of their groups.
    pub(super) async fn write_letters(&self, batch: &mut Batch, deadline: Instant) {
        let mut letters = Vec::new();
        let mut buried = Vec::new();
        for (place, item) in batch.items.iter().enumerate().filter(|(_, item)| !item.is_retried) {
            for letter in batch.letters(item) {
                letters.push(letter);
                buried.push(place);
            }
        }
        if self.dead_letters.are_kept() {
            let written = self.dead_letters.write(&letters, deadline).await;
            for (place, result) in buried.into_iter().zip(written) {
                if let Err(why) = result {
                    let item = &mut batch.items[place];
                    item.is_retried = true;
                    let message_id = &item.received.id;
                    tracing::error!(messageId = message_id, reason = %why, "a dead letter could not be written");
                }
            }
        } else {
            // The log says why an update failed. Anything else is nowhere but in its message, which
            // SQS's own redrive takes away in the end.
            for place in buried {
                let item = &mut batch.items[place];
                item.is_retried = item.no_update.is_some();
            }
        }
        batch.retry_later_ones();
    }

    /// Deletes the messages that the worker took itself and that are done, each only after all
    /// earlier ones of its group. What can't be deleted is retried, with the later ones of its group;
    /// their places are returned.
    pub(super) async fn acknowledge(&self, batch: &mut Batch, deadline: Instant) -> Vec<usize> {
        let Some(queue) = &self.queue else { return Vec::new() };
        let before = batch.retried();
        for rank in batch.own_by_rank() {
            let mut places = Vec::new();
            let mut messages = Vec::new();
            for place in rank.into_iter().filter(|place| !batch.items[*place].is_retried) {
                places.push(place);
                messages.push(&batch.items[place].received);
            }
            let deleted = queue.delete(&messages, deadline).await;
            for (place, result) in places.into_iter().zip(deleted) {
                if let Err(why) = result {
                    let item = &mut batch.items[place];
                    item.is_retried = true;
                    let id = &item.received.id;
                    tracing::warn!(messageId = id, reason = %why, "a message is not deleted, and comes back");
                }
            }
            batch.retry_later_ones();
        }
        batch.retried().into_iter().filter(|place| !before.contains(place)).collect()
    }

    /// Shortens the visibility timeout of messages to retry, so that SQS hands them out after their
    /// backoff. The latest come first, so that none is there before an earlier one of its group.
    pub(super) async fn give_back(
        &self,
        batch: &Batch,
        places: &[usize],
        hubspot_wait: Option<Duration>,
        deadline: Instant,
    ) {
        let Some(queue) = &self.queue else { return };
        let mut timeouts = Vec::new();
        for place in places.iter().rev() {
            let received = &batch.items[*place].received;
            let timeout = backoff(received.receives).max(hubspot_wait.unwrap_or_default());
            timeouts.push((received, spread(timeout, &received.group, received.receives)));
        }
        queue.set_visibility(&timeouts, deadline).await;
    }
}

impl Batch {
    /// The places of the messages that the worker took itself: first the first of each group, then
    /// the second of each, and so on. SQS gives out nothing of a group that Lambda's messages are
    /// of; if it did, those would have to be deleted first, so what follows them is retried.
    fn own_by_rank(&mut self) -> Vec<Vec<usize>> {
        let of_lambda = self.items.iter().filter(|item| !item.is_own);
        let of_lambda: HashSet<_> = of_lambda.map(|item| item.received.group.clone()).collect();
        let mut ranks: HashMap<String, usize> = HashMap::new();
        let mut places: Vec<Vec<usize>> = Vec::new();
        for (place, item) in self.items.iter_mut().enumerate().filter(|(_, item)| item.is_own) {
            item.is_retried |= of_lambda.contains(&item.received.group);
            let rank = ranks.entry(item.received.group.clone()).or_default();
            if *rank == places.len() {
                places.push(Vec::new());
            }
            places[*rank].push(place);
            *rank += 1;
        }
        places
    }

    /// The dead letters about what can't succeed of a message as it is: one for the updates that
    /// failed one after the other for the same reason.
    fn letters(&self, item: &Item) -> Vec<DeadLetter> {
        if let Some(no_update) = &item.no_update {
            let id = letter_of_message(&item.received.id, 0);
            return vec![DeadLetter {
                id,
                text: letter_about(&item.received.id, no_update, &item.received.text),
            }];
        }
        let now = Time::now();
        let mut letters = Vec::new();
        let mut place = item.places.start;
        for alike in self.outcomes(item).chunk_by(|one, other| one == other) {
            let updates = &self.updates[place..place + alike.len()];
            if let Some(Outcome::Failed(reason, detail)) = alike.first() {
                let content = Content::of_failed(updates, *reason);
                let letter =
                    Letter::failed(&item.source, &item.event, now, *reason, detail, content);
                let id = letter_of_message(&item.received.id, place - item.places.start);
                letters.push(DeadLetter { id, text: Text::Letter(Box::new(letter)) });
            }
            place += alike.len();
        }
        letters
    }
}

/// The dead letter about a message without updates.
fn letter_about(message_id: &str, no_update: &NoUpdate, text: &str) -> Text {
    match no_update {
        NoUpdate::Unknown(why) => {
            let reason = telemetry::one_line(&telemetry::without_quotes(why), REASON);
            tracing::error!(messageId = message_id, reason, "a message can't be read");
            Text::Letter(Box::new(Letter::unreadable(Time::now(), why.clone(), text)))
        }
        NoUpdate::Letter => {
            tracing::warn!(
                messageId = message_id,
                "a dead letter was moved into the queue of updates, and goes back; `taskhook replay` sends it"
            );
            Text::AsItCame(text.to_owned())
        }
    }
}

/// The visibility timeout of a message that is retried after this many receives.
fn backoff(receives: u32) -> Duration {
    let doublings = receives.saturating_sub(1).min(16);
    FIRST_BACKOFF.saturating_mul(1 << doublings).min(LONGEST_BACKOFF)
}

/// The time and up to a fifth more, 24 seconds at most, another for each group and each time. Where
/// HubSpot fails because of one task and doesn't say of which, the tasks of a batch fail together; so
/// they don't come back together for ever, and the good ones go through. Messages of one group do
/// come back together: SQS holds the whole group until the last of them is there.
fn spread(time: Duration, group: &str, receives: u32) -> Duration {
    let mut hasher = DefaultHasher::new();
    (group, receives).hash(&mut hasher);
    let share = fastrand::Rng::with_seed(hasher.finish()).f64() / 5.0;
    time + time.min(LONGEST_BACKOFF).mul_f64(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_that_failed_together_come_back_at_times_of_their_own() {
        let whole = |group: &str, receives| spread(LONGEST_BACKOFF, group, receives).as_secs();
        let times: HashSet<_> = (0..100).map(|group| whole(&group.to_string(), 7)).collect();
        assert!(times.len() > 12 && times.iter().all(|time| (120..=144).contains(time)));
        let others: HashSet<_> = (7..27).map(|receives| whole("a", receives)).collect();
        assert!(others.len() > 6);
        assert_eq!(whole("a", 7), whole("a", 7));
        let hour = Duration::from_hours(1);
        assert!(spread(hour, "a", 7) <= hour + LONGEST_BACKOFF / 5);
    }

    #[test]
    fn a_message_waits_longer_each_time_and_a_thousand_receives_last_a_day() {
        assert_eq!([1, 2, 3].map(backoff), [5, 10, 20].map(Duration::from_secs));
        assert_eq!([6, 7, 1000, u32::MAX].map(backoff), [LONGEST_BACKOFF; 4]);
        assert!((1..=1000).map(backoff).sum::<Duration>() >= Duration::from_hours(24));
    }
}
