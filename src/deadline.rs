//! Deadlines, and the time that is kept free before them.

use std::time::Duration;

use tokio::time::Instant;

/// The point in time `margin` before a deadline; a quarter of the time that is left, if that is
/// less, because a short deadline has to leave time for the work, too.
#[must_use]
pub fn before(deadline: Instant, margin: Duration) -> Instant {
    let left = deadline.saturating_duration_since(Instant::now());
    deadline - kept_free(left, margin)
}

fn kept_free(left: Duration, margin: Duration) -> Duration {
    margin.min(left / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_the_time_left_is_the_most_that_is_kept_free() {
        let seconds = Duration::from_secs;
        assert_eq!(kept_free(seconds(30), seconds(4)), seconds(4));
        assert_eq!(kept_free(seconds(8), seconds(4)), seconds(2));
        assert_eq!(kept_free(Duration::ZERO, seconds(4)), Duration::ZERO);
    }
}
