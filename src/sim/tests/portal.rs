//! What the calls do when all is well, and who is let in.

use serde_json::{Value, json};

use super::{Stage, ids, now, request, zid};
use crate::sim::{Seed, portal::Portal};

#[test]
fn an_update_echoes_what_was_written_and_some_defaults() {
    let mut stage = Stage::new();
    let (status, body) = stage.update(json!([zid("1", json!({"points": "5"}))]));
    assert_eq!(status, 200);
    let result = &body["results"][0];
    assert_eq!((&result["id"], &result["archived"]), (&json!("101"), &json!(false)));
    assert_eq!(
        result["properties"],
        json!({
            "hs_createdate": "2026-02-03T04:05:06.789Z",
            "hs_lastmodifieddate": "2026-02-03T04:05:06.789Z",
            "hs_object_id": "101",
            "points": "5",
            "zid": "1",
        })
    );
    assert_eq!(body.get("errors"), None);
    assert_eq!(stage.value("101", "hs_task_subject"), "First");
}

#[test]
fn record_ids_and_date_versions_work_alike() {
    for path in ["/crm/v3/objects/tasks", "/crm/objects/2026-03/tasks"] {
        let inputs = json!({"inputs": [{"id": "102", "properties": {"points": "5"}}]});
        let (status, body) = Stage::new().call("POST", &format!("{path}/batch/update"), inputs);
        assert_eq!((status, ids(&body)), (200, vec!["102"]));
    }
}

#[test]
fn every_version_serves_tasks_properties_and_owners() {
    let mut stage = Stage::new();
    for (objects, properties, owners) in [
        ("/crm/v3/objects", "/crm/v3/properties", "/crm/v3/owners"),
        ("/crm/objects/2026-03", "/crm/properties/2026-03", "/crm/owners/2026-03"),
        ("/crm/objects/2026-09", "/crm/properties/2026-09", "/crm/owners/2026-09"),
    ] {
        for path in [
            format!("{objects}/tasks"),
            format!("{objects}/0-27/101"),
            format!("{properties}/tasks"),
            format!("{properties}/tasks/groups/task"),
            format!("{owners}/"),
        ] {
            assert_eq!(stage.get(&path).0, 200, "{path}");
        }
    }
    for path in [
        "/crm/v4/objects/tasks",
        "/crm/objects/2025-09/tasks",
        "/crm/objects/tasks",
        "/crm/objects/v3/tasks",
    ] {
        assert_eq!(stage.get(path).0, 404, "{path}");
    }
}

#[test]
fn an_upsert_updates_or_creates_and_says_which() {
    let mut stage = Stage::new();
    let due = "2026-02-03T04:05:06.789Z";
    let (status, body) = stage.batch(
        "upsert",
        json!([zid("1", json!({"points": "1"})), zid("3", json!({"hs_timestamp": due}))]),
    );
    assert_eq!(status, 200, "{body}");
    let new = [&body["results"][0]["new"], &body["results"][1]["new"]];
    assert_eq!(new, [&json!(false), &json!(true)]);
    let id = body["results"][1]["id"].as_str().expect("an id");
    assert_eq!(stage.value(id, "zid"), "3");

    let (status, body) = stage.batch("upsert", json!([zid("4", json!({}))]));
    assert_eq!((status, &body["context"]["properties"]), (400, &json!(["hs_timestamp"])));
}

#[test]
fn a_create_answers_201() {
    let mut stage = Stage::new();
    let due = json!({"hs_timestamp": "1770091506789", "zid": "7"});
    let (status, body) = stage.batch("create", json!([{"properties": due}]));
    assert_eq!((status, ids(&body)), (201, vec!["40000000001"]));
}

#[test]
fn a_read_shows_what_was_asked_for() {
    let mut stage = Stage::new();
    let asked = json!({"idProperty": "zid", "properties": ["tags", "points"], "inputs": [{"id": "1"}, {"id": "9"}]});
    let (status, body) = stage.batch("read", asked);
    assert_eq!((status, ids(&body)), (207, vec!["101"]));
    let properties = &body["results"][0]["properties"];
    assert_eq!([&properties["tags"], &properties["points"]], [&json!("red"), &Value::Null]);
    assert_eq!(properties.get("zid"), None);
    assert_eq!(body["errors"][0]["context"]["ids"], json!(["9"]));
}

