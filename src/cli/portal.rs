//! The HubSpot portal, as the environment names it, for the commands that talk to it.

use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use serde_json::Value;
use tokio::time::Instant;

use super::credentials::Environment;
use super::shared;
use crate::engine::{self, Comparison};
use crate::hubspot::{Error, Hubspot, Schema};
use crate::outcome::RetryReason;
use crate::services::{self, Services};
use crate::settings::{Portal, PortalToken};
use crate::update::Update;

/// How long a call may take with all its tries; HubSpot's longest limit passes within ten seconds.
const PATIENCE: Duration = Duration::from_mins(1);

/// How the environment says that the portal is reached. Where the token is in Secrets Manager, the
/// AWS command line may be asked for credentials.
pub(super) fn settings() -> Result<Portal> {
    let is_set = |name| shared::variable(name).is_some_and(|value| !value.trim().is_empty());
    let needs_aws = !is_set("HUBSPOT_TOKEN") && is_set("HUBSPOT_TOKEN_SECRET");
    let environment = if needs_aws { Environment::read()? } else { Environment::default() };
    Portal::read(&|name| environment.variable(name)).map_err(|problems| shared::join(&problems))
}

/// A client of the portal that the environment names, with its token fetched.
pub(super) async fn connect() -> Result<Hubspot> {
    let settings = settings()?;
    let hubspot = match settings.token {
        PortalToken::Given(token) => {
            services::hubspot_with(&settings.hubspot, &settings.network, token)
        }
        PortalToken::Secret(secret, aws) => {
            Services::new(aws, &settings.network, PATIENCE).hubspot(&settings.hubspot, secret)
        }
    };
    match hubspot.check_token(deadline()).await {
        Ok(()) => Ok(hubspot),
        Err(error) => bail!("Cannot get the HubSpot token: {error}."),
    }
}

/// Compares updates with their tasks, which are only read. Where there is no update, there is no
/// comparison.
pub(super) async fn compare(
    hubspot: &Hubspot,
    updates: &[Option<Update>],
) -> Vec<Option<Comparison>> {
    let some: Vec<_> = updates.iter().flatten().cloned().collect();
    let mut compared = engine::compare(hubspot, &some, deadline()).await.into_iter();
    updates.iter().map(|update| update.as_ref().and_then(|_| compared.next())).collect()
}

/// HubSpot's own list of the portal's task properties. The ones that the token may not see are
/// reported on standard error.
pub(super) async fn pull(hubspot: &Hubspot) -> Result<Value> {
    let answer = hubspot.properties(deadline()).await.map_err(|error| anyhow!(sentence(&error)))?;
    let (mut unseen, mut scopes) = (Vec::new(), Vec::new());
    for kind in answer["unseen"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        unseen.push(kind);
        scopes.push(format!("crm.objects.contacts.{kind}.read.v2"));
    }
    if !unseen.is_empty() {
        eprintln!(
            "The token may not see the portal's {} properties, so they are left out. If a source \
             writes one, add to the token's service key: {}",
            unseen.join(" and "),
            scopes.join(", ")
        );
    }
    Ok(answer)
}

/// The values that tasks take by that list.
pub(super) fn schema(answer: &Value) -> Result<Schema> {
    Schema::parse(&answer.to_string()).map_err(|why| anyhow!("What HubSpot answered {why}."))
}

/// The deadline of a call that starts now.
pub(super) fn deadline() -> Instant {
    Instant::now() + PATIENCE
}

/// The failure of a call with its cure, as a sentence.
pub(super) fn sentence(error: &Error) -> String {
    let what_to_do = match error {
        // HubSpot says itself what is wrong with the request.
        Error::Refused(_) => return format!("{error}"),
        Error::Later { reason: RetryReason::Forbidden, names_scopes: false, .. } => {
            return format!("{error}.");
        }
        Error::Later { reason, .. } => match reason {
            RetryReason::Unauthorized => {
                "use that of a service key (or private app) that is not revoked"
            }
            RetryReason::Forbidden => "add the scope to the token's service key (or private app)",
            RetryReason::RateLimited => "try again later",
            RetryReason::Unavailable | RetryReason::Timeout => {
                "try again; if it stays so, look at HUBSPOT_BASE_URL and HUBSPOT_API_VERSION"
            }
        },
        Error::Lost => "it may have been done or not: run the command again",
    };
    format!("{error}; {what_to_do}.")
}
