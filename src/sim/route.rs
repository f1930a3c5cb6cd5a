//! Which call a method and a path mean.

use super::{fault::Endpoint, object::ObjectType, version::Version};

/// A call that the stand-in knows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) place: Place,
    pub(super) version: Version,
}

/// A call, by its method and path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    Records(ObjectType, Records),
    Associations(Ends, Associations),
    Definitions(ObjectType, Definitions),
    Owners,
    Owner(String),
}

/// A call to the records of an object type.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Records {
    Batch(Operation),
    List,
    Search,
    Create,
    Read(String),
    Update(String),
    Archive(String),
}

/// The types of the records at both ends, as the path has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) from: ObjectType,
    pub(super) to: ObjectType,
}

/// A call to the associations of two object types; ids stand from left to right as in the path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Associations {
    AssociateBatch,
    ReadBatch,
    ArchiveBatch,
    Associate(String, String),
    List(String),
    Archive(String, String),
}

/// The kind of a batch call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Archive,
    Create,
    Read,
    Update,
    Upsert,
}

/// A call to the definitions of properties and of their groups.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Definitions {
    List,
    Create,
    Show(String),
    Update(String),
    Archive(String),
    BatchCreate,
    BatchRead,
    BatchArchive,
    Groups,
    CreateGroup,
    ShowGroup(String),
    UpdateGroup(String),
    ArchiveGroup(String),
}

impl Route {
    /// Reads the path of a version; all versions go by the same names.
    pub(super) fn parse(method: &str, path: &str) -> Option<Self> {
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (version, room, rest) = Version::parse(&segments)?;
        let place = match (room, rest) {
            ("associations", [from, to, rest @ ..]) => {
                let ends = Ends { from: ObjectType::parse(from)?, to: ObjectType::parse(to)? };
                Place::Associations(ends, Associations::of_batch(method, rest)?)
            }
            ("objects", [from, id, "associations", rest @ ..]) => {
                Associations::of_record(method, from, id, rest)?
            }
            ("objects", [object, rest @ ..]) => {
                Place::Records(ObjectType::parse(object)?, Records::parse(method, rest)?)
            }
            ("properties", [object, rest @ ..]) => {
                Place::Definitions(ObjectType::parse(object)?, Definitions::parse(method, rest)?)
            }
            ("owners", rest) => Place::parse_owners(method, rest)?,
            _ => return None,
        };
        // v4 has associations only, and v3 has them in another form.
        let is_served = match version {
            Version::V3 => !matches!(place, Place::Associations(..)),
            Version::V4 => matches!(place, Place::Associations(..)),
            Version::March2026 | Version::September2026 => true,
        };
        is_served.then_some(Self { place, version })
    }

    /// Whether the call counts towards the limit of searches.
    pub(super) fn is_search(&self) -> bool {
        matches!(self.place, Place::Records(_, Records::Search))
    }

    /// The name of the endpoint in faults.
    pub(super) fn endpoint(&self) -> Endpoint {
        match &self.place {
            Place::Records(ObjectType::Tasks, call) => call.endpoint(),
            Place::Records(_, call) if call.reads() => Endpoint::ObjectsRead,
            Place::Records(..) => Endpoint::ObjectsWrite,
            Place::Associations(_, call) if call.associates() => Endpoint::Associate,
            Place::Associations(..) => Endpoint::Associations,
            Place::Definitions(..) => Endpoint::Properties,
            Place::Owners | Place::Owner(_) => Endpoint::Owners,
        }
    }
}

