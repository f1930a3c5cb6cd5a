//! The command-line tool, as a person runs it.

mod cases;
mod check;
mod explain;
mod schema;
mod send;

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::shipped::{self, root};
use crate::support::{SECRET, SOURCE, world};

async fn taskhook(sources: &Path, arguments: &[&str]) -> Output {
    taskhook_with(&[], sources, arguments).await
}

/// With these variables, and no others about HubSpot and AWS.
async fn taskhook_with(variables: &[(&str, &str)], sources: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_taskhook"));
    command.args(arguments).current_dir(root());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HUBSPOT_") || name.starts_with("AWS_")) {
        command.env_remove(name);
    }
    command.env("TASKHOOK_SOURCES", sources).envs(variables.iter().copied());
    command.output().await.expect("taskhook runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn check_lists_the_live_sources_and_those_that_lie_ready() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("enabled");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(folder.join("available")).unwrap();
    let source = |scheme: &str, name: &str| {
        SOURCE.replace("{tests}/shop", &format!("desk/{name}")).replace("\"github\"", &format!("\"{scheme}\""))
    };
    for (scheme, name) in [("sentry", "errors"), ("zendesk", "desk")] {
        std::fs::write(folder.join(format!("available/{name}.toml")), source(scheme, name)).unwrap();
    }
    for (scheme, name) in [("sentry", "errors"), ("standard-webhooks", "my-tickets")] {
        std::fs::write(folder.join(format!("{name}.toml")), source(scheme, name)).unwrap();
    }
    let output = taskhook(&folder, &["check"]).await;
    let said = text(&output.stdout).replace(&folder.display().to_string(), "FOLDER");
    assert_eq!(
        said,
        "2 sources are sound:\n  \
           errors      /errors      sentry             desk/errors\n  \
           my-tickets  /my-tickets  standard-webhooks  desk/my-tickets\n\n\
         Ready in FOLDER/available, to be copied to FOLDER: desk\n",
        "one that was copied is live, and no longer ready"
    );
    let output = taskhook(&folder.join("errors.toml"), &["check"]).await;
    assert_eq!(text(&output.stdout), "1 source is sound:\n  errors  /errors  sentry  desk/errors\n");
}

#[tokio::test]
async fn check_has_no_warning_about_any_shipped_source_but_the_addresses_to_replace() {
    for (name, file) in shipped::sources() {
        let output = taskhook(&file, &["check"]).await;
        let said = text(&output.stderr);
        // The samples of these two are signed with the address that is to be replaced.
        let is_known = |line: &str| {
            ["monday", "trello"].contains(&name.as_str())
                && line.ends_with("write the address that you registered with the sender")
        };
        assert!(output.status.success() && said.lines().all(is_known), "{name}: {said}");
    }
}

/// Those of one's own too, which may have warnings.
#[tokio::test]
async fn the_sources_that_would_be_deployed_are_sound() {
    let output = taskhook(&root().join("sources"), &["check"]).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[tokio::test]
async fn check_comes_to_an_end_when_an_expression_does_not() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("endless.toml");
    let endless = "[verify]\nscheme = \"none\"\n[task]\nid = '.id'\nid_property = \"t\"\n\
                   [properties]\np = 'until(false; .)'\nq = 'repeat(.)'\n";
    std::fs::write(&file, endless).unwrap();
    let output = taskhook(&file, &["check"]).await;
    assert!(output.status.success());
    let said = text(&output.stderr);
    assert!(
        said.ends_with("endless.toml: warning: an expression of this file doesn't end on an event without fields\n")
    );
}

#[tokio::test]
async fn check_tells_warnings_beside_problems_and_fails_for_problems_alone() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("doubtful.toml");
    let doubtful = "[verify]\nscheme = \"none\"\n[task]\nid = '\"\\(.a)#\\(.b)\"'\nid_property = \"t\"\n\
                    [properties]\np = '.p // \"\"'\n";
    std::fs::write(&file, doubtful).unwrap();
    let output = taskhook(&file, &["check"]).await;
    let warnings = text(&output.stderr);
    assert!(output.status.success(), "{warnings}");
    assert!(warnings.contains("doubtful.toml:4:6: warning: an event without its fields gives the id \"null#null\""));
    assert!(warnings.contains("doubtful.toml:7:9: warning: an event that lacks the field gives empty"), "{warnings}");
    assert_eq!(text(&output.stdout), "1 source is sound:\n  doubtful  /doubtful  none  no secret\n");
    std::fs::write(&file, format!("{doubtful}q = 7\n")).unwrap();
    let output = taskhook(&file, &["check"]).await;
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), String::new()));
    assert!(
        text(&output.stderr).starts_with(&warnings) && text(&output.stderr).contains("doubtful.toml:8:5: `q` has to")
    );
}

