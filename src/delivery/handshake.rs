//! Handshakes: the questions of some senders before they send events.

use http::{HeaderName, HeaderValue};
use secrecy::SecretString;

use super::Delivery;
use super::body::{Format, Json};

/// The longest text that is said back.
const LENGTH: usize = 512;

/// The longest body that is read for a handshake before anything is verified.
const BODY: usize = 4096;

/// A sender's handshake, as its documentation describes it.
#[derive(Clone, Copy, Debug)]
pub struct Handshake {
    pub(super) ask: Ask,
    pub(super) stage: Stage,
    pub(super) reply: Reply,
}

/// How a handshake is told from an event.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ask {
    /// By a header.
    Header(&'static str),
    /// By a field of the body.
    Field(&'static str),
}

/// When a handshake is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Before anything is verified: the reply gives nothing away. If a body has to be read
    /// for it, a small one.
    Unverified,
    /// Like an event, after its signature is verified.
    Verified,
    /// While the source's secret does not exist, since the handshake brings it.
    BeforeSecret,
}

/// The content of a reply.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reply {
    /// The header that asked.
    Header,
    /// The text that was sent.
    Text,
    /// The text that was sent, in a JSON object with the field that asked.
    Field,
    /// Nothing: a 200 is enough. The text that was sent is the secret.
    Secret,
}

/// A delivery that says nothing, such as a test or a heartbeat: once verified, it ends as filtered.
#[derive(Clone, Copy, Debug)]
pub enum NoOp {
    /// A header has this value.
    Header(&'static str, &'static str),
    /// A field of the body, found through these keys, is this JSON.
    Field(&'static [&'static str], &'static str),
}

/// The reply to a handshake.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A header.
    Header(HeaderName, HeaderValue),
    /// A text.
    Text(String),
    /// JSON.
    Json(String),
    /// An empty reply. The sender told its secret, which a person has to store.
    Secret(SecretString),
}

impl NoOp {
    /// Whether a verified delivery is one; `json` is its body.
    #[must_use]
    pub fn matches(&self, delivery: &Delivery, json: &Json) -> bool {
        match self {
            Self::Header(name, value) => {
                delivery.headers.get(*name).is_some_and(|found| found == value)
            }
            Self::Field(keys, value) => json.raw(keys).is_some_and(|found| found == *value),
        }
    }
}

impl Handshake {
    /// The reply, if the delivery is this handshake and this is its stage.
    #[must_use]
    pub fn answer(&self, delivery: &Delivery, stage: Stage) -> Option<Answer> {
        if stage != self.stage {
            return None;
        }
        if stage != Stage::Verified && delivery.body.len() > BODY {
            return None;
        }
        let text = match self.ask {
            Ask::Header(name) => delivery.headers.get(name)?.to_str().ok()?.to_owned(),
            Ask::Field(name) => Json::read(delivery, Format::Json).ok()?.field(name)?,
        };
        let is_plain = text.len() <= LENGTH && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_plain || text.is_empty() {
            return None;
        }
        Some(match (self.reply, self.ask) {
            (Reply::Header, Ask::Header(name)) => {
                Answer::Header(HeaderName::from_static(name), HeaderValue::from_str(&text).ok()?)
            }
            (Reply::Secret, _) => Answer::Secret(text.into()),
            (Reply::Field, Ask::Field(name)) => {
                Answer::Json(serde_json::json!({ name: text }).to_string())
            }
            (Reply::Text | Reply::Header | Reply::Field, _) => Answer::Text(text),
        })
    }
}
