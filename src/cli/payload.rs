//! A payload on a developer's desk becomes a delivery: a file with the body alone, with a complete
//! Lambda event, or with a raw HTTP request.

use std::ffi::OsStr;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Error, Result, anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, Method};
use secrecy::SecretString;
use serde_json::Value;

use super::headers::insert;
use super::shared::UsedWrongly;
use super::story::Explained;
use super::{raw_request, shared};
use crate::delivery::{Delivery, Format, Json, NotRead};
use crate::files;
use crate::source::{Event, Proof, Source, SourceFile, Sources};
use crate::text::nearest;
use crate::time::Time;

/// The folder of the source files.
pub(super) fn path() -> PathBuf {
    files::path(&shared::variable)
}

/// The source files as they are.
pub(super) fn files() -> Result<Vec<SourceFile>> {
    files::read(&path()).map_err(Error::msg)
}

/// The source files of these names; all, if there are none.
pub(super) fn only(mut files: Vec<SourceFile>, names: &[String]) -> Result<Vec<SourceFile>> {
    for name in names {
        if !files.iter().any(|file| file.name == *name) {
            let known: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
            return Err(no_source(name, &known));
        }
    }
    files.retain(|file| names.is_empty() || names.contains(&file.name));
    Ok(files)
}

/// The source files, or every problem that they have.
pub(super) fn sources() -> Result<Sources> {
    read_sources(&path())
}

/// The source files of a folder, or one file.
pub(super) fn read_sources(path: &Path) -> Result<Sources> {
    let sources = Sources::read(&files::read(path)?);
    if sources.problems().is_empty() { Ok(sources) } else { Err(shared::join(sources.problems())) }
}

/// The source files, of which the one of this name has to work. Problems of other files are
/// warnings here.
pub(super) fn sources_with(files: &[SourceFile], name: &str) -> Result<Sources> {
    let sources = Sources::read(files);
    let is_there = sources.iter().any(|source| source.name == name);
    // The file of this name may be one of those with problems.
    if !is_there && !sources.problems().is_empty() {
        return Err(shared::join(sources.problems()));
    }
    for problem in sources.problems() {
        eprintln!("{problem}");
    }
    Ok(sources)
}

/// The source of a name.
pub(super) fn source<'s>(sources: &'s Sources, name: &str) -> Result<&'s Source> {
    if let Some(source) = sources.iter().find(|source| source.name == name) {
        return Ok(source);
    }
    let names: Vec<_> = sources.iter().map(|source| source.name.as_str()).collect();
    Err(no_source(name, &names))
}

fn no_source(name: &str, known: &[&str]) -> Error {
    match nearest(name, known.iter().copied()) {
        Some(nearest) => anyhow!("There is no source {name:?}; did you mean {nearest:?}?"),
        None => anyhow!("There is no source {name:?}; there are: {}.", known.join(", ")),
    }
}

/// The bytes of a payload, and its name.
pub(super) struct Payload {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

impl Payload {
    /// The form that it has: `event`, `request` or `body`.
    pub(super) fn kind(&self) -> &'static str {
        if lambda_event(&self.bytes).is_some() {
            "event"
        } else if matches!(raw_request::parse(&self.bytes), Ok(Some(_))) {
            "request"
        } else {
            "body"
        }
    }
}

/// Reads payload files (`-` is standard input). A file that ends in `.jsonl` or `.ndjson` has a
/// payload in each line.
pub(super) fn read_all(files: &[PathBuf]) -> Result<Vec<Payload>> {
    let mut payloads = Vec::new();
    for file in files {
        let name = file.display().to_string();
        let bytes = read(file).map_err(|error| anyhow!("{name} can't be read: {error}."))?;
        let ending = file.extension().and_then(OsStr::to_str).unwrap_or_default();
        let is_lines = match ending.to_ascii_lowercase().as_str() {
            "jsonl" | "ndjson" => true,
            _ => file == Path::new("-") && are_lines(&bytes),
        };
        if !is_lines {
            payloads.push(Payload { name, bytes });
            continue;
        }
        for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            if !line.trim_ascii().is_empty() {
                let name = format!("{name}:{}", index + 1);
                payloads.push(Payload { name, bytes: line.to_vec() });
            }
        }
    }
    Ok(payloads)
}

