//! What is allowed in a source file and most likely not meant. `taskhook check` tells it; nothing
//! else asks.

use std::borrow::Cow;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::jq::value::{self, string_or_number};
use super::jq::{Trial, Val, syntax};
use super::problem::{Problem, Warning};
use super::reader::place;
use super::{SourceFile, verification};
use crate::delivery::preset;

/// The warnings about all files, in their order. A file that isn't TOML has none, but a problem.
#[must_use]
pub fn warnings(files: &[SourceFile]) -> Vec<Warning> {
    files
        .iter()
        .filter_map(|file| Some((file, file.text.as_deref().ok()?)))
        .flat_map(of_file)
        .collect()
}

fn of_file((SourceFile { file, .. }, text): (&SourceFile, &str)) -> Vec<Warning> {
    let Ok(table) = DeTable::parse(text) else { return Vec::new() };
    let table = table.get_ref();
    let id = written(table, &["task", "id"]);
    let parts = id.map(|id| syntax::interpolated(id.text)).unwrap_or_default();
    let (event, task, properties) =
        (section(table, "event"), section(table, "task"), properties(table));
    let of_properties = properties.iter().map(|property| property.expression.text);
    let texts = event.iter().chain(&task).map(|written| written.text).chain(of_properties.clone());
    let in_texts = of_properties.flat_map(syntax::interpolated);
    let trial = Trial::of(texts.chain(parts.iter().copied()).chain(in_texts));
    let mut found = Vec::new();
    found.extend(verification::remarks(table));
    found.extend(stale(table).or_else(|| hollow(table, &properties, &trial)));
    found.extend(failing(table, &trial));
    found.extend(id.and_then(|id| doubtful_id(id, &parts, &trial)));
    found.extend(task.iter().filter_map(|written| needless(*written, &trial)));
    for property in &properties {
        found.extend(
            clearing(property.expression, &trial).or_else(|| made_of_nothing(property, &trial)),
        );
    }
    let mut found: Vec<_> =
        found.into_iter().map(|remark| (remark.place(text), remark.message)).collect();
    found.sort_by_key(|(start, _)| *start);
    found
        .into_iter()
        .map(|(start, message)| Warning(Problem::at(file, text, start, message)))
        .collect()
}

/// What is to be said about a place in the file.
pub(super) struct Remark {
    start: usize,
    /// In the value that starts there; `None` means the value itself.
    offset: Option<usize>,
    message: String,
}

impl Remark {
    fn place(&self, text: &str) -> usize {
        self.offset.map_or(self.start, |offset| place(text, self.start, offset))
    }
}

/// Text of the file with its place.
#[derive(Clone, Copy)]
pub(super) struct Written<'t> {
    pub(super) text: &'t str,
    pub(super) start: usize,
}

impl Written<'_> {
    pub(super) fn remark(self, message: impl Into<String>) -> Remark {
        Remark { start: self.start, offset: None, message: message.into() }
    }
}

/// The text at the end of these keys.
pub(super) fn written<'t>(table: &'t DeTable<'_>, keys: &[&str]) -> Option<Written<'t>> {
    let (last, sections) = keys.split_last()?;
    let table =
        sections.iter().try_fold(table, |table, key| table.get(*key)?.get_ref().as_table())?;
    text(table.get(*last)?)
}

fn text<'t>(value: &'t Spanned<DeValue<'_>>) -> Option<Written<'t>> {
    Some(Written { text: value.get_ref().as_str()?, start: value.span().start })
}

/// The expressions of `[event]` or `[task]`.
fn section<'t>(table: &'t DeTable<'_>, name: &str) -> Vec<Written<'t>> {
    ["when", "each", "id", "time"]
        .into_iter()
        .filter_map(|key| written(table, &[name, key]))
        .collect()
}

/// A property of the file.
struct Property<'t> {
    name: &'t str,
    expression: Written<'t>,
    /// Whether what the expression gives is written as it is: there is neither a `map` nor an `as`
    /// that refuses it.
    is_written: bool,
}

