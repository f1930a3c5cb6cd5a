//! One call: the token, time limits, tries.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::Level;

use super::daily::Daily;
use super::error::{Error, Refusal};
use super::retry::{Decision, Failure, Hint, decide, http_date, retry_after};
use super::said::{Forbidden, Said};
use super::token::Token;
use super::usage::{Meter, Usage};
use crate::outbound::{self, Http};
use crate::outcome::RetryReason;
use crate::secrets::SecretError;
use crate::time::Time;

/// How long one try may take at most, however much time is left: HubSpot needs 0.1 to 0.8 s, full
/// batches longer.
const TRY: Duration = Duration::from_secs(30);

/// The largest answer that is read: 100 tasks, but for the longest of their texts, stay far below.
const ANSWER: usize = 4 * 1024 * 1024;

/// The status of a request that asks for too much.
const TOO_LARGE: u16 = 413;

pub(super) struct Transport {
    http: Http,
    base_url: String,
    token: Token,
    daily: Daily,
    meter: Meter,
}

struct Request<'a> {
    method: Method,
    path: &'a str,
    body: Bytes,
    /// Whether it may be sent again when nobody knows whether it was carried out.
    repeatable: bool,
}

/// HubSpot's answer, read.
pub(super) struct Reply<T> {
    pub(super) answer: T,
    /// Whether an earlier try may have been carried out already.
    pub(super) is_repeated: bool,
}

struct Response {
    status: u16,
    retry_after: Option<Duration>,
    correlation_id: Option<String>,
    /// `None` where it is larger than [`ANSWER`].
    body: Option<Bytes>,
}

/// The tries of a call so far.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is remembered on its own")]
struct Tries {
    count: u32,
    /// Whether the next one goes out at once, on a fresh connection.
    is_at_once: bool,
    /// Whether one went out on a fresh connection.
    was_fresh: bool,
    /// Whether the token was fetched again.
    is_newest_token: bool,
    /// Whether one may have been carried out.
    may_be_done: bool,
}

/// A try that failed, with the words about it.
struct Failed {
    failure: Failure,
    said: Said,
}

impl Transport {
    pub(super) fn new(http: Http, base_url: &str, token: Token) -> Self {
        Self {
            http,
            base_url: base_url.to_owned(),
            token,
            daily: Daily::default(),
            meter: Meter::default(),
        }
    }

    /// What the calls since the last question took.
    pub(super) fn take_usage(&self) -> Usage {
        self.meter.take()
    }

    /// Makes a connection that stays in the pool: any answer will do.
    pub(super) async fn warm_up(&self, deadline: Instant) {
        let request = self.http.keeping().head(&self.base_url).send();
        if let Ok(Err(error)) = timeout_at(deadline, request).await {
            tracing::warn!(
                reason = outbound::causes_of_request(error),
                "HubSpot can't be reached yet"
            );
        }
    }

    /// Fetches the token and checks its form.
    pub(super) async fn check_token(&self, deadline: Instant) -> Result<(), SecretError> {
        self.token.get(deadline).await.map(|_| ())
    }

