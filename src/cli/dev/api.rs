//! The page's data: one route for each thing that it shows or does. The page computes nothing of
//! this itself.

use anyhow::{Result, anyhow};
use bytes::Bytes;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::deliver::{Origin, deliver, signed, tell};
use super::desk::Desk;
use super::draft::{Draft, PATIENCE, Tried};
use super::payloads::Kept;
use super::{faults, place, signature};
use crate::cli::event::event;
use crate::cli::story::{Fact, FactState, Note, Story, Tone, Verdict};
use crate::cli::{new, payload};
use crate::delivery::Delivery;
use crate::sim::SeedTask;
use crate::source::{SourceFile, Sources};
use crate::time::Time;

/// The largest payload, as of the function.
const PAYLOAD: usize = 1024 * 1024;

/// A request of the page.
pub(super) struct Asked {
    pub(super) method: Method,
    /// Behind `/_desk/`.
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) if_match: Option<String>,
    pub(super) body: Bytes,
}

/// An answer.
pub(super) struct Given {
    pub(super) status: StatusCode,
    pub(super) body: Value,
}

/// A request that can't be answered: a sentence for the person at the desk.
pub(super) struct Failed {
    pub(super) status: StatusCode,
    pub(super) message: String,
    /// What else the page needs.
    pub(super) fields: Vec<(&'static str, Value)>,
}

#[derive(Deserialize)]
struct NewSource {
    name: String,
    payload: Option<String>,
    #[serde(default)]
    ready: bool,
}

#[derive(Deserialize)]
struct Explain {
    source: String,
    toml: Option<String>,
    payload: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewTask {
    id_property: String,
    id: String,
}

#[derive(Deserialize)]
struct Send {
    source: String,
    payload: String,
}

impl Asked {
    /// A field of the query.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn json<T: DeserializeOwned>(&self) -> Result<T, Failed> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Failed::new(StatusCode::BAD_REQUEST, format!("{error}.")))
    }
}

impl Failed {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), fields: Vec::new() }
    }
}

impl From<anyhow::Error> for Failed {
    fn from(error: anyhow::Error) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, format!("{error:#}"))
    }
}

/// Answers a request of the page.
pub(super) async fn answer(desk: &Desk, asked: Asked) -> Result<Given, Failed> {
    let segments: Vec<&str> = asked.path.split('/').collect();
    let body = match (asked.method.as_str(), &segments[..]) {
        ("GET", ["state"]) => desk.state(),
        ("GET", ["sources", name]) => found(desk.files().view(name))?,
        ("PUT", ["sources", name]) => save(desk, name, &asked)?,
        ("POST", ["sources"]) => {
            let body = create(desk, &asked)?;
            return Ok(Given { status: StatusCode::CREATED, body });
        }
        ("POST", ["payloads"]) => add_payload(desk, &asked)?,
        ("GET", ["payloads", id]) => {
            let from = asked.parameter("from").and_then(|from| from.parse().ok()).unwrap_or(0);
            found(desk.payloads().view(id, from))?
        }
        ("POST", ["explain"]) => explain(desk, &asked).await?,
        ("POST", ["send"]) => send(desk, &asked).await?,
        ("GET", ["deliveries"]) => {
            let rows = desk.deliveries();
            let rows: Vec<_> = rows.iter().map(|delivered| delivered.row.clone()).collect();
            json!({"deliveries": rows})
        }
        ("GET", ["deliveries", id]) => {
            let id = id.parse().unwrap_or_default();
            let delivered = found(desk.delivery(id))?;
            let calls = desk.calls(Some(id));
            json!({"delivery": delivered.row, "story": delivered.story(), "calls": calls})
        }
        ("GET", ["calls"]) => json!({"calls": desk.calls(None)}),
        ("GET", ["tasks"]) => json!({"tasks": desk.tasks()}),
        ("POST", ["tasks"]) => {
            let body = make_task(desk, &asked)?;
            return Ok(Given { status: StatusCode::CREATED, body });
        }
        ("GET", ["faults"]) => json!({"faults": desk.portal.sim().map(faults::list)}),
        ("PUT", ["faults"]) => set_faults(desk, &asked)?,
        _ => return Err(Failed::new(StatusCode::NOT_FOUND, "The desk has no such path.")),
    };
    Ok(Given { status: StatusCode::OK, body })
}

