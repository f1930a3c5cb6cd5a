//! Mapping: a verified delivery and a source give updates.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;

use serde::{Deserialize, Serialize};

use super::build::{Input, LinkRule, MapRow, MissingRule, Property, Source};
use super::jq::value::{self, NotText, bounded, kind, scalar, text};
use super::jq::{Expression, Failure, Scope, Val};
use super::links::{self, NoLink};
use crate::delivery::{Unreadable, Verified};
use crate::outcome::FailReason;
use crate::text::cut;
use crate::time::{NotATime, Time, Written};
use crate::update::{Associate, Link, OnMissing, TaskKey, Unknown, Update, Value};

/// The most updates that one event may give: more is a mistake in `each`, and would not fit into an
/// invocation.
const UPDATES: usize = 10_000;

/// How much of a value that a map doesn't have a message shows, in characters.
const SHOWN: usize = 60;

/// A delivery, mapped.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Event {
    /// The sender's id of the delivery, or the id of our request.
    pub id: String,
    /// When the change happened; `None` when that was not asked, because the event was filtered or
    /// failed before.
    pub time: Option<Time>,
    /// The updates.
    pub mapped: Mapped,
}

/// The updates of an event.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Mapped {
    /// Filtered out by `when`, or without any output of `each`.
    Filtered,
    /// In the order of the payload, at least one.
    Updates(Vec<Result<Update, NotMapped>>),
}

/// An update that the payload doesn't give.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotMapped {
    /// The value of the unique property, if that much is known.
    pub id: Option<String>,
    /// The unique property.
    pub id_property: String,
    /// Whether the body can't be read, or doesn't fit the source file.
    pub reason: FailReason,
    /// Everything that is wrong, fit for the summary.
    pub detail: String,
}

/// What a payload says of a property.
pub(super) enum Reading {
    /// The value to set it to.
    Value(Value),
    /// It is left alone.
    Alone(Alone),
}

/// Why a property is left alone. The text is the rest of a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Alone {
    #[error("the expression gives nothing")]
    Nothing,
    #[error("the expression gives null, and there is no `otherwise`")]
    Null,
    #[error("not in its map, and `unmapped` is \"skip\"")]
    NotInMap,
    #[error("not a time, and `unmapped` is \"skip\"")]
    NotATime,
}

impl Reading {
    fn text(text: String) -> Self {
        Self::Value(Value::Text(text))
    }
}

/// Why an event, or one of its updates, can't be mapped.
#[derive(Debug, thiserror::Error)]
enum MapError {
    /// Of an expression, by its key in the file.
    #[error("{0}: {1}")]
    Key(String, KeyError),
    /// jaq has panics that an event can run into.
    #[error(
        "jq failed in itself (a panic; its words are in the log): write the expression in another \
         way"
    )]
    Panic,
}

