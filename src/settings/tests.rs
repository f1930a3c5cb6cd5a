//! What the environment may say, and what is said of mistakes in it.

use super::*;

type Variables<'v> = &'v [(&'v str, &'v str)];

fn complete(name: &str, others: Variables<'_>) -> Option<String> {
    let complete = [
        ("HUBSPOT_TOKEN_SECRET", "taskhook/hubspot"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "AKIA"),
        ("AWS_SECRET_ACCESS_KEY", "s3cret"),
    ];
    let found = others.iter().chain(&complete).find(|(variable, _)| *variable == name);
    found.map(|(_, value)| (*value).to_owned())
}

fn webhook(variables: Variables<'_>) -> Result<WebhookSettings, Vec<WrongSetting>> {
    WebhookSettings::read(&|name| complete(name, variables))
}

fn worker(variables: Variables<'_>) -> Result<WorkerSettings, Vec<WrongSetting>> {
    WorkerSettings::read(&|name| complete(name, variables))
}

fn names(problems: &[WrongSetting]) -> Vec<&str> {
    let mut names: Vec<_> = problems.iter().map(|problem| problem.variable).collect();
    names.sort_unstable();
    names
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    let settings = webhook(&[]).unwrap();
    let Destination::Hubspot(hubspot, _) = &settings.destination else { panic!("no HubSpot") };
    assert_eq!(hubspot.base_url, "https://api.hubapi.com");
    assert_eq!(hubspot.api_version, ApiVersion::Date("2026-03".to_owned()));
    assert_eq!((settings.secret_ttl.as_secs(), settings.reply_within.as_secs()), (300, 8));
    assert!(!settings.observe);
    assert!(!format!("{settings:?}").contains("s3cret"));
}

#[test]
fn every_problem_is_told_at_once() {
    let wrong = [
        ("HUBSPOT_TOKEN_SECRET", ""),
        ("HUBSPOT_BASE_URL", "http://api.example.com"),
        ("HUBSPOT_API_VERSION", "v4"),
        ("TASKHOOK_SECRET_TTL", "5 minutes"),
        ("TASKHOOK_REPLY_WITHIN", "0s"),
        ("TASKHOOK_WORKER_BATCH", "101"),
        ("TASKHOOK_OBSERVE", "yes"),
        ("TASKHOOK_METRICS", "all"),
        ("AWS_EMF_NAMESPACE", "AWS/Lambda"),
        ("TASKHOOK_QUEUE_URL", "https://sqs.example.com/1/q"),
        ("TASKHOOK_DEAD_LETTER_URL", "dead-letters"),
        ("AWS_REGION", ""),
        ("SSL_CERT_FILE", "/nowhere/roots.pem"),
        ("HTTPS_PROXY", "socks5://me:hunter2@proxy.example:1080"),
    ];
    let of_both = [
        "AWS_EMF_NAMESPACE",
        "AWS_REGION",
        "HTTPS_PROXY",
        "SSL_CERT_FILE",
        "TASKHOOK_DEAD_LETTER_URL",
        "TASKHOOK_METRICS",
        "TASKHOOK_QUEUE_URL",
    ];
    let of_hubspot = ["HUBSPOT_API_VERSION", "HUBSPOT_BASE_URL", "HUBSPOT_TOKEN_SECRET"];
    let of_worker = worker(&wrong).unwrap_err();
    let of_worker_alone = ["TASKHOOK_SECRET_TTL", "TASKHOOK_WORKER_BATCH"];
    assert_eq!(
        names(&of_worker),
        [&of_both[..3], &of_hubspot, &of_both[3..], &of_worker_alone].concat()
    );
    // With a queue the webhook never calls HubSpot.
    let of_webhook = webhook(&wrong).unwrap_err();
    let of_webhook_alone = ["TASKHOOK_REPLY_WITHIN", "TASKHOOK_SECRET_TTL"];
    assert_eq!(
        names(&of_webhook),
        [&of_both[..6], &["TASKHOOK_OBSERVE"], &of_both[6..], &of_webhook_alone].concat()
    );
    let wrong = wrong.map(|(name, value)| (name, if name == QUEUE_URL { "" } else { value }));
    assert_eq!(names(&webhook(&wrong).unwrap_err())[3..6], of_hubspot);
}

#[test]
fn metrics_are_written_where_the_log_is_json() {
    let json = ("AWS_LAMBDA_LOG_FORMAT", "JSON");
    let metrics = |variables: Variables<'_>| worker(variables).unwrap().metrics;
    let of =
        |namespace: &str, by_source| Some(Metrics { namespace: namespace.to_owned(), by_source });
    assert_eq!(metrics(&[json]), of("Taskhook", false));
    assert_eq!(
        metrics(&[json, ("TASKHOOK_METRICS", "source"), ("AWS_EMF_NAMESPACE", "Taskhook/a")]),
        of("Taskhook/a", true)
    );
    assert_eq!(metrics(&[json, ("TASKHOOK_METRICS", "off")]), None);
    assert_eq!(metrics(&[("AWS_LAMBDA_LOG_FORMAT", "Text")]), None);
}

