//! What goes wrong on demand.

use serde_json::{Value, json};

use super::{Answer, Body, Stage, ids, now, request, zid};

/// Sends both tasks an update under this fault; returns status, body and whether task 102 was
/// written.
fn under(fault: Value) -> (u16, Value, bool) {
    let mut stage = Stage::new().fault(fault);
    let inputs = json!([zid("1", json!({"points": "1"})), zid("2", json!({"points": "2"}))]);
    let (status, body) = stage.update(inputs);
    let written = stage.value("102", "points") == "2";
    (status, body, written)
}

#[test]
fn a_status_answers_in_hubspots_words_and_writes_nothing() {
    let rows = [
        (json!({"status": 401}), "/category", "EXPIRED_AUTHENTICATION"),
        (json!({"status": 403}), "/category", "MISSING_SCOPES"),
        (
            json!({"status": 403}),
            "/errors/0/context/requiredGranularScopes/0",
            "crm.objects.contacts.write",
        ),
        (json!({"status": 409}), "/category", "CONFLICT"),
        (json!({"status": 423}), "/category", "LOCKED"),
        (json!({"status": 429}), "/policyName", "TEN_SECONDLY_ROLLING"),
        (
            json!({"status": 429, "policy": "SECONDLY"}),
            "/message",
            "You have reached your secondly limit.",
        ),
        (json!({"status": 429, "policy": "DAILY"}), "/errorType", "RATE_LIMIT"),
        (json!({"status": 477}), "/category", "MIGRATION_IN_PROGRESS"),
        (
            json!({"status": 409, "category": "OBJECT_ALREADY_EXISTS"}),
            "/category",
            "OBJECT_ALREADY_EXISTS",
        ),
        (json!({"status": 400, "body": {"message": "mine"}}), "/message", "mine"),
    ];
    for (fault, pointer, expected) in rows {
        let (status, body, written) = under(fault.clone());
        assert_eq!(Some(&json!(status)), fault.get("status"));
        assert_eq!(body.pointer(pointer), Some(&json!(expected)), "{fault}: {body}");
        assert!(!written);
    }
    for fault in [json!({"status": 502}), json!({"status": 524}), json!({"html": true})] {
        let (_, body, written) = under(fault);
        assert!(body.as_str().is_some_and(|text| text.contains("<h1>")) && !written);
    }
    assert_eq!(under(json!({"status": 503, "body": "gone"})).1, "gone");
}

#[test]
fn headers_are_added_or_replaced() {
    let mut stage = Stage::new().fault(json!({"status": 477})).fault(
        json!({"status": 429, "headers": {"Retry-After": "7", "x-hubspot-ratelimit-max": "1"}}),
    );
    let mut header = |name: &str| {
        let reply = stage.state.call(&request("GET", "/crm/v3/owners", ""), now());
        let headers = reply.answer.expect("an answer").headers;
        let same = |(other, _): &(String, String)| other.eq_ignore_ascii_case(name);
        let found: Vec<(String, String)> = headers.into_iter().filter(same).collect();
        found.into_iter().map(|(_, value)| value).collect::<Vec<_>>()
    };
    assert_eq!(header("Retry-After"), ["3600"]);
    assert_eq!(header("X-HubSpot-RateLimit-Max"), ["1"]);
    assert_eq!(header("X-HubSpot-RateLimit-Remaining"), ["187"]);
}

#[test]
fn an_answer_of_hubspots_has_an_id() {
    let mut stage = Stage::new()
        .fault(json!({"status": 403, "category": "USER_DOES_NOT_HAVE_PERMISSIONS"}))
        .fault(json!({"status": 502}));
    let mut answer = || {
        stage.state.call(&request("GET", "/crm/v3/owners", ""), now()).answer.expect("an answer")
    };
    let id = |answer: &Answer| {
        let header = answer.headers.iter().find(|(name, _)| name == "X-HubSpot-Correlation-Id");
        header.map(|(_, id)| id.clone())
    };
    let refused = answer();
    let Body::Json(body) = &refused.body else { panic!("not JSON") };
    assert_eq!(
        (body["correlationId"].as_str(), body.get("errors")),
        (id(&refused).as_deref(), None)
    );
    assert_eq!(id(&answer()), None, "a proxy's page has none");
    assert!(id(&answer()).is_some());
}

#[test]
fn results_can_be_turned_left_out_or_stripped() {
    let (_, body, written) = under(json!({"reverse": true}));
    assert_eq!((ids(&body), written), (vec!["102", "101"], true));
    let (_, body, written) = under(json!({"omit": 1}));
    assert_eq!((ids(&body), written), (vec!["101"], true));
    let (_, body, written) = under(json!({"no_echo": true}));
    assert_eq!((body["results"][0]["properties"].get("zid"), written), (None, true));
}

