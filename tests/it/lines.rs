//! What can be followed: the log's lines about deliveries, the metrics in them, and the stories that
//! `taskhook trace` tells of them.

use std::collections::BTreeMap;
use std::process::Stdio;

use serde_json::{Value, json};
use taskhook::sim::{Endpoint, Fault};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::support::event::Event;
use crate::support::lambda::Function;
use crate::support::metrics::embedded;
use crate::support::{Reply, World, logging, world};

/// The outcomes that a summary counts.
const OUTCOMES: [&str; 9] =
    ["updated", "created", "unchanged", "stale", "merged", "filtered", "queued", "retry", "failed"];

/// The lines with this message, of which there are so many at least.
async fn lines(function: &Function, message: &str, count: usize) -> Vec<Value> {
    loop {
        let is_meant = |line: &Value| line["message"] == message;
        let lines: Vec<_> = function.lines().into_iter().filter(is_meant).collect();
        if lines.len() >= count {
            return lines;
        }
        function.logs_more().await;
    }
}

/// The fields of a line besides when, how bad and where; a number of milliseconds as `true`.
fn fields(line: &Value) -> Value {
    let mut fields = line.as_object().unwrap().clone();
    for name in ["timestamp", "level", "target", "_aws"] {
        fields.remove(name);
    }
    fields.retain(|name, _| !name.starts_with(char::is_uppercase));
    for name in ["ms", "lagMs"] {
        if let Some(value) = fields.get_mut(name) {
            *value = value.is_u64().into();
        }
    }
    fields.into()
}

/// How many calls HubSpot got about tasks; the first of all only made a connection.
fn calls(world: &World) -> usize {
    world.calls("/tasks/").len()
}

/// A delivery to the source of the tests, with the sender's id.
async fn deliver(world: &World, event: &str, body: Value) -> Reply {
    let event = Event::post("/shop", body.to_string()).header("x-github-delivery", event);
    world.send(&event.signed()).await
}

#[tokio::test]
async fn a_delivery_and_each_of_its_updates_have_a_line() {
    let world = logging().start().await;
    let tickets = json!([
        {"id": "1", "subject": "Ada's secret"}, {"id": "404", "subject": "b"},
        {"id": "2", "priority": "Ada's P9"},
    ]);
    deliver(&world, "d-1", json!({"tickets": tickets, "at": "2026-10-12T19:00:00Z"})).await;
    let record = world.hubspot.task_by("ticket", "1").unwrap().id;
    let [one, two, three] = &lines(&world.function, "update", 3).await[..] else { panic!("three") };
    let line = |id: &str, outcome: &str, more: Value| {
        let mut line = json!({
            "message": "update", "requestId": "request-1", "source": "shop", "event": "d-1", "id": id,
            "idProperty": "ticket", "outcome": outcome,
        });
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        line
    };
    assert_eq!(fields(one), line("1", "updated", json!({"recordId": record, "lagMs": true})));
    let missing = json!({"reason": "not_found", "detail": "no task has ticket 404"});
    assert_eq!(fields(two), line("404", "failed", missing));
    let invalid = json!({"reason": "invalid_value", "detail": "hs_task_priority: …"});
    assert_eq!(fields(three), line("2", "failed", invalid));
    let [delivery] = &lines(&world.function, "delivery", 1).await[..] else { panic!("one") };
    assert_eq!(
        fields(delivery),
        json!({
            "message": "delivery", "requestId": "request-1", "source": "shop", "event": "d-1", "status": 200,
            "received": 3, "updated": 1, "created": 0, "unchanged": 0, "stale": 0, "merged": 0, "filtered": 0,
            "queued": 0, "retry": 0, "failed": 2, "reason": "not_found", "ms": true,
            "calls": calls(&world),
        })
    );
    assert!(!world.function.log().contains("Ada"), "no text of a ticket is logged");
}

#[tokio::test]
async fn a_strangers_long_ids_are_cut_in_the_lines() {
    let world = logging().start().await;
    let (event, id) = ("e".repeat(5000), "i".repeat(5000));
    deliver(&world, "d-1", json!({"event": event, "id": id, "subject": "a"})).await;
    lines(&world.function, "delivery", 1).await;
    for line in world.function.log().lines() {
        assert!(line.len() < 2000, "{} characters", line.len());
    }
}

