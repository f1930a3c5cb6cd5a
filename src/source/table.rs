//! TOML tables that are read key by key, so that every problem is found at once and has its place.

use std::fmt::Display;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::file::Problems;
use super::jq::Code;
use crate::text::nearest;

/// A value of the file with the byte at which it stands there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) start: usize,
}

/// The value without its place, if there is one.
pub(super) fn unplaced<T>(placed: Option<Placed<T>>) -> Option<T> {
    placed.map(|placed| placed.value)
}

/// A table whose keys are read one by one.
pub(super) struct Table<'t> {
    /// The table in messages, such as `[task]`; empty for the file's own.
    name: String,
    /// Where a missing key is reported.
    pub(super) start: usize,
    /// The entries that were not read yet, in the order of the file.
    entries: Vec<Entry<'t>>,
    /// The keys that were asked for, which are all that the file's author may write here.
    known: Vec<&'static str>,
    pub(super) problems: &'t Problems<'t>,
}

/// A key with its value.
pub(super) struct Entry<'t> {
    pub(super) key: Placed<&'t str>,
    value: &'t Spanned<DeValue<'t>>,
}

/// A row of a table of texts.
pub(super) struct Row {
    pub(super) key: String,
    pub(super) text: Placed<String>,
}

/// The value of a key that may be a text or a table.
pub(super) enum TextOrTable<'t> {
    Text(Placed<String>),
    Table(Table<'t>),
    /// The kind of another value, in words, and its place.
    Other(Placed<&'static str>),
}

impl<'t> Table<'t> {
    /// A table of this name, which stands at this byte.
    pub(super) fn new(
        name: String,
        start: usize,
        table: &'t DeTable<'t>,
        problems: &'t Problems<'t>,
    ) -> Self {
        let mut entries = Vec::with_capacity(table.len());
        for (key, value) in table {
            let placed = Placed { value: key.get_ref().as_ref(), start: key.span().start };
            entries.push(Entry { key: placed, value });
        }
        entries.sort_by_key(|entry| entry.key.start);
        Self { name, start, entries, known: Vec::new(), problems }
    }

    /// Whether the key is there, and was not read yet.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key.value == key)
    }

    /// Reports the key if it is missing, with the reason why it has to be there.
    pub(super) fn require(&self, key: &str, why: &str) {
        if !self.has(key) {
            self.problem(format!("{} is missing: {why}", self.label(key)));
        }
    }

    /// Reports a problem of the table as a whole.
    pub(super) fn problem(&self, message: impl Into<String>) {
        self.problems.add(self.start, message);
    }

    /// Reports a problem at a byte of the file.
    pub(super) fn problem_at(&self, start: usize, message: impl Into<String>) {
        self.problems.add(start, message);
    }

    /// A table under this one.
    pub(super) fn table(&mut self, key: &'static str) -> Option<Table<'t>> {
        let value = self.remove(key)?;
        let start = value.span().start;
        match value.get_ref() {
            DeValue::Table(table) => {
                let name = match self.name.strip_suffix(']') {
                    Some(section) => format!("{section}.{key}]"),
                    None => format!("[{key}]"),
                };
                Some(Table::new(name, start, table, self.problems))
            }
            other => {
                let message = format!("{} has to be a table, not {}", self.label(key), kind(other));
                self.problems.add(start, message);
                None
            }
        }
    }

    /// A table that has to be there. That it is missing is a problem of this one.
    pub(super) fn required_table(&mut self, key: &'static str, why: &str) -> Option<Table<'t>> {
        if !self.has(key) {
            self.problem(format!("the section [{key}] is missing: {why}"));
        }
        self.table(key)
    }

    /// A text.
    pub(super) fn text(&mut self, key: &'static str) -> Option<Placed<String>> {
        let value = self.remove(key)?;
        text(value, &self.label(key), self.problems)
    }

    /// A text with a meaning. The error of `parse` is reported as the problem.
    pub(super) fn parse<T, E: Display>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Placed<T>> {
        let Placed { value, start } = self.text(key)?;
        match parse(&value) {
            Ok(value) => Some(Placed { value, start }),
            Err(error) => {
                self.problems.add(start, error.to_string());
                None
            }
        }
    }

    /// The same, for errors that don't name the key.
    pub(super) fn parse_as<T, E: Display>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Placed<T>> {
        let label = self.label(key);
        self.parse(key, |text| parse(text).map_err(|error| format!("{label}: {error}")))
    }

    /// One of a few words.
    pub(super) fn choice<T: Clone>(
        &mut self,
        key: &'static str,
        choices: &[(&str, T)],
    ) -> Option<Placed<T>> {
        let label = self.label(key);
        let text = self.text(key)?;
        let value = self.word(&label, &text, choices)?;
        Some(Placed { value, start: text.start })
    }

    /// The meaning of a text that is one of a few words; `label` names it in the problem.
    pub(super) fn word<T: Clone>(
        &self,
        label: &str,
        text: &Placed<String>,
        choices: &[(&str, T)],
    ) -> Option<T> {
        if let Some((_, choice)) = choices.iter().find(|(word, _)| *word == text.value) {
            return Some(choice.clone());
        }
        let words: Vec<_> = choices.iter().map(|(word, _)| format!("{word:?}")).collect();
        let words = words.join(", ");
        self.problem_at(text.start, format!("{label} is {:?}; write one of {words}", text.value));
        None
    }

    /// A text or a table.
    pub(super) fn text_or_table(&mut self, key: &'static str) -> Option<TextOrTable<'t>> {
        let value = self.remove(key)?;
        Some(read_value(self.label(key), value, self.problems))
    }

    /// An expression.
    pub(super) fn code(&mut self, key: &'static str) -> Option<Placed<Code>> {
        Some(code(&self.text(key)?))
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, key: &'static str) -> Option<bool> {
        let value = self.remove(key)?;
        if let DeValue::Boolean(flag) = value.get_ref() {
            return Some(*flag);
        }
        let (label, kind) = (self.label(key), kind(value.get_ref()));
        self.problems
            .add(value.span().start, format!("{label} has to be true or false, not {kind}"));
        None
    }

    /// The rows of a table of texts, in the order of the file.
    pub(super) fn texts(&mut self, key: &'static str) -> Option<Vec<Row>> {
        let table = self.table(key)?;
        let mut rows = Vec::new();
        for entry in table.entries {
            let name = entry.key.value;
            let label = format!("`{name}` of the {key} of {}", self.name);
            if let Some(text) = text(entry.value, &label, self.problems) {
                rows.push(Row { key: name.to_owned(), text });
            }
        }
        Some(rows)
    }

    /// All entries, in the order of the file, for a table whose keys are names.
    pub(super) fn into_entries(self) -> Vec<Entry<'t>> {
        self.entries
    }

    /// Reports every key that was not asked for.
    pub(super) fn finish(self) {
        let place =
            if self.name.is_empty() { "here".to_owned() } else { format!("in {}", self.name) };
        for Entry { key, .. } in &self.entries {
            let hint = if let Some(known) = nearest(key.value, self.known.iter().copied()) {
                format!("did you mean `{known}`?")
            } else {
                let known: Vec<_> = self.known.iter().map(|key| format!("`{key}`")).collect();
                format!("known here: {}", known.join(", "))
            };
            let message = format!("there is no key `{}` {place}; {hint}", key.value);
            self.problems.add(key.start, message);
        }
    }

    /// Takes the value of a key out, and notes that the key is known.
    fn remove(&mut self, key: &'static str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.known.push(key);
        let index = self.entries.iter().position(|entry| entry.key.value == key)?;
        Some(self.entries.remove(index).value)
    }

    fn label(&self, key: &str) -> String {
        if self.name.is_empty() { format!("`{key}`") } else { format!("`{key}` of {}", self.name) }
    }
}

impl<'t> Entry<'t> {
    /// The value. A table has the name of its key.
    pub(super) fn value(&self, problems: &'t Problems<'t>) -> TextOrTable<'t> {
        read_value(format!("`{}`", self.key.value), self.value, problems)
    }
}

/// A value that may be a text, or a table of this name.
fn read_value<'t>(
    name: String,
    value: &'t Spanned<DeValue<'t>>,
    problems: &'t Problems<'t>,
) -> TextOrTable<'t> {
    let start = value.span().start;
    match value.get_ref() {
        DeValue::String(text) => {
            TextOrTable::Text(Placed { value: text.clone().into_owned(), start })
        }
        DeValue::Table(table) => TextOrTable::Table(Table::new(name, start, table, problems)),
        other => TextOrTable::Other(Placed { value: kind(other), start }),
    }
}

/// The text as an expression. Its mistakes are found when it is compiled.
pub(super) fn code(text: &Placed<String>) -> Placed<Code> {
    Placed { value: Code::new(&text.value), start: text.start }
}

fn text(
    value: &Spanned<DeValue<'_>>,
    label: &str,
    problems: &Problems<'_>,
) -> Option<Placed<String>> {
    let start = value.span().start;
    match value.get_ref() {
        DeValue::String(text) => Some(Placed { value: text.clone().into_owned(), start }),
        other => {
            problems.add(start, format!("{label} has to be text in quotes, not {}", kind(other)));
            None
        }
    }
}

/// The kind of a value, in words.
fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
