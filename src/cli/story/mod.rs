//! The story of a delivery: how a source file reads it, step by step, and what becomes of its
//! tasks. What `taskhook explain` prints and the page of `taskhook dev` shows. Pure.

mod facts;
mod task;
mod verdict;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub(super) use facts::{Fact, FactState, Note};
pub(super) use task::{Association, Row, RowState, TaskState, TaskStory};
pub(super) use verdict::{Tone, Verdict};

use crate::engine::{self, Comparison};
use crate::hubspot::Schema;
use crate::settings::ApiVersion;
use crate::source::{Event, Mapped, NotMapped, PropertyEnd, Source, TaskTrace, Trace};
use crate::text::shorten;
use crate::time::Time;
use crate::update::{self, TaskKey, Update};

/// The longest value beside a line of the file, in characters.
const BESIDE: usize = 60;

/// A delivery as a source reads it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Explained {
    /// What the function makes of it.
    pub(super) event: Event,
    /// What each expression gave.
    pub(super) trace: Trace,
    /// The header with the sender's id of the delivery, if the delivery has it.
    pub(super) id_header: Option<String>,
}

/// An update as it is sent, or why it isn't.
pub(super) type Fitted = Result<Update, String>;

/// The story.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Story {
    pub(super) source: String,
    /// The sender's id of the delivery.
    pub(super) event: Option<String>,
    /// When the change happened.
    pub(super) time: Option<String>,
    pub(super) filtered: bool,
    /// Each with `id`, `idProperty` and `properties`.
    pub(super) updates: Value,
    /// A sentence for each update that can't be mapped.
    pub(super) failed: Vec<String>,
    pub(super) verdict: Verdict,
    pub(super) facts: Vec<Fact>,
    pub(super) tasks: Vec<TaskStory>,
    pub(super) requests: Vec<Request>,
    pub(super) answers: Vec<Answer>,
}

/// A request to HubSpot.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Request {
    pub(super) path: String,
    /// When it is sent, if not always.
    pub(super) only: Option<&'static str>,
    /// JSON, on several lines.
    pub(super) body: String,
}

/// What a line of the file gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Answer {
    pub(super) line: usize,
    pub(super) state: AnswerState,
    pub(super) text: String,
}

/// The kind of an [`Answer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AnswerState {
    Change,
    Same,
    Alone,
    Wrong,
    Note,
}

/// The updates of an event in their order, as they are sent to a portal with this schema.
pub(super) fn fit(event: &Event, schema: Option<&Schema>) -> Vec<Fitted> {
    let mut fitted = Vec::new();
    for result in results(event) {
        fitted.push(match result {
            Err(NotMapped { detail, .. }) => Err(detail.clone()),
            Ok(update) => {
                let mut update = update.clone();
                match schema.map_or(Ok(()), |schema| schema.fit(&mut update)) {
                    Ok(()) => Ok(update),
                    Err(unfit) => Err(unfit.to_string()),
                }
            }
        });
    }
    fitted
}

/// One update for each of the event, to be compared with its task: of one that can't be mapped with
/// the values that are good, and none where the task isn't known.
pub(super) fn to_compare(explained: &Explained, fitted: &[Fitted]) -> Vec<Option<Update>> {
    let mut updates = Vec::new();
    let Explained { event, trace, .. } = explained;
    for (index, (result, fitted)) in results(event).iter().zip(fitted).enumerate() {
        updates.push(match (fitted, result) {
            (Ok(update), _) | (Err(_), Ok(update)) => Some(update.clone()),
            (Err(_), Err(NotMapped { id: None, .. })) => None,
            (Err(_), Err(NotMapped { id: Some(id), id_property, .. })) => Some(Update {
                properties: trace.tasks.get(index).map(good_values).unwrap_or_default(),
                ..Update::new(
                    TaskKey { id_property: id_property.clone(), id: id.clone() },
                    event.time.unwrap_or_else(|| Time::from_milliseconds(0)),
                )
            }),
        });
    }
    updates
}

/// The values of an update that can be mapped.
fn good_values(task: &TaskTrace) -> Vec<(String, update::Value)> {
    let mut values = Vec::new();
    for property in &task.properties {
        if let PropertyEnd::Written(text) = &property.end {
            values.push((property.name.clone(), update::Value::Text(text.clone())));
        }
    }
    values
}

/// Tells the story. `comparisons` are those of [`to_compare`], if the portal was asked.
pub(super) fn tell(
    source: &Source,
    explained: &Explained,
    fitted: &[Fitted],
    comparisons: Option<&[Option<Comparison>]>,
    version: &ApiVersion,
) -> Story {
    let Explained { event, trace, .. } = explained;
    let tasks = task::tell(event, trace, fitted, comparisons);
    let filtered = matches!(event.mapped, Mapped::Filtered);
    Story {
        source: source.name.clone(),
        event: Some(event.id.clone()),
        time: event.time.map(|time| time.to_string()),
        filtered,
        updates: updates_json(source, event),
        failed: problems(event),
        verdict: verdict::tell(&tasks, false),
        facts: facts::tell(source, explained, &tasks),
        requests: requests(&fitted.iter().flatten().cloned().collect::<Vec<_>>(), version),
        answers: answers(trace, &tasks),
        tasks,
    }
}

