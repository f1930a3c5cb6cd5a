//! A request to the webhook's address: the function answers it, and its story is kept.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use lambda_runtime::{Context, LambdaEvent};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::desk::{Delivered, Desk};
use super::draft::{Draft, Tried};
use super::listed::{SHOWN, tally, what};
use super::payloads::Kept;
use super::serving::Serving;
use super::signature;
use crate::cli::event::event;
use crate::cli::portal;
use crate::cli::story::{
    self, Explained, Fact, FactState, Fitted, Note, Story, TaskState, Tone, Verdict,
};
use crate::delivery::Delivery;
use crate::lambda::webhook;
use crate::outcome::Kind;
use crate::source::{Found, Source};
use crate::text::shorten;
use crate::time::Time;

/// The most tasks of a story that is kept, and the longest body of a request in it, in characters.
const TASKS: usize = 100;
const BODY: usize = 64 * 1024;

/// How long the expressions of a saved file may take: as long as the function may.
const AS_LONG_AS_THE_FUNCTION: Duration = Duration::from_secs(8);

/// An answer of the function.
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
    pub(super) delivered: std::sync::Arc<Delivered>,
}

/// Where a delivery comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Its sender.
    Outside,
    /// The page, or the terminal: it came before.
    Desk,
}

/// What is known of a delivery before the function has it.
struct Foreseen {
    signature: &'static str,
    story: Story,
    /// Whether an expression doesn't end, or takes all memory: the function must not have it.
    is_endless: bool,
}

/// Has the function answer a delivery.
pub(super) async fn deliver(desk: &Desk, delivery: Delivery, origin: Origin) -> Result<Answered> {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let id = LAST.fetch_add(1, Ordering::Relaxed) + 1;
    let serving = desk.serving();
    let source = match serving.sources().find(&delivery.path) {
        Found::Source(source) => Some(source),
        Found::Broken | Found::Nothing => None,
    };
    let foreseen = match source {
        Some(source) => Some(foresee(desk, &serving, source, &delivery).await),
        None => None,
    };
    let started = Instant::now();
    let is_endless = foreseen.as_ref().is_some_and(|foreseen| foreseen.is_endless);
    let (status, headers, body) = if is_endless {
        (504, Vec::new(), "An expression does not end; the story says which.\n".to_owned())
    } else {
        let function = serving.function(desk.files().folder(), &desk.portal, id)?;
        run(&function, &delivery, id).await?
    };
    let took = started.elapsed();
    desk.take_calls();
    let summary = serde_json::from_str::<Value>(&body).unwrap_or_default();
    let mut story = foreseen.as_ref().map(|foreseen| foreseen.story.clone());
    let (outcome, count, task) = tally(&summary, status);
    if let Some(story) = story.as_mut().filter(|_| !is_endless) {
        finish(desk, story, &summary, status);
    }
    let signature = foreseen.as_ref().map_or("not read", |foreseen| foreseen.signature);
    let is_read = matches!(signature, "right" | "none");
    let is_post = delivery.method == http::Method::POST;
    let payload = desk.payloads().add(Kept::delivered(delivery.clone(), desk.hidden()));
    let row = json!({
        "id": id,
        "time": delivery.arrived.to_string(),
        "source": source.map(|source| source.name.as_str()),
        "path": shorten(&delivery.path, SHOWN),
        "what": match (is_post, is_read) {
            (true, true) => what(&delivery),
            (true, false) => "not read".to_owned(),
            (false, _) => delivery.method.to_string(),
        },
        "signature": signature,
        "outcome": outcome,
        "count": count,
        "task": task,
        "status": status,
        "ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        "payload": payload,
        "bytes": delivery.body.len(),
    });
    let story = story.map_or_else(|| no_source(&delivery, status), |story| shorten_story(&story));
    if let (Some(saver), Some(source), Origin::Outside, true) =
        (&desk.saver, source, origin, is_read && is_post)
    {
        saver.save(&serving, source, &delivery, &what(&delivery), &desk.hidden());
    }
    let delivered = desk.keep(Delivered { id, row, story: story.to_string() });
    Ok(Answered { status, headers, body, delivered })
}

