//! The headers that tell how much of HubSpot's rate limits is left. They are counted, not enforced: a fault answers 429.

use jiff::Timestamp;

use super::answer::Answer;

/// What was used of the limits.
#[derive(Debug, Default)]
pub(super) struct Limits {
    /// The ten seconds since the epoch in which the last call came.
    interval: i64,
    /// Calls in that interval.
    calls: u64,
    /// Calls since the start.
    today: u64,
}

impl Limits {
    /// Counts one call and says so in its answer.
    pub(super) fn stamp(&mut self, answer: &mut Answer, now: Timestamp) {
        let interval = now.as_millisecond().div_euclid(INTERVAL_MILLISECONDS);
        if interval != self.interval {
            self.interval = interval;
            self.calls = 0;
        }
        self.calls += 1;
        self.today += 1;
        let mut add = |name: &str, value: String| {
            let name = format!("X-HubSpot-RateLimit-{name}");
            answer.headers.push((name, value));
        };
        add("Max", MAX.to_string());
        add("Remaining", MAX.saturating_sub(self.calls).to_string());
        add("Interval-Milliseconds", INTERVAL_MILLISECONDS.to_string());
        add("Daily", DAILY.to_string());
        add("Daily-Remaining", DAILY.saturating_sub(self.today).to_string());
    }
}

// A private app of a Pro account: https://developers.hubspot.com/docs/guides/apps/api-usage/usage-details
const MAX: u64 = 190;
const INTERVAL_MILLISECONDS: i64 = 10_000;
const DAILY: u64 = 650_000;
