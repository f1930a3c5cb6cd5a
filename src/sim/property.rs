//! Definitions of properties, as `GET /crm/v3/properties/tasks` shows them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::object::ObjectType;

/// One property of an object type. Fields that the stand-in has no use for are kept and shown as
/// they came, so that a portal's own definitions can be its seed.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Property {
    /// Internal name, the one the API goes by.
    pub name: String,
    /// The name for people; default: the internal name.
    #[serde(default)]
    pub label: String,
    /// `string` (the default), `number`, `bool`, `enumeration`, `date`, `datetime`, `phone_number`.
    #[serde(default, rename = "type")]
    pub kind: String,
    /// How HubSpot's forms show it; `checkbox` lets an enumeration hold several values. Default:
    /// what suits the type.
    #[serde(default)]
    pub field_type: String,
    /// The allowed values of an enumeration.
    #[serde(default)]
    pub options: Vec<Choice>,
    /// Whether two records may not share a value; only such a property can be an `idProperty`.
    #[serde(default)]
    pub has_unique_value: bool,
    /// The rights of the API.
    #[serde(default)]
    pub modification_metadata: ModificationMetadata,
    /// Everything else that HubSpot says about it.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// One allowed value of an enumeration.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Choice {
    /// The value that the API takes.
    pub value: String,
    /// The name for people; default: the value.
    #[serde(default)]
    pub label: String,
    /// Everything else that HubSpot says about it.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// The changes to a property that the API may make.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ModificationMetadata {
    /// Whether the property can be archived.
    pub archivable: bool,
    /// Whether its definition is fixed.
    pub read_only_definition: bool,
    /// Whether its value can't be set.
    pub read_only_value: bool,
}

impl Property {
    /// The definition with the fields filled in that HubSpot always shows.
    #[must_use]
    pub(super) fn complete(mut self, object: ObjectType) -> Self {
        if self.kind.is_empty() {
            self.kind = "string".into();
        }
        if self.label.is_empty() {
            self.label.clone_from(&self.name);
        }
        if self.field_type.is_empty() {
            self.field_type = match self.kind.as_str() {
                "number" => "number",
                "bool" => "booleancheckbox",
                "enumeration" => "select",
                "date" | "datetime" => "date",
                _ => "text",
            }
            .into();
        }
        if self.kind == "bool" && self.options.is_empty() {
            self.options = choices(&["true", "false"]);
        }
        for (order, option) in (0_u32..).zip(&mut self.options) {
            if option.label.is_empty() {
                option.label.clone_from(&option.value);
            }
            fill(&mut option.rest, "displayOrder", order.into());
            fill(&mut option.rest, "hidden", false.into());
        }
        fill(&mut self.rest, "description", "".into());
        fill(&mut self.rest, "groupName", object.group().into());
        fill(&mut self.rest, "archived", false.into());
        fill(&mut self.rest, "dataSensitivity", "non_sensitive".into());
        self
    }

    /// Whether a value of the property belongs to one record alone, which can be found by it. An
    /// e-mail address is one contact's, though its definition doesn't say so.
    pub(super) fn identifies(&self, object: ObjectType) -> bool {
        self.has_unique_value || object.is_email(&self.name)
    }

    /// Whether the property holds the id of one of the portal's owners.
    pub(super) fn holds_owner(&self) -> bool {
        self.rest.get("referencedObjectType") == Some(&json!("OWNER"))
    }

    /// Whether its options are kept elsewhere, such as owners and queues.
    pub(super) fn has_external_options(&self) -> bool {
        self.rest.get("externalOptions") == Some(&json!(true))
    }

