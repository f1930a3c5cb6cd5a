//! SQS: updates on their way to the worker, and dead letters.
//!
//! What messages hold is in [`message`] and [`letter`], which call can hold which of them in
//! [`plan`]; the rest of the order is SQS's: the updates of one task are one message group of a
//! FIFO queue.

mod dead;
mod inbox;
mod letter;
mod message;
mod plan;

pub use dead::{Arrived, Dead};
pub use inbox::Received;
pub use letter::{Body, Content, Event, Failed, Letter};
pub use message::{Message, deduplication, group, letter_of_delivery, letter_of_message};

use std::fmt;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{ChangeMessageVisibilityBatchRequestEntry, SendMessageBatchRequestEntry};
use futures_util::future::join_all;
use tokio::time::{Instant, sleep, timeout_at};
use uuid::Uuid;

use crate::outbound;
use crate::update::Update;

/// How often an entry is sent at most; the SDK repeats a call that got no answer once more by
/// itself.
const TRIES: usize = 3;

/// What is waited before an entry is sent again, and twice as long before the next time.
const PAUSE: Duration = Duration::from_millis(100);

/// The longest wait: SQS hides a message for twelve hours at most, counted from when it was
/// received.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html>
const LONGEST_WAIT: Duration = Duration::from_hours(11);

/// A queue in SQS.
#[derive(Clone, Debug)]
pub struct Queue {
    client: Client,
    url: String,
}

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    body: String,
    /// The message group, of a FIFO queue.
    group: Option<String>,
    deduplication: Option<String>,
}

/// Why a message is not in the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotSent {
    /// It is larger than SQS takes; that doesn't pass.
    TooLarge,
    /// SQS refuses it for what it is; that doesn't pass either.
    Refused(String),
    /// SQS can't be reached, or refuses it for now.
    Later(String),
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
    /// other with this `id`, which is [`letter_of_delivery`] or [`letter_of_message`]; a standard
    /// queue takes all.
    #[must_use]
    pub fn letter(id: &str, body: String) -> Self {
        Self { body, group: Some(id.to_owned()), deduplication: Some(id.to_owned()) }
    }

    /// Whether it is larger than SQS takes.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        self.body.len() > plan::BYTES
    }
}

impl NotSent {
    /// Whether it would be so as often as the message is sent.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::TooLarge | Self::Refused(_))
    }
}

/// Why SQS did not take an entry, or a whole call.
#[derive(Clone)]
struct Refusal {
    why: String,
    kind: RefusalKind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum RefusalKind {
    /// It may pass.
    Passing,
    /// The queue isn't there, or may not be used: somebody has to change the set-up.
    SetUp,
    /// A whole call is refused for what is in it, and SQS doesn't say for which message.
    OneOfThem,
    /// The message itself is refused.
    Final,
}

impl Queue {
    /// A queue by its address. Nothing is sent yet.
    #[must_use]
    pub fn new(client: Client, url: &str) -> Self {
        Self { client, url: url.to_owned() }
    }

    /// Sends messages, those of one group in their order. One result for each, in their order.
    pub async fn send(&self, entries: &[Entry], deadline: Instant) -> Vec<Result<(), NotSent>> {
        let too_large =
            |entry: &Entry| if entry.is_too_large() { Err(NotSent::TooLarge) } else { Ok(()) };
        let mut results: Vec<_> = entries.iter().map(too_large).collect();
        let mut pending: Vec<_> =
            (0..entries.len()).filter(|index| results[*index].is_ok()).collect();
        let mut tries = vec![0; entries.len()];
        // One in a call, once SQS has refused a whole call for what is in it: the others shall not
        // pay for one.
        let mut most = plan::ENTRIES;
        // Logged at the end, once: what was repeated with success is no error.
        let mut given_up = None;
        while !pending.is_empty() {
            let waiting: Vec<_> = pending.iter().map(|index| &entries[*index]).collect();
            let calls = plan::calls(&waiting, most).into_iter();
            let calls =
                calls.map(|call| call.into_iter().map(|at| pending[at]).collect::<Vec<_>>());
            let answers =
                join_all(calls.map(|call| self.send_batch(entries, call, deadline))).await;
            let mut pause = Duration::ZERO;
            for call in answers {
                let is_alone = call.len() == 1;
                for (index, result) in call {
                    tries[index] += 1;
                    let is_over = tries[index] == TRIES || Instant::now() >= deadline;
                    match result {
                        Ok(()) => pending.retain(|other| *other != index),
                        // Sent again it would be refused again. What is behind it goes on.
                        Err(refusal) if refusal.is_final(is_alone) => {
                            results[index] = Err(NotSent::Refused(refusal.why));
                            pending.retain(|other| *other != index);
                        }
                        Err(refusal) if is_over => {
                            // Nothing of its group may overtake it.
                            let group = &entries[index].group;
                            let is_behind =
                                |other: usize| group.is_some() && entries[other].group == *group;
                            for other in
                                pending.extract_if(.., |other| *other == index || is_behind(*other))
                            {
                                results[other] = Err(NotSent::Later(refusal.why.clone()));
                            }
                            given_up = Some(refusal);
                        }
                        Err(refusal) if refusal.kind == RefusalKind::OneOfThem => most = 1,
                        Err(_) => pause = PAUSE * (1 << (tries[index] - 1)),
                    }
                }
            }
            if !pending.is_empty() {
                let _ = timeout_at(deadline, sleep(pause)).await;
            }
        }
        if let Some(refusal) = given_up {
            refusal.report();
        }
        results
    }

