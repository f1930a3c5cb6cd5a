//! The letters in a queue of dead letters: how they are selected and shown, and the messages to
//! send for them.

use std::time::Duration;

use anyhow::{Context as _, Error, Result, bail};
use serde_json::{Value, json};

use crate::cli::{headers, payload};
use crate::delivery::Delivery;
use crate::queue::{Content, Dead, Event, Letter, Message, Received};
use crate::source::{Mapped, Sources};
use crate::text::cut;
use crate::time::{Time, duration};
use crate::update::Update;

/// How many characters of a message id are shown: enough to tell letters apart.
const ID: usize = 8;

/// Selects letters. Without any condition it selects all.
#[derive(Debug, clap::Args)]
pub(super) struct Filter {
    /// Only letters whose ids begin so; can be given several times
    #[arg(long = "id", value_name = "ID")]
    ids: Vec<String>,
    /// Only letters of this source
    #[arg(long)]
    source: Option<String>,
    /// Only letters with this reason, such as `not_found`
    #[arg(long)]
    reason: Option<String>,
    /// Only letters older than this, such as 1h
    #[arg(long, value_name = "TIME", value_parser = duration)]
    older_than: Option<Duration>,
    /// Only letters younger than this
    #[arg(long, value_name = "TIME", value_parser = duration)]
    newer_than: Option<Duration>,
}

/// A message of the queue of dead letters.
pub(super) struct Item {
    pub(super) received: Received,
    dead: Dead,
}

/// How sending a letter ended.
pub(super) enum Fate {
    /// Everything was accepted: a word about each update.
    Gone(String),
    /// The letter stays in the queue, for this reason.
    Stays(String),
}

impl Filter {
    /// Whether it has no condition.
    pub(super) fn selects_all(&self) -> bool {
        let has_age = self.older_than.is_some() || self.newer_than.is_some();
        self.ids.is_empty() && self.source.is_none() && self.reason.is_none() && !has_age
    }

    /// Whether a letter is selected.
    pub(super) fn selects(&self, item: &Item, now: Time) -> bool {
        let milliseconds = now.milliseconds() - item.time().milliseconds();
        let age = Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default());
        is_wanted(self.source.as_deref(), item.dead.source())
            && is_wanted(self.reason.as_deref(), Some(item.dead.reason()))
            && (self.ids.is_empty() || self.ids.iter().any(|id| item.received.id.starts_with(id)))
            && self.older_than.is_none_or(|than| age >= than)
            && self.newer_than.is_none_or(|than| age < than)
    }
}

fn is_wanted(wanted: Option<&str>, found: Option<&str>) -> bool {
    wanted.is_none() || wanted == found
}

impl Item {
    pub(super) fn new(received: Received) -> Self {
        Self { dead: Dead::read(&received.text), received }
    }

    /// When the letter was written, or SQS moved the message here.
    pub(super) fn time(&self) -> Time {
        self.dead.time().or(self.received.sent).unwrap_or(Time::from_milliseconds(0))
    }

    /// Whether its event has to be mapped anew, which needs the source files.
    pub(super) fn needs_sources(&self) -> bool {
        matches!(&self.dead, Dead::Letter(Letter { content: Content::Event(_), .. }))
    }

    /// The messages to send: none for an event that is filtered out. `sources` have to be there if
    /// the letter [needs them](Self::needs_sources). The error says why nothing can be sent.
    pub(super) fn messages(&self, sources: Option<&Sources>) -> Result<Vec<Message>> {
        let letter = match &self.dead {
            Dead::Letter(letter) => letter,
            Dead::GivenUp(message) => return Ok(vec![message.clone()]),
            Dead::Unknown => bail!("it is neither a dead letter nor a queued update"),
        };
        let source = letter.source.as_deref().unwrap_or_default();
        let event = letter.event.as_deref().unwrap_or_default();
        let updates = match (&letter.content, sources) {
            (Content::Update { .. } | Content::Updates { .. }, _) => {
                let updates = letter.content.updates().unwrap_or_default();
                return Ok(vec![Message::new(source, event, updates.to_vec())]);
            }
            (Content::Event(event), Some(sources)) => map_anew(letter, event, sources)?,
            (Content::Text { text }, _) => {
                // A newer version of Taskhook may have written it, and this one may know that.
                let message = Message::read(text).map_err(Error::msg);
                return Ok(vec![message.context("it can't be read")?]);
            }
            (Content::Event(_), None) | (Content::Packed { .. }, _) => bail!("it can't be read"),
        };
        Ok(updates.into_iter().map(|update| Message::new(source, event, vec![update])).collect())
    }

    /// The line that reports its fate.
    pub(super) fn line(&self, fate: &Fate) -> String {
        let (mark, text) = match fate {
            Fate::Gone(words) => ("gone ", words),
            Fate::Stays(why) => ("stays", why),
        };
        format!("{mark}  {}  {text}\n", self.cells().join("  "))
    }

