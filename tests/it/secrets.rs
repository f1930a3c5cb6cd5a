//! Secrets: fetched once, trusted for a while, never shown.

use serde_json::json;

use crate::support::aws::{Emulator, SecretsManager};
use crate::support::event::Event;
use crate::support::{SECRET, SOURCE, TOKEN, World, world};

fn one(path: &str, secret: &str) -> Event {
    Event::post(path, json!({"id": "1", "subject": "a"}).to_string()).signed_with(secret)
}

async fn updated(world: &World, secret: &str) {
    world.send(&one("/shop", secret)).await.is(200, "updated 1");
}

#[tokio::test]
async fn all_secrets_are_fetched_together_at_the_start_and_once() {
    let world = world().source("other", SOURCE).start().await;
    for _ in 0..3 {
        updated(&world, SECRET).await;
        world.send(&one("/other", SECRET)).await.is(200, "updated 1");
    }
    assert_eq!(world.secrets.calls(), ["BatchGetSecretValue"]);
}

#[tokio::test]
async fn one_secret_serves_all_its_fields() {
    let both = json!({"webhook": [SECRET, "the next one"], "token": TOKEN}).to_string();
    let world = world()
        .source("shop", &SOURCE.replace("{tests}/shop", "{tests}/both#webhook"))
        .variable("HUBSPOT_TOKEN_SECRET", "{tests}/both#token")
        .secret("both", &both)
        .start()
        .await;
    updated(&world, SECRET).await;
    updated(&world, "the next one").await;
    assert_eq!(world.secrets.calls(), ["GetSecretValue"]);
}

#[tokio::test]
async fn a_secret_with_a_line_break_and_a_list_that_was_stored_as_text_are_accepted() {
    for stored in [
        format!("{SECRET}\n"),
        format!("{SECRET}\r\n"),
        json!(["new", SECRET]).to_string(),
        json!(json!(["new", format!("{SECRET}\n")]).to_string()).to_string(),
    ] {
        let world = world().secret("shop", &stored).start().await;
        updated(&world, SECRET).await;
        world.send(&one("/shop", "another")).await.is_problem(401);
    }
    let field = json!({"key": json!(["new", SECRET]).to_string()}).to_string();
    let source = SOURCE.replace("{tests}/shop", "{tests}/shop#key");
    let world = world().source("shop", &source).secret("shop", &field).start().await;
    updated(&world, SECRET).await;
    updated(&world, "new").await;
}

#[tokio::test]
async fn a_secret_with_something_around_it_is_hinted_at_in_the_log() {
    for stored in [
        "\"SECRET\"",
        "'SECRET'",
        " SECRET",
        "SECRET \n",
        "\u{feff}SECRET",
        "['SECRET']",
        "[\"SECRET\"",
    ] {
        let world = world().secret("shop", &stored.replace("SECRET", SECRET)).start().await;
        world.send(&one("/shop", SECRET)).await.is_problem(401);
        world.function.logs("spaces, quotation marks or brackets around it").await;
        assert!(!world.function.log().contains(SECRET), "{stored}");
    }
    let world = world().start().await;
    world.send(&one("/shop", "another")).await.is_problem(401);
    world.function.logs("it matches none of the secrets\"").await;
}

#[tokio::test]
async fn a_changed_secret_is_noticed_at_the_first_signature_that_does_not_match() {
    let world = world().start().await;
    updated(&world, SECRET).await;
    world.secrets.store(&format!("{}/shop", world.tests), "changed").await;
    updated(&world, "changed").await;
    world.send(&one("/shop", SECRET)).await.is_problem(401);
}

#[tokio::test]
async fn strangers_cannot_make_the_function_fetch_again_and_again() {
    let world = world().start().await;
    for _ in 0..20 {
        world.send(&one("/shop", "a guess")).await.is_problem(401);
    }
    assert_eq!(world.secrets.calls(), ["BatchGetSecretValue", "GetSecretValue"]);
}

#[tokio::test]
async fn a_secret_is_fetched_again_after_its_time() {
    let world = world().variable("TASKHOOK_SECRET_TTL", "0s").start().await;
    updated(&world, SECRET).await;
    assert!(world.secrets.calls().len() > 1);
}

#[tokio::test]
async fn an_old_value_serves_on_while_secrets_manager_is_down() {
    let world = world().variable("TASKHOOK_SECRET_TTL", "0s").start().await;
    updated(&world, SECRET).await;
    world.secrets.fails_with(Some(500));
    updated(&world, SECRET).await;
    world.function.logs("the old value serves on").await;
}