impl Records {
    fn parse(method: &str, rest: &[&str]) -> Option<Self> {
        let call = match (method, rest) {
            ("POST", ["batch", "archive"]) => Self::Batch(Operation::Archive),
            ("POST", ["batch", "create"]) => Self::Batch(Operation::Create),
            ("POST", ["batch", "read"]) => Self::Batch(Operation::Read),
            ("POST", ["batch", "update"]) => Self::Batch(Operation::Update),
            ("POST", ["batch", "upsert"]) => Self::Batch(Operation::Upsert),
            ("POST", ["search"]) => Self::Search,
            ("GET", []) => Self::List,
            ("POST", []) => Self::Create,
            ("GET", [id]) => Self::Read((*id).into()),
            ("PATCH", [id]) => Self::Update((*id).into()),
            ("DELETE", [id]) => Self::Archive((*id).into()),
            _ => return None,
        };
        Some(call)
    }

    /// Whether the call changes nothing.
    pub(super) fn reads(&self) -> bool {
        matches!(self, Self::Batch(Operation::Read) | Self::Read(_) | Self::List | Self::Search)
    }

    fn endpoint(&self) -> Endpoint {
        match self {
            Self::Batch(Operation::Create) | Self::Create => Endpoint::Create,
            Self::Batch(Operation::Read) | Self::Read(_) | Self::List => Endpoint::Read,
            Self::Batch(Operation::Update) | Self::Update(_) => Endpoint::Update,
            Self::Batch(Operation::Upsert) => Endpoint::Upsert,
            Self::Batch(Operation::Archive) | Self::Archive(_) => Endpoint::Archive,
            Self::Search => Endpoint::Search,
        }
    }
}

impl Associations {
    fn of_batch(method: &str, rest: &[&str]) -> Option<Self> {
        match (method, rest) {
            ("POST", ["batch", "associate", "default"]) => Some(Self::AssociateBatch),
            ("POST", ["batch", "read"]) => Some(Self::ReadBatch),
            ("POST", ["batch", "archive"]) => Some(Self::ArchiveBatch),
            _ => None,
        }
    }

    fn of_record(method: &str, from: &str, id: &str, rest: &[&str]) -> Option<Place> {
        let id = id.to_owned();
        let (to, call) = match (method, rest) {
            ("PUT", ["default", to, to_id]) => (to, Self::Associate(id, (*to_id).into())),
            ("GET", [to]) => (to, Self::List(id)),
            ("DELETE", [to, to_id]) => (to, Self::Archive(id, (*to_id).into())),
            _ => return None,
        };
        let ends = Ends { from: ObjectType::parse(from)?, to: ObjectType::parse(to)? };
        Some(Place::Associations(ends, call))
    }

    /// Whether the call makes associations.
    fn associates(&self) -> bool {
        matches!(self, Self::AssociateBatch | Self::Associate(..))
    }

    /// Whether the call changes nothing.
    pub(super) fn reads(&self) -> bool {
        matches!(self, Self::ReadBatch | Self::List(_))
    }
}

impl Place {
    fn parse_owners(method: &str, rest: &[&str]) -> Option<Self> {
        match (method, rest) {
            ("GET", []) => Some(Self::Owners),
            ("GET", [id]) => Some(Self::Owner((*id).into())),
            _ => None,
        }
    }
}

impl Definitions {
    fn parse(method: &str, rest: &[&str]) -> Option<Self> {
        let definitions = match (method, rest) {
            ("GET", []) => Self::List,
            ("POST", []) => Self::Create,
            ("POST", ["batch", "create"]) => Self::BatchCreate,
            ("POST", ["batch", "read"]) => Self::BatchRead,
            ("POST", ["batch", "archive"]) => Self::BatchArchive,
            ("GET", ["groups"]) => Self::Groups,
            ("POST", ["groups"]) => Self::CreateGroup,
            ("GET", ["groups", name]) => Self::ShowGroup((*name).into()),
            ("PATCH", ["groups", name]) => Self::UpdateGroup((*name).into()),
            ("DELETE", ["groups", name]) => Self::ArchiveGroup((*name).into()),
            ("GET", [name]) => Self::Show((*name).into()),
            ("PATCH", [name]) => Self::Update((*name).into()),
            ("DELETE", [name]) => Self::Archive((*name).into()),
            _ => return None,
        };
        Some(definitions)
    }
}
