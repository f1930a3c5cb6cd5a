//! Dead letters: what can't succeed as it is, whole, with the reason. Pure.
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

use super::message::text;
use super::plan::BYTES;
use crate::summary::FailReason;
use crate::time::Time;
use crate::update::Update;

const VERSION: u64 = 1;

/// The reason of a letter with a message that could not be read.
const UNREADABLE: &str = "unreadable";

/// A body longer than this is compressed: as JSON it grows, and the rest of the letter needs room too.
const LONG: usize = BYTES / 2;

/// How many characters are kept of what no message can hold.
const CUT: usize = 65_536;

/// The largest body that is unpacked: those of deliveries have at most 1 MiB.
const UNPACKED: u64 = 2 * 1024 * 1024;

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
    /// What exactly is wrong.
    pub detail: String,
    /// What could not be done.
    #[serde(flatten)]
    pub content: Content,
}

/// What a dead letter holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Content {
    /// An update that HubSpot doesn't take.
    Update {
        /// The update.
        update: Box<Update>,
    },
    /// A verified event that could not be mapped.
    Event(Event),
    /// A message that could not be read.
    Text {
        /// The message.
        text: String,
    },
}

/// A verified event, without what proved it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The body, as it came or compressed.
    body: String,
    /// `gzip+base64` where the body is compressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    encoding: Option<String>,
    /// The headers, without those that carry a secret or a signature.
    pub headers: BTreeMap<String, String>,
    /// The decoded fields of the query.
    #[serde(default)]
    pub query: Vec<(String, String)>,
}

impl Letter {
    /// A letter about what failed for this reason.
    #[must_use]
    pub fn failed(
        source: &str,
        event: &str,
        time: Time,
        reason: FailReason,
        detail: impl Into<String>,
        content: Content,
    ) -> Self {
        Self {
            version: VERSION,
            source: Some(source.to_owned()),
            event: Some(event.to_owned()),
            time,
            reason: serde_json::json!(reason).as_str().unwrap_or_default().to_owned(),
            detail: detail.into(),
            content,
        }
    }

    /// A letter with a message that could not be read.
    #[must_use]
    pub fn unreadable(time: Time, detail: String, text: &str) -> Self {
        let content = Content::Text { text: text.to_owned() };
        Self { version: VERSION, source: None, event: None, time, reason: UNREADABLE.to_owned(), detail, content }
    }

    /// The text of the message that holds it. What no message can hold is cut: the letter then says so, and can't be
    /// sent through again.
    #[must_use]
    pub fn to_text(&self) -> String {
        let whole = text(self);
        if whole.len() <= BYTES {
            return whole;
        }
        let content = Content::Text { text: text(&self.content).chars().take(CUT).collect() };
        text(&Self { detail: format!("{} (too large to be kept whole)", self.detail), content, ..self.clone() })
    }

    /// Reads the text of a message; the error says why it is no letter.
    pub fn read(text: &str) -> Result<Self, String> {
        let letter: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if letter.version == VERSION { Ok(letter) } else { Err(format!("it has version {}", letter.version)) }
    }
}

impl Event {
    /// Takes an event, and compresses a long body.
    #[must_use]
    pub fn new(body: &str, headers: impl IntoIterator<Item = (String, String)>, query: &[(String, String)]) -> Self {
        let packed = Some(body).filter(|body| body.len() > LONG).and_then(pack);
        let encoding = packed.as_ref().map(|_| "gzip+base64".to_owned());
        let body = packed.unwrap_or_else(|| body.to_owned());
        Self { body, encoding, headers: headers.into_iter().collect(), query: query.to_vec() }
    }

    /// The body as it came.
    pub fn body(&self) -> Result<String, String> {
        match self.encoding.as_deref() {
            None => Ok(self.body.clone()),
            Some("gzip+base64") => unpack(&self.body).ok_or_else(|| "its body can't be unpacked".to_owned()),
            Some(other) => Err(format!("its body has the encoding {other:?}")),
        }
    }
}

fn pack(body: &str) -> Option<String> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(body.as_bytes()).ok()?;
    Some(STANDARD.encode(packed.finish().ok()?))
}

fn unpack(body: &str) -> Option<String> {
    let packed = STANDARD.decode(body).ok()?;
    let mut text = String::new();
    GzDecoder::new(packed.as_slice()).take(UNPACKED).read_to_string(&mut text).ok()?;
    Some(text)
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

    #[test]
    fn a_letter_is_written_as_the_contract_says_and_read_again() {
        let event = letter(Content::Event(Event::new("{\"a\":1}", headers(), &[("q".to_owned(), "1".to_owned())])));
        let expected = json!({
            "version": 1, "source": "desk", "event": "d-1", "time": "2026-03-05T12:00:00.000Z", "reason": "mapping",
            "detail": "`id` is null", "body": "{\"a\":1}", "headers": {"x-kind": "ticket"}, "query": [["q", "1"]],
        });
        assert_eq!(serde_json::from_str::<Value>(&event.to_text()).unwrap(), expected);
        assert_eq!(Letter::read(&event.to_text()), Ok(event));
        let text = Letter::unreadable(Time::from_milliseconds(0), "no JSON".to_owned(), "what is this?");
        assert_eq!(Letter::read(&text.to_text()), Ok(text));
    }

    #[test]
    fn a_long_body_is_compressed_and_comes_out_as_it_was() {
        let body = format!("[{}1]", "\"ä\u{ffff}\",".repeat(150_000));
        let event = Event::new(&body, headers(), &[]);
        let letter = letter(Content::Event(event));
        assert!(letter.to_text().len() < BYTES);
        let Content::Event(event) = Letter::read(&letter.to_text()).unwrap().content else { panic!("an event") };
        assert_eq!(event.body(), Ok(body));
    }

    #[test]
    fn what_no_message_can_hold_is_cut() {
        let text = "\u{1}".repeat(BYTES);
        let Content::Text { text } = Letter::read(&letter(Content::Text { text }).to_text()).unwrap().content else {
            panic!("text")
        };
        assert_eq!(text.chars().count(), CUT);
    }

    #[test]
    fn what_is_no_letter_is_not_read_as_one() {
        let written = letter(Content::Text { text: "x".to_owned() }).to_text();
        assert!(Letter::read(&written.replace("\"version\":1", "\"version\":9")).is_err());
        for text in ["", "{}", "{\"version\":1}", &written.replace("\"text\"", "\"test\"")] {
            assert!(Letter::read(text).is_err(), "{text}");
        }
    }
}
