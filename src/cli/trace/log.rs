//! Taskhook's lines about deliveries, out of whatever AWS prints them in: `aws logs tail` puts a
//! time and a stream before each line, `filter-log-events` and `get-query-results` put each as a
//! text into one JSON document.

use std::io::BufRead;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::Value;

/// A line about a delivery or an update.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    /// In UTC, so that texts sort as times do.
    pub(super) timestamp: String,
    pub(super) message: Kind,
    pub(super) request_id: Option<String>,
    pub(super) source: Option<String>,
    pub(super) event: Option<String>,
    pub(super) id: Option<String>,
    pub(super) id_property: Option<String>,
    pub(super) outcome: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) detail: Option<String>,
    pub(super) record_id: Option<String>,
    /// Milliseconds from the event to the write.
    pub(super) lag_ms: Option<u64>,
    /// The invocation of the webhook that queued it.
    pub(super) webhook_request_id: Option<String>,
    /// How often the worker had received it by then.
    pub(super) receives: Option<u32>,
    /// The answer to the sender.
    pub(super) status: Option<u16>,
    /// How long the sender waited.
    pub(super) ms: Option<u64>,
    /// The line as it was written.
    #[serde(skip)]
    pub(super) whole: Value,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Update,
    Delivery,
    Refused,
}

/// Adds the lines of a log to `lines`.
pub(super) fn read(mut log: impl BufRead, lines: &mut Vec<Line>) -> Result<()> {
    let mut text = Vec::new();
    let mut is_first = true;
    while log.read_until(b'\n', &mut text)? > 0 {
        let line = String::from_utf8_lossy(&text);
        let is_document = is_first && matches!(line.trim(), "{" | "[");
        if is_document {
            log.read_to_end(&mut text)?;
            let document: Value = serde_json::from_slice(&text).context("it is no JSON")?;
            find(document, lines);
            return Ok(());
        }
        is_first &= line.trim().is_empty();
        find_in_text(&line, lines);
        text.clear();
    }
    Ok(())
}

/// The lines in the JSON that a text ends with.
fn find_in_text(text: &str, lines: &mut Vec<Line>) {
    let Some(begin) = text.find('{') else { return };
    let mut values = serde_json::Deserializer::from_str(&text[begin..]).into_iter();
    if let Some(Ok(value)) = values.next() {
        find(value, lines);
    }
}

/// The lines in a JSON value, which may be one, or hold some as texts.
fn find(value: Value, lines: &mut Vec<Line>) {
    match value {
        Value::String(text) => find_in_text(&text, lines),
        Value::Array(values) => values.into_iter().for_each(|value| find(value, lines)),
        Value::Object(fields) => {
            let whole = Value::Object(fields);
            if let Ok(line) = Line::deserialize(&whole) {
                lines.push(Line { whole, ..line });
            } else if let Value::Object(fields) = whole {
                fields.into_iter().for_each(|(_, value)| find(value, lines));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn ids(log: &str) -> Vec<String> {
        let mut lines = Vec::new();
        read(log.as_bytes(), &mut lines).unwrap();
        lines.into_iter().filter_map(|line| line.id).collect()
    }

    fn update(id: &str) -> Value {
        json!({"timestamp": "2026-11-27T18:00:00.000000Z", "message": "update", "id": id})
    }

    #[test]
    fn lines_are_found_as_aws_prints_them() {
        let (one, two) = (update("1"), update("{2}"));
        let plain = format!("{one}\n{{\"message\": \"another\"}}\nSTART RequestId: 7\n\n{two}\n");
        let tail = format!(
            "2026-11-27T18:00:00.000000+00:00 2026/11/27/[$LATEST]ab {one}\n2026-11-27T18:00:01 {two}"
        );
        let filtered = json!({"events": [
            {"logStreamName": "a", "message": format!("{one}\n")}, {"message": "INIT_START {"},
            {"message": two.to_string()},
        ]});
        let queried = json!({"results": [
            [{"field": "@message", "value": one.to_string()}], [{"field": "@message", "value": two.to_string()}],
        ]});
        let pretty = |document: &Value| serde_json::to_string_pretty(document).unwrap();
        for log in [plain, tail, filtered.to_string(), pretty(&filtered), pretty(&queried)] {
            assert_eq!(ids(&log), ["1", "{2}"], "{log}");
        }
    }

    proptest! {
        #[test]
        fn no_log_makes_reading_panic(log in "[ -~\n\"{}\\[\\]\\\\]{0,200}") {
            let _ = read(log.as_bytes(), &mut Vec::new());
        }
    }
}
