//! Taskhook's lines about deliveries, out of whatever AWS prints them in. `aws logs tail` puts a time
//! and a stream before each line, or breaks it into several; `filter-log-events` and
//! `get-query-results` put each as a text into one JSON document; a table from the console doubles
//! quotation marks. So JSON is looked for anywhere in a text, and in the texts of that JSON.

use serde::Deserialize;
use serde_json::Value;

use crate::outcome;

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
    /// The counts of a delivery that are not zero, by their outcomes.
    #[serde(skip)]
    pub(super) counts: Vec<(&'static str, u64)>,
    /// The line as it was written.
    #[serde(skip)]
    pub(super) whole: String,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Update,
    Delivery,
    Refused,
}

/// The lines of a log.
pub(super) fn lines(log: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    find_in_text(log, &mut lines);
    lines
}

/// The lines in the JSON that a text holds.
fn find_in_text(text: &str, lines: &mut Vec<Line>) {
    let mut rest = text;
    while let Some(begin) = rest.find(['{', '[']) {
        rest = &rest[begin..];
        let mut values = serde_json::Deserializer::from_str(rest).into_iter();
        match values.next() {
            Some(Ok(value)) => {
                rest = &rest[values.byte_offset()..];
                find(value, lines);
            }
            // A cell of a table. Its line alone is read so: others have empty texts.
            _ if rest.starts_with("{\"\"") => {
                let end = rest.find('\n').unwrap_or(rest.len());
                find_in_text(&rest[..end].replace("\"\"", "\""), lines);
                rest = &rest[end..];
            }
            _ => rest = &rest[1..],
        }
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
                let counts = counts(&whole);
                lines.push(Line { counts, whole: whole.to_string(), ..line });
            } else if let Value::Object(fields) = whole {
                fields.into_iter().for_each(|(_, value)| find(value, lines));
            }
        }
        _ => {}
    }
}

fn counts(line: &Value) -> Vec<(&'static str, u64)> {
    let mut counts = Vec::new();
    for kind in outcome::Kind::ALL {
        if let Some(count) = line[kind.as_str()].as_u64().filter(|count| *count > 0) {
            counts.push((kind.as_str(), count));
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn ids(log: &str) -> Vec<String> {
        lines(log).into_iter().filter_map(|line| line.id).collect()
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
        let broken = format!("2026-11-27T18:00:01 a/[$LATEST]b {}\n{}", pretty(&one), pretty(&two));
        let array = json!([one, two]).to_string();
        let texts = json!([one.to_string(), two.to_string()]).to_string();
        let doubled = |line: &Value| line.to_string().replace('"', "\"\"");
        let table =
            format!("@timestamp,@message\n1,\"{}\"\n2,\"{}\"\n", doubled(&one), doubled(&two));
        let half = one.to_string();
        let cut = format!("{}\r\n{one}\r\n{two}\r\n", &half[..half.len() - 9]);
        let twice = pretty(&json!([one])) + "\n" + &pretty(&json!([two]));
        let empty = json!({"message": "another", "words": ""});
        let table = format!("{table}{empty}\n");
        for log in [
            plain,
            tail,
            filtered.to_string(),
            pretty(&filtered),
            pretty(&queried),
            broken,
            array,
            texts,
            table,
            cut,
            twice,
        ] {
            assert_eq!(ids(&log), ["1", "{2}"], "{log}");
        }
    }

    proptest! {
        #[test]
        fn no_log_makes_reading_panic(log in "[ -~\n\"{}\\[\\]\\\\]{0,200}") {
            lines(&log);
        }
    }
}
