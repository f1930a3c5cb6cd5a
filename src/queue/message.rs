//! Queued updates of one task, with all that the worker needs to know. Pure.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::update::{TaskKey, Update};

/// The version of a message of one update, which older workers read as well.
const ONE: u64 = 1;

/// The version of a message of several updates.
const SEVERAL: u64 = 2;

/// The version of a message of which an older worker would write more than it says: with rules of
/// writing, links, or the mark of observing. A change that a worker of today would misread needs another
/// version.
const RULED: u64 = 3;

/// The most bytes of a message, and of all messages of one call.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
pub(super) const BYTES: usize = 1024 * 1024;

/// The updates of one task that came with one delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "Written")]
pub struct Message {
    /// The name of the source that mapped them.
    pub source: String,
    /// The sender's id of the delivery.
    pub event: String,
    /// The request id of the webhook's invocation: by it the log joins what the two functions did.
    /// A message of an older webhook, or one that was sent through again, has none.
    pub request_id: Option<String>,
    /// The updates in their order, at least one.
    pub updates: Vec<Update>,
}

/// A message as it is written.
#[derive(Serialize, Deserialize)]
struct Written {
    version: u64,
    source: String,
    event: String,
    #[serde(default, rename = "requestId", skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// The only update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    update: Option<Update>,
    /// Several updates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    updates: Vec<Update>,
}

impl Message {
    /// A message with these updates, which are of one task.
    #[must_use]
    pub fn new(source: &str, event: &str, updates: Vec<Update>) -> Self {
        Self { source: source.to_owned(), event: event.to_owned(), request_id: None, updates }
    }

    /// The same, queued by this invocation of the webhook.
    #[must_use]
    pub fn of_request(self, request_id: &str) -> Self {
        Self { request_id: Some(request_id.to_owned()), ..self }
    }

    /// The task, by the first of the updates: another may write the same id in another way.
    #[must_use]
    pub fn task(&self) -> Option<&TaskKey> {
        self.updates.first().map(|update| &update.task)
    }

    /// Reads the text of a message.
    pub fn read(text: &str) -> Result<Self, Unreadable> {
        let Written { version, source, event, request_id, update, mut updates } =
            serde_json::from_str(text)?;
        match (version, update) {
            (ONE | RULED, Some(only)) if updates.is_empty() => updates.push(only),
            (SEVERAL | RULED, None) if !updates.is_empty() => {}
            (ONE, _) => return Err(Unreadable::Form("it has no `update` alone".to_owned())),
            (SEVERAL, _) => return Err(Unreadable::Form("it has no `updates` alone".to_owned())),
            (RULED, _) => {
                return Err(Unreadable::Form("it has no `update` or `updates` alone".to_owned()));
            }
            (other, _) => return Err(Unreadable::Version(other)),
        }
        Ok(Self { source, event, request_id, updates })
    }
}

impl From<Message> for Written {
    fn from(message: Message) -> Self {
        let Message { source, event, request_id, mut updates } = message;
        let version = match &updates[..] {
            updates if updates.iter().any(Update::is_ruled) => RULED,
            [_] => ONE,
            _ => SEVERAL,
        };
        let only = if updates.len() == 1 { updates.pop() } else { None };
        Self { version, source, event, request_id, update: only, updates }
    }
}

/// Why a text is no message or dead letter of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is no JSON, or not of this form.
    #[error("{0}")]
    Form(String),
    /// It has another version.
    #[error("it has version {0}, which this program doesn't read")]
    Version(u64),
    /// Its content is compressed, and is broken.
    #[error("its content can't be unpacked")]
    Packed,
}

impl From<serde_json::Error> for Unreadable {
    fn from(error: serde_json::Error) -> Self {
        Self::Form(error.to_string())
    }
}

/// Writes JSON with nothing in it that SQS refuses: of all that JSON may hold, these two
/// characters.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
pub(super) fn text(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).unwrap_or_default();
    text.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff")
}

