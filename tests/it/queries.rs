//! The saved queries and the dashboard of `template.yaml`, asked about the lines of a small story.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use taskhook::sim::{Endpoint, Fault};

use crate::support::event::Event;
use crate::support::insights::{Query, Row};
use crate::support::lambda::Function;
use crate::support::metrics::embedded;
use crate::support::template::facts;
use crate::support::{World, world};

/// The lines of both functions about a story, and what it was.
struct Story {
    world: World,
    lines: Vec<Value>,
}

/// The resources of the template.
struct Stack(Value);

impl Stack {
    async fn new(name: &str) -> Self {
        Self(facts(name, &[]).await["template"]["Resources"].clone())
    }

    /// The text of a saved query.
    fn text(&self, name: &str) -> &str {
        self.0[name]["Properties"]["QueryString"].as_str().unwrap()
    }

    fn of_kind(&self, kind: &str) -> Vec<&Value> {
        let resources = self.0.as_object().unwrap().values();
        resources
            .filter(|resource| resource["Type"] == kind)
            .map(|one| &one["Properties"])
            .collect()
    }

    fn widgets(&self) -> Vec<Value> {
        let body = self.0["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"].as_str().unwrap();
        let body: Value = serde_json::from_str(body).unwrap();
        body["widgets"].as_array().unwrap().clone()
    }

    /// The query of the dashboard.
    fn shown(&self) -> Query {
        let widgets = self.widgets();
        let [log] =
            &widgets.iter().filter(|widget| widget["type"] == "log").collect::<Vec<_>>()[..]
        else {
            panic!("one widget with lines")
        };
        Query::read(log["properties"]["query"].as_str().unwrap()).unwrap()
    }
}

async fn deliver(world: &World, event: &str, body: Value) {
    let body = body.to_string();
    let event = Event::post("/shop", body).header("x-github-delivery", event).signed();
    let reply = world.send(&event).await;
    assert!(reply.status < 300, "{reply:?}");
}

/// The function's lines, once so many of them end a delivery or a batch, or refuse one.
async fn lines(function: &Function, ends: usize) -> Vec<Value> {
    loop {
        let lines = function.lines();
        let is_end = |line: &&Value| line["message"] == "delivery" || line["message"] == "refused";
        if lines.iter().filter(is_end).count() >= ends {
            return lines;
        }
        function.logs_more().await;
    }
}

/// Ticket 1 waits for HubSpot, then it is written, as ticket 2 is; two have no task, one a value
/// that HubSpot has not; a delivery is filtered, and one wrongly signed.
async fn story() -> Story {
    let world = world().variable("AWS_LAMBDA_LOG_FORMAT", "JSON").durable().start().await;
    // The worker doesn't wait for so long.
    let headers = [("retry-after".to_owned(), "3600".to_owned())].into();
    let fault = Fault { on: Endpoint::Update, headers, ..Fault::status(429) };
    world.hubspot.fault(Fault { forever: true, ..fault });
    let at = "2026-10-12T19:00:00Z";
    deliver(&world, "d-1", json!({"id": "1", "subject": "a", "at": at})).await;
    assert_eq!(world.poll().await, (1, 1));
    world.hubspot.clear_faults();
    world.queues().time_passes().await;
    assert_eq!(world.poll().await, (1, 0));
    deliver(&world, "d-2", json!({"id": "2", "subject": "b", "at": at})).await;
    assert_eq!(world.poll().await, (1, 0));
    for (event, id) in [("d-3", "404"), ("d-4", "405")] {
        deliver(&world, event, json!({"id": id, "subject": "c"})).await;
        assert_eq!(world.poll().await, (1, 0));
    }
    deliver(&world, "d-5", json!({"id": "3", "priority": "P9"})).await;
    assert_eq!(world.poll().await, (1, 0));
    deliver(&world, "d-6", json!({"kind": "noise"})).await;
    let wrong = Event::post("/shop", "{}").header("x-github-delivery", "d-7");
    world.send(&wrong.signed_with("another secret")).await.is_problem(401);
    world.send(&Event::new("GET", "/.env")).await.is_problem(404);
    let mut both = lines(&world.function, 8).await;
    both.extend(lines(world.worker.as_ref().unwrap(), 6).await);
    both.sort_by_key(|line| line["timestamp"].as_str().unwrap().to_owned());
    Story { world, lines: both }
}

