//! Whose fault a refusal is: HubSpot refuses a whole batch for one bad row and names no input, only
//! properties and values. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::bad_value::{About, BadValue, Blame, bad_values};
use super::row::{DUE, Row, index_of_trace};
use crate::hubspot::{Complaint, Error, Refusal};
use crate::outcome::{FailReason, Outcome, RetryReason};

/// The rows that a refusal is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Guilty {
    /// These, by their index; the others did nothing wrong.
    Rows(BTreeMap<usize, Blame>),
    /// These stand in the way of others in the same request, and may be taken alone.
    Separately(BTreeSet<usize>),
    /// Some of those that carry one of these properties, by a value that HubSpot doesn't name.
    Values(BTreeSet<String>),
    /// These, as it seems: they all lack something.
    Lacking(BTreeSet<usize>, Blame),
    /// All of them: the request itself is wrong.
    All(Blame),
    /// HubSpot's words don't say.
    Unknown,
}

/// The doubts that errors about values leave.
#[derive(Default)]
struct Doubts {
    /// Properties of which several values are carried, and nobody says which is wrong.
    properties: BTreeSet<String>,
    /// Rows with a value that must be unique and that an earlier row has as well.
    twins: BTreeSet<usize>,
}

/// Finds the guilty rows by HubSpot's own words.
pub(super) fn guilty(refusal: &Refusal, rows: &[Row]) -> Guilty {
    let complaint = &refusal.complaint;
    let id_property = rows.first().map_or("", |row| row.task.id_property.as_str());
    let values = bad_values(complaint);
    if values_are_about_all(refusal, &values, id_property) {
        return Guilty::All(whole(refusal, id_property));
    }
    let all: BTreeSet<_> = (0..rows.len()).collect();
    let (mut guilty, doubts) = blame_values(&values, rows, &all);
    let lacking = read_lack(complaint);
    let named = find_named(complaint, rows);
    for (row, blame) in blame_named(complaint, &values, lacking.as_ref(), &named, rows) {
        guilty.entry(row).or_insert(blame);
    }
    if !guilty.is_empty() {
        return Guilty::Rows(guilty);
    }
    if !doubts.twins.is_empty() {
        return Guilty::Separately(doubts.twins);
    }
    match lacking {
        Some(blame) => lacking_rows(blame, rows, all),
        None if doubts.properties.is_empty() => Guilty::Unknown,
        None => Guilty::Values(doubts.properties),
    }
}

/// The rows that lack the properties of the blame; all of them where each seems to have them.
fn lacking_rows(blame: Blame, rows: &[Row], all: BTreeSet<usize>) -> Guilty {
    if blame.is_about(DUE) {
        let mut empty = BTreeMap::new();
        for (index, row) in rows.iter().enumerate() {
            if row.clears_due_date() {
                empty.insert(index, blame.clone());
            }
        }
        return if empty.is_empty() { Guilty::Lacking(all, blame) } else { Guilty::Rows(empty) };
    }
    let lacks = |row: &Row| {
        let is_empty = |name| row.properties.get(name).is_none_or(String::is_empty);
        blame.properties.iter().any(is_empty)
    };
    let mut lacking = all.clone();
    lacking.retain(|index| lacks(&rows[*index]));
    Guilty::Lacking(if lacking.is_empty() { all } else { lacking }, blame)
}

/// The rows that a refusal names by their trace ids or, where something exists already, by their
/// ids; none if it names all that there are.
fn find_named(complaint: &Complaint, rows: &[Row]) -> BTreeSet<usize> {
    let ids: BTreeMap<_, _> =
        rows.iter().enumerate().map(|(index, row)| (row.task.id.as_str(), index)).collect();
    let mut named = BTreeSet::new();
    for error in complaint.all() {
        for trace_id in error.context("objectWriteTraceId") {
            named.extend(index_of_trace(trace_id, rows.len()));
        }
        if says_conflict(error) {
            named.extend(error.context("ids").iter().filter_map(|id| ids.get(id.as_str())));
        }
    }
    if named.len() < rows.len() { named } else { BTreeSet::new() }
}

