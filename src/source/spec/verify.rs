//! `[verify]`

use std::time::Duration;

use http::{HeaderName, Uri};

use crate::delivery::{Algorithm, Encoding, Preset, Scheme, Template, preset, preset_names};
use crate::secrets::SecretRef;
use crate::source::table::{Placed, Table};
use crate::text::nearest;
use crate::time;

/// `[verify]`. Which keys belong here depends on the scheme.
#[derive(Default)]
pub(crate) struct VerifySpec {
    pub(crate) scheme: Option<Placed<SchemeSpec>>,
    pub(crate) secret: Option<Placed<SecretRef>>,
    pub(crate) form: bool,
    pub(crate) tolerance: Option<Placed<Duration>>,
    /// Belongs to `hmac`, and to named schemes that sign the address.
    pub(crate) url: Option<Placed<String>>,
    /// Belongs to `hmac` and `token`, and so does the prefix.
    pub(crate) header: Option<Placed<HeaderName>>,
    pub(crate) prefix: Option<Placed<String>>,
    /// Belongs to `hmac`, and so do the keys below.
    pub(crate) algorithm: Option<Placed<Algorithm>>,
    pub(crate) encoding: Option<Placed<Encoding>>,
    pub(crate) secret_encoding: Option<Placed<Encoding>>,
    pub(crate) separator: Option<Placed<String>>,
    pub(crate) signed: Option<Placed<Signed>>,
    pub(crate) timestamp_header: Option<Placed<HeaderName>>,
    pub(crate) id_header: Option<Placed<HeaderName>>,
}

/// `scheme`
#[derive(Clone, Copy)]
pub(crate) enum SchemeSpec {
    /// A named scheme.
    Named(&'static Preset),
    /// The other words: schemes whose parameters stand in the source file.
    Hmac,
    Token,
    Basic,
    None,
}

/// `signed`
pub(crate) struct Signed {
    pub(crate) text: String,
    pub(crate) template: Template,
}

#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not the name of a header")]
struct NotAHeader(String);

const OWN_WORDS: [(&str, SchemeSpec); 4] = [
    ("hmac", SchemeSpec::Hmac),
    ("token", SchemeSpec::Token),
    ("basic", SchemeSpec::Basic),
    ("none", SchemeSpec::None),
];

impl SchemeSpec {
    fn named(word: &str) -> Option<Self> {
        match OWN_WORDS.iter().find(|(own, _)| *own == word) {
            Some((_, scheme)) => Some(*scheme),
            None => preset(word).map(Self::Named),
        }
    }

    /// The word of the file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Named(preset) => preset.name,
            Self::Hmac => "hmac",
            Self::Token => "token",
            Self::Basic => "basic",
            Self::None => "none",
        }
    }
}

impl VerifySpec {
    /// The named scheme, if it is one.
    pub(crate) fn preset(&self) -> Option<&'static Preset> {
        match self.scheme.as_ref()?.value {
            SchemeSpec::Named(preset) => Some(preset),
            _ => None,
        }
    }
}

pub(super) fn read(mut table: Table<'_>) -> VerifySpec {
    let mut spec = VerifySpec::default();
    let scheme_why = "a named scheme, or \"hmac\", \"token\", \"basic\", \"none\"";
    table.require("scheme", scheme_why);
    let word = table.text("scheme");
    if let Some(word) = &word {
        let scheme = SchemeSpec::named(&word.value);
        spec.scheme = scheme.map(|value| Placed { value, start: word.start });
    }
    let scheme = spec.scheme.map(|scheme| scheme.value);
    match scheme {
        Some(SchemeSpec::Named(preset)) => {
            spec.url = table.text("url");
            let signs_url = Scheme::from_preset(preset, None).needs_url();
            check_url(spec.url.as_ref(), signs_url, &table);
        }
        Some(SchemeSpec::Hmac) => read_hmac(&mut table, &mut spec),
        Some(SchemeSpec::Token) => {
            table.require("header", "the header with the secret");
            spec.header = table.parse("header", header_name);
            spec.prefix = table.text("prefix");
        }
        Some(SchemeSpec::Basic | SchemeSpec::None) | None => {}
    }
    if !matches!(scheme, Some(SchemeSpec::None)) {
        let secret_why =
            "the name or ARN of a secret in Secrets Manager, such as \"taskhook/github\"";
        table.require("secret", secret_why);
        spec.secret = table.parse_as("secret", SecretRef::parse);
    }
    spec.form = table.flag("form").unwrap_or_default();
    spec.tolerance = table.parse_as("tolerance", time::duration);
    match (scheme, word) {
        (Some(_), _) => table.finish(),
        (None, Some(word)) => table.problem_at(word.start, unknown_scheme(&word.value)),
        (None, None) => {}
    }
    spec
}

