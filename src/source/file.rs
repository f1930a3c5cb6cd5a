//! A source file becomes a checked [`Source`], or a list of all that is wrong with it.

use std::time::Duration;

use http::HeaderName;
use toml::Spanned;
use toml::de::DeValue;

use super::demand::{Asks, Steps};
use super::reader::{Found, Reader, Section, article};
use super::{Input, MapRow, Property, Source, TaskRules, Verify};
use crate::delivery::{
    self, Algorithm, Encoding, Format, Hmac, Preset, Scheme, Template, TimeFormat, Tolerance,
    preset,
};
use crate::secrets::SecretRef;
use crate::time::{Clock, Zone};
use crate::update::{OnMissing, RECORD_ID, Unknown};

/// What `tolerance` is when a file doesn't say: what Slack, Stripe and the Standard Webhooks
/// recommend.
const TOLERANCE: Duration = Duration::from_mins(5);

/// The schemes whose parameters stand in the source file.
const WITHOUT_PRESET: [&str; 4] = ["hmac", "token", "basic", "none"];

/// The path of a source, and the source if nothing is wrong with it.
pub(super) struct Content {
    pub(super) path: String,
    /// Where the path stands in the file.
    pub(super) path_start: usize,
    pub(super) source: Option<Source>,
}

/// Reads a file of this name. What is wrong stands in the reader's notes afterwards.
pub(super) fn read(name: &str, reader: &mut Reader<'_, '_>) -> Option<Content> {
    let table = reader.parse()?;
    let mut root = Section::new("", 0, &table);
    let Found { value: path, start: path_start } = path(name, &mut root, reader);
    let zone = root.text(reader, "zone").map_or(Some(Zone::utc()), |found| zone(&found, reader));
    let verify = required_section(&mut root, reader, "verify", "it says how deliveries are signed")
        .and_then(|section| verify(section, reader));
    let mut event = root.section(reader, "event");
    let mut expression = |reader: &mut Reader<'_, '_>, key| event.as_mut()?.expression(reader, key);
    let (when, id, time) =
        (expression(reader, "when"), expression(reader, "id"), expression(reader, "time"));
    if let Some(event) = event {
        event.finish(reader);
    }
    let task = required_section(&mut root, reader, "task", "it says which task an event updates")
        .and_then(|section| task(section, reader));
    let properties =
        required_section(&mut root, reader, "properties", "name at least one property to write")
            .map(|section| properties(section, reader));
    root.finish(reader);
    let source = (|| {
        Some(Source {
            name: name.to_owned(),
            path: path.clone(),
            zone: zone?,
            verify: verify?,
            when,
            id,
            time,
            task: task?,
            properties: properties?,
        })
    })();
    Some(Content { path, path_start, source: source.filter(|_| reader.problems() == 0) })
}

fn required_section<'t>(
    root: &mut Section<'t>,
    reader: &mut Reader<'_, '_>,
    key: &'static str,
    why: &str,
) -> Option<Section<'t>> {
    let missing = !root.has(key);
    let section = root.section(reader, key);
    if missing {
        reader.problem(0, format!("the section [{key}] is missing: {why}"));
    }
    section
}

/// The path without a slash at the end, which makes no difference.
fn path(name: &str, root: &mut Section<'_>, reader: &mut Reader<'_, '_>) -> Found<String> {
    let found =
        root.text(reader, "path").unwrap_or_else(|| Found { value: format!("/{name}"), start: 0 });
    let path = found.value.trim_end_matches('/');
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.~%".contains(c);
    if !path.starts_with('/') || !path.chars().all(plain) {
        let message = format!("`path` is {:?}; write a path such as \"/tickets\"", found.value);
        reader.problem(found.start, message);
    } else if path == "/health" {
        reader.problem(found.start, "`path` \"/health\" is Taskhook's own; choose another");
    }
    Found { value: path.to_owned(), start: found.start }
}

fn zone(found: &Found<String>, reader: &mut Reader<'_, '_>) -> Option<Zone> {
    let zone = Zone::named(&found.value);
    if zone.is_none() {
        let message =
            format!("`zone` is {:?}; write an IANA name such as \"Europe/Berlin\"", found.value);
        reader.problem(found.start, message);
    }
    zone
}

