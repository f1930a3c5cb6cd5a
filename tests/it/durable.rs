//! The durable mode: webhooks are acknowledged at once, and every update arrives.

use serde_json::{Value, json};
use taskhook::queue::{Content, Failed, Letter};
use taskhook::sim::{Endpoint, Fault};

use crate::support::event::Event;
use crate::support::{Reply, SOURCE, World, world};

/// HubSpot answers every call with this status, until the faults are cleared.
fn down(world: &World) {
    world.hubspot.fault(Fault { forever: true, ..Fault::status(503) });
}

async fn deliver(world: &World, id: &str, subject: &str) -> Reply {
    world.deliver(json!({"id": id, "subject": subject})).await
}

fn guarded() -> String {
    SOURCE.replace(
        "id_property = \"ticket\"",
        "id_property = \"ticket\"\nupdated_at_property = \"ticket_at\"",
    )
}

fn subject(world: &World, ticket: &str) -> String {
    world.task(ticket, "hs_task_subject").expect("a subject")
}

fn reasons(letters: &[Letter]) -> Vec<&str> {
    letters.iter().map(|letter| letter.reason.as_str()).collect()
}

#[tokio::test]
async fn an_event_is_acknowledged_without_hubspot_and_applied_by_the_worker() {
    let world = world().durable().without_secret("hubspot-of-the-webhook").start().await;
    let reply = world
        .deliver(json!({"event": "d-1", "tickets": [{"id": "1", "subject": "a"}, {"id": "2"}]}))
        .await;
    reply.is(202, "queued 2").row(0, "queued").row(1, "queued");
    assert_eq!(world.hubspot.calls().len(), 1, "the worker's first handshake and nothing else");
    assert_eq!(world.poll().await, (2, 0));
    assert_eq!(subject(&world, "1"), "a");
    assert_eq!(world.calls("batch/update").len(), 1, "an update without properties is not sent");
    assert_eq!(world.drain().await, 0);
    assert!(world.queues().letters().await.is_empty());
    world.worker.as_ref().unwrap().logs("d-1").await;
}

#[tokio::test]
async fn a_message_says_all_that_the_worker_needs() {
    let world = world().source("shop", &guarded()).durable().start().await;
    let update = json!({"event": "d-1", "id": "1", "at": "2026-10-12T19:00:00Z", "status": "done", "owner": "ada@x"});
    world.deliver(update).await.is(202, "queued 1");
    let expected = json!({
        "version": 1, "source": "shop", "event": "d-1", "requestId": "request-1",
        "update": {
            "idProperty": "ticket", "id": "1", "time": "2026-10-12T19:00:00.000Z", "onMissing": "fail",
            "updatedAtProperty": "ticket_at",
            "properties": {"hs_task_status": "COMPLETED", "hubspot_owner_id": {"owner": "ada@x", "unknown": "fail"}},
        },
    });
    assert_eq!(world.queues().queued().await, [expected]);
}

#[tokio::test]
async fn what_is_filtered_or_refused_never_touches_the_queue() {
    let world = world().durable().start().await;
    world.deliver(json!({"kind": "noise"})).await.is(200, "filtered 1");
    world.send(&Event::post("/shop", "{}")).await.is_problem(401);
    assert!(world.queues().sqs.calls().is_empty());
}

#[tokio::test]
async fn a_delivery_that_comes_twice_is_queued_once_but_the_same_words_twice_are_two() {
    let world = world().durable().start().await;
    let again = json!({"event": "d-1", "id": "1", "subject": "a", "at": "2026-10-12T19:00:00Z"});
    for _ in 0..2 {
        world.deliver(again.clone()).await.is(202, "queued 1");
    }
    assert_eq!(world.queues().queued().await.len(), 1, "SQS knows it by its deduplication id");
    // Without a delivery id nothing says that it is the same.
    let status = |status: &str| json!({"id": "1", "status": status, "at": "2026-10-12T19:00:00Z"});
    for words in ["open", "done", "open"] {
        world.deliver(status(words)).await.is(202, "queued 1");
    }
    let queued = world.queues().queued().await;
    let statuses: Vec<_> =
        queued.iter().map(|message| &message["update"]["properties"]["hs_task_status"]).collect();
    assert_eq!(statuses, ["NOT_STARTED", "COMPLETED", "NOT_STARTED"]);
}

