//! A webhook delivery: how ticket systems sign, and how a body is read.
//!
//! A [`Delivery`] is a stranger's bytes. Only [`Scheme::verify`] makes a [`Verified`] one of it, or
//! [`Verified::without_proof`] for a source that asks for none; and only a verified delivery can be
//! read: a body is never parsed before its signature is checked.

mod body;
mod check;
mod encoding;
mod handshake;
mod jwt;
mod names;
mod presets;
mod scheme;
mod sign;
mod signature;
mod template;
#[cfg(test)]
mod tests;

pub use body::{Format, Json, Unreadable, whole_characters};
pub use check::{Refused, Tolerance};
pub use encoding::{Algorithm, Encoding, TimeFormat};
pub use handshake::{Answer, Handshake, NoOp, Stage};
pub use names::names_a_secret;
pub use presets::{Preset, preset, preset_names};
pub use scheme::{Scheme, UnusableSecret};
pub use sign::NotSigned;
pub use signature::{Hmac, Timestamp};
pub use template::{NoTemplate, Template};

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method};

use crate::time::Time;

/// A request as it came, not yet trusted in any way.
#[derive(Clone)]
pub struct Delivery {
    /// The HTTP method, which some schemes sign.
    pub method: Method,
    /// The path without the stage of an API Gateway, percent-encoded as sent.
    pub path: String,
    /// The decoded fields of the query.
    pub query: Vec<(String, String)>,
    /// The headers as sent.
    pub headers: HeaderMap,
    /// The raw bytes that the sender signed, after Lambda's own base64 encoding was undone.
    pub body: Bytes,
    /// When it arrived, by our clock.
    pub arrived: Time,
    /// The Lambda request id, by which support and logs know this delivery.
    pub request_id: String,
    /// AWS X-Ray's header of the invocation, for the messages that follow from it.
    pub trace_header: Option<String>,
    /// The address that it came from, if that is known: for the log alone.
    pub source_ip: Option<String>,
}

/// A delivery whose sender knows the secret.
#[derive(Debug)]
pub struct Verified<'d> {
    delivery: &'d Delivery,
    /// `None` of a sender who proves nothing.
    scheme: Option<&'d Scheme>,
}

impl fmt::Debug for Delivery {
    /// Without headers and body: they carry secrets, and the texts of customers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("body", &self.body.len())
            .field("request_id", &self.request_id)
            .finish_non_exhaustive()
    }
}

impl<'d> Verified<'d> {
    /// A delivery to a source that verifies nothing: whoever knows the address is believed.
    #[must_use]
    pub fn without_proof(delivery: &'d Delivery) -> Self {
        Self { delivery, scheme: None }
    }

    /// The delivery itself.
    #[must_use]
    pub fn delivery(&self) -> &'d Delivery {
        self.delivery
    }

    /// The sender's id of this delivery, from the header that its scheme names.
    #[must_use]
    pub fn id(&self) -> Option<&'d str> {
        let name = self.scheme?.id_header()?;
        self.delivery.headers.get(name)?.to_str().ok().filter(|id| !id.is_empty())
    }

    /// The headers that expressions, logs and dead letters may see: lower-case names, repeated ones
    /// joined by a comma, without those that carry a secret or a signature.
    #[must_use]
    pub fn headers(&self) -> Vec<(&'d str, String)> {
        let mut headers = Vec::new();
        for name in self.delivery.headers.keys() {
            if self.is_secret(name) {
                continue;
            }
            let mut values = Vec::new();
            for value in self.delivery.headers.get_all(name) {
                values.push(String::from_utf8_lossy(value.as_bytes()));
            }
            headers.push((name.as_str(), values.join(", ")));
        }
        headers
    }

    /// The fields of the query that expressions and dead letters may see: without those that seem
    /// to carry a secret.
    pub fn query(&self) -> impl Iterator<Item = &'d (String, String)> {
        self.delivery.query.iter().filter(|(name, _)| !names_a_secret(name))
    }

    /// Reads the body as JSON, and checks the time of signing where a scheme puts it into the body.
    pub fn read(&self, format: Format, tolerance: Tolerance) -> Result<Json, NotRead> {
        let json = Json::read(self.delivery, format)?;
        if let Some(field) = self.scheme.and_then(Scheme::timestamp_field) {
            let written = json.field(field).ok_or_else(|| Refused::Missing(field.to_owned()))?;
            tolerance.check(field, &written, self.delivery.arrived)?;
        }
        Ok(json)
    }

    /// The headers and the query, without the fields that seem to carry a secret.
    #[must_use]
    pub fn kept(&self) -> Kept {
        let headers =
            self.headers().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Kept { headers, query: self.query().cloned().collect() }
    }

    fn is_secret(&self, name: &HeaderName) -> bool {
        let name = name.as_str();
        self.scheme.is_some_and(|scheme| scheme.header() == name) || is_secret_header(name)
    }
}

/// Whether a header of this lower-case name seems to carry a signature or a secret, whatever the
/// scheme is.
#[must_use]
pub fn is_secret_header(name: &str) -> bool {
    presets::signature_headers().any(|header| header == name) || names_a_secret(name)
}

/// The headers and the query of a delivery as far as they may be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The headers that carry neither a secret nor a signature, with lower-case names.
    pub headers: Vec<(String, String)>,
    /// The fields of the query.
    pub query: Vec<(String, String)>,
}

/// Why a verified delivery was not read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRead {
    /// The body is not JSON that we take.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The time of signing in the body is missing or out of tolerance.
    #[error(transparent)]
    Refused(#[from] Refused),
}
