//! The owners that were looked up, so that an address is not looked up again by each delivery. It
//! reads no clock.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use tokio::time::Instant;

use super::answer;
use super::owner_pages::{MOST_PAGES, PAGE, Progress};

/// HubSpot's answer: the owners with an address, or a page of all.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct OwnersAnswer {
    #[serde(deserialize_with = "results")]
    results: Results,
    paging: Value,
}

/// The owners of an answer.
#[derive(Default)]
struct Results {
    owners: Vec<Owner>,
    /// Whether something in their place can't be read.
    is_broken: bool,
}

/// Every field is optional to us.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Owner {
    #[serde(deserialize_with = "answer::text")]
    id: String,
    /// Empty for users without one.
    #[serde(deserialize_with = "answer::text")]
    email: String,
    #[serde(deserialize_with = "answer::flag")]
    archived: bool,
}

impl OwnersAnswer {
    /// The id of the owner with the address: the one that HubSpot shows with it, else the only one
    /// that HubSpot found for it and shows without any.
    pub(super) fn id(self, email: &str) -> Option<String> {
        let owners = &self.results.owners;
        let has_it = |owner: &&Owner| owner.email.eq_ignore_ascii_case(email);
        let owner = match (owners.iter().find(has_it), &owners[..]) {
            (Some(owner), _) => owner,
            (None, [only]) if only.email.is_empty() => only,
            (None, _) => return None,
        };
        if owner.can_be_assigned() { Some(owner.id.clone()) } else { None }
    }

    /// Where the list goes on after this page.
    fn next(&self) -> Next {
        // A portal has an owner at least, whoever made the app; and where no address is shown,
        // nothing is said of any.
        let shows_addresses = self.results.owners.iter().any(|owner| !owner.email.is_empty());
        let is_broken = self.results.is_broken || !shows_addresses;
        let next = &self.paging["next"];
        match &next["after"] {
            _ if is_broken => Next::Broken,
            Value::String(after) if !after.is_empty() => Next::After(after.clone()),
            Value::Number(after) => Next::After(after.to_string()),
            Value::Null if next.is_null() => Next::End,
            _ => Next::Broken,
        }
    }
}

impl Owner {
    fn can_be_assigned(&self) -> bool {
        !self.archived && !self.id.is_empty()
    }
}

fn results<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Results, D::Error> {
    let Value::Array(values) = Value::deserialize(deserializer)? else {
        return Ok(Results { is_broken: true, ..Results::default() });
    };
    let mut results = Results::default();
    for value in values {
        match Owner::deserialize(value) {
            Ok(owner) => {
                results.is_broken |= owner.id.is_empty();
                results.owners.push(owner);
            }
            Err(_) => results.is_broken = true,
        }
    }
    Ok(results)
}

/// An e-mail address as owners are known by it: its case makes no difference.
#[must_use]
pub fn fold_email(email: &str) -> String {
    email.to_lowercase()
}

/// Owners by their addresses, for as long as the process lives. A failed look-up is not kept.
#[derive(Default)]
pub(super) struct Owners(Mutex<Memory>);

#[derive(Default)]
struct Memory {
    known: BTreeMap<String, Known>,
    list: List,
}

/// The result of a look-up that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// The owner's id; `None` where HubSpot has no owner with the address.
    pub(super) id: Option<String>,
    until: Instant,
}

/// The list of the portal's owners, as far as it was read.
#[derive(Default)]
struct List {
    /// When its first page was asked for.
    began: Option<Instant>,
    next: Next,
    /// Of all runs.
    progress: Progress,
}

/// Where a list goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Next {
    /// At the first page.
    #[default]
    Start,
    /// At the page with this cursor.
    After(String),
    /// Nowhere: whoever is not on its pages is no owner.
    End,
    /// Nowhere, and it may lack some.
    Broken,
}

/// How long an owner is believed to be one: people seldom leave.
const HIT: Duration = Duration::from_hours(1);

/// How long an address is believed to be nobody's: whoever is missed is soon added.
const MISS: Duration = Duration::from_mins(1);

/// The most addresses that are kept, about a megabyte.
const MOST: usize = MOST_PAGES * PAGE;

impl Owners {
    /// The result that is kept for an address; `None` when it has to be looked up.
    pub(super) fn get(&self, email: &str, now: Instant) -> Option<Known> {
        let memory = self.memory();
        match memory.known.get(email) {
            Some(known) if known.until > now => Some(known.clone()),
            _ => Some(Known { id: None, until: memory.list.nobody_until(now)? }),
        }
    }

    /// Keeps the result of a look-up.
    pub(super) fn keep(&self, email: String, id: Option<String>, now: Instant) {
        let mut memory = self.memory();
        memory.list.progress.found_alone += usize::from(id.is_some());
        memory.keep(email, id, now);
    }

    /// Begins a run: what was read of a list that is out of date is not gone on with.
    pub(super) fn begin(&self, now: Instant) {
        self.memory().list.begin(now);
    }

