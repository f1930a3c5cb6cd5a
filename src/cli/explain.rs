//! `taskhook explain`: a payload as a source file reads it.

use std::path::PathBuf;

use anyhow::{Result, anyhow};
use serde_json::{Map, Value, json};

use super::payload::{self, Payload};
use super::shared;
use super::terminal::table;
use crate::engine::{self, Request};
use crate::files;
use crate::hubspot::tasks_path;
use crate::settings::ApiVersion;
use crate::source::{Event, Mapped, NotMapped};
use crate::update::{self, TaskKey, Unknown, Update};

/// Show how payloads are read: delivery id, time, filter, updates, and the requests to HubSpot
///
/// Nothing is sent, and no signature is needed. Of several payloads each is a line.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Name of the source: its file's name without .toml
    source: String,
    /// Files with the body, a complete Lambda event, or a raw HTTP request; - is standard input, and
    /// a file that ends in .jsonl or .ndjson has a payload in each line
    #[arg(value_name = "PAYLOAD", required = true)]
    payloads: Vec<PathBuf>,
    /// A header that the sender sets, such as "X-GitHub-Event: issues"
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// A field of the query, such as "kind=ticket"
    #[arg(long = "query", value_name = "NAME=VALUE")]
    query: Vec<String>,
    /// Print JSON; of several payloads one in each line
    #[arg(long)]
    json: bool,
}

/// Fails when something of the payload can't be mapped.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let sources = payload::sources_with(&arguments.source)?;
    let source = payload::source(&sources, &arguments.source)?;
    let payloads = payload::read_all(&arguments.payloads)?;
    let read = |payload: &Payload| {
        let delivery =
            payload::deliver(&source.path, payload, &arguments.headers, &arguments.query)?;
        payload::map(&sources, source, delivery)
    };
    if let [payload] = &payloads[..] {
        return explain(&read(payload)?, arguments.json);
    }
    let events = payloads.iter().map(|payload| (payload.name.as_str(), read(payload)));
    explain_all(events.collect(), arguments.json)
}

/// Shows a single event in full.
fn explain(event: &Event, as_json: bool) -> Result<()> {
    if as_json {
        shared::print(&format!("{:#}\n", with_failures(event)))?;
    } else {
        shared::print(&format!("{}{}", to_text(event), requests(event)?))?;
    }
    let problems = problems(event);
    if problems.is_empty() { Ok(()) } else { Err(shared::join(&problems)) }
}

/// Shows a line for each event, and their sum.
fn explain_all(events: Vec<(&str, Result<Event>)>, as_json: bool) -> Result<()> {
    let (count, mut filtered, mut failed) = (events.len(), 0, 0);
    let mut lines = Vec::new();
    let mut rows = Vec::new();
    for (name, event) in events {
        let event = match event {
            Ok(event) => event,
            Err(why) => {
                failed += 1;
                lines.push(format!("{}\n", json!({"payload": name, "error": why.to_string()})));
                rows.push([name.to_owned(), "failed".to_owned(), why.to_string()]);
                continue;
            }
        };
        let mut value = with_failures(&event);
        value["payload"] = json!(name);
        lines.push(format!("{value}\n"));
        let problems = problems(&event);
        let is_filtered = matches!(event.mapped, Mapped::Filtered);
        filtered += usize::from(is_filtered);
        failed += usize::from(!problems.is_empty());
        let (word, detail) = match () {
            () if is_filtered => ("filtered", String::new()),
            () if problems.is_empty() => ("maps", list_tasks(&event)),
            () => ("failed", problems.join("; ")),
        };
        rows.push([name.to_owned(), word.to_owned(), detail]);
    }
    let maps = count - filtered - failed;
    let sum = format!("{count} payloads: {maps} map, {filtered} filtered, {failed} failed");
    shared::print(&if as_json { lines.concat() } else { format!("{}\n{sum}\n", table(&rows)) })?;
    if failed == 0 { Ok(()) } else { Err(anyhow!("{failed} of {count} payloads failed.")) }
}

/// The tasks that an event updates, such as `ticket 1, ticket 2`.
fn list_tasks(event: &Event) -> String {
    let mut tasks = Vec::new();
    for Update { task, .. } in results(event).iter().flatten() {
        tasks.push(format!("{} {}", task.id_property, task.id));
    }
    tasks.join(", ")
}

