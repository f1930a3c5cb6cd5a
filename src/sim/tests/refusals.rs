//! How a batch is refused, whole or in part.

use serde_json::{Value, json};

use super::{Stage, ids, traced, zid};

#[test]
fn the_same_id_twice_refuses_the_batch() {
    let mut stage = Stage::new();
    let (status, body) = stage.update(json!([
        traced("1", "a", json!({"points": "1"})),
        traced("2", "b", json!({"points": "1"})),
        traced("1", "c", json!({"points": "2"})),
    ]));
    assert_eq!(status, 400);
    assert_eq!(body["message"], "Duplicate IDs found in batch input: [1]. IDs must be unique");
    assert_eq!(body["context"]["ids"], json!(["1"]));
    assert_eq!(stage.value("101", "points"), Value::Null);
}

#[test]
fn unknown_ids_share_one_error() {
    let mut stage = Stage::new();
    let (status, body) = stage.update(json!([
        zid("8", json!({"points": "1"})),
        zid("1", json!({"points": "1"})),
        zid("9", json!({"points": "1"})),
    ]));
    assert_eq!(status, 207);
    assert_eq!((&body["status"], &body["numErrors"]), (&json!("COMPLETE"), &json!(1)));
    assert_eq!(body["errors"][0]["category"], "OBJECT_NOT_FOUND");
    assert_eq!(body["errors"][0]["context"]["ids"], json!(["8", "9"]));
    assert_eq!(ids(&body), ["101"]);
    assert_eq!(stage.value("101", "points"), "1");
}

#[test]
fn one_bad_value_refuses_the_batch_and_names_every_property_but_no_input() {
    let mut stage = Stage::new();
    let (status, body) = stage.update(json!([
        zid("1", json!({"points": "1", "hs_task_status": "DONE"})),
        zid("2", json!({"day": "soon"})),
    ]));
    assert_eq!(status, 400);
    let message = body["message"].as_str().expect("a message");
    let named = message.strip_prefix("Property values were not valid: ").expect("a prefix");
    let named: Value = serde_json::from_str(named).expect("a JSON array");
    assert_eq!(
        (&named[0]["name"], &named[0]["error"]),
        (&json!("hs_task_status"), &json!("INVALID_OPTION"))
    );
    assert_eq!(
        (&named[1]["name"], &named[1]["message"]),
        (&json!("day"), &json!("soon was not a valid long."))
    );
    assert_eq!(body["errors"].as_array().map(Vec::len), Some(2));
    assert!(body["correlationId"].is_string());
    assert_eq!(stage.value("101", "points"), Value::Null);
}

#[test]
fn an_id_property_must_be_unique_and_the_same_in_every_input() {
    let by = |name: Value| json!({"id": "1", "idProperty": name, "properties": {}});
    let not_unique = "Unable to perform update/upsert by non-unique 0-27 property";
    let rows = [
        (json!([by(json!("points"))]), format!("{not_unique} points in portal ID 44556677")),
        (
            json!([by(json!("hs_object_id"))]),
            format!("{not_unique} hs_object_id in portal ID 44556677"),
        ),
        (json!([by(json!("zid")), by(json!("mail"))]), "All inputs of a batch".into()),
        (json!([by(json!("zid")), by(json!(null))]), "All inputs of a batch".into()),
        (json!([by(json!("nowhere"))]), "Property values were not valid: ".into()),
    ];
    for (inputs, sentence) in rows {
        for operation in ["update", "upsert"] {
            let (status, body) = Stage::new().batch(operation, inputs.clone());
            let message = body["message"].as_str().expect("a message");
            assert!(status == 400 && message.starts_with(&sentence), "{message}");
        }
    }
}

#[test]
fn a_batch_of_another_shape_is_refused() {
    let many: Vec<Value> = (0..101).map(|id| zid(&id.to_string(), json!({}))).collect();
    let rows = [
        ("update", json!(many), "The maximum number of inputs in a batch request is 100"),
        (
            "update",
            json!({"input": []}),
            "Invalid input JSON on line 1, column 12: missing field `inputs`",
        ),
        (
            "update",
            json!([{"properties": {}}]),
            "Invalid input JSON: Some required fields were not set: [id]",
        ),
        ("update", json!([{"id": "1"}]), "Invalid input JSON on line 1, column "),
        ("update", json!([{"id": 101, "properties": {}}]), "Invalid input JSON on line 1, column "),
        ("read", json!({"inputs": many, "idProperty": "zid"}), "The maximum number of inputs"),
        (
            "read",
            json!({"inputs": [], "idProperty": "points"}),
            "Unable to perform read by non-unique 0-27 property points",
        ),
    ];
    for (operation, body, sentence) in rows {
        let (status, body) = Stage::new().batch(operation, body);
        let message = body["message"].as_str().expect("a message");
        assert!(status == 400 && message.starts_with(sentence), "{message}");
    }
    let (status, _) = Stage::new().update(json!(&many[..100]));
    assert_eq!(status, 207);
}

#[test]
fn with_trace_ids_a_bad_input_fails_alone_where_hubspot_documents_it() {
    let inputs = json!([
        traced("1", "a", json!({"points": "1"})),
        traced("2", "b", json!({"points": "many"})),
        traced("3", "c", json!({"points": "3"})),
    ]);
    let (status, body) = Stage::new().update(inputs.clone());
    assert_eq!((status, &body["errors"][0]["code"]), (400, &json!("INVALID_NUMBER")));

    let mut stage = Stage::new();
    let (status, body) = stage.batch("upsert", inputs.clone());
    assert_eq!((status, ids(&body)), (207, vec!["101"]));
    let [bad, lacking] = [&body["errors"][0], &body["errors"][1]];
    assert_eq!(bad["context"]["objectWriteTraceId"], json!(["b"]));
    assert_eq!(bad["errors"][0]["context"]["propertyName"], json!(["points"]));
    assert_eq!(
        lacking["context"],
        json!({"objectWriteTraceId": ["c"], "properties": ["hs_timestamp"]})
    );
    assert_eq!(body["numErrors"], 2);

    let always = json!({"behaviour": {"trace_ids": "always"}});
    let (status, body) = Stage::with(always.clone()).update(inputs.clone());
    assert_eq!((status, ids(&body)), (207, vec!["101"]));

    // Ids that aren't unique, or that one input lacks, don't help.
    let mut shared = inputs.clone();
    shared[0]["objectWriteTraceId"] = "b".into();
    let mut lacking = inputs;
    lacking[0]["objectWriteTraceId"] = Value::Null;
    for inputs in [shared, lacking] {
        assert_eq!(Stage::with(always.clone()).update(inputs).0, 400);
    }
}
