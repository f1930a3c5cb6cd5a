//! Bad input is answered well: a clear status, nothing lost, nothing crashed.

use serde_json::{Value, json};

use crate::support::event::{Event, hmac_sha256};
use crate::support::{Reply, SECRET, SOURCE, World, world};

async fn signed(world: &World, body: impl Into<Vec<u8>>) -> Reply {
    world.send(&Event::post("/shop", body).signed()).await
}

async fn world_of(source: &str) -> World {
    world().source("shop", source).start().await
}

/// The function still works.
async fn goes_on(world: &World) {
    world.deliver(json!({"id": "1", "subject": "goes on"})).await.is(200, "updated 1");
}

/// A source that takes JSON alone, from whoever knows the address.
fn open() -> String {
    SOURCE.replace("scheme = \"github\"\nsecret = \"{tests}/shop\"", "scheme = \"none\"")
}

/// Bodies that are no JSON that is taken, and what the sender is told of each.
fn unreadable() -> Vec<(Vec<u8>, &'static str)> {
    let deep = format!("{}{}", "[".repeat(129), "]".repeat(129));
    vec![
        (b"".to_vec(), "is empty"),
        (b"  ".to_vec(), "is empty"),
        (b"{".to_vec(), "is not JSON"),
        (b"[not json]".to_vec(), "is not JSON"),
        (b"{\"a\": 1,}".to_vec(), "is not JSON"),
        (b"\xff\xfe".to_vec(), "is not UTF-8"),
        (deep.into_bytes(), "nested more than 128 deep"),
        ("[".repeat(500_000).into_bytes(), "is not JSON"),
        (b"{\"id\": 1, \"i\\u0064\": 2}".to_vec(), "a name twice"),
        (format!("[{}]", "1".repeat(1001)).into_bytes(), "more than 1,000 digits"),
    ]
}

#[tokio::test]
async fn a_body_that_cannot_be_read_and_that_nobody_signed_is_400() {
    let world = world().with_dead_letters().source("shop", &open()).start().await;
    for (body, words) in unreadable() {
        let reply = world.send(&Event::post("/shop", body)).await;
        assert!(
            reply.is_problem(400).body["detail"].as_str().unwrap().contains(words),
            "{words}: {reply:?}"
        );
    }
    assert!(world.queues().dead().await.is_empty());
    goes_on(&world).await;
}

#[tokio::test]
async fn a_signed_body_that_cannot_be_read_is_a_failed_row_and_a_dead_letter_in_both_modes() {
    for builder in [world().with_dead_letters(), world().durable()] {
        let world = builder.start().await;
        for (body, words) in unreadable() {
            let event =
                Event::post("/shop", body.clone()).header("x-github-delivery", "d-1").signed();
            let reply = world.send(&event).await;
            reply.is(200, "failed 1").row(0, "failed unreadable");
            assert!(reply.detail(0).contains(words), "{words}: {reply:?}");
            assert_eq!(
                (&reply.body["event"], &reply.body["tasks"][0]["id"]),
                (&json!("d-1"), &json!(null))
            );
            let letters = world.queues().dead().await;
            let letter: Value = serde_json::from_str(&letters[0]).unwrap();
            assert_eq!(
                (letters.len(), &letter["reason"], &letter["event"]),
                (1, &json!("unreadable"), &json!("d-1"))
            );
            assert!(letter["headers"].get("x-hub-signature-256").is_none(), "{letter}");
            match String::from_utf8(body) {
                Ok(text) => {
                    assert_eq!((&letter["body"], letter.get("bodyBase64")), (&json!(text), None));
                }
                Err(_) => {
                    assert_eq!((&letter["bodyBase64"], letter.get("body")), (&json!("//4="), None));
                }
            }
        }
        world.send(&Event::post("/shop", "{").signed_with("another secret")).await.is_problem(401);
        assert!(world.queues().dead().await.is_empty());
        assert!(world.calls("tasks").is_empty());
    }
}