/// Whether a refusal is about the request as a whole, so that a part of it would be refused as
/// well.
pub(super) fn is_about_all(refusal: &Refusal, id_property: &str) -> bool {
    values_are_about_all(refusal, &bad_values(&refusal.complaint), id_property)
}

fn values_are_about_all(refusal: &Refusal, values: &[BadValue], id_property: &str) -> bool {
    let is_unknown_id_property = |value: &BadValue| {
        value.property == id_property && value.reason() == FailReason::UnknownProperty
    };
    refusal.complaint.message.contains("by non-unique")
        || !matches!(refusal.status, 400 | 409 | 413 | 422)
        || values.iter().any(is_unknown_id_property)
}

/// The rows among `among` that an error is about, by the properties and values that it names; none
/// where that is not certain.
pub(super) fn blame_among(
    error: &Complaint,
    rows: &[Row],
    among: &BTreeSet<usize>,
) -> BTreeMap<usize, Blame> {
    blame_values(&bad_values(error), rows, among).0
}

/// The rows among `among` that errors are about for certain, and the doubts that remain.
fn blame_values(
    values: &[BadValue],
    rows: &[Row],
    among: &BTreeSet<usize>,
) -> (BTreeMap<usize, Blame>, Doubts) {
    let carriers = find_carriers(rows, among);
    let mut guilty: BTreeMap<usize, Blame> = BTreeMap::new();
    let mut doubts = Doubts::default();
    for bad in values {
        let Some(carrying) = carriers.get(bad.property.as_str()) else { continue };
        match bad.about(carrying) {
            About::Rows(about) => {
                for (row, value) in about {
                    let blame = guilty.entry(row).or_insert_with(|| bad.blame(value));
                    // An empty due date alone could be left out: any other property is the one to
                    // name.
                    if blame.is_about(DUE) && bad.property != DUE {
                        let Blame { reason, detail, .. } = bad.blame(value);
                        blame.reason = reason;
                        blame.detail = detail;
                    }
                    blame.properties.insert(bad.property.clone());
                }
            }
            About::Twins(rows) => doubts.twins.extend(rows),
            About::Nobody => _ = doubts.properties.insert(bad.property.clone()),
        }
    }
    (guilty, doubts)
}

/// The rows among `among` that carry each property, with their values.
fn find_carriers<'r>(
    rows: &'r [Row],
    among: &BTreeSet<usize>,
) -> BTreeMap<&'r str, Vec<(usize, &'r str)>> {
    let mut carriers: BTreeMap<&str, Vec<(usize, &str)>> = BTreeMap::new();
    let mut ids = Vec::new();
    for index in among {
        let row = &rows[*index];
        for (name, value) in &row.properties {
            carriers.entry(name).or_default().push((*index, value.as_str()));
        }
        ids.push((*index, row.task.id.as_str()));
    }
    // The id itself is written where a task is created; where others set the property, they are
    // meant.
    if let Some(first) = rows.first() {
        carriers.entry(&first.task.id_property).or_insert(ids);
    }
    carriers
}

/// Why an error refuses these rows, all of which it is about.
pub(super) fn blame_all(
    error: &Complaint,
    about: &BTreeSet<usize>,
    rows: &[Row],
) -> BTreeMap<usize, Blame> {
    blame_named(error, &bad_values(error), read_lack(error).as_ref(), about, rows)
}

/// The blame of each row that an error names: by the first of the bad values that it carries, else
/// by the property that the request lacks, else by the kind of error.
fn blame_named(
    error: &Complaint,
    values: &[BadValue],
    lacking: Option<&Blame>,
    about: &BTreeSet<usize>,
    rows: &[Row],
) -> BTreeMap<usize, Blame> {
    let mut firsts: BTreeMap<&str, (usize, &BadValue)> = BTreeMap::new();
    for (place, bad) in values.iter().enumerate() {
        firsts.entry(&bad.property).or_insert((place, bad));
    }
    let mut blamed = BTreeMap::new();
    for row in about {
        let mut first: Option<(usize, Blame)> = None;
        for (name, value) in rows[*row].values() {
            let Some((place, bad)) = firsts.get(name) else { continue };
            if first.as_ref().is_none_or(|(other, _)| place < other) {
                first = Some((*place, bad.blame(value)));
            }
        }
        let blame = match (first, lacking) {
            (Some((_, blame)), _) => blame,
            (None, Some(lacking)) => lacking.clone(),
            (None, None) => by_kind(error),
        };
        blamed.insert(*row, blame);
    }
    blamed
}

