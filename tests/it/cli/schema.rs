//! `taskhook schema`: the portal's task properties, and those that the sources need.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};
use taskhook::hubspot::Schema;
use taskhook::sim::{Endpoint, Fault, Moment, Seed, Sim};

use super::{taskhook_with, text};
use crate::support::TOKEN;
use crate::support::aws::SecretsManager;

/// A portal with these properties besides HubSpot's own.
async fn portal(properties: Value) -> Sim {
    let seed: Seed =
        serde_json::from_value(json!({"token": TOKEN, "properties": properties})).unwrap();
    Sim::start(seed, 0).await.unwrap()
}

/// A folder of sources that verify nothing, each with these lines in `[task]`.
fn sources(test: &str, tasks: &[(&str, &str)]) -> PathBuf {
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for (name, task) in tasks {
        let source = format!(
            "[verify]\nscheme = \"none\"\n[task]\nid = '.id'\n{task}\n[properties]\na = '.a'\n"
        );
        std::fs::write(folder.join(format!("{name}.toml")), source).unwrap();
    }
    folder
}

/// Runs `taskhook schema` with the portal's token.
async fn schema(sim: &Sim, sources: &Path, arguments: &[&str]) -> Output {
    let variables = [("HUBSPOT_TOKEN", TOKEN), ("HUBSPOT_BASE_URL", &sim.url())];
    taskhook_with(&variables, sources, &[&["schema"], arguments].concat()).await
}

async fn apply(sim: &Sim, sources: &Path) -> Output {
    schema(sim, sources, &["apply"]).await
}

fn created(sim: &Sim) -> Vec<Value> {
    sim.calls()
        .into_iter()
        .filter(|call| call.method == "POST" && call.status == 201)
        .map(|call| call.body)
        .collect()
}

#[tokio::test]
async fn pull_prints_all_that_hubspot_says_by_name() {
    let sim =
        portal(json!([{"name": "zz", "hasUniqueValue": true, "sensitivity": 7}, {"name": "aa"}]))
            .await;
    let output = schema(&sim, Path::new("nowhere"), &["pull"]).await;
    assert!(output.status.success(), "it needs no sources: {}", text(&output.stderr));
    let shown = text(&output.stdout);
    let definitions: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown, format!("{definitions:#}\n"), "it compares line by line");
    let http = taskhook::outbound::client(true);
    let url = format!("{}/crm/properties/2026-03/tasks", sim.url());
    let said: Value = http
        .get(url)
        .bearer_auth(TOKEN)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap()
        .parse()
        .unwrap();
    let results = |value: &Value| value["results"].as_array().unwrap().clone();
    let names: Vec<_> =
        results(&definitions).iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect();
    assert!(names.is_sorted() && names.first().is_some_and(|name| name == "aa"), "{names:?}");
    assert_eq!(results(&definitions).len(), results(&said).len());
    assert!(results(&said).iter().all(|definition| results(&definitions).contains(definition)));
    assert!(Schema::parse(&shown).unwrap().check_id_property("zz").is_ok());
}

#[tokio::test]
async fn a_version_is_called_by_its_path() {
    for (version, path) in [
        ("", "/crm/properties/2026-03/tasks"),
        ("2026-03", "/crm/properties/2026-03/tasks"),
        ("2026-09", "/crm/properties/2026-09/tasks"),
        ("v3", "/crm/v3/properties/tasks"),
    ] {
        let sim = portal(json!([])).await;
        let url = sim.url();
        let variables = [
            ("HUBSPOT_TOKEN", TOKEN),
            ("HUBSPOT_BASE_URL", &url),
            ("HUBSPOT_API_VERSION", version),
        ];
        let output = taskhook_with(&variables, Path::new("nowhere"), &["schema", "pull"]).await;
        assert!(output.status.success(), "{}", text(&output.stderr));
        let calls: Vec<_> = sim.calls().into_iter().map(|call| call.path).collect();
        let asked = ["", "?dataSensitivity=sensitive", "?dataSensitivity=highly_sensitive"];
        assert_eq!(calls, asked.map(|query| format!("{path}{query}")));
    }
}

/// A portal with a sensitive property of each kind.
async fn sensitive_portal() -> Sim {
    portal(json!([
        {"name": "shop", "hasUniqueValue": true},
        {"name": "diagnosis", "dataSensitivity": "sensitive"},
        {"name": "passport", "dataSensitivity": "highly_sensitive"},
    ]))
    .await
}

