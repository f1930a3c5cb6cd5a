//! HubSpot's rate limits: counts calls, refuses the ones beyond a limit, and writes the headers
//! with the calls that are left.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::answer::Answer;

/// How many calls are let through. Without a number there is no such limit.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimits {
    /// Calls of the app in any ten seconds; default: 190, as for a private app of a Pro account.
    pub ten_secondly: Option<usize>,
    /// Searches in any second; default: 5.
    pub secondly: Option<usize>,
    /// Calls of the account in one day, which here is as long as the stand-in runs; default:
    /// 650,000.
    pub daily: Option<usize>,
}

/// The limit that a 429 names.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Policy {
    /// The app's limit of one second.
    Secondly,
    /// The app's limit of ten seconds.
    #[default]
    TenSecondlyRolling,
    /// The account's limit of one day.
    Daily,
}

/// The calls that count towards the limits.
#[derive(Debug, Default)]
pub(super) struct Used {
    /// When the calls of the last ten seconds came, in milliseconds.
    calls: VecDeque<i64>,
    /// When the searches of the last second came.
    searches: VecDeque<i64>,
    /// Calls since the start.
    today: usize,
}

impl Used {
    /// Counts one call, or names the limit that refuses it. Refused calls don't count.
    pub(super) fn count(
        &mut self,
        limits: &RateLimits,
        is_search: bool,
        now: Timestamp,
    ) -> Result<(), Policy> {
        let now = now.as_millisecond();
        forget(&mut self.calls, now - TEN_SECONDS);
        forget(&mut self.searches, now - SECOND);
        let is_used_up =
            |used: usize, limit: Option<usize>| limit.is_some_and(|limit| used >= limit);
        if is_used_up(self.today, limits.daily) {
            return Err(Policy::Daily);
        }
        if is_used_up(self.calls.len(), limits.ten_secondly) {
            return Err(Policy::TenSecondlyRolling);
        }
        if is_search && is_used_up(self.searches.len(), limits.secondly) {
            return Err(Policy::Secondly);
        }
        self.calls.push_back(now);
        self.today += 1;
        if is_search {
            self.searches.push_back(now);
        }
        Ok(())
    }

    /// Sets the headers with the calls that are left. Answers to searches have none.
    pub(super) fn stamp(&self, answer: &mut Answer, limits: &RateLimits) {
        let mut add = |name: &str, value: usize| {
            let name = format!("X-HubSpot-RateLimit-{name}");
            answer.headers.push((name, value.to_string()));
        };
        if let Some(limit) = limits.ten_secondly {
            add("Max", limit);
            add("Remaining", limit.saturating_sub(self.calls.len()));
            add("Interval-Milliseconds", 10_000);
        }
        if let Some(limit) = limits.daily {
            add("Daily", limit);
            add("Daily-Remaining", limit.saturating_sub(self.today));
        }
    }
}

impl Default for RateLimits {
    // https://developers.hubspot.com/docs/guides/apps/api-usage/usage-details
    fn default() -> Self {
        Self { ten_secondly: Some(190), secondly: Some(5), daily: Some(650_000) }
    }
}

impl Policy {
    /// As HubSpot writes it in `policyName`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Secondly => "SECONDLY",
            Self::TenSecondlyRolling => "TEN_SECONDLY_ROLLING",
            Self::Daily => "DAILY",
        }
    }
}

/// Forgets the calls that came up to then.
fn forget(calls: &mut VecDeque<i64>, then: i64) {
    while calls.front().is_some_and(|call| *call <= then) {
        calls.pop_front();
    }
}

const SECOND: i64 = 1_000;
const TEN_SECONDS: i64 = 10_000;
