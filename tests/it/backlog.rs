//! Many messages wait: the worker takes more of them than Lambda hands over, with the same promises.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};
use taskhook::queue::Content;
use taskhook::sim::{Endpoint, Fault};

use crate::support::aws::Loss;
use crate::support::{Builder, SOURCE, World, world};

/// A durable world with tasks 1 to `tasks`. moto gives a message out twice where several ask at once.
fn with_tasks(tasks: usize) -> Builder {
    let task =
        |id: usize| json!({"properties": {"ticket": id.to_string(), "hs_task_subject": "before"}});
    world().seed(move |seed| seed["tasks"] = (1..=tasks).map(task).collect()).durable_on_ministack()
}

fn guarded() -> String {
    let key = "id_property = \"ticket\"";
    SOURCE.replace(key, &format!("{key}\nupdated_at_property = \"ticket_at\""))
}

/// One delivery with an update for each of these tickets.
async fn deliver(world: &World, tickets: impl IntoIterator<Item = usize>, subject: &str) {
    let ticket = |id: usize| json!({"id": id.to_string(), "subject": subject});
    let tickets: Vec<_> = tickets.into_iter().map(ticket).collect();
    let queued = format!("queued {}", tickets.len());
    world.deliver(json!({"tickets": tickets})).await.is(202, &queued);
}

fn subject(world: &World, ticket: usize) -> String {
    world.task(&ticket.to_string(), "hs_task_subject").expect("a subject")
}

fn received(world: &World) -> Vec<Value> {
    world.queues().sqs.told("ReceiveMessage")
}

#[tokio::test]
async fn a_hundred_waiting_tasks_are_one_read_and_one_write() {
    let world = with_tasks(100).source("shop", &guarded()).start().await;
    deliver(&world, 1..=100, "after").await;
    assert_eq!(world.poll().await, (10, 0), "Lambda knows of ten");
    assert!((1..=100).all(|ticket| subject(&world, ticket) == "after"));
    assert_eq!((world.calls("batch/read").len(), world.calls("batch/update").len()), (1, 1));
    assert_eq!(world.queues().depth().await, (0, 0));
    let calls = received(&world);
    assert_eq!(calls.len(), 9);
    let attempts: HashSet<_> = calls.iter().map(|call| &call["ReceiveRequestAttemptId"]).collect();
    assert_eq!(attempts.len(), 9, "each call is known by its attempt");
    // What is left of 30 seconds, and 30 more.
    let hidden = |call: &Value| (55..=60).contains(&call["VisibilityTimeout"].as_u64().unwrap());
    assert!(calls.iter().all(hidden), "{calls:#?}");
}

#[tokio::test]
async fn no_more_is_asked_for_where_nothing_more_waits() {
    let world = with_tasks(12).start().await;
    deliver(&world, 1..=9, "a").await;
    assert_eq!(world.poll().await, (9, 0));
    assert!(received(&world).is_empty(), "the batch was not full");
    deliver(&world, 1..=12, "b").await;
    assert_eq!(world.poll().await, (10, 0));
    assert_eq!(received(&world).len(), 1);
    assert!((1..=12).all(|ticket| subject(&world, ticket) == "b"));
}

#[tokio::test]
async fn how_many_a_run_takes_is_a_setting() {
    for (messages, own) in [("10", 0), ("25", 15)] {
        let world = with_tasks(40).variable("TASKHOOK_WORKER_BATCH", messages).start().await;
        deliver(&world, 1..=40, "after").await;
        world.poll().await;
        assert_eq!(world.queues().depth().await, (30 - own, 0), "{messages}");
    }
}

#[tokio::test]
async fn ten_waiting_messages_of_one_task_are_one_write() {
    let world = with_tasks(1).start().await;
    for number in 1..=10 {
        deliver(&world, [1], &number.to_string()).await;
    }
    assert_eq!(world.poll().await, (10, 0));
    assert_eq!((subject(&world, 1).as_str(), world.calls("batch/update").len()), ("10", 1));
}

