//! Signatures: which bytes of a delivery are signed, how, and whether one in its header is right.

use http::{HeaderMap, HeaderName};
use secrecy::SecretString;
use subtle::ConstantTimeEq as _;

use super::Delivery;
use super::check::{Refused, Tolerance, accepted_texts, header_once};
use super::encoding::{Algorithm, Encoding, TimeFormat};
use super::template::{Template, Values};

/// The parameters of a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hmac {
    /// The header with the signature or signatures.
    pub header: HeaderName,
    /// The hash function.
    pub algorithm: Algorithm,
    /// How a signature is written: hexadecimal or base64.
    pub encoding: Encoding,
    /// The text before each signature; one without it is not looked at.
    pub prefix: String,
    /// The text between several signatures.
    pub separator: Option<String>,
    /// The text that is signed.
    pub signed: Template,
    /// Where the time of signing stands, if it is sent.
    pub timestamp: Option<Timestamp>,
    /// The header with the sender's id of a delivery.
    pub id_header: Option<HeaderName>,
    /// The address that was registered with the sender, where it is signed.
    pub url: Option<String>,
    /// How the secret is written: raw text, or base64 of the key.
    pub secret_encoding: Encoding,
    /// Text before the key that is not part of it.
    pub secret_prefix: String,
}

/// Where a sender puts the time of signing. Any form of a time is read; the [`TimeFormat`] is
/// written when we sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timestamp<Header = HeaderName, Text = String> {
    /// In a header of its own, which must be part of the signed text.
    Header(Header, TimeFormat),
    /// In the signature's header, as a part that begins with this text. It must be part of the
    /// signed text.
    Part(Text, TimeFormat),
    /// In this field of the signed body, in milliseconds.
    Field(Text),
}

impl Hmac {
    /// Checks the signatures of a delivery against every secret that is accepted, and the time of
    /// signing, unless it stands in the body.
    pub(super) fn verify(
        &self,
        delivery: &Delivery,
        secrets: &[SecretString],
        tolerance: Tolerance,
    ) -> Result<(), Refused> {
        let headers = &delivery.headers;
        let written = header_once(headers, &self.header)?;
        let timestamp = self.timestamp(headers, written)?;
        let id = match &self.id_header {
            Some(name) if self.signed.signs_id() => Some(header_once(headers, name)?),
            _ => None,
        };
        let values = Values { timestamp, id, url: self.url.as_deref() };
        let pieces = self.signed.pieces(delivery, &values)?;
        let signatures = self.signatures(written);
        if signatures.is_empty() {
            return Err(Refused::Malformed(self.header.to_string()));
        }
        let mut is_right = false;
        for secret in secrets.iter().flat_map(accepted_texts) {
            let Some(key) = self.key(secret) else { continue };
            let expected = self.algorithm.sign(&key, &pieces);
            // Every pair is compared, so that the time taken says nothing about which one was
            // right.
            for signature in &signatures {
                is_right |= bool::from(expected.as_slice().ct_eq(signature));
            }
        }
        if !is_right {
            return Err(Refused::Mismatch);
        }
        match (timestamp, &self.timestamp) {
            (None, _) => Ok(()),
            (Some(time), Some(Timestamp::Header(name, _))) => {
                tolerance.check(name.as_str(), time, delivery.arrived)
            }
            (Some(time), _) => tolerance.check(self.header.as_str(), time, delivery.arrived),
        }
    }

    /// The time of signing, from a header of its own or from the parts of the signature's header.
    fn timestamp<'h>(
        &self,
        headers: &'h HeaderMap,
        written: &'h str,
    ) -> Result<Option<&'h str>, Refused> {
        match &self.timestamp {
            Some(Timestamp::Header(name, _)) => header_once(headers, name).map(Some),
            Some(Timestamp::Part(prefix, _)) => {
                let place = || format!("{prefix} of {}", self.header);
                let mut times = self.parts_after(prefix, written);
                let Some(time) = times.next() else { return Err(Refused::Missing(place())) };
                if times.next().is_some() {
                    return Err(Refused::Repeated(place()));
                }
                Ok(Some(time))
            }
            Some(Timestamp::Field(_)) | None => Ok(None),
        }
    }

    /// The parts of the signature's header that begin with a prefix, without it.
    fn parts_after<'h>(&self, prefix: &str, written: &'h str) -> impl Iterator<Item = &'h str> {
        let parts = match &self.separator {
            Some(separator) => written.split(separator.as_str()).collect(),
            None => vec![written],
        };
        parts.into_iter().filter_map(move |part| part.trim().strip_prefix(prefix))
    }

    /// The signatures of our version in the header's value, decoded; others are passed over.
    fn signatures(&self, written: &str) -> Vec<Vec<u8>> {
        let signatures = self.parts_after(&self.prefix, written);
        signatures.filter_map(|signature| self.encoding.decode(signature)).collect()
    }

    /// The key that a secret's text stands for.
    pub(super) fn key(&self, text: &str) -> Option<Vec<u8>> {
        self.secret_encoding.decode(text.strip_prefix(self.secret_prefix.as_str()).unwrap_or(text))
    }
}
