//! The calls of one run. After a call that has to wait for later no other is sent, because the
//! reason holds for the rest as well.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::guard::Read;
use super::memory::Memory;
use super::row::Row;
use crate::hubspot::{Answer, Call, Error, Hubspot, Linked, LinksBefore, Pair};
use crate::outcome::RetryReason;
use crate::update::Object;

/// How many calls are under way at once: HubSpot takes 100 to 190 in ten seconds from an app, so
/// four of half a second each stay below, while 10,000 updates still take seconds.
pub(super) const AT_ONCE: usize = 4;

/// How many calls are under way at once while rows are searched that HubSpot refuses without naming
/// them: the parts are small, there are some hundred of them at most, and good rows wait for it.
pub(super) const AT_ONCE_IN_SEARCH: usize = 8;

/// The most calls that may be forbidden one after the other because of rows: two bad ones of a
/// hundred are found with half as many.
const MOST_FORBIDDEN: usize = 32;

/// HubSpot, for as long as a run may call it.
pub(super) struct Calls<'h> {
    hubspot: &'h Hubspot,
    deadline: Instant,
    /// Until when owners are looked up, so that there is time for the updates that need none.
    owners_by: Instant,
    /// The first call that has to wait for later.
    stopped: Mutex<Option<Error>>,
    reads: Mutex<Forbidden>,
    writes: Mutex<Forbidden>,
    /// Why no owner can be looked up.
    no_owners: Mutex<Option<Error>>,
    /// Why nothing can be linked to records of a kind.
    no_links: Mutex<BTreeMap<Object, Error>>,
}

/// The calls of one kind that HubSpot forbids: because of the token, or of a row with a
/// property that needs a scope of its own.
#[derive(Default)]
struct Forbidden {
    has_passed: bool,
    /// The calls that were forbidden since the last one passed.
    calls: Vec<ForbiddenCall>,
    /// Whether the operator was told of it.
    was_told: bool,
}

struct ForbiddenCall {
    ids: BTreeSet<String>,
    detail: String,
}

impl<'h> Calls<'h> {
    /// Calls that end at the deadline.
    pub(super) fn new(hubspot: &'h Hubspot, deadline: Instant) -> Self {
        let now = Instant::now();
        Self {
            hubspot,
            deadline,
            owners_by: now + deadline.saturating_duration_since(now) / 2,
            stopped: Mutex::default(),
            reads: Mutex::default(),
            writes: Mutex::default(),
            no_owners: Mutex::default(),
            no_links: Mutex::default(),
        }
    }

