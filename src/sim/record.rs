//! `/crm/v3/objects/tasks/{taskId}`: one task.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::{
    answer::{Answer, Request},
    batch,
    draft::Draft,
    portal::Portal,
    refusal::{self, Refusal},
    version::Version,
    view,
};

/// Shows one task; the parameter `properties` names what to show, as a list with commas or again and again.
pub(super) fn read(
    portal: &Portal,
    id: &str,
    version: Version,
    request: &Request,
    now: Timestamp,
) -> Result<Answer, Refusal> {
    let found = find(portal, id, version, request, "read", now)?;
    let task = portal.tasks.get(&found);
    let task = task.ok_or_else(|| refusal::task_not_found(id))?;
    let lists = request.parameters("properties");
    let names = lists.iter().flat_map(|list| list.split(','));
    let names: Vec<String> = names.map(str::to_owned).collect();
    Ok(Answer::json(200, view::read(task, &names)))
}

/// Writes to one task.
pub(super) fn update(
    portal: &mut Portal,
    id: &str,
    version: Version,
    request: &Request,
    now: Timestamp,
) -> Result<Answer, Refusal> {
    #[derive(Deserialize)]
    struct Update {
        properties: BTreeMap<String, String>,
    }
    let update: Update = serde_json::from_slice(&request.body).map_err(|e| refusal::bad_json(&e))?;
    let found = find(portal, id, version, request, "update/upsert", now)?;
    let mut draft = Draft::new(portal, version, now);
    draft.update(&found, &update.properties).map_err(|failure| batch::refuse([failure], &portal.behaviour))?;
    portal.tasks = draft.finish();
    let task = portal.tasks.get(&found);
    let task = task.ok_or_else(|| refusal::task_not_found(id))?;
    let names = update.properties.keys().map(String::as_str);
    Ok(Answer::json(200, view::written(task, names)))
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
    Draft::new(portal, version, now).find(id_property.as_deref(), id).ok_or_else(|| refusal::task_not_found(id))
}
