//! The calls that Taskhook doesn't make, but HubSpot's own clients offer.

use serde_json::{Value, json};

use super::{Stage, ids, zid};

const TASKS: &str = "/crm/v3/objects/tasks";
const PROPERTIES: &str = "/crm/v3/properties/tasks";

#[test]
fn tasks_are_listed_in_pages() {
    let mut stage = Stage::new();
    let (status, body) = stage.get(&format!("{TASKS}?limit=1&properties=zid"));
    assert_eq!(
        (status, ids(&body), &body["paging"]["next"]["after"]),
        (200, vec!["101"], &json!("1"))
    );
    assert_eq!(body["results"][0]["properties"]["zid"], "1");
    let (_, body) = stage.get(&format!("{TASKS}?limit=1&after=1"));
    assert_eq!((ids(&body), body.get("paging")), (vec!["102"], None));
    assert_eq!(stage.get(&format!("{TASKS}?limit=101")).0, 400);
}

#[test]
fn one_task_is_created_and_archived() {
    let mut stage = Stage::new();
    let due =
        json!({"properties": {"hs_timestamp": "1770091506789", "zid": "7"}, "associations": []});
    let (status, body) = stage.call("POST", TASKS, &due);
    let id = body["id"].as_str().expect("an id").to_owned();
    assert_eq!((status, &body["properties"]["zid"]), (201, &json!("7")));
    assert_eq!(stage.call("POST", TASKS, &due).0, 400, "its zid is taken");
    assert_eq!(stage.call("POST", TASKS, json!({"properties": {}})).0, 400);

    let path = format!("{TASKS}/{id}");
    assert_eq!(stage.call("DELETE", &path, ""), (204, Value::Null));
    assert_eq!(stage.call("DELETE", &path, "").0, 404);
    assert_eq!(stage.get(&path).0, 404);
    let (status, body) = stage.get(&format!("{path}?archived=true"));
    assert_eq!((status, &body["archived"]), (200, &json!(true)));
    assert_eq!(ids(&stage.get(&format!("{TASKS}?archived=true")).1), [id]);
    assert_eq!(stage.call("POST", TASKS, &due).0, 201, "its zid is free again");
}

