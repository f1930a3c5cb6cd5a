//! Messages out of a queue, for a person who looks into it. Their visibility timeouts, and their
//! deletion.

use std::collections::HashMap;
use std::time::Duration;

use aws_lambda_events::sqs::SqsMessage;
use aws_sdk_sqs::operation::receive_message::builders::ReceiveMessageFluentBuilder;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message,
    MessageSystemAttributeName, QueueAttributeName,
};
use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::time::{Instant, timeout_at};

use super::plan::MOST_IN_CALL;
use super::{CallFailed, Queue};
use crate::time::Time;

/// How many calls are made side by side.
const AT_ONCE: usize = 8;

/// The longest visibility timeout that is set: SQS hides a message for twelve hours at most,
/// counted from when it was received.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html>
const LONGEST_TIMEOUT: Duration = Duration::from_hours(11);

/// A message that was received, and is invisible to other consumers for a while.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// SQS's id of it.
    pub id: String,
    /// The handle by which it is deleted or made visible.
    pub(crate) receipt: String,
    /// Its message group; where it has none its own id.
    pub group: String,
    /// How often it was received, this time included.
    pub receives: u32,
    /// When it was sent, or moved to this queue.
    pub sent: Option<Time>,
    /// Its text.
    pub text: String,
}

impl From<Message> for Received {
    fn from(message: Message) -> Self {
        let attributes = message.attributes.unwrap_or_default();
        let attribute = |name: &MessageSystemAttributeName| attributes.get(name).cloned();
        Self::new(
            [message.message_id, message.receipt_handle, message.body],
            attribute(&MessageSystemAttributeName::MessageGroupId),
            attribute(&MessageSystemAttributeName::ApproximateReceiveCount),
            attribute(&MessageSystemAttributeName::SentTimestamp),
        )
    }
}

impl From<SqsMessage> for Received {
    /// A message that Lambda received.
    fn from(mut message: SqsMessage) -> Self {
        let mut attribute = |name: &str| message.attributes.remove(name);
        let (group, receives, sent) = (
            attribute("MessageGroupId"),
            attribute("ApproximateReceiveCount"),
            attribute("SentTimestamp"),
        );
        Self::new([message.message_id, message.receipt_handle, message.body], group, receives, sent)
    }
}

impl Received {
    fn new(
        [id, receipt, text]: [Option<String>; 3],
        group: Option<String>,
        receives: Option<String>,
        sent: Option<String>,
    ) -> Self {
        let id = id.unwrap_or_default();
        Self {
            group: group.unwrap_or_else(|| id.clone()),
            receives: receives.and_then(|count| count.parse().ok()).unwrap_or(1),
            sent: sent.and_then(|text| text.parse().ok()).map(Time::from_milliseconds),
            receipt: receipt.unwrap_or_default(),
            text: text.unwrap_or_default(),
            id,
        }
    }
}

impl Queue {
    /// Receives until the queue is empty, with several calls side by side, and appends each message
    /// once to `all`, however often SQS hands it out. It stays invisible to other consumers for
    /// `hidden`. `told` is told how many there are. Of a message group, SQS may hand out some
    /// messages only after those before them are deleted, and it hands out none beyond 120,000 that
    /// are under way.
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
    pub async fn receive(
        &self,
        hidden: Duration,
        all: &mut Vec<Received>,
        mut told: impl FnMut(usize),
    ) -> Result<(), CallFailed> {
        let mut places: HashMap<String, usize> = HashMap::new();
        for (place, message) in all.iter().enumerate() {
            places.insert(message.id.clone(), place);
        }
        let mut calls = FuturesUnordered::new();
        let mut wanted = 1;
        // How many answers had messages in them.
        let mut answers = 0;
        let mut result = Ok(());
        loop {
            while calls.len() < wanted {
                calls.push(self.receive_some(hidden, answers));
            }
            let Some((began, answer)) = calls.next().await else { return result };
            match answer {
                // The other calls may have taken messages already: they are waited for.
                Err(why) => result = Err(why),
                // Nothing came anywhere while this call asked all servers.
                Ok(messages) if messages.is_empty() && began == answers => wanted = 0,
                Ok(messages) if messages.is_empty() => wanted = 1,
                Ok(messages) => {
                    answers += 1;
                    // One more than before.
                    wanted = (calls.len() + 2).min(AT_ONCE);
                    for message in messages.into_iter().map(Received::from) {
                        // The newest receipt counts.
                        if let Some(place) = places.get(&message.id) {
                            all[*place].receipt = message.receipt;
                        } else {
                            places.insert(message.id.clone(), all.len());
                            all.push(message);
                        }
                    }
                    told(all.len());
                }
            }
            if result.is_err() {
                wanted = 0;
            }
        }
    }

