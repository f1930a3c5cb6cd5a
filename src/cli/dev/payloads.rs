//! The payloads at the desk: pasted, dropped, taken from the samples, or delivered.

use std::collections::{BTreeSet, VecDeque};

use anyhow::{Result, anyhow};
use serde_json::{Value, json};

use super::layout::spread;
use crate::cli::headers::OF_THE_CONNECTION;
use crate::cli::payload::{self, Payload};
use crate::delivery::{Delivery, is_secret_header, names_a_secret};
use crate::time::Time;

/// How many payloads are kept, and how many bytes.
const KEPT: usize = 300;
const BYTES: usize = 64 * 1024 * 1024;

/// The largest payload that is edited, in bytes. A key in a text field costs 60 ms at this size.
const EDITED: usize = 128 * 1024;

/// What stands in the place of a secret.
const COVER: &str = "••••";

/// Fields of handshakes that hold what becomes a secret.
const TOKENS: [&str; 2] = ["verification_token", "hook_secret"];

/// How many lines of a larger one are shown at a time.
const WINDOW: usize = 2000;

/// The payloads, oldest first.
#[derive(Default)]
pub(super) struct Payloads {
    all: VecDeque<(u64, Kept)>,
    last: u64,
    bytes: usize,
}

/// A payload: a delivery without a path of its own.
#[derive(Clone)]
pub(super) struct Kept {
    pub(super) delivery: Delivery,
    /// `body`, `event` or `request`.
    kind: &'static str,
    /// What must not be shown of it, as it was known when it came.
    hidden: Hidden,
}

/// What must not be shown.
#[derive(Clone, Default)]
pub(super) struct Hidden {
    /// Names of headers.
    pub(super) headers: BTreeSet<String>,
    /// Secrets.
    pub(super) texts: BTreeSet<String>,
}

impl Hidden {
    /// Whether a value holds a secret.
    pub(super) fn is_in(&self, value: &str) -> bool {
        self.texts.iter().any(|text| value.contains(text.trim()))
    }

    /// The text with every secret covered, and the tokens of senders' handshakes.
    fn cover(&self, text: &str) -> String {
        let mut covered = text.to_owned();
        for secret in &self.texts {
            covered = covered.replace(secret.trim(), COVER);
        }
        for field in TOKENS {
            let Some(start) = covered.find(&format!("\"{field}\"")) else { continue };
            let rest = &covered[start + field.len() + 2..];
            let Some(value) = rest.split('"').nth(1).filter(|value| !value.is_empty()) else {
                continue;
            };
            covered = covered.replace(&value.to_owned(), COVER);
        }
        covered
    }
}

impl Kept {
    /// Reads a payload as it was pasted.
    pub(super) fn read(bytes: &[u8], hidden: Hidden) -> Result<Self> {
        let payload = Payload { name: "payload".to_owned(), bytes: bytes.to_vec() };
        let kind = payload.kind();
        Ok(Self::new(payload::deliver("/", &payload, &[], &[])?, kind, hidden))
    }

    /// A delivery that came.
    pub(super) fn delivered(delivery: Delivery, hidden: Hidden) -> Self {
        Self::new(delivery, "request", hidden)
    }

    fn new(mut delivery: Delivery, kind: &'static str, hidden: Hidden) -> Self {
        for name in &OF_THE_CONNECTION {
            delivery.headers.remove(name);
        }
        Self { delivery, kind, hidden }
    }

    /// The delivery to a path, arriving now.
    pub(super) fn to(&self, path: &str) -> Delivery {
        let mut delivery = self.delivery.clone();
        path.clone_into(&mut delivery.path);
        delivery.arrived = Time::now();
        delivery
    }

    fn text(&self) -> String {
        self.hidden.cover(&String::from_utf8_lossy(&self.delivery.body))
    }
}

impl Payloads {
    /// Keeps a payload. Returns its id.
    pub(super) fn add(&mut self, kept: Kept) -> String {
        self.last += 1;
        self.bytes += kept.delivery.body.len();
        self.all.push_back((self.last, kept));
        while self.all.len() > KEPT || self.bytes > BYTES && self.all.len() > 1 {
            let oldest = self.all.pop_front();
            self.bytes -= oldest.map_or(0, |(_, kept)| kept.delivery.body.len());
        }
        format!("p{}", self.last)
    }

    /// The payload of an id.
    pub(super) fn get(&self, id: &str) -> Result<&Kept> {
        let number = id.strip_prefix('p').and_then(|number| number.parse::<u64>().ok());
        let found = self.all.iter().find(|(known, _)| Some(*known) == number);
        let (_, kept) = found.ok_or_else(|| anyhow!("There is no payload {id} any more."))?;
        Ok(kept)
    }

    /// A payload in short.
    pub(super) fn brief(&self, id: &str, source: Option<&str>) -> Result<Value> {
        let kept = self.get(id)?;
        let lines = spread(&kept.text()).lines().count();
        let bytes = kept.delivery.body.len();
        Ok(json!({"id": id, "bytes": bytes, "lines": lines, "kind": kept.kind, "source": source}))
    }

    /// A payload to be shown: of a large one some lines from this one on.
    pub(super) fn view(&self, id: &str, from: usize) -> Result<Value> {
        let kept = self.get(id)?;
        let mut headers = Vec::new();
        for (name, value) in &kept.delivery.headers {
            let (name, value) = (name.as_str(), String::from_utf8_lossy(value.as_bytes()));
            let is_hidden = kept.hidden.headers.contains(name)
                || is_secret_header(name)
                || kept.hidden.is_in(&value);
            let shown = if is_hidden { json!({"hidden": "signature"}) } else { json!(value) };
            headers.push(json!([name, shown]));
        }
        let mut query = Vec::new();
        for (name, value) in &kept.delivery.query {
            let is_hidden = names_a_secret(name) || name == "key" || kept.hidden.is_in(value);
            let shown = if is_hidden { json!({"hidden": "secret"}) } else { json!(value) };
            query.push(json!([name, shown]));
        }
        let (raw, bytes) = (kept.text(), kept.delivery.body.len());
        let formatted = spread(&raw);
        let lines = formatted.lines().count();
        let is_editable = bytes <= EDITED;
        let window = |text: String| {
            if is_editable {
                return text;
            }
            text.lines().skip(from).take(WINDOW).collect::<Vec<_>>().join("\n")
        };
        Ok(json!({
            "id": id,
            "bytes": bytes,
            "kind": kept.kind,
            "headers": headers,
            "query": query,
            "formatted": window(formatted),
            "raw": window(raw),
            "lines": lines,
            "from": if is_editable { 0 } else { from },
            "editable": is_editable,
        }))
    }
}
