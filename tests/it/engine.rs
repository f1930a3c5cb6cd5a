//! For any list of updates and any behaviour of HubSpot: every update ends in exactly one true outcome.
//!
//! Random updates meet a stand-in with random habits and faults. Afterwards the outcomes are held against what the
//! stand-in really has.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use secrecy::SecretString;
use serde_json::json;
use taskhook::engine;
use taskhook::hubspot::{Hubspot, Token};
use taskhook::settings::ApiVersion;
use taskhook::sim::{Endpoint, Fault, Moment, Order, Policy, Seed, Sim, TraceIds};
use taskhook::summary::{FailReason, Outcome};
use taskhook::time::Time;
use taskhook::update::{OnMissing, TaskKey, Update, Value};
use tokio::time::Instant;

/// How many tasks there are; updates also name some that don't exist.
const TASKS: usize = 8;
const IDS: usize = 10;

/// 2026-03-02, in milliseconds; the times of a story are a few steps from it.
const START: i64 = 1_772_409_600_000;

/// Values that HubSpot takes, and values that it doesn't.
const GOOD: [(&str, &str); 7] = [
    ("hs_task_subject", "one"),
    ("hs_task_subject", "two was not a valid long."),
    ("hs_task_priority", "HIGH"),
    ("hs_task_priority", "LOW"),
    ("hs_task_status", "COMPLETED"),
    ("amount", "12"),
    ("amount", ""),
];
const BAD: [(&str, &str); 5] = [
    ("hs_task_priority", "HIG"),
    ("hs_task_status", "not_started"),
    ("amount", "twelve"),
    ("no_such_property", "x"),
    ("hs_createdate", "2026-01-01"),
];

#[derive(Clone, Debug)]
struct Story {
    updates: Vec<Update>,
    guarded: bool,
    faults: Vec<Fault>,
    behaviour: taskhook::sim::Behaviour,
}

fn stories() -> impl Strategy<Value = Story> {
    let on_missing = prop_oneof![Just(OnMissing::Fail), Just(OnMissing::Skip), Just(OnMissing::Create)];
    let updates = prop::collection::vec((0..IDS, 0..6_i64, properties()), 1..14);
    let faults = prop::collection::vec(faults(), 0..4);
    (updates, on_missing, any::<bool>(), faults, behaviours()).prop_map(
        |(updates, on_missing, guarded, faults, behaviour)| {
            let update = |(id, step, properties)| update(id, step, properties, on_missing, guarded);
            Story { updates: updates.into_iter().map(update).collect(), guarded, faults, behaviour }
        },
    )
}

fn update(id: usize, step: i64, properties: Vec<(String, Value)>, on_missing: OnMissing, guarded: bool) -> Update {
    Update {
        task: TaskKey { id_property: "ticket".to_owned(), id: format!("T-{id}") },
        time: Time::from_milliseconds(START + step),
        on_missing,
        updated_at_property: guarded.then(|| "ticket_at".to_owned()),
        properties,
    }
}

/// Mostly good values; each property at most once.
fn properties() -> impl Strategy<Value = Vec<(String, Value)>> {
    let good = (0..GOOD.len()).prop_map(|index| GOOD[index]);
    let bad = (0..BAD.len()).prop_map(|index| BAD[index]);
    prop::collection::vec(prop_oneof![9 => good, 1 => bad], 0..4).prop_map(|pairs| {
        let unique: BTreeMap<_, _> = pairs.into_iter().collect();
        unique.into_iter().map(|(name, text)| (name.to_owned(), Value::Text(text.to_owned()))).collect()
    })
}

