//! A portal: its state, and who may call it. No I/O and no clock here.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{
    invalid::Invalid,
    limits::Used,
    owners,
    property::built_in,
    refusal::{self, Refusal},
    request::Request,
    schema::Schema,
    scopes::Scopes,
    seed::{Behaviour, Owner, Seed, SeedTask},
    tasks::Tasks,
    values::accept,
};

/// The first task of a seed that a portal can't have.
#[derive(Debug, thiserror::Error)]
#[error("task {position}: {problem}")]
pub(super) struct WrongTask {
    position: usize,
    problem: String,
}

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
    pub(super) used: Used,
    /// How many answers were given: each has a correlation id of its own.
    pub(super) answers: u64,
}

impl Portal {
    /// The portal of a seed, whose tasks are written at `now`.
    pub(super) fn new(seed: Seed, now: Timestamp) -> Result<Self, WrongTask> {
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
                .add_seed_task(task, &mut unique, now)
                .map_err(|problem| WrongTask { position, problem })?;
        }
        Ok(portal)
    }

    /// Refuses an `idProperty` whose values are not unique. `hs_object_id` is refused too: leave
    /// `idProperty` out.
    pub(super) fn check_id_property(&self, name: Option<&str>, verb: &str) -> Result<(), Refusal> {
        let Some(name) = name else { return Ok(()) };
        match self.schema.get(name) {
            None => {
                let invalid = [Invalid::unknown_property(name)];
                Err(refusal::invalid_values(&invalid, self.behaviour.detail()))
            }
            Some(property) if !property.has_unique_value => Err(refusal::not_unique(name, verb)),
            Some(_) => Ok(()),
        }
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

    /// Refuses a request whose token is wrong or has expired.
    pub(super) fn authorize(&self, request: &Request, now: Timestamp) -> Result<(), Refusal> {
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
    /// read-only properties. `unique` are the values of properties that must be unique. Returns the
    /// record id.
    pub(super) fn add_seed_task(
        &mut self,
        task: SeedTask,
        unique: &mut BTreeSet<(String, String)>,
        now: Timestamp,
    ) -> Result<String, String> {
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
        Ok(id)
    }
}
