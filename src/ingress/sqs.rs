//! The function behind the queue: a batch of queued updates is one run of the engine.
//!
//! What is done is acknowledged; what may succeed later comes back, with all later messages of its
//! group, so that the updates of a task keep their order; what can't succeed becomes a dead letter
//! before it is acknowledged.

use std::collections::{BTreeMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use futures_util::FutureExt as _;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::engine::{self, Ended};
use crate::hubspot::Hubspot;
use crate::outbound;
use crate::outcome::{Outcome, RetryReason};
use crate::queue::{Arrived, Content, Entry, Letter, Message, NotSent, Queue, letter_of_message};
use crate::secrets::Secrets;
use crate::settings::{Program, Settings};
use crate::summary::{Row, Summary};
use crate::time::Time;
use crate::{aws, ingress, telemetry};

/// How long the first fetch of the token and the first handshake with HubSpot may take.
const WARM_UP: Duration = Duration::from_secs(2);

/// How long a batch may take whose deadline has passed before it came: `cargo lambda watch` names
/// such ones.
const WITHOUT_DEADLINE: Duration = Duration::from_secs(30);

/// What is kept of the time for the answer; a quarter, if that is less.
const MARGIN: Duration = Duration::from_secs(1);

/// What is kept of the time for dead letters and then for setting when messages come back; a
/// quarter, if that is less.
const FOR_THE_END: Duration = Duration::from_secs(4);

/// After how long a message comes back that came once; each further time twice as long. An outage
/// of seconds costs seconds.
const FIRST_WAIT: Duration = Duration::from_secs(5);

/// The longest wait, unless HubSpot wants a longer one: so long after an outage everything goes on,
/// and 1,000 receives, which is as many as SQS counts, last for more than a day.
const LONGEST_WAIT: Duration = Duration::from_mins(2);

/// The longest reason in the log, in characters.
const REASON: usize = 1000;

/// The function, set up.
struct Function {
    settings: Settings,
    secrets: Arc<Secrets>,
    hubspot: Hubspot,
    /// Where the messages come from, for setting when they come back.
    queue: Option<Queue>,
    dead_letters: Option<Queue>,
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
}

/// Runs the function until Lambda ends it. With a broken set-up every batch comes back.
pub async fn run() -> Result<(), lambda_runtime::Error> {
    let function = Function::set_up(&|name| std::env::var(name).ok());
    if let Some(function) = &function {
        let deadline = Instant::now() + WARM_UP;
        let token = function.secrets.prefetch(&function.settings.hubspot_token, deadline);
        tokio::join!(token, function.hubspot.warm_up(deadline));
    }
    let function = function.as_ref();
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Box<RawValue>>| {
        handle(function, event)
    }))
    .await
}

impl Function {
    /// Reads the environment. What is wrong is logged, everything at once.
    fn set_up(variable: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
        let settings = Settings::read(Program::Worker, variable);
        for problem in settings.as_ref().err().into_iter().flatten() {
            tracing::error!("set-up: {problem}");
        }
        let settings = settings.ok()?;
        let http = outbound::client(true);
        let secrets = Arc::new(Secrets::new(
            aws::secrets_manager(&settings.aws, http.clone()),
            settings.secret_ttl,
        ));
        let hubspot = Hubspot::from_settings(&settings, &secrets, http.clone())?;
        let sqs = aws::sqs(&settings.aws, http);
        let queue = |url: &Option<String>| url.as_ref().map(|url| Queue::new(sqs.clone(), url));
        let (updates, dead_letters) =
            (queue(&settings.queue_url), queue(&settings.dead_letter_url));
        Some(Self { settings, secrets, hubspot, queue: updates, dead_letters })
    }

    /// Works a batch off. Returns which of the messages come back.
    async fn work(&self, items: &[Item], deadline: Instant) -> Vec<bool> {
        let left = deadline.saturating_duration_since(Instant::now());
        let for_the_end = FOR_THE_END.min(left / 4);
        let (working_time, letters_by) = (deadline - for_the_end, deadline - for_the_end / 2);
        let messages: Vec<_> = items.iter().filter_map(Item::message).collect();
        let ended = self.apply(&messages, working_time).await;
        let mut outcomes = ended.outcomes.into_iter();
        // `None` for what is no update.
        let outcomes: Vec<_> =
            items.iter().map(|item| item.message().and_then(|_| outcomes.next())).collect();
        let back = coming_back(items, |index| matches!(outcomes[index], Some(Outcome::Retry(..))));
        let unwritten = self.keep(items, &outcomes, &back, letters_by).await;
        let back = coming_back(items, |index| back[index] || unwritten.contains(&index));
        self.set_waits(items, &back, ended.wait, deadline).await;
        for summary in summaries(items, outcomes) {
            ingress::log(&summary, None);
        }
        back
    }