fn faults() -> impl Strategy<Value = Fault> {
    let at_once = || BTreeMap::from([("Retry-After".to_owned(), "0".to_owned())]);
    let status =
        move |status, policy| Fault { headers: at_once().into_iter().collect(), policy, ..Fault::status(status) };
    let what = prop_oneof![
        Just(status(500, Policy::Secondly)),
        Just(status(503, Policy::Secondly)),
        Just(status(429, Policy::Secondly)),
        Just(status(429, Policy::Daily)),
        Just(Fault::status(403)),
        Just(Fault { drop: Some(Moment::Before), ..Fault::default() }),
        Just(Fault { drop: Some(Moment::After), ..Fault::default() }),
        Just(Fault { half_body: true, ..Fault::default() }),
        Just(Fault { reverse: true, ..Fault::default() }),
        Just(Fault { no_echo: true, ..Fault::default() }),
        Just(Fault { empty: true, ..Fault::default() }),
        (1..3_usize).prop_map(|omit| Fault { omit, ..Fault::default() }),
        (1..3_usize).prop_map(|ignore| Fault { ignore, ..Fault::default() }),
    ];
    let on = prop_oneof![3 => Just(Endpoint::Update), 1 => Just(Endpoint::Read), 1 => Just(Endpoint::Upsert)];
    (what, on, 0..2_u32).prop_map(|(what, on, skip)| Fault { on, skip, ..what })
}

fn behaviours() -> impl Strategy<Value = taskhook::sim::Behaviour> {
    let trace_ids = prop_oneof![Just(TraceIds::Never), Just(TraceIds::Upsert), Just(TraceIds::Always)];
    let order = prop_oneof![Just(Order::AsIs), Just(Order::Reversed)];
    (trace_ids, any::<[bool; 4]>(), order).prop_map(|(trace_ids, [in_200, echo, terse, incomplete], order)| {
        taskhook::sim::Behaviour {
            trace_ids,
            errors_in_200: in_200,
            echo_id_property: echo,
            terse_validation: terse,
            incomplete_errors: incomplete,
            order,
        }
    })
}

/// A portal with tasks, each of which has seen an event in the middle of the story's times.
async fn portal(count: usize) -> Sim {
    let at = Time::from_milliseconds(START + 2).to_string();
    let task = |id| json!({"properties": {"ticket": format!("T-{id}"), "hs_task_subject": "before", "ticket_at": at}});
    let seed: Seed = serde_json::from_value(json!({
        "properties": [
            {"name": "ticket", "label": "Ticket", "type": "string", "fieldType": "text", "hasUniqueValue": true},
            {"name": "ticket_at", "label": "At", "type": "datetime", "fieldType": "date"},
            {"name": "amount", "label": "Amount", "type": "number", "fieldType": "number"},
        ],
        "tasks": (0..count).map(task).collect::<Vec<_>>(),
    }))
    .unwrap();
    Sim::start(seed, 0).await.unwrap()
}

async fn run(sim: &Sim, updates: &[Update]) -> Vec<Outcome> {
    let token = Token::Given(SecretString::from("token".to_owned()));
    let hubspot = Hubspot::new(taskhook::outbound::client(true), &sim.url(), &ApiVersion::V3, token);
    engine::run(&hubspot, updates, Instant::now() + Duration::from_secs(20), false).await.outcomes
}

/// Whether HubSpot would never take these values.
fn is_bad(properties: &BTreeMap<&str, &str>) -> bool {
    properties.iter().any(|pair| BAD.contains(&(pair.0, pair.1)))
}

/// What the task has to hold after these updates of it: the later event wins, property by property.
fn merged<'u>(updates: impl Iterator<Item = &'u Update>) -> BTreeMap<&'u str, &'u str> {
    let mut updates: Vec<_> = updates.collect();
    updates.sort_by_key(|update| update.time);
    let properties = updates.into_iter().flat_map(|update| &update.properties);
    properties
        .filter_map(|(name, value)| match value {
            Value::Text(text) => Some((name.as_str(), text.as_str())),
            Value::Owner { .. } => None,
        })
        .collect()
}

