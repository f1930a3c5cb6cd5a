//! `/_sim`: the calls by which scripts look into the stand-in and change it.

use serde::de::DeserializeOwned;
use serde_json::json;

use super::{
    answer::{Answer, Body},
    fault::Fault,
    object::ObjectType,
    request::Request,
    state::State,
};

/// Answers a request below `/_sim`.
pub(super) fn answer(state: &mut State, request: &Request) -> Answer {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/_sim" | "/_sim/") => {
            Answer { status: 200, headers: Vec::new(), body: Body::Text(HELP.into()) }
        }
        ("GET", "/_sim/associations") => Answer::json(200, json!(state.portal.links.all())),
        ("GET", "/_sim/calls") => Answer::json(200, json!(state.calls)),
        ("DELETE", "/_sim/calls") => {
            state.calls.clear();
            done()
        }
        ("POST", "/_sim/faults") => match faults(&request.body) {
            Ok(faults) => {
                for fault in faults {
                    state.faults.add(fault);
                }
                done()
            }
            Err(answer) => answer,
        },
        ("DELETE", "/_sim/faults") => {
            state.faults.clear();
            done()
        }
        ("PUT", "/_sim/behaviour") => match parse(&request.body) {
            Ok(behaviour) => {
                state.portal.behaviour = behaviour;
                done()
            }
            Err(answer) => answer,
        },
        ("GET", path) => match object(path) {
            Some(object) => {
                let records: Vec<_> = state.portal.objects[object].records.all().collect();
                Answer::json(200, json!(records))
            }
            None => no_such_path(),
        },
        _ => no_such_path(),
    }
}

/// The object type whose records a path shows, such as `/_sim/tasks`.
fn object(path: &str) -> Option<ObjectType> {
    let name = path.strip_prefix("/_sim/")?;
    ObjectType::ALL.into_iter().find(|object| object.plural() == name)
}

/// One fault or a list of them.
fn faults(body: &[u8]) -> Result<Vec<Fault>, Answer> {
    // Not an untagged enum: its errors would not say which field is wrong.
    if body.trim_ascii_start().starts_with(b"[") { parse(body) } else { Ok(vec![parse(body)?]) }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Answer> {
    serde_json::from_slice(body).map_err(|error| problem(400, &error.to_string()))
}

fn done() -> Answer {
    Answer::empty()
}

fn no_such_path() -> Answer {
    problem(404, "There is no such path; GET /_sim lists those that are.")
}

fn problem(status: u16, message: &str) -> Answer {
    Answer::json(status, json!({ "message": message }))
}

const HELP: &str = r#"A stand-in for HubSpot's tasks API, with what tasks hang on.

GET    /_sim/tasks          every task as it is now; contacts, companies, deals and tickets likewise
GET    /_sim/associations   every two records that are associated
GET    /_sim/calls          every call so far
DELETE /_sim/calls          forgets them
POST   /_sim/faults         queues a fault, or a list of faults, for the next calls
DELETE /_sim/faults         takes back those that still wait
PUT    /_sim/behaviour      sets the habits that last; what is left out goes back to its default

A fault:     {"on": "update", "times": 2, "skip": 1, "status": 429, "policy": "SECONDLY"}
  on         any | create | read | update | upsert | archive | search | owners | properties |
             objects_read | objects_write | associate | associations
  how often  times (1), forever (false), skip (0), holds (any of these texts in the body, or at the path's end)
  instead    status (with policy, category, headers, body), html, drop: "before"
  besides    drop: "after", delay_ms, half_body, reverse, omit, ignore, no_echo, empty, race,
             state ("PENDING" | "PROCESSING" | "CANCELED"), warning (a text)
Behaviour:   {"trace_ids": "never" | "upsert" | "always", "echo_trace_ids": false, "errors_in_200": false,
              "echo_id_property": true, "terse_validation": false, "vague_validation": false,
              "incomplete_errors": false, "associate_nothing": false,
              "order": "as_is" | "reversed", "empty_due_date": "clears" | "invalid" | "required",
              "taken_value": "invalid" | "conflict" | "already_exists", "merged": {"102": "101"},
              "limits": {"ten_secondly": 190, "secondly": 5, "daily": 650000} (null: no limit),
              "latency_ms": 0, "rules": [...]}
A rule:      {"property": "code", "takes": "letters" | "digits" | "letters_and_digits"}
             {"property": "code", "refuses": ["9"], "code": "INVALID_OWNER_ID",
              "message": "Owner {value} does not exist"}
             {"property": "code", "keeps": "number" | "trimmed" | "lower_case" | "clean_html"}
             {"property": "code", "required": true, "when": {"hs_task_status": "COMPLETED"},
              "in_every_version": false}
"#;
