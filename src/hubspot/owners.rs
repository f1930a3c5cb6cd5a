//! The owners that were looked up, so that an address is not looked up again by each delivery. It
//! reads no clock.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use tokio::time::Instant;

use super::answer;

/// HubSpot's answer to a look-up by an address.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct OwnersAnswer {
    #[serde(deserialize_with = "answer::list")]
    results: Vec<Owner>,
}

/// Every field is optional to us.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Owner {
    #[serde(deserialize_with = "answer::text")]
    id: String,
    #[serde(deserialize_with = "answer::text")]
    email: String,
}

impl OwnersAnswer {
    /// The id of the owner with the address: the one that HubSpot shows with it, else the only one
    /// that HubSpot found for it and shows without any.
    pub(super) fn id(self, email: &str) -> Option<String> {
        let has_it = |owner: &&Owner| owner.email.eq_ignore_ascii_case(email);
        let owner = match (self.results.iter().find(has_it), &self.results[..]) {
            (Some(owner), _) => owner,
            (None, [only]) if only.email.is_empty() => only,
            (None, _) => return None,
        };
        if owner.id.is_empty() { None } else { Some(owner.id.clone()) }
    }
}

/// An e-mail address as owners are known by it: its case makes no difference.
#[must_use]
pub fn fold_email(email: &str) -> String {
    email.to_lowercase()
}

/// Owners by their addresses, for as long as the process lives. A failed look-up is not kept.
#[derive(Default)]
pub(super) struct Owners(Mutex<BTreeMap<String, Known>>);

/// The result of a look-up that is kept.
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
    /// The result that is kept for an address; `None` when it has to be looked up.
    pub(super) fn get(&self, email: &str, now: Instant) -> Option<Known> {
        let known = self.known().get(email)?.clone();
        (known.until > now).then_some(known)
    }

    /// Keeps the result of a look-up.
    pub(super) fn keep(&self, email: String, id: Option<String>, now: Instant) {
        let mut known = self.known();
        if known.len() >= MOST && !known.contains_key(&email) {
            known.retain(|_, known| known.until > now);
            let oldest = known.iter().min_by_key(|(_, known)| known.until);
            if let Some((oldest, _)) = oldest
                && known.len() >= MOST
            {
                let oldest = oldest.clone();
                known.remove(&oldest);
            }
        }
        let until = now + if id.is_some() { HIT } else { MISS };
        known.insert(email, Known { id, until });
    }

    /// Forgets an address if it is known to have this id.
    pub(super) fn forget(&self, email: &str, id: &str) {
        let mut known = self.known();
        if known.get(email).is_some_and(|known| known.id.as_deref() == Some(id)) {
            known.remove(email);
        }
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
    fn an_owner_is_found_with_its_address_and_without_any() {
        let found = |results: serde_json::Value| -> Option<String> {
            let found: OwnersAnswer =
                serde_json::from_value(serde_json::json!({"results": results})).unwrap_or_default();
            found.id("ada@acme.example")
        };
        let (ada, bob) = (
            serde_json::json!({"id": 1, "email": "Ada@acme.example"}),
            serde_json::json!({"id": "2"}),
        );
        assert_eq!(found(serde_json::json!([bob, ada])), Some("1".to_owned()));
        assert_eq!(found(serde_json::json!([null, bob])), Some("2".to_owned()));
        assert_eq!(found(serde_json::json!([{"id": "3", "email": null}])), Some("3".to_owned()));
        assert_eq!(found(serde_json::json!([{"id": "3", "email": "bob@acme.example"}])), None);
        assert_eq!(found(serde_json::json!([bob, bob])), None);
        assert_eq!(found(serde_json::json!(null)), None);
    }

    #[test]
    fn an_owner_is_forgotten_with_the_id_that_was_refused() {
        let (owners, now) = (Owners::default(), Instant::now());
        owners.keep("ada@acme.example".to_owned(), Some("101".to_owned()), now);
        owners.forget("ada@acme.example", "102");
        assert_eq!(get(&owners, "ada@acme.example", now), "101");
        owners.forget("ada@acme.example", "101");
        assert_eq!(get(&owners, "ada@acme.example", now), "not known");
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
        assert_eq!(
            (get(&owners, "first", soon).as_str(), owners.known().len()),
            ("not known", MOST)
        );
        let later = soon + HIT;
        owners.keep("much later".to_owned(), None, later);
        assert_eq!(
            (get(&owners, "much later", later).as_str(), owners.known().len()),
            ("nobody", 1)
        );
    }
}