#[test]
fn a_batch_is_archived() {
    let mut stage = Stage::new();
    let inputs = json!([{"id": "101"}, {"id": "999"}]);
    assert_eq!(stage.batch("archive", inputs.clone()), (204, Value::Null));
    assert_eq!(stage.update(json!([zid("1", json!({}))])).0, 207);
    let read = |path: &str, stage: &mut Stage| {
        let body = json!({"inputs": [{"id": "101"}, {"id": "102"}], "properties": []});
        let (_, body) = stage.call("POST", path, body);
        ids(&body).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(read(&format!("{TASKS}/batch/read"), &mut stage), ["102"]);
    assert_eq!(read(&format!("{TASKS}/batch/read?archived=true"), &mut stage), ["101"]);
}

#[test]
fn tasks_are_searched() {
    let mut stage = Stage::with(json!({"behaviour": {"limits": {"secondly": null}}, "tasks": [
        {"id": "1", "properties": {"zid": "a", "points": "9", "hs_task_subject": "Broken kettle", "seen_at": "2026-01-01T00:00:00Z"}},
        {"id": "2", "properties": {"zid": "b", "points": "10", "hs_task_subject": "Broken pan"}},
        {"id": "3", "properties": {"zid": "c", "hs_task_subject": "Wrong colour"}},
    ]}));
    let one = |filter: Value| json!({"filterGroups": [{"filters": [filter]}]});
    let by = |operator: &str, value: &str| {
        one(json!({"propertyName": "points", "operator": operator, "value": value}))
    };
    let rows = [
        (json!({}), "1 2 3"),
        (by("EQ", "9"), "1"),
        (by("GT", "9"), "2"),
        (by("LTE", "10"), "1 2"),
        (by("NEQ", "9"), "2 3"),
        (by("HAS_PROPERTY", ""), "1 2"),
        (by("NOT_HAS_PROPERTY", ""), "3"),
        (
            one(
                json!({"propertyName": "points", "operator": "BETWEEN", "value": "1", "highValue": "9"}),
            ),
            "1",
        ),
        (one(json!({"propertyName": "zid", "operator": "IN", "values": ["a", "c"]})), "1 3"),
        (one(json!({"propertyName": "seen_at", "operator": "LT", "value": "1770091506789"})), "1"),
        (
            one(
                json!({"propertyName": "hs_task_subject", "operator": "CONTAINS_TOKEN", "value": "kett*"}),
            ),
            "1",
        ),
        (json!({"query": "broken"}), "1 2"),
        (json!({"sorts": ["-points"], "limit": 2}), "2 1"),
        (
            json!({"sorts": [{"propertyName": "points", "direction": "DESCENDING"}], "limit": 1, "after": "1"}),
            "1",
        ),
    ];
    for (search, expected) in rows {
        let (status, body) = stage.call("POST", &format!("{TASKS}/search"), &search);
        assert_eq!((status, ids(&body).join(" ")), (200, expected.into()), "{search}");
    }
    let (_, body) = stage.call("POST", &format!("{TASKS}/search"), json!({"limit": 2}));
    assert_eq!((&body["total"], &body["paging"]["next"]["after"]), (&json!(3), &json!("2")));
    for wrong in [
        by("LIKE", "9"),
        json!({"limit": 201}),
        json!({"filterGroups": vec![json!({"filters": []}); 6]}),
    ] {
        assert_eq!(stage.call("POST", &format!("{TASKS}/search"), &wrong).0, 400, "{wrong}");
    }
}

#[test]
fn properties_are_updated_and_archived() {
    let mut stage = Stage::new();
    let (status, body) = stage.call(
        "PATCH",
        &format!("{PROPERTIES}/zid"),
        json!({"label": "Zendesk", "hasUniqueValue": false}),
    );
    assert_eq!(
        (status, &body["label"], &body["hasUniqueValue"]),
        (200, &json!("Zendesk"), &json!(true))
    );
    assert_eq!(stage.call("PATCH", &format!("{PROPERTIES}/zid"), json!({"type": "date"})).0, 400);
    assert_eq!(
        stage.call("PATCH", &format!("{PROPERTIES}/hs_object_id"), json!({"label": "x"})).0,
        400
    );

    assert_eq!(stage.call("DELETE", &format!("{PROPERTIES}/points"), "").0, 204);
    assert_eq!(stage.get(&format!("{PROPERTIES}/points")).0, 404);
    assert_eq!(stage.get(&format!("{PROPERTIES}/points?archived=true")).1["archived"], true);
    assert_eq!(names(&stage.get(&format!("{PROPERTIES}?archived=true")).1), ["points"]);
    assert!(!names(&stage.get(PROPERTIES).1).contains(&"points"));
    let (_, body) = stage.update(json!([zid("1", json!({"points": "1"}))]));
    assert_eq!(body["errors"][0]["code"], "PROPERTY_DOESNT_EXIST");
    assert_eq!(stage.call("DELETE", &format!("{PROPERTIES}/hs_task_subject"), "").0, 400);
}

#[test]
fn properties_come_in_batches() {
    let mut stage = Stage::new();
    let new = |name: &str| json!({"name": name, "label": "L", "type": "string", "fieldType": "text", "groupName": "task"});
    let (status, body) = stage.call(
        "POST",
        &format!("{PROPERTIES}/batch/create"),
        json!({"inputs": [new("one"), new("zid"), new("two")]}),
    );
    assert_eq!((status, names(&body)), (207, vec!["one", "two"]));
    assert_eq!(body["errors"][0]["category"], "OBJECT_ALREADY_EXISTS");
    let both = json!({"archived": false, "dataSensitivity": "non_sensitive", "inputs": [{"name": "one"}, {"name": "gone"}]});
    let (status, body) = stage.call("POST", &format!("{PROPERTIES}/batch/read"), &both);
    assert_eq!((status, names(&body), &body["numErrors"]), (207, vec!["one"], &json!(1)));
    assert_eq!(stage.call("POST", &format!("{PROPERTIES}/batch/archive"), &both).0, 204);
    assert_eq!(stage.get(&format!("{PROPERTIES}/one")).0, 404);
}

#[test]
fn properties_are_in_groups() {
    let mut stage = Stage::new();
    let path = format!("{PROPERTIES}/groups");
    let new = json!({"name": "tickets", "label": "Tickets", "displayOrder": 3});
    let (status, body) = stage.call("POST", &path, &new);
    assert_eq!(
        (status, body),
        (201, json!({"name": "tickets", "label": "Tickets", "displayOrder": 3, "archived": false}))
    );
    assert_eq!(stage.call("POST", &path, &new).0, 409);
    assert_eq!(names(&stage.get(&path).1), ["task", "tickets"]);
    assert_eq!(
        stage.call("PATCH", &format!("{path}/tickets"), json!({"label": "T"})).1["label"],
        "T"
    );
    assert_eq!(stage.get(&format!("{path}/tickets")).1["displayOrder"], 3);
    assert_eq!(stage.call("DELETE", &format!("{path}/tickets"), "").0, 204);
    assert_eq!(stage.get(&format!("{path}/tickets")).0, 404);
    let property = json!({"name": "a", "label": "L", "type": "string", "fieldType": "text", "groupName": "tickets"});
    assert_eq!(stage.call("POST", PROPERTIES, &property).0, 400, "its group is gone");
}

#[test]
fn sensitive_properties_are_listed_to_whoever_asks_and_may() {
    let seed = |scopes: Value| {
        json!({
            "scopes": scopes,
            "properties": [{"name": "zid", "hasUniqueValue": true}, {"name": "iban", "dataSensitivity": "sensitive"}],
            "tasks": [{"id": "101", "properties": {"zid": "1", "iban": "DE00"}}],
        })
    };
    let write = json!([zid("1", json!({"iban": "DE01"}))]);
    let basic = ["crm.objects.contacts.read", "crm.objects.contacts.write"];

    let mut stage = Stage::with(seed(Value::Null));
    assert!(!names(&stage.get(PROPERTIES).1).contains(&"iban"));
    assert_eq!(names(&stage.get(&format!("{PROPERTIES}?dataSensitivity=sensitive")).1), ["iban"]);
    assert_eq!(stage.get(&format!("{PROPERTIES}/iban")).0, 404);
    assert_eq!(stage.get(&format!("{PROPERTIES}/iban?dataSensitivity=sensitive")).0, 200);
    assert_eq!(stage.get(&format!("{PROPERTIES}?dataSensitivity=secret")).0, 400);
    assert_eq!(stage.update(write.clone()).0, 200);

    let mut stage = Stage::with(seed(json!(basic)));
    let (status, body) = stage.get(&format!("{PROPERTIES}?dataSensitivity=sensitive"));
    assert_eq!((status, &body["category"]), (403, &json!("MISSING_SCOPES")));
    let scopes = &body["errors"][0]["context"]["requiredGranularScopes"];
    assert_eq!(scopes, &json!(["crm.objects.contacts.sensitive.read"]));
    assert_eq!(stage.update(write).0, 403);
    assert_eq!(stage.update(json!([zid("1", json!({"hs_task_subject": "x"}))])).0, 200);
    let (_, body) =
        stage.batch("read", json!({"inputs": [{"id": "101"}], "properties": ["iban", "zid"]}));
    assert_eq!(body["results"][0]["properties"].get("iban"), None);
    assert_eq!(stage.get("/crm/v3/owners").0, 403);
}

fn names(body: &Value) -> Vec<&str> {
    let results = body["results"].as_array().expect("results");
    results.iter().filter_map(|result| result["name"].as_str()).collect()
}
