//! What a story tells of a delivery as a whole: filter, id, time.

use serde::Serialize;

use super::{Explained, TaskStory};
use crate::source::{Source, Step};
use crate::text::shorten;

/// The longest output that is told, in characters.
const SHOWN: usize = 100;

/// The longest object or list that is shown, and not only named.
const OBJECT: usize = 40;

/// Something that is known of a delivery.
#[derive(Clone, Debug, Serialize)]
pub(in crate::cli) struct Fact {
    pub(in crate::cli) name: &'static str,
    pub(in crate::cli) state: FactState,
    pub(in crate::cli) value: String,
    pub(in crate::cli) notes: Vec<Note>,
}

/// How a fact is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::cli) enum FactState {
    Ok,
    Bad,
    Calm,
    Retry,
}

/// A remark on a fact.
#[derive(Clone, Debug, Serialize)]
pub(in crate::cli) struct Note {
    /// The line of the file that it is about.
    pub(in crate::cli) line: Option<usize>,
    pub(in crate::cli) text: String,
}

impl Fact {
    pub(in crate::cli) fn new(
        name: &'static str,
        state: FactState,
        value: impl Into<String>,
        notes: Vec<Note>,
    ) -> Self {
        Self { name, state, value: value.into(), notes }
    }
}

impl Note {
    pub(in crate::cli) fn new(text: impl Into<String>) -> Self {
        Self { line: None, text: text.into() }
    }

    fn of(step: &Step) -> Self {
        Self { line: Some(step.line), text: gives(step) }
    }
}

/// The facts of a delivery.
pub(super) fn tell(source: &Source, explained: &Explained, tasks: &[TaskStory]) -> Vec<Fact> {
    let mut facts = vec![filter(explained, tasks), id(explained)];
    if let Some(time) = explained.event.time {
        facts.push(Fact::new("Time", FactState::Ok, time.to_string(), time_notes(explained)));
    }
    if let Some(each) = explained.trace.each.as_ref().filter(|_| !tasks.is_empty()) {
        facts.push(Fact::new("Each", FactState::Ok, count(tasks.len()), vec![Note::of(each)]));
    }
    if source.observe {
        let note = Note::new("`observe = true`: everything is done but the writing");
        facts.push(Fact::new("Observe", FactState::Calm, "only", vec![note]));
    }
    facts
}

fn filter(explained: &Explained, tasks: &[TaskStory]) -> Fact {
    let Explained { event, trace, .. } = explained;
    let is_filtered = matches!(event.mapped, crate::source::Mapped::Filtered);
    let stops = |notes| Fact::new("Filter", FactState::Calm, "stops it", notes);
    if trace.is_no_op {
        return stops(vec![Note::new("the sender sent it to test the connection")]);
    }
    match &trace.when {
        Some(when) if when.gives.is_err() => {
            Fact::new("Filter", FactState::Bad, "fails", vec![Note::of(when)])
        }
        when if is_filtered => match (when, &trace.each) {
            (Some(when), _) if is_no(when) => stops(vec![Note::of(when)]),
            (_, Some(each)) => {
                let text = "[task] each gives nothing".to_owned();
                stops(vec![Note { line: Some(each.line), text }])
            }
            (when, None) => stops(when.iter().map(Note::of).collect()),
        },
        Some(when) => Fact::new("Filter", FactState::Ok, "passes", vec![Note::of(when)]),
        None if tasks.is_empty() => Fact::new("Filter", FactState::Calm, "not asked", Vec::new()),
        None => Fact::new("Filter", FactState::Ok, "none: every event passes", Vec::new()),
    }
}

/// Whether none of the outputs lets an event pass.
fn is_no(when: &Step) -> bool {
    let Ok(gives) = &when.gives else { return false };
    gives.split(", ").all(|output| matches!(output, "" | "false" | "null"))
}

fn id(explained: &Explained) -> Fact {
    let Explained { event, trace, id_header } = explained;
    let note = match (&trace.id, id_header) {
        (Some(id), _) if id.gives.as_ref().is_ok_and(|gives| gives.contains(&event.id)) => {
            Note::of(id)
        }
        (_, Some(header)) => Note::new(format!("from {header}")),
        _ => {
            let note = Note::new("the sender gives no id of the delivery");
            return Fact::new("Id", FactState::Calm, "none", vec![note]);
        }
    };
    Fact::new("Id", FactState::Ok, event.id.clone(), vec![note])
}

fn time_notes(explained: &Explained) -> Vec<Note> {
    match &explained.trace.time {
        Some(time) if time.gives.as_ref().is_ok_and(|gives| !gives.is_empty()) => {
            vec![Note::of(time)]
        }
        _ => vec![Note::new("of its arrival: the event doesn't say it")],
    }
}

/// What a step gives, as the rest of a sentence.
fn gives(step: &Step) -> String {
    match &step.gives {
        Ok(gives) if gives.is_empty() => "gives nothing".to_owned(),
        Ok(gives) if gives.starts_with('{') && gives.len() > OBJECT => "gives an object".to_owned(),
        Ok(gives) if gives.starts_with('[') && gives.len() > OBJECT => "gives a list".to_owned(),
        Ok(gives) => format!("gives {}", shorten(gives, SHOWN)),
        Err(why) => format!("fails: {why}"),
    }
}

fn count(tasks: usize) -> String {
    if tasks == 1 { "1 update".to_owned() } else { format!("{tasks} updates") }
}
