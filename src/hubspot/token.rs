//! The access token: from Secrets Manager in the functions, as it is on a developer's desk.

use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;

use crate::secrets::{SecretError, SecretRef, Secrets};

/// Where the token comes from.
#[derive(Clone)]
pub enum Token {
    /// A secret, which may be changed while we run.
    Secret(Arc<Secrets>, SecretRef),
    /// The token itself.
    Given(SecretString),
}

impl Token {
    /// The token from the cache, else from the secret, without the white space that comes along
    /// with copying one.
    pub(super) async fn get(&self, deadline: Instant) -> Result<SecretString, SecretError> {
        let values = match self {
            Self::Secret(secrets, secret) => secrets.get(secret, deadline).await?,
            Self::Given(token) => vec![token.clone()],
        };
        self.first(&values)
    }

    /// Another token than the one that HubSpot refuses, if there is one.
    pub(super) async fn get_again(
        &self,
        refused: &SecretString,
        deadline: Instant,
    ) -> Option<SecretString> {
        let Self::Secret(secrets, secret) = self else { return None };
        let tried = secrets.get(secret, deadline).await.ok()?;
        // Another call may have had the same answer, and fetched it.
        if let Some(token) = self.newer(&tried, refused) {
            return Some(token);
        }
        let fetched = secrets.get_again(secret, &tried, deadline).await.ok()??;
        self.newer(&fetched, refused)
    }

    /// The token among these values, unless it is the one that HubSpot refuses.
    fn newer(&self, values: &[SecretString], refused: &SecretString) -> Option<SecretString> {
        let token = self.first(values).ok()?;
        (token.expose_secret() != refused.expose_secret()).then_some(token)
    }

    /// The first of the values, if it can be a token.
    fn first(&self, values: &[SecretString]) -> Result<SecretString, SecretError> {
        let token = values.first().map_or("", |value| value.expose_secret().trim());
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SecretError::SetUp(format!("{self} is no HubSpot token; store one in it")));
        }
        Ok(SecretString::from(token.to_owned()))
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(_, secret) => write!(f, "the secret {secret}"),
            Self::Given(_) => f.write_str("HUBSPOT_TOKEN"),
        }
    }
}
