//! Dead letters, looked at and sent through again with `taskhook replay`.

use std::process::Output;

use serde_json::{Value, json};
use taskhook::sim::Fault;
use tokio::process::Command;

use crate::support::aws;
use crate::support::event::{Event, hmac_sha256};
use crate::support::tool::{change_source, create_task, replay, text};
use crate::support::{SECRET, SOURCE, TOKEN, World, world};

/// A world in which task 404 is missing, and an event could not be mapped: two dead letters.
async fn with_two_letters() -> World {
    let world = world().durable().start().await;
    world
        .deliver(json!({"event": "d-1", "id": "404", "subject": "for whom?"}))
        .await
        .is(202, "queued 1");
    world.drain().await;
    world
        .deliver(json!({"event": "d-2", "id": "1", "status": "someday"}))
        .await
        .is(200, "failed 1");
    world
}

#[tokio::test]
async fn dead_letters_are_listed_and_shown_and_stay_where_they_are() {
    let world = with_two_letters().await;
    for _ in 0..2 {
        let table = text(&replay(&world, &["--dry-run"]).await, 0);
        for words in [
            "d-1",
            "not_found",
            "ticket 404: no task has ticket 404",
            "d-2",
            "mapping",
            "\"someday\"",
        ] {
            assert!(table.contains(words), "{words} is not in:\n{table}");
        }
        assert!(table.contains("2 in all: 1 mapping, 1 not_found"), "{table}");
    }
    let shown = text(&replay(&world, &["--show", "--reason", "not_found"]).await, 0);
    let letter: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(letter["update"]["properties"]["hs_task_subject"], json!("for whom?"));
    assert_eq!(world.queues().letters().await.len(), 2);
}

#[tokio::test]
async fn what_was_put_right_goes_through_and_is_gone() {
    let world = with_two_letters().await;
    change_source(&world, "done = \"COMPLETED\"", "done = \"COMPLETED\", someday = \"DEFERRED\"");
    create_task(&world, "404").await;
    let said = text(&replay(&world, &[]).await, 0);
    assert!(said.contains("2 went through, 0 stay."), "{said}");
    assert_eq!(world.task("404", "hs_task_subject").as_deref(), Some("for whom?"));
    assert_eq!(world.task("1", "hs_task_status").as_deref(), Some("DEFERRED"));
    assert!(world.queues().dead().await.is_empty());
}

#[tokio::test]
async fn what_fails_again_stays_and_only_what_is_meant_is_sent() {
    let world = with_two_letters().await;
    let said = text(&replay(&world, &["--reason", "mapping"]).await, 1);
    assert!(
        said.contains("stays")
            && said.contains("someday")
            && said.contains("0 went through, 1 stay."),
        "{said}"
    );
    change_source(&world, "done = \"COMPLETED\"", "done = \"COMPLETED\", someday = \"DEFERRED\"");
    for nothing in [["--source", "other"], ["--older-than", "1h"], ["--id", "no-such-id"]] {
        assert!(
            text(&replay(&world, &nothing).await, 0).contains("0 went through, 0 stay."),
            "{nothing:?}"
        );
    }
    let said = text(&replay(&world, &["--source", "shop", "--newer-than", "1h"]).await, 1);
    assert!(said.contains("1 went through, 1 stay."), "{said}");
    let letters = world.queues().letters().await;
    assert_eq!(
        letters.iter().map(|letter| letter.reason.as_str()).collect::<Vec<_>>(),
        ["not_found"]
    );
}

#[tokio::test]
async fn what_sqs_gave_up_is_sent_through_again() {
    let world = world().durable().start().await;
    world.queues().gives_up_after(2).await;
    world.hubspot.fault(Fault { forever: true, ..Fault::status(503) });
    for subject in ["a", "b"] {
        world.deliver(json!({"id": "1", "subject": subject})).await.is(202, "queued 1");
    }
    for _ in 0..3 {
        world.poll().await;
        world.queues().time_passes().await;
    }
    assert_eq!(world.poll().await, (0, 0), "SQS has moved them");
    let table = text(&replay(&world, &["--dry-run"]).await, 0);
    assert!(table.contains("given_up"), "{table}");
    world.hubspot.clear_faults();
    let said = text(&replay(&world, &[]).await, 0);
    assert!(said.contains("2 went through, 0 stay."), "{said}");
    assert_eq!(world.task("1", "hs_task_subject").as_deref(), Some("b"));
}