const WRITES_SENSITIVE: &str = "[verify]\nscheme = \"none\"\n[task]\nid = '.id'\nid_property = \"shop\"\n\
    [properties]\nhs_task_subject = '.a'\ndiagnosis = '.b'\npassport = '.c'\n";

/// What a token without the scope for sensitive properties gets.
fn forbid_sensitive(sim: &Sim) {
    let fault = Fault { on: Endpoint::Properties, skip: 1, times: Some(2), ..Fault::status(403) };
    sim.fault(fault);
}

#[tokio::test]
async fn sensitive_properties_are_seen_where_the_token_may_see_them() {
    let sim = sensitive_portal().await;
    let pulled = schema(&sim, Path::new("nowhere"), &["pull"]).await;
    assert_eq!(text(&pulled.stderr), "");
    let definitions: Value = serde_json::from_str(&text(&pulled.stdout)).unwrap();
    let names: Vec<_> =
        definitions["results"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
    assert!(names.contains(&json!("diagnosis")) && names.contains(&json!("passport")), "{names:?}");
    assert!(definitions.get("unseen").is_none());
    let folder = sources("check-sensitive", &[]);
    std::fs::write(folder.join("desk.toml"), WRITES_SENSITIVE).unwrap();
    let variables = [("HUBSPOT_TOKEN", TOKEN), ("HUBSPOT_BASE_URL", &sim.url())];
    let online = taskhook_with(&variables, &folder, &["check", "--online"]).await;
    assert!(online.status.success(), "{}", text(&online.stderr));
    assert!(
        text(&online.stdout).contains("the portal has every property, and takes every constant")
    );
}

#[tokio::test]
async fn a_token_that_may_not_see_sensitive_properties_calls_none_missing() {
    let sim = sensitive_portal().await;
    forbid_sensitive(&sim);
    let pulled = schema(&sim, Path::new("nowhere"), &["pull"]).await;
    assert!(pulled.status.success(), "{}", text(&pulled.stderr));
    let said = "The token may not see the portal's sensitive and highly_sensitive properties, so they are left out.";
    assert!(text(&pulled.stderr).starts_with(said), "{}", text(&pulled.stderr));
    let shown = text(&pulled.stdout);
    assert!(!shown.contains("diagnosis") && shown.contains("\"unseen\""), "{shown}");
    // The local check leaves them to HubSpot, and knows the others.
    let local = Schema::parse(&shown).unwrap();
    assert!(
        local.may_have("diagnosis")
            && !local.may_have("shop")
            && !local.may_have("hs_task_subjekt")
    );
    let folder = sources("check-unseen", &[]);
    std::fs::write(
        folder.join("desk.toml"),
        WRITES_SENSITIVE.replace("hs_task_subject", "hs_task_subjekt"),
    )
    .unwrap();
    let variables = [("HUBSPOT_TOKEN", TOKEN), ("HUBSPOT_BASE_URL", &sim.url())];
    forbid_sensitive(&sim);
    let online = taskhook_with(&variables, &folder, &["check", "--online"]).await;
    let problems = text(&online.stderr);
    assert_eq!(online.status.code(), Some(1), "hs_task_subjekt is a mistake all the same");
    for name in ["diagnosis", "passport"] {
        let warning = format!(
            "warning: {name}: the portal has no such property, unless it is a sensitive one"
        );
        assert_eq!(problems.matches(&warning).count(), 1, "{problems}");
        assert!(
            !problems.contains(&format!("{name}: the portal has no such property;")),
            "{problems}"
        );
    }
    assert!(problems.contains("hs_task_subjekt: the portal has no such property"), "{problems}");
    std::fs::write(folder.join("desk.toml"), WRITES_SENSITIVE).unwrap();
    forbid_sensitive(&sim);
    let online = taskhook_with(&variables, &folder, &["check", "--online"]).await;
    assert!(online.status.success(), "{}", text(&online.stderr));
}

#[tokio::test]
async fn the_token_may_lie_in_secrets_manager_as_for_the_functions() {
    let (sim, secrets) = (portal(json!([])).await, SecretsManager::start().await);
    let name = format!("schema-{}", std::process::id());
    secrets.store(&name, &json!({"token": format!("{TOKEN}\n")}).to_string()).await;
    let (url, secrets_url, secret) = (sim.url(), secrets.url(), format!("{name}#token"));
    let mut variables = vec![
        ("HUBSPOT_BASE_URL", url.as_str()),
        ("HUBSPOT_TOKEN_SECRET", &secret),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &secrets_url),
    ];
    let output = taskhook_with(&variables, Path::new("nowhere"), &["schema", "pull"]).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    variables[1].1 = "schema-nowhere";
    let output = taskhook_with(&variables, Path::new("nowhere"), &["schema", "pull"]).await;
    let problem = "Cannot get the HubSpot token: there is no secret schema-nowhere in this region, or it has no value yet; create it, or";
    assert!(
        output.status.code() == Some(1) && text(&output.stderr).starts_with(problem),
        "{}",
        text(&output.stderr)
    );
}

