//! The calls of one run. What did not pass for one will not pass for the rest: after a call that has to wait for later,
//! no other is sent.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::hubspot::{Answer, Call, Error, Hubspot, Input};
use crate::summary::RetryReason;

pub(super) struct Calls<'h> {
    hubspot: &'h Hubspot,
    deadline: Instant,
    /// The first call that has to wait for later.
    stopped: Mutex<Option<Error>>,
    /// Why no owner can be looked up.
    no_owners: Mutex<Option<Error>>,
}

impl<'h> Calls<'h> {
    pub(super) fn new(hubspot: &'h Hubspot, deadline: Instant) -> Self {
        Self { hubspot, deadline, stopped: Mutex::new(None), no_owners: Mutex::new(None) }
    }

    pub(super) async fn write(&self, call: Call, inputs: &[Input<'_>]) -> Result<Answer, Error> {
        self.go_on()?;
        self.note(self.hubspot.write(call, inputs, self.deadline).await)
    }

    pub(super) async fn read(&self, id_property: &str, ids: &[&str], properties: Vec<&str>) -> Result<Answer, Error> {
        self.go_on()?;
        self.note(self.hubspot.read(id_property, ids, properties, self.deadline).await)
    }

    /// A token that may not read owners may write tasks all the same: that stops the look-ups alone.
    pub(super) async fn owner(&self, email: &str) -> Result<Option<String>, Error> {
        self.go_on()?;
        lock(&self.no_owners).clone().map_or(Ok(()), Err)?;
        let result = self.hubspot.owner(email, self.deadline).await;
        match &result {
            Err(error @ Error::Later { reason: RetryReason::Forbidden, .. }) => {
                lock(&self.no_owners).get_or_insert_with(|| error.clone());
                result
            }
            _ => self.note(result),
        }
    }

    /// How long HubSpot wants to be left alone, if it said so.
    pub(super) fn wait(&self) -> Option<Duration> {
        match &*self.stopped() {
            Some(Error::Later { wait, .. }) => *wait,
            _ => None,
        }
    }

    /// Stops after answers that were lost twice, so that nothing else of a task overtakes what is to be tried again.
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

    fn stopped(&self) -> MutexGuard<'_, Option<Error>> {
        lock(&self.stopped)
    }
}

fn lock(error: &Mutex<Option<Error>>) -> MutexGuard<'_, Option<Error>> {
    error.lock().unwrap_or_else(PoisonError::into_inner)
}
