//! What lies in the queue: one update, with all that the worker needs to know. Pure.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::update::{TaskKey, Update};

/// The version that is written and read. A change that an older worker would misread needs another one.
const VERSION: u64 = 1;

/// A queued update.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    version: u64,
    /// The name of the source that mapped it.
    pub source: String,
    /// The sender's id of the delivery.
    pub event: String,
    /// The update.
    pub update: Update,
}

impl Message {
    /// A message of the present version.
    #[must_use]
    pub fn new(source: &str, event: &str, update: Update) -> Self {
        Self { version: VERSION, source: source.to_owned(), event: event.to_owned(), update }
    }

    /// Reads the text of a message; the error says why it can't be read.
    pub fn read(text: &str) -> Result<Self, String> {
        let message: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if message.version == VERSION {
            Ok(message)
        } else {
            Err(format!("it has version {}, and this worker reads version {VERSION}", message.version))
        }
    }
}

/// Writes JSON with nothing in it that SQS refuses: of all that JSON may hold, these two characters.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
pub(super) fn text(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).unwrap_or_default();
    text.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff")
}

/// The message group of a task: its updates keep their order, those of other tasks go in parallel. A hash, since SQS
/// takes 128 ASCII characters without spaces.
#[must_use]
pub fn group(task: &TaskKey) -> String {
    // HubSpot may take ids for the same that differ in case or in space around them.
    hash([task.id_property.as_bytes(), task.id.trim().to_lowercase().as_bytes()])
}

/// The deduplication id of an update: within five minutes SQS takes each only once.
///
/// `event` is the sender's id of the delivery or, where it gives none, the id of our own request, so that nothing that
/// was sent twice on purpose is swallowed.
#[must_use]
pub fn deduplication(event: &str, body: &[u8], index: usize, update: &Update) -> String {
    hash([event.as_bytes(), body, index.to_string().as_bytes(), text(update).as_bytes()])
}

/// SHA-256 of parts, each with its length, so that no two lists of parts are the same bytes.
fn hash<const N: usize>(parts: [&[u8]; N]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::time::Time;
    use crate::update::{OnMissing, Unknown, Value};

    fn update() -> Update {
        let owner = |unknown| Value::Owner { email: "ada@acme.example".to_owned(), unknown };
        Update {
            task: TaskKey { id_property: "ticket".to_owned(), id: "7".to_owned() },
            time: Time::from_milliseconds(1_772_712_000_123),
            on_missing: OnMissing::Create,
            updated_at_property: Some("ticket_at".to_owned()),
            properties: vec![
                ("z".to_owned(), Value::Text("ä \u{ffff} \u{0} \u{fffe}\n".to_owned())),
                ("a".to_owned(), owner(Unknown::Fail)),
                ("b".to_owned(), owner(Unknown::Write("102".to_owned()))),
                ("c".to_owned(), owner(Unknown::Skip)),
            ],
        }
    }

    #[test]
    fn a_message_is_read_as_it_was_written_in_the_order_of_its_properties() {
        let message = Message::new("desk", "d-1", update());
        let written = text(&message);
        assert!(written.chars().all(|c| !['\u{0}', '\u{fffe}', '\u{ffff}'].contains(&c)));
        assert_eq!(Message::read(&written), Ok(message));
        let expected = json!({
            "version": 1, "source": "desk", "event": "d-1",
            "update": {
                "idProperty": "ticket", "id": "7", "time": "2026-03-05T12:00:00.123Z", "onMissing": "create",
                "updatedAtProperty": "ticket_at",
                "properties": {
                    "z": "ä \u{ffff} \u{0} \u{fffe}\n",
                    "a": {"owner": "ada@acme.example", "unknown": "fail"},
                    "b": {"owner": "ada@acme.example", "unknown": {"write": "102"}},
                    "c": {"owner": "ada@acme.example", "unknown": "skip"},
                },
            },
        });
        assert_eq!(serde_json::from_str::<serde_json::Value>(&written).unwrap(), expected);
    }

    #[test]
    fn a_message_of_another_version_or_form_is_not_misread() {
        let written = text(&Message::new("desk", "d-1", update()));
        let other = Message::read(&written.replacen("\"version\":1", "\"version\":2", 1));
        assert_eq!(other, Err("it has version 2, and this worker reads version 1".to_owned()));
        for text in ["", "{}", "[]", "null", &written[1..], &written.replacen("\"id\":\"7\"", "\"id\":7", 1)] {
            assert!(Message::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_group_is_a_task_and_a_deduplication_id_is_one_update_of_one_delivery() {
        let key = |id_property: &str, id: &str| TaskKey { id_property: id_property.to_owned(), id: id.to_owned() };
        assert_eq!(group(&key("ticket", "7")).len(), 64);
        assert_eq!(group(&key("ticket", "7")), group(&key("ticket", "7")));
        assert_eq!(group(&key("ticket", " PROJ-7")), group(&key("ticket", "proj-7")));
        assert_ne!(group(&key("ticket", "17")), group(&key("ticket1", "7")));
        let id = |event: &str, body: &str, index| deduplication(event, body.as_bytes(), index, &update());
        assert_eq!(id("d-1", "{}", 0), id("d-1", "{}", 0));
        for other in [id("d-2", "{}", 0), id("d-1", "{ }", 0), id("d-1", "{}", 1)] {
            assert_ne!(id("d-1", "{}", 0), other);
        }
        let later = Update { time: Time::from_milliseconds(0), ..update() };
        assert_ne!(id("d-1", "{}", 0), deduplication("d-1", b"{}", 0, &later));
    }
}
