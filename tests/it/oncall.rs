//! Whoever is on call, and has nothing but `docs/operate.md`: a fault, the alarm that rings for it,
//! the first steps of the page, and the story of the ticket.

use serde_json::{Value, json};
use taskhook::sim::{Endpoint, Fault};

use crate::support::alarms::{Stack, Step};
use crate::support::event::Event;
use crate::support::lambda::Function;
use crate::support::tool::{change_source, create_task, replay, taskhook, text};
use crate::support::{Builder, Reply, SECRET, SOURCE, TOKEN, World, logging};

/// A stack with its alarms, and somebody who is on call for it.
struct Shift {
    stack: Stack,
    world: World,
    /// The five minutes so far.
    story: Vec<Step>,
    /// How many lines of the webhook's and of the worker's log are counted already.
    counted: (usize, usize),
    /// How many messages the worker was handed, and how many of them are in flight since.
    taken: u64,
    in_flight: usize,
    /// The log of webhooks that were replaced, and how often they were invoked.
    earlier: String,
    invoked_earlier: usize,
}

impl Shift {
    async fn begin(world: Builder) -> Self {
        let world = world.durable().start().await;
        Self {
            stack: Stack::new(&format!("{}-alarms", world.tests)).await,
            world,
            story: Vec::new(),
            counted: (0, 0),
            taken: 0,
            in_flight: 0,
            earlier: String::new(),
            invoked_earlier: 0,
        }
    }

    fn worker(&self) -> &Function {
        self.world.worker.as_ref().unwrap()
    }

    /// A delivery to the source of the tests, with the sender's id.
    async fn deliver(&self, id: &str, body: Value) -> Reply {
        self.world.send(&delivery("/shop", id, &body).signed()).await
    }

    /// Lambda hands up to ten messages to the worker: how many, and how many of them come back.
    async fn poll(&mut self) -> (usize, usize) {
        let (taken, back) = self.world.poll().await;
        self.taken += u64::try_from(taken).unwrap();
        self.in_flight += back;
        (taken, back)
    }

    /// Hands everything to the worker that the queue gives out. Returns how much comes back.
    async fn drain(&mut self) -> usize {
        let before = self.in_flight;
        while self.poll().await.0 > 0 {}
        self.in_flight - before
    }

    async fn time_passes(&mut self) {
        self.world.queues().time_passes().await;
        self.in_flight = 0;
    }

    /// Ends five minutes: what they logged is counted, and the queues say what they hold. Returns
    /// the alarms that ring.
    async fn five_minutes(&mut self) -> Vec<&str> {
        let answers = self.world.function.invocations() - self.invoked_earlier;
        let answered = |lines: &[Value]| lines.iter().filter(|line| is_answer(line)).count();
        let webhook = complete(&self.world.function, |lines| answered(lines) == answers).await;
        let taken = self.taken;
        let worker = complete(self.worker(), |lines| sum(lines, "received") == taken).await;
        let before = self.counted;
        self.counted = (webhook.len(), worker.len());
        let (webhook, worker) = (&webhook[before.0..], &worker[before.1..]);
        let mut step = self.stack.step(webhook, worker);
        let invocations = webhook.iter().filter(|line| is_answer(line)).count();
        let letters = self.world.queues().count_letters().await;
        for (name, number) in [
            ("Invocations of WebhookFunction", invocations),
            ("ApproximateNumberOfMessagesVisible of DeadLetterQueue", letters),
            ("ApproximateNumberOfMessagesNotVisible of UpdatesQueue", self.in_flight),
        ] {
            step.insert(name.to_owned(), f64::from(u32::try_from(number).unwrap()));
        }
        self.story.push(step);
        self.stack.ringing(&self.story)
    }

    /// An hour in which nothing happens. Returns the alarms that ring then.
    async fn an_hour(&mut self) -> Vec<&str> {
        for _ in 0..11 {
            self.five_minutes().await;
        }
        self.five_minutes().await
    }

    /// Deploys the webhook anew, with the source files as they are now.
    async fn deploy(&mut self) {
        self.five_minutes().await;
        self.earlier.push_str(&self.world.function.log());
        self.counted.0 = 0;
        self.invoked_earlier = self.world.function.invocations();
        self.world.start_webhook().await;
    }

