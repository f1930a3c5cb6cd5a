//! Whose property it is, and what is done about a task that isn't there.

use serde_json::{Value as Json, json};
use taskhook::outcome::Outcome;
use taskhook::sim::Sim;
use taskhook::update::{OnMissing, Update, Write};

use crate::support::portal::{at, portal, portal_with, run, task, update};

fn with_rules(update: Update, rules: &[(&str, Write)]) -> Update {
    let write = rules.iter().map(|(name, rule)| ((*name).to_owned(), *rule)).collect();
    Update { write, ..update }
}

fn opened(id: usize, step: i64) -> Update {
    let values = [("hs_task_subject", "a"), ("hs_task_priority", "LOW"), ("code", "x")];
    let rules = [("hs_task_priority", Write::Create), ("code", Write::Empty)];
    let update = with_rules(update(id, step, &values), &rules);
    Update { on_missing: OnMissing::Create, ..update }
}

fn kinds(outcomes: &[Outcome]) -> Vec<&'static str> {
    outcomes.iter().map(|outcome| outcome.kind().as_str()).collect()
}

/// The values of a task.
fn values(sim: &Sim, ticket: &str) -> Json {
    let task = sim.task_by("ticket", ticket).unwrap();
    let names = ["hs_task_subject", "hs_task_priority", "code"];
    json!(names.map(|name| task.properties.get(name).cloned().unwrap_or_default()))
}

/// What a person does in HubSpot.
async fn set(sim: &Sim, ticket: usize, name: &str, value: &str) {
    assert_eq!(kinds(&run(sim, &[update(ticket, 0, &[(name, value)])]).await), ["updated"]);
    sim.clear_calls();
}

#[tokio::test]
async fn a_person_keeps_what_is_theirs_through_ten_events() {
    let sim = portal(0).await;
    assert_eq!(kinds(&run(&sim, &[opened(1, 0)]).await), ["created"]);
    assert_eq!(values(&sim, "T-1"), json!(["a", "LOW", "x"]));
    set(&sim, 1, "hs_task_priority", "HIGH").await;
    set(&sim, 1, "code", "mine").await;
    for step in 1..=10 {
        assert_eq!(kinds(&run(&sim, &[opened(1, step)]).await), ["updated"]);
        assert_eq!(values(&sim, "T-1"), json!(["a", "HIGH", "mine"]));
    }
    // Emptied by a person, it is filled again; the priority was theirs to empty.
    set(&sim, 1, "hs_task_priority", "").await;
    set(&sim, 1, "code", "").await;
    run(&sim, &[opened(1, 11)]).await;
    assert_eq!(values(&sim, "T-1"), json!(["a", "", "x"]));
}

#[tokio::test]
async fn an_update_with_nothing_left_to_write_is_unchanged() {
    let rules = [("code", Write::Empty), ("hs_task_priority", Write::Create)];
    let owned = |id, guard: Option<&str>| {
        let values = [("code", "x"), ("hs_task_priority", "LOW")];
        let updated_at_property = guard.map(str::to_owned);
        Update { updated_at_property, ..with_rules(update(id, 5, &values), &rules) }
    };
    for guard in [None, Some("ticket_at")] {
        let sim = portal(1).await;
        set(&sim, 0, "code", "mine").await;
        assert_eq!(kinds(&run(&sim, &[owned(0, guard)]).await), ["unchanged"], "{guard:?}");
        assert!(sim.calls().iter().all(|call| call.path.ends_with("batch/read")));
        // A task that is made gets all of it, and its time.
        let create = Update { on_missing: OnMissing::Create, ..owned(1, guard) };
        assert_eq!(kinds(&run(&sim, &[create]).await), ["created"]);
        assert_eq!(values(&sim, "T-1"), json!(["", "LOW", "x"]));
        let time = sim.task_by("ticket", "T-1").unwrap().properties.get("ticket_at").cloned();
        assert_eq!(time, guard.map(|_| at(5)));
    }
    // What only a task that is made gets needs no look at one that has to be there.
    let sim = portal(1).await;
    let only = with_rules(update(0, 5, &[("code", "x")]), &[("code", Write::Create)]);
    assert_eq!(kinds(&run(&sim, &[only]).await), ["unchanged"]);
    assert!(sim.calls().is_empty());
}

#[tokio::test]
async fn the_guard_and_the_rules_share_one_read() {
    let tasks = (0..100).map(|id| task(&format!("T-{id}"))).collect();
    let sim = portal_with(tasks).await;
    let guarded = |id| Update { updated_at_property: Some("ticket_at".into()), ..opened(id, 5) };
    let updates: Vec<_> = (0..100).map(guarded).collect();
    // A value that has to be unique: one task gets it.
    let updates = updates.into_iter().map(|mut update| {
        update.properties.retain(|(name, _)| name != "code");
        update
            .properties
            .push(("hs_task_body".to_owned(), taskhook::update::Value::Text("b".into())));
        update.write.insert("hs_task_body".to_owned(), Write::Empty);
        update
    });
    let ended = run(&sim, &updates.collect::<Vec<_>>()).await;
    assert!(kinds(&ended).iter().all(|kind| *kind == "updated"));
    assert_eq!(sim.calls().len(), 2);
}