/// The properties whose expressions can be read.
fn properties<'t>(table: &'t DeTable<'_>) -> Vec<Property<'t>> {
    let properties = table.get("properties").and_then(|properties| properties.get_ref().as_table());
    let mut found = Vec::new();
    for (name, value) in properties.into_iter().flatten() {
        let steps = value.get_ref().as_table();
        let expression = match steps {
            Some(steps) => written(steps, &["from"]).or_else(|| written(steps, &["owner"])),
            None => text(value),
        };
        let is_written =
            steps.is_none_or(|steps| !steps.contains_key("map") && !steps.contains_key("as"));
        let name = name.get_ref().as_ref();
        found.extend(expression.map(|expression| Property { name, expression, is_written }));
    }
    found
}

/// `updated_at_property` for a sender whose events carry only what changed.
fn stale(table: &DeTable<'_>) -> Option<Remark> {
    let scheme = written(table, &["verify", "scheme"])?.text;
    let property = written(table, &["task", "updated_at_property"])?;
    preset(scheme).is_some_and(|preset| preset.partial_events).then(|| {
        property.remark(format!(
            "an event of {scheme} carries only what changed, and one that arrives late would be dropped because of a \
             newer one about another field; leave `updated_at_property` out"
        ))
    })
}

/// `updated_at_property` with `on_missing = "create"`, of a sender that is not known to send whole
/// tickets.
///
/// Whether an event can make a task without a subject is found by trying: a subject that fails
/// where the event lacks it keeps such a task from being made.
fn hollow(table: &DeTable<'_>, properties: &[Property<'_>], trial: &Trial<'_>) -> Option<Remark> {
    let on_missing =
        written(table, &["task", "on_missing"]).filter(|on_missing| on_missing.text == "create")?;
    written(table, &["task", "updated_at_property"])?;
    let subject = properties.iter().find(|property| property.name == "hs_task_subject");
    if subject.is_some_and(|subject| trial.fails(subject.expression.text).is_some()) {
        return None;
    }
    let scheme = written(table, &["verify", "scheme"]).and_then(|scheme| preset(scheme.text));
    let is_partial =
        subject.is_none_or(|subject| syntax::uses(subject.expression.text, &["given"]));
    let sends_anything = ["standard-webhooks", "svix"];
    let is_known = scheme
        .is_some_and(|preset| !preset.partial_events && !sends_anything.contains(&preset.name));
    (is_partial || !is_known).then(|| on_missing.remark(HOLLOW))
}

const HOLLOW: &str = "whichever event comes first makes the task, and if it carries only what changed, the task has no \
                      subject: the event that has it is older, and dropped as `stale`; if this sender's events don't \
                      always carry the whole ticket, leave `updated_at_property` out, or let `when` pass only those \
                      that do (`hs_task_subject = '.title | strings // error(\"no title\")'` refuses the others)";

/// `when`, and what is evaluated after it, that fails on an event without body, headers and query,
/// as the function would.
fn failing(table: &DeTable<'_>, trial: &Trial<'_>) -> Vec<Remark> {
    let fails = |keys: &[&str; 2]| {
        let expression = written(table, keys)?;
        let error = trial.fails(expression.text)?;
        let what = if keys[1] == "when" {
            "so it is a failed update and not filtered; write a default, such as (.type // \"\") or \
             ($headers[\"x-event\"] // \"\"), before the function that needs text"
        } else {
            "so it is a failed update; write a `when` that filters such events, or a `?` or `// empty` where they have nothing"
        };
        let message =
            format!("an event that lacks the field or header fails here ({error}), {what}");
        Some(expression.remark(message))
    };
    let when = written(table, &["event", "when"]);
    if let Some(failed) = fails(&["event", "when"]) {
        return vec![failed];
    }
    if when.is_some_and(|when| !trial.passes(when.text)) {
        return Vec::new();
    }
    [["event", "id"], ["event", "time"], ["task", "each"]].iter().filter_map(fails).collect()
}

