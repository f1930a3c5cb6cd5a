//! The vendors' own libraries sign, and Taskhook believes; Taskhook signs, and they believe.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::support::event::Event;
use crate::support::{SOURCE, World, world};

/// The schemes whose vendors publish a library, each with a secret of its form.
const WITNESSES: [(&str, &str); 7] = [
    ("standard-webhooks", "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcY"),
    ("gitlab-signed", "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcZ"),
    ("svix", "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhca"),
    ("stripe", "whsec_of_stripe_is_text"),
    ("slack", "8f742231b10e8888abcd99yyyzzz85a5"),
    ("hubspot", "9b5f3b6a-0000-4a2e-9d5f-000000000001"),
    ("monday", "the signing secret of an app, of more than 32 characters"),
];

const URL: &str = "https://hooks.example/shop";

const BODY: &str = r#"{"id": "1", "subject": "Größe 42 – “ok”", "at": "2026-10-12T19:00:00Z"}"#;

fn source(scheme: &str) -> String {
    let url = if ["hubspot", "monday"].contains(&scheme) {
        format!("\nurl = {URL:?}")
    } else {
        String::new()
    };
    SOURCE
        .replace("\"github\"", &format!("{scheme:?}{url}"))
        .replace("{tests}/shop", &format!("{{tests}}/from-{scheme}"))
}

async fn a_world_with_all() -> World {
    let mut world = world();
    for (scheme, secret) in WITNESSES {
        world = world.source(scheme, &source(scheme)).secret(&format!("from-{scheme}"), secret);
    }
    world.start().await
}

/// Asks the libraries: `sign` or `verify`.
async fn ask(command: &str, deliveries: &[Value]) -> Vec<Value> {
    let root = env!("CARGO_MANIFEST_DIR");
    let mut process = Command::new(format!("{root}/.venv/bin/python"))
        .args([&format!("{root}/tests/it/witnesses.py"), command])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python starts; `make setup` installs the libraries");
    process
        .stdin
        .take()
        .unwrap()
        .write_all(json!(deliveries).to_string().as_bytes())
        .await
        .unwrap();
    let output = process.wait_with_output().await.unwrap();
    serde_json::from_slice(&output.stdout).expect("one answer for each delivery")
}

/// Signs with the tool of the command line.
async fn taskhook_signs(world: &World, scheme: &str, secret: &str) -> Value {
    let payload = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("witness-{scheme}.json"));
    std::fs::write(&payload, BODY).unwrap();
    let sources = world.folder().to_owned();
    let mut command = Command::new(env!("CARGO_BIN_EXE_taskhook"));
    command
        .args(["event", scheme, payload.to_str().unwrap(), "--secret", secret])
        .env("TASKHOOK_SOURCES", sources);
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{scheme}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn what_a_vendors_library_signs_is_believed_and_nothing_else() {
    let world = a_world_with_all().await;
    let delivery = |(scheme, secret): (&str, &str)| json!({"scheme": scheme, "secret": secret, "url": URL, "body": BODY});
    let right = ask("sign", &WITNESSES.map(delivery)).await;
    let wrong = ask(
        "sign",
        &WITNESSES.map(|(scheme, _)| {
            delivery((scheme, "whsec_c29tZXRoaW5nIGVsc2UsIGFuZCBhcyBsb25nIGFzIGl0IGhhcyB0byBiZQ=="))
        }),
    )
    .await;
    for (index, (scheme, _)) in WITNESSES.into_iter().enumerate() {
        let send = |headers: &Value, body: &str| {
            let event = Event::post(&format!("/{scheme}"), body);
            let headers = headers.as_object().unwrap().iter();
            headers.fold(event, |event, (name, value)| event.header(name, value.as_str().unwrap()))
        };
        let reply = world.send(&send(&right[index], BODY)).await;
        assert_eq!((reply.status, &reply.body["failed"]), (200, &json!(0)), "{scheme}: {reply:#?}");
        assert_eq!(
            world.task("1", "hs_task_subject").as_deref(),
            Some("Größe 42 – “ok”"),
            "{scheme}"
        );
        world.send(&send(&wrong[index], BODY)).await.is_problem(401);
        // monday.com doesn't sign the body.
        if scheme != "monday" {
            world.send(&send(&right[index], &BODY.replace("42", "43"))).await.is_problem(401);
        }
    }
}

#[tokio::test]
async fn what_taskhook_signs_is_believed_by_the_vendors_library() {
    let world = a_world_with_all().await;
    let mut deliveries = Vec::new();
    for (scheme, secret) in WITNESSES {
        let event = taskhook_signs(&world, scheme, secret).await;
        let delivery = |secret: &str| json!({"scheme": scheme, "secret": secret, "url": URL, "body": event["body"], "headers": event["headers"]});
        deliveries.extend([
            delivery(secret),
            delivery("whsec_c29tZXRoaW5nIGVsc2UsIGFuZCBhcyBsb25nIGFzIGl0IGhhcyB0byBiZQ=="),
        ]);
    }
    let believed = ask("verify", &deliveries).await;
    for (pair, (scheme, _)) in believed.chunks(2).zip(WITNESSES) {
        assert_eq!(pair, [json!(true), json!(false)], "{scheme}");
    }
}
