//! The properties that the records of one type have, and the groups that they are in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{object::ObjectType, property::Property};

/// The definitions of one object type, archived ones included.
#[derive(Clone, Debug)]
pub(super) struct Schema {
    pub(super) object: ObjectType,
    properties: BTreeMap<String, Property>,
    groups: BTreeMap<String, Group>,
}

/// A group of properties.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) label: String,
    #[serde(default)]
    pub(super) display_order: i32,
    #[serde(default)]
    pub(super) archived: bool,
}

impl Schema {
    pub(super) fn new(object: ObjectType) -> Self {
        Self { object, properties: BTreeMap::new(), groups: BTreeMap::new() }
    }

    /// The definition of a property that records have now.
    pub(super) fn get(&self, name: &str) -> Option<&Property> {
        self.find(name, false)
    }

    /// The definition of a property that is archived, or isn't.
    pub(super) fn find(&self, name: &str, archived: bool) -> Option<&Property> {
        self.properties.get(name).filter(|property| property.is_archived() == archived)
    }

    /// Every definition, by name.
    pub(super) fn all(&self) -> impl Iterator<Item = &Property> {
        self.properties.values()
    }

    /// Adds a definition, or puts it in the place of another. A group that isn't there is added,
    /// too.
    pub(super) fn put(&mut self, property: Property) {
        let group = property.group().to_owned();
        self.groups.entry(group.clone()).or_insert_with(|| Group {
            label: group.clone(),
            name: group,
            ..Group::default()
        });
        self.properties.insert(property.name.clone(), property);
    }

    /// The group of this name, unless it is archived.
    pub(super) fn group(&self, name: &str) -> Option<&Group> {
        self.groups.get(name).filter(|group| !group.archived)
    }

    /// Every group that isn't archived, by name.
    pub(super) fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values().filter(|group| !group.archived)
    }

    /// Adds a group, or puts it in the place of another.
    pub(super) fn put_group(&mut self, group: Group) {
        self.groups.insert(group.name.clone(), group);
    }
}
