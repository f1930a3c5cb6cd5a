//! The sample events: each gives the updates that stand beside it, through the shipped source files
//! and those that lie ready.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::shipped::{root, sources};
use crate::support::world;

fn read(path: &Path) -> Value {
    let text =
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every event of a shipped source, with what is expected of it.
fn samples() -> Vec<(PathBuf, Value, Value)> {
    let mut samples = Vec::new();
    for folder in sources().keys().map(|name| root().join("events").join(name)) {
        for path in
            std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path())
        {
            if !path.to_string_lossy().ends_with(".expected.json") {
                samples.push((
                    path.clone(),
                    read(&path),
                    read(&path.with_extension("expected.json")),
                ));
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

#[test]
fn every_sample_event_gives_the_updates_that_stand_beside_it() {
    let mut taskhook = std::process::Command::new(env!("CARGO_BIN_EXE_taskhook"));
    let output =
        taskhook.arg("test").current_dir(root()).env_remove("TASKHOOK_SOURCES").output().unwrap();
    let (table, problems) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{table}{problems}");
    for name in sources().keys() {
        let row = table.lines().find(|line| line.split_whitespace().next() == Some(name));
        assert!(row.is_some_and(|row| row.ends_with("  ok")), "{name}:\n{table}");
    }
}

#[tokio::test]
async fn every_sample_event_is_answered_by_the_function() {
    let mut world = world().seed(|seed| *seed = read(&root().join("events/portal.json")));
    let secrets = read(&root().join("events/secrets.json"));
    let secrets = secrets.as_object().unwrap();
    for (name, path) in sources() {
        let ours = |text: String, secret: &String| {
            text.replace(&format!("\"{secret}"), &format!("\"{{tests}}/{secret}"))
        };
        world = world.source(&name, &secrets.keys().fold(shipped(&path), ours));
    }
    world = world.secret("hubspot", secrets["taskhook/hubspot"].as_str().unwrap());
    for (name, value) in secrets {
        world = world.secret(name, value.as_str().unwrap());
    }
    let world = world.start().await;
    for (path, event, expected) in samples() {
        let name = path.display();
        let reply = world.invoke(&event).await;
        if let Some(status) = expected["refused"].as_u64() {
            reply.is_problem(status);
            continue;
        }
        assert_eq!(
            (reply.status, &reply.body["event"]),
            (200, &expected["event"]),
            "{name}: {reply:#?}"
        );
        let rows = reply.body["tasks"].as_array().unwrap();
        assert_eq!(rows.len(), expected["updates"].as_array().unwrap().len(), "{name}: {reply:#?}");
        for row in rows {
            let unknown = path.file_stem().is_some_and(|stem| stem == "unknown-task");
            // The files are not sent in the order of their times, so that some are late.
            let good =
                ["updated", "stale", "unchanged"].contains(&row["outcome"].as_str().unwrap());
            assert!(
                if unknown { row["reason"] == json!("not_found") } else { good },
                "{name}: {reply:#?}"
            );
        }
    }
}
