//! The story of one task: each property with its value, or the reason why it has none.

use serde::Serialize;

use super::{Fitted, results};
use crate::engine::{Compared, Comparison};
use crate::outcome::{FilterReason, Kind, Outcome};
use crate::source::{Event, PropertyEnd, PropertyTrace, TaskTrace, Trace};
use crate::update::{Associate, Link, Missing, OnMissing, Update, When, Write};

/// One update of a delivery, and its task.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cli) struct TaskStory {
    /// The value of the unique property, if that much is known.
    pub(in crate::cli) id: Option<String>,
    pub(in crate::cli) id_property: String,
    /// HubSpot's record id, if it is known.
    pub(in crate::cli) record: Option<String>,
    pub(in crate::cli) state: TaskState,
    /// What there is to say besides.
    pub(in crate::cli) detail: Option<String>,
    /// The line of `[task] id`.
    pub(in crate::cli) line: Option<usize>,
    /// In the order of the file.
    pub(in crate::cli) rows: Vec<Row>,
    /// How many other properties the task has, if that is known.
    pub(in crate::cli) untouched: Option<usize>,
    /// The datetime property that keeps the newest event time, with that time.
    pub(in crate::cli) keeps: Option<(String, String)>,
    /// The rule for an id that no task has, where the event decides it.
    pub(in crate::cli) on_missing: Option<Chosen>,
    /// What it is to hang on.
    pub(in crate::cli) associate: Option<Association>,
}

/// The rule of `on_missing` that an event chose.
#[derive(Clone, Copy, Debug, Serialize)]
pub(in crate::cli) struct Chosen {
    pub(in crate::cli) rule: OnMissing,
    /// The line of its expression.
    pub(in crate::cli) line: usize,
}

/// What a task is to hang on.
#[derive(Clone, Debug, Serialize)]
pub(in crate::cli) struct Association {
    pub(in crate::cli) when: When,
    pub(in crate::cli) missing: Missing,
    /// Each with the line of its expression.
    pub(in crate::cli) links: Vec<PlacedLink>,
}

/// A record that a task is to hang on, and the line of the expression that names it.
#[derive(Clone, Debug, Serialize)]
pub(in crate::cli) struct PlacedLink {
    #[serde(flatten)]
    pub(in crate::cli) link: Link,
    pub(in crate::cli) line: Option<usize>,
}

/// What becomes of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::cli) enum TaskState {
    Updates,
    Creates,
    Unchanged,
    Stale,
    Merged,
    Filtered,
    Queued,
    Retry,
    Failed,
    /// It is written, if there is such a task: nobody asked the portal.
    Unknown,
}

/// A property of the task.
#[derive(Clone, Debug, Serialize)]
pub(in crate::cli) struct Row {
    pub(in crate::cli) name: String,
    pub(in crate::cli) state: RowState,
    /// The line of its expression.
    pub(in crate::cli) line: usize,
    /// The line of the row of its map that was used.
    pub(in crate::cli) map_line: Option<usize>,
    pub(in crate::cli) expression: String,
    /// The output of the expression, as JSON.
    pub(in crate::cli) gives: Option<String>,
    /// What the task has; `None` where that is not known.
    pub(in crate::cli) before: Option<String>,
    /// What is written.
    pub(in crate::cli) after: Option<String>,
    /// The address of the owner whose id is written.
    pub(in crate::cli) owner: Option<String>,
    /// Why it is left alone, or what is wrong.
    pub(in crate::cli) reason: Option<String>,
    /// When it is written, if not always.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) write: Option<Write>,
}

/// What becomes of a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::cli) enum RowState {
    Change,
    Same,
    Alone,
    Wrong,
    /// It is written, and nobody asked what the task has.
    Set,
    /// It would have been written, had the update not ended without a write.
    Would,
}

/// The tasks of a delivery, the first hundred.
pub(super) fn tell(
    event: &Event,
    trace: &Trace,
    fitted: &[Fitted],
    comparisons: Option<&[Option<Comparison>]>,
) -> Vec<TaskStory> {
    let mut stories = Vec::new();
    for (index, (result, fitted)) in results(event).iter().zip(fitted).enumerate() {
        let trace = trace.tasks.get(index);
        let comparison = comparisons.and_then(|comparisons| comparisons.get(index)?.as_ref());
        let (id, id_property) = match result {
            Ok(update) => (Some(update.task.id.clone()), update.task.id_property.clone()),
            Err(not_mapped) => (not_mapped.id.clone(), not_mapped.id_property.clone()),
        };
        let (state, detail) = match (fitted, comparison) {
            (Err(why), _) => (TaskState::Failed, Some(why.clone())),
            (Ok(update), Some(comparison)) => foresee(comparison, update.on_missing),
            (Ok(_), None) => (TaskState::Unknown, None),
        };
        let keeps = result.as_ref().ok().and_then(|update| {
            Some((update.updated_at_property.clone()?, update.time.to_string()))
        });
        let mut rows = rows(trace, fitted, comparison);
        if let (TaskState::Creates, Ok(update)) = (state, fitted) {
            add_due_date(&mut rows, update);
        }
        let mut story = TaskStory {
            id,
            id_property,
            record: comparison.and_then(|comparison| comparison.record_id.clone()),
            state,
            detail,
            line: trace.map(|trace| trace.id.line),
            rows,
            untouched: None,
            keeps,
            on_missing: chosen(trace, result.as_ref().ok()),
            associate: result.as_ref().ok().and_then(|update| links(trace, update)),
        };
        if state == TaskState::Stale {
            story.withdraw();
        }
        stories.push(story);
    }
    stories
}

