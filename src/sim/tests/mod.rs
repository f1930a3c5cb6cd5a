//! Every line of what HubSpot does, as the stand-in does it.

#![allow(
    clippy::expect_used,
    clippy::needless_pass_by_value,
    clippy::too_many_lines,
    reason = "a test may fail where it stands, its rows are literals, and a table may be long"
)]

mod associations;
mod behaviour;
mod faults;
mod http;
mod objects;
mod operations;
mod portal;
mod refusals;
mod schema;
mod values;

use serde_json::{Value, json};

use super::{
    Fault, ObjectType,
    answer::{Answer, Body},
    portal::Portal,
    request::Request,
    state::State,
};

/// A portal with two tasks: `zid` 1 (record 101) and `zid` 2 (record 102).
struct Stage {
    state: State,
}

impl Stage {
    fn new() -> Self {
        Self::with(json!({}))
    }

    /// The usual portal, with these fields of the seed set besides or instead.
    fn with(fields: Value) -> Self {
        let mut seed = json!({
            "properties": [
                {"name": "zid", "hasUniqueValue": true},
                {"name": "mail", "hasUniqueValue": true},
                {"name": "points", "type": "number"},
                {"name": "urgent", "type": "bool"},
                {"name": "day", "type": "date"},
                {"name": "seen_at", "type": "datetime"},
                {"name": "tags", "type": "enumeration", "fieldType": "checkbox",
                 "options": [{"value": "red"}, {"value": "blue"}, {"value": "two words"}]},
            ],
            "owners": [
                {"id": "11", "email": "ada@example.com", "firstName": "Ada"},
                {"id": "12", "email": "bob+x@example.com"},
            ],
            "tasks": [
                {"id": "101", "properties": {"zid": "1", "mail": "one", "tags": "red", "hs_task_subject": "First"}},
                {"id": "102", "properties": {"zid": "2"}},
            ],
        });
        for (name, value) in fields.as_object().expect("an object") {
            seed[name] = value.clone();
        }
        let seed = serde_json::from_value(seed).expect("a seed");
        let portal = Portal::new(seed, now()).expect("a right seed");
        let state = State::new(portal);
        Self { state }
    }

    fn fault(mut self, fault: Value) -> Self {
        let fault: Fault = serde_json::from_value(fault).expect("a fault");
        self.state.faults.add(fault);
        self
    }

    fn send(&mut self, request: &Request) -> (u16, Value) {
        let answer = self.state.call(request, now()).answer;
        let answer = answer.expect("an answer, not a closed connection");
        let body = match answer.body {
            Body::Json(body) => body,
            Body::Html(text) | Body::Text(text) => text.into(),
            Body::Empty => Value::Null,
        };
        (answer.status, body)
    }

    fn call(&mut self, method: &str, target: &str, body: impl ToString) -> (u16, Value) {
        self.send(&request(method, target, body))
    }

    fn get(&mut self, target: &str) -> (u16, Value) {
        self.call("GET", target, "")
    }

    /// Posts a batch: `update`, `upsert`, `create`, or `read` with `{"inputs": …}` of its own.
    fn batch(&mut self, operation: &str, inputs: Value) -> (u16, Value) {
        let body = match inputs {
            Value::Array(_) => json!({ "inputs": inputs }),
            body => body,
        };
        let target = format!("/crm/v3/objects/tasks/batch/{operation}");
        self.call("POST", &target, body)
    }

    fn update(&mut self, inputs: Value) -> (u16, Value) {
        self.batch("update", inputs)
    }

    /// What a task holds now; null if nothing.
    fn value(&self, id: &str, property: &str) -> Value {
        let task = self.state.portal.objects[ObjectType::Tasks].records.get(id).expect("a task");
        task.properties.get(property).cloned().into()
    }
}

fn request(method: &str, target: &str, body: impl ToString) -> Request {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Request {
        method: method.into(),
        path: path.into(),
        query: query.into(),
        authorization: None,
        body: body.to_string().into(),
        label: None,
    }
}

/// An input that names its task by `zid`.
fn zid(id: &str, properties: Value) -> Value {
    json!({"id": id, "idProperty": "zid", "properties": properties})
}

/// The same with a trace id.
fn traced(id: &str, trace_id: &str, properties: Value) -> Value {
    let mut input = zid(id, properties);
    input["objectWriteTraceId"] = trace_id.into();
    input
}

/// The ids of the results, in order.
fn ids(body: &Value) -> Vec<&str> {
    let results = body["results"].as_array().expect("results");
    results.iter().filter_map(|r| r["id"].as_str()).collect()
}

fn now() -> jiff::Timestamp {
    "2026-02-03T04:05:06.789Z".parse().expect("a time")
}
