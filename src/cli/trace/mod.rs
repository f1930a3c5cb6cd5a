//! `taskhook trace`: the story of one ticket or delivery, from log lines.

mod log;

use std::collections::BTreeSet;
use std::io::{IsTerminal as _, Read as _};
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use super::shared::{self, UsedWrongly};
use super::terminal::{bold, green, red, table};
use crate::telemetry::one_line;
use crate::text::shorten;
use crate::update::canonical_id;
use log::{Kind, Line};

/// The longest text in a column, in characters.
const COLUMN: usize = 60;

/// Tell the story of a ticket or a delivery, from log lines
///
/// It is told in the order of time, from the webhook to the task. The logs are those of both
/// functions, as files or on standard input, as they are or as `aws logs` prints them.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A ticket's id, the sender's id of a delivery, or the request id of an invocation
    id: String,
    /// Files with log lines; without any, standard input
    #[arg(value_name = "LOG")]
    logs: Vec<PathBuf>,
    /// Print the lines themselves
    #[arg(long)]
    json: bool,
}

/// Fails when no line speaks of the id.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let mut text = String::new();
    if arguments.logs.is_empty() {
        let mut input = std::io::stdin().lock();
        if input.is_terminal() {
            let how = "Name files with log lines, or pipe some in: aws logs tail LOG_GROUP --since 1d | taskhook \
                       trace ID";
            return Err(UsedWrongly(how.to_owned()).into());
        }
        let mut bytes = Vec::new();
        input.read_to_end(&mut bytes).context("Standard input can't be read")?;
        text = String::from_utf8_lossy(&bytes).into_owned();
    }
    for path in &arguments.logs {
        let bytes = std::fs::read(path);
        let bytes = bytes.with_context(|| format!("{} can't be read", path.display()))?;
        text.push_str(&String::from_utf8_lossy(&bytes));
        text.push('\n');
    }
    let mut lines = log::lines(&text);
    lines.sort_by(|one, other| one.timestamp.cmp(&other.timestamp));
    let story = story(&lines, &arguments.id);
    if story.is_empty() {
        bail!("{}", nothing(&lines, &arguments.id));
    }
    shared::print(&if arguments.json { whole(&story) } else { told(&story) })
}

/// The lines about an id: those that name it, and what the webhook answered to their deliveries.
fn story<'l>(lines: &'l [Line], id: &str) -> Vec<&'l Line> {
    let is_meant = |found: &Option<String>| found.as_deref() == Some(id);
    let ticket = canonical_id(id);
    let names_it = |line: &Line| {
        let is_ticket = line.id.as_deref().is_some_and(|found| canonical_id(found) == ticket);
        is_ticket
            || is_meant(&line.event)
            || is_meant(&line.request_id)
            || is_meant(&line.webhook_request_id)
    };
    let mut webhook = BTreeSet::new();
    for line in lines.iter().filter(|line| names_it(line)) {
        // That of a batch is the worker's.
        let is_batch = line.message == Kind::Delivery && line.status.is_none();
        let own = line.request_id.as_ref().filter(|_| !is_batch);
        webhook.extend(line.webhook_request_id.as_ref().or(own));
    }
    let answers_it = |line: &Line| {
        let is_answer = line.message != Kind::Update && line.status.is_some();
        is_answer && line.request_id.as_ref().is_some_and(|id| webhook.contains(id))
    };
    lines.iter().filter(|line| names_it(line) || answers_it(line)).collect()
}

/// Why the story is empty.
fn nothing(lines: &[Line], id: &str) -> String {
    let (Some(first), Some(last)) = (lines.first(), lines.last()) else {
        return "There is no line `delivery`, `update` or `refused` in what was read: name the logs of both functions, \
                written as JSON. Results of Logs Insights need the field @message."
            .to_owned();
    };
    format!(
        "Nothing is known of {id:?}: none of the {} lines about deliveries from {} to {} speaks of it. A delivery that was \
         filtered or refused is known by its own id alone.",
        lines.len(),
        first.timestamp,
        last.timestamp
    )
}