    /// Sends a request with a body. One that is not `repeatable` is not sent again once a try may
    /// have been carried out.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        repeatable: bool,
        deadline: Instant,
    ) -> Result<Reply<T>, Error> {
        // Texts and maps of texts always become JSON.
        let body = serde_json::to_vec(body).unwrap_or_default().into();
        self.call(&Request { method: Method::POST, path, body, repeatable }, deadline).await
    }

    /// Sends a request without a body.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        deadline: Instant,
    ) -> Result<T, Error> {
        let request = Request { method: Method::GET, path, body: Bytes::new(), repeatable: true };
        self.call(&request, deadline).await.map(|reply| reply.answer)
    }

    /// Tries until there is an answer that stands, or the time is used up.
    async fn call<T: DeserializeOwned>(
        &self,
        request: &Request<'_>,
        deadline: Instant,
    ) -> Result<Reply<T>, Error> {
        if let Some(wait) = self.daily.wait(Instant::now()) {
            let limit = Failure::Status { status: 429, retry_after: None, hint: Hint::Daily };
            return Err(Failed::from(limit).later(RetryReason::RateLimited, Some(wait)));
        }
        let mut token = self.token.get(deadline).await.map_err(|error| no_token(&error))?;
        let mut tries = Tries::default();
        loop {
            // A request would still go out on a connection that is open.
            if Instant::now() >= deadline {
                return Err(Failed::from(Failure::TimedOut).later(RetryReason::Timeout, None));
            }
            tries.count += 1;
            let failed = match self.attempt(request, &token, tries.is_at_once, deadline).await {
                Ok(response) => match self.read(&response) {
                    Ok(answer) => return Ok(Reply { answer, is_repeated: tries.may_be_done }),
                    Err(failed) => *failed,
                },
                Err(failure) => Failed::from(failure),
            };
            let failure = &failed.failure;
            if matches!(failure, Failure::Status { status: 401, .. }) && !tries.is_newest_token {
                // The token may have been changed since it was fetched: once, never in a loop.
                tries.is_newest_token = true;
                if let Some(newer) = self.token.get_again(&token, deadline).await {
                    token = newer;
                    continue;
                }
            }
            if !request.repeatable && failure.may_be_done() {
                return Err(Error::Lost);
            }
            let is_repeated = tries.may_be_done;
            tries.may_be_done |= failure.may_be_done();
            let left = deadline.saturating_duration_since(Instant::now());
            let decision = decide(tries.count, tries.was_fresh, failure, left, fastrand::f64());
            log(request, &failed, &decision);
            tries.is_at_once = decision == Decision::AtOnce;
            tries.was_fresh |= tries.is_at_once;
            match decision {
                Decision::AtOnce => {}
                Decision::After(wait) => sleep(wait).await,
                Decision::Later(reason, wait) => {
                    if !failed.is_of_the_day() {
                        return Err(failed.later(reason, wait));
                    }
                    let wait = self.daily.use_up(wait, Instant::now());
                    return Err(failed.later(reason, Some(wait)));
                }
                Decision::Refused => return Err(failed.refused(is_repeated)),
            }
        }
    }

    /// Reads a success. Any other answer is a failure.
    fn read<T: DeserializeOwned>(&self, response: &Response) -> Result<T, Box<Failed>> {
        let id = response.correlation_id.as_deref();
        if !(200..300).contains(&response.status) {
            let said = Said::read(response.body.as_deref().unwrap_or_default(), id);
            if response.status < 500 && response.status != 429 {
                self.daily.forget();
            }
            let failure = Failure::Status {
                status: response.status,
                retry_after: response.retry_after,
                hint: Hint::read(response.status, &said.complaint),
            };
            return Err(Box::new(Failed { failure, said }));
        }
        let Some(body) = &response.body else {
            return Err(Box::new(Failed::from(Failure::TooLarge)));
        };
        let Ok(answer) = serde_json::from_slice(body) else {
            let said = Said::read(body, id);
            return Err(Box::new(Failed { failure: Failure::Unreadable, said }));
        };
        self.daily.forget();
        Ok(answer)
    }

    /// Makes one try, on a fresh connection if wanted, and counts it.
    async fn attempt(
        &self,
        request: &Request<'_>,
        token: &SecretString,
        fresh: bool,
        deadline: Instant,
    ) -> Result<Response, Failure> {
        let began = Instant::now();
        let result = self.exchange(request, token, fresh, deadline).await;
        let is_rate_limited = result.as_ref().is_ok_and(|response| response.status == 429);
        self.meter.add(began.elapsed(), is_rate_limited);
        result
    }

    async fn exchange(
        &self,
        request: &Request<'_>,
        token: &SecretString,
        fresh: bool,
        deadline: Instant,
    ) -> Result<Response, Failure> {
        // After a broken connection others of those that are kept may be dead as well.
        let http = if fresh { self.http.fresh() } else { self.http.keeping() };
        let mut builder = http
            .request(request.method.clone(), format!("{}{}", self.base_url, request.path))
            .bearer_auth(token.expose_secret())
            .header(http::header::ACCEPT, "application/json");
        if !request.body.is_empty() {
            builder = builder
                .header(http::header::CONTENT_TYPE, "application/json")
                .body(request.body.clone());
        }
        let exchange = async {
            let mut response = builder.send().await?;
            let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
            let now = header("date").and_then(http_date).unwrap_or_else(Time::now);
            let retry_after = header("retry-after").and_then(|value| retry_after(value, now));
            let correlation_id = header("x-hubspot-correlation-id").map(str::to_owned);
            let status = response.status().as_u16();
            let mut read = Vec::new();
            while let Some(chunk) = response.chunk().await? {
                if read.len() + chunk.len() > ANSWER {
                    return Ok(Response { status, retry_after, correlation_id, body: None });
                }
                read.extend_from_slice(&chunk);
            }
            Ok(Response { status, retry_after, correlation_id, body: Some(read.into()) })
        };
        match timeout_at(deadline.min(Instant::now() + TRY), exchange).await {
            Ok(Ok(response)) => Ok(response),
            Err(_) => Err(Failure::TimedOut),
            Ok(Err(error)) => {
                let failure = Failure::from(&error);
                let reason = outbound::causes_of_request(error);
                tracing::info!(reason, "a call to HubSpot failed");
                Err(failure)
            }
        }
    }
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self { failure, said: Said::default() }
    }
}

impl From<&reqwest::Error> for Failure {
    fn from(error: &reqwest::Error) -> Self {
        if let Some(why) = outbound::not_trusted(error) {
            Self::NotTrusted(why)
        } else if error.is_connect() {
            Self::NoConnection
        } else if error.is_timeout() {
            Self::TimedOut
        } else {
            Self::Broken
        }
    }
}

