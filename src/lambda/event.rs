//! Lambda's event, as a Function URL, an API Gateway or a load balancer makes it of a request, and
//! the answer in its form.
//!
//! Whatever a stranger can send is read: a path or a query that no address may have, headers that
//! are none, text that is no whole one. What an event lacks is empty. `lambda_http` fails on some
//! of these, and its failure is a 502.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response};
use lambda_runtime::Diagnostic;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::delivery::{Delivery, whole_characters};
use crate::text::cut;
use crate::time::Time;

/// The most fields of an event that are named where it is no request, and how much of each.
const NAMED: usize = 5;
const NAME: usize = 30;

/// A request, and the form in which it is answered.
pub(super) struct Request {
    pub(super) delivery: Delivery,
    pub(super) form: Form,
}

/// The form of an event and of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A header's values are joined by commas: Function URLs, and HTTP APIs with the payload format
    /// 2.0.
    Joined,
    /// A header may have several values: HTTP APIs with the payload format 1.0, REST APIs, load
    /// balancers.
    Several,
}

/// An event that is no request over HTTP; with the names of its fields.
#[derive(Debug)]
pub struct NotHttp(Vec<String>);

/// A JSON object, as far as something is one.
type Fields<'e> = BTreeMap<String, &'e RawValue>;

/// Reads an event.
pub(super) fn read(event: &str, request_id: String, arrived: Time) -> Result<Request, NotHttp> {
    let event = whole_characters(event);
    let fields: Fields<'_> = serde_json::from_str(&event).unwrap_or_default();
    let context = fields_of(&fields, "requestContext");
    let (parts, form) = if context.contains_key("http") || fields.contains_key("rawPath") {
        (read_joined(&fields, &context), Form::Joined)
    } else if fields.contains_key("httpMethod") {
        (read_several(&fields, &context), Form::Several)
    } else {
        return Err(NotHttp(fields.into_keys().collect()));
    };
    let Parts { method, path, mut query, headers, source_ip } = parts;
    // Tables have no order; so that a query doesn't depend on the form of its event, it never has
    // one.
    query.sort_by(|(one, _), (other, _)| one.cmp(other));
    let body = body(&fields).into();
    let delivery = Delivery {
        method,
        path,
        query,
        headers,
        body,
        arrived,
        request_id,
        trace_header: None,
        source_ip,
    };
    Ok(Request { delivery, form })
}

/// The parts of a request that the forms write in different ways.
struct Parts {
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    source_ip: Option<String>,
}

fn read_joined(fields: &Fields<'_>, context: &Fields<'_>) -> Parts {
    let http = fields_of(context, "http");
    let path = text(fields, "rawPath").or_else(|| text(&http, "path")).unwrap_or_default();
    let query = match text(fields, "rawQueryString") {
        Some(query) => decoded(&query),
        None => query_of_tables(fields, false),
    };
    Parts {
        method: method(text(&http, "method")),
        path: without_stage(path, context),
        query,
        headers: headers(fields),
        source_ip: text(&http, "sourceIp"),
    }
}

fn read_several(fields: &Fields<'_>, context: &Fields<'_>) -> Parts {
    let is_balancer = context.contains_key("elb");
    let path = text(fields, "path").unwrap_or_default();
    // An HTTP API puts its stage before the path; a REST API doesn't, and has no version.
    let has_stage = fields.contains_key("version");
    let headers = headers(fields);
    let source_ip = text(&fields_of(context, "identity"), "sourceIp");
    Parts {
        method: method(text(fields, "httpMethod")),
        path: if has_stage { without_stage(path, context) } else { path },
        query: query_of_tables(fields, is_balancer),
        source_ip: if is_balancer { last_forwarded(&headers) } else { source_ip },
        headers,
    }
}

/// The method; a text that is none does no more than GET.
fn method(text: Option<String>) -> Method {
    let method = text.and_then(|text| Method::from_bytes(text.as_bytes()).ok());
    method.unwrap_or(Method::GET)
}

/// The answer as Lambda takes it.
pub(super) fn answer(response: Response<String>, form: Form) -> Value {
    let (parts, body) = response.into_parts();
    let mut headers = Map::new();
    let mut several = Map::new();
    for (name, value) in &parts.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        several.insert(name.to_string(), json!([value]));
        headers.insert(name.to_string(), json!(value));
    }
    let status = parts.status.as_u16();
    let mut answer =
        json!({"statusCode": status, "headers": headers, "body": body, "isBase64Encoded": false});
    match form {
        // Lambda does without the list of cookies; `cargo lambda watch` doesn't.
        Form::Joined => answer["cookies"] = json!([]),
        Form::Several => answer["multiValueHeaders"] = Value::Object(several),
    }
    answer
}

fn fields_of<'e>(fields: &Fields<'e>, name: &str) -> Fields<'e> {
    fields.get(name).and_then(|value| serde_json::from_str(value.get()).ok()).unwrap_or_default()
}

fn text(fields: &Fields<'_>, name: &str) -> Option<String> {
    fields.get(name).and_then(|value| serde_json::from_str(value.get()).ok())
}