#[tokio::test]
async fn an_outage_of_hubspot_is_waited_out_and_the_last_word_wins() {
    let world = world().durable().start().await;
    down(&world);
    for (ticket, subject) in [("1", "a"), ("2", "x"), ("1", "b"), ("3", "y"), ("1", "c")] {
        deliver(&world, ticket, subject).await.is(202, "queued 1");
    }
    for waits in [5, 10, 20] {
        while world.poll().await.0 > 0 {}
        let told = world.queues().sqs.told("ChangeMessageVisibilityBatch");
        let entries = told.last().unwrap()["Entries"].as_array().unwrap();
        // HubSpot's own wish may be a little longer.
        let waited = |entry: &Value| entry["VisibilityTimeout"].as_u64().unwrap();
        assert!(
            entries.iter().all(|entry| (waits..2 * waits).contains(&waited(entry))),
            "{entries:#?}"
        );
        world.queues().time_passes().await;
    }
    assert_eq!(subject(&world, "1"), "before");
    world.hubspot.clear_faults();
    world.drain().await;
    assert_eq!(["1", "2", "3"].map(|ticket| subject(&world, ticket)), ["c", "x", "y"]);
    assert!(world.queues().letters().await.is_empty());
}

#[tokio::test]
async fn what_has_to_wait_takes_the_later_updates_of_its_task_along_and_no_others() {
    let world = world().durable().start().await;
    // Of a missing scope only the updates that need an owner wait.
    world.hubspot.fault(Fault { on: Endpoint::Owners, forever: true, ..Fault::status(403) });
    let first = json!({"id": "1", "subject": "a", "owner": "ada@acme.example"});
    world.deliver(first).await.is(202, "queued 1");
    deliver(&world, "2", "x").await.is(202, "queued 1");
    deliver(&world, "1", "b").await.is(202, "queued 1");
    assert_eq!(world.poll().await, (3, 2));
    assert_eq!(subject(&world, "2"), "x");
    deliver(&world, "3", "y").await.is(202, "queued 1");
    assert_eq!(world.poll().await, (1, 0), "another task is not held back");
    world.hubspot.clear_faults();
    world.queues().time_passes().await;
    world.drain().await;
    assert_eq!(["1", "3"].map(|ticket| subject(&world, ticket)), ["b", "y"]);
    assert_eq!(world.task("1", "hubspot_owner_id").as_deref(), Some("101"));
}

#[tokio::test]
async fn what_waits_for_its_owner_is_not_made_late_by_a_newer_update_of_its_task() {
    let world = world().source("shop", &guarded()).durable().start().await;
    world.hubspot.fault(Fault { on: Endpoint::Owners, forever: true, ..Fault::status(403) });
    let with_owner = json!({"id": "1", "owner": "ada@acme.example", "at": "2026-10-12T19:00:00Z"});
    world.deliver(with_owner).await.is(202, "queued 1");
    let newer = json!({"id": "1", "subject": "a", "at": "2026-10-12T19:00:01Z"});
    world.deliver(newer).await.is(202, "queued 1");
    let older = json!({"id": "1", "priority": "HIGH", "at": "2026-10-12T18:00:00Z"});
    world.deliver(older).await.is(202, "queued 1");
    assert_eq!(world.poll().await, (3, 3));
    assert_eq!(subject(&world, "1"), "before");
    world.hubspot.clear_faults();
    world.queues().time_passes().await;
    world.drain().await;
    let value = |property: &str| world.task("1", property);
    assert_eq!(value("hubspot_owner_id").as_deref(), Some("101"));
    assert_eq!(value("hs_task_priority").as_deref(), Some("HIGH"));
    assert_eq!(subject(&world, "1"), "a");
}

#[tokio::test]
async fn a_worker_that_is_killed_in_the_middle_loses_and_doubles_nothing() {
    let mut world = world().durable().start().await;
    for (ticket, subject) in [("1", "a"), ("2", "x"), ("1", "b")] {
        deliver(&world, ticket, subject).await.is(202, "queued 1");
    }
    world.kill_the_worker_in_the_middle().await;
    assert_eq!(world.poll().await, (0, 0), "SQS waits for the one that was killed");
    world.queues().time_passes().await;
    assert_eq!(world.poll().await, (3, 0));
    assert_eq!(["1", "2"].map(|ticket| subject(&world, ticket)), ["b", "x"]);
    assert_eq!(world.drain().await, 0);
}