/// The thing that was asked for, or 404.
fn found<T>(result: Result<T>) -> Result<T, Failed> {
    result.map_err(|error| Failed::new(StatusCode::NOT_FOUND, error.to_string()))
}

fn save(desk: &Desk, name: &str, asked: &Asked) -> Result<Value, Failed> {
    let Ok(text) = std::str::from_utf8(&asked.body) else {
        return Err(Failed::new(StatusCode::BAD_REQUEST, "A source file is UTF-8 text."));
    };
    let Some(tag) = &asked.if_match else {
        return Err(Failed::new(StatusCode::PRECONDITION_REQUIRED, "If-Match is missing."));
    };
    let is_saved = desk.files().save(name, tag, text)?;
    super::tell::noticed(&desk.refresh()?, false);
    let view = found(desk.files().view(name))?;
    if is_saved {
        return Ok(view);
    }
    let message = "The file was changed on disk meanwhile.";
    let mut failed = Failed::new(StatusCode::PRECONDITION_FAILED, message);
    failed.fields = vec![("etag", view["etag"].clone()), ("toml", view["toml"].clone())];
    Err(failed)
}

fn create(desk: &Desk, asked: &Asked) -> Result<Value, Failed> {
    let NewSource { name, payload, ready } = asked.json()?;
    let (text, notes) = if ready {
        let text = desk.files().ready_text(&name);
        let none = format!("No source {name:?} lies ready.");
        (text.ok_or_else(|| Failed::new(StatusCode::NOT_FOUND, none))?, Vec::new())
    } else {
        let payload = payload.unwrap_or_default();
        let kept = found(desk.payloads().get(&payload))?.clone();
        let folder = desk.files().folder().to_owned();
        let (text, report) = new::from_delivery(&folder, &name, &kept.delivery)?;
        let notes = report.lines().map(str::to_owned).collect();
        (text, notes)
    };
    if !desk.files().create(&name, &text)? {
        let message = format!("There is a source {name} already; choose another name.");
        return Err(Failed::new(StatusCode::CONFLICT, message));
    }
    super::tell::noticed(&desk.refresh()?, false);
    let mut view = found(desk.files().view(&name))?;
    view["notes"] = json!(notes);
    Ok(view)
}

fn add_payload(desk: &Desk, asked: &Asked) -> Result<Value, Failed> {
    let sample = asked.parameter("sample");
    let bytes = match sample {
        Some(sample) => found(desk.sample(sample))?,
        None => asked.body.to_vec(),
    };
    let kept = Kept::read(&bytes, desk.hidden())?;
    if kept.delivery.body.len() > PAYLOAD {
        let message = "The payload is larger than 1 MiB, and the function takes no more.";
        return Err(Failed::new(StatusCode::PAYLOAD_TOO_LARGE, message));
    }
    let source = match sample.and_then(|sample| sample.split_once('/')) {
        Some((source, _)) => Some(source.to_owned()),
        None => recognise(desk, &kept.delivery),
    };
    let mut payloads = desk.payloads();
    let id = payloads.add(kept);
    Ok(payloads.brief(&id, source.as_deref())?)
}

/// The source that a payload seems to be for, if there is one.
fn recognise(desk: &Desk, delivery: &Delivery) -> Option<String> {
    let name = new::recognise(delivery)?;
    desk.files().text(name).map(|_| name.to_owned())
}

