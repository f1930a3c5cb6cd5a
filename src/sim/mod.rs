//! A stateful stand-in for HubSpot's tasks API, and for what tasks hang on: for tests, in their own
//! process, and for trying Taskhook out offline.
//!
//! It refuses what HubSpot refuses, in HubSpot's words, and is the stricter of the two where nobody
//! knows: `docs/live.md` lists those points, and "not yet proven: L7" names one of them. HubSpot's
//! own clients run against it. Its heart, the portal, does no I/O: a request and the time go in, an
//! answer comes out. Faults spoil single calls, a [`Behaviour`] sets what lasts.
//!
//! | module | holds |
//! | --- | --- |
//! | `http`, `admin` | the socket; `/_sim` for scripts |
//! | `state`, `fault` | the calls so far, and the faults that wait for the next ones |
//! | `calls`, `route`, `version`, `limits` | one request becomes one answer |
//! | `portal`, `seed` | the state that calls read and change, and how it begins |
//! | `request`, `answer` | requests and answers without their transport |
//! | `inputs`, `batch`, `outcome` | a batch call: its inputs, work and results |
//! | `record`, `search` | calls for one record, for the list of all, and for some by their values |
//! | `object`, `objects` | the object types by name, and what a portal has of each |
//! | `records`, `draft`, `view` | a type's records, changes of all or none, and how HubSpot shows them |
//! | `links`, `associations` | which records hang together, and the calls about it |
//! | `definitions`, `groups`, `schema`, `property` | property definitions, and their calls |
//! | `values`, `rules`, `invalid` | which values properties take, and why others are refused |
//! | `owners`, `scopes` | the people that tasks are assigned to, and the token's permissions |
//! | `refusal`, `canned` | HubSpot's error bodies: for mistakes of a request, and for faults |

mod admin;
mod answer;
mod associations;
mod batch;
mod calls;
mod canned;
mod definitions;
mod draft;
mod fault;
mod groups;
mod http;
mod inputs;
mod invalid;
mod limits;
mod links;
mod object;
mod objects;
mod outcome;
mod owners;
mod portal;
mod property;
mod record;
mod records;
mod refusal;
mod request;
mod route;
mod rules;
mod schema;
mod scopes;
mod search;
mod seed;
mod state;
mod values;
mod version;
mod view;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    io,
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use tokio::{
    net::TcpListener,
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    task::AbortHandle,
};

pub use fault::{BatchState, Endpoint, Fault, Moment};
pub use limits::{Policy, RateLimits};
pub use links::Association;
pub use object::ObjectType;
pub use property::{Choice, ModificationMetadata, Property};
pub use records::{Record, Record as Task};
pub use rules::{Characters, Form, Rule};
pub use seed::{
    Behaviour, EmptyDueDate, Order, Owner, Seed, SeedRecord, SeedRecord as SeedTask, TakenValue,
    TraceIds,
};
pub use state::{Call, Watched};

use objects::Object;
use portal::Portal;
use state::State;

/// A running stand-in. Dropping it closes its socket and every connection.
#[derive(Debug)]
pub struct Sim {
    state: Arc<Mutex<State>>,
    port: u16,
    server: AbortHandle,
}

impl Sim {
    /// Listens on `127.0.0.1` at this port, or at any free one for 0. Needs a tokio runtime.
    ///
    /// Fails with `InvalidInput` if a record of the seed is wrong, or with the reason why it can't
    /// listen.
    pub async fn start(seed: Seed, port: u16) -> io::Result<Self> {
        let portal = Portal::new(seed, Timestamp::now())
            .map_err(|problem| io::Error::new(io::ErrorKind::InvalidInput, problem))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(Mutex::new(State::new(portal)));
        let server = tokio::spawn(http::serve(listener, Arc::clone(&state))).abort_handle();
        Ok(Self { state, port, server })
    }

    /// Where it listens, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The same for calls that only look: no fault strikes them, and they are not among the calls.
    #[must_use]
    pub fn url_to_look(&self) -> String {
        format!("{}{}", self.url(), http::LOOK)
    }

    /// The same for calls that whoever watches is told apart by this number.
    #[must_use]
    pub fn url_for(&self, label: u64) -> String {
        format!("{}{}{label}", self.url(), http::FOR)
    }

    /// Closes `/_sim`, for a stand-in that is its process's alone.
    pub fn close_admin(&self) {
        self.state().is_open = false;
    }

    /// Every call from now on, as it is answered. The last one who asks gets them.
    #[must_use]
    pub fn watch(&self) -> UnboundedReceiver<Watched> {
        let (sender, receiver) = unbounded_channel();
        self.state().watcher = Some(sender);
        receiver
    }

    /// Adds a property of tasks, unless the portal has one of this name.
    pub fn define(&self, property: Property) {
        let schema = &mut self.state().portal.objects[ObjectType::Tasks].schema;
        if schema.get(&property.name).is_none() {
            schema.put(property.complete(ObjectType::Tasks));
        }
    }

    /// Adds a task, as the seed does. Returns its record id, or what is wrong with it.
    pub fn add(&self, task: SeedTask) -> Result<String, String> {
        self.add_record(ObjectType::Tasks, task)
    }

    /// Adds a record of any type, as the seed does. Returns its id, or what is wrong with it.
    pub fn add_record(&self, object: ObjectType, record: SeedRecord) -> Result<String, String> {
        let portal = &mut self.state().portal;
        let Object { schema, records } = &portal.objects[object];
        let taken = |(name, value): (&String, &String)| {
            let is_unique = schema.get(name).is_some_and(|property| property.identifies(object));
            let holds = |other: &Record| other.properties.get(name) == Some(value);
            is_unique && records.all().any(holds)
        };
        if record.properties.iter().any(taken) {
            return Err(format!("There is a {} with this value already.", object.singular()));
        }
        portal.add_seed_record(object, record, &mut BTreeSet::new(), Timestamp::now())
    }

    /// Every task as it is now, by record id.
    #[must_use]
    pub fn tasks(&self) -> Vec<Task> {
        self.state().portal.objects[ObjectType::Tasks].records.all().cloned().collect()
    }

    /// The first task whose property has this value.
    #[must_use]
    pub fn task_by(&self, property: &str, value: &str) -> Option<Task> {
        self.record_by(ObjectType::Tasks, property, value)
    }

    /// The first record of a type whose property has this value.
    #[must_use]
    pub fn record_by(&self, object: ObjectType, property: &str, value: &str) -> Option<Record> {
        let holds = |record: &&Record| record.properties.get(property).is_some_and(|v| v == value);
        self.state().portal.objects[object].records.all().find(holds).cloned()
    }

    /// Every two records that are associated, sorted, with the task first.
    #[must_use]
    pub fn associations(&self) -> Vec<Association> {
        self.state().portal.links.all()
    }

    /// Every call so far, in order, without those to `/_sim`.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// Forgets the calls so far.
    pub fn clear_calls(&self) {
        self.state().calls.clear();
    }

    /// Queues a fault for the next call that it strikes.
    pub fn fault(&self, fault: Fault) {
        self.state().faults.add(fault);
    }

    /// The faults that still wait, each with the times that are left.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        self.state().faults.waiting()
    }

    /// Takes back the faults that still wait.
    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// Sets the habits that last.
    pub fn set_behaviour(&self, behaviour: Behaviour) {
        self.state().portal.behaviour = behaviour;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A call that panicked must not take the tests' view of it along.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.server.abort();
    }
}
