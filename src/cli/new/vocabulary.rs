//! What ticket systems call their statuses and priorities, and what that is in HubSpot.

use super::words::{holds, words};

/// A word of HubSpot, and what means it elsewhere: in lower case, the words parted by spaces.
type Meaning = (&'static str, &'static [&'static str]);

const STATUSES: [Meaning; 5] = [
    (
        "NOT_STARTED",
        &[
            "new",
            "open",
            "opened",
            "todo",
            "to do",
            "backlog",
            "unstarted",
            "not started",
            "triage",
            "reopened",
            "reopen",
            "created",
            "create",
            "queued",
            "unassigned",
            "unresolved",
            "triggered",
            "submitted",
            "proposed",
            "planned",
            "restored",
            "undeleted",
        ],
    ),
    (
        "IN_PROGRESS",
        &[
            "in progress",
            "inprogress",
            "active",
            "doing",
            "started",
            "working",
            "acknowledged",
            "acknowledge",
            "ack",
            "assigned",
            "accepted",
            "in development",
            "review",
            "testing",
            "indeterminate",
            "processing",
            "investigating",
            "committed",
            "progress",
        ],
    ),
    (
        "WAITING",
        &[
            "pending", "waiting", "on hold", "hold", "blocked", "stuck", "feedback", "snoozed",
            "awaiting", "paused",
        ],
    ),
    (
        "COMPLETED",
        &[
            "closed",
            "close",
            "resolved",
            "resolve",
            "done",
            "fixed",
            "completed",
            "complete",
            "solved",
            "finished",
            "released",
            "verified",
            "archived",
        ],
    ),
    (
        "DEFERRED",
        &[
            "cancelled",
            "canceled",
            "cancel",
            "duplicate",
            "rejected",
            "removed",
            "deleted",
            "delete",
            "spam",
            "deferred",
            "postponed",
            "invalid",
            "abandoned",
            "ignored",
            "not planned",
            "wont do",
            "won t do",
            "wontfix",
            "won t fix",
            "obsolete",
            "trashed",
            "merged",
        ],
    ),
];

const PRIORITIES: [Meaning; 4] = [
    (
        "HIGH",
        &["high", "highest", "urgent", "critical", "immediate", "blocker", "fatal", "p0", "p1"],
    ),
    ("MEDIUM", &["medium", "normal", "major", "moderate", "default", "p2"]),
    ("LOW", &["low", "lowest", "minor", "trivial", "planning", "p3", "p4", "p5"]),
    ("NONE", &["none", "no priority", "unknown"]),
];

/// Statuses that most systems have in some form: rows that a person may want besides those seen.
const USUAL_STATUSES: [&str; 9] = [
    "new",
    "open",
    "in progress",
    "pending",
    "on hold",
    "resolved",
    "closed",
    "cancelled",
    "duplicate",
];

/// Verbs that events have for what becomes of a ticket, and the same as what has been done.
const USUAL_ACTIONS: [&str; 6] = ["create", "acknowledge", "reopen", "resolve", "close", "delete"];
const USUAL_DONE_ACTIONS: [&str; 6] =
    ["created", "acknowledged", "reopened", "resolved", "closed", "deleted"];

const USUAL_PRIORITIES: [&str; 5] = ["urgent", "high", "medium", "normal", "low"];

/// Scales of priorities, each with what its values are. Most begin with the most urgent one.
const SCALES: [&[(&str, &str)]; 2] = [
    &[("0", "NONE"), ("1", "HIGH"), ("2", "HIGH"), ("3", "MEDIUM"), ("4", "LOW"), ("5", "LOW")],
    &[
        ("P0", "HIGH"),
        ("P1", "HIGH"),
        ("P2", "MEDIUM"),
        ("P3", "LOW"),
        ("P4", "LOW"),
        ("P5", "LOW"),
    ],
];

/// A row of a map that wasn't seen, and may come.
pub(super) struct Usual {
    pub(super) given: String,
    pub(super) written: &'static str,
}

/// HubSpot's status for a value; `None` if none of its words is known.
pub(super) fn status(value: &str) -> Option<&'static str> {
    meaning(value, &STATUSES)
}

/// HubSpot's status for something that happened to a ticket; `None` if that tells none. Systems
/// remove other things than tickets, too.
pub(super) fn action(value: &str) -> Option<&'static str> {
    status(value).filter(|_| !holds(&words(value), "removed") && !holds(&words(value), "added"))
}

/// HubSpot's priority for a value; `None` if none of its words is known.
pub(super) fn priority(value: &str) -> Option<&'static str> {
    let upper = value.to_uppercase();
    let on_scale = scale(&upper).and_then(|scale| scale.iter().find(|(given, _)| *given == upper));
    on_scale.map(|(_, written)| *written).or_else(|| meaning(value, &PRIORITIES))
}

/// The pattern of labels that are priorities, by one of them; `None` for another label.
pub(super) fn label(value: &str) -> Option<&'static str> {
    let words = words(value);
    let is_prefixed = words.first().is_some_and(|word| word == "priority" || word == "prio");
    if is_prefixed && words.len() > 1 {
        return Some("^prio(rity)?[^a-z]");
    }
    if scale(&value.to_uppercase()).is_some() && !is_bare_number(value) {
        return Some("^p[0-5]$");
    }
    let is_word = words.len() == 1 && meaning(value, &PRIORITIES).is_some();
    is_word.then_some("^(urgent|critical|high|medium|normal|low)$")
}

