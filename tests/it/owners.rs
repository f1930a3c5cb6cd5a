//! Owners: what their look-ups cost, and whom they find.

use std::time::Duration;

use serde_json::{Value as Json, json};
use taskhook::engine;
use taskhook::hubspot::Hubspot;
use taskhook::outcome::{FailReason, Outcome, RetryReason};
use taskhook::sim::{Endpoint, Fault, Sim};
use taskhook::update::{Unknown, Update, Value};
use tokio::time::Instant;

use crate::support::lambda::Function;
use crate::support::portal::{hubspot, run_on, task, update};
use crate::support::{World, world};

fn email(person: usize) -> String {
    format!("person-{person}@acme.example")
}

fn owner(person: usize) -> Json {
    json!({"id": (1_000 + person).to_string(), "email": email(person)})
}

/// A portal with so many tasks and these owners.
async fn portal_of(tasks: usize, owners: Vec<Json>) -> Sim {
    let tasks: Vec<_> = (0..tasks).map(|task| self::task(&format!("T-{task}"))).collect();
    let properties = json!([
        {"name": "ticket", "type": "string", "fieldType": "text", "hasUniqueValue": true},
        {"name": "ticket_at", "type": "datetime", "fieldType": "date"},
    ]);
    let seed = json!({"properties": properties, "owners": owners, "tasks": tasks});
    Sim::start(serde_json::from_value(seed).unwrap(), 0).await.unwrap()
}

/// An update of the task with this number, which assigns it to this address.
fn assign(task: usize, email: &str) -> Update {
    let mut update = update(task, 3, &[]);
    let owner = Value::Owner { email: email.to_owned(), unknown: Unknown::Fail };
    update.properties.push(("hubspot_owner_id".to_owned(), owner));
    update
}

/// A run for these addresses. Returns the calls for owners: `page` for each page, else the address.
async fn look_up(sim: &Sim, client: &Hubspot, emails: &[String]) -> Vec<String> {
    sim.clear_calls();
    let updates: Vec<_> =
        emails.iter().enumerate().map(|(task, email)| assign(task, email)).collect();
    let deadline = Instant::now() + Duration::from_mins(2);
    for outcome in engine::run(client, &updates, deadline).await.outcomes {
        let is_found = matches!(outcome, Outcome::Updated(_));
        let is_nobody = matches!(outcome, Outcome::Failed(FailReason::OwnerNotFound, _));
        assert!(is_found || is_nobody, "{outcome:?}");
    }
    owner_calls(sim)
}

fn owner_calls(sim: &Sim) -> Vec<String> {
    let mut calls = Vec::new();
    for call in sim.calls() {
        let Some((path, query)) = call.path.split_once('?') else { continue };
        if path.ends_with("/owners/2026-03") {
            let mut fields = form_urlencoded::parse(query.as_bytes());
            let email = fields.find(|(name, _)| name == "email");
            calls.push(email.map_or("page".to_owned(), |(_, email)| email.into_owned()));
        }
    }
    calls
}

fn people(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers.into_iter().map(email).collect()
}

fn owner_of(sim: &Sim, task: usize) -> Option<String> {
    let task = sim.task_by("ticket", &format!("T-{task}"))?;
    task.properties.get("hubspot_owner_id").cloned()
}

#[tokio::test]
async fn a_page_finds_as_many_as_there_are_and_one_address_is_asked_for() {
    let sim = portal_of(200, (0..500).map(owner).collect()).await;
    let client = hubspot(&sim);
    assert_eq!(look_up(&sim, &client, &people([7])).await, [email(7)]);
    assert_eq!(look_up(&sim, &client, &people(0..200)).await, ["page"]);
    assert_eq!(owner_of(&sim, 199).as_deref(), Some("1199"));
    assert_eq!(look_up(&sim, &client, &people(300..500)).await, [""; 0], "the rest is known, too");
}

#[tokio::test]
async fn addresses_that_come_one_by_one_take_two_calls() {
    let sim = portal_of(1, (0..500).map(owner).collect()).await;
    let client = hubspot(&sim);
    let mut calls = Vec::new();
    for person in 0..60 {
        calls.extend(look_up(&sim, &client, &people([person])).await);
    }
    assert_eq!(calls, [email(0), "page".to_owned()]);
}

