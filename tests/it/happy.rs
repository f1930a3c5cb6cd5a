//! What everybody wants: a webhook becomes an updated task.

use serde_json::json;

use crate::support::event::Event;
use crate::support::world;

#[tokio::test]
async fn a_signed_webhook_updates_its_task() {
    let world = world().start().await;
    let reply = world
        .deliver(json!({"event": "e1", "id": 2, "subject": "Late", "status": "done", "owner": "ada@acme.example"}))
        .await;
    reply.is(200, "updated 1").row(0, "updated");
    assert_eq!(reply.headers["content-type"], "application/json");
    assert_eq!((&reply.body["source"], &reply.body["event"]), (&json!("shop"), &json!("e1")));
    assert_eq!(
        (&reply.body["tasks"][0]["id"], &reply.body["tasks"][0]["idProperty"]),
        (&json!("2"), &json!("ticket"))
    );
    let task = world.hubspot.task_by("ticket", "2").unwrap();
    assert_eq!(reply.body["tasks"][0]["recordId"], json!(task.id));
    assert_eq!(task.properties["hs_task_subject"], "Late");
    assert_eq!(task.properties["hs_task_status"], "COMPLETED");
    assert_eq!(task.properties["hubspot_owner_id"], "101");
}

#[tokio::test]
async fn the_request_to_hubspot_is_the_documented_one() {
    let world = world().start().await;
    world
        .deliver(json!({"tickets": [{"id": "1", "subject": "a"}, {"id": "2", "subject": ""}]}))
        .await
        .is(200, "updated 2");
    let calls = world.calls("batch/update");
    assert_eq!((calls.len(), calls[0].method.as_str()), (1, "POST"));
    assert_eq!(calls[0].path, "/crm/objects/2026-03/tasks/batch/update");
    let inputs = calls[0].body["inputs"].as_array().unwrap();
    let traces: std::collections::BTreeSet<_> =
        inputs.iter().map(|input| input["objectWriteTraceId"].as_str().unwrap()).collect();
    assert_eq!(traces.len(), 2, "trace ids are unique");
    assert_eq!(inputs[0]["id"], json!("1"));
    assert_eq!(inputs[0]["idProperty"], json!("ticket"));
    assert_eq!(inputs[0]["properties"], json!({"hs_task_subject": "a"}));
    assert_eq!(inputs[1]["properties"], json!({"hs_task_subject": ""}), "an empty text clears");
}

#[tokio::test]
async fn a_date_version_of_the_api_has_paths_of_its_own() {
    let world = world().variable("HUBSPOT_API_VERSION", "2026-03").start().await;
    world.deliver(json!({"id": "1", "subject": "a"})).await.is(200, "updated 1");
    assert_eq!(world.calls("batch/update")[0].path, "/crm/objects/2026-03/tasks/batch/update");
}

#[tokio::test]
async fn an_event_that_is_none_of_our_business_is_filtered_without_a_call() {
    let world = world().start().await;
    world.deliver(json!({"kind": "noise"})).await.is(200, "filtered 1");
    world.deliver(json!({"tickets": []})).await.is(200, "filtered 1");
    world.deliver(json!({"id": "1", "status": null})).await.is(200, "unchanged 1");
    assert!(world.calls("tasks").is_empty());
}

#[tokio::test]
async fn the_path_is_found_behind_an_api_gateway_with_and_without_a_stage() {
    let world = world().start().await;
    let event = Event::post("/shop", json!({"id": "1", "subject": "a"}).to_string()).signed();
    world.send(&event.clone().stage("prod")).await.is(200, "updated 1");
    world.send(&event.clone()).await.is(200, "updated 1");
    let slash = Event::post("/shop/", json!({"id": "1", "subject": "a"}).to_string()).signed();
    world.send(&slash).await.is(200, "updated 1");
}

