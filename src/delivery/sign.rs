//! Signing as a sender does, for trying things out: a delivery that verifies.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};
use secrecy::SecretString;
use serde_json::value::RawValue;

use super::Delivery;
use super::body::{Format, Json, Unreadable};
use super::check::{Refused, without_line_break};
use super::encoding::{Encoding, TimeFormat};
use super::jwt;
use super::scheme::Scheme;
use super::signature::{Hmac, Timestamp};
use super::template::Values;

/// Why a delivery can't be signed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSigned {
    /// The secret is empty, or not written as the scheme wants it.
    #[error("the secret can't be used with this scheme")]
    Secret,
    /// The secret has characters that this header can't hold.
    #[error("{0} can't hold the secret")]
    Header(HeaderName),
    /// The delivery lacks a part that is signed.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The body has to hold the time of signing, and can't be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The body has to hold the time of signing in this field, and is no object.
    #[error("the body is no JSON object, and the time of signing has to be its {0:?}")]
    NoObject(String),
    /// The token can't be made.
    #[error("{0}")]
    Token(String),
}

impl Scheme {
    /// Adds the proof that the sender knows the secret, as of the delivery's arrival. Ids that it
    /// lacks and that are signed are made up; a time of signing in the body is set.
    pub fn sign(&self, delivery: &mut Delivery, secret: &SecretString) -> Result<(), NotSigned> {
        // A sender has the secret without the line break that a file may add.
        let text = without_line_break(secret);
        match self {
            Self::Hmac(hmac) => hmac.sign(delivery, text),
            Self::Token { header, prefix, .. } => {
                let space = if prefix.ends_with(char::is_alphanumeric) { " " } else { "" };
                insert(delivery, header, &format!("{prefix}{space}{text}"))
            }
            Self::Basic => {
                let value = format!("Basic {}", Encoding::Base64.encode(text.as_bytes()));
                insert(delivery, &AUTHORIZATION, &value)
            }
            Self::Jwt { audience } => {
                let token = jwt::sign(text, audience, delivery.arrived)
                    .map_err(|error| NotSigned::Token(error.to_string()))?;
                insert(delivery, &AUTHORIZATION, &token)
            }
        }
    }
}

impl Hmac {
    fn sign(&self, delivery: &mut Delivery, secret: &str) -> Result<(), NotSigned> {
        let key = self.key(secret).filter(|key| !key.is_empty()).ok_or(NotSigned::Secret)?;
        let format = match &self.timestamp {
            Some(Timestamp::Header(_, format) | Timestamp::Part(_, format)) => *format,
            Some(Timestamp::Field(_)) | None => TimeFormat::Seconds,
        };
        let timestamp = format.write(delivery.arrived);
        match &self.timestamp {
            Some(Timestamp::Header(name, _)) => insert(delivery, name, &timestamp)?,
            Some(Timestamp::Field(field)) => set_field(delivery, field)?,
            Some(Timestamp::Part(..)) | None => {}
        }
        let mut id = None;
        if let Some(header) = &self.id_header {
            if self.signed.signs_id() && !delivery.headers.contains_key(header) {
                insert(delivery, header, &format!("msg_{}", delivery.arrived.milliseconds()))?;
            }
            id = delivery.headers.get(header).and_then(|id| id.to_str().ok());
        }
        let values = Values { timestamp: Some(&timestamp), id, url: self.url.as_deref() };
        let pieces = self.signed.pieces(delivery, &values)?;
        let mut value = String::new();
        if let Some(Timestamp::Part(prefix, _)) = &self.timestamp {
            let separator = self.separator.as_deref().unwrap_or_default();
            value = format!("{prefix}{timestamp}{separator}");
        }
        value.push_str(&self.prefix);
        value.push_str(&self.encoding.encode(&self.algorithm.sign(&key, &pieces)));
        insert(delivery, &self.header, &value)
    }
}

fn insert(delivery: &mut Delivery, header: &HeaderName, value: &str) -> Result<(), NotSigned> {
    let value = HeaderValue::from_str(value).map_err(|_| NotSigned::Header(header.clone()))?;
    delivery.headers.insert(header, value);
    Ok(())
}

/// Sets the time of signing in a JSON body. The other fields keep their text, long numbers to the
/// last digit.
fn set_field(delivery: &mut Delivery, field: &str) -> Result<(), NotSigned> {
    let no_object = |_| NotSigned::NoObject(field.to_owned());
    let json = Json::read(delivery, Format::Json)?;
    let mut body: BTreeMap<String, Box<RawValue>> =
        serde_json::from_str(json.as_str()).map_err(no_object)?;
    let time =
        serde_json::value::to_raw_value(&delivery.arrived.milliseconds()).map_err(no_object)?;
    body.insert(field.to_owned(), time);
    delivery.body = Bytes::from(serde_json::to_vec(&body).map_err(no_object)?);
    Ok(())
}
