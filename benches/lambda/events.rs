//! What the functions are given.

use std::fs;
use std::path::Path;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Map, Value, json};
use sha2::Sha256;
use taskhook::time::Time;

use crate::Result;

/// When the sample's issue was changed.
const UPDATED_AT: &str = "2026-10-06T15:40:03Z";

/// GitHub's sample, signed anew for each event, one second later than the one before.
pub(crate) struct Events {
    event: Value,
    body: String,
    secret: Vec<u8>,
    time: Time,
}

impl Events {
    pub(crate) fn new(package: &Path, secrets: &Map<String, Value>) -> Result<Self> {
        let event: Value =
            serde_json::from_str(&fs::read_to_string(package.join("events/github/closed.json"))?)?;
        let body = event["body"].as_str().ok_or("the sample has no body")?.to_owned();
        let secret = secrets["taskhook/github"].as_str().ok_or("GitHub's secret is no text")?;
        // Long ago: the function takes no event for later than its own time.
        let time = Time::parse("2020-01-01")?;
        Ok(Self { event, body, secret: secret.as_bytes().to_vec(), time })
    }

    fn next_time(&mut self) -> Time {
        self.time = Time::from_milliseconds(self.time.milliseconds() + 1000);
        self.time
    }

    /// An issue was closed, as Lambda passes it on.
    pub(crate) fn closed(&mut self) -> Result<String> {
        let time = self.next_time().to_string();
        let body = self.body.replace(UPDATED_AT, &time);
        self.delivery("/github", &body)
    }

    /// One delivery with an update for each of so many tasks, for [`MANY`], filled up to so many
    /// bytes with a text that no expression reads.
    pub(crate) fn many(&mut self, updates: usize, bytes: usize) -> Result<String> {
        let time = self.next_time();
        let ticket = |id| json!({"id": format!("T-{id}"), "subject": "a", "at": time});
        let mut body = json!({"tickets": (0..updates).map(ticket).collect::<Vec<_>>(), "text": ""});
        let missing = bytes.saturating_sub(body.to_string().len());
        body["text"] = json!("word ".repeat(missing / 5));
        self.delivery("/many", &body.to_string())
    }

    /// Queued updates of so many tasks, as Lambda passes them on.
    pub(crate) fn queued(&mut self, updates: usize) -> String {
        let time = self.next_time();
        let records = (0..updates).map(|id| {
            let update = json!({
                "idProperty": "ticket", "id": format!("T-{id}"), "time": time, "onMissing": "fail",
                "updatedAtProperty": "ticket_at",
                "properties": {"hs_task_subject": time.to_string(), "ticket_at": time.to_string()},
            });
            let body = json!({
                "version": 1, "source": "many", "event": "event", "requestId": "request",
                "update": update,
            });
            let body = body.to_string();
            json!({
                "messageId": id.to_string(), "receiptHandle": "r", "body": body,
                "attributes": {"ApproximateReceiveCount": "1", "MessageGroupId": id.to_string()},
                "messageAttributes": {}, "md5OfBody": "", "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-central-1:000000000000:updates.fifo",
                "awsRegion": "eu-central-1",
            })
        });
        json!({"Records": records.collect::<Vec<_>>()}).to_string()
    }

    fn delivery(&mut self, path: &str, body: &str) -> Result<String> {
        let mut hmac = Hmac::<Sha256>::new_from_slice(&self.secret)?;
        hmac.update(body.as_bytes());
        let signature = format!("sha256={}", hex::encode(hmac.finalize().into_bytes()));
        self.event["headers"]["x-hub-signature-256"] = json!(signature);
        self.event["rawPath"] = json!(path);
        self.event["requestContext"]["http"]["path"] = json!(path);
        self.event["body"] = json!(body);
        Ok(self.event.to_string())
    }
}

/// A source with many updates in one delivery.
pub(crate) const MANY: &str = r#"
[verify]
scheme = "github"
secret = "taskhook/github"
[task]
each = '.tickets[]'
id = '.id'
time = '.at'
id_property = "ticket"
updated_at_property = "ticket_at"
[properties]
hs_task_subject = '.subject'
"#;
