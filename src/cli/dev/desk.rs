//! The desk: everything that the page, the terminal and the webhook's address share.

use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, anyhow};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde_json::{Value, json};

use super::events::Events;
use super::faults;
use super::payloads::{Hidden, Payloads};
use super::portal::Portal;
use super::save::Saver;
use super::secret_files::SecretFiles;
use super::serving::Serving;
use super::shelf::{Noticed, Shelf};
use crate::cli::cases;
use crate::source::Source;
use crate::time::Time;

/// How many deliveries are kept.
const DELIVERIES: usize = 200;

/// How many bytes their stories may have.
const BYTES: usize = 64 * 1024 * 1024;

/// How many calls to the stand-in are kept.
const CALLS: usize = 500;

/// The longest body of a call that is kept, in characters.
const BODY: usize = 64 * 1024;

/// The state of the desk.
pub(super) struct Desk {
    pub(super) address: String,
    /// What the page has to show with each request.
    pub(super) key: String,
    /// A name of this run, by which a page notices that the desk was started again.
    run: String,
    pub(super) portal: Portal,
    secrets: Mutex<SecretFiles>,
    pub(super) events: Events,
    pub(super) saver: Option<Saver>,
    samples: PathBuf,
    files: Mutex<Shelf>,
    serving: Mutex<Arc<Serving>>,
    payloads: Mutex<Payloads>,
    deliveries: Mutex<VecDeque<Arc<Delivered>>>,
    calls: Mutex<VecDeque<Call>>,
    /// Record ids of the tasks that were written.
    changed: Mutex<BTreeSet<String>>,
}

/// A delivery that was answered.
pub(super) struct Delivered {
    pub(super) id: u64,
    /// As the list of deliveries shows it.
    pub(super) row: Value,
    /// JSON, as text: of many a value would take several times the memory.
    pub(super) story: String,
}

impl Delivered {
    /// The story.
    pub(super) fn story(&self) -> Value {
        serde_json::from_str(&self.story).unwrap_or_default()
    }
}

/// A call to the stand-in.
#[derive(Clone, Serialize)]
pub(super) struct Call {
    id: u64,
    time: String,
    method: String,
    path: String,
    status: u16,
    ms: u64,
    request: String,
    response: String,
    /// The delivery that it was made for.
    delivery: Option<u64>,
}

/// What a desk is made of.
pub(super) struct Parts {
    pub(super) address: String,
    pub(super) portal: Portal,
    pub(super) secrets: SecretFiles,
    pub(super) saver: Option<Saver>,
    /// The folder of the samples.
    pub(super) samples: PathBuf,
    /// The folder of the source files.
    pub(super) sources: PathBuf,
}

impl Desk {
    /// Reads the source files. A file with problems doesn't keep the desk from starting. Returns
    /// the desk and what was noticed of the files.
    pub(super) fn new(parts: Parts) -> Result<(Self, Vec<Noticed>)> {
        let Parts { address, portal, secrets, saver, samples, sources } = parts;
        let mut shelf = Shelf::new(sources);
        let noticed = shelf.refresh(Time::now())?;
        let serving = Serving::new(&shelf, &secrets.known, &portal);
        let desk = Self {
            address,
            key: random(),
            run: random(),
            portal,
            secrets: Mutex::new(secrets),
            events: Events::new(),
            saver,
            samples,
            files: Mutex::new(shelf),
            serving: Mutex::new(Arc::new(serving)),
            payloads: Mutex::default(),
            deliveries: Mutex::default(),
            calls: Mutex::default(),
            changed: Mutex::default(),
        };
        Ok((desk, noticed))
    }

    /// Reads the source files again, and serves by them where they are sound.
    pub(super) fn refresh(&self) -> Result<Vec<Noticed>> {
        let mut files = self.files();
        let noticed = files.refresh(Time::now())?;
        let mut secrets = lock(&self.secrets);
        if !secrets.refresh() && noticed.is_empty() {
            return Ok(noticed);
        }
        let serving = Serving::new(&files, &secrets.known, &self.portal);
        drop((files, secrets));
        *lock(&self.serving) = Arc::new(serving);
        self.events.add("source", &json!({"sources": self.sources()}));
        Ok(noticed)
    }

