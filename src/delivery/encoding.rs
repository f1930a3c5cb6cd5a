//! How senders compute signatures, and how they write bytes and times.

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::time::Time;

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

    /// The bytes of a text; `None` if it is not written so.
    pub(super) fn decode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Hex => hex::decode(text).ok(),
            Self::Base64 => BASE64.decode(text).ok(),
            Self::Raw => Some(text.as_bytes().to_vec()),
        }
    }
}

impl TimeFormat {
    /// A time as text.
    pub(super) fn write(self, time: Time) -> String {
        match self {
            Self::Seconds => (time.milliseconds() / 1000).to_string(),
            Self::Milliseconds => time.milliseconds().to_string(),
            Self::Iso => time.to_string(),
        }
    }
}
