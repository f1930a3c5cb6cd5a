//! What `template.yaml` deploys: translated as SAM does it, and made on moto.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};
use taskhook::settings::WebhookSettings;

use crate::support::shipped;
use crate::support::template::{facts, stack};

/// How many seconds a day has.
const DAY: u64 = 24 * 60 * 60;

fn read(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// The names of an object's members, in order.
fn names(value: &Value) -> Vec<&str> {
    let mut names: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// What a queue's attribute says.
fn seconds(queue: &Value, attribute: &str) -> u64 {
    queue[attribute].as_str().unwrap().parse().unwrap()
}

/// The translated resources of a type, with their properties.
fn resources<'t>(facts: &'t Value, kind: &str) -> BTreeMap<&'t str, &'t Value> {
    let resources = facts["template"]["Resources"].as_object().unwrap().iter();
    let of_kind = resources.filter(|(_, resource)| resource["Type"] == kind);
    of_kind.map(|(name, resource)| (name.as_str(), &resource["Properties"])).collect()
}

fn texts(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .map_or_else(|| vec![value], |list| list.iter().collect())
        .into_iter()
        .filter_map(Value::as_str)
        .collect()
}

/// What a role may do: each action with what it may be done to, without account, region and the
/// stack's name.
fn may(facts: &Value, role: &str, stack: &str) -> Vec<String> {
    let mut rights = Vec::new();
    for statement in facts["roles"][role].as_array().unwrap() {
        assert_eq!(statement["Effect"], "Allow", "{statement}");
        for action in texts(&statement["Action"]) {
            for resource in texts(&statement["Resource"]) {
                let resource = resource.rsplit(':').next().unwrap().replace(stack, "STACK");
                rights.push(format!("{action} {resource}"));
            }
        }
    }
    rights.sort_unstable();
    rights
}

#[tokio::test]
async fn queue_and_worker_are_there_in_both_modes() {
    for (name, mode) in [("all-durable", "Durable"), ("all-direct", "Direct")] {
        let facts = facts(name, &[("Mode", mode)]).await;
        assert_eq!(names(&facts["functions"]), ["WebhookFunction", "WorkerFunction"]);
        assert_eq!(names(&facts["queues"]), ["DeadLetterQueue", "UpdatesQueue"]);
        assert_eq!(names(&facts["mappings"]), ["WorkerFunctionUpdates"]);
        assert_eq!(names(&facts["roles"]), ["WebhookRole", "WorkerRole"]);
        // What moto can't make carries the condition itself.
        for (name, resource) in facts["template"]["Resources"].as_object().unwrap() {
            let is_of_direct = name == "WebhookTokenPolicy";
            assert_eq!(resource["Condition"] == "IsDirect", is_of_direct, "{name}");
            assert_ne!(resource["Condition"], "IsDurable", "{name}");
        }
    }
    let queues = stack("all-default").await;
    assert!(queues.updates.ends_with("/all-default-updates.fifo"), "{}", queues.updates);
    assert!(
        queues.dead_letters.ends_with("/all-default-dead-letters.fifo"),
        "{}",
        queues.dead_letters
    );
}

/// The translated resources that carry this condition, without their number in the stack.
fn under<'t>(facts: &'t Value, condition: &str) -> BTreeMap<&'t str, &'t Value> {
    let resources = facts["template"]["Resources"].as_object().unwrap().iter();
    let under = resources.filter(|(_, resource)| resource["Condition"] == condition);
    under.map(|(name, resource)| (name.as_str(), &resource["Properties"])).collect()
}

#[tokio::test]
async fn the_address_is_open_to_everybody_by_both_permissions_that_it_needs() {
    let facts = facts("permissions", &[]).await;
    let webhook = json!({"Ref": "WebhookFunction"});
    let permission = |action: &str, condition: &str, value: Value| json!({"Action": action, "FunctionName": webhook, "Principal": "*", condition: value});
    let invoke = permission("lambda:InvokeFunction", "InvokedViaFunctionUrl", json!(true));
    let invoke_url = permission("lambda:InvokeFunctionUrl", "FunctionUrlAuthType", json!("NONE"));
    let url = json!({"TargetFunctionArn": webhook, "AuthType": "NONE"});
    // By these names SAM knew them before there was a choice: a deployed stack keeps its address.
    let expected = BTreeMap::from([
        ("WebhookFunctionURLInvokeAllowPublicAccess", &invoke),
        ("WebhookFunctionUrl", &url),
        ("WebhookFunctionUrlPublicPermissions", &invoke_url),
    ]);
    assert_eq!(under(&facts, "HasFunctionUrl"), expected);
}

