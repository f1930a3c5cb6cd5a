//! The summary of a delivery: every update with its outcome.

use serde_json::{Map, Value, json};

use crate::outcome::{Kind, Outcome, RetryReason};
use crate::text::shorten;
use crate::update::TaskKey;

/// The longest `detail` of a row, in characters.
const DETAIL: usize = 300;

/// With more rows than these their details are short: Lambda takes an answer of up to 6 MB.
const MANY_ROWS: usize = 1000;
const SHORT_DETAIL: usize = 60;

/// The most rows that are logged of one delivery.
const LOGGED_ROWS: usize = 20;

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
    /// How it ended.
    pub(super) outcome: Outcome,
}

impl Summary {
    /// The updates that may succeed when the same event is sent again: reasons and details.
    pub(super) fn retries(&self) -> impl Iterator<Item = (RetryReason, &str)> {
        self.rows.iter().filter_map(|row| match &row.outcome {
            Outcome::Retry(reason, detail) => Some((*reason, detail.as_str())),
            _ => None,
        })
    }

    /// Whether an update failed, for good or for now.
    pub(super) fn needs_attention(&self) -> bool {
        self.rows.iter().any(Row::needs_attention)
    }

    /// Whether an update is in the queue.
    pub(super) fn is_queued(&self) -> bool {
        self.rows.iter().any(|row| row.outcome == Outcome::Queued)
    }

    /// The fields that the sender gets.
    pub(super) fn to_json(&self) -> Map<String, Value> {
        self.fields(&self.rows)
    }

    /// The fields for the log: of the rows only the first that say more than that all is well,
    /// because CloudWatch takes lines of limited length; and of a failure only what it is about,
    /// because a value is a ticket's text.
    pub(super) fn for_log(&self) -> Map<String, Value> {
        let rows = self.rows.iter().filter(|row| row.is_worth_logging()).take(LOGGED_ROWS);
        let rows: Vec<_> = rows.map(Row::without_values).collect();
        self.fields(&rows)
    }

    /// The fields, with some of the rows.
    fn fields(&self, rows: &[Row]) -> Map<String, Value> {
        let mut fields = Map::new();
        fields.insert("source".to_owned(), json!(self.source));
        fields.insert("event".to_owned(), json!(self.event));
        fields.insert("received".to_owned(), json!(self.rows.len().max(1)));
        for kind in Kind::ALL {
            fields.insert(kind.as_str().to_owned(), json!(self.count(kind)));
        }
        let detail_length = if self.rows.len() > MANY_ROWS { SHORT_DETAIL } else { DETAIL };
        let tasks = rows.iter().map(|row| row.to_json(detail_length)).collect();
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
    pub(super) fn new(task: &TaskKey, outcome: Outcome) -> Self {
        Self { id: Some(task.id.clone()), id_property: task.id_property.clone(), outcome }
    }

    fn is_worth_logging(&self) -> bool {
        self.needs_attention() || matches!(self.outcome, Outcome::Filtered(..) | Outcome::Noted(..))
    }

    fn needs_attention(&self) -> bool {
        matches!(self.outcome, Outcome::Failed(..) | Outcome::Retry(..))
    }

    /// The row, of whose failure only the property, or the expression, is told.
    fn without_values(&self) -> Self {
        let mut row = self.clone();
        if let Outcome::Failed(reason, detail) = &mut row.outcome
            && reason.may_quote()
        {
            *detail = match about(detail) {
                Some(name) => format!("{name}: …"),
                None => String::new(),
            };
        }
        row
    }

    fn to_json(&self, detail_length: usize) -> Value {
        let mut row = Map::new();
        row.insert("id".to_owned(), json!(self.id));
        row.insert("idProperty".to_owned(), json!(self.id_property));
        row.insert("outcome".to_owned(), json!(self.outcome.kind().as_str()));
        let outcome = self.outcome.without_note();
        if let Outcome::Updated(Some(id)) | Outcome::Created(Some(id)) = outcome {
            row.insert("recordId".to_owned(), json!(id));
        }
        let reason_and_detail = match outcome {
            Outcome::Filtered(reason, detail) => Some((reason.as_str(), detail)),
            Outcome::Retry(reason, detail) => Some((reason.as_str(), detail)),
            Outcome::Failed(reason, detail) => Some((reason.as_str(), detail)),
            _ => None,
        };
        let mut told = "";
        if let Outcome::Noted(_, note) = &self.outcome {
            told = note;
        }
        if let Some((reason, detail)) = reason_and_detail {
            row.insert("reason".to_owned(), json!(reason));
            told = detail;
        }
        if !told.is_empty() {
            row.insert("detail".to_owned(), json!(shorten(told, detail_length)));
        }
        Value::Object(row)
    }
}

/// The property that a detail begins with, or the expression: `[event] time`.
fn about(detail: &str) -> Option<&str> {
    let (about, _) = detail.split_once(": ")?;
    let name =
        about.strip_prefix("[event] ").or_else(|| about.strip_prefix("[task] ")).unwrap_or(about);
    let is_name = !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    is_name.then_some(about)
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
            outcome,
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

    #[test]
    fn the_log_says_what_a_failure_is_about_and_quotes_no_value() {
        for (reason, detail, logged) in [
            (
                FailReason::InvalidValue,
                "hs_task_priority: Ada's is not one of NONE, LOW",
                Some("hs_task_priority: …"),
            ),
            (FailReason::Mapping, "[event] time: \"Ada's\" is not a time", Some("[event] time: …")),
            (
                FailReason::OwnerNotFound,
                "hubspot_owner_id: HubSpot has no owner with the address a@b.example",
                Some("hubspot_owner_id: …"),
            ),
            (FailReason::Rejected, "Ada's: no", None),
            (FailReason::Rejected, "Ada's", None),
            (FailReason::NotFound, "no task has ticket 7", Some("no task has ticket 7")),
        ] {
            let row = Row {
                id: None,
                id_property: "ticket".to_owned(),
                outcome: Outcome::Failed(reason, detail.to_owned()),
            };
            let summary = Summary { source: "shop".to_owned(), event: None, rows: vec![row] };
            assert_eq!(summary.for_log()["tasks"][0]["detail"].as_str(), logged, "{detail}");
            assert_eq!(summary.to_json()["tasks"][0]["detail"], detail);
        }
    }
}
