//! `taskhook new`: a table says of each system what is guessed right.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{taskhook, text};
use crate::support::shipped::{self, root};

/// The roles that are guessed, and the property that each of the last five becomes.
const ROLES: [(&str, &str); 7] = [
    ("id", ""),
    ("time", ""),
    ("status", "hs_task_status"),
    ("title", "hs_task_subject"),
    ("priority", "hs_task_priority"),
    ("due", "hs_timestamp"),
    ("assignee", "hubspot_owner_id"),
];

/// What is in a cell of the table: whether the guess gives what it has to.
///
/// | word | the guess |
/// | --- | --- |
/// | `right` | gives this value |
/// | `wrong` | gives another one, or one where nothing is said |
/// | `absent` | gives none |
/// | `-` | gives none, and there is none |
type Cells = &'static str;

/// The shipped systems: a sample in `events/`, and its cells. A guess has to give what the shipped
/// file gives, and so the first sample there is that says most.
///
/// What is wrong: Notion's id has dashes there and none in its addresses; PagerDuty's title stands
/// behind the name of the service; ServiceNow's status is a number; `open` means that nobody works
/// on it, unlike in `tickets`; monday.com's and Shortcut's titles are right, and the shipped files
/// write them only where they changed. What is absent: nothing in an event of Asana and Shortcut
/// is a status, Front's tags have no priority, GitHub's milestone was null.
const SHIPPED: [(&str, &str, Cells); 20] = [
    // system, sample: id time status title priority due assignee
    ("asana", "status-changed", "right right absent - - - -"),
    ("clickup", "status-changed", "right right right - - - -"),
    ("freshdesk", "status-changed", "right - right right right - right"),
    ("freshservice", "status-changed", "right - right right right - right"),
    ("front", "assigned", "right right right right absent - right"),
    ("github", "edited", "right right right right right absent -"),
    ("gitlab", "reassigned", "right right right right right right right"),
    ("helpscout", "status-changed", "right right right right - - right"),
    ("intercom", "status-changed", "right right right right - - -"),
    ("jira", "due-date", "right right right right right right right"),
    ("linear", "status-changed", "right right right right right right right"),
    ("monday", "status-changed", "right right right wrong - - -"),
    ("notion", "deleted", "wrong right right - - - -"),
    ("pagerduty", "status-changed", "right right right wrong right - -"),
    ("sentry", "assigned", "right - right right right - right"),
    ("servicenow", "status-changed", "right right wrong right right right right"),
    ("shortcut", "status-changed", "right right absent wrong - - -"),
    ("tickets", "status-changed", "right right wrong right right right right"),
    ("trello", "status-changed", "right right right right - - -"),
    ("zendesk", "status-changed", "right right right right right - -"),
];

/// A system that Taskhook doesn't ship.
struct Foreign {
    name: &'static str,
    /// The payloads in `tests/it/new` that the file is made from; the first one is mapped.
    from: &'static [&'static str],
    /// What each role has to be, in the order of [`ROLES`]; empty where the payload has nothing.
    expected: [&'static str; 7],
    cells: Cells,
    edits: &'static [Edit],
    /// Another payload, and what the edited file gives of it: status, due date, assignee.
    then: (&'static str, [&'static str; 3]),
}

/// What a person changes, and why in a sentence.
struct Edit {
    #[expect(dead_code, reason = "it is for whoever reads the table")]
    because: &'static str,
    from: &'static str,
    to: &'static str,
}

const fn edit(because: &'static str, from: &'static str, to: &'static str) -> Edit {
    Edit { because, from, to }
}