/// The blame of a single row whose refusal names no property.
pub(super) fn blame_one(refusal: &Refusal) -> Blame {
    if refusal.status == 409 { conflict() } else { by_kind(&refusal.complaint) }
}

/// The blame of a request that lacks something, if an error says so: a property that is required,
/// or the form of a request.
pub(super) fn read_lack(complaint: &Complaint) -> Option<Blame> {
    let mut properties = BTreeSet::new();
    let mut is_lacking = false;
    for error in complaint.all() {
        let message = error.message.to_lowercase();
        if message.starts_with("invalid input json") {
            let detail = "HubSpot can't read the request: Invalid input JSON; please report it";
            return Some(Blame::new(FailReason::Rejected, detail.to_owned()));
        }
        let says_required = message.contains("required propert")
            || message.ends_with("is required")
            || error.code.contains("REQUIRED");
        if says_required {
            is_lacking = true;
            properties.extend(error.property_names().map(str::to_owned));
            properties.extend(listed_names(&error.message).map(str::to_owned));
        }
    }
    if !is_lacking {
        return None;
    }
    let detail = if properties.is_empty() {
        "HubSpot requires a property that the update lacks, and doesn't name it".to_owned()
    } else {
        let names: Vec<_> = properties.iter().map(String::as_str).collect();
        format!("{}: HubSpot requires a value, and the update has none", names.join(", "))
    };
    Some(Blame { reason: FailReason::Rejected, detail, properties })
}

/// The names of properties in the list at the end of a message.
fn listed_names(message: &str) -> impl Iterator<Item = &str> {
    let (_, list) = message.rsplit_once('[').unwrap_or_default();
    let is_name = |name: &&str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    list.split([']', ',']).map(|name| name.trim().trim_matches('"')).filter(is_name)
}

/// Whether an error says that something exists already, or is being written.
pub(super) fn says_conflict(error: &Complaint) -> bool {
    let kinds = ["CONFLICT", "OBJECT_ALREADY_EXISTS", "CONFLICTING_UNIQUE_VALUE"];
    kinds.contains(&error.category.as_str()) || kinds.contains(&error.code.as_str())
}

/// The blame where nothing but the kind of error is known.
fn by_kind(error: &Complaint) -> Blame {
    if error.all().into_iter().any(says_conflict) {
        return conflict();
    }
    let kind = match (error.code.as_str(), error.category.as_str()) {
        ("", "") => "no reason given",
        ("", category) => category,
        (code, _) => code,
    };
    Blame::new(FailReason::Rejected, format!("HubSpot refuses it: {kind}"))
}

fn conflict() -> Blame {
    Blame::new(
        FailReason::Conflict,
        "it conflicts with another task, or with another write of the same task".to_owned(),
    )
}

/// The blame of everything that needed a call which was refused as a whole.
fn whole(refusal: &Refusal, id_property: &str) -> Blame {
    if refusal.complaint.message.contains("by non-unique") {
        let detail =
            format!("{id_property} is not a property with unique values; id_property needs one");
        return Blame::new(FailReason::NotUniqueProperty, detail);
    }
    if matches!(refusal.status, 400 | 409 | 413 | 422) && is_about_all(refusal, id_property) {
        let detail = format!("{id_property}: the portal has no such property");
        return Blame::new(FailReason::UnknownProperty, detail);
    }
    Blame::new(FailReason::Rejected, format!("HubSpot answered {}", refusal.status))
}

/// The outcome of an update whose call failed. `id_property` is that of its task.
pub(super) fn failed_call(error: &Error, id_property: &str) -> Outcome {
    match error {
        Error::Later { reason, detail, .. } => Outcome::Retry(*reason, detail.clone()),
        Error::Lost => Outcome::Retry(RetryReason::Unavailable, error.to_string()),
        Error::Refused(refusal) => whole(refusal, id_property).outcome(),
    }
}
