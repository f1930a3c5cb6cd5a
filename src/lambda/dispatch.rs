//! Sends an event's updates to HubSpot or into the queue, and failures to the dead letters.

use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::letters::{self, DeadLetter, DeadLetters};
use super::summary::{Row, Summary};
use crate::deadline;
use crate::delivery::{Delivery, Kept};
use crate::engine::{self, Ended};
use crate::hubspot::{Hubspot, Schema, Unfit};
use crate::outcome::{Associated, FailReason, Outcome, RetryReason};
use crate::queue::{self, Content, Entry, Failed, Letter, NotSent, Queue, letter_of_delivery};
use crate::secrets::SecretError;
use crate::source::{Event, Mapped, NotMapped};
use crate::update::Update;

/// The time that is kept free for the log's line about each update, on the share of a processor that
/// 256 MB give: 10,000 of them are half a second.
pub(super) const LINE: Duration = Duration::from_micros(50);

/// Everything behind the mapping.
pub(super) struct Dispatch {
    /// Where updates go.
    pub(super) destination: Destination,
    /// The values that the portal takes, where they are known.
    pub(super) schema: Option<Schema>,
    /// Where updates and events go that can't succeed.
    pub(super) dead_letters: DeadLetters,
    /// Whether everything is done but the writing.
    pub(super) observe: bool,
}

/// Where updates go.
pub(super) enum Destination {
    /// Into HubSpot, while the sender waits.
    Hubspot(Hubspot),
    /// Into the queue, from which the worker takes them.
    Queue(Queue),
}

/// An event whose updates were sent on their way.
pub(super) struct Dispatched {
    /// Every update with its outcome.
    pub(super) summary: Summary,
    /// How long HubSpot wants to be left alone, if it said so.
    pub(super) wait: Option<Duration>,
    /// Why a dead letter that has to be kept was not written, if so.
    pub(super) unwritten: Option<NotSent>,
}

/// Where an event comes from, as its dead letters say it.
struct Origin<'d> {
    source: &'d str,
    event: &'d str,
    delivery: &'d Delivery,
    /// The digest of the body.
    digest: [u8; 32],
}

/// The updates to send, each with its place in the event.
struct Pending {
    updates: Vec<Update>,
    places: Vec<usize>,
}

impl Pending {
    /// Room for so many.
    fn of(updates: usize) -> Self {
        Self { updates: Vec::with_capacity(updates), places: Vec::with_capacity(updates) }
    }
}

impl Dispatch {
    /// Sends the updates of an event on their way. `kept` is the part of the delivery that a dead
    /// letter may hold.
    ///
    /// An error means that the set-up lacks what every update needs.
    pub(super) async fn run(
        &self,
        source: &str,
        event: Event,
        delivery: &Delivery,
        kept: Kept,
        deadline: Instant,
    ) -> Result<Dispatched, SecretError> {
        let mut summary =
            Summary { source: source.to_owned(), event: Some(event.id.clone()), rows: Vec::new() };
        let Mapped::Updates(mapped) = event.mapped else {
            return Ok(Dispatched { summary, wait: None, unwritten: None });
        };
        let digest = Sha256::digest(&delivery.body).into();
        let origin = Origin { source, event: &event.id, delivery, digest };
        let mut letters = Vec::new();
        letters.extend(origin.letter_about_event(&mapped, kept));
        // Lists that grow take half as much again: megabytes, of ten thousand updates.
        let mut pending = Pending::of(mapped.len());
        summary.rows.reserve_exact(mapped.len());
        for (place, mapped) in mapped.into_iter().enumerate() {
            let mut update = match mapped {
                Ok(update) => update,
                Err(NotMapped { id, id_property, reason, detail }) => {
                    let outcome = Outcome::Failed(reason, detail);
                    let associated = Associated::default();
                    summary.rows.push(Row { id, id_property, time: None, outcome, associated });
                    continue;
                }
            };
            match self.schema.as_ref().map_or(Ok(()), |schema| schema.fit(&mut update)) {
                Ok(()) => {
                    update.observe |= self.observe;
                    summary.rows.push(Row::new(&update, not_sent_yet()));
                    pending.places.push(place);
                    pending.updates.push(update);
                }
                Err(Unfit { reason, detail, .. }) => {
                    letters.push(origin.letter_about_update(&update, place, reason, &detail));
                    summary.rows.push(Row::new(&update, Outcome::Failed(reason, detail)));
                }
            }
        }

        let for_lines = LINE.saturating_mul(u32::try_from(summary.rows.len()).unwrap_or(u32::MAX));
        let work_until = self.dead_letters.work_until(deadline::before(deadline, for_lines));
        let Ended { outcomes, mut associated, wait } =
            self.send(&origin, &pending.updates, work_until).await?;
        for (index, outcome) in outcomes.into_iter().enumerate() {
            let place = pending.places[index];
            if let Outcome::Failed(reason, detail) = &outcome {
                letters.push(origin.letter_about_update(
                    &pending.updates[index],
                    place,
                    *reason,
                    detail,
                ));
            }
            summary.rows[place].outcome = outcome;
            summary.rows[place].associated = associated.remove(&index).unwrap_or_default();
        }
        let written = self.dead_letters.write(&letters, deadline).await;
        let unwritten = written.into_iter().find_map(Result::err);
        Ok(Dispatched { summary, wait, unwritten })
    }

