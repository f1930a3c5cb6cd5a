//! A portal: its state, and what it answers. No I/O and no clock here.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{
    answer::{Answer, Body, Request},
    batch, canned, definitions,
    fault::Fault,
    groups,
    inputs::Operation,
    limits::Used,
    outcome::Outcome,
    owners,
    property::built_in,
    record,
    refusal::{self, Refusal},
    route::{Definitions, Place, Route},
    schema::Schema,
    scopes::Scopes,
    search,
    seed::{Behaviour, Owner, Seed, SeedTask},
    tasks::Tasks,
    values::{Invalid, accept},
    version::Version,
};

/// The state of a portal.
#[derive(Debug)]
pub(super) struct Portal {
    pub(super) schema: Schema,
    pub(super) owners: Vec<Owner>,
    pub(super) tasks: Tasks,
    pub(super) behaviour: Behaviour,
    pub(super) scopes: Scopes,
    token: Option<String>,
    expired_tokens: Vec<String>,
    used: Used,
    /// How many answers were given: each has a correlation id of its own.
    answers: u64,
}

impl Portal {
    /// Returns a sentence about the first thing that is wrong with the seed.
    pub(super) fn new(seed: Seed, now: Timestamp) -> Result<Self, String> {
        let mut portal = Self {
            schema: Schema::default(),
            owners: seed.owners,
            tasks: Tasks::default(),
            behaviour: seed.behaviour,
            scopes: Scopes(seed.scopes),
            token: seed.token,
            expired_tokens: seed.expired_tokens,
            used: Used::default(),
            answers: 0,
        };
        owners::complete(&mut portal.owners);
        for property in built_in().into_iter().chain(seed.properties) {
            portal.schema.put(property.complete());
        }
        let mut unique = BTreeSet::new();
        for (task, position) in seed.tasks.into_iter().zip(1..) {
            portal
                .plant(task, &mut unique, now)
                .map_err(|problem| format!("task {position}: {problem}"))?;
        }
        Ok(portal)
    }

    /// Answers one request, which the fault may spoil.
    pub(super) fn answer(&mut self, request: &Request, fault: &Fault, now: Timestamp) -> Answer {
        let route = Route::of(&request.method, &request.path);
        let is_search = route.as_ref().is_some_and(|route| route.place == Place::SearchTasks);
        let limits = self.behaviour.limits;
        let mut answer = match (self.used.count(&limits, is_search, now), fault.answer(now)) {
            (Err(policy), _) => canned::answer(429, policy, now),
            (Ok(()), Some(answer)) => answer,
            (Ok(()), None) => self.handle(route, request, fault, now).unwrap_or_else(Answer::from),
        };
        self.identify(&mut answer);
        if !is_search {
            self.used.stamp(&mut answer, &limits);
        }
        for (name, value) in &fault.headers {
            answer.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
            answer = answer.header(name, value);
        }
        answer
    }

    /// Gives what HubSpot says, not a proxy before it, an id of its own.
    fn identify(&mut self, answer: &mut Answer) {
        let Body::Json(body) = &mut answer.body else { return };
        self.answers += 1;
        let id = format!("5eed0000-0000-4000-8000-{:012x}", self.answers);
        if body["status"] == "error" && body.get("correlationId").is_none() {
            body["correlationId"] = id.as_str().into();
        }
        answer.headers.push(("X-HubSpot-Correlation-Id".into(), id));
    }

    /// Refuses an `idProperty` whose values are not unique. `hs_object_id` is refused too: leave
    /// `idProperty` out.
    pub(super) fn check_id_property(&self, name: Option<&str>, verb: &str) -> Result<(), Refusal> {
        let Some(name) = name else { return Ok(()) };
        match self.schema.get(name) {
            None => {
                let invalid = [Invalid::unknown_property(name)];
                let detail = batch::detail(&self.behaviour);
                Err(refusal::invalid_values(&invalid, detail))
            }
            Some(property) if !property.has_unique_value => Err(refusal::not_unique(name, verb)),
            Some(_) => Ok(()),
        }
    }

    fn handle(
        &mut self,
        route: Option<Route>,
        request: &Request,
        fault: &Fault,
        now: Timestamp,
    ) -> Result<Answer, Refusal> {
        self.authorize(request, now)?;
        let Some(Route { place, version }) = route else {
            return Err(refusal::no_such_path(&request.path));
        };
        self.scopes.check(&place, request, &self.schema)?;
        match place {
            Place::Batch(operation) => self.batch(operation, version, request, fault, now),
            Place::ListTasks => record::list(self, request),
            Place::SearchTasks => search::answer(self, &request.body),
            Place::CreateTask => record::create(self, version, request, now),
            Place::ReadTask(id) => record::read(self, &id, version, request, now),
            Place::UpdateTask(id) => record::update(self, &id, version, request, now),
            Place::ArchiveTask(id) => record::archive(self, &id),
            Place::Owners => owners::list(&self.owners, request),
            Place::Owner(id) => owners::show(&self.owners, &id, request),
            Place::Definitions(call) => self.definitions(call, version, request, fault, now),
        }
    }

