//! The two functions, from Lambda's event to Lambda's answer.
//!
//! [`receive`] verifies and maps a delivery, [`dispatch`] sends its updates on their way, [`letters`]
//! keeps what can't succeed. Requests and status codes are known in [`webhook`], [`event`] and
//! [`reply`] alone.

mod dispatch;
mod event;
mod letters;
mod receive;
mod reply;
mod summary;
pub mod webhook;
pub mod worker;

use std::fmt::Display;

use crate::outcome::Kind;
use summary::Summary;

/// The longest reason in the log, in characters.
const REASON: usize = 1000;

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

/// The value, or its problems in the log.
fn or_log<T, P: Display>(result: Result<T, impl IntoIterator<Item = P>>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(problems) => {
            for problem in problems {
                tracing::error!("set-up: {problem}");
            }
            None
        }
    }
}
