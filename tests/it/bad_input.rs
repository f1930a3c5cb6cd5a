//! Bad input is answered well: a clear status, nothing lost, nothing crashed.

use serde_json::json;

use crate::support::event::{Event, hmac_sha256};
use crate::support::{Reply, SECRET, SOURCE, World, world};

async fn signed(world: &World, body: impl Into<Vec<u8>>) -> Reply {
    world.send(&Event::post("/shop", body).signed()).await
}

/// The function still works.
async fn goes_on(world: &World) {
    world.deliver(json!({"id": "1", "subject": "goes on"})).await.is(200, "updated 1");
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_400() {
    let world = world().start().await;
    let deep = format!("{}{}", "[".repeat(129), "]".repeat(129));
    for body in [&b""[..], b"  ", b"{", b"not json", b"{\"a\": 1,}", b"\xff\xfe", deep.as_bytes(), b"\"\\ud800\""] {
        signed(&world, body).await.is_problem(400);
    }
    signed(&world, "[".repeat(500_000)).await.is_problem(400);
    goes_on(&world).await;
}

#[tokio::test]
async fn a_json_scalar_is_a_mapping_failure_and_never_400() {
    let world = world().start().await;
    for body in ["1", "\"text\"", "true"] {
        let reply = signed(&world, body).await;
        reply.is(200, "failed 1").row(0, "failed mapping");
        assert_eq!(reply.body["tasks"][0]["id"], json!(null), "{reply:?}");
    }
    signed(&world, "null").await.is(200, "filtered 1");
}

#[tokio::test]
async fn wrong_methods_and_paths_are_told_apart() {
    let world = world().start().await;
    for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let reply = world.send(&Event::new(method, "/shop")).await;
        assert_eq!(reply.is_problem(405).headers["allow"], "POST, HEAD");
    }
    for path in ["/", "/nobody", "/shop/more", "/Shop", "//shop"] {
        world.send(&Event::post(path, "{}").signed()).await.is_problem(404);
    }
}

#[tokio::test]
async fn a_delivery_that_is_not_signed_right_is_401_before_its_body_is_parsed() {
    let world = world().start().await;
    let body = json!({"id": "1", "subject": "forged"}).to_string();
    let event = Event::post("/shop", body.clone());
    world.send(&event).await.is_problem(401);
    world.send(&event.clone().signed_with("another secret")).await.is_problem(401);
    world.send(&event.clone().header("x-hub-signature-256", "")).await.is_problem(401);
    world.send(&event.clone().header("x-hub-signature-256", "sha256=zz")).await.is_problem(401);
    let right = format!("sha256={}", hex::encode(hmac_sha256(SECRET.as_bytes(), body.as_bytes())));
    // Lambda joins headers that stand twice by a comma.
    world.send(&event.clone().header("x-hub-signature-256", &format!("{right},{right}"))).await.is_problem(401);
    world.send(&event.clone().header("x-hub-signature-256", &right[7..])).await.is_problem(401);
    world.send(&event.clone().header("x-hub-signature-256", &right.replace("sha256", "sha1"))).await.is_problem(401);
    // Not JSON, but that is nobody's business without a signature.
    world.send(&Event::post("/shop", "{")).await.is_problem(401);
    assert!(world.calls("tasks").is_empty());
    let upper = format!("sha256={}", hex::encode_upper(hmac_sha256(SECRET.as_bytes(), body.as_bytes())));
    world.send(&event.header("x-hub-signature-256", &upper)).await.is(200, "updated 1");
}

#[tokio::test]
async fn a_signed_time_is_held_against_the_clock_in_both_directions() {
    let source = SOURCE.replace("scheme = \"github\"", "scheme = \"zendesk\"");
    let world = world().source("shop", &source).start().await;
    let body = json!({"id": "1", "subject": "a"}).to_string();
    let at = |seconds: i64| {
        let now = taskhook::time::Time::now().milliseconds();
        let time = taskhook::time::Time::from_milliseconds(now + seconds * 1000).to_string();
        let signature = hmac_sha256(SECRET.as_bytes(), format!("{time}{body}").as_bytes());
        let signature = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, signature);
        Event::post("/shop", body.clone())
            .header("x-zendesk-webhook-signature", &signature)
            .header("x-zendesk-webhook-signature-timestamp", &time)
    };
    world.send(&at(-400)).await.is_problem(401);
    world.send(&at(400)).await.is_problem(401);
    world.send(&at(0).header("x-zendesk-webhook-signature-timestamp", "")).await.is_problem(401);
    world.send(&at(0)).await.is(200, "updated 1");
}

#[tokio::test]
async fn a_body_over_one_mebibyte_is_413_and_one_below_is_not() {
    let world = world().start().await;
    let of_size = |size: usize| {
        let frame = json!({"id": "1", "subject": ""}).to_string().len();
        json!({"id": "1", "subject": "x".repeat(size - frame)}).to_string()
    };
    signed(&world, of_size(1024 * 1024 + 1)).await.is_problem(413);
    let reply = signed(&world, of_size(1024 * 1024)).await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

#[tokio::test]
async fn an_update_that_cannot_be_mapped_fails_alone_with_everything_that_is_wrong() {
    let world = world().start().await;
    let reply = world
        .deliver(json!({"tickets": [
            {"id": null, "subject": "a"},
            {"id": {"of": "course"}},
            {"id": "1", "status": "someday", "subject": {}},
            {"id": "2", "subject": "good"},
        ]}))
        .await;
    reply.is(200, "updated 1, failed 3").row(0, "failed mapping").row(1, "failed mapping").row(2, "failed mapping");
    assert!(reply.detail(0).contains("[task] id: it gives null"), "{reply:?}");
    let detail = reply.detail(2);
    assert!(detail.contains("hs_task_subject: ") && detail.contains("hs_task_status: \"someday\""), "{detail}");
    assert!(detail.contains("open, done"), "it names what is known: {detail}");
    assert_eq!(world.task("2", "hs_task_subject").as_deref(), Some("good"));
}

#[tokio::test]
async fn an_expression_that_fails_at_run_time_is_a_failed_update() {
    let source = SOURCE.replace("time = '.at'\nwhen", "time = '.at | ltrimstr(\"x\") | error'\nwhen");
    let world = world().source("shop", &source).start().await;
    let reply = world.deliver(json!({"id": "1", "subject": "a", "at": "whatever"})).await;
    reply.is(200, "failed 1").row(0, "failed mapping");
    assert!(reply.detail(0).starts_with("[event] time: \"whatever\""), "{reply:?}");
}

#[tokio::test]
async fn nothing_of_the_sender_reaches_the_problem() {
    let world = world().start().await;
    let reply = world.send(&Event::post("/shop", "{\"secret\": \"of the sender\"").signed()).await;
    assert!(!reply.is_problem(400).body.to_string().contains("of the sender"));
}