/// JSON in ASCII alone. Outside of its texts JSON has no other characters, and there each can be
/// escaped.
pub(super) fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() && c != '\u{7f}' {
            text.push(c);
        } else {
            text.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    text
}

/// The message group of a task: its updates keep their order, those of other tasks go in parallel.
/// A hash, since SQS takes 128 ASCII characters without spaces.
#[must_use]
pub fn group(task: &TaskKey) -> String {
    let TaskKey { id_property, id } = task.canonical();
    hash([id_property.as_bytes(), id.as_bytes()])
}

/// The deduplication id of updates of one task: within five minutes SQS takes each only once.
///
/// `event` is the sender's id of the delivery or, where it gives none, the id of our own request,
/// so that nothing that was sent twice on purpose is swallowed. `body` is the digest of the delivery's, `place` is the place of the first of
/// them in the delivery, `updates` their JSON, one after the other.
#[must_use]
pub(super) fn deduplication(event: &str, body: &[u8], place: usize, updates: &str) -> String {
    hash([event.as_bytes(), body, place.to_string().as_bytes(), updates.as_bytes()])
}

/// The message group and deduplication id of the webhook's dead letter about some of an event's
/// updates: a delivery that is repeated within five minutes doesn't write its letters again.
/// `event` and `body` are as in [`deduplication`], `places` are the places of the updates in the event; none
/// for a letter about the delivery as a whole.
#[must_use]
pub fn letter_of_delivery(
    source: &str,
    event: &str,
    body: &[u8],
    reason: &str,
    places: &[usize],
) -> String {
    let places = places.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    hash([source.as_bytes(), event.as_bytes(), body, reason.as_bytes(), places.as_bytes()])
}

