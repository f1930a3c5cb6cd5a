//! What is known of owners, so that an address is not looked up again by each delivery. It reads no clock.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Owners by their addresses, for as long as the process lives. Failed look-ups are none of its business.
#[derive(Default)]
pub(super) struct Owners(Mutex<BTreeMap<String, Known>>);

/// What is known of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// The owner's id; `None` where HubSpot has no owner with the address.
    pub(super) id: Option<String>,
    until: Instant,
}

/// How long an owner is believed to be one: people seldom leave.
const HIT: Duration = Duration::from_hours(1);

/// How long an address is believed to be nobody's: whoever is missed is soon added.
const MISS: Duration = Duration::from_mins(1);

/// The most addresses that are kept, about a megabyte.
const MOST: usize = 10_000;

impl Owners {
    /// What is known of an address; `None` when it has to be looked up.
    pub(super) fn get(&self, email: &str, now: Instant) -> Option<Known> {
        self.known().get(email).filter(|known| known.until > now).cloned()
    }

    /// Keeps what a look-up found.
    pub(super) fn keep(&self, email: String, id: Option<String>, now: Instant) {
        let mut known = self.known();
        if known.len() >= MOST && !known.contains_key(&email) {
            known.retain(|_, known| known.until > now);
            let oldest = known.iter().min_by_key(|(_, known)| known.until).map(|(email, _)| email.clone());
            if let Some(oldest) = oldest.filter(|_| known.len() >= MOST) {
                known.remove(&oldest);
            }
        }
        let until = now + if id.is_some() { HIT } else { MISS };
        known.insert(email, Known { id, until });
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(owners: &Owners, email: &str, now: Instant) -> String {
        match owners.get(email, now) {
            Some(known) => known.id.unwrap_or_else(|| "nobody".to_owned()),
            None => "not known".to_owned(),
        }
    }

    #[test]
    fn a_hit_is_known_for_an_hour_and_a_miss_for_a_minute() {
        let (owners, now) = (Owners::default(), Instant::now());
        owners.keep("ada@acme.example".to_owned(), Some("101".to_owned()), now);
        owners.keep("nobody@acme.example".to_owned(), None, now);
        let after = |seconds, email: &str| get(&owners, email, now + Duration::from_secs(seconds));
        assert_eq!(after(3_599, "ada@acme.example"), "101");
        assert_eq!(after(3_600, "ada@acme.example"), "not known");
        assert_eq!(after(59, "nobody@acme.example"), "nobody");
        assert_eq!(after(60, "nobody@acme.example"), "not known");
        assert_eq!(after(0, "grace@acme.example"), "not known");
    }

    #[test]
    fn what_was_found_last_counts() {
        let (owners, now) = (Owners::default(), Instant::now());
        owners.keep("ada@acme.example".to_owned(), None, now);
        owners.keep("ada@acme.example".to_owned(), Some("101".to_owned()), now);
        assert_eq!(get(&owners, "ada@acme.example", now), "101");
    }

    #[test]
    fn a_full_cache_forgets_what_is_out_of_date_and_then_what_will_be_first() {
        let (owners, now) = (Owners::default(), Instant::now());
        let soon = now + Duration::from_secs(1);
        owners.keep("first".to_owned(), Some("1".to_owned()), now);
        (2..=MOST).for_each(|id| owners.keep(format!("owner {id}"), Some(id.to_string()), soon));
        owners.keep("first".to_owned(), Some("1".to_owned()), now);
        assert_eq!(get(&owners, "first", soon), "1", "it was there already");
        owners.keep("one more".to_owned(), Some("0".to_owned()), soon);
        assert_eq!((get(&owners, "first", soon).as_str(), owners.known().len()), ("not known", MOST));
        let later = soon + HIT;
        owners.keep("much later".to_owned(), None, later);
        assert_eq!((get(&owners, "much later", later).as_str(), owners.known().len()), ("nobody", 1));
    }
}
