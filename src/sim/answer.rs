//! An answer without its transport.

use serde_json::{Value, json};

/// The body of an answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Body,
}

/// The body of an answer.
#[derive(Clone, Debug)]
pub(super) enum Body {
    /// HubSpot's JSON.
    Json(Value),
    /// The page of a proxy before HubSpot.
    Html(String),
    /// A text for a person.
    Text(String),
    /// Nothing.
    Empty,
}

impl Answer {
    pub(super) fn json(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: Body::Json(body) }
    }

    pub(super) fn empty() -> Self {
        Self { status: 204, headers: Vec::new(), body: Body::Empty }
    }

    /// A page of results, and where the next one begins.
    pub(super) fn page(results: &[Value], next: Option<usize>, limit: usize) -> Self {
        let mut body = json!({ "results": results });
        if let Some(next) = next {
            let link = format!("?after={next}&limit={limit}");
            body["paging"] = json!({"next": {"after": next.to_string(), "link": link}});
        }
        Self::json(200, body)
    }

    /// The body: JSON, or a string if it isn't, or null if there is none.
    pub(super) fn to_value(&self) -> Value {
        match &self.body {
            Body::Json(body) => body.clone(),
            Body::Html(text) | Body::Text(text) => json!(text),
            Body::Empty => Value::Null,
        }
    }

    pub(super) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}
