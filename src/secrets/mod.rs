//! Secrets from AWS Secrets Manager: redacted, cached, and fetched once for all their fields.

mod reference;

pub use reference::{NoSecretRef, SecretRef};

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::time::Duration;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_secretsmanager::operation::batch_get_secret_value::BatchGetSecretValueOutput;
use aws_sdk_secretsmanager::types::SecretValueEntry;
use futures_util::future::join_all;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, timeout_at};

use crate::outbound;

/// The shortest time between two fetches that a stranger's wrong signature or HubSpot's 401 can
/// cause.
const BETWEEN_EARLY_FETCHES: Duration = Duration::from_secs(30);

/// How long a failed fetch is remembered, so that a burst of deliveries doesn't become a burst of
/// fetches.
const FAILURE_TTL: Duration = Duration::from_secs(5);

/// How long a refresh may take while the old value can serve on; Secrets Manager answers within
/// some 10 ms.
const REFRESH: Duration = Duration::from_secs(1);

/// The most secrets that `BatchGetSecretValue` takes.
const BATCH: usize = 20;

/// Why a secret can't be read. The text is for the log: it names the secret, never its value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// A later try can succeed without anybody changing the set-up.
    #[error("{0}")]
    Passing(String),
    /// There is no such secret, or not yet.
    #[error("{0}")]
    Missing(String),
    /// Somebody has to change the set-up.
    #[error("{0}")]
    SetUp(String),
}

/// Every secret that was asked for, as of its last fetch.
pub struct Secrets {
    store: Store,
    ttl: Duration,
    /// Held while fetching: one fetch at a time, and whoever waits finds what the other fetched.
    cache: Mutex<BTreeMap<String, Entry>>,
}

/// Where secrets come from.
enum Store {
    SecretsManager(Client),
    /// Texts by their names, as a developer's machine has them in a file.
    Given(BTreeMap<String, SecretString>),
}

/// The result of a fetch.
type Fetched = Result<SecretString, SecretError>;

/// The state of one secret, by its name or ARN.
#[derive(Default)]
struct Entry {
    /// The last value and when it was fetched.
    value: Option<(SecretString, Instant)>,
    /// The last failure, and when it happened; none after a success.
    failure: Option<(SecretError, Instant)>,
    /// When it was last fetched before its time.
    early: Option<Instant>,
}

impl Secrets {
    /// Nothing is fetched yet. A value is trusted for `ttl`.
    #[must_use]
    pub fn new(client: Client, ttl: Duration) -> Self {
        Self { store: Store::SecretsManager(client), ttl, cache: Mutex::default() }
    }

    /// Secrets that are at hand, by their names in Secrets Manager. Nothing is ever fetched.
    #[must_use]
    pub fn given(texts: BTreeMap<String, SecretString>) -> Self {
        Self { store: Store::Given(texts), ttl: Duration::MAX, cache: Mutex::default() }
    }

    /// Fetches several secrets together, ahead of their use. A failure is remembered, and returned
    /// when the secret is needed.
    pub async fn prefetch(&self, secrets: impl IntoIterator<Item = &SecretRef>, deadline: Instant) {
        let mut cache = self.cache.lock().await;
        for secret in secrets {
            cache.entry(secret.id.clone()).or_default();
        }
        let ids = cache.keys().cloned().collect();
        self.fetch(&mut cache, ids, deadline).await;
    }

    /// The accepted values of a secret, at least one: from the cache, else from a fetch.
    pub async fn get(
        &self,
        secret: &SecretRef,
        deadline: Instant,
    ) -> Result<Vec<SecretString>, SecretError> {
        let mut cache = self.lock(secret, deadline).await?;
        cache.entry(secret.id.clone()).or_default();
        let mut due = BTreeSet::new();
        for (id, entry) in cache.iter() {
            if entry.is_due(self.ttl) {
                due.insert(id.clone());
            }
        }
        if due.contains(&secret.id) {
            // Others that are due go along in the same call.
            self.fetch(&mut cache, due, deadline).await;
        }
        read(&cache, secret)
    }

