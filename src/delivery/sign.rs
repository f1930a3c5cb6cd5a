//! Signing as a sender does, for trying things out: a delivery that verifies.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};
use secrecy::SecretString;
use serde_json::value::RawValue;

use super::body::{Format, Json};
use super::jwt;
use super::scheme::{Scheme, readings};
use super::signature::{Encoding, Hmac, TimeFormat};
use super::template::Values;
use super::{Delivery, Refused};
use crate::time::Time;

impl Scheme {
    /// Adds what proves that the sender knows the secret, as of the delivery's arrival. Ids that it
    /// lacks and that are signed are made up; a time of signing in the body is set.
    ///
    /// The error is a sentence about what can't be signed.
    pub fn sign(&self, delivery: &mut Delivery, secret: &SecretString) -> Result<(), String> {
        // A sender has the secret without the line break that a file may add.
        let text = readings(secret).last().unwrap_or_default();
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
                let token = jwt::sign(text, audience, delivery.arrived)?;
                insert(delivery, &AUTHORIZATION, &token)
            }
            Self::None => Ok(()),
        }
    }
}

impl Hmac {
    fn sign(&self, delivery: &mut Delivery, secret: &str) -> Result<(), String> {
        let key = self.key(secret).filter(|key| !key.is_empty());
        let key = key.ok_or("the secret can't be used with this scheme")?;
        if let Some(field) = &self.timestamp_field {
            set_field(delivery, field)?;
        }
        let timestamp = self.timestamp_format.write(delivery.arrived);
        if let Some(header) = &self.timestamp_header {
            insert(delivery, header, &timestamp)?;
        }
        if let Some(header) = self.id_header.as_ref().filter(|_| self.signed.signs_id())
            && !delivery.headers.contains_key(header)
        {
            insert(delivery, header, &format!("msg_{}", delivery.arrived.milliseconds()))?;
        }
        let id =
            self.id_header.as_ref().and_then(|header| delivery.headers.get(header)?.to_str().ok());
        let values = Values { timestamp: Some(&timestamp), id, url: self.url.as_deref() };
        let pieces = self
            .signed
            .pieces(delivery, &values)
            .map_err(|refused: Refused| refused.to_string())?;
        let signature = self.encoding.encode(&self.algorithm.sign(&key, &pieces));
        let signature = format!("{}{signature}", self.prefix);
        let separator = self.separator.as_deref().unwrap_or_default();
        let value = match &self.timestamp_prefix {
            Some(prefix) => format!("{prefix}{timestamp}{separator}{signature}"),
            None => signature,
        };
        insert(delivery, &self.header, &value)
    }
}

impl TimeFormat {
    fn write(self, time: Time) -> String {
        match self {
            Self::Seconds => (time.milliseconds() / 1000).to_string(),
            Self::Milliseconds => time.milliseconds().to_string(),
            Self::Iso => time.to_string(),
        }
    }
}

fn insert(delivery: &mut Delivery, header: &HeaderName, value: &str) -> Result<(), String> {
    let value =
        HeaderValue::from_str(value).map_err(|_| format!("{header} can't hold the secret"))?;
    delivery.headers.insert(header, value);
    Ok(())
}

/// Sets the time of signing in a JSON body. The other fields keep their text, long numbers to the
/// last digit.
fn set_field(delivery: &mut Delivery, field: &str) -> Result<(), String> {
    let unusable =
        |_| format!("the body is no JSON object, and the time of signing has to be its {field:?}");
    let json = Json::read(delivery, Format::Json).map_err(|why| why.to_string())?;
    let mut body: BTreeMap<String, Box<RawValue>> =
        serde_json::from_str(json.as_str()).map_err(unusable)?;
    let time =
        serde_json::value::to_raw_value(&delivery.arrived.milliseconds()).map_err(unusable)?;
    body.insert(field.to_owned(), time);
    delivery.body = Bytes::from(serde_json::to_vec(&body).map_err(unusable)?);
    Ok(())
}
