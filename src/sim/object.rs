//! The object types that the stand-in knows, and how HubSpot names them.

use serde::{Deserialize, Serialize};

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

    /// Whether the property holds a contact's e-mail address, which HubSpot keeps and finds in
    /// lower case. Not yet proven: L52.
    pub(super) fn is_email(self, property: &str) -> bool {
        self == Self::Contacts && property == "email"
    }
}

/// The portal's id ("Hub ID").
pub(super) const PORTAL_ID: u32 = 44_556_677;
