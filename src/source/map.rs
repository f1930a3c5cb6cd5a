//! Mapping: a verified delivery and a source give updates.

use std::panic::AssertUnwindSafe;

use super::jq::value::{self, bounded, kind, scalar, text};
use super::jq::{Expression, Scope, Val};
use super::{Event, Input, Mapped, NotMapped, Property, Source};
use crate::outcome::FailReason;
use crate::time::{Time, Written};
use crate::update::{TaskKey, Unknown, Update, Value};

/// The most updates that one event may give: more is a mistake in `each`, and would not fit into an
/// invocation.
const UPDATES: usize = 10_000;

/// Maps an event. A no-op is filtered. `default_id` is the sender's own delivery id, or what we
/// call the delivery otherwise.
pub(super) fn event(
    source: &Source,
    scope: &Scope<'_>,
    body: &Val,
    is_no_op: bool,
    default_id: &str,
    arrived: Time,
) -> Event {
    let mut event = Event { id: default_id.to_owned(), time: None, mapped: Mapped::Filtered };
    match caught(|| updates(source, scope, body, is_no_op, arrived, &mut event)) {
        Ok(mapped) => event.mapped = mapped,
        Err(detail) => event.mapped = Mapped::Updates(vec![Err(not_mapped(source, None, detail))]),
    }
    event
}

fn not_mapped(source: &Source, id: Option<String>, detail: String) -> NotMapped {
    NotMapped {
        id,
        id_property: source.task.id_property.clone(),
        reason: FailReason::Mapping,
        detail,
    }
}

/// Turns a panic into an error: jaq has some, which an event can run into.
fn caught<T>(map: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let panicked = "jq failed in itself (a panic; its words are in the log): write the expression in another way";
    std::panic::catch_unwind(AssertUnwindSafe(map)).unwrap_or_else(|_| Err(panicked.to_owned()))
}

/// The updates of an event, or what is wrong with the event as a whole.
fn updates(
    source: &Source,
    scope: &Scope<'_>,
    body: &Val,
    is_no_op: bool,
    arrived: Time,
    event: &mut Event,
) -> Result<Mapped, String> {
    let passes =
        source.when.filter(|_| !is_no_op).map_or(Ok(!is_no_op), |when| passes(scope, when, body));
    let passes = passes.map_err(|error| format!("[event] when: {error}"))?;
    match source.id.map_or(Ok(None), |id| event_id(scope, id, body)) {
        Ok(Some(id)) => event.id = id,
        Ok(None) => {}
        // An event that is none of our business may well lack what its id is made of.
        Err(_) if !passes => {}
        Err(error) => return Err(format!("[event] id: {error}")),
    }
    if !passes {
        return Ok(Mapped::Filtered);
    }
    let time = time(source, scope, source.time, body, arrived)
        .map_err(|error| format!("[event] time: {error}"))?;
    let time = time.unwrap_or(arrived);
    event.time = Some(time);
    let each = |item: &Val| {
        // One that panics leaves the others alone.
        caught(|| Ok(update(source, scope, item, time, arrived)))
            .unwrap_or_else(|detail| Err(not_mapped(source, None, detail)))
    };
    let Some(items) = source.task.each else { return Ok(Mapped::Updates(vec![each(body)])) };
    let updates =
        outputs(scope, items, body, each).map_err(|error| format!("[task] each: {error}"))?;
    Ok(if updates.is_empty() { Mapped::Filtered } else { Mapped::Updates(updates) })
}

