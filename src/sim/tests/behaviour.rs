//! Habits that last.

use serde_json::{Value, json};

use super::{Stage, ids, zid};

fn stage(behaviour: Value) -> Stage {
    Stage::with(json!({ "behaviour": behaviour }))
}

fn one_known_one_not() -> Value {
    json!([zid("1", json!({"points": "1"})), zid("9", json!({"points": "1"}))])
}

#[test]
fn a_version_without_207_puts_errors_into_200() {
    let (status, body) = stage(json!({"errors_in_200": true})).update(one_known_one_not());
    assert_eq!((status, &body["numErrors"]), (200, &json!(1)));
    let inputs = json!({"inputs": one_known_one_not()});
    for (version, expected) in [("2026-03", 207), ("2026-09", 200), ("2027-03", 200)] {
        let path = format!("/crm/objects/{version}/tasks/batch/update");
        assert_eq!(Stage::new().call("POST", &path, &inputs).0, expected);
    }
}

#[test]
fn results_may_lack_the_id_property() {
    let inputs = json!([zid("1", json!({"points": "1"}))]);
    let (_, body) = stage(json!({"echo_id_property": false})).update(inputs);
    assert_eq!(body["results"][0]["properties"].get("zid"), None);
    assert_eq!(body["results"][0]["properties"]["points"], "1");
}

#[test]
fn results_may_come_in_reverse() {
    let inputs = json!([zid("1", json!({})), zid("2", json!({}))]);
    let (_, body) = stage(json!({"order": "reversed"})).update(inputs);
    assert_eq!(ids(&body), ["102", "101"]);
}

#[test]
fn a_refusal_may_tell_less() {
    let inputs = json!([zid("1", json!({"points": "x", "day": "y"}))]);
    let (status, body) = stage(json!({"incomplete_errors": true})).update(inputs.clone());
    assert_eq!((status, body["errors"].as_array().map(Vec::len)), (400, Some(1)));
    assert!(body["message"].to_string().contains("x was not a valid number."));

    let (status, body) = stage(json!({"terse_validation": true})).update(inputs);
    assert_eq!((status, body.get("errors")), (400, None));
    assert_eq!(body["message"], "Property values were not valid");
}