/// A task's id that an event without its fields, or without one of them, has as well, such as
/// `acme/shop#null`.
///
/// Each value that is put into text is judged by itself, because another one may keep the id from
/// being made. One that uses a variable or a function of the expression can't be.
fn doubtful_id(id: Written<'_>, parts: &[&str], trial: &Trial<'_>) -> Option<Remark> {
    let text_of = |expression: &str| string_or_number(&trial.gives(expression)?);
    let given = text_of(id.text).filter(|given| is_hollow(given, parts));
    let is_doubtful = |part: &&&str| match trial.gives(part) {
        Some(Val::Null) => true,
        _ => text_of(part).is_some_and(|given| given.is_empty() || given.contains("null")),
    };
    let what = match given {
        Some(given) => format!("an event without its fields gives the id {given:?}"),
        None => format!(
            "an event that lacks only what `\\{}` takes has an id all the same",
            parts.iter().find(is_doubtful)?
        ),
    };
    Some(id.remark(format!(
        "{what}, like that of a real task; write `// empty` into the text, as in \"\\(.repository.full_name // \
         empty)#\\(.number // empty)\", so that such an event is a mapping error"
    )))
}

/// Whether text that was made on an event without fields has no content of its own: text around
/// values that are not there, or joined of nothing.
fn is_hollow(given: &str, parts: &[&str]) -> bool {
    !given.is_empty()
        && (given.contains("null")
            || !parts.is_empty()
            || !given.chars().any(char::is_alphanumeric))
}

/// A property that gets text around values that the event lacks, such as `[null] Checkout is down`,
/// or `[?] null`.
///
/// Whole expressions are tried; and each value in a text, unless the expression decides by itself
/// when it is made.
fn made_of_nothing(property: &Property<'_>, trial: &Trial<'_>) -> Option<Remark> {
    let expression = property.expression;
    if !property.is_written
        || serde_json::from_str::<serde_json::Value>(expression.text.trim()).is_ok()
    {
        return None;
    }
    // A value that asks nothing of the event is always there.
    let mut parts = syntax::interpolated(expression.text);
    parts.retain(|part| part.contains(['.', '$']));
    let text_of = |text: &str| value::text(&trial.gives(text)?).ok()?.map(Cow::into_owned);
    let what = match text_of(expression.text) {
        Some(given) if is_hollow(&given, &parts) => {
            format!("an event without its fields writes {given:?}")
        }
        _ if syntax::uses(expression.text, &["if", "select", "given", "as"]) => return None,
        _ => {
            let is_null = |part: &&&str| match trial.gives(part) {
                Some(Val::Null) => true,
                _ => text_of(part).is_some_and(|given| given.contains("null")),
            };
            format!(
                "an event that lacks only what `\\{}` takes writes null into the text",
                parts.iter().find(is_null)?
            )
        }
    };
    Some(expression.remark(format!(
        "{what} over what the task has; begin with what has to be there, as in given(.title) | \"[\\($event.service // \
         \"?\")] \\(.)\", which leaves the property alone where it isn't, or write `// empty` into the text"
    )))
}

/// `// ""` in an expression of `[task]` that gives empty text by it.
fn needless(written: Written<'_>, trial: &Trial<'_>) -> Option<Remark> {
    let offset = syntax::empty_alternative(written.text)?;
    let is_empty = string_or_number(&trial.gives(written.text)?)?.is_empty();
    is_empty.then(|| Remark { offset: Some(offset), ..written.remark(FAILS) })
}

const FAILS: &str = "`// \"\"` only hides that the event lacks the field: empty text is no id, no time and no ticket; leave it out";

/// An expression of a property that gives what clears it for an event without its fields. A
/// constant is meant to.
///
/// What hides in a branch that such an event doesn't take, as in `if .a then .b // "" else .c end`,
/// is not found.
fn clearing(written: Written<'_>, trial: &Trial<'_>) -> Option<Remark> {
    let is_constant = matches!(written.text.trim(), "\"\"" | "[]");
    let clears = !is_constant && value::text(&trial.gives(written.text)?).ok()??.is_empty();
    clears.then(|| Remark {
        offset: syntax::empty_alternative(written.text),
        ..written.remark(CLEARS)
    })
}

const CLEARS: &str = "an event that lacks the field gives empty text here too, which clears the property or writes its \
                      `otherwise`; write given(..) around the path and `otherwise` beside it, which change only what \
                      the event has empty";
