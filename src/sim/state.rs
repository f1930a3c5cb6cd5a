//! The state of a running stand-in between calls.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;

use super::{
    answer::Answer,
    fault::{Endpoint, Fault, Faults, Moment},
    portal::Portal,
    request::Request,
    route::Route,
};

/// A call that the stand-in had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Call {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path, with its query.
    pub path: String,
    /// The body: JSON, or a string if it wasn't, or null if there was none.
    pub body: Value,
    /// The status that it got; 0 if the connection was closed instead.
    pub status: u16,
    /// Whether it had a header `Authorization`, whose value is not kept.
    pub authorization_present: bool,
}

/// A call with its answer, for whoever watches.
#[derive(Clone, Debug)]
pub struct Watched {
    /// When it came, in milliseconds since 1970.
    pub time: i64,
    /// How long its answer waits.
    pub delay: Duration,
    /// The number of [`Sim::url_for`](super::Sim::url_for), if it was made there.
    pub label: Option<u64>,
    /// The call.
    pub call: Call,
    /// The body of the answer: JSON, or a string if it wasn't, or null if there was none.
    pub answer: Value,
}

/// A portal, the faults that wait, and the calls that were.
#[derive(Debug)]
pub(super) struct State {
    pub(super) portal: Portal,
    pub(super) faults: Faults,
    pub(super) calls: Vec<Call>,
    /// Whether scripts may look into it and change it at `/_sim`.
    pub(super) is_open: bool,
    /// Whoever watches the calls as they come.
    pub(super) watcher: Option<UnboundedSender<Watched>>,
}

/// The fate of a call, and its time.
#[derive(Debug)]
pub(super) struct Reply {
    /// `None`: the connection is closed.
    pub(super) answer: Option<Answer>,
    /// How long the answer waits.
    pub(super) delay: Duration,
    /// Only half of the body is sent.
    pub(super) half: bool,
}

impl State {
    pub(super) fn new(portal: Portal) -> Self {
        Self { portal, faults: Faults::default(), calls: Vec::new(), is_open: true, watcher: None }
    }

    /// Answers a call that only looks: no fault strikes it, and it is not kept.
    pub(super) fn look(&mut self, request: &Request, now: Timestamp) -> Reply {
        Reply::at_once(self.portal.answer(request, &Fault::default(), now))
    }

    /// Answers one call to HubSpot, with the fault that waits for it, and keeps it.
    pub(super) fn call(&mut self, request: &Request, now: Timestamp) -> Reply {
        let route = Route::parse(&request.method, &request.path);
        let endpoint = route.map_or(Endpoint::Any, |route| route.endpoint());
        let fault = self.faults.strike(endpoint, request);
        let mut answer = match fault.drop {
            Some(Moment::Before) => None,
            _ => Some(self.portal.answer(request, &fault, now)),
        };
        if fault.drop == Some(Moment::After) {
            answer = None;
        }
        let call = Call {
            method: request.method.clone(),
            path: request.target(),
            body: body(request),
            status: answer.as_ref().map_or(0, |answer| answer.status),
            authorization_present: request.authorization.is_some(),
        };
        let delay = Duration::from_millis(self.portal.behaviour.latency_ms + fault.delay_ms);
        if let Some(watcher) = &self.watcher {
            let answer = answer.as_ref().map_or(Value::Null, Answer::to_value);
            let time = now.as_millisecond();
            // Nobody may watch any more.
            let label = request.label;
            _ = watcher.send(Watched { time, delay, label, call: call.clone(), answer });
        }
        self.calls.push(call);
        Reply { answer, delay, half: fault.half_body }
    }
}

impl Reply {
    /// An answer that nothing spoils.
    pub(super) fn at_once(answer: Answer) -> Self {
        Self { answer: Some(answer), delay: Duration::ZERO, half: false }
    }
}

fn body(request: &Request) -> Value {
    if request.body.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(&request.body)
        .unwrap_or_else(|_| String::from_utf8_lossy(&request.body).into())
}