/// One after the other only some 700 of them got into the queue within the time of a reply.
#[tokio::test]
async fn thousands_of_updates_of_one_task_travel_together_and_are_one_write() {
    let world = with_tasks(2).start().await;
    let ticket = |number: usize| json!({"id": "1", "subject": number.to_string()});
    let mut tickets: Vec<_> = (1..=9_000).map(ticket).collect();
    tickets.insert(4_000, json!({"id": "2", "subject": "between"}));
    world.deliver(json!({"event": "d-1", "tickets": tickets})).await.is(202, "queued 9001");
    let sent = world.queues().sqs.told("SendMessageBatch");
    let entries: usize = sent.iter().map(|call| call["Entries"].as_array().unwrap().len()).sum();
    assert_eq!(entries, 3, "a megabyte each");
    while world.poll().await.0 > 0 {}
    assert_eq!((subject(&world, 1).as_str(), subject(&world, 2).as_str()), ("9000", "between"));
    let writes = world.calls("batch/update").len();
    assert!(writes <= 2, "{writes} writes");
}

#[tokio::test]
async fn updates_that_travel_together_are_queued_once_though_their_delivery_comes_again() {
    let world = with_tasks(2).start().await;
    let at = "2026-10-12T19:00:00Z";
    let ticket = |id: &str, subject: &str| json!({"id": id, "subject": subject, "at": at});
    let tickets = [ticket("1", "a"), ticket("2", "b"), ticket("1", "c")];
    for _ in 0..2 {
        world.deliver(json!({"event": "d-1", "tickets": tickets})).await.is(202, "queued 3");
    }
    assert_eq!(world.queues().depth().await, (2, 0));
}

#[tokio::test]
async fn of_updates_that_travel_together_each_has_an_outcome_and_what_fails_is_one_letter() {
    let world = with_tasks(1).start().await;
    let tickets = json!([{"id": "404", "subject": "a"}, {"id": "1", "subject": "b"}, {"id": "404", "subject": "c"}]);
    world.deliver(json!({"event": "d-1", "tickets": tickets})).await.is(202, "queued 3");
    assert_eq!(world.poll().await, (2, 0));
    world.worker.as_ref().unwrap().logs("\"failed\":2").await;
    let letters = world.queues().letters().await;
    let [letter] = letters.as_slice() else { panic!("{letters:#?}") };
    let Content::Updates { updates } = &letter.content else { panic!("{letter:#?}") };
    assert_eq!((letter.reason.as_str(), updates.len()), ("not_found", 2));
}

#[tokio::test]
async fn what_fails_of_what_it_took_itself_is_buried_or_comes_back_and_the_rest_is_done() {
    let world = with_tasks(30).start().await;
    // The owner's look-up is forbidden: only updates that need it wait.
    world.hubspot.fault(Fault { on: Endpoint::Owners, forever: true, ..Fault::status(403) });
    deliver(&world, 1..=20, "a").await;
    let tickets = json!([{"id": "404", "subject": "x"}, {"id": "21", "subject": "a", "owner": "ada@acme.example"},
                         {"id": "22", "subject": "a"}]);
    world.deliver(json!({"tickets": tickets})).await.is(202, "queued 3");
    deliver(&world, [21], "b").await;
    assert_eq!(world.poll().await, (10, 0));
    assert!((1..=20).chain([22]).all(|ticket| subject(&world, ticket) == "a"));
    assert_eq!(world.queues().letters().await.len(), 1);
    assert_eq!(
        world.queues().depth().await,
        (0, 2),
        "the update with an owner and the one behind it"
    );
    let hidden = world.queues().sqs.told("ChangeMessageVisibilityBatch");
    let timeout = |entry: &Value| (5..=6).contains(&entry["VisibilityTimeout"].as_u64().unwrap());
    assert!(hidden[0]["Entries"].as_array().unwrap().iter().all(timeout), "{hidden:#?}");
    world.hubspot.clear_faults();
    world.queues().time_passes().await;
    assert_eq!(world.poll().await, (2, 0));
    assert_eq!(subject(&world, 21), "b");
    assert_eq!(world.task("21", "hubspot_owner_id").as_deref(), Some("101"));
}