/// The texts of a value that is one or a list of them.
fn texts(value: &RawValue) -> Vec<String> {
    match serde_json::from_str::<String>(value.get()) {
        Ok(text) => vec![text],
        Err(_) => serde_json::from_str(value.get()).unwrap_or_default(),
    }
}

/// An API Gateway with a named stage puts it before the path.
fn without_stage(path: String, context: &Fields<'_>) -> String {
    let Some(stage) = text(context, "stage") else { return path };
    match path.strip_prefix(&format!("/{stage}")) {
        Some(rest) if stage != "$default" && rest.starts_with('/') => rest.to_owned(),
        _ => path,
    }
}

/// The headers. What is no header can't have been one of the sender's.
fn headers(fields: &Fields<'_>) -> HeaderMap {
    let several = fields_of(fields, "multiValueHeaders");
    let written = if several.is_empty() { fields_of(fields, "headers") } else { several };
    let mut headers = HeaderMap::new();
    for (name, values) in &written {
        for value in texts(values) {
            let Ok(name) = name.parse::<HeaderName>() else { continue };
            let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) else { continue };
            // An error means that there are more than fit into the map, which is more than any
            // server takes.
            let _ = headers.try_append(name, value);
        }
    }
    headers
}

/// The address that a load balancer saw: it adds it to those that the sender may have written.
fn last_forwarded(headers: &HeaderMap) -> Option<String> {
    let written = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
    Some(written.rsplit(',').next()?.trim().to_owned())
}

/// The fields of a query that is a table. A load balancer leaves them as they were sent.
fn query_of_tables(fields: &Fields<'_>, is_encoded: bool) -> Vec<(String, String)> {
    let several = fields_of(fields, "multiValueQueryStringParameters");
    let written =
        if several.is_empty() { fields_of(fields, "queryStringParameters") } else { several };
    let mut query = Vec::new();
    for (name, values) in &written {
        for value in texts(values) {
            if is_encoded {
                query.extend(decoded(&format!("{name}={value}")));
            } else {
                query.push((name.clone(), value));
            }
        }
    }
    query
}

fn decoded(query: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

/// The bytes that were sent. What is called base64 and isn't stays as it is, and the signature
/// decides.
fn body(fields: &Fields<'_>) -> Vec<u8> {
    let body = text(fields, "body").unwrap_or_default();
    let is_encoded = fields.get("isBase64Encoded").is_some_and(|value| value.get() == "true");
    let decoded = if is_encoded { STANDARD.decode(&body).ok() } else { None };
    decoded.unwrap_or_else(|| body.into_bytes())
}

impl fmt::Display for NotHttp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named: Vec<_> = self.0.iter().take(NAMED).map(|name| cut(name, NAME)).collect();
        write!(
            f,
            "the event is no HTTP request of a Function URL, an API Gateway or a load balancer \
             (its fields: {}); this function takes webhooks, and the queue belongs to the worker",
            named.join(", ")
        )
    }
}

