//! The stand-in on a real socket.

use std::io;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::sim::{Association, Behaviour, Endpoint, Fault, Moment, ObjectType, Seed, Sim};

async fn start() -> Sim {
    let seed = json!({
        "token": "pat-right",
        "properties": [{"name": "zid", "hasUniqueValue": true}],
        "tasks": [{"id": "101", "properties": {"zid": "1"}}],
        "contacts": [{"id": "701", "properties": {"email": "eve@example.com"}}],
    });
    let seed: Seed = serde_json::from_value(seed).expect("a seed");
    Sim::start(seed, 0).await.expect("a free port")
}

/// Sends one request and returns all that comes back until the connection ends.
async fn exchange(sim: &Sim, method: &str, path: &str, body: &str) -> io::Result<String> {
    let url = sim.url();
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).await?;
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: sim\r\nAuthorization: Bearer pat-right\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

const UPDATE: &str = "/crm/v3/objects/tasks/batch/update";
const INPUTS: &str =
    r#"{"inputs":[{"id":"1","idProperty":"zid","properties":{"hs_task_subject":"Hello"}}]}"#;

#[tokio::test]
async fn an_update_goes_over_the_wire_and_is_remembered() {
    let sim = start().await;
    let answer = exchange(&sim, "POST", UPDATE, INPUTS).await.expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\ncontent-type: application/json"), "{head}");
    assert!(head.contains("x-hubspot-ratelimit-remaining: 189"), "{head}");
    let body: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(body["results"][0]["id"], "101");

    let task = sim.task_by("hs_task_subject", "Hello").expect("the task");
    assert_eq!((task.id.as_str(), sim.tasks().len()), ("101", 1));
    let call = &sim.calls()[0];
    assert_eq!((call.method.as_str(), call.path.as_str()), ("POST", UPDATE));
    assert_eq!((call.status, call.authorization_present), (200, true));
    assert_eq!(call.body["inputs"][0]["id"], "1");
    sim.clear_calls();
    assert_eq!(sim.calls(), []);
}

#[tokio::test]
async fn connections_break_as_ordered() {
    let sim = start().await;
    sim.fault(Fault { drop: Some(Moment::After), on: Endpoint::Update, ..Fault::default() });
    let nothing = exchange(&sim, "POST", UPDATE, INPUTS).await;
    assert!(nothing.is_err() || nothing.is_ok_and(|answer| answer.is_empty()));
    assert!(sim.task_by("hs_task_subject", "Hello").is_some());

    sim.fault(Fault { half_body: true, ..Fault::default() });
    let answer = exchange(&sim, "POST", UPDATE, INPUTS).await.expect("half an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and half a body");
    let full = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let full: usize = full.and_then(|length| length.parse().ok()).expect("a length");
    assert_eq!(body.len(), full / 2);
}

#[tokio::test]
async fn a_late_answer_is_late() {
    let sim = start().await;
    sim.fault(Fault { delay_ms: 30, ..Fault::status(503) });
    let before = std::time::Instant::now();
    let answer = exchange(&sim, "POST", UPDATE, INPUTS).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 503"));
    assert!(before.elapsed().as_millis() >= 30);
}

#[tokio::test]
async fn scripts_see_and_change_the_stand_in() {
    let sim = start().await;
    let admin = async |method: &str, path: &str, body: &str| {
        exchange(&sim, method, path, body).await.expect("an answer")
    };
    assert!(admin("GET", "/_sim", "").await.contains("POST   /_sim/faults"));
    assert!(
        admin("POST", "/_sim/faults", r#"[{"status": 500}, {"status": 502}]"#)
            .await
            .contains(" 204 ")
    );
    assert!(admin("POST", UPDATE, INPUTS).await.contains(" 500 "));
    assert!(admin("DELETE", "/_sim/faults", "").await.contains(" 204 "));
    assert!(admin("POST", UPDATE, INPUTS).await.contains(" 200 "));
    assert!(
        admin("POST", "/_sim/faults", r#"{"statsu": 500}"#)
            .await
            .contains("unknown field `statsu`")
    );
    assert!(admin("PUT", "/_sim/behaviour", r#"{"errors_in_200": true}"#).await.contains(" 204 "));
    let unknown = INPUTS.replace("\"1\"", "\"9\"");
    assert!(admin("POST", UPDATE, &unknown).await.contains("OBJECT_NOT_FOUND"));
    assert_eq!(sim.calls().last().map(|call| call.status), Some(200));
    sim.set_behaviour(Behaviour::default());
    assert!(admin("GET", "/_sim/tasks", "").await.contains(r#""zid":"1""#));
    assert!(admin("GET", "/_sim/calls", "").await.contains(UPDATE));
    assert!(admin("DELETE", "/_sim/calls", "").await.contains(" 204 "));
    assert!(admin("GET", "/_sim/nowhere", "").await.contains(" 404 "));
    assert_eq!(sim.calls(), []);
}

#[tokio::test]
async fn what_tasks_hang_on_is_seen_from_outside() {
    let sim = start().await;
    let path = "/crm/v4/objects/contacts/701/associations/default/tasks/101";
    assert!(exchange(&sim, "PUT", path, "").await.expect("an answer").contains(" 200 "));
    let association = Association {
        from_object: ObjectType::Tasks,
        from_id: "101".into(),
        to_object: ObjectType::Contacts,
        to_id: "701".into(),
    };
    assert_eq!(sim.associations(), [association]);
    let contact = sim.record_by(ObjectType::Contacts, "email", "eve@example.com");
    assert_eq!(contact.map(|contact| contact.id).as_deref(), Some("701"));
    let address = |address: &str| serde_json::from_value(json!({"properties": {"email": address}}));
    let add = |text: &str| sim.add_record(ObjectType::Contacts, address(text).expect("a record"));
    let problem = "There is a contact with this value already.".to_owned();
    assert_eq!(add("eve@example.com"), Err(problem));
    assert!(add("sam@example.com").is_ok());
    assert_eq!(sim.record_by(ObjectType::Companies, "email", "eve@example.com"), None);
    let shown = async |path: &str| exchange(&sim, "GET", path, "").await.expect("an answer");
    assert!(shown("/_sim/contacts").await.contains(r#""email":"eve@example.com""#));
    assert!(shown("/_sim/tickets").await.ends_with("[]"));
    let answer = shown("/_sim/associations").await;
    let (_, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let body: Value = serde_json::from_str(body).expect("JSON");
    let expected = json!({"from_object": "tasks", "from_id": "101",
                          "to_object": "contacts", "to_id": "701"});
    assert_eq!(body, json!([expected]));
}

#[tokio::test]
async fn a_dropped_stand_in_no_longer_answers() {
    let sim = start().await;
    let url = sim.url();
    let address = url.trim_start_matches("http://").to_owned();
    drop(sim);
    tokio::task::yield_now().await;
    assert!(TcpStream::connect(&address).await.is_err());
}
