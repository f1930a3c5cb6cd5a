//! Messages out of a queue, for a person who looks into it, and their visibility timeouts.
//!
//! Lambda itself receives for the worker.

use std::time::Duration;

use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message,
    MessageSystemAttributeName, QueueAttributeName,
};
use tokio::time::{Instant, timeout_at};

use super::plan::MOST_IN_CALL;
use super::{CallFailed, Queue};
use crate::time::Time;

/// The longest visibility timeout that is set: SQS hides a message for twelve hours at most,
/// counted from when it was received.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html>
const LONGEST_TIMEOUT: Duration = Duration::from_hours(11);

/// A message that was received, and is invisible to other consumers for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// SQS's id of it.
    pub id: String,
    /// The handle by which it is deleted or made visible.
    receipt: String,
    /// When it was sent, or moved to this queue.
    pub sent: Option<Time>,
    /// Its text.
    pub text: String,
}

impl Received {
    fn new(message: Message) -> Self {
        let attributes = message.attributes();
        let sent = attributes.and_then(|all| all.get(&MessageSystemAttributeName::SentTimestamp));
        let milliseconds = sent.and_then(|text| text.parse().ok());
        Self {
            sent: milliseconds.map(Time::from_milliseconds),
            id: message.message_id.unwrap_or_default(),
            receipt: message.receipt_handle.unwrap_or_default(),
            text: message.body.unwrap_or_default(),
        }
    }
}

impl Queue {
    /// Receives until the queue is empty, appending to `all`. Each message stays invisible to other
    /// consumers for `hidden`. Of a message group, SQS may hand out some messages only after those
    /// before them are deleted.
    pub async fn receive(
        &self,
        hidden: Duration,
        all: &mut Vec<Received>,
    ) -> Result<(), CallFailed> {
        let seconds = i32::try_from(hidden.as_secs()).unwrap_or(i32::MAX);
        let most = i32::try_from(MOST_IN_CALL).unwrap_or(i32::MAX);
        loop {
            let call = self
                .client
                .receive_message()
                .queue_url(&self.url)
                .max_number_of_messages(most)
                .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
                .visibility_timeout(seconds)
                // A long poll asks all of SQS's servers; a short one may miss messages.
                .wait_time_seconds(1);
            let messages = call.send().await?.messages.unwrap_or_default();
            if messages.is_empty() {
                return Ok(());
            }
            all.extend(messages.into_iter().map(Received::new));
        }
    }

    /// About how many messages are visible.
    pub async fn waiting(&self) -> Result<u64, CallFailed> {
        self.sum(&[QueueAttributeName::ApproximateNumberOfMessages]).await
    }

    /// About how many messages there are, visible or not.
    pub async fn depth(&self) -> Result<u64, CallFailed> {
        self.sum(&[
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ])
        .await
    }

    /// Whether SQS moves a message that is received too often to another queue: then this is a
    /// queue that a function works off, and no queue of dead letters.
    pub async fn has_redrive_policy(&self) -> Result<bool, CallFailed> {
        let policies = self.attributes(&[QueueAttributeName::RedrivePolicy]).await?;
        Ok(!policies.is_empty())
    }

    /// The sum of attributes that are numbers.
    async fn sum(&self, names: &[QueueAttributeName]) -> Result<u64, CallFailed> {
        let values = self.attributes(names).await?;
        Ok(values.iter().filter_map(|value| value.parse::<u64>().ok()).sum())
    }

    /// The values of those attributes that the queue has.
    async fn attributes(&self, names: &[QueueAttributeName]) -> Result<Vec<String>, CallFailed> {
        let call = self.client.get_queue_attributes().queue_url(&self.url);
        let answer = call.set_attribute_names(Some(names.to_vec())).send().await?;
        let mut attributes = answer.attributes.unwrap_or_default();
        Ok(names.iter().filter_map(|name| attributes.remove(name)).collect())
    }

    /// Deletes messages that were received. The error is about some of them; the others are
    /// deleted.
    pub async fn delete(&self, messages: &[&Received]) -> Result<(), CallFailed> {
        let mut result = Ok(());
        for batch in messages.chunks(MOST_IN_CALL) {
            let mut entries = Vec::new();
            for (index, message) in batch.iter().enumerate() {
                let entry = DeleteMessageBatchRequestEntry::builder().id(index.to_string());
                entries.extend(entry.receipt_handle(&message.receipt).build());
            }
            let call = self.client.delete_message_batch().queue_url(&self.url);
            match call.set_entries(Some(entries)).send().await {
                Err(error) => result = Err(error.into()),
                Ok(answer) => {
                    if let Some(failed) = answer.failed().first() {
                        let why = format!("SQS refuses to delete a message: {}", failed.code());
                        result = Err(CallFailed(why));
                    }
                }
            }
        }
        result
    }

    /// Makes messages that were received visible to all consumers. Where that fails, the visibility
    /// timeout does it.
    pub async fn release(&self, messages: &[&Received], deadline: Instant) {
        let mut timeouts = Vec::new();
        for message in messages {
            timeouts.push((message.receipt.clone(), Duration::ZERO));
        }
        self.set_visibility(&timeouts, deadline).await;
    }

    /// Sets the visibility timeouts of messages, given by their receipts. Where that fails, the
    /// timeout of the queue goes on.
    pub async fn set_visibility(&self, messages: &[(String, Duration)], deadline: Instant) {
        for batch in messages.chunks(MOST_IN_CALL) {
            let mut entries = Vec::new();
            for (index, (receipt, timeout)) in batch.iter().enumerate() {
                let seconds = i32::try_from(timeout.min(&LONGEST_TIMEOUT).as_secs());
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(index.to_string())
                    .receipt_handle(receipt)
                    .visibility_timeout(seconds.unwrap_or_default());
                entries.extend(entry.build());
            }
            let call = self.client.change_message_visibility_batch().queue_url(&self.url);
            match timeout_at(deadline, call.set_entries(Some(entries)).send()).await {
                Ok(Ok(answer)) => {
                    if let Some(failed) = answer.failed().first() {
                        let code = failed.code();
                        tracing::warn!(code, "the visibility timeout of a message is not set");
                    }
                }
                Ok(Err(error)) => {
                    let reason = CallFailed::from(error).to_string();
                    tracing::warn!(reason, "the visibility timeouts of messages are not set");
                }
                Err(_) => tracing::warn!("no time was left to set visibility timeouts"),
            }
        }
    }
}