    /// Follows a ticket by the commands of the page: both logs in a file, as `aws logs tail` prints
    /// them, and `taskhook trace`. The steps of the story have to come in this order.
    async fn trace(&self, id: &str, steps: &[&str]) -> String {
        let logs = [self.earlier.clone(), self.world.function.log(), self.worker().log()].concat();
        let tailed = |line: &str| format!("2026-11-27T19:00:00 {line}\n");
        let path = self.world.folder().join("taskhook.log");
        std::fs::write(&path, logs.lines().map(tailed).collect::<String>()).unwrap();
        let told = text(&taskhook(&self.world, &["trace", id, path.to_str().unwrap()]).await, 0);
        let mut rest = told.as_str();
        for step in steps {
            rest = rest.split_once(step).unwrap_or_else(|| panic!("{step:?} in:\n{told}")).1;
        }
        told
    }

    fn subject(&self, ticket: &str) -> String {
        self.world.task(ticket, "hs_task_subject").unwrap()
    }
}

/// A delivery with the sender's id.
fn delivery(path: &str, id: &str, body: &Value) -> Event {
    Event::post(path, body.to_string()).header("x-github-delivery", id)
}

/// Whether a line says how a sender was answered.
fn is_answer(line: &Value) -> bool {
    line["status"].is_u64()
}

/// The lines of a function, once they are complete.
async fn complete(function: &Function, is_complete: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    loop {
        let lines = function.lines();
        if is_complete(&lines) {
            return lines;
        }
        function.logs_more().await;
    }
}

/// The sum of a field of some lines.
fn sum(lines: &[Value], field: &str) -> u64 {
    lines.iter().filter_map(|line| line[field].as_u64()).sum()
}

/// The lines of a function with this message.
fn lines(function: &Function, message: &str) -> Vec<Value> {
    function.lines().into_iter().filter(|line| line["message"] == message).collect()
}

/// A fault that lasts, with a wait for which no worker stays.
fn lasting(status: u16) -> Fault {
    let headers = [("retry-after".to_owned(), "3600".to_owned())].into();
    Fault { forever: true, headers, ..Fault::status(status) }
}

#[tokio::test]
async fn a_rotated_token_is_picked_up_without_a_deployment() {
    // In HubSpot it was rotated, and the old one isn't valid any more.
    let world = logging().seed(|seed| {
        seed["token"] = json!("pat-test-0001");
        seed["expired_tokens"] = json!([TOKEN]);
    });
    // No time passes here, so nothing is trusted for long.
    let mut shift = Shift::begin(world.variable("TASKHOOK_SECRET_TTL", "0s")).await;
    shift.deliver("d-1", json!({"id": "1", "subject": "a"})).await.is(202, "queued 1");
    assert_eq!(shift.poll().await, (1, 1));
    assert_eq!(shift.five_minutes().await, ["TokenAlarm"]);
    let errors = shift.worker().lines().into_iter().filter(|line| line["level"] == "ERROR");
    let words: Vec<_> = errors.map(|line| line["message"].as_str().unwrap().to_owned()).collect();
    assert!(words.iter().all(|words| words.starts_with("token: ")), "{words:?}");

    shift.world.secrets.store(&format!("{}/hubspot", shift.world.tests), "pat-test-0001").await;
    shift.time_passes().await;
    assert_eq!(shift.poll().await, (1, 0));
    assert_eq!(shift.subject("1"), "a");
    assert!(shift.an_hour().await.is_empty());
    let steps = ["queued", "answered 202", "retry unauthorized", "updated", "receive 2"];
    shift.trace("1", &steps).await;
}

