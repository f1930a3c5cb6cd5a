//! Whose fault a refusal is: HubSpot refuses a whole batch for one bad row and names no input, only properties and
//! values. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

use super::plan::Write;
use crate::hubspot::{Complaint, Refusal};
use crate::summary::{FailReason, Outcome};

/// What stands before the fuller list of errors inside of a message.
const INSIDE: &str = "Property values were not valid: ";

/// What follows a value at the beginning of a message about it.
const AFTER_VALUE: [&str; 4] =
    [" was not one of the allowed options", " was not a valid ", " is not a valid ", " is at "];

/// The rows that a refusal is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Guilty {
    /// These, by their index; the others did nothing wrong.
    Rows(BTreeMap<usize, (FailReason, String)>),
    /// Those that HubSpot takes for the same task: each would be taken alone.
    Alike,
    /// All of them: the request itself is wrong.
    All(FailReason, String),
    /// HubSpot's words don't say.
    Unknown,
}

/// One property value that HubSpot does not take.
#[derive(Debug)]
struct Entry {
    property: String,
    code: String,
    message: String,
    /// The value, where HubSpot gives it besides the message.
    value: Option<String>,
}

/// Finds the guilty rows by HubSpot's own words. `traces` are the trace ids of the rows.
pub(super) fn guilty(refusal: &Refusal, rows: &[Write], traces: &[String]) -> Guilty {
    let complaint = &refusal.complaint;
    let id_property = rows.first().map_or("", |row| row.task.id_property.as_str());
    if is_about_all(refusal, id_property) {
        let (reason, detail) = of_all(refusal, id_property);
        return Guilty::All(reason, detail);
    }
    if complaint.message.starts_with("Duplicate IDs") {
        return Guilty::Alike;
    }
    let all: Vec<_> = (0..rows.len()).collect();
    let mut guilty = self::rows(complaint, rows, &all);
    for error in complaint.all() {
        for row in traced(error, traces) {
            guilty.entry(row).or_insert_with(|| reason(error, &rows[row]));
        }
    }
    if guilty.is_empty() { Guilty::Unknown } else { Guilty::Rows(guilty) }
}

/// The rows whose trace ids an error names, unless it names all that there are.
fn traced(error: &Complaint, traces: &[String]) -> Vec<usize> {
    let named = error.context("objectWriteTraceId");
    let rows: Vec<_> = (0..traces.len()).filter(|row| named.contains(&traces[*row])).collect();
    if rows.len() < traces.len() { rows } else { Vec::new() }
}

/// Whether a refusal is about the request as a whole, so that a part of it would be refused as well.
pub(super) fn is_about_all(refusal: &Refusal, id_property: &str) -> bool {
    let unknown = |entry: &Entry| entry.property == id_property && entry.reason() == FailReason::UnknownProperty;
    refusal.complaint.message.contains("by non-unique")
        || !matches!(refusal.status, 400 | 409 | 413 | 422)
        || entries(&refusal.complaint).iter().any(unknown)
}

/// The rows among `among` that an error is about, by the properties and values that it names; none where that is not
/// certain.
pub(super) fn rows(error: &Complaint, rows: &[Write], among: &[usize]) -> BTreeMap<usize, (FailReason, String)> {
    let mut guilty = BTreeMap::new();
    for entry in entries(error) {
        for row in entry.rows(rows).into_iter().filter(|row| among.contains(row)) {
            let value = rows[row].properties.get(&entry.property).map_or("", String::as_str);
            guilty.entry(row).or_insert_with(|| entry.verdict(value));
        }
    }
    guilty
}

/// The reason and the detail of an error that is about this row.
pub(super) fn reason(error: &Complaint, row: &Write) -> (FailReason, String) {
    for entry in entries(error) {
        if let Some(value) = row.properties.get(&entry.property) {
            return entry.verdict(value);
        }
    }
    alone(error)
}

/// The reason and the detail of a refusal of a single row that names no property.
pub(super) fn of_one(refusal: &Refusal) -> (FailReason, String) {
    if refusal.status == 409 { conflict() } else { alone(&refusal.complaint) }
}

/// The reason and the detail where nothing but the kind of error is known.
fn alone(error: &Complaint) -> (FailReason, String) {
    if error.category == "CONFLICT" {
        return conflict();
    }
    let kind = [&error.code, &error.category].into_iter().find(|kind| !kind.is_empty());
    (FailReason::Rejected, format!("HubSpot refuses it: {}", kind.map_or("no reason given", String::as_str)))
}

fn conflict() -> (FailReason, String) {
    (FailReason::Conflict, "it conflicts with another task, or with another write of the same task".to_owned())
}

/// The outcome of every update that needed a call which was refused as a whole.
pub(super) fn whole(refusal: &Refusal, id_property: &str) -> Outcome {
    let (reason, detail) = of_all(refusal, id_property);
    Outcome::Failed(reason, detail)
}

fn of_all(refusal: &Refusal, id_property: &str) -> (FailReason, String) {
    if refusal.complaint.message.contains("by non-unique") {
        let detail = format!("{id_property} is not a property with unique values; id_property needs one");
        return (FailReason::NotUniqueProperty, detail);
    }
    if matches!(refusal.status, 400 | 409 | 413 | 422) && is_about_all(refusal, id_property) {
        return (FailReason::UnknownProperty, format!("{id_property}: the portal has no such property"));
    }
    (FailReason::Rejected, format!("HubSpot answered {}", refusal.status))
}

