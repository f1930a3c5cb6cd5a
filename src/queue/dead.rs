//! Tells what a message in either queue is: an update, a dead letter, or neither. Pure.

use super::{Letter, Message};
use crate::time::Time;
use crate::update::{TaskKey, Update};

/// A message in the queue of dead letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dead {
    /// A letter that one of the functions wrote.
    Letter(Letter),
    /// A queued update that SQS moved after too many receives.
    GivenUp(Message),
    /// Something else.
    Unknown,
}

/// A message in the queue of updates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrived {
    /// An update, queued or in a dead letter that AWS's own "Start DLQ redrive" moved there.
    Update(Message),
    /// Another dead letter that was moved there: nobody but `replay` can do anything with it.
    Letter,
    /// Something else, and why it can't be read.
    Unknown(String),
}

impl Arrived {
    /// Tells from its text what a message is.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let why = match Message::read(text) {
            Ok(message) => return Self::Update(message),
            Err(why) => why,
        };
        match Letter::read(text) {
            Ok(Letter { source, event, content, .. }) => match content.updates() {
                Some(updates) => Self::Update(Message::new(
                    &source.unwrap_or_default(),
                    &event.unwrap_or_default(),
                    updates.to_vec(),
                )),
                None => Self::Letter,
            },
            Err(_) if is_letter(text) => Self::Letter,
            Err(_) => Self::Unknown(why.to_string()),
        }
    }
}

/// Whether a text is a dead letter, be it of a version that is not known here.
fn is_letter(text: &str) -> bool {
    let json: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    json["version"].is_u64() && json["reason"].is_string() && json["detail"].is_string()
}

impl Dead {
    /// Tells from its text what a message is.
    #[must_use]
    pub fn read(text: &str) -> Self {
        // A queued update has no reason, and a letter has one, so neither is read as the other.
        let letter = Letter::read(text).map(Self::Letter);
        letter.or_else(|_| Message::read(text).map(Self::GivenUp)).unwrap_or(Self::Unknown)
    }

    /// The source's name, if it is known.
    #[must_use]
    pub fn source(&self) -> Option<&str> {
        match self {
            Self::Letter(letter) => letter.source.as_deref(),
            Self::GivenUp(message) => Some(&message.source),
            Self::Unknown => None,
        }
    }

    /// The sender's id of the delivery, if it is known.
    #[must_use]
    pub fn event(&self) -> Option<&str> {
        match self {
            Self::Letter(letter) => letter.event.as_deref(),
            Self::GivenUp(message) => Some(&message.event),
            Self::Unknown => None,
        }
    }

    /// Why it is here: a letter's reason, `given_up` for what SQS moved, or `unknown`.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Letter(letter) => &letter.reason,
            Self::GivenUp(_) => "given_up",
            Self::Unknown => "unknown",
        }
    }

    /// When it was written, if it says so.
    #[must_use]
    pub fn time(&self) -> Option<Time> {
        match self {
            Self::Letter(letter) => Some(letter.time),
            Self::GivenUp(_) | Self::Unknown => None,
        }
    }

    /// The mistake in detail, and the task.
    #[must_use]
    pub fn detail(&self) -> String {
        match self {
            Self::Letter(letter) => match letter.content.updates() {
                Some(updates) => format!("{}: {}", which(updates), letter.detail),
                None => letter.detail.clone(),
            },
            Self::GivenUp(message) => {
                format!("{}: it was tried too often", which(&message.updates))
            }
            Self::Unknown => "neither a dead letter nor a queued update".to_owned(),
        }
    }
}

/// The task of updates, and how many they are.
fn which(updates: &[Update]) -> String {
    let Some(Update { task, .. }) = updates.first() else { return String::new() };
    let TaskKey { id_property, id } = task;
    match updates.len() {
        1 => format!("{id_property} {id}"),
        several => format!("{id_property} {id} ({several} updates)"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Content;
    use super::*;
    use crate::outcome::FailReason;
    use crate::update::Value;

    fn update() -> Update {
        Update {
            properties: vec![("hs_task_subject".to_owned(), Value::Text("ä".to_owned()))],
            ..Update::new(
                TaskKey { id_property: "ticket".to_owned(), id: "7".to_owned() },
                Time::from_milliseconds(1_772_712_000_123),
            )
        }
    }

    #[test]
    fn a_letter_and_a_queued_update_are_told_apart() {
        let message = Message::new("desk", "d-1", vec![update()]);
        let text = super::super::message::text(&message);
        assert_eq!(Dead::read(&text), Dead::GivenUp(message));
        let content = Content::of_failed(&[update()], FailReason::InvalidValue);
        let letter = Letter::failed(
            "desk",
            "d-1",
            Time::from_milliseconds(0),
            FailReason::NotFound,
            "no such task",
            content,
        );
        let dead = Dead::read(&letter.to_text());
        assert_eq!(
            (dead.reason(), dead.detail()),
            ("not_found", "ticket 7: no such task".to_owned())
        );
        assert_eq!(Dead::read("{}"), Dead::Unknown);
    }

    #[test]
    fn of_what_was_moved_into_the_queue_of_updates_only_updates_are_taken() {
        let message = Message::new("desk", "d-1", vec![update()]);
        assert_eq!(
            Arrived::read(&super::super::message::text(&message)),
            Arrived::Update(message.clone())
        );
        let time = Time::from_milliseconds(0);
        let content = Content::of_failed(&[update()], FailReason::InvalidValue);
        let letter =
            Letter::failed("desk", "d-1", time, FailReason::NotFound, "no such task", content);
        for text in [letter.to_text(), letter.to_ascii()] {
            assert_eq!(Arrived::read(&text), Arrived::Update(message.clone()), "{text}");
        }
        let unreadable = Letter::unreadable(time, "no JSON".to_owned(), "?").to_text();
        for text in
            [unreadable.as_str(), &letter.to_text().replace("\"version\":1", "\"version\":9")]
        {
            assert_eq!(Arrived::read(text), Arrived::Letter, "{text}");
        }
        for text in ["?", "{}", "[1]", "{\"version\":7}"] {
            assert!(matches!(Arrived::read(text), Arrived::Unknown(_)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_panic(text in ".{0,60}", at in any::<prop::sample::Index>(), with in any::<char>()) {
            let _ = (Dead::read(&text), Arrived::read(&text));
            let content = Content::Packed { gzip: text.clone() };
            let letter = Letter::failed("desk", &text, Time::from_milliseconds(0), FailReason::Mapping, &text, content);
            let mut written: Vec<char> = letter.to_text().chars().collect();
            let at = at.index(written.len());
            written[at] = with;
            let written: String = written.into_iter().collect();
            let _ = (Dead::read(&written), Arrived::read(&written));
        }
    }
}
