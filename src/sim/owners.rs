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
    let mut found = Vec::new();
    for owner in owners {
        if owner.archived == archived && email.as_ref().is_none_or(|email| owner.email == *email) {
            found.push(owner);
        }
    }
    let results: Vec<Value> =
        found.iter().skip(after).take(limit).map(|owner| view(owner)).collect();
    let next = after.saturating_add(limit);
    Ok(Answer::page(&results, (next < found.len()).then_some(next), limit))
}

/// Shows one owner; `idProperty=userId` goes by the number of the user.
pub(super) fn show(owners: &[Owner], id: &str, request: &Request) -> Result<Answer, Refusal> {
    let archived = request.flag("archived")?;
    let by_user = match request.parameter("idProperty").as_deref() {
        None | Some("id") => false,
        Some("userId") => true,
        Some(_) => return Err(refusal::validation("idProperty must be id or userId")),
    };
    for owner in owners {
        let is_meant = if by_user { owner.user_id.to_string() == id } else { owner.id == id };
        if is_meant && owner.archived == archived {
            return Ok(Answer::json(200, view(owner)));
        }
    }
    Err(Refusal::new(404, "OBJECT_NOT_FOUND", "Owner not found").context("id", &[id]))
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
