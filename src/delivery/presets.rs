//! The named signature schemes: one table, from the senders' own documentation.
//!
//! A new sender that signs with an HMAC is a row here, or `scheme = "hmac"` in a source file; never code.

use super::scheme::{Algorithm, Encoding};

/// A named scheme.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// What `[verify] scheme` calls it.
    pub name: &'static str,
    /// How its deliveries are verified.
    pub kind: Kind,
    /// The header with the sender's id of a delivery.
    pub id_header: Option<&'static str>,
    /// A secret that the sender's documentation publishes, so that it protects nothing.
    pub published_secret: Option<&'static str>,
}

/// How deliveries of a named scheme are verified.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// The sender signs.
    Hmac(HmacPreset),
    /// The sender repeats the secret in a header.
    Token {
        /// The header.
        header: &'static str,
    },
}

/// The parameters of a scheme that signs with an HMAC.
#[derive(Clone, Copy, Debug)]
pub struct HmacPreset {
    pub(super) header: &'static str,
    pub(super) algorithm: Algorithm,
    pub(super) encoding: Encoding,
    pub(super) prefix: &'static str,
    pub(super) separator: Option<&'static str>,
    pub(super) signed: &'static str,
    pub(super) timestamp_header: Option<&'static str>,
    /// A field of the signed body with the time of signing.
    pub(super) timestamp_field: Option<&'static str>,
    pub(super) secret_encoding: Encoding,
    /// Text before the key that is not part of it.
    pub(super) secret_prefix: &'static str,
}

/// What most senders do: hexadecimal HMAC-SHA256 of the body.
const COMMON: HmacPreset = HmacPreset {
    header: "",
    algorithm: Algorithm::Sha256,
    encoding: Encoding::Hex,
    prefix: "",
    separator: None,
    signed: "{body}",
    timestamp_header: None,
    timestamp_field: None,
    secret_encoding: Encoding::Raw,
    secret_prefix: "",
};

const fn row(name: &'static str, id_header: Option<&'static str>, kind: Kind) -> Preset {
    Preset { name, kind, id_header, published_secret: None }
}

static PRESETS: [Preset; 6] = [
    // <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>
    row(
        "github",
        Some("x-github-delivery"),
        Kind::Hmac(HmacPreset { header: "x-hub-signature-256", prefix: "sha256=", ..COMMON }),
    ),
    // <https://developer.atlassian.com/cloud/jira/platform/webhooks/#secure-admin-webhooks>
    row(
        "jira",
        Some("x-atlassian-webhook-identifier"),
        Kind::Hmac(HmacPreset { header: "x-hub-signature", prefix: "sha256=", ..COMMON }),
    ),
    // <https://docs.gitlab.com/user/project/integrations/webhooks/>
    row("gitlab", Some("idempotency-key"), Kind::Token { header: "x-gitlab-token" }),
    // <https://developer.zendesk.com/documentation/webhooks/verifying/>
    Preset {
        published_secret: Some("dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=="),
        ..row(
            "zendesk",
            Some("x-zendesk-webhook-invocation-id"),
            Kind::Hmac(HmacPreset {
                header: "x-zendesk-webhook-signature",
                encoding: Encoding::Base64,
                signed: "{timestamp}{body}",
                timestamp_header: Some("x-zendesk-webhook-signature-timestamp"),
                ..COMMON
            }),
        )
    },
    // <https://linear.app/developers/webhooks#securing-webhooks>
    row(
        "linear",
        Some("linear-delivery"),
        Kind::Hmac(HmacPreset { header: "linear-signature", timestamp_field: Some("webhookTimestamp"), ..COMMON }),
    ),
    // <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>
    row(
        "standard-webhooks",
        Some("webhook-id"),
        Kind::Hmac(HmacPreset {
            header: "webhook-signature",
            encoding: Encoding::Base64,
            prefix: "v1,",
            separator: Some(" "),
            signed: "{id}.{timestamp}.{body}",
            timestamp_header: Some("webhook-timestamp"),
            secret_encoding: Encoding::Base64,
            secret_prefix: "whsec_",
            ..COMMON
        }),
    ),
];

/// The named scheme, if there is one of this name.
#[must_use]
pub fn preset(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

/// The names of all named schemes.
pub fn preset_names() -> impl Iterator<Item = &'static str> {
    PRESETS.iter().map(|preset| preset.name)
}

/// The headers in which any sender puts a signature or a secret.
pub(super) fn signature_headers() -> impl Iterator<Item = &'static str> {
    PRESETS.iter().map(|preset| match preset.kind {
        Kind::Hmac(HmacPreset { header, .. }) | Kind::Token { header } => header,
    })
}
