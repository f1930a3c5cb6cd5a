//! Refusals that don't say which row they mean: good rows don't wait for bad ones, and what is
//! known stays known.

use serde_json::{Value as Json, json};
use taskhook::outcome::{FailReason, Outcome, RetryReason};
use taskhook::sim::{Behaviour, Endpoint, Fault, Sim};
use taskhook::update::{RECORD_ID, Unknown, Update, Value};

use crate::support::portal::{
    OWNER, START, hubspot, portal, portal_with, run, run_on, task, update,
};

const AFTER: (&str, &str) = ("hs_task_subject", "after");

fn on_update(fault: Fault) -> Fault {
    Fault { on: Endpoint::Update, ..fault }
}

/// Every update that holds one of these texts is answered so.
fn refuses(holds: &[&str], status: u16, body: Json) -> Fault {
    let holds = holds.iter().map(|text| (*text).to_owned()).collect();
    on_update(Fault { forever: true, holds, body: Some(body), ..Fault::status(status) })
}

/// A property is named, and no value.
fn vague(name: &str) -> Json {
    let inside = json!([{"error": "INVALID_ALPHA", "name": name, "message": "Enter only letters"}]);
    json!({"category": "VALIDATION_ERROR", "message": format!("Property values were not valid: {inside}")})
}

fn count(outcomes: &[Outcome], name: &str) -> usize {
    outcomes.iter().filter(|outcome| outcome.kind().as_str() == name).count()
}

fn written(sim: &Sim, name: &str, value: &str) -> usize {
    sim.tasks()
        .iter()
        .filter(|task| task.properties.get(name).is_some_and(|kept| kept == value))
        .count()
}

fn sizes(sim: &Sim) -> Vec<usize> {
    sim.calls().iter().map(|call| call.body["inputs"].as_array().map_or(0, Vec::len)).collect()
}

/// A hundred rows with different values, of which so many are bad, all over them.
fn hundred(bad: usize) -> Vec<Update> {
    let row = |id: usize| {
        let is_bad = id % (100 / bad) == 3 && id / (100 / bad) < bad;
        let code = format!("{}{id}", if is_bad { "bad" } else { "good" });
        update(id, 3, &[AFTER, ("code", &code)])
    };
    (0..100).map(row).collect()
}

#[tokio::test]
async fn good_rows_are_out_with_the_second_delivery_however_many_are_bad() {
    for bad in [1, 3, 10] {
        let (sim, updates) = (portal(100).await, hundred(bad));
        let hubspot = hubspot(&sim);
        sim.set_behaviour(
            serde_json::from_value(json!({"limits": {"ten_secondly": null}})).unwrap(),
        );
        for delivery in 1..=2 {
            // So many calls of 0.7 s fit into a reply; then there is no time left.
            sim.clear_faults();
            let headers = [("Retry-After".to_owned(), "86400".to_owned())].into();
            sim.fault(on_update(Fault { skip: 50, forever: true, headers, ..Fault::status(477) }));
            sim.fault(refuses(&["\"bad"], 400, vague("code")));
            let outcomes = run_on(&hubspot, &updates).await;
            assert_eq!(
                count(&outcomes, "failed")
                    + count(&outcomes, "updated")
                    + count(&outcomes, "retry"),
                100
            );
            for (outcome, update) in outcomes.iter().zip(&updates) {
                let is_good = !format!("{update:?}").contains("\"bad");
                assert!(
                    !is_good || count(std::slice::from_ref(outcome), "failed") == 0,
                    "{delivery}: {outcome:?}"
                );
            }
        }
        assert_eq!(written(&sim, "hs_task_subject", "after"), 100 - bad, "{bad} bad ones");

        // What is known costs a call for each bad value, after the good ones.
        sim.clear_faults();
        sim.fault(refuses(&["\"bad"], 400, vague("code")));
        run_on(&hubspot, &updates).await;
        sim.clear_calls();
        let outcomes = run_on(&hubspot, &updates).await;
        assert_eq!((count(&outcomes, "failed"), count(&outcomes, "updated")), (bad, 100 - bad));
        assert_eq!((sizes(&sim)[0], sim.calls().len()), (100 - bad, 1 + bad));
    }
}