    /// The letter as JSON for a person: unpacked, if it is compressed.
    pub(super) fn whole(&self) -> String {
        match self.content() {
            Value::String(text) => format!("{text}\n"),
            json => format!("{json:#}\n"),
        }
    }

    /// The letter as JSON, unpacked; as a text, if it is none.
    pub(super) fn content(&self) -> Value {
        let text = &self.received.text;
        let json = match &self.dead {
            Dead::Letter(letter) => serde_json::to_value(letter),
            Dead::GivenUp(_) | Dead::Unknown => serde_json::from_str(text),
        };
        json.unwrap_or_else(|_| Value::String(text.clone()))
    }

    /// What a row has, as a JSON object for scripts, with the whole id.
    pub(super) fn json(&self) -> Value {
        json!({
            "id": self.received.id,
            "written": self.time(),
            "source": self.dead.source(),
            "event": self.dead.event(),
            "reason": self.dead.reason(),
            "detail": self.dead.detail(),
        })
    }

    /// The same as a line, with its fate.
    pub(super) fn json_line(&self, fate: &Fate) -> String {
        let mut json = self.json();
        let (word, text) = match fate {
            Fate::Gone(words) => ("gone", words),
            Fate::Stays(why) => ("stays", why),
        };
        json["fate"] = json!(word);
        json["why"] = json!(text);
        format!("{json}\n")
    }

    /// The delivery of its event, to this path; none, if it is no event.
    pub(super) fn delivery(&self, path: &str) -> Option<Result<Delivery>> {
        let Dead::Letter(letter) = &self.dead else { return None };
        let Content::Event(event) = &letter.content else { return None };
        Some(delivery(letter, event, path))
    }

    /// The source's name; `-`, if it is not known.
    pub(super) fn source(&self) -> &str {
        self.dead.source().unwrap_or("-")
    }

    /// Why it is here, in a word.
    pub(super) fn reason(&self) -> &str {
        self.dead.reason()
    }

    /// What the mistake is about: the property, or the key of the source file, that its detail
    /// begins with. `-`, if it begins with none.
    pub(super) fn property(&self) -> &str {
        let Dead::Letter(Letter { detail, .. }) = &self.dead else { return "-" };
        let Some((start, _)) = detail.split_once(": ") else { return "-" };
        let name = start.trim_matches('`');
        let is_name =
            |word: &str| word.chars().all(|c| c.is_ascii_alphanumeric() || "_[]".contains(c));
        if name.split(' ').count() <= 2 && name.split(' ').all(is_name) { name } else { "-" }
    }

    /// The start of its id.
    pub(super) fn short_id(&self) -> &str {
        cut(&self.received.id, ID)
    }

    /// The start of its id, the time, the source, the delivery, the reason, the detail.
    pub(super) fn row(&self) -> [String; 6] {
        let [id, time, source, event] = self.cells();
        [id, time, source, event, self.reason().to_owned(), self.dead.detail()]
    }

    /// The start of its id, the time, the source, and the delivery.
    fn cells(&self) -> [String; 4] {
        [
            self.short_id().to_owned(),
            self.time().to_string(),
            self.source().to_owned(),
            self.dead.event().unwrap_or("-").to_owned(),
        ]
    }
}

/// The delivery of a letter's event, without what proved it.
fn delivery(letter: &Letter, event: &Event, path: &str) -> Result<Delivery> {
    let mut delivery = payload::post(path.to_owned(), letter.time);
    delivery.body = event.body.bytes().context("its bodyBase64 is no base64")?.into();
    delivery.query.clone_from(&event.query);
    delivery.request_id = letter.event.clone().unwrap_or_default();
    for (name, value) in &event.headers {
        headers::insert(&mut delivery.headers, name, value)?;
    }
    Ok(delivery)
}

/// The updates that the event of a letter gives by the present source files, without the updates
/// that succeeded at its first delivery.
fn map_anew(letter: &Letter, event: &Event, sources: &Sources) -> Result<Vec<Update>> {
    let source = payload::source(sources, letter.source.as_deref().unwrap_or_default())?;
    let delivery = delivery(letter, event, &source.path)?;
    let Mapped::Updates(updates) = payload::map(sources, source, delivery)?.mapped else {
        return Ok(Vec::new());
    };
    // Updates are known by their place alone, which says nothing if their number has changed.
    if let Some(failed) = &event.failed
        && failed.of != updates.len()
    {
        bail!(
            "the event gave {} updates then and gives {} now: which failed?",
            failed.of,
            updates.len()
        );
    }
    let mut failed_before = Vec::new();
    for (index, update) in updates.into_iter().enumerate() {
        if event.failed.as_ref().is_none_or(|failed| failed.updates.contains(&index)) {
            failed_before.push(update.map_err(|not_mapped| Error::msg(not_mapped.detail))?);
        }
    }
    Ok(failed_before)
}
