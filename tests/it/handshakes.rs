//! What senders ask before they send events.

use serde_json::{Value, json};

use crate::support::event::{Event, hmac_sha256};
use crate::support::{Builder, Reply, SECRET, SOURCE, World, world};

fn with(scheme: &str) -> Builder {
    world().source("shop", &SOURCE.replace("\"github\"", &format!("{scheme:?}")))
}

async fn send(world: &World, header: Option<(&str, &str)>, body: Value) -> Reply {
    let event = Event::post("/shop", body.to_string());
    let event = header.map_or(event.clone(), |(name, value)| event.header(name, value));
    world.send(&event).await
}

#[tokio::test]
async fn asanas_secret_is_said_back_while_there_is_none() {
    let first = with("asana").without_secret("shop").start().await;
    let reply =
        send(&first, Some(("x-hook-secret", "b537207f20cbfa02357cf448134da559")), json!({})).await;
    assert_eq!(
        (reply.status, reply.headers["x-hook-secret"].as_str()),
        (200, "b537207f20cbfa02357cf448134da559")
    );
    assert!(
        !first.function.log().contains("b537207f"),
        "Asana tells it to whoever made the webhook"
    );
    // An event can't be verified yet.
    send(&first, None, json!({"events": []})).await.is_problem(500);
    let later = with("asana").start().await;
    send(&later, Some(("x-hook-secret", "a strangers")), json!({})).await.is_problem(401);
}

#[tokio::test]
async fn a_secret_without_a_value_or_without_the_field_is_as_good_as_none() {
    let world = with("asana").without_secret("shop").start().await;
    world.secrets.create_empty(&format!("{}/shop", world.tests)).await;
    let reply = send(&world, Some(("x-hook-secret", "b537207f20cbfa02")), json!({})).await;
    assert_eq!((reply.status, reply.headers["x-hook-secret"].as_str()), (200, "b537207f20cbfa02"));
    let text =
        SOURCE.replace("\"github\"", "\"asana\"").replace("{tests}/shop", "{tests}/all#asana");
    let field = world_with_one_of_several(&text).await;
    assert_eq!(
        send(&field, Some(("x-hook-secret", "b537207f20cbfa02")), json!({})).await.status,
        200
    );
}

