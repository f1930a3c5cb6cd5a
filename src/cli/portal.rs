//! The HubSpot portal, as the environment names it, for the commands that talk to it.

use anyhow::{Result, anyhow};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::hubspot::{Error, Hubspot, Schema};
use crate::outcome::RetryReason;
use crate::services::{self, Services};
use crate::settings::{Portal, PortalToken};

/// How long a call may take with all its tries; HubSpot's longest limit passes within ten seconds.
const PATIENCE: Duration = Duration::from_mins(1);

/// A client whose token can be had.
pub(super) async fn connect() -> Result<Hubspot> {
    let settings = Portal::read(&super::variable).map_err(|problems| super::all(&problems))?;
    let hubspot = match settings.token {
        PortalToken::Given(token) => services::hubspot_with(&settings.hubspot, token),
        PortalToken::Secret(secret, aws) => {
            Services::new(aws, PATIENCE).hubspot(&settings.hubspot, secret)
        }
    };
    hubspot
        .check_token(deadline())
        .await
        .map_err(|error| anyhow!("The HubSpot token can't be had: {error}."))?;
    Ok(hubspot)
}

/// The portal's task properties, as HubSpot says them. What the token may not see of them is told
/// on standard error.
pub(super) async fn pull(hubspot: &Hubspot) -> Result<Value> {
    let answer = hubspot.properties(deadline()).await.map_err(|error| anyhow!(sentence(&error)))?;
    let unseen: Vec<_> =
        answer["unseen"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !unseen.is_empty() {
        let scopes: Vec<_> =
            unseen.iter().map(|kind| format!("crm.objects.contacts.{kind}.read.v2")).collect();
        eprintln!(
            "The token may not see the portal's {} properties, so they are left out. If a source writes one, add to the \
             token's service key: {}",
            unseen.join(" and "),
            scopes.join(", ")
        );
    }
    Ok(answer)
}

/// What that says about the values that tasks take.
pub(super) fn schema(answer: &Value) -> Result<Schema> {
    Schema::parse(&answer.to_string()).map_err(|why| anyhow!("What HubSpot answered {why}."))
}

/// Until when a call that starts now has to be done.
pub(super) fn deadline() -> Instant {
    Instant::now() + PATIENCE
}

/// What became of a call, and what to do.
pub(super) fn sentence(error: &Error) -> String {
    let what_to_do = match error {
        // HubSpot says itself what is wrong with the request.
        Error::Refused(_) => return format!("{error}"),
        Error::Later { reason: RetryReason::Forbidden, detail, .. }
            if !detail.contains("lacks a scope: ") =>
        {
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
