//! The function behind the queue: a batch of queued updates is one run of the engine.
//!
//! A message whose update is done is acknowledged. One that may succeed later is retried, with all
//! later messages of its group, so that the updates of a task keep their order. One that can't
//! succeed becomes a dead letter before it is acknowledged.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::panic::AssertUnwindSafe;
use std::time::{Duration, SystemTime};

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use futures_util::FutureExt as _;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::letters::{self, DeadLetter, DeadLetters};
use super::lines::{self, Lines, Way};
use super::summary::{Row, Summary};
use super::{REASON, or_log};
use crate::engine::{self, Ended};
use crate::hubspot::Hubspot;
use crate::outcome::{Outcome, RetryReason};
use crate::queue::{Arrived, Content, Letter, Message, Queue, letter_of_message};
use crate::services::Services;
use crate::settings::WorkerSettings;
use crate::time::Time;
use crate::update::Update;
use crate::{deadline, telemetry};

/// How long the first fetch of the token and the first handshake with HubSpot may take.
const WARM_UP: Duration = Duration::from_secs(2);

/// How long a batch may take whose deadline has passed before it came: `cargo lambda watch` names
/// such ones.
const WITHOUT_DEADLINE: Duration = Duration::from_secs(30);

/// The time that is kept free for the answer.
const FOR_ANSWER: Duration = Duration::from_secs(1);

/// The time that is kept free for setting the visibility timeouts of the messages to retry.
const FOR_VISIBILITY: Duration = Duration::from_secs(2);

/// The backoff of a message that was received once; it doubles with each receive. An outage of
/// seconds costs seconds.
const FIRST_BACKOFF: Duration = Duration::from_secs(5);

/// The longest backoff, unless HubSpot wants a longer one: so long after an outage everything goes
/// on, and 1,000 receives, which is as many as SQS counts, last for more than a day.
const LONGEST_BACKOFF: Duration = Duration::from_mins(2);

/// The function, set up.
struct Function {
    hubspot: Hubspot,
    /// The queue of the messages, for setting their visibility timeouts.
    queue: Option<Queue>,
    dead_letters: DeadLetters,
    observe: bool,
    lines: Lines,
}

/// A message of the batch.
struct Item {
    id: String,
    receipt: Option<String>,
    group: String,
    /// How often it was received, this time included.
    receives: u32,
    text: String,
    arrived: Arrived,
    /// How its update ended; `None` where there is none.
    outcome: Option<Outcome>,
    /// Whether it is not acknowledged, so that SQS hands it out again.
    is_retried: bool,
}

/// Runs the function until Lambda ends it. With a broken set-up every batch is retried.
pub async fn run() -> Result<(), lambda_runtime::Error> {
    let function = Function::set_up(&|name| std::env::var(name).ok()).await;
    let function = function.as_ref();
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Box<RawValue>>| {
        handle(function, event)
    }))
    .await
}

impl Function {
    /// Reads the environment, and makes the first connections. Every problem of the environment is
    /// logged.
    async fn set_up(variable: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
        let settings = or_log(WorkerSettings::read(variable))?;
        let services = Services::new(settings.aws, &settings.network, settings.secret_ttl);
        let hubspot = services.hubspot(&settings.hubspot, settings.hubspot_token.clone());
        let deadline = Instant::now() + WARM_UP;
        let secrets = services.secrets();
        tokio::join!(
            secrets.prefetch([&settings.hubspot_token], deadline),
            hubspot.warm_up(deadline)
        );
        let dead_letters = settings.dead_letter_url.map(|url| services.queue(&url));
        Some(Self {
            hubspot,
            queue: settings.queue_url.map(|url| services.queue(&url)),
            dead_letters: DeadLetters::new(dead_letters),
            observe: settings.observe,
            lines: Lines::new(settings.metrics),
        })
    }