    /// Where the next page begins, if it is to be read: see [`Progress::wants_page`].
    pub(super) fn next_page(&self, own: usize, needed: usize, left: usize) -> Option<Next> {
        let list = &self.memory().list;
        let is_over = matches!(list.next, Next::End | Next::Broken);
        let wants_page = Progress { own, ..list.progress }.wants_page(needed, left);
        if wants_page && !is_over { Some(list.next.clone()) } else { None }
    }

    /// Keeps the owners of the page that began at `from` and was asked for at `now`.
    pub(super) fn keep_page(&self, from: &Next, page: OwnersAnswer, now: Instant) {
        let mut memory = self.memory();
        let next = page.next();
        for owner in page.results.owners {
            let email = fold_email(&owner.email);
            // Where two differ in case alone, it is the one that a look-up finds first.
            let is_first = owner.email == email || !memory.has_owner(&email, now);
            if owner.can_be_assigned() && !email.is_empty() && is_first {
                memory.keep(email, Some(owner.id), now);
            }
        }
        memory.list.go_on(from, next, now);
    }

    /// Forgets an address if it is known to have this id, which HubSpot refuses.
    pub(super) fn forget(&self, email: &str, id: &str) {
        let mut memory = self.memory();
        if memory.known.get(email).is_some_and(|known| known.id.as_deref() == Some(id)) {
            memory.known.remove(email);
            memory.list.lacks_some();
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn keep(&mut self, email: String, id: Option<String>, now: Instant) {
        let known = &mut self.known;
        if known.len() >= MOST && !known.contains_key(&email) {
            known.retain(|_, known| known.until > now);
            let oldest = known.iter().min_by_key(|(_, known)| known.until);
            if let Some((oldest, _)) = oldest
                && known.len() >= MOST
            {
                let oldest = oldest.clone();
                known.remove(&oldest);
                self.list.lacks_some();
            }
        }
        let until = now + if id.is_some() { HIT } else { MISS };
        self.known.insert(email, Known { id, until });
    }

    fn has_owner(&self, email: &str, now: Instant) -> bool {
        self.known.get(email).is_some_and(|known| known.id.is_some() && known.until > now)
    }
}

impl List {
    fn begin(&mut self, now: Instant) {
        let lasts = match self.next {
            Next::Start => return,
            Next::After(_) => HIT,
            Next::End | Next::Broken => MISS,
        };
        if self.began.is_none_or(|began| began + lasts <= now) {
            let length = self.progress.length;
            *self =
                Self { progress: Progress { length, ..Progress::default() }, ..Self::default() };
        }
    }

    fn go_on(&mut self, from: &Next, next: Next, now: Instant) {
        // Another run may have read the same page.
        if self.next != *from {
            return;
        }
        if self.next == Next::Start {
            self.began = Some(now);
        }
        self.progress.pages += 1;
        // The same page again has no end.
        let next = if next == *from { Next::Broken } else { next };
        if next == Next::End {
            self.progress.length = Some(self.progress.pages);
        } else if self.progress.length.is_some_and(|length| length <= self.progress.pages) {
            self.progress.length = None;
        }
        self.next = next;
    }

    /// Until when an address that is not known is nobody's.
    fn nobody_until(&self, now: Instant) -> Option<Instant> {
        let until = self.began? + MISS;
        (self.next == Next::End && until > now).then_some(until)
    }

    /// Something of it is not known any more.
    fn lacks_some(&mut self) {
        if self.next == Next::End {
            self.next = Next::Broken;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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
        let found = |results: Value| -> Option<String> {
            let found: OwnersAnswer =
                serde_json::from_value(json!({"results": results})).unwrap_or_default();
            found.id("ada@acme.example")
        };
        let (ada, bob) = (json!({"id": 1, "email": "Ada@acme.example"}), json!({"id": "2"}));
        assert_eq!(found(json!([bob, ada])), Some("1".to_owned()));
        assert_eq!(found(json!([null, bob])), Some("2".to_owned()));
        assert_eq!(found(json!([{"id": "3", "email": null}])), Some("3".to_owned()));
        assert_eq!(found(json!([{"id": "3", "email": "bob@acme.example"}])), None);
        assert_eq!(found(json!([bob, bob])), None);
        let gone = json!({"id": "4", "email": "ada@acme.example", "archived": true});
        assert_eq!(found(json!([gone])), None);
        assert_eq!(found(json!(null)), None);
    }

    /// Reads a page with these owners from `from` on.
    fn read(owners: &Owners, from: &Next, page: &Value, now: Instant) {
        let page = OwnersAnswer::deserialize(page).unwrap_or_default();
        owners.keep_page(from, page, now);
    }

    fn after(cursor: &str) -> Next {
        Next::After(cursor.to_owned())
    }

    #[test]
    fn a_list_that_was_read_to_its_end_tells_who_is_nobody() {
        let (owners, now) = (Owners::default(), Instant::now());
        let ada = json!({"id": "101", "email": "Ada@acme.example"});
        let without = json!({"id": "102", "email": null, "type": "QUEUE"});
        let gone = json!({"id": "103", "email": "gone@acme.example", "archived": true});
        let first = json!({"results": [ada, without, gone], "paging": {"next": {"after": "3"}}});
        read(&owners, &Next::Start, &first, now);
        assert_eq!(get(&owners, "ada@acme.example", now), "101");
        for stranger in ["bob@acme.example", "gone@acme.example", ""] {
            assert_eq!(get(&owners, stranger, now), "not known");
        }
        let second = json!({"results": [{"id": "104", "email": "eve@acme.example"}], "paging": {}});
        read(&owners, &after("3"), &second, now + MISS / 2);
        assert_eq!(get(&owners, "eve@acme.example", now + HIT), "104");
        assert_eq!(get(&owners, "ada@acme.example", now + HIT), "not known");
        for stranger in ["bob@acme.example", "gone@acme.example", ""] {
            assert_eq!(get(&owners, stranger, now + MISS / 2), "nobody");
            assert_eq!(get(&owners, stranger, now + MISS), "not known", "since it was begun");
        }
    }

    #[test]
    fn a_list_that_may_lack_somebody_tells_of_nobody() {
        let ada = json!({"id": "101", "email": "ada@acme.example"});
        let ends = |owners: &Owners, now| get(owners, "bob@acme.example", now) == "nobody";
        for page in [
            json!({}),
            json!({"results": null}),
            json!({"results": []}),
            json!({"results": {"0": ada}}),
            json!({"results": [ada, null]}),
            json!({"results": [{"id": "101"}, {"id": "102", "email": null}]}),
            json!({"results": [ada, {"email": "bob@acme.example"}]}),
            json!({"results": [ada], "paging": {"next": {}}}),
            json!({"results": [ada], "paging": {"next": {"after": ""}}}),
            json!({"results": [ada], "paging": {"next": {"after": [3]}}}),
        ] {
            let (owners, now) = (Owners::default(), Instant::now());
            read(&owners, &Next::Start, &page, now);
            assert!(!ends(&owners, now), "{page}");
            assert_eq!(owners.next_page(0, 10, 10), None, "it isn't gone on with: {page}");
        }
        let (owners, now) = (Owners::default(), Instant::now());
        let next = json!({"results": [ada], "paging": {"next": {"after": 3}}});
        read(&owners, &Next::Start, &next, now);
        read(&owners, &Next::Start, &json!({"results": [ada]}), now);
        assert_eq!(owners.next_page(0, 10, 10), Some(after("3")), "another run's page");
        read(&owners, &after("3"), &next, now);
        assert_eq!(owners.next_page(0, 10, 10), None, "a page that comes after itself");

        let (owners, now) = (Owners::default(), Instant::now());
        read(&owners, &Next::Start, &json!({"results": [ada], "paging": {"next": null}}), now);
        assert!(ends(&owners, now));
        owners.forget("ada@acme.example", "101");
        assert_eq!(get(&owners, "ada@acme.example", now), "not known");
        assert!(!ends(&owners, now), "what it says of one was wrong");
    }

    #[test]
    fn of_two_owners_that_differ_in_case_the_one_in_lower_case_is_meant() {
        let (upper, lower) = ("ADA@acme.example", "ada@acme.example");
        for [first, second] in [[upper, lower], [lower, upper]] {
            let (owners, now) = (Owners::default(), Instant::now());
            owners.keep(lower.to_owned(), None, now);
            let of = |email: &str| json!({"id": email, "email": email});
            read(&owners, &Next::Start, &json!({"results": [of(first), of(second)]}), now);
            assert_eq!(get(&owners, lower, now), lower);
        }
    }

    #[test]
    fn a_list_is_gone_on_with_for_an_hour_and_read_anew_a_minute_after_its_end() {
        let (owners, now) = (Owners::default(), Instant::now());
        let page = json!({"results": [{"id": "1", "email": "a@b.example"}], "paging": {"next": {"after": "1"}}});
        read(&owners, &Next::Start, &page, now);
        let next_at = |after| {
            owners.begin(now + after);
            owners.next_page(0, 10, 10)
        };
        assert_eq!(next_at(HIT / 2), Some(after("1")));
        assert_eq!(next_at(HIT), Some(Next::Start));
        read(&owners, &Next::Start, &json!({"results": [{"id": "1"}]}), now);
        assert_eq!(next_at(MISS / 2), None);
        assert_eq!(next_at(MISS), Some(Next::Start));
        assert_eq!(owners.next_page(0, 1, 1), None, "one page is no fewer than one call");
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
            (get(&owners, "first", soon).as_str(), owners.memory().known.len()),
            ("not known", MOST)
        );
        let later = soon + HIT;
        owners.keep("much later".to_owned(), None, later);
        assert_eq!(
            (get(&owners, "much later", later).as_str(), owners.memory().known.len()),
            ("nobody", 1)
        );
    }
}