#[test]
fn a_read_carries_all_that_the_specification_requires_but_for_v3() {
    let without = json!({"properties": ["tags"], "inputs": [{"id": "101"}]});
    let mut with = without.clone();
    with["propertiesWithHistory"] = json!(["tags"]);
    for (path, expected) in [
        ("/crm/v3/objects/tasks/batch/read", 200),
        ("/crm/objects/2026-03/tasks/batch/read", 400),
        ("/crm/objects/2026-09/tasks/batch/read", 400),
    ] {
        let (status, body) = Stage::new().call("POST", path, &without);
        assert_eq!(status, expected, "{path}");
        let sentence =
            "Invalid input JSON: Some required fields were not set: [propertiesWithHistory]";
        assert!(expected == 200 || body["message"] == sentence, "{body}");
        let (status, body) = Stage::new().call("POST", path, &with);
        let newest = &body["results"][0]["propertiesWithHistory"]["tags"][0]["value"];
        assert_eq!((status, newest), (200, &json!("red")), "{path}");
    }
}

#[test]
fn one_task_can_be_read_and_written() {
    let mut stage = Stage::new();
    let path = "/crm/v3/objects/tasks/1?idProperty=zid&properties=tags,mail";
    let (status, body) = stage.get(path);
    assert_eq!((status, &body["properties"]["mail"]), (200, &json!("one")));
    let (status, _) = stage.call("PATCH", path, json!({"properties": {"points": "3"}}));
    assert_eq!((status, stage.value("101", "points")), (200, json!("3")));
    let (status, body) = stage.call("PATCH", path, json!({"properties": {"points": "x"}}));
    assert_eq!((status, &body["errors"][0]["code"]), (400, &json!("INVALID_NUMBER")));
    let (status, body) = stage.get("/crm/v3/objects/tasks/999");
    assert_eq!((status, &body["category"]), (404, &json!("OBJECT_NOT_FOUND")));
    assert_eq!(stage.get("/crm/v3/objects/calls/1").0, 404);
}

#[test]
fn only_the_right_token_is_let_in() {
    let mut stage = Stage::with(json!({"token": "pat-right", "expired_tokens": ["pat-old"]}));
    let rows = [
        (Some("Bearer pat-right"), 200, Value::Null, ""),
        (None, 401, json!("INVALID_AUTHENTICATION"), "Authentication credentials not found."),
        (Some("pat-right"), 401, json!("INVALID_AUTHENTICATION"), "Authentication"),
        (Some("Bearer pat-wrong"), 401, json!("INVALID_AUTHENTICATION"), "Authentication"),
        (
            Some("Bearer pat-old"),
            401,
            json!("EXPIRED_AUTHENTICATION"),
            "The OAuth token used to make this call expired 3 hour(s) ago.",
        ),
        (
            Some("Bearer rubbish"),
            401,
            json!("EXPIRED_AUTHENTICATION"),
            "The OAuth token used to make this call expired 20487 day(s) ago.",
        ),
    ];
    for (header, expected, category, sentence) in rows {
        let mut request = request("GET", "/crm/v3/owners", "");
        request.authorization = header.map(Into::into);
        let (status, body) = stage.send(&request);
        assert_eq!((status, &body["category"]), (expected, &category), "{header:?}");
        let message = body["message"].as_str().unwrap_or_default();
        assert!(message.starts_with(sentence), "{message}");
    }
    let calls = stage.state.calls.iter();
    let present: Vec<bool> = calls.map(|call| call.authorization_present).collect();
    assert_eq!(present, [true, false, true, true, true, true]);
}

#[test]
fn a_wrong_seed_says_which_task_and_why() {
    let rows = [
        (json!([{"properties": {"x": "1"}}]), "task 1: Property \"x\" does not exist"),
        (
            json!([{}, {"properties": {"hs_task_priority": "TOP"}}]),
            "task 2: hs_task_priority: TOP was not one",
        ),
        (json!([{"id": "1"}, {"id": "1"}]), "task 2: its id 1 is that of an earlier task"),
    ];
    for (tasks, sentence) in rows {
        let seed: Seed = serde_json::from_value(json!({"tasks": tasks})).expect("a seed");
        let problem = Portal::new(seed, now()).expect_err("a problem").to_string();
        assert!(problem.starts_with(sentence), "{problem}");
    }
}
