//! `properties/tasks/groups` and its like: the calls that concern groups of properties.

use serde::Deserialize;
use serde_json::json;

use super::{
    answer::Answer,
    refusal::{self, Refusal},
    schema::{Group, Schema},
};

/// Lists every group.
pub(super) fn list(schema: &Schema) -> Answer {
    let results: Vec<&Group> = schema.groups().collect();
    Answer::json(200, json!({ "results": results }))
}

/// Shows one group.
pub(super) fn show(schema: &Schema, name: &str) -> Result<Answer, Refusal> {
    Ok(Answer::json(200, json!(find(schema, name)?)))
}

/// Creates a group.
pub(super) fn create(schema: &mut Schema, body: &[u8]) -> Result<Answer, Refusal> {
    let group: Group = serde_json::from_slice(body).map_err(|e| refusal::bad_json(&e))?;
    if schema.group(&group.name).is_some() {
        let message = format!("A property group named '{}' already exists.", group.name);
        return Err(
            Refusal::new(409, "OBJECT_ALREADY_EXISTS", message).context("name", &[group.name])
        );
    }
    let group = Group { archived: false, ..group };
    let shown = json!(group);
    schema.put_group(group);
    Ok(Answer::json(201, shown))
}

/// Changes the label of a group, and where it is shown.
pub(super) fn update(schema: &mut Schema, name: &str, body: &[u8]) -> Result<Answer, Refusal> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Update {
        label: Option<String>,
        display_order: Option<i32>,
    }
    let update: Update = serde_json::from_slice(body).map_err(|e| refusal::bad_json(&e))?;
    let mut group = find(schema, name)?.clone();
    group.label = update.label.unwrap_or(group.label);
    group.display_order = update.display_order.unwrap_or(group.display_order);
    let shown = json!(group);
    schema.put_group(group);
    Ok(Answer::json(200, shown))
}

/// Archives a group. Its properties stay.
pub(super) fn archive(schema: &mut Schema, name: &str) -> Result<Answer, Refusal> {
    let group = find(schema, name)?.clone();
    schema.put_group(Group { archived: true, ..group });
    Ok(Answer::empty())
}

fn find<'a>(schema: &'a Schema, name: &str) -> Result<&'a Group, Refusal> {
    schema.group(name).ok_or_else(|| refusal::no_such_group(name))
}
