//! What holds of the planning and the accounting whatever goes in.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::account::{Verdict, verdicts};
use super::bad_value::COMPARED;
use super::blame::{self, Guilty};
use super::guard::{self, Tasks};
use super::ledger::Ledger;
use super::matching::{Found, Ids};
use super::plan;
use super::row::{Resolved, Row, Value};
use super::schedule::{Part, Schedule};
use crate::hubspot::{Answer, BATCH, Refusal};
use crate::outcome::{FailReason, Outcome};
use crate::time::Time;
use crate::update::{OnMissing, TaskKey, Update, canonical_id};

fn write(id_property: &str, id: &str) -> Row {
    let task = TaskKey { id_property: id_property.to_owned(), id: id.to_owned() };
    Row::new(task, Time::from_milliseconds(0))
}

fn rows(ids: &[&str]) -> Vec<Row> {
    ids.iter().map(|id| write("ticket", id)).collect()
}

/// Updates that all have different times.
fn updates() -> impl Strategy<Value = Vec<Update>> {
    let texts =
        prop::collection::btree_map("[a-c]", prop_oneof![Just("1"), Just(";2"), Just("")], 0..3);
    let update = (0..3_u8, texts, any::<bool>(), any::<bool>());
    let update = update.prop_map(|(id, texts, creates, is_guarded)| Update {
        on_missing: if creates { OnMissing::Create } else { OnMissing::Fail },
        updated_at_property: is_guarded.then(|| "at".to_owned()),
        properties: texts
            .into_iter()
            .map(|(name, text)| (name, crate::update::Value::Text(text.to_owned())))
            .collect(),
        ..Update::new(
            TaskKey { id_property: "ticket".to_owned(), id: id.to_string() },
            Time::from_milliseconds(0),
        )
    });
    prop::collection::vec(update, 0..12).prop_map(|mut updates| {
        for (time, update) in (0..).zip(&mut updates) {
            update.time = Time::from_milliseconds(time);
        }
        updates
    })
}

/// The rows of updates; their members by time, since that is what an update is known by here.
fn writes(updates: &[Update]) -> (Vec<Row>, Vec<Option<Outcome>>) {
    fn value((name, value): &(String, crate::update::Value)) -> Value<'_> {
        match value {
            crate::update::Value::Text(text) => {
                Value { property: name, text: text.into(), owner: None }
            }
            crate::update::Value::Owner { .. } => unreachable!(),
        }
    }
    let resolved = updates.iter().enumerate().map(|(index, update)| Resolved {
        index,
        update,
        values: update.properties.iter().map(value).collect(),
    });
    let mut ledger = Ledger::new(updates.len());
    let mut rows = plan::rows(resolved.collect(), &Tasks::default(), &mut ledger);
    for member in rows.iter_mut().flat_map(|row| &mut row.members) {
        *member = usize::try_from(updates[*member].time.milliseconds()).unwrap();
    }
    (rows, (0..updates.len()).map(|index| ledger.outcome(index).cloned()).collect())
}

