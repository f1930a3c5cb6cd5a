//! Reading TOML tables key by key, so that every problem is found at once and has its place.

use std::borrow::Cow;
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::demand::{Asks, Noted};
use super::jq::{Expression, Expressions, Mistake};
use super::problem::Problem;
use crate::time;

/// How many problems of one file are told.
const PROBLEMS: usize = 100;

/// The longest name for which one is looked for that may have been meant.
const NAME: usize = 100;

/// A source file on its way to a source.
pub(super) struct Reader<'f, 'e> {
    notes: Notes<'f>,
    /// The expressions of all files.
    expressions: &'e mut Expressions,
}

/// What was found in a file besides its content.
pub(super) struct Notes<'f> {
    pub(super) file: &'f str,
    text: &'f str,
    pub(super) problems: Vec<Problem>,
    /// What it asks of the portal's properties.
    pub(super) demands: Vec<Noted>,
    /// Where the strings of the file's expressions stand, for mistakes that only compiling finds.
    places: Vec<(Expression, usize)>,
}

/// A table whose keys are taken one by one.
pub(super) struct Section<'t> {
    name: String,
    /// Where a missing key is reported.
    start: usize,
    keys: Vec<(&'t str, Range<usize>, &'t Spanned<DeValue<'t>>)>,
    /// What the file's author may write here; for the message about a key that is not among them.
    known: Vec<&'static str>,
}

/// A value with its place.
pub(super) struct Found<T> {
    pub(super) value: T,
    pub(super) start: usize,
}

impl<'f, 'e> Reader<'f, 'e> {
    pub(super) fn new(file: &'f str, text: &'f str, expressions: &'e mut Expressions) -> Self {
        Self {
            notes: Notes {
                file,
                text,
                problems: Vec::new(),
                demands: Vec::new(),
                places: Vec::new(),
            },
            expressions,
        }
    }

    /// What was found.
    pub(super) fn finish(self) -> Notes<'f> {
        self.notes
    }

    /// How many problems there are so far.
    pub(super) fn problems(&self) -> usize {
        self.notes.problems.len()
    }

    /// The file's outermost table, or `None` with a problem when it isn't TOML.
    pub(super) fn parse(&mut self) -> Option<DeTable<'f>> {
        match DeTable::parse(self.notes.text) {
            Ok(table) => Some(table.into_inner()),
            Err(error) => {
                self.problem(
                    error.span().map_or(0, |span| span.start),
                    format!("not TOML: {}", error.message()),
                );
                None
            }
        }
    }

    pub(super) fn problem(&mut self, start: usize, message: impl Into<String>) {
        self.notes.problem(start, message);
    }

    /// Notes what the file asks of a property.
    pub(super) fn demand(&mut self, start: usize, property: &str, asks: Asks) {
        self.notes.demands.push((start, property.to_owned(), asks));
    }

    /// Takes text as an expression.
    pub(super) fn expression(&mut self, found: &Found<String>) -> Option<Expression> {
        match self.expressions.add(&found.value) {
            Ok(expression) => {
                self.notes.places.push((expression, found.start));
                Some(expression)
            }
            Err(mistake) => {
                let start = place(self.notes.text, found.start, mistake.offset);
                self.problem(start, mistake.message);
                None
            }
        }
    }
}

impl Notes<'_> {
    /// Notes a problem: of a file with very many the first ones, since finding each one's line
    /// takes time.
    pub(super) fn problem(&mut self, start: usize, message: impl Into<String>) {
        match self.problems.len() {
            ..PROBLEMS => self.problems.push(Problem::at(self.file, self.text, start, message)),
            PROBLEMS => {
                self.problems.push(Problem::of_file(self.file, "and more; put these right first"));
            }
            _ => {}
        }
    }

    /// The expressions of this file.
    pub(super) fn expressions(&self) -> impl Iterator<Item = Expression> {
        self.places.iter().map(|(expression, _)| *expression)
    }

    /// Reports a mistake if it is in one of this file's expressions.
    pub(super) fn report(&mut self, expression: Expression, mistake: &Mistake) {
        // They are numbered in the order in which they were read.
        if let Ok(found) = self.places.binary_search_by_key(&expression, |(other, _)| *other) {
            let (_, start) = self.places[found];
            self.problem(place(self.text, start, mistake.offset), mistake.message.as_str());
        }
    }
}

