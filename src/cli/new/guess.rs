//! What the fields of payloads mean to a task: the guesses that a source file is written of.

use serde_json::Value;

use super::assignee::{self, Assignee};
use super::change;
use super::form;
use super::kind;
use super::link;
use super::mapped::{self, Mapped};
use super::names::{self, Role};
use super::path::Path;
use super::places::{self, Trees};
use super::ticket;
use super::tree::Node;
use super::view::{Found, View, given, own, ranked};

/// Everything that was guessed. A role that nothing suits is `None`.
pub(super) struct Guess {
    /// `[task] each`, where the tickets stand in an array, or at several places.
    pub(super) each: Option<Each>,
    /// `[event] when`
    pub(super) when: Option<String>,
    /// The same without comments, where none was seen and they may come.
    pub(super) without_comments: Option<String>,
    pub(super) id: Option<Found>,
    pub(super) time: Option<Found>,
    /// Whether the time is that of one item of several.
    pub(super) is_time_of_item: bool,
    pub(super) status: Option<Mapped>,
    pub(super) title: Option<Found>,
    pub(super) text: Option<Found>,
    /// The address of the page for people.
    pub(super) link: Option<Found>,
    pub(super) priority: Option<Mapped>,
    pub(super) due: Option<Found>,
    pub(super) assignee: Option<Assignee>,
    /// What the ticket is called, such as `issue`.
    pub(super) kind: String,
    /// Whether the events say what changed, and not the whole ticket.
    pub(super) is_partial: bool,
    /// Whether no field of the ticket was empty: its sender may leave those out.
    pub(super) has_no_empty_field: bool,
    /// The path of the ticket.
    pub(super) ticket: String,
}

/// Where the tickets are, if not in the whole payload.
pub(super) struct Each {
    pub(super) expression: String,
    /// Whether the ticket stands at several places.
    pub(super) is_joined: bool,
}

/// Guesses what the fields of these payloads mean, in each way that may be right: the likeliest
/// first.
pub(super) fn guesses(payloads: &[Value]) -> Vec<Guess> {
    places::ways(payloads).iter().map(|places| guess_at(payloads, places)).collect()
}

/// Guesses with the ticket at these places.
fn guess_at(payloads: &[Value], places: &[Path]) -> Guess {
    let trees = Trees::of(payloads, places);
    let view = View::of(&trees);
    let id = find_id(&view);
    let (time, is_time_of_item) = find_time(&view);
    let status = mapped::find_status(&view);
    let title = find_title(&view);
    let kind = kind::word(&view);
    let when = kind::condition(&view);
    let without_comments = match kind::presence(&view) {
        Some(presence) if when.is_none() && view.each.is_none() => {
            Some(kind::without_comments(&presence))
        }
        _ => None,
    };
    let presence = kind::presence(&view).or_else(|| Some(id.as_ref()?.expression.clone()));
    let (each, when) = match view.each.clone() {
        None => (None, when.or(presence)),
        Some(each) if view.is_joined() => {
            let presence = if places.iter().any(|place| place.0.is_empty()) {
                let id = id.as_ref().map_or(".id", |id| &id.expression);
                format!("{each} | {id}")
            } else {
                each.clone()
            };
            (Some(each), when.or(Some(presence)))
        }
        Some(each) => match kind::condition_of_item(&view) {
            Some(condition) => (Some(format!("{each} | select({condition})")), when),
            None => (Some(each), when),
        },
    };
    let has_comments = kind::has_comments(&view);
    let when = when.map(|w| if has_comments { kind::without_comments(&w) } else { w });
    Guess {
        each: each.map(|expression| Each { expression, is_joined: view.is_joined() }),
        when,
        without_comments: without_comments.filter(|_| !has_comments),
        id,
        time,
        is_time_of_item,
        status,
        title,
        text: find_text(&view),
        link: link::find(&view),
        priority: mapped::find_priority(&view),
        due: find_due(&view),
        assignee: assignee::find(&view),
        kind,
        is_partial: is_partial(&view),
        has_no_empty_field: ticket::own_fields(view.ticket).iter().all(|field| !field.is_null()),
        ticket: view.expression(&view.ticket.path).unwrap_or_else(|| ".".to_owned()),
    }
}

