//! Which call a method and a path mean.

use super::{fault::Endpoint, inputs::Operation, version::Version};

/// A call that the stand-in knows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) place: Place,
    pub(super) version: Version,
}

/// What is called.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    Batch(Operation),
    ReadTask(String),
    UpdateTask(String),
    Owners,
    Owner(String),
    Properties,
    Property(String),
    CreateProperty,
}

impl Route {
    /// Reads the path of a version; all versions go by the same names.
    pub(super) fn of(method: &str, path: &str) -> Option<Self> {
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (version, room, rest) = Version::of(&segments)?;
        let place = match (method, room, rest) {
            ("POST", "objects", ["tasks", "batch", "create"]) => Place::Batch(Operation::Create),
            ("POST", "objects", ["tasks", "batch", "read"]) => Place::Batch(Operation::Read),
            ("POST", "objects", ["tasks", "batch", "update"]) => Place::Batch(Operation::Update),
            ("POST", "objects", ["tasks", "batch", "upsert"]) => Place::Batch(Operation::Upsert),
            ("GET", "objects", ["tasks", id]) => Place::ReadTask((*id).into()),
            ("PATCH", "objects", ["tasks", id]) => Place::UpdateTask((*id).into()),
            ("GET", "owners", []) => Place::Owners,
            ("GET", "owners", [id]) => Place::Owner((*id).into()),
            ("GET", "properties", ["tasks"]) => Place::Properties,
            ("POST", "properties", ["tasks"]) => Place::CreateProperty,
            ("GET", "properties", ["tasks", name]) => Place::Property((*name).into()),
            _ => return None,
        };
        Some(Self { place, version })
    }

    /// What a fault calls it.
    pub(super) fn endpoint(&self) -> Endpoint {
        match self.place {
            Place::Batch(Operation::Create) => Endpoint::Create,
            Place::Batch(Operation::Read) | Place::ReadTask(_) => Endpoint::Read,
            Place::Batch(Operation::Update) | Place::UpdateTask(_) => Endpoint::Update,
            Place::Batch(Operation::Upsert) => Endpoint::Upsert,
            Place::Owners | Place::Owner(_) => Endpoint::Owners,
            Place::Properties | Place::Property(_) | Place::CreateProperty => Endpoint::Properties,
        }
    }
}
