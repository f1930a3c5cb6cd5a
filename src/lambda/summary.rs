//! The summary of a delivery: every update with its outcome.

use serde_json::{Map, Value, json};

use crate::outcome::{Associated, Kind, Outcome, RetryReason};
use crate::text::shorten;
use crate::time::Time;
use crate::update::{TaskKey, Update};

/// The longest `detail` of a row, in characters.
const DETAIL: usize = 300;

/// With more rows than these their details are short: Lambda takes an answer of up to 6 MB.
const MANY_ROWS: usize = 1000;
const SHORT_DETAIL: usize = 60;

/// A delivery with the outcomes of its updates, in their order.
///
/// The counts are taken from the rows when it is written, so that their sum can't be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Summary {
    /// The source's name.
    pub(super) source: String,
    /// The sender's id of the delivery, if it is known.
    pub(super) event: Option<String>,
    /// A row for each update; none for an event that was filtered as a whole.
    pub(super) rows: Vec<Row>,
}

/// One update with its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The value of the unique property; `None` when the event could not be mapped so far.
    pub(super) id: Option<String>,
    /// The unique property.
    pub(super) id_property: String,
    /// When the change happened in the ticket system, where that could be read.
    pub(super) time: Option<Time>,
    /// How it ended.
    pub(super) outcome: Outcome,
    /// How its links ended.
    pub(super) associated: Associated,
}

impl Summary {
    /// The updates that may succeed when the same event is sent again: reasons and details.
    pub(super) fn retries(&self) -> impl Iterator<Item = (RetryReason, &str)> {
        self.rows.iter().filter_map(|row| match &row.outcome {
            Outcome::Retry(reason, detail) => Some((*reason, detail.as_str())),
            _ => None,
        })
    }

    /// The first update that has to be tried again, else the first that failed, if any.
    pub(super) fn trouble(&self) -> Option<&Outcome> {
        let outcomes = || self.rows.iter().map(|row| &row.outcome);
        let retry = outcomes().find(|outcome| outcome.kind() == Kind::Retry);
        retry.or_else(|| outcomes().find(|outcome| outcome.kind() == Kind::Failed))
    }

    /// Whether an update is in the queue.
    pub(super) fn is_queued(&self) -> bool {
        self.rows.iter().any(|row| row.outcome == Outcome::Queued)
    }

    /// How many updates it has; one, where it was filtered as a whole.
    pub(super) fn received(&self) -> usize {
        self.rows.len().max(1)
    }

    /// The fields that the sender gets.
    pub(super) fn to_json(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        fields.insert("source".to_owned(), json!(self.source));
        fields.insert("event".to_owned(), json!(self.event));
        fields.insert("received".to_owned(), json!(self.received()));
        for kind in Kind::ALL {
            fields.insert(kind.as_str().to_owned(), json!(self.count(kind)));
        }
        let detail_length = if self.rows.len() > MANY_ROWS { SHORT_DETAIL } else { DETAIL };
        let tasks = self.rows.iter().map(|row| row.to_json(detail_length)).collect();
        fields.insert("tasks".to_owned(), Value::Array(tasks));
        fields
    }

    /// How many updates ended so. An event that was filtered as a whole counts as one.
    pub(super) fn count(&self, kind: Kind) -> usize {
        if self.rows.is_empty() {
            usize::from(kind == Kind::Filtered)
        } else {
            self.rows.iter().filter(|row| row.outcome.kind() == kind).count()
        }
    }
}

impl Row {
    pub(super) fn new(update: &Update, outcome: Outcome) -> Self {
        let TaskKey { id, id_property } = update.task.clone();
        let (time, associated) = (Some(update.time), Associated::default());
        Self { id: Some(id), id_property, time, outcome, associated }
    }

    fn to_json(&self, detail_length: usize) -> Value {
        let mut row = Map::new();
        row.insert("id".to_owned(), json!(self.id));
        row.insert("idProperty".to_owned(), json!(self.id_property));
        row.insert("outcome".to_owned(), json!(self.outcome.kind().as_str()));
        if let Some(id) = self.outcome.record_id() {
            row.insert("recordId".to_owned(), json!(id));
        }
        if let Some(reason) = self.outcome.reason() {
            row.insert("reason".to_owned(), json!(reason));
        }
        if let Some(detail) = self.outcome.detail() {
            row.insert("detail".to_owned(), json!(shorten(detail, detail_length)));
        }
        if !self.associated.is_empty() {
            row.insert("associated".to_owned(), json!(self.associated));
        }
        Value::Object(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::FailReason;

    #[test]
    fn a_summary_is_written_as_the_contract_says() {
        let row = |id: &str, outcome| Row {
            id: Some(id.to_owned()),
            id_property: "ticket".to_owned(),
            time: None,
            outcome,
            associated: Associated::default(),
        };
        let summary = Summary {
            source: "zendesk".to_owned(),
            event: Some("3a6c".to_owned()),
            rows: vec![
                row("1", Outcome::Merged),
                row("1", Outcome::Updated(Some("9001".to_owned()))),
                row("2", Outcome::Failed(FailReason::NotFound, "x".repeat(301))),
                row(
                    "3",
                    Outcome::Noted(
                        Box::new(Outcome::Updated(Some("9003".to_owned()))),
                        "all but one".to_owned(),
                    ),
                ),
                Row {
                    id: None,
                    ..row("", Outcome::Retry(RetryReason::RateLimited, String::new()))
                },
            ],
        };
        let expected = json!({
            "source": "zendesk", "event": "3a6c", "received": 5, "updated": 2, "created": 0, "unchanged": 0, "stale": 0,
            "merged": 1, "filtered": 0, "queued": 0, "retry": 1, "failed": 1,
            "tasks": [
                {"id": "1", "idProperty": "ticket", "outcome": "merged"},
                {"id": "1", "idProperty": "ticket", "outcome": "updated", "recordId": "9001"},
                {"id": "2", "idProperty": "ticket", "outcome": "failed", "reason": "not_found",
                 "detail": format!("{}…", "x".repeat(299))},
                {"id": "3", "idProperty": "ticket", "outcome": "updated", "recordId": "9003", "detail": "all but one"},
                {"id": null, "idProperty": "ticket", "outcome": "retry", "reason": "rate_limited"},
            ],
        });
        assert_eq!(Value::Object(summary.to_json()), expected);
    }

    #[test]
    fn a_filtered_event_counts_once_and_has_no_row() {
        let summary = Summary { source: "jira".to_owned(), event: None, rows: Vec::new() };
        let fields = summary.to_json();
        assert_eq!(
            (&fields["received"], &fields["filtered"], &fields["tasks"]),
            (&json!(1), &json!(1), &json!([]))
        );
    }
}
