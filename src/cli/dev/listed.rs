//! A delivery as the list shows it: what it is about, and how it ended, in a few words. Pure.

use serde_json::Value;

use crate::delivery::Delivery;
use crate::outcome::Kind;

/// How much of a sender's words the list of deliveries shows, in characters.
pub(super) const SHOWN: usize = 60;

/// The most words that say it.
const WORDS: usize = 2;

/// Fields of bodies that say what kind of event it is.
const KINDS: [&str; 9] = [
    "action",
    "webhookEvent",
    "event_type",
    "eventType",
    "event_name",
    "object_kind",
    "event",
    "type",
    "kind",
];

/// The outcome of all updates in a word, their number, and the task in short.
pub(super) fn tally(summary: &Value, status: u16) -> (&'static str, u64, String) {
    let count = |kind: Kind| summary[kind.as_str()].as_u64().unwrap_or_default();
    let mut kinds = Kind::ALL.to_vec();
    kinds.retain(|kind| count(*kind) > 0);
    let task = &summary["tasks"][0];
    let id = task["id"].as_str().unwrap_or("?");
    match kinds[..] {
        [] if status < 300 => ("answered", 0, String::new()),
        [] => ("refused", 0, String::new()),
        [kind] => {
            let short = match (task["recordId"].as_str(), task["reason"].as_str()) {
                _ if task.is_null() => String::new(),
                (Some(record), _) => format!("{id} → {record}"),
                (None, Some("observed")) => format!("{id}: would be written"),
                (None, Some(reason)) => format!("{id}: {reason}"),
                (None, None) => id.to_owned(),
            };
            let rest = count(kind).saturating_sub(1);
            let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
            (kind.as_str(), count(kind), format!("{short}{more}"))
        }
        _ => {
            let parts: Vec<_> =
                kinds.iter().map(|kind| format!("{} {}", count(*kind), kind.as_str())).collect();
            ("mixed", kinds.iter().map(|kind| count(*kind)).sum(), parts.join(", "))
        }
    }
}

/// What kind of event it is, by the words of its sender: `issues, closed`. Not for decisions: a
/// header need not be signed.
pub(super) fn what(delivery: &Delivery) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut add = |word: &str| {
        let is_known = words.iter().any(|known| known.eq_ignore_ascii_case(word));
        if !is_known && words.len() < WORDS && word.len() <= SHOWN {
            words.push(word.to_owned());
        }
    };
    let is_event = |name: &str| name.ends_with("-event") || name.ends_with("-topic");
    let mut headers = delivery.headers.iter().filter(|(name, _)| is_event(name.as_str()));
    if let Some(Ok(word)) = headers.next().map(|(_, value)| value.to_str()) {
        add(word);
    }
    let body: Value = serde_json::from_slice(&delivery.body).unwrap_or_default();
    for field in KINDS {
        if let Some(word) = body[field].as_str() {
            add(word);
        }
    }
    if words.is_empty() && delivery.method != http::Method::POST {
        words.push(delivery.method.to_string());
    }
    words.join(", ")
}
