//! Verification: does the sender know the secret, and is the signature fresh?

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use http::{HeaderMap, HeaderName};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Digest as _;
use subtle::ConstantTimeEq as _;

use super::jwt;
use super::presets::{HmacPreset, Kind, Preset};
use super::template::{Template, Values};
use super::{Delivery, Verified};
use crate::time::Time;

/// How the deliveries of a source are verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// The sender signs.
    Hmac(Box<Hmac>),
    /// The sender repeats the secret in a header, after a prefix such as `Bearer `.
    Token {
        /// The header that carries the secret.
        header: HeaderName,
        /// What stands before the secret; compared without regard to case.
        prefix: String,
        /// The header with the sender's id of a delivery.
        id_header: Option<HeaderName>,
    },
    /// HTTP basic authentication; the secret is `user:password`.
    Basic,
    /// The sender sends a JSON Web Token. The body is not signed.
    Jwt {
        /// The address that was registered with the sender, which is the token's audience.
        audience: String,
    },
    /// Nothing is verified: whoever knows the address is believed.
    None,
}

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
    /// What stands before the time of signing where that is one of the parts of the signature's header.
    pub timestamp_prefix: Option<String>,
    /// How the sender writes the time of signing. Any form is read; this one is written when we sign.
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

/// How far a time of signing may be from our clock, in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tolerance(pub Duration);

/// Why a delivery is not believed. The text is for the log; the sender gets no details.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A header or field that the scheme needs is not there.
    Missing(String),
    /// A header that must stand once stands more often.
    Repeated(String),
    /// A header can't be read.
    Malformed(String),
    /// No signature, token or password is right for any of the secrets. A newer secret might be.
    Mismatch,
    /// The token is for another address than the one in `url`.
    Audience,
    /// It was signed too long ago, or in the future.
    OutOfTolerance(String),
}

impl Scheme {
    /// Checks a delivery against every secret that is accepted.
    pub fn verify<'d>(
        &'d self,
        delivery: &'d Delivery,
        secrets: &[SecretString],
        tolerance: Tolerance,
    ) -> Result<Verified<'d>, Refused> {
        match self {
            Self::Hmac(hmac) => hmac.verify(delivery, secrets, tolerance)?,
            Self::Token { header, prefix, .. } => {
                let value = single(&delivery.headers, header)?;
                let (start, token) = value.split_at_checked(prefix.len()).unwrap_or(("", value));
                if !start.eq_ignore_ascii_case(prefix) {
                    return Err(Refused::Malformed(header.to_string()));
                }
                one_is(token.as_bytes(), secrets)?;
            }
            Self::Basic => {
                let header = http::header::AUTHORIZATION;
                let value = single(&delivery.headers, &header)?;
                let encoded = value.split_at_checked(6).filter(|(start, _)| start.eq_ignore_ascii_case("basic "));
                let credentials = encoded.and_then(|(_, encoded)| Encoding::Base64.decode(encoded.trim()));
                one_is(&credentials.ok_or(Refused::Malformed(header.to_string()))?, secrets)?;
            }
            Self::Jwt { audience } => {
                jwt::verify(&delivery.headers, secrets, audience, tolerance, delivery.arrived)?;
            }
            Self::None => {}
        }
        Ok(Verified { delivery, scheme: self })
    }

    /// The scheme of a preset; `url` is the registered address for those that sign one.
    #[must_use]
    pub fn from_preset(preset: &Preset, url: Option<String>) -> Self {
        let id_header = preset.id_header.map(HeaderName::from_static);
        match preset.kind {
            Kind::Hmac(row) => Self::Hmac(Box::new(Hmac::from_preset(&row, id_header, url))),
            Kind::Token { header } => {
                Self::Token { header: HeaderName::from_static(header), prefix: String::new(), id_header }
            }
            Kind::Jwt => Self::Jwt { audience: url.unwrap_or_default() },
        }
    }

    /// Whether the address that was registered with the sender is part of what is verified.
    #[must_use]
    pub fn needs_url(&self) -> bool {
        match self {
            Self::Hmac(hmac) => hmac.signed.signs_url(),
            Self::Jwt { .. } => true,
            Self::Token { .. } | Self::Basic | Self::None => false,
        }
    }

    /// Whether there is anything to verify.
    #[must_use]
    pub fn needs_secret(&self) -> bool {
        *self != Self::None
    }

    /// A sentence about a secret that can't be used with this scheme.
    #[must_use]
    pub fn unusable(&self, secret: &SecretString) -> Option<&'static str> {
        match self {
            Self::Hmac(hmac) => match hmac.key(secret) {
                None => Some("it is not base64, as this scheme's secrets are"),
                // Everybody knows the empty key.
                Some(key) => key.is_empty().then_some("it is empty"),
            },
            Self::Basic => (!secret.expose_secret().contains(':')).then_some("it is not of the form user:password"),
            Self::Token { .. } | Self::Jwt { .. } | Self::None => None,
        }
    }

    pub(super) fn header(&self) -> Option<&str> {
        match self {
            Self::Hmac(hmac) => Some(hmac.header.as_str()),
            Self::Token { header, .. } => Some(header.as_str()),
            Self::Basic | Self::Jwt { .. } => Some(http::header::AUTHORIZATION.as_str()),
            Self::None => None,
        }
    }

    pub(super) fn id_header(&self) -> Option<&HeaderName> {
        match self {
            Self::Hmac(hmac) => hmac.id_header.as_ref(),
            Self::Token { id_header, .. } => id_header.as_ref(),
            Self::Basic | Self::Jwt { .. } | Self::None => None,
        }
    }

    pub(super) fn timestamp_field(&self) -> Option<&str> {
        match self {
            Self::Hmac(hmac) => hmac.timestamp_field.as_deref(),
            _ => None,
        }
    }
}