    /// Applies the updates of a batch, writes dead letters, and decides for each message whether it
    /// is retried.
    async fn work(&self, items: &mut [Item], deadline: Instant) {
        let began = Time::now();
        let letters_by = deadline::before(deadline, FOR_VISIBILITY);
        let hubspot_wait = self.apply(items, self.dead_letters.work_until(letters_by)).await;
        for item in &mut *items {
            item.is_retried = matches!(item.outcome, Some(Outcome::Retry(..)));
        }
        retry_later_ones(items);
        self.write_letters(items, letters_by).await;
        retry_later_ones(items);
        self.set_visibility(items, hubspot_wait, deadline).await;
        self.tell(items, began);
    }

    /// Logs how the updates ended.
    fn tell(&self, items: &[Item], began: Time) {
        for item in items.iter().filter(|item| item.is_told()) {
            let Some((message, row)) = item.row() else { continue };
            lines::update(&message.source, Some(&message.event), &row, Some(item.way(message)));
        }
        // The calls of the batch stand in its first line.
        let mut usage = self.hubspot.take_usage();
        for summary in summaries(items) {
            self.lines.delivery(&summary, None, began, &std::mem::take(&mut usage));
        }
    }

    /// Gives each update an outcome. Returns how long HubSpot wants to be left alone, if it said
    /// so.
    async fn apply(&self, items: &mut [Item], deadline: Instant) -> Option<Duration> {
        let updates: Vec<_> =
            items.iter().filter_map(Item::message).map(|message| message.update.clone()).collect();
        let Ended { outcomes, wait } = self.outcomes(&updates, deadline).await;
        let with_update = items.iter_mut().filter(|item| item.message().is_some());
        for (item, outcome) in with_update.zip(outcomes) {
            item.outcome = Some(outcome);
        }
        wait
    }

    /// One outcome for each update.
    async fn outcomes(&self, updates: &[Update], deadline: Instant) -> Ended {
        if let Err(error) = self.hubspot.check_token(deadline).await
            && !error.is_passing()
        {
            tracing::error!(reason = %error, "token: cannot get the HubSpot token");
            let outcome = Outcome::Retry(RetryReason::Unauthorized, error.to_string());
            return Ended { outcomes: vec![outcome; updates.len()], wait: None };
        }
        if let Some(ended) = self.run(updates, deadline).await {
            return ended;
        }
        // One of them makes the engine panic; alone it can't take the others along.
        let mut outcomes = Vec::new();
        for update in updates {
            let ended = self.run(std::slice::from_ref(update), deadline).await;
            outcomes.push(ended.and_then(|mut ended| ended.outcomes.pop()).unwrap_or_else(|| {
                Outcome::Retry(RetryReason::Unavailable, "an internal error".to_owned())
            }));
        }
        Ended { outcomes, wait: None }
    }

    /// One run of the engine; `None` after a panic.
    async fn run(&self, updates: &[Update], deadline: Instant) -> Option<Ended> {
        let run = engine::run(&self.hubspot, updates, deadline, self.observe);
        let ended = AssertUnwindSafe(run).catch_unwind().await;
        if ended.is_err() {
            tracing::error!("a panic while updates were applied; please report it");
        }
        ended.ok()
    }

    /// Writes a dead letter for every message that failed for good. Those whose letter could not be
    /// written are retried.
    async fn write_letters(&self, items: &mut [Item], deadline: Instant) {
        let mut letters = Vec::new();
        let mut buried = Vec::new();
        for item in items.iter_mut().filter(|item| !item.is_retried) {
            if let Some(text) = item.dead_letter() {
                letters.push(DeadLetter { id: letter_of_message(&item.id), text });
                buried.push(item);
            }
        }
        if !self.dead_letters.are_kept() {
            // The log says why an update failed. Anything else is nowhere but in its message, which
            // SQS's own redrive takes away in the end.
            for item in buried {
                item.is_retried = item.outcome.is_none();
            }
            return;
        }
        let written = self.dead_letters.write(&letters, deadline).await;
        for (item, result) in buried.into_iter().zip(written) {
            if let Err(why) = result {
                tracing::error!(messageId = item.id, reason = %why, "a dead letter could not be written");
                item.is_retried = true;
            }
        }
    }

