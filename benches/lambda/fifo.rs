//! A FIFO queue of SQS's, as fast as this machine: the emulators of the tests take minutes for thousands of
//! messages.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long Lambda's messages stay hidden, as in `template.yaml`.
const VISIBILITY: Duration = Duration::from_mins(3);

/// The most messages of one call.
const MOST: usize = 10;

/// The queue.
#[derive(Default)]
pub(crate) struct Fifo(Mutex<State>);

#[derive(Default)]
struct State {
    /// In the order in which they were sent.
    messages: Vec<Message>,
    calls: HashMap<String, usize>,
}

struct Message {
    number: usize,
    group: String,
    body: String,
    receives: u32,
    hidden_until: Option<Instant>,
}

impl Fifo {
    /// Sends a message.
    pub(crate) fn send(&self, group: &str, body: String) {
        let mut state = self.lock();
        let number = state.messages.last().map_or(0, |last| last.number + 1);
        let group = group.to_owned();
        state.messages.push(Message { number, group, body, receives: 0, hidden_until: None });
    }

    /// How many messages are there, hidden or not.
    pub(crate) fn len(&self) -> usize {
        self.lock().messages.len()
    }

    /// How many calls of an operation there were.
    pub(crate) fn calls(&self, operation: &str) -> usize {
        self.lock().calls.get(operation).copied().unwrap_or_default()
    }

    /// Receives up to ten messages, as Lambda does: records of its event.
    pub(crate) fn records(&self) -> Vec<Value> {
        let mut records = Vec::new();
        for message in self.receive(MOST, VISIBILITY) {
            records.push(json!({
                "messageId": message["MessageId"], "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"], "attributes": message["Attributes"], "eventSource": "aws:sqs",
            }));
        }
        records
    }

    /// Deletes messages by their receipts.
    pub(crate) fn delete<'r>(&self, receipts: impl Iterator<Item = &'r Value>) {
        let gone: HashSet<_> = receipts.filter_map(number).collect();
        self.lock().messages.retain(|message| !gone.contains(&message.number));
    }

    /// Answers a call. An operation that is not known here is an empty success.
    pub(crate) fn answer(&self, operation: &str, request: &Value) -> Value {
        *self.lock().calls.entry(operation.to_owned()).or_default() += 1;
        let entries = || request["Entries"].as_array().into_iter().flatten();
        match operation {
            "ReceiveMessage" => {
                let most = request["MaxNumberOfMessages"].as_u64().unwrap_or(1);
                let hidden =
                    Duration::from_secs(request["VisibilityTimeout"].as_u64().unwrap_or(0));
                let messages = self.receive(usize::try_from(most).unwrap_or(MOST), hidden);
                return json!({"Messages": messages});
            }
            "DeleteMessageBatch" => self.delete(entries().map(|entry| &entry["ReceiptHandle"])),
            "ChangeMessageVisibilityBatch" => {
                for entry in entries() {
                    self.hide(&entry["ReceiptHandle"], entry["VisibilityTimeout"].as_u64());
                }
            }
            _ => {}
        }
        let successful: Vec<_> = entries().map(|entry| json!({"Id": entry["Id"]})).collect();
        json!({"Successful": successful, "Failed": []})
    }

    /// Nothing of a group is given out while something of it is hidden. A call is filled with the
    /// messages of one group before those of another.
    fn receive(&self, most: usize, hidden: Duration) -> Vec<Value> {
        let now = Instant::now();
        let mut state = self.lock();
        let is_hidden = |message: &&Message| message.hidden_until.is_some_and(|until| until > now);
        let blocked = state.messages.iter().filter(is_hidden).map(|message| message.group.clone());
        let blocked: HashSet<_> = blocked.collect();
        let mut groups = Vec::new();
        let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
        for (place, message) in state.messages.iter().enumerate() {
            if groups.len() > most {
                break;
            }
            if !blocked.contains(&message.group) {
                let of_group = places.entry(&message.group).or_default();
                if of_group.is_empty() {
                    groups.push(message.group.as_str());
                }
                of_group.push(place);
            }
        }
        let all = groups.iter().flat_map(|group| places[group].iter().take(most));
        let taken: Vec<usize> = all.take(most).copied().collect();
        let mut messages = Vec::new();
        for place in taken {
            let message = &mut state.messages[place];
            message.receives += 1;
            message.hidden_until = Some(now + hidden);
            messages.push(json!({
                "MessageId": format!("message-{}", message.number),
                "ReceiptHandle": message.number.to_string(),
                "Body": message.body,
                "Attributes": {"MessageGroupId": message.group, "ApproximateReceiveCount": message.receives.to_string()},
            }));
        }
        messages
    }

    fn hide(&self, receipt: &Value, seconds: Option<u64>) {
        let until = Instant::now() + Duration::from_secs(seconds.unwrap_or_default());
        let wanted = number(receipt);
        for message in &mut self.lock().messages {
            if Some(message.number) == wanted {
                message.hidden_until = Some(until);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn number(receipt: &Value) -> Option<usize> {
    receipt.as_str()?.parse().ok()
}
