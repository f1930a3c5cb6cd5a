//! Every scheme against deliveries that are right, and against every way in which they can be
//! wrong.
//!
//! The deliveries are made from the table of presets and signed by an HMAC of these tests' own.
//! What a row of the table has to say stands in [`VECTORS`], which Python's `hmac` computed.

mod jwt;
mod presets;
mod schemes;
mod wild;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, Method};
use secrecy::SecretString;
use sha2::Digest;

use super::presets::{HmacPreset, Kind, preset, preset_names};
use super::{
    Algorithm, Delivery, Encoding, Format, NotRead, Refused, Scheme, Timestamp, Tolerance,
};
use crate::time::Time;

/// 2026-03-05T12:00:00Z, when the deliveries of these tests arrive.
const ARRIVED: i64 = 1_772_712_000_000;

const TOLERANCE: Tolerance = Tolerance(std::time::Duration::from_mins(5));

const SECRET: &str = "correct horse battery";

/// The scheme, the secret, the headers and the body of a delivery that is right.
type Vector = (&'static str, &'static str, &'static [(&'static str, &'static str)], &'static str);

/// One for every named scheme.
const VECTORS: [Vector; 22] = [
    ("monday", SECRET, &[("authorization", jwt::PYTHON)], r#"{"ticket":{"id":7}}"#),
    (
        "github",
        SECRET,
        &[(
            "x-hub-signature-256",
            "sha256=9db54e4ca7008f59f06ced2af309674c9143d5ed85e1f9a80e58dfa5b6bf5ca0",
        )],
        r#"{"ticket":{"id":7}}"#,
    ),
    (
        "jira",
        SECRET,
        &[(
            "x-hub-signature",
            "sha256=9db54e4ca7008f59f06ced2af309674c9143d5ed85e1f9a80e58dfa5b6bf5ca0",
        )],
        r#"{"ticket":{"id":7}}"#,
    ),
    ("gitlab", SECRET, &[("x-gitlab-token", SECRET)], r#"{"ticket":{"id":7}}"#),
    (
        "zendesk",
        SECRET,
        &[
            ("x-zendesk-webhook-signature", "IvAATTJ7ogn/AluLBvlDCS3SuPgAhAG/y33RO0ET9HQ="),
            ("x-zendesk-webhook-signature-timestamp", "2026-03-05T11:59:00Z"),
        ],
        r#"{"ticket":{"id":7}}"#,
    ),
    (
        "linear",
        SECRET,
        &[("linear-signature", "c0d04b031f32c0b8a1c7f7733ca732e51d175291279f1c1a429273281aa4d66d")],
        r#"{"action":"update","webhookTimestamp":1772711940000}"#,
    ),
    (
        "standard-webhooks",
        "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcY",
        &[
            ("webhook-id", "msg_1"),
            ("webhook-timestamp", "1772711940"),
            ("webhook-signature", "v1,yxGjYRS911mfSWMI07StjYkKl2JUPeNpQh6IhU1ziEI="),
        ],
        r#"{"ticket":{"id":7}}"#,
    ),
    (
        "gitlab-signed",
        "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcY",
        &[
            ("webhook-id", "msg_1"),
            ("webhook-timestamp", "1772711940"),
            ("webhook-signature", "v1,yxGjYRS911mfSWMI07StjYkKl2JUPeNpQh6IhU1ziEI="),
        ],
        r#"{"ticket":{"id":7}}"#,
    ),
    (
        "pagerduty",
        SECRET,
        &[(
            "x-pagerduty-signature",
            "v1=9db54e4ca7008f59f06ced2af309674c9143d5ed85e1f9a80e58dfa5b6bf5ca0",
        )],
        r#"{"ticket":{"id":7}}"#,
    ),
    (
        "intercom",
        SECRET,
        &[("x-hub-signature", "sha1=f7a35143c64966824045070032afc8d9bc5a03b7")],
        r#"{"ticket":{"id":7}}"#,
    ),
    (
        "asana",
        SECRET,
        &[("x-hook-signature", "9db54e4ca7008f59f06ced2af309674c9143d5ed85e1f9a80e58dfa5b6bf5ca0")],
        r#"{"ticket":{"id":7}}"#,
    ),
    (
        "trello",
        SECRET,
        &[("x-trello-webhook", "LTxTu32FzjLnykITmfb9WDh7hbA=")],
        r#"{"ticket":{"id":7}}"#,
    ),
    (
        "clickup",
        SECRET,
        &[("x-signature", "9db54e4ca7008f59f06ced2af309674c9143d5ed85e1f9a80e58dfa5b6bf5ca0")],
        r#"{"ticket":{"id":7}}"#,
    ),
    (
        "sentry",
        SECRET,
        &[(
            "sentry-hook-signature",
            "9db54e4ca7008f59f06ced2af309674c9143d5ed85e1f9a80e58dfa5b6bf5ca0",
        )],
        r#"{"ticket":{"id":7}}"#,
    ),
    (
        "helpscout",
        SECRET,
        &[("x-helpscout-signature", "96NRQ8ZJZoJARQcAMq/I2bxaA7c=")],
        r#"{"ticket":{"id":7}}"#,
    ),
    (
        "front",
        SECRET,
        &[
            ("x-front-signature", "3pHOb24S6vxrf6CvenGhLZ4+4vLFf8GcB+iQHARMOsE="),
            ("x-front-request-timestamp", "1772711940000"),
        ],
        r#"{"ticket":{"id":7}}"#,
    ),
    (
        "slack",
        SECRET,
        &[
            (
                "x-slack-signature",
                "v0=d88b4e9b4a9852278ce4b2555d496a2430fd0dc3ac3b28bb11c09532c715a40b",
            ),
            ("x-slack-request-timestamp", "1772711940"),
        ],
        r#"{"ticket":{"id":7}}"#,
    ),
    (
        "notion",
        SECRET,
        &[(
            "x-notion-signature",
            "sha256=9db54e4ca7008f59f06ced2af309674c9143d5ed85e1f9a80e58dfa5b6bf5ca0",
        )],
        r#"{"ticket":{"id":7}}"#,
    ),
    (
        "shortcut",
        SECRET,
        &[(
            "payload-signature",
            "9db54e4ca7008f59f06ced2af309674c9143d5ed85e1f9a80e58dfa5b6bf5ca0",
        )],
        r#"{"ticket":{"id":7}}"#,
    ),
    (
        "svix",
        "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcY",
        &[
            ("svix-id", "msg_1"),
            ("svix-timestamp", "1772711940"),
            ("svix-signature", "v1,yxGjYRS911mfSWMI07StjYkKl2JUPeNpQh6IhU1ziEI="),
        ],
        r#"{"ticket":{"id":7}}"#,
    ),
    (
        "hubspot",
        SECRET,
        &[
            ("x-hubspot-signature-v3", "np70YyC6wGTcexChnJp3J8+7thKIThdbQnyt8FcQFlg="),
            ("x-hubspot-request-timestamp", "1772711940000"),
        ],
        r#"{"ticket":{"id":7}}"#,
    ),
    (
        "stripe",
        SECRET,
        &[(
            "stripe-signature",
            "t=1772711940,v1=08558b7344505879a365e80fe141c74e1648e2f9e0a0d8a8747bd4f5b60edc50",
        )],
        r#"{"ticket":{"id":7}}"#,
    ),
];

fn delivery(headers: &[(&str, &str)], body: impl Into<bytes::Bytes>) -> Delivery {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    Delivery {
        method: Method::POST,
        path: "/desk".to_owned(),
        query: Vec::new(),
        headers: map,
        body: body.into(),
        arrived: Time::from_milliseconds(ARRIVED),
        request_id: "request-1".to_owned(),
        trace_header: None,
        source_ip: None,
    }
}

fn named(name: &str) -> Scheme {
    Scheme::from_preset(preset(name).unwrap(), Some("https://hooks.example/desk".to_owned()))
}

/// Verifies and reads, which is when a time in the body is checked.
fn take(scheme: &Scheme, delivery: &Delivery, secrets: &[&str]) -> Result<(), Refused> {
    let secrets: Vec<SecretString> =
        secrets.iter().map(|secret| (*secret).to_owned().into()).collect();
    let verified = scheme.verify(delivery, &secrets, TOLERANCE)?;
    match verified.read(Format::Json, TOLERANCE) {
        Err(NotRead::Refused(refused)) => Err(refused),
        Ok(_) | Err(NotRead::Unreadable(_)) => Ok(()),
    }
}

/// HMAC as RFC 2104 defines it, over the hash functions alone.
fn hmac(algorithm: Algorithm, key: &[u8], message: &[u8]) -> Vec<u8> {
    fn of<D: Digest>(block: usize, key: &[u8], message: &[u8]) -> Vec<u8> {
        let mut padded = if key.len() > block { D::digest(key).to_vec() } else { key.to_vec() };
        padded.resize(block, 0);
        let with = |byte: u8| padded.iter().map(|key| key ^ byte).collect::<Vec<_>>();
        let inner = D::digest([with(0x36).as_slice(), message].concat());
        D::digest([with(0x5c).as_slice(), inner.as_slice()].concat()).to_vec()
    }
    match algorithm {
        Algorithm::Sha1 => of::<sha1::Sha1>(64, key, message),
        Algorithm::Sha256 => of::<sha2::Sha256>(64, key, message),
        Algorithm::Sha512 => of::<sha2::Sha512>(128, key, message),
    }
}

fn written(encoding: Encoding, bytes: &[u8]) -> String {
    match encoding {
        Encoding::Hex => hex::encode(bytes),
        Encoding::Base64 => STANDARD.encode(bytes),
        Encoding::Raw => unreachable!("signatures are never raw bytes"),
    }
}

/// A sender that signs as a row of the table says.
#[derive(Clone)]
struct Sender {
    name: &'static str,
    row: HmacPreset,
    id_header: Option<&'static str>,
    key: Vec<u8>,
    body: String,
    timestamp: String,
}

impl Sender {
    /// A sender that signs now. The time is written in the unit that the vector of its scheme has.
    fn of(name: &'static str) -> Option<Self> {
        let preset = preset(name).unwrap();
        let Kind::Hmac(row) = preset.kind else { return None };
        let sender = Self {
            name,
            row,
            id_header: preset.id_header,
            key: b"a key of thirty-one characters!".to_vec(),
            body: String::new(),
            timestamp: String::new(),
        };
        Some(sender.signing_at(ARRIVED))
    }

    fn signing_at(mut self, milliseconds: i64) -> Self {
        let (_, _, headers, body) = VECTORS.iter().find(|(name, ..)| *name == self.name).unwrap();
        let time = Time::from_milliseconds(milliseconds).to_string();
        let like = headers.iter().find(|(name, _)| Some(*name) == self.timestamp_header());
        // Where it stands in the signature's header, it is in seconds.
        let beside = self.timestamp_prefix().map_or(0, |_| 10);
        self.timestamp = match like.map_or(beside, |(_, like)| like.len()) {
            10 => format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000),
            13 => milliseconds.to_string(),
            _ => time,
        };
        self.body = (*body).to_owned();
        if let Some(Timestamp::Field(field)) = self.row.timestamp {
            self.body = format!(r#"{{"{field}": {milliseconds}}}"#);
        }
        self
    }

    fn timestamp_header(&self) -> Option<&'static str> {
        if let Some(Timestamp::Header(name, _)) = self.row.timestamp { Some(name) } else { None }
    }

    fn timestamp_prefix(&self) -> Option<&'static str> {
        if let Some(Timestamp::Part(prefix, _)) = self.row.timestamp { Some(prefix) } else { None }
    }

    fn secret(&self) -> String {
        let key = match self.row.secret_encoding {
            Encoding::Raw => String::from_utf8(self.key.clone()).unwrap(),
            encoding => written(encoding, &self.key),
        };
        format!("{}{key}", self.row.secret_prefix)
    }

    fn signature(&self) -> String {
        let signed =
            self.row.signed.replace("{timestamp}", &self.timestamp).replace("{id}", "msg_7");
        let signed =
            signed.replace("{method}", "POST").replace("{url}", "https://hooks.example/desk");
        written(
            self.row.encoding,
            &hmac(self.row.algorithm, &self.key, signed.replace("{body}", &self.body).as_bytes()),
        )
    }

    /// A delivery with this as the whole value of the signature's header.
    fn sends(&self, value: &str) -> Delivery {
        let time = self
            .timestamp_prefix()
            .map(|prefix| format!("{prefix}{},", self.timestamp))
            .unwrap_or_default();
        let mut delivery =
            delivery(&[(self.row.header, &format!("{time}{value}"))], self.body.clone());
        for (name, value) in
            [(self.timestamp_header(), self.timestamp.as_str()), (self.id_header, "msg_7")]
        {
            if let Some(name) = name {
                delivery.headers.insert(name, value.parse().unwrap());
            }
        }
        delivery
    }

    fn right(&self) -> Delivery {
        self.sends(&format!("{}{}", self.row.prefix, self.signature()))
    }

    fn is_believed(&self, delivery: &Delivery) -> Result<(), Refused> {
        take(&named(self.name), delivery, &[&self.secret()])
    }
}

fn senders() -> impl Iterator<Item = Sender> {
    preset_names().filter_map(Sender::of)
}
