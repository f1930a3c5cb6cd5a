//! The payloads at the desk: pasted, dropped, taken from the samples, or delivered.

use std::collections::VecDeque;

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
}

impl Kept {
    /// Reads a payload as it was pasted.
    pub(super) fn read(bytes: &[u8]) -> Result<Self> {
        let payload = Payload { name: "payload".to_owned(), bytes: bytes.to_vec() };
        let kind = payload.kind();
        Ok(Self::new(payload::deliver("/", &payload, &[], &[])?, kind))
    }

    /// A delivery that came.
    pub(super) fn delivered(delivery: Delivery) -> Self {
        Self::new(delivery, "request")
    }

    fn new(mut delivery: Delivery, kind: &'static str) -> Self {
        for name in &OF_THE_CONNECTION {
            delivery.headers.remove(name);
        }
        Self { delivery, kind }
    }

    /// The delivery to a path, arriving now.
    pub(super) fn to(&self, path: &str) -> Delivery {
        let mut delivery = self.delivery.clone();
        path.clone_into(&mut delivery.path);
        delivery.arrived = Time::now();
        delivery
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.delivery.body).into_owned()
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

    /// A payload to be shown: of a large one some lines from this one on. `is_secret` says of a
    /// header whether it is one of a scheme.
    pub(super) fn view(
        &self,
        id: &str,
        from: usize,
        is_secret: impl Fn(&str) -> bool,
    ) -> Result<Value> {
        let kept = self.get(id)?;
        let mut headers = Vec::new();
        for (name, value) in &kept.delivery.headers {
            let name = name.as_str();
            if is_secret(name) || is_secret_header(name) {
                headers.push(json!([name, {"hidden": "signature"}]));
            } else {
                headers.push(json!([name, String::from_utf8_lossy(value.as_bytes())]));
            }
        }
        let mut query = Vec::new();
        for (name, value) in &kept.delivery.query {
            let shown =
                if names_a_secret(name) { json!({"hidden": "secret"}) } else { json!(value) };
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
