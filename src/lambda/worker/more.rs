//! More messages than Lambda hands over. Of a FIFO queue it hands over ten at most, but HubSpot
//! takes a hundred rows in a call.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::{FOR_ANSWER, Function};
use crate::queue::{Received, Room};

/// As many as Lambda hands over at most.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html>
const OF_LAMBDA: usize = 10;

/// The text of a batch, in bytes, from which on Lambda may have cut it: an event has 6 MB at most, as
/// JSON inside of JSON.
const CUT: usize = 4_000_000;

/// The most text of a run, in bytes.
const TEXT: usize = 16 * 1024 * 1024;

/// The longest that taking more may last. SQS answers within some 10 ms; what a call that is given
/// up was to bring stays hidden for its time.
const TAKING: Duration = Duration::from_secs(5);

/// The least time that has to be left for work on more.
const LEAST: Duration = Duration::from_secs(5);

/// How much longer messages stay hidden than a run may last, because its last call may still be under
/// way at HubSpot when Lambda has ended it.
const LONGER: Duration = Duration::from_secs(30);

impl Function {
    /// Takes more messages, `most` in all, where a full batch says that more are waiting. They stay
    /// hidden until after the deadline, so a worker that dies holds them back no longer.
    pub(super) async fn take_more(
        &self,
        most: usize,
        received: &[Received],
        deadline: Instant,
    ) -> Vec<Received> {
        let Some(queue) = &self.queue else { return Vec::new() };
        let left = deadline.saturating_duration_since(Instant::now());
        let text = received.iter().map(|message| message.text.len()).sum();
        let is_full = received.len() >= OF_LAMBDA || text >= CUT;
        if !is_full || most <= OF_LAMBDA || left < LEAST {
            return Vec::new();
        }
        let longest = received.iter().map(|message| message.text.len()).max();
        let room = Room {
            messages: most.saturating_sub(received.len()),
            bytes: TEXT.saturating_sub(text),
            longest: longest.unwrap_or_default(),
        };
        let until = Instant::now() + TAKING.min(left / 4);
        queue.take(room, left + FOR_ANSWER + LONGER, until).await
    }

    /// How many messages this run takes at most, by how often those of Lambda's were received. In
    /// the first run of a worker that is Lambda's own batch, if it comes again: another worker may
    /// have died of more.
    pub(super) fn most_now(&self, mut receives: impl Iterator<Item = u32>) -> usize {
        match self.next.load(Ordering::Relaxed) {
            0 if receives.any(|receives| receives > 1) => OF_LAMBDA,
            0 => self.most,
            next => next,
        }
    }
}

/// How many messages the next run takes at most. After one whose time ran out Lambda's own batch is
/// enough: a hundred rows shall not time out for ever where ten would pass. Each other run doubles it
/// again.
pub(super) fn next(now: usize, ran_out: bool, most: usize) -> usize {
    if ran_out { OF_LAMBDA } else { (2 * now).min(most) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_run_whose_time_ran_out_the_next_ones_grow_again() {
        let mut most = vec![next(100, true, 100)];
        for _ in 0..5 {
            most.push(next(most[most.len() - 1], false, 100));
        }
        assert_eq!(most, [10, 20, 40, 80, 100, 100]);
        assert_eq!(next(10, false, 10), 10);
    }
}
