//! The address at which people see a ticket.

use serde_json::Value;

use super::names::Role;
use super::tree::Node;
use super::view::{Found, View, ranked};

/// Parts of addresses that programs ask for.
const OF_PROGRAMS: [&str; 5] = ["/api/", "/_apis/", "/rest/", "://api.", "://api2."];

/// The surest guess.
pub(super) fn find(view: &View<'_, '_>) -> Option<Found> {
    let mut links = ranked(view, Role::Link);
    if let Some(html) = view.ticket.field("_links").and_then(|links| links.field("html")) {
        links.extend(html.field("href").map(|href| (100, href)));
    }
    links.retain(|(_, node)| node.has(is_for_people));
    links.sort_by_key(|(score, _)| -score);
    let (_, node) = links.first()?;
    Some(Found { expression: view.expression(&node.path)?, seen: seen(node), others: Vec::new() })
}

fn seen(node: &Node<'_>) -> Option<String> {
    node.texts().into_iter().next()
}

/// Whether a value is the address of a page.
fn is_for_people(value: &Value) -> bool {
    let Some(text) = value.as_str() else { return false };
    let is_page = text.starts_with("https://") || text.starts_with("http://");
    is_page && !OF_PROGRAMS.iter().any(|part| text.contains(part))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::new::guess::guesses;
    use crate::cli::new::names;

    #[test]
    fn a_link_is_for_people() {
        let link = |ticket: Value| {
            let mut guesses = guesses(&[json!({"issue": ticket})]);
            guesses.swap_remove(0).link.map(|link| link.expression)
        };
        let (page, api) = ("https://desk.example/1", "https://desk.example/api/v1/1");
        let ticket = json!({"id": 1, "title": "x", "url": api, "html_url": page});
        assert_eq!(link(ticket).as_deref(), Some(".issue.html_url"));
        let ticket = json!({"id": 1, "title": "x", "_links": {"html": {"href": page}}});
        assert_eq!(link(ticket).as_deref(), Some(".issue._links.html.href"));
        assert_eq!(link(json!({"id": 1, "title": "x", "url": api})), None);
        assert_eq!(
            link(json!({"id": 1, "title": "x", "url": page})).as_deref(),
            Some(".issue.url")
        );
        assert_eq!(names::score(Role::Link, &["permalink".to_owned()]), 95);
    }
}