#[tokio::test]
async fn where_there_are_no_function_urls_an_http_api_hands_everything_to_the_webhook() {
    let facts = facts("api", &[("Endpoint", "HttpApi")]).await;
    let api = under(&facts, "HasHttpApi");
    assert_eq!(
        api.keys().copied().collect::<Vec<_>>(),
        [
            "WebhookApi",
            "WebhookApiIntegration",
            "WebhookApiPermission",
            "WebhookApiRoute",
            "WebhookApiStage"
        ]
    );
    assert_eq!(api["WebhookApi"]["ProtocolType"], "HTTP");
    assert_eq!(api["WebhookApiIntegration"]["PayloadFormatVersion"], "2.0");
    assert_eq!(api["WebhookApiRoute"]["RouteKey"], "$default");
    assert_eq!(api["WebhookApiStage"]["StageName"], "$default");
    assert_eq!(api["WebhookApiStage"]["AutoDeploy"], true);
    // Nobody else may invoke the function.
    let invokers: Vec<_> = resources(&facts, "AWS::Lambda::Permission").into_values().collect();
    assert_eq!(invokers.len(), 3, "{invokers:?}");
    let permission = api["WebhookApiPermission"];
    assert_eq!(permission["Principal"], "apigateway.amazonaws.com");
    let source = permission["SourceArn"]["Fn::Sub"].as_str().unwrap();
    assert!(source.ends_with(":${WebhookApi}/*"), "{source}");
}

/// Of the sources that are live as shipped. What was deleted may leave its output, and what was
/// added may have one.
#[tokio::test]
async fn every_live_source_has_its_address_among_the_outputs() {
    let facts = facts("addresses", &[]).await;
    let outputs = facts["template"]["Outputs"].as_object().unwrap().values();
    let mut addresses = Vec::new();
    for choice in outputs.filter_map(|output| output["Value"]["Fn::If"].as_array()) {
        assert_eq!(choice[0], "HasFunctionUrl");
        let (url, api) = (&choice[1]["Fn::Sub"], choice[2]["Fn::Sub"].as_str().unwrap());
        let place = api.strip_prefix("${WebhookApi.ApiEndpoint}/").unwrap();
        if let Some(url) = url.as_str() {
            // The address of a function ends in a slash.
            assert_eq!(url, format!("${{WebhookFunctionUrl.FunctionUrl}}{place}"));
            addresses.push(place);
        }
    }
    let mut known: Vec<_> = shipped::LIVE.into_iter().map(str::to_owned).collect();
    for (name, path) in shipped::of("sources") {
        let text = std::fs::read_to_string(&path).unwrap();
        let place = text.lines().find_map(|line| line.strip_prefix("path = \"/"));
        let address = place.map_or(name.as_str(), |place| place.trim_end_matches('"'));
        let is_shipped_live = shipped::LIVE.contains(&name.as_str());
        assert!(
            !is_shipped_live || addresses.contains(&address),
            "{} has no output",
            path.display()
        );
        known.push(address.to_owned());
    }
    for address in addresses {
        assert!(
            known.iter().any(|known| known == address),
            "an output without a source: {address}"
        );
    }
}