#[tokio::test]
async fn rows_without_the_named_property_go_out_at_once_and_values_are_tried_rather_than_rows() {
    let sim = portal(100).await;
    sim.fault(refuses(&["\"hs_task_body\":\"1\""], 400, vague("hs_task_body")));
    let row = |id: usize| match id {
        0..50 => update(id, 3, &[AFTER]),
        _ => update(id, 3, &[AFTER, ("hs_task_body", ["1", "a", "b"][id % 3])]),
    };
    let updates: Vec<_> = (0..100).map(row).collect();
    let outcomes = run(&sim, &updates).await;
    let bad = (50..100).filter(|id| id % 3 == 0).count();
    assert_eq!((count(&outcomes, "updated"), count(&outcomes, "failed")), (100 - bad, bad));
    assert_eq!(sizes(&sim)[..2], [100, 50]);
    assert!(sim.calls().len() <= 6, "{:?}", sizes(&sim));
}

#[tokio::test]
async fn a_row_that_needs_a_scope_of_its_own_keeps_nobody_waiting() {
    let (sim, updates) =
        (portal(50).await, (0..50).map(|id| update(id, 3, &[AFTER])).collect::<Vec<_>>());
    let hubspot = hubspot(&sim);
    sim.fault(on_update(Fault {
        forever: true,
        holds: vec!["\"T-5\"".to_owned()],
        ..Fault::status(403)
    }));
    let outcomes = run_on(&hubspot, &updates).await;
    assert_eq!(count(&outcomes, "updated"), 49, "{outcomes:?}");
    assert!(matches!(outcomes[5], Outcome::Retry(RetryReason::Forbidden, _)));
    sim.clear_calls();
    run_on(&hubspot, &updates).await;
    let mut known = sizes(&sim);
    known.sort_unstable();
    assert_eq!(known, [1, 49], "it is known the next time");
}

#[tokio::test]
async fn rows_in_both_halves_that_need_a_scope_keep_the_others_waiting_for_one_delivery() {
    let (sim, updates) =
        (portal(10).await, (0..10).map(|id| update(id, 3, &[AFTER])).collect::<Vec<_>>());
    let hubspot = hubspot(&sim);
    for id in ["\"T-0\"", "\"T-9\""] {
        sim.fault(on_update(Fault {
            forever: true,
            holds: vec![id.to_owned()],
            ..Fault::status(403)
        }));
    }
    let mut taken = Vec::new();
    for _ in 1..=4 {
        taken.push(count(&run_on(&hubspot, &updates).await, "updated"));
    }
    assert_eq!(taken, [0, 8, 8, 8], "{:?}", sizes(&sim));
}

#[tokio::test]
async fn no_row_fails_because_rows_of_another_shape_lack_something() {
    let sim = portal(3).await;
    let lacking = json!({"message": "Some required properties were not set",
                         "context": {"properties": ["hs_task_type"]}});
    sim.fault(refuses(&["\"hs_task_subject\":\"\""], 400, lacking));
    let updates = [
        update(0, 3, &[("hs_task_subject", "")]),
        update(1, 3, &[("hs_task_priority", "HIGH")]),
        update(2, 3, &[("hs_task_priority", "HIGH"), ("hs_task_subject", "")]),
    ];
    let outcomes = run(&sim, &updates).await;
    let kinds: Vec<_> = outcomes.iter().map(|outcome| outcome.kind().as_str()).collect();
    assert_eq!(kinds, ["failed", "updated", "failed"], "{outcomes:?}");
}

#[tokio::test]
async fn what_all_rows_lack_costs_three_calls_and_is_named() {
    for (body, detail) in [
        (
            json!({"category": "VALIDATION_ERROR", "context": {"properties": ["hs_task_type"]},
                   "message": "Some required properties were not set"}),
            "hs_task_type: HubSpot requires a value, and the update has none",
        ),
        (
            json!({"category": "VALIDATION_ERROR", "message": "Invalid input JSON on line 1, column 9: Unexpected"}),
            "HubSpot can't read the request: Invalid input JSON; please report it",
        ),
    ] {
        let sim = portal(100).await;
        sim.fault(refuses(&[], 400, body.clone()));
        let updates: Vec<_> = (0..100).map(|id| update(id, 3, &[AFTER])).collect();
        let outcomes = run(&sim, &updates).await;
        let expected = Outcome::Failed(FailReason::Rejected, detail.to_owned());
        assert!(outcomes.iter().all(|outcome| *outcome == expected), "{outcomes:?}");
        assert_eq!(sizes(&sim), [100, 1, 1]);

        // Where it was one row's fault after all, the others are written.
        let sim = portal(100).await;
        sim.fault(refuses(&["\"T-41\""], 400, body));
        let outcomes = run(&sim, &updates).await;
        assert_eq!((count(&outcomes, "updated"), count(&outcomes, "failed")), (99, 1));
        assert!(matches!(outcomes[41], Outcome::Failed(..)));
    }
}

