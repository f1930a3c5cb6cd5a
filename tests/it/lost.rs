//! Answers that are lost, and time that runs out.

use std::time::{Duration, Instant};

use taskhook::outcome::{FailReason, Outcome, RetryReason};
use taskhook::sim::{Endpoint, Fault, Moment, Policy, Sim};
use taskhook::update::{OnMissing, Update};

use crate::support::portal::{portal, run, run_within, update};

fn dropped(on: Endpoint, moment: Moment) -> Fault {
    Fault { on, drop: Some(moment), ..Fault::default() }
}

fn added() -> Update {
    update(0, 3, &[("tags", ";b")])
}

fn calls(sim: &Sim) -> Vec<String> {
    sim.calls()
        .iter()
        .map(|call| call.path.rsplit('/').next().unwrap_or_default().to_owned())
        .collect()
}

fn tags(sim: &Sim, ticket: &str) -> Option<String> {
    sim.task_by("ticket", ticket)?.properties.get("tags").cloned()
}

#[tokio::test]
async fn a_value_that_is_added_is_read_back_before_it_is_written_again() {
    let of = |status| Fault { on: Endpoint::Update, ..Fault::status(status) };
    let now = |fault: Fault| Fault {
        headers: [("Retry-After".to_owned(), "0".to_owned())].into(),
        ..fault
    };
    for (fault, expected) in [
        (dropped(Endpoint::Update, Moment::Before), &["update", "read", "update"][..]),
        (dropped(Endpoint::Update, Moment::After), &["update", "read"]),
        (Fault { half_body: true, ..of(200) }, &["update", "read", "update"]),
        (
            Fault { html: true, on: Endpoint::Update, ..Fault::default() },
            &["update", "read", "update"],
        ),
        (of(502), &["update", "read", "update"]),
        (now(of(503)), &["update", "update"]),
        (now(Fault { policy: Policy::Secondly, ..of(429) }), &["update", "update"]),
    ] {
        let sim = portal(1).await;
        run(&sim, &[update(0, 2, &[("tags", "a")])]).await;
        sim.clear_calls();
        sim.fault(fault.clone());
        let outcomes = run(&sim, &[added()]).await;
        assert!(matches!(outcomes[..], [Outcome::Updated(Some(_))]), "{fault:?}: {outcomes:?}");
        assert_eq!(tags(&sim, "T-0").as_deref(), Some("a;b"), "{fault:?}");
        assert_eq!(calls(&sim), expected, "{fault:?}");
    }
}

#[tokio::test]
async fn a_task_whose_creation_was_lost_is_created() {
    for (moment, expected) in [
        (Moment::Before, &["update", "upsert", "read", "upsert"][..]),
        (Moment::After, &["update", "upsert", "read"]),
    ] {
        let sim = portal(0).await;
        sim.fault(dropped(Endpoint::Upsert, moment));
        let outcomes = run(&sim, &[Update { on_missing: OnMissing::Create, ..added() }]).await;
        assert!(matches!(outcomes[..], [Outcome::Created(Some(_))]), "{outcomes:?}");
        assert_eq!(tags(&sim, "T-0").as_deref(), Some("b"));
        assert_eq!(calls(&sim), expected);
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_twice_is_for_later_and_nothing_of_the_task_overtakes_it() {
    let sim = portal(1).await;
    sim.fault(Fault { times: Some(2), ..dropped(Endpoint::Update, Moment::Before) });
    let outcomes = run(&sim, &[added(), update(0, 4, &[("tags", ";c")])]).await;
    assert!(
        outcomes
            .iter()
            .all(|outcome| matches!(outcome, Outcome::Retry(RetryReason::Unavailable, _))),
        "{outcomes:?}"
    );
    assert_eq!(calls(&sim), ["update", "read", "update"]);
    let outcomes = run(&sim, &[added(), update(0, 4, &[("tags", ";c")])]).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Updated(_))), "{outcomes:?}");
    assert_eq!(tags(&sim, "T-0").as_deref(), Some("b;c"));
}

