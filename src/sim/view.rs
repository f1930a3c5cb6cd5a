//! How HubSpot shows a record.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{
    object::{ObjectType, PORTAL_ID},
    records::Record,
};

/// The answer to a write: what was written (`""` where it was cleared), and some properties that
/// nobody asked for.
pub(super) fn written<'a>(
    object: ObjectType,
    record: &Record,
    names: impl Iterator<Item = &'a str>,
) -> Value {
    show(object, record, names, &Value::from(""))
}

/// The answer to a read: what was asked for (`null` where there is no value), and some properties
/// that nobody asked for.
pub(super) fn read(object: ObjectType, record: &Record, names: &[String]) -> Value {
    show(object, record, names.iter().map(String::as_str), &Value::Null)
}

/// The history of these properties, of which only the newest values are kept.
pub(super) fn history(object: ObjectType, record: &Record, names: &[String]) -> Value {
    let mut histories = Map::new();
    for name in names {
        if let Some(value) = record.properties.get(name) {
            let timestamp = &record.properties[object.modified()];
            let newest =
                json!({"value": value, "timestamp": timestamp, "sourceType": "INTEGRATION"});
            histories.insert(name.clone(), json!([newest]));
        }
    }
    histories.into()
}

fn show<'a>(
    object: ObjectType,
    record: &Record,
    names: impl Iterator<Item = &'a str>,
    nothing: &Value,
) -> Value {
    let always = [object.created(), object.modified(), "hs_object_id"];
    let value = |name: &str| match record.properties.get(name) {
        Some(value) => value.as_str().into(),
        None => nothing.clone(),
    };
    let mut properties = Map::new();
    for name in names.chain(always).collect::<BTreeSet<_>>() {
        properties.insert(name.to_owned(), value(name));
    }
    let (type_id, id) = (object.type_id(), &record.id);
    json!({
        "id": id,
        "properties": properties,
        "createdAt": value(object.created()),
        "updatedAt": value(object.modified()),
        "archived": false,
        "url": format!("https://app.hubspot.com/contacts/{PORTAL_ID}/record/{type_id}/{id}"),
    })
}
