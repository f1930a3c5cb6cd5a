//! The calls of one run. What did not pass for one will not pass for the rest: after a call that
//! has to wait for later, no other is sent.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::hubspot::{Answer, Call, Error, Hubspot, Input, Refusals};
use crate::outcome::RetryReason;

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
}

/// What is known of calls that HubSpot forbids: for the token's sake, or for that of a row with a
/// property that needs a scope of its own.
#[derive(Default)]
struct Forbidden {
    has_passed: bool,
    /// The ids and the details of those that were forbidden since the last one passed.
    calls: Vec<(BTreeSet<String>, String)>,
    /// Whether the operator was told of it.
    was_told: bool,
}

/// So many calls may be forbidden one after the other for the sake of rows: two bad ones of a
/// hundred are found with half as many.
const MOST_FORBIDDEN: usize = 32;

impl<'h> Calls<'h> {
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
        }
    }

    /// What HubSpot refused lately, in other runs as well.
    pub(super) fn refusals(&self) -> &'h Refusals {
        self.hubspot.refusals()
    }

    pub(super) async fn write(&self, call: Call, inputs: &[Input<'_>]) -> Result<Answer, Error> {
        self.go_on()?;
        let result = self.hubspot.write(call, inputs, self.deadline).await;
        self.note_forbidden(&self.writes, inputs.iter().map(|input| input.id), result)
    }

    pub(super) async fn read(
        &self,
        id_property: &str,
        ids: &[&str],
        properties: Vec<&str>,
    ) -> Result<Answer, Error> {
        self.go_on()?;
        let result = self.hubspot.read(id_property, ids, properties, self.deadline).await;
        self.note_forbidden(&self.reads, ids.iter().copied(), result)
    }

    /// Looks an owner up; anew where HubSpot refused the id that was known. Where owners can't be
    /// read, tasks may be written all the same: that stops the look-ups alone, unless it is about
    /// the token or a limit.
    pub(super) async fn owner(
        &self,
        email: &str,
        refused: Option<&str>,
    ) -> Result<Option<String>, Error> {
        self.go_on()?;
        lock(&self.no_owners).clone().map_or(Ok(()), Err)?;
        let result = match refused {
            None => self.hubspot.owner(email, self.owners_by).await,
            Some(id) => self.hubspot.owner_again(email, id, self.deadline).await,
        };
        match &result {
            Err(Error::Later {
                reason: RetryReason::Unauthorized | RetryReason::RateLimited,
                ..
            }) => self.note(result),
            Err(error @ Error::Later { .. }) => {
                lock(&self.no_owners).get_or_insert_with(|| error.clone());
                result
            }
            _ => result,
        }
    }

    /// Whether a write passed, so that what is forbidden is forbidden for the sake of a row.
    pub(super) fn has_written(&self) -> bool {
        lock(&self.writes).has_passed
    }

    /// Whether no other call will be sent.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped().is_some()
    }

    /// How long HubSpot wants to be left alone, if it said so.
    pub(super) fn wait(&self) -> Option<Duration> {
        match &*self.stopped() {
            Some(Error::Later { wait, .. }) => *wait,
            _ => None,
        }
    }

    /// Stops after answers that were lost twice, so that nothing else of a task overtakes what is
    /// to be tried again.
    pub(super) fn give_up(&self) -> Error {
        let detail = Error::Lost.to_string();
        let error = Error::Later { reason: RetryReason::Unavailable, wait: None, detail };
        self.stopped().get_or_insert(error).clone()
    }

    fn go_on(&self) -> Result<(), Error> {
        self.stopped().clone().map_or(Ok(()), Err)
    }

    fn note<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        if let Err(error @ Error::Later { .. }) = &result {
            self.stopped().get_or_insert_with(|| error.clone());
        }
        result
    }

    /// Stops after a call that has to wait for later, unless it is forbidden and that may be the
    /// fault of one of its rows: another part of them may pass.
    fn note_forbidden<'i, T>(
        &self,
        forbidden: &Mutex<Forbidden>,
        ids: impl Iterator<Item = &'i str>,
        result: Result<T, Error>,
    ) -> Result<T, Error> {
        match &result {
            Ok(_) => {
                let mut forbidden = lock(forbidden);
                forbidden.has_passed = true;
                forbidden.calls.clear();
                result
            }
            Err(Error::Later { reason: RetryReason::Forbidden, detail, .. }) => {
                let ids: BTreeSet<_> = ids.map(str::to_owned).collect();
                let mut forbidden = lock(forbidden);
                let is_one_row = ids.len() == 1;
                let may_be_a_rows = forbidden.may_be_a_rows(ids, detail);
                // While halves are tried nobody knows whom to blame; then once is enough.
                if (is_one_row || !may_be_a_rows)
                    && !std::mem::replace(&mut forbidden.was_told, true)
                {
                    tracing::error!("set-up: {detail}");
                }
                if may_be_a_rows { result } else { self.note(result) }
            }
            _ => self.note(result),
        }
    }

    fn stopped(&self) -> MutexGuard<'_, Option<Error>> {
        lock(&self.stopped)
    }
}

impl Forbidden {
    /// Takes one more. Where two calls without a row in common are forbidden in the same words, and
    /// none has passed, it is the token's fault.
    fn may_be_a_rows(&mut self, ids: BTreeSet<String>, detail: &str) -> bool {
        let is_other = |(others, other): &(BTreeSet<String>, String)| {
            other == detail && others.is_disjoint(&ids)
        };
        let may_be = if self.has_passed {
            self.calls.len() < MOST_FORBIDDEN
        } else {
            !self.calls.iter().any(is_other)
        };
        self.calls.push((ids, detail.to_owned()));
        may_be
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