    /// Sets the visibility timeouts of messages, given by their receipts. Where that fails, the
    /// timeout of the queue goes on.
    pub async fn set_visibility(&self, messages: &[(String, Duration)], deadline: Instant) {
        for batch in messages.chunks(10) {
            let entries = batch.iter().enumerate().map(|(index, (receipt, wait))| {
                let seconds = i32::try_from(wait.min(&LONGEST_WAIT).as_secs()).unwrap_or_default();
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder();
                entry
                    .id(index.to_string())
                    .receipt_handle(receipt)
                    .visibility_timeout(seconds)
                    .build()
            });
            let entries = entries.filter_map(Result::ok).collect();
            let call = self
                .client
                .change_message_visibility_batch()
                .queue_url(&self.url)
                .set_entries(Some(entries));
            match timeout_at(deadline, call.send()).await {
                Ok(Ok(answer)) if answer.failed().is_empty() => {}
                Ok(Ok(answer)) => {
                    let code = answer.failed().first().map(|failed| failed.code().to_owned());
                    tracing::warn!(code, "the wait of a message could not be set");
                }
                Ok(Err(error)) => {
                    tracing::warn!(
                        reason = reason(&error),
                        "the wait of messages could not be set"
                    );
                }
                Err(_) => tracing::warn!("no time was left to set the wait of messages"),
            }
        }
    }

    async fn send_batch(
        &self,
        entries: &[Entry],
        indices: Vec<usize>,
        deadline: Instant,
    ) -> Vec<(usize, Result<(), Refusal>)> {
        let is_fifo = self.url.strip_suffix(".fifo").is_some();
        let messages = indices.iter().filter_map(|index| {
            let entry = &entries[*index];
            let message = SendMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .message_body(&entry.body);
            let group = entry.group.clone().filter(|_| is_fifo);
            let deduplication = entry.deduplication.clone().filter(|_| is_fifo);
            message
                .set_message_group_id(group)
                .set_message_deduplication_id(deduplication)
                .build()
                .ok()
        });
        let call = self
            .client
            .send_message_batch()
            .queue_url(&self.url)
            .set_entries(Some(messages.collect()));
        let answer = timeout_at(deadline, call.send()).await;
        let whole = match answer {
            Ok(Ok(answer)) => {
                let taken = |index: &usize| {
                    answer.successful().iter().any(|sent| sent.id() == index.to_string())
                };
                let refused = |index: &usize| {
                    let failed =
                        answer.failed().iter().find(|failed| failed.id() == index.to_string());
                    let passing = || Refusal::passing("no answer speaks of it".to_owned());
                    failed.map_or_else(passing, |failed| {
                        Refusal::of_entry(failed.code(), failed.sender_fault())
                    })
                };
                let result = |index: usize| {
                    (index, if taken(&index) { Ok(()) } else { Err(refused(&index)) })
                };
                return indices.into_iter().map(result).collect();
            }
            Ok(Err(error)) => Refusal::of_call(&error),
            Err(_) => Refusal::passing("no answer in time".to_owned()),
        };
        indices.into_iter().map(|index| (index, Err(whole.clone()))).collect()
    }
}

impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => f.write_str("it is larger than the 1 MiB that SQS takes"),
            Self::Refused(why) | Self::Later(why) => f.write_str(why),
        }
    }
}

