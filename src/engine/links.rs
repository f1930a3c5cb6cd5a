//! Linking tasks to what they hang on, after they were written: by record ids, in hundreds.
//!
//! Nothing counts as linked that HubSpot did not confirm. Repeating a link is safe, so that whatever
//! is in doubt is tried again with its update.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use futures_util::StreamExt as _;

use super::calls::{AT_ONCE, Calls};
use super::guard::{Read, Tasks};
use super::ledger::{Ledger, Written};
use super::linked::{NoLink, judge, unnamed_error};
use super::matching::{Found, record_id};
use super::row::WantedLink;
use super::{account, plan, read};
use crate::hubspot::{Answer, BATCH, Error, LinksBefore, Pair};
use crate::outcome::{Associated, FailReason, LinkEnd, Outcome, RetryReason};
use crate::time::Time;
use crate::update::{Link, Missing, Object, RECORD_ID, TaskKey, Update, When};

/// How long before an event its task may have been made and still be linked as if the event had made
/// it: that one's link may be tried again.
const RECENT: Duration = Duration::from_mins(10);

const UNCONFIRMED: &str = "HubSpot did not confirm the link";

/// Record ids by the links that mean them.
type Targets = BTreeMap<Link, Result<String, NoLink>>;

/// Links by their ends, and whether they are made.
type Made = BTreeMap<(Object, Pair), Result<(), NoLink>>;

/// Has those links made of stale updates that could not be made when their update was written: a newer
/// one of their task made them late.
pub(super) fn of_stale(calls: &Calls<'_>, updates: &[Update], tasks: &Tasks, ledger: &mut Ledger) {
    for (index, update) in updates.iter().enumerate() {
        if update.associate.is_none() || ledger.outcome(index) != Some(&Outcome::Stale) {
            continue;
        }
        let Some(found) = tasks.record(&update.task).map(Found::from) else { continue };
        let mut links = plan::wanted_links(index, update);
        links.retain(|wanted| {
            let is_open = calls.links_before().is_open(&update.task, &wanted.link);
            is_open || (update.is_retried && is_due(wanted, &found, false, calls.links_before()))
        });
        for wanted in &mut links {
            wanted.when = When::Always;
        }
        if !links.is_empty() {
            let task = update.task.clone();
            ledger.add_written(Written { task, found, is_new: false, links });
        }
    }
}

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
        row.links.retain(|wanted| is_due(wanted, found, is_new, calls.links_before()));
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
            let end = remember(calls.links_before(), wanted, end);
            ends.add(wanted, end);
        }
    }
    for (update, outcome) in ends.outcomes {
        ledger.amend(update, outcome);
    }
    ends.associated
}

/// Whether a link is made of a task that is as it should be.
///
/// A link of an update that makes its task may have to be tried again when the task is there: by a
/// message that is received again, by a link that this process could not make, or else, as the first
/// try may have been another process's, by the time when the task was made.
fn is_due(wanted: &WantedLink, found: &Found, is_new: bool, before: &LinksBefore) -> bool {
    if wanted.when == When::Always || is_new {
        return true;
    }
    let task = &wanted.task;
    let Ok(created_at) = Time::parse(&found.created_at) else {
        return before.is_open(task, &wanted.link);
    };
    let is_again = wanted.is_retried || before.is_open(task, &wanted.link);
    let is_made_by_it = created_at.before(RECENT) <= wanted.time;
    wanted.time.before(RECENT) <= created_at
        && (is_again || is_made_by_it)
        && !before.is_confirmed(task, &wanted.link)
}

/// Remembers how a link ended. One that HubSpot doesn't show is tried once more with its update, and
/// then given up: otherwise it would hold up its task for ever.
fn remember(
    before: &LinksBefore,
    wanted: &WantedLink,
    end: Result<(), NoLink>,
) -> Result<(), NoLink> {
    let was_open = before.is_open(&wanted.task, &wanted.link) || wanted.is_retried;
    let end = match end {
        Err(NoLink::Unconfirmed) if was_open => {
            Err(NoLink::Missing("HubSpot says yes, and makes no link".to_owned()))
        }
        end => end,
    };
    let is_open = matches!(end, Err(NoLink::Later(..) | NoLink::Unconfirmed));
    before.keep(&wanted.task, &wanted.link, is_open, end.is_ok());
    end
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
                // It was written a moment ago.
                Err(NoLink::Missing(_)) => _ = unknown.insert(read.key(id), not_told()),
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
    let is_alone = read.object.is_some() && read.ids.len() == 1 && !answer.is_pending();
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
                let sent = pairs.clone();
                pairs.retain(|pair| !ends.contains_key(pair));
                if ends.values().any(|end| matches!(end, Err(NoLink::Forbidden(_)))) {
                    tracing::error!("token: tasks are not linked to {}", to.plural());
                }
                made.extend(ends.into_iter().map(|(pair, end)| ((to, pair), end)));
                let unnamed = unnamed_error(&sent, &answer);
                let doubtful = look(calls, to, pairs, &mut made).await;
                if doubtful.len() > 1 && unnamed.is_some() {
                    queue.extend(halves(doubtful));
                } else if doubtful.len() == 1 && sent.len() > 1 {
                    queue.push_back(doubtful);
                } else {
                    let why = unnamed.map_or(NoLink::Unconfirmed, NoLink::refused);
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

/// Looks for links of which the answer said nothing. Returns those that are not there.
async fn look(calls: &Calls<'_>, to: Object, silent: Vec<Pair>, made: &mut Made) -> Vec<Pair> {
    if silent.is_empty() {
        return silent;
    }
    let tasks: BTreeSet<_> = silent.iter().map(|pair| pair.task.as_str()).collect();
    let seen = match calls.associations(to, &tasks.into_iter().collect::<Vec<_>>()).await {
        Ok(seen) => seen,
        // Whoever may not look has seen nothing.
        Err(Error::Refused(_) | Error::Later { reason: RetryReason::Forbidden, .. }) => Vec::new(),
        Err(error) => {
            let why = NoLink::of(&error, RECORD_ID);
            made.extend(silent.into_iter().map(|pair| ((to, pair), Err(why.clone()))));
            return Vec::new();
        }
    };
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
        let retry = |reason, detail| (LinkEnd::Retry, Some(Outcome::Retry(reason, detail)));
        let (end, outcome) = match why {
            NoLink::Later(reason, detail) => retry(reason, detail),
            NoLink::Unconfirmed => retry(RetryReason::Unavailable, UNCONFIRMED.to_owned()),
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

fn no_record(read: &Read, id: &str) -> NoLink {
    NoLink::Missing(format!("none has {} {id}", read.id_property))
}

fn not_told() -> NoLink {
    NoLink::Later(RetryReason::Unavailable, UNCONFIRMED.to_owned())
}