fn no_token(error: &SecretError) -> Error {
    let reason =
        if error.is_passing() { RetryReason::Unavailable } else { RetryReason::Unauthorized };
    tracing::warn!(reason = %error, "cannot get the HubSpot token");
    let detail = "the HubSpot token can't be read".to_owned();
    Error::Later { reason, wait: None, detail, names_scopes: false }
}

/// Logs an answer that is no success, and the decision about it. Of a connection that failed,
/// [`Transport::attempt`] says more.
///
/// The address is shown without its query, which may hold somebody's e-mail address.
fn log(request: &Request<'_>, failed: &Failed, decision: &Decision) {
    let status = match &failed.failure {
        Failure::Status { status, .. } => *status,
        Failure::Unreadable => 200,
        Failure::TooLarge => {
            tracing::warn!("HubSpot's answer is over 4 MiB; it is asked for fewer tasks");
            return;
        }
        Failure::NotTrusted(why) => {
            tracing::error!("set-up: {why}");
            return;
        }
        Failure::NoConnection | Failure::Broken | Failure::TimedOut => return,
    };
    // A batch may be forbidden because of one of its rows: who sent it finds out, and tells once.
    let is_forbidden_batch = status == 403 && request.path.contains("/batch/");
    let (level, what) = match decision {
        Decision::AtOnce | Decision::After(_) => {
            (Level::INFO, "a call to HubSpot is tried again".to_owned())
        }
        Decision::Refused => (Level::WARN, "HubSpot refuses a request".to_owned()),
        Decision::Later(..) if is_forbidden_batch => {
            (Level::INFO, "HubSpot forbids a call".to_owned())
        }
        Decision::Later(..) => match status {
            401 | 403 => (Level::ERROR, format!("token: {}", failed.describe())),
            404 | 405 | 410 => {
                let why = format!(
                    "set-up: HubSpot answered {status}: nothing takes this call at this address; \
                     look at HUBSPOT_API_VERSION and HUBSPOT_BASE_URL"
                );
                (Level::ERROR, why)
            }
            _ => (Level::WARN, failed.describe()),
        },
    };
    let (path, query) = request.path.split_once('?').unwrap_or((request.path, ""));
    let said = &failed.said;
    // `tracing` wants to know the level when it is compiled.
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                status,
                path,
                category = said.category(),
                correlationId = said.correlation_id,
                properties = said.properties(),
                words = said.words(&request.body, query),
                "{what}"
            )
        };
    }
    match level {
        Level::ERROR => line!(error),
        Level::WARN => line!(warn),
        _ => line!(info),
    }
}

impl Failed {
    /// Whether the account's limit of a day is used up.
    fn is_of_the_day(&self) -> bool {
        matches!(self.failure, Failure::Status { hint: Hint::Daily, .. })
    }

    /// The error of a call that may succeed later.
    fn later(&self, reason: RetryReason, wait: Option<Duration>) -> Error {
        let is_forbidden = matches!(self.failure, Failure::Status { status: 403, .. });
        let names_scopes =
            is_forbidden && matches!(self.said.why_forbidden(), Forbidden::LacksScopes(_));
        Error::Later { reason, wait, detail: self.describe(), names_scopes }
    }

    /// The error of a call that is refused as it is.
    fn refused(self, is_repeated: bool) -> Error {
        let status = match self.failure {
            Failure::Status { status, .. } => status,
            _ => TOO_LARGE,
        };
        let complaint = self.said.complaint;
        Error::Refused(Box::new(Refusal { status, is_repeated, complaint }))
    }

    /// The failure in words that are fit for the sender: no other party's text.
    fn describe(&self) -> String {
        let text = match &self.failure {
            Failure::NoConnection => "HubSpot can't be reached",
            Failure::NotTrusted(_) => "HubSpot's certificate isn't trusted",
            Failure::Broken => "the connection to HubSpot broke",
            Failure::TimedOut => "HubSpot did not answer in time",
            Failure::Unreadable if self.said.is_page() => {
                "a web page answers in HubSpot's place: look at HUBSPOT_BASE_URL, and at a proxy \
                 on the way"
            }
            Failure::Unreadable => "HubSpot's answer can't be read",
            Failure::TooLarge => "HubSpot's answer is over 4 MiB",
            Failure::Status { status: 401, .. } => "HubSpot refuses the token",
            Failure::Status { status: 403, .. } => return self.said.why_forbidden().to_string(),
            Failure::Status { status: 429, hint, .. } => {
                let limit = match hint {
                    Hint::Daily => "DAILY",
                    Hint::Secondly => "SECONDLY",
                    Hint::None | Hint::Exists => self.said.category(),
                };
                if limit.is_empty() {
                    "HubSpot's rate limit is reached"
                } else {
                    return format!("HubSpot's rate limit is reached ({limit})");
                }
            }
            Failure::Status { status, .. } => return format!("HubSpot answered {status}"),
        };
        text.to_owned()
    }
}
