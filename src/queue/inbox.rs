//! Messages out of a queue, for a person who looks into it. Between the functions Lambda itself
//! does this.

use std::time::Duration;

use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, MessageSystemAttributeName, QueueAttributeName,
};
use tokio::time::Instant;

use super::{Queue, reason};
use crate::time::Time;

/// The most messages of one call.
const BATCH: usize = 10;

/// A message that is kept from others for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// What SQS calls it.
    pub id: String,
    /// What it is deleted or released by.
    receipt: String,
    /// When it was sent, or moved to this queue.
    pub sent: Option<Time>,
    /// Its text.
    pub text: String,
}

impl Queue {
    /// Adds everything that the queue gives out now to `all`, in its order, kept from others for
    /// `hidden`. Of messages of one group, SQS may give out some only when those before them are
    /// deleted.
    pub async fn receive(&self, hidden: Duration, all: &mut Vec<Received>) -> Result<(), String> {
        let seconds = i32::try_from(hidden.as_secs()).unwrap_or(i32::MAX);
        loop {
            let call =
                self.client.receive_message().queue_url(&self.url).max_number_of_messages(10);
            let call =
                call.message_system_attribute_names(MessageSystemAttributeName::SentTimestamp);
            // A long poll asks all of SQS's servers; a short one may miss messages.
            let answer = call.visibility_timeout(seconds).wait_time_seconds(1).send().await;
            let messages = answer.map_err(|error| reason(&error))?.messages.unwrap_or_default();
            if messages.is_empty() {
                return Ok(());
            }
            all.extend(messages.into_iter().map(|message| {
                Received {
                    sent: message
                        .attributes()
                        .and_then(|attributes| {
                            attributes.get(&MessageSystemAttributeName::SentTimestamp)
                        })
                        .and_then(|sent| sent.parse().ok())
                        .map(Time::from_milliseconds),
                    id: message.message_id.unwrap_or_default(),
                    receipt: message.receipt_handle.unwrap_or_default(),
                    text: message.body.unwrap_or_default(),
                }
            }));
        }
    }

    /// About how many messages wait that nobody has taken.
    pub async fn waiting(&self) -> Result<u64, String> {
        let name = QueueAttributeName::ApproximateNumberOfMessages;
        let call =
            self.client.get_queue_attributes().queue_url(&self.url).attribute_names(name.clone());
        let answer = call.send().await.map_err(|error| reason(&error))?;
        Ok(answer.attributes().and_then(|all| all.get(&name)?.parse().ok()).unwrap_or_default())
    }

    /// Whether SQS moves what is received too often to another queue: then this is one that a
    /// function works off, and not where dead letters end.
    pub async fn has_redrive_policy(&self) -> Result<bool, String> {
        let name = QueueAttributeName::RedrivePolicy;
        let call =
            self.client.get_queue_attributes().queue_url(&self.url).attribute_names(name.clone());
        let answer = call.send().await.map_err(|error| reason(&error))?;
        Ok(answer.attributes().is_some_and(|all| all.contains_key(&name)))
    }

    /// About how many messages there are, waiting or under way.
    pub async fn depth(&self) -> Result<u64, String> {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let call = self
            .client
            .get_queue_attributes()
            .queue_url(&self.url)
            .set_attribute_names(Some(names.to_vec()));
        let answer = call.send().await.map_err(|error| reason(&error))?;
        let count = |name: &QueueAttributeName| answer.attributes()?.get(name)?.parse::<u64>().ok();
        Ok(names.iter().filter_map(count).sum())
    }

    /// Deletes messages that were received. The error is about some of them; the others are
    /// deleted.
    pub async fn delete(&self, messages: &[&Received]) -> Result<(), String> {
        let mut result = Ok(());
        for batch in messages.chunks(BATCH) {
            let entries = batch.iter().enumerate().map(|(index, message)| {
                DeleteMessageBatchRequestEntry::builder()
                    .id(index.to_string())
                    .receipt_handle(&message.receipt)
                    .build()
            });
            let entries =
                entries.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
            let call =
                self.client.delete_message_batch().queue_url(&self.url).set_entries(Some(entries));
            match call.send().await {
                Err(error) => result = Err(reason(&error)),
                Ok(answer) => {
                    if let Some(failed) = answer.failed().first() {
                        result = Err(format!("SQS refuses to delete a message: {}", failed.code()));
                    }
                }
            }
        }
        result
    }

    /// Gives messages that were received back to everybody. What fails comes back by itself.
    pub async fn release(&self, messages: &[&Received], deadline: Instant) {
        let at_once = |message: &&Received| (message.receipt.clone(), Duration::ZERO);
        self.set_visibility(&messages.iter().map(at_once).collect::<Vec<_>>(), deadline).await;
    }
}
