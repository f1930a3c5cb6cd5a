//! `properties/tasks` and its like: the calls that concern definitions of properties.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    answer::Answer,
    object::ObjectType,
    outcome::Outcome,
    portal::Portal,
    property::Property,
    refusal::{self, Refusal},
    request::Request,
    schema::Schema,
    scopes::Scopes,
};

/// Lists the definitions of one sensitivity; `archived` lists those that were archived.
pub(super) fn list(
    portal: &Portal,
    object: ObjectType,
    request: &Request,
) -> Result<Answer, Refusal> {
    let archived = request.flag("archived")?;
    let sensitivity = sensitivity(&portal.scopes, object, request.parameter("dataSensitivity"))?;
    let mut results = Vec::new();
    for property in portal.objects[object].schema.all() {
        if property.is_archived() == archived && property.sensitivity() == sensitivity {
            results.push(property);
        }
    }
    Ok(Answer::json(200, json!({ "results": results })))
}

/// Shows one definition.
pub(super) fn show(
    portal: &Portal,
    object: ObjectType,
    name: &str,
    request: &Request,
) -> Result<Answer, Refusal> {
    let archived = request.flag("archived")?;
    let sensitivity = sensitivity(&portal.scopes, object, request.parameter("dataSensitivity"))?;
    match portal.objects[object].schema.find(name, archived) {
        Some(property) if property.sensitivity() == sensitivity => {
            Ok(Answer::json(200, json!(property)))
        }
        _ => Err(refusal::no_such_property(name)),
    }
}

/// Creates a property.
pub(super) fn create(schema: &mut Schema, body: &[u8]) -> Result<Answer, Refusal> {
    let fields = serde_json::from_slice(body).map_err(|e| refusal::bad_json(&e))?;
    Ok(Answer::json(201, create_one(schema, &fields)?))
}

/// Changes the fields of a definition that it is given; the name and whether values are unique
/// stay.
pub(super) fn update(schema: &mut Schema, name: &str, body: &[u8]) -> Result<Answer, Refusal> {
    let changes: Map<String, Value> =
        serde_json::from_slice(body).map_err(|e| refusal::bad_json(&e))?;
    let property = schema.get(name).ok_or_else(|| refusal::no_such_property(name))?;
    if property.modification_metadata.read_only_definition {
        return Err(refusal::validation(format!(
            "The definition of property '{name}' is read only"
        )));
    }
    let mut fields = json!(property);
    for (field, value) in changes {
        if CHANGEABLE.contains(&field.as_str()) {
            fields[field] = value;
        }
    }
    let property: Property = serde_json::from_value(fields).map_err(|e| refusal::bad_json(&e))?;
    check_form(schema, &property)?;
    let property = property.complete(schema.object);
    let shown = json!(property);
    schema.put(property);
    Ok(Answer::json(200, shown))
}

/// Archives a property; HubSpot's own can't be.
pub(super) fn archive(schema: &mut Schema, name: &str) -> Result<Answer, Refusal> {
    let mut property = schema.get(name).ok_or_else(|| refusal::no_such_property(name))?.clone();
    if property.is_hubspots() {
        return Err(refusal::validation(format!("Property '{name}' can't be archived")));
    }
    property.rest.insert("archived".into(), true.into());
    schema.put(property);
    Ok(Answer::empty())
}

/// Creates several properties. Ones that can't be created become errors of the batch.
pub(super) fn create_batch(schema: &mut Schema, body: &[u8]) -> Result<Outcome, Refusal> {
    let batch: Batch<Value> = serde_json::from_slice(body).map_err(|e| refusal::bad_json(&e))?;
    let mut outcome = Outcome::default();
    for fields in &batch.inputs {
        match create_one(schema, fields) {
            Ok(shown) => outcome.results.push(shown),
            Err(refusal) => outcome.add_error(refusal),
        }
    }
    Ok(outcome)
}

/// Reads several definitions.
pub(super) fn read_batch(
    portal: &Portal,
    object: ObjectType,
    body: &[u8],
) -> Result<Outcome, Refusal> {
    let batch: Batch<Name> = serde_json::from_slice(body).map_err(|e| refusal::bad_json(&e))?;
    let sensitivity = sensitivity(&portal.scopes, object, batch.data_sensitivity)?;
    let mut outcome = Outcome::default();
    for Name { name } in &batch.inputs {
        match portal.objects[object].schema.find(name, batch.archived) {
            Some(property) if property.sensitivity() == sensitivity => {
                outcome.results.push(json!(property));
            }
            _ => outcome.add_error(refusal::no_such_property(name)),
        }
    }
    Ok(outcome)
}