#[tokio::test]
async fn a_token_that_is_missing_or_refused_says_what_to_do_and_is_not_shown() {
    let sim = portal(json!([])).await;
    let url = sim.url();
    let scope = json!({"status": "error", "category": "MISSING_SCOPES", "message": "no",
        "errors": [{"context": {"requiredGranularScopes": ["crm.schemas.contacts.read"]}}]});
    for (variables, fault, problem) in [
        (
            vec![],
            None,
            "HUBSPOT_TOKEN: it is not set; set it to HubSpot's access token, or HUBSPOT_TOKEN_SECRET to",
        ),
        (
            vec![("HUBSPOT_TOKEN_SECRET", "a"), ("PATH", "")],
            None,
            "No AWS credentials, and no AWS command line",
        ),
        (vec![("HUBSPOT_TOKEN", "two words")], None, "HUBSPOT_TOKEN is no HubSpot token"),
        (
            vec![("HUBSPOT_TOKEN", "pat-wrong")],
            None,
            "HubSpot refuses the token; use that of a service key (or private app)",
        ),
        (
            vec![("HUBSPOT_TOKEN", TOKEN)],
            Some(Fault { body: Some(scope), ..Fault::status(403) }),
            "the HubSpot token lacks a scope: crm.schemas.contacts.read; add the scope to the token's service key",
        ),
        (
            vec![("HUBSPOT_TOKEN", TOKEN)],
            Some(Fault {
                body: Some(json!({"category": "USER_DOES_NOT_HAVE_PERMISSIONS"})),
                ..Fault::status(403)
            }),
            "whoever made the HubSpot token has left, or lost the permission: rotate the token.",
        ),
        (
            vec![("HUBSPOT_TOKEN", TOKEN)],
            Some(Fault::status(404)),
            "HubSpot answered 404; try again; if it stays so",
        ),
    ] {
        if let Some(fault) = fault {
            sim.fault(fault);
        }
        let variables = [&[("HUBSPOT_BASE_URL", url.as_str())], &variables[..]].concat();
        let output = taskhook_with(&variables, Path::new("nowhere"), &["schema", "pull"]).await;
        let (shown, problems) = (text(&output.stdout), text(&output.stderr));
        assert!(
            output.status.code() == Some(1) && shown.is_empty() && problems.contains(problem),
            "{problems}"
        );
        assert!(!problems.contains("pat-") && !problems.contains("two words"), "{problems}");
    }
}

#[tokio::test]
async fn apply_creates_what_the_portal_lacks_once() {
    let sim = portal(json!([{"name": "jira_key", "hasUniqueValue": true}])).await;
    let sources = sources(
        "apply",
        &[
            ("jira", "id_property = \"jira_key\"\nupdated_at_property = \"jira_updated_at\""),
            ("shop", "id_property = \"shop_ticket_id\""),
            (
                "shop-too",
                "id_property = \"shop_ticket_id\"\nupdated_at_property = \"jira_updated_at\"",
            ),
            ("own", "id_property = \"hs_object_id\""),
        ],
    );
    let dry = schema(&sim, &sources, &["apply", "--dry-run"]).await;
    assert!(dry.status.success(), "{}", text(&dry.stderr));
    assert_eq!(
        text(&dry.stdout),
        "exists        jira_key         text with unique values\n\
         would create  jira_updated_at  date and time\n\
         would create  shop_ticket_id   text with unique values\n"
    );
    assert_eq!(created(&sim), [Value::Null; 0]);
    let first = apply(&sim, &sources).await;
    assert!(first.status.success(), "{}", text(&first.stderr));
    assert_eq!(text(&first.stdout), text(&dry.stdout).replace("would create", "created     "));
    assert_eq!(
        created(&sim),
        [
            json!({"name": "jira_updated_at", "label": "Jira updated at", "type": "datetime", "fieldType": "date",
                "groupName": "task", "hasUniqueValue": false}),
            json!({"name": "shop_ticket_id", "label": "Shop ticket ID", "type": "string", "fieldType": "text",
                "groupName": "task", "hasUniqueValue": true}),
        ]
    );
    let again = apply(&sim, &sources).await;
    assert_eq!(text(&again.stdout).matches("exists").count(), 3);
    assert_eq!(created(&sim).len(), 2);
}

