//! `make live` against the stand-in: what it asks of HubSpot, what it says of a portal that does
//! otherwise, and that it leaves nothing behind.

use std::collections::BTreeSet;
use std::process::Output;

use serde_json::{Value, json};
use taskhook::sim::{Association, Endpoint, Fault, Moment, ObjectType, Record, Seed, Sim};
use tokio::process::Command;

use crate::support::shipped::root;

const TOKEN: &str = "pat-right";

/// The scopes that docs/live.md asks for.
const SCOPES: [&str; 5] = [
    "crm.objects.contacts.read",
    "crm.objects.contacts.write",
    "crm.schemas.contacts.read",
    "crm.schemas.contacts.write",
    "crm.objects.owners.read",
];

/// A portal with a task, a contact and a company of other people. Its limit of searches is met at
/// once, and that of other calls never.
async fn portal(scopes: &[&str], mut behaviour: Value) -> Sim {
    behaviour["limits"] = json!({"ten_secondly": 1_000_000, "secondly": 0, "daily": 2_000_000});
    let seed = json!({
        "token": TOKEN,
        "scopes": scopes,
        "properties": [{"name": "ticket", "hasUniqueValue": true}],
        "owners": [{"id": "101", "email": "ada@acme.example"}],
        "tasks": [{"id": "1001", "properties": {"ticket": "1", "hs_task_subject": "theirs"}}],
        "contacts": [{"id": "701", "properties": {"email": "eve@acme.example"}}],
        "behaviour": behaviour,
    });
    let seed: Seed = serde_json::from_value(seed).unwrap();
    Sim::start(seed, 0).await.unwrap()
}

fn live(sim: &Sim) -> Command {
    let mut python = Command::new(root().join(".venv/bin/python"));
    python.arg("-B").arg(root().join("tests/it/live.py")).kill_on_drop(true);
    python.env("HUBSPOT_TOKEN", TOKEN).env("HUBSPOT_BASE_URL", sim.url());
    python
}

/// The end of a run.
struct Ran {
    code: Option<i32>,
    /// Number, question, what is assumed, what the portal did, how that compares.
    rows: Vec<[String; 5]>,
    progress: String,
}

impl Ran {
    fn new(output: &Output) -> Self {
        let progress = String::from_utf8_lossy(&output.stderr).into_owned();
        let table = String::from_utf8_lossy(&output.stdout);
        assert!(!progress.contains(TOKEN) && !table.contains(TOKEN), "{progress}{table}");
        Self { code: output.status.code(), rows: rows(&table), progress }
    }

    /// The numbers of the cases that ended so.
    fn that_are(&self, end: &str) -> Vec<&str> {
        let are = self.rows.iter().filter(|row| row[4] == end);
        are.map(|row| row[0].as_str()).collect()
    }
}

/// The rows of a Markdown table whose first cell is a number such as `L7`.
fn rows(text: &str) -> Vec<[String; 5]> {
    let mut rows = Vec::new();
    for line in text.lines().filter(|line| line.starts_with("| L")) {
        let cells: Vec<String> =
            line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
        rows.push(cells.try_into().unwrap());
    }
    rows
}

async fn run(sim: &Sim) -> Ran {
    Ran::new(&live(sim).output().await.unwrap())
}

/// Everything in a portal that `make live` could leave behind or change.
#[derive(Debug, PartialEq)]
struct State {
    tasks: Vec<Record>,
    contact: Option<Record>,
    contacts: Value,
    properties: Value,
    associations: Vec<Association>,
}

async fn state(sim: &Sim) -> State {
    let look = async |path: &str| -> Value {
        let request = taskhook::outbound::client(false).get(format!("{}{path}", sim.url_to_look()));
        let answer = request.bearer_auth(TOKEN).send().await.unwrap();
        let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        body["results"].clone()
    };
    State {
        tasks: sim.tasks(),
        contact: sim.record_by(ObjectType::Contacts, "email", "eve@acme.example"),
        contacts: look("/crm/v3/objects/contacts?limit=100").await,
        properties: look("/crm/v3/properties/tasks").await,
        associations: sim.associations(),
    }
}

#[tokio::test]
async fn on_the_stand_in_all_is_as_assumed() {
    let sim = portal(&SCOPES, json!({})).await;
    let before = state(&sim).await;
    let ran = run(&sim).await;
    assert_eq!(ran.code, Some(0), "{}", ran.progress);
    assert_eq!(ran.that_are("same").len(), ran.rows.len());
    assert_eq!(state(&sim).await, before);
    for call in sim.calls().iter().filter(|call| call.method != "GET") {
        for theirs in ["\"1001\"", "\"701\"", "eve@", "\"ticket\"", "theirs"] {
            assert!(!call.body.to_string().contains(theirs), "{call:?}");
        }
    }
}

