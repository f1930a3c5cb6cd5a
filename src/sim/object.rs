//! The object types that the stand-in knows, how HubSpot names them, and what a portal has of each.

use std::ops::{Index, IndexMut};

use serde::{Deserialize, Serialize};

use super::{
    property::{Property, built_in},
    records::{Record, Records},
    schema::Schema,
};

/// A type of HubSpot's objects: tasks, and what tasks hang on.
#[derive(Clone, Copy, Debug, Deserialize, Hash, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ObjectType {
    /// Tasks.
    Tasks,
    /// People.
    Contacts,
    /// Companies.
    Companies,
    /// Deals.
    Deals,
    /// HubSpot's own tickets.
    Tickets,
}

impl ObjectType {
    pub(super) const ALL: [Self; 5] =
        [Self::Tasks, Self::Contacts, Self::Companies, Self::Deals, Self::Tickets];

    /// Reads the part of a path that names a type: HubSpot takes its plural, its singular and its
    /// id.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let is_named =
            |object: &Self| [object.plural(), object.singular(), object.type_id()].contains(&name);
        Self::ALL.into_iter().find(is_named)
    }

    /// As paths have it.
    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::Tasks => "tasks",
            Self::Contacts => "contacts",
            Self::Companies => "companies",
            Self::Deals => "deals",
            Self::Tickets => "tickets",
        }
    }

    /// As HubSpot's sentences have it; some shout it.
    pub(super) fn singular(self) -> &'static str {
        match self {
            Self::Tasks => "task",
            Self::Contacts => "contact",
            Self::Companies => "company",
            Self::Deals => "deal",
            Self::Tickets => "ticket",
        }
    }

    /// HubSpot's id of the type.
    pub(super) fn type_id(self) -> &'static str {
        match self {
            Self::Tasks => "0-27",
            Self::Contacts => "0-1",
            Self::Companies => "0-2",
            Self::Deals => "0-3",
            Self::Tickets => "0-5",
        }
    }

    /// The group of properties that HubSpot's own are in.
    pub(super) fn group(self) -> &'static str {
        match self {
            Self::Tasks => "task",
            Self::Contacts => "contactinformation",
            Self::Companies => "companyinformation",
            Self::Deals => "dealinformation",
            Self::Tickets => "ticketinformation",
        }
    }

    /// The property that says when a record was created.
    pub(super) fn created(self) -> &'static str {
        if self == Self::Tasks { "hs_createdate" } else { "createdate" }
    }

    /// The property that says when a record was last changed.
    pub(super) fn modified(self) -> &'static str {
        if self == Self::Contacts { "lastmodifieddate" } else { "hs_lastmodifieddate" }
    }

    /// The properties without which no record is created.
    pub(super) fn required(self) -> &'static [&'static str] {
        match self {
            Self::Tasks => &["hs_timestamp"],
            Self::Contacts | Self::Companies => &[],
            Self::Deals => &["dealname", "dealstage"],
            Self::Tickets => &["subject", "hs_pipeline_stage"],
        }
    }

    /// The properties that the words of a search are looked for in.
    pub(super) fn searched(self) -> &'static [&'static str] {
        match self {
            Self::Tasks => &["hs_task_subject", "hs_task_body"],
            Self::Contacts => &["email", "hs_additional_emails", "firstname", "lastname"],
            Self::Companies => &["name", "domain"],
            Self::Deals => &["dealname"],
            Self::Tickets => &["subject", "content"],
        }
    }

    /// Whether a value of the property belongs to one record alone, which can be found by it. An
    /// e-mail address is one contact's, though its definition doesn't say so.
    pub(super) fn is_identified_by(self, property: &Property) -> bool {
        property.has_unique_value || self.is_email(&property.name)
    }

    /// The values that a record can be found by: of a contact's e-mail address the additional ones,
    /// too.
    pub(super) fn values<'a>(self, record: &'a Record, property: &str) -> Vec<&'a str> {
        let mut values = Vec::new();
        if self.is_email(property)
            && let Some(addresses) = record.properties.get("hs_additional_emails")
        {
            values.extend(addresses.split(';'));
        }
        values.extend(record.properties.get(property).map(String::as_str));
        values
    }

    /// Whether the property holds a contact's e-mail address, which HubSpot keeps and finds in
    /// lower case.
    pub(super) fn is_email(self, property: &str) -> bool {
        self == Self::Contacts && property == "email"
    }
}

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
