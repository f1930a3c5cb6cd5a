//! Linking tasks to what they hang on, after they were written: by record ids, in hundreds.
//!
//! Nothing counts as linked that HubSpot did not confirm. Repeating a link is safe, so that whatever
//! is in doubt is tried again with its update.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use futures_util::StreamExt as _;

use super::calls::{AT_ONCE, Calls};
use super::guard::Read;
use super::ledger::{Ledger, Written};
use super::matching::{Found, record_id};
use super::row::WantedLink;
use super::{account, blame, read};
use crate::hubspot::{Answer, BATCH, Complaint, Confirmed, Error, Linked, Pair};
use crate::outcome::{Associated, FailReason, LinkEnd, Outcome, RetryReason};
use crate::update::{Link, Missing, Object, RECORD_ID, TaskKey, When};

/// How long before an event its task may have been made and still be linked as if the event had made
/// it: that one's link may be tried again.
const RECENT: Duration = Duration::from_mins(10);

/// Why there is no link.
#[derive(Clone, Debug, PartialEq, Eq)]
enum NoLink {
    /// It can't be made.
    Missing(String),
    /// The token lacks a scope.
    Forbidden(String),
    /// It may be made later.
    Later(RetryReason, String),
}

/// Record ids by the links that mean them.
type Targets = BTreeMap<Link, Result<String, NoLink>>;

/// Links by their ends, and whether they are made.
type Made = BTreeMap<(Object, Pair), Result<(), NoLink>>;

/// Makes the links that the run's updates want, and gives those whose links can't be made another
/// outcome. Returns how the links ended, by update.
pub(super) async fn make(
    calls: &Calls<'_>,
    mut written: Vec<Written>,
    ledger: &mut Ledger,
) -> BTreeMap<usize, Associated> {
    let unknown = look_up_tasks(calls, &mut written).await;
    for row in &mut written {
        let (found, is_new) = (&row.found, row.is_new);
        row.links.retain(|wanted| is_due(wanted, found, is_new, calls.confirmed()));
    }
    let targets = look_up_targets(calls, &written).await;
    let made = link_all(calls, pairs(&written, &targets)).await;
    let mut ends = Ends::default();
    for row in &written {
        for wanted in &row.links {
            let end = match (&row.found.record_id, targets.get(&wanted.link)) {
                (None, _) => Err(unknown.get(&row.task).cloned().unwrap_or_else(not_told)),
                (Some(_), None) => Err(not_told()),
                (Some(_), Some(Err(why))) => Err(why.clone()),
                (Some(task), Some(Ok(record))) => {
                    let pair = Pair { task: task.clone(), record: record.clone() };
                    made.get(&(wanted.link.to, pair)).cloned().unwrap_or_else(|| Err(not_told()))
                }
            };
            if let (Ok(()), Some(task)) = (&end, &row.found.record_id) {
                calls.confirmed().keep(task, &wanted.link);
            }
            ends.add(wanted, end);
        }
    }
    for (update, outcome) in ends.outcomes {
        ledger.amend(update, outcome);
    }
    ends.associated
}

/// Whether a link is made of a task that is as it should be.
fn is_due(wanted: &WantedLink, found: &Found, is_new: bool, confirmed: &Confirmed) -> bool {
    if wanted.when == When::Always || is_new {
        return true;
    }
    let earliest = wanted.time.before(RECENT);
    let is_recent = found.created_at.is_some_and(|created_at| created_at >= earliest);
    let is_made = |task: &String| confirmed.has(task, &wanted.link);
    is_recent && !found.record_id.as_ref().is_some_and(is_made)
}

/// Looks up the tasks of which no answer said the record id. Returns why that can't be done.
async fn look_up_tasks(calls: &Calls<'_>, written: &mut [Written]) -> BTreeMap<TaskKey, NoLink> {
    let mut asked: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for row in written.iter().filter(|row| row.found.record_id.is_none()) {
        asked.entry(row.task.id_property.clone()).or_default().insert(&row.task.id);
    }
    let mut reads = Vec::new();
    for (id_property, ids) in asked {
        reads.extend(Read::all(None, &id_property, ids));
    }
    let mut known = BTreeMap::new();
    let mut unknown = BTreeMap::new();
    for (read, found) in look_up(calls, reads).await {
        for (id, found) in read.ids.iter().zip(found) {
            match found {
                Ok(found) => _ = known.insert(read.key(id), found),
                Err(why) => _ = unknown.insert(read.key(id), why),
            }
        }
    }
    for row in written {
        if let Some(found) = known.get(&row.task) {
            row.found = found.clone();
        }
    }
    unknown
}

