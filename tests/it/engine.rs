//! The engine's promises about calls, one by one.

use taskhook::outcome::{FailReason, Outcome};
use taskhook::sim::{Behaviour, Fault, Policy, TraceIds};

use crate::support::portal::{portal, run, update};

async fn hundred_with_bad(
    behaviour: Behaviour,
    bad: &[(usize, &str, &str)],
) -> (usize, Vec<Outcome>) {
    let sim = portal(100).await;
    sim.set_behaviour(behaviour);
    let updates: Vec<_> = (0..100)
        .map(|id| {
            let own = bad.iter().find(|(row, ..)| *row == id);
            let own = own.map_or(("hs_task_priority", "HIGH"), |(_, name, text)| (name, text));
            update(id, 3, &[("hs_task_subject", "after"), own])
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
        hundred_with_bad(Behaviour::default(), &[(41, "hs_task_priority", "P9")]).await;
    assert_eq!(calls, 2);
    assert!(
        matches!(&outcomes[41], Outcome::Failed(FailReason::InvalidValue, detail) if detail.contains("P9"))
    );
    let three =
        [(0, "amount", "x"), (50, "no_such_property", "x"), (99, "hs_createdate", "2026-01-01")];
    let (calls, outcomes) = hundred_with_bad(Behaviour::default(), &three).await;
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
    let terse = Behaviour { terse_validation: true, ..Behaviour::default() };
    let (calls, _) = hundred_with_bad(terse.clone(), &[(41, "hs_task_priority", "P9")]).await;
    assert!(calls <= 15, "{calls} calls");
    let (calls, _) = hundred_with_bad(terse, &[(3, "amount", "x"), (77, "amount", "y")]).await;
    assert!(calls <= 29, "{calls} calls");
}

#[tokio::test]
async fn a_row_that_its_trace_id_names_costs_no_further_call() {
    let traced = Behaviour { trace_ids: TraceIds::Always, ..Behaviour::default() };
    let (calls, _) =
        hundred_with_bad(traced, &[(41, "hs_task_priority", "P9"), (42, "amount", "x")]).await;
    assert_eq!(calls, 1);
}

#[tokio::test]
async fn ten_thousand_updates_take_a_hundred_calls() {
    let sim = portal(10_000).await;
    let updates: Vec<_> =
        (0..10_000).map(|id| update(id, 3, &[("hs_task_subject", "after")])).collect();
    let outcomes = run(&sim, &updates).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Updated(Some(_)))));
    assert_eq!(sim.calls().len(), 100);
}

#[tokio::test]
async fn after_a_call_that_has_to_wait_no_other_is_sent() {
    let sim = portal(1_000).await;
    sim.fault(Fault { forever: true, policy: Policy::Daily, ..Fault::status(429) });
    let updates: Vec<_> =
        (0..1_000).map(|id| update(id, 3, &[("hs_task_subject", "after")])).collect();
    let outcomes = run(&sim, &updates).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Retry(..))));
    assert!(sim.calls().len() <= 4, "those that were under way: {}", sim.calls().len());
}
