//! What somebody is told: log lines of the built functions, counted by the metric filters of
//! `template.yaml`, and what its alarms make of them.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use taskhook::sim::{Endpoint, Fault, Moment};

use crate::support::alarms::{Stack, lines_since};
use crate::support::event::Event;
use crate::support::metrics::{embedded, matches};
use crate::support::{SOURCE, World, logging};

fn at<'l>(lines: &'l [Value], level: &str) -> Vec<&'l Value> {
    lines.iter().filter(|line| line["level"] == level).collect()
}

async fn wrongly_signed(world: &World) {
    world.send(&Event::post("/shop", "{}").signed_with("another secret")).await.is_problem(401);
}

fn counts(metrics: &[(&str, u32)]) -> BTreeMap<String, f64> {
    metrics.iter().map(|(name, count)| ((*name).to_owned(), f64::from(*count))).collect()
}

#[test]
fn a_filter_pattern_is_read_as_cloudwatch_reads_it() {
    let line = json!({"status": 401, "message": "refused", "failed": 0, "retry": "1"});
    for (pattern, expected) in [
        ("{ $.status = 401 }", true),
        ("{ $.status = 503 }", false),
        ("{ $.failed > 0 }", false),
        ("{ $.retry > 0 }", false),
        ("{ $.none = 1 }", false),
        ("{ ($.status = 400) || ($.status = 401) }", true),
        ("{ ($.message = \"refused\") && (($.status = 400) || ($.status = 401)) }", true),
        ("{ ($.message = \"delivery\") && (($.status = 400) || ($.status = 401)) }", false),
        ("{ $.message = \"ref*\" }", true),
        ("{ $.message != \"ref*\" }", false),
        ("{ $.message != \"delivery\" }", true),
        ("{ $.none != \"delivery\" }", false),
    ] {
        assert_eq!(matches(pattern, &line), expected, "{pattern}");
    }
}

#[tokio::test]
async fn fifty_wrong_signatures_are_an_alarm_and_a_few_are_not() {
    let stack = Stack::new("told-refused").await;
    let world = logging().durable().start().await;
    for _ in 0..50 {
        wrongly_signed(&world).await;
    }
    let lines = lines_since(&world.function, 0, "refused", 50).await;
    assert_eq!(stack.webhook(&lines), counts(&[("SendersRefused of shop", 50)]));
    assert_eq!(stack.rings("RefusedAlarm", &[Some(50.0)]), [true]);
    assert_eq!(stack.rings("RefusedAlarm", &[Some(1.0), None, Some(1.0)]), [false; 3]);
    // A secret that differs refuses whatever comes, and not much comes.
    let slow = [Some(1.0), None].repeat(12);
    let states = stack.rings("RefusedAlarm", &slow);
    assert!(states[9..].iter().all(|rings| *rings), "{states:?}");
    let text = &stack.resources("AWS::CloudWatch::Alarm")["RefusedAlarm"]["AlarmDescription"];
    assert!(text.as_str().unwrap().contains("anybody who does can ring this alarm"), "{text}");
}