/// Where the byte at this offset of a string's value stands in the text of the file, in which the
/// string begins at `start`.
pub(super) fn place(text: &str, start: usize, offset: usize) -> usize {
    let written = text.get(start..).unwrap_or_default();
    let quotes = ["'''", "\"\"\"", "'", "\""]
        .into_iter()
        .find(|quotes| written.starts_with(quotes))
        .unwrap_or("");
    let mut rest = &written[quotes.len()..];
    if quotes.len() == 3 {
        // A line break right after three quotes is not part of the text.
        rest = rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix('\n')).unwrap_or(rest);
    }
    let mut passed = 0;
    while let Some(character) = rest.chars().next() {
        let plain = (character.len_utf8(), character.len_utf8());
        let (length, given) =
            if character == '\\' && quotes.starts_with('"') { escape(rest) } else { plain };
        if passed + given > offset {
            break;
        }
        passed += given;
        rest = &rest[length..];
    }
    start + written.len() - rest.len()
}

/// How many bytes the escape at the start of this text takes, and how many it stands for.
fn escape(written: &str) -> (usize, usize) {
    let digits = match written.as_bytes().get(1) {
        Some(b'x') => 2,
        Some(b'u') => 4,
        Some(b'U') => 8,
        // The rest of the line and the white space that the next ones begin with.
        Some(b' ' | b'\t' | b'\r' | b'\n') => {
            return (
                written.len() - written[1..].trim_start_matches([' ', '\t', '\r', '\n']).len(),
                0,
            );
        }
        _ => 0,
    };
    let code = written.get(2..2 + digits).and_then(|digits| u32::from_str_radix(digits, 16).ok());
    (2 + digits, code.and_then(char::from_u32).map_or(1, char::len_utf8))
}

impl<'t> Section<'t> {
    pub(super) fn new(name: &str, start: usize, table: &'t DeTable<'t>) -> Self {
        let keys = table.iter().map(|(key, value)| (key.get_ref().as_ref(), key.span(), value));
        let mut keys: Vec<_> = keys.collect();
        keys.sort_by_key(|(_, span, _)| span.start);
        Self { name: name.to_owned(), start, keys, known: Vec::new() }
    }

    /// The place of the section.
    pub(super) fn start(&self) -> usize {
        self.start
    }

    fn take(&mut self, key: &'static str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.known.push(key);
        let index = self.keys.iter().position(|(name, ..)| *name == key)?;
        Some(self.keys.remove(index).2)
    }

    fn label(&self, key: &str) -> String {
        if self.name.is_empty() { format!("`{key}`") } else { format!("`{key}` of {}", self.name) }
    }

