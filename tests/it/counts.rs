//! What usual work takes, in counts: a change for the worse shows on any machine, however busy it
//! is. Each table has some room; what has become much better fails too, so that the table follows.

use std::path::Path;
use std::time::Duration;

use allocation_counter::measure;
use secrecy::SecretString;
use serde_json::{Value, json};
use taskhook::delivery::Delivery;
use taskhook::engine;
use taskhook::outcome::Outcome;
use taskhook::source::{Mapped, Source, SourceFile, Sources};
use taskhook::time::Time;
use tokio::time::Instant;

use crate::support::portal::{APPLIED, client, portal_with, task, update};
use crate::support::shipped::{LIVE, PROMISED, root, sources};
use crate::support::{Builder, SOURCE, World, world};

/// Allocations of verifying one sample of a source and mapping it.
const OF_AN_EVENT: [(&str, &str, u64); 22] = [
    ("asana", "status-changed", 1_420),
    ("clickup", "status-unstarted", 840),
    ("freshdesk", "status-changed", 820),
    ("freshservice", "reassigned", 1_110),
    ("front", "tagged", 1_230),
    ("github", "body-of-tags", 1_240),
    ("github-pulls", "merged", 1_720),
    ("gitlab", "reassigned", 1_110),
    ("helpscout", "status-changed", 1_020),
    ("intercom", "status-changed", 890),
    ("jira", "closed-as-duplicate", 1_340),
    ("linear", "duplicate", 850),
    ("monday", "done-by-another-name", 950),
    ("notion", "restored", 520),
    ("pagerduty", "status-changed", 980),
    ("sentry", "assigned", 1_160),
    ("servicenow", "status-changed", 620),
    ("shortcut", "unknown-task", 930),
    ("tickets", "reassigned", 700),
    ("trello", "status-changed", 900),
    ("zendesk", "solved", 990),
    ("zendesk-trigger", "subject-escaped", 770),
];

/// Allocations of reading source files: the one of GitHub, those that are enabled as shipped, and
/// all. Their program is compiled in a thread of its own, which is not counted here: a test of
/// `source::jq::program` counts what jq's library takes.
const OF_READING: [(&str, u64); 3] = [("github", 340), ("enabled", 1_990), ("all", 6_350)];

/// What is wrong with a count, if it is not between seven tenths of its limit and the limit.
fn judge(what: &str, count: u64, limit: u64) -> Option<String> {
    if count > limit {
        return Some(format!("{what}: {count} are more than {limit}"));
    }
    let is_far_below = count < limit * 7 / 10;
    is_far_below
        .then(|| format!("{what}: {count} are far below {limit}; write {}", count * 115 / 100))
}

fn files(names: &[&str]) -> Vec<SourceFile> {
    let mut files = Vec::new();
    for (name, path) in sources() {
        if names.contains(&name.as_str()) {
            let text = std::fs::read_to_string(&path).unwrap();
            files.push(SourceFile::from_text(&path.display().to_string(), &name, &text));
        }
    }
    files
}

/// A sample event as the function gets it from its sender, signed with this secret.
fn delivery(source: &Source, sample: &str, secret: &SecretString) -> Delivery {
    let path = Path::new("events").join(&source.name).join(sample).with_extension("json");
    let event: Value =
        serde_json::from_str(&std::fs::read_to_string(root().join(path)).unwrap()).unwrap();
    let mut delivery = Delivery {
        method: http::Method::POST,
        path: source.path.clone(),
        query: Vec::new(),
        headers: http::HeaderMap::new(),
        body: event["body"].as_str().unwrap().to_owned().into(),
        arrived: Time::from_milliseconds(1_790_000_000_000),
        request_id: "request".to_owned(),
        trace_header: None,
        source_ip: None,
    };
    for (name, value) in event["headers"].as_object().unwrap() {
        let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
        delivery.headers.insert(name, value.as_str().unwrap().parse().unwrap());
    }
    if let Some(proof) = &source.verify.proof {
        proof.scheme.sign(&mut delivery, secret).unwrap();
    }
    delivery
}

