//! `taskhook check` against a portal.

use std::path::{Path, PathBuf};
use std::process::Output;

use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};
use taskhook::sim::{Seed, Sim};

use super::{root, taskhook, taskhook_with, text};
use crate::support::server::Server;
use crate::support::{TOKEN, shipped};

async fn portal() -> Sim {
    let properties = json!([
        {"name": "ticket", "hasUniqueValue": true},
        {"name": "ticket_at", "type": "datetime"},
        {"name": "shop"},
        {"name": "amount", "type": "number"},
        {"name": "day", "type": "date"},
    ]);
    let seed: Seed =
        serde_json::from_value(json!({"token": TOKEN, "properties": properties})).unwrap();
    Sim::start(seed, 0).await.unwrap()
}

/// A folder with a source file `desk.toml`, and beside the folder the portal's definitions.
async fn files(test: &str, sim: &Sim, source: &str) -> (PathBuf, PathBuf) {
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("sources")).unwrap();
    std::fs::write(folder.join("sources/desk.toml"), source).unwrap();
    let variables = [("HUBSPOT_TOKEN", TOKEN), ("HUBSPOT_BASE_URL", &sim.url())];
    let output = taskhook_with(&variables, Path::new("nowhere"), &["schema", "pull"]).await;
    std::fs::write(folder.join("schema.json"), output.stdout).unwrap();
    (folder.join("sources"), folder.join("schema.json"))
}

async fn check(sources: &Path, schema: &Path) -> Output {
    taskhook(sources, &["check", "--schema", schema.to_str().unwrap()]).await
}

const WRONG: &str = r#"[verify]
scheme = "none"
[task]
id = '.id'
id_property = "shop"
updated_at_property = "amount"
[properties]
hs_task_subjekt = '.subject'
nothing_like_it = { from = '.x', otherwise = "5" }
hs_createdate = { from = '.at', as = "datetime" }
hs_task_type = '"CALLS"'
hs_task_status = { from = '.s', map = { open = "OPEN", done = "completed" }, otherwise = "" }
amount = { from = '.n', otherwise = "n/a" }
day = { from = '.at', as = "datetime" }
hs_timestamp = { from = '.due', as = "date" }
hubspot_owner_id = { owner = '.who', otherwise = "101" }
"#;

#[tokio::test]
async fn everything_that_the_portal_does_not_take_is_told_with_its_place() {
    let sim = portal().await;
    let (sources, schema) = files("check-wrong", &sim, WRONG).await;
    let output = check(&sources, &schema).await;
    assert_eq!(output.status.code(), Some(1));
    let apply = "that can't be changed later: name another property, and `taskhook schema apply` creates it";
    let expected = [
        format!("5:15: shop is not a property with unique values; id_property needs one; {apply}"),
        format!("6:23: amount is a number property; updated_at_property needs a datetime one; {apply}"),
        "8:1: hs_task_subjekt: the portal has no such property; did you mean `hs_task_subject`?".to_owned(),
        "9:1: nothing_like_it: the portal has no such property; create it in HubSpot, or correct the name".to_owned(),
        "10:1: hs_createdate: it is read-only; leave it out".to_owned(),
        "11:16: hs_task_type: CALLS is not one of EMAIL, CALL, TODO, LINKED_IN_CONNECT, LINKED_IN_MESSAGE; write one \
         of these"
            .to_owned(),
        "12:48: hs_task_status: OPEN is not one of NOT_STARTED, IN_PROGRESS, WAITING, COMPLETED, DEFERRED; write one \
         of these"
            .to_owned(),
        "12:63: hs_task_status: HubSpot takes \"completed\" as \"COMPLETED\" only; write that".to_owned(),
        "13:37: amount: n/a is not a number; write plain digits, such as 12 or -0.5".to_owned(),
        "14:28: what as = \"datetime\" writes doesn't fit day: 2026-03-05T14:02:11.000Z is not a date; write \
         YYYY-MM-DD (as = \"date\" makes it)"
            .to_owned(),
        "15:38: what as = \"date\" writes doesn't fit hs_timestamp: 2026-03-05 is not a time with an offset; write \
         ISO 8601 with Z (as = \"datetime\" makes it), or milliseconds"
            .to_owned(),
    ];
    let file = sources.join("desk.toml");
    let expected: Vec<_> =
        expected.iter().map(|line| format!("{}:{line}\n", file.display())).collect();
    let said = text(&output.stderr);
    // Without the lines of the file that are shown below each.
    let is_problem = |line: &&str| !line.starts_with("    ") && !line.contains(": warning: ");
    let problems = said.lines().filter(is_problem);
    assert_eq!(problems.collect::<Vec<_>>(), expected.concat().lines().collect::<Vec<_>>());
}

