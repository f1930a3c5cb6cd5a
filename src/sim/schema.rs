//! `/crm/v3/properties/tasks`: the definitions of task properties.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    answer::Answer,
    property::Property,
    refusal::{self, Refusal},
};

type Schema = BTreeMap<String, Property>;

/// Lists every definition.
pub(super) fn list(schema: &Schema) -> Answer {
    let results: Vec<&Property> = schema.values().collect();
    Answer::json(200, json!({ "results": results }))
}

/// Shows one definition.
pub(super) fn show(schema: &Schema, name: &str) -> Result<Answer, Refusal> {
    let property = schema.get(name).ok_or_else(|| {
        let message = format!("Property \"{name}\" does not exist");
        Refusal::new(404, "OBJECT_NOT_FOUND", message).context("propertyName", &[name])
    })?;
    Ok(Answer::json(200, json!(property)))
}

/// Creates a property, as strict as HubSpot: it wants all of a definition, and at most ten unique properties.
pub(super) fn create(schema: &mut Schema, body: &[u8]) -> Result<Answer, Refusal> {
    let fields: Value = serde_json::from_slice(body).map_err(|e| refusal::bad_json(&e))?;
    for field in ["name", "label", "type", "fieldType", "groupName"] {
        if fields[field].as_str().is_none_or(str::is_empty) {
            return Err(refusal::required_field(field));
        }
    }
    let mut property: Property = serde_json::from_slice(body).map_err(|e| refusal::bad_json(&e))?;
    check(schema, &property)?;
    property.modification_metadata.archivable = true;
    property.rest.insert("hubspotDefined".into(), false.into());
    let property = property.complete();
    let shown = json!(property);
    schema.insert(property.name.clone(), property);
    Ok(Answer::json(201, shown))
}

fn check(schema: &Schema, property: &Property) -> Result<(), Refusal> {
    let Property { name, kind, field_type, .. } = property;
    if schema.contains_key(name) {
        let message = format!("A property named '{name}' already exists.");
        return Err(Refusal::new(409, "OBJECT_ALREADY_EXISTS", message).context("name", &[name]));
    }
    let in_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(in_name) {
        return Err(refusal::validation(format!(
            "Property name '{name}' must begin with a lower-case letter and hold only lower-case letters, digits and underscores"
        )));
    }
    let suits: &[&str] = match kind.as_str() {
        "string" => &["text", "textarea", "html", "file", "phonenumber"],
        "number" => &["number"],
        "bool" => &["booleancheckbox"],
        "enumeration" => &["select", "radio", "checkbox", "booleancheckbox"],
        "date" | "datetime" => &["date"],
        "phone_number" => &["phonenumber"],
        _ => {
            return Err(refusal::validation(format!("{kind} is not a property type")));
        }
    };
    if !suits.contains(&field_type.as_str()) {
        return Err(refusal::validation(format!("fieldType {field_type} does not suit type {kind}")));
    }
    let unique = schema.values().filter(|p| p.has_unique_value).count();
    if property.has_unique_value && unique >= MOST_UNIQUE {
        return Err(refusal::validation(format!(
            "An object can have at most {MOST_UNIQUE} properties with unique values"
        )));
    }
    Ok(())
}

/// HubSpot's most unique properties on one object.
const MOST_UNIQUE: usize = 10;
