//! Where the updates of an event go: to HubSpot, or into the queue; and what can't succeed, to the
//! dead letters.

use std::time::Duration;

use tokio::time::Instant;

use crate::delivery::{Delivery, Kept};
use crate::engine;
use crate::hubspot::{Hubspot, Schema, Unfit};
use crate::outcome::{FailReason, Outcome, RetryReason};
use crate::queue::{self, Content, Entry, Failed, Letter, NotSent, Queue, letter_of_delivery};
use crate::secrets::SecretError;
use crate::source::{Event, Mapped, NotMapped};
use crate::summary::{Row, Summary};
use crate::update::{TaskKey, Update};

/// What is kept of the time for writing dead letters: SQS answers within some 10 ms, and may have
/// to be asked again.
const FOR_LETTERS: Duration = Duration::from_secs(1);

/// Everything behind the mapping.
pub struct Dispatch {
    /// Where updates go.
    pub destination: Destination,
    /// What the portal takes, where that is known.
    pub schema: Option<Schema>,
    /// Where what can't succeed goes, if it is kept.
    pub dead_letters: Option<Queue>,
    /// Whether everything is done but the writing.
    pub observe: bool,
}

/// Where updates go.
pub enum Destination {
    /// Into HubSpot, while the sender waits.
    Hubspot(Hubspot),
    /// Into the queue, from which the worker takes them.
    Queue(Queue),
}

/// What became of an event.
pub struct Dispatched {
    /// Every update with its outcome.
    pub summary: Summary,
    /// How long HubSpot wants to be left alone, if it said so.
    pub wait: Option<Duration>,
    /// Why not every dead letter that has to be kept was written, if so.
    pub unwritten: Option<String>,
}

/// An event on its way: who sent it, and what a dead letter says about it.
struct Story<'d> {
    source: &'d str,
    event: &'d str,
    delivery: &'d Delivery,
}

impl Dispatch {
    /// Sends the updates of an event on their way. `kept` is what a dead letter may say of the
    /// delivery.
    ///
    /// An error means that the set-up lacks what every update needs.
    pub async fn run(
        &self,
        source: &str,
        event: Event,
        delivery: &Delivery,
        kept: Kept,
        deadline: Instant,
    ) -> Result<Dispatched, SecretError> {
        let summary =
            |rows| Summary { source: source.to_owned(), event: Some(event.id.clone()), rows };
        let Mapped::Updates(mapped) = event.mapped else {
            return Ok(Dispatched { summary: summary(Vec::new()), wait: None, unwritten: None });
        };
        let story = Story { source, event: &event.id, delivery };
        let mut letters: Vec<_> = story.unmapped(&mapped, kept).into_iter().collect();
        // A slot for each update, with its row if that is clear before anything is sent. `places`
        // says which of them the updates to send have.
        let (mut updates, mut places, mut slots) = (Vec::new(), Vec::new(), Vec::new());
        for mapped in mapped {
            let mut update = match mapped {
                Ok(update) => update,
                Err(NotMapped { id, id_property, reason, detail }) => {
                    slots.push(Some(Row {
                        id,
                        id_property,
                        outcome: Outcome::Failed(reason, detail),
                    }));
                    continue;
                }
            };
            if let Some(Unfit { reason, detail }) =
                self.schema.as_ref().and_then(|schema| schema.check(&mut update).err())
            {
                letters.push(story.failed(&update, slots.len(), reason, &detail));
                slots.push(Some(row(update.task, Outcome::Failed(reason, detail))));
            } else {
                updates.push(update);
                places.push(slots.len());
                slots.push(None);
            }
        }
        let (outcomes, wait) = self.send(&story, &updates, self.working_time(deadline)).await?;
        for ((update, place), outcome) in updates.iter().zip(places).zip(&outcomes) {
            if let Outcome::Failed(reason, detail) = outcome {
                letters.push(story.failed(update, place, *reason, detail));
            }
        }
        let unwritten = self.keep(&letters, deadline).await.err();
        let mut rows =
            updates.into_iter().zip(outcomes).map(|(update, outcome)| row(update.task, outcome));
        let rows = slots.into_iter().filter_map(|slot| slot.or_else(|| rows.next())).collect();
        Ok(Dispatched { summary: summary(rows), wait, unwritten })
    }