/// These columns of a result; a text for each row, with `-` for what is not there.
fn table(rows: &[Row], columns: &[&str]) -> Vec<String> {
    let cell = |row: &Row, column: &&str| match row.get(*column) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    };
    let line = |row: &Row| columns.iter().map(|name| cell(row, name)).collect::<Vec<_>>().join(" ");
    rows.iter().map(line).collect()
}

#[test]
fn a_query_is_read_as_cloudwatch_reads_it_or_not_at_all() {
    for mistake in [
        "",
        "fields",
        "fields a,",
        "fields a b",
        "fields a-b",
        "fields median",
        "fields a | ",
        "show a",
        "filter a = b",
        "filter a == \"b\"",
        "filter a = \"b",
        "filter a in [\"b\"]",
        "filter (a = \"b\"",
        "filter a ! \"b\"",
        "filter a = \"b\" and",
        "filter present(a)",
        "sort a",
        "sort a down",
        "limit 0",
        "limit 20000",
        "stats count()",
        "stats count(*)",
        "stats count(*) as max",
        "stats pct(a) as b",
        "stats pct(a, 500) as b",
        "stats count(*) as a by bin(15)",
        "stats count(*) as a by bin(7m)",
        "stats count(*) as a by b | sort c desc",
        "stats count(*) as a by b | fields b",
        "fields a | SOURCE 'b'",
        "fields a # comment",
    ] {
        assert!(Query::read(mistake).is_err(), "{mistake:?} is read");
    }
    let lines = [
        json!({"timestamp": "2026-11-27T18:14:59Z", "a": "x", "n": 9}),
        json!({"timestamp": "2026-11-27T18:15:00Z", "a": "x", "n": 10}),
        json!({"timestamp": "2026-11-27T18:29:59Z", "a": "y", "n": 1}),
        json!({"timestamp": "2026-11-27T19:00:00Z"}),
    ];
    for (query, columns, expected) in [
        ("# why\nfields n\n| sort n desc", &["n"][..], &["10", "9", "1", "-"][..]),
        ("fields a, n | filter a = 'x' | sort n asc | limit 1", &["a", "n"], &["x 9"]),
        ("filter a = \"y\" or a = 'x' and b = 'z'", &["n"], &["1"]),
        ("filter ispresent(n) and (a = 'y' or a = 'x')", &["n"], &["9", "10", "1"]),
        ("filter ispresent(a) | filter a != 'x'", &["n"], &["1"]),
        (
            "stats count(*) as c, latest(n) as l, pct(n, 50) as p by a | sort c desc",
            &["a", "c", "l", "p"],
            &["x 2 10 9", "y 1 1 1", "- 1 - -"],
        ),
        (
            "filter ispresent(n) | stats max(n) as m by bin(15m) | sort m desc",
            &["bin(15m)", "m"],
            &["2026-11-27T18:15 10", "2026-11-27T18:00 9"],
        ),
    ] {
        let read = Query::read(query).unwrap_or_else(|error| panic!("{query}: {error}"));
        let mut rows = table(&read.run(&lines), columns);
        if query.contains("latest") {
            rows.sort_by_key(|row| row.starts_with('-'));
        }
        assert_eq!(rows, expected, "{query}");
    }
}

#[tokio::test]
async fn every_query_asks_both_functions_for_fields_that_their_lines_have() {
    let (stack, story) = tokio::join!(Stack::new("asked-fields"), story());
    let lines = story.lines.iter().flat_map(|line| line.as_object().unwrap().keys());
    let known: BTreeSet<&str> = lines.map(String::as_str).collect();
    let logs = json!([{"Ref": "WebhookLogGroup"}, {"Ref": "WorkerLogGroup"}]);
    let mut queries = vec![stack.shown()];
    assert_eq!(queries[0].sources, ["${WebhookLogGroup}", "${WorkerLogGroup}"]);
    for saved in stack.of_kind("AWS::Logs::QueryDefinition") {
        assert_eq!(saved["LogGroupNames"], logs, "{saved}");
        let text = saved["QueryString"].as_str().unwrap();
        let query = Query::read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert!(query.sources.is_empty(), "the console takes no SOURCE: {text}");
        queries.push(query);
    }
    assert_eq!(queries.len(), 8);
    for query in &queries {
        let unknown: Vec<_> = query.fields().difference(&known).copied().collect();
        assert!(unknown.is_empty(), "no line has {unknown:?}");
    }
}

