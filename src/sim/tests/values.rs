//! Which values are taken, and how they are kept.

use serde_json::{Value, json};

use super::{Stage, zid};

#[test]
fn right_values_are_kept_as_hubspot_keeps_them() {
    let rows = [
        ("hs_task_subject", "  text keeps its space ", "  text keeps its space "),
        ("hs_task_status", "COMPLETED", "COMPLETED"),
        ("hs_task_priority", "NONE", "NONE"),
        ("hs_task_type", "LINKED_IN_MESSAGE", "LINKED_IN_MESSAGE"),
        ("hs_task_reminders", "1770091506789", "1770091506789"),
        ("hubspot_owner_id", "11", "11"),
        ("points", "-12.50", "-12.50"),
        ("points", "1e3", "1e3"),
        ("urgent", "true", "true"),
        ("day", "2026-02-03", "2026-02-03"),
        ("day", "1770076800000", "2026-02-03"),
        ("seen_at", "2026-02-03T04:05:06Z", "2026-02-03T04:05:06.000Z"),
        ("seen_at", "2026-02-03T04:05:06.789Z", "2026-02-03T04:05:06.789Z"),
        ("hs_timestamp", "1770091506789", "2026-02-03T04:05:06.789Z"),
        ("tags", "blue;two words", "blue;two words"),
        ("tags", ";blue", "red;blue"),
        ("tags", ";red", "red"),
        ("hs_task_completion_date", "1770091506789", "2026-02-03T04:05:06.789Z"),
        ("hs_queue_membership_ids", "132;77", "132;77"),
    ];
    for (property, sent, kept) in rows {
        let mut stage = Stage::new();
        let (status, body) = stage.update(json!([zid("1", json!({property: sent}))]));
        assert_eq!(status, 200, "{property} = {sent}: {body}");
        assert_eq!(body["results"][0]["properties"][property], kept);
        assert_eq!(stage.value("101", property), kept);
    }
}

#[test]
fn wrong_values_are_refused_with_code_and_sentence() {
    let long = "INVALID_LONG";
    let rows = [
        ("points", "many", "INVALID_NUMBER", "many was not a valid number."),
        ("points", "NaN", "INVALID_NUMBER", "NaN was not a valid number."),
        (
            "urgent",
            "yes",
            "INVALID_OPTION",
            "yes was not one of the allowed options: [true, false]",
        ),
        (
            "day",
            "1770076800001",
            "INVALID_DATE",
            "1770076800001 is at 00:00:00.001 UTC, not midnight!",
        ),
        ("day", "03.02.2026", long, "03.02.2026 was not a valid long."),
        ("day", "2026-02-30", long, "2026-02-30 was not a valid long."),
        ("seen_at", "2026-02-03", long, "2026-02-03 was not a valid long."),
        ("seen_at", "2026-02-03T04:05:06", long, "2026-02-03T04:05:06 was not a valid long."),
        (
            "seen_at",
            "2026-02-03T04:05:06+01:00",
            long,
            "2026-02-03T04:05:06+01:00 was not a valid long.",
        ),
        (
            "hs_task_reminders",
            "2026-02-03T04:05:06Z",
            long,
            "2026-02-03T04:05:06Z was not a valid long.",
        ),
        (
            "hs_task_priority",
            "high",
            "INVALID_OPTION",
            "high was not one of the allowed options: [NONE, LOW, MEDIUM, HIGH]",
        ),
        ("hs_task_priority", "LOW;HIGH", "INVALID_OPTION", "LOW;HIGH was not one"),
        (
            "tags",
            "red;green",
            "INVALID_OPTION",
            "red;green was not one of the allowed options: [red, blue, two words]",
        ),
        ("tags", "red;;blue", "INVALID_OPTION", "red;;blue was not one"),
        (
            "hubspot_owner_id",
            "ada@example.com",
            "INVALID_OWNER_ID",
            "Owner ada@example.com does not exist",
        ),
        ("hubspot_owner_id", "13", "INVALID_OWNER_ID", "Owner 13 does not exist"),
        (
            "hs_queue_membership_ids",
            "mine",
            "INVALID_OPTION",
            "mine was not one of the allowed options: []",
        ),
        (
            "hs_task_is_overdue",
            "true",
            "READ_ONLY_VALUE",
            "\"hs_task_is_overdue\" is a read only property",
        ),
        ("nowhere", "x", "PROPERTY_DOESNT_EXIST", "Property \"nowhere\" does not exist"),
        (
            "hs_createdate",
            "1770091506789",
            "READ_ONLY_VALUE",
            "\"hs_createdate\" is a read only property; its value cannot be set.",
        ),
        ("hs_object_id", "7", "READ_ONLY_VALUE", "\"hs_object_id\" is a read only property"),
        (
            "mail",
            "one",
            "CONFLICTING_UNIQUE_VALUE",
            "Cannot set PropertyValueCoordinates{propertyName=mail, value=one} on 102. 101 already has that value.",
        ),
    ];
    for (property, sent, code, sentence) in rows {
        let mut stage = Stage::new();
        let (status, body) = stage.update(json!([zid("2", json!({property: sent}))]));
        assert_eq!(status, 400, "{property} = {sent}: {body}");
        assert_eq!(body["category"], "VALIDATION_ERROR");
        let error = &body["errors"][0];
        assert_eq!(error["code"], code, "{property} = {sent}");
        assert_eq!(error["context"]["propertyName"], json!([property]));
        let message = error["message"].as_str().expect("a message");
        assert!(message.starts_with(sentence), "{message}");
    }
}

