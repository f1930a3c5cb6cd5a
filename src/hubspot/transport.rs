//! One call: the token, time limits, tries.

use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout_at};

use super::daily::Daily;
use super::error::{Error, Refusal};
use super::retry::{Decision, Failure, Hint, decide, http_date, retry_after};
use super::said::Said;
use super::token::Token;
use crate::outbound;
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
    http: reqwest::Client,
    /// For the try after a broken connection: others in the pool may be dead as well.
    fresh: OnceLock<reqwest::Client>,
    base_url: String,
    token: Token,
    daily: Daily,
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
    correlation_id: Option<String>,
    /// `None` where it is larger than [`ANSWER`].
    body: Option<Bytes>,
}

impl Transport {
    pub(super) fn new(http: reqwest::Client, base_url: &str, token: Token) -> Self {
        Self {
            http,
            fresh: OnceLock::new(),
            base_url: base_url.to_owned(),
            token,
            daily: Daily::default(),
        }
    }

    /// Makes a connection that stays in the pool: any answer will do.
    pub(super) async fn warm_up(&self, deadline: Instant) {
        let request = self.http.head(&self.base_url).send();
        if let Ok(Err(error)) = timeout_at(deadline, request).await {
            tracing::warn!(
                reason = outbound::causes(&error.without_url()),
                "HubSpot can't be reached yet"
            );
        }
    }

    pub(super) async fn ready(&self, deadline: Instant) -> Result<(), SecretError> {
        self.token.get(deadline).await.map(|_| ())
    }

    /// Gives the answer, and whether an earlier try may have been carried out already. What is not
    /// `repeatable` is not sent again then.
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

    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        deadline: Instant,
    ) -> Result<T, Error> {
        let request = Request { method: Method::GET, path, body: Bytes::new(), repeatable: true };
        self.call(&request, deadline).await.map(|(answer, _)| answer)
    }

    /// Tries until there is an answer that stands, or the time is used up.
    async fn call<T: DeserializeOwned>(
        &self,
        request: &Request<'_>,
        deadline: Instant,
    ) -> Result<(T, bool), Error> {
        if let Some(wait) = self.daily.wait(Instant::now()) {
            let detail = describe(
                &Failure::Status { status: 429, retry_after: None, hint: Hint::Daily },
                &Said::default(),
            );
            return Err(Error::Later {
                reason: RetryReason::RateLimited,
                wait: Some(wait),
                detail,
            });
        }
        let mut token = self.token.get(deadline).await.map_err(|error| no_token(&error))?;
        let (mut tries, mut at_once, mut was_fresh, mut is_newest, mut may_be_done) =
            (0, false, false, false, false);
        loop {
            // A request would still go out on a connection that is open.
            if Instant::now() >= deadline {
                let detail = describe(&Failure::TimedOut, &Said::default());
                return Err(Error::Later { reason: RetryReason::Timeout, wait: None, detail });
            }
            tries += 1;
            let (failure, said) = match self.attempt(request, &token, at_once, deadline).await {
                Ok(response) => match self.read(&response) {
                    Ok(answer) => return Ok((answer, may_be_done)),
                    Err(failed) => *failed,
                },
                Err(failure) => (failure, Said::default()),
            };
            if matches!(failure, Failure::Status { status: 401, .. }) && !is_newest {
                // The token may have been changed since it was fetched: once, never in a loop.
                is_newest = true;
                if let Some(newer) = self.token.get_again(&token, deadline).await {
                    token = newer;
                    continue;
                }
            }
            if !request.repeatable && failure.may_be_done() {
                return Err(Error::Lost);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            may_be_done |= failure.may_be_done();
            let decision = decide(tries, was_fresh, &failure, left, jitter());
            log(request, &failure, &said, &decision);
            at_once = decision == Decision::AtOnce;
            was_fresh |= at_once;
            match decision {
                Decision::AtOnce => {}
                Decision::After(wait) => sleep(wait).await,
                Decision::Later(reason, wait) => {
                    let is_daily = matches!(failure, Failure::Status { hint: Hint::Daily, .. });
                    let wait = if is_daily {
                        Some(self.daily.used_up(wait, Instant::now()))
                    } else {
                        wait
                    };
                    return Err(Error::Later { reason, wait, detail: describe(&failure, &said) });
                }
                Decision::Refused => {
                    let status = if let Failure::Status { status, .. } = failure {
                        status
                    } else {
                        TOO_LARGE
                    };
                    return Err(Error::Refused(Box::new(Refusal {
                        status,
                        complaint: said.complaint,
                    })));
                }
            }
        }
    }

    /// Reads a success. Anything else is a failure, with what was said about it.
    fn read<T: DeserializeOwned>(&self, response: &Response) -> Result<T, Box<(Failure, Said)>> {
        let said = |body: &[u8]| Said::read(body, response.correlation_id.as_deref());
        if !(200..300).contains(&response.status) {
            let said = said(response.body.as_deref().unwrap_or_default());
            let hint = Hint::of(response.status, &said.complaint);
            if response.status < 500 && response.status != 429 {
                self.daily.passed();
            }
            let failure = Failure::Status {
                status: response.status,
                retry_after: response.retry_after,
                hint,
            };
            return Err(Box::new((failure, said)));
        }
        let Some(body) = &response.body else {
            return Err(Box::new((Failure::TooLarge, Said::default())));
        };
        let answer = serde_json::from_slice(body)
            .map_err(|_| Box::new((Failure::Unreadable, said(body))))?;
        self.daily.passed();
        Ok(answer)
    }

    async fn attempt(
        &self,
        request: &Request<'_>,
        token: &SecretString,
        fresh: bool,
        deadline: Instant,
    ) -> Result<Response, Failure> {
        let http =
            if fresh { self.fresh.get_or_init(|| outbound::client(false)) } else { &self.http };
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
                let failure = failure(&error);
                // Without the address: it may hold somebody's e-mail address.
                tracing::info!(
                    reason = outbound::causes(&error.without_url()),
                    "a call to HubSpot failed"
                );
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
    let reason =
        if error.is_passing() { RetryReason::Unavailable } else { RetryReason::Unauthorized };
    tracing::warn!(reason = %error, "the HubSpot token can't be had");
    Error::Later { reason, wait: None, detail: "the HubSpot token can't be read".to_owned() }
}

/// Says what came back, and what is done about it. Of a connection that failed,
/// [`Transport::attempt`] says more.
///
/// The address is shown without its query, which may hold somebody's e-mail address.
fn log(request: &Request<'_>, failure: &Failure, said: &Said, decision: &Decision) {
    let status = match failure {
        Failure::Status { status, .. } => *status,
        Failure::Unreadable => 200,
        Failure::TooLarge => {
            tracing::warn!("HubSpot's answer is over 4 MiB; it is asked for fewer tasks");
            return;
        }
        Failure::NoConnection | Failure::Broken | Failure::TimedOut => return,
    };
    let (path, query) = request.path.split_once('?').unwrap_or((request.path, ""));
    let (category, correlation_id, properties) =
        (said.category(), said.correlation_id.as_str(), said.properties());
    let words = said.words(&request.body, query);
    // A batch may be forbidden because of one of its rows: who sent it finds out, and tells once.
    let is_forbidden_batch = status == 403 && request.method == Method::POST;
    let what = match decision {
        Decision::AtOnce | Decision::After(_) => "a call to HubSpot is tried again".to_owned(),
        Decision::Refused => "HubSpot refuses a request".to_owned(),
        Decision::Later(..) if is_forbidden_batch => "HubSpot forbids a call".to_owned(),
        Decision::Later(..) => match status {
            401 | 403 => format!("set-up: {}", describe(failure, said)),
            404 | 405 | 410 => format!(
                "set-up: HubSpot answered {status}: nothing takes this call at this address; look at \
                 HUBSPOT_API_VERSION and HUBSPOT_BASE_URL"
            ),
            _ => describe(failure, said),
        },
    };
    // `tracing` wants to know the level when it is compiled.
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                status,
                path,
                category,
                correlationId = correlation_id,
                properties,
                words,
                "{what}"
            )
        };
    }
    match decision {
        Decision::AtOnce | Decision::After(_) => line!(info),
        Decision::Later(..) if is_forbidden_batch => line!(info),
        Decision::Later(..) if what.starts_with("set-up") => line!(error),
        Decision::Later(..) | Decision::Refused => line!(warn),
    }
}