const FOREIGN: [Foreign; 6] = [
    Foreign {
        name: "azure",
        from: &["azure-updated.http", "azure-closed.http"],
        expected: [
            "1042",
            "2026-10-05T09:12:44.387Z",
            "IN_PROGRESS",
            "Total of the cart is negative",
            "MEDIUM",
            "2026-10-30T16:00:00.000Z",
            "ada@acme.example",
        ],
        cells: "right right right right wrong right right",
        edits: &[
            edit("Azure gives a new work item the priority 2.", "2 = \"HIGH\"", "2 = \"MEDIUM\""),
            edit(
                "Azure leaves empty fields out.",
                "given(.resource.revision.fields[\"Microsoft.VSTS.Scheduling.DueDate\"])",
                "given(.resource.revision.fields) | .[\"Microsoft.VSTS.Scheduling.DueDate\"]",
            ),
            edit(
                "A work item that nobody is assigned to lacks the field.",
                "given(.resource.revision.fields[\"System.AssignedTo\"].uniqueName)",
                "given(.resource.revision.fields) | .[\"System.AssignedTo\"].uniqueName",
            ),
        ],
        then: ("azure-closed.http", ["COMPLETED", "cleared", "cleared"]),
    },
    Foreign {
        name: "zammad",
        from: &["zammad-open.http", "zammad-pending.http"],
        expected: [
            "81",
            "2026-10-05T09:12:44.120Z",
            "IN_PROGRESS",
            "Scanner on the second floor is offline",
            "HIGH",
            "2026-10-06T15:00:00.000Z",
            "ada@acme.example",
        ],
        cells: "right right wrong right right right right",
        edits: &[edit(
            "Zammad calls open what somebody works on, and new what nobody does yet.",
            "open = \"NOT_STARTED\"",
            "open = \"IN_PROGRESS\"",
        )],
        then: ("zammad-pending.http", ["WAITING", "2026-10-06T15:00:00.000Z", "cleared"]),
    },
    Foreign {
        name: "forgejo",
        from: &["forgejo-assigned.http", "forgejo-closed.http"],
        expected: [
            "acme/shop#12",
            "2026-10-05T09:12:44.000Z",
            "NOT_STARTED",
            "Search ignores umlauts",
            "HIGH",
            "2026-10-16T21:59:59.000Z",
            "ada@acme.example",
        ],
        cells: "right right right right right right right",
        edits: &[edit(
            "A comment comes with its issue, and is no change of it.",
            "when = '.issue'",
            "when = '.issue and (has(\"comment\") | not)'",
        )],
        then: ("forgejo-closed.http", ["COMPLETED", "2026-10-16T21:59:59.000Z", "cleared"]),
    },
    Foreign {
        name: "opsgenie",
        from: &["opsgenie-acknowledge.http"],
        expected: [
            "4a7d1c9e-0000-4000-8000-000000000042-1791191000123",
            "2026-10-05T09:12:44.387Z",
            "IN_PROGRESS",
            "Disk of db-3 is 95 % full",
            "MEDIUM",
            "",
            "ada@acme.example",
        ],
        cells: "right right right right right - right",
        edits: &[
            edit(
                "An alert is closed by this action.",
                "# Close = \"COMPLETED\"",
                "Close = \"COMPLETED\"",
            ),
            edit(
                "An alert is opened by this action.",
                "# Create = \"NOT_STARTED\"",
                "Create = \"NOT_STARTED\"",
            ),
        ],
        then: ("opsgenie-close.http", ["COMPLETED", "", "ada@acme.example"]),
    },
    Foreign {
        name: "redmine",
        from: &["redmine-updated.http", "redmine-closed.http"],
        expected: [
            "311",
            "2026-10-05T09:12:44.000Z",
            "IN_PROGRESS",
            "Replace the label printer",
            "HIGH",
            "2026-10-14T00:00:00.000Z",
            "ada@acme.example",
        ],
        cells: "right right right right right right right",
        edits: &[
            edit(
                "Redmine leaves empty fields out.",
                "given(.payload.issue.due_date)",
                "given(.payload.issue) | .due_date",
            ),
            edit(
                "An issue that nobody is assigned to lacks the field.",
                "given(.payload.issue.assignee.mail)",
                "given(.payload.issue) | .assignee.mail",
            ),
        ],
        then: ("redmine-closed.http", ["COMPLETED", "cleared", "cleared"]),
    },
    Foreign {
        name: "tickets-of-hubspot",
        from: &["hubspot-changes.http", "hubspot-stage.http"],
        expected: [
            "48100017",
            ".occurredAt",
            "IN_PROGRESS",
            "Where is my refund?",
            "HIGH",
            "",
            "71004",
        ],
        cells: "right right wrong right right - absent",
        edits: &[
            edit(
                "The stage 3 of our pipeline is called Waiting on us.",
                "3 = \"NOT_STARTED\"   # DECIDE: what this is",
                "3 = \"IN_PROGRESS\"",
            ),
            edit(
                "The stage 4 is called Closed.",
                "4 = \"NOT_STARTED\"   # DECIDE: what this is",
                "4 = \"COMPLETED\"",
            ),
            edit(
                "The owner of a HubSpot ticket is an owner of HubSpot already.",
                "# hubspot_owner_id = { from = 'select(.propertyName == \"hubspot_owner_id\") | \
                 .propertyValue', map = { 71004 = \"101\" }, otherwise = \"\", \
                 unmapped = \"skip\" }",
                "hubspot_owner_id = 'select(.propertyName == \"hubspot_owner_id\") \
                 | .propertyValue'",
            ),
            edit(
                "The address is the one that is registered with the app.",
                "https://taskhooklocal.example/",
                "https://desk.acme.example/",
            ),
        ],
        then: ("hubspot-stage.http", ["COMPLETED", "", ""]),
    },
];

