//! Dead letters: updates and events that can't succeed as they are, whole, with the reason. Pure.
//!
//! They hold what customers wrote. Secrets and signatures they don't hold.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use super::message::{BYTES, Unreadable, ascii, text};
use crate::outcome::FailReason;
use crate::text::cut;
use crate::time::Time;
use crate::update::Update;

const VERSION: u64 = 1;

/// The version of a letter with updates of which an older tool would replay more than they say, as
/// with [messages](super::Message).
const RULED: u64 = 2;

/// The reason of a letter with a message that could not be read.
const UNREADABLE: &str = "unreadable";

/// The longest detail that is kept, in characters: thousands of bad rows shall not push the event
/// itself out.
const DETAIL: usize = 4000;

/// How many characters are kept of what no message can hold.
const CUT: usize = 65_536;

/// The largest content that is unpacked: those of deliveries and messages have at most 1 MiB, and
/// grow as JSON.
const UNPACKED: u64 = 8 * 1024 * 1024;

/// A dead letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    version: u64,
    /// The name of the source, if it is known.
    pub source: Option<String>,
    /// The sender's id of the delivery, if it is known.
    pub event: Option<String>,
    /// When it was written.
    pub time: Time,
    /// Why: a reason of the summary's, or `unreadable`.
    pub reason: String,
    /// The mistake in detail.
    pub detail: String,
    /// The update, event or message that the letter is about.
    #[serde(flatten)]
    pub content: Content,
}

/// The content of a dead letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Content {
    /// An update that HubSpot doesn't take.
    Update {
        /// The update.
        update: Box<Update>,
    },
    /// Updates of one task, from one delivery, that HubSpot doesn't take.
    Updates {
        /// The updates in their order.
        updates: Vec<Update>,
    },
    /// A verified event that could not be read or mapped.
    Event(Event),
    /// A message that could not be read.
    Text {
        /// The message.
        text: String,
    },
    /// Any of these, where it is too large for a message as it is.
    Packed {
        /// Its JSON, compressed and as base64.
        gzip: String,
    },
}

/// A verified event, without what proved it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The body as it came.
    #[serde(flatten)]
    pub body: Body,
    /// The headers, without those that carry a secret or a signature.
    pub headers: BTreeMap<String, String>,
    /// The decoded fields of the query, without secrets.
    #[serde(default)]
    pub query: Vec<(String, String)>,
    /// Which of its updates could not be mapped, where it has others that went their way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Failed>,
}

/// The body of an event: bytes, of which most are text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Body {
    /// Text.
    Text {
        /// The text.
        body: String,
    },
    /// Bytes that are no UTF-8.
    Bytes {
        /// The bytes as base64.
        #[serde(rename = "bodyBase64")]
        base64: String,
    },
}

/// The version of a letter with this content.
fn version(content: &Content) -> u64 {
    let is_ruled = content.updates().into_iter().flatten().any(Update::is_ruled);
    if is_ruled { RULED } else { VERSION }
}

impl Content {
    /// What a letter about updates that failed for this reason holds: the links alone of one that was
    /// written and could not be linked. Who replays a letter wants it written, also where its source
    /// only observed.
    #[must_use]
    pub fn of_failed(updates: &[Update], reason: FailReason) -> Self {
        let mut kept = Vec::with_capacity(updates.len());
        for update in updates {
            let failed = match reason {
                FailReason::NotAssociated => update.links_alone(),
                _ => update.clone(),
            };
            kept.push(Update { observe: false, ..failed });
        }
        match kept.len() {
            1 => Self::Update { update: Box::new(kept.remove(0)) },
            _ => Self::Updates { updates: kept },
        }
    }

    /// The updates, if it holds some.
    #[must_use]
    pub fn updates(&self) -> Option<&[Update]> {
        match self {
            Self::Update { update } => Some(std::slice::from_ref(update)),
            Self::Updates { updates } => Some(updates),
            Self::Event(_) | Self::Text { .. } | Self::Packed { .. } => None,
        }
    }
}

impl Body {
    /// The body of a delivery.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text { body: text.to_owned() },
            Err(_) => Self::Bytes { base64: STANDARD.encode(bytes) },
        }
    }

    /// The bytes, unless somebody changed the base64.
    #[must_use]
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Text { body } => Some(body.clone().into_bytes()),
            Self::Bytes { base64 } => STANDARD.decode(base64).ok(),
        }
    }
}