/// Whether the events say what changed, and not what the ticket is like.
fn is_partial(view: &View<'_, '_>) -> bool {
    let roles = [Role::Status, Role::Title, Role::Priority, Role::Due, Role::Assignee];
    let is_record = roles
        .iter()
        .any(|role| change::find(view.root, *role).is_some_and(|change| !change.is_own_field()));
    own(view, Role::Status).is_none() && (is_record || own(view, Role::Title).is_none())
}

fn find_id(view: &View<'_, '_>) -> Option<Found> {
    let mut ids = Vec::new();
    for (score, node) in ranked(view, Role::Id) {
        if !node.has(form::is_id) {
            continue;
        }
        // What people read aloud is what they look for in HubSpot.
        let is_readable = node.has(form::is_readable_id);
        // One that some tickets lack is none.
        let given = node.values.iter().filter(|value| form::is_id(value)).count();
        let is_lacking = given < view.ticket.values.iter().filter(|v| v.is_object()).count();
        let points = if is_readable { 40 } else { 0 } - if is_lacking { 60 } else { 0 };
        ids.push((score + points, node));
    }
    ids.sort_by_key(|(score, _)| -score);
    let mut others = Vec::new();
    for (_, node) in &ids {
        others.extend(view.expression(&node.path));
    }
    let (score, node) = ids.first()?;
    if *score < 110
        && let Some((expression, seen)) = scoped_id(view)
    {
        return Some(Found { expression, seen, others });
    }
    let expression = view.expression(&node.path)?;
    others.retain(|other| *other != expression);
    Some(Found { expression, seen: node.texts().into_iter().next(), others })
}

/// The id of a ticket that is numbered within a project, such as `acme/shop#12`.
fn scoped_id(view: &View<'_, '_>) -> Option<(String, Option<String>)> {
    let number = ["number", "iid"].iter().find_map(|key| view.ticket.field(key))?;
    let mut scope = None;
    for around in view.around() {
        for project in ["repository", "project"] {
            for name in ["full_name", "path_with_namespace"] {
                let found = around.field(project).and_then(|project| project.field(name));
                scope = scope.or(found);
            }
        }
    }
    let scope = scope?;
    let expression = format!(
        r#""\({} // empty)#\({} // empty)""#,
        view.expression(&scope.path)?,
        view.expression(&number.path)?
    );
    let seen = scope.texts().first().zip(number.texts().first()).map(|(a, b)| format!("{a}#{b}"));
    Some((expression, seen))
}

