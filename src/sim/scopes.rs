//! Scopes: the permissions of a token.

use serde_json::Value;

use super::{
    object::ObjectType,
    objects::Objects,
    refusal::{self, Refusal},
    request::Request,
    route::{Definitions, Operation, Place, Records},
};

/// The scopes that the token was granted; without a list, all.
#[derive(Clone, Debug, Default)]
pub(super) struct Scopes(pub(super) Option<Vec<String>>);

impl Scopes {
    /// Refuses a call whose token lacks a scope for its place, or for a sensitive property that it
    /// writes.
    pub(super) fn check(
        &self,
        place: &Place,
        request: &Request,
        objects: &Objects,
    ) -> Result<(), Refusal> {
        for any in needed(place) {
            self.require(any)?;
        }
        let Some(object) = written_object(place) else { return Ok(()) };
        for name in written(&request.body) {
            if let Some(property) = objects[object].schema.get(&name) {
                self.require_sensitive(object, property.sensitivity(), "write")?;
            }
        }
        Ok(())
    }

    /// Refuses to `read` or `write` properties of this sensitivity without their own scope.
    pub(super) fn require_sensitive(
        &self,
        object: ObjectType,
        sensitivity: &str,
        verb: &str,
    ) -> Result<(), Refusal> {
        // Tasks have no scopes of their own, but go by the contacts' ones.
        let name = if object == ObjectType::Tasks { "contacts" } else { object.plural() };
        match sensitivity {
            "non_sensitive" => Ok(()),
            level => self.require(&[&format!("crm.objects.{name}.{level}.{verb}")]),
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

/// The scopes of a place. Of each list one is enough.
fn needed(place: &Place) -> Vec<&'static [&'static str]> {
    match place {
        Place::Owners | Place::Owner(_) => vec![&["crm.objects.owners.read"]],
        Place::Definitions(
            object,
            Definitions::List
            | Definitions::Show(_)
            | Definitions::BatchRead
            | Definitions::Groups
            | Definitions::ShowGroup(_),
        ) => vec![to_read_definitions(*object)],
        Place::Definitions(object, _) => vec![to_write_definitions(*object)],
        Place::Records(object, call) if call.reads() => vec![to_read(*object)],
        Place::Records(object, _) => vec![to_write(*object)],
        // The specification lists all scopes of all objects, of which any one is to be enough.
        // Nobody knows what HubSpot makes of it, so each end needs its own.
        Place::Associations(ends, call) if call.reads() => {
            vec![to_read(ends.from), to_read(ends.to)]
        }
        Place::Associations(ends, _) => vec![to_write(ends.from), to_read(ends.to)],
    }
}

/// Tasks have no scopes of their own, but go by the contacts' ones. Those of tickets are older than
/// the others.
fn to_read(object: ObjectType) -> &'static [&'static str] {
    match object {
        ObjectType::Tasks | ObjectType::Contacts => &["crm.objects.contacts.read"],
        ObjectType::Companies => &["crm.objects.companies.read"],
        ObjectType::Deals => &["crm.objects.deals.read"],
        ObjectType::Tickets => &["tickets", "crm.objects.tickets.read"],
    }
}

fn to_write(object: ObjectType) -> &'static [&'static str] {
    match object {
        ObjectType::Tasks | ObjectType::Contacts => &["crm.objects.contacts.write"],
        ObjectType::Companies => &["crm.objects.companies.write"],
        ObjectType::Deals => &["crm.objects.deals.write"],
        ObjectType::Tickets => &["tickets", "crm.objects.tickets.write"],
    }
}

fn to_read_definitions(object: ObjectType) -> &'static [&'static str] {
    match object {
        ObjectType::Tasks | ObjectType::Contacts => {
            &["crm.objects.contacts.read", "crm.schemas.contacts.read"]
        }
        ObjectType::Companies => &["crm.objects.companies.read", "crm.schemas.companies.read"],
        ObjectType::Deals => &["crm.objects.deals.read", "crm.schemas.deals.read"],
        ObjectType::Tickets => &["tickets", "crm.objects.tickets.read", "crm.schemas.tickets.read"],
    }
}

fn to_write_definitions(object: ObjectType) -> &'static [&'static str] {
    match object {
        ObjectType::Tasks | ObjectType::Contacts => &["crm.schemas.contacts.write"],
        ObjectType::Companies => &["crm.schemas.companies.write"],
        ObjectType::Deals => &["crm.schemas.deals.write"],
        ObjectType::Tickets => &["tickets", "crm.schemas.tickets.write"],
    }
}

/// The object whose properties a call writes.
fn written_object(place: &Place) -> Option<ObjectType> {
    let Place::Records(object, call) = place else { return None };
    match call {
        Records::Batch(Operation::Read) => None,
        Records::Batch(_) | Records::Create | Records::Update(_) => Some(*object),
        _ => None,
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