#[tokio::test]
async fn a_stage_that_is_named_like_a_source_does_not_hide_it() {
    let world = world().start().await;
    let event = Event::post("/shop", json!({"id": "1", "subject": "a"}).to_string()).signed();
    world.send(&event.stage("shop")).await.is(200, "updated 1");
}

#[tokio::test]
async fn health_and_probes_are_answered_without_touching_anything() {
    let world = world().start().await;
    let reply = world.send(&Event::new("GET", "/health")).await;
    let before = world.secrets.calls().len();
    assert_eq!((reply.status, &reply.body), (200, &json!({"status": "ok"})));
    assert_eq!(world.send(&Event::new("HEAD", "/shop")).await.status, 200);
    assert_eq!(world.secrets.calls().len(), before);
    assert!(world.calls("tasks").is_empty());
}

#[tokio::test]
async fn a_base64_body_and_a_form_body_are_the_bytes_that_were_signed() {
    let world = world().start().await;
    let body = json!({"id": "1", "subject": "Größe"}).to_string();
    world.send(&Event::post("/shop", body).signed().base64()).await.is(200, "updated 1");
    assert_eq!(world.task("1", "hs_task_subject").as_deref(), Some("Größe"));
    let form = "payload=%7B%22id%22%3A%222%22%2C%22subject%22%3A%22from+a+form%22%7D";
    world.send(&Event::post("/shop", form).signed()).await.is(200, "updated 1");
    assert_eq!(world.task("2", "hs_task_subject").as_deref(), Some("from a form"));
    let fields = "id=3&subject=fields";
    world.send(&Event::post("/shop", fields).signed()).await.is(200, "updated 1");
    assert_eq!(world.task("3", "hs_task_subject").as_deref(), Some("fields"));
}

#[tokio::test]
async fn an_event_id_is_the_payloads_else_the_senders_else_the_request_id() {
    let world = world().start().await;
    let event = Event::post("/shop", json!({"id": "1", "subject": "a"}).to_string()).signed();
    let reply = world.send(&event.clone().header("x-github-delivery", "d-1")).await;
    assert_eq!(reply.body["event"], json!("d-1"));
    let reply = world.send(&event).await;
    assert!(reply.body["event"].as_str().unwrap().starts_with("request-"), "{reply:?}");
}

#[tokio::test]
async fn observing_does_everything_but_the_writing() {
    let world = world().variable("TASKHOOK_OBSERVE", "1").start().await;
    let reply = world
        .deliver(json!({"tickets": [{"id": "1", "subject": "a"}, {"id": "1", "status": "done"}]}))
        .await;
    reply.is(200, "filtered 2").row(0, "filtered observed").row(1, "filtered observed");
    assert!(world.calls("batch/update").is_empty());
}

#[tokio::test]
async fn an_event_from_the_future_counts_as_of_its_arrival() {
    let guarded = crate::support::SOURCE
        .replace("id_property = ", "updated_at_property = \"ticket_at\"\nid_property = ");
    let world = world().source("shop", &guarded).start().await;
    world
        .deliver(json!({"id": "1", "subject": "future", "at": "2999-01-01"}))
        .await
        .is(200, "updated 1");
    let at = world.task("1", "ticket_at").unwrap();
    assert!(at.starts_with("20") && !at.starts_with("2999"), "{at}");
}

#[tokio::test]
async fn expressions_see_headers_and_query() {
    let source = crate::support::SOURCE.replace(
        "'.subject'",
        "'\"\\($query.team)/\\($headers[\"x-kind\"])/\\($headers[\"x-hub-signature-256\"])\"'",
    );
    let world = world().source("shop", &source).start().await;
    let event = Event::post("/shop", json!({"id": "1"}).to_string())
        .query("team=a%20b")
        .header("X-Kind", "k");
    world.send(&event.signed()).await.is(200, "updated 1");
    assert_eq!(world.task("1", "hs_task_subject").as_deref(), Some("a b/k/null"));
}