    /// Receives up to ten messages. Returns `began` with them.
    async fn receive_some(
        &self,
        hidden: Duration,
        began: usize,
    ) -> (usize, Result<Vec<Message>, CallFailed>) {
        // A long poll asks all of SQS's servers; a short one may miss messages.
        let call = self.receive_message(MOST_IN_CALL, hidden).wait_time_seconds(1);
        let answer = call.send().await;
        (began, answer.map(|answer| answer.messages.unwrap_or_default()).map_err(CallFailed::from))
    }

    /// A call that receives up to so many messages, ten at most.
    pub(super) fn receive_message(
        &self,
        most: usize,
        hidden: Duration,
    ) -> ReceiveMessageFluentBuilder {
        let mut call = self.client.receive_message().queue_url(&self.url);
        for attribute in [
            MessageSystemAttributeName::ApproximateReceiveCount,
            MessageSystemAttributeName::MessageGroupId,
            MessageSystemAttributeName::SentTimestamp,
        ] {
            call = call.message_system_attribute_names(attribute);
        }
        call.max_number_of_messages(i32::try_from(most).unwrap_or(i32::MAX))
            .visibility_timeout(i32::try_from(hidden.as_secs()).unwrap_or(i32::MAX))
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

    /// Deletes messages that were received, with several calls side by side. One result for each,
    /// in their order.
    pub async fn delete(
        &self,
        messages: &[&Received],
        deadline: Instant,
    ) -> Vec<Result<(), CallFailed>> {
        let mut results = Vec::new();
        for part in messages.chunks(AT_ONCE * MOST_IN_CALL) {
            let calls = part.chunks(MOST_IN_CALL).map(|batch| self.delete_some(batch, deadline));
            results.extend(join_all(calls).await.concat());
        }
        results
    }

    /// Deletes up to ten messages.
    async fn delete_some(
        &self,
        batch: &[&Received],
        deadline: Instant,
    ) -> Vec<Result<(), CallFailed>> {
        let mut entries = Vec::new();
        for (index, message) in batch.iter().enumerate() {
            let entry = DeleteMessageBatchRequestEntry::builder().id(index.to_string());
            entries.extend(entry.receipt_handle(&message.receipt).build());
        }
        let call = self.client.delete_message_batch().queue_url(&self.url);
        let answer = match timeout_at(deadline, call.set_entries(Some(entries)).send()).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return vec![Err(error.into()); batch.len()],
            Err(_) => {
                let why = CallFailed("no time was left to delete it".to_owned());
                return vec![Err(why); batch.len()];
            }
        };
        let mut results = vec![Ok(()); batch.len()];
        for failed in answer.failed() {
            let why = format!("SQS refuses to delete a message: {}", failed.code());
            let place = failed.id().parse::<usize>().ok();
            if let Some(result) = place.and_then(|place| results.get_mut(place)) {
                *result = Err(CallFailed(why));
            }
        }
        results
    }

    /// Makes messages that were received visible to all consumers. Where that fails, the visibility
    /// timeout does it.
    pub async fn release(&self, messages: &[&Received], deadline: Instant) {
        let mut timeouts = Vec::new();
        for message in messages {
            timeouts.push((*message, Duration::ZERO));
        }
        self.set_visibility(&timeouts, deadline).await;
    }

    /// Sets the visibility timeouts of messages, with several calls side by side. Where that fails,
    /// the one that was set before goes on.
    pub async fn set_visibility(&self, messages: &[(&Received, Duration)], deadline: Instant) {
        for part in messages.chunks(AT_ONCE * MOST_IN_CALL) {
            let calls = part.chunks(MOST_IN_CALL).map(|batch| self.set_some(batch, deadline));
            join_all(calls).await;
        }
    }

    /// Sets the visibility timeouts of up to ten messages.
    async fn set_some(&self, batch: &[(&Received, Duration)], deadline: Instant) {
        let mut entries = Vec::new();
        for (index, (message, timeout)) in batch.iter().enumerate() {
            let seconds = i32::try_from(timeout.min(&LONGEST_TIMEOUT).as_secs());
            let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(&message.receipt)
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