/// Why an expression gives nothing that fits its key.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeyError {
    #[error(transparent)]
    Failed(#[from] Failure),
    #[error(transparent)]
    NotText(#[from] NotText),
    #[error(transparent)]
    NotATime(#[from] NotATime),
    #[error(transparent)]
    NoLink(#[from] NoLink),
    #[error("it gives {0}, not a time")]
    KindForTime(&'static str),
    #[error("it gives {0}, not an id")]
    KindForEventId(&'static str),
    #[error("it gives {0}, but `map` compares text, numbers, true and false")]
    KindForMap(&'static str),
    #[error("it gives {0}, but a task's id is text or a number")]
    KindForTaskId(&'static str),
    #[error("it gives nothing")]
    NoId,
    #[error("it gives empty text")]
    EmptyId,
    #[error("it gives more than {} updates", UPDATES)]
    TooManyUpdates,
    #[error("{given:?} is not in its map ({known})")]
    NotInMap { given: String, known: String },
}

impl Source {
    /// The event of a rightly signed body that can't be read: one failed update.
    #[must_use]
    pub fn unreadable(&self, verified: &Verified<'_>, why: &Unreadable) -> Event {
        let not_mapped = NotMapped {
            id: None,
            id_property: self.task.id_property.clone(),
            reason: FailReason::Unreadable,
            detail: why.to_string(),
        };
        Event {
            id: default_id(verified).to_owned(),
            time: None,
            mapped: Mapped::Updates(vec![Err(not_mapped)]),
        }
    }
}

/// The id of a delivery whose body doesn't say it: from its sender's header, or Lambda's.
fn default_id<'d>(verified: &Verified<'d>) -> &'d str {
    verified.id().unwrap_or(&verified.delivery().request_id)
}

/// Maps the body of a delivery. A no-op is filtered out.
pub(super) fn event(
    source: &Source,
    scope: &Scope<'_>,
    body: &Val,
    is_no_op: bool,
    verified: &Verified<'_>,
) -> Event {
    let mapper = Mapper { source, scope, arrived: verified.delivery().arrived };
    let id = default_id(verified).to_owned();
    let mut event = Event { id, time: None, mapped: Mapped::Filtered };
    event.mapped = match catch_panic(|| mapper.updates(body, is_no_op, &mut event)) {
        Ok(updates) => updates,
        Err(error) => Mapped::Updates(vec![Err(mapper.not_mapped(None, error.to_string()))]),
    };
    event
}

fn catch_panic<T>(map: impl FnOnce() -> Result<T, MapError>) -> Result<T, MapError> {
    std::panic::catch_unwind(AssertUnwindSafe(map)).unwrap_or(Err(MapError::Panic))
}

/// A source with the values that its expressions see.
pub(super) struct Mapper<'s> {
    pub(super) source: &'s Source,
    pub(super) scope: &'s Scope<'s>,
    pub(super) arrived: Time,
}

impl Mapper<'_> {
    fn not_mapped(&self, id: Option<String>, detail: String) -> NotMapped {
        NotMapped {
            id,
            id_property: self.source.task.id_property.clone(),
            reason: FailReason::Mapping,
            detail,
        }
    }

    /// The updates of an event, or the error of the event as a whole. Writes its id and time.
    fn updates(&self, body: &Val, is_no_op: bool, event: &mut Event) -> Result<Mapped, MapError> {
        let passes = match self.source.when {
            _ if is_no_op => false,
            Some(when) => self.passes(when, body).map_err(MapError::for_key("[event] when"))?,
            None => true,
        };
        match self.event_id(body) {
            Ok(Some(id)) => event.id = id,
            Ok(None) => {}
            // An event that is filtered out may well lack the parts of an id.
            Err(_) if !passes => {}
            Err(error) => return Err(MapError::for_key("[event] id")(error)),
        }
        if !passes {
            return Ok(Mapped::Filtered);
        }
        let written =
            self.time(self.source.time, body).map_err(MapError::for_key("[event] time"))?;
        let time = written.unwrap_or(self.arrived);
        event.time = Some(time);
        let Some(each) = self.source.task.each else {
            return Ok(Mapped::Updates(vec![self.update(body, time)]));
        };
        let updates =
            self.each_update(each, body, time).map_err(MapError::for_key("[task] each"))?;
        Ok(if updates.is_empty() { Mapped::Filtered } else { Mapped::Updates(updates) })
    }

    /// The updates of the outputs of `each`, without null. An output is let go before the next is
    /// made.
    fn each_update(
        &self,
        each: Expression,
        body: &Val,
        event_time: Time,
    ) -> Result<Vec<Result<Update, NotMapped>>, KeyError> {
        let mut updates = Vec::new();
        for output in self.scope.run(each, body.clone()) {
            match output? {
                Val::Null => {}
                _ if updates.len() == UPDATES => return Err(KeyError::TooManyUpdates),
                item => updates.push(self.update(&item, event_time)),
            }
        }
        Ok(updates)
    }

    /// Whether any output is neither false nor null.
    pub(super) fn passes(&self, when: Expression, body: &Val) -> Result<bool, KeyError> {
        for output in self.scope.run(when, body.clone()) {
            if !matches!(output?, Val::Null | Val::Bool(false)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The event's id; `None` when the payload doesn't say it.
    fn event_id(&self, body: &Val) -> Result<Option<String>, KeyError> {
        let Some(expression) = self.source.id else { return Ok(None) };
        match self.scope.run_single(expression, body.clone())? {
            None | Some(Val::Null) => Ok(None),
            Some(value) => match value::id(&value)? {
                Some(id) if id.is_empty() => Ok(None),
                Some(id) => Ok(Some(id)),
                None => Err(KeyError::KindForEventId(kind(&value))),
            },
        }
    }

    /// When the change happened: never later than the time of arrival. `None` when the payload
    /// doesn't say it.
    fn time(&self, expression: Option<Expression>, input: &Val) -> Result<Option<Time>, KeyError> {
        let Some(expression) = expression else { return Ok(None) };
        match self.scope.run_single(expression, input.clone())? {
            None | Some(Val::Null) => Ok(None),
            Some(value) => {
                let Some(text) = scalar(&value) else {
                    return Err(KeyError::KindForTime(kind(&value)));
                };
                let written = Written::parse(&text, &self.source.zone)?;
                Ok(Some(written.time.min(self.arrived)))
            }
        }
    }

    /// One update, or everything that is wrong with it. One that panics leaves the others alone.
    fn update(&self, item: &Val, event_time: Time) -> Result<Update, NotMapped> {
        catch_panic(|| Ok(self.update_or_panic(item, event_time)))
            .unwrap_or_else(|panic| Err(self.not_mapped(None, panic.to_string())))
    }

    fn update_or_panic(&self, item: &Val, event_time: Time) -> Result<Update, NotMapped> {
        let rules = &self.source.task;
        let mut errors = Vec::new();
        let id = keep(&mut errors, "[task] id", self.task_id(item));
        let time = keep(&mut errors, "[task] time", self.time(rules.time, item)).flatten();
        let on_missing = keep(&mut errors, "[task] on_missing", self.on_missing(item));
        let associate = self.associate(item, &mut errors);
        let mut properties = Vec::new();
        let mut write = BTreeMap::new();
        for property in &self.source.properties {
            let reading = keep(&mut errors, &property.name, self.reading(property, item));
            if let Some(Reading::Value(value)) = reading {
                properties.push((property.name.clone(), value));
                write.extend(property.write.map(|rule| (property.name.clone(), rule)));
            }
        }
        match (id, on_missing) {
            (Some(id), Some(on_missing)) if errors.is_empty() => Ok(Update {
                on_missing,
                updated_at_property: rules.updated_at_property.clone(),
                properties,
                write,
                associate,
                observe: self.source.observe,
                ..Update::new(
                    TaskKey { id_property: rules.id_property.clone(), id },
                    time.unwrap_or(event_time),
                )
            }),
            (id, _) => {
                let details: Vec<_> = errors.iter().map(MapError::to_string).collect();
                Err(self.not_mapped(id, details.join("; ")))
            }
        }
    }

    /// The rule for an id that no task has.
    fn on_missing(&self, item: &Val) -> Result<OnMissing, KeyError> {
        let (from, rows, otherwise) = match &self.source.task.on_missing {
            MissingRule::Always(rule) => return Ok(*rule),
            MissingRule::ByEvent { from, rows, otherwise } => (*from, rows, *otherwise),
        };
        let output = self.scope.run_single(from, item.clone())?.unwrap_or(Val::Null);
        if let Val::Arr(_) | Val::Obj(_) = output {
            return Err(KeyError::KindForMap(kind(&output)));
        }
        let row = text(&output)?.and_then(|given| look_up(rows, &given));
        Ok(row.map_or(otherwise, |row| rows[row].stands_for))
    }

    /// What the task is to hang on; nothing without a link.
    fn associate(&self, item: &Val, errors: &mut Vec<MapError>) -> Option<Associate> {
        let rules = self.source.task.associate.as_ref()?;
        let mut links = Vec::new();
        for rule in &rules.links {
            let key = format!("[task.associate] {}", rule.to.as_str());
            keep(errors, &key, self.add_links(rule, item, &mut links));
        }
        if links.is_empty() {
            return None;
        }
        Some(Associate { when: rules.when, missing: rules.missing, links })
    }

    /// Adds the links of one kind that are not there yet.
    fn add_links(
        &self,
        rule: &LinkRule,
        item: &Val,
        links: &mut Vec<Link>,
    ) -> Result<(), KeyError> {
        for output in self.scope.run(rule.from, item.clone()) {
            links::add(links, rule, &output?)?;
        }
        Ok(())
    }

    fn task_id(&self, item: &Val) -> Result<String, KeyError> {
        let output = self.scope.run_single(self.source.task.id, item.clone())?;
        let value = output.ok_or(KeyError::NoId)?;
        match value::id(&value)? {
            Some(id) if id.is_empty() => Err(KeyError::EmptyId),
            Some(id) => Ok(id),
            None => Err(KeyError::KindForTaskId(kind(&value))),
        }
    }

    /// The reading of a property.
    pub(super) fn reading(&self, property: &Property, item: &Val) -> Result<Reading, KeyError> {
        let Some(output) = self.scope.run_single(property.expression, item.clone())? else {
            return Ok(Reading::Alone(Alone::Nothing));
        };
        let Some(given) = text(&output)? else {
            let otherwise = property.otherwise.clone().map(Reading::text);
            return Ok(otherwise.unwrap_or(Reading::Alone(Alone::Null)));
        };
        let rows = property.map.as_deref();
        let found = rows.and_then(|rows| Some(&rows[look_up(rows, &given)?]));
        let text = match found {
            Some(row) => row.stands_for.as_str(),
            None if given.is_empty() => {
                return Ok(Reading::text(property.otherwise.clone().unwrap_or_default()));
            }
            None => match rows {
                Some(rows) => return not_in_map(&property.unknown, rows, &given),
                None => bounded(&given)?,
            },
        };
        if property.input != Input::Text && text.trim().is_empty() {
            return Ok(Reading::text(String::new()));
        }
        let written = match property.input {
            Input::Text => Ok(text.to_owned()),
            Input::Owner => {
                let email = text.trim().to_owned();
                let unknown = property.unknown.clone();
                return Ok(Reading::Value(Value::Owner { email, unknown }));
            }
            Input::DateTime(clock) => Written::parse_at(text, &self.source.zone, clock)
                .map(|written| written.time.to_string()),
            Input::Date => Written::parse(text, &self.source.zone).map(|written| written.date()),
        };
        match written {
            Ok(text) => Ok(Reading::text(text)),
            Err(_) if property.unknown == Unknown::Skip => Ok(Reading::Alone(Alone::NotATime)),
            Err(error) => Err(error.into()),
        }
    }
}

impl MapError {
    fn for_key(key: &str) -> impl FnOnce(KeyError) -> Self {
        |error| Self::Key(key.to_owned(), error)
    }
}

/// The value, or `None` and one more error, of the expression of this key.
fn keep<T>(errors: &mut Vec<MapError>, key: &str, result: Result<T, KeyError>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            errors.push(MapError::for_key(key)(error));
            None
        }
    }
}

/// The row that a map has for a value: exactly, else ignoring case and outer space.
pub(super) fn look_up<T>(rows: &[MapRow<T>], given: &str) -> Option<usize> {
    if let Some(exact) = rows.iter().position(|row| row.given == given) {
        return Some(exact);
    }
    let longest = rows.iter().map(|row| row.given.len()).max().unwrap_or_default();
    let trimmed = given.trim();
    // Another case of a letter takes at most three times the bytes. A value that can't be in a row
    // isn't copied for nothing.
    if trimmed.len() > 3 * longest {
        return None;
    }
    let folded = trimmed.to_lowercase();
    rows.iter().position(|row| row.given.trim().to_lowercase() == folded)
}

/// The reading of a property whose map lacks the given value.
fn not_in_map(
    unknown: &Unknown,
    rows: &[MapRow<String>],
    given: &str,
) -> Result<Reading, KeyError> {
    match unknown {
        Unknown::Skip => Ok(Reading::Alone(Alone::NotInMap)),
        Unknown::Write(text) => Ok(Reading::text(text.clone())),
        Unknown::Fail => {
            let known: Vec<_> = rows.iter().map(|row| row.given.as_str()).collect();
            Err(KeyError::NotInMap { given: cut(given, SHOWN).to_owned(), known: known.join(", ") })
        }
    }
}