fn whole(story: &[&Line]) -> String {
    let mut text = String::new();
    for line in story {
        text.push_str(&line.whole);
        text.push('\n');
    }
    text
}

/// The story as a table, and what it means where the end is open.
fn told(story: &[&Line]) -> String {
    let mut rows = Vec::new();
    for line in story {
        rows.push([
            line.timestamp.get(..23).unwrap_or(&line.timestamp).replace('T', " "),
            line.source.clone().unwrap_or_default(),
            shortened(line.event.as_deref().unwrap_or_default()),
            shortened(&subject(line)),
            what(line),
            about(line),
        ]);
    }
    let head = ["time (UTC)", "source", "delivery", "task", "what", ""].map(str::to_owned);
    rows.insert(0, head);
    let mut text = String::new();
    for (index, row) in table(&rows).lines().enumerate() {
        let kind = index.checked_sub(1).map(|index| tone(story[index]));
        text.push_str(&match kind {
            None => bold(row),
            Some(Tone::Good) => green(row),
            Some(Tone::Bad) => red(row),
            Some(Tone::Plain) => row.to_owned(),
        });
        text.push('\n');
    }
    for sentence in open_ends(story) {
        text.push_str(sentence);
        text.push('\n');
    }
    text
}

fn shortened(text: &str) -> String {
    shorten(&one_line(text, COLUMN + 1), COLUMN).into_owned()
}

/// What a line is about: a task, or how the sender was answered.
fn subject(line: &Line) -> String {
    match (&line.id_property, &line.id) {
        (Some(property), Some(id)) => format!("{property} {id}"),
        _ => String::new(),
    }
}

fn what(line: &Line) -> String {
    let answer = |status: u16| format!("answered {status}");
    match line.message {
        Kind::Refused => format!("refused, {}", line.status.map(answer).unwrap_or_default()),
        Kind::Delivery => line.status.map_or_else(|| "a batch ended".to_owned(), answer),
        Kind::Update => {
            let outcome = line.outcome.iter().chain(&line.reason).map(String::as_str);
            outcome.collect::<Vec<_>>().join(" ")
        }
    }
}

fn about(line: &Line) -> String {
    let mut parts = Vec::new();
    if let Some(id) = &line.record_id {
        parts.push(format!("HubSpot task {id}"));
    }
    if let Some(lag) = line.lag_ms {
        parts.push(format!("{} after the event", duration(lag)));
    }
    if let Some(receives) = line.receives.filter(|receives| *receives > 1) {
        parts.push(format!("receive {receives}"));
    }
    // All that is known of an event that was filtered as a whole.
    parts.extend(line.counts.iter().map(|(outcome, count)| format!("{count} {outcome}")));
    if let Some(ms) = line.ms {
        parts.push(format!("in {}", duration(ms)));
    }
    let reason = line.reason.as_ref().filter(|_| line.message == Kind::Refused);
    parts.extend(reason.or(line.detail.as_ref()).map(|text| shortened(text)));
    parts.join(", ")
}

/// Milliseconds in the unit in which a person would say them.
#[expect(clippy::cast_precision_loss, reason = "a tenth of a second will do")]
fn duration(milliseconds: u64) -> String {
    let minutes = milliseconds / 60_000;
    match milliseconds {
        0..1_000 => format!("{milliseconds} ms"),
        1_000..100_000 => format!("{:.1} s", milliseconds as f64 / 1000.0),
        100_000..6_000_000 => format!("{minutes} min"),
        _ => format!("{} h", minutes / 60),
    }
}

enum Tone {
    Good,
    Bad,
    Plain,
}

