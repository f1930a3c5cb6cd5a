//! The verdict of an answer on the links that were asked for. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::{account, blame};
use crate::hubspot::{Complaint, Error, Linked, Pair};
use crate::outcome::{Outcome, RetryReason};

/// Why there is no link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoLink {
    /// It can't be made.
    Missing(String),
    /// The token lacks a scope.
    Forbidden(String),
    /// It may be made later.
    Later(RetryReason, String),
    /// HubSpot took it, neither confirmed nor refused it, and doesn't show it.
    Unconfirmed,
}

impl NoLink {
    /// A call for links that failed; `by` is the property by which it asks.
    pub(super) fn of(error: &Error, by: &str) -> Self {
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
    pub(super) fn refused(error: &Complaint) -> Self {
        let detail = if account::says_not_found(error) {
            "HubSpot has no such record, or the task is gone".to_owned()
        } else {
            format!("HubSpot refuses the link ({})", error.category)
        };
        match error.category.as_str() {
            "MISSING_SCOPES" => Self::Forbidden("the token lacks a scope".to_owned()),
            "INTERNAL_ERROR" | "RATE_LIMITS" => Self::Later(RetryReason::Unavailable, detail),
            _ => Self::Missing(detail),
        }
    }
}

/// The links of a request of which the answer speaks.
///
/// HubSpot confirms both directions of a link, so a link whose ends are those of another one turned
/// round is judged by its error first.
pub(super) fn judge(pairs: &[Pair], answer: &Linked) -> BTreeMap<Pair, Result<(), NoLink>> {
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
pub(super) fn unnamed_error<'a>(sent: &[Pair], answer: &'a Linked) -> Option<&'a Complaint> {
    answer.errors.iter().find(|error| {
        let named = named(error);
        sent.iter().all(|pair| names(&named, pair) == (false, false))
    })
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
