//! Faults on demand: calls that fail on the way to HubSpot, or at HubSpot.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    answer::{Answer, Body},
    canned,
    limits::Policy,
    request::Request,
};

/// One thing that goes wrong. What it does can be combined: `{"on": "update", "delay_ms": 300,
/// "status": 502}`.
///
/// `status`, `html` and `drop: before` answer instead of HubSpot: nothing is written. All others
/// let HubSpot do its work.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches, each named in the JSON form"
)]
pub struct Fault {
    /// The calls that it strikes.
    pub on: Endpoint,
    /// How many calls it strikes; default: 1.
    pub times: Option<u32>,
    /// It strikes every call, for ever.
    pub forever: bool,
    /// How many calls it lets pass first. Calls that an earlier fault struck don't count.
    pub skip: u32,
    /// It strikes only calls whose body, as compact JSON, holds one of these texts, or whose path
    /// ends with one; default: any call.
    pub holds: Vec<String>,
    /// Answers with this status, and with the body that HubSpot sends with it.
    pub status: Option<u16>,
    /// Which limit a 429 names.
    pub policy: Policy,
    /// With `status`: the category in HubSpot's own body, in place of the usual one and of the
    /// details that go with it.
    pub category: Option<String>,
    /// Headers to add, or to put in place of others.
    pub headers: BTreeMap<String, String>,
    /// With `status`: the body instead of HubSpot's own. A string is sent as HTML, anything else as
    /// JSON.
    pub body: Option<Value>,
    /// Closes the connection without an answer.
    pub drop: Option<Moment>,
    /// Answers this many milliseconds late. What the call does, it does at once.
    pub delay_ms: u64,
    /// Sends half of the body and closes the connection.
    pub half_body: bool,
    /// Turns the order of the results round.
    pub reverse: bool,
    /// Leaves this many results, the last ones, out of the answer.
    pub omit: usize,
    /// Passes over this many inputs, the last ones, in silence.
    pub ignore: usize,
    /// Results lack the `idProperty` that their inputs were found by.
    pub no_echo: bool,
    /// Passes over every input in silence: a success that did nothing.
    pub empty: bool,
    /// Answers 200 with a page of HTML.
    pub html: bool,
    /// The status of a batch, in place of `COMPLETE`.
    pub state: Option<BatchState>,
    /// Every result carries a warning with this message. Version 2026-09 has none.
    pub warning: Option<String>,
    /// Somebody else creates each task of an upsert that isn't there, just before it is.
    pub race: bool,
}

/// The calls that a fault strikes.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// Every call.
    #[default]
    Any,
    /// `batch/create`, and `POST` of one task.
    Create,
    /// `batch/read`, and `GET` of one task or of the list.
    Read,
    /// `batch/update`, and `PATCH` of one task.
    Update,
    /// `batch/upsert`.
    Upsert,
    /// `batch/archive`, and `DELETE` of one task.
    Archive,
    /// `search`.
    Search,
    /// Owners.
    Owners,
    /// Property definitions and their groups.
    Properties,
    /// Reading and searching contacts, companies, deals and tickets.
    ObjectsRead,
    /// Writing and archiving them.
    ObjectsWrite,
    /// Making associations.
    Associate,
    /// Showing associations, and taking them away.
    Associations,
}

/// When the connection is closed.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// Before the call did anything.
    Before,
    /// After the call did its work.
    After,
}

/// The states of a batch that isn't complete.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum BatchState {
    /// It has not begun.
    Pending,
    /// It is under way.
    Processing,
    /// It was called off.
    Canceled,
}

impl Fault {
    /// One call answers with this status and the body that HubSpot sends with it.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self { status: Some(status), ..Self::default() }
    }

    /// The answer that takes HubSpot's place, if one does.
    pub(super) fn answer(&self, now: Timestamp) -> Option<Answer> {
        if let Some(status) = self.status {
            let mut answer = canned::answer(status, self.policy, now);
            if let (Some(category), Body::Json(body)) = (&self.category, &mut answer.body) {
                *body =
                    json!({"status": "error", "message": body["message"], "category": category});
            }
            match &self.body {
                Some(Value::String(text)) => answer.body = Body::Html(text.clone()),
                Some(body) => answer.body = Body::Json(body.clone()),
                None => {}
            }
            return Some(answer);
        }
        self.html.then(|| Answer {
            status: 200,
            headers: Vec::new(),
            body: Body::Html(
                "<!DOCTYPE html>\n<title>HubSpot</title>\n<h1>Please wait</h1>\n".into(),
            ),
        })
    }
}

/// The faults that wait for their calls, first come, first served.
#[derive(Debug, Default)]
pub(super) struct Faults(VecDeque<Fault>);

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        self.0.push_back(fault);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn waiting(&self) -> Vec<Fault> {
        self.0.iter().cloned().collect()
    }

    /// The fault that strikes a call of this endpoint; the harmless default if none does.
    pub(super) fn strike(&mut self, endpoint: Endpoint, request: &Request) -> Fault {
        for index in 0..self.0.len() {
            let fault = &mut self.0[index];
            let over = fault.times == Some(0) && !fault.forever;
            let meant = fault.on == Endpoint::Any || fault.on == endpoint;
            let holds =
                fault.holds.is_empty() || fault.holds.iter().any(|text| request.holds(text));
            if over || !meant || !holds {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            let struck = fault.clone();
            let left = fault.times.unwrap_or(1).saturating_sub(1);
            fault.times = Some(left);
            if left == 0 && !fault.forever {
                self.0.remove(index);
            }
            return struck;
        }
        Fault::default()
    }
}
