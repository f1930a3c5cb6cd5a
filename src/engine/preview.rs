//! The requests for updates, before HubSpot is asked anything: to be shown. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::guard::{self, Read, Tasks};
use super::ledger::Ledger;
use super::owners::{Owners, addresses};
use super::plan;
use super::row::{Resolved, Row};
use crate::hubspot::{self, BATCH, Call, Inputs, Pair, Pairs, READ, ReadInputs};
use crate::settings::ApiVersion;
use crate::update::{Associate, Link, Object, RECORD_ID, TaskKey, Update, When};

/// A request in the order of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The path, such as `/crm/objects/2026-03/tasks/batch/update`.
    pub path: String,
    /// The body, with `<id of the owner ADDRESS>` and the like for what has to be looked up.
    pub body: Value,
    /// When it is sent, if not always.
    pub only: Option<&'static str>,
}

const NEW: &str = "for the tasks that don't exist";

/// The requests of a run whose tasks are all there and all older than the updates, and those that
/// create the tasks which may be created, and link them.
#[must_use]
pub fn preview(updates: &[Update], version: &ApiVersion) -> Vec<Request> {
    let tasks = hubspot::tasks_path(version);
    let to_read = updates.iter().filter(|update| guard::needs_reading(update));
    let mut requests = Vec::new();
    for read in guard::reads(to_read) {
        requests.push(Request::read(&tasks, &read));
    }
    let mut to_create = rows(updates, &Tasks::missing(updates));
    to_create.retain(|row| row.is_missing);
    for row in &mut to_create {
        row.add_held_back();
        row.add_due_date();
    }
    for rows in plan::rounds(rows(updates, &Tasks::default())) {
        for rows in plan::batches(rows) {
            requests.push(Request::write(&tasks, Call::Update, &rows, None));
        }
        // After the first round.
        for rows in plan::batches(std::mem::take(&mut to_create)) {
            requests.push(Request::write(&tasks, Call::Upsert, &rows, Some(NEW)));
        }
    }
    requests.extend(links(updates, version));
    requests
}

/// The requests that look up what tasks hang on, and link them.
fn links(updates: &[Update], version: &ApiVersion) -> Vec<Request> {
    let mut asked: BTreeMap<(Object, When, &str), BTreeSet<&str>> = BTreeMap::new();
    let mut wanted: BTreeMap<(Object, When), BTreeSet<Pair>> = BTreeMap::new();
    for update in updates {
        let Some(Associate { when, links, .. }) = &update.associate else { continue };
        for Link { to, by, id } in links {
            let TaskKey { id_property, id: task } = &update.task;
            let task = format!("<record id of the task with {id_property} {task}>");
            let record = match by.as_str() {
                RECORD_ID => id.clone(),
                by => format!("<record id of the {} with {by} {id}>", to.as_str()),
            };
            wanted.entry((*to, *when)).or_default().insert(Pair { task, record });
            if by != RECORD_ID {
                asked.entry((*to, *when, by)).or_default().insert(id);
            }
        }
    }
    let only = |when| (when == When::Create).then_some(NEW);
    let mut requests = Vec::new();
    for ((to, when, by), ids) in asked {
        for read in Read::all(Some(to), by, ids) {
            let path = hubspot::records_path(version, to);
            requests.push(Request { only: only(when), ..Request::read(&path, &read) });
        }
    }
    for ((to, when), pairs) in wanted {
        let pairs: Vec<_> = pairs.into_iter().collect();
        for pairs in pairs.chunks(BATCH) {
            let path = hubspot::associate_path(version, to);
            requests.push(Request { path, body: json!(Pairs::new(pairs)), only: only(when) });
        }
    }
    requests
}

/// The rows of updates whose owners are all found.
fn rows(updates: &[Update], tasks: &Tasks) -> Vec<Row> {
    let mut owners = Owners::default();
    for (_, email) in updates.iter().flat_map(addresses) {
        owners.add(email, format!("<id of the owner {email}>"));
    }
    let mut resolved = Vec::new();
    for (index, update) in updates.iter().enumerate() {
        if let Ok(values) = owners.put_into(update, None) {
            resolved.push(Resolved { index, update, values });
        }
    }
    plan::rows(resolved, tasks, &mut Ledger::new(updates.len()))
}

impl Request {
    fn read(path: &str, read: &Read) -> Self {
        let ids: Vec<_> = read.ids.iter().map(String::as_str).collect();
        let properties = read.properties.iter().map(String::as_str).collect();
        let body = json!(ReadInputs::new(&read.id_property, &ids, properties));
        Self { path: format!("{path}/{READ}"), body, only: None }
    }

    fn write(tasks: &str, call: Call, rows: &[Row], only: Option<&'static str>) -> Self {
        let inputs: Vec<_> = rows.iter().enumerate().map(|(index, row)| row.input(index)).collect();
        let path = format!("{tasks}/{}", call.path());
        Self { path, body: json!(Inputs { inputs: &inputs }), only }
    }
}
