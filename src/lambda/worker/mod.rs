//! The function behind the queue: the messages of a run are one run of the engine.
//!
//! Lambda hands it up to ten messages. Where that many wait there are more, and it takes them from
//! the queue itself ([`more`]). A message whose updates are done is acknowledged. One that may
//! succeed later is retried, with all later messages of its group, so that the updates of a task keep
//! their order. One that can't succeed becomes a dead letter before it is acknowledged ([`settle`]).

mod batch;
mod more;
mod settle;

use std::collections::{BTreeMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use futures_util::FutureExt as _;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::value::RawValue;
use tokio::time::Instant;

use self::batch::Batch;
use super::dispatch::LINE;
use super::letters::DeadLetters;
use super::lines::{self, Lines};
use super::or_log;
use super::summary::Summary;
use crate::deadline;
use crate::engine::{self, Ended};
use crate::hubspot::Hubspot;
use crate::outcome::{Outcome, RetryReason};
use crate::queue::{Queue, Received};
use crate::services::Services;
use crate::settings::WorkerSettings;
use crate::time::Time;
use crate::update::Update;

/// How long the first fetch of the token and the first handshake with HubSpot may take.
const WARM_UP: Duration = Duration::from_secs(2);

/// How long a batch may take whose deadline has passed before it came: `cargo lambda watch` names
/// such ones.
const WITHOUT_DEADLINE: Duration = Duration::from_secs(30);

/// The time that is kept free for the answer.
const FOR_ANSWER: Duration = Duration::from_secs(1);

/// The time that is kept free for acknowledging messages and giving them back.
const FOR_QUEUE: Duration = Duration::from_secs(2);

/// The function, set up.
struct Function {
    hubspot: Hubspot,
    /// The queue of the messages.
    queue: Option<Queue>,
    dead_letters: DeadLetters,
    lines: Lines,
    /// How many messages a run takes at most.
    most: usize,
    /// The same for the next run, which is fewer after one whose time ran out; 0 before the first
    /// run.
    next: AtomicUsize,
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
            lines: Lines::new(settings.metrics),
            most: settings.batch,
            next: AtomicUsize::new(0),
        })
    }

    /// Applies the updates of the messages that Lambda hands over, and of more that wait. Returns the
    /// ids of those that Lambda has to give back to the queue.
    async fn work(&self, received: Vec<Received>, deadline: Instant) -> Vec<String> {
        let began = Time::now();
        let most = self.most_now(received.iter().map(|message| message.receives));
        let queue_by = deadline::before(deadline, FOR_QUEUE);
        let token = self.hubspot.check_token(self.dead_letters.work_until(queue_by)).await;
        let more = match &token {
            Ok(()) => self.take_more(most, &received, deadline).await,
            Err(_) => Vec::new(),
        };
        let mut batch = Batch::new(received, more);
        let wait = match token {
            Err(error) if !error.is_passing() => {
                tracing::error!(reason = %error, "token: cannot get the HubSpot token");
                let outcome = Outcome::Retry(RetryReason::Unauthorized, error.to_string());
                batch.outcomes = vec![outcome; batch.updates.len()];
                None
            }
            _ => self.apply(&mut batch, queue_by).await,
        };
        batch.retry();
        self.write_letters(&mut batch, queue_by).await;
        let retried = batch.retried();
        self.give_back(&batch, &retried, wait, deadline).await;
        let not_deleted = self.acknowledge(&mut batch, deadline).await;
        self.give_back(&batch, &not_deleted, None, deadline).await;
        self.tell(&batch, began);
        let next = more::next(most, batch.ran_out(), self.most);
        self.next.store(next, Ordering::Relaxed);
        batch.for_lambda()
    }

    /// Gives each update an outcome, in time for dead letters and the log's lines. Returns how long
    /// HubSpot wants to be left alone, if it said so.
    async fn apply(&self, batch: &mut Batch, queue_by: Instant) -> Option<Duration> {
        let updates = u32::try_from(batch.updates.len()).unwrap_or(u32::MAX);
        let told_by = deadline::before(queue_by, LINE.saturating_mul(updates));
        let deadline = self.dead_letters.work_until(told_by);
        let (fresh, again) = batch.updates.split_at(batch.fresh);
        let Ended { mut outcomes, mut associated, mut wait } = self.outcomes(fresh, deadline).await;
        // Where HubSpot wants to be left alone, that is for whatever comes.
        if wait.is_none() {
            let ended = self.outcomes(again, deadline).await;
            outcomes.extend(ended.outcomes);
            let after = ended.associated.into_iter();
            associated.extend(after.map(|(place, links)| (fresh.len() + place, links)));
            wait = ended.wait;
        }
        outcomes.resize(batch.updates.len(), not_tried());
        batch.outcomes = outcomes;
        batch.associated = associated;
        wait
    }

    /// One outcome for each update.
    async fn outcomes(&self, updates: &[Update], deadline: Instant) -> Ended {
        if let Some(ended) = self.run(updates, deadline).await {
            return ended;
        }
        // One of them makes the engine panic; alone it takes along no others but those behind it.
        let mut all = Ended::default();
        let mut waiting = HashSet::new();
        for (place, update) in updates.iter().enumerate() {
            let task = update.task.canonical();
            let mut outcome = not_tried();
            if !waiting.contains(&task) {
                let ended = self.run(std::slice::from_ref(update), deadline).await;
                let Ended { mut outcomes, associated, .. } = ended.unwrap_or_default();
                outcome = outcomes.pop().unwrap_or(outcome);
                all.associated.extend(associated.into_values().map(|links| (place, links)));
            }
            if matches!(outcome, Outcome::Retry(..)) {
                waiting.insert(task);
            }
            all.outcomes.push(outcome);
        }
        all
    }

    /// One run of the engine; `None` after a panic.
    async fn run(&self, updates: &[Update], deadline: Instant) -> Option<Ended> {
        if updates.is_empty() {
            return Some(Ended::default());
        }
        let run = engine::run(&self.hubspot, updates, deadline);
        let ended = AssertUnwindSafe(run).catch_unwind().await;
        if ended.is_err() {
            tracing::error!("a panic while updates were applied; please report it");
        }
        ended.ok()
    }

    /// Logs how the updates ended.
    fn tell(&self, batch: &Batch, began: Time) {
        for item in batch.items.iter().filter(|item| batch.is_told(item)) {
            for row in batch.rows(item) {
                lines::update(&item.source, Some(&item.event), &row, Some(item.way()));
            }
        }
        // The calls of the batch stand in its first line.
        let mut usage = self.hubspot.take_usage();
        for summary in summaries(batch) {
            self.lines.delivery(&summary, None, began, &std::mem::take(&mut usage));
        }
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
    let received: Vec<_> = batch.records.into_iter().map(Received::from).collect();
    let retried = if let Some(function) = function {
        function.work(received, deadline).await
    } else {
        tracing::error!(
            "set-up: the worker is not set up right, as was logged at its start; the batch comes back"
        );
        received.into_iter().map(|message| message.id).collect()
    };
    let mut response = SqsBatchResponse::default();
    for id in retried {
        let mut failure = BatchItemFailure::default();
        failure.item_identifier = id;
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

/// The outcome of an update that was left for later.
fn not_tried() -> Outcome {
    Outcome::Retry(RetryReason::Unavailable, "it was not tried".to_owned())
}

/// A summary for each source that the batch has updates of; with the delivery, if all of them are
/// of one.
fn summaries(batch: &Batch) -> Vec<Summary> {
    let mut summaries: BTreeMap<&str, Summary> = BTreeMap::new();
    for item in &batch.items {
        let mut rows = batch.rows(item).peekable();
        if rows.peek().is_none() {
            continue;
        }
        let summary = summaries.entry(&item.source).or_insert_with(|| Summary {
            source: item.source.clone(),
            event: Some(item.event.clone()),
            rows: Vec::new(),
        });
        summary.event.take_if(|first| *first != item.event);
        summary.rows.extend(rows);
    }
    summaries.into_values().collect()
}
