//! The seed: the state that a stand-in starts with.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    limits::RateLimits, object::ObjectType, property::Property, refusal::Detail, rules::Rule,
};

/// The portal as the stand-in finds it. Every field may be left out.
///
/// ```json
/// {
///   "properties": [{"name": "zendesk_ticket_id", "hasUniqueValue": true}],
///   "owners": [{"id": "11", "email": "ada@example.com"}],
///   "tasks": [{"properties": {"zendesk_ticket_id": "35436", "hs_task_status": "WAITING"}}],
///   "object_properties": {"companies": [{"name": "zendesk_org_id", "hasUniqueValue": true}]},
///   "contacts": [{"id": "701", "properties": {"email": "eve@example.com"}}],
///   "companies": [{"properties": {"name": "Example", "zendesk_org_id": "77"}}]
/// }
/// ```
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Seed {
    /// The token that every request must carry as `Authorization: Bearer …`; without one, any
    /// request is let in.
    pub token: Option<String>,
    /// The scopes that the token was granted; without a list, all.
    pub scopes: Option<Vec<String>>,
    /// Tokens that answer `EXPIRED_AUTHENTICATION`.
    pub expired_tokens: Vec<String>,
    /// Task properties besides the built-in ones, or in their place.
    pub properties: Vec<Property>,
    /// The same for properties of other objects.
    pub object_properties: BTreeMap<ObjectType, Vec<Property>>,
    /// The people that tasks can be assigned to; without any, every number passes for an owner's
    /// id.
    pub owners: Vec<Owner>,
    /// Tasks that exist already.
    pub tasks: Vec<SeedRecord>,
    /// Contacts that exist already.
    pub contacts: Vec<SeedRecord>,
    /// Companies that exist already.
    pub companies: Vec<SeedRecord>,
    /// Deals that exist already.
    pub deals: Vec<SeedRecord>,
    /// HubSpot's own tickets that exist already.
    pub tickets: Vec<SeedRecord>,
    /// Habits in which portals and versions of the API differ.
    pub behaviour: Behaviour,
}

/// A HubSpot user that tasks can be assigned to. As with properties, what HubSpot's own list says
/// besides is kept.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    /// The value of `hubspot_owner_id`.
    pub id: String,
    /// The e-mail address, by which owners are looked up; some have none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub email: String,
    /// The number of the user, which is another one than the owner's; default: any free one.
    #[serde(default)]
    pub user_id: u64,
    /// Whether the user was removed. Tasks can't be assigned to them any more.
    #[serde(default)]
    pub archived: bool,
    /// Given name.
    #[serde(default)]
    pub first_name: String,
    /// Family name.
    #[serde(default)]
    pub last_name: String,
    /// Everything else that HubSpot says about them.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// A record, such as a task, that exists already.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeedRecord {
    /// HubSpot's record id; default: the next free one.
    pub id: Option<String>,
    /// Its values; read-only properties may be set here.
    pub properties: BTreeMap<String, String>,
}

/// Habits in which portals and versions of the API differ, or in which nobody knows what HubSpot
/// does.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches, each named in the JSON form"
)]
pub struct Behaviour {
    /// Where a bad input that carries an `objectWriteTraceId` fails alone. Not yet proven: L25, L27.
    pub trace_ids: TraceIds,
    /// Partial failures answer 200, not 207, as from version 2026-09 on (whose paths do so anyway).
    pub errors_in_200: bool,
    /// Results show the `idProperty` that their inputs were found by. Default: true.
    /// Not yet proven: L17, L18.
    pub echo_id_property: bool,
    /// A refused batch names no property, neither in `errors[]` nor in `message`.
    pub terse_validation: bool,
    /// A refused batch names properties and codes, but no value, as HubSpot does for the rules that
    /// people set.
    pub vague_validation: bool,
    /// `errors[]` of a refused batch names only the first property; `message` names all.
    pub incomplete_errors: bool,
    /// The order of `results`.
    pub order: Order,
    /// Results carry the `objectWriteTraceId` of their inputs. Not yet proven: L19.
    pub echo_trace_ids: bool,
    /// Rules about properties of tasks.
    pub rules: Vec<Rule>,
    /// The effect of `hs_timestamp: ""`.
    pub empty_due_date: EmptyDueDate,
    /// Record ids of tasks that were merged, and of those that they were merged into, which answer
    /// in their place.
    pub merged: BTreeMap<String, String>,
    /// The answer to a create or upsert whose value another record has already. Not yet proven: L34.
    pub taken_value: TakenValue,
    /// Associating succeeds, and does nothing: `results` is empty, as in
    /// <https://github.com/HubSpot/hubspot-api-nodejs/issues/85>. For one call there is the fault
    /// `empty`.
    pub associate_nothing: bool,
    /// How many calls are let through.
    pub limits: RateLimits,
    /// Every answer comes this many milliseconds late.
    pub latency_ms: u64,
}

/// Where a bad input that carries an `objectWriteTraceId` fails alone instead of taking the batch
/// with it.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TraceIds {
    /// Nowhere.
    Never,
    /// `batch/upsert` and `batch/create`: where HubSpot documents it.
    #[default]
    Upsert,
    /// `batch/update` too.
    Always,
}

/// The order of `results`.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// That of the inputs.
    #[default]
    AsIs,
    /// The other way round.
    Reversed,
}

/// The effect of an empty due date. Not yet proven: L37.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EmptyDueDate {
    /// It clears the due date.
    #[default]
    Clears,
    /// It is refused like a time that isn't one.
    Invalid,
    /// It is refused like a property that has to be set.
    Required,
}

/// The answer to a create or upsert whose value must be unique and is another record's.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TakenValue {
    /// 400, `CONFLICTING_UNIQUE_VALUE` among the values that are not valid.
    #[default]
    Invalid,
    /// 409, `CONFLICT`.
    Conflict,
    /// 409, `OBJECT_ALREADY_EXISTS`.
    AlreadyExists,
}

impl Behaviour {
    /// How much refused values tell.
    pub(super) fn detail(&self) -> Detail {
        Detail {
            terse: self.terse_validation,
            vague: self.vague_validation,
            incomplete: self.incomplete_errors,
        }
    }
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            trace_ids: TraceIds::default(),
            errors_in_200: false,
            echo_id_property: true,
            terse_validation: false,
            vague_validation: false,
            incomplete_errors: false,
            order: Order::default(),
            echo_trace_ids: false,
            rules: Vec::new(),
            empty_due_date: EmptyDueDate::default(),
            merged: BTreeMap::new(),
            taken_value: TakenValue::default(),
            associate_nothing: false,
            limits: RateLimits::default(),
            latency_ms: 0,
        }
    }
}