#[tokio::test]
async fn a_property_of_the_wrong_kind_is_told_with_its_place_and_left_as_it_is() {
    let sim = portal(json!([{"name": "plain"}, {"name": "amount", "type": "number"}])).await;
    let sources = sources(
        "apply-wrong",
        &[
            ("a", "id_property = \"plain\"\nupdated_at_property = \"amount\""),
            ("b", "id_property = \"new\"\nupdated_at_property = \"hs_createdate\""),
            ("c", "id_property = \"both\"\nupdated_at_property = \"both\""),
        ],
    );
    for arguments in [&["apply", "--dry-run"][..], &["apply"]] {
        let output = schema(&sim, &sources, arguments).await;
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(text(&output.stdout).matches("WRONG").count(), 4, "{}", text(&output.stdout));
        let problems = text(&output.stderr);
        for problem in [
            "a.toml:5:15: plain is not a property with unique values; id_property needs one; that can't be changed later: \
             name another property, and `taskhook schema apply` creates it\n",
            "a.toml:6:23: amount is a number property; updated_at_property needs a datetime one; that can't be changed",
            "b.toml:6:23: hs_createdate: it is read-only; that can't be changed later: name another property",
            "c.toml:6:23: both is an id_property and an updated_at_property; name two properties",
        ] {
            assert!(problems.contains(problem), "{problem:?} is not in:\n{problems}");
        }
    }
    let created: Vec<_> = created(&sim).iter().map(|body| body["name"].clone()).collect();
    assert_eq!(created, [json!("new")], "what can be created is, beside what can't");
}

#[tokio::test]
async fn an_eleventh_unique_property_is_refused_in_hubspots_words() {
    let unique: Vec<_> =
        (1..=10).map(|id| json!({"name": format!("u{id}"), "hasUniqueValue": true})).collect();
    let sim = portal(json!(unique)).await;
    let task = "id_property = \"shop_ticket\"\nupdated_at_property = \"updated_at\"";
    let output = apply(&sim, &sources("apply-eleventh", &[("shop", task)])).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stdout).contains("created       updated_at   date and time\n"),
        "{}",
        text(&output.stdout)
    );
    let problem = "shop.toml:5:15: shop_ticket can't be created: HubSpot answered 400: An object can have at most 10 \
                   properties with unique values (ten properties of an object can have unique values; if they are";
    assert!(text(&output.stderr).contains(problem), "{}", text(&output.stderr));
}

#[tokio::test]
async fn advice_about_a_refused_creation_is_given_where_it_fits() {
    let limit = "ten properties of an object can have unique values";
    for (status, category, message, advice) in [
        (400, "VALIDATION_ERROR", "Property group task does not exist", ""),
        (400, "VALIDATION_ERROR", "The limit of 10 unique properties is reached", limit),
        (
            409,
            "OBJECT_ALREADY_EXISTS",
            "A property named 'shop_ticket' already exists.",
            "it may be archived, or sensitive",
        ),
    ] {
        let sim = portal(json!([])).await;
        let body = json!({"status": "error", "category": category, "message": message});
        sim.fault(Fault {
            on: Endpoint::Properties,
            skip: 3,
            body: Some(body),
            ..Fault::status(status)
        });
        let sources = sources("apply-advice", &[("shop", "id_property = \"shop_ticket\"")]);
        let problems = text(&apply(&sim, &sources).await.stderr);
        assert!(problems.contains(message) && problems.contains(advice), "{problems}");
        assert_eq!(problems.trim_end().ends_with(')'), !advice.is_empty(), "{problems}");
    }
}

#[tokio::test]
async fn a_creation_whose_answer_is_lost_is_not_repeated_blindly() {
    let sim = portal(json!([])).await;
    sim.fault(Fault {
        on: Endpoint::Properties,
        skip: 3,
        drop: Some(Moment::After),
        ..Fault::default()
    });
    let sources = sources("apply-lost", &[("shop", "id_property = \"shop_ticket\"")]);
    let output = apply(&sim, &sources).await;
    assert!(text(&output.stdout).contains("UNKNOWN       shop_ticket"), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("it may have been done or not: run the command again"));
    let again = apply(&sim, &sources).await;
    assert_eq!(text(&again.stdout), "exists        shop_ticket  text with unique values\n");
}