#[tokio::test]
async fn after_a_run_whose_time_ran_out_lambdas_batch_is_enough_and_then_it_grows_again() {
    let mut world = with_tasks(160).start().await;
    deliver(&world, 1..=20, "a").await;
    let never = Fault { on: Endpoint::Update, delay_ms: 60_000, forever: true, ..Fault::default() };
    world.hubspot.fault(never);
    world.worker.as_mut().unwrap().time_limit = Duration::from_secs(8);
    assert_eq!(world.poll().await, (10, 10));
    assert_eq!(world.queues().depth().await, (0, 20));
    world.hubspot.clear_faults();
    world.worker.as_mut().unwrap().time_limit = Duration::from_secs(30);
    deliver(&world, 21..=160, "a").await;
    let mut left = vec![140];
    for _ in 0..4 {
        world.poll().await;
        left.push(world.queues().depth().await.0);
    }
    assert_eq!(left, [140, 130, 110, 70, 0]);
    world.queues().time_passes().await;
    world.drain().await;
    assert!((1..=160).all(|ticket| subject(&world, ticket) == "a"));
}

/// A missing scope may last for days.
#[tokio::test]
async fn what_has_to_wait_makes_the_next_runs_no_smaller() {
    let world = with_tasks(300).start().await;
    world.hubspot.fault(Fault { on: Endpoint::Owners, forever: true, ..Fault::status(403) });
    let ticket = |id: usize| {
        let owner = if id % 50 == 7 { Some("ada@acme.example") } else { None };
        json!({"id": id.to_string(), "subject": "a", "owner": owner})
    };
    let tickets: Vec<_> = (1..=300).map(ticket).collect();
    world.deliver(json!({"tickets": tickets})).await.is(202, "queued 300");
    for _ in 0..3 {
        world.poll().await;
    }
    assert_eq!(world.queues().depth().await, (0, 6));
    assert_eq!(world.calls("batch/update").len(), 3);
}

/// Where HubSpot fails because of one task, its neighbours of the first time are not held up with it
/// again and again.
#[tokio::test]
async fn what_was_tried_before_takes_nothing_along_that_comes_for_the_first_time() {
    let world = with_tasks(40).start().await;
    let poison = "locked by HubSpot";
    world.hubspot.fault(Fault {
        holds: vec![poison.to_owned()],
        forever: true,
        ..Fault::status(500)
    });
    deliver(&world, [1], poison).await;
    assert_eq!(world.poll().await, (1, 1));
    world.queues().time_passes().await;
    deliver(&world, 2..=9, "a").await;
    assert_eq!(world.poll().await, (9, 1));
    assert!((2..=9).all(|ticket| subject(&world, ticket) == "a"));
}

#[tokio::test]
async fn a_message_is_deleted_only_after_all_earlier_ones_of_its_group() {
    let world = with_tasks(11).start().await;
    deliver(&world, 1..=10, "a").await;
    for number in 1..=4 {
        deliver(&world, [11], &number.to_string()).await;
    }
    world.queues().sqs.loses("DeleteMessageBatch", Loss::Call);
    assert_eq!(world.poll().await, (10, 0));
    assert_eq!(subject(&world, 11), "4");
    assert_eq!(world.queues().depth().await, (0, 4), "the first is not deleted, so none is");
    world.queues().time_passes().await;
    assert_eq!(world.poll().await, (4, 0));
    assert_eq!(subject(&world, 11), "4");
    assert_eq!(world.queues().depth().await, (0, 0));
}

#[tokio::test]
async fn deletions_that_are_not_heard_of_double_nothing() {
    let world = with_tasks(20).source("shop", &guarded()).start().await;
    deliver(&world, 1..=20, "a").await;
    world.queues().sqs.loses("DeleteMessageBatch", Loss::Answer);
    assert_eq!(world.poll().await, (10, 0));
    world.queues().time_passes().await;
    assert_eq!(world.drain().await, 0, "SQS did what it was told");
    assert_eq!(world.calls("batch/update").len(), 1);
}

