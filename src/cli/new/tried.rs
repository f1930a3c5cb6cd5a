//! A new file, run on the payloads that it was made from.

use std::fmt::Write as _;

use super::page::one_line;
use super::shipped::Sample;
use crate::cli::payload;
use crate::cli::story;
use crate::source::{Mapped, SourceFile, Sources};
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
    let sources = Sources::read(&[file]);
    samples.iter().map(|sample| run_on(&sources, sample)).collect()
}

fn run_on(sources: &Sources, sample: &Sample) -> End {
    let Some(source) = sources.iter().next() else {
        let problem = sources.problems().first().map(ToString::to_string);
        return End::Fails(problem.unwrap_or_default());
    };
    let event = match payload::map(sources, source, sample.delivery.clone()) {
        Ok(event) => event,
        Err(why) => return End::Fails(why.to_string()),
    };
    if matches!(event.mapped, Mapped::Filtered) {
        return End::Filtered;
    }
    let mut ids = Vec::new();
    for result in story::results(&event) {
        match result {
            Ok(Update { task: TaskKey { id, .. }, .. }) => ids.push(id.clone()),
            Err(not_mapped) => return End::Fails(not_mapped.detail.clone()),
        }
    }
    End::Maps(ids)
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
