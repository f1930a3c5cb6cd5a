//! What is allowed in a source file and most likely not meant. `taskhook check` tells it; nothing else asks.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::jq::Val;
use super::problem::{Problem, Warning};
use super::reader::place;
use super::trial::Trial;
use super::value::{self, string_or_number};
use super::{SourceFile, syntax};
use crate::delivery::preset;

/// The warnings about all files, in their order. A file that isn't TOML has none, but a problem.
#[must_use]
pub fn warnings(files: &[SourceFile]) -> Vec<Warning> {
    files.iter().filter_map(|file| Some((file, file.text.as_deref().ok()?))).flat_map(of_file).collect()
}

fn of_file((SourceFile { file, .. }, text): (&SourceFile, &str)) -> Vec<Warning> {
    let Ok(table) = DeTable::parse(text) else { return Vec::new() };
    let table = table.get_ref();
    let id = written(table, &["task", "id"]);
    let parts = id.map(|id| syntax::interpolated(id.text)).unwrap_or_default();
    let (task, properties) = (task(table), properties(table));
    let trial = Trial::of(task.iter().chain(&properties).map(|written| written.text).chain(parts.iter().copied()));
    let mut found = Vec::new();
    found.extend(stale(table));
    found.extend(placeholder(table));
    found.extend(id.and_then(|id| doubtful_id(id, &parts, &trial)));
    found.extend(task.iter().filter_map(|written| needless(*written, &trial)));
    found.extend(properties.iter().filter_map(|written| clearing(*written, &trial)));
    let mut found: Vec<_> = found.into_iter().map(|remark| (remark.place(text), remark.message)).collect();
    found.sort_by_key(|(start, _)| *start);
    found.into_iter().map(|(start, message)| Warning(Problem::at(file, text, start, message))).collect()
}

/// What is to be said about a place in the file.
struct Remark {
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
struct Written<'t> {
    text: &'t str,
    start: usize,
}

impl Written<'_> {
    fn remark(self, message: impl Into<String>) -> Remark {
        Remark { start: self.start, offset: None, message: message.into() }
    }
}

/// The text at the end of these keys.
fn written<'t>(table: &'t DeTable<'_>, keys: &[&str]) -> Option<Written<'t>> {
    let (last, sections) = keys.split_last()?;
    let table = sections.iter().try_fold(table, |table, key| table.get(*key)?.get_ref().as_table())?;
    text(table.get(*last)?)
}

fn text<'t>(value: &'t Spanned<DeValue<'_>>) -> Option<Written<'t>> {
    Some(Written { text: value.get_ref().as_str()?, start: value.span().start })
}

/// The expressions of `[task]`.
fn task<'t>(table: &'t DeTable<'_>) -> Vec<Written<'t>> {
    ["each", "id", "time"].into_iter().filter_map(|key| written(table, &["task", key])).collect()
}

/// The expressions of `[properties]`.
fn properties<'t>(table: &'t DeTable<'_>) -> Vec<Written<'t>> {
    let properties = table.get("properties").and_then(|properties| properties.get_ref().as_table());
    let of_property = |value: &'t Spanned<DeValue<'_>>| match value.get_ref().as_table() {
        Some(steps) => written(steps, &["from"]).or_else(|| written(steps, &["owner"])),
        None => text(value),
    };
    properties.into_iter().flat_map(|properties| properties.values()).filter_map(of_property).collect()
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

/// The address of the shipped samples, where the sender's own is to be written.
fn placeholder(table: &DeTable<'_>) -> Option<Remark> {
    let url = written(table, &["verify", "url"])?;
    let (_, host) = url.text.split_once("://")?;
    host.starts_with("taskhooklocal").then(|| url.remark("write the address that you registered with the sender"))
}

/// A task's id that an event without its fields, or without one of them, has as well, such as `acme/shop#null`.
///
/// Each value that is put into text is judged by itself, because another one may keep the id from being made. One that
/// uses a variable or a function of the expression can't be.
fn doubtful_id(id: Written<'_>, parts: &[&str], trial: &Trial<'_>) -> Option<Remark> {
    let text_of = |expression: &str| string_or_number(&trial.gives(expression)?);
    let given = text_of(id.text)
        .filter(|given| !given.is_empty())
        .filter(|given| given.contains("null") || !parts.is_empty() || !given.chars().any(char::is_alphanumeric));
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

/// `// ""` in an expression of `[task]` that gives empty text by it.
fn needless(written: Written<'_>, trial: &Trial<'_>) -> Option<Remark> {
    let offset = syntax::empty_alternative(written.text)?;
    let is_empty = string_or_number(&trial.gives(written.text)?)?.is_empty();
    is_empty.then(|| Remark { offset: Some(offset), ..written.remark(FAILS) })
}

const FAILS: &str =
    "`// \"\"` only hides that the event lacks the field: empty text is no id, no time and no ticket; leave it out";

/// An expression of a property that gives what clears it for an event without its fields. A constant is meant to.
///
/// What hides in a branch that such an event doesn't take, as in `if .a then .b // "" else .c end`, is not found.
fn clearing(written: Written<'_>, trial: &Trial<'_>) -> Option<Remark> {
    let is_constant = matches!(written.text.trim(), "\"\"" | "[]");
    let clears = !is_constant && value::text(&trial.gives(written.text)?).ok()??.is_empty();
    clears.then(|| Remark { offset: syntax::empty_alternative(written.text), ..written.remark(CLEARS) })
}

const CLEARS: &str = "an event that lacks the field gives empty text here too, which clears the property or writes its \
                      `otherwise`; write given(..) around the path and `otherwise` beside it, which change only what \
                      the event has empty";