#[tokio::test]
async fn a_message_that_comes_again_changes_nothing() {
    let world = world().source("shop", &guarded()).durable().start().await;
    let words = |subject: &str, at: &str| json!({"id": "1", "subject": subject, "at": at});
    world.deliver(words("a", "2026-10-12T19:00:00Z")).await.is(202, "queued 1");
    world.deliver(words("b", "2026-10-12T19:00:01Z")).await.is(202, "queued 1");
    let messages = world.queues().queued().await;
    for message in [&messages[0], &messages[1], &messages[1], &messages[0], &messages[1]] {
        world.queues().put("group", &message.to_string()).await;
        assert_eq!(world.poll().await, (1, 0));
    }
    assert_eq!(subject(&world, "1"), "b");
    assert_eq!(world.calls("batch/update").len(), 2, "what comes again is not written again");
}

#[tokio::test]
async fn a_worker_stops_before_lambda_ends_it() {
    let mut world = world().durable().start().await;
    deliver(&world, "1", "a").await.is(202, "queued 1");
    world.hubspot.fault(Fault {
        on: Endpoint::Update,
        delay_ms: 60_000,
        forever: true,
        ..Fault::default()
    });
    world.worker.as_mut().unwrap().time_limit = std::time::Duration::from_secs(4);
    assert_eq!(world.poll().await, (1, 1));
    assert_eq!(
        world.queues().sqs.calls().last().map(String::as_str),
        Some("ChangeMessageVisibilityBatch")
    );
}

#[tokio::test]
async fn a_worker_whose_queue_is_silent_answers_in_time_all_the_same() {
    let mut world = world().durable().start().await;
    deliver(&world, "404", "x").await.is(202, "queued 1");
    deliver(&world, "1", "a").await.is(202, "queued 1");
    world.queues().sqs.falls_silent();
    world.worker.as_mut().unwrap().time_limit = std::time::Duration::from_secs(4);
    assert_eq!(world.poll().await, (2, 1), "the dead letter can't be written");
    assert_eq!(subject(&world, "1"), "a");
}

#[tokio::test]
async fn a_refused_token_costs_nothing_but_time() {
    let world = world().durable().start().await;
    world.hubspot.fault(Fault { forever: true, ..Fault::status(401) });
    deliver(&world, "1", "a").await.is(202, "queued 1");
    assert_eq!(world.poll().await, (1, 1));
    world.worker.as_ref().unwrap().logs("unauthorized").await;
    world.hubspot.clear_faults();
    world.queues().time_passes().await;
    assert_eq!(world.poll().await, (1, 0));
    assert_eq!(subject(&world, "1"), "a");
}

#[tokio::test]
async fn a_late_message_never_overwrites_a_newer_one() {
    let world = world().source("shop", &guarded()).durable().start().await;
    let at = |subject: &str, at: &str| json!({"id": "1", "subject": subject, "at": at});
    world.deliver(at("newer", "2026-10-12T19:00:00Z")).await.is(202, "queued 1");
    world.drain().await;
    world.deliver(at("older", "2026-10-12T18:00:00Z")).await.is(202, "queued 1");
    assert_eq!(world.poll().await, (1, 0));
    assert_eq!(subject(&world, "1"), "newer");
    world.worker.as_ref().unwrap().logs("\"stale\":1").await;
}

#[tokio::test]
async fn what_can_never_succeed_becomes_a_dead_letter_and_its_neighbours_are_updated() {
    let world = world().durable().start().await;
    let tickets = json!([{"id": "404", "subject": "x"}, {"id": "1", "subject": "a"}, {"id": "2", "priority": "P9"}]);
    world.deliver(json!({"event": "d-1", "tickets": tickets})).await.is(202, "queued 3");
    assert_eq!(world.poll().await, (3, 0));
    assert_eq!(subject(&world, "1"), "a");
    let mut letters = world.queues().letters().await;
    letters.sort_by(|one, other| one.reason.cmp(&other.reason));
    assert_eq!(reasons(&letters), ["invalid_value", "not_found"]);
    let letter = &letters[1];
    assert_eq!((letter.source.as_deref(), letter.event.as_deref()), (Some("shop"), Some("d-1")));
    assert_eq!(letter.detail, "no task has ticket 404");
    let Content::Update { update } = &letter.content else { panic!("{letter:?}") };
    assert_eq!(update.task.id, "404");
}

