//! `taskhook explain`: what a payload says, by a source file.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::payload;
use crate::engine::{self, Request};
use crate::files;
use crate::hubspot::tasks_path;
use crate::settings::ApiVersion;
use crate::source::{Event, Mapped, NotMapped};
use crate::update::{self, Unknown, Update};

/// Show how one payload is read: delivery id, time, filter, updates, and what HubSpot would be sent
///
/// Nothing is sent, and no signature is needed.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Name of the source: its file's name without .toml
    source: String,
    /// File with the body, or with a complete Lambda event; - is standard input
    payload: PathBuf,
    /// A header that the sender sets, such as "X-GitHub-Event: issues"
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Fails when something of the payload can't be mapped.
pub(super) fn run(arguments: &Arguments) -> Result<(), String> {
    let sources = payload::sources_with(&arguments.source)?;
    let source = payload::source(&sources, &arguments.source)?;
    let delivery = payload::delivery(source, &arguments.payload, &arguments.headers)?;
    let event = payload::map(&sources, source, delivery)?;
    if arguments.json {
        super::print(&format!("{:#}\n", to_json(&event)))?;
    } else {
        super::print(&format!("{}{}", to_text(&event), requests(&event)?))?;
    }
    let problems = problems(&event);
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
}

fn updates(event: &Event) -> impl Iterator<Item = &Result<Update, NotMapped>> {
    match &event.mapped {
        Mapped::Filtered => [].iter(),
        Mapped::Updates(updates) => updates.iter(),
    }
}

/// What of the event can't be mapped: a sentence for each update.
pub(super) fn problems(event: &Event) -> Vec<String> {
    updates(event).filter_map(|update| update.as_ref().err()).map(problem).collect()
}

fn problem(not: &NotMapped) -> String {
    let id =
        not.id.as_deref().map(|id| format!(" of {} {id}", not.id_property)).unwrap_or_default();
    format!("The update{id} can't be mapped: {}", not.detail)
}

/// The form of the files in events/.
pub(super) fn to_json(event: &Event) -> Value {
    let updates = updates(event).filter_map(|update| update.as_ref().ok()).map(|update| {
        let properties =
            update.properties.iter().map(|(name, value)| (name.clone(), value_json(value)));
        json!({
            "id": update.task.id,
            "idProperty": update.task.id_property,
            "properties": properties.collect::<Map<_, _>>(),
        })
    });
    json!({
        "event": event.id,
        "time": event.time.map(|time| time.to_string()),
        "filtered": matches!(event.mapped, Mapped::Filtered),
        "updates": updates.collect::<Vec<_>>(),
    })
}

fn value_json(value: &update::Value) -> Value {
    match value {
        update::Value::Text(text) => json!(text),
        update::Value::Owner { email, .. } => json!({"owner": email}),
    }
}

fn to_text(event: &Event) -> String {
    let time = event.time.map_or_else(|| "not asked".to_owned(), |time| time.to_string());
    let mut lines = vec![format!("delivery  {}", event.id), format!("time      {time}")];
    if matches!(event.mapped, Mapped::Filtered) {
        lines.push(
            "filtered  none of our business: [event] when, or no output of [task] each".to_owned(),
        );
    }
    for update in updates(event).filter_map(|update| update.as_ref().ok()) {
        lines.push(format!("\nthe task whose {} is {}", update.task.id_property, update.task.id));
        let width = update.properties.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        lines.extend(
            update
                .properties
                .iter()
                .map(|(name, value)| format!("  {name:width$}  {}", value_text(value))),
        );
        lines.extend(
            update
                .updated_at_property
                .as_ref()
                .map(|name| format!("  {name} keeps {}", update.time)),
        );
        if update.properties.is_empty() {
            lines.push("  nothing to write: unchanged".to_owned());
        }
    }
    lines.join("\n") + "\n"
}

/// The requests to HubSpot, with their bodies: of updates that fit the portal's schema, where that
/// is known.
fn requests(event: &Event) -> Result<String, String> {
    let schema = files::schema(&payload::path()).map_err(|problem| problem.to_string())?;
    let version = ApiVersion::read(&|name| std::env::var(name).ok())
        .map_err(|problem| problem.to_string())?;
    let (mut fit, mut parts) = (Vec::new(), Vec::new());
    for mut update in updates(event).filter_map(|update| update.clone().ok()) {
        match schema.as_ref().map_or(Ok(()), |schema| schema.check(&mut update)) {
            Ok(()) => fit.push(update),
            Err(why) => parts.push(format!(
                "\nnot sent: {} {}: {why}\n",
                update.task.id_property, update.task.id
            )),
        }
    }
    parts.extend(engine::preview(&fit).into_iter().map(|Request { path, body, only }| {
        let only = only.map(|only| format!(", {only}")).unwrap_or_default();
        format!("\nPOST {}/{path}{only}\n{body:#}\n", tasks_path(&version))
    }));
    Ok(parts.concat())
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
