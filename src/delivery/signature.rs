//! Signatures: which bytes of a delivery are signed, how, and whether one in its header is right.

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::{HeaderMap, HeaderName};
use secrecy::SecretString;
use subtle::ConstantTimeEq as _;

use super::presets::HmacPreset;
use super::scheme::{readings, single};
use super::template::{Template, Values};
use super::{Delivery, Refused, Tolerance};

/// The parameters of a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hmac {
    /// The header with the signature or signatures.
    pub header: HeaderName,
    /// The hash function.
    pub algorithm: Algorithm,
    /// How a signature is written: hexadecimal or base64.
    pub encoding: Encoding,
    /// What stands before each signature; one without it is not looked at.
    pub prefix: String,
    /// What stands between several signatures.
    pub separator: Option<String>,
    /// What is signed.
    pub signed: Template,
    /// The header with the time of signing; it must be part of what is signed.
    pub timestamp_header: Option<HeaderName>,
    /// What stands before the time of signing where that is one of the parts of the signature's
    /// header.
    pub timestamp_prefix: Option<String>,
    /// How the sender writes the time of signing. Any form is read; this one is written when we
    /// sign.
    pub timestamp_format: TimeFormat,
    /// The field of the signed body with the time of signing.
    pub timestamp_field: Option<String>,
    /// The header with the sender's id of a delivery.
    pub id_header: Option<HeaderName>,
    /// The address that was registered with the sender, where it is signed.
    pub url: Option<String>,
    /// How the secret is written: raw text, or base64 of the key.
    pub secret_encoding: Encoding,
    /// Text before the key that is not part of it.
    pub secret_prefix: String,
}

/// The hash function of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC-SHA1
    Sha1,
    /// HMAC-SHA256
    Sha256,
    /// HMAC-SHA512
    Sha512,
}

/// How bytes are written as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Hexadecimal, in either case.
    Hex,
    /// Base64, with or without padding.
    Base64,
    /// The text itself.
    Raw,
}

/// How a time of signing is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// Seconds since 1970.
    Seconds,
    /// Milliseconds since 1970.
    Milliseconds,
    /// ISO 8601.
    Iso,
}

impl Hmac {
    pub(super) fn from_preset(
        row: &HmacPreset,
        id_header: Option<HeaderName>,
        url: Option<String>,
    ) -> Self {
        Self {
            header: HeaderName::from_static(row.header),
            algorithm: row.algorithm,
            encoding: row.encoding,
            prefix: row.prefix.to_owned(),
            separator: row.separator.map(str::to_owned),
            // A test reads every row's template.
            signed: Template::parse(row.signed).unwrap_or_else(|_| Template::body()),
            timestamp_header: row.timestamp_header.map(HeaderName::from_static),
            timestamp_prefix: row.timestamp_prefix.map(str::to_owned),
            timestamp_format: row.timestamp_format,
            timestamp_field: row.timestamp_field.map(str::to_owned),
            id_header,
            url,
            secret_encoding: row.secret_encoding,
            secret_prefix: row.secret_prefix.to_owned(),
        }
    }

    pub(super) fn verify(
        &self,
        delivery: &Delivery,
        secrets: &[SecretString],
        tolerance: Tolerance,
    ) -> Result<(), Refused> {
        let headers = &delivery.headers;
        let written = single(headers, &self.header)?;
        let timestamp = self.timestamp(headers, written)?;
        let id_header = self.id_header.as_ref().filter(|_| self.signed.signs_id());
        let id = id_header.map(|name| single(headers, name)).transpose()?;
        let values = Values { timestamp, id, url: self.url.as_deref() };
        let pieces = self.signed.pieces(delivery, &values)?;
        let signatures = self.signatures(written);
        if signatures.is_empty() {
            return Err(Refused::Malformed(self.header.to_string()));
        }
        let keys = secrets.iter().flat_map(readings).filter_map(|secret| self.key(secret));
        let mut right = false;
        for key in keys {
            let expected = self.algorithm.sign(&key, &pieces);
            // Every pair is compared, so that the time taken says nothing about which one was
            // right.
            for signature in &signatures {
                right |= bool::from(expected.as_slice().ct_eq(signature));
            }
        }
        if !right {
            return Err(Refused::Mismatch);
        }
        let place = self.timestamp_header.as_ref().unwrap_or(&self.header).as_str();
        timestamp.map_or(Ok(()), |timestamp| tolerance.check(place, timestamp, delivery.arrived))
    }

    /// The time of signing, from a header of its own or from the parts of the signature's header.
    fn timestamp<'h>(
        &self,
        headers: &'h HeaderMap,
        written: &'h str,
    ) -> Result<Option<&'h str>, Refused> {
        let Some(prefix) = &self.timestamp_prefix else {
            return self.timestamp_header.as_ref().map(|name| single(headers, name)).transpose();
        };
        let mut times = self.parts(written).filter_map(|part| part.strip_prefix(prefix.as_str()));
        let time =
            times.next().ok_or_else(|| Refused::Missing(format!("{prefix} of {}", self.header)))?;
        if times.next().is_some() {
            return Err(Refused::Repeated(format!("{prefix} of {}", self.header)));
        }
        Ok(Some(time))
    }

    /// The parts of the signature's header.
    fn parts<'h>(&self, written: &'h str) -> impl Iterator<Item = &'h str> {
        let parts: Vec<_> = match &self.separator {
            Some(separator) => written.split(separator.as_str()).collect(),
            None => vec![written],
        };
        parts.into_iter().map(str::trim)
    }

    /// The signatures of our version in the header's value, decoded; others are passed over.
    fn signatures(&self, written: &str) -> Vec<Vec<u8>> {
        let signatures =
            self.parts(written).filter_map(|part| part.strip_prefix(self.prefix.as_str()));
        signatures.filter_map(|signature| self.encoding.decode(signature)).collect()
    }

    /// The key that a secret's text stands for.
    pub(super) fn key(&self, text: &str) -> Option<Vec<u8>> {
        self.secret_encoding.decode(text.strip_prefix(self.secret_prefix.as_str()).unwrap_or(text))
    }
}

impl Algorithm {
    /// The signature of bytes that lie in several pieces.
    pub(super) fn sign(self, key: &[u8], pieces: &[&[u8]]) -> Vec<u8> {
        fn mac<M: hmac::Mac + hmac::KeyInit>(key: &[u8], pieces: &[&[u8]]) -> Vec<u8> {
            // An HMAC takes a key of any length.
            let Ok(mut mac) = <M as hmac::KeyInit>::new_from_slice(key) else { return Vec::new() };
            for piece in pieces {
                mac.update(piece);
            }
            mac.finalize().into_bytes().to_vec()
        }
        match self {
            Self::Sha1 => mac::<hmac::Hmac<sha1::Sha1>>(key, pieces),
            Self::Sha256 => mac::<hmac::Hmac<sha2::Sha256>>(key, pieces),
            Self::Sha512 => mac::<hmac::Hmac<sha2::Sha512>>(key, pieces),
        }
    }
}

/// With padding, and read without it too.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl Encoding {
    /// Bytes as text; raw bytes as far as they are text.
    pub(super) fn encode(self, bytes: &[u8]) -> String {
        match self {
            Self::Hex => hex::encode(bytes),
            Self::Base64 => BASE64.encode(bytes),
            Self::Raw => String::from_utf8_lossy(bytes).into_owned(),
        }
    }

    pub(super) fn decode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Hex => hex::decode(text).ok(),
            Self::Base64 => BASE64.decode(text).ok(),
            Self::Raw => Some(text.as_bytes().to_vec()),
        }
    }
}
