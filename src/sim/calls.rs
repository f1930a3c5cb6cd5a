//! The calls to a portal: one request becomes one answer. No I/O and no clock here.

use jiff::Timestamp;

use super::{
    answer::{Answer, Body},
    associations, batch, canned, definitions,
    fault::Fault,
    groups,
    object::ObjectType,
    outcome::Outcome,
    owners,
    portal::Portal,
    record,
    refusal::{self, Refusal},
    request::Request,
    route::{Associations, Definitions, Ends, Operation, Place, Records, Route},
    search,
    version::Version,
};

impl Portal {
    /// Answers one request, which the fault may spoil.
    pub(super) fn answer(&mut self, request: &Request, fault: &Fault, now: Timestamp) -> Answer {
        let route = Route::parse(&request.method, &request.path);
        let is_search = route.as_ref().is_some_and(Route::is_search);
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

    /// Gives an answer of HubSpot itself, not of a proxy before it, an id of its own.
    fn identify(&mut self, answer: &mut Answer) {
        let Body::Json(body) = &mut answer.body else { return };
        self.answers += 1;
        let id = format!("5eed0000-0000-4000-8000-{:012x}", self.answers);
        if body["status"] == "error" && body.get("correlationId").is_none() {
            body["correlationId"] = id.as_str().into();
        }
        answer.headers.push(("X-HubSpot-Correlation-Id".into(), id));
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
        self.scopes.check(&place, request, &self.objects)?;
        match place {
            Place::Records(object, call) => {
                self.records(object, call, version, request, fault, now)
            }
            Place::Associations(ends, call) => {
                self.associations(ends, call, version, request, fault, now)
            }
            Place::Definitions(object, call) => {
                self.definitions(object, call, version, request, fault, now)
            }
            Place::Owners => owners::list(&self.owners, request),
            Place::Owner(id) => owners::show(&self.owners, &id, request),
        }
    }

    fn records(
        &mut self,
        object: ObjectType,
        call: Records,
        version: Version,
        request: &Request,
        fault: &Fault,
        now: Timestamp,
    ) -> Result<Answer, Refusal> {
        match call {
            Records::Batch(operation) => {
                self.batch(object, operation, version, request, fault, now)
            }
            Records::List => record::list(self, object, request),
            Records::Search => search::answer(self, object, &request.body),
            Records::Create => record::create(self, object, version, request, now),
            Records::Read(id) => record::read(self, object, &id, version, request, now),
            Records::Update(id) => record::update(self, object, &id, version, request, now),
            Records::Archive(id) => record::archive(self, object, &id),
        }
    }

    fn batch(
        &mut self,
        object: ObjectType,
        operation: Operation,
        version: Version,
        request: &Request,
        fault: &Fault,
        now: Timestamp,
    ) -> Result<Answer, Refusal> {
        let outcome = match operation {
            Operation::Archive => return batch::archive(self, object, &request.body),
            Operation::Read => batch::read(self, object, version, request, fault, now)?,
            _ => batch::write(self, object, operation, version, &request.body, fault, now)?,
        };
        let success = if operation == Operation::Create { 201 } else { 200 };
        Ok(self.batch_answer(outcome, success, version, fault, now))
    }

    fn associations(
        &mut self,
        ends: Ends,
        call: Associations,
        version: Version,
        request: &Request,
        fault: &Fault,
        now: Timestamp,
    ) -> Result<Answer, Refusal> {
        let body = &request.body;
        let outcome = match call {
            Associations::AssociateBatch => associations::associate(self, ends, body, fault)?,
            Associations::Associate(from, to) => {
                associations::associate_one(self, ends, from, to, fault)?
            }
            Associations::ReadBatch => associations::read(self, ends, version, body)?,
            Associations::List(id) => {
                return associations::list(self, ends, &id, version, request);
            }
            Associations::ArchiveBatch => {
                associations::archive(self, ends, body)?;
                // The date versions answer as other batches do.
                if version == Version::V4 {
                    return Ok(Answer::empty());
                }
                Outcome::default()
            }
            Associations::Archive(from, to) => {
                associations::archive_one(self, ends, &from, &to);
                return Ok(Answer::empty());
            }
        };
        Ok(self.batch_answer(outcome, 200, version, fault, now))
    }

    fn definitions(
        &mut self,
        object: ObjectType,
        call: Definitions,
        version: Version,
        request: &Request,
        fault: &Fault,
        now: Timestamp,
    ) -> Result<Answer, Refusal> {
        let (schema, body) = (&mut self.objects[object].schema, &request.body);
        match call {
            Definitions::List => definitions::list(self, object, request),
            Definitions::Show(name) => definitions::show(self, object, &name, request),
            Definitions::Create => definitions::create(schema, body),
            Definitions::Update(name) => definitions::update(schema, &name, body),
            Definitions::Archive(name) => definitions::archive(schema, &name),
            Definitions::BatchCreate => {
                let outcome = definitions::create_batch(schema, body)?;
                Ok(self.batch_answer(outcome, 201, version, fault, now))
            }
            Definitions::BatchRead => {
                let outcome = definitions::read_batch(self, object, body)?;
                Ok(self.batch_answer(outcome, 200, version, fault, now))
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
    fn batch_answer(
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
}