#[tokio::test]
async fn a_secret_that_is_rotated_at_one_end_only_is_found_by_its_alarm() {
    let other = SOURCE.replace("{tests}/shop", "{tests}/other");
    let world = logging().source("other", &other).secret("other", "of the other source");
    let mut shift = Shift::begin(world.variable("TASKHOOK_SECRET_TTL", "0s")).await;
    let event = |number: usize| {
        let body = json!({"id": "1", "subject": format!("of d-{number}")});
        delivery("/shop", &format!("d-{number}"), &body)
    };
    // The ticket system has a new secret since today.
    for number in 1..=5 {
        shift.world.send(&event(number).signed_with("rotated")).await.is_problem(401);
    }
    let body = json!({"id": "2", "subject": "of the other"});
    let well = delivery("/other", "o-1", &body).signed_with("of the other source");
    shift.world.send(&well).await.is(202, "queued 1");
    shift.drain().await;
    assert_eq!(shift.five_minutes().await, ["RefusedAlarm"]);
    for line in lines(&shift.world.function, "refused") {
        assert_eq!((&line["source"], &line["sourceIp"]), (&json!("shop"), &json!("192.0.2.1")));
    }
    // The page says to hold a delivery against the secret.
    let file = shift.world.folder().join("delivery.json");
    std::fs::write(&file, event(1).signed_with("rotated").to_json().to_string()).unwrap();
    let verify = ["verify", "shop", file.to_str().unwrap(), "--secret"];
    let said = text(&taskhook(&shift.world, &[&verify[..], &[SECRET]].concat()).await, 1);
    assert!(said.contains("compare the secret with the sender's"), "{said}");
    let said = text(&taskhook(&shift.world, &[&verify[..], &["rotated"]].concat()).await, 0);
    assert!(said.contains("The signature is right."), "{said}");

    let name = format!("{}/shop", shift.world.tests);
    shift.world.secrets.store(&name, &json!(["rotated", SECRET]).to_string()).await;
    // What was signed before, and what was refused and is redelivered.
    shift.world.send(&event(0).signed()).await.is(202, "queued 1");
    for number in 1..=5 {
        shift.world.send(&event(number).signed_with("rotated")).await.is(202, "queued 1");
    }
    shift.world.secrets.store(&name, "rotated").await;
    shift.world.send(&event(6).signed()).await.is_problem(401);
    shift.drain().await;
    assert_eq!([shift.subject("1"), shift.subject("2")], ["of d-5", "of the other"]);
    shift.five_minutes().await;
    assert!(shift.an_hour().await.is_empty());
    shift.trace("d-5", &["refused, answered 401", "queued", "answered 202", "updated"]).await;
}

#[tokio::test]
async fn a_wrong_source_file_is_rolled_back_and_its_letters_are_sent_again() {
    let mut shift = Shift::begin(logging()).await;
    let done = |id: &str| json!({"id": id, "status": "done"});
    shift.deliver("d-1", done("1")).await.is(202, "queued 1");
    shift.drain().await;
    assert!(shift.five_minutes().await.is_empty());

    change_source(&shift.world, "done = \"COMPLETED\"", "doone = \"COMPLETED\"");
    shift.deploy().await;
    for (event, id) in [("d-2", "2"), ("d-3", "3")] {
        shift.deliver(event, done(id)).await.is(200, "failed 1").row(0, "failed mapping");
    }
    assert_eq!(shift.five_minutes().await, ["DeadLettersAlarm", "DeadLettersArriveAlarm"]);
    let listed = text(&replay(&shift.world, &["--dry-run"]).await, 0);
    assert!(listed.contains("2 in all: 2 mapping") && listed.contains("\"done\""), "{listed}");

    change_source(&shift.world, "", "");
    shift.deploy().await;
    let to = shift.world.queues().updates.clone();
    let said = text(&replay(&shift.world, &["--source", "shop", "--to", &to]).await, 0);
    assert!(said.contains("2 went through, 0 stay."), "{said}");
    assert_eq!(shift.drain().await, 0);
    for ticket in ["1", "2", "3"] {
        assert_eq!(shift.world.task(ticket, "hs_task_status").as_deref(), Some("COMPLETED"));
    }
    assert_eq!(shift.five_minutes().await, ["DeadLettersArriveAlarm"]);
    assert!(shift.an_hour().await.is_empty());
    for id in ["d-2", "2"] {
        shift.trace(id, &["failed mapping", "answered 200", "updated", "HubSpot task"]).await;
    }
}

