//! `taskhook explain`: the requests that it shows are those that the function sends.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{taskhook, taskhook_with, text};
use crate::support::shipped::{self, root};
use crate::support::{SOURCE, TOKEN, world};

/// A folder with the source `shop` and a payload.
fn files(test: &str, source: &str, payload: &Value) -> (PathBuf, String) {
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("sources")).unwrap();
    std::fs::write(folder.join("sources/shop.toml"), source.replace("{tests}", "any")).unwrap();
    std::fs::write(folder.join("payload.json"), payload.to_string()).unwrap();
    (folder.join("sources"), folder.join("payload.json").to_str().unwrap().to_owned())
}

/// The requests that are shown: the path, what is said of it, and the body.
fn requests(shown: &str) -> Vec<(String, Value)> {
    let request = |shown: &str| {
        let (path, body) = shown.split_once('\n').unwrap();
        (
            path.to_owned(),
            serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}")),
        )
    };
    shown.split("\nPOST ").skip(1).map(request).collect()
}

/// A ticket that is there and one that is not, with an owner.
fn tickets() -> Value {
    json!({"event": "e-1", "tickets": [
        {"id": "1", "at": "2026-03-02T10:00:00Z", "subject": "one", "owner": "ada@acme.example", "status": "open"},
        {"id": "new", "at": "2026-03-02T11:00:00Z", "subject": "two", "priority": "HIGH"},
        {"id": "1", "at": "2026-03-02T12:00:00Z", "subject": "one again"},
    ]})
}

#[tokio::test]
async fn the_requests_are_those_that_the_function_sends() {
    let guarded =
        SOURCE.replace("id_property = ", "updated_at_property = \"ticket_at\"\nid_property = ");
    let creating = SOURCE.replace("id_property = ", "on_missing = \"create\"\nid_property = ");
    for (test, source, expected) in [
        ("explain-guarded", guarded, vec!["batch/read", "batch/update"]),
        (
            "explain-creating",
            creating,
            vec!["batch/update", "batch/upsert, for the tasks that don't exist"],
        ),
    ] {
        let (sources, payload) = files(test, &source, &tickets());
        let output = taskhook(&sources, &["explain", "shop", &payload]).await;
        assert!(output.status.success(), "{}", text(&output.stderr));
        let shown =
            requests(&text(&output.stdout).replace("<id of the owner ada@acme.example>", "101"));
        let paths: Vec<_> = shown
            .iter()
            .map(|(path, _)| path.strip_prefix("/crm/objects/2026-03/tasks/").unwrap())
            .collect();
        assert_eq!(paths, expected);
        let world = world().source("shop", &source).start().await;
        world.deliver(tickets()).await;
        let sent: Vec<_> =
            world.calls("batch/").into_iter().map(|call| (call.path, call.body)).collect();
        assert_eq!(sent[0], shown[0], "the first one, to the letter");
        // The second one without the task that turned out to be missing, or with that alone.
        let inputs = |body: &Value| body["inputs"].as_array().unwrap().clone();
        assert!(!inputs(&sent[1].1).is_empty() && shown[1].0.starts_with(&sent[1].0));
        for mut input in inputs(&sent[1].1) {
            let mut all = inputs(&shown[1].1);
            let traceless = |input: &mut Value| input["objectWriteTraceId"] = Value::Null;
            traceless(&mut input);
            all.iter_mut().for_each(traceless);
            assert!(all.contains(&input), "{input:#} is not in {all:#?}");
        }
    }
}

