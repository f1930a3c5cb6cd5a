//! The named signature schemes: one table, from the senders' own documentation.
//!
//! A new sender that signs with an HMAC is a row here, or `scheme = "hmac"` in a source file; never
//! code.

use http::HeaderName;

use super::body::Format;
use super::encoding::{Algorithm, Encoding, TimeFormat};
use super::handshake::{Ask, Handshake, NoOp, Reply, Stage};
use super::signature::{Hmac, Timestamp};
use super::template::Template;

/// A named scheme.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Its name in `[verify] scheme`.
    pub name: &'static str,
    /// How its deliveries are verified.
    pub kind: Kind,
    /// The header with the sender's id of a delivery.
    pub id_header: Option<&'static str>,
    /// A secret that the sender's documentation publishes, so that it protects nothing.
    pub published_secret: Option<&'static str>,
    /// The question of the sender before it sends events.
    pub handshake: Option<Handshake>,
    /// The sender's test of whether anybody is there.
    pub no_op: Option<NoOp>,
    /// Whether its events carry only the changed fields, and not the whole ticket. Then a late one
    /// isn't stale: a newer one about another field doesn't hold its values.
    pub partial_events: bool,
    /// How it writes bodies.
    pub format: Format,
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
    /// The sender sends a JSON Web Token in `Authorization`.
    Jwt,
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
    pub(super) timestamp: Option<Timestamp<&'static str, &'static str>>,
    pub(super) secret_encoding: Encoding,
    /// Text before the key that is not part of it.
    pub(super) secret_prefix: &'static str,
}

/// The habit of most senders: hexadecimal HMAC-SHA256 of the body.
const COMMON: HmacPreset = HmacPreset {
    header: "",
    algorithm: Algorithm::Sha256,
    encoding: Encoding::Hex,
    prefix: "",
    separator: None,
    signed: "{body}",
    timestamp: None,
    secret_encoding: Encoding::Raw,
    secret_prefix: "",
};

/// <https://www.standardwebhooks.com>
const STANDARD: HmacPreset = HmacPreset {
    header: "webhook-signature",
    encoding: Encoding::Base64,
    prefix: "v1,",
    separator: Some(" "),
    signed: "{id}.{timestamp}.{body}",
    timestamp: Some(Timestamp::Header("webhook-timestamp", TimeFormat::Seconds)),
    secret_encoding: Encoding::Base64,
    secret_prefix: "whsec_",
    ..COMMON
};

const fn row(name: &'static str, id_header: Option<&'static str>, kind: Kind) -> Preset {
    Preset {
        name,
        kind,
        id_header,
        published_secret: None,
        handshake: None,
        no_op: None,
        partial_events: false,
        format: Format::Json,
    }
}

const fn asks(ask: Ask, stage: Stage, reply: Reply) -> Handshake {
    Handshake { ask, stage, reply }
}

