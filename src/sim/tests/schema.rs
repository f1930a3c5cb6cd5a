//! Property definitions and owners.

use serde_json::{Value, json};

use super::Stage;

#[test]
fn definitions_look_as_hubspot_shows_them() {
    let mut stage = Stage::new();
    let (status, body) = stage.get("/crm/v3/properties/tasks");
    let names: Vec<&str> = body["results"]
        .as_array()
        .expect("results")
        .iter()
        .filter_map(|property| property["name"].as_str())
        .collect();
    assert_eq!(status, 200);
    assert!(names.contains(&"hs_task_body") && names.contains(&"zid"));

    let (_, status) = stage.get("/crm/v3/properties/tasks/hs_task_status");
    assert_eq!(status["options"][3]["value"], "COMPLETED");
    let (_, created) = stage.get("/crm/properties/2026-03/tasks/hs_createdate");
    assert_eq!(created["modificationMetadata"]["readOnlyValue"], true);
    let (_, zid) = stage.get("/crm/v3/properties/tasks/zid");
    assert_eq!([&zid["hasUniqueValue"], &zid["type"]], [&json!(true), &json!("string")]);
    assert_eq!(stage.get("/crm/v3/properties/tasks/nowhere").0, 404);
}

#[test]
fn a_created_property_can_be_used_at_once() {
    let mut stage = Stage::new();
    let path = "/crm/v3/properties/tasks";
    let right = json!({"name": "jira_key", "label": "Jira key", "type": "string", "fieldType": "text", "groupName": "task", "hasUniqueValue": true});
    let (status, body) = stage.call("POST", path, &right);
    assert_eq!((status, &body["hasUniqueValue"]), (201, &json!(true)));
    let inputs = json!([{"id": "101", "properties": {"jira_key": "A-1"}}]);
    assert_eq!(stage.update(inputs).0, 200);

    let with = |field: &str, value: Value| {
        let mut body = right.clone();
        body["name"] = "other".into();
        body[field] = value;
        body
    };
    let rows = [
        (right.clone(), 409),
        (with("name", json!("Jira Key")), 400),
        (with("name", Value::Null), 400),
        (with("groupName", Value::Null), 400),
        (with("type", json!("text")), 400),
        (with("fieldType", json!("date")), 400),
    ];
    for (body, expected) in rows {
        assert_eq!(stage.call("POST", path, &body).0, expected, "{body}");
    }
}

#[test]
fn an_object_has_at_most_ten_unique_properties() {
    let mut stage = Stage::new();
    let statuses: Vec<u16> = (3..=11)
        .map(|number| {
            let body = json!({"name": format!("unique_{number}"), "label": "U", "type": "string", "fieldType": "text", "groupName": "task", "hasUniqueValue": true});
            stage.call("POST", "/crm/v3/properties/tasks", body).0
        })
        .collect();
    assert_eq!(statuses, [201, 201, 201, 201, 201, 201, 201, 201, 400]);
}

#[test]
fn owners_are_found_by_their_exact_address() {
    let mut stage = Stage::new();
    let mut found = |query: &str| {
        let (status, body) = stage.get(&format!("/crm/v3/owners{query}"));
        let ids: Vec<String> = super::ids(&body).into_iter().map(Into::into).collect();
        (status, ids.join(","), body["paging"]["next"]["after"].clone())
    };
    let nothing = Value::Null;
    assert_eq!(found(""), (200, "11,12".into(), nothing.clone()));
    assert_eq!(found("?email=ada%40example.com&limit=1"), (200, "11".into(), nothing.clone()));
    assert_eq!(found("?email=bob%2Bx@example.com"), (200, "12".into(), nothing.clone()));
    // A plus sign that isn't escaped is a space.
    assert_eq!(found("?email=bob+x@example.com"), (200, String::new(), nothing.clone()));
    assert_eq!(found("?email=ada"), (200, String::new(), nothing.clone()));
    assert_eq!(found("?limit=1"), (200, "11".into(), json!("1")));
    assert_eq!(found("?limit=1&after=1"), (200, "12".into(), nothing));
    assert_eq!(stage.get("/crm/v3/owners?limit=501").0, 400);
    assert_eq!(stage.get("/crm/v3/owners/12").1["email"], "bob+x@example.com");
}

#[test]
fn owners_have_two_numbers_and_some_are_archived() {
    let mut stage = Stage::with(json!({"owners": [
        {"id": "11", "email": "ada@example.com", "userId": 12},
        {"id": "12"},
        {"id": "13", "email": "gone@example.com", "archived": true},
    ]}));
    let mut owner = |path: &str| {
        let (status, body) = stage.get(&format!("/crm/owners/2026-03{path}"));
        (status, body)
    };
    assert_eq!(super::ids(&owner("").1), ["11", "12"]);
    assert_eq!(super::ids(&owner("?archived=True").1), ["13"]);
    assert_eq!(super::ids(&owner("?email=gone@example.com").1), [""; 0]);
    assert_eq!(owner("?archived=maybe").0, 400);
    assert_eq!(owner("/12").1["id"], "12");
    assert_eq!(owner("/12?idProperty=userId").1["id"], "11");
    assert_eq!(owner("/12?idProperty=email").0, 400);
    let (_, without_email) = owner("/12");
    assert_eq!(
        (without_email.get("email"), without_email["userId"].as_u64()),
        (None, Some(70_000_002))
    );
    assert_eq!(owner("/13").0, 404);
    let (_, gone) = owner("/13?archived=true");
    assert_eq!((gone.get("userId"), gone["archived"].as_bool()), (None, Some(true)));
    let inputs = json!([{"id": "101", "properties": {"hubspot_owner_id": "13"}}]);
    assert_eq!(stage.update(inputs).1["errors"][0]["code"], "INVALID_OWNER_ID");
}

#[test]
fn owners_come_in_pages_of_up_to_500() {
    let owners: Vec<Value> = (1..=501).map(|id| json!({"id": id.to_string()})).collect();
    let mut stage = Stage::with(json!({ "owners": owners }));
    let mut count = |query: &str| {
        let (_, body) = stage.get(&format!("/crm/v3/owners{query}"));
        (super::ids(&body).len(), body["paging"]["next"]["after"].clone())
    };
    assert_eq!(count(""), (100, json!("100")));
    assert_eq!(count("?limit=500"), (500, json!("500")));
    assert_eq!(count("?limit=500&after=500"), (1, Value::Null));
}
