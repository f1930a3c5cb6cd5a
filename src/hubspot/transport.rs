//! One call: the token, time limits, tries.

use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout_at};

use super::answer::Complaint;
use super::error::{Error, Refusal};
use super::retry::{Decision, Failure, decide};
use super::token::Token;
use crate::outbound;
use crate::secrets::SecretError;
use crate::summary::RetryReason;

/// How long one try may take at most, however much time is left: HubSpot needs 0.1 to 0.8 s, full batches longer.
const TRY: Duration = Duration::from_secs(30);

/// The longest wait that HubSpot asks for: a day, while an account is moved (477).
const WAIT: u64 = 24 * 60 * 60;

/// How much of HubSpot's own words about a refusal is logged, in characters.
const MESSAGE: usize = 1000;

/// The largest answer that is read: 100 tasks with their texts stay far below.
const ANSWER: usize = 32 * 1024 * 1024;

pub(super) struct Transport {
    http: reqwest::Client,
    /// For the try after a broken connection: others in the pool may be dead as well.
    fresh: OnceLock<reqwest::Client>,
    base_url: String,
    token: Token,
}

struct Request<'a> {
    method: Method,
    path: &'a str,
    body: Bytes,
    /// Whether it may be sent again when nobody knows whether it was carried out.
    repeatable: bool,
}

struct Response {
    status: u16,
    retry_after: Option<Duration>,
    body: Bytes,
}

impl Transport {
    pub(super) fn new(http: reqwest::Client, base_url: &str, token: Token) -> Self {
        Self { http, fresh: OnceLock::new(), base_url: base_url.to_owned(), token }
    }

    /// Makes a connection that stays in the pool: any answer will do.
    pub(super) async fn warm_up(&self, deadline: Instant) {
        let request = self.http.head(&self.base_url).send();
        if let Ok(Err(error)) = timeout_at(deadline, request).await {
            tracing::warn!(reason = outbound::causes(&error.without_url()), "HubSpot can't be reached yet");
        }
    }

    pub(super) async fn ready(&self, deadline: Instant) -> Result<(), SecretError> {
        self.token.get(deadline).await.map(|_| ())
    }