#[tokio::test]
async fn an_event_that_cannot_be_mapped_is_kept_whole_without_what_proved_it() {
    let world = world().durable().start().await;
    let body =
        json!({"event": "d-1", "tickets": [{"id": "1", "subject": {}}, {"id": "2", "subject": "b"}]}).to_string();
    let event = Event::post("/shop", body.clone())
        .query("q=1%202&token=t0p&api_key=k3y&key=PROJ-7")
        .header("x-kind", "ticket");
    let event = event.header("x-auth", "s3cret").header("x-proxy-token", "t0ken").signed();
    world
        .send(&event)
        .await
        .is(202, "queued 1, failed 1")
        .row(0, "failed mapping")
        .row(1, "queued");
    let letters = world.queues().letters().await;
    assert_eq!(reasons(&letters), ["mapping"]);
    let Content::Event(event) = &letters[0].content else { panic!("{letters:?}") };
    let kept =
        [("key", "PROJ-7"), ("q", "1 2")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(
        (event.body.bytes(), event.query.as_slice()),
        (Some(body.into_bytes()), kept.as_slice())
    );
    assert_eq!(event.failed, Some(Failed { updates: vec![0], of: 2 }));
    assert_eq!(event.headers["x-kind"], "ticket");
    for secret in ["x-hub-signature-256", "x-auth", "x-proxy-token"] {
        assert!(!event.headers.contains_key(secret), "{:?}", event.headers);
    }
}

/// The worker could not read such a time again.
#[tokio::test]
async fn a_time_outside_the_years_that_there_are_is_a_letter_and_never_queued() {
    let world = world().durable().start().await;
    for (time, outcome) in [
        ("0000-01-01T00:00:00+01:00", "failed 1"),
        ("0001-01-01T00:00:00+01:00", "failed 1"),
        ("0001-01-01T00:00:00Z", "queued 1"),
    ] {
        let body = json!({"event": time, "at": time, "tickets": [{"id": "1", "subject": "a"}]})
            .to_string();
        let status = if outcome == "queued 1" { 202 } else { 200 };
        world.send(&Event::post("/shop", body).signed()).await.is(status, outcome);
    }
    assert_eq!(reasons(&world.queues().letters().await), ["mapping", "mapping"]);
    assert_eq!(world.poll().await, (1, 0));
}

#[tokio::test]
async fn a_large_event_with_thousands_of_bad_rows_is_kept_whole() {
    let world = world().durable().start().await;
    let rows: Vec<_> =
        (0..4500).map(|id| json!({"id": id.to_string(), "status": "x".repeat(90)})).collect();
    let body = json!({"event": "d-1", "tickets": rows}).to_string();
    let reply = world.send(&Event::post("/shop", body.clone()).signed()).await;
    assert_eq!((reply.status, &reply.body["failed"]), (200, &json!(4500)));
    let letters = world.queues().letters().await;
    let [Letter { content: Content::Event(event), .. }] = letters.as_slice() else {
        panic!("{} letters", letters.len())
    };
    assert_eq!(
        (event.body.bytes().map(|body| body.len()), event.failed.is_none()),
        (Some(body.len()), true)
    );
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_a_dead_letter_and_no_poison() {
    let world = world().durable().start().await;
    world.queues().put("group", "what is this?").await;
    world.queues().put("group", r#"{"version": 7}"#).await;
    deliver(&world, "1", "a").await.is(202, "queued 1");
    assert_eq!(world.poll().await, (3, 0));
    assert_eq!(subject(&world, "1"), "a");
    let letters = world.queues().letters().await;
    assert_eq!(reasons(&letters), ["unreadable", "unreadable"]);
    assert!(
        letters
            .iter()
            .any(|letter| letter.content == Content::Text { text: "what is this?".to_owned() })
    );
}

#[tokio::test]
async fn while_dead_letters_cannot_be_written_the_message_stays_where_it_is() {
    let world = world().durable().start().await;
    deliver(&world, "404", "x").await.is(202, "queued 1");
    deliver(&world, "1", "a").await.is(202, "queued 1");
    world.queues().sqs.fails_with(Some(500));
    assert_eq!(world.poll().await, (2, 1));
    assert_eq!(subject(&world, "1"), "a");
    world.queues().sqs.fails_with(None);
    world.queues().time_passes().await;
    assert_eq!(world.poll().await, (1, 0));
    assert_eq!(reasons(&world.queues().letters().await), ["not_found"]);
}

#[tokio::test]
async fn while_the_queue_cannot_be_reached_the_sender_is_asked_to_come_again() {
    let world = world().durable().start().await;
    world.queues().sqs.fails_with(Some(500));
    let reply = deliver(&world, "1", "a").await;
    reply.is(503, "retry 1").row(0, "retry unavailable").retry_after();
    assert_eq!(reply.body["detail"], json!("the queue can't be reached now"));
    // A mapping error needs a dead letter, which can't be written either.
    let reply = world.deliver(json!({"id": null})).await;
    reply.is(503, "failed 1").retry_after();
    assert_eq!(reply.body["detail"], json!("a dead letter can't be written now"));
    world.queues().sqs.fails_with(None);
    deliver(&world, "1", "a").await.is(202, "queued 1");
}

#[tokio::test]
async fn a_queue_that_is_silent_or_not_there_is_told_the_sender_in_time() {
    let silent = world().variable("TASKHOOK_REPLY_WITHIN", "1s").durable().start().await;
    silent.queues().sqs.falls_silent();
    deliver(&silent, "1", "a").await.is(503, "retry 1").retry_after();
    let mut gone = world().durable();
    gone = gone.variable("TASKHOOK_QUEUE_URL", "http://127.0.0.1/123456789012/gone.fifo");
    let gone = gone.start().await;
    deliver(&gone, "1", "a").await.is(503, "retry 1").retry_after();
    gone.function.logs("set-up: SQS refuses the queue").await;
}

#[tokio::test]
async fn entries_that_sqs_refuses_are_sent_again_in_their_order() {
    let world = world().durable().start().await;
    let long = "x".repeat(60_000);
    let ticket =
        |n: usize| json!({"id": (n % 2).to_string(), "subject": n.to_string(), "priority": long});
    // A megabyte of one task's updates is more than a message.
    for numbers in [1..=15, 16..=30] {
        world.queues().sqs.refuses_entries(1);
        let tickets: Vec<_> = numbers.map(ticket).collect();
        world.deliver(json!({"tickets": tickets})).await.is(202, "queued 15");
    }
    let queued = world.queues().queued().await;
    for task in ["0", "1"] {
        let updates = queued.iter().flat_map(|message| message["updates"].as_array().unwrap());
        let of_task = updates.filter(|update| update["id"] == json!(task));
        let subject =
            |update: &Value| update["properties"]["hs_task_subject"].as_str()?.parse().ok();
        let numbers: Vec<i32> = of_task.filter_map(subject).collect();
        assert!(numbers.len() == 15 && numbers.is_sorted(), "{numbers:?}");
    }
}

#[tokio::test]
async fn what_sqs_refuses_for_good_is_a_dead_letter_and_its_neighbours_are_queued() {
    let world = world().durable().start().await;
    let tickets = json!([{"id": "1", "subject": "a"}, {"id": "2", "subject": "b"}, {"id": "1", "subject": "c"}]);
    world.queues().sqs.refuses_entries_with(1, "InvalidMessageContents", true);
    let reply = world.deliver(json!({"event": "d-1", "tickets": tickets})).await;
    let letters = world.queues().letters().await;
    assert_eq!(reasons(&letters), ["rejected", "rejected"]);
    reply
        .is(202, "queued 1, failed 2")
        .row(0, "failed rejected")
        .row(1, "queued")
        .row(2, "failed rejected");
    assert_eq!(world.queues().queued().await.len(), 1);
    // The entry is refused, and then the letter about it as well, until it is written in ASCII.
    world.queues().sqs.refuses_entries_with(2, "InvalidMessageContents", true);
    let reply = world.deliver(json!({"event": "d-2", "id": "1", "subject": "ä"})).await;
    reply.is(200, "failed 1").row(0, "failed rejected");
    assert_eq!(reply.detail(0), "SQS refuses it: InvalidMessageContents");
    assert_eq!(reasons(&world.queues().letters().await), ["rejected"]);
    deliver(&world, "1", "a").await.is(202, "queued 1");
}

#[tokio::test]
async fn a_call_that_is_refused_for_one_message_costs_the_others_nothing() {
    let world = world().durable().start().await;
    world.queues().sqs.refuses_calls_with("poison", "BatchRequestTooLong");
    let tickets = json!([{"id": "1", "subject": "a"}, {"id": "2", "subject": "poison"}, {"id": "3", "subject": "c"}]);
    let reply = world.deliver(json!({"event": "d-1", "tickets": tickets})).await;
    reply.is(202, "queued 2, failed 1").row(1, "failed rejected");
    assert_eq!(world.queues().queued().await.len(), 2);
    // In ASCII and compressed it gets through.
    assert_eq!(reasons(&world.queues().letters().await), ["rejected"]);
}

#[tokio::test]
async fn what_sqs_refuses_for_now_is_sent_again_whosever_fault_it_is_said_to_be() {
    let world = world().durable().start().await;
    world.queues().sqs.refuses_entries_with(1, "RequestThrottled", true);
    deliver(&world, "1", "a").await.is(202, "queued 1");
    assert!(world.queues().letters().await.is_empty());
}

#[tokio::test]
async fn characters_that_no_message_may_have_get_through() {
    let world = world().durable().start().await;
    let subject = "\u{0}\u{1f}\u{7f}\u{fffd}\u{fffe}\u{ffff}\u{1f600}\u{10ffff}";
    deliver(&world, "1", subject).await.is(202, "queued 1");
    assert_eq!(
        world.queues().queued().await[0]["update"]["properties"]["hs_task_subject"],
        json!(subject)
    );
    deliver(&world, "404", subject).await.is(202, "queued 1");
    world.deliver(json!({"id": {}, "subject": subject})).await.is(200, "failed 1");
    world.drain().await;
    let sent = world.queues().sqs.told("SendMessageBatch");
    let bodies = sent
        .iter()
        .flat_map(|call| call["Entries"].as_array().unwrap())
        .map(|entry| &entry["MessageBody"]);
    let bodies: Vec<_> = bodies.map(|body| body.as_str().unwrap()).collect();
    assert_eq!(bodies.len(), 4);
    // https://www.w3.org/TR/REC-xml/#charsets, to which the reference of SendMessage points.
    let may_be_sent = |c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    assert!(bodies.iter().all(|body| body.chars().all(may_be_sent)));
}

#[tokio::test]
async fn a_delivery_that_is_repeated_writes_its_letters_once() {
    let world = world().with_dead_letters().start().await;
    let tickets = json!([{"id": "404", "subject": "x"}, {"id": "405", "subject": "x"}, {"id": "2", "subject": {}}]);
    for _ in 0..3 {
        world.deliver(json!({"event": "d-1", "tickets": tickets})).await.is(200, "failed 3");
    }
    let mut letters = world.queues().letters().await;
    letters.sort_by(|one, other| one.reason.cmp(&other.reason));
    assert_eq!(reasons(&letters), ["mapping", "not_found", "not_found"]);
    world.deliver(json!({"event": "d-2", "tickets": tickets})).await.is(200, "failed 3");
    assert_eq!(world.queues().letters().await.len(), 3, "another delivery has letters of its own");
}

#[tokio::test]
async fn a_message_that_is_handed_out_twice_writes_its_letter_once() {
    let world = world().durable().start().await;
    let record = |id: &str, ticket: &str| {
        let body = json!({
            "version": 1, "source": "shop", "event": "d-1",
            "update": {"idProperty": "ticket", "id": ticket, "time": "2026-10-12T19:00:00.000Z", "onMissing": "fail",
                       "properties": {"hs_task_subject": "a"}},
        });
        json!({"messageId": id, "receiptHandle": id, "body": body.to_string(),
               "attributes": {"MessageGroupId": ticket, "ApproximateReceiveCount": "1"}})
    };
    let worker = world.worker.as_ref().unwrap();
    for (id, ticket) in [("m-1", "404"), ("m-2", "405"), ("m-1", "404")] {
        let answer = worker.invoke(&json!({"Records": [record(id, ticket)]})).await;
        assert_eq!(answer["batchItemFailures"], json!([]));
    }
    assert_eq!(reasons(&world.queues().letters().await), ["not_found", "not_found"]);
    // Sent through again it is another message, and fails again.
    worker.invoke(&json!({"Records": [record("m-3", "404")]})).await;
    assert_eq!(reasons(&world.queues().letters().await), ["not_found"]);
}

/// "Start DLQ redrive" of the console knows no source but the queue of updates.
#[tokio::test]
async fn letters_that_aws_moved_into_the_queue_of_updates_are_applied_or_go_back_unchanged() {
    let world = world().durable().start().await;
    world
        .deliver(json!({"event": "d-1", "id": "404", "subject": "for whom?"}))
        .await
        .is(202, "queued 1");
    world.drain().await;
    world
        .deliver(json!({"event": "d-2", "id": "1", "status": "someday"}))
        .await
        .is(200, "failed 1");
    world.queues().put("group", "what is this?").await;
    world.drain().await;
    let mut dead = world.queues().dead().await;
    dead.sort();
    assert_eq!(dead.len(), 3, "{dead:#?}");
    let update =
        dead.iter().find(|text| text.contains("not_found")).unwrap().replace("\"404\"", "\"1\"");
    dead.retain(|text| !text.contains("not_found"));
    world.queues().put("1", &update).await;
    for (group, text) in dead.iter().enumerate() {
        world.queues().put(&format!("letter-{group}"), text).await;
    }
    assert_eq!(world.poll().await, (3, 0));
    assert_eq!(subject(&world, "1"), "for whom?");
    let mut back = world.queues().dead().await;
    back.sort();
    assert_eq!(back, dead);
}

#[tokio::test]
async fn many_updates_of_one_task_keep_their_order() {
    let world = world().durable().start().await;
    let tickets: Vec<_> = (0..100).map(|n| json!({"id": "1", "subject": n.to_string()})).collect();
    world.deliver(json!({"event": "d-1", "tickets": tickets})).await.is(202, "queued 100");
    let queued = world.queues().queued().await;
    assert_eq!((queued.len(), &queued[0]["version"]), (1, &json!(2)));
    let updates = queued[0]["updates"].as_array().unwrap().iter();
    let subject =
        |update: &Value| update["properties"]["hs_task_subject"].as_str().map(str::to_owned);
    let subjects: Vec<_> = updates.filter_map(subject).collect();
    assert_eq!(subjects, (0..100).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn without_a_queue_permanent_failures_become_dead_letters_too() {
    let world = world().with_dead_letters().start().await;
    let tickets = json!([{"id": "404", "subject": "x"}, {"id": "1", "subject": "a"}, {"id": "2", "subject": {}}]);
    world.deliver(json!({"tickets": tickets})).await.is(200, "updated 1, failed 2");
    let mut letters = world.queues().letters().await;
    letters.sort_by(|one, other| one.reason.cmp(&other.reason));
    assert_eq!(reasons(&letters), ["mapping", "not_found"]);
    world.queues().sqs.fails_with(Some(500));
    let reply = deliver(&world, "404", "x").await;
    reply.is(503, "failed 1").row(0, "failed not_found").retry_after();
}

#[tokio::test]
async fn a_worker_that_is_not_set_up_right_gives_everything_back() {
    for (name, value, log) in [
        ("HUBSPOT_BASE_URL", "nowhere", "set-up: HUBSPOT_BASE_URL"),
        ("HUBSPOT_TOKEN_SECRET", "{tests}/no-such-secret", "there is no secret"),
    ] {
        let world = world().variable(name, value).durable().start().await;
        for ticket in ["1", "2"] {
            let message = json!({
                "version": 1, "source": "shop", "event": "d-1",
                "update": {"idProperty": "ticket", "id": ticket, "time": "2026-10-12T19:00:00.000Z", "onMissing": "fail",
                           "properties": {"hs_task_subject": "a"}},
            });
            world.queues().put(ticket, &message.to_string()).await;
        }
        assert_eq!(world.poll().await, (2, 2), "{name}");
        world.worker.as_ref().unwrap().logs(log).await;
        assert_eq!(subject(&world, "1"), "before");
    }
}

#[tokio::test]
async fn what_is_marked_to_be_observed_is_not_written_and_the_rest_is() {
    let world = world().variable("TASKHOOK_OBSERVE", "1").durable().start().await;
    deliver(&world, "1", "a").await.is(202, "queued 1");
    assert_eq!(world.poll().await, (1, 0));
    assert_eq!(subject(&world, "1"), "before");
    world.worker.as_ref().unwrap().logs("observed").await;
    // Of a webhook that doesn't observe; the variable is not the worker's.
    let message = json!({
        "version": 1, "source": "shop", "event": "d-1",
        "update": {"idProperty": "ticket", "id": "1", "time": "2026-10-12T19:00:00.000Z", "onMissing": "fail",
                   "properties": {"hs_task_subject": "a"}},
    });
    world.queues().put("group", &message.to_string()).await;
    assert_eq!(world.poll().await, (1, 0));
    assert_eq!(subject(&world, "1"), "a");
}
