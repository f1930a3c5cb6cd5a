//! The verdict on a delivery: one heading, and a sentence.

use serde::Serialize;

use super::task::Row;
use super::{RowState, TaskState, TaskStory};

/// The verdict.
#[derive(Clone, Debug, Serialize)]
pub(in crate::cli) struct Verdict {
    /// The state of the one task, `mixed` of several; or `filtered`, `refused`, `answered`,
    /// `broken`.
    pub(in crate::cli) state: &'static str,
    pub(in crate::cli) tone: Tone,
    pub(in crate::cli) title: String,
    pub(in crate::cli) detail: String,
}

/// How a verdict is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::cli) enum Tone {
    Ok,
    Bad,
    Calm,
}

impl Verdict {
    pub(in crate::cli) fn new(
        state: &'static str,
        tone: Tone,
        title: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self { state, tone, title: title.into(), detail: detail.into() }
    }
}

/// The verdict on these tasks; `is_done` says that it has happened.
pub(super) fn tell(tasks: &[TaskStory], is_done: bool) -> Verdict {
    match tasks {
        [] => Verdict::new(
            "filtered",
            Tone::Calm,
            "Filtered: nothing is sent",
            "The sender gets 200 and is done.",
        ),
        [task] => {
            Verdict::new(word(task.state), tone(task.state), title(task, is_done), detail(task))
        }
        tasks => of_many(tasks, is_done),
    }
}

fn of_many(tasks: &[TaskStory], is_done: bool) -> Verdict {
    let mut counts: Vec<(TaskState, usize)> = Vec::new();
    for task in tasks {
        match counts.iter_mut().find(|(state, _)| *state == task.state) {
            Some((_, count)) => *count += 1,
            None => counts.push((task.state, 1)),
        }
    }
    let count = tasks.len();
    let tones: Vec<_> = counts.iter().map(|(state, _)| tone(*state)).collect();
    let tone = [Tone::Bad, Tone::Ok].into_iter().find(|tone| tones.contains(tone));
    let tone = tone.unwrap_or(Tone::Calm);
    let words: Vec<_> =
        counts.iter().map(|(state, count)| format!("{count} {}", participle(*state))).collect();
    match &counts[..] {
        [(state @ (TaskState::Updates | TaskState::Unknown), _)] => {
            let verb = if is_done { "Updated" } else { "Updates" };
            Verdict::new(word(*state), tone, format!("{verb} {count} tasks"), "")
        }
        [(state, _)] => {
            let title = format!("{count} tasks: all {}", participle(*state));
            Verdict::new(word(*state), tone, title, "")
        }
        _ => Verdict::new("mixed", tone, format!("{count} tasks: {}", words.join(", ")), ""),
    }
}

fn title(task: &TaskStory, is_done: bool) -> String {
    let name = match (&task.record, &task.id) {
        (Some(record), _) => format!("task {record}"),
        (None, Some(id)) => format!("the task whose {} is {id}", task.id_property),
        (None, None) => "a task".to_owned(),
    };
    match (task.state, is_done) {
        (TaskState::Updates | TaskState::Unknown, false) => format!("Updates {name}"),
        (TaskState::Updates | TaskState::Unknown, true) => format!("Updated {name}"),
        (TaskState::Creates, false) => "Creates a task".to_owned(),
        (TaskState::Creates, true) => format!("Created {name}"),
        (TaskState::Unchanged, _) => "Unchanged: nothing to write".to_owned(),
        (TaskState::Stale, _) => "Stale: a newer event was applied".to_owned(),
        (TaskState::Merged, _) => "Merged into a newer update".to_owned(),
        (TaskState::Filtered, _) => "Filtered: no task has this id".to_owned(),
        (TaskState::Queued, _) => "Queued".to_owned(),
        (TaskState::Retry, false) => "Can't be said now".to_owned(),
        (TaskState::Retry, true) => "Not done: it may succeed later".to_owned(),
        (TaskState::Failed, _) => {
            match task.rows.iter().filter(|row| row.state == RowState::Wrong).count() {
                0 => "Fails: nothing is written".to_owned(),
                1 => "Fails: one property can't be written".to_owned(),
                count => format!("Fails: {count} properties can't be written"),
            }
        }
    }
}

