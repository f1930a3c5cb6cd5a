//! Secrets from AWS Secrets Manager: redacted, cached, and fetched once for all their fields.

mod reference;

pub use reference::SecretRef;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use crate::outbound;

/// The shortest time between two fetches that a stranger's wrong signature or HubSpot's 401 can
/// cause.
const BETWEEN_EXTRA_FETCHES: Duration = Duration::from_secs(30);

/// How long a failed fetch is remembered, so that a burst of deliveries doesn't become a burst of
/// fetches.
const FAILURE_TTL: Duration = Duration::from_secs(5);

/// How long a refresh may take while the old value can serve on; Secrets Manager answers within
/// some 10 ms.
const REFRESH: Duration = Duration::from_secs(1);

/// The most secrets that `BatchGetSecretValue` takes.
const BATCH: usize = 20;

/// Why a secret can't be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretError {
    kind: Kind,
    message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It may pass.
    Passing,
    /// There is no such secret, or not yet.
    Missing,
    /// Somebody has to change the set-up.
    SetUp,
}

/// Every secret that was asked for, as of its last fetch.
pub struct Secrets {
    client: Client,
    ttl: Duration,
    /// Held while fetching: one fetch at a time, and whoever waits finds what the other fetched.
    cache: Mutex<BTreeMap<String, Entry>>,
}

/// The state of one secret, by its name or ARN.
#[derive(Default)]
struct Entry {
    /// The last value and when it was fetched.
    value: Option<(SecretString, Instant)>,
    /// The last failure, and when it happened; none after a success.
    failure: Option<(SecretError, Instant)>,
    /// When it was last fetched before its time.
    extra: Option<Instant>,
}

impl Secrets {
    /// Nothing is fetched yet. A value is trusted for `ttl`.
    #[must_use]
    pub fn new(client: Client, ttl: Duration) -> Self {
        Self { client, ttl, cache: Mutex::default() }
    }

    /// Fetches several secrets together, ahead of their use. What fails is remembered and told when
    /// it is needed.
    pub async fn prefetch(&self, secrets: impl IntoIterator<Item = &SecretRef>, deadline: Instant) {
        let mut cache = self.cache.lock().await;
        for secret in secrets {
            cache.entry(secret.id.clone()).or_default();
        }
        let ids = cache.keys().cloned().collect();
        self.fetch(&mut cache, ids, deadline).await;
    }

    /// The accepted values of a secret, at least one.
    pub async fn get(
        &self,
        secret: &SecretRef,
        deadline: Instant,
    ) -> Result<Vec<SecretString>, SecretError> {
        let mut cache = timeout_at(deadline, self.cache.lock())
            .await
            .map_err(|_| SecretError::too_late(&secret.id))?;
        cache.entry(secret.id.clone()).or_default();
        let due: BTreeSet<_> = cache
            .iter()
            .filter(|(_, entry)| entry.is_due(self.ttl))
            .map(|(id, _)| id.clone())
            .collect();
        if due.contains(&secret.id) {
            // Others that are due go along in the same call.
            self.fetch(&mut cache, due, deadline).await;
        }
        read(&cache, secret)
    }

    /// The accepted values where those that were `tried` don't fit: others that are known by now,
    /// else what a fetch before its time brings. `None` when there is nothing new, or was such a
    /// fetch a moment ago.
    pub async fn get_again(
        &self,
        secret: &SecretRef,
        tried: &[SecretString],
        deadline: Instant,
    ) -> Result<Option<Vec<SecretString>>, SecretError> {
        let mut cache = timeout_at(deadline, self.cache.lock())
            .await
            .map_err(|_| SecretError::too_late(&secret.id))?;
        let is_new = |values: &Vec<SecretString>| {
            !values
                .iter()
                .map(ExposeSecret::expose_secret)
                .eq(tried.iter().map(ExposeSecret::expose_secret))
        };
        // Somebody else may have fetched it meanwhile.
        if let Some(values) = read(&cache, secret).ok().filter(is_new) {
            return Ok(Some(values));
        }
        let entry = cache.entry(secret.id.clone()).or_default();
        if entry.extra.is_some_and(|last| last.elapsed() < BETWEEN_EXTRA_FETCHES) {
            return Ok(None);
        }
        entry.extra = Some(Instant::now());
        self.fetch(&mut cache, BTreeSet::from([secret.id.clone()]), deadline).await;
        read(&cache, secret).map(|values| Some(values).filter(is_new))
    }