    fn batch(
        &mut self,
        operation: Operation,
        version: Version,
        request: &Request,
        fault: &Fault,
        now: Timestamp,
    ) -> Result<Answer, Refusal> {
        let outcome = match operation {
            Operation::Archive => return batch::archive(self, &request.body),
            Operation::Read => batch::read(self, version, request, fault, now)?,
            _ => batch::write(self, operation, version, &request.body, fault, now)?,
        };
        let success = if operation == Operation::Create { 201 } else { 200 };
        Ok(self.told(outcome, success, version, fault, now))
    }

    fn definitions(
        &mut self,
        call: Definitions,
        version: Version,
        request: &Request,
        fault: &Fault,
        now: Timestamp,
    ) -> Result<Answer, Refusal> {
        let (schema, body) = (&mut self.schema, &request.body);
        match call {
            Definitions::List => definitions::list(self, request),
            Definitions::Show(name) => definitions::show(self, &name, request),
            Definitions::Create => definitions::create(schema, body),
            Definitions::Update(name) => definitions::update(schema, &name, body),
            Definitions::Archive(name) => definitions::archive(schema, &name),
            Definitions::BatchCreate => {
                let outcome = definitions::create_batch(schema, body)?;
                Ok(self.told(outcome, 201, version, fault, now))
            }
            Definitions::BatchRead => {
                let outcome = definitions::read_batch(self, body)?;
                Ok(self.told(outcome, 200, version, fault, now))
            }
            Definitions::BatchArchive => definitions::archive_batch(schema, body),
            Definitions::Groups => Ok(groups::list(schema)),
            Definitions::ShowGroup(name) => groups::show(schema, &name),
            Definitions::CreateGroup => groups::create(schema, body),
            Definitions::UpdateGroup(name) => groups::update(schema, &name, body),
            Definitions::ArchiveGroup(name) => groups::archive(schema, &name),
        }
    }

    /// The answer to a batch: 207 if something failed, where the version has it.
    fn told(
        &self,
        outcome: Outcome,
        success: u16,
        version: Version,
        fault: &Fault,
        now: Timestamp,
    ) -> Answer {
        let has_207 = version.has_207() && !self.behaviour.errors_in_200;
        let partial = if has_207 { 207 } else { success };
        outcome.answer(success, partial, &self.behaviour, fault, now)
    }

    /// The properties among these whose values the token may read.
    pub(super) fn readable(&self, names: &[String]) -> Vec<String> {
        let may_read = |name: &&String| {
            let property = self.schema.get(name);
            property
                .is_none_or(|it| self.scopes.require_sensitive(it.sensitivity(), "read").is_ok())
        };
        names.iter().filter(may_read).cloned().collect()
    }

    fn authorize(&self, request: &Request, now: Timestamp) -> Result<(), Refusal> {
        let header = request.authorization.as_deref().unwrap_or_default();
        let token = header.strip_prefix("Bearer ");
        let is = |known: &String| token == Some(known);
        if self.expired_tokens.iter().any(is) {
            let then = now - jiff::SignedDuration::from_hours(3);
            return Err(refusal::expired(then, now));
        }
        match (&self.token, token) {
            (None, _) => Ok(()),
            (Some(right), Some(token)) if right == token => Ok(()),
            (Some(_), Some(token)) if !token.starts_with("pat-") => {
                Err(refusal::expired(Timestamp::UNIX_EPOCH, now))
            }
            (Some(_), _) => Err(refusal::no_credentials()),
        }
    }

    /// Puts a task of the seed into the portal. Its values must be right, but may be those of
    /// read-only properties. `unique` are the values of properties that must be unique.
    fn plant(
        &mut self,
        task: SeedTask,
        unique: &mut BTreeSet<(String, String)>,
        now: Timestamp,
    ) -> Result<(), String> {
        let id = task.id.unwrap_or_else(|| self.tasks.next_id());
        if self.tasks.get(&id).is_some() {
            return Err(format!("its id {id} is that of an earlier task"));
        }
        let mut values = BTreeMap::new();
        for (name, value) in task.properties {
            let property = self.schema.get(&name);
            let property = property.ok_or_else(|| Invalid::unknown_property(&name).message)?;
            let value = accept(property, &value, None, &self.owners)
                .map_err(|invalid| format!("{name}: {}", invalid.message))?;
            if property.has_unique_value
                && !value.is_empty()
                && !unique.insert((name.clone(), value.clone()))
            {
                return Err(format!("{name}: {value} is that of an earlier task"));
            }
            values.insert(name, value);
        }
        self.tasks.write(&id, values, now);
        Ok(())
    }
}