#[tokio::test]
async fn queues_are_fifo_encrypted_and_keep_what_they_have_for_fourteen_days() {
    let facts = facts("queues", &[]).await;
    for (name, queue) in facts["queues"].as_object().unwrap() {
        assert_eq!(seconds(queue, "MessageRetentionPeriod"), 14 * DAY, "{name}");
        for (attribute, value) in [
            ("FifoQueue", "true"),
            ("SqsManagedSseEnabled", "true"),
            ("ContentBasedDeduplication", "false"),
            ("DeduplicationScope", "messageGroup"),
            ("FifoThroughputLimit", "perMessageGroupId"),
        ] {
            assert_eq!(queue[attribute], value, "{name} {attribute}");
        }
        // The queue outlives the stack, but not a stack that was never made.
        let resource = &facts["template"]["Resources"][name];
        assert_eq!(resource["DeletionPolicy"], "RetainExceptOnCreate", "{name}");
        assert_eq!(resource["UpdateReplacePolicy"], "Retain", "{name}");
    }
}

#[tokio::test]
async fn an_outage_of_a_day_buries_no_update() {
    let facts = facts("outage", &[]).await;
    let (updates, dead) = (&facts["queues"]["UpdatesQueue"], &facts["queues"]["DeadLetterQueue"]);
    let redrive: Value = serde_json::from_str(updates["RedrivePolicy"].as_str().unwrap()).unwrap();
    assert_eq!(redrive["deadLetterTargetArn"], dead["QueueArn"]);
    let receives = redrive["maxReceiveCount"].as_u64().unwrap();
    // So often the worker's own waits last for a day, as its test says. Where each worker dies, SQS
    // waits.
    assert_eq!(receives, 1000);
    assert!(receives * seconds(updates, "VisibilityTimeout") >= DAY);
    // The one queue can only name the other.
    let queues = resources(&facts, "AWS::SQS::Queue");
    let name = queues["UpdatesQueue"]["QueueName"]["Fn::Sub"].as_str().unwrap();
    let allowed = &queues["DeadLetterQueue"]["RedriveAllowPolicy"];
    assert_eq!(allowed["redrivePermission"], "byQueue");
    let source = allowed["sourceQueueArns"][0]["Fn::Sub"].as_str().unwrap();
    assert!(source.ends_with(&format!(":{name}")), "{source}");
}