impl From<NotHttp> for Diagnostic {
    fn from(not: NotHttp) -> Self {
        Self { error_type: "NotHttp".to_owned(), error_message: not.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request(event: &Value) -> Result<Request, NotHttp> {
        read(&event.to_string(), "request-1".to_owned(), Time::from_milliseconds(0))
    }

    fn delivery(event: &Value) -> Delivery {
        request(event).unwrap().delivery
    }

    fn pairs(query: &[(&str, &str)]) -> Vec<(String, String)> {
        query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_payload_format_2_0_is_read() {
        let event = json!({
            "version": "2.0", "rawPath": "/prod/desk", "rawQueryString": "b=1+2&a=%C3%A4&b=<>\" x", "cookies": ["a=b"],
            "headers": {"X-One": "1,2", "no header": "x", "x-break": "a\nb", "x-raw": "ä", "x-none": null},
            "requestContext": {"stage": "prod", "http": {"method": "PUT", "sourceIp": "192.0.2.1"}}, "body": "{}", "isBase64Encoded": false,
        });
        let delivery = delivery(&event);
        assert_eq!(
            (delivery.method.as_str(), delivery.path.as_str(), &delivery.body[..]),
            ("PUT", "/desk", &b"{}"[..])
        );
        assert_eq!(delivery.source_ip.as_deref(), Some("192.0.2.1"));
        assert_eq!(delivery.query, pairs(&[("a", "ä"), ("b", "1 2"), ("b", "<>\" x")]));
        let names: Vec<_> = delivery.headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(
            (names.len(), &delivery.headers["x-one"], delivery.headers["x-raw"].as_bytes()),
            (2, &"1,2".parse().unwrap(), "ä".as_bytes())
        );
        assert_eq!(request(&event).unwrap().form, Form::Joined);
    }

    #[test]
    fn the_payload_format_1_0_is_read_of_http_apis_rest_apis_and_load_balancers() {
        let event = |more: Value| {
            let mut event = json!({
                "httpMethod": "POST", "path": "/prod/desk", "headers": {"x-one": "2"},
                "multiValueHeaders": {"X-One": ["1", "2"]}, "queryStringParameters": {"a": "2 %41"},
                "multiValueQueryStringParameters": {"a": ["1", "2 %41"]}, "requestContext": {"stage": "prod"},
                "body": "eyJhIjogMX0=", "isBase64Encoded": true,
            });
            event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            event
        };
        let http = delivery(&event(json!({"version": "1.0"})));
        assert_eq!(
            (http.method.as_str(), http.path.as_str(), &http.body[..]),
            ("POST", "/desk", &b"{\"a\": 1}"[..])
        );
        assert_eq!(http.headers.get_all("x-one").iter().count(), 2);
        assert_eq!(http.query, pairs(&[("a", "1"), ("a", "2 %41")]));
        assert_eq!(
            delivery(&event(json!({}))).path,
            "/prod/desk",
            "a REST API's path has no stage"
        );
        let balancer = json!({"multiValueHeaders": null, "multiValueQueryStringParameters": null, "requestContext": {"elb": {}},
                   "headers": {"x-one": "2", "x-forwarded-for": "198.51.100.7, 192.0.2.1"}});
        let balancer = delivery(&event(balancer));
        assert_eq!(
            (http.source_ip.as_deref(), balancer.source_ip.as_deref()),
            (None, Some("192.0.2.1"))
        );
        assert_eq!(
            (&balancer.headers["x-one"], balancer.query),
            (&"2".parse().unwrap(), pairs(&[("a", "2 A")]))
        );
        assert_eq!(request(&event(json!({}))).unwrap().form, Form::Several);
    }

    #[test]
    fn what_an_event_lacks_is_empty() {
        for event in [
            json!({"rawPath": "/"}),
            json!({"requestContext": {"http": null}}),
            json!({"httpMethod": []}),
        ] {
            let delivery = delivery(&event);
            assert_eq!(
                (delivery.method, delivery.headers.len(), delivery.body.len()),
                (Method::GET, 0, 0),
                "{event}"
            );
        }
        let odd = json!({"httpMethod": "P OST", "path": 7, "body": "!", "isBase64Encoded": true, "headers": [1]});
        let odd = delivery(&odd);
        assert_eq!((odd.method, odd.path.as_str(), &odd.body[..]), (Method::GET, "", &b"!"[..]));
        assert_eq!(delivery(&json!({"httpMethod": "BREW"})).method.as_str(), "BREW");
        let half = r#"{"httpMethod": "POST", "path": "/a\ud83d", "body": "\udc00"}"#;
        let half = read(half, String::new(), Time::from_milliseconds(0)).unwrap().delivery;
        assert_eq!((half.path.as_str(), &half.body[..]), ("/a\u{fffd}", "\u{fffd}".as_bytes()));
    }

    #[test]
    fn what_is_no_request_is_named() {
        for event in [
            json!({}),
            json!([]),
            json!(null),
            json!("x"),
            json!({"Records": []}),
            json!({"version": "2.0"}),
        ] {
            assert!(request(&event).is_err(), "{event}");
        }
        let error =
            request(&json!({"Records": [{"eventSource": "aws:sqs"}]})).err().unwrap().to_string();
        assert!(error.contains("its fields: Records"), "{error}");
    }

    #[test]
    fn an_answer_has_the_form_of_its_event() {
        let response = || {
            Response::builder().status(405).header("allow", "POST").body("x".to_owned()).unwrap()
        };
        let joined = json!({
            "statusCode": 405, "headers": {"allow": "POST"}, "cookies": [], "body": "x", "isBase64Encoded": false,
        });
        assert_eq!(answer(response(), Form::Joined), joined);
        assert_eq!(
            answer(response(), Form::Several)["multiValueHeaders"],
            json!({"allow": ["POST"]})
        );
    }

    /// Any JSON, of the names that events have.
    fn any_json() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            "\\PC{0,12}",
            "[ -~\n\r\t]{0,12}",
            Just("/desk".to_owned()),
            Just("2.0".to_owned()),
            Just("POST".to_owned()),
        ];
        let name = prop::sample::select(vec![
            "version",
            "rawPath",
            "rawQueryString",
            "headers",
            "multiValueHeaders",
            "requestContext",
            "http",
            "method",
            "path",
            "stage",
            "elb",
            "httpMethod",
            "queryStringParameters",
            "multiValueQueryStringParameters",
            "body",
            "isBase64Encoded",
            "cookies",
            "host",
            "x-forwarded-proto",
            "x hub\n",
        ]);
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            text.prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 40, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((name.clone(), inner), 0..6).prop_map(|fields| fields
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect::<Map<_, _>>()
                    .into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_event_makes_reading_panic(event in any_json(), method in any_json(), headers in any_json()) {
            let _ = request(&event);
            let mut fields = event.as_object().cloned().unwrap_or_default();
            fields.insert("httpMethod".to_owned(), method);
            fields.insert("headers".to_owned(), headers);
            prop_assert!(request(&Value::Object(fields)).is_ok());
        }
    }
}