#[tokio::test]
async fn a_queue_that_is_stuck_behind_one_task_holds_up_that_task_alone() {
    let mut shift = Shift::begin(logging()).await;
    // Only this task needs the scope that the token lacks.
    let holds = vec!["\"id\":\"1\"".to_owned()];
    let forbidden = Fault { on: Endpoint::Update, forever: true, holds, ..Fault::status(403) };
    shift.world.hubspot.fault(forbidden);
    shift.deliver("d-1", json!({"id": "1", "subject": "first"})).await.is(202, "queued 1");
    shift.deliver("d-2", json!({"id": "1", "subject": "second"})).await.is(202, "queued 1");
    let mut rang = Vec::new();
    for number in 1..=12 {
        let subject = format!("{number}");
        shift.deliver("", json!({"id": "2", "subject": subject})).await.is(202, "queued 1");
        shift.drain().await;
        assert_eq!([shift.subject("1"), shift.subject("2")], ["before".to_owned(), subject]);
        rang.push(shift.five_minutes().await.join(" "));
        shift.time_passes().await;
    }
    assert!(rang[..11].iter().all(|alarms| alarms == "TokenAlarm"), "{rang:?}");
    assert_eq!(rang[11], "TokenAlarm UpdatesWaitAlarm");
    let told = lines(shift.worker(), "update");
    let waits = told.iter().filter(|line| line["event"] == "d-1");
    let receives: Vec<_> = waits.map(|line| line["receives"].as_u64().unwrap()).collect();
    assert_eq!(receives, [1, 2, 4, 8]);
    let error = told.iter().find(|line| line["event"] == "d-1").unwrap();
    assert!(error["detail"].as_str().unwrap().contains("crm.objects."), "{error}");

    // The scope is added.
    shift.world.hubspot.clear_faults();
    assert_eq!(shift.drain().await, 0);
    assert_eq!(shift.subject("1"), "second");
    assert_eq!(shift.five_minutes().await, ["TokenAlarm"]);
    assert!(shift.an_hour().await.is_empty());
    shift.trace("1", &["queued", "retry forbidden", "receive 8", "updated", "receive 13"]).await;
}

#[tokio::test]
async fn a_day_without_hubspot_is_waited_out() {
    let mut shift = Shift::begin(logging()).await;
    shift.world.hubspot.fault(lasting(503));
    let began = taskhook::time::Time::now().milliseconds() - 24 * 3_600_000;
    let mut rang = Vec::new();
    for round in 0..13 {
        let at = taskhook::time::Time::from_milliseconds(began + round).to_string();
        for id in ["1", "2", "3"] {
            let body = json!({"id": id, "subject": format!("{id} of {round}"), "at": at});
            shift.deliver(&format!("d-{id}-{round}"), body).await.is(202, "queued 1");
        }
        // Everything that was given out comes back.
        assert!(shift.drain().await > 0);
        rang.push(shift.five_minutes().await.join(" "));
        shift.time_passes().await;
    }
    assert_eq!(rang[..2], ["", ""]);
    assert!(rang[2..11].iter().all(|alarms| alarms == "WorkerRetriesAlarm"), "{rang:?}");
    assert_eq!(rang[12], "UpdatesWaitAlarm WorkerRetriesAlarm");
    let told = lines(shift.worker(), "update");
    let waits = told.iter().filter(|line| line["event"] == "d-1-0");
    let receives: Vec<_> = waits.map(|line| line["receives"].as_u64().unwrap()).collect();
    assert_eq!(receives, [1, 2, 4, 8]);

    shift.world.hubspot.clear_faults();
    assert_eq!(shift.drain().await, 0);
    assert_eq!(["1", "2", "3"].map(|id| shift.subject(id)), ["1 of 12", "2 of 12", "3 of 12"]);
    assert!(shift.world.queues().dead().await.is_empty());
    let told = lines(shift.worker(), "update");
    for id in ["1", "2", "3"] {
        let written = told.iter().filter(|line| line["id"] == id && line["outcome"] != "retry");
        let events: Vec<_> = written.map(|line| line["event"].as_str().unwrap()).collect();
        let expected: Vec<_> = (0..13).map(|round| format!("d-{id}-{round}")).collect();
        assert_eq!(events, expected, "each once, in their order");
    }
    assert_eq!(shift.five_minutes().await, ["WorkerRetriesAlarm"]);
    assert!(shift.an_hour().await.is_empty());
    let steps = ["answered 202", "retry unavailable", "receive 8", "merged", "receive 14"];
    shift.trace("d-1-0", &steps).await;
    shift.trace("d-1-12", &["answered 202", "updated", "HubSpot task", " after the event"]).await;
}