    async fn fetch(
        &self,
        cache: &mut BTreeMap<String, Entry>,
        ids: BTreeSet<String>,
        deadline: Instant,
    ) {
        // Where there are old values to serve on, a refresh may not use up the time of a delivery.
        let has_old = ids.iter().all(|id| cache.get(id).is_some_and(|entry| entry.value.is_some()));
        let deadline = if has_old { deadline.min(Instant::now() + REFRESH) } else { deadline };
        let ids: Vec<_> = ids.into_iter().collect();
        for ids in ids.chunks(BATCH) {
            match timeout_at(deadline, self.fetch_batch(ids)).await {
                Ok(fetched) => {
                    for (id, result) in fetched {
                        cache.entry(id).or_default().take(result);
                    }
                }
                // Remembered only of a refresh: else whoever has more time has to have its own try.
                Err(_) if has_old => {
                    for id in ids {
                        cache.entry(id.clone()).or_default().take(Err(SecretError::too_late(id)));
                    }
                }
                Err(_) => {}
            }
        }
    }

    /// Fetches up to [`BATCH`] secrets in one call, or each alone where that is not allowed.
    async fn fetch_batch(
        &self,
        ids: &[String],
    ) -> Vec<(String, Result<SecretString, SecretError>)> {
        if let [_, _, ..] = ids {
            let answer = self
                .client
                .batch_get_secret_value()
                .set_secret_id_list(Some(ids.to_vec()))
                .send()
                .await;
            match answer {
                Ok(answer) => {
                    // One that the answer doesn't speak of may well be there.
                    let picked = ids.iter().map(|id| async {
                        let result = match pick(id, &answer) {
                            Some(result) => result,
                            None => self.fetch_one(id).await,
                        };
                        (id.clone(), result)
                    });
                    return futures_util::future::join_all(picked).await;
                }
                Err(SdkError::ServiceError(refused)) => {
                    let code = refused.err().code().unwrap_or("an error").to_owned();
                    tracing::debug!(
                        code,
                        "BatchGetSecretValue was refused; fetching each secret alone"
                    );
                }
                Err(error) => {
                    let failure = SecretError::passing(format!(
                        "Secrets Manager: {}",
                        outbound::causes(&error)
                    ));
                    return ids.iter().map(|id| (id.clone(), Err(failure.clone()))).collect();
                }
            }
        }
        let fetches = ids.iter().map(|id| async { (id.clone(), self.fetch_one(id).await) });
        futures_util::future::join_all(fetches).await
    }

    async fn fetch_one(&self, id: &str) -> Result<SecretString, SecretError> {
        match self.client.get_secret_value().secret_id(id).send().await {
            Ok(answer) => text(id, answer.secret_string()),
            Err(SdkError::ServiceError(refused)) => {
                let code = refused.err().code().unwrap_or_default();
                Err(refusal(id, code, refused.raw().status().as_u16()))
            }
            Err(error) => {
                Err(SecretError::passing(format!("Secrets Manager: {}", outbound::causes(&error))))
            }
        }
    }
}

/// One secret of the answer to a batch, which names those that it can't give one by one; `None` if
/// it is silent about the secret.
fn pick(
    id: &str,
    answer: &aws_sdk_secretsmanager::operation::batch_get_secret_value::BatchGetSecretValueOutput,
) -> Option<Result<SecretString, SecretError>> {
    let named = |name: Option<&str>, arn: Option<&str>| name == Some(id) || arn == Some(id);
    // An ARN may be written without the six characters that AWS appends.
    let partial = |arn: Option<&str>| {
        id.starts_with("arn:") && arn.is_some_and(|arn| arn.starts_with(&format!("{id}-")))
    };
    let values = answer.secret_values();
    let value = values
        .iter()
        .find(|value| named(value.name(), value.arn()))
        .or_else(|| values.iter().find(|value| partial(value.arn())));
    if let Some(value) = value {
        return Some(text(id, value.secret_string()));
    }
    let error = answer.errors().iter().find(|error| error.secret_id() == Some(id))?;
    Some(Err(refusal(id, error.error_code().unwrap_or_default(), 400)))
}