static PRESETS: [Preset; 22] = [
    // <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>
    Preset {
        no_op: Some(NoOp::Header("x-github-event", "ping")),
        // JSON in the field `payload` is the older of its two content types.
        format: Format::JsonOrForm,
        ..row(
            "github",
            Some("x-github-delivery"),
            Kind::Hmac(HmacPreset { header: "x-hub-signature-256", prefix: "sha256=", ..COMMON }),
        )
    },
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
                timestamp: Some(Timestamp::Header(
                    "x-zendesk-webhook-signature-timestamp",
                    TimeFormat::Iso,
                )),
                ..COMMON
            }),
        )
    },
    // <https://linear.app/developers/webhooks#securing-webhooks>
    row(
        "linear",
        Some("linear-delivery"),
        Kind::Hmac(HmacPreset {
            header: "linear-signature",
            timestamp: Some(Timestamp::Field("webhookTimestamp")),
            ..COMMON
        }),
    ),
    // <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>
    row("standard-webhooks", Some("webhook-id"), Kind::Hmac(STANDARD)),
    // The same, by another name: <https://docs.gitlab.com/user/project/integrations/webhooks/>
    row("gitlab-signed", Some("webhook-id"), Kind::Hmac(STANDARD)),
    // <https://docs.svix.com/receiving/verifying-payloads/how-manual>
    row(
        "svix",
        Some("svix-id"),
        Kind::Hmac(HmacPreset {
            header: "svix-signature",
            timestamp: Some(Timestamp::Header("svix-timestamp", TimeFormat::Seconds)),
            ..STANDARD
        }),
    ),
    // <https://developer.pagerduty.com/docs/verifying-webhook-signatures>
    Preset {
        no_op: Some(NoOp::Field(&["event", "event_type"], "\"pagey.ping\"")),
        ..row(
            "pagerduty",
            Some("x-webhook-id"),
            Kind::Hmac(HmacPreset {
                header: "x-pagerduty-signature",
                prefix: "v1=",
                separator: Some(","),
                ..COMMON
            }),
        )
    },
    // <https://developers.intercom.com/docs/webhooks>
    Preset {
        no_op: Some(NoOp::Field(&["topic"], "\"ping\"")),
        ..row(
            "intercom",
            None,
            Kind::Hmac(HmacPreset {
                header: "x-hub-signature",
                algorithm: Algorithm::Sha1,
                prefix: "sha1=",
                ..COMMON
            }),
        )
    },
    // <https://developers.asana.com/docs/webhooks-guide>
    Preset {
        handshake: Some(asks(Ask::Header("x-hook-secret"), Stage::BeforeSecret, Reply::Header)),
        no_op: Some(NoOp::Field(&["events"], "[]")),
        partial_events: true,
        ..row("asana", None, Kind::Hmac(HmacPreset { header: "x-hook-signature", ..COMMON }))
    },
    // <https://developer.atlassian.com/cloud/trello/guides/rest-api/webhooks/>
    Preset {
        partial_events: true,
        ..row(
            "trello",
            None,
            Kind::Hmac(HmacPreset {
                header: "x-trello-webhook",
                algorithm: Algorithm::Sha1,
                encoding: Encoding::Base64,
                signed: "{body}{url}",
                ..COMMON
            }),
        )
    },
    // <https://developer.clickup.com/docs/webhooksignature>
    Preset {
        partial_events: true,
        ..row("clickup", None, Kind::Hmac(HmacPreset { header: "x-signature", ..COMMON }))
    },
    // Its timestamp header is not signed.
    // <https://docs.sentry.io/organization/integrations/integration-platform/webhooks/>
    row(
        "sentry",
        Some("request-id"),
        Kind::Hmac(HmacPreset { header: "sentry-hook-signature", ..COMMON }),
    ),
    // <https://developer.helpscout.com/webhooks/>
    Preset {
        no_op: Some(NoOp::Header("x-helpscout-event", "helpscout.test")),
        ..row(
            "helpscout",
            None,
            Kind::Hmac(HmacPreset {
                header: "x-helpscout-signature",
                algorithm: Algorithm::Sha1,
                encoding: Encoding::Base64,
                ..COMMON
            }),
        )
    },
    // <https://dev.frontapp.com/docs/application-webhooks>
    Preset {
        handshake: Some(asks(Ask::Header("x-front-challenge"), Stage::Unverified, Reply::Text)),
        ..row(
            "front",
            None,
            Kind::Hmac(HmacPreset {
                header: "x-front-signature",
                encoding: Encoding::Base64,
                signed: "{timestamp}:{body}",
                timestamp: Some(Timestamp::Header(
                    "x-front-request-timestamp",
                    TimeFormat::Milliseconds,
                )),
                ..COMMON
            }),
        )
    },
    // <https://docs.slack.dev/authentication/verifying-requests-from-slack>
    Preset {
        handshake: Some(asks(Ask::Field("challenge"), Stage::Verified, Reply::Text)),
        // Slash commands are forms, and interactivity has its JSON in the field `payload`.
        format: Format::JsonOrForm,
        ..row(
            "slack",
            None,
            Kind::Hmac(HmacPreset {
                header: "x-slack-signature",
                prefix: "v0=",
                signed: "v0:{timestamp}:{body}",
                timestamp: Some(Timestamp::Header(
                    "x-slack-request-timestamp",
                    TimeFormat::Seconds,
                )),
                ..COMMON
            }),
        )
    },
    // The key is the whole secret, `whsec_` included.
    // <https://docs.stripe.com/webhooks#verify-manually>
    row(
        "stripe",
        None,
        Kind::Hmac(HmacPreset {
            header: "stripe-signature",
            prefix: "v1=",
            separator: Some(","),
            signed: "{timestamp}.{body}",
            timestamp: Some(Timestamp::Part("t=", TimeFormat::Seconds)),
            ..COMMON
        }),
    ),
    // The key is the verification token. <https://developers.notion.com/reference/webhooks>
    Preset {
        handshake: Some(asks(Ask::Field("verification_token"), Stage::BeforeSecret, Reply::Secret)),
        ..row(
            "notion",
            None,
            Kind::Hmac(HmacPreset { header: "x-notion-signature", prefix: "sha256=", ..COMMON }),
        )
    },
    // The body is not signed: weaker than the rest.
    // <https://developer.monday.com/apps/docs/authorization-header>
    Preset {
        handshake: Some(asks(Ask::Field("challenge"), Stage::Unverified, Reply::Field)),
        partial_events: true,
        ..row("monday", None, Kind::Jwt)
    },
    // From memory, not checked; `scheme = "hmac"` says it otherwise.
    // <https://developer.shortcut.com/api/webhook/v1>
    Preset {
        partial_events: true,
        ..row("shortcut", None, Kind::Hmac(HmacPreset { header: "payload-signature", ..COMMON }))
    },
    // <https://developers.hubspot.com/docs/apps/developer-platform/build-apps/authentication/request-validation>
    row(
        "hubspot",
        None,
        Kind::Hmac(HmacPreset {
            header: "x-hubspot-signature-v3",
            encoding: Encoding::Base64,
            signed: "{method}{url}{body}{timestamp}",
            timestamp: Some(Timestamp::Header(
                "x-hubspot-request-timestamp",
                TimeFormat::Milliseconds,
            )),
            ..COMMON
        }),
    ),
];

impl HmacPreset {
    /// The parameters with the header of the sender's ids and the address that was registered with
    /// the sender.
    pub(super) fn build(self, id_header: Option<HeaderName>, url: Option<String>) -> Hmac {
        Hmac {
            header: HeaderName::from_static(self.header),
            algorithm: self.algorithm,
            encoding: self.encoding,
            prefix: self.prefix.to_owned(),
            separator: self.separator.map(str::to_owned),
            // A test reads every row's template.
            signed: Template::parse(self.signed).unwrap_or_else(|_| Template::body()),
            timestamp: self.timestamp.map(|timestamp| match timestamp {
                Timestamp::Header(name, format) => {
                    Timestamp::Header(HeaderName::from_static(name), format)
                }
                Timestamp::Part(prefix, format) => Timestamp::Part(prefix.to_owned(), format),
                Timestamp::Field(name) => Timestamp::Field(name.to_owned()),
            }),
            id_header,
            url,
            secret_encoding: self.secret_encoding,
            secret_prefix: self.secret_prefix.to_owned(),
        }
    }
}

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
        Kind::Jwt => http::header::AUTHORIZATION.as_str(),
    })
}
