//! A request without its transport.

use std::str::FromStr;

use super::refusal::{self, Refusal};

/// A request as the portal sees it.
#[derive(Clone, Debug, Default)]
pub(super) struct Request {
    /// `GET`, `POST`, …
    pub(super) method: String,
    /// The path, without the query.
    pub(super) path: String,
    /// The part after the `?`, or nothing.
    pub(super) query: String,
    /// The header `Authorization`.
    pub(super) authorization: Option<String>,
    /// The body, as it came.
    pub(super) body: Vec<u8>,
    /// What whoever watches tells it apart by.
    pub(super) label: Option<u64>,
}

impl Request {
    /// The path with its query.
    pub(super) fn target(&self) -> String {
        if self.query.is_empty() {
            return self.path.clone();
        }
        format!("{}?{}", self.path, self.query)
    }

    /// The values of one parameter of the query, decoded.
    pub(super) fn parameters(&self, name: &str) -> Vec<String> {
        let mut values = Vec::new();
        for (key, value) in form_urlencoded::parse(self.query.as_bytes()) {
            if key == name {
                values.push(value.into_owned());
            }
        }
        values
    }

    /// A number in the query.
    pub(super) fn number(&self, name: &str, default: usize) -> Result<usize, Refusal> {
        self.parse(name, default, "a number")
    }

    /// `true` or `false` in the query; false if it isn't there. HubSpot's client for Python writes
    /// `True`.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Refusal> {
        self.parse(name, false, "true or false")
    }

    fn parse<T: FromStr>(&self, name: &str, default: T, kind: &str) -> Result<T, Refusal> {
        let Some(text) = self.parameter(name) else { return Ok(default) };
        text.to_lowercase()
            .parse()
            .map_err(|_| refusal::validation(format!("{name} must be {kind}, not {text}")))
    }

    /// Whether the body holds this text, or the path ends with it.
    pub(super) fn holds(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.body).contains(text)
            || self.path.rsplit('/').next() == Some(text)
    }

    /// The first value of one parameter of the query.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        self.parameters(name).into_iter().next()
    }
}