impl Hmac {
    fn from_preset(row: &HmacPreset, id_header: Option<HeaderName>, url: Option<String>) -> Self {
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

    fn verify(&self, delivery: &Delivery, secrets: &[SecretString], tolerance: Tolerance) -> Result<(), Refused> {
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
        let keys = secrets.iter().filter_map(|secret| self.key(secret));
        let mut right = false;
        for key in keys {
            let expected = self.algorithm.sign(&key, &pieces);
            // Every pair is compared, so that the time taken says nothing about which one was right.
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
    fn timestamp<'h>(&self, headers: &'h HeaderMap, written: &'h str) -> Result<Option<&'h str>, Refused> {
        let Some(prefix) = &self.timestamp_prefix else {
            return self.timestamp_header.as_ref().map(|name| single(headers, name)).transpose();
        };
        let mut times = self.parts(written).filter_map(|part| part.strip_prefix(prefix.as_str()));
        let time = times.next().ok_or_else(|| Refused::Missing(format!("{prefix} of {}", self.header)))?;
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
        let signatures = self.parts(written).filter_map(|part| part.strip_prefix(self.prefix.as_str()));
        signatures.filter_map(|signature| self.encoding.decode(signature)).collect()
    }

    pub(super) fn key(&self, secret: &SecretString) -> Option<Vec<u8>> {
        let text = secret.expose_secret();
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

    fn decode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Hex => hex::decode(text).ok(),
            Self::Base64 => BASE64.decode(text).ok(),
            Self::Raw => Some(text.as_bytes().to_vec()),
        }
    }
}

impl Tolerance {
    /// Checks a time of signing, as the sender wrote it, against the time of arrival.
    pub(super) fn check(self, place: &str, written: &str, arrived: Time) -> Result<(), Refused> {
        let signed = Time::parse(written).map_err(|_| Refused::Malformed(place.to_owned()))?;
        let distance = arrived.milliseconds().abs_diff(signed.milliseconds());
        if u128::from(distance) <= self.0.as_millis() {
            return Ok(());
        }
        let side = if signed > arrived { "in the future" } else { "ago" };
        Err(Refused::OutOfTolerance(format!("signed {} s {side}", distance / 1000)))
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(name) => write!(f, "{name} is missing"),
            Self::Repeated(name) => write!(f, "{name} stands more than once"),
            Self::Malformed(name) => write!(f, "{name} can't be read"),
            Self::Mismatch => f.write_str("it matches none of the secrets"),
            Self::Audience => f.write_str("the token's aud is not the `url` of [verify]"),
            Self::OutOfTolerance(how) => write!(f, "{how}, more than the tolerance"),
        }
    }
}

/// The value of a header that must stand exactly once.
pub(super) fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<&'h str, Refused> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or_else(|| Refused::Missing(name.to_string()))?;
    if values.next().is_some() {
        return Err(Refused::Repeated(name.to_string()));
    }
    value.to_str().map_err(|_| Refused::Malformed(name.to_string()))
}

/// Compares with every secret, in a time that depends on neither the secrets' lengths nor their content.
fn one_is(given: &[u8], secrets: &[SecretString]) -> Result<(), Refused> {
    let digest = |bytes: &[u8]| sha2::Sha256::digest(bytes);
    let given = digest(given);
    let right = secrets
        .iter()
        .fold(false, |right, secret| right | bool::from(given.ct_eq(&digest(secret.expose_secret().as_bytes()))));
    if right { Ok(()) } else { Err(Refused::Mismatch) }
}