impl Story {
    /// The story of a delivery that was not read.
    pub(super) fn unread(source: &str, verdict: Verdict, facts: Vec<Fact>) -> Self {
        Self {
            source: source.to_owned(),
            event: None,
            time: None,
            filtered: false,
            updates: json!([]),
            failed: Vec::new(),
            verdict,
            facts,
            tasks: Vec::new(),
            requests: Vec::new(),
            answers: Vec::new(),
        }
    }

    /// The verdict again, after outcomes were put into the tasks: of what was done, no longer of
    /// what would be.
    pub(super) fn judge_done(&mut self) {
        self.verdict = verdict::tell(&self.tasks, true);
    }
}

/// The mapped updates of an event.
pub(super) fn results(event: &Event) -> &[Result<Update, NotMapped>] {
    match &event.mapped {
        Mapped::Filtered => &[],
        Mapped::Updates(results) => results,
    }
}

/// The updates in the form of the files in `events/`. What only some source files say is there only
/// where they say it.
fn updates_json(source: &Source, event: &Event) -> Value {
    let mut updates = Vec::new();
    for update in results(event).iter().flatten() {
        let mut properties = Map::new();
        for (name, value) in &update.properties {
            let value = match value {
                update::Value::Text(text) => json!(text),
                update::Value::Owner { email, .. } => json!({"owner": email}),
            };
            properties.insert(name.clone(), value);
        }
        let mut told = json!({
            "id": update.task.id,
            "idProperty": update.task.id_property,
            "properties": properties,
        });
        if !update.write.is_empty() {
            told["write"] = json!(update.write);
        }
        if let Some(associate) = &update.associate {
            told["associate"] = json!(associate);
        }
        if source.chooses_on_missing() {
            told["onMissing"] = json!(update.on_missing);
        }
        updates.push(told);
    }
    Value::Array(updates)
}

/// The event in the form of the files in `events/`.
pub(super) fn to_json(source: &Source, event: &Event) -> Value {
    json!({
        "event": event.id,
        "time": event.time.map(|time| time.to_string()),
        "filtered": matches!(event.mapped, Mapped::Filtered),
        "updates": updates_json(source, event),
    })
}

/// A sentence for each update of an event that can't be mapped.
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

fn requests(updates: &[Update], version: &ApiVersion) -> Vec<Request> {
    let mut requests = Vec::new();
    for engine::Request { path, body, only } in engine::preview(updates, version) {
        requests.push(Request { path, only, body: format!("{body:#}") });
    }
    requests
}

/// What stands beside the lines of the file: of several tasks that of the first.
fn answers(trace: &Trace, tasks: &[TaskStory]) -> Vec<Answer> {
    let mut answers = Vec::new();
    let mut add = |line, state, text: &str| {
        answers.push(Answer { line, state, text: shorten(text, BESIDE).into_owned() });
    };
    let first = trace.tasks.first();
    let mut steps = Vec::new();
    steps.extend([&trace.when, &trace.id, &trace.time, &trace.each].into_iter().flatten());
    if let Some(task) = first {
        steps.push(&task.id);
        steps.extend([&task.time, &task.on_missing].into_iter().flatten());
        steps.extend(task.links.iter().map(|link| &link.step));
    }
    for step in steps {
        match &step.gives {
            Ok(gives) if gives.is_empty() => add(step.line, AnswerState::Note, "nothing"),
            Ok(gives) => add(step.line, AnswerState::Note, gives),
            Err(why) => add(step.line, AnswerState::Wrong, why),
        }
    }
    for row in tasks.iter().take(1).flat_map(|task| &task.rows) {
        let state = match row.state {
            RowState::Change | RowState::Set => AnswerState::Change,
            RowState::Same | RowState::Would => AnswerState::Same,
            RowState::Alone => AnswerState::Alone,
            RowState::Wrong => AnswerState::Wrong,
        };
        let text = match (row.state, &row.after, &row.reason) {
            (RowState::Alone, ..) => "left alone",
            (RowState::Wrong, _, Some(reason)) => reason,
            (_, Some(after), _) if after.is_empty() => "cleared",
            (_, Some(after), _) => after,
            (_, None, _) => "",
        };
        if let Some(map_line) = row.map_line.filter(|line| *line != row.line) {
            add(row.line, AnswerState::Note, row.gives.as_deref().unwrap_or_default());
            add(map_line, state, text);
        } else {
            add(row.line, state, text);
        }
    }
    answers.sort_by_key(|answer| answer.line);
    answers.dedup_by_key(|answer| answer.line);
    answers
}