#[tokio::test]
async fn a_call_to_receive_that_is_repeated_gets_the_same_messages() {
    let world = with_tasks(20).start().await;
    deliver(&world, 1..=20, "a").await;
    world.queues().sqs.loses_one_try("ReceiveMessage", Loss::Answer);
    assert_eq!(world.poll().await, (10, 0));
    assert_eq!(world.queues().depth().await, (0, 0), "none is hidden that nobody works on");
    assert!((1..=20).all(|ticket| subject(&world, ticket) == "a"));
}

#[tokio::test]
async fn while_sqs_gives_nothing_out_lambdas_batch_is_done_all_the_same() {
    let world = with_tasks(20).start().await;
    deliver(&world, 1..=20, "a").await;
    world.queues().sqs.fails_with(Some(500));
    assert_eq!(world.poll().await, (10, 0));
    world.queues().sqs.fails_with(None);
    assert_eq!(world.poll().await, (10, 0));
    assert!((1..=20).all(|ticket| subject(&world, ticket) == "a"));
}

#[tokio::test]
async fn a_worker_that_dies_with_what_it_took_itself_loses_nothing() {
    let mut world = with_tasks(100).start().await;
    deliver(&world, 1..=100, "a").await;
    world.kill_the_worker_in_the_middle().await;
    assert_eq!(world.queues().depth().await, (0, 100), "SQS waits for the one that was killed");
    world.queues().time_passes().await;
    assert_eq!(world.poll().await, (10, 0));
    assert_eq!(world.queues().depth().await, (90, 0), "who knows what it died of");
    world.drain().await;
    assert!((1..=100).all(|ticket| subject(&world, ticket) == "a"));
}

#[tokio::test]
async fn large_messages_are_taken_until_sixteen_megabytes_are_together() {
    let world = with_tasks(24).start().await;
    let body = "x".repeat(900_000);
    for ticket in 1..=24 {
        let message = json!({
            "version": 1, "source": "shop", "event": "d-1",
            "update": {"idProperty": "ticket", "id": ticket.to_string(), "time": "2026-10-12T19:00:00.000Z",
                       "onMissing": "fail", "properties": {"hs_task_subject": "a"}},
            "padding": body,
        });
        world.queues().put(&ticket.to_string(), &message.to_string()).await;
    }
    // An event of Lambda's has 6 MB at most.
    let worker = world.worker.as_ref().unwrap();
    assert_eq!(world.queues().poll_up_to(5, worker).await, (5, 0));
    assert_eq!(world.queues().depth().await, (24 - 18, 0), "18 times 900 KB");
}

#[tokio::test]
async fn with_little_time_left_nothing_more_is_taken() {
    let mut world = with_tasks(20).start().await;
    deliver(&world, 1..=20, "a").await;
    world.worker.as_mut().unwrap().time_limit = Duration::from_secs(5);
    assert_eq!(world.poll().await, (10, 0));
    assert_eq!(world.queues().depth().await, (10, 0));
}

#[tokio::test]
async fn without_a_token_nothing_more_is_taken() {
    for (name, value) in [
        ("HUBSPOT_TOKEN_SECRET", "{tests}/no-such-secret"),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:1"),
    ] {
        let world = with_tasks(20).variable(name, value).start().await;
        for ticket in 1..=20 {
            let ticket = ticket.to_string();
            let message = json!({
                "version": 1, "source": "shop", "event": "d-1",
                "update": {"idProperty": "ticket", "id": ticket, "time": "2026-10-12T19:00:00.000Z",
                           "onMissing": "fail", "properties": {"hs_task_subject": "a"}},
            });
            world.queues().put(&ticket, &message.to_string()).await;
        }
        assert_eq!(world.poll().await, (10, 10), "{name}");
        assert_eq!(world.queues().depth().await, (10, 10), "{name}");
    }
}

#[tokio::test]
async fn a_thousand_tasks_are_ten_calls() {
    let world = with_tasks(1000).start().await;
    let mut batches = 0;
    for id in 1..=1000 {
        deliver(&world, [id], "after").await;
        if id % 100 == 0 {
            batches += world.drain().await;
        }
    }
    assert!((1..=1000).all(|ticket| subject(&world, ticket) == "after"));
    assert_eq!((batches, world.calls("batch/update").len()), (10, 10));
}
