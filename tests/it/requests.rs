//! Whatever Lambda hands in is answered by us.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use serde_json::{Value, json};

use crate::support::event::Event;
use crate::support::world;

fn webhook() -> Value {
    Event::post("/shop", json!({"id": "1", "subject": "a"}).to_string()).signed().to_json()
}

/// An event with a field changed, which a path such as `/requestContext/http/method` names.
fn with(mut event: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    event.pointer_mut(parent).unwrap()[name] = value;
    event
}

#[tokio::test]
async fn a_request_is_answered_whatever_a_stranger_writes_into_it() {
    let world = world().start().await;
    let odd = ["a=b c", "a=<", ">", "\"", "a=\n", "{}|\\^`", "ä=ö", "%", "%zz", "\u{0}", "a b"];
    for query in odd {
        let get = Event::new("GET", "/").query(query);
        world.send(&get).await.is_problem(404);
        world.send(&Event::new("GET", "/health").query(query)).await;
        world.invoke(&with(webhook(), "/rawQueryString", json!(query))).await.is(200, "updated 1");
    }
    for path in odd.into_iter().chain([
        "",
        "shop",
        "//",
        "/shop\n",
        "/shop ",
        "/?",
        "/#",
        "http://[",
        "/\u{10ffff}",
    ]) {
        world.invoke(&with(webhook(), "/rawPath", json!(path))).await.is_problem(404);
    }
    for (name, value) in [
        ("host", "a b"),
        ("host", ""),
        ("host", "ü:99999999"),
        ("x-forwarded-proto", "ht tp"),
        ("x-forwarded-proto", "://"),
        ("x-forwarded-port", "none"),
        ("no header", "x"),
        ("", "x"),
        ("x-break", "a\r\nb"),
        ("x-raw", "ä\u{1f600}"),
        ("content-length", "-1"),
        ("content-type", ";;;"),
        ("content-encoding", "gzip"),
        ("x-number", "7"),
    ] {
        world
            .invoke(&with(webhook(), &format!("/headers/{name}"), json!(value)))
            .await
            .is(200, "updated 1");
    }
    // It isn't base64, so that it is what was signed.
    world.invoke(&with(webhook(), "/isBase64Encoded", json!(true))).await.is(200, "updated 1");
    let no_base64 = with(with(webhook(), "/isBase64Encoded", json!(true)), "/body", json!("!==\n"));
    world.invoke(&no_base64).await.is_problem(401);
    world.invoke(&with(webhook(), "/body", json!(null))).await.is_problem(401);
    world.invoke(&with(webhook(), "/headers", json!(null))).await.is_problem(401);
    world.invoke(&with(webhook(), "/cookies", json!(["a=b\n", ""]))).await.is(200, "updated 1");
    for method in ["BREW", "", "P OST", "\n"] {
        world
            .invoke(&with(webhook(), "/requestContext/http/method", json!(method)))
            .await
            .is_problem(405);
    }
    for pointer in ["/requestContext/http", "/requestContext/http/method", "/requestContext"] {
        world.invoke(&with(webhook(), pointer, json!(null))).await.is_problem(405);
    }
    for pointer in [
        "/requestContext/stage",
        "/requestContext/domainName",
        "/version",
        "/routeKey",
        "/requestContext/time",
    ] {
        world.invoke(&with(webhook(), pointer, json!(7))).await.is(200, "updated 1");
    }
}

/// A request in the payload format 1.0.
fn of_version_1() -> Value {
    let event = webhook();
    let headers = event["headers"].as_object().unwrap();
    let several: serde_json::Map<_, _> =
        headers.iter().map(|(name, value)| (name.clone(), json!([value]))).collect();
    json!({
        "version": "1.0", "resource": "$default", "path": "/shop", "httpMethod": "POST", "headers": headers,
        "multiValueHeaders": several, "queryStringParameters": null, "multiValueQueryStringParameters": null,
        "requestContext": {"stage": "$default", "path": "/shop", "httpMethod": "POST", "identity": {"sourceIp": "192.0.2.1"}},
        "pathParameters": null, "stageVariables": null, "body": event["body"], "isBase64Encoded": false,
    })
}