    /// One outcome for each update.
    async fn send(
        &self,
        story: &Story<'_>,
        updates: &[Update],
        deadline: Instant,
    ) -> Result<(Vec<Outcome>, Option<Duration>), SecretError> {
        match &self.destination {
            _ if updates.is_empty() => Ok((Vec::new(), None)),
            Destination::Hubspot(hubspot) => {
                hubspot
                    .check_token(deadline)
                    .await
                    .or_else(|error| if error.is_passing() { Ok(()) } else { Err(error) })?;
                let ended = engine::run(hubspot, updates, deadline, self.observe).await;
                Ok((ended.outcomes, ended.wait))
            }
            Destination::Queue(_) if self.observe => {
                Ok((vec![engine::observed(); updates.len()], None))
            }
            Destination::Queue(queue) => {
                let entry = |(index, update)| {
                    Entry::update(story.source, story.event, &story.delivery.body, index, update)
                };
                let entries: Vec<_> = updates.iter().enumerate().map(entry).collect();
                Ok((queue.send(&entries, deadline).await.into_iter().map(queued).collect(), None))
            }
        }
    }

    /// Until when updates are worked on, so that there is time for dead letters.
    fn working_time(&self, deadline: Instant) -> Instant {
        let left = deadline.saturating_duration_since(Instant::now());
        if self.dead_letters.is_some() { deadline - FOR_LETTERS.min(left / 4) } else { deadline }
    }

    /// Writes dead letters. One that the queue never takes as it is gets another form: in ASCII,
    /// and at last cut.
    async fn keep(&self, letters: &[Addressed], deadline: Instant) -> Result<(), String> {
        let Some(dead_letters) = &self.dead_letters else { return Ok(()) };
        let mut unwritten: Vec<_> = letters.iter().collect();
        let forms: [fn(&Letter) -> String; 3] = [Letter::to_text, Letter::to_ascii, cut];
        for (index, form) in forms.into_iter().enumerate() {
            let entries: Vec<_> =
                unwritten.iter().map(|to| Entry::letter(&to.id, form(&to.letter))).collect();
            let results = dead_letters.send(&entries, deadline).await;
            let mut refused = Vec::new();
            for (to, result) in unwritten.into_iter().zip(results) {
                match result {
                    Ok(()) => {}
                    Err(why) if why.is_final() && index + 1 < forms.len() => refused.push(to),
                    Err(why) => return Err(why.to_string()),
                }
            }
            unwritten = refused;
        }
        Ok(())
    }
}

/// A dead letter, and what the queue knows it by.
struct Addressed {
    id: String,
    letter: Letter,
}

/// The beginning of a letter that can't be kept whole: better than nothing.
fn cut(letter: &Letter) -> String {
    tracing::error!(event = letter.event, "a dead letter is too large, and cut");
    letter.cut().to_ascii()
}

impl Story<'_> {
    /// The letter with the whole event, if it can't be read or anything of it could not be mapped.
    fn unmapped(&self, mapped: &[Result<Update, NotMapped>], kept: Kept) -> Option<Addressed> {
        let not_mapped = mapped
            .iter()
            .enumerate()
            .filter_map(|(index, mapped)| Some((index, mapped.as_ref().err()?)));
        let (updates, not_mapped): (Vec<_>, Vec<_>) = not_mapped.unzip();
        let reason = not_mapped.first()?.reason;
        let detail =
            not_mapped.iter().map(|not| not.detail.as_str()).collect::<Vec<_>>().join("; ");
        let places = updates.clone();
        // The others go their way: sent through again, they would overwrite what is newer by then.
        let failed = Some(Failed { updates, of: mapped.len() })
            .filter(|failed| failed.updates.len() < failed.of);
        let content = Content::Event(queue::Event {
            body: queue::Body::of(&self.delivery.body),
            headers: kept.headers.into_iter().collect(),
            query: kept.query,
            failed,
        });
        Some(self.letter(&places, reason, &detail, content))
    }

    /// The letter about the update at this place of the event.
    fn failed(&self, update: &Update, place: usize, reason: FailReason, detail: &str) -> Addressed {
        self.letter(&[place], reason, detail, Content::Update { update: Box::new(update.clone()) })
    }

    fn letter(
        &self,
        places: &[usize],
        reason: FailReason,
        detail: &str,
        content: Content,
    ) -> Addressed {
        let letter =
            Letter::failed(self.source, self.event, self.delivery.arrived, reason, detail, content);
        let id = letter_of_delivery(
            self.source,
            self.event,
            &self.delivery.body,
            &letter.reason,
            places,
        );
        Addressed { id, letter }
    }
}

fn row(task: TaskKey, outcome: Outcome) -> Row {
    Row { id: Some(task.id), id_property: task.id_property, outcome }
}

fn queued(result: Result<(), NotSent>) -> Outcome {
    match result {
        Ok(()) => Outcome::Queued,
        Err(NotSent::Later(why)) => Outcome::Retry(RetryReason::Unavailable, why),
        Err(why) => Outcome::Failed(FailReason::Rejected, why.to_string()),
    }
}
