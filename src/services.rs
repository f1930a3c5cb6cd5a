//! The clients of AWS and HubSpot, made of settings: once, for every program.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::aws;
use crate::hubspot::{Hubspot, Token};
use crate::outbound::{Http, Network};
use crate::queue::Queue;
use crate::secrets::{SecretRef, Secrets};
use crate::settings::{self, Aws};

/// Makes the clients of AWS and HubSpot; one HTTP client serves all.
pub struct Services {
    http: Http,
    aws: Aws,
    secrets: Arc<Secrets>,
    /// Made for the first queue: a client of the SDK costs a tenth of a start.
    sqs: OnceLock<aws_sdk_sqs::Client>,
}

impl Services {
    /// Nothing is sent yet. `secret_ttl` is how long a fetched secret is trusted.
    #[must_use]
    pub fn new(aws: Aws, network: &Network, secret_ttl: Duration) -> Self {
        let http = Http::new(network);
        let secrets_manager = aws::secrets_manager(&aws, http.keeping().clone());
        let secrets = Arc::new(Secrets::new(secrets_manager, secret_ttl));
        Self { http, aws, secrets, sqs: OnceLock::new() }
    }

    /// The secrets, with their cache.
    #[must_use]
    pub fn secrets(&self) -> Arc<Secrets> {
        Arc::clone(&self.secrets)
    }

    /// HubSpot, with a token that is fetched from the secrets.
    #[must_use]
    pub fn hubspot(&self, settings: &settings::Hubspot, token: SecretRef) -> Hubspot {
        let token = Token::Secret(Arc::clone(&self.secrets), token);
        Hubspot::new(self.http.clone(), &settings.base_url, &settings.api_version, token)
    }

    /// The queue at an address.
    #[must_use]
    pub fn queue(&self, url: &str) -> Queue {
        let sqs = self.sqs.get_or_init(|| aws::sqs(&self.aws, self.http.keeping().clone()));
        Queue::new(sqs.clone(), url)
    }
}

/// HubSpot, with the token itself.
#[must_use]
pub fn hubspot_with(
    settings: &settings::Hubspot,
    network: &Network,
    token: secrecy::SecretString,
) -> Hubspot {
    let (http, token) = (Http::new(network), Token::Given(token));
    Hubspot::new(http, &settings.base_url, &settings.api_version, token)
}
