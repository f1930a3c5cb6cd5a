//! `objects/tasks`: the calls that concern one task, and the list of all.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::{
    answer::Answer,
    batch,
    draft::Draft,
    portal::Portal,
    refusal::{self, Refusal},
    request::Request,
    tasks::Task,
    version::Version,
    view,
};

/// Lists tasks by their record ids; `archived` lists those that were archived.
pub(super) fn list(portal: &Portal, request: &Request) -> Result<Answer, Refusal> {
    let limit = request.number("limit", 10)?;
    let after = request.number("after", 0)?;
    let archived = request.flag("archived")?;
    if !(1..=MOST_TASKS).contains(&limit) {
        return Err(refusal::validation(format!(
            "limit must be between 1 and {MOST_TASKS}, not {limit}"
        )));
    }
    let tasks = portal.tasks.by_archived(archived);
    let mut results = Vec::new();
    for task in tasks.values().skip(after).take(limit) {
        results.push(shown(portal, task, archived, request));
    }
    let next = after.saturating_add(limit);
    Ok(Answer::page(&results, (next < tasks.len()).then_some(next), limit))
}

/// Creates one task.
pub(super) fn create(
    portal: &mut Portal,
    version: Version,
    request: &Request,
    now: Timestamp,
) -> Result<Answer, Refusal> {
    let Values { properties } =
        serde_json::from_slice(&request.body).map_err(|e| refusal::bad_json(&e))?;
    let mut draft = Draft::new(portal, version, now);
    let refuse = |failure| batch::refuse([failure], &portal.behaviour);
    let id = draft.create(&properties).map_err(refuse)?;
    portal.tasks = draft.finish();
    written(portal, &id, &properties, 201)
}

/// Shows one task; `archived` shows one that was archived.
pub(super) fn read(
    portal: &Portal,
    id: &str,
    version: Version,
    request: &Request,
    now: Timestamp,
) -> Result<Answer, Refusal> {
    let archived = request.flag("archived")?;
    let found =
        if archived { id.to_owned() } else { find(portal, id, version, request, "read", now)? };
    match portal.tasks.by_archived(archived).get(&found) {
        Some(task) => Ok(Answer::json(200, shown(portal, task, archived, request))),
        None => Err(refusal::task_not_found(id)),
    }
}

/// Writes to one task.
pub(super) fn update(
    portal: &mut Portal,
    id: &str,
    version: Version,
    request: &Request,
    now: Timestamp,
) -> Result<Answer, Refusal> {
    let Values { properties } =
        serde_json::from_slice(&request.body).map_err(|e| refusal::bad_json(&e))?;
    let found = find(portal, id, version, request, "update/upsert", now)?;
    let mut draft = Draft::new(portal, version, now);
    let refuse = |failure| batch::refuse([failure], &portal.behaviour);
    draft.update(&found, &properties).map_err(refuse)?;
    portal.tasks = draft.finish();
    written(portal, &found, &properties, 200)
}

/// Archives one task.
pub(super) fn archive(portal: &mut Portal, id: &str) -> Result<Answer, Refusal> {
    if portal.tasks.get(id).is_none() {
        return Err(refusal::task_not_found(id));
    }
    portal.tasks.archive(id);
    Ok(Answer::empty())
}

/// The values that are written to one task.
#[derive(Deserialize)]
struct Values {
    properties: BTreeMap<String, String>,
}

/// The record id of the task that the path and the parameter `idProperty` name.
fn find(
    portal: &Portal,
    id: &str,
    version: Version,
    request: &Request,
    verb: &str,
    now: Timestamp,
) -> Result<String, Refusal> {
    let id_property = request.parameter("idProperty");
    portal.check_id_property(id_property.as_deref(), verb)?;
    Draft::new(portal, version, now)
        .find(id_property.as_deref(), id)
        .ok_or_else(|| refusal::task_not_found(id))
}

/// The task with the properties that the parameter `properties` names, once with commas or again
/// and again.
fn shown(portal: &Portal, task: &Task, archived: bool, request: &Request) -> Value {
    let mut names = Vec::new();
    for list in request.parameters("properties") {
        names.extend(list.split(',').map(str::to_owned));
    }
    let mut shown = view::read(task, &portal.readable(&names));
    shown["archived"] = archived.into();
    shown
}

fn written(
    portal: &Portal,
    id: &str,
    properties: &BTreeMap<String, String>,
    status: u16,
) -> Result<Answer, Refusal> {
    let task = portal.tasks.get(id).ok_or_else(|| refusal::task_not_found(id))?;
    let names = properties.keys().map(String::as_str);
    Ok(Answer::json(status, view::written(task, names)))
}

/// HubSpot's most tasks on one page.
const MOST_TASKS: usize = 100;