#[tokio::test]
async fn check_tells_all_problems_at_once_with_their_places() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("broken.toml");
    std::fs::write(
        &file,
        "[verify]\nscheme = \"githup\"\n[task]\nid = '.x |'\nid_property = \"t\"\nid_propertie = 1\n",
    )
    .unwrap();
    let output = taskhook(&file, &["check"]).await;
    assert_eq!(output.status.code(), Some(1));
    let problems = text(&output.stderr);
    for problem in [
        "broken.toml:2:10: there is no scheme \"githup\"",
        "broken.toml:4:11: not a jq expression: expected term, found the end",
        "broken.toml:6:1: there is no key `id_propertie` in [task]; did you mean `id_property`?",
        "broken.toml:1:1: the section [properties] is missing",
    ] {
        assert!(problems.contains(problem), "{problem:?} is not in:\n{problems}");
    }
}

#[tokio::test]
async fn explain_says_of_a_sample_what_stands_beside_it() {
    for (name, file) in shipped::sources() {
        let samples = std::fs::read_dir(root().join("events").join(&name)).unwrap().map(|entry| entry.unwrap().path());
        let mut expected: Vec<_> = samples.filter(|path| path.to_string_lossy().ends_with(".expected.json")).collect();
        expected.sort();
        // The first one with updates; a refused one is signed anew, and explained too.
        let value = |path: &std::path::PathBuf| -> Value {
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
        };
        let path = expected.iter().find(|path| value(path)["updates"][0].is_object()).unwrap();
        let event = path.to_str().unwrap().replace(".expected.json", ".json");
        let output = taskhook(&file, &["explain", "--json", &name, &event]).await;
        assert!(output.status.success(), "{event}: {}", text(&output.stderr));
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        // Where the event has no time of its own, it is that of its arrival: now.
        let timeless = |mut value: Value| {
            value["time"] = Value::Null;
            value
        };
        assert_eq!(timeless(said), timeless(value(path)), "{event}");
    }
}

#[tokio::test]
async fn explain_fails_with_everything_that_cannot_be_mapped() {
    let payload = Path::new(env!("CARGO_TARGET_TMPDIR")).join("payload.json");
    std::fs::write(&payload, r#"{"id": "1", "status": "someday", "subject": {}}"#).unwrap();
    let source = Path::new(env!("CARGO_TARGET_TMPDIR")).join("shop.toml");
    std::fs::write(&source, SOURCE.replace("{tests}", "any")).unwrap();
    let output = taskhook(&source, &["explain", "shop", payload.to_str().unwrap()]).await;
    assert_eq!(output.status.code(), Some(1));
    let problem = text(&output.stderr);
    assert!(
        problem.contains("of ticket 1") && problem.contains("hs_task_subject: ") && problem.contains("\"someday\"")
    );
}

#[tokio::test]
async fn an_event_that_the_tool_signed_is_taken_by_the_function() {
    let world = world().start().await;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let payload = folder.join("signed.json");
    std::fs::write(&payload, json!({"id": "1", "subject": "signed by the tool"}).to_string()).unwrap();
    let source = folder.join("signed").join("shop.toml");
    std::fs::create_dir_all(source.parent().unwrap()).unwrap();
    std::fs::write(&source, SOURCE.replace("{tests}", "any")).unwrap();
    let arguments =
        ["event", "shop", payload.to_str().unwrap(), "--secret", SECRET, "--header", "X-GitHub-Delivery: d-9"];
    let output = taskhook(&source, &arguments).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let reply = world.invoke(&serde_json::from_slice(&output.stdout).unwrap()).await;
    assert_eq!(reply.is(200, "updated 1").body["event"], json!("d-9"));
    assert_eq!(world.task("1", "hs_task_subject").as_deref(), Some("signed by the tool"));
}

#[test]
fn a_reader_that_has_had_enough_is_no_problem() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut taskhook = std::process::Command::new(env!("CARGO_BIN_EXE_taskhook"));
    let output = taskhook.arg("test").current_dir(root()).env_remove("TASKHOOK_SOURCES").stdout(writer).output();
    let output = output.unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output.stderr));
}
