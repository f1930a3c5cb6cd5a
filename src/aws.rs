//! The one AWS configuration: region, credentials and endpoint from the environment, without the
//! provider chain that would cost 4 ms at each start.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_secretsmanager::config::retry::{ReconnectMode, RetryConfig};
use aws_sdk_secretsmanager::config::timeout::TimeoutConfig;
use aws_sdk_secretsmanager::config::{BehaviorVersion, Region};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_types::SdkConfig;

use crate::outbound::Connector;
use crate::settings::Aws;

/// How long one try may take; Secrets Manager and SQS answer within some 10 ms. The caller's
/// deadline comes first.
const TRY: Duration = Duration::from_secs(3);

/// The longest pause before the second try; the SDK's own second would not fit into the time of a
/// delivery.
const PAUSE: Duration = Duration::from_millis(100);

/// A client of Secrets Manager.
#[must_use]
pub fn secrets_manager(aws: &Aws, http: reqwest::Client) -> aws_sdk_secretsmanager::Client {
    aws_sdk_secretsmanager::Client::new(&config(aws, aws.secrets_manager_url.as_deref(), http))
}

/// A client of SQS.
#[must_use]
pub fn sqs(aws: &Aws, http: reqwest::Client) -> aws_sdk_sqs::Client {
    aws_sdk_sqs::Client::new(&config(aws, aws.sqs_url.as_deref(), http))
}

fn config(aws: &Aws, url: Option<&str>, http: reqwest::Client) -> SdkConfig {
    let credentials = Credentials::new(
        aws.access_key_id.as_str(),
        aws.secret_access_key.as_str(),
        aws.session_token.clone(),
        None,
        "environment",
    );
    // The SDK would close the connection of a call that failed, doesn't find it in a client of our
    // own, and says so at ERROR, though the second try succeeds. `reqwest` closes broken
    // connections by itself.
    let tries = RetryConfig::standard().with_max_attempts(2).with_initial_backoff(PAUSE);
    let tries = tries.with_reconnect_mode(ReconnectMode::ReuseAllConnections);
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(aws.region.clone()))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(Connector(http))
        .sleep_impl(TokioSleep::new())
        .retry_config(tries)
        .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(TRY).build());
    if let Some(url) = url {
        config = config.endpoint_url(url);
    }
    config.build()
}