/// The event as JSON, with a sentence for each update that can't be mapped.
fn with_failures(event: &Event) -> Value {
    let mut value = to_json(event);
    value["failed"] = json!(problems(event));
    value
}

fn results(event: &Event) -> &[Result<Update, NotMapped>] {
    match &event.mapped {
        Mapped::Filtered => &[],
        Mapped::Updates(results) => results,
    }
}

/// A sentence for each update of the event that can't be mapped.
pub(super) fn problems(event: &Event) -> Vec<String> {
    let mut problems = Vec::new();
    for result in results(event) {
        let Err(NotMapped { id, id_property, detail, .. }) = result else { continue };
        problems.push(match id {
            Some(id) => format!("The update of {id_property} {id} can't be mapped: {detail}"),
            None => format!("The update can't be mapped: {detail}"),
        });
    }
    problems
}

/// The event in the form of the files in `events/`.
pub(super) fn to_json(event: &Event) -> Value {
    let mut updates = Vec::new();
    for update in results(event).iter().flatten() {
        let mut properties = Map::new();
        for (name, value) in &update.properties {
            properties.insert(name.clone(), value_json(value));
        }
        updates.push(json!({
            "id": update.task.id,
            "idProperty": update.task.id_property,
            "properties": properties,
        }));
    }
    json!({
        "event": event.id,
        "time": event.time.map(|time| time.to_string()),
        "filtered": matches!(event.mapped, Mapped::Filtered),
        "updates": updates,
    })
}

fn value_json(value: &update::Value) -> Value {
    match value {
        update::Value::Text(text) => json!(text),
        update::Value::Owner { email, .. } => json!({"owner": email}),
    }
}

const FILTERED: &str = "filtered  by [event] when, or because [task] each has no output\n";

/// The event for a person.
fn to_text(event: &Event) -> String {
    let time = event.time.map_or("not asked".to_owned(), |time| time.to_string());
    let mut parts = vec![format!("delivery  {}\ntime      {time}\n", event.id)];
    if matches!(event.mapped, Mapped::Filtered) {
        parts.push(FILTERED.to_owned());
    }
    for Update { task, properties, updated_at_property, time, .. } in
        results(event).iter().flatten()
    {
        parts.push(format!("\nthe task whose {} is {}\n", task.id_property, task.id));
        let mut rows = Vec::new();
        for (name, value) in properties {
            rows.push([format!("  {name}"), value_text(value)]);
        }
        parts.push(table(&rows));
        if let Some(name) = updated_at_property {
            parts.push(format!("  {name} keeps {time}\n"));
        }
        if properties.is_empty() {
            parts.push("  nothing to write: unchanged\n".to_owned());
        }
    }
    parts.concat()
}

fn value_text(value: &update::Value) -> String {
    match value {
        update::Value::Text(text) if text.is_empty() => "(cleared)".to_owned(),
        update::Value::Text(text) => format!("{text:?}"),
        update::Value::Owner { email, unknown } => {
            let otherwise = match unknown {
                Unknown::Fail => "or the update fails".to_owned(),
                Unknown::Skip => "or it is left alone".to_owned(),
                Unknown::Write(text) => format!("or {text:?}"),
            };
            format!("the id of the owner {email}, {otherwise}")
        }
    }
}

/// The requests to HubSpot with their bodies. An update that doesn't fit the portal's schema, where
/// that is known, is not sent.
fn requests(event: &Event) -> Result<String> {
    let schema = files::schema(&payload::path())?;
    let version = ApiVersion::read(&shared::variable)?;
    let mut parts = Vec::new();
    let mut fit = Vec::new();
    for update in results(event).iter().flatten() {
        let mut update = update.clone();
        if let Some(schema) = &schema
            && let Err(why) = schema.fit(&mut update)
        {
            let TaskKey { id_property, id } = &update.task;
            parts.push(format!("\nnot sent: {id_property} {id}: {why}\n"));
        } else {
            fit.push(update);
        }
    }
    let tasks = tasks_path(&version);
    for Request { path, body, only } in engine::preview(&fit) {
        let only = only.map_or(String::new(), |only| format!(", {only}"));
        parts.push(format!("\nPOST {tasks}/{path}{only}\n{body:#}\n"));
    }
    Ok(parts.concat())
}