#[tokio::test]
async fn an_update_that_the_portal_does_not_take_is_told_and_not_shown_as_sent() {
    let payload =
        json!({"tickets": [{"id": "1", "priority": "high"}, {"id": "2", "priority": "P9"}]});
    let (sources, payload) = files("explain-schema", SOURCE, &payload);
    let priority =
        json!({"name": "hs_task_priority", "type": "enumeration", "options": [{"value": "HIGH"}]});
    let schema = json!([{"name": "ticket", "hasUniqueValue": true}, priority]);
    std::fs::write(sources.join("hubspot-schema.json"), schema.to_string()).unwrap();
    let variables = [("HUBSPOT_API_VERSION", "2026-03")];
    let output = taskhook_with(&variables, &sources, &["explain", "shop", &payload]).await;
    assert!(output.status.success(), "it can be mapped: {}", text(&output.stderr));
    let shown = text(&output.stdout);
    let marked = shown.lines().find(|line| line.starts_with('✗')).unwrap();
    assert!(marked.contains("hs_task_priority") && marked.ends_with("P9 is not one of HIGH"));
    let requests = requests(&shown);
    assert_eq!(requests.len(), 1, "{shown}");
    assert_eq!(requests[0].0, "/crm/objects/2026-03/tasks/batch/update");
    let expected = json!([{"id": "1", "idProperty": "ticket", "objectWriteTraceId": "taskhook-0",
        "properties": {"hs_task_priority": "HIGH"}}]);
    assert_eq!(requests[0].1["inputs"], expected, "as the portal takes it");
}

#[tokio::test]
async fn an_event_that_is_filtered_sends_nothing() {
    let (sources, payload) = files("explain-filtered", SOURCE, &json!({"kind": "noise"}));
    let output = taskhook(&sources, &["explain", "shop", &payload]).await;
    let shown = text(&output.stdout);
    assert!(
        output.status.success() && shown.starts_with("Filtered: ") && !shown.contains("POST"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_body_that_can_not_be_read_is_told_in_words() {
    for (body, problem) in [
        ("{\"id\": 1", "It can't be read: the body is not JSON: "),
        ("", "It can't be read: the body is empty."),
    ] {
        let (sources, payload) = files("explain-broken", SOURCE, &Value::Null);
        std::fs::write(&payload, body).unwrap();
        let output = taskhook(&sources, &["explain", "shop", &payload]).await;
        let said = text(&output.stderr);
        assert!(output.status.code() == Some(1) && said.contains(problem), "{said}");
        assert!(!said.contains("Unreadable") && !said.contains("NotJson"), "{said}");
    }
}

#[tokio::test]
async fn what_can_not_be_mapped_is_in_the_json() {
    let (sources, payload) = files("explain-failed", SOURCE, &json!({"id": {}}));
    let output = taskhook(&sources, &["explain", "shop", &payload, "--json"]).await;
    assert_eq!(output.status.code(), Some(1));
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    let failed = shown["failed"][0].as_str().unwrap();
    assert!(failed.contains("[task] id: it gives an object"), "{failed}");
}

#[tokio::test]
async fn of_several_payloads_each_is_a_line() {
    let (sources, payload) = files("explain-several", SOURCE, &tickets());
    let lines = sources.parent().unwrap().join("export.jsonl");
    std::fs::write(&lines, "{\"id\": \"7\"}\n\n{\"kind\": \"noise\"}\nnot JSON\n").unwrap();
    let lines = lines.to_str().unwrap();
    let output = taskhook(&sources, &["explain", "shop", &payload, lines]).await;
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stdout);
    let rows: Vec<Vec<&str>> =
        shown.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0][1..], ["maps", "ticket", "1,", "ticket", "new,", "ticket", "1"], "{shown}");
    assert_eq!(rows[1], [&format!("{lines}:1"), "maps", "ticket", "7"]);
    assert_eq!(rows[2], [&format!("{lines}:3"), "filtered"]);
    assert_eq!(rows[3][..2], [&format!("{lines}:4"), "failed"]);
    assert_eq!(shown.lines().last(), Some("4 payloads: 2 map, 1 filtered, 1 failed"));

    let output = taskhook(&sources, &["explain", "shop", &payload, lines, "--json"]).await;
    let values = text(&output.stdout);
    let values: Vec<Value> =
        values.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((values.len(), &values[2]["filtered"]), (4, &json!(true)));
}