#[tokio::test]
async fn a_refusal_of_every_such_request_is_told_whatever_came_before() {
    let sim = portal(1).await;
    sim.fault(Fault { on: Endpoint::Update, ..Fault::status(502) });
    let mut nowhere = update(0, 3, &[("hs_task_subject", "after")]);
    nowhere.task.id_property = "nowhere".to_owned();
    let outcomes = run(&sim, &[nowhere]).await;
    assert!(
        matches!(&outcomes[..], [Outcome::Failed(FailReason::UnknownProperty, _)]),
        "{outcomes:?}"
    );
    assert_eq!(calls(&sim), ["update", "update"]);
}

#[tokio::test]
async fn a_repeated_write_of_other_values_needs_no_look() {
    let sim = portal(1).await;
    sim.fault(dropped(Endpoint::Update, Moment::After));
    let outcomes = run(&sim, &[update(0, 3, &[("tags", "a;b")])]).await;
    assert!(matches!(outcomes[..], [Outcome::Updated(Some(_))]));
    assert_eq!(calls(&sim), ["update", "update"]);
}

#[tokio::test]
async fn a_refusal_after_a_lost_answer_is_not_believed_without_a_look() {
    let sim = portal(2).await;
    sim.fault(dropped(Endpoint::Update, Moment::After));
    sim.fault(Fault { forever: true, on: Endpoint::Update, ..Fault::status(400) });
    let updates = [0, 1].map(|id| update(id, 3, &[("tags", "a")]));
    let outcomes = run(&sim, &updates).await;
    assert!(matches!(outcomes[..], [Outcome::Updated(_), Outcome::Updated(_)]), "{outcomes:?}");
    assert_eq!(calls(&sim), ["update", "update", "read"]);
}

#[tokio::test]
async fn nothing_is_sent_after_the_deadline() {
    let sim = portal(1_000).await;
    let updates: Vec<_> =
        (0..1_000).map(|id| update(id, 3, &[("hs_task_subject", "after")])).collect();
    let is_late = |outcome: &Outcome| matches!(outcome, Outcome::Retry(RetryReason::Timeout, _));
    let outcomes = run_within(&sim, &updates, Duration::ZERO).await;
    assert!(outcomes.iter().all(is_late));
    assert!(sim.calls().is_empty(), "on no connection, open or not");

    // The first four calls are under way when the time is over.
    sim.fault(Fault { forever: true, delay_ms: 60_000, ..Fault::default() });
    let outcomes = run_within(&sim, &updates, Duration::from_millis(500)).await;
    assert!(outcomes.iter().all(is_late), "nobody waited for the answers: {outcomes:?}");
    assert_eq!(sim.calls().len(), 4);
}

#[tokio::test]
async fn what_may_not_be_sent_twice_is_not_asked_for_after_the_deadline() {
    let sim = portal(1).await;
    sim.fault(Fault { forever: true, delay_ms: 60_000, ..Fault::default() });
    let outcomes = run_within(&sim, &[added()], Duration::from_millis(300)).await;
    assert!(matches!(outcomes[..], [Outcome::Retry(RetryReason::Timeout, _)]), "{outcomes:?}");
    assert_eq!(calls(&sim), ["update"]);
}

#[tokio::test]
async fn retry_after_is_honoured_and_capped_by_the_time_left() {
    let wait = |seconds: &str| Fault {
        headers: [("Retry-After".to_owned(), seconds.to_owned())].into(),
        ..Fault::status(503)
    };
    let sim = portal(1).await;
    sim.fault(wait("1"));
    let begin = Instant::now();
    let outcomes = run(&sim, &[update(0, 3, &[("hs_task_subject", "after")])]).await;
    assert!(matches!(outcomes[..], [Outcome::Updated(_)]));
    assert!(begin.elapsed() >= Duration::from_secs(1), "{:?}", begin.elapsed());

    sim.clear_calls();
    sim.fault(wait("30"));
    let outcomes = run(&sim, &[update(0, 3, &[("hs_task_subject", "after")])]).await;
    // Until the deadline it would be a timeout.
    assert!(matches!(outcomes[..], [Outcome::Retry(RetryReason::Unavailable, _)]), "{outcomes:?}");
    assert_eq!(sim.calls().len(), 1);
}