    /// One outcome for each message.
    async fn apply(&self, messages: &[&Message], deadline: Instant) -> Ended {
        let all = |outcome: Outcome| Ended { outcomes: vec![outcome; messages.len()], wait: None };
        if let Err(error) = self.hubspot.check_token(deadline).await
            && !error.is_passing()
        {
            tracing::error!(reason = %error, "set-up: the HubSpot token can't be had");
            return all(Outcome::Retry(RetryReason::Unauthorized, error.to_string()));
        }
        if let Some(ended) = self.run(messages, deadline).await {
            return ended;
        }
        // One of them makes the engine panic; alone it can't take the others along.
        let mut outcomes = Vec::new();
        for message in messages {
            let ended =
                self.run(&[*message], deadline).await.and_then(|mut ended| ended.outcomes.pop());
            let panicked =
                || Outcome::Retry(RetryReason::Unavailable, "an internal error".to_owned());
            outcomes.push(ended.unwrap_or_else(panicked));
        }
        Ended { outcomes, wait: None }
    }

    /// One run of the engine; `None` after a panic.
    async fn run(&self, messages: &[&Message], deadline: Instant) -> Option<Ended> {
        let updates: Vec<_> = messages.iter().map(|message| message.update.clone()).collect();
        let run = engine::run(&self.hubspot, &updates, deadline, self.settings.observe);
        let ended = AssertUnwindSafe(run).catch_unwind().await;
        ended
            .inspect_err(|_| {
                tracing::error!("a panic while updates were applied; please report it");
            })
            .ok()
    }

    /// Writes the dead letters of what doesn't come back anyway. Returns the messages whose letters
    /// could not be written.
    async fn keep(
        &self,
        items: &[Item],
        outcomes: &[Option<Outcome>],
        back: &[bool],
        deadline: Instant,
    ) -> HashSet<usize> {
        let dead = (0..items.len()).filter(|index| !back[*index]);
        let dead = dead
            .filter_map(|index| Some((index, Dead::of(&items[index], outcomes[index].as_ref())?)));
        let (indices, dead): (Vec<_>, Vec<_>) = dead.unzip();
        let Some(dead_letters) = &self.dead_letters else {
            // Why an update failed is in the log. What is no update is nowhere else: SQS's own
            // redrive takes it away.
            return indices.into_iter().filter(|index| outcomes[*index].is_none()).collect();
        };
        let ids: Vec<_> =
            indices.iter().map(|index| letter_of_message(&items[*index].id)).collect();
        let entries: Vec<_> =
            ids.iter().zip(&dead).map(|(id, dead)| Entry::letter(id, dead.text())).collect();
        let mut results = dead_letters.send(&entries, deadline).await;
        for ((result, id), dead) in results.iter_mut().zip(&ids).zip(&dead) {
            if let (Err(NotSent::Refused(_)), Dead::Letter(letter)) = (&*result, dead) {
                let plain = [Entry::letter(id, letter.to_ascii())];
                *result = dead_letters.send(&plain, deadline).await.remove(0);
            }
        }
        let mut unwritten = HashSet::new();
        for (index, result) in indices.into_iter().zip(results) {
            if let Err(why) = result {
                tracing::error!(messageId = items[index].id, reason = %why, "a dead letter could not be written");
                unwritten.insert(index);
            }
        }
        unwritten
    }

    /// Lets what comes back come back in time, instead of after the whole visibility timeout.
    async fn set_waits(
        &self,
        items: &[Item],
        back: &[bool],
        wait: Option<Duration>,
        deadline: Instant,
    ) {
        let Some(queue) = &self.queue else { return };
        let returning = items.iter().zip(back).filter(|(_, back)| **back);
        let receipts: Vec<_> = returning
            .filter_map(|(item, _)| {
                Some((item.receipt.clone()?, backoff(item.receives).max(wait.unwrap_or_default())))
            })
            .collect();
        queue.come_back(&receipts, deadline).await;
    }
}

