//! The log's lines about deliveries: `update`, `delivery` and `refused`. `taskhook trace`, saved
//! queries, metric filters and alarms read them.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Map, Value};

use super::metrics::Metrics;
use super::summary::{Row, Summary};
use crate::hubspot::Usage;
use crate::outcome::{Associated, Kind, Outcome};
use crate::settings;
use crate::text::shorten;
use crate::time::Time;

/// The longest id of a ticket or a delivery in a line, in characters: both are strangers' texts.
const ID: usize = 200;

/// The longest detail, in characters.
const DETAIL: usize = 300;

/// What the lines hold besides the outcomes.
#[derive(Default)]
pub(super) struct Lines {
    /// `None` where there are no metrics.
    metrics: Option<settings::Metrics>,
}

/// How the updates of a delivery ended, or those of one source in a batch of the queue.
#[derive(Serialize)]
struct DeliveryLine<'a> {
    source: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(flatten)]
    counts: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// Milliseconds from the beginning to this line.
    ms: u64,
    /// Calls to HubSpot, each try of them.
    calls: usize,
    #[serde(flatten)]
    metrics: Map<String, Value>,
}

/// How one update ended.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UpdateLine<'a> {
    source: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<Cow<'a, str>>,
    id: Option<Cow<'a, str>>,
    id_property: &'a str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    record_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lag_ms: Option<u64>,
    #[serde(skip_serializing_if = "Associated::is_empty")]
    associated: &'a Associated,
    #[serde(flatten)]
    way: Option<Way<'a>>,
}

/// The way of an update through the queue.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Way<'a> {
    /// The request id of the webhook's invocation that queued it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) webhook_request_id: Option<&'a str>,
    pub(super) message_id: &'a str,
    /// How often the message was received, this time included.
    pub(super) receives: u32,
}

/// A delivery that was not taken. The texts are cut already.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RefusedLine<'a> {
    /// Whether the set-up is at fault: then each delivery is an error, as an alarm that only the start
    /// could ring would go out while everything is lost.
    #[serde(skip)]
    pub(super) is_error: bool,
    /// Whether it is what scanners ask for, which no metric counts.
    #[serde(skip)]
    pub(super) is_scan: bool,
    pub(super) status: u16,
    pub(super) reason: String,
    pub(super) path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<&'a str>,
    /// The sender's id of the delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) event: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source_ip: Option<String>,
    #[serde(flatten)]
    pub(super) metrics: Map<String, Value>,
}

impl Lines {
    pub(super) fn new(metrics: Option<settings::Metrics>) -> Self {
        Self { metrics }
    }

    /// Says how the updates of a delivery, or of one source in a batch, ended. `status` is the
    /// answer to the sender; the time counts from `began`.
    pub(super) fn delivery(
        &self,
        summary: &Summary,
        status: Option<u16>,
        began: Time,
        usage: &Usage,
    ) {
        let now = Time::now();
        let mut counts = Map::new();
        counts.insert("received".to_owned(), summary.received().into());
        for kind in Kind::ALL {
            counts.insert(kind.as_str().to_owned(), summary.count(kind).into());
        }
        let mut metrics = Map::new();
        if let Some(settings) = &self.metrics {
            let lags: Vec<_> = summary.rows.iter().filter_map(|row| lag(row, now)).collect();
            let mut numbers = Metrics::of_summary(summary, &lags);
            numbers.count("Deliveries", usize::from(status.is_some()));
            numbers.add_usage(usage);
            metrics = numbers.fields(settings, &summary.source);
        }
        let line = DeliveryLine {
            source: &summary.source,
            event: summary.event.as_deref().map(|event| shorten(event, ID)),
            status,
            counts,
            reason: summary.trouble().and_then(Outcome::reason),
            ms: between(began, now),
            calls: usage.took.len(),
            metrics,
        };
        if summary.trouble().is_some() {
            tracing::warn!(fields = %json(&line), "delivery");
        } else {
            tracing::info!(fields = %json(&line), "delivery");
        }
    }

    /// Says that a delivery is not taken.
    pub(super) fn refused(&self, mut line: RefusedLine<'_>) {
        if let (Some(settings), Some(source), false) = (&self.metrics, line.source, line.is_scan) {
            let mut numbers = Metrics::default();
            numbers.count("Refused", 1);
            line.metrics = numbers.fields(settings, source);
        }
        if line.is_error {
            tracing::error!(fields = %json(&line), "refused");
        } else {
            tracing::warn!(fields = %json(&line), "refused");
        }
    }
}

/// Says how an update ended.
pub(super) fn update(source: &str, event: Option<&str>, row: &Row, way: Option<Way<'_>>) {
    let line = UpdateLine {
        source,
        event: event.map(|event| shorten(event, ID)),
        id: row.id.as_deref().map(|id| shorten(id, ID)),
        id_property: &row.id_property,
        outcome: row.outcome.kind().as_str(),
        reason: row.outcome.reason(),
        detail: detail(&row.outcome),
        record_id: row.outcome.record_id(),
        lag_ms: lag(row, Time::now()),
        associated: &row.associated,
        way,
    };
    tracing::info!(fields = %json(&line), "update");
}

/// The milliseconds from the event to the write, of what was written.
fn lag(row: &Row, now: Time) -> Option<u64> {
    if !matches!(row.outcome.kind(), Kind::Updated | Kind::Created) {
        return None;
    }
    Some(between(row.time?, now))
}

/// Milliseconds; none where a sender's clock is ahead of ours.
fn between(earlier: Time, later: Time) -> u64 {
    u64::try_from(later.milliseconds() - earlier.milliseconds()).unwrap_or_default()
}

/// What exactly is the matter. Of a failure only what it is about, where more may be a ticket's
/// text: the value is in the dead letter.
fn detail(outcome: &Outcome) -> Option<String> {
    let detail = outcome.detail()?;
    match outcome {
        Outcome::Failed(reason, _) if reason.may_quote() => {
            about(detail).map(|name| format!("{name}: …"))
        }
        _ => Some(shorten(detail, DETAIL).into_owned()),
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

/// The fields of a line for [`telemetry`](crate::telemetry). Texts, numbers and maps of them always
/// become JSON.
fn json(line: &impl Serialize) -> String {
    serde_json::to_string(line).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::FailReason;

    #[test]
    fn a_line_says_what_a_failure_is_about_and_quotes_no_value() {
        for (reason, told, logged) in [
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
            let outcome = Outcome::Failed(reason, told.to_owned());
            assert_eq!(detail(&outcome).as_deref(), logged, "{told}");
        }
    }

    #[test]
    fn a_lag_is_that_of_a_write_and_never_negative() {
        let row = |outcome| Row {
            id: None,
            id_property: "ticket".to_owned(),
            time: Some(Time::from_milliseconds(1_000)),
            outcome,
            associated: Associated::default(),
        };
        let now = Time::from_milliseconds(3_500);
        assert_eq!(lag(&row(Outcome::Updated(None)), now), Some(2_500));
        assert_eq!(lag(&row(Outcome::Created(None)), Time::from_milliseconds(0)), Some(0));
        assert_eq!(lag(&row(Outcome::Unchanged), now), None);
        assert_eq!(lag(&row(Outcome::Queued), now), None);
    }
}