#[tokio::test]
async fn a_secret_that_is_gone_serves_no_longer() {
    let world = world().variable("TASKHOOK_SECRET_TTL", "0s").start().await;
    updated(&world, SECRET).await;
    world.secrets.delete(&format!("{}/shop", world.tests)).await;
    world.send(&one("/shop", SECRET)).await.is_problem(500);
}

#[tokio::test]
async fn a_secrets_manager_that_is_down_is_for_later() {
    let world =
        world().variable("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:1").start().await;
    world.send(&one("/shop", SECRET)).await.is_problem(503).retry_after();
}

#[tokio::test]
async fn an_old_value_serves_on_while_secrets_manager_does_not_answer() {
    let world = world()
        .variable("TASKHOOK_SECRET_TTL", "0s")
        .variable("TASKHOOK_REPLY_WITHIN", "4s")
        .start()
        .await;
    updated(&world, SECRET).await;
    world.secrets.falls_silent();
    // The refresh gives up in time for the old value to be of use.
    updated(&world, SECRET).await;
    updated(&world, SECRET).await;
}

#[tokio::test]
async fn a_secrets_manager_that_is_slow_at_the_start_gets_the_time_of_the_first_delivery() {
    let world = world().slow_secrets(1_300).start().await;
    updated(&world, SECRET).await;
}

#[tokio::test]
async fn a_source_without_its_secret_is_not_set_up_and_the_others_work() {
    let other = SOURCE.replace("{tests}/shop", "{tests}/missing");
    let world = world().source("other", &other).start().await;
    let reply = world.send(&one("/other", SECRET)).await;
    assert!(
        !reply.is_problem(500).body.to_string().contains("missing"),
        "the reply is terse: {reply:?}"
    );
    world.function.logs(&format!("there is no secret {}/missing", world.tests)).await;
    updated(&world, SECRET).await;
}

#[tokio::test]
async fn a_secret_that_cannot_be_used_is_a_set_up_error() {
    for (scheme, value) in [
        ("github", " "),
        ("github", "{\"a\": \"b\"}"),
        ("zendesk", "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=="),
        ("standard-webhooks", "whsec_!!!"),
        ("basic", "no colon"),
    ] {
        let source = SOURCE.replace("\"github\"", &format!("{scheme:?}"));
        let world = world().source("shop", &source).secret("shop", value).start().await;
        world.send(&one("/shop", SECRET)).await.is_problem(500);
        assert!(!world.function.log().contains("dGhpc19z"), "{}", world.function.log());
    }
}

#[tokio::test]
async fn a_hubspot_token_that_is_missing_is_a_set_up_error() {
    let world = world().without_secret("hubspot").start().await;
    world.send(&one("/shop", SECRET)).await.is_problem(500);
    world.function.logs("cannot get the HubSpot token").await;
}

#[tokio::test]
async fn a_secret_that_may_not_be_read_is_a_set_up_error() {
    let moto = tokio::task::spawn_blocking(|| Emulator::moto(&["--denied"])).await.unwrap();
    let denied = SecretsManager::before(&moto.url()).await;
    let credential = |name: &str| moto.ready[name].as_str().unwrap().to_owned();
    let world = world()
        .source("shop", &SOURCE.replace("{tests}/shop", "there"))
        .variable("AWS_ENDPOINT_URL_SECRETS_MANAGER", &denied.url())
        .variable("AWS_ACCESS_KEY_ID", &credential("access_key_id"))
        .variable("AWS_SECRET_ACCESS_KEY", &credential("secret_access_key"))
        .start()
        .await;
    world.send(&one("/shop", SECRET)).await.is_problem(500);
    world.function.logs("reading the secret there is not allowed").await;
}

#[tokio::test]
async fn no_secret_reaches_the_log_at_any_level() {
    let world = world().variable("RUST_LOG", "trace").start().await;
    updated(&world, SECRET).await;
    let body = json!({"id": "1", "subject": "words of a customer"}).to_string();
    world.send(&Event::post("/shop", body).signed()).await.is(200, "updated 1");
    world.send(&one("/shop", "wrong")).await.is_problem(401);
    world.function.logs("refused").await;
    let log = world.function.log();
    for secret in [SECRET, TOKEN, "a secret key", "words of a customer"] {
        assert!(!log.contains(secret), "{secret:?} is in the log");
    }
}
