//! What a portal has of each object type.

use std::ops::{Index, IndexMut};

use super::{object::ObjectType, property::built_in, records::Records, schema::Schema};

/// What a portal has of one type.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) schema: Schema,
    pub(super) records: Records,
}

/// What a portal has of every type.
#[derive(Debug)]
pub(super) struct Objects([Object; 5]);

impl Objects {
    /// No records, and HubSpot's own properties.
    pub(super) fn new() -> Self {
        Self(ObjectType::ALL.map(|object| {
            let mut schema = Schema::new(object);
            for property in built_in(object) {
                schema.put(property.complete(object));
            }
            Object { schema, records: Records::new(object) }
        }))
    }
}

impl Index<ObjectType> for Objects {
    type Output = Object;

    fn index(&self, object: ObjectType) -> &Object {
        &self.0[object as usize]
    }
}

impl IndexMut<ObjectType> for Objects {
    fn index_mut(&mut self, object: ObjectType) -> &mut Object {
        &mut self.0[object as usize]
    }
}