#[tokio::test]
async fn a_raw_request_is_read_as_the_event_that_lambda_makes_of_it() {
    let sources = shipped::sources()["github"].clone();
    let event = root().join("events/github/closed.json");
    let value: Value = serde_json::from_slice(&std::fs::read(&event).unwrap()).unwrap();
    let mut lines = vec!["POST /anywhere?team=blue HTTP/1.1".to_owned()];
    for (name, header) in value["headers"].as_object().unwrap() {
        lines.push(format!("{name}: {}", header.as_str().unwrap()));
    }
    lines.extend([String::new(), format!("{}\n", value["body"].as_str().unwrap())]);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join("closed.http");
    std::fs::write(&file, lines.join("\r\n")).unwrap();
    let said = async |path: &Path| {
        let path = path.to_str().unwrap();
        let explained = taskhook(&sources, &["explain", "github", path]).await;
        let verified = taskhook(&sources, &["verify", "github", path]).await;
        assert!(verified.status.success(), "{}", text(&verified.stderr));
        text(&explained.stdout)
    };
    assert_eq!(said(&file).await, said(&event).await);
}

#[tokio::test]
async fn lines_of_json_are_several_payloads_on_standard_input_too() {
    let (sources, _) = files("explain-lines", SOURCE, &Value::Null);
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_taskhook"))
        .args(["explain", "shop", "-"])
        .env("TASKHOOK_SOURCES", &sources)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let lines = b"{\"id\": \"7\"}\n{\"id\": \"8\"}\n\n";
    tokio::io::AsyncWriteExt::write_all(&mut input, lines).await.unwrap();
    drop(input);
    let output = child.wait_with_output().await.unwrap();
    assert!(text(&output.stdout).ends_with("2 payloads: 2 map, 0 filtered, 0 failed\n"));
}

