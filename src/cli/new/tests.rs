//! Files of guesses are sound, whatever the payload.

use http::HeaderMap;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::draft::{self, Frame};
use super::guess::{Guess, guesses};
use super::verification;
use crate::source::{SourceFile, Sources, warnings};

/// The likeliest guess.
fn guess(payloads: &[Value]) -> Guess {
    guesses(payloads).swap_remove(0)
}

/// The file that is made of payloads.
fn file(payloads: &[Value]) -> String {
    let verification = verification::guess(&HeaderMap::new());
    let frame = Frame { name: "desk", is_form: false, verification: &verification };
    draft::write(&frame, &guess(payloads))
}

/// The problems and warnings of a file.
fn findings(text: &str) -> Vec<String> {
    let file = SourceFile::from_text("desk.toml", "desk", text);
    let sources = Sources::read(std::slice::from_ref(&file));
    let mut findings = Vec::new();
    for problem in sources.problems() {
        findings.push(problem.to_string());
    }
    for warning in warnings(&[file]) {
        findings.push(warning.to_string());
    }
    findings
}

/// Names of fields: those that mean something, and those that nobody would think of.
fn key() -> impl Strategy<Value = String> {
    let known = [
        "id",
        "key",
        "number",
        "title",
        "subject",
        "name",
        "status",
        "state",
        "priority",
        "due",
        "due_date",
        "updated_at",
        "assignee",
        "assignees",
        "owner",
        "email",
        "description",
        "type",
        "action",
        "event",
        "timestamp",
        "ticket",
        "issue",
        "data",
        "fields",
        "labels",
        "category",
        "repository",
        "full_name",
        "field",
        "new",
        "propertyName",
        "propertyValue",
        "items",
        "System.State",
        "Due Date",
        "it's",
        "a\"b",
        "c\\(.d)",
        "e\n#",
        "",
        "end",
        "__loc__",
        "ü",
        "\u{7f}",
        "]'''",
        "$event",
        "\u{2028}",
    ];
    prop_oneof![8 => prop::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => ".{0,12}"]
}

fn leaf() -> impl Strategy<Value = Value> {
    let known = [
        json!(null),
        json!(true),
        json!(7),
        json!(-1.5),
        json!(1_791_191_564_387_i64),
        json!("2026-10-05T09:12:44Z"),
        json!("2026-10-09"),
        json!("open"),
        json!("In Progress"),
        json!("P1"),
        json!("high"),
        json!("SUP-7"),
        json!("ada@acme.example"),
        json!("Ada <ada@acme.example>"),
        json!("ticket.updated"),
        json!("issue"),
        json!("closed"),
        json!("it's \"so\"\n# no\u{7f}"),
        json!("'''"),
        json!(""),
        json!(" "),
        json!("OPEN"),
        json!("a ticket\\(1)."),
        json!({"type": "doc", "content": []}),
        json!("<p>a</p>"),
    ];
    prop_oneof![
        8 => prop::sample::select(known.to_vec()),
        1 => ".{0,40}".prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
    ]
}

fn payload() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(5, 60, 8, |inner| {
        prop_oneof![
            4 => vec((key(), inner.clone()), 0..8)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
            1 => vec(inner, 0..4).prop_map(Value::Array),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_file_of_guesses_is_sound_whatever_the_payloads(payloads in vec(payload(), 1..3)) {
        let text = file(&payloads);
        prop_assert_eq!(findings(&text), Vec::<String>::new(), "{}", text);
    }
}

#[test]
fn a_payload_of_any_size_is_looked_through() {
    let mut wide = Map::new();
    for number in 0..20_000 {
        wide.insert(format!("status{number}"), json!({"id": number, "title": "x"}));
    }
    wide.insert("n".repeat(1000), json!(1));
    let mut deep = json!({"id": 1});
    for _ in 0..120 {
        deep = json!({"ticket": deep});
    }
    let many: Vec<_> = (0..20_000).map(|number| json!({"id": number, "status": number})).collect();
    for payload in [Value::Object(wide), deep, json!({"tickets": many})] {
        let text = file(&[payload]);
        assert!(text.len() < 20_000 && findings(&text).is_empty(), "{text}");
    }
}

#[test]
fn the_kinds_and_the_places_of_all_payloads_count() {
    let of = |kind: &str, status: &str| json!({"kind": kind, "issue": {"id": 1, "status": status}});
    let when = |payloads: &[Value]| guess(payloads).when.unwrap();
    assert_eq!(when(&[of("issue.opened", "new")]), r#"(.kind // "") | startswith("issue.")"#);
    assert_eq!(
        when(&[of("issue", "new"), of("work_item", "open"), of("issue", "open")]),
        r#"(.kind == "issue") or (.kind == "work_item")"#
    );
    assert_eq!(when(&[of("issue", "new"), of("assigned", "open")]), ".issue");
    let other = json!({"task": {"id": 2, "status": "open", "title": "x", "due": null}});
    let guessed = guess(&[of("issue", "new"), other]);
    assert_eq!(guessed.each.unwrap().expression, ".issue // .task");
    assert_eq!(guessed.id.unwrap().expression, ".id");
    assert_eq!(guessed.when.unwrap(), ".issue // .task");
    let rows = |payloads: &[Value]| -> Vec<&str> {
        guess(payloads).status.unwrap().rows.into_iter().map(|row| row.written).collect()
    };
    assert_eq!(rows(&[of("issue", "open")]), ["NOT_STARTED"]);
    assert_eq!(rows(&[of("issue", "open"), of("issue", "New")]), ["IN_PROGRESS", "NOT_STARTED"]);
}
