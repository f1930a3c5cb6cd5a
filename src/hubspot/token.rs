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
    /// The token as it is known, without the white space that comes along with copying one.
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
        let is_new = |token: &SecretString| token.expose_secret() != refused.expose_secret();
        // Another call may have had the same answer, and fetched it.
        if let Some(token) = self.first(&tried).ok().filter(is_new) {
            return Some(token);
        }
        let newer = secrets.get_again(secret, &tried, deadline).await.ok()??;
        self.first(&newer).ok().filter(is_new)
    }

    fn first(&self, values: &[SecretString]) -> Result<SecretString, SecretError> {
        let value =
            values.first().map(|value| SecretString::from(value.expose_secret().trim().to_owned()));
        let printable = |value: &SecretString| {
            !value.expose_secret().is_empty()
                && value.expose_secret().bytes().all(|byte| byte.is_ascii_graphic())
        };
        value.filter(printable).ok_or_else(|| {
            SecretError::set_up(format!("{self} is no HubSpot token; store one in it"))
        })
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
