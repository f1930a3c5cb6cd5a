//! A ticket's whole life, in both modes: its task hangs on its contact and keeps what a person wrote.

use reqwest::Method;
use serde_json::{Value, json};
use taskhook::outbound;
use taskhook::queue::Content;
use taskhook::sim::{Endpoint, Fault, ObjectType};

use crate::support::{Builder, World, world};

/// The source of the demo, with the names and the signature of the tests.
fn source() -> String {
    let demo = include_str!("../../src/cli/demo/life.toml");
    let tests =
        demo.replace("standard-webhooks", "github").replace("taskhook/tickets", "{tests}/shop");
    tests.replace("\"ticket_id\"", "\"ticket\"").replace("ticket_updated_at", "ticket_at")
}

fn help_desk() -> Builder {
    world().source("shop", &source()).seed(|seed| {
        seed["contacts"] = json!([{"id": "700", "properties": {"email": "eva@customer.example"}}]);
    })
}

/// What happens to the ticket, one thing after the other.
fn event(step: usize, kind: &str, ticket: &Value) -> Value {
    let mut ticket = ticket.clone();
    ticket["id"] = json!("T-9");
    ticket["requester"] = json!("Eva@customer.example");
    json!({"type": kind, "at": format!("2026-03-02T10:0{step}:00Z"), "ticket": ticket})
}

/// Delivers an event, and lets the worker do its part. Returns what the sender got.
async fn deliver(world: &World, event: Value) -> Value {
    let reply = world.deliver(event).await;
    if world.worker.is_some() {
        reply.is(202, "queued 1");
        world.drain().await;
    }
    reply.body
}

/// A person writes into the task in HubSpot.
async fn write(world: &World, properties: Value) {
    let task = world.hubspot.task_by("ticket", "T-9").unwrap().id;
    let url = format!("{}/crm/objects/2026-03/tasks/{task}", world.hubspot.url_to_look());
    let body = json!({ "properties": properties }).to_string();
    let request = outbound::client(false).request(Method::PATCH, &url).body(body);
    let request =
        request.bearer_auth(crate::support::TOKEN).header("content-type", "application/json");
    assert!(request.send().await.unwrap().status().is_success());
}

/// Status, subject and text of the task, and what it hangs on.
fn task(world: &World) -> [String; 4] {
    let value = |name| world.task("T-9", name).unwrap_or_default();
    let links: Vec<_> = world
        .hubspot
        .associations()
        .into_iter()
        .map(|link| {
            assert_eq!(link.to_object, ObjectType::Contacts);
            link.to_id
        })
        .collect();
    [value("hs_task_status"), value("hs_task_subject"), value("hs_task_body"), links.join(" ")]
}

#[tokio::test]
async fn a_task_hangs_on_its_contact_and_keeps_what_a_person_wrote() {
    for builder in [help_desk(), help_desk().durable()] {
        let world = builder.start().await;
        let opened = event(1, "opened", &json!({"subject": "Printer", "status": "new"}));
        let reply = deliver(&world, opened.clone()).await;
        assert_eq!(task(&world), ["NOT_STARTED", "Printer", "", "700"]);
        if world.worker.is_none() {
            assert_eq!(reply["tasks"][0]["associated"], json!({"contact": "linked"}));
        }
        deliver(&world, event(2, "changed", &json!({"subject": "Printer!", "status": "open"})))
            .await;
        assert_eq!(task(&world), ["IN_PROGRESS", "Printer", "", "700"]);
        write(
            &world,
            json!({"hs_task_subject": "Call Eva", "hs_task_body": "She is in on Monday."}),
        )
        .await;
        for (step, kind, status, shown) in [
            (3, "changed", "open", "IN_PROGRESS"),
            (4, "changed", "solved", "COMPLETED"),
            (5, "changed", "open", "IN_PROGRESS"),
            (6, "deleted", "open", "DEFERRED"),
        ] {
            let ticket = json!({"subject": "Printer", "text": "It burns.", "status": status});
            deliver(&world, event(step, kind, &ticket)).await;
            assert_eq!(task(&world), [shown, "Call Eva", "She is in on Monday.", "700"]);
        }
        // The first event once more is too late.
        deliver(&world, opened).await;
        assert_eq!(task(&world)[0], "DEFERRED");
        assert_eq!(world.hubspot.tasks().len(), 4);
    }
}

#[tokio::test]
async fn a_link_that_could_not_be_made_is_made_when_the_event_comes_again() {
    for builder in [help_desk(), help_desk().durable()] {
        let world = builder.variable("TASKHOOK_REPLY_WITHIN", "3s").start().await;
        world.hubspot.fault(Fault {
            on: Endpoint::Associate,
            status: Some(503),
            forever: true,
            ..Fault::default()
        });
        let opened = event(1, "opened", &json!({"subject": "Printer", "status": "new"}));
        if world.worker.is_some() {
            world.deliver(opened.clone()).await.is(202, "queued 1");
            assert_eq!(world.poll().await, (1, 1));
        } else {
            world.deliver(opened.clone()).await.is_problem(503);
        }
        assert_eq!(task(&world), ["NOT_STARTED", "Printer", "", ""]);
        world.hubspot.clear_faults();
        if world.worker.is_some() {
            world.queues().time_passes().await;
            world.drain().await;
        } else {
            let reply = world.deliver(opened).await;
            reply.is(200, "unchanged 1").row(0, "unchanged");
        }
        assert_eq!(task(&world), ["NOT_STARTED", "Printer", "", "700"]);
        assert_eq!(world.hubspot.tasks().len(), 4);
    }
}

#[tokio::test]
async fn a_letter_about_a_contact_that_is_missing_holds_the_links_alone() {
    let worlds = [help_desk().with_dead_letters(), help_desk().durable()];
    for builder in worlds {
        let world = builder.start().await;
        let mut opened = event(1, "opened", &json!({"subject": "Printer", "status": "new"}));
        opened["ticket"]["requester"] = json!("nobody@customer.example");
        let reply = deliver(&world, opened).await;
        assert_eq!(task(&world), ["NOT_STARTED", "Printer", "", ""]);
        if world.worker.is_none() {
            assert_eq!(reply["tasks"][0]["reason"], json!("not_associated"));
        }
        let letters = world.queues().letters().await;
        assert_eq!((letters.len(), letters[0].reason.as_str()), (1, "not_associated"));
        let Content::Update { update } = &letters[0].content else { panic!("{letters:?}") };
        assert!(update.properties.is_empty() && update.associate.is_some(), "{update:?}");
    }
}