/// What happened, in words that are fit for the sender: no other party's text.
fn describe(failure: &Failure, said: &Said) -> String {
    match failure {
        Failure::NoConnection => "HubSpot can't be reached".to_owned(),
        Failure::Broken => "the connection to HubSpot broke".to_owned(),
        Failure::TimedOut => "HubSpot did not answer in time".to_owned(),
        Failure::Unreadable if said.is_page() => {
            "a web page answers in HubSpot's place: look at HUBSPOT_BASE_URL, and at a proxy on the way".to_owned()
        }
        Failure::Unreadable => "HubSpot's answer can't be read".to_owned(),
        Failure::TooLarge => "HubSpot's answer is over 4 MiB".to_owned(),
        Failure::Status { status: 401, .. } => "HubSpot refuses the token".to_owned(),
        Failure::Status { status: 403, .. } => said.why_forbidden(),
        Failure::Status { status: 429, hint, .. } => {
            let limit = match hint {
                Hint::Daily => "DAILY",
                Hint::Secondly => "SECONDLY",
                Hint::None | Hint::Exists => said.category(),
            };
            let limit = if limit.is_empty() { String::new() } else { format!(" ({limit})") };
            format!("HubSpot's rate limit is reached{limit}")
        }
        Failure::Status { status, .. } => format!("HubSpot answered {status}"),
    }
}

/// A number from 0 to 1 that differs between functions that run at the same time. It protects
/// nothing.
fn jitter() -> f64 {
    use std::hash::BuildHasher as _;
    #[expect(clippy::cast_precision_loss, reason = "any number from 0 to 1 will do")]
    let random = std::hash::RandomState::new().hash_one(0) as f64;
    random / 2_f64.powi(64)
}
