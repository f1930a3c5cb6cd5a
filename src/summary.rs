//! The ledger: what became of every update of a delivery.

use serde::{Serialize, Serializer};

/// The longest `detail` of a row, in characters.
const DETAIL_LENGTH: usize = 300;

/// What became of a delivery. One row for each update in the order of the updates.
///
/// The counts are taken from the rows when it is written, so that their sum can't be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The source's name.
    pub source: String,
    /// The sender's id of the delivery, if it is known.
    pub event: Option<String>,
    /// A row for each update; none for an event that was filtered as a whole.
    pub rows: Vec<Row>,
}

/// What became of one update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The value of the unique property; `None` when the event could not be mapped so far.
    pub id: Option<String>,
    /// The unique property.
    pub id_property: String,
    /// How it ended.
    pub outcome: Outcome,
}

/// How an update ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// HubSpot has the values; with HubSpot's record id where it said it.
    Updated(Option<String>),
    /// HubSpot has a new task with the values.
    Created(Option<String>),
    /// There was nothing to write.
    Unchanged,
    /// A newer event has already been applied.
    Stale,
    /// It became part of the write of a newer update, which succeeded.
    Merged,
    /// It was not meant to be written; with the reason.
    Filtered(&'static str, String),
    /// It is in the queue.
    Queued,
    /// It is not done and may succeed later.
    Retry(RetryReason, String),
    /// It can't succeed as it is.
    Failed(FailReason, String),
}

/// Why an update may succeed later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryReason {
    /// HubSpot's rate limit.
    RateLimited,
    /// HubSpot can't be reached, or can't answer now.
    Unavailable,
    /// The time left was not enough.
    Timeout,
    /// HubSpot refuses the token.
    Unauthorized,
    /// The token lacks a scope.
    Forbidden,
}

/// Why an update can't succeed as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailReason {
    /// The payload doesn't fit the source file.
    Mapping,
    /// No task has the id.
    NotFound,
    /// The portal has no such property.
    UnknownProperty,
    /// The property can't be written.
    ReadOnlyProperty,
    /// HubSpot doesn't take the value.
    InvalidValue,
    /// The id property has no unique values.
    NotUniqueProperty,
    /// HubSpot has no owner with the e-mail address.
    OwnerNotFound,
    /// Another task has the unique value.
    Conflict,
    /// HubSpot neither confirmed nor refused it, and the task doesn't have the values.
    Unaccounted,
    /// HubSpot refuses it for another reason.
    Rejected,
}

impl Summary {
    /// The summary of an event that was filtered as a whole.
    #[must_use]
    pub fn filtered(source: String, event: Option<String>) -> Self {
        Self { source, event, rows: Vec::new() }
    }

    /// Whether an update is left that may succeed when the same event is sent again.
    pub fn retries(&self) -> impl Iterator<Item = (RetryReason, &str)> {
        self.rows.iter().filter_map(|row| match &row.outcome {
            Outcome::Retry(reason, detail) => Some((*reason, detail.as_str())),
            _ => None,
        })
    }

    /// Whether an update failed for good.
    #[must_use]
    pub fn has_failures(&self) -> bool {
        self.rows.iter().any(|row| matches!(row.outcome, Outcome::Failed(..)))
    }

    /// Whether an update is in the queue.
    #[must_use]
    pub fn is_queued(&self) -> bool {
        self.rows.iter().any(|row| row.outcome == Outcome::Queued)
    }

    /// The fields that the sender gets and the log keeps.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Map<String, serde_json::Value> {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::Object(fields)) => fields,
            _ => serde_json::Map::new(),
        }
    }
}

/// How often each outcome stands in the rows, in the order of the contract.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Counts {
    received: usize,
    updated: usize,
    created: usize,
    unchanged: usize,
    stale: usize,
    merged: usize,
    filtered: usize,
    queued: usize,
    retry: usize,
    failed: usize,
}

impl Counts {
    fn of(rows: &[Row]) -> Self {
        if rows.is_empty() {
            return Self { received: 1, filtered: 1, ..Self::default() };
        }
        let mut counts = Self { received: rows.len(), ..Self::default() };
        for row in rows {
            *(match row.outcome {
                Outcome::Updated(_) => &mut counts.updated,
                Outcome::Created(_) => &mut counts.created,
                Outcome::Unchanged => &mut counts.unchanged,
                Outcome::Stale => &mut counts.stale,
                Outcome::Merged => &mut counts.merged,
                Outcome::Filtered(..) => &mut counts.filtered,
                Outcome::Queued => &mut counts.queued,
                Outcome::Retry(..) => &mut counts.retry,
                Outcome::Failed(..) => &mut counts.failed,
            }) += 1;
        }
        counts
    }
}

