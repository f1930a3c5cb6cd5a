//! Whether, and when, a call is tried again. Pure: the answer depends on the arguments alone.

use std::time::{Duration, UNIX_EPOCH};

use super::answer::Complaint;
use crate::outcome::RetryReason;
use crate::time::Time;

/// How a try failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// No connection could be made.
    NoConnection,
    /// The server's certificate is not trusted, with the reason for the log.
    NotTrusted(String),
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
        /// The hint of the body about another try.
        hint: Hint,
    },
    /// A success whose body is not what the API promises, such as a proxy's page.
    Unreadable,
    /// A success that is larger than we read.
    TooLarge,
}

/// A hint about another try in the body of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hint {
    /// Nothing.
    None,
    /// 429: the account's limit of a day is used up.
    Daily,
    /// 429: the app's limit of a second is used up.
    Secondly,
    /// 409: something has the name or the value already, so that no time cures it.
    Exists,
}

impl Failure {
    /// Whether the request may have been carried out. A proxy that gives up speaks for itself, not
    /// for HubSpot; 503 is HubSpot's own refusal.
    pub(super) fn may_be_done(&self) -> bool {
        match self {
            Self::NoConnection | Self::NotTrusted(_) => false,
            Self::Broken | Self::TimedOut | Self::Unreadable | Self::TooLarge => true,
            Self::Status { status, .. } => *status >= 500 && *status != 503,
        }
    }
}

impl Hint {
    /// Reads the hint in the body of an answer with this status. `policyName` names a limit; where
    /// it is missing, HubSpot's words do.
    pub(super) fn read(status: u16, complaint: &Complaint) -> Self {
        match status {
            429 if complaint.policy_name.is_empty() => Self::read_limit(&complaint.message),
            429 => Self::read_limit(&complaint.policy_name),
            409 if complaint.all().into_iter().any(says_exists) => Self::Exists,
            _ => Self::None,
        }
    }

    /// `DAILY`, `SECONDLY`, or words that name them; `TEN_SECONDLY_ROLLING` is neither.
    fn read_limit(text: &str) -> Self {
        let text = text.to_ascii_lowercase();
        let mut before = "";
        for word in text.split(|c: char| !c.is_ascii_alphanumeric()) {
            match word {
                "" => {}
                "daily" => return Self::Daily,
                "secondly" if !matches!(before, "ten" | "10") => return Self::Secondly,
                _ => before = word,
            }
        }
        Self::None
    }
}

/// Whether an error says that something has the name or the value already.
fn says_exists(error: &Complaint) -> bool {
    for kind in ["OBJECT_ALREADY_EXISTS", "CONFLICTING_UNIQUE_VALUE"] {
        if error.category == kind || error.code == kind || error.message.contains(kind) {
            return true;
        }
    }
    error.message.contains("already exists")
}

/// Reads `Retry-After`: seconds, which may have a fraction, or a date. `now` is the time of the
/// answer.
pub(super) fn retry_after(value: &str, now: Time) -> Option<Duration> {
    if let Some(seconds) = value.trim().parse::<f64>().ok().filter(|seconds| *seconds >= 0.0) {
        return Some(Duration::from_secs_f64(seconds.min(LONGEST_WAIT.as_secs_f64())));
    }
    let milliseconds = http_date(value)?.milliseconds() - now.milliseconds();
    Some(Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default()).min(LONGEST_WAIT))
}

/// Reads the time in a header, such as `Date`.
pub(super) fn http_date(value: &str) -> Option<Time> {
    let time = httpdate::parse_http_date(value.trim()).ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(time.as_millis()).ok().map(Time::from_milliseconds)
}

/// The decision about another try.
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

/// The most tries of one call: one that doesn't pass within these meets an outage.
const TRIES: u32 = 6;

/// The most tries of a call that conflicts with another write.
const TRIES_OF_CONFLICT: u32 = 2;

