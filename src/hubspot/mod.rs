//! HubSpot's tasks API: calls, their retries, and their answers.

mod answer;
mod associations;
mod daily;
mod error;
mod objects;
mod owner_pages;
mod owners;
mod properties;
mod refusals;
mod retry;
mod said;
mod schema;
mod takes;
mod token;
mod transport;
mod usage;

pub use answer::{Answer, Complaint, Record};
pub use associations::{Linked, LinksBefore, Pair, Pairs, associate_path};
pub use error::{Error, Refusal};
pub use owners::fold_email;
pub use properties::NewProperty;
pub use refusals::{PastRefusal, Refusals};
pub use schema::{NoSchema, Schema, Unfit};
pub use token::Token;
pub use usage::Usage;

use serde::Serialize;
use tokio::time::Instant;

use crate::outbound::Http;
use crate::secrets::SecretError;
use crate::settings::ApiVersion;
use crate::update::{Object, RECORD_ID};
use transport::Reply;

/// The most inputs of one batch call.
/// <https://developers.hubspot.com/docs/api-reference/crm-tasks-v3>
pub const BATCH: usize = 100;

/// The batch call that reads.
pub const READ: &str = "batch/read";

/// A client of HubSpot's tasks API.
pub struct Hubspot {
    transport: Box<transport::Transport>,
    /// `/crm/objects/2026-03` or `/crm/v3/objects`.
    objects: String,
    /// `/crm/associations/2026-03` or `/crm/v4/associations`.
    associations: String,
    /// `/crm/properties/2026-03/tasks` or `/crm/v3/properties/tasks`.
    properties: String,
    /// `/crm/owners/2026-03` or `/crm/v3/owners`.
    owners_path: String,
    /// Outlives the deliveries, so that they share it.
    owners: owners::Owners,
    /// Outlives the deliveries as well: each goes on where the one before had to stop.
    refusals: Box<Refusals>,
    links_before: Box<LinksBefore>,
}

/// A task to write.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Input<'a> {
    /// The value of the unique property, or the record id.
    pub id: &'a str,
    /// The unique property; `None` with record ids, which HubSpot wants without a property.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_property: Option<&'a str>,
    /// Unique in the request: an error that names it names the task.
    pub object_write_trace_id: String,
    /// The values.
    pub properties: std::collections::BTreeMap<&'a str, &'a str>,
}

/// A batch call that writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Writes tasks that exist.
    Update,
    /// Writes tasks that exist, and creates those that don't.
    Upsert,
}

/// The body of a batch call that writes.
#[derive(Serialize)]
pub struct Inputs<'a> {
    /// At most [`BATCH`], all by the same property.
    pub inputs: &'a [Input<'a>],
}

/// The body of [`READ`].
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadInputs<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id_property: Option<&'a str>,
    inputs: Vec<Id<'a>>,
    properties: Vec<&'a str>,
    /// None; HubSpot's specification requires the field.
    properties_with_history: [&'static str; 0],
}

#[derive(Serialize)]
struct Id<'a> {
    id: &'a str,
}

impl Call {
    /// Its path below that of the tasks.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Update => "batch/update",
            Self::Upsert => "batch/upsert",
        }
    }
}

impl<'a> ReadInputs<'a> {
    /// Asks for properties of up to [`BATCH`] tasks.
    #[must_use]
    pub fn new(id_property: &'a str, ids: &[&'a str], properties: Vec<&'a str>) -> Self {
        let inputs = ids.iter().map(|id| Id { id }).collect();
        Self {
            id_property: id_property_field(id_property),
            inputs,
            properties,
            properties_with_history: [],
        }
    }
}

impl Hubspot {
    /// Nothing is sent yet.
    #[must_use]
    pub fn new(http: Http, base_url: &str, version: &ApiVersion, token: Token) -> Self {
        let transport = Box::new(transport::Transport::new(http, base_url, token));
        Self {
            transport,
            objects: path(version, "objects"),
            associations: associations_path(version),
            properties: format!("{}/tasks", path(version, "properties")),
            owners_path: path(version, "owners"),
            owners: owners::Owners::default(),
            refusals: Box::default(),
            links_before: Box::default(),
        }
    }

    /// Makes the connection that the first call will use. A failure is told when it matters.
    pub async fn warm_up(&self, deadline: Instant) {
        self.transport.warm_up(deadline).await;
    }

    /// Fetches the token and checks its form.
    pub async fn check_token(&self, deadline: Instant) -> Result<(), SecretError> {
        self.transport.check_token(deadline).await
    }

    /// What the calls since the last question took. A function works on one event at a time, so
    /// they are those of its event.
    #[must_use]
    pub fn take_usage(&self) -> Usage {
        self.transport.take_usage()
    }