fn check(story: &Story, before: &Before, sim: &Sim, outcomes: &[Outcome]) -> Result<(), TestCaseError> {
    prop_assert_eq!(outcomes.len(), story.updates.len());
    let faulty = !story.faults.is_empty();
    for id in (0..IDS).map(|id| format!("T-{id}")) {
        let own = || story.updates.iter().zip(outcomes).filter(|(update, _)| update.task.id == id);
        let task = sim.task_by("ticket", &id);
        let value = |name: &str| task.as_ref().and_then(|task| task.properties.get(name)).map_or("", String::as_str);
        // The updates that took part in a write: neither stale, nor without anything to write.
        let written =
            || own().filter(|(update, outcome)| !matches!(outcome, Outcome::Stale) && !update.properties.is_empty());
        let done =
            own().any(|(_, outcome)| matches!(outcome, Outcome::Updated(_) | Outcome::Created(_) | Outcome::Merged));
        if done {
            for (name, expected) in merged(written().map(|(update, _)| update)) {
                prop_assert_eq!(value(name), expected, "{} of {}: {:?}", name, id, outcomes);
            }
            let newest =
                own().filter(|(_, outcome)| matches!(outcome, Outcome::Updated(_) | Outcome::Created(_))).count();
            prop_assert_eq!(newest, 1, "one update carries the outcome of the write of {}", id);
        }
        for (update, outcome) in own() {
            let bad = is_bad(&merged(written().map(|(update, _)| update)));
            match outcome {
                Outcome::Failed(FailReason::NotFound, _) | Outcome::Filtered("not_found", _) => {
                    prop_assert!(task.is_none(), "{} exists", id);
                    prop_assert!(update.on_missing != OnMissing::Create || faulty, "{} was to be created", id);
                }
                Outcome::Failed(FailReason::Unaccounted, _) => prop_assert!(faulty, "unaccounted without a fault"),
                Outcome::Failed(reason, detail) => {
                    prop_assert!(bad, "a good update of {} failed: {:?} {}", id, reason, detail);
                    prop_assert_eq!(
                        value("hs_task_subject"),
                        before.subject(&id),
                        "a refused row of {} was written",
                        id
                    );
                }
                Outcome::Retry(..) => prop_assert!(faulty, "a retry without a fault"),
                Outcome::Stale => prop_assert!(story.guarded && update.time.milliseconds() < START + 2),
                Outcome::Unchanged => {
                    for (name, expected) in merged(written().map(|(update, _)| update)) {
                        prop_assert!(update.properties.is_empty() || value(name) == expected, "{} of {}", name, id);
                    }
                }
                _ => prop_assert!(!bad, "a bad update of {} is {:?}", id, outcome),
            }
        }
        if story.guarded && before.has(&id) {
            prop_assert!(value("ticket_at") >= before.seen.as_str(), "an older time stands over a newer one");
        }
    }
    Ok(())
}

/// What the portal held before.
struct Before {
    tasks: BTreeMap<String, String>,
    seen: String,
}

impl Before {
    fn of(sim: &Sim) -> Self {
        let pair =
            |task: taskhook::sim::Task| (task.properties["ticket"].clone(), task.properties["hs_task_subject"].clone());
        Self {
            tasks: sim.tasks().into_iter().map(pair).collect(),
            seen: Time::from_milliseconds(START + 2).to_string(),
        }
    }

    fn has(&self, id: &str) -> bool {
        self.tasks.contains_key(id)
    }

    fn subject(&self, id: &str) -> &str {
        self.tasks.get(id).map_or("", String::as_str)
    }
}