impl Serialize for Summary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Fields<'a> {
            source: &'a str,
            event: Option<&'a str>,
            #[serde(flatten)]
            counts: Counts,
            tasks: &'a [Row],
        }
        let counts = Counts::of(&self.rows);
        Fields { source: &self.source, event: self.event.as_deref(), counts, tasks: &self.rows }.serialize(serializer)
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(untagged)]
        enum Reason {
            Retry(RetryReason),
            Failed(FailReason),
            Filtered(&'static str),
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Fields<'a> {
            id: Option<&'a str>,
            id_property: &'a str,
            outcome: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            record_id: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            reason: Option<Reason>,
            #[serde(skip_serializing_if = "Option::is_none")]
            detail: Option<String>,
        }
        let (reason, detail) = match &self.outcome {
            Outcome::Retry(reason, detail) => (Some(Reason::Retry(*reason)), Some(detail)),
            Outcome::Failed(reason, detail) => (Some(Reason::Failed(*reason)), Some(detail)),
            Outcome::Filtered(reason, detail) => (Some(Reason::Filtered(reason)), Some(detail)),
            _ => (None, None),
        };
        let record_id = match &self.outcome {
            Outcome::Updated(record_id) | Outcome::Created(record_id) => record_id.as_deref(),
            _ => None,
        };
        Fields {
            id: self.id.as_deref(),
            id_property: &self.id_property,
            outcome: self.outcome.name(),
            record_id,
            reason,
            detail: detail.filter(|detail| !detail.is_empty()).map(|detail| clip(detail)),
        }
        .serialize(serializer)
    }
}

impl Outcome {
    /// The name that the summary gives it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Updated(_) => "updated",
            Self::Created(_) => "created",
            Self::Unchanged => "unchanged",
            Self::Stale => "stale",
            Self::Merged => "merged",
            Self::Filtered(..) => "filtered",
            Self::Queued => "queued",
            Self::Retry(..) => "retry",
            Self::Failed(..) => "failed",
        }
    }
}

fn clip(detail: &str) -> String {
    match detail.char_indices().nth(DETAIL_LENGTH - 1) {
        Some((end, _)) if detail[end..].chars().nth(1).is_some() => format!("{}…", &detail[..end]),
        _ => detail.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_summary_is_written_as_the_contract_says() {
        let row = |id: &str, outcome| Row { id: Some(id.to_owned()), id_property: "ticket".to_owned(), outcome };
        let summary = Summary {
            source: "zendesk".to_owned(),
            event: Some("3a6c".to_owned()),
            rows: vec![
                row("1", Outcome::Merged),
                row("1", Outcome::Updated(Some("9001".to_owned()))),
                row("2", Outcome::Failed(FailReason::NotFound, "x".repeat(301))),
                Row { id: None, ..row("", Outcome::Retry(RetryReason::RateLimited, String::new())) },
            ],
        };
        let expected = json!({
            "source": "zendesk", "event": "3a6c", "received": 4, "updated": 1, "created": 0, "unchanged": 0, "stale": 0,
            "merged": 1, "filtered": 0, "queued": 0, "retry": 1, "failed": 1,
            "tasks": [
                {"id": "1", "idProperty": "ticket", "outcome": "merged"},
                {"id": "1", "idProperty": "ticket", "outcome": "updated", "recordId": "9001"},
                {"id": "2", "idProperty": "ticket", "outcome": "failed", "reason": "not_found",
                 "detail": format!("{}…", "x".repeat(299))},
                {"id": null, "idProperty": "ticket", "outcome": "retry", "reason": "rate_limited"},
            ],
        });
        assert_eq!(serde_json::to_value(&summary).unwrap(), expected);
        assert_eq!(clip(&"é".repeat(300)), "é".repeat(300));
    }

    #[test]
    fn a_filtered_event_counts_once_and_has_no_row() {
        let fields = Summary::filtered("jira".to_owned(), None).to_json();
        assert_eq!((&fields["received"], &fields["filtered"], &fields["tasks"]), (&json!(1), &json!(1), &json!([])));
    }
}