/// Looks up what tasks are to hang on.
async fn look_up_targets(calls: &Calls<'_>, written: &[Written]) -> Targets {
    let mut targets = Targets::new();
    let mut asked: BTreeMap<(Object, &str), BTreeSet<&str>> = BTreeMap::new();
    for WantedLink { link, .. } in written.iter().flat_map(|row| &row.links) {
        if link.by == RECORD_ID {
            targets.insert(link.clone(), Ok(link.id.clone()));
        } else {
            asked.entry((link.to, &link.by)).or_default().insert(&link.id);
        }
    }
    let mut reads = Vec::new();
    for ((to, by), ids) in asked {
        reads.extend(Read::all(Some(to), by, ids));
    }
    for (read, found) in look_up(calls, reads).await {
        let Some(to) = read.object else { continue };
        for (id, found) in read.ids.iter().zip(found) {
            let link = Link { to, by: read.id_property.clone(), id: id.clone() };
            let record = found.and_then(|found| found.record_id.ok_or_else(not_told));
            targets.insert(link, record);
        }
    }
    targets
}

/// Reads records, and says of each what HubSpot said. Those of which it said nothing are read once
/// more, each alone: there silence means that there is none.
async fn look_up(
    calls: &Calls<'_>,
    mut reads: Vec<Read>,
) -> Vec<(Read, Vec<Result<Found, NoLink>>)> {
    let mut looked_up = Vec::new();
    while !reads.is_empty() {
        let parts = std::mem::take(&mut reads).into_iter().map(|read| read::in_parts(calls, read));
        let mut under_way = futures_util::stream::iter(parts).buffer_unordered(AT_ONCE);
        while let Some(parts) = under_way.next().await {
            for (read, result) in parts {
                let may_be_alone = read.object.is_some() && read.ids.len() > 1;
                let (mut ids, mut ends) = (Vec::new(), Vec::new());
                for (id, end) in read.ids.iter().zip(found(&read, &result)) {
                    if may_be_alone && end == Err(not_told()) {
                        let id = BTreeSet::from([id.as_str()]);
                        reads.extend(Read::all(read.object, &read.id_property, id));
                    } else {
                        ids.push(id.clone());
                        ends.push(end);
                    }
                }
                looked_up.push((Read { ids, ..read }, ends));
            }
        }
    }
    looked_up
}

/// What the answer to a read says of each record.
fn found(read: &Read, result: &Result<Answer, Error>) -> Vec<Result<Found, NoLink>> {
    let answer = match result {
        Ok(answer) => answer,
        Err(error) => return vec![Err(NoLink::of(error, &read.id_property)); read.ids.len()],
    };
    let assigned = account::assign(&read.id_property, &read.ids, answer);
    let is_alone = read.object.is_some() && read.ids.len() == 1;
    let mut found = Vec::new();
    for (place, record) in assigned.records.into_iter().enumerate() {
        found.push(match record.filter(|record| record_id(record).is_some()) {
            Some(record) => Ok(Found::from(record)),
            None if is_alone || assigned.missing.contains(&place) => {
                Err(no_record(read, &read.ids[place]))
            }
            None => Err(not_told()),
        });
    }
    found
}

/// The links whose ends are known, each once.
fn pairs(written: &[Written], targets: &Targets) -> BTreeMap<Object, BTreeSet<Pair>> {
    let mut pairs: BTreeMap<Object, BTreeSet<Pair>> = BTreeMap::new();
    for row in written {
        let Some(task) = &row.found.record_id else { continue };
        for WantedLink { link, .. } in &row.links {
            if let Some(Ok(record)) = targets.get(link) {
                let pair = Pair { task: task.clone(), record: record.clone() };
                pairs.entry(link.to).or_default().insert(pair);
            }
        }
    }
    pairs
}

async fn link_all(calls: &Calls<'_>, pairs: BTreeMap<Object, BTreeSet<Pair>>) -> Made {
    let mut parts = Vec::new();
    for (to, pairs) in pairs {
        let pairs: Vec<_> = pairs.into_iter().collect();
        parts.extend(pairs.chunks(BATCH).map(|part| link_part(calls, to, part.to_vec())));
    }
    let mut under_way = futures_util::stream::iter(parts).buffer_unordered(AT_ONCE);
    let mut made = Made::new();
    while let Some(part) = under_way.next().await {
        made.extend(part);
    }
    made
}

/// Makes up to [`BATCH`] links; in halves where HubSpot refuses them, so that a wrong one fails
/// alone.
async fn link_part(calls: &Calls<'_>, to: Object, pairs: Vec<Pair>) -> Made {
    let mut made = Made::new();
    let mut queue = VecDeque::from([pairs]);
    while let Some(mut pairs) = queue.pop_front() {
        match calls.associate(to, &pairs).await {
            Ok(answer) => {
                let ends = judge(&pairs, &answer);
                pairs.retain(|pair| !ends.contains_key(pair));
                made.extend(ends.into_iter().map(|(pair, end)| ((to, pair), end)));
                let doubtful = look(calls, to, pairs, &mut made).await;
                if doubtful.len() > 1 && !answer.errors.is_empty() {
                    queue.extend(halves(doubtful));
                } else {
                    let why = answer.errors.first().map_or_else(not_told, NoLink::refused);
                    made.extend(doubtful.into_iter().map(|pair| ((to, pair), Err(why.clone()))));
                }
            }
            Err(Error::Refused(_)) if pairs.len() > 1 => queue.extend(halves(pairs)),
            Err(error) => {
                let why = NoLink::of(&error, RECORD_ID);
                made.extend(pairs.into_iter().map(|pair| ((to, pair), Err(why.clone()))));
            }
        }
    }
    made
}

