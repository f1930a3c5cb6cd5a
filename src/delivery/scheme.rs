//! Verification: does the sender know the secret, and is the signature fresh?

use http::HeaderName;
use http::header::AUTHORIZATION;
use secrecy::{ExposeSecret as _, SecretString};

use super::check::{Refused, Tolerance, accepted_texts, header_once, matches_one};
use super::encoding::Encoding;
use super::jwt;
use super::presets::{Kind, Preset};
use super::signature::{Hmac, Timestamp};
use super::{Delivery, Verified};

/// How the deliveries of a source are verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// The sender signs.
    Hmac(Box<Hmac>),
    /// The sender repeats the secret in a header, after a prefix such as `Bearer `.
    Token {
        /// The header that carries the secret.
        header: HeaderName,
        /// The text before the secret, with or without the space that parts them; compared
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
}

/// Why a secret can't be used with a scheme. A sentence about the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusableSecret {
    /// The scheme decodes its secrets.
    #[error("it is not base64, as this scheme's secrets are")]
    NotBase64,
    /// Everybody knows the empty key.
    #[error("it is empty")]
    Empty,
    /// Basic authentication needs a user and a password.
    #[error("it is not of the form user:password")]
    NotUserAndPassword,
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
                let value = header_once(&delivery.headers, header)?;
                // `Bearer` and `Bearer ` mean the same.
                let prefix = prefix.trim_end();
                let (start, token) = value.split_at_checked(prefix.len()).unwrap_or(("", value));
                if !start.eq_ignore_ascii_case(prefix) {
                    return Err(Refused::Malformed(header.to_string()));
                }
                matches_one(token.strip_prefix(' ').unwrap_or(token).as_bytes(), secrets)?;
            }
            Self::Basic => matches_one(&basic_credentials(delivery)?, secrets)?,
            Self::Jwt { audience } => {
                jwt::verify(&delivery.headers, secrets, audience, tolerance, delivery.arrived)?;
            }
        }
        Ok(Verified { delivery, scheme: Some(self) })
    }

    /// The scheme of a preset; `url` is the registered address for those that sign one.
    #[must_use]
    pub fn from_preset(preset: &Preset, url: Option<String>) -> Self {
        let id_header = preset.id_header.map(HeaderName::from_static);
        match preset.kind {
            Kind::Hmac(row) => Self::Hmac(Box::new(row.build(id_header, url))),
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
            Self::Token { .. } | Self::Basic => false,
        }
    }

    /// Whether a secret can be used with this scheme.
    pub fn check_secret(&self, secret: &SecretString) -> Result<(), UnusableSecret> {
        match self {
            Self::Hmac(hmac) => match accepted_texts(secret).find_map(|text| hmac.key(text)) {
                None => Err(UnusableSecret::NotBase64),
                Some(key) if key.is_empty() => Err(UnusableSecret::Empty),
                Some(_) => Ok(()),
            },
            Self::Basic if !secret.expose_secret().contains(':') => {
                Err(UnusableSecret::NotUserAndPassword)
            }
            Self::Basic | Self::Token { .. } | Self::Jwt { .. } => Ok(()),
        }
    }

    /// The header with the signature or the secret, in lower case.
    #[must_use]
    pub fn header(&self) -> &str {
        match self {
            Self::Hmac(hmac) => hmac.header.as_str(),
            Self::Token { header, .. } => header.as_str(),
            Self::Basic | Self::Jwt { .. } => AUTHORIZATION.as_str(),
        }
    }

    /// The header with the sender's id of a delivery, if the scheme knows one.
    #[must_use]
    pub fn id_header(&self) -> Option<&HeaderName> {
        match self {
            Self::Hmac(hmac) => hmac.id_header.as_ref(),
            Self::Token { id_header, .. } => id_header.as_ref(),
            Self::Basic | Self::Jwt { .. } => None,
        }
    }

    /// The field of the body that holds the time of signing, if the scheme puts it there.
    pub(super) fn timestamp_field(&self) -> Option<&str> {
        match self {
            Self::Hmac(hmac) => match &hmac.timestamp {
                Some(Timestamp::Field(field)) => Some(field),
                _ => None,
            },
            _ => None,
        }
    }
}

/// The user and the password of HTTP basic authentication, with a colon between.
fn basic_credentials(delivery: &Delivery) -> Result<Vec<u8>, Refused> {
    let malformed = || Refused::Malformed(AUTHORIZATION.to_string());
    let value = header_once(&delivery.headers, &AUTHORIZATION)?;
    let (start, encoded) = value.split_at_checked("basic ".len()).ok_or_else(malformed)?;
    if !start.eq_ignore_ascii_case("basic ") {
        return Err(malformed());
    }
    Encoding::Base64.decode(encoded.trim()).ok_or_else(malformed)
}