/// Answers one batch: the messages that come back. An error means that it is none.
async fn handle(
    function: Option<&Function>,
    event: LambdaEvent<Box<RawValue>>,
) -> Result<SqsBatchResponse, NoBatch> {
    let LambdaEvent { payload, context } = event;
    let batch: SqsEvent = serde_json::from_str(payload.get()).map_err(NoBatch)?;
    // The messages are there a second time by now.
    drop(payload);
    let left = context.deadline().duration_since(SystemTime::now()).unwrap_or(WITHOUT_DEADLINE);
    // Lambda has to have the answer by then.
    let deadline = Instant::now() + left.saturating_sub(MARGIN.min(left / 4));
    let items: Vec<_> = batch.records.into_iter().map(Item::new).collect();
    let back = if let Some(function) = function {
        function.work(&items, deadline).await
    } else {
        tracing::error!(
            "set-up: the worker is not set up right, as was logged at its start; the batch comes back"
        );
        vec![true; items.len()]
    };
    let failures = items.into_iter().zip(back).filter(|(_, back)| *back).map(|(item, _)| {
        let mut failure = BatchItemFailure::default();
        failure.item_identifier = item.id;
        failure
    });
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = failures.collect();
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
        }
    }

    /// The update, if it is one.
    fn message(&self) -> Option<&Message> {
        if let Arrived::Update(message) = &self.arrived { Some(message) } else { None }
    }
}

/// Which messages come back: those that have to, and all later ones of their groups.
fn coming_back(items: &[Item], has_to: impl Fn(usize) -> bool) -> Vec<bool> {
    let mut groups = HashSet::new();
    let mut comes_back = |(index, item): (usize, &Item)| {
        let comes = has_to(index) || groups.contains(&item.group);
        if comes {
            groups.insert(item.group.clone());
        }
        comes
    };
    items.iter().enumerate().map(&mut comes_back).collect()
}

/// What goes to the dead letters of a message that can't succeed as it is.
enum Dead<'i> {
    /// A new letter about it.
    Letter(Box<Letter>),
    /// A letter that was moved into the queue of updates, as it came: in another letter `replay`
    /// would not find it.
    Moved(&'i str),
}

impl<'i> Dead<'i> {
    fn of(item: &'i Item, outcome: Option<&Outcome>) -> Option<Self> {
        let now = Time::now();
        match (&item.arrived, outcome) {
            (Arrived::Unknown(why), _) => {
                let reason = telemetry::one_line(&telemetry::without_quotes(why), REASON);
                tracing::error!(messageId = item.id, reason, "a message can't be read");
                Some(Self::Letter(Box::new(Letter::unreadable(now, why.clone(), &item.text))))
            }
            (Arrived::Letter, _) => {
                let hint = "a dead letter was moved into the queue of updates, and goes back; `taskhook replay` sends it";
                tracing::warn!(messageId = item.id, "{hint}");
                Some(Self::Moved(&item.text))
            }
            (Arrived::Update(message), Some(Outcome::Failed(reason, detail))) => {
                let content = Content::Update { update: Box::new(message.update.clone()) };
                let letter =
                    Letter::failed(&message.source, &message.event, now, *reason, detail, content);
                Some(Self::Letter(Box::new(letter)))
            }
            _ => None,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Letter(letter) => letter.to_text(),
            Self::Moved(text) => (*text).to_owned(),
        }
    }
}

/// How long a message waits that was received this often.
fn backoff(receives: u32) -> Duration {
    FIRST_WAIT.saturating_mul(1 << receives.saturating_sub(1).min(16)).min(LONGEST_WAIT)
}

/// A summary for each delivery that the batch has updates of.
fn summaries(items: &[Item], outcomes: Vec<Option<Outcome>>) -> impl Iterator<Item = Summary> {
    let mut deliveries: BTreeMap<(&str, &str), Vec<Row>> = BTreeMap::new();
    for (item, outcome) in items.iter().zip(outcomes) {
        if let (Some(message), Some(outcome)) = (item.message(), outcome) {
            let task = message.update.task.clone();
            let row = Row { id: Some(task.id), id_property: task.id_property, outcome };
            deliveries.entry((&message.source, &message.event)).or_default().push(row);
        }
    }
    let summary = |((source, event), rows): ((&str, &str), _)| Summary {
        source: source.to_owned(),
        event: Some(event.to_owned()),
        rows,
    };
    deliveries.into_iter().map(summary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_back_takes_the_later_ones_of_its_group_along() {
        let item = |group: &str| Item {
            id: String::new(),
            receipt: None,
            group: group.to_owned(),
            receives: 1,
            text: String::new(),
            arrived: Arrived::Letter,
        };
        let items = ["a", "b", "a", "c", "b", "a"].map(item);
        let back = coming_back(&items, |index| index == 2 || index == 3);
        assert_eq!(back, [false, false, true, true, false, true]);
    }

    #[test]
    fn a_message_waits_longer_each_time_and_a_thousand_receives_last_a_day() {
        assert_eq!([1, 2, 3].map(backoff), [5, 10, 20].map(Duration::from_secs));
        assert_eq!([6, 7, 1000, u32::MAX].map(backoff), [LONGEST_WAIT; 4]);
        assert!((1..=1000).map(backoff).sum::<Duration>() >= Duration::from_hours(24));
    }
}
