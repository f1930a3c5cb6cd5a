//! Whether, and when, a call is tried again. Pure: the answer depends on the arguments alone.

use std::time::Duration;

use crate::summary::RetryReason;

/// How a try failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// No connection could be made.
    NoConnection,
    /// The connection broke, or the answer was cut off: the request may have been carried out.
    Broken,
    /// There was no answer in time.
    TimedOut,
    /// HubSpot answered with a status that is not a success.
    Status {
        /// The HTTP status.
        status: u16,
        /// The header `Retry-After`.
        retry_after: Option<Duration>,
        /// `policyName` of a 429.
        policy: String,
    },
    /// A success whose body is not what the API promises, such as a proxy's page.
    Unreadable,
}

impl Failure {
    /// Whether the request may have been carried out. A proxy that gives up speaks for itself, not for HubSpot; 503 is
    /// HubSpot's own refusal.
    pub(super) fn may_be_done(&self) -> bool {
        match self {
            Self::NoConnection => false,
            Self::Broken | Self::TimedOut | Self::Unreadable => true,
            Self::Status { status, .. } => *status >= 500 && *status != 503,
        }
    }
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Try again at once, on a fresh connection.
    AtOnce,
    /// Try again after this time.
    After(Duration),
    /// Leave it for later: no other try fits into the time left.
    Later(RetryReason, Option<Duration>),
    /// HubSpot refuses the request as it is.
    Refused,
}

/// The most tries of one call: what doesn't pass within these is an outage.
const TRIES: u32 = 6;