impl Refusal {
    /// Codes, or parts of them, that are about the queue or who calls it. Those of a key are `KMS.`
    /// with a word, or `Kms`.
    const SET_UP: [&str; 8] = [
        "AccessDenied",
        "DoesNotExist",
        "InvalidAddress",
        "InvalidSecurity",
        "Kms",
        "KMS",
        "NonExistent",
        "UnsupportedOperation",
    ];

    /// Codes, or parts of them, of a call that is refused for the messages in it.
    const OF_CONTENT: [&str; 4] = [
        "BatchRequestTooLong",
        "InvalidMessageContents",
        "InvalidParameterValue",
        "MessageTooLong",
    ];

    /// Codes, or parts of them, that pass, whosever fault they are said to be: too many calls, and
    /// credentials or clocks of a moment.
    const PASSING: [&str; 7] = [
        "Expired",
        "InFlight",
        "OverLimit",
        "RequestTimeout",
        "Signature",
        "Throttl",
        "Unavailable",
    ];

    fn passing(why: String) -> Self {
        Self { why, kind: RefusalKind::Passing }
    }

    /// What SQS says of an entry while it takes the others.
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_BatchResultErrorEntry.html>
    fn of_entry(code: &str, is_senders_fault: bool) -> Self {
        let is = |words: &[&str]| words.iter().any(|word| code.contains(word));
        let kind = if is(&Self::PASSING) {
            RefusalKind::Passing
        } else if is(&Self::SET_UP) {
            RefusalKind::SetUp
        } else if is_senders_fault || is(&Self::OF_CONTENT) {
            RefusalKind::Final
        } else {
            RefusalKind::Passing
        };
        Self { why: format!("SQS refuses it: {code}"), kind }
    }

    /// What went wrong with a whole call.
    fn of_call<E: ProvideErrorMetadata + std::error::Error + 'static>(
        error: &SdkError<E, aws_sdk_sqs::config::http::HttpResponse>,
    ) -> Self {
        let SdkError::ServiceError(refused) = error else {
            return Self::passing(outbound::causes(error));
        };
        let (code, status) =
            (refused.err().code().unwrap_or("an error"), refused.raw().status().as_u16());
        let is = |words: &[&str]| words.iter().any(|word| code.contains(word));
        let kind = if is(&Self::PASSING) || status >= 500 {
            RefusalKind::Passing
        } else if is(&Self::SET_UP) || status == 403 {
            RefusalKind::SetUp
        } else if is(&Self::OF_CONTENT) {
            RefusalKind::OneOfThem
        } else {
            RefusalKind::Passing
        };
        Self { why: format!("SQS answered {status} {code}"), kind }
    }

    /// Whether the message is refused for good; `is_alone` in its call, it is what a call is
    /// refused for.
    fn is_final(&self, is_alone: bool) -> bool {
        self.kind == RefusalKind::Final || self.kind == RefusalKind::OneOfThem && is_alone
    }

    /// Logs what somebody has to put right.
    fn report(&self) {
        if self.kind == RefusalKind::SetUp {
            let reason = &self.why;
            tracing::error!(
                reason,
                "set-up: SQS refuses the queue; check its address, and the function's permissions"
            );
        }
    }
}

/// What went wrong with a call, for the log. A queue that isn't there, or may not be used, is an
/// error of the set-up.
fn reason<E: ProvideErrorMetadata + std::error::Error + 'static>(
    error: &SdkError<E, aws_sdk_sqs::config::http::HttpResponse>,
) -> String {
    let refusal = Refusal::of_call(error);
    refusal.report();
    refusal.why
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_refused_for_good_for_what_it_is_and_for_nothing_else() {
        let kind = |code, is_senders_fault| Refusal::of_entry(code, is_senders_fault).kind;
        for code in
            ["InvalidMessageContents", "InvalidParameterValue", "MessageTooLong", "SomethingNew"]
        {
            assert!(kind(code, true) == RefusalKind::Final, "{code}");
        }
        for code in [
            "RequestThrottled",
            "ThrottlingException",
            "KmsThrottled",
            "KMS.ThrottlingException",
            "OverLimit",
        ] {
            assert!(kind(code, true) == RefusalKind::Passing, "{code}");
        }
        for code in ["AccessDenied", "KmsAccessDenied", "AWS.SimpleQueueService.NonExistentQueue"] {
            assert!(kind(code, true) == RefusalKind::SetUp, "{code}");
        }
        assert!(kind("InternalError", false) == RefusalKind::Passing);
    }
}
