//! The two functions, from Lambda's event to Lambda's answer.
//!
//! [`receive`] verifies and maps a delivery, [`dispatch`] sends its updates on their way, [`letters`]
//! keeps what can't succeed, and [`lines`] tells the log. Requests and status codes are known in [`webhook`], [`event`] and
//! [`reply`] alone.

mod dispatch;
mod event;
mod letters;
mod lines;
mod metrics;
mod receive;
mod reply;
mod summary;
pub mod webhook;
pub mod worker;

use std::fmt::Display;

/// The longest reason in the log, in characters.
const REASON: usize = 1000;

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
