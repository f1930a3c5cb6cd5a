//! What the fields of tickets are called, by what they mean.

use super::words::{bare, holds, is_kind};

/// What a field may mean to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Id,
    Updated,
    Status,
    Title,
    Text,
    Priority,
    Due,
    Assignee,
    /// The address of the page for people.
    Link,
}

/// A name, and how surely it means its role: 100 is certain.
type Name = (&'static str, i32);

const ID: &[Name] = &[
    ("key", 95),
    ("identifier", 110),
    ("short id", 100),
    ("id readable", 100),
    ("reference", 65),
    ("short link", 100),
    ("number", 60),
    ("id", 90),
    ("gid", 90),
    ("uuid", 60),
    ("guid", 60),
    ("tiny id", 40),
];

const UPDATED: &[Name] = &[
    ("updated at", 100),
    ("updated on", 100),
    ("updated", 100),
    ("update time", 95),
    ("last updated", 95),
    ("last updated at", 95),
    ("modified", 90),
    ("modified at", 95),
    ("last modified", 95),
    ("last modified at", 95),
    ("changed at", 95),
    ("changed date", 95),
    ("changed", 80),
    ("modified date", 95),
    ("updated date", 95),
    ("updated time", 95),
    ("last changed", 90),
    ("updated datetime", 95),
    ("date updated", 95),
    ("date modified", 95),
    ("last modified date", 95),
];

/// Names of the time of an event, outside of its ticket.
const HAPPENED: &[Name] = &[
    ("timestamp", 105),
    ("occurred at", 98),
    ("emitted at", 98),
    ("trigger time", 98),
    ("happened at", 95),
    ("changed at", 95),
    ("event time", 95),
    ("date", 85),
    ("time", 85),
    ("updated at", 80),
    ("created at", 70),
    ("created date", 70),
    ("created", 60),
];

const STATUS: &[Name] = &[
    ("status", 100),
    ("state", 95),
    ("status name", 102),
    ("state name", 98),
    ("state type", 97),
    ("status category", 98),
    ("stage", 80),
    ("phase", 60),
    ("resolution", 20),
];

const TITLE: &[Name] = &[
    ("title", 100),
    ("subject", 100),
    ("summary", 95),
    ("short description", 97),
    ("headline", 85),
    ("name", 60),
    ("message", 55),
    ("subject line", 95),
];

const TEXT: &[Name] = &[
    ("description", 100),
    ("body", 95),
    ("content", 75),
    ("desc", 90),
    ("details", 70),
    ("text", 70),
    ("preview", 50),
    ("description text", 80),
    ("summary", 45),
    ("description html", 75),
    ("long description", 90),
    ("repro steps", 85),
    ("note", 20),
];

const PRIORITY: &[Name] = &[
    ("priority", 100),
    ("priority name", 104),
    ("priority label", 106),
    ("severity", 80),
    ("urgency", 75),
    ("importance", 60),
    ("impact", 40),
    ("level", 40),
];

const DUE: &[Name] = &[
    ("due", 100),
    ("due at", 100),
    ("due on", 100),
    ("due by", 100),
    ("due date", 100),
    ("duedate", 100),
    ("due time", 95),
    ("due datetime", 100),
    ("deadline", 95),
    ("target date", 70),
    ("date due", 95),
    ("solution time destination date", 90),
    ("escalation at", 50),
    ("end date", 40),
];

const ASSIGNEE: &[Name] = &[
    ("assignee", 100),
    ("assigned to", 100),
    ("assignees", 90),
    ("assigned to email", 106),
    ("assignee email", 106),
    ("agent email", 100),
    ("owner", 70),
    ("owner email", 90),
    ("responsible", 65),
    ("assigned user", 90),
    ("assignee user", 90),
    ("agent", 60),
    ("responder", 65),
    ("handler", 60),
    ("assignee id", 45),
    ("assigned to id", 45),
    ("owner id", 35),
    ("owners", 60),
    ("owner ids", 30),
    ("admin assignee id", 45),
    ("responder id", 40),
    ("hubspot owner id", 50),
];

const LINK: &[Name] = &[
    ("html url", 100),
    ("web url", 100),
    ("weburl", 100),
    ("permalink", 95),
    ("web link", 90),
    ("portal url", 85),
    ("short url", 50),
    ("url", 60),
    ("link", 55),
];

/// Words of names for what was, not what is.
const PAST: [&str; 9] =
    ["old", "previous", "prev", "before", "from", "original", "initial", "was", "past"];

/// Words of names that belong to something else than the ticket.
const FOREIGN: [&str; 36] = [
    "user",
    "actor",
    "sender",
    "author",
    "authors",
    "creator",
    "reporter",
    "requester",
    "customer",
    "contact",
    "contacts",
    "company",
    "repository",
    "project",
    "organization",
    "organisation",
    "team",
    "teams",
    "board",
    "list",
    "label",
    "labels",
    "comment",
    "comments",
    "journal",
    "article",
    "model",
    "member",
    "recipient",
    "installation",
    "agent",
    "service",
    "workspace",
    "parent",
    "attachment",
    "attachments",
];

/// Things whose name or state isn't the ticket's.
const OWNERS_OF_NAMES: [&str; 9] =
    ["column", "field", "group", "project", "team", "board", "list", "file", "parent"];

/// Places beside a ticket that say how far it is: the list of a board in which its card lies.
const PLACES: &[Name] = &[
    ("status", 70),
    ("state", 68),
    ("list after", 66),
    ("list", 50),
    ("column", 48),
    ("stage", 60),
];

/// How surely the name of a field beside the ticket is that of its status: 0 if it isn't.
pub(super) fn score_place(words: &[String]) -> i32 {
    let found = PLACES.iter().find(|(name, _)| words.join(" ") == *name);
    found.map_or(0, |(_, score)| *score)
}

/// How surely a name means a role: 0 if it doesn't.
pub(super) fn score(role: Role, words: &[String]) -> i32 {
    let names = match role {
        Role::Id => ID,
        Role::Updated => UPDATED,
        Role::Status => STATUS,
        Role::Title => TITLE,
        Role::Text => TEXT,
        Role::Priority => PRIORITY,
        Role::Due => DUE,
        Role::Assignee => ASSIGNEE,
        Role::Link => LINK,
    };
    let own = best(names, bare(words)).max(best(names, words));
    // The id of a ticket is surer by its full name: an alert's `alertId` beside an `id`.
    let is_full = role == Role::Id && own > 0 && words.len() > 1 && is_kind(&words[0]);
    if is_full { own + 8 } else { own }
}

/// How surely a name outside of the ticket is that of the event's time: 0 if it isn't.
pub(super) fn score_happened(words: &[String]) -> i32 {
    best(HAPPENED, bare(words))
}

/// Whether a name is that of what was before.
pub(super) fn is_past(words: &[String]) -> bool {
    words.iter().any(|word| PAST.contains(&word.as_str()))
}

/// Whether a name belongs to something else than the ticket.
pub(super) fn is_foreign(words: &[String]) -> bool {
    let is_history = ["changes", "history", "changelog", "journals", "links"];
    words.iter().any(|word| FOREIGN.contains(&word.as_str()) || is_history.contains(&&**word))
}

fn best(names: &[Name], words: &[String]) -> i32 {
    let mut best = 0;
    for (name, score) in names {
        let length = name.split(' ').count();
        if length > words.len() {
            continue;
        }
        let (before, end) = words.split_at(words.len() - length);
        // `column title` is that of the column.
        let is_foreign = before.iter().any(|word| OWNERS_OF_NAMES.contains(&word.as_str()));
        if !holds(end, name) || is_past(before) || is_foreign {
            continue;
        }
        // `user updated at` is less sure than `updated at`. Of an id, each word makes another id.
        let is_whole = before.is_empty();
        let is_id = matches!(*name, "id" | "key" | "number" | "gid" | "name" | "level");
        if is_whole {
            best = best.max(*score);
        } else if !is_id {
            best = best.max(score - 25);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::new::words::words;

    #[test]
    fn names_mean_roles() {
        let means = |role, name: &str| score(role, &words(name)) >= 50;
        for (role, name) in [
            (Role::Id, "workItemId"),
            (Role::Id, "sys_id"),
            (Role::Title, "_default_title_"),
            (Role::Title, "pulseName"),
            (Role::Status, "System.State"),
            (Role::Status, "hs_pipeline_stage"),
            (Role::Updated, "userUpdatedAt"),
            (Role::Priority, "Microsoft.VSTS.Common.Priority"),
            (Role::Due, "duedate"),
            (Role::Assignee, "ticket_agent_email"),
        ] {
            assert!(means(role, name), "{role:?} {name}");
        }
        for (role, name) in [
            (Role::Id, "parent_id"),
            (Role::Status, "previous_status"),
            (Role::Status, "state_reason"),
            (Role::Title, "status"),
        ] {
            assert!(!means(role, name), "{role:?} {name}");
        }
    }
}