#[test]
fn every_update_ends_in_one_true_outcome_whatever_hubspot_does() {
    let cases = std::env::var("TASKHOOK_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(300);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let result = runner.run(&stories(), |story| {
        runtime.block_on(async {
            let sim = portal(TASKS).await;
            let before = Before::of(&sim);
            sim.set_behaviour(story.behaviour.clone());
            story.faults.iter().for_each(|fault| sim.fault(fault.clone()));
            let outcomes = run(&sim, &story.updates).await;
            let writes = sim.calls().iter().filter(|call| !call.path.contains("read")).count();
            // Each row may be refused alone at worst: halving a batch of n rows takes at most 2n - 1 calls.
            let bound = 2 * (2 * IDS + 6 * story.faults.len());
            prop_assert!(writes <= bound, "{} calls", writes);
            check(&story, &before, &sim, &outcomes)
        })
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}

async fn hundred_with_bad(behaviour: taskhook::sim::Behaviour, bad: &[(usize, &str, &str)]) -> (usize, Vec<Outcome>) {
    let sim = portal(100).await;
    sim.set_behaviour(behaviour);
    let updates: Vec<_> = (0..100)
        .map(|id| {
            let own = bad
                .iter()
                .find(|(row, ..)| *row == id)
                .map_or(("hs_task_priority", "HIGH"), |(_, name, text)| (name, text));
            let subject = ("hs_task_subject".to_owned(), Value::Text("after".to_owned()));
            update(id, 3, vec![subject, (own.0.to_owned(), Value::Text(own.1.to_owned()))], OnMissing::Fail, false)
        })
        .collect();
    let outcomes = run(&sim, &updates).await;
    for (id, outcome) in outcomes.iter().enumerate() {
        let is_bad = bad.iter().any(|(row, ..)| *row == id);
        assert_eq!(matches!(outcome, Outcome::Failed(..)), is_bad, "{id}: {outcome:?}");
        assert_eq!(matches!(outcome, Outcome::Updated(Some(_))), !is_bad, "{id}: {outcome:?}");
    }
    (sim.calls().len(), outcomes)
}

#[tokio::test]
async fn a_bad_row_that_is_named_costs_one_more_call() {
    let (calls, outcomes) =
        hundred_with_bad(taskhook::sim::Behaviour::default(), &[(41, "hs_task_priority", "P9")]).await;
    assert_eq!(calls, 2);
    assert!(matches!(&outcomes[41], Outcome::Failed(FailReason::InvalidValue, detail) if detail.contains("P9")));
    let three = [(0, "amount", "x"), (50, "no_such_property", "x"), (99, "hs_createdate", "2026-01-01")];
    let (calls, outcomes) = hundred_with_bad(taskhook::sim::Behaviour::default(), &three).await;
    assert_eq!(calls, 2, "several that are named at once");
    let reason = |id: usize| match &outcomes[id] {
        Outcome::Failed(reason, _) => *reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        [0, 50, 99].map(reason),
        [FailReason::InvalidValue, FailReason::UnknownProperty, FailReason::ReadOnlyProperty]
    );
}

#[tokio::test]
async fn a_bad_row_that_is_not_named_is_found_in_halves() {
    let terse = taskhook::sim::Behaviour { terse_validation: true, ..taskhook::sim::Behaviour::default() };
    let (calls, _) = hundred_with_bad(terse.clone(), &[(41, "hs_task_priority", "P9")]).await;
    assert!(calls <= 15, "{calls} calls");
    let (calls, _) = hundred_with_bad(terse, &[(3, "amount", "x"), (77, "amount", "y")]).await;
    assert!(calls <= 29, "{calls} calls");
}

#[tokio::test]
async fn a_row_that_its_trace_id_names_costs_no_further_call() {
    let traced = taskhook::sim::Behaviour { trace_ids: TraceIds::Always, ..taskhook::sim::Behaviour::default() };
    let (calls, _) = hundred_with_bad(traced, &[(41, "hs_task_priority", "P9"), (42, "amount", "x")]).await;
    assert_eq!(calls, 1);
}

#[tokio::test]
async fn ten_thousand_updates_take_a_hundred_calls() {
    let sim = portal(10_000).await;
    let subject = || vec![("hs_task_subject".to_owned(), Value::Text("after".to_owned()))];
    let updates: Vec<_> = (0..10_000).map(|id| update(id, 3, subject(), OnMissing::Fail, false)).collect();
    let outcomes = run(&sim, &updates).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Updated(Some(_)))));
    assert_eq!(sim.calls().len(), 100);
}

#[tokio::test]
async fn after_a_call_that_has_to_wait_no_other_is_sent() {
    let sim = portal(1_000).await;
    sim.fault(Fault { forever: true, policy: Policy::Daily, ..Fault::status(429) });
    let subject = || vec![("hs_task_subject".to_owned(), Value::Text("after".to_owned()))];
    let updates: Vec<_> = (0..1_000).map(|id| update(id, 3, subject(), OnMissing::Fail, false)).collect();
    let outcomes = run(&sim, &updates).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Retry(..))));
    assert!(sim.calls().len() <= 4, "those that were under way: {}", sim.calls().len());
}