#[tokio::test]
async fn the_payload_format_1_0_rest_apis_and_load_balancers_are_understood() {
    let world = world().start().await;
    world.invoke(&of_version_1()).await.is(200, "updated 1");
    let staged = with(
        with(of_version_1(), "/path", json!("/prod/shop")),
        "/requestContext/stage",
        json!("prod"),
    );
    world.invoke(&staged).await.is(200, "updated 1");
    let body = of_version_1()["body"].as_str().unwrap().to_owned();
    let encoded = with(
        with(of_version_1(), "/body", json!(STANDARD.encode(body))),
        "/isBase64Encoded",
        json!(true),
    );
    world.invoke(&encoded).await.is(200, "updated 1");
    let mut rest = of_version_1();
    rest.as_object_mut().unwrap().remove("version");
    world
        .invoke(&with(rest.clone(), "/requestContext/stage", json!("prod")))
        .await
        .is(200, "updated 1");
    let balancer = with(
        rest,
        "/requestContext",
        json!({"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:x"}}),
    );
    world
        .invoke(&with(balancer.clone(), "/multiValueHeaders", json!(null)))
        .await
        .is(200, "updated 1");
    world.invoke(&with(balancer, "/headers", json!(null))).await.is(200, "updated 1");
    let twice = json!([of_version_1()["headers"]["x-hub-signature-256"], "sha256=00"]);
    world
        .invoke(&with(of_version_1(), "/multiValueHeaders/x-hub-signature-256", twice))
        .await
        .is_problem(401);
    let answer = world.function.invoke(&with(of_version_1(), "/httpMethod", json!("GET"))).await;
    assert_eq!(
        (&answer["statusCode"], &answer["multiValueHeaders"]["allow"]),
        (&json!(405), &json!(["POST, HEAD"]))
    );
}

#[tokio::test]
async fn an_event_that_is_no_request_is_a_clear_error_and_the_function_goes_on() {
    let world = world().start().await;
    for event in [
        json!({}),
        json!({"Records": [{"eventSource": "aws:sqs", "body": "{}"}]}),
        json!(null),
        json!([1]),
    ] {
        // Its queue would take a message for done.
        let error = world.function.try_invoke(&event).await.unwrap_err();
        assert!(error["errorMessage"].as_str().unwrap().contains("no HTTP request"), "{error}");
    }
    world.function.logs("an event of another kind").await;
    world.invoke(&webhook()).await.is(200, "updated 1");
}

#[tokio::test]
async fn an_event_that_is_no_batch_is_a_clear_error_and_the_worker_goes_on() {
    let world = world().durable().start().await;
    let worker = world.worker.as_ref().unwrap();
    for event in [webhook(), of_version_1(), json!({}), json!(null)] {
        let error = worker.try_invoke(&event).await.unwrap_err();
        assert!(
            error["errorMessage"].as_str().unwrap().contains("webhooks belong to the function"),
            "{error}"
        );
    }
    assert_eq!(worker.invoke(&json!({"Records": []})).await, json!({"batchItemFailures": []}));
}

/// Values that stand where others are expected.
fn odd() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        Just(json!(true)),
        Just(json!(-1)),
        Just(json!({})),
        Just(json!(["a", null])),
        "\\PC{0,9}".prop_map(Value::from),
        "[ -~\r\n]{0,9}".prop_map(Value::from),
    ]
}

#[tokio::test]
async fn no_event_with_odd_fields_fails() {
    let world = world().start().await;
    let pointers = [
        "/version",
        "/rawPath",
        "/rawQueryString",
        "/headers",
        "/headers/host",
        "/headers/x-forwarded-proto",
        "/requestContext",
        "/requestContext/http",
        "/requestContext/http/method",
        "/requestContext/http/path",
        "/requestContext/stage",
        "/body",
        "/isBase64Encoded",
        "/cookies",
        "/path",
        "/multiValueHeaders",
        "/queryStringParameters",
        "/multiValueQueryStringParameters",
    ];
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let changes = prop::collection::vec((prop::sample::select(pointers.to_vec()), odd()), 1..5);
    for round in 0..200 {
        let mut event = if round % 2 == 0 { webhook() } else { of_version_1() };
        for (pointer, value) in changes.new_tree(&mut runner).unwrap().current() {
            let parent = pointer.rsplit_once('/').unwrap().0;
            if event.pointer(parent).is_some_and(Value::is_object) {
                event = with(event, pointer, value);
            }
        }
        let reply = world.invoke(&event).await;
        assert!((200..500).contains(&reply.status), "{event}: {reply:?}");
    }
}