#[tokio::test]
async fn the_saved_queries_find_what_happened() {
    let (stack, story) = tokio::join!(Stack::new("asked"), story());
    let ask = |name: &str, example: &str, meant: &str| {
        let text = stack.text(name);
        assert!(text.contains(example), "{text}");
        let text = if example.is_empty() { text.to_owned() } else { text.replace(example, meant) };
        Query::read(&text).unwrap().run(&story.lines)
    };

    let ticket = ask("OneTicketQuery", "35436", "1");
    assert_eq!(
        table(&ticket, &["source", "event", "idProperty", "outcome", "reason", "receives"]),
        [
            "shop d-1 ticket queued - -",
            "shop d-1 ticket retry rate_limited 1",
            "shop d-1 ticket updated - 2",
        ]
    );
    let record = story.world.hubspot.task_by("ticket", "1").unwrap().id;
    assert_eq!((&ticket[2]["recordId"], ticket[2]["lagMs"].is_u64()), (&json!(record), true));
    assert_eq!(ticket[1]["webhookRequestId"], ticket[0]["requestId"]);
    assert_eq!(ticket[2]["webhookRequestId"], ticket[0]["requestId"]);
    assert!(ticket.iter().all(|row| row["@timestamp"].is_string()));

    let delivery = ask("OneDeliveryQuery", "d-1", "d-1");
    assert_eq!(
        table(&delivery, &["level", "message", "status", "id", "outcome", "reason"]),
        [
            "INFO update - 1 queued -",
            "INFO delivery 202 - - -",
            "INFO update - 1 retry rate_limited",
            "WARN delivery - - - rate_limited",
            "INFO update - 1 updated -",
            "INFO delivery - - - -",
        ]
    );
    let refused = ask("OneDeliveryQuery", "d-1", "d-7");
    assert_eq!(table(&refused, &["message", "status", "path"]), ["refused 401 /shop"]);
    let by_request = ask("OneDeliveryQuery", "d-1", ticket[0]["requestId"].as_str().unwrap());
    let updates = delivery.iter().filter(|row| row["message"] == "update");
    assert!(updates.clone().all(|row| by_request.contains(row)), "{by_request:#?}");

    assert_eq!(
        table(
            &ask("FailedByReasonQuery", "", ""),
            &["source", "reason", "updates", "newest", "example"]
        ),
        [
            "shop not_found 2 405 no task has ticket 405",
            "shop invalid_value 1 3 hs_task_priority: …",
        ]
    );
    let error = |second: u32, message: &str, reason: Option<&str>| json!({"timestamp": format!("2026-11-27T18:00:0{second}Z"), "level": "ERROR", "message": message, "reason": reason});
    let errors = [
        error(1, "token: HubSpot refuses the token", None),
        error(2, "set-up: a setting", None),
        error(3, "token: HubSpot refuses the token", None),
    ];
    let found = Query::read(stack.text("ErrorsQuery")).unwrap().run(&errors);
    assert_eq!(
        table(&found, &["message", "times"]),
        ["token: HubSpot refuses the token 2", "set-up: a setting 1"]
    );
    assert!(ask("ErrorsQuery", "", "").is_empty());
    // Nobody asked for /.env.
    assert_eq!(
        table(
            &ask("RefusedBySourceQuery", "", ""),
            &["source", "status", "deliveries", "address", "newest"]
        ),
        ["shop 401 1 192.0.2.1 d-7"]
    );

    let slowest = ask("SlowestQuery", "", "");
    let took: Vec<u64> = slowest.iter().map(|row| row["ms"].as_u64().unwrap()).collect();
    let ends = story.lines.iter().filter(|line| line["message"] == "delivery");
    let mut expected: Vec<u64> = ends.map(|line| line["ms"].as_u64().unwrap()).collect();
    expected.sort_by_key(|ms| std::cmp::Reverse(*ms));
    assert_eq!(took, expected);
    assert!(slowest.iter().all(|row| row.contains_key("received") && row.contains_key("calls")));
}

