//! The queues of a story in the durable mode, and what Lambda does between them and the worker.
//!
//! The event source mapping is played here: it receives up to ten messages, invokes the worker with
//! them, and deletes all but those that the worker names. moto is SQS, with the
//! queues of `template.yaml`: it keeps groups in order, counts receives, and redrives; ministack is
//! another, written by others.

use std::sync::{Arc, Mutex};

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message,
    MessageSystemAttributeName, QueueAttributeName,
};
use serde_json::{Value, json};
use taskhook::queue::Letter;

use super::aws::{self, Gateway, Turn};
use super::lambda::Function;
use super::template::{self, Stack};

pub struct Queues {
    /// What the functions reach SQS through.
    pub sqs: Gateway,
    client: Client,
    pub updates: String,
    pub dead_letters: String,
    /// The receipts of what was received: some of it is deleted by now, the rest comes back.
    invisible: Arc<Mutex<Vec<String>>>,
}

impl Queues {
    pub async fn start(tests: &str) -> Self {
        let Stack { updates, dead_letters } = template::stack(tests).await;
        Self::at(&aws::moto().await, updates, dead_letters).await
    }

    /// Queues in the other emulator, which are like those of the template.
    pub async fn on_ministack(tests: &str) -> Self {
        let url = aws::ministack().await;
        let (updates, dead_letters) =
            (format!("{tests}-updates.fifo"), format!("{tests}-dead.fifo"));
        let mut queues = Self::at(&url, updates, dead_letters).await;
        queues.updates = queues.create(&queues.updates).await;
        queues.dead_letters = queues.create(&queues.dead_letters).await;
        queues.gives_up_after(1000).await;
        queues
    }

    async fn at(url: &str, updates: String, dead_letters: String) -> Self {
        let client = taskhook::aws::sqs(&aws::aws(url), taskhook::outbound::client(true));
        let invisible = Arc::default();
        Self { sqs: Gateway::before(url).await, client, updates, dead_letters, invisible }
    }

    /// Makes a queue. Returns its address.
    async fn create(&self, name: &str) -> String {
        let create = self.client.create_queue().queue_name(name);
        let create = create.attributes(QueueAttributeName::FifoQueue, "true");
        let create = create.attributes(QueueAttributeName::VisibilityTimeout, "180");
        create.send().await.expect("a queue").queue_url.expect("its address")
    }

    /// What Lambda does once: up to ten messages go to the worker. Returns how many, and how many
    /// of them come back.
    pub async fn poll(&self, worker: &Function) -> (usize, usize) {
        self.poll_up_to(10, worker).await
    }

    /// The same with fewer, as where the event would be larger than 6 MB.
    pub async fn poll_up_to(&self, most: i32, worker: &Function) -> (usize, usize) {
        let receive =
            receive(self.client.clone(), Arc::clone(&self.sqs.turn), self.updates.clone(), most);
        let invisible = Arc::clone(&self.invisible);
        // It goes on where the test is done with the worker, as SQS does.
        let received = tokio::spawn(async move {
            let messages = receive.await;
            let receipts = messages.iter().filter_map(|message| message.receipt_handle.clone());
            invisible.lock().expect("no panic").extend(receipts);
            messages
        });
        let messages = received.await.expect("no panic");
        if messages.is_empty() {
            return (0, 0);
        }
        let event = json!({"Records": messages.iter().map(record).collect::<Vec<_>>()});
        let answer = worker.invoke(&event).await;
        let back = answer["batchItemFailures"].as_array().expect("a partial batch response");
        let comes_back = |message: &&Message| {
            back.iter().any(|item| item["itemIdentifier"] == json!(message.message_id))
        };
        let (back, done): (Vec<_>, Vec<_>) = messages.iter().partition(comes_back);
        self.delete(&self.updates, &done).await;
        (messages.len(), back.len())
    }

    /// Invokes the worker until the queue has nothing for it. Returns the number of batches.
    pub async fn drain(&self, worker: &Function) -> usize {
        let mut batches = 0;
        while self.poll(worker).await.0 > 0 {
            batches += 1;
        }
        batches
    }

    /// So much time passes that everything that comes back is there.
    pub async fn time_passes(&self) {
        let mut receipts = std::mem::take(&mut *self.invisible.lock().expect("no panic"));
        let own = self.sqs.take_receipts().into_iter();
        receipts.extend(own.filter(|own| own.queue == self.updates).map(|own| own.handle));
        // The latest first, so that none is there before an earlier one of its group.
        receipts.reverse();
        for receipts in receipts.chunks(10) {
            let call = self.client.change_message_visibility_batch().queue_url(&self.updates);
            let entry = |(id, receipt): (usize, &String)| {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(id.to_string());
                entry.receipt_handle(receipt).visibility_timeout(0).build().expect("an entry")
            };
            let entries = receipts.iter().enumerate().map(entry).collect();
            // What isn't under way any more is there already.
            let _ = call.set_entries(Some(entries)).send().await;
        }
    }

    /// How many messages wait, and how many are under way.
    pub async fn depth(&self) -> (usize, usize) {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let call = self.client.get_queue_attributes().queue_url(&self.updates);
        let answer =
            call.set_attribute_names(Some(names.to_vec())).send().await.expect("attributes");
        let attributes = answer.attributes.expect("attributes");
        let [waiting, under_way] = names.map(|name| attributes[&name].parse().expect("a number"));
        (waiting, under_way)
    }