/// Archives several properties. A property that doesn't exist is as good as archived.
pub(super) fn archive_batch(schema: &mut Schema, body: &[u8]) -> Result<Answer, Refusal> {
    let batch: Batch<Name> = serde_json::from_slice(body).map_err(|e| refusal::bad_json(&e))?;
    for Name { name } in &batch.inputs {
        if schema.get(name).is_some() {
            archive(schema, name)?;
        }
    }
    Ok(Answer::empty())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Batch<T> {
    inputs: Vec<T>,
    #[serde(default)]
    archived: bool,
    data_sensitivity: Option<String>,
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

/// Checks the sensitivity that is asked for. That of a sensitive property is its own scope's
/// business.
fn sensitivity(
    scopes: &Scopes,
    object: ObjectType,
    asked: Option<String>,
) -> Result<String, Refusal> {
    let asked = asked.unwrap_or_else(|| "non_sensitive".into());
    if !["non_sensitive", "sensitive", "highly_sensitive"].contains(&asked.as_str()) {
        return Err(refusal::validation(format!("{asked} is not a dataSensitivity")));
    }
    scopes.require_sensitive(object, &asked, "read")?;
    Ok(asked)
}

/// Creates a property, as strict as HubSpot: it wants all of a definition, and at most ten unique
/// properties.
fn create_one(schema: &mut Schema, fields: &Value) -> Result<Value, Refusal> {
    for field in ["name", "label", "type", "fieldType", "groupName"] {
        if fields[field].as_str().is_none_or(str::is_empty) {
            return Err(refusal::required_field(field));
        }
    }
    let mut property = Property::deserialize(fields).map_err(|e| refusal::bad_json(&e))?;
    check_name(schema, &property)?;
    check_form(schema, &property)?;
    property.modification_metadata.archivable = true;
    property.rest.insert("hubspotDefined".into(), false.into());
    let property = property.complete(schema.object);
    let shown = json!(property);
    schema.put(property);
    Ok(shown)
}

fn check_name(schema: &Schema, property: &Property) -> Result<(), Refusal> {
    let name = &property.name;
    if schema.get(name).is_some() {
        let message = format!("A property named '{name}' already exists.");
        return Err(Refusal::new(409, "OBJECT_ALREADY_EXISTS", message).context("name", &[name]));
    }
    let in_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(in_name) {
        return Err(refusal::validation(format!(
            "Property name '{name}' must begin with a lower-case letter and hold only lower-case \
             letters, digits and underscores"
        )));
    }
    let unique = schema.all().filter(|p| p.has_unique_value && !p.is_archived()).count();
    if property.has_unique_value && unique >= MOST_UNIQUE {
        return Err(refusal::validation(format!(
            "An object can have at most {MOST_UNIQUE} properties with unique values"
        )));
    }
    Ok(())
}

/// Checks that the type, the field and the group suit.
fn check_form(schema: &Schema, property: &Property) -> Result<(), Refusal> {
    let Property { kind, field_type, .. } = property;
    let suits: &[&str] = match kind.as_str() {
        "string" => &["text", "textarea", "html", "file", "phonenumber"],
        "number" => &["number"],
        "bool" => &["booleancheckbox"],
        "enumeration" => &["select", "radio", "checkbox", "booleancheckbox"],
        "date" | "datetime" => &["date"],
        "phone_number" => &["phonenumber"],
        _ => return Err(refusal::validation(format!("{kind} is not a property type"))),
    };
    if !suits.contains(&field_type.as_str()) {
        return Err(refusal::validation(format!(
            "fieldType {field_type} does not suit type {kind}"
        )));
    }
    if schema.group(property.group()).is_none() {
        return Err(refusal::validation(format!(
            "Property group '{}' does not exist",
            property.group()
        )));
    }
    Ok(())
}

/// The fields of a definition that can be changed.
const CHANGEABLE: [&str; 9] = [
    "label",
    "type",
    "fieldType",
    "groupName",
    "description",
    "options",
    "displayOrder",
    "hidden",
    "formField",
];

/// HubSpot's most unique properties on one object.
const MOST_UNIQUE: usize = 10;
