//! `taskhook test`: the samples against the sources.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};

use super::{root, taskhook, text};

/// Sources and their samples, gone with the test.
struct Desk(PathBuf);

/// A source `NAME`, whose sender sends a token.
const SOURCE: &str = r#"[verify]
scheme = "token"
header = "x-token"
secret = "tests/NAME"
[event]
when = '.kind != "noise"'
id = '.event'
time = '.at'
[task]
id = '.id'
id_property = "ticket"
[properties]
hs_task_subject = '.subject'
hs_task_status = { from = '.status', map = { open = "NOT_STARTED", done = "COMPLETED" } }
"#;

const AT: &str = "2026-10-12T19:03:58.000Z";

impl Desk {
    /// A folder without anything in it.
    fn empty(name: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("events")).unwrap();
        Self(folder)
    }

    /// Three sources of three samples each: an update, one that is filtered, one that is refused.
    fn with_samples(name: &str) -> Self {
        let desk = Self::empty(name);
        let mut secrets = json!({});
        for source in ["desk", "shop", "till"] {
            let token = format!("the token of {source}");
            desk.write(&format!("sources/{source}.toml"), &SOURCE.replace("NAME", source));
            let case = |case: &str, token: &str, body: &Value, expected: &Value| {
                desk.write(
                    &format!("events/{source}/{case}.json"),
                    &event(source, token, body).to_string(),
                );
                desk.write(
                    &format!("events/{source}/{case}.expected.json"),
                    &format!("{expected:#}\n"),
                );
            };
            let done = json!({"event": "e-1", "at": AT, "id": 1, "status": "done"});
            let update = json!({"id": "1", "idProperty": "ticket", "properties": {"hs_task_status": "COMPLETED"}});
            case(
                "done",
                &token,
                &done,
                &json!({"event": "e-1", "time": AT, "filtered": false, "updates": [update]}),
            );
            let noise = json!({"event": "e-2", "kind": "noise"});
            case(
                "noise",
                &token,
                &noise,
                &json!({"event": "e-2", "time": null, "filtered": true, "updates": []}),
            );
            case("refused", "another", &done, &json!({"refused": 401}));
            secrets[format!("tests/{source}")] = json!(token);
        }
        desk.write("events/secrets.json", &secrets.to_string());
        desk
    }

    fn write(&self, file: &str, text: &str) {
        let file = self.0.join(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.0.join(file)).unwrap()
    }

    fn change(&self, file: &str, change: impl FnOnce(String) -> String) {
        self.write(file, &change(self.read(file)));
    }

    async fn test(&self, arguments: &[&str]) -> Output {
        test(&self.0.join("sources"), &self.0.join("events"), arguments).await
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn test(sources: &Path, events: &Path, arguments: &[&str]) -> Output {
    taskhook(sources, &[&["test", "--events", events.to_str().unwrap()], arguments].concat()).await
}

/// What the function gets when a sender sends this.
fn event(source: &str, token: &str, body: &Value) -> Value {
    json!({
        "rawPath": format!("/{source}"), "body": body.to_string(),
        "headers": {"content-type": "application/json", "x-token": token},
        "requestContext": {"timeEpoch": 1_791_831_838_000_u64, "http": {"method": "POST"}},
    })
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The row of a source in the table, with single spaces.
fn row(output: &Output, source: &str) -> String {
    let table = text(&output.stdout);
    let row = table.lines().find(|line| line.split_whitespace().next() == Some(source));
    row.unwrap_or_else(|| panic!("no {source} in:\n{table}"))
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[tokio::test]
async fn blessing_what_is_as_expected_changes_nothing() {
    let (copy, events) = (Desk::empty("bless-clean"), root().join("events"));
    for file in files(&events) {
        copy.write(
            file.strip_prefix(root()).unwrap().to_str().unwrap(),
            &std::fs::read_to_string(&file).unwrap(),
        );
    }
    let output = test(&root().join("sources"), &copy.0.join("events"), &["--bless"]).await;
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    assert!(!text(&output.stdout).contains("wrote"), "{}", text(&output.stdout));
    for file in files(&events) {
        let copy = copy.0.join(file.strip_prefix(root()).unwrap());
        assert!(
            std::fs::read(&file).unwrap() == std::fs::read(&copy).unwrap(),
            "{}",
            file.display()
        );
    }
}

#[tokio::test]
async fn a_difference_is_shown_line_by_line_and_can_be_blessed() {
    let desk = Desk::with_samples("difference");
    let expected = desk.read("events/desk/done.expected.json");
    desk.change("events/desk/done.expected.json", |text| {
        text.replace("\"COMPLETED\"", "\"WAITING\"")
    });
    let output = desk.test(&["desk", "shop"]).await;
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stdout);
    for line in [
        "done.json: not as expected.",
        "\n-        \"hs_task_status\": \"WAITING\"",
        "\n+        \"hs_task_status\": \"COMPLETED\"",
    ] {
        assert!(shown.contains(line), "{line:?} is not in:\n{shown}");
    }
    assert_eq!(
        (row(&output, "desk").as_str(), row(&output, "shop").as_str()),
        ("desk 3 1 1 1 FAILED", "shop 3 1 1 1 ok")
    );
    assert!(!shown.contains("till"), "it was not asked for: {shown}");
    assert!(
        text(&output.stderr).contains(
            "1 of 6 cases failed. Where the new outcome is right, `taskhook test --bless`"
        )
    );
    let blessed = desk.test(&["--bless"]).await;
    let said = text(&blessed.stdout);
    assert!(blessed.status.success() && said.contains("done.expected.json"), "{said}");
    assert!(said.contains("\n-        \"hs_task_status\": \"WAITING\""), "{said}");
    assert_eq!(desk.read("events/desk/done.expected.json"), expected);
    assert!(desk.test(&[]).await.status.success());
}

#[tokio::test]
async fn white_space_and_the_order_of_fields_are_no_difference() {
    let desk = Desk::with_samples("order");
    desk.write("events/desk/refused.expected.json", "{\"refused\":401}");
    let reordered = json!({"updates": [], "filtered": true, "time": null, "event": "e-2"});
    desk.write("events/desk/noise.expected.json", &reordered.to_string());
    let output = desk.test(&["desk"]).await;
    assert!(output.status.success(), "{}", text(&output.stdout));
}

#[tokio::test]
async fn whatever_keeps_a_case_from_running_fails_it_and_says_what_to_do() {
    let desk = Desk::with_samples("broken");
    for source in ["bare", "mute", "other"] {
        desk.write(&format!("sources/{source}.toml"), &SOURCE.replace("NAME", source));
    }
    let done = desk.read("events/desk/done.json");
    desk.write("events/desk/new.json", &done);
    desk.write("events/bare/body.json", "{\"issue\": {}}");
    desk.write("events/mute/done.json", &done);
    desk.write("events/nobody/done.json", &done);
    desk.write("events/other/done.json", &done);
    desk.write("events/other/done.expected.json", "no JSON");
    desk.change("events/secrets.json", |text| {
        let mut secrets: Value = serde_json::from_str(&text).unwrap();
        secrets["tests/bare"] = json!("bare");
        secrets["tests/other"] = json!("the token of desk");
        secrets["tests/shop"] = json!("the token of somebody else");
        secrets.to_string()
    });
    let output = desk.test(&[]).await;
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stdout);
    for problem in [
        "new.expected.json is missing; `taskhook test --bless` writes it:\n{\n",
        "body.json: It is no Lambda event, which has a body as text and a requestContext; `taskhook event` makes one.",
        "done.expected.json is no JSON: expected ident at line 1 column 2.",
        "nobody: there is no such source; write nobody.toml, remove its samples, or say in TASKHOOK_SOURCES where",
        "secrets.json has no secret \"tests/mute\"; add the one that the sender signs with, as a line \"tests/mute\": \"...\".",
        "not as expected. It is refused: ",
    ] {
        assert!(shown.contains(problem), "{problem:?} is not in:\n{shown}");
    }
    for source in ["desk", "bare", "other", "nobody", "mute", "shop"] {
        assert!(row(&output, source).ends_with(" FAILED"), "{source}: {shown}");
    }
    assert!(row(&output, "till").ends_with(" ok") && !shown.contains("the token of"), "{shown}");
}

#[tokio::test]
async fn what_can_not_be_mapped_is_part_of_what_is_expected() {
    let desk = Desk::empty("unmapped");
    let source = "[verify]\nscheme = \"none\"\n[task]\nid = '.id'\nid_property = \"ticket\"\n\
                  [properties]\nhs_task_subject = '.subject'\n";
    desk.write("sources/open.toml", source);
    desk.write(
        "events/open/bad.json",
        &event("open", "any", &json!({"id": 1, "subject": {}})).to_string(),
    );
    assert_eq!(desk.test(&[]).await.status.code(), Some(1));
    assert!(desk.test(&["--bless"]).await.status.success());
    assert_eq!(row(&desk.test(&[]).await, "open"), "open 1 0 0 0 ok");
    let expected: Value =
        serde_json::from_str(&desk.read("events/open/bad.expected.json")).unwrap();
    let problem = "The update of ticket 1 can't be mapped: hs_task_subject: it gives an object";
    assert!(expected["failed"][0].as_str().unwrap().starts_with(problem), "{expected}");
    assert_eq!(expected["time"], json!(AT), "it arrives when it says");
}

#[tokio::test]
async fn continuous_integration_reads_junits_xml() {
    let desk = Desk::with_samples("junit");
    let output = desk.test(&["shop", "--format", "junit"]).await;
    assert!(output.status.success());
    let xml = text(&output.stdout);
    assert!(xml.contains("tests=\"3\" failures=\"0\">"), "{xml}");
    assert!(xml.contains("<testcase classname=\"shop\" name=\"done\"></testcase>"), "{xml}");
    desk.change("events/shop/done.expected.json", |text| {
        text.replace("\"COMPLETED\"", "\"WAITING\"")
    });
    let output = desk.test(&["shop", "--format", "junit"]).await;
    assert_eq!(output.status.code(), Some(1));
    let xml = text(&output.stdout);
    assert!(xml.contains("tests=\"3\" failures=\"1\">"), "{xml}");
    assert!(xml.contains("<failure message=\"not as expected.\">"), "{xml}");
}

#[tokio::test]
async fn watching_tests_again_when_a_file_changes() {
    let desk = Desk::with_samples("watched");
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_taskhook"))
        .args(["test", "--watch", "--events", desk.0.join("events").to_str().unwrap()])
        .env("TASKHOOK_SOURCES", desk.0.join("sources"))
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let output = child.stdout.take().unwrap();
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(output));
    let mut until_waiting = async || {
        let mut said = String::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            if line == "Waiting for a change." {
                return said;
            }
            said.push_str(&line);
            said.push('\n');
        }
        panic!("it ended: {said}")
    };
    let patience = std::time::Duration::from_mins(1);
    let said = tokio::time::timeout(patience, until_waiting()).await.unwrap();
    assert!(said.contains(" ok") && !said.contains("FAILED"), "{said}");
    desk.change("sources/shop.toml", |text| text.replace("COMPLETED", "DEFERRED"));
    let said = tokio::time::timeout(patience, until_waiting()).await.unwrap();
    assert!(
        said.contains("FAILED") && said.contains("+        \"hs_task_status\": \"DEFERRED\""),
        "{said}"
    );
}
