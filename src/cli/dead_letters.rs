//! What lies in a queue of dead letters: which of it is meant, how it is shown, and what is to be
//! sent.

use std::collections::BTreeMap;
use std::time::Duration;

use super::payload;
use crate::queue::{Content, Dead, Event, Letter, Message, Received};
use crate::source::{Mapped, Sources};
use crate::time::{Time, duration};
use crate::update::Update;

/// Which letters are meant.
#[derive(Debug, clap::Args)]
pub(super) struct Filter {
    /// Only those whose ids begin so; may stand several times
    #[arg(long = "id", value_name = "ID")]
    ids: Vec<String>,
    /// Only those of this source
    #[arg(long)]
    source: Option<String>,
    /// Only those with this reason, such as `not_found`
    #[arg(long)]
    reason: Option<String>,
    /// Only those older than this, such as 1h
    #[arg(long, value_name = "TIME", value_parser = duration)]
    older_than: Option<Duration>,
    /// Only those younger than this
    #[arg(long, value_name = "TIME", value_parser = duration)]
    newer_than: Option<Duration>,
}

/// A message of the queue, and what it is.
pub(super) struct Item {
    pub(super) received: Received,
    dead: Dead,
}

impl Filter {
    /// Whether a letter is meant.
    pub(super) fn takes(&self, item: &Item, now: Time) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|text| found == Some(text))
        };
        let begins = |start: &String| item.received.id.starts_with(start.as_str());
        let age = now.milliseconds() - item.time().milliseconds();
        let age = Duration::from_millis(u64::try_from(age).unwrap_or_default());
        is(&self.source, item.dead.source())
            && is(&self.reason, Some(item.dead.reason()))
            && (self.ids.is_empty() || self.ids.iter().any(begins))
            && self.older_than.is_none_or(|than| age >= than)
            && self.newer_than.is_none_or(|than| age < than)
    }
}

impl Item {
    pub(super) fn new(received: Received) -> Self {
        Self { dead: Dead::read(&received.text), received }
    }

    /// When it was written, or moved here.
    pub(super) fn time(&self) -> Time {
        self.dead.time().or(self.received.sent).unwrap_or(Time::from_milliseconds(0))
    }

    /// Whether source files are needed to send it.
    pub(super) fn needs_sources(&self) -> bool {
        matches!(&self.dead, Dead::Letter(Letter { content: Content::Event(_), .. }))
    }

    /// What is to be sent: nothing for an event that is filtered. `sources` are there if any letter
    /// needs them.
    pub(super) fn messages(&self, sources: Option<&Sources>) -> Result<Vec<Message>, String> {
        let letter = match &self.dead {
            Dead::Letter(letter) => letter,
            Dead::GivenUp(message) => return Ok(vec![message.clone()]),
            Dead::Unknown => {
                return Err("it is neither a dead letter nor a queued update".to_owned());
            }
        };
        let updates = match (&letter.content, sources) {
            (Content::Update { update }, _) => vec![(**update).clone()],
            (Content::Event(event), Some(sources)) => map_anew(letter, event, sources)?,
            // It may have been of a version that could not be read then.
            (Content::Text { text }, _) => {
                return Message::read(text)
                    .map(|message| vec![message])
                    .map_err(|why| format!("it can't be read: {why}"));
            }
            (Content::Event(_), None) | (Content::Packed { .. }, _) => {
                return Err("it can't be read".to_owned());
            }
        };
        let name = |name: &Option<String>| name.clone().unwrap_or_default();
        let (source, event) = (name(&letter.source), name(&letter.event));
        Ok(updates.into_iter().map(|update| Message::new(&source, &event, update)).collect())
    }

    /// A line about what became of it.
    pub(super) fn line(&self, fate: &Result<String, String>) -> String {
        let (mark, text) = match fate {
            Ok(text) => ("gone", text),
            Err(why) => ("stays", why),
        };
        format!("{mark:5}  {}  {text}\n", self.cells().join("  "))
    }

    /// The letter as JSON for a person; unpacked, if it is compressed.
    pub(super) fn whole(&self) -> String {
        let text = &self.received.text;
        let json = match &self.dead {
            Dead::Letter(letter) => serde_json::to_value(letter),
            _ => serde_json::from_str(text),
        };
        json.map_or_else(|_| format!("{text}\n"), |json| format!("{json:#}\n"))
    }

    /// The start of its id, when it was written, the source, and the delivery.
    fn cells(&self) -> [String; 4] {
        let text = |text: Option<&str>| text.unwrap_or("-").to_owned();
        let id = self.received.id.chars().take(8).collect();
        [id, self.time().to_string(), text(self.dead.source()), text(self.dead.event())]
    }
}

fn map_anew(letter: &Letter, event: &Event, sources: &Sources) -> Result<Vec<Update>, String> {
    let source = payload::source(sources, letter.source.as_deref().unwrap_or_default())?;
    let mut delivery = payload::post(source.path.clone(), letter.time);
    delivery.body = event.body.bytes().ok_or("its bodyBase64 is no base64")?.into();
    delivery.query.clone_from(&event.query);
    delivery.request_id = letter.event.clone().unwrap_or_default();
    for (name, value) in &event.headers {
        payload::insert(&mut delivery.headers, name, value)?;
    }
    let Mapped::Updates(updates) = payload::map(sources, source, delivery)?.mapped else {
        return Ok(Vec::new());
    };
    // The others went their way then. If there are not as many any more, nobody knows which those
    // are.
    if let Some(failed) = event.failed.as_ref().filter(|failed| failed.of != updates.len()) {
        return Err(format!(
            "the event gave {} updates then and gives {} now: which failed?",
            failed.of,
            updates.len()
        ));
    }
    let is_meant =
        |index: &usize| event.failed.as_ref().is_none_or(|failed| failed.updates.contains(index));
    let meant = updates.into_iter().enumerate().filter(|(index, _)| is_meant(index));
    meant.map(|(_, update)| update.map_err(|not| not.detail)).collect()
}

/// A row for each letter, and how many there are of each reason.
pub(super) fn table(items: &[Item]) -> String {
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    let mut rows =
        vec![["id", "written", "source", "event", "reason", "detail"].map(str::to_owned)];
    for item in items {
        *reasons.entry(item.dead.reason()).or_default() += 1;
        let [id, time, source, event] = item.cells();
        rows.push([id, time, source, event, item.dead.reason().to_owned(), item.dead.detail()]);
    }
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<_> = (0..5).map(width).collect();
    let line = |row: &[String; 6]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}  "));
        format!("{}{}\n", cells.collect::<String>(), row[5])
    };
    let lines: String = rows.iter().map(line).collect();
    let counts: Vec<_> =
        reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    match items.len() {
        0 => "No dead letters.\n".to_owned(),
        count => format!("{lines}{count} in all: {}\n", counts.join(", ")),
    }
}
