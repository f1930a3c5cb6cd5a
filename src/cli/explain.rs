//! `taskhook explain`: a payload as a source file reads it.

use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow};
use serde_json::{Value, json};

use super::payload::{self, Payload};
use super::story::{
    self, Association, Explained, Row, RowState, Story, TaskState, TaskStory, Tone, Verdict,
};
use super::terminal::{bold, green, red, table};
use super::{portal, shared};
use crate::files;
use crate::hubspot::Schema;
use crate::settings::ApiVersion;
use crate::source::{Event, Mapped, SourceFile, Sources};
use crate::text::shorten;
use crate::update::{Missing, OnMissing, TaskKey, Update, When, Write};

/// The longest value that is printed, in characters.
const SHOWN: usize = 300;

/// Show how payloads are read: delivery id, time, filter, updates, and the requests to HubSpot
///
/// Nothing is sent, and no signature is needed. Of several payloads each is a line. With --online
/// the tasks are read, and the story says what would change.
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
    /// Read the tasks from the portal that `HUBSPOT_TOKEN` opens, and say what would change
    #[arg(long)]
    online: bool,
    /// Print JSON; of several payloads one in each line
    #[arg(long)]
    json: bool,
}

/// What a payload is explained by.
struct Reader<'r> {
    arguments: &'r Arguments,
    files: &'r [SourceFile],
    sources: &'r Sources,
    schema: Option<Schema>,
}

/// Fails when something of the payload can't be mapped.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let files = payload::files()?;
    let sources = payload::sources_with(&files, &arguments.source)?;
    let payloads = payload::read_all(&arguments.payloads)?;
    let schema = files::schema(&payload::path())?;
    let reader = Reader { arguments, files: &files, sources: &sources, schema };
    if let [payload] = &payloads[..] {
        return explain(&reader, payload);
    }
    if arguments.online {
        return explain_all_online(&reader, &payloads);
    }
    explain_all(&reader, &payloads)
}

impl Reader<'_> {
    fn read(&self, payload: &Payload) -> Result<Explained> {
        let Arguments { source, headers, query, .. } = self.arguments;
        let source = payload::source(self.sources, source)?;
        let delivery = payload::deliver(&source.path, payload, headers, query)?;
        let file = self.files.iter().find(|file| file.name == source.name);
        let file = file.context("the source has no file")?;
        payload::explain(self.sources, file, source, delivery, &|_, _| {})
    }

    fn to_json(&self, event: &Event) -> Result<Value> {
        let source = payload::source(self.sources, &self.arguments.source)?;
        let mut value = story::to_json(source, event);
        if source.observe {
            value["observe"] = json!(true);
        }
        Ok(value)
    }

    /// The story of a payload; the tasks are read if that is asked for.
    fn tell(&self, explained: &Explained) -> Result<Story> {
        let source = payload::source(self.sources, &self.arguments.source)?;
        let version = ApiVersion::read(&shared::variable)?;
        let fitted = story::fit(&explained.event, self.schema.as_ref());
        let mut comparisons = None;
        if self.arguments.online {
            let updates = story::to_compare(explained, &fitted);
            let compared = shared::block_on(async {
                let hubspot = portal::connect().await?;
                Ok::<_, anyhow::Error>(portal::compare(&hubspot, &updates).await)
            })??;
            comparisons = Some(compared);
        }
        Ok(story::tell(source, explained, &fitted, comparisons.as_deref(), &version))
    }
}

/// Shows a single event in full.
fn explain(reader: &Reader<'_>, payload: &Payload) -> Result<()> {
    let explained = reader.read(payload)?;
    let story = reader.tell(&explained)?;
    if reader.arguments.json {
        let mut value = reader.to_json(&explained.event)?;
        value["failed"] = json!(story.failed);
        if reader.arguments.online {
            value["tasks"] = json!(story.tasks);
        }
        shared::print(&format!("{value:#}\n"))?;
    } else {
        shared::print(&to_text(&story))?;
    }
    if !story.failed.is_empty() {
        return Err(shared::join(&story.failed));
    }
    match story.tasks.iter().find(|task| task.state == TaskState::Retry) {
        Some(task) => Err(not_asked(task)),
        None => Ok(()),
    }
}