#[tokio::test]
async fn merging_keeps_the_rules_and_of_several_values_for_a_gap_the_earliest_counts() {
    let sim = portal(1).await;
    let empty =
        |step, value| with_rules(update(0, step, &[("code", value)]), &[("code", Write::Empty)]);
    let updates = [empty(4, "later"), empty(3, "first"), update(0, 5, &[("hs_task_subject", "c")])];
    assert_eq!(kinds(&run(&sim, &updates).await), ["merged", "merged", "updated"]);
    assert_eq!(values(&sim, "T-0"), json!(["c", "", "first"]));
    // One that is always written comes after it, and one that clears leaves a gap.
    let sim = portal(1).await;
    run(&sim, &[empty(3, "first"), update(0, 4, &[("code", "always")])]).await;
    assert_eq!(values(&sim, "T-0"), json!(["before", "", "always"]));
    run(&sim, &[update(0, 6, &[("code", "")]), empty(7, "gap")]).await;
    assert_eq!(values(&sim, "T-0"), json!(["before", "", "gap"]));
}

#[tokio::test]
async fn merged_updates_create_if_one_of_them_does_else_skip_if_one_does() {
    let rule = |step, on_missing| Update {
        on_missing,
        ..update(9, step, &[("hs_task_subject", if step == 1 { "a" } else { "b" })])
    };
    for guard in [None, Some("ticket_at".to_owned())] {
        for (rules, expected) in [
            ([OnMissing::Create, OnMissing::Skip], ["merged", "created"]),
            ([OnMissing::Skip, OnMissing::Create], ["merged", "created"]),
            ([OnMissing::Create, OnMissing::Fail], ["merged", "created"]),
            ([OnMissing::Skip, OnMissing::Fail], ["filtered", "filtered"]),
            ([OnMissing::Fail, OnMissing::Skip], ["filtered", "filtered"]),
            ([OnMissing::Fail, OnMissing::Fail], ["failed", "failed"]),
        ] {
            let sim = portal(0).await;
            let updates = [rule(1, rules[0]), rule(2, rules[1])]
                .map(|update| Update { updated_at_property: guard.clone(), ..update });
            assert_eq!(kinds(&run(&sim, &updates).await), expected, "{rules:?} {guard:?}");
        }
    }
}

#[tokio::test]
async fn what_only_observes_takes_no_part_in_a_write() {
    let sim = portal(1).await;
    let observed = Update { observe: true, ..update(0, 6, &[("hs_task_subject", "observed")]) };
    let ended = run(&sim, &[update(0, 5, &[("hs_task_subject", "a")]), observed]).await;
    assert_eq!(kinds(&ended), ["updated", "filtered"]);
    assert_eq!(values(&sim, "T-0"), json!(["a", "", ""]));
}

#[tokio::test]
async fn a_task_is_made_though_what_is_always_written_comes_to_nothing() {
    use taskhook::sim::{Behaviour, EmptyDueDate};
    use taskhook::update::{Unknown, Value};
    let written = [("hs_task_subject", "a"), ("hs_timestamp", "")];
    let rules = [("hs_task_subject", Write::Create)];
    let without_due =
        Update { on_missing: OnMissing::Create, ..with_rules(update(1, 1, &written), &rules) };
    let mut with_owner = without_due.clone();
    with_owner.task.id = "T-2".to_owned();
    let email = "nobody@acme.example".to_owned();
    with_owner.properties[1] =
        ("hubspot_owner_id".to_owned(), Value::Owner { email, unknown: Unknown::Skip });
    let sim = portal(0).await;
    sim.set_behaviour(Behaviour { empty_due_date: EmptyDueDate::Required, ..Behaviour::default() });
    for expected in ["created", "unchanged"] {
        let ended = run(&sim, &[without_due.clone(), with_owner.clone()]).await;
        assert_eq!(kinds(&ended), [expected; 2]);
        assert_eq!([&values(&sim, "T-1")[0], &values(&sim, "T-2")[0]], ["a", "a"]);
    }
}

#[tokio::test]
async fn an_owner_whom_a_task_does_not_get_is_not_asked_for() {
    use taskhook::update::{Unknown, Value};
    let sim = portal(1).await;
    let mut change = update(0, 5, &[("hs_task_subject", "c")]);
    let email = "nobody@acme.example".to_owned();
    let owner = Value::Owner { email, unknown: Unknown::Fail };
    change.properties.push(("hubspot_owner_id".to_owned(), owner));
    let change = with_rules(change, &[("hubspot_owner_id", Write::Create)]);
    assert_eq!(kinds(&run(&sim, &[change]).await), ["updated"]);
    assert!(!sim.calls().iter().any(|call| call.path.contains("owners")));
}

#[tokio::test]
async fn what_writes_nothing_moves_no_time() {
    let sim = portal(1).await;
    let guarded = |step, values: &[(&str, &str)]| Update {
        updated_at_property: Some("ticket_at".to_owned()),
        ..with_rules(update(0, step, values), &[("code", Write::Create)])
    };
    let updates = [guarded(3, &[("hs_task_subject", "b")]), guarded(9, &[("code", "x")])];
    assert_eq!(kinds(&run(&sim, &updates).await), ["merged", "updated"]);
    assert_eq!(kinds(&run(&sim, &[guarded(5, &[("hs_task_subject", "c")])]).await), ["updated"]);
    assert_eq!(values(&sim, "T-0"), json!(["c", "", ""]));
}

#[tokio::test]
async fn a_task_that_is_made_by_one_of_several_rows_gets_all_that_is_held_back() {
    let sim = portal(0).await;
    let with = |step, subject, on_missing| {
        let update = update(1, step, &[("hs_task_subject", subject), ("code", "x")]);
        Update { on_missing, ..with_rules(update, &[("code", Write::Create)]) }
    };
    let updates = [with(1, "one", OnMissing::Skip), with(2, ";two", OnMissing::Create)];
    run(&sim, &updates).await;
    assert_eq!(values(&sim, "T-1")[2], "x");
}
