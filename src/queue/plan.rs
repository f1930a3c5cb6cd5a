//! Which entries go into which call. Pure.

use std::collections::HashSet;

use super::entry::Entry;
use super::message::BYTES;

/// The most messages of one call, whether it sends, receives, hides or deletes.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
pub(super) const MOST_IN_CALL: usize = 10;

/// How many calls are under way at once.
const AT_ONCE: usize = 8;

/// The calls that can be made at once now, each a list of at most `most` indices of `pending`,
/// which lists entries in their order.
///
/// No two entries of one group are under way together: if the first failed, the second would
/// overtake it. So an entry waits until those of its group before it are gone.
pub(super) fn calls(pending: &[&Entry], most: usize) -> Vec<Vec<usize>> {
    let mut groups = HashSet::new();
    let mut calls: Vec<Vec<usize>> = Vec::new();
    let (mut open, mut bytes) = (Vec::new(), 0);
    for (index, entry) in pending.iter().enumerate() {
        if entry.group.as_ref().is_some_and(|group| !groups.insert(group)) {
            continue;
        }
        if open.len() == most || bytes + entry.body.len() > BYTES {
            if !open.is_empty() {
                calls.push(std::mem::take(&mut open));
            }
            bytes = 0;
            if calls.len() == AT_ONCE {
                return calls;
            }
        }
        bytes += entry.body.len();
        open.push(index);
    }
    if !open.is_empty() {
        calls.push(open);
    }
    calls
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_call_is_within_the_limits_and_no_group_is_under_way_twice(
            entries in proptest::collection::vec((0..30_usize, 1..300_000_usize), 0..200),
        ) {
            let entry = |(group, size): &(usize, usize)| Entry {
                body: "x".repeat(*size),
                group: Some(group.to_string()),
                deduplication: None,
                trace_header: None,
            };
            let entries: Vec<_> = entries.iter().map(entry).collect();
            let mut pending: Vec<_> = entries.iter().collect();
            while !pending.is_empty() {
                let calls = calls(&pending, MOST_IN_CALL);
                prop_assert!(!calls.is_empty() && calls.len() <= AT_ONCE);
                let mut groups = HashSet::new();
                for call in &calls {
                    prop_assert!(!call.is_empty() && call.len() <= MOST_IN_CALL);
                    prop_assert!(call.iter().map(|index| pending[*index].body.len()).sum::<usize>() <= BYTES);
                    for index in call {
                        prop_assert!(groups.insert(&pending[*index].group));
                        // It is the first of its group that is left.
                        let group = &pending[*index].group;
                        prop_assert_eq!(pending.iter().position(|entry| &entry.group == group), Some(*index));
                    }
                }
                let sent: HashSet<_> = calls.into_iter().flatten().collect();
                let mut index = 0..;
                pending.retain(|_| !sent.contains(&index.next().unwrap()));
            }
        }
    }

    #[test]
    fn a_hundred_tasks_are_ten_calls_and_one_task_is_one_after_another() {
        let entry = |group: usize| Entry {
            body: "{}".to_owned(),
            group: Some(group.to_string()),
            deduplication: None,
            trace_header: None,
        };
        let tasks: Vec<_> = (0..100).map(entry).collect();
        assert_eq!(calls(&tasks.iter().collect::<Vec<_>>(), MOST_IN_CALL).len(), AT_ONCE);
        let same: Vec<_> = [entry(1), entry(1), entry(2)].into();
        assert_eq!(calls(&same.iter().collect::<Vec<_>>(), MOST_IN_CALL), [[0, 2]]);
        assert_eq!(calls(&same.iter().collect::<Vec<_>>(), 1), [[0], [2]]);
    }
}