/// The error of a portal that can't be asked now.
fn not_asked(task: &TaskStory) -> anyhow::Error {
    let why = task.detail.as_deref().unwrap_or_default();
    anyhow!(
        "The portal can't be asked: {why}. Look at HUBSPOT_TOKEN, HUBSPOT_BASE_URL and \
         HUBSPOT_API_VERSION."
    )
}

/// Shows what each event would change in a line.
fn explain_all_online(reader: &Reader<'_>, payloads: &[Payload]) -> Result<()> {
    let (mut rows, mut lines, mut failed) = (Vec::new(), Vec::new(), 0);
    for payload in payloads {
        let story = reader.read(payload).and_then(|explained| reader.tell(&explained));
        match story {
            Ok(story) => {
                if let Some(task) = story.tasks.iter().find(|it| it.state == TaskState::Retry) {
                    return Err(not_asked(task));
                }
                failed += usize::from(story.verdict.tone == Tone::Bad);
                lines.push(format!("{}\n", json!({"payload": payload.name, "tasks": story.tasks})));
                let Verdict { title, detail, .. } = story.verdict;
                rows.push([payload.name.clone(), title, detail]);
            }
            Err(why) => {
                failed += 1;
                lines.push(format!(
                    "{}\n",
                    json!({"payload": payload.name, "error": why.to_string()})
                ));
                rows.push([payload.name.clone(), "failed".to_owned(), why.to_string()]);
            }
        }
    }
    shared::print(&if reader.arguments.json { lines.concat() } else { table(&rows) })?;
    if failed == 0 { Ok(()) } else { Err(anyhow!("{failed} of {} would fail.", payloads.len())) }
}

