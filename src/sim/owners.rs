//! `GET /crm/v3/owners`.

use serde_json::{Value, json};

use super::{
    answer::Answer,
    refusal::{self, Refusal},
    request::Request,
    seed::Owner,
};

/// Gives each owner the number of a user, which is never that of an owner.
pub(super) fn complete(owners: &mut [Owner]) {
    for (owner, number) in owners.iter_mut().zip(FIRST_USER..) {
        if owner.user_id == 0 {
            owner.user_id = number;
        }
    }
}

/// Lists the owners, or those with exactly this `email`; `archived` lists those that were removed;
/// `limit` and `after` page.
pub(super) fn list(owners: &[Owner], request: &Request) -> Result<Answer, Refusal> {
    let limit = request.number("limit", 100)?;
    let after = request.number("after", 0)?;
    let archived = request.flag("archived")?;
    if !(1..=MOST_OWNERS).contains(&limit) {
        let message = format!("limit must be between 1 and {MOST_OWNERS}, not {limit}");
        return Err(refusal::validation(message));
    }
    let email = request.parameter("email");
    let has_email = |owner: &Owner| email.as_ref().is_none_or(|email| owner.email == *email);
    let found: Vec<&Owner> =
        owners.iter().filter(|owner| owner.archived == archived && has_email(owner)).collect();
    let page = found.iter().skip(after).take(limit);
    let results: Vec<Value> = page.map(|owner| view(owner)).collect();
    let next = after.saturating_add(limit);
    Ok(Answer::page(&results, (next < found.len()).then_some(next), limit))
}

/// Shows one owner; `idProperty=userId` goes by the number of the user.
pub(super) fn show(owners: &[Owner], id: &str, request: &Request) -> Result<Answer, Refusal> {
    let archived = request.flag("archived")?;
    let id_property = request.parameter("idProperty");
    let is = |owner: &&Owner| match id_property.as_deref() {
        Some("userId") => owner.archived == archived && owner.user_id.to_string() == id,
        _ => owner.archived == archived && owner.id == id,
    };
    if id_property.as_deref().is_some_and(|name| !["id", "userId"].contains(&name)) {
        return Err(refusal::validation("idProperty must be id or userId"));
    }
    let owner = owners.iter().find(is);
    let owner = owner.ok_or_else(|| {
        Refusal::new(404, "OBJECT_NOT_FOUND", "Owner not found").context("id", &[id])
    })?;
    Ok(Answer::json(200, view(owner)))
}

/// The owner with the fields filled in that HubSpot always shows. A user who was removed is shown
/// as inactive only.
fn view(owner: &Owner) -> Value {
    let mut shown = json!(owner);
    for (name, value) in [
        ("type", "PERSON"),
        ("createdAt", "2024-01-01T00:00:00.000Z"),
        ("updatedAt", "2024-01-01T00:00:00.000Z"),
    ] {
        if shown.get(name).is_none() {
            shown[name] = value.into();
        }
    }
    shown["userIdIncludingInactive"] = owner.user_id.into();
    if owner.archived
        && let Some(fields) = shown.as_object_mut()
    {
        fields.remove("userId");
    }
    shown
}

/// Users that have no number of their own count up from here.
const FIRST_USER: u64 = 70_000_001;

/// HubSpot's most owners on one page.
const MOST_OWNERS: usize = 500;