/// The message group and deduplication id of the worker's dead letter about the updates of a message
/// from this place on: one that is received again, since the worker died before it was acknowledged,
/// doesn't write its letter again. What is replayed is another message, so that one that fails again
/// is a letter again.
#[must_use]
pub fn letter_of_message(message_id: &str, place: usize) -> String {
    hash([b"message", message_id.as_bytes(), place.to_string().as_bytes()])
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
    use crate::update::{Associate, Link, Missing, Object, OnMissing, Unknown, Value, When, Write};

    fn update() -> Update {
        let owner = |unknown| Value::Owner { email: "ada@acme.example".to_owned(), unknown };
        Update {
            on_missing: OnMissing::Create,
            updated_at_property: Some("ticket_at".to_owned()),
            properties: vec![
                ("z".to_owned(), Value::Text("ä \u{ffff} \u{0} \u{fffe}\n".to_owned())),
                ("a".to_owned(), owner(Unknown::Fail)),
                ("b".to_owned(), owner(Unknown::Write("102".to_owned()))),
                ("c".to_owned(), owner(Unknown::Skip)),
            ],
            ..Update::new(
                TaskKey { id_property: "ticket".to_owned(), id: "7".to_owned() },
                Time::from_milliseconds(1_772_712_000_123),
            )
        }
    }

    #[test]
    fn a_message_is_read_as_it_was_written_in_the_order_of_its_properties() {
        let message = Message::new("desk", "d-1", vec![update()]);
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
    fn several_updates_are_a_version_of_their_own_and_keep_their_order() {
        let later = Update { time: Time::from_milliseconds(0), ..update() };
        let message = Message::new("desk", "d-1", vec![update(), later]).of_request("r-1");
        let written = text(&message);
        assert!(written.starts_with(
            r#"{"version":2,"source":"desk","event":"d-1","requestId":"r-1","updates":[{"#
        ));
        assert_eq!(Message::read(&written), Ok(message));
    }

    #[test]
    fn what_an_older_worker_would_write_too_much_of_has_another_version() {
        let link = |to, id: &str| Link { to, by: "email".to_owned(), id: id.to_owned() };
        let associate = Associate {
            when: When::Create,
            missing: Missing::Fail,
            links: vec![link(Object::Contact, "ada@acme.example"), link(Object::Ticket, "7")],
        };
        let write = [("a", Write::Empty), ("z", Write::Create)];
        let write = write.map(|(name, rule)| (name.to_owned(), rule)).into();
        for ruled in [
            Update { associate: Some(associate), ..update() },
            Update { write, ..update() },
            Update { observe: true, ..update() },
        ] {
            for updates in [vec![ruled.clone()], vec![update(), ruled]] {
                let message = Message::new("desk", "d-1", updates);
                let written = text(&message);
                assert!(written.starts_with(r#"{"version":3,"#), "{written}");
                assert_eq!(Message::read(&written), Ok(message));
            }
        }
    }

    #[test]
    fn json_in_ascii_says_the_same() {
        let json = json!({"ä\u{7f}": ["\u{fffe}", "😀 \n", "\\u00e4"]});
        let written = ascii(&json.to_string());
        assert!(written.chars().all(|c| (' '..='~').contains(&c)), "{written}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&written).unwrap(), json);
    }

    #[test]
    fn a_message_of_another_version_or_form_is_not_misread() {
        let written = text(&Message::new("desk", "d-1", vec![update()]));
        let other = Message::read(&written.replacen("\"version\":1", "\"version\":4", 1));
        assert_eq!(other, Err(Unreadable::Version(4)));
        for text in [
            "",
            "{}",
            "[]",
            "null",
            &written[1..],
            &written.replacen("\"id\":\"7\"", "\"id\":7", 1),
            &written.replacen("\"version\":1", "\"version\":2", 1),
            &written
                .replacen("\"update\":", "\"updates\":[],\"update\":", 1)
                .replace("\"version\":1", "\"version\":2"),
        ] {
            assert!(Message::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_letter_is_known_by_its_delivery_and_place_or_by_its_message() {
        let of = |source, event, body: &str, places: &[usize]| {
            letter_of_delivery(source, event, body.as_bytes(), "mapping", places)
        };
        let letter = of("desk", "d-1", "{}", &[0, 2]);
        assert_eq!(letter, of("desk", "d-1", "{}", &[0, 2]));
        for other in [
            of("shop", "d-1", "{}", &[0, 2]),
            of("desk", "d-2", "{}", &[0, 2]),
            of("desk", "d-1", "{ }", &[0, 2]),
            of("desk", "d-1", "{}", &[0]),
            letter_of_message("m-1", 0),
        ] {
            assert_ne!(letter, other);
        }
        assert_eq!(letter_of_message("m-1", 0), letter_of_message("m-1", 0));
        assert_ne!(letter_of_message("m-1", 0), letter_of_message("m-2", 0));
        assert_ne!(letter_of_message("m-1", 0), letter_of_message("m-1", 1));
    }

    #[test]
    fn a_group_is_a_task_and_a_deduplication_id_is_one_update_of_one_delivery() {
        let key = |id_property: &str, id: &str| TaskKey {
            id_property: id_property.to_owned(),
            id: id.to_owned(),
        };
        assert_eq!(group(&key("ticket", "7")).len(), 64);
        assert_eq!(group(&key("ticket", "7")), group(&key("ticket", "7")));
        assert_eq!(group(&key("ticket", " ÄRA-7")), group(&key("ticket", "ära-7")));
        assert_ne!(group(&key("ticket", "17")), group(&key("ticket1", "7")));
        let json = text(&update());
        let id =
            |event: &str, body: &str, place| deduplication(event, body.as_bytes(), place, &json);
        assert_eq!(id("d-1", "{}", 0), id("d-1", "{}", 0));
        for other in [id("d-2", "{}", 0), id("d-1", "{ }", 0), id("d-1", "{}", 1)] {
            assert_ne!(id("d-1", "{}", 0), other);
        }
        let later = Update { time: Time::from_milliseconds(0), ..update() };
        assert_ne!(id("d-1", "{}", 0), deduplication("d-1", b"{}", 0, &text(&later)));
    }
}
