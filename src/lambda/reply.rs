//! Replies to the sender: a status that says whether to send the event again, and a terse body.

use std::borrow::Cow;
use std::time::Duration;

use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value, json};

use super::dispatch::Dispatched;
use super::receive::Rejected;
use crate::delivery::Answer;
use crate::outcome::RetryReason;

/// The largest body that is taken.
pub(super) const BODY: usize = 1024 * 1024;

/// The methods that a source's path takes.
const ALLOWED: &str = "POST, HEAD";

/// Zendesk tries again only when `Retry-After` is below 60 s.
const LONGEST_RETRY_AFTER: u64 = 55;

/// A problem in the sense of RFC 9457.
pub(super) struct ProblemReply {
    status: StatusCode,
    detail: Cow<'static, str>,
    /// Headers besides the content type.
    headers: Vec<(header::HeaderName, HeaderValue)>,
    /// More fields of the body.
    fields: Map<String, Value>,
}

impl ProblemReply {
    fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, detail: detail.into(), headers: Vec::new(), fields: Map::new() }
    }

    /// The function is not set up right; what exactly is in the log.
    pub(super) fn set_up() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Taskhook is not set up right; its log says what to do",
        )
    }

    /// Something went wrong that nobody thought of.
    pub(super) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "an internal error; the log has more")
    }

    pub(super) fn method() -> Self {
        let mut problem = Self::new(StatusCode::METHOD_NOT_ALLOWED, "webhooks are sent by POST");
        problem.headers.push((header::ALLOW, HeaderValue::from_static(ALLOWED)));
        problem
    }

    pub(super) fn too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 1 MiB")
    }

    /// A delivery that was not taken.
    pub(super) fn rejected(rejected: &Rejected) -> Self {
        match rejected {
            Rejected::NoSource => Self::new(StatusCode::NOT_FOUND, "no source has this path"),
            Rejected::Refused(_) => Self::new(
                StatusCode::UNAUTHORIZED,
                "the signature or token is missing, wrong or out of date",
            ),
            Rejected::Unreadable(why) => Self::new(StatusCode::BAD_REQUEST, why.summary("body")),
            Rejected::Secret(error) if error.is_passing() => {
                Self::later("a secret can't be read now", None)
            }
            Rejected::BrokenSource | Rejected::Secret(_) => Self::set_up(),
        }
    }

    /// The same event, sent again later, can succeed.
    fn later(detail: &'static str, wait: Option<Duration>) -> Self {
        let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, detail);
        let seconds = wait
            .map_or(5, |wait| wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
            .clamp(1, LONGEST_RETRY_AFTER);
        problem.headers.push((header::RETRY_AFTER, HeaderValue::from(seconds)));
        problem
    }

    pub(super) fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// Whether the function is at fault, and no sender.
    pub(super) fn is_error(&self) -> bool {
        self.status == StatusCode::INTERNAL_SERVER_ERROR
    }

    /// Whether it is about the address or the method, as scanners try them.
    pub(super) fn is_scan(&self) -> bool {
        matches!(self.status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED)
    }

    /// The reply. `request_id` is what the log knows the delivery by.
    pub(super) fn reply(self, request_id: &str) -> Response<String> {
        let title = self.status.canonical_reason().unwrap_or("Problem");
        let mut body = Map::new();
        body.insert("type".to_owned(), json!("about:blank"));
        body.insert("title".to_owned(), json!(title));
        body.insert("status".to_owned(), json!(self.status.as_u16()));
        body.insert("detail".to_owned(), json!(self.detail));
        body.insert("instance".to_owned(), json!(request_id));
        body.extend(self.fields);
        let mut response =
            json_response(self.status, "application/problem+json", &Value::Object(body));
        response.headers_mut().extend(self.headers);
        response
    }
}

/// The reply to a delivery that was received. One of which something is left to do is a problem
/// with the summary's fields. `is_queue`: its updates go into the queue, not to HubSpot.
pub(super) fn dispatched(
    dispatched: &Dispatched,
    is_queue: bool,
    request_id: &str,
) -> Response<String> {
    let Dispatched { summary, wait, unwritten } = dispatched;
    let (wait, longest) = (*wait, Duration::from_secs(LONGEST_RETRY_AFTER));
    let problem = summary.retries().next().map(|(reason, _)| match reason {
        _ if is_queue => ProblemReply::later("the queue can't be reached now", wait),
        RetryReason::RateLimited => {
            ProblemReply::later("HubSpot's rate limit is reached", wait.or(Some(longest)))
        }
        RetryReason::Unavailable => ProblemReply::later("HubSpot can't be reached now", wait),
        RetryReason::Timeout => ProblemReply::later("HubSpot did not answer in time", wait),
        RetryReason::Unauthorized => {
            ProblemReply::later("HubSpot refuses the token", Some(longest))
        }
        RetryReason::Forbidden => {
            ProblemReply::later("the HubSpot token lacks a scope", Some(longest))
        }
    });
    let unwritten =
        unwritten.as_ref().map(|_| ProblemReply::later("a dead letter can't be written now", wait));
    if let Some(problem) = problem.or(unwritten) {
        ProblemReply { fields: summary.to_json(), ..problem }.reply(request_id)
    } else {
        let status = if summary.is_queued() { StatusCode::ACCEPTED } else { StatusCode::OK };
        json_response(status, "application/json", &Value::Object(summary.to_json()))
    }
}

/// `GET /health`: it touches nothing.
pub(super) fn health() -> Response<String> {
    json_response(StatusCode::OK, "application/json", &json!({"status": "ok"}))
}

/// The answer to a probe, such as Trello's HEAD before it registers a webhook.
pub(super) fn probe() -> Response<String> {
    Response::new(String::new())
}

/// The answer to a sender's handshake.
pub(super) fn handshake(answer: Answer) -> Response<String> {
    let mut response = Response::new(String::new());
    match answer {
        Answer::Header(name, value) => {
            response.headers_mut().insert(name, value);
        }
        Answer::Text(text) => {
            *response.body_mut() = text;
            response
                .headers_mut()
                .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        }
        Answer::Json(text) => {
            *response.body_mut() = text;
            response
                .headers_mut()
                .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Answer::Secret(_) => {}
    }
    response
}

fn json_response(status: StatusCode, content_type: &'static str, body: &Value) -> Response<String> {
    let mut response = Response::new(body.to_string());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
