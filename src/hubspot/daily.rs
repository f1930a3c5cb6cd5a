//! The account's daily limit. All apps of the account share it, and once it is used up it stays so
//! until midnight of the portal: it is remembered for as long as the process lives. It reads no
//! clock.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long HubSpot is left alone before one call asks again: somebody may have raised the limit,
/// and where midnight of the portal is only HubSpot knows.
const ASK_AGAIN: Duration = Duration::from_mins(10);

/// Whether the limit is used up.
#[derive(Default)]
pub(super) struct Daily(Mutex<Option<UsedUp>>);

struct UsedUp {
    /// When HubSpot said that it begins anew, if it did.
    until: Option<Instant>,
    /// When a call asks again.
    ask_at: Instant,
}

impl Daily {
    /// How long a call has to wait; `None` when it may be made. Of the calls that come after
    /// [`ASK_AGAIN`] one may be made, and the others wait for what it finds.
    pub(super) fn wait(&self, now: Instant) -> Option<Duration> {
        let mut used_up = self.lock();
        let limit = used_up.as_mut()?;
        if limit.until.is_some_and(|until| until <= now) {
            *used_up = None;
            return None;
        }
        if limit.ask_at <= now {
            limit.ask_at = now + ASK_AGAIN;
            return None;
        }
        Some(limit.wait(now))
    }

    /// Remembers that HubSpot refused a call for it. Returns how long to wait.
    pub(super) fn use_up(&self, retry_after: Option<Duration>, now: Instant) -> Duration {
        let until = match retry_after {
            // A day is over soon, but never at once.
            None | Some(Duration::ZERO) => None,
            Some(wait) => Some(now + wait),
        };
        let limit = UsedUp { until, ask_at: now + ASK_AGAIN };
        let wait = limit.wait(now);
        *self.lock() = Some(limit);
        wait
    }

    /// Forgets it, since a call was taken.
    pub(super) fn forget(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<UsedUp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UsedUp {
    fn wait(&self, now: Instant) -> Duration {
        let until = self.until.unwrap_or(self.ask_at).min(self.ask_at);
        until.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn one_call_asks_again_every_ten_minutes() {
        let (daily, now) = (Daily::default(), Instant::now());
        assert_eq!(daily.wait(now), None);
        assert_eq!(daily.use_up(None, now), 10 * MINUTE);
        assert_eq!(daily.wait(now + 4 * MINUTE), Some(6 * MINUTE));
        let calls = (0..100).filter(|minute| daily.wait(now + *minute * MINUTE).is_none()).count();
        assert_eq!(calls, 9, "at 10, 20, ... 90 minutes");
    }

    #[test]
    fn hubspots_own_time_counts_where_it_is_sooner() {
        let (daily, now) = (Daily::default(), Instant::now());
        assert_eq!(daily.use_up(Some(3 * MINUTE), now), 3 * MINUTE);
        assert_eq!(daily.wait(now + 2 * MINUTE), Some(MINUTE));
        assert_eq!(
            (daily.wait(now + 3 * MINUTE), daily.wait(now + 3 * MINUTE)),
            (None, None),
            "it is over for all"
        );
        assert_eq!(
            daily.use_up(Some(60 * MINUTE), now),
            10 * MINUTE,
            "a raised limit is noticed before"
        );
        assert_eq!(daily.use_up(Some(Duration::ZERO), now), 10 * MINUTE);
    }

    #[test]
    fn a_call_that_is_taken_ends_it() {
        let (daily, now) = (Daily::default(), Instant::now());
        daily.use_up(None, now);
        daily.forget();
        assert_eq!(daily.wait(now), None);
    }
}