fn detail(task: &TaskStory) -> String {
    let counts = count_rows(task);
    let told = task.detail.clone().unwrap_or_default();
    match task.state {
        TaskState::Updates if task.rows.iter().all(is_at_rest) => {
            "No property changes; the time of the newest event is written.".to_owned()
        }
        TaskState::Updates | TaskState::Unknown => counts,
        TaskState::Creates => format!("No task has this id yet. {counts}"),
        TaskState::Unchanged if task.rows.iter().all(|row| row.state == RowState::Alone) => {
            if task.rows.iter().any(|row| row.before.is_some()) {
                "Nothing is left to write: the rest is the task's own.".to_owned()
            } else {
                "The event gives no property a value.".to_owned()
            }
        }
        TaskState::Unchanged => "The task has every value already.".to_owned(),
        TaskState::Stale => "The task has seen a later event, so this one is dropped.".to_owned(),
        TaskState::Merged => "Another update of the same task took it along.".to_owned(),
        TaskState::Filtered => format!("{told}; `on_missing = \"skip\"` passes over it."),
        TaskState::Queued => "The worker writes it.".to_owned(),
        TaskState::Retry => told,
        TaskState::Failed if told.contains("no task has ") => format!(
            "{told}. Make one in HubSpot, or write on_missing = \"create\" in [task]. In AWS it \
             becomes a dead letter."
        ),
        TaskState::Failed => {
            format!("{told}. Nothing of this update is written; in AWS it becomes a dead letter.")
        }
    }
}

/// Whether a row is known to change nothing.
fn is_at_rest(row: &Row) -> bool {
    matches!(row.state, RowState::Same | RowState::Alone)
}

/// Such as `4 of 7 properties change, 2 stay, 1 is left alone.`
fn count_rows(task: &TaskStory) -> String {
    let count = |state| task.rows.iter().filter(|row| row.state == state).count();
    let (changes, stays, alone) =
        (count(RowState::Change), count(RowState::Same), count(RowState::Alone));
    let set = count(RowState::Set);
    let of_all = task.rows.len();
    let properties = if of_all == 1 { "property" } else { "properties" };
    let mut parts = Vec::new();
    match (changes, set) {
        (0, 0) => parts.push(format!("0 of {of_all} {properties} change")),
        (0, 1) => parts.push(format!("1 of {of_all} {properties} is written")),
        (0, set) => parts.push(format!("{set} of {of_all} {properties} are written")),
        (1, _) => parts.push(format!("1 of {of_all} {properties} changes")),
        (changes, _) => parts.push(format!("{changes} of {of_all} {properties} change")),
    }
    match stays {
        0 => {}
        1 => parts.push("1 stays".to_owned()),
        stays => parts.push(format!("{stays} stay")),
    }
    match alone {
        0 => {}
        1 => parts.push("1 is left alone".to_owned()),
        alone => parts.push(format!("{alone} are left alone")),
    }
    format!("{}.", parts.join(", "))
}

fn tone(state: TaskState) -> Tone {
    match state {
        TaskState::Updates | TaskState::Creates | TaskState::Unknown => Tone::Ok,
        TaskState::Unchanged
        | TaskState::Stale
        | TaskState::Merged
        | TaskState::Filtered
        | TaskState::Queued => Tone::Calm,
        TaskState::Retry | TaskState::Failed => Tone::Bad,
    }
}

fn word(state: TaskState) -> &'static str {
    match state {
        TaskState::Updates | TaskState::Unknown => "updates",
        TaskState::Creates => "creates",
        TaskState::Unchanged => "unchanged",
        TaskState::Stale => "stale",
        TaskState::Merged => "merged",
        TaskState::Filtered => "filtered",
        TaskState::Queued => "queued",
        TaskState::Retry => "retry",
        TaskState::Failed => "failed",
    }
}

fn participle(state: TaskState) -> &'static str {
    match state {
        TaskState::Updates | TaskState::Unknown => "updated",
        TaskState::Creates => "created",
        other => word(other),
    }
}