#[tokio::test]
async fn the_lines_of_both_functions_are_joined_by_the_webhooks_request_id() {
    let world = logging().durable().start().await;
    deliver(&world, "d-7", json!({"id": "1", "subject": "a"})).await.is(202, "queued 1");
    world.drain().await;
    let [queued] = &lines(&world.function, "update", 1).await[..] else { panic!("one") };
    let worker = world.worker.as_ref().unwrap();
    let [updated] = &lines(worker, "update", 1).await[..] else { panic!("one") };
    assert_eq!((&queued["outcome"], &queued["requestId"]), (&json!("queued"), &json!("request-1")));
    assert_eq!(updated["webhookRequestId"], queued["requestId"]);
    assert_eq!((&updated["event"], &updated["outcome"]), (&json!("d-7"), &json!("updated")));
    assert_eq!((&updated["receives"], updated["messageId"].is_string()), (&json!(1), true));
    let [batch] = &lines(worker, "delivery", 1).await[..] else { panic!("one") };
    assert_eq!((&batch["event"], &batch["updated"]), (&json!("d-7"), &json!(1)));
    assert_eq!((batch.get("status"), &batch["calls"]), (None, &json!(1)));
}

#[tokio::test]
async fn a_message_takes_the_trace_header_of_its_delivery_along() {
    let world = logging().durable().start().await;
    deliver(&world, "d-1", json!({"id": "1", "subject": "a"})).await.is(202, "queued 1");
    let told = world.queues().sqs.told("SendMessageBatch");
    let attributes = &told[0]["Entries"][0]["MessageSystemAttributes"];
    assert_eq!(attributes["AWSTraceHeader"]["StringValue"], "Root=1-request-1;Sampled=1");
}

#[tokio::test]
async fn a_batch_has_a_line_for_each_source_and_its_calls_count_once() {
    let other = crate::support::SOURCE;
    let world = logging().source("other", other).durable().start().await;
    for path in ["/shop", "/other", "/shop"] {
        let body = json!({"id": "1", "subject": path}).to_string();
        world.send(&Event::post(path, body).signed()).await.is(202, "queued 1");
    }
    assert_eq!(world.drain().await, 1);
    let worker = world.worker.as_ref().unwrap();
    let lines = lines(worker, "delivery", 2).await;
    let of = |field: &str| lines.iter().map(|line| line[field].clone()).collect::<Vec<_>>();
    assert_eq!(of("source"), [json!("other"), json!("shop")]);
    assert_eq!(of("received"), [json!(1), json!(2)]);
    assert_eq!(of("calls"), [json!(1), json!(0)]);
    assert!(lines[0]["event"].is_string() && lines[1].get("event").is_none(), "{lines:#?}");
}

#[tokio::test]
async fn a_message_that_comes_back_for_hours_has_a_line_each_time_that_doubles() {
    let world = logging().durable().start().await;
    world.hubspot.fault(Fault { on: Endpoint::Update, forever: true, ..Fault::status(401) });
    deliver(&world, "d-1", json!({"id": "1", "subject": "a"})).await.is(202, "queued 1");
    for _ in 0..9 {
        assert_eq!(world.poll().await, (1, 1));
        world.queues().time_passes().await;
    }
    let worker = world.worker.as_ref().unwrap();
    let batches = lines(worker, "delivery", 9).await;
    assert!(batches.iter().all(|line| line["retry"] == 1 && line["reason"] == "unauthorized"));
    let receives = |lines: &[Value]| -> Vec<u64> {
        lines.iter().map(|line| line["receives"].as_u64().unwrap()).collect()
    };
    assert_eq!(receives(&lines(worker, "update", 4).await), [1, 2, 4, 8]);
    world.hubspot.clear_faults();
    assert_eq!(world.poll().await, (1, 0));
    let told = lines(worker, "update", 5).await;
    assert_eq!((receives(&told)[4], &told[4]["outcome"]), (10, &json!("updated")));
}

