//! The places of the ticket in payloads of different forms.

use serde_json::Value;

use super::form;
use super::names::{self, Role};
use super::path::{Path, Step};
use super::ticket;
use super::tree::Node;

/// The fewest points of a ticket, in a payload that isn't the first.
const LEAST: i32 = 50;

/// How many more points a payload's own ticket has than what stands at another payload's place.
const MARGIN: i32 = 10;

/// The places of the ticket, of which several are joined by jq's `//`, in each way that may be
/// right; the likeliest first.
pub(super) fn ways(payloads: &[Value]) -> Vec<Vec<Path>> {
    let places = places(payloads);
    let mut ways = Vec::new();
    if places.len() > 1 && places.iter().all(|place| !place.has_items()) {
        let mut joined = places.clone();
        // What stands within another place has to be asked for before that.
        joined.sort_by_key(|place| std::cmp::Reverse(place.0.len()));
        ways.push(joined);
    }
    ways.extend(places.into_iter().map(|place| vec![place]));
    ways
}

/// The places of the payloads' tickets, each once: the first payload's, and others where a ticket
/// stands for certain.
fn places(payloads: &[Value]) -> Vec<Path> {
    let mut places = Vec::new();
    for payload in payloads {
        let root = Node::of(std::slice::from_ref(payload));
        let found = ticket::find(&root);
        if places.is_empty() {
            places.push(found.path.clone());
            continue;
        }
        let points = ticket::score(found);
        let known = places.iter().filter_map(|place| root.at(place));
        let most = known.map(ticket::score).max();
        let is_surer = most.is_none_or(|most| points >= most + MARGIN);
        if points >= LEAST && is_surer && has_id(found) && !places.contains(&found.path) {
            places.push(found.path.clone());
        }
    }
    places
}

fn has_id(ticket: &Node<'_>) -> bool {
    let is_id = |field: &Node<'_>| names::score(Role::Id, &field.words) >= 60;
    ticket.fields.iter().any(|field| is_id(field) && field.has(form::is_id))
}

/// Payloads as trees: the whole ones, and where tickets stand at several places those alone.
pub(super) struct Trees<'p> {
    pub(super) root: Node<'p>,
    /// The tickets, if they stand at several places.
    pub(super) tickets: Option<Node<'p>>,
    pub(super) places: &'p [Path],
}

impl<'p> Trees<'p> {
    /// The trees of payloads whose tickets stand at these places.
    pub(super) fn of(payloads: &'p [Value], places: &'p [Path]) -> Self {
        let root = Node::of(payloads);
        let mut tickets = None;
        if let [first, _, ..] = places {
            let mut values = Vec::new();
            for payload in payloads {
                values.extend(places.iter().find_map(|place| at(payload, place)));
            }
            let key = first.last_key().unwrap_or_default();
            tickets = Some(Node::with(key, Path(vec![Step::Ticket]), values));
        }
        Self { root, tickets, places }
    }
}

/// What jq finds at a place; `None` if `//` would go on.
fn at<'p>(payload: &'p Value, place: &Path) -> Option<&'p Value> {
    let mut value = payload;
    for key in place.keys() {
        value = value.get(key)?;
    }
    Some(value).filter(|value| !value.is_null() && **value != Value::Bool(false))
}

/// The expression for a ticket at several places.
pub(super) fn joined(places: &[Path]) -> String {
    places.iter().map(Path::jq).collect::<Vec<_>>().join(" // ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn first_way(payloads: &[Value]) -> String {
        joined(&ways(payloads)[0])
    }

    #[test]
    fn a_ticket_may_stand_at_several_places() {
        let ticket = json!({"id": 7, "title": "x", "status": "open", "priority": "high"});
        let created = json!({"resource": ticket});
        let change = json!({"status": {"oldValue": "new", "newValue": "open"}});
        let updated = json!({"resource": {"id": 2, "fields": change, "revision": ticket}});
        let both = [created.clone(), updated.clone()];
        assert_eq!(first_way(&both), ".resource.revision // .resource");
        assert_eq!(first_way(&[updated, created]), ".resource.revision // .resource");
        let flat = json!({"event": "closed", "id": 7, "title": "x", "status": "open"});
        assert_eq!(first_way(&[flat, json!({"ticket": ticket})]), ".ticket // .");
    }

    #[test]
    fn what_is_no_ticket_is_no_place() {
        let ticket = json!({"id": 7, "title": "x", "status": "open"});
        let opened = json!({"issue": ticket});
        let comment = json!({"issue": ticket, "comment": {"id": 3, "body": "x"}});
        let user = json!({"user": {"id": 3, "name": "Ada"}});
        let many = json!({"issues": [ticket]});
        assert_eq!(first_way(&[opened.clone(), comment, user]), ".issue");
        assert_eq!(first_way(&[opened, many]), ".issue");
    }
}
