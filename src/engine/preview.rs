//! What would be sent for updates, before HubSpot is asked anything: to be shown. Pure.

use serde_json::{Value, json};

use super::{Ledger, guard, owners, plan};
use crate::hubspot::{Call, Inputs, READ, ReadInputs};
use crate::update::{self, OnMissing, Update};

/// A request in the order of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is called, such as `batch/update`.
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
    let mut requests = Vec::new();
    for read in plan::reads(updates) {
        let (ids, properties) = (texts(&read.ids), texts(&read.properties));
        requests.push(Request {
            path: READ,
            body: json!(ReadInputs::new(&read.id_property, &ids, properties)),
            only: None,
        });
    }
    let mut found = owners::Found::new();
    for (_, value) in updates.iter().flat_map(|update| &update.properties) {
        if let update::Value::Owner { email, .. } = value {
            found.insert(email.to_lowercase(), Ok(Some(format!("<id of the owner {email}>"))));
        }
    }
    let resolved = updates.iter().map(|update| owners::texts(update, &found).ok()).collect();
    let mut ledger = Ledger(vec![None; updates.len()]);
    let writes = plan::writes(updates, resolved, &guard::Tasks::default(), &mut ledger);
    for writes in plan::rounds(writes) {
        let mut to_create: Vec<_> =
            writes.iter().filter(|row| row.on_missing == OnMissing::Create).cloned().collect();
        to_create.iter_mut().for_each(plan::Write::add_due_date);
        let batches = |call, writes, only| {
            plan::batches(writes).into_iter().map(move |rows| request(call, &rows, only))
        };
        requests.extend(batches(Call::Update, writes, None));
        requests.extend(batches(Call::Upsert, to_create, Some("for the tasks that don't exist")));
    }
    requests
}

fn request(call: Call, rows: &[plan::Write], only: Option<&'static str>) -> Request {
    let inputs: Vec<_> = rows.iter().enumerate().map(|(index, row)| row.input(index)).collect();
    Request { path: call.path(), body: json!(Inputs { inputs: &inputs }), only }
}

fn texts(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}
