//! A message to send: its text, and what SQS orders and deduplicates it by.

use uuid::Uuid;

use super::message::{self, BYTES, Message, deduplication, group};
use crate::update::Update;

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub(super) body: String,
    /// The message group, of a FIFO queue.
    pub(super) group: Option<String>,
    /// The deduplication id, of a FIFO queue.
    pub(super) deduplication: Option<String>,
}

impl Entry {
    /// An update on its way to the worker. `body` is that of the delivery, `event` as in
    /// [`deduplication`], and `index` the update's place in it.
    #[must_use]
    pub fn update(source: &str, event: &str, body: &[u8], index: usize, update: &Update) -> Self {
        let deduplication = deduplication(event, body, index, update);
        Self {
            group: Some(group(&update.task)),
            deduplication: Some(deduplication),
            body: message::text(&Message::new(source, event, update.clone())),
        }
    }

    /// An update that is sent through again: SQS must not take it for the one that it was.
    #[must_use]
    pub fn again(message: &Message) -> Self {
        let (group, body) = (Some(group(&message.update.task)), message::text(message));
        Self { body, group, deduplication: Some(Uuid::new_v4().to_string()) }
    }

    /// The text of a dead letter. It is a group of its own, and within five minutes SQS takes no
    /// other with this `id`, which is [`letter_of_delivery`](super::letter_of_delivery) or
    /// [`letter_of_message`](super::letter_of_message); a standard
    /// queue takes all.
    #[must_use]
    pub fn letter(id: &str, body: String) -> Self {
        Self { body, group: Some(id.to_owned()), deduplication: Some(id.to_owned()) }
    }

    /// Whether it is larger than SQS takes.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        self.body.len() > BYTES
    }
}