#[tokio::test]
async fn a_due_date_that_cannot_be_removed_keeps_nothing_else_back() {
    let inside = json!([{"error": "INVALID_LONG", "name": "hs_timestamp", "message": " was not a valid long."}]);
    for body in [
        json!({"message": format!("Property values were not valid: {inside}")}),
        vague("hs_timestamp"),
        json!({"message": "Some required properties were not set", "context": {"properties": ["hs_timestamp"]}}),
        json!({"message": "The due date can't be empty"}),
    ] {
        let sim = portal(3).await;
        let hubspot = hubspot(&sim);
        sim.fault(refuses(&["\"hs_timestamp\":\"\""], 400, body.clone()));
        let updates = [
            update(0, 3, &[AFTER, ("hs_timestamp", "")]),
            update(1, 3, &[AFTER, ("hs_timestamp", "2026-03-05T00:00:00.000Z")]),
            update(2, 3, &[("hs_timestamp", "")]),
        ];
        for delivery in 1..=2 {
            sim.clear_calls();
            let outcomes = run_on(&hubspot, &updates).await;
            let names: Vec<_> = outcomes.iter().map(|outcome| outcome.kind().as_str()).collect();
            assert_eq!(names, ["updated", "updated", "unchanged"], "{body}: {outcomes:?}");
            let is_noted = |outcome: &Outcome| matches!(outcome, Outcome::Noted(_, detail) if detail.starts_with("hs_timestamp: "));
            assert_eq!(
                outcomes.iter().map(is_noted).collect::<Vec<_>>(),
                [true, false, true],
                "{body}"
            );
            assert!(delivery == 1 || sizes(&sim) == [2], "{body}: {:?}", sizes(&sim));
        }
        assert_eq!(written(&sim, "hs_task_subject", "after"), 2);
    }
    // Of that alone: what else is wrong fails the update.
    let sim = portal(1).await;
    let updates = [update(0, 3, &[AFTER, ("hs_timestamp", ""), ("amount", "x")])];
    let outcomes = run(&sim, &updates).await;
    assert!(
        matches!(&outcomes[0], Outcome::Failed(FailReason::InvalidValue, detail) if detail.starts_with("amount"))
    );
}

#[tokio::test]
async fn what_hubspot_is_not_done_with_is_looked_at_again() {
    let sim = portal(1).await;
    sim.fault(on_update(Fault {
        body: Some(json!({"status": "PENDING", "results": []})),
        ..Fault::status(200)
    }));
    let outcomes = run(&sim, &[update(0, 3, &[AFTER])]).await;
    assert!(matches!(outcomes[..], [Outcome::Retry(RetryReason::Unavailable, _)]), "{outcomes:?}");
    let body = json!({"status": "PROCESSING", "results": []});
    sim.fault(on_update(Fault { body: Some(body), ..Fault::status(200) }));
    let outcomes = run(&sim, &[update(0, 3, &[("hs_task_subject", "before")])]).await;
    assert!(matches!(outcomes[..], [Outcome::Updated(Some(_))]), "it is there: {outcomes:?}");
}

fn owned(id: usize, unknown: Unknown) -> Update {
    let mut update = update(id, 3, &[AFTER]);
    update
        .properties
        .push(("hubspot_owner_id".to_owned(), Value::Owner { email: OWNER.to_owned(), unknown }));
    update
}

#[tokio::test]
async fn a_remembered_owner_who_is_refused_is_looked_up_once_more() {
    let sim = portal(2).await;
    let old = json!({"results": [{"id": "999", "email": OWNER}]});
    let gone = |body: &Json| Fault {
        on: Endpoint::Owners,
        body: Some(body.clone()),
        ..Fault::status(200)
    };
    sim.fault(gone(&old));
    let outcomes = run(&sim, &[owned(0, Unknown::Fail), owned(1, Unknown::Fail)]).await;
    assert_eq!(count(&outcomes, "updated"), 2, "{outcomes:?}");
    assert_eq!(written(&sim, "hubspot_owner_id", "101"), 2);
    assert_eq!(sim.calls().iter().filter(|call| call.path.contains("owners")).count(), 2);

    sim.fault(gone(&old));
    sim.fault(gone(&json!({"results": []})));
    let outcomes = run(&sim, &[owned(0, Unknown::Fail), owned(1, Unknown::Skip)]).await;
    assert!(matches!(outcomes[0], Outcome::Failed(FailReason::OwnerNotFound, _)), "{outcomes:?}");
    assert!(matches!(outcomes[1], Outcome::Updated(_)), "{outcomes:?}");

    sim.clear_calls();
    sim.fault(Fault { times: Some(2), ..gone(&old) });
    let outcomes = run(&sim, &[owned(0, Unknown::Fail)]).await;
    assert!(
        matches!(outcomes[0], Outcome::Failed(FailReason::InvalidValue, _)),
        "the same id: {outcomes:?}"
    );
    assert_eq!(sim.calls().len(), 3, "and no end of it otherwise");
}