/// Wrong habits, and the cases that they have to make differ.
#[tokio::test]
async fn a_portal_that_does_otherwise_is_told_point_by_point() {
    let partial = ["L9", "L27", "L28", "L29", "L30", "L33", "L51", "L57", "L58", "L60"];
    let associated = ["L55", "L56", "L57", "L58"];
    let habits: [(Value, &[&str]); 10] = [
        (json!({"echo_id_property": false}), &["L17", "L18"]),
        (json!({"associate_nothing": true}), &associated),
        (json!({"errors_in_200": true}), &partial),
        (json!({"trace_ids": "always"}), &["L25"]),
        (json!({"trace_ids": "never"}), &["L27", "L28"]),
        (json!({"echo_trace_ids": true}), &["L19"]),
        (json!({"order": "reversed"}), &["L20"]),
        (json!({"empty_due_date": "required"}), &["L37"]),
        (json!({"taken_value": "conflict"}), &["L34", "L35"]),
        (json!({"incomplete_errors": true}), &["L38"]),
    ];
    for (behaviour, expected) in habits {
        let sim = portal(&SCOPES, behaviour.clone()).await;
        let ran = run(&sim).await;
        assert_eq!(ran.that_are("**different**"), expected, "{behaviour}");
        assert_eq!(ran.that_are("same").len(), ran.rows.len() - expected.len(), "{behaviour}");
        assert_eq!(ran.code, Some(1), "{behaviour}");
    }
}

#[tokio::test]
async fn what_blows_up_in_the_middle_leaves_nothing_behind() {
    let lost = Fault { drop: Some(Moment::After), skip: 9, times: Some(3), ..Fault::default() };
    let faults = [
        Fault { on: Endpoint::Create, ..lost.clone() },
        Fault { on: Endpoint::Upsert, skip: 2, ..lost.clone() },
        Fault { on: Endpoint::ObjectsWrite, skip: 1, ..lost.clone() },
        Fault { on: Endpoint::Create, half_body: true, skip: 9, ..Fault::default() },
        Fault { on: Endpoint::Properties, skip: 6, drop: Some(Moment::After), ..Fault::default() },
        Fault { on: Endpoint::Associate, skip: 2, forever: true, ..Fault::status(500) },
    ];
    for fault in faults {
        let sim = portal(&SCOPES, json!({})).await;
        let before = state(&sim).await;
        sim.fault(fault.clone());
        let ran = run(&sim).await;
        assert_eq!(ran.code, Some(2), "{fault:?}\n{}", ran.progress);
        assert!(sim.faults().iter().all(|fault| fault.forever), "{fault:?} did not strike");
        assert_eq!(state(&sim).await, before, "{fault:?}\n{}", ran.progress);
    }
}

#[tokio::test]
async fn whoever_stops_it_finds_nothing_left() {
    for (on, signal) in [(Endpoint::Create, "-INT"), (Endpoint::Associate, "-TERM")] {
        let sim = portal(&SCOPES, json!({})).await;
        let before = state(&sim).await;
        let hours = 10_000_000;
        sim.fault(Fault { on, skip: 3, delay_ms: hours, ..Fault::default() });
        let mut calls = sim.watch();
        let python = live(&sim)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        while calls.recv().await.unwrap().delay.is_zero() {}
        let id = python.id().unwrap().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().await.unwrap().success());
        let ran = Ran::new(&python.wait_with_output().await.unwrap());
        assert_eq!(ran.code, Some(2), "{}", ran.progress);
        assert_eq!(state(&sim).await, before, "{on:?}\n{}", ran.progress);
    }
}

