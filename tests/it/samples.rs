//! The sample events: each gives the updates that stand beside it, through the shipped source files and those that
//! lie ready.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use serde_json::{Value, json};
use taskhook::delivery::Delivery;
use taskhook::source::{Found, Mapped, Source, SourceFile, Sources};
use taskhook::time::Time;
use taskhook::update::{self, Update};

use crate::support::world;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every event, with what is expected of it.
fn samples() -> Vec<(PathBuf, Value, Value)> {
    let mut samples = Vec::new();
    for folder in std::fs::read_dir(root().join("events")).unwrap().map(|entry| entry.unwrap().path()) {
        for path in std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()) {
            if !path.to_string_lossy().ends_with(".expected.json") {
                samples.push((path.clone(), read(&path), read(&path.with_extension("expected.json"))));
            }
        }
    }
    samples.sort_by(|(one, ..), (other, ..)| one.cmp(other));
    samples
}

/// The text of a shipped source file, without a limit of age: the samples were signed long ago.
fn shipped(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap().replace("\ntolerance = \"5m\"", "");
    text.replacen("[verify]", "[verify]\ntolerance = \"876000h\"", 1)
}

/// Every source file by its name. One that was enabled is in both folders: the one in sources/ counts.
fn sources() -> BTreeMap<String, String> {
    let mut sources = BTreeMap::new();
    for folder in ["sources/available", "sources"] {
        for path in std::fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path()) {
            if path.extension().is_some_and(|extension| extension == "toml") {
                sources.insert(path.file_stem().unwrap().to_str().unwrap().to_owned(), shipped(&path));
            }
        }
    }
    sources
}

/// A sample event as the delivery that the function makes of it.
fn delivery(event: &Value) -> Delivery {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let headers = event["headers"].as_object().unwrap().iter();
    let headers = headers.map(|(name, value)| (name.parse().unwrap(), text(value).parse().unwrap()));
    let body = text(&event["body"]);
    let encoded = event["isBase64Encoded"] == json!(true);
    let body = if encoded { STANDARD.decode(body).unwrap() } else { body.into_bytes() };
    Delivery {
        method: text(&event["requestContext"]["http"]["method"]).parse().unwrap(),
        path: text(&event["rawPath"]),
        query: Vec::new(),
        headers: headers.collect(),
        body: body.into(),
        arrived: Time::from_milliseconds(event["requestContext"]["timeEpoch"].as_i64().unwrap()),
        request_id: "request".to_owned(),
    }
}

fn secrets_of(source: &Source) -> Vec<SecretString> {
    let secret = &read(&root().join("events/secrets.json"))[source.verify.secret.as_ref().unwrap().to_string()];
    let text = secret.as_str().unwrap();
    let several = serde_json::from_str::<Vec<String>>(text).unwrap_or_else(|_| vec![text.to_owned()]);
    several.into_iter().map(SecretString::from).collect()
}

/// What `taskhook explain --json` says of an update.
fn explain(update: &Update) -> Value {
    let value = |value: &update::Value| match value {
        update::Value::Text(text) => json!(text),
        update::Value::Owner { email, .. } => json!({"owner": email}),
    };
    let properties = update.properties.iter().map(|(name, of)| (name.clone(), value(of)));
    let properties: serde_json::Map<_, _> = properties.collect();
    json!({"id": update.task.id, "idProperty": update.task.id_property, "properties": properties})
}

#[test]
fn every_sample_event_gives_the_updates_that_stand_beside_it() {
    let file = |(name, text): (String, String)| SourceFile { file: name.clone(), name, text: Ok(text) };
    let sources = Sources::read(&sources().into_iter().map(file).collect::<Vec<_>>());
    assert_eq!(sources.problems(), []);
    for (path, event, expected) in samples() {
        let name = path.display();
        let delivery = delivery(&event);
        let Found::Source(source) = sources.find(&delivery.path) else { panic!("{name}: no source") };
        let verified = source.verify.scheme.verify(&delivery, &secrets_of(source), source.verify.tolerance);
        let verified = match (verified, expected["refused"].as_u64()) {
            (Err(_), Some(401)) => continue,
            (Ok(verified), None) => verified,
            (result, refused) => panic!("{name}: {result:?}, expected {refused:?}"),
        };
        let json = verified.read(source.verify.tolerance).unwrap();
        let event = sources.map(source, &verified, &json).unwrap();
        let updates = match &event.mapped {
            Mapped::Filtered => Vec::new(),
            Mapped::Updates(updates) => updates.iter().map(|update| explain(update.as_ref().unwrap())).collect(),
        };
        let found = json!({
            "event": event.id, "time": event.time.map(|time| time.to_string()),
            "filtered": matches!(event.mapped, Mapped::Filtered), "updates": updates,
        });
        // As text: the order of the properties is that of the source file.
        assert_eq!(format!("{found:#}"), format!("{expected:#}"), "{name}");
    }
}

#[tokio::test]
async fn every_sample_event_is_answered_by_the_function() {
    let mut world = world().seed(|seed| *seed = read(&root().join("events/portal.json")));
    for (name, text) in sources() {
        world = world.source(&name, &text.replace("\"taskhook/", "\"{tests}/"));
    }
    for (name, value) in read(&root().join("events/secrets.json")).as_object().unwrap() {
        world = world.secret(name.strip_prefix("taskhook/").unwrap(), value.as_str().unwrap());
    }
    let world = world.start().await;
    let samples = samples();
    assert!(samples.len() >= 72, "six events for each of six sources, four for each of nine that lie ready");
    for (path, event, expected) in samples {
        let name = path.display();
        let reply = world.invoke(&event).await;
        if let Some(status) = expected["refused"].as_u64() {
            reply.is_problem(status);
            continue;
        }
        assert_eq!((reply.status, &reply.body["event"]), (200, &expected["event"]), "{name}: {reply:#?}");
        let rows = reply.body["tasks"].as_array().unwrap();
        assert_eq!(rows.len(), expected["updates"].as_array().unwrap().len(), "{name}: {reply:#?}");
        for row in rows {
            let unknown = path.file_stem().is_some_and(|stem| stem == "unknown-task");
            // The files are not sent in the order of their times, so that some are late.
            let good = ["updated", "stale", "unchanged"].contains(&row["outcome"].as_str().unwrap());
            assert!(if unknown { row["reason"] == json!("not_found") } else { good }, "{name}: {reply:#?}");
        }
    }
}
