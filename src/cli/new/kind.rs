//! Which events are about tickets, and what they say happened.

use super::form;
use super::path::text;
use super::ticket;
use super::tree::Node;
use super::view::View;
use super::vocabulary;
use super::words::{is_kind, words};

/// Names of fields that say of which kind an event is.
const KINDS: [&str; 14] = [
    "webhookEvent",
    "event_type",
    "eventType",
    "event",
    "type",
    "topic",
    "object_kind",
    "subscriptionType",
    "kind",
    "object",
    "table",
    "resource_type",
    "entity_type",
    "object_type",
];

/// Sorts of tickets.
const SORTS: [&str; 6] = ["bug", "task", "story", "incident", "problem", "request"];

/// The most kinds that a condition lists.
const MOST: usize = 8;

/// Words for tickets that say too little to name a property after.
const VAGUE: [&str; 4] = ["item", "entity", "work", "request"];

/// Names of fields that say what happened.
const ACTIONS: [&str; 8] =
    ["action", "event_type", "eventType", "event", "type", "topic", "operation", "webhookEvent"];

/// What the ticket is called, such as `issue`: by its own name, else by what events about it are
/// called, by the name of its id, and by its type.
pub(super) fn word(view: &View<'_, '_>) -> String {
    let mut words = view.ticket.words.clone();
    for around in view.around() {
        for field in KINDS.iter().filter_map(|key| around.field(key)) {
            for text in field.texts() {
                let start = start(&text).unwrap_or(&text).to_owned();
                words.extend(super::words::words(&start).pop());
            }
        }
    }
    for field in &view.ticket.fields {
        let is_id = field.words.len() > 1 && field.words.last().is_some_and(|last| last == "id");
        if is_id {
            words.push(field.words[0].clone());
        }
    }
    let kind = ticket::kind(view.ticket);
    words.extend(kind.into_iter().flat_map(Node::texts).map(|text| text.to_lowercase()));
    words.retain(|word| is_kind(word) && !VAGUE.contains(&word.as_str()));
    let kind = words.into_iter().next();
    kind.map_or("ticket".to_owned(), |word| word.trim_end_matches('s').to_owned())
}

/// The condition that an event is about a ticket, by the field that says its kind. It is asked of
/// the whole payload.
pub(super) fn condition(view: &View<'_, '_>) -> Option<String> {
    for around in view.around() {
        if around.path.has_items() {
            continue;
        }
        let fields = KINDS.iter().filter_map(|key| around.field(key));
        for field in fields {
            // Of tickets at several places each event has to tell its kind.
            let is_lacking = field.values.len() < view.ticket.values.len();
            if view.is_joined() && is_lacking {
                continue;
            }
            if let Some(condition) = by_kind(field, &field.path.jq()) {
                return Some(condition);
            }
        }
    }
    if !view.base.0.is_empty() {
        return None;
    }
    let mut fields = KINDS.iter().filter_map(|key| view.ticket.field(key));
    fields.find_map(|field| {
        // A ticket's own type is as often what sort of a ticket it is, a bug or a task.
        let is_sort = field.texts().iter().any(|text| SORTS.contains(&&*text.to_lowercase()));
        if is_sort { None } else { by_kind(field, &view.expression(&field.path)?) }
    })
}

/// Whether some of the events carry a comment, and others none.
pub(super) fn has_comments(view: &View<'_, '_>) -> bool {
    let Some(root) = view.around().into_iter().find(|node| node.path.0.is_empty()) else {
        return false;
    };
    let comment = root.field("comment").filter(|comment| comment.is_object());
    comment.is_some_and(|comment| comment.values.len() < root.values.len())
}

/// A condition that lets no event with a comment pass.
pub(super) fn without_comments(condition: &str) -> String {
    let is_path = !condition.contains(['|', '/', ' ']);
    let condition = if is_path { condition.to_owned() } else { format!("({condition})") };
    format!("{condition} and (has(\"comment\") | not)")
}

/// The condition that there is a ticket in an event.
pub(super) fn presence(view: &View<'_, '_>) -> Option<String> {
    let path = &view.ticket.path;
    if path.0.is_empty() { None } else { Some(path.jq()) }
}

/// The condition that an element of an array is a ticket.
pub(super) fn condition_of_item(view: &View<'_, '_>) -> Option<String> {
    let mut places = view.around();
    places.push(view.ticket);
    for place in places {
        for key in KINDS {
            let Some(field) = place.field(key) else { continue };
            if field.path.below(&view.base).is_none() {
                continue;
            }
            let path = view.expression(&field.path)?;
            if let Some(condition) = by_kind(field, &path) {
                return Some(condition);
            }
        }
    }
    None
}

/// The condition that a field names a ticket: it is the word, or begins with it, as
/// `ticket.updated` does. `None` if it doesn't in each payload.
fn by_kind(field: &Node<'_>, path: &str) -> Option<String> {
    let mut conditions = Vec::new();
    for value in field.texts() {
        let value_words = words(&value);
        let is_whole = !value_words.is_empty() && value_words.iter().all(|word| is_kind(word));
        let condition = if is_whole {
            format!("{path} == {}", text(&value))
        } else {
            format!("({path} // \"\") | startswith({})", text(start(&value)?))
        };
        if !conditions.contains(&condition) {
            conditions.push(condition);
        }
    }
    match conditions.len() {
        0 => None,
        1 => conditions.pop(),
        2..=MOST => Some(format!("({})", conditions.join(") or ("))),
        _ => None,
    }
}

/// A value up to the word for a ticket in it, with the separator behind.
fn start(value: &str) -> Option<&str> {
    if value.chars().count() > 80 {
        return None;
    }
    for (index, separator) in value.match_indices(|c: char| !c.is_alphanumeric() && c != ' ') {
        let last = words(&value[..index]).pop();
        if last.is_some_and(|last| is_kind(&last)) {
            return value.get(..index + separator.len());
        }
    }
    None
}

/// The field that says what happened to the ticket, where that tells a status.
pub(super) fn action<'t, 'p>(view: &View<'t, 'p>) -> Option<&'t Node<'p>> {
    let mut places = view.around();
    places.push(view.ticket);
    for key in ACTIONS {
        for place in &places {
            let Some(field) = place.field(key) else { continue };
            let is_word = field.has(form::is_word);
            let is_known = field.texts().iter().any(|text| vocabulary::action(text).is_some());
            if is_word && is_known && view.expression(&field.path).is_some() {
                return Some(field);
            }
        }
    }
    None
}