/// Has the function answer: status, headers, body.
async fn run(
    function: &webhook::Function,
    delivery: &Delivery,
    id: u64,
) -> Result<(u16, Vec<(String, String)>, String)> {
    let payload = RawValue::from_string(event(delivery).to_string())?;
    let mut context = Context::default();
    context.request_id = format!("local-{id}");
    let answer = webhook::handle(Some(function), LambdaEvent { payload, context }).await;
    let answer = answer.map_err(|_| anyhow!("The function takes no such request."))?;
    let status = answer["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok());
    let mut headers = Vec::new();
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        headers.push((name.clone(), value.as_str().unwrap_or_default().to_owned()));
    }
    let body = answer["body"].as_str().unwrap_or_default().to_owned();
    Ok((status.unwrap_or_default(), headers, body))
}

/// The story as it is kept: of very many tasks the first ones, and of long requests the beginning.
fn shorten_story(story: &Story) -> Value {
    let mut kept = story.clone();
    kept.tasks.truncate(TASKS);
    if story.tasks.len() > TASKS {
        kept.updates = json!([]);
    }
    for request in &mut kept.requests {
        request.body = shorten(&request.body, BODY).into_owned();
    }
    json!(kept)
}

/// Reads a delivery as the function is going to.
async fn foresee(desk: &Desk, serving: &Serving, source: &Source, delivery: &Delivery) -> Foreseen {
    let (signature, fact) = signature::check(desk, source, delivery);
    let is_believed = matches!(signature, "right" | "none");
    let draft = serving.file(&source.name).filter(|_| is_believed).map(|file| Draft {
        name: source.name.clone(),
        file: file.file.clone(),
        toml: file.text.as_deref().unwrap_or_default().to_owned(),
        event: event(delivery).to_string(),
    });
    let tried = draft.map(|draft| draft.run(AS_LONG_AS_THE_FUNCTION));
    let mut is_endless = false;
    let mut story = match tried {
        Some(Ok(Tried::Explained(explained))) => tell(desk, source, &explained).await,
        Some(Ok(Tried::Unreadable(why))) => {
            let note = vec![Note::new(why)];
            empty(source, vec![Fact::new("Body", FactState::Bad, "can't be read", note)])
        }
        Some(Ok(Tried::Broken(told))) => {
            is_endless = true;
            let told = told.first().map(|told| told.problem(&source.name));
            let mut story = empty(source, Vec::new());
            let (line, message) = told.map_or((0, String::new()), |it| (it.line, it.message));
            let detail = format!("Line {line}: {message}. In AWS the function would be ended.");
            story.verdict = Verdict::new("failed", Tone::Bad, "Fails: it does not end", detail);
            story
        }
        Some(Err(why)) => {
            let note = vec![Note::new(why.to_string())];
            empty(source, vec![Fact::new("Story", FactState::Bad, "can't be told", note)])
        }
        None => empty(source, Vec::new()),
    };
    story.facts.insert(0, fact);
    Foreseen { signature, story, is_endless }
}

/// The story of what was read, beside the tasks as they are.
pub(super) async fn tell(desk: &Desk, source: &Source, explained: &Explained) -> Story {
    let schema = crate::files::schema(desk.files().folder()).ok().flatten();
    let fitted: Vec<Fitted> = story::fit(&explained.event, schema.as_ref());
    let updates = story::to_compare(explained, &fitted);
    let comparisons = portal::compare(&desk.portal.looking_client(), &updates).await;
    let version = desk.portal.version();
    let mut story = story::tell(source, explained, &fitted, Some(&comparisons), version);
    if let Some(sim) = desk.portal.sim() {
        for task in &mut story.tasks {
            let id = task.id.as_deref().unwrap_or_default();
            let Some(known) = sim.task_by(&task.id_property, id) else { continue };
            for row in &mut task.rows {
                row.before = row
                    .before
                    .take()
                    .or_else(|| Some(known.properties.get(&row.name).cloned().unwrap_or_default()));
            }
            let is_written = |name: &&String| task.rows.iter().any(|row| row.name == **name);
            let all = known.properties.iter().filter(|(_, value)| !value.is_empty());
            task.untouched = Some(all.filter(|(name, _)| !is_written(name)).count());
        }
    }
    story
}

