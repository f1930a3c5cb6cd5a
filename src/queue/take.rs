//! Messages that wait, for the worker, where there are more of them than Lambda hands over.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::plan::MOST_IN_CALL;
use super::{CallFailed, Queue, Received};

/// How long releasing may take of what was taken and doesn't fit.
const RELEASING: Duration = Duration::from_secs(2);

/// How much more a consumer can take.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// How many messages.
    pub messages: usize,
    /// How many bytes of their texts.
    pub bytes: usize,
    /// As long as this the next texts are thought to be, before they are there: as the longest so
    /// far.
    pub longest: usize,
}

impl Room {
    /// How many messages each of the next calls may ask for, of which there are at most so many. The
    /// texts are thought to be as long as the longest so far.
    fn calls(&self, at_once: usize) -> Vec<usize> {
        let by_bytes = self.bytes / self.longest.max(1);
        let mut left = self.messages.min(by_bytes).min(at_once * MOST_IN_CALL);
        let mut counts = Vec::new();
        while left > 0 {
            let count = left.min(MOST_IN_CALL);
            counts.push(count);
            left -= count;
        }
        counts
    }
}

impl Queue {
    /// Takes messages that wait, with ever more calls side by side as long as there are enough of
    /// them, and hides them from other consumers for `hidden`. What doesn't fit into the room after
    /// all goes back at once. Where a call fails, there are fewer.
    pub async fn take(&self, mut room: Room, hidden: Duration, deadline: Instant) -> Vec<Received> {
        let mut taken = Vec::new();
        let mut too_many = Vec::new();
        let mut at_once = 1;
        loop {
            let counts = room.calls(at_once);
            let asked: usize = counts.iter().sum();
            let calls = counts.iter().map(|count| self.take_some(*count, hidden, deadline));
            let mut got = 0;
            for message in join_all(calls).await.into_iter().flatten() {
                got += 1;
                room.longest = room.longest.max(message.text.len());
                // Nothing of a group goes on after something of it went back.
                let is_behind =
                    too_many.iter().any(|other: &Received| other.group == message.group);
                if is_behind || room.messages == 0 || message.text.len() > room.bytes {
                    too_many.push(message);
                } else {
                    room.bytes -= message.text.len();
                    room.messages -= 1;
                    taken.push(message);
                }
            }
            if got == 0 || 2 * got < asked || !too_many.is_empty() {
                break;
            }
            at_once *= 2;
        }
        let too_many: Vec<_> = too_many.iter().rev().collect();
        self.release(&too_many, Instant::now() + RELEASING).await;
        taken
    }

    /// Takes up to so many messages, ten at most. A call that is repeated because its answer was lost
    /// gets the same messages, by its attempt id.
    async fn take_some(&self, most: usize, hidden: Duration, deadline: Instant) -> Vec<Received> {
        let call = self.receive_message(most, hidden).wait_time_seconds(0);
        let call = call.receive_request_attempt_id(Uuid::new_v4().to_string());
        match timeout_at(deadline, call.send()).await {
            Ok(Ok(answer)) => {
                answer.messages.unwrap_or_default().into_iter().map(Received::from).collect()
            }
            Ok(Err(error)) => {
                let reason = CallFailed::from(error).to_string();
                tracing::warn!(reason, "no more messages are taken from the queue");
                Vec::new()
            }
            Err(_) => {
                tracing::warn!("no time was left to take more messages from the queue");
                Vec::new()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_asked_for_than_there_is_room_for() {
        let room = |messages, bytes, longest| Room { messages, bytes, longest };
        assert_eq!(room(90, 16_000_000, 300).calls(1), [10]);
        assert_eq!(room(90, 16_000_000, 300).calls(8), [10; 8]);
        assert_eq!(room(25, 16_000_000, 300).calls(4), [10, 10, 5]);
        assert_eq!(room(90, 16_000_000, 1_000_000).calls(4), [10, 6]);
        assert!(room(90, 100, 1_000).calls(4).is_empty());
        assert!(room(0, 16_000_000, 300).calls(4).is_empty());
    }
}