/// The errors about property values: the list inside of the message, and `errors[]`. Either can name what the other
/// lacks.
fn entries(complaint: &Complaint) -> Vec<Entry> {
    let mut entries = Vec::new();
    for complaint in complaint.all() {
        if let Some((_, inside)) = complaint.message.split_once(INSIDE) {
            // The list may be followed by more text.
            let mut inside = serde_json::Deserializer::from_str(inside).into_iter::<Vec<Value>>();
            for entry in inside.next().and_then(Result::ok).unwrap_or_default() {
                let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
                let value = entry["propertyValue"].as_str().map(str::to_owned);
                entries.push(Entry { property: text("name"), code: text("error"), message: text("message"), value });
            }
        }
    }
    for complaint in complaint.all() {
        for property in complaint.context("propertyName").iter().chain(complaint.context("propertyNames")) {
            let (code, message) = (complaint.code.clone(), complaint.message.clone());
            let is_same = |entry: &Entry| entry.property == *property && entry.code == code && entry.message == message;
            if !entries.iter().any(is_same) {
                entries.push(Entry { property: property.clone(), code, message, value: None });
            }
        }
    }
    entries
}

impl Entry {
    /// The rows that this error is about; none when that is not certain.
    fn rows(&self, rows: &[Write]) -> Vec<usize> {
        let carrying =
            rows.iter().enumerate().filter_map(|(row, write)| Some((row, write.properties.get(&self.property)?)));
        let carrying: Vec<_> = carrying.collect();
        let reason = self.reason();
        // The property is at fault, whatever its value.
        if matches!(reason, FailReason::UnknownProperty | FailReason::ReadOnlyProperty) {
            return carrying.iter().map(|(row, _)| *row).collect();
        }
        // The longest value is the one that is meant: `x was not a valid long` begins with `x`, too.
        let about: Vec<_> = carrying.iter().filter_map(|(row, value)| Some((self.about(value)?, *row))).collect();
        let longest = about.iter().map(|(length, _)| *length).max();
        let named: Vec<_> = about.iter().filter(|(length, _)| Some(*length) == longest).map(|(_, row)| *row).collect();
        match (&named[..], &carrying[..]) {
            ([], [(row, _)]) => vec![*row],
            // One of several with the same value that must be unique is right; nobody says which.
            ([_, _, ..], _) if reason == FailReason::Conflict => Vec::new(),
            _ => named,
        }
    }

    /// How much of a value the message is about: it begins with the whole value, or with one of its parts where it is
    /// several checkboxes.
    fn about(&self, value: &str) -> Option<usize> {
        if let Some(named) = &self.value {
            return (value == named || value.split(';').any(|part| part == named)).then_some(named.len());
        }
        if self.code == "LEADING_TRAILING_WHITESPACE" {
            return (value.trim() != value).then_some(0);
        }
        let is_about = |value: &&str| {
            let rest = self.message.strip_prefix(value).filter(|_| !value.is_empty());
            let begins = rest.is_some_and(|rest| AFTER_VALUE.iter().any(|words| rest.starts_with(words)));
            begins || (!value.is_empty() && self.message.contains(&format!(", value={value}}}")))
        };
        let parts = value.split(';').filter(|_| value.contains(';'));
        std::iter::once(value).chain(parts).filter(is_about).map(str::len).max()
    }

    fn reason(&self) -> FailReason {
        match self.code.as_str() {
            "PROPERTY_DOESNT_EXIST" => FailReason::UnknownProperty,
            "READ_ONLY_VALUE" => FailReason::ReadOnlyProperty,
            "CONFLICTING_UNIQUE_VALUE" => FailReason::Conflict,
            _ if self.message.ends_with("does not exist") => FailReason::UnknownProperty,
            _ if self.message.contains("its value cannot be set") => FailReason::ReadOnlyProperty,
            _ => FailReason::InvalidValue,
        }
    }

    fn verdict(&self, value: &str) -> (FailReason, String) {
        let property = &self.property;
        let reason = self.reason();
        let detail = match reason {
            FailReason::UnknownProperty => format!("{property}: the portal has no such property"),
            FailReason::ReadOnlyProperty => format!("{property}: it is read-only"),
            FailReason::Conflict => format!("{property}: another task has the value {value}"),
            _ => format!("{property}: {}", self.complaint(value)),
        };
        (reason, detail)
    }

    /// HubSpot's complaint about a value in our words: `P9 is not one of NONE, LOW, MEDIUM, HIGH`.
    fn complaint(&self, value: &str) -> String {
        let shown: String = value.chars().take(60).collect();
        if self.code == "LEADING_TRAILING_WHITESPACE" {
            return format!("{shown:?} has white space around it");
        }
        match self.message.split_once(" was not one of the allowed options: [") {
            Some((value, options)) => format!("{value} is not one of {}", allowed(options)),
            None => match self.message.rsplit_once(" was not a valid ") {
                Some((value, kind)) => format!("{value} is not a valid {}", kind.trim_end_matches('.')),
                None => format!("{shown} is not a valid value ({})", self.code),
            },
        }
    }
}

/// The options at the beginning of a text; in older answers each is several lines, of which one is its value.
fn allowed(options: &str) -> String {
    let options = options.rsplit_once(']').map_or(options, |(options, _)| options);
    if !options.starts_with("label: ") {
        return options.to_owned();
    }
    let values = options.split("value: \"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0));
    values.collect::<Vec<_>>().join(", ")
}
