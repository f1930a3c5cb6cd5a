//! HubSpot's error bodies, word for word where a recorded one is known.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    answer::Answer,
    invalid::Invalid,
    object::{ObjectType, PORTAL_ID},
};

/// An error object and the status it answers with. As an answer it gets a `correlationId`; in
/// `errors[]` of a batch it stands as it is.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) error: Value,
}

impl Refusal {
    pub(super) fn new(status: u16, category: &str, message: impl Into<String>) -> Self {
        let message: String = message.into();
        let error = json!({"status": "error", "message": message, "category": category});
        Self { status, error }
    }

    /// Adds one entry to `context`, whose values are always lists of strings.
    pub(super) fn context(mut self, name: &str, values: &[impl AsRef<str>]) -> Self {
        let values: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
        self.error["context"][name] = json!(values);
        self
    }

    /// Sets one more field.
    pub(super) fn with(mut self, field: &str, value: Value) -> Self {
        self.error[field] = value;
        self
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Self::json(refusal.status, refusal.error)
    }
}

/// How much a refused batch tells about its mistakes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Detail {
    /// Names nothing.
    pub(super) terse: bool,
    /// Names no value.
    pub(super) vague: bool,
    /// `errors[]` names only the first property.
    pub(super) incomplete: bool,
}

pub(super) fn invalid_values(invalid: &[Invalid], detail: Detail) -> Refusal {
    let summary = "Property values were not valid";
    if detail.terse {
        return validation(summary);
    }
    let mut named = Vec::new();
    let mut errors = Vec::new();
    for value in invalid {
        let Invalid { name, code, message } = value;
        let told =
            if detail.vague && value.is_about_value() { "Enter a valid value" } else { message };
        let mut entry = json!({"isValid": false, "message": told, "error": code, "name": name});
        if value.is_listed() {
            entry["localizedErrorMessage"] = told.into();
            errors
                .push(json!({"message": told, "code": code, "context": {"propertyName": [name]}}));
        }
        named.push(entry);
    }
    if detail.incomplete {
        errors.truncate(1);
    }
    let refusal = validation(format!("{summary}: {}", json!(named)));
    if errors.is_empty() { refusal } else { refusal.with("errors", errors.into()) }
}

pub(super) fn missing_required(object: ObjectType, creating: bool, names: &[String]) -> Refusal {
    let verb = if creating { "creating" } else { "updating" };
    let kind = object.singular().to_uppercase();
    validation(format!("Error {verb} {kind}. Some required properties were not set."))
        .context("properties", names)
}

pub(super) fn duplicate_ids(ids: &[String]) -> Refusal {
    validation(format!(
        "Duplicate IDs found in batch input: [{}]. IDs must be unique",
        ids.join(", ")
    ))
    .context("ids", ids)
}

pub(super) fn not_unique(object: ObjectType, name: &str, verb: &str) -> Refusal {
    let type_id = object.type_id();
    validation(format!(
        "Unable to perform {verb} by non-unique {type_id} property {name} in portal ID \
         {PORTAL_ID}"
    ))
}

pub(super) fn several_id_properties() -> Refusal {
    validation("All inputs of a batch must use the same idProperty")
}

pub(super) fn too_many_inputs(count: usize, most: usize) -> Refusal {
    validation(format!(
        "The maximum number of inputs in a batch request is {most}, but {count} were sent"
    ))
}

pub(super) fn bad_json(error: &serde_json::Error) -> Refusal {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or_default();
    let (line, column) = (error.line(), error.column());
    validation(format!("Invalid input JSON on line {line}, column {column}: {what}"))
}

pub(super) fn required_field(name: &str) -> Refusal {
    validation(format!("Invalid input JSON: Some required fields were not set: [{name}]"))
}

pub(super) fn validation(message: impl Into<String>) -> Refusal {
    Refusal::new(400, "VALIDATION_ERROR", message)
}