#[test]
fn values_are_read() {
    let settings = worker(&[
        ("HUBSPOT_BASE_URL", "http://127.0.0.1:8787/"),
        ("HUBSPOT_API_VERSION", "v3"),
        ("AWS_ENDPOINT_URL", "http://localstack:4566"),
    ])
    .unwrap();
    assert_eq!(settings.hubspot.base_url, "http://127.0.0.1:8787");
    assert_eq!(settings.hubspot.api_version, ApiVersion::V3);
    assert_eq!(settings.aws.secrets_manager_url.as_deref(), Some("http://localstack:4566"));
    assert_eq!(settings.aws.sqs_url.as_deref(), Some("http://localstack:4566"));
}

#[test]
fn a_token_goes_over_plain_http_to_this_machine_alone() {
    for good in
        ["http://127.0.0.1:8787", "http://127.1.2.3", "http://localhost:8787/", "http://[::1]:8787"]
    {
        assert!(worker(&[("HUBSPOT_BASE_URL", good)]).is_ok(), "{good}");
    }
    for bad in [
        "http://127.0.0.1.evil.example",
        "http://127.evil.example",
        "http://localhost.evil.example",
        "http://127.0.0.1@evil.example",
        "http://127.0.0.1:80@evil.example",
        "http://evil.example\\@127.0.0.1",
        "http://evil.example#127.0.0.1",
        "http://[::1].evil.example",
        "http://[::2]",
        "http://0.0.0.0",
        "http://10.127.0.1",
    ] {
        let problems = worker(&[("HUBSPOT_BASE_URL", bad)]).unwrap_err();
        assert_eq!((problems.len(), problems[0].variable), (1, "HUBSPOT_BASE_URL"), "{bad}");
        assert!(
            problems[0].message.contains("write an https:// address"),
            "{bad}: {}",
            problems[0]
        );
    }
}

#[test]
fn an_address_to_which_paths_are_added_ends_with_its_path() {
    let queue = "https://sqs.eu-central-1.amazonaws.com/123456789012/updates.fifo";
    assert_eq!(worker(&[(QUEUE_URL, queue)]).unwrap().queue_url.as_deref(), Some(queue));
    let names = [
        "HUBSPOT_BASE_URL",
        "TASKHOOK_QUEUE_URL",
        "TASKHOOK_DEAD_LETTER_URL",
        "AWS_ENDPOINT_URL_SQS",
    ];
    for name in names {
        for (bad, part) in [
            ("https://api.hubapi.com?x=", "leave out what follows the ? or #"),
            ("https://api.hubapi.com/?", "leave out what follows the ? or #"),
            ("https://api.hubapi.com#", "leave out what follows the ? or #"),
            ("https://api.hubapi.com/q#x.fifo", "leave out what follows the ? or #"),
            ("https://me:hunter2@api.hubapi.com", "leave out the part before the @"),
            ("https://api.hubapi.com@evil.example/q.fifo", "leave out the part before the @"),
            ("https://", "write an"),
            ("ftp://api.hubapi.com", "write an"),
            ("api.hubapi.com", "write an"),
        ] {
            let problems = worker(&[(name, bad)]).unwrap_err();
            let problem = problems.iter().find(|problem| problem.message.contains(part));
            assert!(
                problem.is_some_and(|problem| problem.variable == name),
                "{name} {bad}: {problems:?}"
            );
            assert!(!format!("{problems:?}").contains("hunter2"), "{problems:?}");
        }
    }
}

#[test]
fn dead_letters_never_go_into_the_queue_of_updates_however_its_address_is_written() {
    let queue = "https://sqs.eu-central-1.amazonaws.com/1/updates.fifo";
    for same in [queue, "https://SQS.eu-central-1.amazonaws.com:443/1/updates.fifo"] {
        let variables = [(QUEUE_URL, queue), ("TASKHOOK_DEAD_LETTER_URL", same)];
        let variables_turned = [(QUEUE_URL, same), ("TASKHOOK_DEAD_LETTER_URL", queue)];
        for variables in [variables, variables_turned] {
            let problems = worker(&variables).unwrap_err();
            assert_eq!(names(&problems), ["TASKHOOK_DEAD_LETTER_URL"], "{variables:?}");
        }
    }
}

#[test]
fn the_token_is_needed_where_hubspot_is_called() {
    let queue =
        ("TASKHOOK_QUEUE_URL", "https://sqs.eu-central-1.amazonaws.com/123456789012/updates.fifo");
    let without = [("HUBSPOT_TOKEN_SECRET", ""), queue];
    assert!(webhook(&without).is_ok());
    assert_eq!(names(&webhook(&without[..1]).unwrap_err()), ["HUBSPOT_TOKEN_SECRET"]);
    assert_eq!(names(&worker(&without).unwrap_err()), ["HUBSPOT_TOKEN_SECRET"]);
}
