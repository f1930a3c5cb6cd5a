//! An update: the task whose unique property has this value gets these property values.
//!
//! The one thing that the two stories of Taskhook share. A delivery is mapped to updates; the engine, or the queue,
//! takes them from there and needs nothing else.

use crate::time::Time;

/// HubSpot's own record id, as a value of `id_property`.
pub const RECORD_ID: &str = "hs_object_id";

/// What is to be written to one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// Which task.
    pub task: TaskKey,
    /// When the change happened in the ticket system.
    pub time: Time,
    /// What to do when there is no such task.
    pub on_missing: OnMissing,
    /// The datetime property that keeps the newest event time, if the task is guarded against late events.
    pub updated_at_property: Option<String>,
    /// The properties in the order of the source file, each at most once.
    pub properties: Vec<(String, Value)>,
}

/// A task, by a property with unique values.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskKey {
    /// The unique property; [`RECORD_ID`] means HubSpot's own id.
    pub id_property: String,
    /// Its value.
    pub id: String,
}

/// What a property is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text as HubSpot takes it; empty clears the property.
    Text(String),
    /// The id of the HubSpot owner with this e-mail address, to be looked up.
    Owner {
        /// The address.
        email: String,
        /// What to do when HubSpot has no such owner.
        unknown: Unknown,
    },
}

/// What to do with a value that a map or a look-up doesn't know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// The update fails.
    Fail,
    /// The property is left alone.
    Skip,
    /// This text is written.
    Write(String),
}

/// What to do when no task has the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnMissing {
    /// The update fails with `not_found`.
    Fail,
    /// The update is filtered.
    Skip,
    /// The task is created.
    Create,
}
