//! A new file, run on the payloads that it was made from.

use std::fmt::Write as _;

use super::page::one_line;
use super::shipped::Sample;
use crate::cli::payload;
use crate::cli::story::{self, Explained};
use crate::source::{Mapped, SourceFile, Sources, Trace};
use crate::text::shorten;
use crate::update::{TaskKey, Update};

/// The longest result that is told, in characters.
const SHOWN: usize = 200;

/// The most ids that are told of one payload.
const IDS: usize = 5;

/// What became of a payload.
pub(super) enum End {
    /// The ids of the tickets.
    Maps(Vec<String>),
    Filtered,
    Fails(String),
}

/// Runs a file on each payload.
pub(super) fn run(name: &str, text: &str, samples: &[Sample]) -> Vec<End> {
    let file = SourceFile::from_text(&format!("{name}.toml"), name, text);
    let sources = Sources::read(std::slice::from_ref(&file));
    samples.iter().map(|sample| run_on(&sources, &file, sample)).collect()
}

fn run_on(sources: &Sources, file: &SourceFile, sample: &Sample) -> End {
    let Some(source) = sources.iter().next() else {
        let problem = sources.problems().first().map(ToString::to_string);
        return End::Fails(problem.unwrap_or_default());
    };
    let explained =
        match payload::explain(sources, file, source, sample.delivery.clone(), &|_, _| {}) {
            Ok(explained) => explained,
            Err(why) => return End::Fails(why.to_string()),
        };
    let Explained { event, trace, .. } = explained;
    if matches!(event.mapped, Mapped::Filtered) {
        return End::Filtered;
    }
    let mut ids = Vec::new();
    for (index, result) in story::results(&event).iter().enumerate() {
        match result {
            Ok(Update { task: TaskKey { id, .. }, .. }) => ids.push(id.clone()),
            Err(not_mapped) => {
                return End::Fails(with_line(&not_mapped.detail, &trace, index));
            }
        }
    }
    End::Maps(ids)
}

/// Why an update can't be mapped, with the line of the expression that it begins with.
fn with_line(detail: &str, trace: &Trace, index: usize) -> String {
    let Some((place, why)) = detail.split_once(": ") else { return detail.to_owned() };
    let task = trace.tasks.get(index);
    let step = match place {
        "[event] when" => trace.when.as_ref(),
        "[event] id" => trace.id.as_ref(),
        "[event] time" => trace.time.as_ref(),
        "[task] each" => trace.each.as_ref(),
        "[task] id" => task.map(|task| &task.id),
        "[task] time" => task.and_then(|task| task.time.as_ref()),
        name => {
            let mut properties = task.iter().flat_map(|task| &task.properties);
            properties.find(|property| name.ends_with(&property.name)).map(|found| &found.step)
        }
    };
    match step {
        Some(step) => format!("{place} (line {}): {why}", step.line),
        None => detail.to_owned(),
    }
}

/// How many payloads fail.
pub(super) fn failures(ends: &[End]) -> usize {
    ends.iter().filter(|end| matches!(end, End::Fails(_))).count()
}

/// A line for each payload.
pub(super) fn tell(samples: &[Sample], ends: &[End]) -> String {
    let mut lines = String::new();
    for (sample, end) in samples.iter().zip(ends) {
        let told = match end {
            End::Maps(ids) => {
                let more = if ids.len() > IDS { ", ..." } else { "" };
                format!("maps {}{more}", ids[..ids.len().min(IDS)].join(", "))
            }
            End::Filtered => "filtered".to_owned(),
            End::Fails(why) => format!("fails: {why}"),
        };
        let _ = writeln!(lines, "{}: {}", sample.name, shorten(&one_line(&told), SHOWN));
    }
    lines
}