/// The longest wait that HubSpot asks for: a day, while an account is moved (477).
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// Decides after a try.
///
/// | failure | what to do |
/// | --- | --- |
/// | the connection broke, or one try got no answer while time is left, for the first time | again at once on a fresh connection: it may have died while the function was frozen |
/// | the connection broke again, none could be made, a success that can't be read | again after 0.2 s, 0.4 s, 0.8 s, ... |
/// | the server's certificate is not trusted | later (`unavailable`): the set-up is at fault |
/// | no answer in time | later (`timeout`): the time is used up |
/// | 401 | later (`unauthorized`): the token was fetched again already |
/// | 403 | later (`forbidden`): a scope is missing |
/// | 408, 425, 3xx | as 5xx: a proxy speaks, not HubSpot |
/// | 404, 405, 410 | later (`unavailable`): not a missing task but a wrong address or version; the set-up is at fault |
/// | 409 | once more after `Retry-After`, at least 0.5 s: another write was under way; then refused. At once refused where something exists already |
/// | 423 | again after `Retry-After`, at least 2 s |
/// | 429 of a day | later (`rate_limited`): over for today |
/// | 429 of a second | again after `Retry-After`, at least 1 s |
/// | other 429 | again after `Retry-After`, at least 1 s, else 10 s |
/// | 477 | again after `Retry-After` (up to 24 h), at least 1 s, else 10 s: the account is being moved |
/// | 5xx | again after `Retry-After`, at least 0.2 s, 0.4 s, 0.8 s, ... |
/// | a success that is too large to be read | refused: for fewer tasks it is smaller |
/// | anything else | refused |
///
/// A call that may not be repeated doesn't come here after a failure that [may have been carried
/// out](Failure::may_be_done).
///
/// A wait is lengthened by up to a quarter: `jitter` is from 0 to 1. When it doesn't fit into
/// `left`, or after [`TRIES`], the call is left for later. `was_fresh` says whether a fresh
/// connection was tried already.
#[must_use]
pub(super) fn decide(
    tries: u32,
    was_fresh: bool,
    failure: &Failure,
    left: Duration,
    jitter: f64,
) -> Decision {
    let backoff = Duration::from_millis(200) * 2_u32.saturating_pow(tries.saturating_sub(1).min(8));
    let (reason, wait) = match failure {
        Failure::Broken | Failure::TimedOut if !was_fresh && !left.is_zero() => {
            return Decision::AtOnce;
        }
        Failure::Broken | Failure::NoConnection | Failure::Unreadable => {
            (RetryReason::Unavailable, backoff)
        }
        Failure::NotTrusted(_) => return Decision::Later(RetryReason::Unavailable, None),
        Failure::TimedOut => return Decision::Later(RetryReason::Timeout, None),
        Failure::TooLarge => return Decision::Refused,
        Failure::Status { status, retry_after, hint } => {
            // `Retry-After: 0` happens: a limit that is asked again at once is never met.
            let asked =
                |least: Duration, otherwise: Duration| retry_after.unwrap_or(otherwise).max(least);
            let seconds = Duration::from_secs;
            match (status, hint) {
                (401, _) => return Decision::Later(RetryReason::Unauthorized, None),
                (403, _) => return Decision::Later(RetryReason::Forbidden, None),
                (404 | 405 | 410, _) => return Decision::Later(RetryReason::Unavailable, None),
                (409, hint) if *hint != Hint::Exists && tries < TRIES_OF_CONFLICT => {
                    let pause = Duration::from_millis(500);
                    (RetryReason::Unavailable, asked(pause, pause))
                }
                (429, Hint::Daily) => {
                    return Decision::Later(RetryReason::RateLimited, *retry_after);
                }
                (429, Hint::Secondly) => (RetryReason::RateLimited, asked(seconds(1), seconds(1))),
                (429, _) => (RetryReason::RateLimited, asked(seconds(1), seconds(10))),
                (423, _) => (RetryReason::Unavailable, asked(seconds(2), seconds(2))),
                (477, _) => (RetryReason::Unavailable, asked(seconds(1), seconds(10))),
                (300..=399 | 408 | 425 | 500.., _) => {
                    (RetryReason::Unavailable, asked(backoff, backoff))
                }
                _ => return Decision::Refused,
            }
        }
    };
    let lengthened = wait.mul_f64(1.0 + jitter.clamp(0.0, 1.0) / 4.0).min(LONGEST_WAIT);
    if tries < TRIES && lengthened < left {
        Decision::After(lengthened)
    } else {
        Decision::Later(reason, Some(lengthened))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn status(status: u16, policy: &str, retry_after: Option<u64>) -> Failure {
        let complaint = Complaint { policy_name: policy.to_owned(), ..Complaint::default() };
        let hint = Hint::read(status, &complaint);
        Failure::Status { status, retry_after: retry_after.map(Duration::from_secs), hint }
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
            (1, Failure::NotTrusted(String::new()), 8, Decision::Later(Unavailable, None)),
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
            (
                6,
                status(504, "", None),
                60,
                Decision::Later(Unavailable, Some(Duration::from_millis(6400))),
            ),
            (1, status(521, "", None), 8, after(200)),
            (1, status(400, "", None), 8, Decision::Refused),
            (1, status(404, "", None), 8, Decision::Later(Unavailable, None)),
            (1, status(408, "", None), 8, after(200)),
            (1, status(405, "", None), 8, Decision::Later(Unavailable, None)),
            (1, status(410, "", None), 8, Decision::Later(Unavailable, None)),
            (1, status(409, "", None), 8, after(500)),
            (1, status(409, "", Some(3)), 8, after(3000)),
            (2, status(409, "", None), 8, Decision::Refused),
            (
                1,
                Failure::Status { status: 409, retry_after: None, hint: Hint::Exists },
                8,
                Decision::Refused,
            ),
            (1, Failure::TooLarge, 8, Decision::Refused),
            (1, status(423, "", Some(0)), 8, after(2000)),
            (1, status(429, "DAILY", Some(0)), 8, later(RateLimited, 0)),
            (1, status(429, "SECONDLY", Some(0)), 8, after(1000)),
            (1, status(429, "TEN_SECONDLY_ROLLING", Some(0)), 8, after(1000)),
            (1, status(477, "", Some(0)), 8, after(1000)),
            (1, status(477, "", None), 60, after(10_000)),
            (1, status(477, "", Some(86_400)), 100_000, after(86_400_000)),
            (1, status(503, "", Some(0)), 8, after(200)),
            (3, status(503, "", Some(0)), 8, after(800)),
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
        assert!(!Failure::NotTrusted(String::new()).may_be_done());
        let may_be_done = |code: &u16| status(*code, "", None).may_be_done();
        let codes = [301, 400, 408, 409, 423, 429, 477, 500, 502, 503, 504, 521, 522, 523, 524];
        assert_eq!(
            codes.into_iter().filter(may_be_done).collect::<Vec<_>>(),
            [500, 502, 504, 521, 522, 523, 524]
        );
    }

    #[test]
    fn a_limit_that_says_now_is_not_asked_again_in_a_rush() {
        for policy in ["", "SECONDLY", "TEN_SECONDLY_ROLLING"] {
            let (mut at, mut calls) = (Duration::ZERO, vec![Duration::ZERO]);
            for tries in 1.. {
                match decide(
                    tries,
                    false,
                    &status(429, policy, Some(0)),
                    Duration::from_secs(8),
                    0.0,
                ) {
                    Decision::After(wait) => at += wait,
                    _ => break,
                }
                calls.push(at);
            }
            assert_eq!(calls.len(), 6, "{policy}");
            assert!(
                calls.iter().filter(|at| **at <= Duration::from_secs(1)).count() <= 2,
                "{policy} {calls:?}"
            );
        }
    }

    #[test]
    fn a_limit_is_known_by_its_name_or_by_words() {
        let hint = |policy: &str, message: &str| {
            let complaint = Complaint {
                policy_name: policy.into(),
                message: message.into(),
                ..Complaint::default()
            };
            Hint::read(429, &complaint)
        };
        for (policy, message, expected) in [
            ("DAILY", "", Hint::Daily),
            ("SECONDLY", "", Hint::Secondly),
            ("TEN_SECONDLY_ROLLING", "You have reached your daily limit.", Hint::None),
            ("", "You have reached your daily limit.", Hint::Daily),
            ("", "Daily API call limit exceeded", Hint::Daily),
            ("", "You have reached your secondly limit.", Hint::Secondly),
            ("", "You have reached your ten_secondly_rolling limit.", Hint::None),
            ("", "You have reached your ten secondly limit.", Hint::None),
            ("", "", Hint::None),
        ] {
            assert_eq!(hint(policy, message), expected, "{policy} {message}");
        }
    }

    #[test]
    fn what_exists_already_is_not_tried_again() {
        for (body, expected) in [
            (r#"{"category": "OBJECT_ALREADY_EXISTS"}"#, Hint::Exists),
            (
                r#"{"category": "CONFLICT", "errors": [{"code": "CONFLICTING_UNIQUE_VALUE"}]}"#,
                Hint::Exists,
            ),
            (r#"{"message": "A property named 'a' already exists."}"#, Hint::Exists),
            (r#"{"category": "CONFLICT", "message": "another write is under way"}"#, Hint::None),
            ("{}", Hint::None),
        ] {
            assert_eq!(Hint::read(409, &serde_json::from_str(body).unwrap()), expected, "{body}");
        }
    }

    #[test]
    fn retry_after_is_seconds_a_fraction_or_a_date() {
        let now = Time::parse("2026-11-27T06:00:00Z").unwrap();
        for (text, milliseconds) in [
            ("0", Some(0)),
            (" 7 ", Some(7_000)),
            ("0.5", Some(500)),
            ("1.25", Some(1_250)),
            ("Fri, 27 Nov 2026 06:00:30 GMT", Some(30_000)),
            ("Friday, 27-Nov-26 06:00:30 GMT", Some(30_000)),
            ("Fri Nov 27 06:00:30 2026", Some(30_000)),
            ("Fri, 27 Nov 2026 05:00:00 GMT", Some(0)),
            ("Sun, 27 Nov 2044 06:00:30 GMT", Some(86_400_000)),
            ("86401", Some(86_400_000)),
            ("99999999999999999999999", Some(86_400_000)),
            ("inf", Some(86_400_000)),
            ("NaN", None),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(retry_after(text, now), milliseconds.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn jitter_lengthens_a_wait_by_at_most_a_quarter() {
        assert_eq!(
            decide(1, false, &status(429, "SECONDLY", None), Duration::from_secs(8), 1.0),
            after(1250)
        );
        assert_eq!(
            decide(1, false, &status(429, "SECONDLY", None), Duration::from_secs(8), 7.0),
            after(1250)
        );
        let moved = decide(1, false, &status(477, "", Some(86_400)), Duration::from_secs(8), 1.0);
        assert_eq!(moved, later(RetryReason::Unavailable, 86_400), "24 h at most");
    }
}
