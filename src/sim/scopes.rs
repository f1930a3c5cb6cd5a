//! Scopes: the permissions of a token.

use serde_json::Value;

use super::{
    refusal::{self, Refusal},
    request::Request,
    route::{Definitions, Operation, Place},
    schema::Schema,
};

/// The scopes that the token was granted; without a list, all.
#[derive(Clone, Debug, Default)]
pub(super) struct Scopes(pub(super) Option<Vec<String>>);

impl Scopes {
    /// Refuses a call whose token lacks the scope for its place, or for a sensitive property that
    /// it writes.
    pub(super) fn check(
        &self,
        place: &Place,
        request: &Request,
        schema: &Schema,
    ) -> Result<(), Refusal> {
        self.require(needed(place))?;
        if writes_tasks(place) {
            for name in written(&request.body) {
                if let Some(property) = schema.get(&name) {
                    self.require_sensitive(property.sensitivity(), "write")?;
                }
            }
        }
        Ok(())
    }

    /// Refuses to `read` or `write` properties of this sensitivity without their own scope.
    pub(super) fn require_sensitive(&self, sensitivity: &str, verb: &str) -> Result<(), Refusal> {
        match sensitivity {
            "non_sensitive" => Ok(()),
            level => self.require(&[&format!("crm.objects.contacts.{level}.{verb}")]),
        }
    }

    /// Refuses a token that was granted none of these.
    fn require(&self, any: &[&str]) -> Result<(), Refusal> {
        let Some(granted) = &self.0 else { return Ok(()) };
        for scope in granted {
            if any.contains(&scope.as_str()) {
                return Ok(());
            }
        }
        Err(refusal::missing_scopes(any))
    }
}

/// The scopes of a place, of which one is enough. Tasks have no scopes of their own, but go by the
/// contacts' ones.
fn needed(place: &Place) -> &'static [&'static str] {
    match place {
        Place::Owners | Place::Owner(_) => &["crm.objects.owners.read"],
        Place::Definitions(
            Definitions::List
            | Definitions::Show(_)
            | Definitions::BatchRead
            | Definitions::Groups
            | Definitions::ShowGroup(_),
        ) => &["crm.objects.contacts.read", "crm.schemas.contacts.read"],
        Place::Definitions(_) => &["crm.schemas.contacts.write"],
        Place::ListTasks
        | Place::ReadTask(_)
        | Place::SearchTasks
        | Place::Batch(Operation::Read) => &["crm.objects.contacts.read"],
        _ => &["crm.objects.contacts.write"],
    }
}

fn writes_tasks(place: &Place) -> bool {
    match place {
        Place::Batch(operation) => *operation != Operation::Read,
        Place::CreateTask | Place::UpdateTask(_) => true,
        _ => false,
    }
}

/// The names of the properties that a body writes.
fn written(body: &[u8]) -> Vec<String> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let inputs = match body["inputs"].as_array() {
        Some(inputs) => inputs.as_slice(),
        None => std::slice::from_ref(&body),
    };
    let mut names = Vec::new();
    for input in inputs {
        for name in input["properties"].as_object().into_iter().flat_map(|all| all.keys()) {
            names.push(name.clone());
        }
    }
    names
}