#[tokio::test]
async fn a_json_scalar_is_a_mapping_failure_and_never_400() {
    let world = world().source("shop", &open()).start().await;
    for body in ["1", "\"text\"", "true"] {
        let reply = signed(&world, body).await;
        reply.is(200, "failed 1").row(0, "failed mapping");
        assert_eq!(reply.body["tasks"][0]["id"], json!(null), "{reply:?}");
    }
    signed(&world, "null").await.is(200, "filtered 1");
}

#[tokio::test]
async fn an_author_who_breaks_out_of_a_template_closes_no_other_ticket() {
    let template = SOURCE.replace(
        "scheme = \"github\"",
        "scheme = \"token\"\nheader = \"authorization\"\nprefix = \"Bearer \"",
    );
    let world = world().with_dead_letters().source("shop", &template).start().await;
    let subject = "help\", \"id\": \"1\", \"status\": \"done";
    let body = format!("{{\"id\": \"2\", \"subject\": \"{subject}\"}}");
    let event =
        Event::post("/shop", body.clone()).header("authorization", &format!("Bearer {SECRET}"));
    world.send(&event).await.is(200, "failed 1").row(0, "failed unreadable");
    assert!(world.calls("tasks").is_empty());
    let letter: Value = serde_json::from_str(&world.queues().dead().await[0]).unwrap();
    assert_eq!(letter["body"], json!(body));
}

