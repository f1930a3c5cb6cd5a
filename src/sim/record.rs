//! `objects/tasks` and its like: the calls that concern one record, and the list of all.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::{
    answer::Answer,
    batch,
    draft::Draft,
    object::ObjectType,
    portal::Portal,
    records::Record,
    refusal::{self, Refusal},
    request::Request,
    version::Version,
    view,
};

/// Lists records by their ids; `archived` lists those that were archived.
pub(super) fn list(
    portal: &Portal,
    object: ObjectType,
    request: &Request,
) -> Result<Answer, Refusal> {
    let limit = request.number("limit", 10)?;
    let after = request.number("after", 0)?;
    let archived = request.flag("archived")?;
    if !(1..=MOST_RECORDS).contains(&limit) {
        return Err(refusal::validation(format!(
            "limit must be between 1 and {MOST_RECORDS}, not {limit}"
        )));
    }
    let records = portal.objects[object].records.by_archived(archived);
    let mut results = Vec::new();
    for record in records.values().skip(after).take(limit) {
        results.push(shown(portal, object, record, archived, request));
    }
    let next = after.saturating_add(limit);
    Ok(Answer::page(&results, (next < records.len()).then_some(next), limit))
}

/// Creates one record.
pub(super) fn create(
    portal: &mut Portal,
    object: ObjectType,
    version: Version,
    request: &Request,
    now: Timestamp,
) -> Result<Answer, Refusal> {
    let Values { properties } =
        serde_json::from_slice(&request.body).map_err(|e| refusal::bad_json(&e))?;
    let mut draft = Draft::new(portal, object, version, now);
    let refuse = |failure| batch::refuse(object, [failure], &portal.behaviour);
    let id = draft.create(&properties).map_err(refuse)?;
    portal.objects[object].records = draft.finish();
    written(portal, object, &id, &properties, 201)
}

/// Shows one record; `archived` shows one that was archived.
pub(super) fn read(
    portal: &Portal,
    object: ObjectType,
    id: &str,
    version: Version,
    request: &Request,
    now: Timestamp,
) -> Result<Answer, Refusal> {
    let archived = request.flag("archived")?;
    let found = if archived {
        id.to_owned()
    } else {
        find(portal, object, id, version, request, "read", now)?
    };
    match portal.objects[object].records.by_archived(archived).get(&found) {
        Some(record) => Ok(Answer::json(200, shown(portal, object, record, archived, request))),
        None => Err(refusal::record_not_found(id)),
    }
}

/// Writes to one record.
pub(super) fn update(
    portal: &mut Portal,
    object: ObjectType,
    id: &str,
    version: Version,
    request: &Request,
    now: Timestamp,
) -> Result<Answer, Refusal> {
    let Values { properties } =
        serde_json::from_slice(&request.body).map_err(|e| refusal::bad_json(&e))?;
    let found = find(portal, object, id, version, request, "update/upsert", now)?;
    let mut draft = Draft::new(portal, object, version, now);
    let refuse = |failure| batch::refuse(object, [failure], &portal.behaviour);
    draft.update(&found, &properties).map_err(refuse)?;
    portal.objects[object].records = draft.finish();
    written(portal, object, &found, &properties, 200)
}

/// Archives one record.
pub(super) fn archive(
    portal: &mut Portal,
    object: ObjectType,
    id: &str,
) -> Result<Answer, Refusal> {
    if portal.objects[object].records.get(id).is_none() {
        return Err(refusal::record_not_found(id));
    }
    portal.archive(object, id);
    Ok(Answer::empty())
}

/// The values that are written to one record.
#[derive(Deserialize)]
struct Values {
    properties: BTreeMap<String, String>,
}

/// The id of the record that the path and the parameter `idProperty` name.
fn find(
    portal: &Portal,
    object: ObjectType,
    id: &str,
    version: Version,
    request: &Request,
    verb: &str,
    now: Timestamp,
) -> Result<String, Refusal> {
    let id_property = request.parameter("idProperty");
    portal.check_id_property(object, id_property.as_deref(), verb)?;
    Draft::new(portal, object, version, now)
        .find(id_property.as_deref(), id)
        .ok_or_else(|| refusal::record_not_found(id))
}

/// The record with the properties that the parameter `properties` names, once with commas or again
/// and again.
fn shown(
    portal: &Portal,
    object: ObjectType,
    record: &Record,
    archived: bool,
    request: &Request,
) -> Value {
    let mut names = Vec::new();
    for list in request.parameters("properties") {
        names.extend(list.split(',').map(str::to_owned));
    }
    let mut shown = view::read(object, record, &portal.readable(object, &names));
    shown["archived"] = archived.into();
    shown
}

fn written(
    portal: &Portal,
    object: ObjectType,
    id: &str,
    properties: &BTreeMap<String, String>,
    status: u16,
) -> Result<Answer, Refusal> {
    let record =
        portal.objects[object].records.get(id).ok_or_else(|| refusal::record_not_found(id))?;
    let names = properties.keys().map(String::as_str);
    Ok(Answer::json(status, view::written(object, record, names)))
}

/// HubSpot's most records on one page.
const MOST_RECORDS: usize = 100;
