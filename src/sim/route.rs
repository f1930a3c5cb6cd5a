//! Which call a method and a path mean.

use super::{fault::Endpoint, tasks::TASK_TYPE, version::Version};

/// A call that the stand-in knows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) place: Place,
    pub(super) version: Version,
}

/// A call, by its method and path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    Batch(Operation),
    ListTasks,
    SearchTasks,
    CreateTask,
    ReadTask(String),
    UpdateTask(String),
    ArchiveTask(String),
    Owners,
    Owner(String),
    Definitions(Definitions),
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
            ("objects", ["tasks" | TASK_TYPE, rest @ ..]) => Place::of_tasks(method, rest)?,
            ("properties", ["tasks" | TASK_TYPE, rest @ ..]) => {
                Place::Definitions(Definitions::parse(method, rest)?)
            }
            ("owners", rest) => Place::parse_owners(method, rest)?,
            _ => return None,
        };
        Some(Self { place, version })
    }

    /// The name of the endpoint in faults.
    pub(super) fn endpoint(&self) -> Endpoint {
        match self.place {
            Place::Batch(Operation::Create) | Place::CreateTask => Endpoint::Create,
            Place::Batch(Operation::Read) | Place::ReadTask(_) | Place::ListTasks => Endpoint::Read,
            Place::Batch(Operation::Update) | Place::UpdateTask(_) => Endpoint::Update,
            Place::Batch(Operation::Upsert) => Endpoint::Upsert,
            Place::Batch(Operation::Archive) | Place::ArchiveTask(_) => Endpoint::Archive,
            Place::SearchTasks => Endpoint::Search,
            Place::Owners | Place::Owner(_) => Endpoint::Owners,
            Place::Definitions(_) => Endpoint::Properties,
        }
    }
}

impl Place {
    fn of_tasks(method: &str, rest: &[&str]) -> Option<Self> {
        let place = match (method, rest) {
            ("POST", ["batch", "archive"]) => Self::Batch(Operation::Archive),
            ("POST", ["batch", "create"]) => Self::Batch(Operation::Create),
            ("POST", ["batch", "read"]) => Self::Batch(Operation::Read),
            ("POST", ["batch", "update"]) => Self::Batch(Operation::Update),
            ("POST", ["batch", "upsert"]) => Self::Batch(Operation::Upsert),
            ("POST", ["search"]) => Self::SearchTasks,
            ("GET", []) => Self::ListTasks,
            ("POST", []) => Self::CreateTask,
            ("GET", [id]) => Self::ReadTask((*id).into()),
            ("PATCH", [id]) => Self::UpdateTask((*id).into()),
            ("DELETE", [id]) => Self::ArchiveTask((*id).into()),
            _ => return None,
        };
        Some(place)
    }

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
