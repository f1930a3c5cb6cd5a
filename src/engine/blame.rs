//! Whose fault a refusal is: HubSpot refuses a whole batch for one bad row and names no input, only
//! properties and values. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::plan::Write;
use crate::hubspot::{Complaint, Refusal};
use crate::outcome::{FailReason, Outcome};

/// What stands before the fuller list of errors inside of a message.
const INSIDE: &str = "Property values were not valid: ";

/// What stands around a value in a message about it.
const AROUND_VALUE: [(&str, &str); 6] = [
    ("", " was not one of the allowed options"),
    ("", " was not a valid "),
    ("", " is not a valid "),
    ("", " is at "),
    ("Owner ", " does not exist"),
    ("\"", "\" includes leading or trailing whitespace"),
];

/// The property of the due date.
pub(super) const DUE: &str = "hs_timestamp";

/// Why a row is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Blame {
    pub(super) reason: FailReason,
    pub(super) detail: String,
    /// The properties whose values are refused; none where HubSpot names none.
    pub(super) properties: BTreeSet<String>,
}

/// The rows that a refusal is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Guilty {
    /// These, by their index; the others did nothing wrong.
    Rows(BTreeMap<usize, Blame>),
    /// These stand in the way of others in the same request, and may be taken alone.
    Later(BTreeSet<usize>),
    /// Some of those that carry one of these properties, by a value that HubSpot doesn't name.
    Values(BTreeSet<String>),
    /// These, as it seems: they all lack something.
    Lacking(BTreeSet<usize>, Blame),
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
    let entries = entries(complaint);
    if entries_are_about_all(refusal, &entries, id_property) {
        let (reason, detail) = of_all(refusal, id_property);
        return Guilty::All(reason, detail);
    }
    let all: BTreeSet<_> = (0..rows.len()).collect();
    let (mut guilty, doubts) = blamed(&entries, rows, &all);
    let lacking = lacking(complaint);
    let named = named(complaint, rows, traces);
    if !named.is_empty() {
        let reasons = Reasons { error: complaint, entries, lacking: lacking.clone() };
        let firsts = reasons.firsts();
        for row in named {
            guilty.entry(row).or_insert_with(|| reasons.of(&firsts, &rows[row]));
        }
    }
    if !guilty.is_empty() {
        return Guilty::Rows(guilty);
    }
    if !doubts.twins.is_empty() {
        return Guilty::Later(doubts.twins);
    }
    match lacking {
        Some(blame) if blame.is_about(DUE) => {
            let is_empty =
                |row: &usize| rows[*row].properties.get(DUE).is_some_and(String::is_empty);
            let empty: BTreeMap<_, _> =
                all.iter().copied().filter(is_empty).map(|row| (row, blame.clone())).collect();
            if empty.is_empty() { Guilty::Lacking(all, blame) } else { Guilty::Rows(empty) }
        }
        Some(blame) => {
            let has = |row: &Write, name: &String| {
                row.properties.get(name).is_some_and(|value| !value.is_empty())
            };
            let lacks = |row: &usize| blame.properties.iter().any(|name| !has(&rows[*row], name));
            let lacking: BTreeSet<_> = all.iter().copied().filter(lacks).collect();
            Guilty::Lacking(if lacking.is_empty() { all } else { lacking }, blame)
        }
        None if doubts.properties.is_empty() => Guilty::Unknown,
        None => Guilty::Values(doubts.properties),
    }
}

/// The rows that a refusal names by their trace ids or, where something exists already, by their
/// ids; unless it names all that there are.
fn named(complaint: &Complaint, rows: &[Write], traces: &[String]) -> BTreeSet<usize> {
    let mut named = BTreeSet::new();
    for error in complaint.all() {
        let by_trace: BTreeSet<_> = error.context("objectWriteTraceId").iter().collect();
        let by_id: BTreeSet<_> =
            error.context("ids").iter().filter(|_| says_conflict(error)).collect();
        if by_trace.is_empty() && by_id.is_empty() {
            continue;
        }
        let is_named =
            |row: &usize| by_trace.contains(&traces[*row]) || by_id.contains(&rows[*row].task.id);
        named.extend((0..rows.len()).filter(is_named));
    }
    if named.len() < rows.len() { named } else { BTreeSet::new() }
}

/// Whether a refusal is about the request as a whole, so that a part of it would be refused as
/// well.
pub(super) fn is_about_all(refusal: &Refusal, id_property: &str) -> bool {
    entries_are_about_all(refusal, &entries(&refusal.complaint), id_property)
}

fn entries_are_about_all(refusal: &Refusal, entries: &[Entry], id_property: &str) -> bool {
    let unknown = |entry: &Entry| {
        entry.property == id_property && entry.reason() == FailReason::UnknownProperty
    };
    refusal.complaint.message.contains("by non-unique")
        || !matches!(refusal.status, 400 | 409 | 413 | 422)
        || entries.iter().any(unknown)
}