    /// A table under this one.
    pub(super) fn section(
        &mut self,
        reader: &mut Reader<'_, '_>,
        key: &'static str,
    ) -> Option<Section<'t>> {
        let value = self.take(key)?;
        match value.get_ref() {
            DeValue::Table(table) => {
                Some(Section::new(&format!("[{key}]"), value.span().start, table))
            }
            other => {
                let label = self.label(key);
                reader.problem(
                    value.span().start,
                    format!("{label} has to be a table, not {}", article(other)),
                );
                None
            }
        }
    }

    /// Text.
    pub(super) fn text(
        &mut self,
        reader: &mut Reader<'_, '_>,
        key: &'static str,
    ) -> Option<Found<String>> {
        let value = self.take(key)?;
        let label = self.label(key);
        text(reader, &label, value)
    }

    /// Text that has to be there.
    pub(super) fn required(
        &mut self,
        reader: &mut Reader<'_, '_>,
        key: &'static str,
        why: &str,
    ) -> Option<Found<String>> {
        let missing = !self.has(key);
        let found = self.text(reader, key);
        if missing {
            reader.problem(self.start, format!("{} is missing: {why}", self.label(key)));
        }
        found
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.place(key).is_some()
    }

    /// Where the value of a key stands, if nobody took it yet.
    pub(super) fn place(&self, key: &str) -> Option<usize> {
        self.keys.iter().find(|(name, ..)| *name == key).map(|(_, _, value)| value.span().start)
    }

    /// An expression.
    pub(super) fn expression(
        &mut self,
        reader: &mut Reader<'_, '_>,
        key: &'static str,
    ) -> Option<Expression> {
        let found = self.text(reader, key)?;
        reader.expression(&found)
    }

    /// A duration such as `5m`.
    pub(super) fn duration(
        &mut self,
        reader: &mut Reader<'_, '_>,
        key: &'static str,
    ) -> Option<Duration> {
        let found = self.text(reader, key)?;
        let duration = time::duration(&found.value);
        if let Err(problem) = &duration {
            reader.problem(found.start, format!("{}: {problem}", self.label(key)));
        }
        duration.ok()
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, reader: &mut Reader<'_, '_>, key: &'static str) -> Option<bool> {
        let value = self.take(key)?;
        match value.get_ref() {
            DeValue::Boolean(flag) => Some(*flag),
            other => {
                let message =
                    format!("{} has to be true or false, not {}", self.label(key), article(other));
                reader.problem(value.span().start, message);
                None
            }
        }
    }

    /// One of a few words.
    pub(super) fn choice<T: Clone>(
        &mut self,
        reader: &mut Reader<'_, '_>,
        key: &'static str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let found = self.text(reader, key)?;
        let choice =
            choices.iter().find(|(word, _)| *word == found.value).map(|(_, choice)| choice.clone());
        if choice.is_none() {
            let words: Vec<_> = choices.iter().map(|(word, _)| format!("{word:?}")).collect();
            let message = format!(
                "{} is {:?}; write one of {}",
                self.label(key),
                found.value,
                words.join(", ")
            );
            reader.problem(found.start, message);
        }
        choice
    }

    /// The rows of a table of texts, in the order of the file.
    pub(super) fn texts(
        &mut self,
        reader: &mut Reader<'_, '_>,
        key: &'static str,
    ) -> Option<Vec<(String, Found<String>)>> {
        let mut section = self.section(reader, key)?;
        let mut rows = Vec::new();
        for (name, _, value) in std::mem::take(&mut section.keys) {
            if let Some(found) =
                text(reader, &format!("`{name}` of the {key} of {}", self.name), value)
            {
                rows.push((name.to_owned(), found));
            }
        }
        Some(rows)
    }

    /// All entries, in the order of the file, for a table whose keys are names.
    pub(super) fn entries(&mut self) -> Vec<(&'t str, usize, &'t Spanned<DeValue<'t>>)> {
        let keys = std::mem::take(&mut self.keys);
        keys.into_iter().map(|(name, span, value)| (name, span.start, value)).collect()
    }

    /// Reports every key that nobody took.
    pub(super) fn finish(self, reader: &mut Reader<'_, '_>) {
        for (name, span, _) in &self.keys {
            let near = self
                .known
                .iter()
                .filter(|_| name.len() <= NAME)
                .map(|known| (strsim::damerau_levenshtein(known, name), known))
                .min();
            let hint = match near {
                Some((distance, known)) if distance <= 2 => format!("did you mean `{known}`?"),
                _ => {
                    let known: Vec<_> =
                        self.known.iter().map(|known| format!("`{known}`")).collect();
                    format!("known here: {}", known.join(", "))
                }
            };
            let place =
                if self.name.is_empty() { "here".to_owned() } else { format!("in {}", self.name) };
            reader.problem(span.start, format!("there is no key `{name}` {place}; {hint}"));
        }
    }
}

fn text(
    reader: &mut Reader<'_, '_>,
    label: &str,
    value: &Spanned<DeValue<'_>>,
) -> Option<Found<String>> {
    let start = value.span().start;
    match value.get_ref() {
        DeValue::String(text) => Some(Found { value: Cow::clone(text).into_owned(), start }),
        other => {
            reader.problem(
                start,
                format!("{label} has to be text in quotes, not {}", article(other)),
            );
            None
        }
    }
}

/// What kind of value it is, in words.
pub(super) fn article(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