#[tokio::test]
async fn owners_that_cannot_be_read_hold_up_only_updates_that_need_one() {
    for status in [404, 500, 403] {
        let sim = portal(3).await;
        sim.fault(Fault { on: Endpoint::Owners, forever: true, ..Fault::status(status) });
        let updates = [owned(0, Unknown::Skip), update(1, 3, &[AFTER]), owned(2, Unknown::Fail)];
        let outcomes = run(&sim, &updates).await;
        let names: Vec<_> = outcomes.iter().map(|outcome| outcome.kind().as_str()).collect();
        assert_eq!(names, ["retry", "updated", "retry"], "{status}: {outcomes:?}");
    }
}

#[tokio::test]
async fn an_owner_that_does_not_exist_is_the_fault_of_one_row() {
    let sim = portal(3).await;
    let inside = json!([{"error": "INVALID_OWNER_ID", "name": "hubspot_owner_id", "message": "Owner 999 does not exist"}]);
    let body = json!({"message": format!("Property values were not valid: {inside}")});
    sim.fault(refuses(&["\"999\""], 400, body));
    let row = |id: usize, owner: &str| update(id, 3, &[AFTER, ("hubspot_owner_id", owner)]);
    let outcomes = run(&sim, &[row(0, "101"), row(1, "999"), update(2, 3, &[AFTER])]).await;
    let names: Vec<_> = outcomes.iter().map(|outcome| outcome.kind().as_str()).collect();
    assert_eq!(names, ["updated", "failed", "updated"], "{outcomes:?}");
}

#[tokio::test]
async fn trace_ids_and_record_ids_prove_what_ids_in_another_form_do_not() {
    let sim = portal_with(["T-0", "T-1", "7"].map(task).to_vec()).await;
    sim.set_behaviour(Behaviour {
        echo_trace_ids: true,
        echo_id_property: false,
        ..Behaviour::default()
    });
    sim.fault(on_update(Fault { omit: 1, ..Fault::default() }));
    let outcomes = run(&sim, &[update(0, 3, &[AFTER]), update(1, 3, &[AFTER])]).await;
    assert_eq!(count(&outcomes, "updated"), 2, "{outcomes:?}");
    assert_eq!(sizes(&sim), [2, 1], "only the one that was left out is looked up");

    // A merged task answers with the survivor's id.
    let survivor = json!({"results": [{"id": "9005", "properties": {"hs_task_subject": "after"}}]});
    sim.fault(on_update(Fault { body: Some(survivor), ..Fault::status(200) }));
    let mut merged = update(0, 3, &[AFTER]);
    (merged.task.id_property, merged.task.id) = (RECORD_ID.to_owned(), "9001".to_owned());
    assert_eq!(run(&sim, &[merged]).await, [Outcome::Updated(Some("9005".to_owned()))]);

    // The id is kept as a number: it was read, and is written.
    let shown = json!({"results": [{"id": "9007", "properties": {"ticket": "7", "ticket_at": "2026-01-01T00:00:00Z"}}]});
    sim.fault(Fault { on: Endpoint::Read, body: Some(shown.clone()), ..Fault::status(200) });
    sim.fault(on_update(Fault { body: Some(shown), ..Fault::status(200) }));
    let mut guarded = update(0, 3, &[AFTER]);
    (guarded.task.id, guarded.updated_at_property) =
        ("007".to_owned(), Some("ticket_at".to_owned()));
    assert!(guarded.time.milliseconds() > START);
    assert_eq!(run(&sim, &[guarded]).await, [Outcome::Updated(Some("9007".to_owned()))]);
}

#[tokio::test]
async fn nothing_of_a_task_overtakes_a_write_that_is_forbidden() {
    let sim = portal(2).await;
    let added = |step, text| update(0, step, &[("tags", text)]);
    let updates = [added(3, "a"), added(4, ";b"), update(1, 3, &[AFTER])];
    sim.fault(on_update(Fault {
        forever: true,
        holds: vec!["\"tags\":\"a\"".to_owned()],
        ..Fault::status(403)
    }));
    let outcomes = run(&sim, &updates).await;
    let names: Vec<_> = outcomes.iter().map(|outcome| outcome.kind().as_str()).collect();
    assert_eq!(names, ["retry", "retry", "updated"], "{outcomes:?}");
    assert_eq!(written(&sim, "tags", "b"), 0);
}