/// Some of an event's updates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// Their places, from 0.
    pub updates: Vec<usize>,
    /// How many updates the event has.
    pub of: usize,
}

impl Letter {
    /// A letter about what failed for this reason.
    #[must_use]
    pub fn failed(
        source: &str,
        event: &str,
        time: Time,
        reason: FailReason,
        detail: &str,
        content: Content,
    ) -> Self {
        Self {
            version: version(&content),
            source: Some(source.to_owned()),
            event: Some(event.to_owned()),
            time,
            reason: reason.as_str().to_owned(),
            detail: cut(detail, DETAIL).to_owned(),
            content,
        }
    }

    /// A letter with a message that could not be read.
    #[must_use]
    pub fn unreadable(time: Time, detail: String, text: &str) -> Self {
        let content = Content::Text { text: text.to_owned() };
        Self {
            version: VERSION,
            source: None,
            event: None,
            time,
            reason: UNREADABLE.to_owned(),
            detail,
            content,
        }
    }

    /// The text of the message that holds it. A letter that is too large for one is compressed,
    /// and may still be too large.
    #[must_use]
    pub fn to_text(&self) -> String {
        let whole = text(self);
        if whole.len() <= BYTES {
            return whole;
        }
        self.packed().map_or(whole, |packed| text(&packed))
    }

    /// The same, compressed and in ASCII alone, with nothing in it that a queue may refuse.
    #[must_use]
    pub fn to_ascii(&self) -> String {
        ascii(&text(self.packed().as_ref().unwrap_or(self)))
    }

    /// The letter with compressed content.
    fn packed(&self) -> Option<Self> {
        let gzip = pack(&text(&self.content))?;
        Some(Self { content: Content::Packed { gzip }, ..self.clone() })
    }

    /// The letter with no more than the beginning of what it is about.
    #[must_use]
    pub fn cut(&self) -> Self {
        let content = Content::Text { text: cut(&text(&self.content), CUT).to_owned() };
        let detail = format!("{} (too large to be kept whole)", self.detail);
        Self { detail, content, ..self.clone() }
    }

    /// Reads the text of a message.
    pub fn read(text: &str) -> Result<Self, Unreadable> {
        let mut letter: Self = serde_json::from_str(text)?;
        if ![VERSION, RULED].contains(&letter.version) {
            return Err(Unreadable::Version(letter.version));
        }
        if let Content::Packed { gzip } = &letter.content {
            let content = unpack(gzip).ok_or(Unreadable::Packed)?;
            letter.content = serde_json::from_str(&content)?;
        }
        if letter.content.updates().is_some_and(<[Update]>::is_empty) {
            return Err(Unreadable::Form("it has no update".to_owned()));
        }
        Ok(letter)
    }
}

fn pack(content: &str) -> Option<String> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(content.as_bytes()).ok()?;
    Some(STANDARD.encode(packed.finish().ok()?))
}