    /// What serves now.
    pub(super) fn serving(&self) -> Arc<Serving> {
        Arc::clone(&lock(&self.serving))
    }

    pub(super) fn files(&self) -> MutexGuard<'_, Shelf> {
        lock(&self.files)
    }

    pub(super) fn payloads(&self) -> MutexGuard<'_, Payloads> {
        lock(&self.payloads)
    }

    /// What must not be shown: the headers of the sources' schemes, and every known secret.
    pub(super) fn hidden(&self) -> Hidden {
        let serving = self.serving();
        let mut hidden = Hidden::default();
        for source in serving.sources().iter() {
            let Some(proof) = &source.verify.proof else { continue };
            hidden.headers.insert(proof.scheme.header().to_owned());
            for secret in self.secrets_of(source).unwrap_or_default() {
                hidden.texts.insert(secret.expose_secret().to_owned());
            }
        }
        hidden
    }

    /// Keeps a delivery, and tells the pages.
    pub(super) fn keep(&self, delivered: Delivered) -> Arc<Delivered> {
        let delivered = Arc::new(delivered);
        let mut deliveries = lock(&self.deliveries);
        deliveries.push_front(Arc::clone(&delivered));
        deliveries.truncate(DELIVERIES);
        let mut bytes = 0;
        deliveries.retain(|kept| {
            bytes += kept.story.len();
            bytes <= BYTES
        });
        drop(deliveries);
        self.events.add("delivery", &delivered.row);
        delivered
    }

    /// The deliveries, newest first.
    pub(super) fn deliveries(&self) -> Vec<Arc<Delivered>> {
        lock(&self.deliveries).iter().cloned().collect()
    }

    /// A delivery by its id.
    pub(super) fn delivery(&self, id: u64) -> Result<Arc<Delivered>> {
        let deliveries = lock(&self.deliveries);
        let found = deliveries.iter().find(|delivered| delivered.id == id);
        found.cloned().ok_or_else(|| anyhow!("There is no delivery {id} any more."))
    }

    /// Takes the new calls to the stand-in, and tells the pages.
    pub(super) fn take_calls(&self) {
        let new = self.portal.new_calls();
        if new.is_empty() {
            return;
        }
        let mut calls = lock(&self.calls);
        for watched in new {
            let call = Call {
                id: calls.front().map_or(1, |newest| newest.id + 1),
                time: Time::from_milliseconds(watched.time).to_string(),
                method: watched.call.method,
                path: watched.call.path,
                status: watched.call.status,
                ms: watched.delay.as_millis().try_into().unwrap_or(u64::MAX),
                request: text(&watched.call.body),
                response: text(&watched.answer),
                delivery: watched.label,
            };
            self.events.add("call", &json!(call));
            calls.push_front(call);
        }
        calls.truncate(CALLS);
        drop(calls);
        if let Some(sim) = self.portal.sim() {
            self.events.add("faults", &json!({"faults": faults::list(sim)}));
            self.events.add("tasks", &json!({"count": sim.tasks().len()}));
        }
    }

    /// The calls, newest first; those of one delivery, or all.
    pub(super) fn calls(&self, delivery: Option<u64>) -> Vec<Call> {
        let mut calls: Vec<_> = lock(&self.calls).iter().cloned().collect();
        calls.retain(|call| delivery.is_none() || call.delivery == delivery);
        calls
    }

    /// Marks a task as one that was written.
    pub(super) fn mark_changed(&self, record: &str) {
        lock(&self.changed).insert(record.to_owned());
    }

    /// The tasks of the stand-in.
    pub(super) fn tasks(&self) -> Value {
        let Some(sim) = self.portal.sim() else { return json!([]) };
        let mut keys = BTreeSet::new();
        for file in self.serving().files() {
            for demand in crate::source::demands(file) {
                if demand.asks == crate::source::Asks::UniqueValues {
                    keys.insert(demand.property);
                }
            }
        }
        let changed = lock(&self.changed).clone();
        let mut tasks = Vec::new();
        for task in sim.tasks() {
            let value = |name: &str| task.properties.get(name).cloned().unwrap_or_default();
            let key = keys.iter().find(|key| !value(key).is_empty());
            tasks.push(json!({
                "record": task.id,
                "key": key.map(|key| value(key)),
                "keyProperty": key,
                "subject": value("hs_task_subject"),
                "status": value("hs_task_status"),
                "priority": value("hs_task_priority"),
                "due": value("hs_timestamp"),
                "owner": value("hubspot_owner_id"),
                "changed": changed.contains(&task.id),
            }));
        }
        Value::Array(tasks)
    }

    /// Everything that a page begins with.
    pub(super) fn state(&self) -> Value {
        let faults = self.portal.sim().map_or(json!([]), faults::list);
        let files = self.files();
        let folder = files.folder().display().to_string();
        let ready = files.ready();
        drop(files);
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "address": self.address,
            "folder": folder,
            "run": self.run,
            "portal": self.portal.brief(),
            "sources": self.sources(),
            "ready": ready,
            "faults": faults,
            "last": self.events.last(),
        })
    }

    /// The sources with their states.
    pub(super) fn sources(&self) -> Value {
        let serving = self.serving();
        let files = self.files();
        let mut list = Vec::new();
        for (name, file, problem, has_good) in files.list() {
            let source = serving.sources().iter().find(|source| source.name == name);
            let place = match problem {
                Some(problem) if problem.line > 0 => format!("line {}", problem.line),
                _ => "the file has a problem".to_owned(),
            };
            let (state, detail) = match (problem, source) {
                (Some(_), Some(_)) if has_good => {
                    ("stale", format!("{place}; the last good one serves"))
                }
                (Some(_), _) => ("broken", place),
                (None, Some(source)) if self.secrets_of(source).is_err() => {
                    ("no_secret", "no secret".to_owned())
                }
                (None, _) => ("ready", String::new()),
            };
            list.push(json!({
                "name": name,
                "path": source.map_or_else(|| format!("/{name}"), |source| source.path.clone()),
                "file": file,
                "state": state,
                "detail": detail,
                "line": problem.map(|problem| problem.line),
                "verified": source.is_none_or(|source| source.verify.proof.is_some()),
                "samples": self.samples_of(name),
            }));
        }
        Value::Array(list)
    }

    /// The secrets that a source accepts.
    pub(super) fn secrets_of(&self, source: &Source) -> Result<Vec<SecretString>> {
        lock(&self.secrets).known.of_source(source)
    }

    /// The text of a sample, such as `github/closed.json`.
    pub(super) fn sample(&self, name: &str) -> Result<Vec<u8>> {
        let (source, file) = name.split_once('/').context("A sample is named SOURCE/FILE.")?;
        if !self.samples_of(source).iter().any(|known| known == file) {
            return Err(anyhow!("There is no sample {name:?}."));
        }
        let path = self.samples.join(source).join(file);
        std::fs::read(&path).map_err(|error| anyhow!("{} can't be read: {error}.", path.display()))
    }

    fn samples_of(&self, name: &str) -> Vec<String> {
        let samples = cases::of_source(&self.samples, name).unwrap_or_default();
        let names = samples.iter().filter_map(|case| case.event.file_name());
        names.map(|name| name.to_string_lossy().into_owned()).collect()
    }
}

/// A body as text on several lines, cut.
fn text(body: &Value) -> String {
    let text = match body {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => format!("{other:#}"),
    };
    crate::text::shorten(&text, BODY).into_owned()
}

/// A text that nobody can guess.
fn random() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