#[tokio::test]
async fn problems_of_the_file_itself_are_told_along_with_those_of_the_portal() {
    let sim = portal().await;
    let source = WRONG
        .replace("id = '.id'", "id = '.id |'\nidd = 1")
        .replace("scheme = \"none\"", "scheme = \"nun\"");
    let (sources, schema) = files("check-both", &sim, &source).await;
    let problems = text(&check(&sources, &schema).await.stderr);
    for problem in [
        "2:10: there is no scheme \"nun\"",
        "4:12: not a jq",
        "5:1: there is no key `idd`",
        "6:15: shop is not",
    ] {
        assert!(
            problems.contains(&format!("desk.toml:{problem}")),
            "{problem:?} is not in:\n{problems}"
        );
    }
}

#[tokio::test]
async fn sources_that_fit_are_sound_online_and_by_a_file() {
    let sim = portal().await;
    let right = "[verify]\nscheme = \"none\"\n[task]\nid = '.id'\nid_property = \"ticket\"\n\
                 updated_at_property = \"ticket_at\"\n[properties]\nhs_task_type = '\"TODO\"'\n\
                 hs_timestamp = { from = '.due', as = \"datetime\", otherwise = \"\" }\nday = { from = '.d', as = \"date\" }\n\
                 shop = { from = '.s', as = \"date\", otherwise = \"no idea\" }\n";
    let (sources, schema) = files("check-right", &sim, right).await;
    let variables = [("HUBSPOT_TOKEN", TOKEN), ("HUBSPOT_BASE_URL", &sim.url())];
    for output in [
        check(&sources, &schema).await,
        taskhook_with(&variables, &sources, &["check", "--online"]).await,
    ] {
        assert!(output.status.success(), "{}", text(&output.stderr));
        let shown = text(&output.stdout);
        assert!(
            shown.contains("the portal has every property, and takes every constant\n"),
            "{shown}"
        );
        assert!(shown.contains("1 source is sound:\n  desk  /desk"), "{shown}");
    }
}

