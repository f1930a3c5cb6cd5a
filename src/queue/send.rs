//! Sending messages until each is in the queue, or is known not to be.

use std::time::Duration;

use aws_sdk_sqs::types::{
    MessageSystemAttributeNameForSends, MessageSystemAttributeValue, SendMessageBatchRequestEntry,
};
use futures_util::future::join_all;
use tokio::time::{Instant, sleep, timeout_at};

use super::refusal::{Kind, NotSent, Refusal};
use super::{Entry, Queue, plan};
use crate::settings::is_fifo;

/// How often an entry is sent at most; the SDK repeats a call that got no answer once more by
/// itself.
const TRIES: u32 = 3;

/// The pause before an entry is sent again; it doubles with each try.
const PAUSE: Duration = Duration::from_millis(100);

/// An entry on its way.
struct Sending<'e> {
    entry: &'e Entry,
    tries: u32,
    /// `None` as long as it is to be sent.
    result: Option<Result<(), NotSent>>,
}

impl Queue {
    /// Sends messages, those of one group in their order. One result for each, in their order.
    pub async fn send(&self, entries: &[Entry], deadline: Instant) -> Vec<Result<(), NotSent>> {
        let mut all = Vec::new();
        for entry in entries {
            let result = entry.is_too_large().then_some(Err(NotSent::TooLarge));
            all.push(Sending { entry, tries: 0, result });
        }
        // One in a call, once SQS has refused a whole call for what is in it: the others shall not
        // pay for one.
        let mut most_in_call = plan::MOST_IN_CALL;
        // Logged at the end, once: what was repeated with success is no error.
        let mut given_up = None;
        loop {
            let pending: Vec<_> =
                (0..all.len()).filter(|index| all[*index].result.is_none()).collect();
            if pending.is_empty() {
                break;
            }
            let waiting: Vec<_> = pending.iter().map(|index| all[*index].entry).collect();
            let mut calls = Vec::new();
            for call in plan::calls(&waiting, most_in_call) {
                let indices: Vec<_> = call.into_iter().map(|place| pending[place]).collect();
                calls.push(self.send_batch(entries, indices, deadline));
            }
            let mut pause = Duration::ZERO;
            for call in join_all(calls).await {
                let is_alone = call.len() == 1;
                for (index, result) in call {
                    all[index].tries += 1;
                    let tries = all[index].tries;
                    let Err(refusal) = result else {
                        all[index].result = Some(Ok(()));
                        continue;
                    };
                    if refusal.is_final(is_alone) {
                        // Sent again it would be refused again. The rest of its group goes on.
                        all[index].result = Some(Err(NotSent::Refused(refusal.why)));
                    } else if tries == TRIES || Instant::now() >= deadline {
                        give_up_group(&mut all, index, &refusal);
                        given_up = Some(refusal);
                    } else if refusal.kind == Kind::OneOfThem {
                        most_in_call = 1;
                    } else {
                        pause = PAUSE * 2_u32.pow(tries - 1);
                    }
                }
            }
            if !pause.is_zero() {
                let _ = timeout_at(deadline, sleep(pause)).await;
            }
        }
        if let Some(refusal) = given_up {
            refusal.report();
        }
        all.into_iter().filter_map(|sending| sending.result).collect()
    }

    /// Sends some of the entries in one call. Returns each one's index and result.
    async fn send_batch(
        &self,
        entries: &[Entry],
        indices: Vec<usize>,
        deadline: Instant,
    ) -> Vec<(usize, Result<(), Refusal>)> {
        let mut messages = Vec::new();
        for index in &indices {
            let Entry { body, group, deduplication, trace_header } = &entries[*index];
            let mut message =
                SendMessageBatchRequestEntry::builder().id(index.to_string()).message_body(body);
            if let Some(header) = trace_header.as_ref().and_then(trace_attribute) {
                let name = MessageSystemAttributeNameForSends::AwsTraceHeader;
                message = message.message_system_attributes(name, header);
            }
            let message = if is_fifo(&self.url) {
                message
                    .set_message_group_id(group.clone())
                    .set_message_deduplication_id(deduplication.clone())
            } else {
                message
            };
            messages.extend(message.build());
        }
        let call = self.client.send_message_batch().queue_url(&self.url);
        let answer = match timeout_at(deadline, call.set_entries(Some(messages)).send()).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return all_refused(indices, &Refusal::of_call(&error)),
            Err(_) => {
                return all_refused(indices, &Refusal::passing("no answer in time".to_owned()));
            }
        };
        let mut results = Vec::new();
        for index in indices {
            let id = index.to_string();
            let result = if answer.successful().iter().any(|sent| sent.id() == id) {
                Ok(())
            } else if let Some(failed) = answer.failed().iter().find(|failed| failed.id() == id) {
                Err(Refusal::of_entry(failed.code(), failed.sender_fault()))
            } else {
                Err(Refusal::passing("no answer speaks of it".to_owned()))
            };
            results.push((index, result));
        }
        results
    }
}

/// The header as SQS takes it along; it counts for no message's size.
fn trace_attribute(header: &String) -> Option<MessageSystemAttributeValue> {
    let value = MessageSystemAttributeValue::builder().data_type("String").string_value(header);
    value.build().ok()
}

/// Gives up an entry, and all that wait behind it in its group: none may overtake it.
fn give_up_group(all: &mut [Sending<'_>], index: usize, refusal: &Refusal) {
    let group = all[index].entry.group.clone();
    for (other, sending) in all.iter_mut().enumerate() {
        let is_behind = group.is_some() && sending.entry.group == group;
        if sending.result.is_none() && (other == index || is_behind) {
            sending.result = Some(Err(NotSent::Later(refusal.why.clone())));
        }
    }
}

fn all_refused(indices: Vec<usize>, refusal: &Refusal) -> Vec<(usize, Result<(), Refusal>)> {
    indices.into_iter().map(|index| (index, Err(refusal.clone()))).collect()
}