/// The rows among `among` that an error is about, by the properties and values that it names; none
/// where that is not certain.
pub(super) fn rows(
    error: &Complaint,
    rows: &[Write],
    among: &BTreeSet<usize>,
) -> BTreeMap<usize, Blame> {
    blamed(&entries(error), rows, among).0
}

/// What errors leave open.
#[derive(Default)]
struct Doubts {
    /// Properties of which several values are carried, and nobody says which is wrong.
    properties: BTreeSet<String>,
    /// Rows with a value that must be unique and that an earlier row has as well.
    twins: BTreeSet<usize>,
}

/// The rows among `among` that errors are about for certain, and what is open.
fn blamed(
    entries: &[Entry],
    rows: &[Write],
    among: &BTreeSet<usize>,
) -> (BTreeMap<usize, Blame>, Doubts) {
    let mut carriers: BTreeMap<&str, Vec<(usize, &str)>> = BTreeMap::new();
    let mut ids = Vec::new();
    for (row, write) in rows.iter().enumerate().filter(|(row, _)| among.contains(row)) {
        for (name, value) in &write.properties {
            carriers.entry(name).or_default().push((row, value.as_str()));
        }
        ids.push((row, write.task.id.as_str()));
    }
    // The id itself is written where a task is created; where others set the property, they are
    // meant.
    if let Some(first) = rows.first() {
        carriers.entry(&first.task.id_property).or_insert(ids);
    }
    let mut guilty: BTreeMap<usize, Blame> = BTreeMap::new();
    let mut doubts = Doubts::default();
    for entry in entries {
        let Some(carrying) = carriers.get(entry.property.as_str()) else { continue };
        match entry.about(carrying) {
            About::Rows(about) => {
                for (row, value) in about {
                    let blame = guilty.entry(row).or_insert_with(|| entry.blame(value));
                    // An empty due date alone could be left out: any other property is the one to
                    // name.
                    if blame.is_about(DUE) && entry.property != DUE {
                        (blame.reason, blame.detail) = entry.verdict(value);
                    }
                    if !blame.properties.contains(&entry.property) {
                        blame.properties.insert(entry.property.clone());
                    }
                }
            }
            About::Twins(rows) => doubts.twins.extend(rows),
            About::Nobody => _ = doubts.properties.insert(entry.property.clone()),
        }
    }
    (guilty, doubts)
}

/// Why an error refuses rows that it names.
struct Reasons<'e> {
    error: &'e Complaint,
    entries: Vec<Entry>,
    lacking: Option<Blame>,
}

impl Reasons<'_> {
    /// The first entry about each property, and its place.
    fn firsts(&self) -> BTreeMap<&str, (usize, &Entry)> {
        let mut firsts = BTreeMap::new();
        for (place, entry) in self.entries.iter().enumerate() {
            firsts.entry(entry.property.as_str()).or_insert((place, entry));
        }
        firsts
    }

    fn of(&self, firsts: &BTreeMap<&str, (usize, &Entry)>, row: &Write) -> Blame {
        let own = row.values().filter_map(|(name, value)| {
            firsts.get(name).map(|(place, entry)| (place, entry, value))
        });
        if let Some((_, entry, value)) = own.min_by_key(|(place, ..)| *place) {
            return entry.blame(value);
        }
        if let Some(blame) = &self.lacking {
            return blame.clone();
        }
        let (reason, detail) = alone(self.error);
        Blame { reason, detail, properties: BTreeSet::new() }
    }
}

/// Why an error refuses these rows, all of which it is about.
pub(super) fn reasons(
    error: &Complaint,
    about: &BTreeSet<usize>,
    rows: &[Write],
) -> BTreeMap<usize, Blame> {
    let reasons = Reasons { error, entries: entries(error), lacking: lacking(error) };
    let firsts = reasons.firsts();
    about.iter().map(|row| (*row, reasons.of(&firsts, &rows[*row]))).collect()
}

impl Blame {
    /// Whether this property is all that is refused.
    pub(super) fn is_about(&self, property: &str) -> bool {
        self.properties.iter().map(String::as_str).eq([property])
    }
}

/// The reason and the detail of a refusal of a single row that names no property.
pub(super) fn of_one(refusal: &Refusal) -> (FailReason, String) {
    if refusal.status == 409 { conflict() } else { alone(&refusal.complaint) }
}

