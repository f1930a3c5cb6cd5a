//! `taskhook test`: the samples against the sources.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};

use super::{root, taskhook, text};

/// A copy of the sample events, gone with the test.
struct Samples(PathBuf);

impl Samples {
    fn copy(name: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        for file in files(&root().join("events")) {
            let copy = folder.join(file.strip_prefix(root().join("events")).unwrap());
            std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
            std::fs::copy(&file, &copy).unwrap();
        }
        Self(folder)
    }

    fn change(&self, file: &str, change: impl FnOnce(String) -> String) {
        let file = self.0.join(file);
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, change(text)).unwrap();
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.0.join(file)).unwrap()
    }

    async fn test(&self, arguments: &[&str]) -> Output {
        let folder = self.0.to_str().unwrap();
        taskhook(&root().join("sources"), &[&["test", "--events", folder], arguments].concat()).await
    }
}

impl Drop for Samples {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The row of a source in the table, with single spaces.
fn row(output: &Output, source: &str) -> String {
    let table = text(&output.stdout);
    let row = table.lines().find(|line| line.split_whitespace().next() == Some(source));
    row.unwrap_or_else(|| panic!("no {source} in:\n{table}")).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn blessing_what_is_as_expected_changes_nothing() {
    let samples = Samples::copy("bless-clean");
    let output = samples.test(&["--bless"]).await;
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    assert!(!text(&output.stdout).contains("wrote"), "{}", text(&output.stdout));
    for file in files(&root().join("events")) {
        let copy = samples.0.join(file.strip_prefix(root().join("events")).unwrap());
        assert!(std::fs::read(&file).unwrap() == std::fs::read(&copy).unwrap(), "{}", file.display());
    }
}

#[tokio::test]
async fn a_difference_is_shown_line_by_line_and_can_be_blessed() {
    let samples = Samples::copy("difference");
    let expected = samples.read("github/closed.expected.json");
    samples.change("github/closed.expected.json", |text| text.replace("\"COMPLETED\"", "\"WAITING\""));
    let output = samples.test(&["github", "jira"]).await;
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stdout);
    for line in [
        "closed.json: not as expected.",
        "\n-        \"hs_task_status\": \"WAITING\"",
        "\n+        \"hs_task_status\": \"COMPLETED\"",
    ] {
        assert!(shown.contains(line), "{line:?} is not in:\n{shown}");
    }
    assert_eq!(
        (row(&output, "github").as_str(), row(&output, "jira").as_str()),
        ("github 9 7 1 1 FAILED", "jira 10 8 1 1 ok")
    );
    assert!(!shown.contains("zendesk"), "it was not asked for: {shown}");
    assert!(
        text(&output.stderr).contains("1 of 19 cases failed. Where the new outcome is right, `taskhook test --bless`")
    );
    let blessed = samples.test(&["--bless"]).await;
    assert!(blessed.status.success() && text(&blessed.stdout).contains("closed.expected.json"));
    assert_eq!(samples.read("github/closed.expected.json"), expected);
    assert!(samples.test(&[]).await.status.success());
}

#[tokio::test]
async fn white_space_and_the_order_of_fields_are_no_difference() {
    let samples = Samples::copy("order");
    samples.change("jira/bad-signature.expected.json", |_| "{\"refused\":401}".to_owned());
    samples.change("jira/worklog.expected.json", |text| {
        let value: Value = serde_json::from_str(&text).unwrap();
        json!({"updates": [], "filtered": true, "time": null, "event": value["event"]}).to_string()
    });
    let output = samples.test(&["jira"]).await;
    assert!(output.status.success(), "{}", text(&output.stdout));
}

#[tokio::test]
async fn whatever_keeps_a_case_from_running_fails_it_and_says_what_to_do() {
    let samples = Samples::copy("broken");
    samples.change("github/new.json", |_| samples.read("github/closed.json"));
    samples.change("jira/body.json", |_| "{\"issue\": {}}".to_owned());
    samples.change("linear/emptied.expected.json", |_| "no JSON".to_owned());
    samples.change("nobody/case.json", |_| samples.read("github/closed.json"));
    samples.change("secrets.json", |text| {
        text.replace("taskhook/gitlab", "taskhook/other").replace("local-zendesk-signing", "x")
    });
    let output = samples.test(&[]).await;
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stdout);
    for problem in [
        "new.expected.json is missing; `taskhook test --bless` writes it:\n{\n",
        "body.json: It is no Lambda event, which has a body as text and a requestContext; `taskhook event` makes one.",
        "emptied.expected.json is no JSON: expected ident at line 1 column 2.",
        "nobody: there is no such source; write nobody.toml, remove its samples, or say in TASKHOOK_SOURCES where",
        "secrets.json has no secret \"taskhook/gitlab\"; write the one into it that these events are signed with.",
        "not as expected. It is refused: ",
    ] {
        assert!(shown.contains(problem), "{problem:?} is not in:\n{shown}");
    }
    for source in ["github", "jira", "linear", "nobody", "gitlab", "zendesk"] {
        assert!(row(&output, source).ends_with(" FAILED"), "{source}: {shown}");
    }
    assert!(!shown.contains("local-jira-webhook-secret"));
}

#[tokio::test]
async fn what_can_not_be_mapped_is_part_of_what_is_expected() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("unmapped-{}", std::process::id()));
    let samples = Samples(folder.join("events"));
    let source = "[verify]\nscheme = \"none\"\n[task]\nid = '.id'\nid_property = \"ticket\"\n\
                  [properties]\nhs_task_subject = '.subject'\n";
    samples.change("../sources/open.toml", |_| source.to_owned());
    let event = json!({
        "rawPath": "/open", "headers": {"content-type": "application/json"}, "body": "{\"id\": 1, \"subject\": {}}",
        "requestContext": {"timeEpoch": 1_791_831_838_000_u64, "http": {"method": "POST"}},
    });
    samples.change("open/bad.json", |_| event.to_string());
    let events = samples.0.to_str().unwrap();
    let test = async |arguments: &[&str]| {
        taskhook(&folder.join("sources"), &[&["test", "--events", events], arguments].concat()).await
    };
    assert_eq!(test(&[]).await.status.code(), Some(1));
    assert!(test(&["--bless"]).await.status.success());
    assert_eq!(row(&test(&[]).await, "open"), "open 1 0 0 0 ok");
    let expected: Value = serde_json::from_str(&samples.read("open/bad.expected.json")).unwrap();
    let problem = "The update of ticket 1 can't be mapped: hs_task_subject: it gives an object";
    assert!(expected["failed"][0].as_str().unwrap().starts_with(problem), "{expected}");
    assert_eq!(expected["time"], json!("2026-10-12T19:03:58.000Z"), "it arrives when it says");
    std::fs::remove_dir_all(folder).unwrap();
}