/// The rule that the event chose for an id that no task has; `None` where the file has one for all.
fn chosen(trace: Option<&TaskTrace>, update: Option<&Update>) -> Option<Chosen> {
    let line = trace?.on_missing.as_ref()?.line;
    Some(Chosen { rule: update?.on_missing, line })
}

fn links(trace: Option<&TaskTrace>, update: &Update) -> Option<Association> {
    let Associate { when, missing, links } = update.associate.as_ref()?;
    let mut placed = Vec::new();
    for link in links {
        let traced = trace.and_then(|trace| trace.links.iter().find(|traced| traced.to == link.to));
        placed.push(PlacedLink { link: link.clone(), line: traced.map(|traced| traced.step.line) });
    }
    Some(Association { when: *when, missing: *missing, links: placed })
}

/// A task that is made gets the time of the event as its due date where the file gives none.
fn add_due_date(rows: &mut [Row], update: &Update) {
    for row in rows {
        if row.name == "hs_timestamp" && row.after.as_deref() == Some("") {
            row.after = Some(update.time.to_string());
            row.reason = Some("the event's time, since a new task needs a due date".to_owned());
        }
    }
}

/// What a run would make of an update.
fn foresee(comparison: &Comparison, on_missing: OnMissing) -> (TaskState, Option<String>) {
    match comparison.outcome.without_note() {
        Outcome::Filtered(FilterReason::Observed, _) => match (comparison.exists, on_missing) {
            (Some(false), OnMissing::Create) => (TaskState::Creates, None),
            _ => (TaskState::Updates, None),
        },
        Outcome::Filtered(_, detail) => (TaskState::Filtered, Some(detail.clone())),
        Outcome::Retry(_, detail) => (TaskState::Retry, Some(detail.clone())),
        Outcome::Failed(_, detail) => (TaskState::Failed, Some(detail.clone())),
        other => (TaskState::of(other.kind()), None),
    }
}

fn rows(trace: Option<&TaskTrace>, fitted: &Fitted, comparison: Option<&Comparison>) -> Vec<Row> {
    let mut rows = Vec::new();
    for property in trace.into_iter().flat_map(|trace| &trace.properties) {
        let compared = comparison.and_then(|comparison| {
            comparison.values.iter().find(|value| value.property == property.name)
        });
        rows.push(row(property, fitted, comparison, compared));
    }
    rows
}

fn row(
    property: &PropertyTrace,
    fitted: &Fitted,
    comparison: Option<&Comparison>,
    compared: Option<&Compared>,
) -> Row {
    let PropertyTrace { name, step, map_line, end, write } = property;
    let mut row = Row {
        name: name.clone(),
        state: RowState::Set,
        line: step.line,
        map_line: *map_line,
        expression: step.expression.clone(),
        gives: step.gives.clone().ok(),
        before: None,
        after: None,
        owner: None,
        reason: None,
        write: *write,
    };
    match end {
        PropertyEnd::Written(text) => row.after = Some(text.clone()),
        PropertyEnd::Owner(email) => {
            row.owner = Some(email.clone());
            row.after = Some(format!("the owner {email}"));
        }
        PropertyEnd::Alone(why) => {
            row.state = RowState::Alone;
            row.reason = Some(why.clone());
        }
        PropertyEnd::Wrong(why) => {
            row.state = RowState::Wrong;
            row.reason = Some(why.clone());
        }
    }
    let is_refused = |why: &&String| why.starts_with(&format!("{name}: "));
    if let Some(why) = fitted.as_ref().err().filter(is_refused)
        && row.state == RowState::Set
    {
        row.state = RowState::Wrong;
        row.reason = Some(why[name.len() + 2..].to_owned());
    }
    if let (PropertyEnd::Owner(email), Some(comparison), None) = (end, comparison, compared)
        && !matches!(comparison.outcome, Outcome::Failed(..) | Outcome::Retry(..))
    {
        row.state = RowState::Alone;
        row.after = None;
        row.reason = Some(format!("HubSpot has no owner with the address {email}"));
    }
    let Some(compared) = compared.filter(|_| row.state == RowState::Set) else { return row };
    row.before.clone_from(&compared.before);
    if let Some(why) = compared.held_back {
        row.state = RowState::Alone;
        row.after = None;
        row.reason = Some(why.to_owned());
        return row;
    }
    row.after = Some(compared.after.clone());
    if compared.before.is_some() {
        row.state = if compared.is_same { RowState::Same } else { RowState::Change };
    }
    row
}

impl TaskStory {
    /// Takes back what the rows say: nothing is written.
    pub(in crate::cli) fn withdraw(&mut self) {
        self.keeps = None;
        for row in &mut self.rows {
            if matches!(row.state, RowState::Change | RowState::Set) {
                row.state = RowState::Would;
            }
        }
    }
}

impl TaskState {
    /// The state of an outcome.
    pub(in crate::cli) fn of(kind: Kind) -> Self {
        match kind {
            Kind::Updated => Self::Updates,
            Kind::Created => Self::Creates,
            Kind::Unchanged => Self::Unchanged,
            Kind::Stale => Self::Stale,
            Kind::Merged => Self::Merged,
            Kind::Filtered => Self::Filtered,
            Kind::Queued => Self::Queued,
            Kind::Retry => Self::Retry,
            Kind::Failed => Self::Failed,
        }
    }
}
