//! Which call a method and a path mean.

use super::{fault::Endpoint, inputs::Operation};

/// A call that the stand-in knows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) place: Place,
    /// The version of the API in the path has no 207.
    pub(super) drops_207: bool,
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
    /// Reads `/crm/v3/<room>/…` and `/crm/<room>/<YYYY-MM>/…`, which go by the same names.
    pub(super) fn of(method: &str, path: &str) -> Option<Self> {
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (room, version, rest) = match segments.as_slice() {
            ["crm", "v3", room, rest @ ..] => (*room, "v3", rest),
            ["crm", room, date, rest @ ..] if is_version(date) => (*room, *date, rest),
            _ => return None,
        };
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
        // "v3" sorts after every date, but keeps its 207.
        let drops_207 = version != "v3" && version >= FIRST_WITHOUT_207;
        Some(Self { place, drops_207 })
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

/// `2026-03`
fn is_version(text: &str) -> bool {
    let digits = |part: &str, length| part.len() == length && part.bytes().all(|b| b.is_ascii_digit());
    text.split_once('-').is_some_and(|(year, month)| digits(year, 4) && digits(month, 2))
}

/// HubSpot's changelog: from this version on a partial failure answers 200.
const FIRST_WITHOUT_207: &str = "2026-09";