/// Whether a value is a number of a scale, which doesn't say which end of it is the urgent one.
pub(super) fn is_bare_number(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a value is one of a scale of priorities.
pub(super) fn is_on_scale(value: &str) -> bool {
    scale(&value.to_uppercase()).is_some()
}

/// Statuses that may come besides those that were seen, written as these are.
pub(super) fn usual_statuses(seen: &[String]) -> Vec<Usual> {
    usual(seen, &USUAL_STATUSES, status)
}

/// Actions that may come besides those that were seen, written as these are.
pub(super) fn usual_actions(seen: &[String]) -> Vec<Usual> {
    let is_done = seen.iter().all(|value| value.to_lowercase().ends_with('d'));
    usual(seen, if is_done { &USUAL_DONE_ACTIONS } else { &USUAL_ACTIONS }, action)
}

/// Priorities that may come besides those that were seen, written as these are.
pub(super) fn usual_priorities(seen: &[String]) -> Vec<Usual> {
    let Some(scale) = seen.first().and_then(|value| scale(&value.to_uppercase())) else {
        return usual(seen, &USUAL_PRIORITIES, priority);
    };
    let mut rows = Vec::new();
    for (given, written) in scale {
        if !seen.iter().any(|value| value.eq_ignore_ascii_case(given)) {
            rows.push(Usual { given: (*given).to_owned(), written });
        }
    }
    rows
}

fn scale(value: &str) -> Option<&'static [(&'static str, &'static str)]> {
    SCALES.into_iter().find(|scale| scale.iter().any(|(given, _)| *given == value))
}

/// The meaning of the phrase that a value is, else of the longest that it holds.
fn meaning(value: &str, meanings: &[Meaning]) -> Option<&'static str> {
    let mut words = words(value);
    // Some systems number their options: `2 normal`.
    words.retain(|word| !word.bytes().all(|byte| byte.is_ascii_digit()));
    let mut best = None;
    let mut length = 0;
    for (written, phrases) in meanings {
        for phrase in *phrases {
            if phrase.len() > length && holds(&words, phrase) {
                best = Some(*written);
                length = phrase.len();
            }
        }
    }
    best
}

fn usual(seen: &[String], all: &[&str], meaning: fn(&str) -> Option<&'static str>) -> Vec<Usual> {
    let style = Style::of(seen);
    let is_seen = |given: &str| seen.iter().any(|value| value.eq_ignore_ascii_case(given));
    let mut rows = Vec::new();
    for phrase in all {
        let given = style.write(phrase);
        if let Some(written) = meaning(phrase)
            && !is_seen(&given)
        {
            rows.push(Usual { given, written });
        }
    }
    rows
}

/// How a system writes its words.
struct Style {
    is_upper: bool,
    is_title: bool,
    separator: char,
}

impl Style {
    fn of(seen: &[String]) -> Self {
        let letters = || seen.iter().flat_map(|value| value.chars()).filter(|c| c.is_alphabetic());
        let is_upper = letters().next().is_some() && letters().all(char::is_uppercase);
        let starts_upper = |value: &String| value.starts_with(char::is_uppercase);
        let separator = ['_', '-', ' '].into_iter().find(|c| seen.iter().any(|v| v.contains(*c)));
        let is_title = !is_upper && seen.iter().any(starts_upper);
        let usual = if is_title { ' ' } else { '_' };
        Self { is_upper, is_title, separator: separator.unwrap_or(usual) }
    }

    fn write(&self, phrase: &str) -> String {
        let mut text = String::new();
        for character in phrase.chars() {
            let begins = self.is_title && text.is_empty();
            match character {
                ' ' => text.push(self.separator),
                _ if self.is_upper || begins => text.push(character.to_ascii_uppercase()),
                _ => text.push(character),
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_known_however_they_are_written() {
        for (value, written) in [
            ("In Progress", "IN_PROGRESS"),
            ("PENDING", "WAITING"),
            ("waiting_on_customer", "WAITING"),
            ("Won't Do", "DEFERRED"),
            ("not_planned", "DEFERRED"),
            ("To Do", "NOT_STARTED"),
            ("incident.acknowledged", "IN_PROGRESS"),
            ("3 - on hold", "WAITING"),
        ] {
            assert_eq!(status(value), Some(written), "{value}");
        }
        assert_eq!(status("3"), None);
        assert_eq!(status("Kundenprüfung"), None);
    }

    #[test]
    fn priorities_are_words_or_numbers_of_a_scale() {
        for (value, written) in
            [("2 normal", "MEDIUM"), ("Urgent", "HIGH"), ("P1", "HIGH"), ("4", "LOW")]
        {
            assert_eq!(priority(value), Some(written), "{value}");
        }
        assert_eq!(priority("17"), None);
    }

    #[test]
    fn usual_values_are_written_as_those_that_were_seen() {
        let given = |seen: &str| -> Vec<String> {
            usual_statuses(&[seen.to_owned()]).into_iter().map(|row| row.given).collect()
        };
        assert!(given("OPEN").contains(&"IN_PROGRESS".to_owned()));
        assert!(given("Closed").contains(&"In progress".to_owned()));
        assert!(given("on-hold").contains(&"in-progress".to_owned()));
        assert!(!given("open").contains(&"open".to_owned()));
    }
}