fn text(id: &str, value: Option<&str>) -> Result<SecretString, SecretError> {
    let value = value.map(|value| SecretString::from(value.to_owned()));
    value.ok_or_else(|| {
        SecretError::set_up(format!("the secret {id} holds bytes; store it as text"))
    })
}

/// What Secrets Manager's refusal means for us.
/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html#API_GetSecretValue_Errors>
fn refusal(id: &str, code: &str, status: u16) -> SecretError {
    match code {
        // Also of one that was created without a value.
        "ResourceNotFoundException" => SecretError::missing(format!(
            "there is no secret {id} in this region, or it has no value yet; create it, or correct the name"
        )),
        "InvalidRequestException" => SecretError::missing(format!(
            "the secret {id} can't be read; it seems to be marked for deletion"
        )),
        "DecryptionFailure" => SecretError::set_up(format!(
            "the secret {id} can't be decrypted; allow kms:Decrypt for its key"
        )),
        "InvalidParameterException" | "ValidationException" => {
            SecretError::set_up(format!("the secret {id} can't be read ({code}); correct the name"))
        }
        _ if code == "AccessDeniedException" || status == 403 => SecretError::set_up(format!(
            "reading the secret {id} is not allowed; name it in the stack's parameter WebhookSecrets, or allow \
             secretsmanager:GetSecretValue for it, and kms:Decrypt for its key if it has one of its own"
        )),
        _ => SecretError::passing(format!(
            "Secrets Manager answered {status} {code} for the secret {id}"
        )),
    }
}

impl Entry {
    /// Takes the result of a fetch. An old value outlives a passing failure, and no other.
    fn take(&mut self, result: Result<SecretString, SecretError>) {
        match result {
            Ok(value) => {
                self.value = Some((value, Instant::now()));
                self.failure = None;
            }
            Err(failure) => {
                if failure.is_passing() && self.value.is_some() {
                    tracing::warn!(reason = %failure, "a secret could not be fetched again; the old value serves on");
                } else {
                    self.value = None;
                }
                self.failure = Some((failure, Instant::now()));
            }
        }
    }

    fn is_due(&self, ttl: Duration) -> bool {
        let failed_now = self.failure.as_ref().is_some_and(|(_, at)| at.elapsed() < FAILURE_TTL);
        !failed_now && self.value.as_ref().is_none_or(|(_, at)| at.elapsed() >= ttl)
    }
}

fn read(
    cache: &BTreeMap<String, Entry>,
    secret: &SecretRef,
) -> Result<Vec<SecretString>, SecretError> {
    match cache.get(&secret.id) {
        Some(Entry { value: Some((value, _)), .. }) => secret.read(value),
        Some(Entry { failure: Some((failure, _)), .. }) => Err(failure.clone()),
        _ => Err(SecretError::too_late(&secret.id)),
    }
}

impl SecretError {
    /// Whether a later try can succeed without anybody changing the set-up.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        self.kind == Kind::Passing
    }

    /// Whether there is no such secret.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.kind == Kind::Missing
    }

    fn missing(message: String) -> Self {
        Self { kind: Kind::Missing, message }
    }

    pub(crate) fn set_up(message: String) -> Self {
        Self { kind: Kind::SetUp, message }
    }

    fn passing(message: String) -> Self {
        Self { kind: Kind::Passing, message }
    }

    fn too_late(id: &str) -> Self {
        Self::passing(format!("the secret {id} took too long"))
    }
}

impl fmt::Display for SecretError {
    /// For the log: it names the secret, never its value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_never_printed() {
        let mut entry = Entry::default();
        entry.take(Ok(SecretString::from("s3cret".to_owned())));
        assert!(!format!("{:?}", entry.value).contains("s3cret"));
    }
}
