//! The sample events: each gives the updates that stand beside it, through the shipped source files
//! and those that lie ready.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use taskhook::source::{SourceFile, Sources, warnings};

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

/// The key of a line such as `# contact = '.email'`, if it is one that a file offers as another
/// choice.
fn offered(line: &str) -> Option<&str> {
    let line = line.strip_prefix("# ")?;
    if line == "[task.associate]" {
        return Some(line);
    }
    let (key, _) = line.split_once(" = ")?;
    let key = key.trim_end();
    let is_choice = ["on_missing", "contact", "company"].contains(&key);
    (is_choice || line.ends_with("write = \"create\" }")).then_some(key)
}

/// A source file with everything that it offers chosen, and what a person would delete gone. A task
/// is made by every event unless the file offers something better.
fn with_choices(text: &str) -> String {
    let offers: Vec<_> = text.lines().filter_map(offered).collect();
    let mut chosen = String::new();
    for line in text.lines() {
        let key = line.split_once('=').map(|(key, _)| key.trim_end());
        if offered(line).is_some() {
            chosen.push_str(&line[2..]);
        } else if key == Some("on_missing") && !offers.contains(&"on_missing") {
            chosen.push_str("on_missing = \"create\"");
        } else if !key.is_some_and(|key| offers.contains(&key)) {
            chosen.push_str(line);
        }
        chosen.push('\n');
    }
    chosen
}

#[test]
fn every_choice_that_a_file_offers_is_sound_once_it_is_made() {
    let mut offering = 0;
    for (name, path) in sources() {
        let text = std::fs::read_to_string(&path).unwrap();
        if !text.lines().any(|line| offered(line).is_some()) {
            continue;
        }
        offering += 1;
        let file = SourceFile::from_text(&name, &name, with_choices(&text));
        assert_eq!(Sources::read(std::slice::from_ref(&file)).problems(), [], "{name}");
        // A guard with `create` for every event is warned of, and the address is yours to write.
        let mut told = warnings(&[file]);
        told.retain(|warning| !warning.to_string().contains("whichever event comes first"));
        assert_eq!(told, [], "{name}");
    }
    assert_eq!(offering, 12);
}

/// A source file with its choices made, a sample with one of its texts changed, and what comes of
/// it: the rule for an id that no task has, where the event decides it, and the links.
type Choice = (&'static str, &'static str, [&'static str; 2], Value, &'static [&'static str]);

fn choices() -> Vec<Choice> {
    let (create, skip) = (json!("create"), json!("skip"));
    let null = Value::Null;
    vec![
        (
            "github",
            "closed",
            ["\"action\":\"closed\"", "\"action\":\"opened\""],
            create.clone(),
            &[],
        ),
        ("github", "closed", ["", ""], skip.clone(), &[]),
        ("gitlab", "closed", ["\"action\":\"close\"", "\"action\":\"open\""], create.clone(), &[]),
        (
            "linear",
            "completed",
            ["\"action\":\"update\"", "\"action\":\"create\""],
            create.clone(),
            &[],
        ),
        (
            "jira",
            "status-changed",
            ["jira:issue_updated", "jira:issue_created"],
            create.clone(),
            &["contact email alan@acme.example"],
        ),
        ("jira", "status-changed", ["\"reporter\":{", "\"somebody\":{"], skip.clone(), &[]),
        (
            "tickets",
            "status-changed",
            ["ticket.updated\",", "ticket.created\","],
            create.clone(),
            &[],
        ),
        (
            "tickets",
            "status-changed",
            ["\"assignee\":{", "\"requester\":{\"email\":\"kim@customer.example\"},\"assignee\":{"],
            skip.clone(),
            &["contact email kim@customer.example"],
        ),
        (
            "zendesk",
            "status-changed",
            ["ticket.status_changed", "ticket.created"],
            create.clone(),
            &[
                "contact zendesk_user_id 8447388091001",
                "company zendesk_organization_id 360007788990",
            ],
        ),
        (
            "helpscout",
            "status-changed",
            ["", ""],
            skip.clone(),
            &["contact email kim@customer.example"],
        ),
        (
            "servicenow",
            "status-changed",
            [
                "\"operation\":\"update\"",
                "\"operation\":\"insert\",\"caller_email\":\"kim@customer.example\"",
            ],
            create.clone(),
            &["contact email kim@customer.example"],
        ),
        ("front", "archived", ["", ""], null.clone(), &["contact email kim@customer.example"]),
        ("front", "archived", ["\"kim@customer.example\"", "\"+49 30 1\""], null.clone(), &[]),
        (
            "freshdesk",
            "status-changed",
            ["\"ticket_id\"", "\"ticket_requester_email\":\"kim@customer.example\",\"ticket_id\""],
            null.clone(),
            &["contact email kim@customer.example"],
        ),
        (
            "freshservice",
            "status-changed",
            ["\"ticket_id\"", "\"ticket_requester_email\":\"kim@customer.example\",\"ticket_id\""],
            null.clone(),
            &["contact email kim@customer.example"],
        ),
        (
            "zendesk-trigger",
            "status-changed",
            ["\"id\"", "\"requester_email\":\"kim@customer.example\",\"id\""],
            null,
            &["contact email kim@customer.example"],
        ),
    ]
}

#[test]
fn the_choices_that_the_files_offer_make_tasks_of_new_tickets_and_link_the_requester() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("choices");
    std::fs::create_dir_all(folder.join("sources")).unwrap();
    let paths = sources();
    for (name, sample, [find, put], on_missing, links) in choices() {
        let text = with_choices(&std::fs::read_to_string(&paths[name]).unwrap());
        std::fs::write(folder.join(format!("sources/{name}.toml")), text).unwrap();
        let mut event = read(&root().join(format!("events/{name}/{sample}.json")));
        let body = event["body"].as_str().unwrap();
        assert!(body.contains(find), "{name}: {body}");
        event["body"] = json!(body.replacen(find, put, 1));
        std::fs::write(folder.join("event.json"), event.to_string()).unwrap();
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_taskhook"))
            .args(["explain", name, "event.json", "--json"])
            .current_dir(&folder)
            .env_remove("TASKHOOK_SOURCES")
            .output()
            .unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        let update = &told["updates"][0];
        assert_eq!(update["onMissing"], on_missing, "{name}: {update:#}");
        let link = |link: &Value| {
            let part = |part: &str| link[part].as_str().unwrap().to_owned();
            format!("{} {} {}", part("to"), part("by"), part("id"))
        };
        let linked = update["associate"]["links"].as_array().into_iter().flatten().map(link);
        assert_eq!(linked.collect::<Vec<_>>(), links, "{name}: {update:#}");
        let is_people_s = update["write"]["hs_task_subject"] == "create";
        let offers = ["github", "gitlab", "jira", "linear", "tickets", "zendesk"].contains(&name);
        assert_eq!(is_people_s, offers, "{name}: {update:#}");
    }
}