#[tokio::test]
async fn a_form_is_told_with_the_key_that_takes_it() {
    let (sources, payload) = files("explain-form", SOURCE, &Value::Null);
    std::fs::write(&payload, "id=7&subject=one").unwrap();
    let source = "the_source_is_github_shaped";
    let text_of = std::fs::read_to_string(sources.join("shop.toml")).unwrap();
    let token = "scheme = \"token\"\nheader = \"x-token\"";
    let changed = text_of.replace("scheme = \"github\"", token);
    assert_ne!(changed, text_of, "{source}");
    std::fs::write(sources.join("shop.toml"), &changed).unwrap();
    let output = taskhook(&sources, &["explain", "shop", &payload]).await;
    let said = text(&output.stderr);
    assert!(said.contains("It looks like a form") && said.contains("`form = true`"), "{said}");
    std::fs::write(
        sources.join("shop.toml"),
        changed.replace(token, &format!("{token}\nform = true")),
    )
    .unwrap();
    let output = taskhook(&sources, &["explain", "shop", &payload]).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[tokio::test]
async fn online_the_tasks_are_read_and_nothing_is_written() {
    let world = world().source("shop", SOURCE).start().await;
    let (sources, payload) = files(
        "explain-online",
        SOURCE,
        &json!({"tickets": [
            {"id": "1", "subject": "another", "status": "done"},
            {"id": "none", "subject": "two"},
        ]}),
    );
    let url = world.hubspot.url();
    let variables = [("HUBSPOT_TOKEN", TOKEN), ("HUBSPOT_BASE_URL", &url)];
    let arguments = ["explain", "shop", &payload, "--online"];
    let output = taskhook_with(&variables, &sources, &arguments).await;
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(shown.starts_with("2 tasks: 1 updated, 1 failed\n"), "{shown}");
    let marked = |mark: char| shown.lines().filter(|line| line.starts_with(mark)).count();
    assert!(marked('→') >= 1, "{shown}");
    assert!(shown.contains("no task has ticket none"), "{shown}");
    let calls = world.calls("batch/");
    assert!(!calls.is_empty() && calls.iter().all(|call| call.path.ends_with("batch/read")));
}

#[tokio::test]
async fn links_rules_of_writing_and_what_on_missing_chose_are_told() {
    let source = r#"observe = true
[verify]
scheme = "none"
[task]
id = '.id'
id_property = "ticket"
on_missing = { from = '.action', map = { opened = "create" }, otherwise = "skip" }
[task.associate]
contact = '.mail'
company = { by = "org", from = '.org' }
missing = "fail"
[properties]
hs_task_type = { from = '"TODO"', write = "create" }
hs_task_subject = '.title'
note = { from = 'given(.note)', write = "empty" }
hint = { from = '.title', write = "empty" }
"#;
    let payload =
        json!({"id": 1, "action": "opened", "title": "x", "mail": ["a@b.example"], "org": 7});
    let (sources, payload) = files("explain-rules", source, &payload);
    let output = taskhook(&sources, &["explain", "shop", &payload]).await;
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for line in [
        "observe  only",
        "  hs_task_type     line 13  \"TODO\", only when the task is made\n",
        "  hs_task_subject  line 14  \"x\"\n",
        "– note             line 15  left alone: the expression gives nothing\n",
        "  hint             line 16  \"x\", only where the task has nothing\n",
        "  hangs on the contact  line 9   email \"a@b.example\", when the task is made; the update fails if it isn't there\n",
        "  hangs on the company  line 10  org \"7\", when the task is made; ",
        "  if no task has the id: the task is made (line 7)\n",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    let output = taskhook(&sources, &["explain", "shop", &payload, "--json"]).await;
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(shown["observe"], true);
    let update = &shown["updates"][0];
    assert_eq!(update["onMissing"], "create");
    assert_eq!(update["write"], json!({"hs_task_type": "create", "hint": "empty"}));
    let links = json!([
        {"to": "contact", "by": "email", "id": "a@b.example"},
        {"to": "company", "by": "org", "id": "7"},
    ]);
    assert_eq!(update["associate"], json!({"when": "create", "missing": "fail", "links": links}));
}

#[tokio::test]
async fn the_requests_that_link_are_those_that_the_function_sends_and_online_it_says_what_is_held_back()
 {
    let source = SOURCE
        .replace(
            "id_property = \"ticket\"",
            "id_property = \"ticket\"\non_missing = \"create\"\n[task.associate]\ncontact = '.mail'",
        )
        .replace(
            "hs_task_subject = '.subject'",
            "hs_task_subject = { from = '.subject', write = \"create\" }\n\
             hs_task_body = { from = '.text', write = \"empty\" }",
        );
    let ticket =
        |id: &str| json!({"id": id, "subject": "one", "text": "two", "mail": "eva@acme.example"});
    let (sources, payload) = files("explain-links", &source, &ticket("new"));
    let output = taskhook(&sources, &["explain", "shop", &payload]).await;
    let mut shown = requests(&text(&output.stdout));
    // Of a task that is there.
    shown.retain(|(path, _)| !path.ends_with("batch/update"));
    let world = world().source("shop", &source).seed(|seed| {
        seed["contacts"] = json!([{"id": "700", "properties": {"email": "eva@acme.example"}}]);
    });
    let world = world.start().await;
    world.deliver(ticket("new")).await.is(200, "created 1");
    let sent = world.calls("batch/");
    assert_eq!((shown.len(), sent.len()), (4, 4));
    for (call, (path, body)) in sent.iter().zip(&shown) {
        assert_eq!(path.split(',').next(), Some(call.path.as_str()));
        let task = world.hubspot.task_by("ticket", "new").unwrap().id;
        let body = body.to_string();
        let body = body.replace("<record id of the task with ticket new>", &task);
        let body = body.replace("<record id of the contact with email eva@acme.example>", "700");
        let due = |body: &mut Value| _ = body["inputs"][0]["properties"]["hs_timestamp"].take();
        let (mut sent, mut shown) = (call.body.clone(), serde_json::from_str(&body).unwrap());
        if path.contains("upsert") {
            due(&mut sent);
            due(&mut shown);
        }
        assert_eq!(sent, shown);
    }
    let url = world.hubspot.url();
    let variables = [("HUBSPOT_TOKEN", TOKEN), ("HUBSPOT_BASE_URL", &url)];
    let arguments = ["explain", "shop", &payload, "--online"];
    let shown = text(&taskhook_with(&variables, &sources, &arguments).await.stdout);
    for line in [
        "left alone: it is written only when the task is made\n",
        "left alone: it is written only where the task has nothing\n",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    assert!(shown.starts_with("Unchanged: nothing to write\nNothing is left to write"), "{shown}");
}