/// An answer that speaks of some rows, of others, and of nobody.
fn answers(ids: usize) -> impl Strategy<Value = Json> {
    let record_id =
        prop_oneof![3 => (0..6_u8).prop_map(|id| json!(id.to_string())), 1 => Just(Json::Null)];
    let echo = prop_oneof![
        (0..ids + 2).prop_map(|id| json!(format!("T-{id}"))),
        Just(Json::Null),
        Just(json!("t-0"))
    ];
    let result = (record_id, echo)
        .prop_map(|(id, ticket)| json!({"id": id, "properties": {"ticket": ticket}}));
    let about = prop::collection::vec(0..ids + 2, 0..3);
    let error = (about, any::<bool>(), any::<bool>()).prop_map(|(about, by_trace, is_missing)| {
        let (name, prefix) = if by_trace { ("objectWriteTraceId", "taskhook-") } else { ("ids", "T-") };
        let about: Vec<_> = about.iter().map(|row| format!("{prefix}{row}")).collect();
        json!({"category": if is_missing { "OBJECT_NOT_FOUND" } else { "VALIDATION_ERROR" }, "context": {name: about}})
    });
    (prop::collection::vec(result, 0..6), prop::collection::vec(error, 0..3))
        .prop_map(|(results, errors)| json!({"results": results, "errors": errors}))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_merge_does_not_depend_on_the_order_of_arrival(
        (updates, shuffled) in updates().prop_flat_map(|updates| (Just(updates.clone()), Just(updates).prop_shuffle())),
    ) {
        let by_task = |mut writes: Vec<Row>| {
            writes.sort_by_key(|write| (write.task.clone(), write.round));
            writes
        };
        prop_assert_eq!(by_task(writes(&updates).0), by_task(writes(&shuffled).0));
    }

    #[test]
    fn every_update_is_in_one_write_or_has_an_outcome(updates in updates()) {
        let (writes, outcomes) = writes(&updates);
        let mut members: Vec<_> = writes.iter().flat_map(|write| write.members.clone()).collect();
        members.extend(outcomes.iter().enumerate().filter(|(_, outcome)| outcome.is_some()).map(|(index, _)| index));
        members.sort_unstable();
        prop_assert_eq!(members, (0..updates.len()).collect::<Vec<_>>());
        for write in &writes {
            prop_assert!(write.members.is_sorted(), "oldest event first");
            let newest = i64::try_from(*write.members.last().unwrap()).unwrap();
            prop_assert_eq!(write.time.milliseconds(), newest);
            prop_assert!(!write.is_guarded || write.properties["at"] == write.time.to_string());
        }
    }

    #[test]
    fn a_task_is_written_once_in_a_round_and_in_the_order_of_its_events(updates in updates()) {
        let mut newest: BTreeMap<TaskKey, i64> = BTreeMap::new();
        for round in plan::rounds(writes(&updates).0) {
            let tasks: BTreeSet<_> = round.iter().map(|write| &write.task).collect();
            prop_assert_eq!(tasks.len(), round.len());
            for write in &round {
                let before = newest.insert(write.task.clone(), write.time.milliseconds());
                prop_assert!(before.is_none_or(|before| before < write.time.milliseconds()));
            }
        }
    }

    #[test]
    fn batches_are_full_of_one_kind_and_lose_nothing(kinds in prop::collection::vec(0..3_u32, 0..700)) {
        let all: Vec<_> = kinds.iter().enumerate().map(|(id, kind)| write(&format!("p{kind}"), &id.to_string())).collect();
        let batches = plan::batches(all.clone());
        let mut fewest = 0;
        for kind in 0..3 {
            fewest += kinds.iter().filter(|other| **other == kind).count().div_ceil(BATCH);
        }
        prop_assert_eq!(batches.len(), fewest);
        for batch in &batches {
            prop_assert!((1..=BATCH).contains(&batch.len()));
            prop_assert!(batch.iter().all(|write| write.task.id_property == batch[0].task.id_property));
        }
        let ids = |writes: &mut dyn Iterator<Item = &Row>| writes.map(|write| write.task.id.clone()).collect::<BTreeSet<_>>();
        prop_assert_eq!(ids(&mut batches.iter().flatten()), ids(&mut all.iter()));
        prop_assert_eq!(batches.iter().map(Vec::len).sum::<usize>(), all.len());
    }

    #[test]
    fn a_row_is_done_only_where_a_result_speaks_of_it_or_the_counts_prove_it(answer in answers(4)) {
        let ids = ["T-0", "T-1", "T-2", "T-3"];
        let rows = rows(&ids);
        let parsed: Answer = serde_json::from_value(answer.clone()).unwrap();
        let verdicts = verdicts(&rows, &parsed);
        prop_assert_eq!(verdicts.len(), rows.len());
        let results = answer["results"].as_array().unwrap();
        let echoes: Vec<_> = results.iter().filter_map(|result| result["properties"]["ticket"].as_str()).collect();
        let named = answer["errors"].to_string();
        let is_echo_of = |echo: &str, id: &str| echo.eq_ignore_ascii_case(id);
        let is_echoed = |id: &str| echoes.iter().any(|echo| is_echo_of(echo, id));
        let is_strange = |result: &&Json| {
            result["properties"]["ticket"].as_str().is_none_or(|echo| !ids.iter().any(|id| is_echo_of(echo, id)))
        };
        let is_named = |row: usize| named.contains(&format!("T-{row}\"")) || named.contains(&format!("taskhook-{row}\""));
        let anonymous: BTreeSet<_> = results.iter().filter(is_strange)
            .filter_map(|result| result["id"].as_str()).collect();
        let left = (0..4).filter(|row| !is_echoed(ids[*row]) && !is_named(*row)).count();
        // An error that says that a task is missing, but not which, means the only one that is
        // left.
        let errors = answer["errors"].as_array().unwrap();
        let is_nameless = errors.iter().any(|error| {
            error["category"] == "OBJECT_NOT_FOUND" && !error.to_string().contains("T-") && !error.to_string().contains("taskhook-")
        });
        let is_only = |row: usize| {
            is_nameless && left == 1 && anonymous.is_empty() && !is_echoed(ids[row]) && !is_named(row)
        };
        for (row, verdict) in verdicts.iter().enumerate() {
            let is_done = matches!(verdict, Verdict::Done(..));
            let is_proven = anonymous.len() == left && !is_named(row);
            prop_assert!(!is_done || (is_echoed(ids[row]) && !is_named(row)) || is_proven, "{} of {:?}", row, verdicts);
            prop_assert!(!is_named(row) || matches!(verdict, Verdict::Missing | Verdict::Refused(..)), "{}", row);
            prop_assert!(!is_only(row) || *verdict == Verdict::Missing, "{}", row);
            prop_assert_eq!(*verdict == Verdict::Silent, !is_done && !is_named(row) && !is_only(row), "{}", row);
        }
    }

    #[test]
    fn an_id_is_that_of_a_row_exactly_or_of_the_only_one_that_is_alike(
        ids in prop::collection::vec("[ ]?[aäA][bB][ ]?", 0..5), id in "[ ]?[aAÄ][bB][ ]?",
    ) {
        let found = Ids::new(ids.iter().map(String::as_str)).row(&id);
        let alike: Vec<_> = (0..ids.len()).filter(|row| ids[*row].trim().to_lowercase() == id.trim().to_lowercase()).collect();
        match ids.iter().position(|other| *other == id) {
            Some(row) => prop_assert_eq!(found, Some(row)),
            None if alike.len() == 1 => prop_assert_eq!(found, alike.first().copied()),
            None => prop_assert_eq!(found, None),
        }
    }

    #[test]
    fn tasks_that_hubspot_may_take_for_one_are_written_one_after_the_other(
        ids in prop::collection::vec("[ ]?[aA0][bB1]{0,2}", 1..8),
    ) {
        let update = |(id, time): (&String, i64)| Update {
            updated_at_property: Some("at".to_owned()),
            properties: vec![("a".to_owned(), crate::update::Value::Text(time.to_string()))],
            ..Update::new(TaskKey { id_property: "ticket".to_owned(), id: id.clone() }, Time::from_milliseconds((time * 7) % 11))
        };
        let updates: Vec<_> = ids.iter().zip(0..).map(update).collect();
        let mut newest: BTreeMap<String, i64> = BTreeMap::new();
        for round in plan::rounds(writes(&updates).0) {
            let forms: BTreeSet<_> = round.iter().map(|row| canonical_id(&row.task.id)).collect();
            prop_assert_eq!(forms.len(), round.len());
            for row in &round {
                let before = newest.insert(canonical_id(&row.task.id), row.time.milliseconds());
                prop_assert!(before.is_none_or(|before| before <= row.time.milliseconds()), "the older event goes first");
            }
        }
        for read in guard::reads(&updates) {
            let forms: BTreeSet<_> = read.ids.iter().map(|id| canonical_id(id)).collect();
            prop_assert_eq!(forms.len(), read.ids.len());
        }
    }

    /// Values that contain each other, HubSpot's sentences, and the options.
    #[test]
    fn blame_falls_on_rows_that_carry_the_value_and_on_no_other(
        values in prop::collection::vec(prop::sample::select(VALUES), 2..6), bad in 0..6_usize, whole in any::<bool>(),
    ) {
        let bad = values[bad % values.len()];
        // Of several checkboxes the message names the whole, or the part that is wrong.
        let named = if whole { bad } else { bad.rsplit(';').next().unwrap() };
        let message = format!("{named} was not one of the allowed options: [LOW, HIGH, a, b]");
        let inside = json!([{"name": "p", "error": "INVALID_OPTION", "message": message}]).to_string();
        let complaint = serde_json::from_value(json!({"message": format!("Property values were not valid: {inside}")}));
        let refusal = Refusal { status: 400, is_repeated: false, complaint: complaint.unwrap() };
        let mut rows: Vec<_> = values.iter().map(|_| write("ticket", "T")).collect();
        for (row, value) in rows.iter_mut().zip(&values) {
            row.properties.insert("p".to_owned(), (*value).to_owned());
        }
        let Guilty::Rows(guilty) = blame::guilty(&refusal, &rows) else {
            return Err(TestCaseError::fail("nobody is blamed"));
        };
        for (row, value) in values.iter().enumerate() {
            let carries = *value == named || value.split(';').any(|part| part == named);
            prop_assert_eq!(guilty.contains_key(&row), carries, "{} of {:?}, {:?}", row, values, message);
        }
    }
}

