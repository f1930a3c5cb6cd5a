//! Who a ticket is assigned to.

use super::change;
use super::form;
use super::names::{self, Role, is_past};
use super::path::Path;
use super::tree::Node;
use super::view::{View, given, ranked};

/// Fields of a person that have an e-mail address.
const EMAILS: [&str; 7] =
    ["email", "mail", "emailAddress", "uniqueName", "userEmail", "login", "username"];

/// Fields of a person that name him to his ticket system.
const LOGINS: [&str; 7] = ["login", "username", "name", "displayName", "summary", "id", "gid"];

/// The guess about the assignee.
pub(super) struct Assignee {
    /// An expression for the e-mail address, else for a name that has to be matched by hand.
    pub(super) expression: String,
    pub(super) is_email: bool,
    /// Whether nobody was assigned, so that the field with the address is that of someone else.
    pub(super) is_doubtful: bool,
    pub(super) seen: Option<String>,
}

/// The surest guess.
pub(super) fn find(view: &View<'_, '_>) -> Option<Assignee> {
    let mut fields = ranked(view, Role::Assignee);
    for around in view.around() {
        for field in &around.fields {
            let score = names::score(Role::Assignee, &field.words) - 20;
            if score >= 60 && !is_past(&field.words) {
                fields.push((score, field));
            }
        }
    }
    // An address is worth more than a surer name without one.
    let mut found = Vec::new();
    for (_, field) in fields {
        found.extend(read(view, field));
    }
    let email = found.iter().position(|assignee| assignee.is_email && !assignee.is_doubtful);
    let email = email.or_else(|| found.iter().position(|assignee| assignee.is_email));
    if let Some(index) = email {
        return Some(found.swap_remove(index));
    }
    found.into_iter().next().or_else(|| of_change(view))
}

fn read(view: &View<'_, '_>, field: &Node<'_>) -> Option<Assignee> {
    let path = view.expression(&field.path)?;
    let seen = |node: &Node<'_>| node.texts().into_iter().next();
    let with_email = |expression: String, seen: Option<String>| {
        Some(Assignee { expression, is_email: true, is_doubtful: false, seen })
    };
    if field.has(form::is_email) {
        return with_email(given(&path), seen(field));
    }
    if field.has(form::is_named_email) {
        let expression = format!(
            "{} | if . then capture(\"<(?<mail>[^<>]+)>\").mail else null end",
            given(&path)
        );
        return with_email(expression, seen(field));
    }
    let person = field.items.as_deref().unwrap_or(field);
    let place = |key: &str| {
        let inner = Path::default().field(key).jq();
        match field.items {
            Some(_) => format!("{} | .[0]{inner}", given(&path)),
            None => given(&format!("{path}{inner}")),
        }
    };
    for key in EMAILS {
        if let Some(email) = person.like(key).filter(|email| email.has(form::is_email)) {
            return with_email(place(email.key), seen(email));
        }
    }
    if field.is_null() {
        let key = email_field_of_others(view)?;
        let expression = place(key);
        return Some(Assignee { expression, is_email: true, is_doubtful: true, seen: None });
    }
    for key in LOGINS {
        if let Some(login) = person.like(key).filter(|login| login.has(form::is_id)) {
            let seen = seen(login);
            let expression = place(login.key);
            return Some(Assignee { expression, is_email: false, is_doubtful: false, seen });
        }
    }
    let is_login = field.has(form::is_id) || field.has(form::is_line);
    is_login.then(|| Assignee {
        expression: given(&path),
        is_email: false,
        is_doubtful: false,
        seen: seen(field),
    })
}

/// The field with the e-mail address of another person in the payload.
fn email_field_of_others<'p>(view: &View<'_, 'p>) -> Option<&'p str> {
    for node in view.root.all() {
        for key in EMAILS {
            if let Some(email) = node.like(key).filter(|email| email.has(form::is_email)) {
                return Some(email.key);
            }
        }
    }
    None
}

/// The assignee as the record of one change has it.
fn of_change(view: &View<'_, '_>) -> Option<Assignee> {
    let change = change::find(view.root, Role::Assignee)?;
    let mut inner = Path::default();
    let mut is_email = change.seen(&inner).iter().any(|seen| form::is_email(&seen.as_str().into()));
    for key in EMAILS {
        let email = change.new.like(key);
        if let Some(email) = email.filter(|email| email.has(form::is_email)) {
            inner = inner.field(email.key);
            is_email = true;
            break;
        }
    }
    let expression = change.expression(&view.base, &inner)?;
    let seen = change.seen(&inner).into_iter().next();
    Some(Assignee { expression, is_email, is_doubtful: false, seen })
}