#[tokio::test]
async fn metrics_are_written_as_asked_for() {
    let tickets = json!([{"id": "1", "subject": "a"}, {"id": "404", "subject": "b"}]);
    for (name, dimensions) in [("on", json!([[]])), ("source", json!([[], ["Source"]]))] {
        let world = logging().variable("TASKHOOK_METRICS", name).start().await;
        deliver(&world, "d-1", json!({"tickets": tickets})).await;
        world.send(&Event::post("/shop", "{}")).await.is_problem(401);
        world.send(&Event::post("/nowhere", "{}")).await.is_problem(404);
        world.send(&Event::new("GET", "/shop")).await.is_problem(405);
        let delivery = &lines(&world.function, "delivery", 1).await[0];
        let refused = lines(&world.function, "refused", 3).await;
        assert_eq!(delivery["_aws"]["CloudWatchMetrics"][0]["Dimensions"], dimensions);
        assert_eq!(delivery["Source"], if name == "source" { json!("shop") } else { Value::Null });
        let metrics =
            embedded("Taskhook", &[std::slice::from_ref(delivery), &refused[..]].concat());
        let mut names: Vec<_> = metrics.keys().map(String::as_str).collect();
        names.retain(|name| !name.ends_with("Ms"));
        assert_eq!(names, ["Calls", "Deliveries", "Failed", "Refused", "Updated"]);
        assert_eq!((&metrics["Deliveries"], &metrics["Refused"]), (&vec![1], &vec![1]));
        assert_eq!(metrics["HubspotMs"].len(), calls(&world));
        assert_eq!(metrics["LagMs"].len(), 1);
    }
    let off = logging().variable("TASKHOOK_METRICS", "off");
    for world in [off, world().variable("AWS_LAMBDA_LOG_FORMAT", "Text")] {
        let world = world.start().await;
        deliver(&world, "d-1", json!({"tickets": tickets})).await;
        world.function.logs("delivery").await;
        assert!(!world.function.log().contains("_aws"));
    }
}

