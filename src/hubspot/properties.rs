//! The definitions of task properties: reading those of a portal, and creating new ones.
//! <https://developers.hubspot.com/docs/api-reference/crm-properties-v3>

use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Error, Hubspot};
use crate::outcome::RetryReason;

/// The properties that HubSpot lists only where they are asked for, and only for a token with their
/// scope.
const SENSITIVE: [&str; 2] = ["sensitive", "highly_sensitive"];

/// A property that the portal is to get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewProperty {
    name: String,
    label: String,
    #[serde(rename = "type")]
    kind: &'static str,
    field_type: &'static str,
    group_name: String,
    has_unique_value: bool,
}

impl Hubspot {
    /// Every definition, as HubSpot says it: `{"results": [...]}`, by name. What the token may not
    /// see of sensitive properties stands in `"unseen": ["sensitive", "highly_sensitive"]`.
    pub async fn properties(&self, deadline: Instant) -> Result<Value, Error> {
        let mut answer: Value = self.transport.get(&self.properties, deadline).await?;
        let mut unseen = Vec::new();
        for sensitivity in SENSITIVE {
            let path = format!("{}?dataSensitivity={sensitivity}", self.properties);
            match self.transport.get::<Value>(&path, deadline).await {
                Ok(mut sensitive) => add(&mut answer, &mut sensitive),
                Err(Error::Later { reason: RetryReason::Forbidden, .. } | Error::Refused(_)) => {
                    unseen.push(sensitivity);
                }
                Err(error) => return Err(error),
            }
        }
        // HubSpot promises no order, and two answers shall compare line by line.
        if let Some(results) = results(&mut answer) {
            results.sort_by(|one, other| one["name"].as_str().cmp(&other["name"].as_str()));
        }
        if let Some(fields) = answer.as_object_mut().filter(|_| !unseen.is_empty()) {
            fields.insert("unseen".to_owned(), json!(unseen));
        }
        Ok(answer)
    }

    /// Creates a property. One that exists is refused, and so is an eleventh with unique values.
    pub async fn create_property(
        &self,
        property: &NewProperty,
        deadline: Instant,
    ) -> Result<(), Error> {
        self.transport.post::<IgnoredAny>(&self.properties, property, false, deadline).await?;
        Ok(())
    }
}

impl NewProperty {
    /// Text with unique values, in the group of the portal's own task properties. `definitions`
    /// come from [`Hubspot::properties`].
    #[must_use]
    pub fn unique_text(name: &str, definitions: &Value) -> Self {
        Self { has_unique_value: true, ..Self::new(name, "string", "text", definitions) }
    }

    /// A point in time, in the same group.
    #[must_use]
    pub fn datetime(name: &str, definitions: &Value) -> Self {
        Self::new(name, "datetime", "date", definitions)
    }

    fn new(name: &str, kind: &'static str, field_type: &'static str, definitions: &Value) -> Self {
        let mut group = "task";
        for definition in definitions["results"].as_array().into_iter().flatten() {
            if definition["name"] == "hs_task_subject" {
                group = definition["groupName"].as_str().unwrap_or(group);
            }
        }
        Self {
            name: name.to_owned(),
            label: label(name),
            kind,
            field_type,
            group_name: group.to_owned(),
            has_unique_value: false,
        }
    }
}

/// Adds the definitions of another answer that are not there yet.
fn add(answer: &mut Value, other: &mut Value) {
    let (Some(known), Some(more)) = (results(answer), results(other)) else { return };
    for definition in more.drain(..) {
        if !known.iter().any(|one| one["name"] == definition["name"]) {
            known.push(definition);
        }
    }
}

fn results(answer: &mut Value) -> Option<&mut Vec<Value>> {
    answer.get_mut("results")?.as_array_mut()
}

/// A label for people: `zendesk_ticket_id` is "Zendesk ticket ID".
fn label(name: &str) -> String {
    let word = |word: &str| match word {
        "id" | "url" => word.to_uppercase(),
        word => word.to_owned(),
    };
    let words: Vec<_> = name.split('_').filter(|word| !word.is_empty()).map(word).collect();
    let label = words.join(" ");
    let mut characters = label.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => label,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_property_is_what_hubspot_wants_of_one() {
        let portal = json!({"results": [{"name": "a"}, {"name": "hs_task_subject", "groupName": "task_information"}]});
        assert_eq!(
            json!(NewProperty::unique_text("zendesk_ticket_id", &portal)),
            json!({
                "name": "zendesk_ticket_id", "label": "Zendesk ticket ID", "type": "string", "fieldType": "text",
                "groupName": "task_information", "hasUniqueValue": true,
            })
        );
        assert_eq!(
            json!(NewProperty::datetime("zendesk_updated_at", &json!(null))),
            json!({
                "name": "zendesk_updated_at", "label": "Zendesk updated at", "type": "datetime", "fieldType": "date",
                "groupName": "task", "hasUniqueValue": false,
            })
        );
    }

    #[test]
    fn a_label_can_be_read() {
        for (name, expected) in
            [("ticket", "Ticket"), ("page_url", "Page URL"), ("_x__id", "X ID"), ("_", "")]
        {
            assert_eq!(label(name), expected, "{name}");
        }
    }
}
