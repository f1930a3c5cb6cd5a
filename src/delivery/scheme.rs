//! Verification: does the sender know the secret, and is the signature fresh?

use std::fmt;
use std::time::Duration;

use http::{HeaderMap, HeaderName};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Digest as _;
use subtle::ConstantTimeEq as _;

use super::jwt;
use super::presets::{Kind, Preset};
use super::signature::{Encoding, Hmac};
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
        /// What stands before the secret, with or without the space that parts them; compared
        /// without regard to case.
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
    /// A part of what is signed holds the text that stands after it, so that it could reach into
    /// the next part.
    Ambiguous(String),
    /// No signature, token or password is right for any of the secrets. A newer secret might be.
    Mismatch,
    /// The same, and a secret is stored with something around it that hardly belongs to it.
    Wrapped,
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
                // `Bearer` and `Bearer ` mean the same.
                let prefix = prefix.trim_end();
                let (start, token) = value.split_at_checked(prefix.len()).unwrap_or(("", value));
                if !start.eq_ignore_ascii_case(prefix) {
                    return Err(Refused::Malformed(header.to_string()));
                }
                one_is(token.strip_prefix(' ').unwrap_or(token).as_bytes(), secrets)?;
            }
            Self::Basic => {
                let header = http::header::AUTHORIZATION;
                let value = single(&delivery.headers, &header)?;
                let encoded = value
                    .split_at_checked(6)
                    .filter(|(start, _)| start.eq_ignore_ascii_case("basic "));
                let credentials =
                    encoded.and_then(|(_, encoded)| Encoding::Base64.decode(encoded.trim()));
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
            Kind::Token { header } => Self::Token {
                header: HeaderName::from_static(header),
                prefix: String::new(),
                id_header,
            },
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
            Self::Hmac(hmac) => match readings(secret).find_map(|text| hmac.key(text)) {
                None => Some("it is not base64, as this scheme's secrets are"),
                // Everybody knows the empty key.
                Some(key) => key.is_empty().then_some("it is empty"),
            },
            Self::Basic => (!secret.expose_secret().contains(':'))
                .then_some("it is not of the form user:password"),
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

    /// The header with the sender's id of a delivery, if the scheme knows one.
    #[must_use]
    pub fn id_header(&self) -> Option<&HeaderName> {
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
            Self::Ambiguous(name) => {
                write!(f, "the {name} holds what stands after it in the signed text, so it may not be the sender's own")
            }
            Self::Mismatch => f.write_str("it matches none of the secrets"),
            Self::Wrapped => f.write_str(
                "it matches none of the secrets; one of them is stored with spaces, quotation marks or brackets around \
                 it, which count: store it without",
            ),
            Self::Audience => f.write_str("the token's aud is not the `url` of [verify]"),
            Self::OutOfTolerance(how) => write!(f, "{how}, more than the tolerance"),
        }
    }
}

impl Refused {
    /// A mismatch, with what may be its cause.
    #[must_use]
    pub fn mismatch(secrets: &[SecretString]) -> Self {
        let is_around = |c: char| c.is_whitespace() || "\"'`[]\u{feff}".contains(c);
        let is_wrapped = |text: &str| text.starts_with(is_around) || text.ends_with(is_around);
        let without_line_breaks = secrets.iter().filter_map(|secret| readings(secret).last());
        if without_line_breaks.into_iter().any(is_wrapped) { Self::Wrapped } else { Self::Mismatch }
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

/// The texts that a secret may mean: as it is stored, and without a line break at its end, which an
/// editor or a shell may have put there.
pub(super) fn readings(secret: &SecretString) -> impl Iterator<Item = &str> {
    let text = secret.expose_secret();
    let line = text.trim_end_matches(['\r', '\n']);
    std::iter::once(text).chain(Some(line).filter(|line| *line != text && !line.is_empty()))
}

/// Compares with every secret, in a time that depends on neither the secrets' lengths nor their
/// content.
fn one_is(given: &[u8], secrets: &[SecretString]) -> Result<(), Refused> {
    let digest = |bytes: &[u8]| sha2::Sha256::digest(bytes);
    let given = digest(given);
    let texts = secrets.iter().flat_map(readings);
    let right =
        texts.fold(false, |right, text| right | bool::from(given.ct_eq(&digest(text.as_bytes()))));
    if right { Ok(()) } else { Err(Refused::Mismatch) }
}