#[tokio::test]
async fn the_worker_gets_ten_messages_in_six_times_less_than_they_are_hidden_and_says_which_come_back()
 {
    let facts = facts("mapping", &[("WorkerConcurrency", "7")]).await;
    let worker = facts["functions"]["WorkerFunction"]["Timeout"].as_u64().unwrap();
    assert!(seconds(&facts["queues"]["UpdatesQueue"], "VisibilityTimeout") >= 6 * worker);
    let mapping = &facts["mappings"]["WorkerFunctionUpdates"];
    assert_eq!(mapping["EventSourceArn"], facts["queues"]["UpdatesQueue"]["QueueArn"]);
    assert_eq!(mapping["BatchSize"], 10);
    assert_eq!(mapping["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
    assert_eq!(mapping["ScalingConfig"], json!({"MaximumConcurrency": 7}));
    assert_eq!(mapping["MaximumBatchingWindowInSeconds"], Value::Null, "FIFO queues know none");
}

#[tokio::test]
async fn a_paused_worker_gets_nothing_and_keeps_its_queue() {
    let facts = facts("paused", &[("PauseWorker", "true")]).await;
    let mapping = &facts["template"]["Resources"]["WorkerFunctionUpdates"]["Properties"];
    assert_eq!(mapping["Enabled"], json!({"Fn::If": ["IsPaused", false, true]}));
    let condition = json!({"Fn::Equals": [{"Ref": "PauseWorker"}, "true"]});
    assert_eq!(facts["template"]["Conditions"]["IsPaused"], condition);
    assert_eq!(names(&facts["queues"]), ["DeadLetterQueue", "UpdatesQueue"]);
}

#[tokio::test]
async fn in_the_durable_mode_each_function_may_do_its_own_work_and_nothing_else() {
    let facts = facts("least", &[("Mode", "Durable")]).await;
    assert_eq!(
        may(&facts, "WebhookRole", "least"),
        [
            "logs:CreateLogStream /aws/lambda/STACK-webhook",
            "logs:PutLogEvents /aws/lambda/STACK-webhook",
            "secretsmanager:BatchGetSecretValue *",
            "secretsmanager:GetSecretValue taskhook/github-??????",
            "secretsmanager:GetSecretValue taskhook/jira-??????",
            "sqs:SendMessage STACK-dead-letters.fifo",
            "sqs:SendMessage STACK-updates.fifo",
        ]
    );
    assert_eq!(
        may(&facts, "WorkerRole", "least"),
        [
            "logs:CreateLogStream /aws/lambda/STACK-worker",
            "logs:PutLogEvents /aws/lambda/STACK-worker",
            "secretsmanager:GetSecretValue taskhook/hubspot-??????",
            "sqs:ChangeMessageVisibility STACK-updates.fifo",
            "sqs:DeleteMessage STACK-updates.fifo",
            "sqs:GetQueueAttributes STACK-updates.fifo",
            "sqs:ReceiveMessage STACK-updates.fifo",
            "sqs:SendMessage STACK-dead-letters.fifo",
        ]
    );
}

#[tokio::test]
async fn in_the_direct_mode_the_webhook_may_call_hubspot_itself() {
    let parameters = [("Mode", "Direct"), ("HubSpotTokenSecret", "crm#token")];
    let facts = facts("least-direct", &parameters).await;
    assert_eq!(
        may(&facts, "WebhookRole", "least-direct"),
        [
            "logs:CreateLogStream /aws/lambda/STACK-webhook",
            "logs:PutLogEvents /aws/lambda/STACK-webhook",
            "secretsmanager:BatchGetSecretValue *",
            "secretsmanager:GetSecretValue crm-??????",
            "secretsmanager:GetSecretValue taskhook/github-??????",
            "secretsmanager:GetSecretValue taskhook/jira-??????",
            "sqs:SendMessage STACK-dead-letters.fifo",
            // Instances that still have the environment of the durable mode queue.
            "sqs:SendMessage STACK-updates.fifo",
        ]
    );
}

/// What AWS does in one update of a stack follows what depends on what.
#[tokio::test]
async fn the_worker_and_its_queue_are_deployed_before_the_webhook_and_so_is_the_right_to_the_token()
{
    let facts = facts("order", &[]).await;
    let resources = &facts["template"]["Resources"];
    let webhook = &resources["WebhookFunction"];
    assert_eq!(webhook["DependsOn"], json!(["WorkerFunction", "WorkerFunctionUpdates"]));
    assert_eq!(resources["WorkerFunctionUpdates"]["Type"], "AWS::Lambda::EventSourceMapping");
    // The right is given before the function needs it, and taken when nobody does any more.
    let token = &webhook["Properties"]["Environment"]["Variables"]["HUBSPOT_TOKEN_SECRET"];
    let value = json!([0, [{"Ref": "HubSpotTokenSecret"}, {"Ref": "WebhookTokenPolicy"}]]);
    let expected = json!(["IsDirect", {"Fn::Select": value}, {"Ref": "AWS::NoValue"}]);
    assert_eq!(token["Fn::If"], expected);
    for worker in ["WorkerFunction", "WorkerFunctionUpdates", "WorkerRole", "UpdatesQueue"] {
        let text = resources[worker].to_string();
        assert!(!text.contains("WebhookFunction"), "{worker} would wait for the webhook");
    }
}

#[tokio::test]
async fn a_key_of_ones_own_decrypts_secrets_and_nothing_else() {
    let key = "arn:aws:kms:us-east-1:123456789012:key/k-1";
    let facts = facts("key", &[("SecretsKmsKeyArn", key)]).await;
    for role in ["WebhookRole", "WorkerRole"] {
        let statements = facts["roles"][role].as_array().unwrap();
        let decrypt: Vec<_> =
            statements.iter().filter(|statement| statement["Action"] == "kms:Decrypt").collect();
        assert_eq!(decrypt.len(), 1, "{role}");
        assert_eq!(decrypt[0]["Resource"], key);
        let through =
            json!({"StringEquals": {"kms:ViaService": "secretsmanager.us-east-1.amazonaws.com"}});
        assert_eq!(decrypt[0]["Condition"], through);
    }
}

/// The partitions of China and of the United States' government have other ARNs and addresses.
#[tokio::test]
async fn nothing_in_the_template_names_a_partition() {
    let facts = facts("partitions", &[]).await;
    let text = facts["template"].to_string();
    for word in ["arn:aws:", "aws:partition", ".amazonaws.com\"", ".amazonaws.com/"] {
        let found = text.match_indices(word).map(|(at, _)| &text[at.saturating_sub(60)..at]);
        // Principals are called the same everywhere.
        let is_principal = |before: &&str| {
            ["lambda", "apigateway"].iter().any(|service| before.ends_with(&format!("\"{service}")))
        };
        let found: Vec<_> = found.filter(|before| !is_principal(before)).collect();
        assert!(found.is_empty(), "{word} after {found:?}");
    }
    let key = &facts["template"]["Parameters"]["SecretsKmsKeyArn"]["AllowedPattern"];
    let topic = &facts["template"]["Parameters"]["AlarmTopicArn"]["AllowedPattern"];
    for (pattern, arn) in [
        (key, "arn:aws-cn:kms:cn-north-1:123456789012:key/k-1"),
        (key, "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/k-1"),
        (topic, "arn:aws-cn:sns:cn-north-1:123456789012:alarms"),
        (topic, "arn:aws-us-gov:sns:us-gov-west-1:123456789012:alarms"),
    ] {
        assert!(is_allowed(pattern.as_str().unwrap(), arn), "{arn}");
    }
}

/// What a deployment lets through and a function refuses would answer 500 to everything.
#[tokio::test]
async fn a_parameter_that_the_functions_refuse_is_refused_before_it_is_deployed() {
    let facts = facts("patterns", &[]).await;
    let parameters = &facts["template"]["Parameters"];
    let refused = [
        (
            "HubSpotTokenSecret",
            "HUBSPOT_TOKEN_SECRET",
            &["", "#", "crm#", "crm# ", "c rm", "crm#\t", "ä", "crm,x"][..],
        ),
        (
            "HubSpotBaseUrl",
            "HUBSPOT_BASE_URL",
            &[
                "api.hubapi.com",
                "http://api.hubapi.com",
                "https://",
                "https://a b.com",
                "https://:443",
                "https://api.hubapi.com:99999",
                "https://api.hubapi.com?x=",
                "https://api.hubapi.com#",
                "https://me:secret@api.hubapi.com",
                "https://[::1",
                "https://999.1.1.1",
                "https://exa<mple.com",
                "ftp://api.hubapi.com",
            ],
        ),
        (
            "HubSpotApiVersion",
            "HUBSPOT_API_VERSION",
            &["v4", "V3", "2026-3", "2026-03-01", "2026/03", "latest"],
        ),
        (
            "SecretTtl",
            "TASKHOOK_SECRET_TTL",
            &["5", "m", "5 m", "-5m", "1.5h", "5 minutes", "99999999999999999999s", "5w"],
        ),
        (
            "ReplyWithin",
            "TASKHOOK_REPLY_WITHIN",
            &["8", "s", "0s", "00s", "8 s", "-8s", "0.5s", "99999999999999999999s"],
        ),
    ];
    for (parameter, variable, values) in refused {
        let pattern = parameters[parameter]["AllowedPattern"].as_str().unwrap();
        for value in values {
            assert!(refuses(variable, value), "the functions take {value:?}");
            assert!(!is_allowed(pattern, value), "{parameter} lets {value:?} through");
        }
    }
    let taken = [
        (
            "HubSpotTokenSecret",
            "HUBSPOT_TOKEN_SECRET",
            &["taskhook/hubspot", "crm#token", "a/b_c+d=e.f@g-h#i"][..],
        ),
        (
            "HubSpotBaseUrl",
            "HUBSPOT_BASE_URL",
            &[
                "https://api.hubapi.com",
                "https://api.hubapi.com/",
                "https://api-eu1.hubapi.com:8443/proxy/hubspot",
                "https://xn--bcher-kva.example",
            ],
        ),
        ("HubSpotApiVersion", "HUBSPOT_API_VERSION", &["v3", "2026-03", "2026-09"]),
        ("SecretTtl", "TASKHOOK_SECRET_TTL", &["0s", "30s", "5m", "24h", "999999h"]),
        ("ReplyWithin", "TASKHOOK_REPLY_WITHIN", &["1s", "4s", "8s", "59s"]),
    ];
    for (parameter, variable, values) in taken {
        let pattern = parameters[parameter]["AllowedPattern"].as_str().unwrap();
        let default = parameters[parameter]["Default"].as_str().unwrap();
        for value in values.iter().chain([&default]) {
            assert!(is_allowed(pattern, value), "{parameter} refuses {value:?}");
            assert!(!refuses(variable, value), "the functions refuse {value:?} as {variable}");
        }
    }
}

/// Whether the webhook in the direct mode, which reads all of these, refuses a variable's value.
fn refuses(variable: &str, value: &str) -> bool {
    let read = |name: &str| match name {
        _ if name == variable => Some(value.to_owned()),
        "HUBSPOT_TOKEN_SECRET" => Some("taskhook/hubspot".to_owned()),
        "AWS_REGION" | "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("test".to_owned()),
        _ => None,
    };
    let problems = WebhookSettings::read(&read).err().unwrap_or_default();
    problems.iter().any(|problem| problem.variable == variable)
}

/// Whether a deployment takes a value: the pattern has to match the whole of it.
fn is_allowed(pattern: &str, value: &str) -> bool {
    regex_bites::Regex::new(&format!("^(?:{pattern})$")).unwrap().is_match(value)
}

#[tokio::test]
async fn each_function_gets_the_settings_that_concern_it() {
    let observing = |mode| [("Mode", mode), ("Observe", "true")];
    let (durable, direct) = (observing("Durable"), observing("Direct"));
    let (durable, direct) =
        tokio::join!(facts("settings-durable", &durable), facts("settings-direct", &direct));
    let variables = |facts: &Value, function: &str| {
        facts["functions"][function]["Environment"]["Variables"].clone()
    };
    let webhook = variables(&durable, "WebhookFunction");
    let queue = "https://sqs.us-east-1.amazonaws.com/123456789012/settings-durable";
    let expected = json!({
        "TASKHOOK_QUEUE_URL": format!("{queue}-updates.fifo"),
        "TASKHOOK_DEAD_LETTER_URL": format!("{queue}-dead-letters.fifo"),
        "TASKHOOK_SECRET_TTL": "5m",
        "TASKHOOK_REPLY_WITHIN": "8s",
        "TASKHOOK_METRICS": "on",
        "AWS_EMF_NAMESPACE": "Taskhook/settings-durable",
        "TASKHOOK_OBSERVE": "1",
    });
    assert_eq!(webhook, expected);
    let common = [
        "AWS_EMF_NAMESPACE",
        "HUBSPOT_API_VERSION",
        "HUBSPOT_BASE_URL",
        "HUBSPOT_TOKEN_SECRET",
        "TASKHOOK_DEAD_LETTER_URL",
        "TASKHOOK_METRICS",
    ];
    let worker = variables(&durable, "WorkerFunction");
    assert_eq!(
        names(&worker),
        [&common[..], &["TASKHOOK_QUEUE_URL", "TASKHOOK_SECRET_TTL", "TASKHOOK_WORKER_BATCH"]]
            .concat()
    );
    let direct = variables(&direct, "WebhookFunction");
    assert_eq!(
        names(&direct),
        [&common[..], &["TASKHOOK_OBSERVE", "TASKHOOK_REPLY_WITHIN", "TASKHOOK_SECRET_TTL"]]
            .concat()
    );
    let settings = read("src/settings.rs") + &read("src/files.rs");
    for name in [&webhook, &worker, &direct].into_iter().flat_map(names) {
        assert!(settings.contains(&format!("\"{name}\"")), "{name} is not a setting");
    }
}

#[tokio::test]
async fn no_log_level_can_be_chosen_that_silences_what_is_counted() {
    let facts = facts("levels", &[]).await;
    let levels = &facts["template"]["Parameters"]["LogLevel"];
    assert_eq!(levels["AllowedValues"], json!(["TRACE", "DEBUG", "INFO"]));
    assert_eq!(levels["Default"], "INFO");
}

#[tokio::test]
async fn every_alarm_says_what_it_means_and_tells_the_topic() {
    let facts = facts("alarms", &[]).await;
    let alarms = resources(&facts, "AWS::CloudWatch::Alarm");
    assert_eq!(
        alarms.keys().copied().collect::<Vec<_>>(),
        [
            "DeadLettersAlarm",
            "DeadLettersArriveAlarm",
            "DeadLettersExpireAlarm",
            "ErrorLinesAlarm",
            "LagAlarm",
            "LimitAlarm",
            "RefusedAlarm",
            "SetUpAlarm",
            "TokenAlarm",
            "UpdatesAgeAlarm",
            "UpdatesWaitAlarm",
            "WebhookErrorsAlarm",
            "WebhookInvocationsAlarm",
            "WebhookRetriesAlarm",
            "WebhookThrottlesAlarm",
            "WorkerErrorsAlarm",
            "WorkerRetriesAlarm",
            "WorkerThrottlesAlarm",
        ]
    );
    let tells =
        json!({"Fn::If": ["HasAlarmTopic", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]});
    let filters = resources(&facts, "AWS::Logs::MetricFilter").into_values();
    let mut counted: Vec<_> =
        filters.map(|filter| filter["MetricTransformations"][0].to_string()).collect();
    // The functions' own, as `lines::metrics_are_written_as_asked_for` shows.
    counted.extend(["\"Failed\"", "\"LagMs\""].map(str::to_owned));
    let page = read("docs/operate.md");
    for (name, alarm) in alarms {
        assert_eq!((&alarm["AlarmActions"], &alarm["OKActions"]), (&tells, &tells), "{name}");
        assert!(page.contains(&format!("| `{name}` |")), "{name} is not in docs/operate.md");
        assert!(
            alarm["AlarmDescription"].as_str().is_some_and(|text| text.ends_with('.')),
            "{name}"
        );
        assert!(
            ["ignore", "notBreaching"].contains(&alarm["TreatMissingData"].as_str().unwrap()),
            "{name}"
        );
        let is_of_aws =
            alarm["Namespace"].as_str().is_some_and(|namespace| namespace.starts_with("AWS/"));
        let watched = watched(alarm);
        let is_counted = counted.iter().any(|metric| metric.contains(&format!("\"{watched}\"")));
        assert!(is_of_aws || is_counted, "{name} watches {watched}, which nobody counts");
    }
}

/// The metric that an alarm is about: named, in a query, or in a calculation.
fn watched(alarm: &Value) -> &str {
    if let Some(name) = alarm["MetricName"].as_str() {
        return name;
    }
    if let Some(query) = alarm["Metrics"][0]["Expression"]["Fn::Sub"].as_str() {
        return query.split(['(', ')']).nth(1).unwrap();
    }
    alarm["Metrics"][1]["MetricStat"]["Metric"]["MetricName"].as_str().unwrap()
}

#[tokio::test]
async fn the_dashboard_shows_what_there_is() {
    let titles = |facts: &Value| -> Vec<String> {
        let dashboard = &facts["dashboards"]["Dashboard"];
        assert!(!dashboard.to_string().contains("${"), "{dashboard}");
        let widgets = dashboard["widgets"].as_array().unwrap().iter();
        widgets.map(|widget| widget["properties"]["title"].as_str().unwrap().to_owned()).collect()
    };
    let (durable, direct) = tokio::join!(
        facts("board-durable", &[("Mode", "Durable")]),
        facts("board-direct", &[("Mode", "Direct")])
    );
    let (durable, direct) = (titles(&durable), titles(&direct));
    // The worker is there in both modes.
    assert_eq!((durable.len(), &durable), (7, &direct));
}

/// So a changed source file is deployed without a build, and older versions stay to be gone back to.
#[tokio::test]
async fn the_webhook_reads_its_source_files_from_a_layer_whose_versions_stay() {
    let facts = facts("layer", &[]).await;
    let layers = facts["template"]["Resources"].as_object().unwrap().iter();
    let layers: Vec<_> =
        layers.filter(|(_, resource)| resource["Type"] == "AWS::Lambda::LayerVersion").collect();
    let [(name, layer)] = layers[..] else { panic!("{layers:?}") };
    assert_eq!(layer["DeletionPolicy"], "Retain");
    let functions = resources(&facts, "AWS::Lambda::Function");
    assert_eq!(functions["WebhookFunction"]["Layers"], json!([{"Ref": name}]));
    assert_eq!(functions["WorkerFunction"]["Layers"], Value::Null, "the worker reads none");
    let variables = &facts["functions"]["WebhookFunction"]["Environment"]["Variables"];
    assert_eq!(variables["TASKHOOK_SOURCES"], Value::Null, "the default is the layer");
}

/// The layer holds what `taskhook check` reads at the desk.
#[test]
fn make_layer_needs_no_tool_but_make_and_packs_every_live_source() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("make-layer");
    let _ = std::fs::remove_dir_all(&target);
    std::fs::create_dir_all(&target).unwrap();
    for (name, path) in shipped::of("sources") {
        let sources = target.join("sources");
        std::fs::create_dir_all(&sources).unwrap();
        std::fs::copy(path, sources.join(format!("{name}.toml"))).unwrap();
    }
    std::fs::write(target.join("sources/hubspot-schema.json"), "{}").unwrap();
    let makefile = Path::new(env!("CARGO_MANIFEST_DIR")).join("Makefile");
    let mut command = std::process::Command::new("make");
    let layer = command
        .arg("-f")
        .arg(makefile)
        .arg("layer")
        .current_dir(&target)
        .env("PATH", "/usr/bin:/bin");
    assert!(layer.output().unwrap().status.success());
    let names = |folder: &str| {
        let entries = std::fs::read_dir(target.join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect::<BTreeSet<_>>()
    };
    assert_eq!(names("layer/sources"), names("sources"));
    assert_eq!(names("layer").len(), 1);
    std::fs::remove_dir_all(&target).unwrap();
}

/// The page tells how a new stack takes over the queues of one that was deleted.
#[test]
fn the_queues_alone_are_a_template_from_which_they_can_be_imported() {
    let page = read("docs/durable.md");
    let command = page.lines().find(|line| line.contains("> queues.yaml")).unwrap();
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("queues.yaml");
    let command = command.replace("> queues.yaml", &format!("> {}", file.display()));
    let run = |program: &str, arguments: &[&str]| {
        let mut run = std::process::Command::new(program);
        run.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap()
    };
    assert!(run("sh", &["-c", &command]).status.success());
    // It would complain of what refers to something else.
    let lint = run(".venv/bin/cfn-lint", &[file.to_str().unwrap()]);
    assert!(lint.status.success(), "{}", String::from_utf8_lossy(&lint.stdout));
    let text = std::fs::read_to_string(file).unwrap();
    assert_eq!(text.matches("Type: AWS::").count(), 2, "{text}");
}

/// Of an address that a function declares in SAM's way, the guided deployment asks whether it is
/// okay without authentication, and ends when one just presses return.
#[test]
fn sam_deploy_asks_nothing_that_has_one_answer() {
    let template = read("template.yaml");
    assert!(!template.contains("FunctionUrlConfig") && !template.contains("Type: HttpApi"));
    let config = read("samconfig.toml");
    for line in
        ["capabilities = \"CAPABILITY_IAM\"", "resolve_s3 = true", "confirm_changeset = true"]
    {
        assert!(config.lines().any(|other| other == line), "{line}");
    }
}

#[test]
fn make_package_builds_what_the_template_deploys() {
    let template = read("template.yaml");
    let zips: Vec<_> =
        template.lines().filter_map(|line| line.trim().strip_prefix("CodeUri: ")).collect();
    assert_eq!(zips, ["target/lambda/webhook/bootstrap.zip", "target/lambda/worker/bootstrap.zip"]);
    assert!(template.contains("ContentUri: layer/\n"), "the layer is in another folder");
    let makefile = read("Makefile");
    for line in [
        "LAMBDA_DIR = target/lambda$(",
        "FUNCTIONS := webhook worker",
        "ZIPS = $(FUNCTIONS:%=$(LAMBDA_DIR)/%/bootstrap.zip)",
    ] {
        assert!(makefile.contains(&format!("\n{line}")), "{line}");
    }
}