/// Requests to what the run did not make, as a mistake in a case would make them.
#[tokio::test]
async fn no_request_to_what_others_made_leaves_the_house() {
    let sim = portal(&SCOPES, json!({})).await;
    let before = state(&sim).await;
    let objects = "/crm/objects/2026-03";
    let pair = json!({"from": {"id": "1001"}, "to": {"id": "701"}});
    let by_ticket = json!({"id": "1", "idProperty": "ticket", "properties": {}});
    let by_address =
        json!({"id": "eve@acme.example", "idProperty": "email", "properties": {"firstname": "x"}});
    let with_links = json!({"properties": {"hs_timestamp": "0"}, "associations": []});
    let task = json!({"id": "1001", "properties": {"hs_task_subject": "ours"}});
    let by_record = json!({"id": "1001", "idProperty": "hs_object_id", "properties": {}});
    let requests = [
        ("POST", format!("{objects}/tasks/batch/update"), json!({"inputs": [task]})),
        ("POST", format!("{objects}/tasks/batch/update"), json!({"inputs": [by_record]})),
        ("POST", format!("{objects}/tasks/batch/update"), json!({"inputs": [by_ticket]})),
        ("POST", format!("{objects}/tasks/batch/upsert"), json!({"inputs": [by_ticket]})),
        ("POST", format!("{objects}/contacts/batch/upsert"), json!({"inputs": [by_address]})),
        ("POST", format!("{objects}/tasks/batch/archive"), json!({"inputs": [{"id": "1001"}]})),
        ("POST", format!("{objects}/tasks/batch/create"), json!({"inputs": [with_links]})),
        ("POST", format!("{objects}/companies/batch/create"), json!({"inputs": []})),
        ("POST", format!("{objects}/tasks"), json!({"properties": {"hs_timestamp": "0"}})),
        ("PATCH", format!("{objects}/tasks/1001"), json!({"properties": {}})),
        ("DELETE", format!("{objects}/tasks/1001"), Value::Null),
        (
            "POST",
            "/crm/associations/2026-03/tasks/contacts/batch/associate/default".into(),
            json!({"inputs": [pair]}),
        ),
        ("POST", "/crm/properties/2026-03/tasks".into(), json!({"name": "other"})),
        ("PATCH", "/crm/properties/2026-03/tasks/ticket".into(), json!({"label": "x"})),
        ("DELETE", "/crm/properties/2026-03/tasks/ticket".into(), Value::Null),
        (
            "DELETE",
            "/crm/properties/2026-03/tasks/taskhook_live_0123456789_key".into(),
            Value::Null,
        ),
    ];
    let script = "\
import json, sys
sys.path.insert(0, sys.argv[1])
import live
portal = live.Portal(*sys.argv[2:4])
for method, path, body in json.loads(sys.argv[4]):
    for send in (portal.send, portal.exchange):
        try:
            send(method, path, body)
        except live.NotOurs:
            continue
        sys.exit(f'{method} {path} was sent')
";
    tells_nothing(script, &[&sim.url(), TOKEN, &json!(requests).to_string()]).await;
    assert!(sim.calls().is_empty());
    assert_eq!(state(&sim).await, before);
}