/// Shows a line for each event, and their sum.
fn explain_all(reader: &Reader<'_>, payloads: &[Payload]) -> Result<()> {
    let (count, mut filtered, mut failed) = (payloads.len(), 0, 0);
    let mut lines = Vec::new();
    let mut rows = Vec::new();
    for payload in payloads {
        let name = payload.name.as_str();
        let event = match reader.read(payload) {
            Ok(explained) => explained.event,
            Err(why) => {
                failed += 1;
                lines.push(format!("{}\n", json!({"payload": name, "error": why.to_string()})));
                rows.push([name.to_owned(), "failed".to_owned(), why.to_string()]);
                continue;
            }
        };
        let problems = story::problems(&event);
        let mut value = reader.to_json(&event)?;
        value["failed"] = json!(problems);
        value["payload"] = json!(name);
        lines.push(format!("{value}\n"));
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
    shared::print(&if reader.arguments.json {
        lines.concat()
    } else {
        format!("{}\n{sum}\n", table(&rows))
    })?;
    if failed == 0 { Ok(()) } else { Err(anyhow!("{failed} of {count} payloads failed.")) }
}

/// The tasks that an event updates, such as `ticket 1, ticket 2`.
fn list_tasks(event: &Event) -> String {
    let mut tasks = Vec::new();
    for Update { task: TaskKey { id_property, id }, .. } in story::results(event).iter().flatten() {
        tasks.push(format!("{id_property} {id}"));
    }
    tasks.join(", ")
}

/// The story for a person.
fn to_text(story: &Story) -> String {
    let verdict = &story.verdict;
    let title = match verdict.tone {
        Tone::Ok => green(&verdict.title),
        Tone::Bad => red(&verdict.title),
        Tone::Calm => bold(&verdict.title),
    };
    let mut parts = vec![format!("{title}\n")];
    if !verdict.detail.is_empty() {
        parts.push(format!("{}\n", verdict.detail));
    }
    let mut facts = Vec::new();
    for fact in &story.facts {
        let mut notes = Vec::new();
        for note in &fact.notes {
            let line = note.line.map(|line| format!("line {line} ")).unwrap_or_default();
            notes.push(format!("{line}{}", note.text));
        }
        facts.push([fact.name.to_lowercase(), fact.value.clone(), notes.join(", ")]);
    }
    parts.push(format!("\n{}", table(&facts)));
    for task in &story.tasks {
        parts.push(task_text(task));
    }
    for request in &story.requests {
        let only = request.only.map_or(String::new(), |only| format!(", {only}"));
        parts.push(format!("\nPOST {}{only}\n{}\n", request.path, request.body));
    }
    parts.concat()
}

fn task_text(task: &TaskStory) -> String {
    let id = task.id.as_deref().unwrap_or("not known");
    let mut parts = vec![format!("\nthe task whose {} is {id}\n", task.id_property)];
    let mut rows = Vec::new();
    for row in &task.rows {
        let after = match (&row.owner, &row.after) {
            (Some(_), Some(after)) if row.before.is_none() => after.clone(),
            _ => value_text(row.after.as_deref()),
        };
        let (mark, value) = match row.state {
            RowState::Set | RowState::Would => (" ", after),
            RowState::Same => ("=", format!("{after}, as it is")),
            RowState::Change => {
                let before = row.before.as_deref().filter(|before| !before.is_empty());
                (
                    "→",
                    format!(
                        "{} → {after}",
                        before.map_or("nothing".to_owned(), |it| format!("{it:?}"))
                    ),
                )
            }
            RowState::Alone => ("–", format!("left alone: {}", reason(row.reason.as_ref()))),
            RowState::Wrong => ("✗", reason(row.reason.as_ref())),
        };
        let value = format!("{value}{}", write_text(row));
        rows.push([format!("{mark} {}", row.name), format!("line {}", row.line), value]);
    }
    parts.push(table(&rows));
    parts.extend(task.associate.as_ref().map(links_text));
    if let Some(chosen) = &task.on_missing {
        let rule = match chosen.rule {
            OnMissing::Fail => "the update fails",
            OnMissing::Skip => "the update is passed over",
            OnMissing::Create => "the task is made",
        };
        parts.push(format!("  if no task has the id: {rule} (line {})\n", chosen.line));
    }
    if let Some((name, time)) = &task.keeps {
        parts.push(format!("  {name} keeps {time}\n"));
    }
    let is_marked = task.rows.iter().any(|row| row.state == RowState::Wrong);
    if let Some(detail) = task.detail.as_ref().filter(|_| !is_marked) {
        parts.push(format!("  {detail}\n"));
    }
    parts.concat()
}

/// When a property is written, as the end of a line; nothing of one that always is, or that isn't.
fn write_text(row: &Row) -> &'static str {
    match row.write {
        _ if matches!(row.state, RowState::Alone | RowState::Wrong) => "",
        None => "",
        Some(Write::Create) => ", only when the task is made",
        Some(Write::Empty) => ", only where the task has nothing",
    }
}

/// What a task is to hang on, a line each.
fn links_text(association: &Association) -> String {
    let when = match association.when {
        When::Create => "when the task is made",
        When::Always => "always",
    };
    let missing = match association.missing {
        Missing::Skip => "",
        Missing::Fail => "; the update fails if it isn't there",
    };
    let mut rows = Vec::new();
    for placed in &association.links {
        let link = &placed.link;
        let place = placed.line.map(|line| format!("line {line}")).unwrap_or_default();
        let name = format!("  hangs on the {}", link.to.as_str());
        let record = format!("{} {:?}, {when}{missing}", link.by, shorten(&link.id, SHOWN));
        rows.push([name, place, record]);
    }
    table(&rows)
}

fn reason(reason: Option<&String>) -> String {
    reason.cloned().unwrap_or_default()
}

fn value_text(value: Option<&str>) -> String {
    match value {
        None => "not known".to_owned(),
        Some("") => "cleared".to_owned(),
        Some(text) => format!("{:?}", shorten(text, SHOWN)),
    }
}