#[tokio::test]
async fn letters_can_go_into_the_queue_again_and_again() {
    let world = with_two_letters().await;
    let updates = world.queues().updates.clone();
    for _ in 0..2 {
        let said = text(&replay(&world, &["--to", &updates, "--reason", "not_found"]).await, 0);
        assert!(said.contains("queued") && said.contains("1 went through, 0 stay."), "{said}");
        assert_eq!(world.poll().await, (1, 0), "SQS doesn't take it for the one that it was");
    }
    create_task(&world, "404").await;
    text(&replay(&world, &["--to", &updates, "--reason", "not_found"]).await, 0);
    world.drain().await;
    assert_eq!(world.task("404", "hs_task_subject").as_deref(), Some("for whom?"));
}

#[tokio::test]
async fn what_comes_back_meanwhile_is_for_the_next_time() {
    let world = with_two_letters().await;
    let arguments = ["--to", &world.queues().updates, "--reason", "not_found"];
    let sent = replay(&world, &arguments);
    // The worker is at work all the while, and writes a new letter.
    let worker = async {
        loop {
            world.poll().await;
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let output = tokio::select! { output = sent => output, () = worker => unreachable!("it works for ever") };
    let said = text(&output, 0);
    assert!(said.contains("1 went through, 0 stay."), "{said}");
    world.drain().await;
    assert_eq!(world.queues().letters().await.len(), 2);
}

#[tokio::test]
async fn of_an_event_only_what_could_not_be_mapped_is_sent_again() {
    let world = world().durable().start().await;
    let tickets = json!([{"id": "1", "status": "someday"}, {"id": "2", "subject": "old"}]);
    world.deliver(json!({"event": "d-1", "tickets": tickets})).await.is(202, "queued 1, failed 1");
    world.deliver(json!({"event": "d-2", "id": "2", "subject": "newer"})).await.is(202, "queued 1");
    world.drain().await;
    change_source(&world, "done = \"COMPLETED\"", "done = \"COMPLETED\", someday = \"DEFERRED\"");
    text(&replay(&world, &[]).await, 0);
    assert_eq!(world.task("1", "hs_task_status").as_deref(), Some("DEFERRED"));
    assert_eq!(world.task("2", "hs_task_subject").as_deref(), Some("newer"));
}

#[tokio::test]
async fn an_event_that_gives_other_updates_than_then_stays() {
    let world = world().durable().start().await;
    let tickets = json!([{"id": "1", "status": "someday"}, {"id": "2", "subject": "old"}]);
    world.deliver(json!({"event": "d-1", "tickets": tickets})).await.is(202, "queued 1, failed 1");
    world.drain().await;
    change_source(&world, ".tickets[]", "(.tickets[] | select(.status != \"someday\"))");
    let said = text(&replay(&world, &[]).await, 1);
    assert!(said.contains("the event gave 2 updates then and gives 1 now"), "{said}");
}

#[tokio::test]
async fn an_error_in_the_middle_hides_nothing() {
    let world = with_two_letters().await;
    let schema = world.folder().join("hubspot-schema.json");
    std::fs::write(&schema, "").unwrap();
    let said = text(&replay(&world, &[]).await, 1);
    assert!(said.contains("hubspot-schema.json"), "{said}");
    std::fs::remove_file(schema).unwrap();
    let table = text(&replay(&world, &["--dry-run"]).await, 0);
    assert!(table.contains("2 in all"), "{table}");
}

#[tokio::test]
async fn letters_go_into_the_queue_in_the_order_of_their_changes() {
    let world = world().durable().start().await;
    for (subject, at) in [("newer", "2026-10-12T20:00:00Z"), ("older", "2026-10-12T19:00:00Z")] {
        world.deliver(json!({"id": "404", "subject": subject, "at": at})).await.is(202, "queued 1");
        world.drain().await;
    }
    text(&replay(&world, &["--to", &world.queues().updates]).await, 0);
    let queued = world.queues().queued().await;
    let subjects: Vec<_> =
        queued.iter().map(|message| &message["update"]["properties"]["hs_task_subject"]).collect();
    assert_eq!(subjects, ["older", "newer"]);
}

#[tokio::test]
async fn what_could_not_be_read_then_is_sent_if_it_can_be_now() {
    let world = world().durable().start().await;
    let message = json!({
        "version": 1, "source": "shop", "event": "d-1",
        "update": {"idProperty": "ticket", "id": "1", "time": "2026-10-12T19:00:00.000Z", "onMissing": "fail",
                   "properties": {"hs_task_subject": "read at last"}},
    });
    let time = taskhook::time::Time::now();
    for text in [message.to_string(), "never readable".to_owned()] {
        let letter =
            taskhook::queue::Letter::unreadable(time, "of another version".to_owned(), &text);
        world.queues().bury(&letter.to_text()).await;
    }
    let said = text(&replay(&world, &[]).await, 1);
    assert!(said.contains("1 went through, 1 stay."), "{said}");
    assert_eq!(world.task("1", "hs_task_subject").as_deref(), Some("read at last"));
}

#[tokio::test]
async fn what_is_sent_again_is_checked_against_the_portals_schema() {
    let world = with_two_letters().await;
    change_source(
        &world,
        "done = \"COMPLETED\"",
        "done = \"COMPLETED\", someday = \" completed \"",
    );
    let properties = json!({"results": [
        {"name": "ticket", "type": "string", "fieldType": "text", "hasUniqueValue": true},
        {"name": "hs_task_status", "type": "enumeration", "fieldType": "select",
         "options": [{"label": "Completed", "value": "COMPLETED"}]},
    ]});
    std::fs::write(world.folder().join("hubspot-schema.json"), properties.to_string()).unwrap();
    text(&replay(&world, &["--reason", "mapping"]).await, 0);
    assert_eq!(world.task("1", "hs_task_status").as_deref(), Some("COMPLETED"));
}

#[tokio::test]
async fn a_queue_that_cannot_be_read_is_said_to_be_so() {
    let world = with_two_letters().await;
    let said = text(&replay(&world, &["--to", &world.queues().dead_letters.clone()]).await, 2);
    assert!(said.contains("--to has to be the FIFO queue for updates"), "{said}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_taskhook"));
    command.args(["replay", "--dry-run", "--queue", "http://127.0.0.1/123456789012/gone.fifo"]);
    command.env_remove("AWS_REGION").env_remove("AWS_DEFAULT_REGION").env("PATH", "");
    command.env_remove("AWS_ACCESS_KEY_ID");
    let said = text(&command.output().await.unwrap(), 1);
    assert!(said.contains("AWS_REGION"), "{said}");
    command
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test");
    command.env("AWS_ENDPOINT_URL_SQS", aws::moto().await);
    let said = text(&command.output().await.unwrap(), 1);
    assert!(said.contains("The queue can't be read: SQS answered 400"), "{said}");
}

#[tokio::test]
async fn what_could_not_be_read_is_shown_and_sent_through_when_it_can_be() {
    let jira = SOURCE.replace("\"github\"", "\"jira\"");
    let world = world().with_dead_letters().source("shop", &jira).start().await;
    let signed = |body: &[u8]| {
        let signature = hex::encode(hmac_sha256(SECRET.as_bytes(), body));
        Event::post("/shop", body).header("x-hub-signature", &format!("sha256={signature}"))
    };
    world
        .send(&signed(b"id=1&subject=a+form"))
        .await
        .is(200, "failed 1")
        .row(0, "failed unreadable");
    world
        .send(&signed(b"{\"id\": \"\xff\"}"))
        .await
        .is(200, "failed 1")
        .row(0, "failed unreadable");
    let table = text(&replay(&world, &["--dry-run"]).await, 0);
    assert!(
        table.contains("2 in all: 2 unreadable") && table.contains("the body is not UTF-8"),
        "{table}"
    );
    let shown = text(&replay(&world, &["--show"]).await, 0);
    assert!(shown.contains("\"bodyBase64\": \"eyJpZCI6ICL/In0=\""), "{shown}");
    change_source(&world, "scheme = \"github\"", "scheme = \"jira\"\nform = true");
    let said = text(&replay(&world, &[]).await, 1);
    assert!(
        said.contains("1 went through, 1 stay.") && said.contains("the body is not UTF-8"),
        "{said}"
    );
    assert_eq!(world.task("1", "hs_task_subject").as_deref(), Some("a form"));
}

#[tokio::test]
async fn a_queue_of_updates_is_refused_and_its_messages_stay_with_the_worker() {
    let world = world().durable().start().await;
    world
        .deliver(json!({"event": "d-1", "id": "1", "subject": "under way"}))
        .await
        .is(202, "queued 1");
    for look in [&[][..], &["--dry-run"], &["--show"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_taskhook"));
        command
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test");
        command
            .env("AWS_ENDPOINT_URL_SQS", aws::moto().await)
            .env("TASKHOOK_SOURCES", world.folder());
        command.env("HUBSPOT_BASE_URL", world.hubspot.url()).env("HUBSPOT_TOKEN", TOKEN);
        command.args(["replay", "--queue", &world.queues().updates]).args(look);
        let said = text(&command.output().await.unwrap(), 2);
        assert!(said.contains("it has a redrive policy") && said.contains("--queue"), "{said}");
    }
    world.drain().await;
    assert_eq!(world.task("1", "hs_task_subject").as_deref(), Some("under way"));
}

#[tokio::test]
async fn an_address_that_is_no_queue_is_told_with_one_that_is() {
    for (option, address) in [
        ("--queue", "dead-letters"),
        ("--queue", "arn:aws:sqs:eu-central-1:1:dead-letters"),
        ("--queue", "https://sqs.eu-central-1.amazonaws.com/"),
        ("--to", "updates.fifo"),
    ] {
        let queue = "https://sqs.eu-central-1.amazonaws.com/1/dead-letters";
        let mut arguments = vec![option, address];
        if option == "--to" {
            arguments.extend(["--queue", queue]);
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_taskhook"));
        command.args(["replay", "--dry-run"]).args(&arguments).env("AWS_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        let said = text(&command.output().await.unwrap(), 2);
        assert!(said.starts_with(&format!("{option} is {address:?}, ")), "{said}");
        assert!(said.contains("https://sqs.eu-central-1.amazonaws.com/123456789012/"), "{said}");
    }
}

/// Puts letters about missing tasks into the queue, `count` of them.
async fn bury(world: &World, count: usize) {
    let time = taskhook::time::Time::now();
    for number in 0..count {
        let letter =
            taskhook::queue::Letter::unreadable(time, "why".to_owned(), &number.to_string());
        world.queues().bury(&letter.to_text()).await;
    }
}

/// The lines of JSON that it prints.
fn lines(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A queue of dead letters and nothing else, behind a gateway that counts.
async fn replay_counted(world: &World, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_taskhook"));
    command
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test");
    command.env("AWS_ENDPOINT_URL_SQS", world.queues().sqs.url());
    command.args(["replay", "--queue", &world.queues().dead_letters]).args(arguments);
    command.output().await.expect("taskhook runs")
}

#[tokio::test]
async fn many_letters_are_read_side_by_side_each_once_and_none_is_missing() {
    let world = world().durable().start().await;
    bury(&world, 95).await;
    for _ in 0..2 {
        let before = world.queues().sqs.calls().len();
        let listed = lines(&replay_counted(&world, &["--dry-run", "--json"]).await);
        let ids: std::collections::BTreeSet<_> =
            listed.iter().map(|line| line["id"].as_str().unwrap()).collect();
        assert_eq!((listed.len(), ids.len()), (95, 95));
        let calls = world.queues().sqs.calls().split_off(before);
        let number = |name| calls.iter().filter(|call| *call == name).count();
        // Ten in a call; at the end each of eight may find the queue empty once, and one twice.
        assert!((10..=10 + 9 + 8).contains(&number("ReceiveMessage")), "{calls:?}");
        assert_eq!(number("ChangeMessageVisibilityBatch"), 10);
    }
}

#[tokio::test]
async fn an_empty_queue_is_asked_once() {
    let world = world().durable().start().await;
    let said = text(&replay_counted(&world, &["--dry-run"]).await, 0);
    assert_eq!(said, "No dead letters.\n");
    assert_eq!(world.queues().sqs.told("ReceiveMessage").len(), 1);
}

#[tokio::test]
async fn many_letters_are_told_in_groups_unless_all_are_asked_for() {
    let world = with_two_letters().await;
    bury(&world, 60).await;
    let said = text(&replay(&world, &["--dry-run"]).await, 0);
    assert!(said.starts_with("letters  source  reason "), "{said}");
    assert!(said.contains("\n     60  -       unreadable  -"), "{said}");
    assert!(said.contains("62 in all: 1 mapping, 1 not_found, 60 unreadable"), "{said}");
    assert!(said.contains("--all"), "{said}");
    let said = text(&replay(&world, &["--dry-run", "--all"]).await, 0);
    assert!(said.starts_with("id ") && said.lines().count() == 64, "{said}");
}

#[tokio::test]
async fn letters_are_saved_as_samples_that_explain_and_test_take() {
    let world = with_two_letters().await;
    let folder = world.folder().join("saved");
    let save = ["--save", folder.to_str().unwrap()];
    for _ in 0..2 {
        let said = text(&replay(&world, &save).await, 0);
        assert!(said.contains("2 saved in "), "{said}");
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder.join("shop")).unwrap() {
        files.push(entry.unwrap().path());
    }
    files.sort();
    assert_eq!(files.len(), 2, "an event and its result, once: {files:?}");
    let event = files.iter().find(|file| !file.to_string_lossy().contains(".expected.")).unwrap();
    let saved = std::fs::read_to_string(folder.join("letters.jsonl")).unwrap();
    let letter: Value = serde_json::from_str(saved.trim()).unwrap();
    assert_eq!(letter["update"]["id"], json!("404"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!((mode(&folder) & 0o777, mode(event) & 0o777), (0o700, 0o600));
        assert_eq!(mode(&folder.join("letters.jsonl")) & 0o777, 0o600);
    }
    assert_eq!(world.queues().letters().await.len(), 2, "nothing is deleted");
    let run = |arguments: Vec<String>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_taskhook"));
        command.env("TASKHOOK_SOURCES", world.folder()).args(arguments);
        async move { command.output().await.unwrap() }
    };
    let event = event.to_str().unwrap().to_owned();
    let said = text(&run(vec!["explain".to_owned(), "shop".to_owned(), event]).await, 1);
    assert!(said.contains("someday"), "{said}");
    let events = folder.to_str().unwrap().to_owned();
    text(&run(vec!["test".to_owned(), "--events".to_owned(), events]).await, 0);
}

#[tokio::test]
async fn what_is_discarded_is_named_and_saved_first_if_that_is_asked_for() {
    let world = with_two_letters().await;
    let said = text(&replay(&world, &["--discard"]).await, 2);
    assert!(said.contains("add --all"), "{said}");
    let said = text(&replay(&world, &["--discard", "--reason", "mapping"]).await, 0);
    assert!(said.contains("d-2") && said.contains("1 deleted, 0 stay."), "{said}");
    // A file stands where the folder should be: nothing can be saved, so nothing is deleted.
    let folder = world.folder().join("saved");
    std::fs::create_dir_all(folder.join("letters.jsonl")).unwrap();
    let arguments = ["--discard", "--all", "--save", folder.to_str().unwrap()];
    let said = text(&replay(&world, &arguments).await, 1);
    assert!(said.contains("0 saved and deleted, 1 stay."), "{said}");
    std::fs::remove_dir(folder.join("letters.jsonl")).unwrap();
    let said = text(&replay(&world, &arguments).await, 0);
    assert!(said.contains("1 saved and deleted, 0 stay."), "{said}");
    assert!(folder.join("letters.jsonl").is_file());
    assert!(world.queues().dead().await.is_empty());
}

/// A folder with an `aws` that knows the profile `ops`, as the AWS command line does.
#[cfg(unix)]
fn aws_cli(world: &World) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let script = r#"#!/bin/sh
[ "$AWS_PROFILE" = old ] && { echo "Error loading SSO Token: Token for old does not exist" >&2; exit 255; }
[ "$AWS_PROFILE" = ops ] || { echo "The config profile ($AWS_PROFILE) could not be found" >&2; exit 255; }
case "$*" in
"configure export-credentials --format process")
  echo '{"Version": 1, "AccessKeyId": "ASIA", "SecretAccessKey": "s3cret", "SessionToken": "token"}' ;;
"configure get region") echo us-east-1 ;;
*) exit 252 ;;
esac
"#;
    let folder = world.folder().join("bin");
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("aws");
    std::fs::write(&file, script).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:/usr/bin:/bin", folder.display())
}

#[cfg(unix)]
#[tokio::test]
async fn a_profile_is_that_of_the_aws_command_line() {
    let world = with_two_letters().await;
    let path = aws_cli(&world);
    let variables =
        ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION"];
    for (profile, code, expected) in [
        ("ops", 0, "2 in all"),
        ("old", 1, "run `aws sso login --profile old`"),
        ("none", 1, "There is no profile \"none\""),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_taskhook"));
        for variable in variables {
            command.env_remove(variable);
        }
        command.env_remove("AWS_DEFAULT_REGION").env("AWS_PROFILE", profile).env("PATH", &path);
        command.env("AWS_ENDPOINT_URL_SQS", aws::moto().await);
        command.args(["replay", "--dry-run", "--queue", &world.queues().dead_letters]);
        let said = text(&command.output().await.unwrap(), code);
        assert!(said.contains(expected) && !said.contains("s3cret"), "{said}");
        assert!(code == 0 || said.lines().count() == 1, "{said}");
    }
}
