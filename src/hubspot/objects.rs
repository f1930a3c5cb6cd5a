//! The definitions of HubSpot's objects: the properties of those that tasks can hang on, and what a
//! new task has to have. For `taskhook check --online` alone.

use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use super::takes::null_is_default;
use super::{Error, Hubspot, path};
use crate::settings::ApiVersion;
use crate::update::Object;

/// The schema of an object; fields that are of no use here are left out.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ObjectSchema {
    #[serde(default, deserialize_with = "null_is_default")]
    required_properties: Vec<String>,
}

impl Hubspot {
    /// The definitions of the properties of an object, as HubSpot says them: `{"results": [...]}`,
    /// without the sensitive ones.
    /// <https://developers.hubspot.com/docs/api-reference/crm-properties-v3>
    pub async fn properties_of(
        &self,
        object: Object,
        version: &ApiVersion,
        deadline: Instant,
    ) -> Result<Value, Error> {
        let path = format!("{}/{}", path(version, "properties"), object.plural());
        self.transport.get(&path, deadline).await
    }

    /// The properties that a new task has to have.
    ///
    /// HubSpot documents this of custom objects, and for a token that may read schemas; whether it
    /// answers for tasks was not tried.
    /// <https://developers.hubspot.com/docs/api-reference/crm-schemas-v3>
    pub async fn required_properties(
        &self,
        version: &ApiVersion,
        deadline: Instant,
    ) -> Result<Vec<String>, Error> {
        let version = match version {
            ApiVersion::V3 => "v3",
            ApiVersion::Date(date) => date,
        };
        let path = format!("/crm-object-schemas/{version}/schemas/tasks");
        let schema: ObjectSchema = self.transport.get(&path, deadline).await?;
        Ok(schema.required_properties)
    }
}