fn halves(mut pairs: Vec<Pair>) -> [Vec<Pair>; 2] {
    let second = pairs.split_off(pairs.len() / 2);
    [pairs, second]
}

/// The links of a request of which the answer speaks.
fn judge(pairs: &[Pair], answer: &Linked) -> BTreeMap<Pair, Result<(), NoLink>> {
    let mut ends = BTreeMap::new();
    for pair in answer.pairs() {
        ends.insert(pair, Ok(()));
    }
    for error in &answer.errors {
        let mut named = BTreeSet::new();
        for error in error.all() {
            named.extend(error.context.values().flatten().map(String::as_str));
        }
        let mut open: Vec<_> = pairs.iter().filter(|pair| !ends.contains_key(pair)).collect();
        let names_both = |pair: &Pair| named.contains(&*pair.task) && named.contains(&*pair.record);
        let names_one = |pair: &Pair| named.contains(&*pair.task) || named.contains(&*pair.record);
        let is_exact = open.iter().any(|pair| names_both(pair));
        open.retain(|pair| if is_exact { names_both(pair) } else { names_one(pair) });
        for pair in open {
            ends.insert(pair.clone(), Err(NoLink::refused(error)));
        }
    }
    ends
}

/// Looks for links of which the answer said nothing. Returns those that are not there.
async fn look(calls: &Calls<'_>, to: Object, silent: Vec<Pair>, made: &mut Made) -> Vec<Pair> {
    if silent.is_empty() {
        return silent;
    }
    let tasks: BTreeSet<_> = silent.iter().map(|pair| pair.task.as_str()).collect();
    let seen = calls.associations(to, &tasks.into_iter().collect::<Vec<_>>()).await;
    let seen = seen.unwrap_or_default();
    let (there, doubtful): (Vec<_>, _) = silent.into_iter().partition(|pair| seen.contains(pair));
    made.extend(there.into_iter().map(|pair| ((to, pair), Ok(()))));
    doubtful
}

/// How the links ended so far.
#[derive(Default)]
struct Ends {
    associated: BTreeMap<usize, Associated>,
    /// The outcomes of updates whose links can't be made.
    outcomes: BTreeMap<usize, Outcome>,
}

impl Ends {
    fn add(&mut self, wanted: &WantedLink, end: Result<(), NoLink>) {
        let WantedLink { member, missing, link, .. } = wanted;
        let to = link.to;
        let associated = self.associated.entry(*member).or_default();
        let why = match end {
            Ok(()) => return associated.add(to, LinkEnd::Linked),
            Err(why) => why,
        };
        let (end, outcome) = match why {
            NoLink::Later(reason, detail) => (LinkEnd::Retry, Some(Outcome::Retry(reason, detail))),
            NoLink::Missing(detail) => (LinkEnd::Missing, failure(*missing, detail)),
            NoLink::Forbidden(detail) => (LinkEnd::Forbidden, failure(*missing, detail)),
        };
        associated.add(to, end);
        let Some(outcome) = outcome else { return };
        // A retry comes before a failure: what failed fails again then.
        let is_retry = matches!(outcome, Outcome::Retry(..));
        let named = outcome.with_detail(|detail| format!("{}: {detail}", to.as_str()));
        match self.outcomes.get(member) {
            Some(Outcome::Retry(..)) => {}
            Some(_) if !is_retry => {}
            _ => _ = self.outcomes.insert(*member, named),
        }
    }
}

fn failure(missing: Missing, detail: String) -> Option<Outcome> {
    match missing {
        Missing::Skip => None,
        Missing::Fail => Some(Outcome::Failed(FailReason::NotAssociated, detail)),
    }
}

impl NoLink {
    fn of(error: &Error, by: &str) -> Self {
        match blame::failed_call(error, by) {
            Outcome::Retry(RetryReason::Forbidden, detail) => Self::Forbidden(detail),
            Outcome::Retry(reason, detail) => Self::Later(reason, detail),
            refused => Self::Missing(refused.detail().unwrap_or_default().to_owned()),
        }
    }

    /// An error about a link in an answer.
    fn refused(error: &Complaint) -> Self {
        let detail = if account::says_not_found(error) {
            "HubSpot has no such record, or the task is gone".to_owned()
        } else {
            format!("HubSpot refuses the link ({})", error.category)
        };
        match error.category.as_str() {
            "INTERNAL_ERROR" | "RATE_LIMITS" => Self::Later(RetryReason::Unavailable, detail),
            _ => Self::Missing(detail),
        }
    }
}

fn no_record(read: &Read, id: &str) -> NoLink {
    NoLink::Missing(format!("none has {} {id}", read.id_property))
}

fn not_told() -> NoLink {
    NoLink::Later(RetryReason::Unavailable, "HubSpot did not confirm the link".to_owned())
}
