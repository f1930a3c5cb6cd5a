//! Every ticket system has all that a user needs, and another one is a matter of files alone.

use std::path::Path;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::event::hmac_sha256;
use crate::support::shipped::{PROMISED, root, sources};
use crate::support::world;

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What the samples of a source must give.
fn expected(name: &str) -> Vec<(String, Value)> {
    let files = std::fs::read_dir(root().join("events").join(name))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.to_string_lossy().ends_with(".expected.json"));
    files
        .map(|path| (path.display().to_string(), serde_json::from_str(&read(&path)).unwrap()))
        .collect()
}

#[test]
fn every_system_has_a_row_in_the_docs() {
    let page = read("docs/sources.md");
    for name in PROMISED {
        let is_there = [format!("`{name}`"), format!("`available/{name}`")]
            .iter()
            .any(|row| page.contains(row));
        assert!(is_there, "{name} is not in docs/sources.md");
    }
}

/// A cell reads `STATUS (samples)`, after words of its own.
#[test]
fn every_source_makes_of_its_end_states_what_the_docs_say() {
    let page = read("docs/sources.md");
    let table =
        page.split("### End states").nth(1).and_then(|rest| rest.split("\n### ").next()).unwrap();
    let shipped = sources();
    for name in PROMISED {
        let row = table.lines().find(|line| line.starts_with(&format!("| `{name}`")));
        let row = row
            .unwrap_or_else(|| panic!("docs/sources.md says nothing of the end states of {name}"));
        let mut samples = 0;
        for (before, group) in row.split(')').filter_map(|part| part.rsplit_once(" (`")) {
            let status = before.rsplit(' ').next().unwrap();
            for sample in group.split(['`', ',', ' ']).filter(|sample| !sample.is_empty()) {
                samples += 1;
                if shipped.contains_key(name) {
                    let path = format!("events/{name}/{sample}.expected.json");
                    let expected: Value = serde_json::from_str(&read(&path)).unwrap();
                    let given = &expected["updates"][0]["properties"]["hs_task_status"];
                    assert_eq!(given, status, "{path} isn't what docs/sources.md says");
                }
            }
        }
        assert!(samples > 0, "{name}: no sample stands for an end state");
    }
}

/// Of those that were deleted nothing is demanded.
#[test]
fn every_source_file_says_where_to_click_and_has_samples_of_every_kind() {
    for (name, path) in &sources() {
        let head: String = read(path).lines().take_while(|line| line.starts_with('#')).collect();
        for word in ["In AWS", "In HubSpot", "Deletion", "taskhook explain"] {
            assert!(head.contains(word), "{name}: the head of the file says nothing of {word:?}");
        }
        let expected = expected(name);
        let any = |is: fn(&Value) -> bool| expected.iter().any(|(_, expected)| is(expected));
        let updates =
            expected.iter().filter(|(_, expected)| expected["updates"] != json!([])).count();
        assert!(updates >= 3, "{name}: {updates} samples with updates");
        assert!(
            any(|expected| expected["refused"] == json!(401)),
            "{name}: no sample with a bad signature"
        );
        assert!(
            any(|expected| expected["filtered"] == json!(true)),
            "{name}: no sample that is filtered"
        );
        assert!(
            expected.iter().any(|(path, _)| path.contains("unknown-task")),
            "{name}: no unknown task"
        );
    }
}

async fn taskhook(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_taskhook"));
    let output = command.args(arguments).current_dir(folder).output().await.expect("taskhook runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

const NEW_SYSTEM: &str = r#"
path = "/hooks/new-desk"

[verify]
scheme = "hmac"
header = "X-Desk-Signature"
encoding = "base64"
prefix = "d1:"
separator = ";"
signed = "{id}|{timestamp}|{body}"
timestamp_header = "X-Desk-Time"
id_header = "X-Desk-Delivery"
secret = "{tests}/new-desk"

[event]
when = '.kind == "case"'
time = '.case.changed'

[task]
id = '.case.no'
id_property = "ticket"

[properties]
hs_task_subject = '.case.title'
hs_task_status = { from = '.case.state', map = { open = "NOT_STARTED", done = "COMPLETED" } }
"#;

#[tokio::test]
async fn a_new_system_is_added_by_files_alone() {
    let world = world()
        .source("new-desk", NEW_SYSTEM)
        .secret("new-desk", "a secret of the new desk")
        .start()
        .await;
    // On the desk: a file for the system, and a payload of its.
    let folder = world.folder().join("desk");
    std::fs::create_dir_all(folder.join("sources")).unwrap();
    std::fs::create_dir_all(folder.join("events/new-desk")).unwrap();
    let file = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    file("sources/new-desk.toml", &NEW_SYSTEM.replace("{tests}", "desk"));
    let changed = "2026-10-12T19:03:58Z";
    let case = json!({"kind": "case", "case": {"no": 1, "title": "Größer", "state": "done", "changed": changed}});
    file("payload.json", &case.to_string());
    file("events/secrets.json", r#"{"desk/new-desk": "a secret of the new desk"}"#);
    let (sound, checked) = taskhook(&folder, &["check"]).await;
    assert!(sound && checked.contains("/hooks/new-desk"), "{checked}");
    let sign = ["event", "new-desk", "payload.json", "--secret", "a secret of the new desk"];
    let (signed, event) = taskhook(&folder, &sign).await;
    assert!(signed, "{event}");
    file("events/new-desk/done.json", &event);
    let (blessed, said) = taskhook(&folder, &["test", "--bless"]).await;
    assert!(blessed, "{said}");
    let given: Value = serde_json::from_str(
        &std::fs::read_to_string(folder.join("events/new-desk/done.expected.json")).unwrap(),
    )
    .unwrap();
    assert_eq!(given["updates"][0]["properties"]["hs_task_status"], json!("COMPLETED"));
    let (green, table) = taskhook(&folder, &["test"]).await;
    assert!(green && table.contains("new-desk"), "{table}");
    // And deployed: the same file, the same event, and one that its sender signs.
    world.invoke(&serde_json::from_str(&event).unwrap()).await.is(200, "updated 1");
    assert_eq!(world.task("1", "hs_task_subject").as_deref(), Some("Größer"));
    let time = (taskhook::time::Time::now().milliseconds() / 1000).to_string();
    let send = |body: &str, secret: &str| {
        use base64::Engine as _;
        let signature =
            hmac_sha256(secret.as_bytes(), format!("delivery-7|{time}|{body}").as_bytes());
        let signature = base64::engine::general_purpose::STANDARD.encode(signature);
        crate::support::event::Event::post("/hooks/new-desk", body)
            .header("x-desk-signature", &format!("d0:old;d1:{signature}"))
            .header("x-desk-time", &time)
            .header("x-desk-delivery", "delivery-7")
    };
    let body = case.to_string().replace("done", "open");
    let reply = world.send(&send(&body, "a secret of the new desk")).await;
    assert_eq!(reply.is(200, "updated 1").body["event"], json!("delivery-7"));
    world.send(&send(&body, "another secret")).await.is_problem(401);
}