/// What an error says that the request lacks: a property that is required, or the form of a
/// request.
pub(super) fn lacking(complaint: &Complaint) -> Option<Blame> {
    let mut properties = BTreeSet::new();
    let mut is_lacking = false;
    for error in complaint.all() {
        let message = error.message.to_lowercase();
        if message.starts_with("invalid input json") {
            let detail =
                "HubSpot can't read the request: Invalid input JSON; please report it".to_owned();
            return Some(Blame {
                reason: FailReason::Rejected,
                detail,
                properties: BTreeSet::new(),
            });
        }
        let is_required = message.contains("required propert") || message.ends_with("is required");
        if !is_required && !error.code.contains("REQUIRED") {
            continue;
        }
        is_lacking = true;
        for name in ["properties", "propertyName", "propertyNames"] {
            properties.extend(error.context(name).iter().cloned());
        }
        if let Some((_, list)) = error.message.rsplit_once('[') {
            let names = list.split([']', ',']).map(|name| name.trim().trim_matches('"'));
            let is_name = |name: &&str| {
                !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            };
            properties.extend(names.filter(is_name).map(str::to_owned));
        }
    }
    let names = properties.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let detail = match properties.len() {
        0 => "HubSpot requires a property that the update lacks, and doesn't name it".to_owned(),
        _ => format!("{names}: HubSpot requires a value, and the update has none"),
    };
    is_lacking.then_some(Blame { reason: FailReason::Rejected, detail, properties })
}

/// Whether an error says that something exists already, or is being written.
pub(super) fn says_conflict(error: &Complaint) -> bool {
    let kinds = ["CONFLICT", "OBJECT_ALREADY_EXISTS", "CONFLICTING_UNIQUE_VALUE"];
    kinds.contains(&error.category.as_str()) || kinds.contains(&error.code.as_str())
}

/// The reason and the detail where nothing but the kind of error is known.
fn alone(error: &Complaint) -> (FailReason, String) {
    if error.all().into_iter().any(says_conflict) {
        return conflict();
    }
    let kind = [&error.code, &error.category].into_iter().find(|kind| !kind.is_empty());
    (
        FailReason::Rejected,
        format!("HubSpot refuses it: {}", kind.map_or("no reason given", String::as_str)),
    )
}

fn conflict() -> (FailReason, String) {
    (
        FailReason::Conflict,
        "it conflicts with another task, or with another write of the same task".to_owned(),
    )
}

/// The outcome of every update that needed a call which was refused as a whole.
pub(super) fn whole(refusal: &Refusal, id_property: &str) -> Outcome {
    let (reason, detail) = of_all(refusal, id_property);
    Outcome::Failed(reason, detail)
}

fn of_all(refusal: &Refusal, id_property: &str) -> (FailReason, String) {
    if refusal.complaint.message.contains("by non-unique") {
        let detail =
            format!("{id_property} is not a property with unique values; id_property needs one");
        return (FailReason::NotUniqueProperty, detail);
    }
    if matches!(refusal.status, 400 | 409 | 413 | 422) && is_about_all(refusal, id_property) {
        return (
            FailReason::UnknownProperty,
            format!("{id_property}: the portal has no such property"),
        );
    }
    (FailReason::Rejected, format!("HubSpot answered {}", refusal.status))
}

/// The errors about property values: the list inside of the message, and `errors[]`. Either can
/// name what the other lacks.
fn entries(complaint: &Complaint) -> Vec<Entry> {
    let mut entries = Vec::new();
    for complaint in complaint.all() {
        if let Some((_, inside)) = complaint.message.split_once(INSIDE) {
            // The list may be followed by more text.
            let mut inside = serde_json::Deserializer::from_str(inside).into_iter::<Vec<Value>>();
            for entry in inside.next().and_then(Result::ok).unwrap_or_default() {
                let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
                let value = entry["propertyValue"].as_str().map(str::to_owned);
                entries.push(Entry {
                    property: text("name"),
                    code: text("error"),
                    message: text("message"),
                    value,
                });
            }
        }
    }
    let text = |entry: &Entry| (entry.property.clone(), entry.code.clone(), entry.message.clone());
    let mut known: BTreeSet<_> = entries.iter().map(text).collect();
    for complaint in complaint.all() {
        for property in
            complaint.context("propertyName").iter().chain(complaint.context("propertyNames"))
        {
            let (code, message) = (complaint.code.clone(), complaint.message.clone());
            let entry = Entry { property: property.clone(), code, message, value: None };
            if known.insert(text(&entry)) {
                entries.push(entry);
            }
        }
    }
    entries
}

