//! One look into a queue of dead letters: its messages are received, and those that stay are
//! released at the end.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Context as _, Error, Result};
use tokio::time::Instant;

use super::letters::{Filter, Item};
use crate::cli::shared;
use crate::cli::terminal::{Progress, count};
use crate::queue::{CallFailed, Queue, Received};
use crate::time::Time;

/// How long the letters are invisible to other consumers, who would send them as well.
pub(super) const HIDDEN: Duration = Duration::from_mins(20);

/// How many letters are sent together, and deleted: if the command is stopped, no more than these
/// are sent twice.
pub(super) const AT_ONCE: usize = 100;

/// After how many letters that are released progress is told: eight calls of ten, five times.
const RELEASED: usize = 400;

/// As many messages SQS lets be under way, and hands out none beyond: without an error, as they are
/// received here.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
const MOST_UNDER_WAY: usize = 120_000;

pub(super) const UNREADABLE: &str = "The queue can't be read";

/// One look into a queue of dead letters.
pub(super) struct Visit<'a> {
    filter: &'a Filter,
    queue: Queue,
    pub(super) began: Instant,
    /// The messages that were received and not deleted.
    held: Vec<Received>,
    pub(super) progress: Progress,
}

impl<'a> Visit<'a> {
    pub(super) fn new(queue: Queue, filter: &'a Filter) -> Self {
        let (began, progress) = (Instant::now(), Progress::new());
        Self { filter, queue, began, held: Vec::new(), progress }
    }

    /// Receives the messages that the queue gives out now. Returns the selected letters that were
    /// not received before, in the order of time.
    pub(super) async fn receive(&mut self) -> Result<Vec<Item>> {
        let known = self.held.len();
        let progress = &mut self.progress;
        let told = |all| progress.show(&format!("{} letters read", count(all)));
        let received = self.queue.receive(HIDDEN, &mut self.held, told).await;
        self.progress.clear();
        received.map_err(Error::msg).context(UNREADABLE)?;
        let now = Time::now();
        let mut selected = Vec::new();
        for received in &self.held[known..] {
            let item = Item::new(received.clone());
            if self.filter.selects(&item, now) {
                selected.push(item);
            }
        }
        selected.sort_by_key(Item::time);
        Ok(selected)
    }

    /// Deletes messages, which are not held any more, whether that succeeds or not. One result for
    /// each.
    pub(super) async fn delete(&mut self, gone: &[Received]) -> Vec<Result<(), CallFailed>> {
        let deadline = Instant::now() + HIDDEN;
        let results = self.queue.delete(&gone.iter().collect::<Vec<_>>(), deadline).await;
        let ids: HashSet<_> = gone.iter().map(|gone| gone.id.as_str()).collect();
        self.held.retain(|held| !ids.contains(held.id.as_str()));
        results
    }

    /// Makes the letters that stay visible to everybody again.
    pub(super) async fn release(mut self) {
        let deadline = Instant::now() + HIDDEN;
        let all = count(self.held.len());
        for (index, part) in self.held.chunks(RELEASED).enumerate() {
            let released = count(index * RELEASED);
            self.progress.show(&format!("{released} of {all} letters released"));
            self.queue.release(&part.iter().collect::<Vec<_>>(), deadline).await;
        }
    }

    /// Prints how many messages the queue holds back while others are received.
    pub(super) async fn report_waiting(&self, is_json: bool) -> Result<()> {
        let waiting = match self.queue.waiting().await {
            Ok(0) => return Ok(()),
            Ok(waiting) => usize::try_from(waiting).unwrap_or(usize::MAX),
            Err(why) => {
                eprintln!("How many more wait is not known: {why}.");
                return Ok(());
            }
        };
        let why = if self.held.len() < MOST_UNDER_WAY {
            String::new()
        } else {
            format!(": it lets {} be under way", count(MOST_UNDER_WAY))
        };
        let waiting = count(waiting);
        say(&format!("About {waiting} more wait that SQS doesn't give out now{why}.\n"), is_json)
    }
}

/// Prints a remark; where standard output is for a script, on standard error.
pub(super) fn say(text: &str, is_json: bool) -> Result<()> {
    if is_json {
        eprint!("{text}");
        return Ok(());
    }
    shared::print(text)
}
