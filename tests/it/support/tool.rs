//! The tool as a person runs it, and what a person puts right.

use std::process::Output;

use serde_json::json;
use tokio::process::Command;

use super::{SOURCE, TOKEN, World, aws};

/// Runs the tool as a person does, with the settings that reach a story's world.
pub async fn taskhook(world: &World, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_taskhook"));
    command
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test");
    command.env("AWS_ENDPOINT_URL_SQS", aws::moto().await).env("TASKHOOK_SOURCES", world.folder());
    command.env("HUBSPOT_BASE_URL", world.hubspot.url()).env("HUBSPOT_TOKEN", TOKEN);
    command.args(arguments).output().await.expect("taskhook runs")
}

/// Runs `taskhook replay` on the dead letters.
pub async fn replay(world: &World, arguments: &[&str]) -> Output {
    let queue = ["replay", "--queue", &world.queues().dead_letters];
    taskhook(world, &[&queue, arguments].concat()).await
}

/// What it prints, if it ends so.
#[track_caller]
pub fn text(output: &Output, code: i32) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(!text.contains(TOKEN), "{text}");
    text
}

/// Somebody makes the task that was missing.
pub async fn create_task(world: &World, ticket: &str) {
    let url = format!("{}/crm/objects/2026-03/tasks/batch/upsert", world.hubspot.url());
    let properties = json!({"hs_task_subject": "before", "hs_timestamp": "1790000000000"});
    let body =
        json!({"inputs": [{"id": ticket, "idProperty": "ticket", "properties": properties}]})
            .to_string();
    let request = taskhook::outbound::client(true).post(url).bearer_auth(TOKEN).body(body);
    let answer = request.header("content-type", "application/json").send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
}

/// Changes the source file, and not the functions that run.
pub fn change_source(world: &World, from: &str, to: &str) {
    let text = SOURCE.replace("{tests}", &world.tests).replace(from, to);
    std::fs::write(world.folder().join("shop.toml"), text).unwrap();
}