async fn world_with_one_of_several(text: &str) -> World {
    world().source("shop", text).secret("all", r#"{"github": "x"}"#).start().await
}

#[tokio::test]
async fn tests_and_heartbeats_of_a_sender_are_filtered_whatever_the_source_says() {
    for (scheme, header, body) in [
        ("github", Some(("x-github-event", "ping")), json!({"zen": "Keep it logically awesome."})),
        (
            "pagerduty",
            None,
            json!({"event": {"event_type": "pagey.ping", "data": {"message": "Hello"}}}),
        ),
        ("intercom", None, json!({"type": "notification_event", "topic": "ping", "data": {}})),
        ("helpscout", Some(("x-helpscout-event", "helpscout.test")), json!({"test": true})),
        ("asana", None, json!({"events": []})),
    ] {
        let text = SOURCE
            .replace("\"github\"", &format!("{scheme:?}"))
            .replace("when = '.kind != \"noise\"'", "");
        let text = text.replace("id = '.event'\n", "");
        let world = world().source("shop", &text).start().await;
        let body = body.to_string();
        let signed = taskhook_signs(&world, &body).await;
        let event = signed["headers"]
            .as_object()
            .unwrap()
            .iter()
            .fold(Event::post("/shop", body), |event, (name, value)| {
                event.header(name, value.as_str().unwrap())
            });
        let no_op = header.map_or(event.clone(), |(name, value)| event.clone().header(name, value));
        world.send(&no_op).await.is(200, "filtered 1");
        if header.is_some() {
            world.send(&event).await.is(200, "failed 1");
        }
    }
}

/// What a sender sends, as the tool of the command line signs it.
async fn taskhook_signs(world: &World, body: &str) -> Value {
    let payload = world.folder().join("payload.json");
    std::fs::write(&payload, body).unwrap();
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_taskhook"));
    command.args(["event", "shop", payload.to_str().unwrap(), "--secret", SECRET]);
    let output = command.env("TASKHOOK_SOURCES", world.folder()).output().await.unwrap();
    serde_json::from_slice(&output.stdout).expect("a signed event")
}

#[tokio::test]
async fn notions_token_is_logged_once_while_there_is_none() {
    let first = with("notion").without_secret("shop").start().await;
    for _ in 0..3 {
        let reply =
            send(&first, None, json!({"verification_token": "secret_tMrlL1qK5vuQAh1b6cZGh"})).await;
        assert_eq!((reply.status, &reply.body), (200, &json!("")));
    }
    first.function.logs(&format!("store this value as the secret {}/shop", first.tests)).await;
    send(&first, None, json!({"type": "page.created"})).await.is_problem(500);
    assert_eq!(first.function.log().matches("secret_tMrlL1qK5vuQAh1b6cZGh").count(), 1);
    let later = with("notion").start().await;
    send(&later, None, json!({"verification_token": "secret_of_a_stranger"})).await.is_problem(401);
    assert!(!later.function.log().contains("secret_of_a_stranger"));
}

#[tokio::test]
async fn invented_tokens_do_not_keep_notions_own_out_of_the_log() {
    let world = with("notion").without_secret("shop").start().await;
    for n in 0..120 {
        send(&world, None, json!({"verification_token": format!("secret_invented_{n}")})).await;
    }
    let real = json!({"verification_token": "secret_tMrlL1qK5vuQAh1b6cZGh"});
    for _ in 0..2 {
        assert_eq!(send(&world, None, real.clone()).await.status, 200);
    }
    world.function.logs("secret_tMrlL1qK5vuQAh1b6cZGh").await;
    send(&world, None, json!({"type": "page.created"})).await.is_problem(500);
    assert_eq!(world.function.log().matches("secret_tMrlL1qK5vuQAh1b6cZGh").count(), 1);
}

#[tokio::test]
async fn a_secret_that_an_answer_is_silent_about_is_not_missing() {
    let world = with("notion").slow_secrets(1_300).start().await;
    // The start gave up waiting: the first delivery fetches all secrets together.
    world.secrets.hides("/shop");
    let reply = send(&world, None, json!({"verification_token": "secret_of_a_stranger"})).await;
    reply.is_problem(401);
    assert_eq!(world.secrets.calls().last().map(String::as_str), Some("GetSecretValue"));
    assert!(!world.function.log().contains("secret_of_a_stranger"));
}

#[tokio::test]
async fn slacks_challenge_is_answered_when_it_is_signed() {
    let world = with("slack").start().await;
    let body = json!({"type": "url_verification", "challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"});
    send(&world, None, body.clone()).await.is_problem(401);
    let time = (taskhook::time::Time::now().milliseconds() / 1000).to_string();
    let signature =
        hex::encode(hmac_sha256(SECRET.as_bytes(), format!("v0:{time}:{body}").as_bytes()));
    let event = Event::post("/shop", body.to_string())
        .header("x-slack-request-timestamp", &time)
        .header("x-slack-signature", &format!("v0={signature}"));
    let reply = world.send(&event).await;
    assert_eq!((reply.status, reply.headers["content-type"].as_str()), (200, "text/plain"));
    assert_eq!(reply.body, body["challenge"]);
}

#[tokio::test]
async fn mondays_challenge_is_said_back_as_json_and_nothing_else_is_read_unsigned() {
    let text = SOURCE.replace("\"github\"", "\"monday\"\nurl = \"https://hooks.example/shop\"");
    let world = world().source("shop", &text).start().await;
    let challenge = json!({"challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"});
    let reply = send(&world, None, challenge.clone()).await;
    assert_eq!((reply.status, reply.headers["content-type"].as_str()), (200, "application/json"));
    assert_eq!(reply.body, challenge);
    send(&world, None, json!({"challenge": "c", "more": "x".repeat(5000)})).await.is_problem(401);
    send(&world, None, json!({"challenge": {"deep": 1}})).await.is_problem(401);
    send(&world, None, json!({"event": {"pulseId": 1}})).await.is_problem(401);
}

#[tokio::test]
async fn fronts_challenge_is_said_back() {
    let world = with("front").start().await;
    let reply = send(&world, Some(("x-front-challenge", "challenge-42")), json!({})).await;
    assert_eq!((reply.status, &reply.body), (200, &json!("challenge-42")));
    send(&world, Some(("x-front-challenge", &"x".repeat(600))), json!({})).await.is_problem(401);
}