#[tokio::test]
async fn letters_that_arrive_are_listed_put_right_and_sent_again() {
    let mut shift = Shift::begin(logging()).await;
    for (event, id) in [("d-1", "404"), ("d-2", "405"), ("d-3", "1")] {
        let body = json!({"id": id, "subject": format!("of {event}")});
        shift.deliver(event, body).await.is(202, "queued 1");
    }
    shift.drain().await;
    assert_eq!(shift.subject("1"), "of d-3");
    assert_eq!(shift.five_minutes().await, ["DeadLettersAlarm", "DeadLettersArriveAlarm"]);
    let listed = text(&replay(&shift.world, &["--dry-run"]).await, 0);
    assert!(listed.contains("2 in all: 2 not_found"), "{listed}");
    assert!(listed.contains("no task has ticket 404"), "{listed}");
    shift.trace("404", &["queued", "answered 202", "failed not_found", "taskhook replay"]).await;

    create_task(&shift.world, "404").await;
    let said = text(&replay(&shift.world, &["--source", "shop"]).await, 1);
    assert!(said.contains("1 went through, 1 stay."), "{said}");
    assert_eq!(shift.subject("404"), "of d-1");
    // Nobody wants the other any more.
    let folder = shift.world.folder().join("letters");
    let save = ["--save", folder.to_str().unwrap(), "--discard", "--reason", "not_found"];
    text(&replay(&shift.world, &save).await, 0);
    let saved = std::fs::read_to_string(folder.join("letters.jsonl")).unwrap();
    assert!(saved.contains("of d-2"), "{saved}");
    assert_eq!(shift.five_minutes().await, ["DeadLettersArriveAlarm"]);
    assert!(shift.an_hour().await.is_empty());
    assert!(shift.world.queues().dead().await.is_empty());
}

/// Messages as the webhook wrote them before it named its invocation in them, of each kind.
const OLDER: [(&str, &str); 3] = [
    (
        "1",
        r#"{"version":1,"source":"shop","event":"d-1","update":{"idProperty":"ticket","id":"1","time":"2026-10-12T19:00:00.000Z","onMissing":"fail","properties":{"hs_task_subject":"older","hs_task_status":"COMPLETED"}}}"#,
    ),
    (
        "2",
        r#"{"version":1,"source":"shop","event":"d-2","update":{"idProperty":"ticket","id":"2","time":"2026-10-12T19:00:00.000Z","onMissing":"skip","updatedAtProperty":"ticket_at","properties":{"hs_task_subject":"older","hubspot_owner_id":{"owner":"ada@acme.example","unknown":"fail"}}}}"#,
    ),
    (
        "9",
        r#"{"version":1,"source":"shop","event":"d-3","update":{"idProperty":"ticket","id":"9","time":"2026-10-12T19:00:00.000Z","onMissing":"create","properties":{"hs_task_subject":"older","hubspot_owner_id":{"owner":"nobody@acme.example","unknown":{"write":""}}}}}"#,
    ),
];

#[tokio::test]
async fn messages_of_an_older_webhook_are_worked_off_after_an_upgrade() {
    let mut shift = Shift::begin(logging()).await;
    let group = |id: &str| {
        let task =
            taskhook::update::TaskKey { id_property: "ticket".to_owned(), id: id.to_owned() };
        taskhook::queue::group(&task)
    };
    for (id, message) in OLDER {
        shift.world.queues().put(&group(id), message).await;
    }
    // The worker is the first that is replaced, then the webhook.
    shift.world.start_worker().await;
    shift.deploy().await;
    let at = "2026-10-12T20:00:00Z";
    for (event, id) in [("d-4", "1"), ("d-5", "2")] {
        let body = json!({"id": id, "subject": "newer", "at": at});
        shift.deliver(event, body).await.is(202, "queued 1");
    }
    let sent = shift.world.queues().sqs.told("SendMessageBatch");
    let entry = |index: usize| &sent[index]["Entries"][0];
    assert_eq!(entry(0)["MessageGroupId"], json!(group("1")));
    assert_eq!(shift.drain().await, 0);
    assert_eq!(["1", "2", "9"].map(|id| shift.subject(id)), ["newer", "newer", "older"]);
    assert_eq!(shift.world.task("1", "hs_task_status").as_deref(), Some("COMPLETED"));
    assert_eq!(shift.world.task("2", "hubspot_owner_id").as_deref(), Some("101"));
    // Both became one write: guarded as the older asks for, by the time of the newer.
    let guarded = shift.world.task("2", "ticket_at");
    assert_eq!(guarded.as_deref(), Some("2026-10-12T20:00:00.000Z"));
    assert!(shift.five_minutes().await.is_empty());
    shift.trace("1", &["answered 202", "d-1", "merged", "d-4", "updated"]).await;

    // The way back: but for one name, which a reader passes over, a new message is an old one.
    let mut newer: Value = serde_json::from_str(entry(0)["MessageBody"].as_str().unwrap()).unwrap();
    assert!(newer.as_object_mut().unwrap().remove("requestId").is_some());
    let mut older: Value = serde_json::from_str(OLDER[0].1).unwrap();
    older["event"] = json!("d-4");
    older["update"]["time"] = json!("2026-10-12T20:00:00.000Z");
    older["update"]["properties"] = json!({"hs_task_subject": "newer"});
    assert_eq!(newer, older);
    newer["nobodyKnowsYet"] = json!("of a version to come");
    newer["update"]["properties"]["hs_task_subject"] = json!("newest");
    shift.world.queues().put(&group("1"), &newer.to_string()).await;
    assert_eq!(shift.poll().await, (1, 0));
    assert_eq!(shift.subject("1"), "newest");
}