/// One error object for all the ids of a batch that were not found.
pub(super) fn records_not_found(object: ObjectType, ids: &[String]) -> Refusal {
    let kind = object.singular().to_uppercase();
    let message = format!(
        "Could not get some {kind} objects, they may be deleted or not exist. Check that ids are \
         valid."
    );
    Refusal::new(404, "OBJECT_NOT_FOUND", message).context("ids", ids)
}

pub(super) fn record_not_found(id: &str) -> Refusal {
    let message = "Object not found.  objectId are usually numeric.";
    Refusal::new(404, "OBJECT_NOT_FOUND", message).context("id", &[id])
}

/// No default association of these types is known here.
pub(super) fn no_default_association(from: ObjectType, to: ObjectType) -> Refusal {
    let (from, to) = (from.singular(), to.singular());
    validation(format!("There is no default association of a {from} with a {to}"))
}

/// HubSpot's own words are not yet proven: L57, L58. The names in `context` are those of
/// [`no_associations`].
pub(super) fn nothing_to_associate(
    from: ObjectType,
    from_id: &str,
    to: ObjectType,
    to_id: &str,
) -> Refusal {
    let (from, to) = (from.singular(), to.singular());
    let message = format!(
        "Could not associate {from} {from_id} with {to} {to_id}, one of them may be deleted or not \
         exist."
    );
    Refusal::new(404, "OBJECT_NOT_FOUND", message)
        .context("fromObjectType", &[from])
        .context("fromObjectId", &[from_id])
        .context("toObjectType", &[to])
        .context("toObjectId", &[to_id])
}

/// Word for word as others have recorded it. Not yet proven: L60.
pub(super) fn no_associations(from: ObjectType, from_id: &str, to: ObjectType) -> Refusal {
    let (from, to) = (from.singular(), to.singular());
    let message = format!("No {to} is associated with {from} {from_id}.");
    Refusal::new(404, "OBJECT_NOT_FOUND", message)
        .with("subCategory", json!("crm.associations.NO_ASSOCIATIONS_FOUND"))
        .context("fromObjectType", &[from])
        .context("fromObjectId", &[from_id])
        .context("toObjectType", &[to])
}

pub(super) fn no_such_property(name: &str) -> Refusal {
    let message = format!("Property \"{name}\" does not exist");
    Refusal::new(404, "OBJECT_NOT_FOUND", message).context("propertyName", &[name])
}

pub(super) fn no_such_group(name: &str) -> Refusal {
    let message = format!("Property group \"{name}\" does not exist");
    Refusal::new(404, "OBJECT_NOT_FOUND", message).context("groupName", &[name])
}

pub(super) fn missing_scopes(any: &[&str]) -> Refusal {
    let message = "This app hasn't been granted all required scopes to make this call. Read more \
                   about required scopes here: https://developers.hubspot.com/scopes.";
    let error = json!({
        "message": "One or more of the following scopes are required.",
        "context": {"requiredGranularScopes": any},
    });
    Refusal::new(403, "MISSING_SCOPES", message)
        .with("links", json!({"scopes": "https://developers.hubspot.com/scopes"}))
        .with("errors", json!([error]))
}

pub(super) fn no_such_path(path: &str) -> Refusal {
    Refusal::new(404, "OBJECT_NOT_FOUND", "resource not found").context("path", &[path])
}

pub(super) fn no_credentials() -> Refusal {
    let message = "Authentication credentials not found. This API supports OAuth 2.0 \
                   authentication and you can find more details at \
                   https://developers.hubspot.com/docs/methods/auth/oauth-overview";
    Refusal::new(401, "INVALID_AUTHENTICATION", message)
}

/// HubSpot reads a malformed token as one that expired at the epoch, 20,000 days ago.
pub(super) fn expired(at: Timestamp, now: Timestamp) -> Refusal {
    let hours = now.duration_since(at).as_hours();
    let ago = match hours / 24 {
        0 => format!("{hours} hour(s)"),
        days => format!("{days} day(s)"),
    };
    let message = format!("The OAuth token used to make this call expired {ago} ago.");
    Refusal::new(401, "EXPIRED_AUTHENTICATION", message)
        .context("expire time", &[format!("{at:.3}")])
}