#[tokio::test]
async fn the_query_about_the_lag_finds_the_slowest_quarter_of_an_hour() {
    let (stack, story) = tokio::join!(Stack::new("asked-lag"), story());
    // The lines are real, and the times are not, so that they fall into two quarters.
    let mut lines = Vec::new();
    let wrote = |line: &&Value| line["message"] == "update" && line["outcome"] == "updated";
    let written = story.lines.iter().find(wrote).unwrap();
    for (time, lag) in [("18:00", 70), ("18:14", 10), ("18:07", 20), ("18:15", 900)] {
        let mut line = written.clone();
        assert!(line["lagMs"].is_u64());
        line["timestamp"] = json!(format!("2026-11-27T{time}:00Z"));
        line["lagMs"] = json!(lag);
        lines.push(line);
    }
    lines.extend(story.lines.iter().filter(|line| line.get("lagMs").is_none()).cloned());
    let rows = Query::read(stack.text("LagQuery")).unwrap().run(&lines);
    assert_eq!(
        table(&rows, &["source", "bin(15m)", "updates", "p50", "p90", "longest"]),
        ["shop 2026-11-27T18:15 1 900 900 900", "shop 2026-11-27T18:00 3 20 70 70"]
    );
}

#[tokio::test]
async fn the_dashboards_lines_say_who_what_and_why() {
    let (stack, story) = tokio::join!(Stack::new("shown-lines"), story());
    let rows = stack.shown().run(&story.lines);
    let columns = ["level", "message", "status", "source", "event", "reason", "path"];
    let mut shown = table(&rows, &columns);
    // HubSpot's own path.
    let limit = "WARN HubSpot's rate limit is reached (TEN_SECONDLY_ROLLING) 429 - - - /crm/";
    assert!(shown.iter().any(|row| row.starts_with(limit)), "{shown:#?}");
    shown.retain(|row| row.contains(" shop ") || row.contains("refused"));
    let refused = "WARN refused 401 shop d-7 not believed: it matches none of the secrets /shop";
    assert_eq!(
        shown,
        [
            refused,
            "WARN delivery - shop d-5 invalid_value -",
            "WARN delivery - shop d-4 not_found -",
            "WARN delivery - shop d-3 not_found -",
            "WARN delivery - shop d-1 rate_limited -",
        ]
    );
}

/// The metrics that a widget shows, with what `.` and `...` stand for.
fn metrics(widget: &Value) -> Vec<Vec<String>> {
    let mut metrics: Vec<Vec<String>> = Vec::new();
    for metric in widget["properties"]["metrics"].as_array().into_iter().flatten() {
        let parts = metric.as_array().unwrap().iter().filter_map(Value::as_str);
        let mut whole = Vec::new();
        for (index, part) in parts.enumerate() {
            match part {
                "..." => whole.clone_from(metrics.last().unwrap()),
                "." => whole.push(metrics.last().unwrap()[index].clone()),
                part => whole.push(part.to_owned()),
            }
        }
        metrics.push(whole);
    }
    metrics
}

#[tokio::test]
async fn every_metric_of_the_dashboard_is_one_that_somebody_counts() {
    let (stack, story) = tokio::join!(Stack::new("shown-metrics"), story());
    let mut ours: BTreeSet<String> = embedded("Taskhook", &story.lines).into_keys().collect();
    for filter in stack.of_kind("AWS::Logs::MetricFilter") {
        let metric = &filter["MetricTransformations"][0];
        // The dashboard names no source.
        if metric.get("Dimensions").is_none() {
            ours.insert(metric["MetricName"].as_str().unwrap().to_owned());
        }
    }
    let mut count = 0;
    for metric in stack.widgets().iter().flat_map(metrics) {
        let parts: Vec<&str> = metric.iter().map(String::as_str).collect();
        count += 1;
        let is_counted = match &parts[..] {
            ["Taskhook/${AWS::StackName}", name] => ours.contains(*name),
            ["AWS/Lambda", name, "FunctionName", "${WebhookFunction}" | "${WorkerFunction}"] => {
                ["Invocations", "Errors", "Throttles", "Duration"].contains(name)
            }
            [
                "AWS/SQS",
                name,
                "QueueName",
                "${UpdatesQueue.QueueName}" | "${DeadLetterQueue.QueueName}",
            ] => [
                "ApproximateNumberOfMessagesVisible",
                "ApproximateNumberOfMessagesNotVisible",
                "ApproximateAgeOfOldestMessage",
            ]
            .contains(name),
            _ => false,
        };
        assert!(is_counted, "nobody counts {metric:?}");
    }
    assert!(count > 20, "{count} metrics");
    for name in ["WebhookFunction", "WorkerFunction", "UpdatesQueue", "DeadLetterQueue"] {
        assert!(stack.0[name].is_object(), "{name}");
    }
}
