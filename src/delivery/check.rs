//! The checks that all schemes share, and why one of them fails.

use std::time::Duration;

use http::{HeaderMap, HeaderName};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::time::Time;

/// How far a time of signing may be from our clock, in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tolerance(pub Duration);

/// Why a delivery is not believed. The text is for the log; the sender gets no details.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A header or field that the scheme needs is not there.
    #[error("{0} is missing")]
    Missing(String),
    /// A header that must stand once stands more often.
    #[error("{0} stands more than once")]
    Repeated(String),
    /// A header can't be read.
    #[error("{0} can't be read")]
    Malformed(String),
    /// A part of the signed text holds the text that stands after it, so that it could reach into
    /// the next part.
    #[error(
        "the {0} holds what stands after it in the signed text, so it may not be the sender's own"
    )]
    Ambiguous(String),
    /// No signature, token or password is right for any of the secrets. A newer secret might be.
    #[error("it matches none of the secrets")]
    Mismatch,
    /// The same, and a secret is stored with something around it that hardly belongs to it.
    #[error(
        "it matches none of the secrets; one of them is stored with spaces, quotation marks or \
         brackets around it, which count: store it without"
    )]
    Wrapped,
    /// The token is for another address than the one in `url`.
    #[error("the token's aud is not the `url` of [verify]")]
    Audience,
    /// It was signed too long ago, or in the future.
    #[error("{0}, more than the tolerance")]
    OutOfTolerance(String),
}

impl Refused {
    /// A mismatch, with its likely cause.
    #[must_use]
    pub fn mismatch(secrets: &[SecretString]) -> Self {
        let is_around = |c: char| c.is_whitespace() || "\"'`[]\u{feff}".contains(c);
        for secret in secrets {
            let text = without_line_break(secret);
            if text.starts_with(is_around) || text.ends_with(is_around) {
                return Self::Wrapped;
            }
        }
        Self::Mismatch
    }
}

impl Tolerance {
    /// Checks a time of signing, as the sender wrote it, against the time of arrival. `place` is
    /// its header or field.
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

/// The value of a header that must stand exactly once.
pub(super) fn header_once<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> Result<&'h str, Refused> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Err(Refused::Missing(name.to_string())) };
    if values.next().is_some() {
        return Err(Refused::Repeated(name.to_string()));
    }
    value.to_str().map_err(|_| Refused::Malformed(name.to_string()))
}

/// A secret without a line break at its end, which an editor or a shell may have put there. A
/// secret of line breaks alone stays as it is.
pub(super) fn without_line_break(secret: &SecretString) -> &str {
    let text = secret.expose_secret();
    match text.trim_end_matches(['\r', '\n']) {
        "" => text,
        line => line,
    }
}

/// The texts that a secret may mean: as it is stored, and without a line break at its end.
pub(super) fn accepted_texts(secret: &SecretString) -> impl Iterator<Item = &str> {
    let text = secret.expose_secret();
    let line = without_line_break(secret);
    std::iter::once(text).chain((line != text).then_some(line))
}

/// Compares a text with every secret, in a time that depends on neither the secrets' lengths nor
/// their content.
pub(super) fn matches_one(given: &[u8], secrets: &[SecretString]) -> Result<(), Refused> {
    let digest = Sha256::digest(given);
    let mut is_right = false;
    for text in secrets.iter().flat_map(accepted_texts) {
        is_right |= bool::from(digest.ct_eq(&Sha256::digest(text.as_bytes())));
    }
    if is_right { Ok(()) } else { Err(Refused::Mismatch) }
}