    /// One outcome for each update.
    async fn send(
        &self,
        origin: &Origin<'_>,
        updates: &[Update],
        deadline: Instant,
    ) -> Result<Ended, SecretError> {
        match &self.destination {
            _ if updates.is_empty() => Ok(Ended::default()),
            Destination::Hubspot(hubspot) => {
                match hubspot.check_token(deadline).await {
                    Err(error) if !error.is_passing() => return Err(error),
                    _ => {}
                }
                Ok(engine::run(hubspot, updates, deadline).await)
            }
            Destination::Queue(queue) => {
                let Origin { source, event, delivery, .. } = origin;
                let (entries, places): (Vec<_>, Vec<_>) =
                    Entry::updates(source, event, delivery, updates).into_iter().unzip();
                let mut outcomes = vec![not_sent_yet(); updates.len()];
                for (sent, places) in queue.send(&entries, deadline).await.into_iter().zip(places) {
                    let outcome = queued(sent);
                    for place in places {
                        outcomes[place] = outcome.clone();
                    }
                }
                Ok(Ended { outcomes, ..Ended::default() })
            }
        }
    }
}

impl Origin<'_> {
    /// The letter with the whole event, if it can't be read or anything of it could not be mapped.
    fn letter_about_event(
        &self,
        mapped: &[Result<Update, NotMapped>],
        kept: Kept,
    ) -> Option<DeadLetter> {
        let mut places = Vec::new();
        let mut details = Vec::new();
        let mut first_reason = None;
        for (place, mapped) in mapped.iter().enumerate() {
            if let Err(problem) = mapped {
                places.push(place);
                details.push(problem.detail.as_str());
                first_reason.get_or_insert(problem.reason);
            }
        }
        let reason = first_reason?;
        // The others go their way: sent through again, they would overwrite what is newer by then.
        let is_part = places.len() < mapped.len();
        let failed = is_part.then(|| Failed { updates: places.clone(), of: mapped.len() });
        let content = Content::Event(queue::Event {
            body: queue::Body::from_bytes(&self.delivery.body),
            headers: kept.headers.into_iter().collect(),
            query: kept.query,
            failed,
        });
        Some(self.letter(&places, reason, &details.join("; "), content))
    }

    /// The letter about the update at this place of the event.
    fn letter_about_update(
        &self,
        update: &Update,
        place: usize,
        reason: FailReason,
        detail: &str,
    ) -> DeadLetter {
        let content = Content::of_failed(std::slice::from_ref(update), reason);
        self.letter(&[place], reason, detail, content)
    }

    fn letter(
        &self,
        places: &[usize],
        reason: FailReason,
        detail: &str,
        content: Content,
    ) -> DeadLetter {
        let Self { source, event, delivery, digest } = self;
        let letter = Letter::failed(source, event, delivery.arrived, reason, detail, content);
        let id = letter_of_delivery(source, event, digest, &letter.reason, places);
        DeadLetter { id, text: letters::Text::Letter(Box::new(letter)) }
    }
}

/// The outcome until there is another: an update is rather tried again than lost.
fn not_sent_yet() -> Outcome {
    Outcome::Retry(RetryReason::Unavailable, "it was not sent".to_owned())
}

fn queued(result: Result<(), NotSent>) -> Outcome {
    match result {
        Ok(()) => Outcome::Queued,
        Err(NotSent::Later(why)) => Outcome::Retry(RetryReason::Unavailable, why),
        Err(why) => Outcome::Failed(FailReason::Rejected, why.to_string()),
    }
}