    /// The group that it is in.
    pub(super) fn group(&self) -> &str {
        self.rest.get("groupName").and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether it is one of HubSpot's own.
    pub(super) fn is_hubspots(&self) -> bool {
        self.rest.get("hubspotDefined") == Some(&json!(true))
    }

    /// Whether it was archived.
    pub(super) fn is_archived(&self) -> bool {
        self.rest.get("archived") == Some(&json!(true))
    }

    /// `non_sensitive`, `sensitive` or `highly_sensitive`.
    pub(super) fn sensitivity(&self) -> &str {
        self.rest.get("dataSensitivity").and_then(Value::as_str).unwrap_or("non_sensitive")
    }

    fn new(name: &str, label: &str, kind: &str, field_type: &str) -> Self {
        Self {
            name: name.into(),
            label: label.into(),
            kind: kind.into(),
            field_type: field_type.into(),
            rest: Map::from_iter([("hubspotDefined".into(), true.into())]),
            ..Self::default()
        }
    }

    fn with_options(mut self, options: &[&str]) -> Self {
        self.options = choices(options);
        self
    }

    fn read_only(mut self) -> Self {
        self.modification_metadata.read_only_definition = true;
        self.modification_metadata.read_only_value = true;
        self
    }
}

/// The properties that every portal has (those that matter here).
pub(super) fn built_in(object: ObjectType) -> Vec<Property> {
    let text = |name: &str, label: &str| Property::new(name, label, "string", "text");
    let mut properties = match object {
        ObjectType::Tasks => of_tasks(),
        ObjectType::Contacts => vec![
            text("email", "Email"),
            text("hs_additional_emails", "Additional email addresses"),
            text("firstname", "First Name"),
            text("lastname", "Last Name"),
        ],
        ObjectType::Companies => {
            vec![text("name", "Company name"), text("domain", "Company Domain Name")]
        }
        ObjectType::Deals => vec![
            text("dealname", "Deal Name"),
            text("dealstage", "Deal Stage"),
            text("pipeline", "Pipeline"),
        ],
        ObjectType::Tickets => vec![
            text("subject", "Ticket name"),
            Property::new("content", "Ticket description", "string", "textarea"),
            text("hs_pipeline", "Pipeline"),
            text("hs_pipeline_stage", "Ticket status"),
        ],
    };
    properties.extend([
        owner(),
        Property::new("hs_object_id", "Record ID", "number", "number").read_only(),
        Property::new(object.created(), "Created at", "datetime", "date").read_only(),
        Property::new(object.modified(), "Last modified", "datetime", "date").read_only(),
    ]);
    properties
}

fn owner() -> Property {
    let mut owner = Property::new("hubspot_owner_id", "Assigned to", "enumeration", "select");
    owner.rest.insert("externalOptions".into(), true.into());
    owner.rest.insert("referencedObjectType".into(), "OWNER".into());
    owner
}

fn of_tasks() -> Vec<Property> {
    let mut queues = Property::new("hs_queue_membership_ids", "Queue", "enumeration", "checkbox");
    queues.rest.insert("externalOptions".into(), true.into());
    vec![
        queues,
        Property::new("hs_task_subject", "Task Title", "string", "text"),
        Property::new("hs_task_body", "Notes", "string", "html"),
        Property::new("hs_task_status", "Task Status", "enumeration", "select").with_options(&[
            "NOT_STARTED",
            "IN_PROGRESS",
            "WAITING",
            "COMPLETED",
            "DEFERRED",
        ]),
        Property::new("hs_task_priority", "Priority", "enumeration", "select")
            .with_options(&["NONE", "LOW", "MEDIUM", "HIGH"]),
        Property::new("hs_task_type", "Task Type", "enumeration", "select").with_options(&[
            "EMAIL",
            "CALL",
            "TODO",
            "LINKED_IN_CONNECT",
            "LINKED_IN_MESSAGE",
        ]),
        Property::new("hs_timestamp", "Due date", "datetime", "date"),
        Property::new("hs_task_completion_date", "Completed at", "datetime", "date"),
        Property::new("hs_task_reminders", "Task Reminders", "string", "text"),
        Property::new("hs_body_preview", "Body preview", "string", "text").read_only(),
        Property::new("hs_task_is_overdue", "Is overdue", "bool", "booleancheckbox").read_only(),
        Property::new("hubspot_owner_assigneddate", "Owner assigned date", "datetime", "date")
            .read_only(),
        Property::new("hs_created_by", "Created by", "number", "number").read_only(),
        Property::new("hs_updated_by_user_id", "Updated by", "number", "number").read_only(),
    ]
}

fn choices(values: &[&str]) -> Vec<Choice> {
    let choice = |value: &&str| Choice { value: (*value).into(), ..Choice::default() };
    values.iter().map(choice).collect()
}

fn fill(fields: &mut Map<String, Value>, name: &str, value: Value) {
    fields.entry(name).or_insert(value);
}
