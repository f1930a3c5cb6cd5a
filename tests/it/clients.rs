//! HubSpot's own clients, for Python and for Node, run against the stand-in, and both make of its
//! answers what they would make of HubSpot's.

use serde_json::{Value, json};
use taskhook::sim::{Seed, Sim};
use tokio::process::Command;

const TOKEN: &str = "pat-right";

async fn portal() -> Sim {
    let seed = json!({
        "token": TOKEN,
        "properties": [{"name": "ticket", "hasUniqueValue": true}],
        "owners": [
            {"id": "101", "email": "ada@acme.example", "userId": 7001},
            {"id": "102", "userId": 7002},
            {"id": "103", "email": "gone@acme.example", "archived": true},
        ],
        "tasks": [
            {"id": "1001", "properties": {"ticket": "1"}},
            {"id": "1002", "properties": {"ticket": "2"}},
        ],
    });
    let seed: Seed = serde_json::from_value(seed).unwrap();
    Sim::start(seed, 0).await.unwrap()
}

/// What a client made of the answers, call by call.
fn facts() -> Value {
    let in_part = |ids: Value, kind: &str, category: &str, which: &str| {
        json!([ids, [kind, [category]], [which]])
    };
    json!({
        "create": "10",
        "create again": [400, "VALIDATION_ERROR", true],
        "update": "WAITING",
        "update wrong": [400, "VALIDATION_ERROR", true],
        "get": "WAITING",
        "get nobody": [404, "OBJECT_NOT_FOUND", true],
        "list": [["1001", "1002"], "2"],
        "archived": true,
        "batch create": ["COMPLETE", "11"],
        "batch update": ["1001", "1002"],
        "batch update in part":
            in_part(json!(["1001"]), "BatchResponseSimplePublicObjectWithErrors", "OBJECT_NOT_FOUND", "404"),
        "batch update wrong": [400, "VALIDATION_ERROR", true],
        "batch read": ["c"],
        "batch upsert": [false, true],
        "batch upsert in part":
            in_part(json!(["1001"]), "BatchResponseSimplePublicUpsertObjectWithErrors", "VALIDATION_ERROR", "b"),
        "search": [1, "g"],
        "batch archived": true,
        "owners": [["ada@acme.example", 7001], [null, 7002]],
        "owners by e-mail": ["101"],
        "owners archived": [["103", true]],
        "owner by user": "101",
        "owner of nobody": [404, "OBJECT_NOT_FOUND", true],
        "group": "Tickets",
        "group again": [409, "OBJECT_ALREADY_EXISTS", true],
        "group update": "Other",
        "groups": ["task", "tickets"],
        "property": true,
        "property again": [409, "OBJECT_ALREADY_EXISTS", true],
        "property update": "Jira",
        "properties": true,
        "options": ["NONE", "LOW", "MEDIUM", "HIGH"],
        "batch properties": [["one"], ["BatchResponsePropertyWithErrors", ["OBJECT_ALREADY_EXISTS"]]],
        "batch properties read": ["one"],
        "properties archived": ["jira_key", "one"],
        "property gone": [404, "OBJECT_NOT_FOUND", true],
        "group gone": [404, "OBJECT_NOT_FOUND", true],
    })
}

/// Runs a client's script; its last arguments are the stand-in's address and the token.
async fn tells(mut command: Command) {
    let sim = portal().await;
    let output = command.args([&sim.url(), TOKEN]).output().await;
    let output = output.expect("the client starts; `make setup` installs it");
    let problem = String::from_utf8_lossy(&output.stderr);
    let told: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{problem}"));
    assert_eq!(told, facts());
}

#[tokio::test]
async fn hubspots_client_for_python_finds_hubspot() {
    let root = env!("CARGO_MANIFEST_DIR");
    let mut python = Command::new(format!("{root}/.venv/bin/python"));
    python.arg(format!("{root}/tests/it/clients.py"));
    tells(python).await;
}

#[tokio::test]
async fn hubspots_client_for_node_finds_hubspot() {
    let root = env!("CARGO_MANIFEST_DIR");
    let mut node = Command::new("node");
    node.args([format!("{root}/tests/it/clients.js"), format!("{root}/.local/node")]);
    tells(node).await;
}