    /// Values to try after `tried` failed: newer ones from the cache, else from an early fetch.
    /// `None` when there is nothing new, or there was an early fetch a moment ago.
    pub async fn get_again(
        &self,
        secret: &SecretRef,
        tried: &[SecretString],
        deadline: Instant,
    ) -> Result<Option<Vec<SecretString>>, SecretError> {
        let mut cache = self.lock(secret, deadline).await?;
        // Somebody else may have fetched it meanwhile.
        if let Ok(values) = read(&cache, secret)
            && !are_same(&values, tried)
        {
            return Ok(Some(values));
        }
        let entry = cache.entry(secret.id.clone()).or_default();
        if entry.early.is_some_and(|last| last.elapsed() < BETWEEN_EARLY_FETCHES) {
            return Ok(None);
        }
        entry.early = Some(Instant::now());
        self.fetch(&mut cache, BTreeSet::from([secret.id.clone()]), deadline).await;
        let values = read(&cache, secret)?;
        Ok(if are_same(&values, tried) { None } else { Some(values) })
    }

    /// Waits for the cache until the deadline.
    async fn lock(
        &self,
        secret: &SecretRef,
        deadline: Instant,
    ) -> Result<MutexGuard<'_, BTreeMap<String, Entry>>, SecretError> {
        let lock = timeout_at(deadline, self.cache.lock()).await;
        lock.map_err(|_| too_late(&secret.id))
    }

    /// Fetches secrets into the cache.
    async fn fetch(
        &self,
        cache: &mut BTreeMap<String, Entry>,
        ids: BTreeSet<String>,
        deadline: Instant,
    ) {
        // Where there are old values to serve on, a refresh may not use up the time of a delivery.
        let has_old = ids.iter().all(|id| cache.get(id).is_some_and(|entry| entry.value.is_some()));
        let until = if has_old { deadline.min(Instant::now() + REFRESH) } else { deadline };
        for ids in Vec::from_iter(ids).chunks(BATCH) {
            match timeout_at(until, self.fetch_batch(ids)).await {
                Ok(fetched) => {
                    for (id, result) in fetched {
                        cache.entry(id).or_default().keep(result);
                    }
                }
                // Remembered only of a refresh: else whoever has more time has to have its own try.
                Err(_) if has_old => {
                    for id in ids {
                        cache.entry(id.clone()).or_default().keep(Err(too_late(id)));
                    }
                }
                Err(_) => {}
            }
        }
    }

    /// Fetches up to [`BATCH`] secrets in one call, or each alone where that is not allowed.
    async fn fetch_batch(&self, ids: &[String]) -> Vec<(String, Fetched)> {
        let client = match &self.store {
            Store::SecretsManager(client) => client,
            Store::Given(texts) => {
                return ids.iter().map(|id| (id.clone(), look_up(texts, id))).collect();
            }
        };
        if ids.len() > 1 {
            let call = client.batch_get_secret_value().set_secret_id_list(Some(ids.to_vec()));
            match call.send().await {
                Ok(answer) => {
                    return join_all(ids.iter().map(async |id| {
                        let result = match find(id, &answer) {
                            Some(result) => result,
                            // It may well be there.
                            None => fetch_one(client, id).await,
                        };
                        (id.clone(), result)
                    }))
                    .await;
                }
                Err(SdkError::ServiceError(refused)) => {
                    let code = refused.err().code().unwrap_or("an error").to_owned();
                    tracing::debug!(
                        code,
                        "BatchGetSecretValue was refused; fetching each secret alone"
                    );
                }
                Err(error) => {
                    let failure = unreachable(&error);
                    return ids.iter().map(|id| (id.clone(), Err(failure.clone()))).collect();
                }
            }
        }
        join_all(ids.iter().map(async |id| (id.clone(), fetch_one(client, id).await))).await
    }
}

async fn fetch_one(client: &Client, id: &str) -> Fetched {
    match client.get_secret_value().secret_id(id).send().await {
        Ok(answer) => text(id, answer.secret_string()),
        Err(SdkError::ServiceError(refused)) => {
            let code = refused.err().code().unwrap_or_default();
            Err(refusal(id, code, refused.raw().status().as_u16()))
        }
        Err(error) => Err(unreachable(&error)),
    }
}

fn look_up(texts: &BTreeMap<String, SecretString>, id: &str) -> Fetched {
    let text = texts.get(id).cloned();
    text.ok_or_else(|| SecretError::Missing(format!("the file of secrets has no {id:?}")))
}

/// Whether two lists of values are the same.
fn are_same(one: &[SecretString], other: &[SecretString]) -> bool {
    let one = one.iter().map(ExposeSecret::expose_secret);
    one.eq(other.iter().map(ExposeSecret::expose_secret))
}