fn unknown_scheme(word: &str) -> String {
    let own = OWN_WORDS.iter().map(|(own, _)| *own);
    let mut names: Vec<_> = preset_names().chain(own).collect();
    names.sort_unstable();
    if let Some(meant) = nearest(word, names.iter().copied()) {
        return format!("there is no scheme {word:?}; did you mean {meant:?}?");
    }
    format!("there is no scheme {word:?}; known: {}", names.join(", "))
}

fn read_hmac(table: &mut Table<'_>, spec: &mut VerifySpec) {
    let algorithms =
        [("sha1", Algorithm::Sha1), ("sha256", Algorithm::Sha256), ("sha512", Algorithm::Sha512)];
    let encodings = [("hex", Encoding::Hex), ("base64", Encoding::Base64)];
    let secret_encodings = [("raw", Encoding::Raw), ("base64", Encoding::Base64)];
    table.require("header", "the header with the signature");
    spec.header = table.parse("header", header_name);
    spec.algorithm = table.choice("algorithm", &algorithms);
    spec.encoding = table.choice("encoding", &encodings);
    spec.secret_encoding = table.choice("secret_encoding", &secret_encodings);
    spec.prefix = table.text("prefix");
    spec.separator = table.text("separator");
    spec.timestamp_header = table.parse("timestamp_header", header_name);
    spec.id_header = table.parse("id_header", header_name);
    spec.url = table.text("url");
    let is_signed_written = table.has("signed");
    spec.signed = table.parse_as("signed", |text| {
        Template::parse(text).map(|template| Signed { text: text.to_owned(), template })
    });
    if spec.signed.is_some() || !is_signed_written {
        check_signed(table, spec);
    }
}

/// Reports keys that don't fit the bytes that are signed.
fn check_signed(table: &Table<'_>, spec: &VerifySpec) {
    let body = Template::body();
    let signed = spec.signed.as_ref().map_or(&body, |signed| &signed.value.template);
    if !signed.signs_body() {
        table.problem(
            "`signed` of [verify] lacks {body}: a signature that doesn't cover the body proves \
             nothing",
        );
    }
    if signed.signs_timestamp() != spec.timestamp_header.is_some() {
        table.problem(
            "`timestamp_header` and {timestamp} in `signed` of [verify] go together: a time that \
             isn't signed proves nothing",
        );
    }
    if signed.signs_id() && spec.id_header.is_none() {
        table.problem(
            "{id} in `signed` of [verify] needs `id_header`: the header with the delivery id",
        );
    }
    check_url(spec.url.as_ref(), signed.signs_url(), table);
}

fn check_url(url: Option<&Placed<String>>, signs_url: bool, table: &Table<'_>) {
    match url {
        None if signs_url => table.problem(
            "`url` of [verify] is missing: this sender signs the address that was registered with \
             it; write it here",
        ),
        Some(url) if !signs_url => table
            .problem_at(url.start, "`url` of [verify] is not part of what is signed; leave it out"),
        Some(url) if !is_address(&url.value) => table.problem_at(
            url.start,
            format!(
                "`url` of [verify] is {:?}; write the address that was registered with the \
                 sender, such as \"https://abc.lambda-url.eu-central-1.on.aws/trello\"",
                url.value
            ),
        ),
        _ => {}
    }
}

/// Whether a text is a whole address, without anything before or after it.
fn is_address(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else { return false };
    matches!(uri.scheme_str(), Some("https" | "http")) && uri.authority().is_some()
}

fn header_name(text: &str) -> Result<HeaderName, NotAHeader> {
    text.parse().map_err(|_| NotAHeader(text.to_owned()))
}