/// A folder for the files that a test writes.
fn folder(test: &str) -> PathBuf {
    let folder = format!("new-{test}-{}", std::process::id());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The path of a payload of a foreign system.
fn foreign(name: &str) -> String {
    root().join("tests/it/new").join(name).to_str().unwrap().to_owned()
}

/// Writes a file by guessing, and gives its text. Nothing is wrong with it.
async fn guess(folder: &Path, name: &str, payloads: &[String]) -> String {
    let mut arguments = vec!["new", name, "--guess"];
    for payload in payloads {
        arguments.extend(["--from", payload]);
    }
    let output = taskhook(folder, &arguments).await;
    assert!(output.status.success(), "{name}: {}", text(&output.stderr));
    std::fs::read_to_string(folder.join(format!("{name}.toml"))).unwrap()
}

/// What a source file gives for each role; empty where it gives nothing.
async fn given(folder: &Path, name: &str, payload: &str) -> [String; 7] {
    let file = folder.join(format!("{name}.toml"));
    let output = taskhook(&file, &["explain", "--json", name, payload]).await;
    assert!(output.status.success(), "{name}: {}", text(&output.stderr));
    let event = serde_json::from_slice(&output.stdout).unwrap();
    roles(&std::fs::read_to_string(file).unwrap(), &event)
}

/// The values of an event by their roles. Of several updates of one task each adds some.
fn roles(source: &str, event: &Value) -> [String; 7] {
    let updates = event["updates"].as_array().unwrap();
    let first = updates.first().map_or(&Value::Null, |update| &update["id"]);
    let mut properties = BTreeMap::new();
    for update in updates.iter().filter(|update| update["id"] == *first) {
        for (name, value) in update["properties"].as_object().unwrap() {
            properties.insert(name.clone(), word(value.get("owner").unwrap_or(value)));
        }
    }
    ROLES.map(|(role, property)| match role {
        "id" => word(first),
        "time" => time(source, event),
        _ => properties.get(property).cloned().unwrap_or_default(),
    })
}

/// A value as it is compared: one that clears its property is no absent one.
fn word(value: &Value) -> String {
    match value.as_str() {
        Some("") => "cleared".to_owned(),
        Some(text) => text.to_owned(),
        None => String::new(),
    }
}

/// The event's time if the file takes it from the event, else the expression of each item's time.
fn time(source: &str, event: &Value) -> String {
    let (event_part, task_part) = source.split_once("[task]").unwrap();
    let expression = |part: &str| {
        let line = part.lines().find(|line| line.starts_with("time "));
        line.map(|line| line.split('\'').nth(1).unwrap().to_owned())
    };
    match (expression(event_part), expression(task_part)) {
        (Some(_), _) => word(&event["time"]),
        (None, Some(of_item)) => of_item,
        (None, None) => String::new(),
    }
}

fn cells(expected: &[String; 7], given: &[String; 7]) -> String {
    let cell = |(expected, given): (&String, &String)| match () {
        () if expected == given && given.is_empty() => "-",
        () if expected == given => "right",
        () if given.is_empty() => "absent",
        () => "wrong",
    };
    expected.iter().zip(given).map(cell).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn most_roles_of_the_shipped_systems_are_guessed_right() {
    let folder = folder("shipped");
    let sources = shipped::sources();
    for (name, sample, stated) in SHIPPED {
        let Some(file) = sources.get(name) else { continue };
        let event = root().join("events").join(name).join(format!("{sample}.json"));
        let expected = std::fs::read_to_string(event.with_extension("expected.json")).unwrap();
        let expected = serde_json::from_str(&expected).unwrap();
        let expected = roles(&std::fs::read_to_string(file).unwrap(), &expected);
        let event = event.to_str().unwrap().to_owned();
        guess(&folder, name, std::slice::from_ref(&event)).await;
        let given = given(&folder, name, &event).await;
        assert_eq!(cells(&expected, &given), stated, "{name}: {expected:?}\n{given:?}");
    }
    let output = taskhook(&folder, &["check"]).await;
    assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output.stderr));
}