/// Whether any output is neither false nor null.
fn passes(scope: &Scope<'_>, when: Expression, body: &Val) -> Result<bool, String> {
    for output in scope.run(when, body.clone()) {
        if !matches!(output?, Val::Null | Val::Bool(false)) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn event_id(scope: &Scope<'_>, id: Expression, body: &Val) -> Result<Option<String>, String> {
    match scope.one(id, body.clone())? {
        None | Some(Val::Null) => Ok(None),
        Some(value) => {
            let id = value::id(&value)?
                .ok_or_else(|| format!("it gives {}, not an id", kind(&value)))?;
            Ok(Some(id).filter(|id| !id.is_empty()))
        }
    }
}

/// When the change happened: never later than the time of arrival. `None` when the payload doesn't
/// say.
fn time(
    source: &Source,
    scope: &Scope<'_>,
    expression: Option<Expression>,
    input: &Val,
    arrived: Time,
) -> Result<Option<Time>, String> {
    let Some(expression) = expression else { return Ok(None) };
    match scope.one(expression, input.clone())? {
        None | Some(Val::Null) => Ok(None),
        Some(value) => Ok(Some(written(&value, source)?.time.min(arrived))),
    }
}

fn written(value: &Val, source: &Source) -> Result<Written, String> {
    let text = scalar(value).ok_or_else(|| format!("it gives {}, not a time", kind(value)))?;
    Written::parse(&text, &source.zone)
}

/// The updates of `each`'s outputs, without null. An output is let go before the next is made.
fn outputs<T>(
    scope: &Scope<'_>,
    each: Expression,
    body: &Val,
    update: impl Fn(&Val) -> T,
) -> Result<Vec<T>, String> {
    let mut updates = Vec::new();
    for output in scope.run(each, body.clone()) {
        match output? {
            Val::Null => {}
            _ if updates.len() == UPDATES => {
                return Err(format!("it gives more than {UPDATES} updates"));
            }
            item => updates.push(update(&item)),
        }
    }
    Ok(updates)
}

/// One update, or everything that is wrong with it.
fn update(
    source: &Source,
    scope: &Scope<'_>,
    item: &Val,
    event_time: Time,
    arrived: Time,
) -> Result<Update, NotMapped> {
    let rules = &source.task;
    let mut problems = Vec::new();
    let id = task_id(scope, rules.id, item);
    if let Err(problem) = &id {
        problems.push(format!("[task] id: {problem}"));
    }
    let time = time(source, scope, rules.time, item, arrived).unwrap_or_else(|problem| {
        problems.push(format!("[task] time: {problem}"));
        None
    });
    let mut properties = Vec::new();
    for property in &source.properties {
        match value(source, scope, property, item) {
            Ok(Some(value)) => properties.push((property.name.clone(), value)),
            Ok(None) => {}
            Err(problem) => problems.push(format!("{}: {problem}", property.name)),
        }
    }
    match id {
        Ok(id) if problems.is_empty() => Ok(Update {
            task: TaskKey { id_property: rules.id_property.clone(), id },
            time: time.unwrap_or(event_time),
            on_missing: rules.on_missing,
            updated_at_property: rules.updated_at_property.clone(),
            properties,
        }),
        id => Err(not_mapped(source, id.ok(), problems.join("; "))),
    }
}

fn task_id(scope: &Scope<'_>, id: Expression, item: &Val) -> Result<String, String> {
    match scope.one(id, item.clone())? {
        None => Err("it gives nothing".to_owned()),
        Some(value) => match value::id(&value)? {
            Some(id) if id.is_empty() => Err("it gives empty text".to_owned()),
            Some(id) => Ok(id),
            None => Err(format!("it gives {}, but a task's id is text or a number", kind(&value))),
        },
    }
}

/// What the property is set to; `None` leaves it alone.
fn value(
    source: &Source,
    scope: &Scope<'_>,
    property: &Property,
    item: &Val,
) -> Result<Option<Value>, String> {
    let Some(output) = scope.one(property.expression, item.clone())? else { return Ok(None) };
    let Some(given) = text(&output)? else {
        return Ok(property.otherwise.clone().map(Value::Text));
    };
    let mapped = match &property.map {
        Some(map) => match look_up(map, &given) {
            Some(mapped) => mapped,
            None if given.is_empty() => {
                return Ok(Some(Value::Text(property.otherwise.clone().unwrap_or_default())));
            }
            None => return unknown(property, map, &given),
        },
        None if given.is_empty() => {
            return Ok(Some(Value::Text(property.otherwise.clone().unwrap_or_default())));
        }
        None => bounded(&given)?,
    };
    let is_blank = property.input != Input::Text && mapped.trim().is_empty();
    if mapped.is_empty() || is_blank {
        return Ok(Some(Value::Text(String::new())));
    }
    let written = match property.input {
        Input::Text => Ok(mapped.to_owned()),
        Input::Owner => {
            let email = mapped.trim().to_owned();
            return Ok(Some(Value::Owner { email, unknown: property.unknown.clone() }));
        }
        Input::DateTime(clock) => {
            Written::parse_at(mapped, &source.zone, clock).map(|written| written.time.to_string())
        }
        Input::Date => Written::parse(mapped, &source.zone).map(|written| written.date()),
    };
    match written {
        Err(_) if property.unknown == Unknown::Skip => Ok(None),
        written => written.map(|text| Some(Value::Text(text))),
    }
}

/// The row of a map: exactly, else ignoring case and outer space.
fn look_up<'m>(map: &'m [(String, String)], given: &str) -> Option<&'m str> {
    let exact = map.iter().find(|(row, _)| row == given);
    let longest = map.iter().map(|(row, _)| row.len()).max().unwrap_or_default();
    let trimmed = given.trim();
    // Another case of a letter takes at most three times the bytes. What can't be a row isn't
    // copied for nothing.
    if exact.is_none() && trimmed.len() > 3 * longest {
        return None;
    }
    let folded = trimmed.to_lowercase();
    let found = exact.or_else(|| map.iter().find(|(row, _)| row.trim().to_lowercase() == folded));
    found.map(|(_, mapped)| mapped.as_str())
}

fn unknown(
    property: &Property,
    map: &[(String, String)],
    given: &str,
) -> Result<Option<Value>, String> {
    match &property.unknown {
        Unknown::Skip => Ok(None),
        Unknown::Write(text) => Ok(Some(Value::Text(text.clone()))),
        Unknown::Fail => {
            let known: Vec<_> = map.iter().map(|(row, _)| row.as_str()).collect();
            let given: String = given.chars().take(60).collect();
            Err(format!("{given:?} is not in its map ({})", known.join(", ")))
        }
    }
}