#[tokio::test]
async fn pages_are_read_as_long_as_they_are_fewer_than_the_addresses() {
    let sim = portal_of(100, (0..1_600).map(owner).collect()).await;
    let spread = |count: usize| people((0..count).map(|at| at * 1_600 / count));
    assert_eq!(look_up(&sim, &hubspot(&sim), &spread(60)).await, ["page"; 4]);
    let mut three = look_up(&sim, &hubspot(&sim), &people([1_599, 1_598, 1_597])).await;
    three.sort();
    assert_eq!(three.len(), 5, "of four pages two are read before three are asked for");
    let client = hubspot(&sim);
    assert_eq!(look_up(&sim, &client, &people([3, 2, 1, 1_200])).await, ["page", &email(1_200)]);
    assert_eq!(
        look_up(&sim, &client, &people(400..500)).await,
        [""; 0],
        "everybody on the page is known"
    );
    let rest = look_up(&sim, &client, &people(500..560)).await;
    assert_eq!(rest, ["page"], "the second one: the first is not read again");
}

#[tokio::test]
async fn nobody_is_asked_for_after_all_were_listed() {
    let mut owners: Vec<_> = (0..40).map(owner).collect();
    owners[0]["email"] = json!("PERSON-0@acme.example");
    owners[1]["archived"] = json!(true);
    owners[2] = json!({"id": "1002", "type": "QUEUE"});
    let sim = portal_of(5, owners).await;
    let client = hubspot(&sim);
    assert_eq!(look_up(&sim, &client, &people(0..5)).await, ["page"]);
    assert_eq!(owner_of(&sim, 0).as_deref(), Some("1000"), "whatever the case of its letters");
    assert_eq!([1, 2].map(|task| owner_of(&sim, task)), [None, None]);
    let strangers = ["a@b.example".to_owned(), "Nobody@b.example".to_owned()];
    assert_eq!(look_up(&sim, &client, &strangers).await, [""; 0]);
    let typed = ["PERSON-4@acme.example".to_owned()];
    assert_eq!(
        look_up(&sim, &hubspot(&sim), &typed).await,
        ["page"],
        "asking may take two calls: as typed, and in lower case"
    );
}

#[tokio::test]
async fn a_page_that_is_broken_or_refused_finds_whom_it_has_and_the_rest_is_asked_for() {
    let (first, second) = (owner(0), owner(1));
    let of = |results: Json| Fault {
        on: Endpoint::Owners,
        body: Some(json!({"results": results})),
        ..Fault::status(200)
    };
    for (fault, expected) in [
        (of(json!([first])), vec!["page"]),
        (of(json!([first, null])), vec!["page", "1"]),
        (of(json!([first, {"email": "person-1@acme.example"}])), vec!["page", "1"]),
        (of(json!([])), vec!["page", "0", "1"]),
        (of(json!(null)), vec!["page", "0", "1"]),
        (Fault { on: Endpoint::Owners, ..Fault::status(400) }, vec!["page", "0", "1"]),
        (Fault { on: Endpoint::Owners, ..Fault::status(413) }, vec!["page", "0", "1"]),
    ] {
        let sim = portal_of(2, vec![first.clone(), second.clone()]).await;
        sim.fault(fault.clone());
        let mut calls = look_up(&sim, &hubspot(&sim), &people(0..2)).await;
        calls[1..].sort();
        let address = |call: &str| call.parse().map_or(call.to_owned(), email);
        let expected: Vec<_> = expected.into_iter().map(address).collect();
        assert_eq!(calls, expected, "{fault:?}");
    }
}

#[tokio::test]
async fn owners_that_are_remembered_need_no_page_that_can_be_read() {
    for status in [403, 500] {
        let sim = portal_of(4, (0..4).map(owner).collect()).await;
        let client = hubspot(&sim);
        look_up(&sim, &client, &people([0])).await;
        sim.fault(Fault { on: Endpoint::Owners, forever: true, ..Fault::status(status) });
        let mut updates: Vec<_> = (0..3).map(|task| assign(task, &email(task))).collect();
        updates.push(update(3, 3, &[("hs_task_subject", "after")]));
        let outcomes = run_on(&client, &updates).await;
        let kinds: Vec<_> = outcomes.iter().map(|outcome| outcome.kind().as_str()).collect();
        assert_eq!(kinds, ["updated", "retry", "retry", "updated"], "{status}: {outcomes:?}");
    }
}