#[tokio::test]
async fn the_six_foreign_systems_are_made_by_new_and_edits_of_a_sentence_each() {
    let folder = folder("foreign");
    for Foreign { name, from, expected, cells: stated, edits, then } in FOREIGN {
        let payloads: Vec<_> = from.iter().map(|name| foreign(name)).collect();
        let mut file = guess(&folder, name, &payloads).await;
        let expected = expected.map(str::to_owned);
        let guessed = given(&folder, name, &payloads[0]).await;
        assert_eq!(cells(&expected, &guessed), *stated, "{name}: {guessed:?}\n{file}");
        for Edit { from, to, .. } in edits {
            assert_eq!(file.matches(from).count(), 1, "{name}: {from}\n{file}");
            file = file.replace(from, to);
        }
        std::fs::write(folder.join(format!("{name}.toml")), file).unwrap();
        assert_eq!(given(&folder, name, &payloads[0]).await, expected, "{name}");
        let (second, expected) = then;
        let [_, _, status, _, _, due, assignee] = given(&folder, name, &foreign(second)).await;
        assert_eq!([status, due, assignee], expected, "{name}");
    }
    let output = taskhook(&folder, &["check", "--strict"]).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    assert!(said.contains("/forgejo.toml has 4 places to decide: lines 20, 31, 39, 69"), "{said}");
}

#[test]
fn the_table_says_that_at_least_85_of_100_roles_are_right() {
    let shipped = SHIPPED.iter().map(|(_, _, cells)| *cells);
    let foreign = FOREIGN.iter().map(|system| system.cells);
    let cells: Vec<_> = shipped.chain(foreign).flat_map(str::split_whitespace).collect();
    let count = |word: &str| cells.iter().filter(|cell| **cell == word).count();
    let told = cells.len() - count("-");
    let right = count("right");
    assert_eq!(cells.len(), 26 * ROLES.len());
    assert!(right * 100 >= told * 85, "{right} of {told}");
}

#[tokio::test]
async fn a_ticket_at_several_places_is_found_in_whatever_order_the_payloads_come() {
    for order in [["created", "updated"], ["updated", "created"]] {
        let folder = folder(&format!("places-{}", order[0]));
        let payloads = order.map(|event| foreign(&format!("azure-{event}.http")));
        let file = guess(&folder, "azure", &payloads).await;
        assert!(file.contains("\neach = '.resource.revision // .resource'\n"), "{file}");
        for payload in &payloads {
            let given = given(&folder, "azure", payload).await;
            let due = "2026-10-30T16:00:00.000Z";
            assert_eq!(
                [&given[0], &given[3], &given[5]],
                ["1042", "Total of the cart is negative", due]
            );
        }
    }
}

