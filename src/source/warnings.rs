//! What is allowed in a source file and most likely not meant. `taskhook check` tells it; nothing else asks.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::SourceFile;
use super::jq::{Expressions, Val};
use super::problem::{Problem, Warning};
use super::reader::place;
use super::syntax;
use crate::delivery::preset;
use crate::time::Time;

/// The warnings about all files, in their order. A file that isn't TOML has none, but a problem.
#[must_use]
pub fn warnings(files: &[SourceFile]) -> Vec<Warning> {
    files.iter().filter_map(|file| Some((file, file.text.as_deref().ok()?))).flat_map(of_file).collect()
}

fn of_file((SourceFile { file, .. }, text): (&SourceFile, &str)) -> Vec<Warning> {
    let Ok(table) = DeTable::parse(text) else { return Vec::new() };
    let table = table.get_ref();
    let mut found = Vec::new();
    found.extend(stale(table));
    found.extend(doubtful_id(table));
    for (written, clears) in expressions(table) {
        let advice = if clears { CLEARS } else { FAILS };
        let offsets = syntax::empty_alternatives(written.text).into_iter();
        found.extend(offsets.map(|offset| (place(text, written.start, offset), advice.to_owned())));
    }
    found.sort_by_key(|(start, _)| *start);
    found.into_iter().map(|(start, message)| Warning(Problem::at(file, text, start, message))).collect()
}

/// A place in the file, and what is to be said about it.
type Remark = (usize, String);

const CLEARS: &str = "`// \"\"` also clears the property on events that lack the field; write given(..) around the path \
                      and `otherwise = \"\"` beside it, which clear only what the event has empty";

const FAILS: &str =
    "`// \"\"` only hides that the event lacks the field: empty text is no id, no time and no ticket; leave it out";

/// Text of the file with its place.
#[derive(Clone, Copy)]
struct Written<'t> {
    text: &'t str,
    start: usize,
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

/// The expressions of `[task]` and of `[properties]`, and whether empty text of theirs clears a property.
fn expressions<'t>(table: &'t DeTable<'_>) -> Vec<(Written<'t>, bool)> {
    let task = ["each", "id", "time"].into_iter().filter_map(|key| Some((written(table, &["task", key])?, false)));
    let properties = table.get("properties").and_then(|properties| properties.get_ref().as_table());
    let of_property = |value: &'t Spanned<DeValue<'_>>| match value.get_ref().as_table() {
        Some(steps) => written(steps, &["from"]).or_else(|| written(steps, &["owner"])),
        None => text(value),
    };
    let properties = properties.into_iter().flat_map(|properties| properties.values());
    task.chain(properties.filter_map(|value| Some((of_property(value)?, true)))).collect()
}

/// `updated_at_property` for a sender whose events carry only what changed.
fn stale(table: &DeTable<'_>) -> Option<Remark> {
    let scheme = written(table, &["verify", "scheme"])?.text;
    let property = written(table, &["task", "updated_at_property"])?;
    preset(scheme).is_some_and(|preset| preset.partial_events).then(|| {
        let message = format!(
            "an event of {scheme} carries only what changed, and one that arrives late would be dropped because of a \
             newer one about another field; leave `updated_at_property` out"
        );
        (property.start, message)
    })
}

/// A task's id that an event without its fields has as well, such as `null#null`.
fn doubtful_id(table: &DeTable<'_>) -> Option<Remark> {
    let written = written(table, &["task", "id"])?;
    let id = of_empty_event(written.text)?;
    let has_words = id.chars().any(char::is_alphanumeric);
    let is_doubtful = id.contains("null") || syntax::interpolates(written.text) || !has_words;
    (is_doubtful && !id.is_empty()).then(|| {
        let message = format!(
            "an event without its fields gives the id {id:?}, like that of a real task; write `// empty` into the text, \
             as in \"\\(.repository.full_name // empty)#\\(.number // empty)\", so that such an event is a mapping error"
        );
        (written.start, message)
    })
}

/// The text that an expression gives for `{}`.
fn of_empty_event(text: &str) -> Option<String> {
    let mut expressions = Expressions::default();
    let expression = expressions.add(text).ok()?;
    let program = expressions.compile().ok()?;
    let empty = || Val::obj(std::iter::empty().collect());
    let scope = program.scope(empty(), empty(), empty(), Time::from_milliseconds(0));
    match scope.one(expression, empty()).ok()?? {
        text @ Val::TStr(_) => super::value::string_or_number(&text),
        _ => None,
    }
}
