//! When, the delivery's id, each, the task's id, and what expressions see.

use super::{Stage, problems, unverified};
use crate::update::OnMissing;

#[test]
fn an_event_passes_if_any_output_of_when_is_neither_false_nor_null() {
    for (when, passes) in [
        ("true", true),
        ("false", false),
        ("null", false),
        ("empty", false),
        ("0", true),
        ("\"\"", true),
        ("[]", true),
        ("false, null, false", false),
        ("false, null, 1", true),
        (".kind == \"ticket\"", true),
        (".kind == \"user\"", false),
    ] {
        let mut stage = Stage::with(&format!("[event]\nwhen = '{when}'"));
        let expected = if passes { "7: subject=S" } else { "filtered" };
        assert_eq!(
            stage.gives(r#"{"id": 7, "kind": "ticket", "subject": "S"}"#),
            [expected],
            "{when}"
        );
    }
}

#[test]
fn without_when_every_event_passes() {
    assert_eq!(Stage::with("").gives(r#"{"id": 7}"#), ["7:"]);
}

#[test]
fn when_sees_the_whole_body_even_if_each_splits_it() {
    let mut stage = Stage::with(
        "[event]\nwhen = '.items | length > 1'\n[task]\neach = '.items[]'\nid = '.id'\nid_property = \"ticket\"",
    );
    assert_eq!(stage.gives(r#"{"items": [{"id": 1}]}"#), ["filtered"]);
    assert_eq!(stage.gives(r#"{"items": [{"id": 1}, {"id": 2}]}"#), ["1:", "2:"]);
}

#[test]
fn an_error_in_when_id_time_or_each_is_one_failed_update_without_id() {
    for (lines, detail) in [
        ("[event]\nwhen = 'error(\"no\")'", "[event] when: \"no\""),
        ("[event]\nid = 'error(\"no\")'", "[event] id: \"no\""),
        ("[event]\nid = '{}'", "[event] id: it gives an object, not an id"),
        ("[event]\nid = '1, 2'", "[event] id: it has more than one output"),
        ("[event]\ntime = 'error(\"no\")'", "[event] time: \"no\""),
        ("[event]\ntime = '\"soon\"'", "[event] time: \"soon\" is not a time"),
        ("[event]\ntime = 'true'", "[event] time: it gives true or false, not a time"),
        (
            "[task]\neach = '1, error(\"no\")'\nid = '1'\nid_property = \"ticket\"",
            "[task] each: \"no\"",
        ),
    ] {
        assert_eq!(
            Stage::with(lines).gives(r#"{"id": 7}"#),
            [format!("null failed: {detail}")],
            "{lines}"
        );
    }
}

#[test]
fn a_failed_event_still_has_an_id_and_names_the_id_property() {
    let event =
        Stage::with("[event]\nid = '.delivery'\ntime = '\"soon\"'").event(r#"{"delivery": "d-1"}"#);
    assert_eq!(event.id, "d-1");
    let super::Mapped::Updates(updates) = event.mapped else { panic!("filtered") };
    assert_eq!(updates[0].as_ref().unwrap_err().id_property, "ticket");
}

#[test]
fn the_event_id_is_what_the_source_says_else_the_delivery_header_else_the_request_id() {
    for (id, expected) in [
        ("", "from-header"),
        ("id = '.delivery'", "d-1"),
        ("id = '12345678901234567890'", "12345678901234567890"),
        ("id = 'null'", "from-header"),
        ("id = '.absent'", "from-header"),
        ("id = 'empty'", "from-header"),
    ] {
        let toml =
            unverified(&format!("[event]\n{id}\n[verify]\nscheme = \"gitlab\"\nsecret = \"s\""));
        let signed = || Stage::of(&toml).header("x-gitlab-token", "s3cret");
        let body = r#"{"id": 7, "delivery": "d-1"}"#;
        assert_eq!(
            signed().header("idempotency-key", "from-header").event(body).id,
            expected,
            "{id}"
        );
        let without_header = if expected == "from-header" { "request-1" } else { expected };
        assert_eq!(signed().event(body).id, without_header, "{id} without header");
        assert_eq!(
            signed().header("idempotency-key", "").event(body).id,
            without_header,
            "{id}, empty header"
        );
    }
}

#[test]
fn each_output_that_is_not_null_is_one_update() {
    for (each, expected) in [
        (".", vec!["7:"]),
        (".items[]", vec!["1: subject=a", "2:"]),
        ("null, .items[0], null", vec!["1: subject=a"]),
        ("empty", vec!["filtered"]),
        ("null", vec!["filtered"]),
        ("null, null", vec!["filtered"]),
        (".none // [] | .[]", vec!["filtered"]),
    ] {
        let mut stage =
            Stage::with(&format!("[task]\neach = '{each}'\nid = '.id'\nid_property = \"ticket\""));
        let body = r#"{"id": 7, "items": [{"id": 1, "subject": "a"}, {"id": 2}]}"#;
        assert_eq!(stage.gives(body), expected, "{each}");
    }
}

#[test]
fn false_is_an_item_like_any_other() {
    let mut stage = Stage::with(
        "[task]\neach = 'false'\nid = '\"x\\(.)\"'\nid_property = \"ticket\"\n[properties]\np = '.'",
    );
    assert_eq!(stage.gives("{}"), ["xfalse: p=false"]);
}

#[test]
fn an_event_gives_at_most_10_000_updates() {
    let mut stage = Stage::with(
        "[task]\neach = 'range(.n), null'\nid = '.'\nid_property = \"ticket\"\n[properties]\np = '1'",
    );
    assert_eq!(stage.gives(r#"{"n": 10000}"#).len(), 10_000);
    assert_eq!(
        stage.gives(r#"{"n": 10001}"#),
        ["null failed: [task] each: it gives more than 10000 updates"]
    );
}

#[test]
fn one_item_that_fails_leaves_the_others_alone() {
    let mut stage = Stage::with(
        "[task]\neach = '.[]'\nid = '.id'\nid_property = \"ticket\"\n[properties]\nsubject = '.subject | ascii_upcase'",
    );
    let gives = stage.gives(
        r#"[{"id": 1, "subject": "a"}, {"id": 2, "subject": 3}, {"id": 4, "subject": "b"}]"#,
    );
    assert_eq!((gives[0].as_str(), gives[2].as_str()), ("1: subject=A", "4: subject=B"));
    assert!(gives[1].starts_with("2 failed: subject: "), "{gives:?}");
}

#[test]
fn a_task_id_is_text_or_a_number() {
    for (id, expected) in [
        (r#""PROJ-7""#, "PROJ-7:"),
        (r#"" ""#, " :"),
        ("7", "7:"),
        ("7.0", "7:"),
        ("1e3", "1000:"),
        ("12345678901234567890123", "12345678901234567890123:"),
    ] {
        assert_eq!(Stage::with("").gives(&format!(r#"{{"id": {id}}}"#)), [expected], "{id}");
    }
}

#[test]
fn a_task_id_that_is_nothing_is_a_mapping_error_and_never_filtered() {
    let wrong = "but a task's id is text or a number";
    for (body, detail) in [
        (r#"{"id": null}"#, format!("it gives null, {wrong}")),
        ("{}", format!("it gives null, {wrong}")),
        (r#"{"id": ""}"#, "it gives empty text".to_owned()),
        (r#"{"id": true}"#, format!("it gives true or false, {wrong}")),
        (r#"{"id": {}}"#, format!("it gives an object, {wrong}")),
        (r#"{"id": [1]}"#, format!("it gives an array, {wrong}")),
    ] {
        assert_eq!(
            Stage::with("").gives(body),
            [format!("null failed: [task] id: {detail}")],
            "{body}"
        );
    }
    let mut stage = Stage::with("[task]\nid = 'given(.id)'\nid_property = \"ticket\"");
    assert_eq!(stage.gives("{}"), ["null failed: [task] id: it gives nothing"]);
    let mut stage = Stage::with("[task]\nid = '.ids[]'\nid_property = \"ticket\"");
    assert_eq!(
        stage.gives(r#"{"ids": [1, 2]}"#),
        ["null failed: [task] id: it has more than one output"]
    );
}

#[test]
fn an_update_says_all_that_the_engine_needs() {
    let mut stage = Stage::with(
        "[task]\nid = '.id'\nid_property = \"ticket\"\non_missing = \"create\"\nupdated_at_property = \"seen_at\"",
    );
    let super::Mapped::Updates(updates) = stage.event(r#"{"id": 7}"#).mapped else {
        panic!("filtered")
    };
    let update = updates[0].as_ref().unwrap();
    assert_eq!((update.task.id_property.as_str(), update.task.id.as_str()), ("ticket", "7"));
    assert_eq!(
        (update.on_missing, update.updated_at_property.as_deref()),
        (OnMissing::Create, Some("seen_at"))
    );
    for (line, expected) in [
        ("", OnMissing::Fail),
        ("on_missing = \"fail\"", OnMissing::Fail),
        ("on_missing = \"skip\"", OnMissing::Skip),
    ] {
        let mut stage =
            Stage::with(&format!("[task]\nid = '.id'\nid_property = \"hs_object_id\"\n{line}"));
        let super::Mapped::Updates(updates) = stage.event(r#"{"id": 7}"#).mapped else {
            panic!("filtered")
        };
        let update = updates[0].as_ref().unwrap();
        assert_eq!((update.on_missing, &update.updated_at_property), (expected, &None), "{line}");
    }
}

#[test]
fn expressions_see_headers_query_event_and_the_time_of_arrival() {
    let mut stage = Stage::with(
        "[task]\neach = '.items[]'\nid = '.'\nid_property = \"ticket\"\n[properties]\n\
         kind = '$headers[\"x-kind\"]'\nboth = '$headers[\"x-twice\"]'\nteam = '$query.team'\n\
         whole = '$event.items | length'\nnow = 'now'\nabsent = '$query.absent'",
    )
    .header("x-kind", "issue")
    .header("x-twice", "a")
    .header("x-twice", "b")
    .query("team", "blue & green");
    let rest = "kind=issue both=a, b team=blue & green whole=2 now=1772712000";
    assert_eq!(stage.gives(r#"{"items": [1, 2]}"#), [format!("1: {rest}"), format!("2: {rest}")]);
}

#[test]
fn when_id_and_time_see_headers_and_query_too() {
    let mut stage = Stage::with(
        "[event]\nwhen = '$headers[\"x-kind\"] == \"issue\"'\nid = '$headers[\"x-id\"]'\ntime = '$query.at'",
    )
    .header("x-kind", "issue")
    .header("x-id", "d-9")
    .query("at", "2026-03-01");
    let event = stage.event(r#"{"id": 7}"#);
    assert_eq!(
        (event.id.as_str(), event.time.unwrap().to_string().as_str()),
        ("d-9", "2026-03-01T00:00:00.000Z")
    );
}

#[test]
fn headers_that_carry_a_secret_or_a_signature_are_not_seen() {
    let secret = [
        "authorization",
        "proxy-authorization",
        "cookie",
        "x-api-key",
        "x-amz-security-token",
        "x-hub-signature",
        "x-hub-signature-256",
        "x-gitlab-token",
        "x-zendesk-webhook-signature",
        "linear-signature",
        "webhook-signature",
        // Of senders that no preset knows, beside the header that is verified.
        "x-desk-signature-sha512",
        "x-shop-hmac-sha256",
        "x-desk-secret",
        "x-desk-token",
    ];
    let seen = [
        "content-type",
        "idempotency-key",
        "x-desk-event",
        "x-zendesk-webhook-signature-timestamp",
    ];
    let toml = "[verify]\nscheme = \"token\"\nheader = \"x-desk-login\"\nsecret = \"s\"\n\
                [properties]\np = '$headers | keys'";
    let mut stage = Stage::with(toml).header("x-desk-login", "s3cret");
    for name in secret.into_iter().chain(seen) {
        stage = stage.header(name, "s3cret");
    }
    assert_eq!(stage.gives(r#"{"id": 7}"#), [format!("7: p={}", seen.join(";"))]);
}

/// A source that takes forms too.
const FORMS: &str = "[verify]\nscheme = \"none\"\nform = true";

#[test]
fn a_form_is_its_payload_or_an_object_of_its_fields() {
    let mut stage = Stage::with(FORMS);
    assert_eq!(stage.gives("id=7&subject=A+b%26c%C3%A4"), ["7: subject=A b&cä"]);
    assert_eq!(
        stage.gives("payload=%7B%22id%22%3A8%2C%22subject%22%3A%22x%22%7D"),
        ["8: subject=x"]
    );
    assert_eq!(stage.gives("a=1&payload=%7B%22id%22%3A8%7D&b=2"), ["8:"]);
    assert_eq!(stage.gives("id=007"), ["007:"]);
    assert_eq!(stage.gives("id=7&id=8"), ["null failed: the form in the body has a field twice"]);
    let wrong = problems(&unverified("[verify]\nscheme = \"none\"\nform = \"yes\""));
    assert!(wrong[0].contains("`form` of [verify] has to be true or false, not text"), "{wrong:?}");
}

#[test]
fn the_body_itself_says_whether_it_is_json_and_the_content_type_nothing() {
    for content_type in [
        "application/x-www-form-urlencoded",
        "application/json",
        "text/plain",
        "",
        "x/y; charset=latin1",
    ] {
        let with = |toml: &str| Stage::with(toml).header("content-type", content_type);
        for body in [r#"{"id": 7}"#, " \r\n{\"id\": 7}", "\u{feff}{\"id\": 7}"] {
            assert_eq!(with("").gives(body), ["7:"], "{content_type} {body}");
            assert_eq!(with(FORMS).gives(body), ["7:"], "{content_type} {body}");
        }
        // A ticket's text that would be a field of a form.
        let body = r#"{"id": 7, "subject": "x&payload={\"id\": 8}&"}"#;
        assert_eq!(with(FORMS).gives(body), [r#"7: subject=x&payload={"id": 8}&"#]);
        assert_eq!(with(FORMS).gives("id=7"), ["7:"]);
        assert!(with("").gives("id=7")[0].starts_with("null failed: the body is not JSON: "));
    }
}

#[test]
fn json_in_json_is_read_by_the_same_reader() {
    let mut stage = Stage::with("[properties]\np = '.inner | fromjson | .a'");
    assert_eq!(stage.gives(r#"{"id": 7, "inner": "{\"a\": \"\\ud83d!\"}"}"#), ["7: p=\u{fffd}!"]);
    assert_eq!(stage.gives(r#"{"id": 7, "inner": "\ufeff{\"a\": 1}"}"#), ["7: p=1"]);
    for inner in [r#"{\"a\": 1, \"a\": 2}"#, &format!("[{}]", "1".repeat(1001))] {
        let given = stage.gives(&format!(r#"{{"id": 7, "inner": "{inner}"}}"#));
        assert!(given[0].starts_with("7 failed: p: "), "{given:?}");
    }
}

#[test]
fn no_secret_of_the_query_is_seen() {
    let mut stage = Stage::with("[properties]\np = '$query | keys'");
    for name in ["team", "token", "apiKey", "sig", "page", "access_key"] {
        stage = stage.query(name, "x");
    }
    assert_eq!(stage.gives(r#"{"id": 7}"#), ["7: p=page;team"]);
}

#[test]
fn a_panic_of_jq_is_a_mapping_failure_of_its_update_alone() {
    // A text that is longer than any memory.
    let property = r"p = 'if .id == 2 then .s * 9223372036854775807 else .s end'";
    let task = "[task]\neach = '.[]'\nid = '.id'\nid_property = \"ticket\"";
    let mut stage = Stage::with(&format!("{task}\n[properties]\n{property}"));
    let given = stage.gives(r#"[{"id": 1, "s": "b"}, {"id": 2, "s": "ab"}, {"id": 3, "s": "b"}]"#);
    assert_eq!((given.len(), given[0].as_str(), given[2].as_str()), (3, "1: p=b", "3: p=b"));
    assert!(given[1].contains("failed: jq failed in itself"), "{given:?}");
    let when = "[event]\nwhen = '. * 9223372036854775807 | length > 0'";
    assert!(Stage::with(when).gives("\"ab\"")[0].starts_with("null failed: jq failed in itself"));
}