#[tokio::test]
async fn a_flood_of_one_sender_rings_and_costs_no_other_its_updates() {
    let other = SOURCE.replace("{tests}/shop", "{tests}/other");
    let world = logging().source("other", &other).secret("other", "of the other source");
    let mut shift = Shift::begin(world).await;
    // A loop of the sender's: most of it is filtered by `when`, a ticket of its changes each time.
    // And a stranger joins in.
    for number in 0..240 {
        let id = format!("d-{number}");
        match number % 12 {
            0 => {
                let body = json!({"id": "2", "subject": format!("{number}")});
                let event = delivery("/other", &id, &body).signed_with("of the other source");
                shift.world.send(&event).await.is(202, "queued 1");
            }
            1 => {
                let body = json!({"id": "1", "subject": format!("{number}")});
                shift.deliver(&id, body).await.is(202, "queued 1");
            }
            2 => drop(shift.world.send(&Event::post("/shop", "{}")).await.is_problem(401)),
            _ => drop(shift.deliver(&id, json!({"kind": "noise"})).await.is(200, "filtered 1")),
        }
    }
    assert_eq!(shift.drain().await, 0);
    assert_eq!([shift.subject("1"), shift.subject("2")], ["229", "228"]);
    let told = lines(shift.worker(), "update");
    let of_other: Vec<_> = told
        .iter()
        .filter(|line| line["source"] == "other")
        .map(|line| line["event"].as_str().unwrap())
        .collect();
    let expected: Vec<_> = (0..20).map(|number| format!("d-{}", number * 12)).collect();
    assert_eq!(of_other, expected, "each once, in their order");

    // What it cost: a line each, and none of it reached HubSpot or SQS but what was queued.
    assert_eq!(lines(&shift.world.function, "delivery").len(), 220);
    assert_eq!(lines(&shift.world.function, "refused").len(), 20);
    assert_eq!(shift.world.queues().sqs.told("SendMessageBatch").len(), 40);
    assert_eq!(shift.world.calls("batch/update").len(), 4, "a call for each ten messages");
    assert_eq!(shift.world.secrets.told("GetSecretValue").len(), 1);

    // Twenty refused deliveries of one source are an alarm of their own; the flood is one by number.
    assert_eq!(shift.five_minutes().await, ["RefusedAlarm"]);
    for (invocations, rings) in [(240.0, false), (3000.0, false), (3001.0, true)] {
        let name = "Invocations of WebhookFunction".to_owned();
        let before = shift.story[0].insert(name, invocations);
        assert!(before >= Some(240.0));
        let ringing = shift.stack.ringing(&shift.story);
        assert_eq!(ringing.contains(&"WebhookInvocationsAlarm"), rings, "{invocations}");
    }
    assert_eq!(shift.five_minutes().await, ["RefusedAlarm"]);
    assert!(shift.an_hour().await.is_empty());
    shift.trace("2", &["d-0", "queued", "answered 202", "updated"]).await;
}