fn verify(mut section: Section<'_>, reader: &mut Reader<'_, '_>) -> Option<Verify> {
    let before = reader.problems();
    let found = section.required(
        reader,
        "scheme",
        "a named scheme, or \"hmac\", \"token\", \"basic\", \"none\"",
    );
    let name = found.as_ref().map_or("", |found| found.value.as_str());
    let preset = preset(name);
    let known = match name {
        "hmac" => hmac(&mut section, reader),
        "token" => token(&mut section, reader),
        "basic" => Some(Scheme::Basic),
        "none" => Some(Scheme::None),
        _ => preset.map(|preset| named(preset, &mut section, reader)),
    };
    let secret = if known == Some(Scheme::None) {
        None
    } else {
        section
            .required(
                reader,
                "secret",
                "the name or ARN of a secret in Secrets Manager, such as \"taskhook/github\"",
            )
            .and_then(|found| secret(&found, reader))
    };
    let sends_forms = section.flag(reader, "form").unwrap_or(false);
    let tolerance = Tolerance(section.duration(reader, "tolerance").unwrap_or(TOLERANCE));
    if preset.is_some() || WITHOUT_PRESET.contains(&name) {
        section.finish(reader);
    } else if let Some(found) = &found {
        // Which other keys belong here depends on the scheme.
        let mut names: Vec<_> = delivery::preset_names().chain(WITHOUT_PRESET).collect();
        names.sort_unstable();
        reader.problem(
            found.start,
            format!("there is no scheme {name:?}; known: {}", names.join(", ")),
        );
    }
    let scheme = known.filter(|_| reader.problems() == before)?;
    let published = preset.and_then(|preset| preset.published_secret);
    let handshake = preset.and_then(|preset| preset.handshake.as_ref());
    let no_op = preset.and_then(|preset| preset.no_op.as_ref());
    let format = if sends_forms {
        Format::JsonOrForm
    } else {
        preset.map_or(Format::Json, |preset| preset.format)
    };
    Some(Verify {
        name: name.to_owned(),
        scheme,
        secret,
        tolerance,
        published,
        format,
        handshake,
        no_op,
    })
}

fn secret(found: &Found<String>, reader: &mut Reader<'_, '_>) -> Option<SecretRef> {
    match SecretRef::parse(&found.value) {
        Ok(secret) => Some(secret),
        Err(problem) => {
            reader.problem(found.start, format!("`secret` of [verify]: {problem}"));
            None
        }
    }
}

fn named(preset: &Preset, section: &mut Section<'_>, reader: &mut Reader<'_, '_>) -> Scheme {
    let url = section.text(reader, "url");
    let scheme = Scheme::from_preset(preset, url.as_ref().map(|found| found.value.clone()));
    check_url(url.as_ref(), scheme.needs_url(), section, reader);
    scheme
}

fn check_url(
    url: Option<&Found<String>>,
    signs_url: bool,
    section: &Section<'_>,
    reader: &mut Reader<'_, '_>,
) {
    match url {
        None if signs_url => reader.problem(
            section.start(),
            "`url` of [verify] is missing: this sender signs the address that was registered with it; write it here",
        ),
        Some(found) if !signs_url => {
            reader.problem(found.start, "`url` of [verify] is not part of what is signed; leave it out");
        }
        Some(found) if !is_address(&found.value) => {
            let message = format!(
                "`url` of [verify] is {:?}; write the address that was registered with the sender, such as \
                 \"https://abc.lambda-url.eu-central-1.on.aws/trello\"",
                found.value
            );
            reader.problem(found.start, message);
        }
        _ => {}
    }
}

/// Whether a text is a whole address, without anything before or after it.
fn is_address(text: &str) -> bool {
    let uri = text.parse::<http::Uri>().ok();
    uri.is_some_and(|uri| {
        matches!(uri.scheme_str(), Some("https" | "http")) && uri.authority().is_some()
    })
}