/// A secret that the source's scheme takes.
fn secret(source: &Source) -> SecretString {
    let secret = SecretString::from("dGFza2hvb2s6ZXhwbGFpbg==");
    let proof = source.verify.proof.as_ref();
    if proof.is_some_and(|proof| proof.scheme.check_secret(&secret).is_err()) {
        return SecretString::from("a:b");
    }
    secret
}

/// The allocations of verifying and mapping a delivery that gives one update.
fn allocations(sources: &Sources, source: &Source, sample: &str) -> u64 {
    let secrets = [secret(source)];
    let delivery = delivery(source, sample, &secrets[0]);
    let map = || {
        let tolerance = source.verify.tolerance;
        let verified = source.verify.verify(&delivery, &secrets, tolerance).unwrap();
        let event = sources.map(source, &verified, tolerance).unwrap();
        match event.mapped {
            Mapped::Updates(updates) => assert_eq!(updates.len(), 1, "{}", source.name),
            Mapped::Filtered => panic!("{}: {sample} is filtered", source.name),
        }
    };
    // The first one makes what the process keeps.
    map();
    measure(map).count_total
}

#[test]
fn verifying_and_mapping_an_event_takes_no_more_allocations() {
    let shipped = Sources::read(&files(&PROMISED));
    let mut problems = Vec::new();
    for source in shipped.iter() {
        let row = OF_AN_EVENT.iter().find(|(name, ..)| *name == source.name);
        let (_, sample, limit) = row.unwrap_or_else(|| panic!("no limit for {}", source.name));
        let count = allocations(&shipped, source, sample);
        problems.extend(judge(&format!("{}, {sample}", source.name), count, *limit));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn reading_source_files_takes_no_more_allocations() {
    let mut problems = Vec::new();
    for (what, limit) in OF_READING {
        let names = match what {
            "all" => &PROMISED[..],
            "enabled" => &LIVE,
            name => &[name],
        };
        let files = files(names);
        // Whoever uses Taskhook may have deleted some.
        if files.len() < names.len() {
            continue;
        }
        let count = measure(|| drop(Sources::read(&files))).count_total;
        problems.extend(judge(what, count, limit));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// The most bytes that a run of the engine holds at once, beside its updates, and how many these
/// are.
const OF_A_RUN: [(&str, usize, u64); 4] = [
    ("not guarded", 5_000, 8_400_000),
    ("guarded, and newer", 5_000, 8_900_000),
    ("guarded, and at the same time", 5_000, 9_800_000),
    // A text of 64 KB each, in halves, as an answer is read up to 4 MiB.
    (LONG_TEXTS, 1_000, 40_000_000),
];

const LONG_TEXTS: &str = "guarded, of long texts";

/// A portal in a thread of its own, whose allocations are not counted here.
fn portal_elsewhere(tasks: Vec<Value>) -> String {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let sim = portal_with(tasks).await;
            sender.send(sim.url()).unwrap();
            std::future::pending::<()>().await;
        });
    });
    receiver.recv().unwrap()
}

