//! What calls to HubSpot took, for the log and its metrics.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What calls took. Each try is a call: HubSpot's limit counts them so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The milliseconds that each took, in the order in which they ended.
    pub took: Vec<u64>,
    /// How many of them HubSpot's limit refused.
    pub rate_limited: usize,
}

/// Counts calls until somebody asks.
#[derive(Debug, Default)]
pub(super) struct Meter(Mutex<Usage>);

impl Meter {
    /// Adds a call that has ended.
    pub(super) fn add(&self, took: Duration, is_rate_limited: bool) {
        let mut usage = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        usage.took.push(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
        usage.rate_limited += usize::from(is_rate_limited);
    }

    /// What was counted since the last question.
    pub(super) fn take(&self) -> Usage {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
