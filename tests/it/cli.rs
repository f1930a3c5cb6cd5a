//! The command-line tool, as a person runs it.

mod cases;
mod check;
mod explain;
mod new;
mod schema;
mod send;
mod verify;

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
    for (name, _) in std::env::vars()
        .filter(|(name, _)| name.starts_with("HUBSPOT_") || name.starts_with("AWS_"))
    {
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
        SOURCE
            .replace("{tests}/shop", &format!("desk/{name}"))
            .replace("\"github\"", &format!("\"{scheme}\""))
    };
    for (scheme, name) in [("sentry", "errors"), ("zendesk", "desk")] {
        std::fs::write(folder.join(format!("available/{name}.toml")), source(scheme, name))
            .unwrap();
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
         Ready in FOLDER/available; `taskhook new NAME` puts one into FOLDER: desk\n",
        "one that was copied is live, and no longer ready"
    );
    let output = taskhook(&folder.join("errors.toml"), &["check"]).await;
    assert_eq!(
        text(&output.stdout),
        "1 source is sound:\n  errors  /errors  sentry  desk/errors\n"
    );
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
    assert!(said.ends_with(
        "endless.toml: warning: an expression of this file doesn't end on an event without fields\n"
    ));
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
    assert!(warnings.contains(
        "doubtful.toml:4:6: warning: an event without its fields gives the id \"null#null\""
    ));
    assert!(
        warnings.contains("doubtful.toml:7:9: warning: an event that lacks the field gives empty"),
        "{warnings}"
    );
    assert_eq!(
        text(&output.stdout),
        "1 source is sound:\n  doubtful  /doubtful  none  no secret\n"
    );
    std::fs::write(&file, format!("{doubtful}q = 7\n")).unwrap();
    let output = taskhook(&file, &["check"]).await;
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), String::new()));
    assert!(
        text(&output.stderr).starts_with(&warnings)
            && text(&output.stderr).contains("doubtful.toml:8:5: `q` has to")
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

/// What `check` says about files, each by its name: whether it is content, what it lists, and what
/// it tells.
async fn check(test: &str, files: &[(&str, &str)]) -> (bool, String, String) {
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    for (name, toml) in files {
        std::fs::write(folder.join(format!("{name}.toml")), toml).unwrap();
    }
    let output = taskhook(&folder, &["check"]).await;
    assert!(matches!(output.status.code(), Some(0 | 1)), "{:?}", output.status);
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

/// A source file whose one property has this expression, in line 9.
fn with_expression(expression: &str) -> String {
    let verify = "[verify]\nscheme = \"github\"\nsecret = \"taskhook/desk\"\n";
    format!(
        "{verify}[task]\nid = '.id'\nid_property = \"t\"\n[properties]\np = '''\n{expression}'''\n"
    )
}

#[tokio::test]
async fn what_would_overflow_the_stack_is_a_mistake_and_never_the_end_of_check() {
    let nest =
        |open: &str, close: &str| format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
    for (expression, says) in [
        (
            "def f: [f]; f".to_owned(),
            "desk.toml:9:9: `f` calls itself, and nothing bounds how often",
        ),
        ("def f: def g: f; g; f".to_owned(), "desk.toml:9:15: `f` calls itself"),
        (nest("(", ")"), "desk.toml:9:101: nested over 100 deep"),
        (nest("[", "]"), "desk.toml:9:101: nested over 100 deep"),
        (nest("\"\\(", ")\""), ": nested over 100 deep"),
        (nest("if . then ", " end"), ": nested over 100 deep"),
        (nest("-", ""), ": nested over 100 deep"),
        (vec!["1"; 10_000].join(" + "), ": more than 150 operators in one chain"),
    ] {
        let (is_content, _, said) = check("deep", &[("desk", &with_expression(&expression))]).await;
        assert!(!is_content && said.contains(says), "{says} is not in: {said}");
    }
    let dotted = format!("{}a = 1", "a.".repeat(100_000));
    for toml in [nest("a = [", "]"), nest("a = {b = ", "}"), dotted, "[".repeat(10_000)] {
        let (is_content, _, said) = check("deep-toml", &[("desk", &toml)]).await;
        assert!(
            !is_content && said.contains("desk.toml:1:") && said.contains(": not TOML: "),
            "{said}"
        );
    }
    let (is_content, _, said) = check("long", &[("desk", &"# long\n".repeat(100_000))]).await;
    let says = "desk.toml: has 700000 bytes, and a source file has at most 262144";
    assert!(!is_content && said.contains(says), "{said}");
}

#[tokio::test]
async fn what_only_running_finds_to_overflow_the_stack_is_a_warning_beside_the_others() {
    let deep = with_expression("reduce range(1000000) as $i (null; [.])");
    let other = with_expression(".p // \"\"").replace("/desk", "/other");
    let (is_content, listed, said) = check("abort", &[("a-deep", &deep), ("other", &other)]).await;
    assert!(is_content && listed.starts_with("2 sources are sound:"), "{said}");
    assert!(said.contains("a-deep.toml: warning: an expression of this file "), "{said}");
    assert!(said.contains("other.toml:9:4: warning: an event that lacks the field"), "{said}");
}

#[tokio::test]
async fn check_lists_the_sound_sources_beside_a_broken_one_and_tells_a_secret_of_two() {
    let sound = with_expression(".p");
    let files =
        [("a", sound.as_str()), ("b", sound.as_str()), ("broken", "[verify]\nscheme = 1\n")];
    let (is_content, listed, said) = check("beside", &files).await;
    assert!(
        !is_content && listed.starts_with("2 sources are sound:\n  a  /a  github  taskhook/desk\n"),
        "{listed}"
    );
    assert!(
        said.contains("b.toml:3:10: warning: ") && said.contains("a.toml has this secret too"),
        "{said}"
    );
    assert!(said.contains("broken.toml:2:10: "), "{said}");
}

#[tokio::test]
async fn one_source_is_explained_and_signed_whatever_is_wrong_with_another() {
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("one-of-two-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("broken.toml"), "[verify]\n").unwrap();
    std::fs::write(folder.join("desk.toml"), with_expression(".p")).unwrap();
    let payload = folder.join("payload.json");
    std::fs::write(&payload, r#"{"id": 1, "p": "x"}"#).unwrap();
    let payload = payload.to_str().unwrap();
    for arguments in [
        vec!["explain", "desk", payload],
        vec!["event", "desk", payload, "--secret", "of 16 characters"],
    ] {
        let output = taskhook(&folder, &arguments).await;
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains("broken.toml"), "the others are not forgotten");
    }
    for name in ["broken", "nobody"] {
        let output = taskhook(&folder, &["explain", name, payload]).await;
        assert!(text(&output.stderr).contains("broken.toml:1:1: ") && !output.status.success());
    }
}

#[tokio::test]
async fn a_secret_comes_from_a_file_or_from_those_of_the_samples_and_doubtful_ones_are_told() {
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("secret-files-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (secret, payload) = (folder.join("secret"), folder.join("payload.json"));
    std::fs::write(&payload, r#"{"id": 1}"#).unwrap();
    let (file, payload) = (secret.to_str().unwrap(), payload.to_str().unwrap());
    let source = shipped::sources()["zendesk"].clone();
    for (written, words) in [
        ("short\n", "warning: the secret of zendesk has 5 characters, which can be guessed"),
        ("dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==", "stands in public documentation"),
        ("local-zendesk-signing-secret\n", "is that of Taskhook's own samples"),
        ("a long one of nobody's samples\r\n", ""),
    ] {
        std::fs::write(&secret, written).unwrap();
        let output = taskhook(&source, &["event", "zendesk", payload, "--secret-file", file]).await;
        let said = text(&output.stderr);
        assert!(
            output.status.success() && said.contains(words) && said.is_empty() == words.is_empty(),
            "{said}"
        );
        assert!(!said.contains(written.trim()), "a secret is never shown: {said}");
    }
    let output = taskhook(&source, &["event", "zendesk", payload]).await;
    assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output.stderr));
    std::fs::write(&secret, "\n").unwrap();
    let output = taskhook(&source, &["event", "zendesk", payload, "--secret-file", file]).await;
    assert!(
        text(&output.stderr).contains("is empty; write the webhook's secret into it"),
        "{}",
        text(&output.stderr)
    );
}

#[tokio::test]
async fn explain_says_of_a_sample_what_stands_beside_it() {
    for (name, file) in shipped::sources() {
        let samples = std::fs::read_dir(root().join("events").join(&name))
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let mut expected: Vec<_> =
            samples.filter(|path| path.to_string_lossy().ends_with(".expected.json")).collect();
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
        let mut expected = value(path);
        // A sample names its failures only where it has some.
        expected["failed"] = json!([]);
        assert_eq!(timeless(said), timeless(expected), "{event}");
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
        problem.contains("of ticket 1")
            && problem.contains("hs_task_subject: ")
            && problem.contains("\"someday\"")
    );
}

#[tokio::test]
async fn an_event_that_the_tool_signed_is_taken_by_the_function() {
    let world = world().start().await;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let payload = folder.join("signed.json");
    std::fs::write(&payload, json!({"id": "1", "subject": "signed by the tool"}).to_string())
        .unwrap();
    let source = folder.join("signed").join("shop.toml");
    std::fs::create_dir_all(source.parent().unwrap()).unwrap();
    std::fs::write(&source, SOURCE.replace("{tests}", "any")).unwrap();
    let arguments = [
        "event",
        "shop",
        payload.to_str().unwrap(),
        "--secret",
        SECRET,
        "--header",
        "X-GitHub-Delivery: d-9",
    ];
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
    let output = taskhook
        .arg("test")
        .current_dir(root())
        .env_remove("TASKHOOK_SOURCES")
        .stdout(writer)
        .output();
    let output = output.unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output.stderr));
}

#[tokio::test]
async fn completions_know_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let output = taskhook(Path::new("sources"), &["completions", shell]).await;
        assert!(output.status.success(), "{shell}: {}", text(&output.stderr));
        let script = text(&output.stdout);
        for command in ["check", "explain", "verify", "replay"] {
            assert!(script.contains(command), "{command} is not in the script for {shell}");
        }
        assert!(!script.contains("judge"), "{shell} completes what help hides");
    }
}