fn unpack(gzip: &str) -> Option<String> {
    let packed = STANDARD.decode(gzip).ok()?;
    let mut content = String::new();
    GzDecoder::new(packed.as_slice()).take(UNPACKED).read_to_string(&mut content).ok()?;
    Some(content)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn letter(content: Content) -> Letter {
        let time = Time::from_milliseconds(1_772_712_000_000);
        Letter::failed("desk", "d-1", time, FailReason::Mapping, "`id` is null", content)
    }

    fn headers() -> [(String, String); 1] {
        [("x-kind".to_owned(), "ticket".to_owned())]
    }

    fn event(body: &str) -> Event {
        Event {
            body: Body::from_bytes(body.as_bytes()),
            headers: headers().into(),
            query: vec![("q".into(), "1".into())],
            failed: None,
        }
    }

    #[test]
    fn a_letter_is_written_as_the_contract_says_and_read_again() {
        let of_event = letter(Content::Event(event("{\"a\":1}")));
        let expected = json!({
            "version": 1, "source": "desk", "event": "d-1", "time": "2026-03-05T12:00:00.000Z", "reason": "mapping",
            "detail": "`id` is null", "body": "{\"a\":1}", "headers": {"x-kind": "ticket"}, "query": [["q", "1"]],
        });
        assert_eq!(serde_json::from_str::<Value>(&of_event.to_text()).unwrap(), expected);
        assert_eq!(Letter::read(&of_event.to_text()), Ok(of_event));
        let some = Event { failed: Some(Failed { updates: vec![0, 2], of: 3 }), ..event("{}") };
        let some = letter(Content::Event(some));
        assert_eq!(Letter::read(&some.to_text()), Ok(some));
        let bytes = Event { body: Body::from_bytes(b"{\"a\": \"\xff\"}"), ..event("") };
        let bytes = letter(Content::Event(bytes));
        assert!(
            bytes.to_text().contains("\"bodyBase64\":\"eyJhIjogIv8ifQ==\""),
            "{}",
            bytes.to_text()
        );
        let Content::Event(read) = Letter::read(&bytes.to_text()).unwrap().content else {
            panic!("{bytes:?}")
        };
        assert_eq!(read.body.bytes().as_deref(), Some(&b"{\"a\": \"\xff\"}"[..]));
        let text =
            Letter::unreadable(Time::from_milliseconds(0), "no JSON".to_owned(), "what is this?");
        assert_eq!(Letter::read(&text.to_text()), Ok(text));
    }

    #[test]
    fn what_is_too_large_is_compressed_and_comes_out_as_it_was() {
        for content in [
            Content::Event(event(&format!("[{}1]", "\"ä\u{ffff}\",".repeat(150_000)))),
            Content::Text { text: "\"\\".repeat(400_000) },
        ] {
            let letter = letter(content);
            let written = letter.to_text();
            assert!(written.len() < BYTES && written.contains("\"gzip\""));
            assert_eq!(Letter::read(&written), Ok(letter));
        }
    }

    #[test]
    fn what_a_queue_refuses_can_be_written_in_ascii() {
        let letter = letter(Content::Event(event("{\"a\": \"ä\u{fffe}\u{1}😀\"}")));
        let letter = Letter { detail: "`ä` is null".to_owned(), ..letter };
        let written = letter.to_ascii();
        assert!(written.chars().all(|c| (' '..='~').contains(&c)), "{written}");
        assert_eq!(Letter::read(&written), Ok(letter));
    }

    #[test]
    fn thousands_of_bad_rows_do_not_push_the_event_out() {
        let details = "`hs_task_status`: \"someday\" is not one of these; ".repeat(10_000);
        let time = Time::from_milliseconds(0);
        let letter = Letter::failed(
            "desk",
            "d",
            time,
            FailReason::Mapping,
            &details,
            Content::Event(event("{}")),
        );
        assert_eq!(letter.detail.chars().count(), DETAIL);
    }

    #[test]
    fn what_an_older_tool_would_replay_too_much_of_has_another_version() {
        let task = crate::update::TaskKey { id_property: "a".to_owned(), id: "1".to_owned() };
        let mut update = Update::new(task, Time::from_milliseconds(0));
        let reason = FailReason::InvalidValue;
        let plain = letter(Content::of_failed(std::slice::from_ref(&update), reason));
        update.write.insert("a".to_owned(), crate::update::Write::Empty);
        let ruled = letter(Content::of_failed(&[update], reason));
        assert_eq!((plain.version, ruled.version), (VERSION, RULED));
        assert_eq!(Letter::read(&ruled.to_text()), Ok(ruled));
    }

    #[test]
    fn what_no_message_can_hold_can_be_cut() {
        let letter = letter(Content::Text { text: "\u{1}".repeat(BYTES) }).cut();
        let Content::Text { text } = &letter.content else { panic!("{letter:?}") };
        assert_eq!(text.chars().count(), CUT);
        assert!(letter.detail.ends_with("(too large to be kept whole)"));
    }

    #[test]
    fn what_is_no_letter_is_not_read_as_one() {
        let written = letter(Content::Text { text: "x".to_owned() }).to_text();
        assert!(Letter::read(&written.replace("\"version\":1", "\"version\":9")).is_err());
        let without = written.replace("\"text\":\"x\"", "\"updates\":[]");
        for text in
            ["", "{}", "{\"version\":1}", &written.replace("\"text\"", "\"test\""), &without]
        {
            assert!(Letter::read(text).is_err(), "{text}");
        }
    }
}
