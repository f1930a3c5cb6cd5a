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
use super::matching::{Found, record_id};
use super::row::WantedLink;
use super::{account, blame, plan, read};
use crate::hubspot::{Answer, BATCH, Complaint, Error, Linked, LinksBefore, Pair};
use crate::outcome::{Associated, FailReason, LinkEnd, Outcome, RetryReason};
use crate::time::Time;
use crate::update::{Link, Missing, Object, RECORD_ID, TaskKey, Update, When};

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

/// Remembers how a link ended. One that HubSpot neither confirmed nor showed twice is given up:
/// otherwise it would hold up its task for ever.
fn remember(
    before: &LinksBefore,
    wanted: &WantedLink,
    end: Result<(), NoLink>,
) -> Result<(), NoLink> {
    let was_open = before.is_open(&wanted.task, &wanted.link) || wanted.is_retried;
    let end = match end {
        Err(why) if why == not_told() && was_open => {
            Err(NoLink::Missing("HubSpot says yes, and makes no link".to_owned()))
        }
        end => end,
    };
    let is_open = matches!(end, Err(NoLink::Later(..)));
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
                made.extend(ends.into_iter().map(|(pair, end)| ((to, pair), end)));
                let unnamed = unnamed_error(&sent, &answer);
                let doubtful = look(calls, to, pairs, &mut made).await;
                if doubtful.len() > 1 && unnamed.is_some() {
                    queue.extend(halves(doubtful));
                } else if doubtful.len() == 1 && sent.len() > 1 {
                    queue.push_back(doubtful);
                } else {
                    let why = unnamed.map_or_else(not_told, NoLink::refused);
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
///
/// HubSpot confirms both directions of a link, so a link whose ends are those of another one turned
/// round is judged by its error first.
fn judge(pairs: &[Pair], answer: &Linked) -> BTreeMap<Pair, Result<(), NoLink>> {
    let mut ends: BTreeMap<Pair, Result<(), NoLink>> = BTreeMap::new();
    for error in &answer.errors {
        let named = named(error);
        let exact = pairs.iter().filter(|pair| names(&named, pair) == (true, true));
        ends.extend(exact.map(|pair| (pair.clone(), Err(NoLink::refused(error)))));
    }
    let confirmed = answer.pairs();
    for pair in &confirmed {
        if pairs.contains(pair) {
            ends.entry(pair.clone()).or_insert(Ok(()));
        }
    }
    for error in &answer.errors {
        let named = named(error);
        if pairs.iter().any(|pair| names(&named, pair) == (true, true)) {
            continue;
        }
        for pair in pairs.iter().filter(|pair| names(&named, pair) != (false, false)) {
            ends.entry(pair.clone()).or_insert_with(|| Err(NoLink::refused(error)));
        }
    }
    // A record that was merged answers by its survivor's id.
    if let ([only], Some(other)) = (pairs, confirmed.iter().find(|pair| pair.task == pairs[0].task))
    {
        let is_stranger = ends.is_empty() && other.record != only.record;
        ends.extend(is_stranger.then(|| (only.clone(), Ok(()))));
    }
    ends
}

/// The record ids that an error names: of tasks, and of what they are to hang on.
#[derive(Default)]
struct Named<'a> {
    tasks: BTreeSet<&'a str>,
    records: BTreeSet<&'a str>,
}

/// Reads the context of an error: `fromObjectId`, `toObjectId`, or `ids` of either.
fn named(error: &Complaint) -> Named<'_> {
    let mut named = Named::default();
    for (field, ids) in error.all().into_iter().flat_map(|error| &error.context) {
        let ids = ids.iter().map(String::as_str);
        if !field.starts_with("to") {
            named.tasks.extend(ids.clone());
        }
        if !field.starts_with("from") {
            named.records.extend(ids);
        }
    }
    named
}

/// Whether the task and the record of a link are named.
fn names(named: &Named<'_>, pair: &Pair) -> (bool, bool) {
    (named.tasks.contains(pair.task.as_str()), named.records.contains(pair.record.as_str()))
}

/// The first error of an answer that names no link of the request.
fn unnamed_error<'a>(sent: &[Pair], answer: &'a Linked) -> Option<&'a Complaint> {
    answer.errors.iter().find(|error| {
        let named = named(error);
        sent.iter().all(|pair| names(&named, pair) == (false, false))
    })
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
        // A firewall's page, say, is no missing scope.
        let lacks_scope = matches!(error, Error::Later { names_scopes: true, .. });
        match blame::failed_call(error, by) {
            Outcome::Retry(RetryReason::Forbidden, detail) if lacks_scope => {
                Self::Forbidden(detail)
            }
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
            "MISSING_SCOPES" => {
                tracing::error!("token: a scope is missing for a link");
                Self::Forbidden("the token lacks a scope".to_owned())
            }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    fn pair(task: &str, record: &str) -> Pair {
        Pair { task: task.to_owned(), record: record.to_owned() }
    }

    fn judged(pairs: &[Pair], answer: serde_json::Value) -> Vec<Option<bool>> {
        let ends = judge(pairs, &serde_json::from_value(answer).unwrap());
        pairs.iter().map(|pair| ends.get(pair).map(Result::is_ok)).collect()
    }

    #[test]
    fn a_link_turned_round_confirms_no_other_one() {
        let pairs = [pair("9001", "9002"), pair("9002", "9001"), pair("9003", "7")];
        let results = json!([
            {"from": {"id": "9001"}, "to": {"id": "9002"}},
            {"from": {"id": "9002"}, "to": {"id": "9001"}},
        ]);
        let context = json!({"fromObjectId": ["9002"], "toObjectId": ["9001"]});
        let errors = json!([{"category": "OBJECT_NOT_FOUND", "context": context}]);
        let ends = judged(&pairs, json!({"results": results, "errors": errors}));
        assert_eq!(ends, [Some(true), Some(false), None]);
    }

    #[test]
    fn a_record_that_was_merged_answers_by_its_survivor() {
        let results = json!([{"from": {"id": "9001"}, "to": {"id": 777}}]);
        let answer = json!({ "results": results });
        assert_eq!(judged(&[pair("9001", "501")], answer.clone()), [Some(true)]);
        assert_eq!(judged(&[pair("9001", "501"), pair("9001", "502")], answer), [None, None]);
    }
}
