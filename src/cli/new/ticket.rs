//! Which object of a payload is the ticket.

use super::form;
use super::names::{self, Role, is_foreign, is_past};
use super::tree::Node;
use super::words::is_kind;

/// Names of objects within a ticket that hold its fields.
const WRAPPERS: [&str; 6] =
    ["fields", "attributes", "ticket_attributes", "properties", "custom_fields", "values"];

/// What each role of an object's fields makes it a ticket, in points.
const POINTS: [(Role, i32); 8] = [
    (Role::Title, 30),
    (Role::Status, 30),
    (Role::Id, 20),
    (Role::Priority, 20),
    (Role::Due, 15),
    (Role::Updated, 15),
    (Role::Assignee, 15),
    (Role::Text, 10),
];

/// The object that is most likely the ticket; the whole payload, if none is likely.
pub(super) fn find<'t, 'p>(root: &'t Node<'p>) -> &'t Node<'p> {
    let mut best = root;
    let mut most = score(root);
    for node in root.all() {
        let points = score(node);
        if node.is_object() && points > most && !is_within_wrapper(node) {
            (best, most) = (node, points);
        }
    }
    best
}

/// The fields of a ticket, and those of the objects within it that hold more of them.
pub(super) fn own_fields<'t, 'p>(ticket: &'t Node<'p>) -> Vec<&'t Node<'p>> {
    let mut fields = Vec::new();
    for field in &ticket.fields {
        fields.push(field);
        if WRAPPERS.contains(&field.key) {
            fields.extend(&field.fields);
        }
    }
    fields
}

fn is_within_wrapper(node: &Node<'_>) -> bool {
    WRAPPERS.contains(&node.key)
}

/// How surely an object is a ticket, in points.
pub(super) fn score(node: &Node<'_>) -> i32 {
    let mut points = 0;
    for (role, worth) in POINTS {
        let surest = own_fields(node).into_iter().map(|field| names::score(role, &field.words));
        points += worth * surest.max().unwrap_or(0) / 100;
    }
    let is_named = node.words.iter().all(|word| is_kind(word)) && !node.words.is_empty();
    if is_named {
        points += 40;
    }
    if kind(node).is_some() {
        points += 20;
    }
    for key in node.path.keys() {
        let words = super::words::words(key);
        if is_foreign(&words) || is_past(&words) {
            points -= 80;
        }
    }
    points - 3 * i32::try_from(node.path.0.len()).unwrap_or(i32::MAX / 8)
}

/// The field of an object that says that it is a ticket, such as `resource_type` with `task`.
pub(super) fn kind<'t, 'p>(node: &'t Node<'p>) -> Option<&'t Node<'p>> {
    let is_kind_field = |field: &&Node<'p>| {
        matches!(field.key, "type" | "resource_type" | "entity_type" | "object" | "object_type")
            && field.has(form::is_word)
            && field.texts().iter().all(|text| is_kind(&text.to_lowercase()))
    };
    node.fields.iter().find(is_kind_field)
}