    /// Shortens the visibility timeout of the messages to retry, so that SQS hands them out after
    /// their backoff.
    async fn set_visibility(
        &self,
        items: &[Item],
        hubspot_wait: Option<Duration>,
        deadline: Instant,
    ) {
        let Some(queue) = &self.queue else { return };
        let mut timeouts = Vec::new();
        for item in items.iter().filter(|item| item.is_retried) {
            if let Some(receipt) = &item.receipt {
                let timeout = backoff(item.receives).max(hubspot_wait.unwrap_or_default());
                timeouts.push((receipt.clone(), spread(timeout, &item.group, item.receives)));
            }
        }
        queue.set_visibility(&timeouts, deadline).await;
    }
}

/// Answers one batch: the messages to retry. An error means that it is none.
async fn handle(
    function: Option<&Function>,
    event: LambdaEvent<Box<RawValue>>,
) -> Result<SqsBatchResponse, NoBatch> {
    let LambdaEvent { payload, context } = event;
    let batch: SqsEvent = serde_json::from_str(payload.get()).map_err(NoBatch)?;
    // The messages were copied: the event is not needed any more.
    drop(payload);
    let left = context.deadline().duration_since(SystemTime::now()).unwrap_or(WITHOUT_DEADLINE);
    let deadline = deadline::before(Instant::now() + left, FOR_ANSWER);
    let mut items: Vec<_> = batch.records.into_iter().map(Item::new).collect();
    if let Some(function) = function {
        function.work(&mut items, deadline).await;
    } else {
        tracing::error!(
            "set-up: the worker is not set up right, as was logged at its start; the batch comes back"
        );
        for item in &mut items {
            item.is_retried = true;
        }
    }
    let mut response = SqsBatchResponse::default();
    for item in items.into_iter().filter(|item| item.is_retried) {
        let mut failure = BatchItemFailure::default();
        failure.item_identifier = item.id;
        response.batch_item_failures.push(failure);
    }
    Ok(response)
}

/// An event that is no batch of a queue; with what it lacks.
#[derive(Debug)]
struct NoBatch(serde_json::Error);

impl From<NoBatch> for Diagnostic {
    fn from(NoBatch(why): NoBatch) -> Self {
        let error_message = format!(
            "the event is no batch of an SQS queue ({why}); this function works the queue of updates off, and webhooks \
             belong to the function `webhook`"
        );
        Self { error_type: "NoBatch".to_owned(), error_message }
    }
}

impl Item {
    fn new(record: SqsMessage) -> Self {
        let id = record.message_id.unwrap_or_default();
        let text = record.body.unwrap_or_default();
        let attribute = |name: &str| record.attributes.get(name);
        Self {
            group: attribute("MessageGroupId").unwrap_or(&id).clone(),
            receives: attribute("ApproximateReceiveCount")
                .and_then(|count| count.parse().ok())
                .unwrap_or(1),
            receipt: record.receipt_handle,
            arrived: Arrived::read(&text),
            text,
            id,
            outcome: None,
            is_retried: false,
        }
    }

    /// The update, if it is one.
    fn message(&self) -> Option<&Message> {
        if let Arrived::Update(message) = &self.arrived { Some(message) } else { None }
    }

    /// The update with its outcome, if it has one.
    fn row(&self) -> Option<(&Message, Row)> {
        let message = self.message()?;
        let outcome = self.outcome.clone()?;
        Some((message, Row::new(&message.update, outcome)))
    }

    /// Whether the log tells of it. A message that comes back for hours does so each two minutes:
    /// then its 1st, 2nd, 4th, 8th receive and so on.
    fn is_told(&self) -> bool {
        !matches!(self.outcome, Some(Outcome::Retry(..))) || self.receives.is_power_of_two()
    }

