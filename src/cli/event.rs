//! `taskhook event`: a Lambda event with a fresh valid signature.

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::shared;
use super::signed::Signed;
use crate::delivery::Delivery;

/// Print a complete Function URL event with a fresh valid signature, for cargo lambda invoke
/// --data-file
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    signed: Signed,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    shared::print(&format!("{:#}\n", event(&arguments.signed.delivery()?)))
}

/// <https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads>
pub(super) fn event(delivery: &Delivery) -> Value {
    let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        (name.to_string(), json!(String::from_utf8_lossy(value.as_bytes())))
    };
    let headers: Map<_, _> = delivery.headers.iter().map(header).collect();
    let (body, is_encoded) = match std::str::from_utf8(&delivery.body) {
        Ok(text) => (text.to_owned(), false),
        Err(_) => (STANDARD.encode(&delivery.body), true),
    };
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(&delivery.query);
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": delivery.path,
        "rawQueryString": query.finish(),
        "headers": headers,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "local",
            "domainName": "local.lambda-url.us-east-1.on.aws",
            "domainPrefix": "local",
            "http": {
                "method": delivery.method.as_str(),
                "path": delivery.path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "taskhook",
            },
            "requestId": "local",
            "routeKey": "$default",
            "stage": "$default",
            "time": delivery.arrived.to_string(),
            "timeEpoch": delivery.arrived.milliseconds(),
        },
        "body": body,
        "isBase64Encoded": is_encoded,
    })
}