/// The rows that an error is about.
enum About<'v> {
    /// These, with their values.
    Rows(Vec<(usize, &'v str)>),
    /// One of several with the same value that must be unique is right: these come after the first.
    Twins(Vec<usize>),
    /// Nobody says.
    Nobody,
}

impl Entry {
    /// The rows that this error is about, among those that carry its property.
    fn about<'v>(&self, carrying: &[(usize, &'v str)]) -> About<'v> {
        let reason = self.reason();
        // The property is at fault, whatever its value.
        if matches!(reason, FailReason::UnknownProperty | FailReason::ReadOnlyProperty) {
            return About::Rows(carrying.to_vec());
        }
        // The longest value is the one that is meant: `x was not a valid long` begins with `x`,
        // too.
        let mut longest = None;
        let mut named = Vec::new();
        for (row, value) in carrying {
            let length = self.names(value);
            if length > longest {
                (longest, named) = (length, Vec::new());
            }
            if length.is_some() && length == longest {
                named.push((*row, *value));
            }
        }
        match (&named[..], carrying) {
            ([_, later @ ..], _) if reason == FailReason::Conflict && !later.is_empty() => {
                About::Twins(later.iter().map(|(row, _)| *row).collect())
            }
            // With a single value there is no doubt which.
            ([], [(_, value), others @ ..]) if others.iter().all(|(_, other)| other == value) => {
                if reason == FailReason::Conflict && !others.is_empty() {
                    return About::Twins(others.iter().map(|(row, _)| *row).collect());
                }
                About::Rows(carrying.to_vec())
            }
            ([], _) => About::Nobody,
            _ => About::Rows(named),
        }
    }

    /// How much of a value the message names: the whole value, or one of its parts where it is
    /// several checkboxes.
    fn names(&self, value: &str) -> Option<usize> {
        #[cfg(test)]
        COMPARED.with(|compared| compared.set(compared.get() + 1));
        if let Some(named) = &self.value {
            return (value == named || value.split(';').any(|part| part == named))
                .then_some(named.len());
        }
        let parts = value.split(';').filter(|_| value.contains(';'));
        let named = std::iter::once(value)
            .chain(parts)
            .filter(|part| self.names_part(part))
            .map(str::len)
            .max();
        // The sentence may show the value in another form.
        let has_space = || value.split(';').any(|part| trimmed(part) != part);
        named.or_else(|| {
            (self.is_about_space() && !self.message.starts_with('"') && has_space()).then_some(0)
        })
    }

    fn names_part(&self, part: &str) -> bool {
        let is_around = |(before, after): &(&str, &str)| {
            let rest = self.message.strip_prefix(before).and_then(|rest| rest.strip_prefix(part));
            rest.is_some_and(|rest| rest.starts_with(after))
        };
        if AROUND_VALUE.iter().any(is_around) {
            return true;
        }
        let given =
            self.message.split_once(", value=").and_then(|(_, rest)| rest.strip_prefix(part));
        !part.is_empty() && given.is_some_and(|rest| rest.starts_with('}'))
    }

    fn is_about_space(&self) -> bool {
        self.code == "LEADING_TRAILING_WHITESPACE"
            || self.message.contains("leading or trailing whitespace")
    }

    fn reason(&self) -> FailReason {
        match self.code.as_str() {
            "PROPERTY_DOESNT_EXIST" => FailReason::UnknownProperty,
            "READ_ONLY_VALUE" => FailReason::ReadOnlyProperty,
            "CONFLICTING_UNIQUE_VALUE" => FailReason::Conflict,
            // Of an owner, or anything else that a value names, HubSpot says the same.
            _ if self.message.starts_with("Property ")
                && self.message.ends_with("does not exist") =>
            {
                FailReason::UnknownProperty
            }
            _ if self.message.contains("its value cannot be set") => FailReason::ReadOnlyProperty,
            _ => FailReason::InvalidValue,
        }
    }

    fn blame(&self, value: &str) -> Blame {
        let (reason, detail) = self.verdict(value);
        Blame { reason, detail, properties: [self.property.clone()].into() }
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
        let code = if self.code.is_empty() { String::new() } else { format!(" ({})", self.code) };
        if value.is_empty() {
            return format!("HubSpot takes no empty value here{code}");
        }
        if self.is_about_space() {
            return format!("{shown:?} has white space around it");
        }
        match self.message.split_once(" was not one of the allowed options: [") {
            Some((value, options)) => format!("{value} is not one of {}", allowed(options)),
            None => match self.message.rsplit_once(" was not a valid ") {
                Some((value, kind)) => {
                    format!("{value} is not a valid {}", kind.trim_end_matches('.'))
                }
                None => format!("{shown} is not a valid value{code}"),
            },
        }
    }
}

/// A text without white space and characters that nobody sees at its ends.
fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| {
        c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
    })
}

#[cfg(test)]
thread_local! {
    /// How many values were compared with a message, for the test that says that blame is linear.
    pub(super) static COMPARED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// The options at the beginning of a text; in older answers each is several lines, of which one is
/// its value.
fn allowed(options: &str) -> String {
    let options = options.rsplit_once(']').map_or(options, |(options, _)| options);
    if !options.starts_with("label: ") {
        return options.to_owned();
    }
    let values =
        options.split("value: \"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0));
    values.collect::<Vec<_>>().join(", ")
}