    /// How many dead letters lie there.
    pub async fn count_letters(&self) -> usize {
        let name = QueueAttributeName::ApproximateNumberOfMessages;
        let call = self.client.get_queue_attributes().queue_url(&self.dead_letters);
        let answer = call.attribute_names(name.clone()).send().await.expect("attributes");
        answer.attributes().expect("attributes")[&name].parse().expect("a number")
    }

    /// SQS gives a message up after so many receives.
    pub async fn gives_up_after(&self, receives: u32) {
        let attributes = self.client.get_queue_attributes().queue_url(&self.dead_letters);
        let attributes = attributes
            .attribute_names(QueueAttributeName::QueueArn)
            .send()
            .await
            .expect("attributes");
        let arn = &attributes.attributes().expect("attributes")[&QueueAttributeName::QueueArn];
        let redrive = json!({"deadLetterTargetArn": arn, "maxReceiveCount": receives}).to_string();
        let set = self.client.set_queue_attributes().queue_url(&self.updates);
        set.attributes(QueueAttributeName::RedrivePolicy, redrive).send().await.expect("set");
    }

    /// Puts a message into the queue as it is.
    pub async fn put(&self, group: &str, body: &str) {
        let send = self
            .client
            .send_message()
            .queue_url(&self.updates)
            .message_group_id(group)
            .message_body(body);
        send.message_deduplication_id(uuid::Uuid::new_v4().to_string()).send().await.expect("sent");
    }

    /// Puts a dead letter into its queue.
    pub async fn bury(&self, body: &str) {
        let id = || uuid::Uuid::new_v4().to_string();
        let send = self
            .client
            .send_message()
            .queue_url(&self.dead_letters)
            .message_group_id(id())
            .message_body(body);
        send.message_deduplication_id(id()).send().await.expect("sent");
    }

    /// The bodies of all messages that the queue gives out now, in its order. They are under way
    /// from then on.
    pub async fn queued(&self) -> Vec<Value> {
        let mut bodies = Vec::new();
        loop {
            let messages =
                receive(self.client.clone(), Arc::clone(&self.sqs.turn), self.updates.clone(), 10)
                    .await;
            if messages.is_empty() {
                return bodies;
            }
            for message in &messages {
                bodies.push(serde_json::from_str(message.body().expect("a body")).expect("JSON"));
            }
            self.delete(&self.updates, &messages.iter().collect::<Vec<_>>()).await;
        }
    }

    /// Takes all dead letters out.
    pub async fn letters(&self) -> Vec<Letter> {
        let read = |text: String| {
            Letter::read(&text).unwrap_or_else(|why| panic!("no letter ({why}): {text}"))
        };
        self.dead().await.into_iter().map(read).collect()
    }

    /// Takes everything out of the queue of dead letters.
    pub async fn dead(&self) -> Vec<String> {
        let mut bodies = Vec::new();
        loop {
            let messages = receive(
                self.client.clone(),
                Arc::clone(&self.sqs.turn),
                self.dead_letters.clone(),
                10,
            )
            .await;
            if messages.is_empty() {
                return bodies;
            }
            for message in &messages {
                bodies.push(message.body().expect("a body").to_owned());
            }
            self.delete(&self.dead_letters, &messages.iter().collect::<Vec<_>>()).await;
        }
    }

    /// Deletes up to ten messages.
    async fn delete(&self, url: &str, messages: &[&Message]) {
        if messages.is_empty() {
            return;
        }
        let entry = |(id, message): (usize, &&Message)| {
            let receipt = message.receipt_handle().expect("a receipt");
            let entry = DeleteMessageBatchRequestEntry::builder().id(id.to_string());
            entry.receipt_handle(receipt).build().expect("an entry")
        };
        let entries = messages.iter().enumerate().map(entry).collect();
        let call = self.client.delete_message_batch().queue_url(url).set_entries(Some(entries));
        let answer = call.send().await.expect("an answer");
        assert!(answer.failed().is_empty(), "{:?}", answer.failed());
    }
}

/// Receives up to so many messages.
async fn receive(client: Client, turn: Turn, url: String, most: i32) -> Vec<Message> {
    let _turn = turn.lock().await;
    let receive = client.receive_message().queue_url(url).max_number_of_messages(most);
    let receive = receive.wait_time_seconds(0);
    let receive = receive.message_system_attribute_names(MessageSystemAttributeName::All);
    receive.send().await.expect("messages").messages.unwrap_or_default()
}

/// A message as Lambda hands it to a function.
/// <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-fifo-queue-message-event>
fn record(message: &Message) -> Value {
    let attributes = message.attributes.iter().flatten();
    let attributes: serde_json::Map<_, _> =
        attributes.map(|(name, value)| (name.as_str().to_owned(), json!(value))).collect();
    json!({
        "messageId": message.message_id, "receiptHandle": message.receipt_handle, "body": message.body,
        "attributes": attributes, "messageAttributes": {}, "md5OfBody": message.md5_of_body,
        "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:updates.fifo",
        "awsRegion": "us-east-1",
    })
}