/// Runs a script that may import `live` and that has nothing to complain of.
async fn tells_nothing(script: &str, arguments: &[&str]) {
    let mut python = Command::new(root().join(".venv/bin/python"));
    python.args(["-B", "-c", script]).arg(root().join("tests/it")).args(arguments);
    let output = python.output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn what_could_not_be_removed_is_listed() {
    let sim = portal(&SCOPES, json!({})).await;
    // The first archiving of contacts is part of a case.
    let holds = vec!["archive".to_owned()];
    let on = Endpoint::ObjectsWrite;
    sim.fault(Fault { on, holds, skip: 1, forever: true, ..Fault::status(400) });
    let ran = run(&sim).await;
    assert_eq!((ran.code, ran.that_are("same").len()), (Some(2), ran.rows.len()));
    let left = state(&sim).await.contacts.as_array().unwrap().len() - 1;
    assert_eq!(ran.progress.matches("error: not removed: contacts ").count(), left);
    assert!(left > 0);
}

#[tokio::test]
async fn it_leaves_calls_to_others_and_reads_every_form_of_retry_after() {
    let script = "\
import sys
sys.path.insert(0, sys.argv[1])
from live import Answer, pause_after, retry_after
limit = 'X-HubSpot-RateLimit-'
few = {limit + 'Remaining': '3', limit + 'Interval-Milliseconds': '10000'}
assert pause_after(Answer(200, few, b'')) == 10
assert pause_after(Answer(200, few | {limit + 'Remaining': '50'}, b'')) == 0
assert 0 < pause_after(Answer(200, {}, b'')) < 1
for said, seconds in [('7', 7), ('0', 0), ('0.5', 0.5), ('', 10), ('soon', 10), ('-3', 0), ('86400', 120),
                      ('Wed, 21 Oct 2015 07:28:00 GMT', 0), ('Fri, 21 Oct 2095 07:28:00 GMT', 120)]:
    assert retry_after(Answer(429, {'Retry-After': said}, b'')) == seconds, said
";
    tells_nothing(script, &[]).await;
}

#[tokio::test]
async fn it_waits_as_hubspot_says() {
    let sim = portal(&SCOPES, json!({})).await;
    let mut busy = Fault { on: Endpoint::Update, times: Some(3), ..Fault::status(429) };
    busy.headers.insert("Retry-After".into(), "0.25".into());
    sim.fault(busy);
    let ran = run(&sim).await;
    assert_eq!(ran.progress.matches("HubSpot answers 429: on in 0.25 s").count(), 3);
    assert_eq!((ran.code, ran.that_are("same").len()), (Some(0), ran.rows.len()));
}

#[tokio::test]
async fn the_daily_limit_ends_it() {
    let sim = portal(&SCOPES, json!({})).await;
    let before = state(&sim).await;
    let policy = taskhook::sim::Policy::Daily;
    sim.fault(Fault { on: Endpoint::Upsert, policy, ..Fault::status(429) });
    let ran = run(&sim).await;
    assert_eq!(ran.code, Some(2));
    assert!(ran.progress.contains("the account's limit of this day is used up"));
    assert_eq!(state(&sim).await, before);
}

#[tokio::test]
async fn cases_without_a_scope_are_skipped() {
    let without = |scope: &str| SCOPES.into_iter().filter(|other| *other != scope).collect();
    let no_owners: Vec<&str> = without("crm.objects.owners.read");
    let ran = run(&portal(&no_owners, json!({})).await).await;
    assert_eq!((ran.code, ran.that_are("skipped")), (Some(0), vec!["L61"]));
    assert!(ran.progress.contains("the token lacks crm.objects.owners.read: L61\n"));

    let no_properties: Vec<&str> = without("crm.schemas.contacts.write");
    let ran = run(&portal(&no_properties, json!({})).await).await;
    let asked: BTreeSet<_> = ran.that_are("same").into_iter().collect();
    assert_eq!((ran.code, asked), (Some(0), BTreeSet::from(["L61", "L63", "L64", "L65"])));
}

#[tokio::test]
async fn a_portal_that_makes_no_unique_properties_says_so() {
    let sim = portal(&SCOPES, json!({})).await;
    sim.fault(Fault { on: Endpoint::Properties, skip: 2, ..Fault::status(400) });
    let ran = run(&sim).await;
    assert_eq!((ran.code, ran.that_are("**different**")), (Some(1), vec!["L1"]));
    assert_eq!(ran.rows[0][3], "no: the property key is refused: 400 VALIDATION_ERROR");
}

#[tokio::test]
async fn what_cannot_run_ends_with_2_and_says_why() {
    let sim = portal(&SCOPES, json!({})).await;
    let told = async |name: &str, value: &str| {
        let output = live(&sim).env(name, value).output().await.unwrap();
        assert_eq!((output.status.code(), output.stdout), (Some(2), Vec::new()));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(told("HUBSPOT_TOKEN", "").await.starts_with("error: set HUBSPOT_TOKEN"));
    assert!(told("HUBSPOT_TOKEN", "pat-wrong").await.contains("HubSpot refuses the token"));
    let address = "http://hubspot.example";
    assert!(told("HUBSPOT_BASE_URL", address).await.contains("has to begin with https://"));
}

/// The page lists the cases as they are asked.
#[tokio::test]
async fn the_page_lists_every_point() {
    let ran = run(&portal(&SCOPES, json!({})).await).await;
    let page = std::fs::read_to_string(root().join("docs/live.md")).unwrap();
    let points = |rows: &[[String; 5]]| -> Vec<[String; 3]> {
        rows.iter().map(|row| [row[0].clone(), row[1].clone(), row[2].clone()]).collect()
    };
    let (page, _runs) = page.split_once("\n## Runs\n").unwrap();
    assert_eq!(points(&rows(page)), points(&ran.rows));
}

/// Every `not yet proven: L7` names a point of the page.
#[test]
fn what_is_marked_as_not_yet_proven_is_a_point_of_the_page() {
    let page = std::fs::read_to_string(root().join("docs/live.md")).unwrap();
    let known: BTreeSet<String> = rows(&page).into_iter().map(|[number, ..]| number).collect();
    let mut marks = 0;
    let mut queue = vec![root().join("docs"), root().join("src")];
    while let Some(path) = queue.pop() {
        if path.is_dir() {
            queue.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        for mark in text.to_lowercase().split("not yet proven: ").skip(1) {
            let numbers: String =
                mark.chars().take_while(|c| "l0123456789, ".contains(*c)).collect();
            for number in numbers.trim_matches([',', ' ']).split(", ") {
                assert!(known.contains(&number.to_uppercase()), "{}: {number}", path.display());
                marks += 1;
            }
        }
    }
    assert!(marks > 10, "{marks}");
}
