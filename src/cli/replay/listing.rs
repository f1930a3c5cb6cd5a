//! Dead letters as a person reads them: a few as a table, thousands in groups; and as JSON.

use std::collections::BTreeMap;

use super::letters::Item;
use crate::cli::terminal::{bold, count, table};
use crate::time::Time;

/// So many letters have a row each; of more there are groups, unless all are asked for.
const ROWS: usize = 50;

/// Letters of one source with the same mistake.
struct Group {
    letters: usize,
    oldest: Time,
    newest: Time,
    /// The id of the newest.
    example: String,
}

/// The letters, in the order of time: a row for each, or one for each group. Then the number of
/// letters for each reason.
pub(super) fn list(items: &[Item], is_whole: bool) -> String {
    if items.is_empty() {
        return "No dead letters.\n".to_owned();
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for item in items {
        *counts.entry(item.reason()).or_default() += 1;
    }
    let mut reasons = Vec::new();
    for (reason, letters) in counts {
        reasons.push(format!("{} {reason}", count(letters)));
    }
    let sum = format!("{} in all: {}\n", count(items.len()), reasons.join(", "));
    if is_whole || items.len() <= ROWS {
        return format!("{}{sum}", rows(items));
    }
    format!("{}{sum}A row for each: --all; as JSON, a line each: --json\n", groups(items))
}

fn rows(items: &[Item]) -> String {
    let mut rows =
        vec![["id", "written", "source", "event", "reason", "detail"].map(str::to_owned)];
    rows.extend(items.iter().map(Item::row));
    headed(&table(&rows))
}

/// The groups, the largest first.
fn groups(items: &[Item]) -> String {
    let mut groups: BTreeMap<[&str; 3], Group> = BTreeMap::new();
    for item in items {
        let (time, example) = (item.time(), item.short_id().to_owned());
        let key = [item.source(), item.reason(), item.property()];
        if let Some(group) = groups.get_mut(&key) {
            group.letters += 1;
            (group.newest, group.example) = (time, example);
        } else {
            let first = Group { letters: 1, oldest: time, newest: time, example };
            groups.insert(key, first);
        }
    }
    let mut sorted: Vec<_> = groups.into_iter().collect();
    sorted.sort_by_key(|(_, group)| std::cmp::Reverse(group.letters));
    let heads = ["letters", "source", "reason", "property", "oldest", "newest", "example"];
    let mut rows = vec![heads.map(str::to_owned)];
    for ([source, reason, property], group) in sorted {
        rows.push([
            format!("{:>7}", count(group.letters)),
            source.to_owned(),
            reason.to_owned(),
            property.to_owned(),
            group.oldest.to_string(),
            group.newest.to_string(),
            group.example,
        ]);
    }
    headed(&table(&rows))
}

/// A table with a bold first line.
fn headed(table: &str) -> String {
    match table.split_once('\n') {
        Some((head, rest)) => format!("{}\n{rest}", bold(head)),
        None => table.to_owned(),
    }
}