fn tone(line: &Line) -> Tone {
    match (line.message, line.outcome.as_deref()) {
        (Kind::Refused, _) | (_, Some("failed" | "retry")) => Tone::Bad,
        (_, Some("updated" | "created")) => Tone::Good,
        _ => Tone::Plain,
    }
}

/// A sentence for each kind of end that asks for more: what is queued, comes back, or is a dead
/// letter.
fn open_ends(story: &[&Line]) -> BTreeSet<&'static str> {
    let mut sentences = BTreeSet::new();
    for (index, line) in story.iter().enumerate() {
        let is_same = |other: &&&Line| key(other) == key(line);
        let later = story[index + 1..].iter().filter(is_same);
        sentences.extend(match line.outcome.as_deref() {
            // One that SQS took for a copy has its end before it.
            Some("queued") if !story.iter().filter(is_same).any(|line| was_received(line)) => {
                Some("What was queued waits for the worker, or the worker's log is not here.")
            }
            Some("retry") if !later.clone().any(|line| has_ended(line)) => Some(
                "What ended with a retry is tried again: by the worker, or when the sender sends it again.",
            ),
            Some("failed") if later.count() == 0 => Some(
                "What failed is a dead letter, unless it was sent through or discarded since; `taskhook replay --dry-run` \
                 lists what lies there.",
            ),
            _ => None,
        });
    }
    sentences
}

/// What an update is known by, however often it is queued, tried or sent through again.
fn key(line: &Line) -> [Option<&str>; 4] {
    [&line.source, &line.event, &line.id_property, &line.id].map(Option::as_deref)
}

fn was_received(line: &Line) -> bool {
    line.outcome.as_deref() == Some("retry") || has_ended(line)
}

fn has_ended(line: &Line) -> bool {
    line.outcome.as_deref().is_some_and(|outcome| !["queued", "retry"].contains(&outcome))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_told_in_the_unit_that_fits() {
        for (milliseconds, told) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_000, "1.0 s"),
            (99_900, "99.9 s"),
            (129_940, "2 min"),
            (5_999_999, "99 min"),
            (6_000_000, "1 h"),
            (100_764_415, "27 h"),
        ] {
            assert_eq!(duration(milliseconds), told);
        }
    }

    /// What the told story of ticket 7 ends with, for updates of it: the delivery, and how it ended.
    fn ends(updates: &[(&str, &str)]) -> Vec<&'static str> {
        let mut text = String::new();
        for (second, (event, outcome)) in updates.iter().enumerate() {
            let line = serde_json::json!({
                "timestamp": format!("2026-11-27T18:00:{second:02}.000000Z"), "message": "update", "source": "desk",
                "event": event, "id": "7", "idProperty": "ticket", "outcome": outcome,
                "requestId": format!("r-{second}"),
            });
            text.push_str(&line.to_string());
        }
        let lines = log::lines(&text);
        open_ends(&story(&lines, "7")).into_iter().collect()
    }

    #[test]
    fn a_story_says_what_is_open_and_nothing_of_what_has_ended() {
        let waits = "What was queued waits for the worker, or the worker's log is not here.";
        for ended in [
            &[("d-1", "queued"), ("d-1", "updated")][..],
            // The sender repeats it, and SQS drops the copy.
            &[("d-1", "queued"), ("d-1", "updated"), ("d-1", "queued")],
            // The sender sends again what was answered 503.
            &[("d-1", "retry"), ("d-1", "updated")],
            // Sent through again.
            &[("d-1", "failed"), ("d-1", "updated")],
        ] {
            assert!(ends(ended).is_empty(), "{ended:?}: {:?}", ends(ended));
        }
        assert_eq!(ends(&[("d-1", "updated"), ("d-2", "queued")]), [waits]);
        assert!(ends(&[("d-1", "queued"), ("d-1", "retry")])[0].contains("tried again"));
        assert!(ends(&[("d-1", "failed"), ("d-2", "updated")])[0].contains("is a dead letter"));
    }
}
