//! Habits that last.

use serde_json::{Value, json};

use super::{Body, Stage, ids, now, request, traced, zid};

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
    for (version, expected) in [("2026-03", 207), ("2026-09", 200), ("2026-06", 404)] {
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

#[test]
fn a_refusal_may_name_a_property_and_no_value() {
    let inputs = json!([zid("1", json!({"points": "many"}))]);
    let (status, body) = stage(json!({"vague_validation": true})).update(inputs);
    assert_eq!((status, &body["errors"][0]["context"]["propertyName"]), (400, &json!(["points"])));
    assert!(!body.to_string().contains("many"), "{body}");
}

#[test]
fn results_may_carry_the_trace_ids_of_their_inputs() {
    let inputs = json!([traced("1", "a", json!({"points": "1"})), zid("2", json!({}))]);
    let (_, body) = stage(json!({"echo_trace_ids": true})).update(inputs.clone());
    let trace_ids =
        [&body["results"][0]["objectWriteTraceId"], &body["results"][1]["objectWriteTraceId"]];
    assert_eq!(trace_ids, [&json!("a"), &Value::Null]);
    let (_, body) = Stage::new().update(inputs);
    assert_eq!(body["results"][0].get("objectWriteTraceId"), None);
}

/// The usual portal with one rule.
fn ruled(rule: Value) -> Stage {
    stage(json!({ "rules": [rule] }))
}

#[test]
fn a_rule_names_the_property_and_not_the_value() {
    let rows = [
        (json!({"takes": "letters"}), "P1", "INVALID_ALPHA", "Enter only letters"),
        (json!({"takes": "digits"}), "P", "INVALID_NUMERIC", "Enter only numbers"),
        (
            json!({"takes": "letters_and_digits"}),
            "P-1",
            "INVALID_ALPHANUMERIC",
            "Enter only letters and numbers",
        ),
        (json!({"refuses": ["P1"]}), "P1", "INVALID_VALUE", "Enter another value"),
        (
            json!({"refuses": ["9"], "code": "INVALID_OWNER_ID", "message": "Owner {value} does not exist"}),
            "9",
            "INVALID_OWNER_ID",
            "Owner 9 does not exist",
        ),
    ];
    for (mut rule, value, code, sentence) in rows {
        rule["property"] = "mail".into();
        let mut stage = ruled(rule.clone());
        let (status, body) = stage.update(json!([zid("1", json!({"mail": value}))]));
        assert_eq!((status, &body["errors"][0]["code"]), (400, &json!(code)), "{rule}");
        assert_eq!(body["errors"][0]["message"], sentence);
        assert_eq!(body["errors"][0]["context"]["propertyName"], json!(["mail"]));
        for right in [json!({"mail": ""}), json!({"hs_task_subject": value})] {
            assert_eq!(stage.update(json!([zid("1", right)])).0, 200, "{rule}");
        }
    }
}

#[test]
fn a_rule_may_keep_values_in_another_form() {
    let rows = [
        ("number", "007", "7"),
        ("trimmed", " a ", "a"),
        ("lower_case", "T-1", "t-1"),
        ("clean_html", "<b>a</b><!-- b --><script>c</script>", "<b>a</b>"),
    ];
    for (form, sent, kept) in rows {
        let mut stage = ruled(json!({"property": "mail", "keeps": form}));
        let (status, body) = stage.update(json!([zid("1", json!({"mail": sent}))]));
        assert_eq!(
            (status, &body["results"][0]["properties"]["mail"]),
            (200, &json!(kept)),
            "{form}"
        );
        let by_mail = json!([{"id": sent, "idProperty": "mail", "properties": {}}]);
        let (status, body) = stage.update(by_mail);
        assert_eq!(
            (status, &body["results"][0]["properties"]["mail"]),
            (200, &json!(kept)),
            "{form}"
        );
        let twice = json!([
            {"id": sent, "idProperty": "mail", "properties": {}},
            {"id": kept, "idProperty": "mail", "properties": {}},
        ]);
        let (status, body) = stage.update(twice);
        assert_eq!((status, &body["context"]["ids"]), (400, &json!([kept])), "{form}");
    }
}

#[test]
fn a_rule_may_require_a_property() {
    let when_done =
        json!({"property": "mail", "required": true, "when": {"hs_task_status": "COMPLETED"}});
    let done = json!([zid("2", json!({"hs_task_status": "COMPLETED"}))]);
    let mut everywhere = when_done.clone();
    everywhere["in_every_version"] = true.into();
    for (rule, path, expected) in [
        (&when_done, "/crm/v3/objects/tasks/batch/update", 200),
        (&when_done, "/crm/objects/2026-03/tasks/batch/update", 200),
        (&when_done, "/crm/objects/2026-09/tasks/batch/update", 400),
        (&everywhere, "/crm/v3/objects/tasks/batch/update", 400),
    ] {
        let (status, body) = ruled(rule.clone()).call("POST", path, json!({"inputs": done}));
        assert_eq!(status, expected, "{path}: {body}");
        if expected == 400 {
            assert_eq!(
                body["message"],
                "Error updating TASK. Some required properties were not set."
            );
            assert_eq!(
                (&body["category"], &body["context"]),
                (&json!("VALIDATION_ERROR"), &json!({"properties": ["mail"]}))
            );
        }
    }
    let mut stage = ruled(everywhere);
    let held = json!([zid("1", json!({"hs_task_status": "COMPLETED"}))]);
    assert_eq!(stage.update(held).0, 200, "the task has it");
    let carried = json!([zid("2", json!({"hs_task_status": "COMPLETED", "mail": "two"}))]);
    assert_eq!(stage.update(carried).0, 200);
    assert_eq!(stage.update(json!([zid("2", json!({"mail": ""}))])).0, 400);
}

#[test]
fn an_empty_due_date_is_taken_or_refused() {
    let clear = json!([zid("1", json!({"hs_timestamp": "", "points": "1"}))]);
    for (habit, expected) in [("clears", 200), ("invalid", 400), ("required", 400)] {
        let mut stage = stage(json!({"empty_due_date": habit}));
        let (status, body) = stage.update(clear.clone());
        assert_eq!(status, expected, "{habit}: {body}");
        assert_eq!(stage.value("101", "points") == "1", expected == 200);
        assert!(expected == 200 || body.to_string().contains("hs_timestamp"), "{body}");
    }
}

#[test]
fn a_merged_task_answers_with_the_survivors_id() {
    let merged = || stage(json!({"merged": {"102": "101"}}));
    let write = json!({"points": "4"});
    for input in [json!({"id": "102", "properties": write}), zid("2", write.clone())] {
        let mut stage = merged();
        let (status, body) = stage.update(json!([input]));
        assert_eq!((status, ids(&body)), (200, vec!["101"]));
        assert_eq!(stage.value("101", "points"), "4");
    }
    let (_, body) = merged().batch("read", json!({"inputs": [{"id": "102"}], "properties": []}));
    assert_eq!(ids(&body), ["101"]);
}

#[test]
fn a_value_that_is_taken_is_a_bad_value_or_a_conflict() {
    let taken = json!([zid("9", json!({"mail": "one", "hs_timestamp": "1770091506789"}))]);
    for (habit, status, category) in [
        ("invalid", 400, "VALIDATION_ERROR"),
        ("conflict", 409, "CONFLICT"),
        ("already_exists", 409, "OBJECT_ALREADY_EXISTS"),
    ] {
        let answer = stage(json!({"taken_value": habit})).batch("upsert", taken.clone());
        assert_eq!((answer.0, &answer.1["category"]), (status, &json!(category)), "{habit}");
        let mut traced = taken.clone();
        traced[0]["objectWriteTraceId"] = "a".into();
        let (status, body) = stage(json!({"taken_value": habit})).batch("upsert", traced);
        assert_eq!((status, &body["errors"][0]["category"]), (207, &json!(category)), "{habit}");
        assert_eq!(body["errors"][0]["context"]["objectWriteTraceId"], json!(["a"]));
    }
}

#[test]
fn every_answer_may_come_late() {
    let mut stage = stage(json!({"latency_ms": 700})).fault(json!({"delay_ms": 5}));
    let request = request("GET", "/crm/v3/owners", "");
    let mut delay = || stage.state.call(&request, now()).delay.as_millis();
    assert_eq!([delay(), delay()], [705, 700]);
}

#[test]
fn limits_are_enforced_and_told() {
    let mut stage = stage(json!({"limits": {"ten_secondly": 3, "secondly": 1, "daily": 5}}));
    let start = now().as_millisecond();
    let mut call = |path: &str, after: i64| {
        let method = if path.ends_with("search") { "POST" } else { "GET" };
        let at = jiff::Timestamp::from_millisecond(start + after).expect("a time");
        let answer = stage.state.call(&request(method, path, "{}"), at).answer.expect("an answer");
        let policy = match &answer.body {
            Body::Json(body) => body["policyName"].as_str().unwrap_or_default().to_owned(),
            _ => String::new(),
        };
        let left = answer.headers.iter().find(|(name, _)| name == "X-HubSpot-RateLimit-Remaining");
        (answer.status, policy, left.map(|(_, value)| value.clone()).unwrap_or_default())
    };
    let (owners, search) = ("/crm/v3/owners", "/crm/v3/objects/tasks/search");
    let rows = [
        (search, 0, 200, "", ""),
        (search, 999, 429, "SECONDLY", ""),
        (search, 1_000, 200, "", ""),
        (owners, 2_000, 200, "", "0"),
        (owners, 9_999, 429, "TEN_SECONDLY_ROLLING", "0"),
        (owners, 10_000, 200, "", "0"),
        (owners, 30_000, 200, "", "2"),
        (owners, 60_000, 429, "DAILY", "3"),
    ];
    for (path, after, status, policy, left) in rows {
        let expected = (status, policy.to_owned(), left.to_owned());
        assert_eq!(call(path, after), expected, "{path} after {after} ms");
    }
}

#[test]
fn without_limits_nobody_is_refused_or_told() {
    let mut stage = stage(json!({"limits": {"ten_secondly": null, "daily": null}}));
    let request = request("GET", "/crm/v3/owners", "");
    for _ in 0..300 {
        let answer = stage.state.call(&request, now()).answer.expect("an answer");
        let told = answer.headers.iter().any(|(name, _)| name.starts_with("X-HubSpot-RateLimit"));
        assert_eq!((answer.status, told), (200, false));
    }
}
