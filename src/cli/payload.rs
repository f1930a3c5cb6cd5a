//! A payload on a developer's desk becomes a delivery: a file with the body alone, or with a
//! complete Lambda event.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use secrecy::SecretString;
use serde_json::Value;

use crate::delivery::{Delivery, Json};
use crate::source::{Event, Source, SourceFile, Sources};
use crate::time::Time;
use crate::{files, source};

/// Where the source files are.
pub(super) fn path() -> PathBuf {
    files::path(&|name| std::env::var(name).ok())
}

/// The source files as they are.
pub(super) fn files() -> Result<Vec<SourceFile>, String> {
    files::read(&path()).map_err(|problem| problem.to_string())
}

/// The source files, or every problem that they have.
pub(super) fn sources() -> Result<Sources, String> {
    read_sources(&path())
}

/// The source files of a folder, or one file.
pub(super) fn read_sources(path: &Path) -> Result<Sources, String> {
    let sources = Sources::read(&files::read(path).map_err(|problem| problem.to_string())?);
    let problems: Vec<_> = sources.problems().iter().map(source::Problem::to_string).collect();
    if problems.is_empty() { Ok(sources) } else { Err(problems.join("\n")) }
}

/// The source files, of which the one of this name has to work. Problems of others are told, and
/// keep nobody from it.
pub(super) fn sources_with(name: &str) -> Result<Sources, String> {
    let files = files()?;
    let sources = Sources::read(&files);
    if !sources.iter().any(|source| source.name == name) {
        // Either it has problems, or the name may be that of one that has.
        read_sources(&path())?;
    }
    for problem in sources.problems() {
        eprintln!("{problem}");
    }
    Ok(sources)
}

/// The source of a name.
pub(super) fn source<'s>(sources: &'s Sources, name: &str) -> Result<&'s Source, String> {
    sources.iter().find(|source| source.name == name).ok_or_else(|| {
        let names: Vec<_> = sources.iter().map(|source| source.name.as_str()).collect();
        format!("There is no source {name:?}; there are: {}.", names.join(", "))
    })
}

/// Reads a payload file (`-` is standard input) as a delivery to a source, with more headers given
/// as `Name: value`.
pub(super) fn delivery(
    source: &Source,
    file: &Path,
    headers: &[String],
) -> Result<Delivery, String> {
    let bytes =
        read(file).map_err(|error| format!("{} can't be read: {error}.", file.display()))?;
    let mut delivery = post(source.path.clone(), Time::now());
    delivery.body = bytes.into();
    delivery
        .headers
        .insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(event) = lambda_event(&delivery.body) {
        take_event(&mut delivery, &event)?;
    }
    for header in headers {
        let (name, value) = header
            .split_once(':')
            .ok_or_else(|| format!("{header:?} is not a header: write Name: value."))?;
        insert(&mut delivery.headers, name.trim(), value.trim())?;
    }
    Ok(delivery)
}

/// A complete Lambda event as the delivery that the function makes of it, at the time of its
/// arrival.
pub(super) fn from_event(bytes: &[u8]) -> Result<Delivery, String> {
    let event = lambda_event(bytes)
        .ok_or("It is no Lambda event, which has a body as text and a requestContext; `taskhook event` makes one.")?;
    let (context, http) = (&event["requestContext"], &event["requestContext"]["http"]);
    let arrived = context["timeEpoch"]
        .as_i64()
        .ok_or("The event lacks requestContext.timeEpoch: when it arrived.")?;
    let path = event["rawPath"].as_str().unwrap_or_default().to_owned();
    let mut delivery = post(path, Time::from_milliseconds(arrived));
    delivery.method = http["method"]
        .as_str()
        .unwrap_or("POST")
        .parse()
        .map_err(|_| "The event's method is none.")?;
    take_event(&mut delivery, &event)?;
    Ok(delivery)
}

/// What a source makes of a delivery that needs no proof.
pub(super) fn map(
    sources: &Sources,
    source: &Source,
    mut delivery: Delivery,
) -> Result<Event, String> {
    // Signed by ourselves, since only a verified delivery can be read. A secret that every scheme
    // takes:
    let secret = SecretString::from("dGFza2hvb2s6ZXhwbGFpbg==".to_owned());
    let scheme = &source.verify.scheme;
    let secret = if scheme.unusable(&secret).is_some() {
        SecretString::from("a:b".to_owned())
    } else {
        secret
    };
    scheme.sign(&mut delivery, &secret).map_err(|error| error.to_string())?;
    let verified = scheme
        .verify(&delivery, &[secret], source.verify.tolerance)
        .map_err(|why| why.to_string())?;
    sources
        .map(source, &verified, source.verify.tolerance)
        .map_err(|why| format!("It can't be read: {why}."))
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
        source_ip: None,
    }
}

fn read(file: &Path) -> std::io::Result<Vec<u8>> {
    if file == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    std::fs::read(file)
}

/// The event, if the file holds one instead of a body.
fn lambda_event(bytes: &[u8]) -> Option<Value> {
    let json = Json::parse(&String::from_utf8_lossy(bytes)).ok()?;
    let event: Value = serde_json::from_str(json.as_str()).ok()?;
    let is_event =
        event.get("requestContext").is_some() && event.get("body").is_some_and(Value::is_string);
    is_event.then_some(event)
}

fn take_event(delivery: &mut Delivery, event: &Value) -> Result<(), String> {
    for (name, value) in event["headers"].as_object().into_iter().flatten() {
        insert(&mut delivery.headers, name, value.as_str().unwrap_or_default())?;
    }
    let body = event["body"].as_str().unwrap_or_default();
    delivery.body = if event["isBase64Encoded"] == Value::Bool(true) {
        STANDARD
            .decode(body)
            .map_err(|_| "The event's body is not base64, as it says.".to_owned())?
            .into()
    } else {
        body.to_owned().into()
    };
    let query = event["rawQueryString"].as_str().unwrap_or_default();
    let fields = form_urlencoded::parse(query.as_bytes());
    delivery.query = fields.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    Ok(())
}

/// Adds a header.
pub(super) fn insert(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), String> {
    let parsed = (name.parse::<HeaderName>(), HeaderValue::from_str(value));
    let (Ok(name), Ok(value)) = parsed else {
        return Err(format!("{name}: {value} is not a header."));
    };
    headers.insert(name, value);
    Ok(())
}