/// How many values are compared with messages, for a refusal with so many names that is about a
/// hundred rows.
fn compared(names: usize) -> usize {
    let values: Vec<_> = (0..100).map(|row| format!("value {row}")).collect();
    let mut rows: Vec<_> = values.iter().map(|id| write("ticket", id)).collect();
    for (row, value) in rows.iter_mut().zip(&values) {
        row.properties.insert("p".to_owned(), value.clone());
    }
    let error = |name: usize| {
        let property = if name.is_multiple_of(100) { "p".to_owned() } else { format!("p{name}") };
        let about = [rows[name % 100].task.id.clone()];
        json!({"message": format!("{name} is wrong"), "code": "C", "context": {"propertyName": [property], "ids": about}})
    };
    let errors: Vec<_> = (0..names).map(error).collect();
    let body =
        json!({"message": "Bad", "errors": errors, "context": {"propertyNames": vec!["q"; names]}});
    let refusal = self::refusal(400, body.clone());
    let answer: Answer = serde_json::from_value(json!({"results": [], "errors": [body]})).unwrap();
    COMPARED.set(0);
    assert!(matches!(blame::guilty(&refusal, &rows), Guilty::Values(_)));
    verdicts(&rows, &answer);
    COMPARED.get()
}

#[test]
fn no_part_is_larger_than_a_request_however_many_rows_are_suspected() {
    let mut suspects: Vec<_> = (0..250).map(|id| write("ticket", &id.to_string())).collect();
    for row in &mut suspects {
        row.properties.insert("p".to_owned(), "as all".to_owned());
    }
    let mut schedule = Schedule::default();
    schedule.halve(Part::new(suspects), &["p".to_owned()].into());
    let parts = std::iter::from_fn(|| schedule.start());
    assert_eq!(parts.map(|part| part.rows.len()).collect::<Vec<_>>(), [100, 100, 50]);
}