#[test]
fn a_run_of_thousands_of_updates_holds_no_more_memory() {
    let mut problems = Vec::new();
    for (what, count, limit) in OF_A_RUN {
        let mut tasks: Vec<_> = (0..count).map(|id| task(&format!("T-{id}"))).collect();
        if what == LONG_TEXTS {
            for task in &mut tasks {
                task["properties"]["hs_task_body"] = "x".repeat(65_000).into();
            }
        }
        let hubspot = client(&portal_elsewhere(tasks));
        let step = if what.ends_with("same time") { APPLIED } else { APPLIED + 1 };
        let mut updates = Vec::new();
        for id in 0..count {
            let mut update = update(
                id,
                step,
                &[
                    ("hs_task_subject", "after"),
                    ("hs_task_body", "a"),
                    ("hs_task_priority", "HIGH"),
                ],
            );
            if what != "not guarded" {
                update.updated_at_property = Some("ticket_at".to_owned());
            }
            updates.push(update);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let run = || {
            let deadline = Instant::now() + Duration::from_mins(5);
            let run = engine::run(&hubspot, &updates, deadline);
            let outcomes = runtime.block_on(run).outcomes;
            let is_updated = |outcome: &Outcome| matches!(outcome, Outcome::Updated(_));
            assert!(outcomes.iter().all(is_updated), "{what}");
        };
        let held = measure(run).bytes_max;
        // How many of the large answers are there at once is a matter of chance.
        problems.extend(judge(what, held, limit).filter(|_| what != LONG_TEXTS || held > limit));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

fn guarded() -> Builder {
    let guarded = "id_property = \"ticket\"\nupdated_at_property = \"ticket_at\"";
    world().source("shop", &SOURCE.replace("id_property = \"ticket\"", guarded))
}

fn with_tasks(builder: Builder, count: usize) -> Builder {
    builder.seed(|seed| {
        let task = |ticket: usize| json!({"properties": {"ticket": ticket.to_string()}});
        seed["tasks"] = (0..count).map(task).collect();
    })
}

fn tickets(count: usize) -> Value {
    let ticket = |id: usize| json!({"id": id, "subject": "after"});
    json!({"tickets": (0..count).map(ticket).collect::<Vec<_>>()})
}

/// The calls to HubSpot by their last words, and how many there were of each.
fn hubspot_calls(world: &World) -> String {
    let words = world.hubspot.calls().into_iter().map(|call| {
        let path = call.path.split('?').next().unwrap_or_default();
        format!("{} {}", call.method, path.rsplit('/').next().unwrap_or_default())
    });
    count(words)
}

fn count(calls: impl Iterator<Item = String>) -> String {
    let mut counts = std::collections::BTreeMap::new();
    for call in calls {
        *counts.entry(call).or_insert(0) += 1;
    }
    let counts: Vec<_> =
        counts.into_iter().map(|(call, count)| format!("{count} {call}")).collect();
    counts.join(", ")
}

#[tokio::test]
async fn a_direct_webhook_makes_no_more_calls() {
    let mut problems = Vec::new();
    for (builder, updates, expected) in [
        (world(), 1, "1 POST update"),
        (guarded(), 1, "1 POST read, 1 POST update"),
        (world(), 1_000, "10 POST update"),
        (guarded(), 1_000, "10 POST read, 10 POST update"),
    ] {
        let world = with_tasks(builder, updates).start().await;
        assert_eq!(world.secrets.calls(), ["BatchGetSecretValue"], "of a start");
        assert_eq!(hubspot_calls(&world), "1 HEAD ", "of a start");
        world.hubspot.clear_calls();
        world.deliver(tickets(updates)).await.is(200, &format!("updated {updates}"));
        if hubspot_calls(&world) != expected {
            problems.push(format!("{updates}: {}, not {expected}", hubspot_calls(&world)));
        }
        assert_eq!(world.secrets.calls().len(), 1, "the secrets are kept");
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[tokio::test]
async fn a_queueing_webhook_and_its_worker_make_no_more_calls() {
    for (builder, updates, to_queue, to_hubspot) in [
        (world(), 1, "1 SendMessageBatch", "1 POST update"),
        (guarded(), 10, "1 SendMessageBatch", "1 POST read, 1 POST update"),
        (world(), 100, "10 SendMessageBatch", ""),
    ] {
        let world = with_tasks(builder, updates).durable().start().await;
        assert_eq!(count(world.secrets.calls().into_iter()), "2 GetSecretValue", "of two starts");
        assert_eq!(hubspot_calls(&world), "1 HEAD ", "of the worker's start");
        assert_eq!(world.queues().sqs.calls(), [""; 0], "of two starts");
        world.hubspot.clear_calls();
        world.deliver(tickets(updates)).await.is(202, &format!("queued {updates}"));
        assert_eq!(count(world.queues().sqs.calls().into_iter()), to_queue);
        assert_eq!(hubspot_calls(&world), "", "a queueing webhook calls no HubSpot");
        if updates <= 10 {
            assert_eq!(world.poll().await, (updates, 0));
            assert_eq!(hubspot_calls(&world), to_hubspot);
        }
    }
}
