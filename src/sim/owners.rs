//! `GET /crm/v3/owners`.

use serde_json::{Value, json};

use super::{
    answer::{Answer, Request},
    refusal::{self, Refusal},
    seed::Owner,
};

/// Lists the owners, or those with exactly this `email`; `limit` and `after` page.
pub(super) fn list(owners: &[Owner], request: &Request) -> Result<Answer, Refusal> {
    let number = |name: &str, default: usize| match request.parameter(name) {
        None => Ok(default),
        Some(text) => text.parse().map_err(|_| refusal::validation(format!("{name} must be a number, not {text}"))),
    };
    let limit = number("limit", 100)?;
    let after = number("after", 0)?;
    if !(1..=MOST_OWNERS).contains(&limit) {
        let message = format!("limit must be between 1 and {MOST_OWNERS}, not {limit}");
        return Err(refusal::validation(message));
    }
    let email = request.parameter("email");
    let asked = |owner: &&Owner| email.as_ref().is_none_or(|email| owner.email == *email);
    let found: Vec<&Owner> = owners.iter().filter(asked).collect();
    let page = found.iter().skip(after).take(limit);
    let results: Vec<Value> = page.map(|owner| view(owner)).collect();
    let mut body = json!({ "results": results });
    let next = after.saturating_add(limit);
    if next < found.len() {
        body["paging"] = json!({"next": {"after": next.to_string(), "link": format!("?after={next}&limit={limit}")}});
    }
    Ok(Answer::json(200, body))
}

/// Shows one owner.
pub(super) fn show(owners: &[Owner], id: &str) -> Result<Answer, Refusal> {
    let owner = owners.iter().find(|owner| owner.id == id);
    let owner = owner.ok_or_else(|| Refusal::new(404, "OBJECT_NOT_FOUND", "Owner not found").context("id", &[id]))?;
    Ok(Answer::json(200, view(owner)))
}

/// The owner with the fields filled in that HubSpot always shows.
fn view(owner: &Owner) -> Value {
    let mut owner = owner.clone();
    let fields = [
        ("type", "PERSON".into()),
        ("createdAt", "2024-01-01T00:00:00.000Z".into()),
        ("updatedAt", "2024-01-01T00:00:00.000Z".into()),
        ("archived", false.into()),
    ];
    for (name, value) in fields {
        owner.rest.entry(name).or_insert(value);
    }
    json!(owner)
}

/// HubSpot's most owners on one page.
const MOST_OWNERS: usize = 500;
