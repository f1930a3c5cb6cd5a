//! The refusals of the last minutes, so that the next delivery goes on where the time of this one
//! ended. It reads no clock.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::outcome::FailReason;

/// How long a refusal is remembered: senders repeat within minutes, and a rule of the portal that
/// was changed counts soon.
const KEPT: Duration = Duration::from_mins(10);

/// The most keys that are kept, some megabytes with their reasons.
const MOST: usize = 10_000;

/// The refusals of the last minutes, for as long as the process lives. A key is a value of a
/// property or a whole row, of which only a hash is kept.
#[derive(Default)]
pub struct Refusals {
    hasher: RandomState,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    keys: HashMap<u64, (PastRefusal, Instant)>,
    groups: u64,
}

/// How a key was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PastRefusal {
    /// Together with the others of this number: one of them at least is at fault.
    Among(u64),
    /// Itself, with the reason and the detail.
    Itself(FailReason, String),
}

impl Refusals {
    /// Whether nothing was refused lately.
    pub fn is_empty(&self) -> bool {
        self.known().keys.is_empty()
    }

    /// How a key was refused, if it was.
    pub fn get(&self, key: &impl Hash, now: Instant) -> Option<PastRefusal> {
        let known = self.known();
        if known.keys.is_empty() {
            return None;
        }
        let (refused, until) = known.keys.get(&self.hasher.hash_one(key))?;
        (*until > now).then(|| refused.clone())
    }

    /// Remembers that one of these is at fault. Keys that were refused themselves stay so.
    pub fn keep_among<K: Hash>(&self, keys: impl IntoIterator<Item = K>, now: Instant) {
        let mut known = self.known();
        known.groups += 1;
        let group = known.groups;
        for key in keys {
            let hash = self.hasher.hash_one(key);
            match known.keys.get(&hash) {
                Some((PastRefusal::Itself(..), until)) if *until > now => {}
                _ => known.keep(hash, PastRefusal::Among(group), now),
            }
        }
    }

    /// Remembers that this was refused itself.
    pub fn keep_itself(&self, key: &impl Hash, reason: FailReason, detail: &str, now: Instant) {
        let hash = self.hasher.hash_one(key);
        self.known().keep(hash, PastRefusal::Itself(reason, detail.to_owned()), now);
    }

    /// Forgets a key: HubSpot took it.
    pub fn forget(&self, key: &impl Hash) {
        let mut known = self.known();
        if !known.keys.is_empty() {
            known.keys.remove(&self.hasher.hash_one(key));
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn keep(&mut self, key: u64, refused: PastRefusal, now: Instant) {
        if self.keys.len() >= MOST && !self.keys.contains_key(&key) {
            self.keys.retain(|_, (_, until)| *until > now);
            // So many within minutes are no search that will end: it starts anew.
            if self.keys.len() >= MOST {
                self.keys.clear();
            }
        }
        self.keys.insert(key, (refused, now + KEPT));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_known_for_ten_minutes_or_until_it_passes() {
        let (refusals, now) = (Refusals::default(), Instant::now());
        let itself = PastRefusal::Itself(FailReason::InvalidValue, "no".to_owned());
        refusals.keep_among([("status", "a"), ("status", "b")], now);
        refusals.keep_itself(&("status", "b"), FailReason::InvalidValue, "no", now);
        refusals.keep_among([("status", "b"), ("status", "c")], now);
        assert_eq!(refusals.get(&("status", "a"), now), Some(PastRefusal::Among(1)));
        assert_eq!(refusals.get(&("status", "b"), now), Some(itself));
        assert_eq!(refusals.get(&("status", "c"), now), Some(PastRefusal::Among(2)));
        assert_eq!(refusals.get(&("status", "d"), now), None);
        assert_eq!(refusals.get(&("status", "a"), now + KEPT), None);
        refusals.forget(&("status", "a"));
        assert_eq!(refusals.get(&("status", "a"), now), None);
    }

    #[test]
    fn no_more_are_kept_than_fit() {
        let (refusals, now) = (Refusals::default(), Instant::now());
        refusals.keep_among(0..=MOST, now);
        assert!(refusals.known().keys.len() <= MOST);
        assert_eq!(refusals.get(&MOST, now), Some(PastRefusal::Among(1)));
    }
}