    /// Writes up to [`BATCH`] tasks, all by the same property.
    pub async fn write(
        &self,
        call: Call,
        inputs: &[Input<'_>],
        deadline: Instant,
    ) -> Result<Answer, Error> {
        // A value that begins with `;` is added to what several checkboxes have; any other may be
        // written twice.
        let mut values = inputs.iter().flat_map(|input| input.properties.values());
        let repeatable = !values.any(|value| value.starts_with(';'));
        let path = format!("{}/tasks/{}", self.objects, call.path());
        let Reply { answer, is_repeated } =
            self.transport.post(&path, &Inputs { inputs }, repeatable, deadline).await?;
        Ok(Answer { is_repeated, ..answer })
    }

    /// Reads properties of up to [`BATCH`] tasks.
    pub async fn read(
        &self,
        id_property: &str,
        ids: &[&str],
        properties: Vec<&str>,
        deadline: Instant,
    ) -> Result<Answer, Error> {
        let body = ReadInputs::new(id_property, ids, properties);
        let path = format!("{}/tasks/{READ}", self.objects);
        Ok(self.transport.post(&path, &body, true, deadline).await?.answer)
    }

    /// The id of the owner with an e-mail address, if there is one: from the cache, else from
    /// HubSpot.
    pub async fn owner(&self, email: &str, deadline: Instant) -> Result<Option<String>, Error> {
        let key = fold_email(email);
        if let Some(known) = self.owners.get(&key, Instant::now()) {
            return Ok(known.id);
        }
        // HubSpot compares exactly (not yet proven: L61), and keeps the addresses of its users in
        // lower case; seldom as they were typed.
        let found = match self.look_up_owner(&key, deadline).await? {
            None if key != email => self.look_up_owner(email, deadline).await?,
            found => found,
        };
        self.owners.keep(key, found.clone(), Instant::now());
        Ok(found)
    }

    /// Reads pages of the portal's owners for as long as that takes fewer calls than to ask for each
    /// of these addresses that is not known. No page is begun after `until`.
    pub async fn list_owners(
        &self,
        emails: &[&str],
        until: Instant,
        deadline: Instant,
    ) -> Result<(), Error> {
        self.owners.begin(Instant::now());
        let needed = self.calls_to_ask(emails);
        let (mut own, mut left) = (0, needed);
        while let Some(next) = self.owners.next_page(own, needed, left) {
            let now = Instant::now();
            if now >= until {
                break;
            }
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.append_pair("limit", &owner_pages::PAGE.to_string());
            if let owners::Next::After(cursor) = &next {
                query.append_pair("after", cursor);
            }
            let path = format!("{}?{}", self.owners_path, query.finish());
            let page = match self.transport.get(&path, deadline).await {
                Ok(page) => page,
                // Such as a page that is too large: a single owner may be had.
                Err(Error::Refused(_)) => break,
                Err(error) => return Err(error),
            };
            self.owners.keep_page(&next, page, now);
            own += 1;
            left = self.calls_to_ask(emails);
        }
        Ok(())
    }

    /// The most calls that asking for these addresses takes: see [`Self::owner`].
    fn calls_to_ask(&self, emails: &[&str]) -> usize {
        let mut calls = 0;
        for email in emails {
            if !self.knows_owner(email) {
                calls += if fold_email(email) == *email { 1 } else { 2 };
            }
        }
        calls
    }

    /// Whether it takes no call to say whose an e-mail address is.
    #[must_use]
    pub fn knows_owner(&self, email: &str) -> bool {
        self.owners.get(&fold_email(email), Instant::now()).is_some()
    }

    /// Looks the owner with an e-mail address up anew, since HubSpot refused this id of theirs.
    pub async fn owner_again(
        &self,
        email: &str,
        refused: &str,
        deadline: Instant,
    ) -> Result<Option<String>, Error> {
        self.owners.forget(&fold_email(email), refused);
        self.owner(email, deadline).await
    }

    /// The refusals of the last minutes.
    #[must_use]
    pub fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// The links of the deliveries before.
    #[must_use]
    pub fn links_before(&self) -> &LinksBefore {
        &self.links_before
    }

    async fn look_up_owner(&self, email: &str, deadline: Instant) -> Result<Option<String>, Error> {
        let query: String =
            form_urlencoded::Serializer::new(String::new()).append_pair("email", email).finish();
        let path = format!("{}?limit=100&{query}", self.owners_path);
        let found: owners::OwnersAnswer = self.transport.get(&path, deadline).await?;
        Ok(found.id(email))
    }
}

/// The path of the tasks themselves, to which that of a call is added.
#[must_use]
pub fn tasks_path(version: &ApiVersion) -> String {
    format!("{}/tasks", path(version, "objects"))
}

/// The path of the records of an object.
#[must_use]
pub fn records_path(version: &ApiVersion, object: Object) -> String {
    format!("{}/{}", path(version, "objects"), object.plural())
}

/// The path of the links between records. The version before the dated ones is 4.
#[must_use]
pub fn associations_path(version: &ApiVersion) -> String {
    match version {
        ApiVersion::V3 => "/crm/v4/associations".to_owned(),
        ApiVersion::Date(_) => path(version, "associations"),
    }
}

/// The path of a part of the CRM's API: `objects`, `properties`, `owners`.
fn path(version: &ApiVersion, part: &str) -> String {
    match version {
        ApiVersion::V3 => format!("/crm/v3/{part}"),
        ApiVersion::Date(date) => format!("/crm/{part}/{date}"),
    }
}

/// HubSpot refuses `hs_object_id` as an id property (not yet proven: L15): without one, ids are
/// record ids.
#[must_use]
pub fn id_property_field(id_property: &str) -> Option<&str> {
    (id_property != RECORD_ID).then_some(id_property)
}
