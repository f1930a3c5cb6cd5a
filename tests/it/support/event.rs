//! Lambda events, as a Function URL or an API Gateway HTTP API makes them of a request.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{KeyInit as _, Mac as _};
use serde_json::{Value, json};

/// A request on its way to an event.
#[derive(Clone)]
pub struct Event {
    method: String,
    path: String,
    query: String,
    stage: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    base64: bool,
}

impl Event {
    pub fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: String::new(),
            stage: "$default".to_owned(),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: Vec::new(),
            base64: false,
        }
    }

    /// A webhook.
    pub fn post(path: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..Self::new("POST", path) }
    }

    /// Sets a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(other, _)| other != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn query(mut self, query: &str) -> Self {
        query.clone_into(&mut self.query);
        self
    }

    /// Sends it through an API Gateway with a stage, which stands in the path.
    pub fn stage(mut self, stage: &str) -> Self {
        stage.clone_into(&mut self.stage);
        self
    }

    pub fn base64(mut self) -> Self {
        self.base64 = true;
        self
    }

    /// Signs the body as GitHub does, with the secret of the tests.
    pub fn signed(self) -> Self {
        self.signed_with(super::SECRET)
    }

    pub fn signed_with(self, secret: &str) -> Self {
        let signature =
            format!("sha256={}", hex::encode(hmac_sha256(secret.as_bytes(), &self.body)));
        self.header("x-hub-signature-256", &signature)
    }

    pub fn to_json(&self) -> Value {
        let path = if self.stage == "$default" {
            self.path.clone()
        } else {
            format!("/{}{}", self.stage, self.path)
        };
        let headers: serde_json::Map<_, _> =
            self.headers.iter().map(|(k, v)| (k.clone(), json!(v))).collect();
        let (body, encoded) = match (std::str::from_utf8(&self.body), self.base64) {
            (Ok(text), false) => (text.to_owned(), false),
            _ => (STANDARD.encode(&self.body), true),
        };
        json!({
            "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": self.query, "headers": headers,
            "requestContext": {
                "accountId": "anonymous", "apiId": "abc", "domainName": "abc.lambda-url.us-east-1.on.aws",
                "domainPrefix": "abc", "requestId": "id", "routeKey": "$default", "stage": self.stage,
                "time": "12/Oct/2026:19:03:58 +0000", "timeEpoch": 1_791_831_838_000_u64,
                "http": {"method": self.method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1",
                         "userAgent": "test"},
            },
            "body": body, "isBase64Encoded": encoded,
        })
    }
}

pub fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(key).expect("any key will do");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}