/// Whether each line is JSON of its own, and there are several.
fn are_lines(bytes: &[u8]) -> bool {
    let lines: Vec<_> = bytes.split(|byte| *byte == b'\n').collect();
    let mut count = 0;
    for line in lines {
        if line.trim_ascii().is_empty() {
            continue;
        }
        count += 1;
        if !line.trim_ascii().starts_with(b"{") || serde_json::from_slice::<Value>(line).is_err() {
            return false;
        }
    }
    count > 1
}

/// Reads a payload file (`-` is standard input) as a delivery to a source, with additional headers
/// of the form `Name: value`.
pub(super) fn delivery(source: &Source, file: &Path, headers: &[String]) -> Result<Delivery> {
    let name = file.display().to_string();
    let bytes = read(file).map_err(|error| anyhow!("{name} can't be read: {error}."))?;
    deliver(&source.path, &Payload { name, bytes }, headers, &[])
}

/// Reads a delivery as it was received: of a complete Lambda event with its own time of arrival.
pub(super) fn received(source: &Source, file: &Path, headers: &[String]) -> Result<Delivery> {
    let name = file.display().to_string();
    let bytes = read(file).map_err(|error| anyhow!("{name} can't be read: {error}."))?;
    let mut delivery =
        deliver(&source.path, &Payload { name, bytes: bytes.clone() }, headers, &[])?;
    if let Ok(event) = from_event(&bytes) {
        delivery.arrived = event.arrived;
        delivery.method = event.method;
    } else if let Some(request) = raw_request::parse(&bytes)? {
        delivery.method = request.method;
    }
    Ok(delivery)
}

/// A payload as a delivery to a path, with additional headers of the form `Name: value` and fields
/// of the query of the form `name=value`.
pub(super) fn deliver(
    path: &str,
    payload: &Payload,
    headers: &[String],
    query: &[String],
) -> Result<Delivery> {
    let mut delivery = post(path.to_owned(), Time::now());
    insert(&mut delivery.headers, "content-type", "application/json")?;
    if let Some(event) = lambda_event(&payload.bytes) {
        fill(&mut delivery, &event)?;
    } else if let Some(request) = raw_request::parse(&payload.bytes)? {
        delivery.headers.extend(request.headers);
        delivery.query = request.query;
        delivery.body = request.body;
    } else {
        delivery.body = payload.bytes.clone().into();
    }
    for field in query {
        let Some((name, value)) = field.split_once('=') else {
            bail!(UsedWrongly(format!("{field:?} is not a field of a query: write name=value.")));
        };
        delivery.query.push((name.to_owned(), value.to_owned()));
    }
    for header in headers {
        let Some((name, value)) = header.split_once(':') else {
            bail!(UsedWrongly(format!("{header:?} is not a header: write Name: value.")));
        };
        insert(&mut delivery.headers, name.trim(), value.trim())?;
    }
    Ok(delivery)
}

/// A complete Lambda event as the delivery that the function makes of it, at the time of its
/// arrival.
pub(super) fn from_event(bytes: &[u8]) -> Result<Delivery> {
    let event = lambda_event(bytes).context(
        "It is no Lambda event, which has a body as text and a requestContext; `taskhook event` \
         makes one.",
    )?;
    let context = &event["requestContext"];
    let arrived = context["timeEpoch"]
        .as_i64()
        .context("The event lacks requestContext.timeEpoch: when it arrived.")?;
    let path = event["rawPath"].as_str().unwrap_or_default().to_owned();
    let mut delivery = post(path, Time::from_milliseconds(arrived));
    let method = context["http"]["method"].as_str().unwrap_or("POST");
    delivery.method = method.parse().map_err(|_| anyhow!("The event's method is none."))?;
    fill(&mut delivery, &event)?;
    Ok(delivery)
}