    /// Gives the answer, and whether an earlier try may have been carried out already. What is not `repeatable` is not
    /// sent again then.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        repeatable: bool,
        deadline: Instant,
    ) -> Result<(T, bool), Error> {
        // Texts and maps of texts always become JSON.
        let body = serde_json::to_vec(body).unwrap_or_default().into();
        self.call(&Request { method: Method::POST, path, body, repeatable }, deadline).await
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str, deadline: Instant) -> Result<T, Error> {
        let request = Request { method: Method::GET, path, body: Bytes::new(), repeatable: true };
        self.call(&request, deadline).await.map(|(answer, _)| answer)
    }

    /// Tries until there is an answer that stands, or the time is used up.
    async fn call<T: DeserializeOwned>(&self, request: &Request<'_>, deadline: Instant) -> Result<(T, bool), Error> {
        let mut token = self.token.get(deadline).await.map_err(|error| no_token(&error))?;
        let (mut tries, mut at_once, mut was_fresh, mut is_newest, mut may_be_done) = (0, false, false, false, false);
        loop {
            // A request would still go out on a connection that is open.
            if Instant::now() >= deadline {
                let failure = Failure::TimedOut;
                let detail = describe(&failure, &Complaint::default());
                return Err(Error::Later { reason: RetryReason::Timeout, wait: None, detail });
            }
            tries += 1;
            let response = self.attempt(request, &token, at_once, deadline).await;
            let (failure, complaint) = match response {
                Ok(response) if (200..300).contains(&response.status) => match serde_json::from_slice(&response.body) {
                    Ok(answer) => return Ok((answer, may_be_done)),
                    Err(_) => (Failure::Unreadable, Complaint::default()),
                },
                Ok(Response { status: 401, .. }) if !is_newest => {
                    // The token may have been changed since it was fetched: once, never in a loop.
                    is_newest = true;
                    if let Some(newer) = self.token.get_again(&token, deadline).await {
                        token = newer;
                        continue;
                    }
                    (Failure::Status { status: 401, retry_after: None, policy: String::new() }, Complaint::default())
                }
                Ok(response) => {
                    let complaint: Complaint = serde_json::from_slice(&response.body).unwrap_or_default();
                    let Response { status, retry_after, .. } = response;
                    (Failure::Status { status, retry_after, policy: complaint.policy_name.clone() }, complaint)
                }
                Err(failure) => (failure, Complaint::default()),
            };
            if !request.repeatable && failure.may_be_done() {
                return Err(Error::Lost);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            may_be_done |= failure.may_be_done();
            let decision = decide(tries, was_fresh, &failure, left, jitter());
            tracing::debug!(path = request.path, tries, ?failure, ?decision, "a call to HubSpot failed");
            at_once = decision == Decision::AtOnce;
            was_fresh |= at_once;
            match decision {
                Decision::AtOnce => {}
                Decision::After(wait) => sleep(wait).await,
                Decision::Later(reason, wait) => {
                    let detail = describe(&failure, &complaint);
                    if matches!(reason, RetryReason::Unauthorized | RetryReason::Forbidden) {
                        tracing::error!(path = request.path, "set-up: {detail}");
                    }
                    return Err(Error::Later { reason, wait, detail });
                }
                Decision::Refused => {
                    let status = if let Failure::Status { status, .. } = failure { status } else { 0 };
                    let message = complaint.message.chars().take(MESSAGE).collect::<String>();
                    tracing::warn!(path = request.path, status, message, "HubSpot refuses a request");
                    return Err(Error::Refused(Box::new(Refusal { status, complaint })));
                }
            }
        }
    }

    async fn attempt(
        &self,
        request: &Request<'_>,
        token: &SecretString,
        fresh: bool,
        deadline: Instant,
    ) -> Result<Response, Failure> {
        let http = if fresh { self.fresh.get_or_init(|| outbound::client(false)) } else { &self.http };
        let mut builder = http
            .request(request.method.clone(), format!("{}{}", self.base_url, request.path))
            .bearer_auth(token.expose_secret())
            .header(http::header::ACCEPT, "application/json");
        if !request.body.is_empty() {
            builder = builder.header(http::header::CONTENT_TYPE, "application/json").body(request.body.clone());
        }
        let exchange = async {
            let mut response = builder.send().await?;
            let retry_after = response.headers().get(http::header::RETRY_AFTER);
            let seconds = retry_after.and_then(|value| value.to_str().ok()?.trim().parse::<u64>().ok());
            let status = response.status().as_u16();
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await? {
                if body.len() + chunk.len() > ANSWER {
                    body.clear();
                    break;
                }
                body.extend_from_slice(&chunk);
            }
            Ok(Response {
                status,
                retry_after: seconds.map(|seconds| Duration::from_secs(seconds.min(WAIT))),
                body: body.into(),
            })
        };
        match timeout_at(deadline.min(Instant::now() + TRY), exchange).await {
            Ok(Ok(response)) => Ok(response),
            Err(_) => Err(Failure::TimedOut),
            Ok(Err(error)) => {
                let failure = failure(&error);
                // Without the address: it may hold somebody's e-mail address.
                tracing::info!(reason = outbound::causes(&error.without_url()), "a call to HubSpot failed");
                Err(failure)
            }
        }
    }
}

fn failure(error: &reqwest::Error) -> Failure {
    if error.is_connect() {
        Failure::NoConnection
    } else if error.is_timeout() {
        Failure::TimedOut
    } else {
        Failure::Broken
    }
}

fn no_token(error: &SecretError) -> Error {
    let reason = if error.is_passing() { RetryReason::Unavailable } else { RetryReason::Unauthorized };
    tracing::warn!(reason = %error, "the HubSpot token can't be had");
    Error::Later { reason, wait: None, detail: "the HubSpot token can't be read".to_owned() }
}

/// What happened, in words that are fit for the sender: no other party's text.
fn describe(failure: &Failure, complaint: &Complaint) -> String {
    match failure {
        Failure::NoConnection => "HubSpot can't be reached".to_owned(),
        Failure::Broken => "the connection to HubSpot broke".to_owned(),
        Failure::TimedOut => "HubSpot did not answer in time".to_owned(),
        Failure::Unreadable => "HubSpot's answer can't be read".to_owned(),
        Failure::Status { status: 401, .. } => "HubSpot refuses the token".to_owned(),
        Failure::Status { status: 403, .. } => {
            let scopes: Vec<_> = complaint
                .all()
                .into_iter()
                .flat_map(|error| error.context("requiredGranularScopes").iter().chain(error.context("requiredScopes")))
                .map(String::as_str)
                .collect();
            let scopes = if scopes.is_empty() { "unnamed".to_owned() } else { scopes.join(", ") };
            format!("the HubSpot token lacks a scope: {scopes}")
        }
        Failure::Status { status: 429, policy, .. } => format!("HubSpot's rate limit is reached ({policy})"),
        Failure::Status { status, .. } => format!("HubSpot answered {status}"),
    }
}

/// A number from 0 to 1 that differs between functions that run at the same time. It protects nothing.
fn jitter() -> f64 {
    use std::hash::BuildHasher as _;
    #[expect(clippy::cast_precision_loss, reason = "any number from 0 to 1 will do")]
    let random = std::hash::RandomState::new().hash_one(0) as f64;
    random / 2_f64.powi(64)
}