#[tokio::test]
async fn a_constant_that_can_be_put_right_is_let_through_where_the_functions_have_the_schema_too() {
    let sim = portal().await;
    let source = WRONG
        .lines()
        .take_while(|line| !line.starts_with("hs_task_subjekt"))
        .collect::<Vec<_>>()
        .join("\n");
    let source = source.replace("shop", "ticket").replace("amount", "ticket_at")
        + "\nhs_task_priority = '\"high\"'\n";
    let (sources, schema) = files("check-deployed", &sim, &source).await;
    assert!(
        text(&check(&sources, &schema).await.stderr)
            .contains("HubSpot takes \"high\" as \"HIGH\" only")
    );
    std::fs::copy(&schema, sources.join("hubspot-schema.json")).unwrap();
    let output = check(&sources, &schema).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[tokio::test]
async fn a_schema_that_can_not_be_had_says_what_to_do() {
    let sim = portal().await;
    let (sources, schema) = files("check-schema", &sim, WRONG).await;
    let missing = check(&sources, &sources.join("nowhere.json")).await;
    assert!(
        text(&missing.stderr).contains("nowhere.json can't be read: "),
        "{}",
        text(&missing.stderr)
    );
    std::fs::write(&schema, Value::Null.to_string()).unwrap();
    let broken = text(&check(&sources, &schema).await.stderr);
    assert!(broken.contains("is not a list of property definitions: "), "{broken}");
    // It may be another file, which must not be overwritten.
    assert!(
        !broken.contains("schema pull > ")
            && broken.contains("name the file into which `taskhook schema pull`")
    );
    assert!(
        text(&missing.stderr).contains("`taskhook schema pull > "),
        "{}",
        text(&missing.stderr)
    );
    let online = text(&taskhook(&sources, &["check", "--online"]).await.stderr);
    assert!(
        online.contains("HUBSPOT_TOKEN: it is not set; set it to HubSpot's access token"),
        "{online}"
    );
}

#[tokio::test]
async fn the_shipped_sources_fit_the_portal_of_the_samples() {
    let seed = std::fs::read_to_string(root().join("events/portal.json")).unwrap();
    let seed: Seed = serde_json::from_str(&seed).unwrap();
    let token = seed.token.clone().unwrap();
    let sim = Sim::start(seed, 0).await.unwrap();
    for file in shipped::sources().values() {
        let variables = [("HUBSPOT_TOKEN", token.as_str()), ("HUBSPOT_BASE_URL", &sim.url())];
        let output = taskhook_with(&variables, file, &["check", "--online"]).await;
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
}

#[tokio::test]
async fn hubspots_own_properties_are_known_without_a_portal() {
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("check-own-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let more = "hubspot_owner = '.who'\nshop_status = '.s'\nhs_task_prioriti = '\"HIGH\"'\n\
                hs_queue_membership_ids = '\"1;2\"'\n";
    let own = WRONG
        .replace("hs_task_subjekt", "hs_task_subjct")
        .replace("hs_timestamp =", "hs_due_in_the_far_future =");
    std::fs::write(folder.join("desk.toml"), own + more).unwrap();
    let output = taskhook(&folder, &["check"]).await;
    assert!(output.status.success(), "they are warnings: {}", text(&output.stderr));
    let said = text(&output.stderr);
    for words in [
        "8:1: warning: hs_task_subjct: HubSpot has no task property of this name; did you mean `hs_task_subject`?",
        "10:1: warning: hs_createdate: it is read-only; leave it out",
        "11:16: warning: hs_task_type: CALLS is not one of EMAIL, CALL, TODO",
        "12:48: warning: hs_task_status: OPEN is not one of NOT_STARTED",
        "12:63: warning: hs_task_status: HubSpot takes \"completed\" as \"COMPLETED\" only; write that",
        "15:1: warning: hs_due_in_the_far_future: HubSpot has no task property of this name, and only its own begin so",
        "17:1: warning: hubspot_owner: HubSpot has no task property of this name; did you mean `hubspot_owner_id`?",
        "19:1: warning: hs_task_prioriti: HubSpot has no task property of this name; did you mean `hs_task_priority`?",
    ] {
        assert!(said.contains(&format!("desk.toml:{words}")), "{words} is not in:\n{said}");
    }
    for name in ["shop", "amount", "nothing_like_it", "shop_status", "hs_queue_membership_ids"] {
        assert!(!said.contains(&format!("warning: {name}: ")), "{name} is in:\n{said}");
    }
}

/// A source file with a warning, and with a problem if its expression is one.
fn doubtful(expression: &str) -> String {
    format!(
        "[verify]\nscheme = \"none\"\n[task]\nid = '.id'\nid_property = \"ticket\"\n\
         [properties]\nhs_task_subject = '{expression}'\n"
    )
}

#[tokio::test]
async fn a_machine_reads_problems_and_warnings_with_their_places() {
    let sim = portal().await;
    let (sources, _) = files("check-formats", &sim, &doubtful(".subject | frobnicate")).await;
    let json = taskhook(&sources, &["check", "--format", "json"]).await;
    assert_eq!(json.status.code(), Some(1));
    let findings: Value = serde_json::from_slice(&json.stdout).unwrap();
    let desk = sources.join("desk.toml").display().to_string();
    assert_eq!(
        findings[0],
        json!({"level": "error", "file": desk, "line": 7, "column": 31, "message": "there is no function frobnicate"})
    );
    assert_eq!((&findings[1]["level"], &findings[1]["line"]), (&json!("warning"), &json!(2)));

    let github = taskhook(&sources, &["check", "--format", "github"]).await;
    let lines = text(&github.stdout);
    let first = format!("::error file={desk},line=7,col=31::there is no function frobnicate\n");
    assert!(lines.starts_with(&first), "{lines}");
    assert!(lines.contains("::warning file="), "{lines}");
    assert_eq!(text(&github.stderr), "1 problem and 1 warning\n");
}

#[tokio::test]
async fn a_warning_is_a_failure_where_check_is_strict() {
    let sim = portal().await;
    let (sources, _) = files("check-strict", &sim, &doubtful(".subject")).await;
    assert!(taskhook(&sources, &["check"]).await.status.success());
    let strict = taskhook(&sources, &["check", "--strict"]).await;
    assert_eq!(strict.status.code(), Some(1));
    let told = text(&strict.stderr);
    assert!(told.contains("desk.toml:2:10: warning: "), "{told}");
    assert!(told.ends_with("0 problems and 1 warning\n"), "{told}");
}

#[tokio::test]
async fn some_sources_are_checked_alone() {
    let sim = portal().await;
    let (sources, _) = files("check-some", &sim, &doubtful(".subject")).await;
    std::fs::write(sources.join("broken.toml"), "[verify]\n").unwrap();
    assert!(!taskhook(&sources, &["check"]).await.status.success());
    assert!(taskhook(&sources, &["check", "desk"]).await.status.success());
    let unknown = taskhook(&sources, &["check", "dusk"]).await;
    assert_eq!(text(&unknown.stderr), "There is no source \"dusk\"; did you mean \"desk\"?\n");
    let unknown = taskhook(&sources, &["check", "github"]).await;
    assert_eq!(text(&unknown.stderr), "There is no source \"github\"; there are: broken, desk.\n");
}

#[tokio::test]
async fn a_problem_is_shown_in_its_line() {
    let sim = portal().await;
    let (sources, _) = files("check-caret", &sim, &doubtful("\"ä\t\" | frobnicate")).await;
    let told = text(&taskhook(&sources, &["check"]).await.stderr);
    let line = "hs_task_subject = '\"ä\t\" | frobnicate'";
    let indent = format!("{}\t{}", " ".repeat(21), " ".repeat(4));
    let expected =
        format!("desk.toml:7:27: there is no function frobnicate\n    {line}\n    {indent}^\n");
    assert!(told.ends_with(&expected), "{told}");
}

/// A source that makes tasks and links them.
const LINKING: &str = r#"observe = true
[verify]
scheme = "none"
[task]
id = '.id'
id_property = "ticket"
on_missing = "create"
[task.associate]
contact = '.mail'
company = { by = "org", from = '.org' }
deal = { by = "offer", from = '.offer' }
[properties]
hs_task_subject = '.subject'
"#;

#[tokio::test]
async fn sources_that_only_observe_and_the_scopes_of_links_are_told() {
    let sim = portal().await;
    let (sources, _) = files("check-linking", &sim, LINKING).await;
    let output = taskhook(&sources, &["check"]).await;
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(shown.contains("\ndesk only observes: everything is done but the writing"), "{shown}");
    let scopes = "desk links tasks: the HubSpot token needs crm.objects.companies.read, \
                  crm.objects.deals.read, too\n";
    assert!(shown.contains(scopes), "{shown}");
    let contacts = LINKING
        .lines()
        .filter(|line| !["observe", "company", "deal"].iter().any(|start| line.starts_with(start)));
    let contacts = contacts.collect::<Vec<_>>().join("\n");
    let (sources, _) = files("check-contacts", &sim, &contacts).await;
    let shown = text(&taskhook(&sources, &["check"]).await.stdout);
    assert!(!shown.contains("observes") && !shown.contains("scopes"), "{shown}");
    assert!(!shown.contains("links tasks"), "{shown}");
}

/// A portal that requires a property of new tasks, has companies without unique values, and whose
/// token may not see deals.
async fn strict_portal() -> Server {
    Server::start(|request: Request<Bytes>| async move {
        let (status, body) = match request.uri().path() {
            "/crm/properties/2026-03/tasks" => {
                let ticket = json!({"name": "ticket", "hasUniqueValue": true});
                (200, json!({"results": [ticket, {"name": "hs_task_subject"}]}))
            }
            "/crm/properties/2026-03/companies" => (200, json!({"results": [{"name": "org"}]})),
            "/crm-object-schemas/2026-03/schemas/tasks" => {
                (200, json!({"requiredProperties": ["hs_timestamp", "region", "hs_task_subject"]}))
            }
            _ => (403, json!({"status": "error", "category": "MISSING_SCOPES", "message": "no"})),
        };
        Response::builder().status(status).body(Bytes::from(body.to_string())).unwrap()
    })
    .await
}

#[tokio::test]
async fn online_the_properties_of_links_and_what_new_tasks_need_are_held_against_the_portal() {
    let sim = portal().await;
    let (sources, _) = files("check-links-online", &sim, LINKING).await;
    let server = strict_portal().await;
    let variables = [("HUBSPOT_TOKEN", TOKEN), ("HUBSPOT_BASE_URL", &server.url())];
    let output = taskhook_with(&variables, &sources, &["check", "--online"]).await;
    let (shown, said) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("desk.toml:10:18: org of companies is not a property with unique"),
        "{said}"
    );
    let region = "desk.toml:7:14: warning: the portal requires region of a new task, and no line";
    assert!(said.contains(region), "{said}");
    assert!(!said.contains("requires hs_"), "{said}");
    assert!(shown.contains("the properties of deals can't be checked: "), "{shown}");
    assert!(
        shown.contains("desk makes tasks: no line gives `hs_timestamp`, so they are due"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_portal_that_does_not_tell_what_new_tasks_need_is_no_problem() {
    let sim = portal().await;
    let made = LINKING.lines().filter(|line| !line.contains("{ by = "));
    let (sources, _) = files("check-untold", &sim, &made.collect::<Vec<_>>().join("\n")).await;
    let variables = [("HUBSPOT_TOKEN", TOKEN), ("HUBSPOT_BASE_URL", &sim.url())];
    let output = taskhook_with(&variables, &sources, &["check", "--online"]).await;
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(
        shown.contains("HubSpot doesn't tell this token what else the portal requires"),
        "{shown}"
    );
}
