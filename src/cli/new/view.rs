//! A ticket within its payload, seen from where expressions look at it.

use super::names::{self, Role};
use super::path::{Path, Step};
use super::places::{self, Trees};
use super::ticket;
use super::tree::Node;

/// A guess.
pub(super) struct Found {
    pub(super) expression: String,
    /// A value that was seen.
    pub(super) seen: Option<String>,
    /// Other expressions that may be meant.
    pub(super) others: Vec<String>,
}

/// A ticket within its payload, and the place from which expressions look at it.
pub(super) struct View<'t, 'p> {
    /// Where records of changes may stand.
    pub(super) root: &'t Node<'p>,
    pub(super) ticket: &'t Node<'p>,
    /// Where `.` is in expressions: the whole payload, or one element of `each`.
    pub(super) base: Path,
    /// `[task] each`, where that isn't the whole payload.
    pub(super) each: Option<String>,
    around: Vec<&'t Node<'p>>,
}

impl<'t, 'p> View<'t, 'p> {
    /// The view of these payloads.
    pub(super) fn of(trees: &'t Trees<'p>) -> Self {
        let Trees { root, tickets, places } = trees;
        let mut around: Vec<&Node<'_>> = Vec::new();
        for place in *places {
            for length in 0..place.0.len() {
                let path = Path(place.0[..length].to_vec());
                let is_known = around.iter().any(|node| node.path == path);
                // A place within another one's ticket has that around it in some payloads.
                if !is_known && !places.contains(&path) {
                    around.extend(root.at(&path));
                }
            }
        }
        if let Some(ticket) = tickets {
            let each = Some(places::joined(places));
            return Self { root: ticket, ticket, base: ticket.path.clone(), each, around };
        }
        let ticket = places.first().and_then(|place| root.at(place)).unwrap_or(root);
        let base = ticket.path.last_items().unwrap_or_default();
        let each = if base.0.is_empty() { None } else { Some(base.jq()) };
        Self { root, ticket, base, each, around }
    }

    /// Whether the ticket stands at several places.
    pub(super) fn is_joined(&self) -> bool {
        self.base.0.first() == Some(&Step::Ticket)
    }

    /// The expression for a place; `None` for one in another array.
    pub(super) fn expression(&self, path: &Path) -> Option<String> {
        match path.below(&self.base) {
            Some(below) if !below.has_items() => Some(below.jq()),
            None if !path.has_items() => Some(format!("$event{}", path.jq())),
            _ => None,
        }
    }

    /// The objects around the ticket, the whole payload first.
    pub(super) fn around(&self) -> Vec<&'t Node<'p>> {
        self.around.clone()
    }
}

/// The fields of the ticket that mean a role, the surest first.
pub(super) fn ranked<'t, 'p>(view: &View<'t, 'p>, role: Role) -> Vec<(i32, &'t Node<'p>)> {
    let mut ranked = Vec::new();
    for field in ticket::own_fields(view.ticket) {
        let score = names::score(role, &field.words);
        if score >= 30 {
            ranked.push((score, field));
        }
    }
    ranked.sort_by_key(|(score, _)| -score);
    ranked
}

/// The surest field of the ticket that means a role.
pub(super) fn own<'t, 'p>(view: &View<'t, 'p>, role: Role) -> Option<&'t Node<'p>> {
    ranked(view, role).first().map(|(_, node)| *node)
}

/// A path with what it means to lack it.
pub(super) fn given(path: &str) -> String {
    match path.strip_prefix("$event") {
        Some(path) => format!("$event | given({path})"),
        None => format!("given({path})"),
    }
}