#[tokio::test]
async fn fifty_signed_bodies_that_cannot_be_read_are_letters_and_an_alarm() {
    let stack = Stack::new("told-unreadable").await;
    let world = logging().durable().start().await;
    for _ in 0..50 {
        world
            .send(&Event::post("/shop", "{no JSON").signed())
            .await
            .is(200, "failed 1")
            .row(0, "failed unreadable");
    }
    let lines = lines_since(&world.function, 0, "delivery", 50).await;
    assert_eq!(stack.webhook(&lines), counts(&[]));
    assert_eq!(own(&lines, "Failed"), 50);
    assert_eq!(stack.rings("DeadLettersArriveAlarm", &[Some(50.0)]), [true]);
    // They ring the alarm of the dead letters, too, which is about their number.
    let letters = world.queues().letters().await;
    assert!(letters.iter().all(|letter| letter.reason == "unreadable"), "{letters:?}");
    assert_eq!(letters.len(), 50);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_counted_and_what_scanners_ask_for_is_not() {
    let stack = Stack::new("told-scanners").await;
    let world = logging().start().await;
    for path in ["/", "/.env", "/wp-login.php"] {
        world.send(&Event::new("GET", path)).await.is_problem(404);
        world.send(&Event::post(path, "{}")).await.is_problem(404);
    }
    world.send(&Event::new("GET", "/shop")).await.is_problem(405);
    let lines = lines_since(&world.function, 0, "refused", 7).await;
    assert_eq!(stack.webhook(&lines), counts(&[]));
    world.send(&Event::post("/shop", "x".repeat(1024 * 1024 + 1)).signed()).await.is_problem(413);
    let lines = lines_since(&world.function, 0, "refused", 8).await;
    assert_eq!(stack.webhook(&lines), counts(&[("SendersRefused of shop", 1)]));
}

#[tokio::test]
async fn each_delivery_that_a_broken_set_up_costs_is_an_error() {
    let stack = Stack::new("told-broken").await;
    let broken = "[verify]\nscheme = \"github\"\n";
    let no_secret = SOURCE.replace("{tests}/shop", "{tests}/missing");
    for (path, world) in [
        ("/shop", logging().variable("HUBSPOT_API_VERSION", "v4")),
        ("/shop", logging().variable("TASKHOOK_SOURCES", "/nowhere")),
        ("/shop", logging().without_secret("hubspot")),
        ("/shop", logging().secret("shop", " ")),
        ("/broken", logging().source("broken", broken)),
        ("/other", logging().source("other", &no_secret)),
    ] {
        let world = world.start().await;
        let begin = world.function.lines().len();
        for _ in 0..3 {
            let event = Event::post(path, json!({"id": "1", "subject": "a"}).to_string()).signed();
            world.send(&event).await.is_problem(500);
        }
        let lines = lines_since(&world.function, begin, "refused", 3).await;
        let refused: Vec<_> = lines.iter().filter(|line| line["message"] == "refused").collect();
        for line in &refused {
            assert_eq!((&line["level"], &line["status"]), (&json!("ERROR"), &json!(500)), "{line}");
            assert!(
                line["reason"].as_str().is_some_and(|reason| reason.starts_with("set-up: ")),
                "{line}"
            );
        }
        assert_eq!(refused.len(), 3);
        let metrics = stack.webhook(&lines);
        assert!(metrics["SetUp"] >= 3.0 && metrics.len() == 1, "{metrics:?}");
    }
}

#[tokio::test]
async fn each_batch_that_a_broken_worker_gives_back_is_an_error() {
    let stack = Stack::new("told-worker").await;
    for (name, value, metric) in [
        ("HUBSPOT_BASE_URL", "nowhere", "SetUp"),
        ("HUBSPOT_TOKEN_SECRET", "{tests}/no-such-secret", "Token"),
    ] {
        let world = logging().variable(name, value).durable().start().await;
        let worker = world.worker.as_ref().unwrap();
        world.queues().put("1", &queued("1").to_string()).await;
        for _ in 0..2 {
            let begin = worker.lines().len();
            assert_eq!(world.poll().await, (1, 1), "{name}");
            while at(&worker.lines().split_off(begin), "ERROR").is_empty() {
                worker.logs_more().await;
            }
            let metrics = stack.worker(&worker.lines().split_off(begin));
            assert!(metrics[metric] >= 1.0 && metrics.len() == 1, "{metrics:?}");
            world.queues().time_passes().await;
        }
    }
}

/// The sum of one of the functions' own metrics.
fn own(lines: &[Value], name: &str) -> u64 {
    embedded("Taskhook", lines).get(name).map_or(0, |values| values.iter().sum())
}

/// A message about a task.
fn queued(ticket: &str) -> Value {
    json!({
        "version": 1, "source": "shop", "event": "d-1",
        "update": {"idProperty": "ticket", "id": ticket, "time": "2026-10-12T19:00:00.000Z", "onMissing": "fail",
                   "properties": {"hs_task_subject": "a"}},
    })
}

#[tokio::test]
async fn an_alarm_holds_while_its_cause_does_and_ends_an_hour_after() {
    let stack = Stack::new("told-for-long").await;
    // A delivery every forty minutes, for four hours; then all is well.
    let mut story: Vec<_> = (0..48).map(|step| Some(1.0).filter(|_| step % 8 == 0)).collect();
    story.extend([None; 24]);
    for alarm in [
        "SetUpAlarm",
        "TokenAlarm",
        "ErrorLinesAlarm",
        "DeadLettersArriveAlarm",
        "WebhookRetriesAlarm",
        "WebhookErrorsAlarm",
        "WebhookThrottlesAlarm",
        "WorkerErrorsAlarm",
    ] {
        let states = stack.rings(alarm, &story);
        assert!(states[..48].iter().all(|rings| *rings), "{alarm}: {states:?}");
        assert!(!states[60], "{alarm}: {states:?}");
    }
    // A short fault of HubSpot's rings nothing; one that lasts does, also where a batch comes back
    // only now and then.
    let short = stack.rings("WorkerRetriesAlarm", &[Some(9.0), Some(2.0), None, None]);
    assert_eq!(short, [false; 4]);
    for alarm in ["WorkerRetriesAlarm", "LimitAlarm"] {
        let states = stack.rings(alarm, &[Some(1.0), None].repeat(24));
        assert!(states[4..].iter().all(|rings| *rings), "{alarm}: {states:?}");
    }
}

#[tokio::test]
async fn one_fault_of_aws_that_is_repeated_with_success_is_no_error() {
    let world = logging().variable("TASKHOOK_SECRET_TTL", "0s").durable().start().await;
    let worker = world.worker.as_ref().unwrap();
    for (status, id) in [(500, "1"), (503, "2"), (500, "3")] {
        world.secrets.fails_times(1, status);
        world.queues().sqs.fails_times(1, status);
        world.deliver(json!({"id": id, "subject": "a"})).await.is(202, "queued 1");
        world.secrets.fails_times(1, status);
        assert_eq!(world.poll().await, (1, 0));
    }
    assert_eq!(world.task("3", "hs_task_subject").as_deref(), Some("a"));
    // The worker writes a dead letter, and sets when something comes back.
    world.deliver(json!({"id": "404", "subject": "a"})).await.is(202, "queued 1");
    world.queues().sqs.fails_times(1, 500);
    assert_eq!(world.poll().await, (1, 0));
    assert_eq!(world.queues().letters().await.len(), 1);
    let webhook = lines_since(&world.function, 0, "delivery", 4).await;
    let worker = lines_since(worker, 0, "delivery", 4).await;
    // The one warning of the worker is about the delivery that became a dead letter.
    for (lines, expected) in [(webhook, 0), (worker, 1)] {
        assert!(at(&lines, "ERROR").is_empty(), "{lines:#?}");
        assert_eq!(at(&lines, "WARN").len(), expected, "{lines:#?}");
    }
}

#[tokio::test]
async fn what_the_token_may_not_do_is_one_error_however_many_calls_find_it_out() {
    let tickets: Vec<_> = (1..=8).map(|id| json!({"id": id.to_string(), "subject": "a"})).collect();
    for rows in [&["\"3\""][..], &["\"3\"", "\"6\""], &[]] {
        let world = logging().start().await;
        let holds = |row: &&str| Fault { holds: vec![format!("\"id\":{row}")], ..forbidden() };
        let faults: Vec<_> = rows.iter().map(holds).collect();
        for fault in if faults.is_empty() { vec![forbidden()] } else { faults } {
            world.hubspot.fault(fault);
        }
        world.deliver(json!({"tickets": tickets})).await;
        let lines = lines_since(&world.function, 0, "delivery", 1).await;
        let errors = at(&lines, "ERROR");
        assert_eq!(errors.len(), 1, "{rows:?}: {errors:#?}");
        assert!(
            errors[0]["message"]
                .as_str()
                .unwrap()
                .starts_with("token: the HubSpot token lacks a scope: crm.")
        );
    }
}

#[tokio::test]
async fn a_forbidden_call_is_an_error_although_the_time_ends_before_the_search() {
    let tickets: Vec<_> = (1..=8).map(|id| json!({"id": id.to_string(), "subject": "a"})).collect();
    let world = logging().variable("TASKHOOK_REPLY_WITHIN", "2s").start().await;
    world.hubspot.fault(Fault { forever: false, ..forbidden() });
    world.hubspot.fault(Fault { forever: true, delay_ms: 60_000, ..Fault::default() });
    world.deliver(json!({"tickets": tickets})).await.is(503, "retry 8");
    let lines = lines_since(&world.function, 0, "delivery", 1).await;
    let errors = at(&lines, "ERROR");
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert!(errors[0]["message"].as_str().unwrap().contains("lacks a scope"));
}

/// HubSpot forbids every write of tasks.
fn forbidden() -> Fault {
    Fault { on: Endpoint::Update, forever: true, ..Fault::status(403) }
}

#[tokio::test]
async fn a_refused_line_says_who_what_and_why() {
    let world = logging().start().await;
    let id = format!("d-1\u{9}{}", "x".repeat(300));
    let long = format!("/\r\nERROR a line of the stranger's {}", "é".repeat(300));
    world.send(&Event::post(&long, "{}")).await.is_problem(404);
    world.send(&Event::post("/shop", "{}").header("x-github-delivery", &id)).await.is_problem(401);
    world
        .send(&Event::new("GET", "/shop").header("x-github-delivery", "d-2"))
        .await
        .is_problem(405);
    world.send(&Event::post("/shop", "x".repeat(1024 * 1024 + 1))).await.is_problem(413);
    let lines = lines_since(&world.function, 0, "refused", 4).await;
    let [unknown, unsigned, method, large] = &lines[..] else { panic!("{lines:#?}") };
    for line in &lines {
        assert!(line["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{line}");
        assert_eq!(
            (&line["sourceIp"], &line["level"]),
            (&json!("192.0.2.1"), &json!("WARN")),
            "{line}"
        );
        assert!(line["requestId"].as_str().is_some_and(|id| id.starts_with("request-")), "{line}");
        let path = line["path"].as_str().unwrap();
        assert!(path.chars().count() <= 200 && !path.contains(char::is_control), "{line}");
    }
    assert_eq!((&unknown["status"], &unknown["source"]), (&json!(404), &Value::Null));
    assert_eq!(
        (&unsigned["status"], &unsigned["source"], &unsigned["path"]),
        (&json!(401), &json!("shop"), &json!("/shop"))
    );
    let event = unsigned["event"].as_str().unwrap();
    assert!(event.starts_with("d-1 xx") && event.chars().count() == 200, "{event}");
    assert_eq!((&method["status"], &method["event"]), (&json!(405), &json!("d-2")));
    assert!(method["reason"].as_str().unwrap().contains("GET"), "{method}");
    assert_eq!((&large["status"], &large["source"]), (&json!(413), &json!("shop")));
}

/// `lines` itself holds each line against this; here are the lines of many kinds.
#[tokio::test]
async fn every_line_is_json_with_each_name_once() {
    let world = logging().variable("RUST_LOG", "debug").durable().start().await;
    let worker = world.worker.as_ref().unwrap();
    wrongly_signed(&world).await;
    world.queues().put("group", "what is this?\nERROR").await;
    world
        .deliver(json!({"tickets": [{"id": "404"}, {"id": "1", "priority": "P9"}, {"id": {}}]}))
        .await;
    world.poll().await;
    world.hubspot.fault(Fault { forever: true, ..Fault::status(403) });
    world.deliver(json!({"id": "1", "subject": "a"})).await.is(202, "queued 1");
    world.poll().await;
    let webhook = lines_since(&world.function, 0, "delivery", 2).await;
    let worker = lines_since(worker, 0, "delivery", 2).await;
    assert!(webhook.iter().chain(&worker).any(|line| line["message"] == "a message can't be read"));
    assert!(
        worker
            .iter()
            .filter(|line| line["message"] == "delivery")
            .all(|line| line["requestId"].is_string())
    );
}

/// What the worker's log counts after a fault of HubSpot's that strikes so many calls.
async fn counted_of_worker(stack: &Stack, fault: Fault) -> BTreeMap<String, f64> {
    let world = logging().durable().start().await;
    world.hubspot.fault(Fault { on: Endpoint::Update, ..fault });
    world.deliver(json!({"id": "1", "subject": "a"})).await.is(202, "queued 1");
    world.poll().await;
    stack.worker(&lines_since(world.worker.as_ref().unwrap(), 0, "delivery", 1).await)
}

#[tokio::test]
async fn each_cause_that_holds_updates_back_rings_its_own_alarm() {
    let stack = Stack::new("told-causes").await;
    let long = [("retry-after".to_owned(), "3600".to_owned())].into();
    let limit = Fault { headers: long, ..Fault::status(429) };
    for (fault, metric) in [
        (Fault::status(401), "Token"),
        (Fault::status(403), "Token"),
        (limit, "Limit"),
        (Fault::status(503), "WorkerRetries"),
        (Fault { drop: Some(Moment::Before), ..Fault::default() }, "WorkerRetries"),
    ] {
        let forever = Fault { forever: true, ..fault };
        assert_eq!(
            counted_of_worker(&stack, forever.clone()).await,
            counts(&[(metric, 1)]),
            "{forever:?}"
        );
    }
    // One call that is repeated with success is nothing to anybody.
    for status in [429, 500, 503] {
        let once = Fault { times: Some(1), ..Fault::status(status) };
        assert_eq!(counted_of_worker(&stack, once).await, counts(&[]), "{status}");
    }
}

#[tokio::test]
async fn while_the_sender_waits_each_cause_rings_its_own_alarm_too() {
    let stack = Stack::new("told-direct").await;
    let limit = Fault {
        headers: [("retry-after".to_owned(), "3600".to_owned())].into(),
        ..Fault::status(429)
    };
    for (fault, metric) in
        [(Fault::status(401), "Token"), (limit, "Limit"), (Fault::status(503), "WebhookRetries")]
    {
        let world = logging().variable("TASKHOOK_REPLY_WITHIN", "2s").start().await;
        world.hubspot.fault(Fault { on: Endpoint::Update, forever: true, ..fault });
        world.deliver(json!({"id": "1", "subject": "a"})).await.is(503, "retry 1");
        let lines = lines_since(&world.function, 0, "delivery", 1).await;
        assert_eq!(stack.webhook(&lines), counts(&[(metric, 1)]));
    }
}

#[tokio::test]
async fn a_start_and_a_working_day_ring_nothing() {
    let stack = Stack::new("told-nothing").await;
    let world = logging().durable().start().await;
    for id in ["1", "2", "3"] {
        world.deliver(json!({"id": id, "subject": "a"})).await.is(202, "queued 1");
    }
    world.drain().await;
    let worker = world.worker.as_ref().unwrap();
    let webhook = lines_since(&world.function, 0, "delivery", 3).await;
    let batches = lines_since(worker, 0, "delivery", 1).await;
    assert_eq!((stack.webhook(&webhook), stack.worker(&batches)), (counts(&[]), counts(&[])));
    assert_eq!((own(&webhook, "Failed"), own(&batches, "Failed")), (0, 0));
}

#[tokio::test]
async fn what_no_other_alarm_is_about_rings_that_of_the_error_lines() {
    let stack = Stack::new("told-others").await;
    let world = logging().durable().start().await;
    world.queues().put("group", "no message of ours").await;
    world.poll().await;
    let worker = world.worker.as_ref().unwrap();
    worker.logs("a message can't be read").await;
    assert_eq!(stack.worker(&worker.lines()), counts(&[("ErrorLines", 1)]));
}

#[tokio::test]
async fn updates_that_reach_hubspot_late_ring_an_alarm() {
    let stack = Stack::new("told-lag").await;
    let alarm = stack.resources("AWS::CloudWatch::Alarm")["LagAlarm"];
    let (minutes, lag) = (&alarm["Metrics"][0], &alarm["Metrics"][1]["MetricStat"]);
    assert_eq!((&minutes["Expression"], &lag["Stat"]), (&json!("lag / 60000"), &json!("p90")));
    let most = stack.0["template"]["Parameters"]["LagAlarmMinutes"]["Default"].as_u64().unwrap();
    let world = logging().start().await;
    let now = taskhook::time::Time::now().milliseconds();
    for (age, is_late) in [(0, false), (17 * 60_000, true)] {
        let at = taskhook::time::Time::from_milliseconds(now - age).to_string();
        let begin = world.function.lines().len();
        world.deliver(json!({"id": "1", "subject": at, "at": at})).await.is(200, "updated 1");
        let lines = lines_since(&world.function, begin, "delivery", 1).await;
        let metrics = embedded("Taskhook", &lines);
        let written = metrics[lag["Metric"]["MetricName"].as_str().unwrap()][0];
        assert_eq!(written / 60_000 > most, is_late, "{written}");
    }
}

#[tokio::test]
async fn a_panic_is_no_fault_of_the_set_up() {
    let stack = Stack::new("told-panic").await;
    let line = |message: &str, reason: &str| json!({"level": "ERROR", "message": message, "reason": reason, "status": 500});
    let lines = [
        line("a panic; please report it", "index out of bounds"),
        line("refused", "a panic while the delivery was handled"),
    ];
    assert_eq!(stack.webhook(&lines), counts(&[("ErrorLines", 1)]));
}

/// What each alarm rings at that looks at a number of AWS's own, or at a percentile: its statistic,
/// what it makes of no number, the most that is quiet, and for how many times five minutes more than
/// that has to last.
#[tokio::test]
async fn an_alarm_rings_beyond_its_threshold_and_not_at_it() {
    let stack = Stack::new("told-thresholds").await;
    let alarms = stack.resources("AWS::CloudWatch::Alarm");
    for (name, statistic, missing, quiet, steps) in [
        ("DeadLettersAlarm", "Maximum", "ignore", 0.0, 1),
        ("DeadLettersExpireAlarm", "Maximum", "ignore", 864_000.0, 1),
        ("UpdatesAgeAlarm", "Maximum", "notBreaching", 900.0, 1),
        ("UpdatesWaitAlarm", "Minimum", "notBreaching", 0.0, 12),
        ("WebhookInvocationsAlarm", "Sum", "notBreaching", 3000.0, 1),
        ("WebhookErrorsAlarm", "Sum", "notBreaching", 0.0, 1),
        ("WorkerErrorsAlarm", "Sum", "notBreaching", 0.0, 1),
        ("WebhookThrottlesAlarm", "Sum", "notBreaching", 0.0, 1),
        ("WorkerThrottlesAlarm", "Sum", "notBreaching", 0.0, 1),
        ("LagAlarm", "p90", "notBreaching", 15.0, 3),
    ] {
        let alarm = alarms[name];
        let of_lag = &alarm["Metrics"][1]["MetricStat"]["Stat"];
        let found = alarm["Statistic"].as_str().or(of_lag.as_str()).unwrap();
        assert_eq!((found, &alarm["TreatMissingData"]), (statistic, &json!(missing)), "{name}");
        let at_it = stack.rings(name, &[Some(quiet)].repeat(24));
        assert!(at_it.iter().all(|rings| !rings), "{name}");
        let beyond = stack.rings(name, &[Some(quiet + 1.0)].repeat(24));
        let since = beyond.iter().position(|rings| *rings).unwrap() + 1;
        assert_eq!(since, steps, "{name}");
        assert!(beyond[steps - 1..].iter().all(|rings| *rings), "{name}: {beyond:?}");
    }
}