/// The time of the change, and whether it is that of one item of several.
fn find_time(view: &View<'_, '_>) -> (Option<Found>, bool) {
    let mut times: Vec<(i32, &Node<'_>)> = ranked(view, Role::Updated);
    for around in view.around() {
        for field in &around.fields {
            times.push((names::score_happened(&field.words), field));
        }
    }
    for field in &view.ticket.fields {
        let score = names::score_happened(&field.words);
        // A ticket's own `date` and `created_at` are no time of a change.
        if score >= 95 {
            times.push((score, field));
        }
    }
    let mut best: Option<(i32, &Node<'_>)> = None;
    for (score, node) in times {
        let is_time = node.has(form::is_time);
        if score >= 60 && is_time && best.is_none_or(|(most, _)| score > most) {
            best = Some((score, node));
        }
    }
    let found = best.and_then(|(_, node)| {
        let is_of_item = !view.base.0.is_empty() && node.path.below(&view.base).is_some();
        let expression = if is_of_item { view.expression(&node.path)? } else { node.path.jq() };
        let seen = node.texts().into_iter().next();
        Some((Found { expression, seen, others: Vec::new() }, is_of_item))
    });
    match found {
        Some((found, is_of_item)) => (Some(found), is_of_item),
        None => (time_of_change(view), false),
    }
}

/// The time of a record of one change in an array.
fn time_of_change(view: &View<'_, '_>) -> Option<Found> {
    let record = change::find(view.root, Role::Status)
        .or_else(|| change::find(view.root, Role::Assignee))
        .or_else(|| change::find(view.root, Role::Due))?
        .record;
    let mut fields = record.fields.iter();
    let time = fields
        .find(|field| names::score_happened(&field.words) >= 60 && field.has(form::is_time))?;
    let expression = time.path.below(&view.base)?.jq().replace("[]?", "[0]");
    Some(Found { expression, seen: time.texts().into_iter().next(), others: Vec::new() })
}

fn find_title(view: &View<'_, '_>) -> Option<Found> {
    let mut titles = ranked(view, Role::Title);
    titles.retain(|(_, node)| node.has(form::is_line));
    // Beside a name, a summary is what it is about.
    if titles.iter().any(|(_, node)| node.key == "name") {
        titles.retain(|(_, node)| node.key != "summary");
    }
    if let Some((_, node)) = titles.first() {
        let expression = view.expression(&node.path)?;
        let seen = node.texts().into_iter().next();
        return Some(Found { expression, seen, others: Vec::new() });
    }
    let change = change::find(view.root, Role::Title)?;
    let expression = change.expression(&view.base, &Path::default())?;
    let seen = change.seen(&Path::default()).into_iter().next();
    Some(Found { expression, seen, others: Vec::new() })
}

fn find_text(view: &View<'_, '_>) -> Option<Found> {
    let title = find_title(view).map(|title| title.expression);
    let mut fields = ranked(view, Role::Text);
    // Znuny has the text of a ticket in its newest article.
    let article = view.ticket.like("article").and_then(|article| article.like("body"));
    fields.extend(article.map(|body| (0, body)));
    for (_, field) in fields {
        let parts = ["raw", "markdown", "plain", "text", "html"];
        let part = parts.iter().find_map(|key| field.field(key)).filter(|part| !part.is_null());
        let is_document = field.has(form::is_rich_text);
        let node = part.filter(|_| !is_document).unwrap_or(field);
        if !node.is_null() && !node.has(Value::is_string) && !node.has(form::is_rich_text) {
            continue;
        }
        let path = view.expression(&node.path)?;
        if title.as_ref() == Some(&path) {
            continue;
        }
        let plain = if node.has(form::is_rich_text) {
            "if type == \"object\" then plain else . end | "
        } else if node.has(form::is_html) {
            "plain | "
        } else {
            ""
        };
        let expression = format!("{} | {plain}cut(60000) | html", given(&path));
        let seen = node.texts().into_iter().next();
        return Some(Found { expression, seen, others: Vec::new() });
    }
    let change = change::find(view.root, Role::Text)?;
    let expression = change.expression(&view.base, &Path::default())?;
    let seen = change.seen(&Path::default()).into_iter().next();
    let expression = format!("{expression} | cut(60000) | html");
    Some(Found { expression, seen, others: Vec::new() })
}

fn find_due(view: &View<'_, '_>) -> Option<Found> {
    let mut fields = ranked(view, Role::Due);
    for field in ticket::own_fields(view.ticket) {
        for inner in &field.fields {
            let score = names::score(Role::Due, &inner.words) - 20;
            let is_own = !names::is_foreign(&field.words) && !names::is_past(&field.words);
            if score >= 60 && is_own {
                fields.push((score, inner));
            }
        }
    }
    // One with a value is surer than one that was empty.
    fields.sort_by_key(|(score, node)| if node.is_null() { 30 - score } else { -score });
    for (_, node) in fields {
        if node.is_null() || node.has(form::is_time) {
            let expression = given(&view.expression(&node.path)?);
            let seen = node.texts().into_iter().next();
            return Some(Found { expression, seen, others: Vec::new() });
        }
    }
    let change = change::find(view.root, Role::Due)?;
    let inner = change.new.fields.iter().find(|field| names::score_happened(&field.words) > 0);
    let inner = inner.map(|field| Path::default().field(field.key)).unwrap_or_default();
    let expression = change.expression(&view.base, &inner)?;
    let seen = change.seen(&inner).into_iter().next();
    Some(Found { expression, seen, others: Vec::new() })
}