/// Decides after a try.
///
/// | what came back | what to do |
/// | --- | --- |
/// | the connection broke, or one try got no answer while time is left, for the first time | again at once on a fresh connection: it may have died while the function was frozen |
/// | the connection broke again, none could be made, a success that can't be read | again after 0.2 s, 0.4 s, 0.8 s, ... |
/// | no answer in time | later (`timeout`): the time is used up |
/// | 401 | later (`unauthorized`): the token was fetched again already |
/// | 403 | later (`forbidden`): a scope is missing |
/// | 408, 425, 3xx | as 5xx: a proxy speaks, not HubSpot |
/// | 404, 405 | later (`unavailable`): not a missing task but a wrong address or version; the set-up is at fault |
/// | 423 | again after `Retry-After`, at least 2 s |
/// | 429 `DAILY` | later (`rate_limited`): over for today |
/// | 429 `SECONDLY` | again after `Retry-After`, else 1 s |
/// | other 429 | again after `Retry-After`, else 10 s |
/// | 477 | again after `Retry-After`, else 10 s: the account is being moved |
/// | 5xx | again after `Retry-After`, else 0.2 s, 0.4 s, 0.8 s, ... |
/// | anything else | refused |
///
/// What may not be sent twice without looking is asked for after a failure that [may have been carried
/// out](Failure::may_be_done), not sent again.
///
/// A wait is lengthened by up to a quarter: `jitter` is from 0 to 1. When it doesn't fit into `left`, or after
/// [`TRIES`], the call is left for later. `was_fresh` says whether a fresh connection was tried already.
#[must_use]
pub(super) fn decide(tries: u32, was_fresh: bool, failure: &Failure, left: Duration, jitter: f64) -> Decision {
    let backoff = Duration::from_millis(200) * 2_u32.saturating_pow(tries.saturating_sub(1).min(8));
    let (reason, wait) = match failure {
        Failure::Broken | Failure::TimedOut if !was_fresh && !left.is_zero() => return Decision::AtOnce,
        Failure::Broken | Failure::NoConnection | Failure::Unreadable => (RetryReason::Unavailable, backoff),
        Failure::TimedOut => return Decision::Later(RetryReason::Timeout, None),
        Failure::Status { status, retry_after, policy } => match (status, policy.as_str()) {
            (401, _) => return Decision::Later(RetryReason::Unauthorized, None),
            (403, _) => return Decision::Later(RetryReason::Forbidden, None),
            (429, "DAILY") => return Decision::Later(RetryReason::RateLimited, *retry_after),
            (429, "SECONDLY") => (RetryReason::RateLimited, retry_after.unwrap_or(Duration::from_secs(1))),
            (429, _) => (RetryReason::RateLimited, retry_after.unwrap_or(Duration::from_secs(10))),
            (423, _) => {
                let least = Duration::from_secs(2);
                (RetryReason::Unavailable, retry_after.unwrap_or(least).max(least))
            }
            (477, _) => (RetryReason::Unavailable, retry_after.unwrap_or(Duration::from_secs(10))),
            (404 | 405, _) => return Decision::Later(RetryReason::Unavailable, None),
            (300..=399 | 408 | 425 | 500.., _) => (RetryReason::Unavailable, retry_after.unwrap_or(backoff)),
            _ => return Decision::Refused,
        },
    };
    let wait = wait.mul_f64(1.0 + jitter.clamp(0.0, 1.0) / 4.0);
    if tries < TRIES && wait < left { Decision::After(wait) } else { Decision::Later(reason, Some(wait)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16, policy: &str, retry_after: Option<u64>) -> Failure {
        Failure::Status { status, retry_after: retry_after.map(Duration::from_secs), policy: policy.to_owned() }
    }

    fn after(milliseconds: u64) -> Decision {
        Decision::After(Duration::from_millis(milliseconds))
    }

    fn later(reason: RetryReason, seconds: u64) -> Decision {
        Decision::Later(reason, Some(Duration::from_secs(seconds)))
    }

    #[test]
    fn every_row_of_the_table() {
        use RetryReason::{Forbidden, RateLimited, Timeout, Unauthorized, Unavailable};
        for (tries, failure, left, expected) in [
            (1, Failure::Broken, 8, Decision::AtOnce),
            (1, Failure::Broken, 0, later(Unavailable, 0)),
            (2, Failure::Broken, 8, after(400)),
            (1, Failure::NoConnection, 8, after(200)),
            (3, Failure::Unreadable, 8, after(800)),
            (1, Failure::TimedOut, 0, Decision::Later(Timeout, None)),
            (1, Failure::TimedOut, 20, Decision::AtOnce),
            (2, Failure::TimedOut, 20, Decision::Later(Timeout, None)),
            (1, status(401, "", None), 8, Decision::Later(Unauthorized, None)),
            (1, status(403, "", None), 8, Decision::Later(Forbidden, None)),
            (1, status(423, "", None), 8, after(2000)),
            (1, status(423, "", Some(1)), 8, after(2000)),
            (1, status(423, "", Some(4)), 8, after(4000)),
            (1, status(429, "DAILY", None), 80_000, Decision::Later(RateLimited, None)),
            (1, status(429, "SECONDLY", None), 8, after(1000)),
            (1, status(429, "TEN_SECONDLY_ROLLING", None), 60, after(10_000)),
            (1, status(429, "TEN_SECONDLY_ROLLING", None), 8, later(RateLimited, 10)),
            (1, status(429, "", Some(3)), 8, after(3000)),
            (1, status(477, "", Some(86_400)), 8, later(Unavailable, 86_400)),
            (1, status(500, "", None), 8, after(200)),
            (4, status(502, "", None), 8, after(1600)),
            (1, status(503, "", Some(5)), 8, after(5000)),
            (6, status(504, "", None), 60, Decision::Later(Unavailable, Some(Duration::from_millis(6400)))),
            (1, status(521, "", None), 8, after(200)),
            (1, status(400, "", None), 8, Decision::Refused),
            (1, status(404, "", None), 8, Decision::Later(Unavailable, None)),
            (1, status(408, "", None), 8, after(200)),
            (1, status(409, "", None), 8, Decision::Refused),
            (1, status(301, "", None), 8, after(200)),
        ] {
            let left = Duration::from_secs(left);
            let decision = match decide(tries, tries > 1, &failure, left, 0.0) {
                Decision::Later(reason, Some(wait)) if left.is_zero() => {
                    Decision::Later(reason, Some(Duration::from_secs(wait.as_secs())))
                }
                decision => decision,
            };
            assert_eq!(decision, expected, "{tries} {failure:?} {left:?}");
        }
    }

    #[test]
    fn only_what_was_surely_not_carried_out_is_sent_again_without_looking() {
        for failure in [Failure::Broken, Failure::TimedOut, Failure::Unreadable] {
            assert!(failure.may_be_done(), "{failure:?}");
        }
        assert!(!Failure::NoConnection.may_be_done());
        let may_be_done = |code: &u16| status(*code, "", None).may_be_done();
        let codes = [301, 400, 408, 409, 423, 429, 477, 500, 502, 503, 504, 521, 522, 523, 524];
        assert_eq!(codes.into_iter().filter(may_be_done).collect::<Vec<_>>(), [500, 502, 504, 521, 522, 523, 524]);
    }

    #[test]
    fn jitter_lengthens_a_wait_by_at_most_a_quarter() {
        assert_eq!(decide(1, false, &status(429, "SECONDLY", None), Duration::from_secs(8), 1.0), after(1250));
        assert_eq!(decide(1, false, &status(429, "SECONDLY", None), Duration::from_secs(8), 7.0), after(1250));
    }
}