#[test]
fn blame_is_linear_in_what_hubspot_says() {
    let (small, large) = (compared(2_000), compared(20_000));
    assert!(small >= 2_000, "{small}");
    assert!(large <= 11 * small, "{large} comparisons for ten times {small}");
}

fn refusal(status: u16, body: Json) -> Refusal {
    Refusal { status, is_repeated: false, complaint: serde_json::from_value(body).unwrap() }
}

fn carrying(properties: &[&[(&str, &str)]]) -> Vec<Row> {
    let mut rows = rows(&["T-0", "T-1", "T-2"][..properties.len()]);
    for (row, own) in rows.iter_mut().zip(properties) {
        row.properties =
            own.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    }
    rows
}

fn inside(name: &str, code: &str, message: &str) -> Json {
    let inside = json!([{"name": name, "error": code, "message": message}]);
    json!({"category": "VALIDATION_ERROR", "message": format!("Property values were not valid: {inside}")})
}

/// The rows that are guilty, with their details.
fn guilty(rows: &[Row], refusal: &Refusal) -> Vec<(usize, String)> {
    match blame::guilty(refusal, rows) {
        Guilty::Rows(guilty) => {
            guilty.into_iter().map(|(row, blame)| (row, blame.detail)).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn only_words_about_a_property_mean_a_missing_property() {
    let rows = carrying(&[&[("o", "998")], &[("o", "999")], &[("o", "9")]]);
    let owner = refusal(400, inside("o", "INVALID_OWNER_ID", "Owner 999 does not exist"));
    assert_eq!(
        guilty(&rows, &owner),
        [(1, "o: 999 is not a valid value (INVALID_OWNER_ID)".to_owned())]
    );
    let other = refusal(400, inside("o", "INVALID_REFERENCE", "The record does not exist"));
    assert_eq!(blame::guilty(&other, &rows), Guilty::Values(["o".to_owned()].into()));
    let missing = refusal(400, inside("o", "", "Property \"o\" does not exist"));
    assert_eq!(guilty(&rows, &missing).len(), 3);
}

#[test]
fn a_single_value_is_the_one_that_is_refused() {
    let rows = carrying(&[&[("p", "x1")], &[("p", "x1")], &[("q", "y")]]);
    let vague = refusal(400, inside("p", "INVALID_ALPHA", "Enter only letters"));
    assert_eq!(guilty(&rows, &vague).iter().map(|(row, _)| *row).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn white_space_is_quoted_and_may_not_be_seen() {
    let message = "\" 12\" includes leading or trailing whitespace.";
    let rows = carrying(&[&[("n", "12")], &[("n", " 12")], &[("n", "12 ")]]);
    let quoted = refusal(400, inside("n", "", message));
    assert_eq!(guilty(&rows, &quoted), [(1, "n: \" 12\" has white space around it".to_owned())]);
    let rows = carrying(&[&[("n", "12")], &[("n", "a;b\u{200b}")]]);
    let coded = refusal(400, inside("n", "LEADING_TRAILING_WHITESPACE", "White space"));
    assert_eq!(guilty(&rows, &coded)[0].0, 1);
}

#[test]
fn an_empty_value_is_told_clearly() {
    let rows =
        carrying(&[&[("hs_timestamp", "")], &[("hs_timestamp", "2026-03-02T00:00:00.000Z")]]);
    let empty = refusal(400, inside("hs_timestamp", "INVALID_LONG", " was not a valid long."));
    let expected =
        [(0, "hs_timestamp: HubSpot takes no empty value here (INVALID_LONG)".to_owned())];
    assert_eq!(guilty(&rows, &empty), expected);
    let required = json!({"message": "Some required properties were not set.", "context": {"properties": ["hs_timestamp"]}});
    assert_eq!(guilty(&rows, &refusal(400, required))[0].0, 0);
}

#[test]
fn what_all_lack_is_named() {
    let rows = carrying(&[
        &[("a", "1"), ("hs_task_type", "")],
        &[("a", "2")],
        &[("hs_task_type", "TODO")],
    ]);
    for body in [
        json!({"message": "Some required properties were not set", "context": {"properties": ["hs_task_type"]}}),
        json!({"message": "Some required properties were not set: [\"hs_task_type\"]"}),
    ] {
        let Guilty::Lacking(lacking, blame) = blame::guilty(&refusal(400, body), &rows) else {
            panic!()
        };
        assert_eq!(lacking, [0, 1].into());
        assert_eq!(blame.detail, "hs_task_type: HubSpot requires a value, and the update has none");
    }
    let unreadable = refusal(
        400,
        json!({"message": "Invalid input JSON on line 1, column 2: Unexpected character"}),
    );
    assert!(matches!(blame::guilty(&unreadable, &rows), Guilty::Lacking(all, _) if all.len() == 3));
}

#[test]
fn a_conflict_of_the_id_itself_is_a_conflict_of_its_row() {
    let rows = carrying(&[&[("a", "1")], &[("a", "2")], &[("a", "3")]]);
    let message = "Cannot set PropertyValueCoordinates{propertyName=ticket, value=T-1} on 9. 8 already has that value.";
    let unique = refusal(409, inside("ticket", "CONFLICTING_UNIQUE_VALUE", message));
    assert_eq!(guilty(&rows, &unique), [(1, "ticket: another task has the value T-1".to_owned())]);
    let exists =
        refusal(409, json!({"category": "OBJECT_ALREADY_EXISTS", "context": {"ids": ["T-2"]}}));
    assert_eq!(guilty(&rows, &exists)[0].0, 2);
    let error = json!({"category": "OBJECT_ALREADY_EXISTS", "context": {"objectWriteTraceId": ["taskhook-0"]}});
    let answer: Answer = serde_json::from_value(json!({"errors": [error]})).unwrap();
    assert!(
        matches!(&verdicts(&rows, &answer)[0], Verdict::Refused(blame) if blame.reason == FailReason::Conflict)
    );
}

#[test]
fn a_trace_id_proves_what_no_id_does() {
    let rows = carrying(&[&[("a", "1")], &[("a", "2")], &[("a", "3")]]);
    let result = |id: &str, trace: usize| json!({"id": id, "objectWriteTraceId": format!("taskhook-{trace}"), "properties": {"ticket": "7"}});
    let answer: Answer =
        serde_json::from_value(json!({"results": [result("9", 2), result("9", 0)]})).unwrap();
    let done =
        Verdict::Done(Found { record_id: Some("9".to_owned()), created_at: String::new() }, false);
    assert_eq!(verdicts(&rows, &answer), [done.clone(), Verdict::Silent, done]);
}

#[test]
fn what_is_left_of_a_read_is_what_is_left_of_the_ids() {
    let read = |ids: &[&str], results: Json| {
        let answer: Answer = serde_json::from_value(json!({"results": results})).unwrap();
        let told = super::account::assign("ticket", ids, &answer);
        (
            told.records
                .iter()
                .map(|record| record.map(|record| record.id.clone()))
                .collect::<Vec<_>>(),
            told.mixed.len(),
        )
    };
    let record = |id: &str, ticket: &str| json!({"id": id, "properties": {"ticket": ticket}});
    let some = |id: &str| Some(id.to_owned());
    assert_eq!(
        read(&["007", "x"], json!([record("1", "7"), record("2", "x")])),
        (vec![some("1"), some("2")], 0)
    );
    assert_eq!(
        read(&["a", "x"], json!([record("1", "A.1"), record("2", "x")])),
        (vec![some("1"), some("2")], 0)
    );
    assert_eq!(
        read(&["a", "b", "x"], json!([record("1", "A.1"), record("2", "x")])),
        (vec![None, None, some("2")], 2)
    );
    assert_eq!(read(&["a", "b"], json!([])), (vec![None, None], 0));
}

#[test]
fn a_value_in_another_form_is_as_it_was_written() {
    use super::matching::matches_leniently;
    for (current, written) in [
        ("7", "007"),
        ("1.5", " 1.50"),
        ("text", "  text\n"),
        ("<p>Hello &amp; <b>you</b></p>", "<p>Hello &#38; <b onclick=\"x\">you</b><br></p>"),
        ("2026-03-02T00:00:00Z", "2026-03-02T00:00:00.000Z"),
    ] {
        assert!(matches_leniently(current, written), "{current:?} {written:?}");
    }
    for (current, written) in
        [("7", "8"), ("", "0"), ("<p>a</p>", "<p>b</p>"), ("a b", "ab"), ("nan", "NaN")]
    {
        assert!(!matches_leniently(current, written), "{current:?} {written:?}");
    }
}

const VALUES: &[&str] = &[
    "P9",
    "P",
    "HIGH",
    "LOW, HIGH",
    "a",
    "a;b",
    "b;a",
    "P9;a",
    "\"P9\"",
    "P9 was not one of the allowed options: [LOW",
    "P9 was not a valid long.",
    " ",
];
