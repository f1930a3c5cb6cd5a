//! A broken set-up says what is wrong, once and completely, and doesn't crash.

use serde_json::json;

use crate::support::event::Event;
use crate::support::{SOURCE, world};

#[tokio::test]
async fn broken_settings_answer_500_to_everything_and_are_all_logged() {
    let world = world()
        .variable("HUBSPOT_TOKEN_SECRET", "")
        .variable("HUBSPOT_API_VERSION", "v4")
        .variable("TASKHOOK_REPLY_WITHIN", "soon")
        .start()
        .await;
    for event in [
        Event::post("/shop", "{}").signed(),
        Event::new("GET", "/health"),
        Event::new("GET", "/nobody"),
    ] {
        let reply = world.send(&event).await;
        assert!(
            !reply.is_problem(500).body.to_string().contains("HUBSPOT"),
            "the reply is terse: {reply:?}"
        );
    }
    for variable in
        ["HUBSPOT_TOKEN_SECRET: it is not set", "HUBSPOT_API_VERSION: ", "TASKHOOK_REPLY_WITHIN: "]
    {
        world.function.logs(variable).await;
    }
}

#[tokio::test]
async fn a_folder_without_sources_is_a_broken_setting() {
    let world = world().variable("TASKHOOK_SOURCES", "/nowhere").start().await;
    world.send(&Event::new("GET", "/health")).await.is_problem(500);
    world.function.logs("TASKHOOK_SOURCES: /nowhere").await;
}

#[tokio::test]
async fn a_broken_source_file_leaves_the_others_working() {
    let broken = "[verify]\nscheme = \"github\"\nsecret = \"{tests}/shop\"\n[task]\nid = '.id |'\nid_property = \"ticket\"\n";
    let world = world().source("broken", broken).source("unreadable", "no toml").start().await;
    world.deliver(json!({"id": "1", "subject": "a"})).await.is(200, "updated 1");
    world.send(&Event::post("/broken", "{}")).await.is_problem(500);
    // The file that can't be read may be the one that has this path.
    world.send(&Event::post("/nobody", "{}")).await.is_problem(500);
    assert_eq!(world.send(&Event::new("GET", "/health")).await.status, 200);
    world.function.logs("broken.toml:5:12: not a jq expression").await;
    world.function.logs("broken.toml:1:1: the section [properties] is missing").await;
    world.function.logs("unreadable.toml:1:").await;
}

#[tokio::test]
async fn a_source_that_verifies_nothing_is_warned_of() {
    let open =
        SOURCE.replace("scheme = \"github\"\nsecret = \"{tests}/shop\"", "scheme = \"none\"");
    let world = world().source("open", &open).start().await;
    let event = Event::post("/open", json!({"id": "1", "subject": "a"}).to_string());
    world.send(&event).await.is(200, "updated 1");
    world.function.logs("whoever knows the address is believed").await;
}

#[tokio::test]
async fn logs_are_json_when_lambda_asks_for_it() {
    let world = world().variable("AWS_LAMBDA_LOG_FORMAT", "JSON").start().await;
    world.deliver(json!({"event": "e-1", "id": "1", "subject": "a"})).await.is(200, "updated 1");
    world.function.logs("\"message\":\"delivery\"").await;
    let log = world.function.log();
    let line = log.lines().find(|line| line.contains("\"message\":\"delivery\"")).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!((&line["level"], &line["status"]), (&json!("INFO"), &json!(200)));
    assert_eq!((&line["event"], &line["updated"]), (&json!("e-1"), &json!(1)));
}