/// Runs `taskhook trace` on logs: its exit code, and what it prints.
async fn trace(id: &str, options: &[&str], logs: &[&Function]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_taskhook"));
    command.arg("trace").arg(id).args(options);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    let mut input = process.stdin.take().unwrap();
    for log in logs {
        input.write_all(log.log().as_bytes()).await.unwrap();
    }
    drop(input);
    let output = process.wait_with_output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn trace_tells_what_became_of_a_ticket() {
    let world = logging().durable().start().await;
    let worker = world.worker.as_ref().unwrap();
    world.hubspot.fault(Fault { on: Endpoint::Update, times: Some(9), ..Fault::status(401) });
    deliver(&world, "d-1", json!({"id": "1", "subject": "a"})).await.is(202, "queued 1");
    assert_eq!(world.poll().await, (1, 1));
    let (_, told, _) = trace("1", &[], &[&world.function, worker]).await;
    assert!(told.contains("retry unauthorized") && told.contains("is tried again"), "{told}");
    world.hubspot.clear_faults();
    world.queues().time_passes().await;
    world.drain().await;
    deliver(&world, "d-2", json!({"id": "2", "subject": "b"})).await;
    lines(worker, "delivery", 2).await;
    for id in ["1", "d-1", "request-1"] {
        let (code, told, _) = trace(id, &[], &[worker, &world.function]).await;
        assert_eq!(code, 0);
        let steps = ["queued", "answered 202", "retry unauthorized", "updated", "receive 2"];
        let mut rest = told.as_str();
        for step in steps {
            rest = rest.split_once(step).unwrap_or_else(|| panic!("{step} in {told}")).1;
        }
        assert!(!told.contains("d-2") && !told.contains("tried again"), "{told}");
    }
    let (_, told, _) = trace("2", &[], &[&world.function, worker]).await;
    assert!(told.contains("waits for the worker"), "{told}");
    let (code, _, said) = trace("77", &[], &[&world.function, worker]).await;
    assert_eq!(code, 1);
    assert!(said.starts_with("Nothing is known of \"77\": none of the "), "{said}");
}

/// The sum of a field of some lines.
fn sum(lines: &[Value], field: &str) -> u64 {
    lines.iter().map(|line| line[field].as_u64().unwrap_or_default()).sum()
}

/// What became of 1,000 events under faults is told by their lines alone, and the lines, the answers
/// and the metrics say the same.
#[tokio::test]
async fn a_thousand_events_with_faults_can_be_told_from_their_lines() {
    const EVENTS: usize = 1000;
    let world = logging().durable().start().await;
    let worker = world.worker.as_ref().unwrap();
    let mut answered: BTreeMap<&str, u64> = BTreeMap::new();
    // Of each ticket, the deliveries that were queued.
    let mut queued: BTreeMap<String, Vec<String>> = BTreeMap::new();
    // Those that ended with the answer.
    let mut ended = Vec::new();
    let mut drained = 0;
    for number in 0..EVENTS {
        if number % 125 == 7 {
            let status = if number % 2 == 0 { 429 } else { 503 };
            // The worker doesn't wait for so long.
            let headers = [("retry-after".to_owned(), "3600".to_owned())].into();
            world.hubspot.fault(Fault { headers, times: Some(3), ..Fault::status(status) });
        }
        if number % 50 == 49 {
            drained += world.drain().await;
            world.queues().time_passes().await;
        }
        let event = format!("d-{number}");
        // Three of these tickets have a task.
        let ticket = format!("{}", number % 20 + 1);
        let body = match number % 10 {
            8 => json!({"kind": "noise"}),
            9 => json!({"id": {}}),
            _ => json!({"id": ticket, "subject": event}),
        };
        let reply = deliver(&world, &event, body).await;
        for outcome in OUTCOMES {
            *answered.entry(outcome).or_default() += reply.body[outcome].as_u64().unwrap();
        }
        if reply.status == 202 {
            queued.entry(ticket).or_default().push(event);
        } else {
            ended.push((event, if number % 10 == 8 { "filtered" } else { "failed mapping" }));
        }
    }
    world.hubspot.clear_faults();
    loop {
        world.queues().time_passes().await;
        match world.drain().await {
            0 => break,
            batches => drained += batches,
        }
    }
    let webhook = lines(&world.function, "delivery", EVENTS).await;
    let batches = lines(worker, "delivery", drained).await;
    let updates = lines(worker, "update", 0).await;
    let metrics = |function: &Function| embedded("Taskhook", &function.lines());
    let (of_webhook, of_worker) = (metrics(&world.function), metrics(worker));
    let total = |metrics: &BTreeMap<String, Vec<u64>>, outcome: &str| {
        let name = outcome[..1].to_uppercase() + &outcome[1..];
        metrics.get(&name).map_or(0, |values| values.iter().sum::<u64>())
    };
    for outcome in OUTCOMES {
        assert_eq!(answered[outcome], sum(&webhook, outcome), "{outcome}");
        assert_eq!(answered[outcome], total(&of_webhook, outcome), "{outcome}");
        assert_eq!(sum(&batches, outcome), total(&of_worker, outcome), "{outcome}");
        let told = updates.iter().filter(|line| line["outcome"] == outcome).count() as u64;
        if outcome != "retry" {
            assert_eq!(sum(&batches, outcome), told, "{outcome}");
        }
    }
    assert_eq!(of_webhook["Deliveries"].len(), EVENTS);
    assert_eq!(of_worker["HubspotMs"].len(), calls(&world));
    assert!(sum(&batches, "retry") > 0 && sum(&batches, "updated") > 0);
    let limited = world.hubspot.calls().iter().filter(|call| call.status == 429).count() as u64;
    assert!(limited > 0);
    assert_eq!(of_worker["RateLimited"].iter().sum::<u64>(), limited);
    for (ticket, events) in &queued {
        let (_, told, _) = trace(ticket, &["--json"], &[worker, &world.function]).await;
        let story: Vec<Value> =
            told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for event in events {
            let steps: Vec<_> = story.iter().filter(|line| line["event"] == *event).collect();
            let outcomes: Vec<_> =
                steps.iter().filter_map(|line| line["outcome"].as_str()).collect();
            let (first, last) = (outcomes[0], outcomes[outcomes.len() - 1]);
            let has_task = ["1", "2", "3"].contains(&ticket.as_str());
            let is_right = match last {
                "updated" | "merged" => has_task,
                "failed" => !has_task,
                _ => false,
            };
            assert!(first == "queued" && is_right, "{ticket} {event}: {outcomes:?}");
            assert!(steps.iter().any(|line| line["status"] == 202), "{ticket} {event}");
        }
        assert!(!events.is_empty());
    }
    assert_eq!((queued.len(), ended.len()), (16, EVENTS / 5));
    for (event, how) in ended {
        let (_, told, _) = trace(&event, &[], &[&world.function]).await;
        assert!(told.contains("answered 200") && told.contains(how), "{event}: {told}");
    }
}