#[test]
fn a_success_can_do_less_than_it_was_asked() {
    let (status, body, written) = under(json!({"ignore": 1}));
    assert_eq!((status, ids(&body), written), (200, vec!["101"], false));
    let (status, body, written) = under(json!({"empty": true}));
    assert_eq!((status, ids(&body), written), (200, vec![], false));
    assert_eq!(body.get("errors"), None);
}

#[test]
fn a_closed_connection_comes_before_or_after_the_work() {
    for (moment, expected) in [("before", Value::Null), ("after", json!("1"))] {
        let mut stage = Stage::new().fault(json!({"drop": moment, "delay_ms": 5}));
        let body = json!({"inputs": [zid("1", json!({"points": "1"}))]});
        let request = request("POST", "/crm/v3/objects/tasks/batch/update", body);
        let reply = stage.state.call(&request, now());
        assert!(reply.answer.is_none() && reply.delay.as_millis() == 5);
        assert_eq!(stage.value("101", "points"), expected);
        assert_eq!(stage.state.calls[0].status, 0);
    }
}

#[test]
fn a_fault_strikes_the_calls_it_is_meant_for() {
    let mut stage = Stage::new()
        .fault(json!({"on": "update", "status": 503, "times": 2, "skip": 1}))
        .fault(json!({"on": "owners", "status": 500, "forever": true}));
    let mut update = || stage.update(json!([])).0;
    let statuses = [update(), update(), update(), update()];
    assert_eq!(statuses, [200, 503, 503, 200]);
    let mut owners = || stage.get("/crm/v3/owners").0;
    assert_eq!([owners(), owners(), owners()], [500, 500, 500]);
    assert_eq!(stage.get("/crm/v3/properties/tasks").0, 200);
}

#[test]
fn a_fault_strikes_whoever_holds_a_certain_row() {
    for text in ["\"id\":\"2\"", "urgent one"] {
        let mut stage =
            Stage::new().fault(json!({"holds": ["none", text], "status": 403, "forever": true}));
        let (one, two) = (zid("1", json!({})), zid("2", json!({"hs_task_subject": "urgent one"})));
        let statuses =
            [json!([one, two]), json!([one]), json!([two])].map(|inputs| stage.update(inputs).0);
        assert_eq!(statuses, [403, 200, 403], "{text}");
    }
    let mut stage = Stage::new().fault(json!({"holds": ["102"], "status": 403, "forever": true}));
    assert_eq!(
        ["101", "102"].map(|id| stage.get(&format!("/crm/v3/objects/tasks/{id}")).0),
        [200, 403]
    );
}

#[test]
fn a_batch_may_still_be_under_way() {
    for state in ["PENDING", "PROCESSING", "CANCELED"] {
        let (status, body, written) = under(json!({"state": state, "omit": 2}));
        assert_eq!(
            (status, &body["status"], ids(&body), written),
            (200, &json!(state), vec![], true)
        );
        let (_, _, written) = under(json!({"state": state, "empty": true}));
        assert!(!written);
    }
}

#[test]
fn results_may_carry_a_warning_in_versions_that_have_them() {
    let (_, body, _) = under(json!({"warning": "Cut"}));
    assert_eq!(body["results"][1]["warnings"][0]["message"], "Cut");
    let mut stage = Stage::new().fault(json!({"warning": "Cut"}));
    let inputs = json!({"inputs": [zid("1", json!({}))]});
    let (_, body) = stage.call("POST", "/crm/objects/2026-09/tasks/batch/update", inputs);
    assert_eq!((ids(&body), body["results"][0].get("warnings")), (vec!["101"], None));
}

#[test]
fn somebody_else_may_create_the_task_of_an_upsert_first() {
    let mut stage = Stage::new().fault(json!({"on": "upsert", "race": true}));
    let inputs = json!([zid("1", json!({})), zid("9", json!({"hs_timestamp": "1770091506789"}))]);
    let (status, body) = stage.batch("upsert", inputs.clone());
    assert_eq!((status, &body["errors"][0]["code"]), (400, &json!("CONFLICTING_UNIQUE_VALUE")));
    assert_eq!(body["errors"][0]["context"]["propertyName"], json!(["zid"]));
    assert_eq!(stage.batch("upsert", inputs).0, 200);
}

#[test]
fn a_misspelt_fault_is_an_error() {
    let fault: Result<crate::sim::Fault, _> = serde_json::from_value(json!({"stauts": 500}));
    let problem = fault.expect_err("a problem").to_string();
    assert!(problem.starts_with("unknown field `stauts`"), "{problem}");
}
