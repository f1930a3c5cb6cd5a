//! `taskhook send`: a signed webhook over HTTP.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};

use super::{taskhook, text};
use crate::support::event::Event;
use crate::support::server::Server;
use crate::support::{SECRET, SOURCE, World, world};

/// The function behind an address, as a Function URL puts it.
async fn function_url(world: &Arc<World>) -> Server {
    let world = Arc::clone(world);
    Server::start(move |request: Request<Bytes>| {
        let world = Arc::clone(&world);
        async move {
            let event = Event::post(request.uri().path(), request.body().to_vec());
            let event = event.query(request.uri().query().unwrap_or_default());
            let headers = request.headers().iter();
            let event = headers.fold(event, |event, (name, value)| {
                event.header(name.as_str(), value.to_str().unwrap())
            });
            let reply = world.send(&event).await;
            let status = u16::try_from(reply.status).unwrap();
            Response::builder().status(status).body(Bytes::from(reply.body.to_string())).unwrap()
        }
    })
    .await
}

/// Files of this test: the source of the tests, and a payload.
fn files(name: &str, payload: &Value) -> (PathBuf, String) {
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (source, file) = (folder.join("shop.toml"), folder.join("payload.json"));
    std::fs::write(&source, SOURCE.replace("{tests}", "any")).unwrap();
    std::fs::write(&file, payload.to_string()).unwrap();
    (source, file.to_str().unwrap().to_owned())
}

async fn send(source: &Path, payload: &str, secret: &str, url: &str) -> Output {
    let header = ["--header", "X-GitHub-Delivery: d-9"];
    taskhook(
        source,
        &[&["send", "shop", payload, "--secret", secret, "--url", url], &header[..]].concat(),
    )
    .await
}

#[tokio::test]
async fn a_payload_is_signed_and_sent_and_the_summary_is_shown() {
    let world = Arc::new(world().start().await);
    let server = function_url(&world).await;
    let (source, payload) = files("send", &json!({"id": "1", "subject": "sent by the tool"}));
    let by_name = server.url().replace("127.0.0.1", "localhost");
    for url in [server.url(), format!("{by_name}/"), format!("{}/shop", server.url())] {
        let output = send(&source, &payload, SECRET, &url).await;
        assert!(output.status.success(), "{url}: {}{}", text(&output.stdout), text(&output.stderr));
        let shown = text(&output.stdout);
        let summary =
            shown.strip_prefix("200 OK\n").unwrap_or_else(|| panic!("no status in {shown}"));
        let summary: Value = serde_json::from_str(summary).unwrap();
        assert_eq!((&summary["event"], &summary["updated"]), (&json!("d-9"), &json!(1)));
    }
    assert_eq!(world.task("1", "hs_task_subject").as_deref(), Some("sent by the tool"));
}

#[tokio::test]
async fn an_event_is_sent_without_what_belonged_to_its_connection() {
    let world = Arc::new(world().start().await);
    let server = function_url(&world).await;
    let event = Event::post("/shop", r#"{"id": "2", "subject": "again"}"#);
    let event = event
        .header("host", "far.example")
        .header("content-length", "5")
        .header("accept-encoding", "gzip");
    let (source, payload) = files("send-event", &event.to_json());
    let output = send(&source, &payload, SECRET, &server.url()).await;
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(world.task("2", "hs_task_subject").as_deref(), Some("again"));
}

#[tokio::test]
async fn what_is_not_taken_fails_and_says_what_to_do() {
    let world = Arc::new(world().start().await);
    let server = function_url(&world).await;
    let (source, payload) = files("send-refused", &json!({"id": "1", "subject": "a"}));
    let nowhere = "http://127.0.0.1:9";
    for (secret, url, shown, problem) in [
        (
            "another",
            server.url(),
            "401 Unauthorized\n{",
            "answered 401 Unauthorized: compare --secret with the secret",
        ),
        (
            SECRET,
            format!("{}/nobody", server.url()),
            "404 Not Found\n{",
            "answered 404 Not Found: --url is the address",
        ),
        (SECRET, nowhere.to_owned(), "", "http://127.0.0.1:9/shop can't be reached: "),
        (
            SECRET,
            format!("{nowhere}/?team=blue"),
            "",
            "http://127.0.0.1:9/shop?team=blue can't be reached: ",
        ),
        (
            SECRET,
            "http://me:pw@127.0.0.1".to_owned(),
            "",
            "--url names a user before the @ of 127.0.0.1, who is",
        ),
        (
            SECRET,
            "ftp://shop".to_owned(),
            "",
            "--url is ftp://shop/; write an address with https:// or http://.",
        ),
    ] {
        let output = send(&source, &payload, secret, &url).await;
        // An address that is none is a mistake of whoever typed it.
        let code = if url.starts_with("ftp:") { 2 } else { 1 };
        assert_eq!(output.status.code(), Some(code), "{url}");
        let (out, problems) = (text(&output.stdout), text(&output.stderr));
        assert!(out.starts_with(shown) && problems.contains(problem), "{url}: {out}{problems}");
        assert!(!problems.contains(SECRET));
    }
}
