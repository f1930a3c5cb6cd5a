//! The requests for updates, before HubSpot is asked anything: to be shown. Pure.

use serde_json::{Value, json};

use super::guard::{self, Read, Tasks};
use super::ledger::Ledger;
use super::owners::{Owners, addresses};
use super::plan;
use super::row::{Resolved, Row};
use crate::hubspot::{Call, Inputs, READ, ReadInputs};
use crate::update::Update;

/// A request in the order of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The call, such as `batch/update`.
    pub path: &'static str,
    /// The body, with `<id of the owner ADDRESS>` for an owner that has to be looked up.
    pub body: Value,
    /// When it is sent, if not always.
    pub only: Option<&'static str>,
}

/// The requests of a run whose tasks are all there and all older than the updates, and those that
/// create the tasks which may be created.
#[must_use]
pub fn preview(updates: &[Update]) -> Vec<Request> {
    let to_read = updates.iter().filter(|update| guard::needs_reading(update));
    let mut requests: Vec<_> = guard::reads(to_read).iter().map(Request::read).collect();
    let mut to_create = rows(updates, &Tasks::missing(updates));
    to_create.retain(|row| row.is_missing);
    for row in &mut to_create {
        row.add_held_back();
        row.add_due_date();
    }
    for rows in plan::rounds(rows(updates, &Tasks::default())) {
        for rows in plan::batches(rows) {
            requests.push(Request::write(Call::Update, &rows, None));
        }
        // After the first round.
        for rows in plan::batches(std::mem::take(&mut to_create)) {
            let only = Some("for the tasks that don't exist");
            requests.push(Request::write(Call::Upsert, &rows, only));
        }
    }
    requests
}

/// The rows of updates whose owners are all found.
fn rows(updates: &[Update], tasks: &Tasks) -> Vec<Row> {
    let mut owners = Owners::default();
    for email in updates.iter().flat_map(addresses) {
        owners.add(email, format!("<id of the owner {email}>"));
    }
    let mut resolved = Vec::new();
    for (index, update) in updates.iter().enumerate() {
        if let Ok(values) = owners.put_into(update) {
            resolved.push(Resolved { index, update, values });
        }
    }
    plan::rows(resolved, tasks, &mut Ledger::new(updates.len()))
}

impl Request {
    fn read(read: &Read) -> Self {
        let ids: Vec<_> = read.ids.iter().map(String::as_str).collect();
        let properties = read.properties.iter().map(String::as_str).collect();
        let body = json!(ReadInputs::new(&read.id_property, &ids, properties));
        Self { path: READ, body, only: None }
    }

    fn write(call: Call, rows: &[Row], only: Option<&'static str>) -> Self {
        let inputs: Vec<_> = rows.iter().enumerate().map(|(index, row)| row.input(index)).collect();
        Self { path: call.path(), body: json!(Inputs { inputs: &inputs }), only }
    }
}
