//! Which records are associated with each other.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::object::ObjectType;

/// Two records that are associated, the one whose type comes first in [`ObjectType`] before the
/// other: a task stands before what it hangs on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Association {
    /// The type of the first record.
    pub from_object: ObjectType,
    /// Its record id.
    pub from_id: String,
    /// The type of the second record.
    pub to_object: ObjectType,
    /// Its record id.
    pub to_id: String,
}

/// A record of any type.
type End = (ObjectType, String);

/// The associations of a portal, from either end.
#[derive(Debug, Default)]
pub(super) struct Links(BTreeMap<End, BTreeSet<End>>);

impl Links {
    /// Associates two records. It does no harm if they are already.
    pub(super) fn add(&mut self, from: End, to: End) {
        self.0.entry(from.clone()).or_default().insert(to.clone());
        self.0.entry(to).or_default().insert(from);
    }

    /// Takes the association of two records away, if there is one.
    pub(super) fn remove(&mut self, from: &End, to: &End) {
        for (one, other) in [(from, to), (to, from)] {
            if let Some(others) = self.0.get_mut(one) {
                others.remove(other);
            }
        }
    }

    /// Takes away all associations of a record.
    pub(super) fn drop_record(&mut self, record: &End) {
        for other in self.0.remove(record).unwrap_or_default() {
            if let Some(others) = self.0.get_mut(&other) {
                others.remove(record);
            }
        }
    }

    /// The ids of the records of a type that a record is associated with, sorted as text.
    pub(super) fn of(&self, record: &End, object: ObjectType) -> Vec<&str> {
        let mut ids = Vec::new();
        for (other, id) in self.0.get(record).into_iter().flatten() {
            if *other == object {
                ids.push(id.as_str());
            }
        }
        ids
    }

    /// Every association once, sorted.
    pub(super) fn all(&self) -> Vec<Association> {
        let mut all = Vec::new();
        for (from, others) in &self.0 {
            for to in others {
                if from < to {
                    all.push(Association {
                        from_object: from.0,
                        from_id: from.1.clone(),
                        to_object: to.0,
                        to_id: to.1.clone(),
                    });
                }
            }
        }
        all
    }
}
