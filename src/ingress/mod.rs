//! Where events come in. HTTP is the only place that knows status codes.

mod event;
pub mod http;
mod reply;
pub mod sqs;

use crate::outcome::Kind;
use crate::summary::Summary;

/// Logs what became of a delivery, or of its updates in a batch of the queue. `retry` and `failed`
/// are what alarms watch.
fn log(summary: &Summary, status: Option<u16>) {
    let text = serde_json::Value::Object(summary.for_log()).to_string();
    let (retry, failed) = (summary.count(Kind::Retry), summary.count(Kind::Failed));
    if summary.needs_attention() {
        tracing::warn!(status, retry, failed, summary = text, "delivery");
    } else {
        tracing::info!(status, retry, failed, summary = text, "delivery");
    }
}