#[test]
fn white_space_around_what_is_not_text_is_refused_in_words_of_its_own() {
    let rows = [
        ("points", " 1"),
        ("urgent", "true\t"),
        ("day", "2026-02-03\n"),
        ("seen_at", "\u{a0}2026-02-03T04:05:06Z"),
        ("hs_task_priority", "HIGH\u{200b}"),
        ("hs_task_priority", "\u{feff}HIGH"),
        ("hubspot_owner_id", " 11"),
        ("tags", "red; blue"),
        ("tags", "red ;blue"),
        ("tags", ";blue "),
    ];
    for (property, sent) in rows {
        let (status, body) = Stage::new().update(json!([zid("1", json!({property: sent}))]));
        let sentence = format!("\"{sent}\" includes leading or trailing whitespace.");
        let entry = json!([{"isValid": false, "message": sentence, "error": "LEADING_TRAILING_WHITESPACE", "name": property}]);
        let message = body["message"].as_str().expect("a message");
        let named = message.strip_prefix("Property values were not valid: ").expect("a prefix");
        assert_eq!(serde_json::from_str::<Value>(named).expect("JSON"), entry);
        assert_eq!((status, body.get("errors")), (400, None), "{property} = {sent:?}");
    }
}

#[test]
fn a_text_has_at_most_65536_characters() {
    for (length, expected) in [(65_536, 200), (65_537, 400)] {
        let long = "ä".repeat(length);
        let (status, _) = Stage::new().update(json!([zid("1", json!({"hs_task_body": long}))]));
        assert_eq!(status, expected, "{length}");
    }
}

#[test]
fn an_empty_string_clears_any_property() {
    for property in ["hs_task_subject", "tags", "mail", "points", "seen_at"] {
        let mut stage = Stage::new();
        let (status, body) = stage.update(json!([zid("1", json!({property: ""}))]));
        assert_eq!((status, &body["results"][0]["properties"][property]), (200, &json!("")));
        assert_eq!(stage.value("101", property), Value::Null);
    }
}

#[test]
fn a_unique_value_is_free_again_once_its_task_gave_it_up() {
    let mut stage = Stage::new();
    let (status, body) = stage
        .update(json!([zid("1", json!({"mail": "other"})), zid("2", json!({"mail": "one"})),]));
    assert_eq!(status, 200, "{body}");
    assert_eq!(stage.value("102", "mail"), "one");
}

#[test]
fn only_strings_are_values() {
    for value in [json!(null), json!(5), json!(true), json!(["a"]), json!({})] {
        let mut stage = Stage::new();
        let (status, body) = stage.update(json!([zid("1", json!({"hs_task_subject": value}))]));
        assert_eq!(status, 400, "{value}: {body}");
        let message = body["message"].as_str().expect("a message");
        assert!(message.starts_with("Invalid input JSON on line 1, column "), "{message}");
        assert_eq!(stage.value("101", "hs_task_subject"), "First");
    }
}
