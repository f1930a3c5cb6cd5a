//! The engine against the stand-in, without a function around it.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value as Json, json};
use taskhook::engine;
use taskhook::hubspot::{Hubspot, Token};
use taskhook::outbound::{Http, Network};
use taskhook::outcome::Outcome;
use taskhook::settings::ApiVersion;
use taskhook::sim::{Seed, Sim};
use taskhook::time::Time;
use taskhook::update::{TaskKey, Update, Value};
use tokio::time::Instant;

/// 2026-03-02, in milliseconds; the times of a story are a few steps from it.
pub const START: i64 = 1_772_409_600_000;

/// The step at which every task was written last.
pub const APPLIED: i64 = 2;

/// The one owner, whose id is 101.
pub const OWNER: &str = "ada@acme.example";

/// A portal with these tasks, each of which has seen an event in the middle of a story's times.
pub async fn portal_with(tasks: Vec<Json>) -> Sim {
    let seed: Seed = serde_json::from_value(json!({
        "properties": [
            {"name": "ticket", "label": "Ticket", "type": "string", "fieldType": "text", "hasUniqueValue": true},
            {"name": "ticket_at", "label": "At", "type": "datetime", "fieldType": "date"},
            {"name": "amount", "label": "Amount", "type": "number", "fieldType": "number"},
            {"name": "tags", "label": "Tags", "type": "enumeration", "fieldType": "checkbox",
             "options": [{"value": "a"}, {"value": "b"}, {"value": "c"}]},
            {"name": "code", "label": "Code", "type": "string", "fieldType": "text", "hasUniqueValue": true},
            {"name": "day", "label": "Day", "type": "date", "fieldType": "date"},
        ],
        "owners": [{"id": "101", "email": OWNER}],
        "tasks": tasks,
    }))
    .unwrap();
    Sim::start(seed, 0).await.unwrap()
}

/// A portal with the tasks `T-0`, `T-1`, and so on.
pub async fn portal(count: usize) -> Sim {
    portal_with((0..count).map(|id| task(&format!("T-{id}"))).collect()).await
}

pub fn task(ticket: &str) -> Json {
    json!({"properties": {"ticket": ticket, "hs_task_subject": "before", "ticket_at": at(APPLIED)}})
}

/// The time of a step, as HubSpot shows it.
pub fn at(step: i64) -> String {
    Time::from_milliseconds(START + step).to_string()
}

/// An update of the task `T-id`.
pub fn update(id: usize, step: i64, properties: &[(&str, &str)]) -> Update {
    let text = |(name, text): &(&str, &str)| ((*name).to_owned(), Value::Text((*text).to_owned()));
    Update {
        properties: properties.iter().map(text).collect(),
        ..Update::new(
            TaskKey { id_property: "ticket".to_owned(), id: format!("T-{id}") },
            Time::from_milliseconds(START + step),
        )
    }
}

pub async fn run(sim: &Sim, updates: &[Update]) -> Vec<Outcome> {
    run_within(sim, updates, Duration::from_secs(20)).await
}

pub async fn run_within(sim: &Sim, updates: &[Update], left: Duration) -> Vec<Outcome> {
    engine::run(&hubspot(sim), updates, Instant::now() + left).await.outcomes
}

/// A client that outlives a run, as a function's does.
pub fn hubspot(sim: &Sim) -> Hubspot {
    client(&sim.url())
}

/// The same, of the portal at this address.
pub fn client(url: &str) -> Hubspot {
    let token = Token::Given(SecretString::from("token".to_owned()));
    Hubspot::new(Http::new(&Network::default()), url, &ApiVersion::default(), token)
}

/// One more run of a client.
pub async fn run_on(hubspot: &Hubspot, updates: &[Update]) -> Vec<Outcome> {
    engine::run(hubspot, updates, Instant::now() + Duration::from_secs(20)).await.outcomes
}