fn hmac(section: &mut Section<'_>, reader: &mut Reader<'_, '_>) -> Option<Scheme> {
    let header = section.required(reader, "header", "the header with the signature");
    let header = header.and_then(|found| header_name(&found, reader));
    let algorithms =
        [("sha1", Algorithm::Sha1), ("sha256", Algorithm::Sha256), ("sha512", Algorithm::Sha512)];
    let encodings = [("hex", Encoding::Hex), ("base64", Encoding::Base64)];
    let secret_encodings = [("raw", Encoding::Raw), ("base64", Encoding::Base64)];
    let algorithm = section.choice(reader, "algorithm", &algorithms).unwrap_or(Algorithm::Sha256);
    let encoding = section.choice(reader, "encoding", &encodings).unwrap_or(Encoding::Hex);
    let secret_encoding =
        section.choice(reader, "secret_encoding", &secret_encodings).unwrap_or(Encoding::Raw);
    let prefix = section.text(reader, "prefix").map(|found| found.value).unwrap_or_default();
    let separator =
        section.text(reader, "separator").map(|found| found.value).filter(|text| !text.is_empty());
    let mut named_header = |reader: &mut Reader<'_, '_>, key| {
        let found = section.text(reader, key)?;
        header_name(&found, reader)
    };
    let timestamp_header = named_header(reader, "timestamp_header");
    let id_header = named_header(reader, "id_header");
    let url = section.text(reader, "url");
    let signed = match section.text(reader, "signed") {
        None => Template::body(),
        Some(found) => match Template::parse(&found.value) {
            Ok(template) => template,
            Err(problem) => {
                reader.problem(found.start, format!("`signed` of [verify]: {problem}"));
                return None;
            }
        },
    };
    let start = section.start();
    if !signed.signs_body() {
        reader.problem(
            start,
            "`signed` of [verify] lacks {body}: a signature that doesn't cover the body proves nothing",
        );
    }
    if signed.signs_timestamp() != timestamp_header.is_some() {
        let message = "`timestamp_header` and {timestamp} in `signed` of [verify] go together: \
                       a time that isn't signed proves nothing";
        reader.problem(start, message);
    }
    if signed.signs_id() && id_header.is_none() {
        reader.problem(
            start,
            "{id} in `signed` of [verify] needs `id_header`: the header with the delivery id",
        );
    }
    check_url(url.as_ref(), signed.signs_url(), section, reader);
    Some(Scheme::Hmac(Box::new(Hmac {
        header: header?,
        algorithm,
        encoding,
        prefix,
        separator,
        signed,
        timestamp_header,
        timestamp_prefix: None,
        timestamp_format: TimeFormat::Seconds,
        timestamp_field: None,
        id_header,
        url: url.map(|found| found.value),
        secret_encoding,
        secret_prefix: String::new(),
    })))
}

fn token(section: &mut Section<'_>, reader: &mut Reader<'_, '_>) -> Option<Scheme> {
    let header = section.required(reader, "header", "the header with the secret");
    let header = header.and_then(|found| header_name(&found, reader));
    let prefix = section.text(reader, "prefix").map(|found| found.value).unwrap_or_default();
    Some(Scheme::Token { header: header?, prefix, id_header: None })
}

fn header_name(found: &Found<String>, reader: &mut Reader<'_, '_>) -> Option<HeaderName> {
    let header = found.value.parse().ok();
    if header.is_none() {
        reader.problem(found.start, format!("{:?} is not the name of a header", found.value));
    }
    header
}

fn task(mut section: Section<'_>, reader: &mut Reader<'_, '_>) -> Option<TaskRules> {
    let each = section.expression(reader, "each");
    let id = section.required(
        reader,
        "id",
        "an expression that gives the task's unique value, such as '.ticket.id'",
    );
    let id = id.and_then(|found| reader.expression(&found));
    let time = section.expression(reader, "time");
    let id_property = section.required(
        reader,
        "id_property",
        "the task property with unique values, such as \"zendesk_ticket_id\"",
    );
    let id_property = id_property.and_then(|found| {
        let name = property_name(&found.value, found.start, reader)?;
        if name != RECORD_ID {
            reader.demand(found.start, &name, Asks::UniqueValues);
        }
        Some(name)
    });
    let choices =
        [("fail", OnMissing::Fail), ("skip", OnMissing::Skip), ("create", OnMissing::Create)];
    let on_missing = section.choice(reader, "on_missing", &choices).unwrap_or(OnMissing::Fail);
    let updated_at = section.text(reader, "updated_at_property");
    let updated_at_property = updated_at.map(|found| {
        let name = property_name(&found.value, found.start, reader)?;
        reader.demand(found.start, &name, Asks::EventTime);
        Some(name)
    });
    if on_missing == OnMissing::Create && id_property.as_deref() == Some(RECORD_ID) {
        let message = "`on_missing` of [task] can't be \"create\" with `id_property = \"hs_object_id\"`: \
                       HubSpot gives record ids itself; write \"fail\" or \"skip\"";
        reader.problem(section.start(), message);
    }
    section.finish(reader);
    let updated_at_property = match updated_at_property {
        Some(None) => return None,
        Some(name) => name,
        None => None,
    };
    Some(TaskRules {
        each,
        id: id?,
        time,
        id_property: id_property?,
        on_missing,
        updated_at_property,
    })
}

/// HubSpot's internal names: lower-case letters, digits and underscores.
fn property_name(name: &str, start: usize, reader: &mut Reader<'_, '_>) -> Option<String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !name.is_empty() && name.chars().all(plain) {
        return Some(name.to_owned());
    }
    let message = format!(
        "{name:?} is not the internal name of a HubSpot property: lower-case letters, digits and _"
    );
    reader.problem(start, message);
    None
}