#[tokio::test]
async fn comments_are_left_out_and_zones_and_priorities_told() {
    let folder = folder("comments");
    let ticket = r#""Ticket": {"TicketID": "77", "Title": "Printer", "State": "pending reminder",
        "StateType": "pending", "Priority": "3 normal", "Owner": "root@localhost",
        "Responsible": "ada@acme.example", "Changed": "2026-10-05 09:12:44",
        "SolutionTimeDestinationDate": "2026-10-06 15:00:00", "Article": {"Body": "It burns."}}"#;
    let (changed, comment) = (folder.join("changed.json"), folder.join("comment.json"));
    std::fs::write(&changed, format!("{{{ticket}}}")).unwrap();
    std::fs::write(&comment, format!("{{{ticket}, \"comment\": {{\"body\": \"x\"}}}}")).unwrap();
    let payloads = [changed, comment].map(|path| path.to_str().unwrap().to_owned());
    let alone = guess(&folder, "alone", &payloads[..1]).await;
    assert!(alone.contains(r#"write '.Ticket and (has("comment") | not)'."#), "{alone}");
    let file = guess(&folder, "znuny", &payloads).await;
    for line in [
        r#"when = '.Ticket and (has("comment") | not)'"#,
        "# DECIDE: the zone of times without an offset, such as 2026-10-05 09:12:44; for example \
         \"Europe/Berlin\".",
        "from = '.Ticket.StateType'",
        "\"5 very high\" = \"HIGH\"",
        "hs_task_body = { from = 'given(.Ticket.Article.Body) | cut(60000) | html', otherwise = \
         \"\" }",
    ] {
        assert!(file.lines().any(|other| other == line), "{line}\n{file}");
    }
    assert!(!file.contains("localhost"), "{file}");
    let given = given(&folder, "znuny", &payloads[0]).await;
    assert_eq!(
        [&given[0], &given[2], &given[4], &given[5], &given[6]],
        ["77", "WAITING", "MEDIUM", "2026-10-06T15:00:00.000Z", "ada@acme.example"]
    );
}

#[tokio::test]
async fn the_new_file_is_run_on_its_payloads() {
    let folder = folder("tried");
    let ticket = r#"{"issue": {"id": 7, "title": "Printer", "status": "open"}}"#;
    for (name, text) in [
        ("whole.json", ticket.to_owned()),
        ("lacking.json", ticket.replace("\"id\": 7, ", "")),
        ("user.json", r#"{"user": {"id": 3}}"#.to_owned()),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (whole, lacking, user) = (path("whole.json"), path("lacking.json"), path("user.json"));
    let from = ["--from", &whole, "--from", &lacking, "--from", &user];
    let output = taskhook(&folder, &[&["new", "desk"][..], &from].concat()).await;
    let said = text(&output.stdout);
    let line = |start: &str| said.lines().find_map(|line| line.strip_prefix(start)).unwrap();
    assert_eq!(line(&whole), ": maps 7");
    let file = std::fs::read_to_string(folder.join("desk.toml")).unwrap();
    let id = file.lines().position(|line| line.starts_with("id = ")).unwrap() + 1;
    let fails = format!(": fails: [task] id (line {id}): it gives null, ");
    assert!(line(&lacking).starts_with(&fails), "{said}");
    assert_eq!(line(&user), ": filtered");
}

#[tokio::test]
async fn names_with_addresses_in_one_text_are_taken_apart() {
    let folder = folder("names");
    let payload = foreign("azure-names.http");
    guess(&folder, "azure", std::slice::from_ref(&payload)).await;
    let given = given(&folder, "azure", &payload).await;
    assert_eq!([&given[0], &given[2], &given[6]], ["1042", "COMPLETED", "ada@acme.example"]);
}

#[tokio::test]
async fn the_file_of_a_shipped_sender_is_written_with_the_name_of_the_new_source() {
    let folder = folder("recognised");
    for (name, file) in shipped::sources() {
        let samples = std::fs::read_dir(root().join("events").join(&name)).unwrap();
        let mut samples: Vec<_> = samples.map(|entry| entry.unwrap().path()).collect();
        samples.retain(|path| path.to_string_lossy().contains("unknown-task.json"));
        let event = samples[0].to_str().unwrap();
        let own = format!("my-{name}");
        let output = taskhook(&folder, &["new", &own, "--from", event]).await;
        let said = text(&output.stdout);
        assert!(
            output.status.success() && said.contains(&format!("shipped file {name}.toml")),
            "{said}"
        );
        let written = std::fs::read_to_string(folder.join(format!("{own}.toml"))).unwrap();
        assert!(written.contains(&format!("\npath = \"/{own}\"\n")), "{name}");
        assert!(written.contains(&format!("\"taskhook/{own}\"")), "{name}");
        let shipped = std::fs::read_to_string(file).unwrap();
        assert!(!written.contains("#:schema"), "{name}: there is no schema for it");
        assert_eq!(written.lines().count() + 1, shipped.lines().count());
        let property = |text: &str| text.split("[properties]").nth(1).unwrap().to_owned();
        assert_eq!(property(&written), property(&shipped), "{name}");
    }
    let output = taskhook(&folder, &["check"]).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[tokio::test]
async fn nothing_is_overwritten_and_a_name_that_is_no_path_is_refused() {
    let folder = folder("refused");
    let payload = foreign("forgejo-assigned.http");
    let output = taskhook(&folder, &["new", "git", "--from", &payload, "--print"]).await;
    let printed = text(&output.stdout);
    assert!(printed.starts_with("# git -> HubSpot tasks\n") && !folder.join("git.toml").exists());
    assert_eq!(guess(&folder, "git", std::slice::from_ref(&payload)).await, printed);
    let again = taskhook(&folder, &["new", "git", "--from", &payload]).await;
    let said = text(&again.stderr);
    assert!(said.contains("is there already: choose another name, or delete it first"), "{said}");
    for name in ["", "a/b", "../up", ".hidden", "-x", "ä", "health", "a b"] {
        let output = taskhook(&folder, &["new", "--from", &payload, "--", name]).await;
        assert_eq!(output.status.code(), Some(1), "{name}: {}", text(&output.stdout));
    }
    let (broken, large) = (folder.join("broken.json"), folder.join("large.json"));
    std::fs::write(&broken, "{\"a\": ").unwrap();
    std::fs::write(&large, format!("{{\"id\": \"{}\"}}", "x".repeat(1 << 20))).unwrap();
    for (file, says) in [(broken, "can't be read: "), (large, "has a body of over 1 MiB")] {
        let output = taskhook(&folder, &["new", "other", "--from", file.to_str().unwrap()]).await;
        assert!(text(&output.stderr).contains(says) && !output.status.success());
    }
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 3);
}

#[tokio::test]
async fn a_form_and_headers_of_the_command_line_are_read() {
    let folder = folder("form");
    let payload = folder.join("payload");
    std::fs::write(&payload, "id=7&title=Printer+is+on+fire&status=open").unwrap();
    let payload = payload.to_str().unwrap();
    let token = ["--header", "X-Desk-Token: example"];
    let output = taskhook(&folder, &["new", "desk", "--from", payload, token[0], token[1]]).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let file = std::fs::read_to_string(folder.join("desk.toml")).unwrap();
    assert!(
        file.contains("\nform = true\n") && file.contains("\nheader = \"X-Desk-Token\"\n"),
        "{file}"
    );
    assert!(!file.contains("example"), "a secret is never written: {file}");
    let given = given(&folder, "desk", payload).await;
    assert_eq!([&given[0], &given[2], &given[3]], ["7", "NOT_STARTED", "Printer is on fire"]);
}