#[tokio::test]
async fn a_signed_json_body_is_never_read_as_a_form() {
    let world = world().start().await;
    let inner = encoded(r#"{"id": "1", "status": "done"}"#);
    let body = json!({"id": "2", "subject": format!("x&payload={inner}&")}).to_string();
    for content_type in
        ["application/x-www-form-urlencoded", "application/json", "text/plain; charset=utf-16"]
    {
        let event =
            Event::post("/shop", body.clone()).signed().header("content-type", content_type);
        let reply = world.send(&event).await;
        assert_eq!(
            (reply.status, &reply.body["tasks"][0]["id"]),
            (200, &json!("2")),
            "{content_type} {reply:?}"
        );
    }
    assert_eq!(world.task("1", "hs_task_status"), None);
    let form = Event::post("/shop", format!("payload={inner}")).signed();
    world.send(&form).await.is(200, "updated 1");
    let twice = Event::post("/shop", format!("payload={inner}&payload={inner}")).signed();
    world.send(&twice).await.is(200, "failed 1").row(0, "failed unreadable");
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[tokio::test]
async fn an_id_that_reaches_into_the_body_is_401() {
    let source = SOURCE
        .replace("scheme = \"github\"", "scheme = \"standard-webhooks\"")
        .replace("'.id'", "'.[0]'");
    let world =
        world().source("shop", &source).secret("shop", "whsec_AQIDBAUGBwgJCgsM").start().await;
    let now = taskhook::time::Time::now().milliseconds() / 1000;
    let signed = |id: &str, time: &str, body: &str| {
        let key = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
        let signature = hmac_sha256(&key, format!("{id}.{time}.{body}").as_bytes());
        let signature =
            base64::Engine::encode(&base64::engine::general_purpose::STANDARD, signature);
        let event =
            Event::post("/shop", body).header("webhook-signature", &format!("v1,{signature}"));
        event.header("webhook-id", id).header("webhook-timestamp", time)
    };
    let old = "msg_1.1764000000.{\"type\":";
    world.send(&signed(old, &now.to_string(), "[\"1\"]")).await.is_problem(401);
    let reply = world.send(&signed("msg_1", &now.to_string(), "[\"1\"]")).await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

#[tokio::test]
async fn half_of_a_character_and_a_byte_order_mark_are_taken() {
    let world = world().start().await;
    signed(&world, r#"{"id": "1", "subject": "cut \ud83d", "\udc00": "nobody reads this \ud83d"}"#)
        .await
        .is(200, "updated 1");
    assert_eq!(world.task("1", "hs_task_subject").as_deref(), Some("cut \u{fffd}"));
    signed(&world, "\u{feff}\r\n{\"id\": \"2\", \"subject\": \"marked\"}")
        .await
        .is(200, "updated 1");
    assert_eq!(world.task("2", "hs_task_subject").as_deref(), Some("marked"));
}

#[tokio::test]
async fn a_panic_of_jq_is_a_mapping_failure_with_a_letter_in_both_modes() {
    let panics = SOURCE.replace(
        "hs_task_subject = '.subject'",
        r#"hs_task_subject = 'if .id == "1" then .subject * 9223372036854775807 else .subject end'"#,
    );
    for builder in [world().with_dead_letters(), world().durable()] {
        let world = builder.source("shop", &panics).start().await;
        let reply = world
            .deliver(
                json!({"tickets": [{"id": "1", "subject": "abc"}, {"id": "2", "subject": "b"}]}),
            )
            .await;
        reply.row(0, "failed mapping");
        assert!(reply.detail(0).starts_with("jq failed in itself"), "{reply:?}");
        assert!(
            matches!((reply.status, reply.body["failed"].as_u64()), (200 | 202, Some(1))),
            "{reply:?}"
        );
        let letter: Value = serde_json::from_str(&world.queues().dead().await[0]).unwrap();
        assert_eq!(
            (&letter["reason"], &letter["failed"]["updates"]),
            (&json!("mapping"), &json!([0]))
        );
    }
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
    world
        .send(&event.clone().header("x-hub-signature-256", &format!("{right},{right}")))
        .await
        .is_problem(401);
    world.send(&event.clone().header("x-hub-signature-256", &right[7..])).await.is_problem(401);
    world
        .send(&event.clone().header("x-hub-signature-256", &right.replace("sha256", "sha1")))
        .await
        .is_problem(401);
    // Not JSON, but that is nobody's business without a signature.
    world.send(&Event::post("/shop", "{")).await.is_problem(401);
    assert!(world.calls("tasks").is_empty());
    let upper =
        format!("sha256={}", hex::encode_upper(hmac_sha256(SECRET.as_bytes(), body.as_bytes())));
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
        let signature =
            base64::Engine::encode(&base64::engine::general_purpose::STANDARD, signature);
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
    reply
        .is(200, "updated 1, failed 3")
        .row(0, "failed mapping")
        .row(1, "failed mapping")
        .row(2, "failed mapping");
    assert!(reply.detail(0).contains("[task] id: it gives null"), "{reply:?}");
    let detail = reply.detail(2);
    assert!(
        detail.contains("hs_task_subject: ") && detail.contains("hs_task_status: \"someday\""),
        "{detail}"
    );
    assert!(detail.contains("open, done"), "it names what is known: {detail}");
    assert_eq!(world.task("2", "hs_task_subject").as_deref(), Some("good"));
}

#[tokio::test]
async fn an_expression_that_fails_at_run_time_is_a_failed_update() {
    let source =
        SOURCE.replace("time = '.at'\nwhen", "time = '.at | ltrimstr(\"x\") | error'\nwhen");
    let world = world().source("shop", &source).start().await;
    let reply = world.deliver(json!({"id": "1", "subject": "a", "at": "whatever"})).await;
    reply.is(200, "failed 1").row(0, "failed mapping");
    assert!(reply.detail(0).starts_with("[event] time: \"whatever\""), "{reply:?}");
}

#[tokio::test]
async fn nothing_of_the_sender_reaches_the_problem() {
    let world = world().start().await;
    let reply = world.send(&Event::post("/shop", "{\"secret\": \"of the sender\"").signed()).await;
    assert!(!reply.is(200, "failed 1").body.to_string().contains("of the sender"));
    let open = world_of(&open()).await;
    let reply = open.send(&Event::post("/shop", "{\"secret\": \"of the sender\"")).await;
    assert!(!reply.is_problem(400).body.to_string().contains("of the sender"));
}