fn properties(mut section: Section<'_>, reader: &mut Reader<'_, '_>) -> Vec<Property> {
    let start = section.start();
    let entries = section.entries();
    if entries.is_empty() {
        reader.problem(start, "[properties] is empty: name at least one property to write");
    }
    let read = |(name, start, value)| property(name, start, value, reader);
    entries.into_iter().filter_map(read).collect()
}

fn property(
    name: &str,
    start: usize,
    value: &Spanned<DeValue<'_>>,
    reader: &mut Reader<'_, '_>,
) -> Option<Property> {
    let checked = property_name(name, start, reader);
    if checked.is_some() {
        reader.demand(start, name, Asks::Writing);
    }
    let place = value.span().start;
    match value.get_ref() {
        DeValue::String(text) => {
            let found = Found { value: text.clone().into_owned(), start: place };
            let expression = reader.expression(&found);
            let (name, input) = (checked?, Found { value: Input::Text, start: place });
            Steps { from: Some(&found), map: None, input, otherwise: None }.demand(&name, reader);
            Some(Property::plain(name, expression?))
        }
        DeValue::Table(table) => {
            let section = Section::new(&format!("`{name}`"), place, table);
            steps(checked, section, reader)
        }
        other => {
            let message = format!(
                "`{name}` has to be a jq expression in quotes or a table with `from`, not {}",
                article(other)
            );
            reader.problem(place, message);
            None
        }
    }
}

/// The hour of a date without one.
fn clock(found: &Found<String>, reader: &mut Reader<'_, '_>) -> Option<Clock> {
    let clock = Clock::parse(&found.value);
    if clock.is_none() {
        reader.problem(
            found.start,
            format!("`at` is {:?}; write an hour such as \"17:00\"", found.value),
        );
    }
    clock
}

fn steps(
    name: Option<String>,
    mut section: Section<'_>,
    reader: &mut Reader<'_, '_>,
) -> Option<Property> {
    let start = section.start();
    let (has_from, owner) = (section.has("from"), section.has("owner"));
    let from = section.text(reader, "from");
    let expression = from.as_ref().and_then(|found| reader.expression(found));
    let expression = section.expression(reader, "owner").or(expression);
    let map = section.texts(reader, "map");
    let forms = [("datetime", Input::DateTime(Clock::midnight())), ("date", Input::Date)];
    let (written_as, as_given) = (section.place("as"), section.choice(reader, "as", &forms));
    let at = section.text(reader, "at").and_then(|found| clock(&found, reader));
    let otherwise = section.text(reader, "otherwise");
    let unmapped =
        section.choice(reader, "unmapped", &[("fail", Unknown::Fail), ("skip", Unknown::Skip)]);
    let label = name.clone().unwrap_or_default();
    if owner && has_from {
        reader.problem(start, format!("`{label}` has both `from` and `owner`; write one of them"));
    } else if owner && written_as.is_some() {
        reader.problem(
            start,
            format!("`{label}` has both `owner` and `as`; an owner's id is written as it is"),
        );
    } else if !owner && !has_from {
        reader.problem(
            start,
            format!("`{label}` lacks `from` (an expression) or `owner` (an e-mail address)"),
        );
    }
    if unmapped.is_some() && map.is_none() && !owner && written_as.is_none() {
        reader.problem(
            start,
            format!("`unmapped` of `{label}` goes with `map`, `as` or `owner`; leave it out"),
        );
    }
    if at.is_some() && !matches!(as_given, Some(Input::DateTime(_))) {
        let message = format!(
            "`at` of `{label}` goes with `as = \"datetime\"`: it is the hour of a date that comes without one; leave it out"
        );
        reader.problem(start, message);
    }
    section.finish(reader);
    let input = match (as_given, at) {
        _ if owner => Input::Owner,
        (Some(Input::DateTime(_)), Some(clock)) => Input::DateTime(clock),
        (Some(form), _) => form,
        (None, _) => Input::Text,
    };
    let name = name?;
    let found = Found { value: input, start: written_as.unwrap_or(start) };
    Steps { from: from.as_ref(), map: map.as_deref(), input: found, otherwise: otherwise.as_ref() }
        .demand(&name, reader);
    let otherwise = otherwise.map(|found| found.value);
    let unknown = match (unmapped, &otherwise) {
        (Some(unknown), _) => unknown,
        (None, Some(text)) => Unknown::Write(text.clone()),
        (None, None) => Unknown::Fail,
    };
    let map = map.map(|rows| {
        rows.into_iter().map(|(given, found)| MapRow { given, written: found.value }).collect()
    });
    Some(Property { name, expression: expression?, map, input, otherwise, unknown })
}
