//! The mode of a stack is changed under traffic, and changed back.

use serde_json::json;

use crate::support::template::{change, queues};
use crate::support::{SOURCE, World, world};

#[tokio::test]
async fn a_change_of_mode_loses_no_update_and_no_letter_either_way() {
    let guarded = "id_property = \"ticket\"\nupdated_at_property = \"ticket_at\"";
    let source = SOURCE.replace("id_property = \"ticket\"", guarded);
    let mut world = world().source("shop", &source).durable().start().await;
    let (name, token, hubspot) =
        (world.tests.clone(), format!("{}/hubspot", world.tests), world.hubspot.url());
    let parameters = |mode: &'static str| {
        [("Mode", mode), ("HubSpotTokenSecret", &token), ("HubSpotBaseUrl", &hubspot)]
    };
    let addresses = (world.queues().updates.clone(), world.queues().dead_letters.clone());
    let event = |id: &str, subject: &str, hour: u8| json!({"id": id, "subject": subject, "at": format!("2026-10-12T{hour}:00:00Z")});

    // HubSpot was down, say: both queues have something when the mode is changed.
    let of_ten =
        [event("1", "of ten", 10), event("2", "of ten", 10), json!({"id": "3", "subject": {}})];
    world.deliver(json!({"tickets": of_ten})).await.is(202, "queued 2, failed 1");
    let direct = change(&name, &parameters("Direct")).await;
    assert_eq!(queues(&direct).both(), addresses);
    // A running instance has its old environment until it is replaced.
    world.deliver(event("3", "of eleven", 11)).await.is(202, "queued 1");
    world.deploy(&direct).await;
    world.deliver(event("1", "of twelve", 12)).await.is(200, "updated 1");
    // What was queued before lands after it: the guard knows the order.
    assert_eq!(world.poll().await, (3, 0));
    let subject = |world: &World, id| world.task(id, "hs_task_subject").unwrap();
    assert_eq!(
        [subject(&world, "1"), subject(&world, "2"), subject(&world, "3")],
        ["of twelve", "of ten", "of eleven"]
    );

    let durable = change(&name, &parameters("Durable")).await;
    assert_eq!(queues(&durable).both(), addresses);
    world.deliver(event("2", "of thirteen", 13)).await.is(200, "updated 1");
    world.deploy(&durable).await;
    world.deliver(event("3", "of thirteen", 13)).await.is(202, "queued 1");
    assert_eq!(world.poll().await, (1, 0));
    assert_eq!([subject(&world, "2"), subject(&world, "3")], ["of thirteen", "of thirteen"]);
    assert_eq!(world.queues().letters().await.len(), 1);
}