    fn way<'i>(&'i self, message: &'i Message) -> Way<'i> {
        Way {
            webhook_request_id: message.request_id.as_deref(),
            message_id: &self.id,
            receives: self.receives,
        }
    }

    /// The dead letter about it, if it can't succeed as it is.
    fn dead_letter(&self) -> Option<letters::Text> {
        let now = Time::now();
        let letter = match (&self.arrived, &self.outcome) {
            (Arrived::Unknown(why), _) => {
                let reason = telemetry::one_line(&telemetry::without_quotes(why), REASON);
                tracing::error!(messageId = self.id, reason, "a message can't be read");
                Letter::unreadable(now, why.clone(), &self.text)
            }
            (Arrived::Letter, _) => {
                tracing::warn!(
                    messageId = self.id,
                    "a dead letter was moved into the queue of updates, and goes back; `taskhook replay` sends it"
                );
                return Some(letters::Text::AsItCame(self.text.clone()));
            }
            (Arrived::Update(message), Some(Outcome::Failed(reason, detail))) => {
                let Message { source, event, update, .. } = message;
                let content = Content::Update { update: Box::new(update.clone()) };
                Letter::failed(source, event, now, *reason, detail, content)
            }
            (Arrived::Update(_), _) => return None,
        };
        Some(letters::Text::Letter(Box::new(letter)))
    }
}

/// Retries all later messages of a group, too: none may overtake an earlier one of its task.
fn retry_later_ones(items: &mut [Item]) {
    let mut groups = HashSet::new();
    for item in items {
        if item.is_retried {
            groups.insert(item.group.clone());
        } else {
            item.is_retried = groups.contains(&item.group);
        }
    }
}

/// The visibility timeout of a message that is retried after this many receives.
fn backoff(receives: u32) -> Duration {
    let doublings = receives.saturating_sub(1).min(16);
    FIRST_BACKOFF.saturating_mul(1 << doublings).min(LONGEST_BACKOFF)
}

/// The time and up to a fifth more, 24 seconds at most, another for each group and each time. Where
/// HubSpot fails because of one task and doesn't say of which, the tasks of a batch fail together; so they don't come back
/// together for ever, and the good ones go through. Messages of one group do come back together: SQS
/// holds the whole group until the last of them is there.
fn spread(time: Duration, group: &str, receives: u32) -> Duration {
    let mut hasher = DefaultHasher::new();
    (group, receives).hash(&mut hasher);
    let share = fastrand::Rng::with_seed(hasher.finish()).f64() / 5.0;
    time + time.min(LONGEST_BACKOFF).mul_f64(share)
}

/// A summary for each source that the batch has updates of; with the delivery, if all of them are
/// of one.
fn summaries(items: &[Item]) -> Vec<Summary> {
    let mut summaries: BTreeMap<&str, Summary> = BTreeMap::new();
    for (message, row) in items.iter().filter_map(Item::row) {
        let Message { source, event, .. } = message;
        let summary = summaries.entry(source).or_insert_with(|| Summary {
            source: source.clone(),
            event: Some(event.clone()),
            rows: Vec::new(),
        });
        summary.event.take_if(|first| first != event);
        summary.rows.push(row);
    }
    summaries.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_takes_the_later_messages_of_its_group_along() {
        let item = |group: &str| Item {
            id: String::new(),
            receipt: None,
            group: group.to_owned(),
            receives: 1,
            text: String::new(),
            arrived: Arrived::Letter,
            outcome: None,
            is_retried: false,
        };
        let mut items = ["a", "b", "a", "c", "b", "a"].map(item);
        items[2].is_retried = true;
        items[3].is_retried = true;
        retry_later_ones(&mut items);
        let retried = items.map(|item| item.is_retried);
        assert_eq!(retried, [false, false, true, true, false, true]);
    }

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
