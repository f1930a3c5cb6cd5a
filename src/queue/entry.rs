//! A message to send: its text, and what SQS orders and deduplicates it by.

use uuid::Uuid;

use super::message::{self, BYTES, Message, deduplication, group};
use crate::delivery::Delivery;
use crate::update::Update;

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub(super) body: String,
    /// The message group, of a FIFO queue.
    pub(super) group: Option<String>,
    /// The deduplication id, of a FIFO queue.
    pub(super) deduplication: Option<String>,
    /// The header of AWS X-Ray's that joins the worker's invocation to the webhook's.
    pub(super) trace_header: Option<String>,
}

impl Entry {
    /// An update on its way to the worker, which came with this delivery; `event` is as in
    /// [`deduplication`], and `index` the update's place in it.
    #[must_use]
    pub fn update(
        source: &str,
        event: &str,
        delivery: &Delivery,
        index: usize,
        update: &Update,
    ) -> Self {
        let message = Message::new(source, event, update.clone()).of_request(&delivery.request_id);
        Self {
            group: Some(group(&update.task)),
            deduplication: Some(deduplication(event, &delivery.body, index, update)),
            body: message::text(&message),
            trace_header: delivery.trace_header.clone(),
        }
    }

    /// An update that is sent through again: SQS must not take it for the one that it was.
    #[must_use]
    pub fn again(message: &Message) -> Self {
        Self {
            body: message::text(message),
            group: Some(group(&message.update.task)),
            deduplication: Some(Uuid::new_v4().to_string()),
            trace_header: None,
        }
    }

    /// The text of a dead letter. It is a group of its own, and within five minutes SQS takes no
    /// other with this `id`, which is [`letter_of_delivery`](super::letter_of_delivery) or
    /// [`letter_of_message`](super::letter_of_message); a standard
    /// queue takes all.
    #[must_use]
    pub fn letter(id: &str, body: String) -> Self {
        let id = Some(id.to_owned());
        Self { body, group: id.clone(), deduplication: id, trace_header: None }
    }

    /// Whether it is larger than SQS takes.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        self.body.len() > BYTES
    }
}
