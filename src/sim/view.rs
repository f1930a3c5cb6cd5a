//! How HubSpot shows a task.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::tasks::{PORTAL_ID, TASK_TYPE, Task};

/// The answer to a write: what was written (`""` where it was cleared), and some properties that
/// nobody asked for.
pub(super) fn written<'a>(task: &Task, names: impl Iterator<Item = &'a str>) -> Value {
    show(task, names, &Value::from(""))
}

/// The answer to a read: what was asked for (`null` where there is no value), and some properties
/// that nobody asked for.
pub(super) fn read(task: &Task, names: &[String]) -> Value {
    show(task, names.iter().map(String::as_str), &Value::Null)
}

/// The history of these properties, of which only the newest values are kept.
pub(super) fn history(task: &Task, names: &[String]) -> Value {
    let mut histories = Map::new();
    for name in names {
        if let Some(value) = task.properties.get(name) {
            let timestamp = &task.properties["hs_lastmodifieddate"];
            let newest =
                json!({"value": value, "timestamp": timestamp, "sourceType": "INTEGRATION"});
            histories.insert(name.clone(), json!([newest]));
        }
    }
    histories.into()
}

fn show<'a>(task: &Task, names: impl Iterator<Item = &'a str>, nothing: &Value) -> Value {
    let value = |name: &str| match task.properties.get(name) {
        Some(value) => value.as_str().into(),
        None => nothing.clone(),
    };
    let mut properties = Map::new();
    for name in names.chain(ALWAYS_SHOWN).collect::<BTreeSet<_>>() {
        properties.insert(name.to_owned(), value(name));
    }
    let url =
        format!("https://app.hubspot.com/contacts/{PORTAL_ID}/record/{TASK_TYPE}/{}", task.id);
    json!({
        "id": task.id,
        "properties": properties,
        "createdAt": value("hs_createdate"),
        "updatedAt": value("hs_lastmodifieddate"),
        "archived": false,
        "url": url,
    })
}

const ALWAYS_SHOWN: [&str; 3] = ["hs_createdate", "hs_lastmodifieddate", "hs_object_id"];