/// Maps a delivery that need not be signed.
pub(super) fn map(sources: &Sources, source: &Source, mut delivery: Delivery) -> Result<Event> {
    let secret = sign_here(source, &mut delivery)?;
    let tolerance = source.verify.tolerance;
    let verified = source.verify.verify(&delivery, &[secret], tolerance)?;
    let event = sources.map(source, &verified, tolerance);
    event.map_err(|why| unreadable(source, &delivery, &why))
}

/// Says why a body can't be read, and what to do about a form.
fn unreadable(source: &Source, delivery: &Delivery, why: &NotRead) -> Error {
    let body = delivery.body.trim_ascii();
    let is_form = body.contains(&b'=') && !body.starts_with(b"{") && !body.starts_with(b"[");
    if is_form && source.verify.format == Format::Json {
        return anyhow!(
            "It can't be read: {why}. It looks like a form; if the sender sends forms, write \
             `form = true` in [verify] of {}.toml.",
            source.name
        );
    }
    anyhow!("It can't be read: {why}.")
}

/// Explains a delivery that need not be signed. `file` is the one of the source; `announce` is told
/// the key and the line of each expression before it runs.
pub(super) fn explain(
    sources: &Sources,
    file: &SourceFile,
    source: &Source,
    mut delivery: Delivery,
    announce: &dyn Fn(&str, usize),
) -> Result<Explained> {
    let secret = sign_here(source, &mut delivery)?;
    let tolerance = source.verify.tolerance;
    let verified = source.verify.verify(&delivery, &[secret], tolerance)?;
    let (event, trace) = sources
        .trace(source, file, &verified, tolerance, announce)
        .map_err(|why| unreadable(source, &delivery, &why))?;
    let id_header = source.verify.proof.as_ref().and_then(|proof| proof.scheme.id_header());
    let id_header = id_header.filter(|name| delivery.headers.contains_key(*name));
    Ok(Explained { event, trace, id_header: id_header.map(ToString::to_string) })
}

/// Signs a delivery, since only a verified one can be read. Returns the secret: every scheme
/// accepts one of these.
fn sign_here(source: &Source, delivery: &mut Delivery) -> Result<SecretString> {
    let mut secret = SecretString::from("dGFza2hvb2s6ZXhwbGFpbg==");
    if let Some(Proof { scheme, .. }) = &source.verify.proof {
        if scheme.check_secret(&secret).is_err() {
            secret = SecretString::from("a:b");
        }
        scheme.sign(delivery, &secret)?;
    }
    Ok(secret)
}

/// A delivery by POST, without headers and body.
pub(super) fn post(path: String, arrived: Time) -> Delivery {
    Delivery {
        method: Method::POST,
        path,
        query: Vec::new(),
        headers: HeaderMap::new(),
        body: bytes::Bytes::new(),
        arrived,
        request_id: "local".to_owned(),
        trace_header: None,
        source_ip: None,
    }
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    if file != Path::new("-") {
        return std::fs::read(file);
    }
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The event, if the file holds one instead of a body.
fn lambda_event(bytes: &[u8]) -> Option<Value> {
    let json = Json::parse(&String::from_utf8_lossy(bytes)).ok()?;
    let event: Value = serde_json::from_str(json.as_str()).ok()?;
    (event["body"].is_string() && event.get("requestContext").is_some()).then_some(event)
}

/// Fills in headers, body and query of an event.
fn fill(delivery: &mut Delivery, event: &Value) -> Result<()> {
    for (name, value) in event["headers"].as_object().into_iter().flatten() {
        insert(&mut delivery.headers, name, value.as_str().unwrap_or_default())?;
    }
    let body = event["body"].as_str().unwrap_or_default();
    delivery.body = if event["isBase64Encoded"] == true {
        let decoded = STANDARD.decode(body);
        decoded.map_err(|_| anyhow!("The event's body is not base64, as it says."))?.into()
    } else {
        body.to_owned().into()
    };
    let query = event["rawQueryString"].as_str().unwrap_or_default();
    delivery.query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    Ok(())
}