/// Puts what the function said into a story that was foreseen.
fn finish(desk: &Desk, story: &mut Story, summary: &Value, status: u16) {
    let rows = summary["tasks"].as_array();
    let Some(rows) = rows else {
        let detail = summary["detail"].as_str().unwrap_or_default();
        story.verdict = if status < 300 {
            Verdict::new("answered", Tone::Calm, format!("Answered with {status}"), "")
        } else {
            let detail = sentence(detail);
            Verdict::new("refused", Tone::Bad, format!("Refused with {status}"), detail)
        };
        story.tasks.clear();
        story.requests.clear();
        return;
    };
    let is_observed = rows.iter().any(|row| row["reason"] == "observed");
    for (task, row) in story.tasks.iter_mut().zip(rows) {
        if row["reason"] == "observed" {
            continue; // What was foreseen is what would be written.
        }
        let word = row["outcome"].as_str().unwrap_or_default();
        if let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.as_str() == word) {
            task.state = TaskState::of(kind);
        }
        if let Some(record) = row["recordId"].as_str() {
            task.record = Some(record.to_owned());
            desk.mark_changed(record);
        }
        if let Some(reason) = row["reason"].as_str() {
            let detail = row["detail"].as_str().unwrap_or_default();
            task.detail = Some(format!("{reason}: {detail}"));
        }
    }
    for task in &mut story.tasks {
        if matches!(task.state, TaskState::Failed | TaskState::Retry | TaskState::Stale) {
            task.withdraw();
        }
    }
    if is_observed {
        story.verdict.detail.push_str(" Nothing is written.");
    } else {
        story.judge_done();
    }
    if let (true, Some(row)) = (story.tasks.is_empty(), rows.first()) {
        let detail = sentence(row["detail"].as_str().unwrap_or_default());
        let detail = format!("{detail} In AWS it becomes a dead letter.");
        story.verdict = Verdict::new("failed", Tone::Bad, "Failed: the body can't be read", detail);
    }
    if status >= 500 {
        let detail = summary["detail"].as_str().unwrap_or_default();
        story.facts.push(Fact::new(
            "Answer",
            FactState::Retry,
            status.to_string(),
            vec![Note::new(format!("{detail}; a sender that tries again gets it done"))],
        ));
    }
}

/// The words of an answer as a sentence.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), letters.as_str()),
        None => String::new(),
    }
}

/// A story without anything that was read.
fn empty(source: &Source, facts: Vec<Fact>) -> Story {
    let verdict = Verdict::new("failed", Tone::Bad, "Fails: the body can't be read", "");
    Story::unread(&source.name, verdict, facts)
}

/// The story of a request to a path that no source has.
fn no_source(delivery: &Delivery, status: u16) -> Value {
    let verdict = if status < 300 {
        Verdict::new("answered", Tone::Calm, format!("Answered with {status}"), "")
    } else {
        let detail = format!("No source that works has the path {}.", delivery.path);
        Verdict::new("refused", Tone::Bad, format!("Refused with {status}"), detail)
    };
    json!(Story::unread("", verdict, Vec::new()))
}

/// A payload to a source, signed afresh.
pub(super) fn signed(desk: &Desk, source: &Source, payload: &Kept) -> Result<Delivery> {
    let mut delivery = payload.to(&source.path);
    delivery.arrived = Time::now();
    delivery.method = http::Method::POST;
    if let Some(proof) = &source.verify.proof {
        let secrets = desk.secrets_of(source)?;
        let secret = secrets.first().ok_or_else(|| anyhow!("The source has no secret."))?;
        proof.scheme.sign(&mut delivery, secret)?;
    }
    Ok(delivery)
}