    /// The refusals of this run and of those before.
    pub(super) fn memory(&self) -> Memory<'h> {
        Memory(self.hubspot.refusals())
    }

    /// The links of the runs before.
    pub(super) fn links_before(&self) -> &LinksBefore {
        self.hubspot.links_before()
    }

    /// Writes the tasks of rows, which have the same id property.
    pub(super) async fn write(&self, call: Call, rows: &[Row]) -> Result<Answer, Error> {
        self.check_running()?;
        let inputs: Vec<_> = rows.iter().enumerate().map(|(index, row)| row.input(index)).collect();
        let result = self.hubspot.write(call, &inputs, self.deadline).await;
        self.stop_after_failure(&self.writes, rows.iter().map(|row| row.task.id.as_str()), result)
    }

    /// Reads tasks, or records that tasks hang on.
    pub(super) async fn read(&self, read: &Read) -> Result<Answer, Error> {
        self.check_running()?;
        let ids: Vec<_> = read.ids.iter().map(String::as_str).collect();
        if let Some(to) = read.object {
            let (hubspot, by) = (self.hubspot, &read.id_property);
            return self.of_links(to, hubspot.read_records(to, by, &ids, self.deadline)).await;
        }
        let properties = read.properties.iter().map(String::as_str).collect();
        let result = self.hubspot.read(&read.id_property, &ids, properties, self.deadline).await;
        self.stop_after_failure(&self.reads, ids.into_iter(), result)
    }

    /// Links tasks.
    pub(super) async fn associate(&self, to: Object, pairs: &[Pair]) -> Result<Linked, Error> {
        self.of_links(to, self.hubspot.associate(to, pairs, self.deadline)).await
    }

    /// The links that tasks have.
    pub(super) async fn associations(
        &self,
        to: Object,
        tasks: &[&str],
    ) -> Result<Vec<Pair>, Error> {
        self.check_running()?;
        // It may be forbidden where linking is not.
        self.hubspot.associations(to, tasks, self.deadline).await
    }

    /// Makes a call for links to one kind of record. Where a scope is missing for that kind, it is the
    /// last of its kind, and stops no other.
    async fn of_links<T>(
        &self,
        to: Object,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        self.check_running().map_err(Error::about_no_scope)?;
        if let Some(error) = lock(&self.no_links).get(&to) {
            return Err(error.clone());
        }
        let result = call.await;
        if let Err(error @ Error::Later { names_scopes: true, detail, .. }) = &result {
            if lock(&self.no_links).insert(to, error.clone()).is_none() {
                tracing::error!("token: tasks are not linked to {}: {detail}", to.plural());
            }
            return result;
        }
        self.stop_at_later(result)
    }

    /// Reads pages of owners where that takes fewer calls than to ask for each of the addresses. Half
    /// of the time is kept for those that are on no page that was read.
    pub(super) async fn list_owners(&self, emails: &[&str]) {
        if self.check_running().is_err() {
            return;
        }
        let now = Instant::now();
        let until = now + self.owners_by.saturating_duration_since(now) / 2;
        let result = self.hubspot.list_owners(emails, until, self.owners_by).await;
        // Those that are not known after it are told why.
        _ = self.stop_look_ups(result);
    }

    /// Looks an owner up; anew where HubSpot refused the id that was known. Where owners can't be
    /// read, tasks may be written all the same, also those of owners that are remembered.
    pub(super) async fn owner(
        &self,
        email: &str,
        refused: Option<&str>,
    ) -> Result<Option<String>, Error> {
        self.check_running()?;
        let is_known = refused.is_none() && self.hubspot.knows_owner(email);
        if let (Some(error), false) = (&*lock(&self.no_owners), is_known) {
            return Err(error.clone());
        }
        let result = match refused {
            None => self.hubspot.owner(email, self.owners_by).await,
            Some(id) => self.hubspot.owner_again(email, id, self.deadline).await,
        };
        self.stop_look_ups(result)
    }

    /// Stops after a look-up that has to wait for later: the look-ups alone, unless it is about the
    /// token or a limit.
    fn stop_look_ups<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        match &result {
            Err(Error::Later {
                reason: RetryReason::Unauthorized | RetryReason::RateLimited,
                ..
            }) => self.stop_at_later(result),
            Err(error @ Error::Later { .. }) => {
                lock(&self.no_owners).get_or_insert_with(|| error.clone());
                result
            }
            _ => result,
        }
    }

    /// Whether a write passed, so that a call is forbidden because of a row.
    pub(super) fn has_written(&self) -> bool {
        lock(&self.writes).has_passed
    }

    /// Whether no other call will be sent.
    pub(super) fn is_stopped(&self) -> bool {
        lock(&self.stopped).is_some()
    }

    /// How long HubSpot wants to be left alone, if it said so.
    pub(super) fn wait(&self) -> Option<Duration> {
        match &*lock(&self.stopped) {
            Some(Error::Later { wait, .. }) => *wait,
            _ => None,
        }
    }

    /// Stops after answers that were lost twice, so that nothing else of a task overtakes its rows
    /// that are to be tried again. Returns the error of those rows.
    pub(super) fn give_up(&self) -> Error {
        let detail = Error::Lost.to_string();
        let reason = RetryReason::Unavailable;
        let error = Error::Later { reason, wait: None, detail, names_scopes: false };
        lock(&self.stopped).get_or_insert(error).clone()
    }

    fn check_running(&self) -> Result<(), Error> {
        match &*lock(&self.stopped) {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    /// Stops after a call that has to wait for later.
    fn stop_at_later<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        if let Err(error @ Error::Later { .. }) = &result {
            lock(&self.stopped).get_or_insert_with(|| error.clone());
        }
        result
    }

    /// Stops after a call that has to wait for later, unless it is forbidden and that may be the
    /// fault of one of its rows: another part of them may pass.
    fn stop_after_failure<'i, T>(
        &self,
        forbidden: &Mutex<Forbidden>,
        ids: impl Iterator<Item = &'i str>,
        result: Result<T, Error>,
    ) -> Result<T, Error> {
        let Err(Error::Later { reason: RetryReason::Forbidden, detail, .. }) = &result else {
            if result.is_ok() {
                let mut forbidden = lock(forbidden);
                forbidden.has_passed = true;
                forbidden.calls.clear();
            }
            return self.stop_at_later(result);
        };
        let call = ForbiddenCall { ids: ids.map(str::to_owned).collect(), detail: detail.clone() };
        let is_one_row = call.ids.len() == 1;
        let mut forbidden = lock(forbidden);
        let may_be_a_rows = forbidden.may_be_a_rows(&call);
        forbidden.calls.push(call);
        // While halves are tried nobody knows whom to blame; then once is enough.
        if (is_one_row || !may_be_a_rows) && !forbidden.was_told {
            forbidden.was_told = true;
            tracing::error!("token: {detail}");
        }
        if may_be_a_rows { result } else { self.stop_at_later(result) }
    }
}

impl Calls<'_> {
    /// Reports calls that were forbidden, if the time ended before it was known because of what.
    pub(super) fn report_forbidden(&self) {
        for forbidden in [&self.reads, &self.writes] {
            let forbidden = lock(forbidden);
            if let (Some(call), false) = (forbidden.calls.first(), forbidden.was_told) {
                tracing::error!("token: {}", call.detail);
            }
        }
    }
}

impl Forbidden {
    /// Whether a call may be forbidden because of a row. Where two calls without a row in
    /// common are forbidden in the same words, and none has passed, it is the token's fault.
    fn may_be_a_rows(&self, call: &ForbiddenCall) -> bool {
        if self.has_passed {
            return self.calls.len() < MOST_FORBIDDEN;
        }
        let is_alike =
            |other: &ForbiddenCall| other.detail == call.detail && other.ids.is_disjoint(&call.ids);
        !self.calls.iter().any(is_alike)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