#[tokio::test]
async fn a_limit_that_a_page_meets_stops_the_run() {
    let sim = portal_of(3, (0..3).map(owner).collect()).await;
    let client = hubspot(&sim);
    sim.fault(Fault {
        on: Endpoint::Owners,
        headers: [("Retry-After".to_owned(), "600".to_owned())].into(),
        ..Fault::status(429)
    });
    let updates: Vec<_> = (0..3).map(|task| assign(task, &email(task))).collect();
    for outcome in run_on(&client, &updates).await {
        assert!(matches!(outcome, Outcome::Retry(RetryReason::RateLimited, _)), "{outcome:?}");
    }
    assert_eq!(sim.calls().len(), 1);
    assert_eq!(look_up(&sim, &client, &people(0..3)).await, ["page"], "it is read the next time");
}

#[tokio::test]
async fn of_a_large_portal_twenty_pages_are_read() {
    let sim = portal_of(30, (0..12_000).map(owner).collect()).await;
    let client = hubspot(&sim);
    let calls = look_up(&sim, &client, &people(11_970..12_000)).await;
    assert_eq!(calls.iter().filter(|call| *call == "page").count(), 20);
    assert_eq!(calls.len(), 20 + 30, "as many owners as are kept");
    assert_eq!(look_up(&sim, &client, &people(5_000..5_030)).await, [""; 0]);
}

#[tokio::test]
async fn no_page_is_begun_once_the_time_for_pages_is_over() {
    let sim = portal_of(1, (0..3).map(owner).collect()).await;
    let client = hubspot(&sim);
    let now = Instant::now();
    let emails = people(0..3);
    let emails: Vec<_> = emails.iter().map(String::as_str).collect();
    client.list_owners(&emails, now, now + Duration::from_secs(20)).await.unwrap();
    assert_eq!(owner_calls(&sim), [""; 0]);
}

/// A world whose portal has a page full of owners, and tasks for some of them.
fn with_owners() -> crate::support::Builder {
    world().seed(|seed| {
        let task = |ticket: usize| json!({"properties": {"ticket": ticket.to_string()}});
        seed["tasks"] = (0..60).map(task).collect();
        seed["owners"] = (0..500).map(owner).collect();
    })
}

async fn deliver_sixty(world: &World, status: u64, counts: &str) {
    let ticket = |task: usize| json!({"id": task, "owner": email(task)});
    let tickets: Vec<_> = (0..60).map(ticket).collect();
    world.deliver(json!({"tickets": tickets})).await.is(status, counts);
}

#[tokio::test]
async fn a_webhook_with_sixty_owners_takes_one_call() {
    let world = with_owners().start().await;
    deliver_sixty(&world, 200, "updated 60").await;
    assert_eq!(owner_calls(&world.hubspot), ["page"]);
    assert_eq!(world.task("59", "hubspot_owner_id").as_deref(), Some("1059"));
}

#[tokio::test]
async fn five_workers_that_have_just_started_take_five_calls_for_sixty_owners() {
    let mut world = with_owners().durable().start().await;
    deliver_sixty(&world, 202, "queued 60").await;
    let mut workers: Vec<Function> = Vec::new();
    for _ in 0..5 {
        world.start_worker().await;
        workers.extend(world.worker.take());
    }
    let mut has_more = true;
    while has_more {
        has_more = false;
        for worker in &workers {
            has_more |= world.queues().poll(worker).await.0 > 0;
        }
    }
    for task in 0..60 {
        let owner = world.task(&task.to_string(), "hubspot_owner_id");
        assert_eq!(owner, Some((1_000 + task).to_string()));
    }
    let calls = owner_calls(&world.hubspot);
    assert!(calls.len() <= 5 && calls.iter().all(|call| call == "page"), "{calls:?}");
}
