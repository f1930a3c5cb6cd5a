//! Statuses and priorities: values that are one of a few.

use super::change;
use super::form;
use super::kind;
use super::names::{self, Role};
use super::path;
use super::priorities;
use super::tree::Node;
use super::view::{Found, View, given, ranked};
use super::vocabulary;

/// A guess about values that are one of a few.
pub(super) struct Mapped {
    pub(super) found: Found,
    pub(super) rows: Vec<Row>,
    /// Rows that weren't seen.
    pub(super) usual: Vec<vocabulary::Usual>,
    /// Whether it is clear how those are written.
    pub(super) is_clear: bool,
    /// Whether it is what happened to the ticket, and not the state that it is in.
    pub(super) is_action: bool,
}

/// A value that was seen.
pub(super) struct Row {
    pub(super) given: String,
    pub(super) written: &'static str,
    /// Whether the value's words are known.
    pub(super) is_known: bool,
}

/// The most values of a status that are taken for a status.
const ROWS: usize = 40;

/// The guess about the status.
pub(super) fn find_status(view: &View<'_, '_>) -> Option<Mapped> {
    let mut best: Option<(i32, &Node<'_>)> = None;
    for (score, node) in ranked(view, Role::Status) {
        let Some(word) = word_of(node, vocabulary::status) else { continue };
        let is_known = word.texts().iter().any(|text| vocabulary::status(text).is_some());
        let score = score + if is_known { 30 } else { 0 };
        if best.is_none_or(|(most, _)| score > most) {
            best = Some((score, word));
        }
    }
    if let Some((_, node)) = best {
        let expression = view.expression(&node.path)?;
        return mapped(expression, node.texts(), false, vocabulary::status);
    }
    if let Some(change) = change::find(view.root, Role::Status) {
        let inner = word_of(&change.new, vocabulary::status)?.path.below(&change.new.path)?;
        let expression = change.expression(&view.base, &inner)?;
        return mapped(expression, change.seen(&inner), false, vocabulary::status);
    }
    if let Some(place) = place_of(view) {
        let expression = view.expression(&place.path)?;
        return mapped(expression, place.texts(), false, vocabulary::status);
    }
    let action = kind::action(view)?;
    let expression = view.expression(&action.path)?;
    mapped(expression, action.texts(), true, vocabulary::action)
}

/// The word beside the ticket that says how far it is, such as the list of its card.
fn place_of<'t, 'p>(view: &View<'t, 'p>) -> Option<&'t Node<'p>> {
    let mut best: Option<(i32, &Node<'_>)> = None;
    for around in view.around() {
        for field in &around.fields {
            let score = names::score_place(&field.words);
            let Some(word) = word_of(field, vocabulary::status) else { continue };
            let is_known = word.texts().iter().all(|text| vocabulary::status(text).is_some());
            if score > 0 && is_known && best.is_none_or(|(most, _)| score > most) {
                best = Some((score, word));
            }
        }
    }
    best.map(|(_, word)| word)
}

/// The guess about the priority.
pub(super) fn find_priority(view: &View<'_, '_>) -> Option<Mapped> {
    for (_, node) in ranked(view, Role::Priority) {
        if let Some(word) = word_of(node, vocabulary::priority) {
            let expression = given(&view.expression(&word.path)?);
            return mapped(expression, word.texts(), false, vocabulary::priority);
        }
        if node.is_null() {
            let expression = given(&view.expression(&node.path)?);
            return mapped(expression, Vec::new(), false, vocabulary::priority);
        }
    }
    let Some(change) = change::find(view.root, Role::Priority) else { return of_labels(view) };
    let inner = word_of(&change.new, vocabulary::priority)?.path.below(&change.new.path)?;
    let expression = change.expression(&view.base, &inner)?;
    mapped(expression, change.seen(&inner), false, vocabulary::priority)
}

/// The priority that stands among the labels of the ticket.
fn of_labels(view: &View<'_, '_>) -> Option<Mapped> {
    for key in ["labels", "tags"] {
        let Some(labels) = view.ticket.field(key) else { continue };
        let Some(label) = labels.items.as_deref() else { continue };
        let (name, inner) = match label.field("name") {
            Some(name) => (name, ".[]?.name"),
            None => (label, ".[]?"),
        };
        let mut seen = name.texts();
        seen.retain(|text| vocabulary::label(text).is_some());
        let Some(pattern) = seen.first().and_then(|text| vocabulary::label(text)) else { continue };
        let path = given(&view.expression(&labels.path)?);
        let chosen = format!("{inner} | strings | select(test({}; \"i\"))", path::text(pattern));
        return mapped(format!("{path} | [{chosen}][0]"), seen, false, vocabulary::priority);
    }
    None
}

/// A guess about these values. `None` of more than a status has.
fn mapped(
    expression: String,
    texts: Vec<String>,
    is_action: bool,
    meaning: fn(&str) -> Option<&'static str>,
) -> Option<Mapped> {
    if texts.len() > ROWS {
        return None;
    }
    let is_priority = meaning("urgent").is_some();
    let unseen = if is_priority { priorities::unseen(&texts) } else { None };
    let is_clear = unseen.is_some();
    let usual = match () {
        () if is_priority => unseen.unwrap_or_else(|| vocabulary::usual_priorities(&texts)),
        () if is_action => vocabulary::usual_actions(&texts),
        () => vocabulary::usual_statuses(&texts),
    };
    let mut rows: Vec<Row> = Vec::new();
    for given in &texts {
        let written = meaning(given);
        let is_unknown_action = is_action && written.is_none();
        if given.trim().is_empty() || is_unknown_action {
            continue;
        }
        let otherwise = if is_priority { "MEDIUM" } else { "NOT_STARTED" };
        let is_known = written.is_some();
        rows.push(Row { given: given.clone(), written: written.unwrap_or(otherwise), is_known });
    }
    // Beside `new`, which nobody works on yet, `open` is what somebody does.
    if rows.iter().any(|row| row.given.eq_ignore_ascii_case("new")) {
        for row in rows.iter_mut().filter(|row| row.given.eq_ignore_ascii_case("open")) {
            row.written = "IN_PROGRESS";
        }
    }
    if rows.is_empty() && !is_priority {
        return None;
    }
    let seen = texts.into_iter().next();
    let found = Found { expression, seen, others: Vec::new() };
    Some(Mapped { found, rows, usual, is_clear, is_action })
}

/// The place of the word that a status or a priority is: itself, or a field of the object that it
/// is.
fn word_of<'t, 'p>(
    node: &'t Node<'p>,
    meaning: fn(&str) -> Option<&'static str>,
) -> Option<&'t Node<'p>> {
    if node.has(form::is_word) && !node.is_object() {
        return Some(node);
    }
    let mut best: Option<(i32, &Node<'_>)> = None;
    for field in node.all().into_iter().skip(1) {
        let depth = field.path.0.len() - node.path.0.len();
        let is_word = field.has(form::is_word);
        let is_far = depth > 2 || field.path.has_items() != node.path.has_items();
        if !is_word || is_far {
            continue;
        }
        let place = match field.key {
            "category" => 50,
            "status" => 32,
            "type" => 30,
            "name" => 28,
            "value" => 26,
            "label" | "text" | "title" | "summary" | "displayName" | "display_name" => 24,
            "key" | "slug" => 20,
            _ => continue,
        };
        let is_category = field.path.keys().any(|key| key.to_lowercase().ends_with("category"));
        let is_known = field.texts().iter().any(|text| meaning(text).is_some());
        let score = place
            + if is_category { 20 } else { 0 }
            // A category's name may be in the language of the account, its key isn't.
            + if is_category && field.key == "key" { 20 } else { 0 }
            + if is_known { 60 } else { 0 }
            + if field.key == "type" && !is_known { -40 } else { 0 };
        if score > 0 && best.is_none_or(|(most, _)| score > most) {
            best = Some((score, field));
        }
    }
    best.map(|(_, field)| field)
}