/// Tries a file, saved or not, on a payload.
async fn explain(desk: &Desk, asked: &Asked) -> Result<Value, Failed> {
    let Explain { source: name, toml, payload } = asked.json()?;
    let started = std::time::Instant::now();
    let (file, saved) = {
        let shelf = desk.files();
        (shelf.file(&name), shelf.text(&name).map(str::to_owned))
    };
    let toml = toml.or(saved).unwrap_or_default();
    let delivery = found(desk.payloads().get(&payload))?.to("/");
    let event = event(&delivery).to_string();
    let draft = Draft { name: name.clone(), file: file.clone(), toml: toml.clone(), event };
    let mut body = match draft.run(PATIENCE)? {
        Tried::Broken(told) => {
            let problems: Vec<_> =
                told.iter().map(|told| place::problem(&told.problem(&file), &toml)).collect();
            let title = "The file has problems";
            let verdict = Verdict::new("broken", Tone::Bad, title, "");
            let mut body = json!(Story::unread(&name, verdict, Vec::new()));
            body["problems"] = json!(problems);
            body
        }
        Tried::Unreadable(why) => {
            let title = "Fails: the body can't be read";
            let verdict = Verdict::new("failed", Tone::Bad, title, why);
            json!(Story::unread(&name, verdict, Vec::new()))
        }
        Tried::Explained(explained) => {
            let files = [SourceFile::from_text(&file, &name, toml)];
            let sources = Sources::read(&files);
            let source = payload::source(&sources, &name)?;
            let mut story = tell(desk, source, &explained).await;
            let kept = found(desk.payloads().get(&payload))?.clone();
            if let Some(own) = signature::own(desk, source, &kept) {
                story.facts.insert(0, own);
            }
            story.facts.insert(0, sign_fact(desk, source));
            json!(story)
        }
    };
    if body.get("problems").is_none() {
        body["problems"] = json!([]);
    }
    body["took"] = json!(started.elapsed().as_millis());
    Ok(body)
}

/// How a payload will be signed when it is sent.
fn sign_fact(desk: &Desk, source: &crate::source::Source) -> Fact {
    let Some(proof) = &source.verify.proof else {
        let note = Note::new("whoever knows the address is believed");
        return Fact::new("Signature", FactState::Calm, "none", vec![note]);
    };
    let note = Note::new(format!("{}, by the secret {}", proof.scheme.header(), proof.secret));
    match desk.secrets_of(source) {
        Ok(_) => Fact::new("Signature", FactState::Ok, "signed here", vec![note]),
        Err(why) => {
            let note = Note::new(why.to_string());
            Fact::new("Signature", FactState::Bad, "no secret", vec![note])
        }
    }
}

async fn send(desk: &Desk, asked: &Asked) -> Result<Value, Failed> {
    let Send { source, payload } = asked.json()?;
    let serving = desk.serving();
    let source = payload::source(serving.sources(), &source)?;
    let kept = found(desk.payloads().get(&payload))?.clone();
    let answered = deliver(desk, signed(desk, source, &kept)?, Origin::Desk).await?;
    super::tell::delivery(&answered.delivered);
    Ok(json!({"delivery": answered.delivered.id}))
}

/// Makes a task in the stand-in that an update can find.
fn make_task(desk: &Desk, asked: &Asked) -> Result<Value, Failed> {
    let Some(sim) = desk.portal.sim() else {
        return Err(Failed::new(StatusCode::NOT_FOUND, "In the real HubSpot nothing is written."));
    };
    let NewTask { id_property, id } = asked.json()?;
    let properties = [
        (id_property, id),
        ("hs_task_subject".to_owned(), "A task that somebody made".to_owned()),
        ("hs_timestamp".to_owned(), Time::now().to_string()),
    ];
    let task = SeedTask { id: None, properties: properties.into() };
    let record = sim.add(task).map_err(|why| Failed::from(anyhow!("{why}")))?;
    desk.events.add("tasks", &json!({"count": sim.tasks().len()}));
    Ok(json!({"record": record}))
}

fn set_faults(desk: &Desk, asked: &Asked) -> Result<Value, Failed> {
    let Some(sim) = desk.portal.sim() else {
        return Err(Failed::new(StatusCode::NOT_FOUND, "The real HubSpot has no faults to set."));
    };
    let wanted: Vec<faults::Wanted> = asked.json()?;
    faults::set(sim, &wanted)?;
    let list = faults::list(sim);
    desk.events.add("faults", &json!({"faults": list}));
    Ok(json!({"faults": list}))
}