/// One secret of the answer to a batch, which names those that it can't give one by one; `None` if
/// it is silent about the secret.
fn find(id: &str, answer: &BatchGetSecretValueOutput) -> Option<Fetched> {
    let values = answer.secret_values();
    let is_it = |value: &&SecretValueEntry| value.name() == Some(id) || value.arn() == Some(id);
    // An ARN may be written without the six characters that AWS appends.
    let start = format!("{id}-");
    let begins_so = |value: &&SecretValueEntry| {
        id.starts_with("arn:") && value.arn().is_some_and(|arn| arn.starts_with(&start))
    };
    let value = values.iter().find(is_it).or_else(|| values.iter().find(begins_so));
    if let Some(value) = value {
        return Some(text(id, value.secret_string()));
    }
    let error = answer.errors().iter().find(|error| error.secret_id() == Some(id))?;
    Some(Err(refusal(id, error.error_code().unwrap_or_default(), 400)))
}

fn text(id: &str, value: Option<&str>) -> Fetched {
    match value {
        Some(value) => Ok(SecretString::from(value.to_owned())),
        None => Err(SecretError::SetUp(format!("the secret {id} holds bytes; store it as text"))),
    }
}

fn too_late(id: &str) -> SecretError {
    SecretError::Passing(format!("the secret {id} took too long"))
}

fn unreachable(error: &dyn Error) -> SecretError {
    SecretError::Passing(format!("Secrets Manager: {}", outbound::causes(error)))
}

/// The error for a refusal of Secrets Manager.
/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html#API_GetSecretValue_Errors>
fn refusal(id: &str, code: &str, status: u16) -> SecretError {
    match code {
        // Also of one that was created without a value.
        "ResourceNotFoundException" => SecretError::Missing(format!(
            "there is no secret {id} in this region, or it has no value yet; create it, or correct the name"
        )),
        "InvalidRequestException" => SecretError::Missing(format!(
            "the secret {id} can't be read; it seems to be marked for deletion"
        )),
        "DecryptionFailure" => SecretError::SetUp(format!(
            "the secret {id} can't be decrypted; allow kms:Decrypt for its key"
        )),
        "InvalidParameterException" | "ValidationException" => {
            SecretError::SetUp(format!("the secret {id} can't be read ({code}); correct the name"))
        }
        _ if code == "AccessDeniedException" || status == 403 => SecretError::SetUp(format!(
            "reading the secret {id} is not allowed; name it in the stack's parameter WebhookSecrets, or allow \
             secretsmanager:GetSecretValue for it, and kms:Decrypt for its key if it has one of its own"
        )),
        _ => SecretError::Passing(format!(
            "Secrets Manager answered {status} {code} for the secret {id}"
        )),
    }
}

impl Entry {
    /// Keeps the result of a fetch. An old value outlives a passing failure, and no other.
    fn keep(&mut self, fetched: Fetched) {
        match fetched {
            Ok(value) => {
                self.value = Some((value, Instant::now()));
                self.failure = None;
            }
            Err(failure) => {
                if failure.is_passing() && self.value.is_some() {
                    tracing::warn!(
                        reason = %failure,
                        "a secret could not be fetched again; the old value serves on"
                    );
                } else {
                    self.value = None;
                }
                self.failure = Some((failure, Instant::now()));
            }
        }
    }

    /// Whether it has to be fetched: its value is older than `ttl`, and it did not fail a moment
    /// ago.
    fn is_due(&self, ttl: Duration) -> bool {
        if let Some((_, at)) = &self.failure
            && at.elapsed() < FAILURE_TTL
        {
            return false;
        }
        match &self.value {
            Some((_, at)) => at.elapsed() >= ttl,
            None => true,
        }
    }
}

/// The accepted values of a secret as the cache has it.
fn read(
    cache: &BTreeMap<String, Entry>,
    secret: &SecretRef,
) -> Result<Vec<SecretString>, SecretError> {
    match cache.get(&secret.id) {
        Some(Entry { value: Some((value, _)), .. }) => secret.read(value),
        Some(Entry { failure: Some((failure, _)), .. }) => Err(failure.clone()),
        _ => Err(too_late(&secret.id)),
    }
}

impl SecretError {
    /// Whether a later try can succeed without anybody changing the set-up.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Passing(_))
    }

    /// Whether there is no such secret.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_never_printed() {
        let mut entry = Entry::default();
        entry.keep(Ok(SecretString::from("s3cret".to_owned())));
        assert!(!format!("{:?}", entry.value).contains("s3cret"));
    }
}
