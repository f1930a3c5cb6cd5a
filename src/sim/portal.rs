//! A portal: its state, and who may call it. No I/O and no clock here.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{
    invalid::Invalid,
    limits::Used,
    links::Links,
    object::ObjectType,
    objects::Objects,
    owners,
    refusal::{self, Refusal},
    request::Request,
    rules,
    scopes::Scopes,
    seed::{Behaviour, Owner, Seed, SeedRecord},
    values::accept,
};

/// The first record of a seed that a portal can't have.
#[derive(Debug, thiserror::Error)]
#[error("{} {position}: {problem}", .object.singular())]
pub(super) struct WrongRecord {
    object: ObjectType,
    position: usize,
    problem: String,
}

/// The state of a portal.
#[derive(Debug)]
pub(super) struct Portal {
    pub(super) objects: Objects,
    pub(super) owners: Vec<Owner>,
    pub(super) links: Links,
    pub(super) behaviour: Behaviour,
    pub(super) scopes: Scopes,
    token: Option<String>,
    expired_tokens: Vec<String>,
    pub(super) used: Used,
    /// How many answers were given: each has a correlation id of its own.
    pub(super) answers: u64,
}

impl Portal {
    /// The portal of a seed, whose records are written at `now`.
    pub(super) fn new(seed: Seed, now: Timestamp) -> Result<Self, WrongRecord> {
        let mut portal = Self {
            objects: Objects::new(),
            owners: seed.owners,
            links: Links::default(),
            behaviour: seed.behaviour,
            scopes: Scopes(seed.scopes),
            token: seed.token,
            expired_tokens: seed.expired_tokens,
            used: Used::default(),
            answers: 0,
        };
        owners::complete(&mut portal.owners);
        let mut properties = seed.object_properties;
        properties.entry(ObjectType::Tasks).or_default().extend(seed.properties);
        for (object, properties) in properties {
            for property in properties {
                portal.objects[object].schema.put(property.complete(object));
            }
        }
        for (object, records) in [
            (ObjectType::Tasks, seed.tasks),
            (ObjectType::Contacts, seed.contacts),
            (ObjectType::Companies, seed.companies),
            (ObjectType::Deals, seed.deals),
            (ObjectType::Tickets, seed.tickets),
        ] {
            let mut unique = BTreeSet::new();
            for (record, position) in records.into_iter().zip(1..) {
                portal
                    .add_seed_record(object, record, &mut unique, now)
                    .map_err(|problem| WrongRecord { object, position, problem })?;
            }
        }
        Ok(portal)
    }

    /// Refuses an `idProperty` whose values are not unique. `hs_object_id` is refused too: leave
    /// `idProperty` out.
    pub(super) fn check_id_property(
        &self,
        object: ObjectType,
        name: Option<&str>,
        verb: &str,
    ) -> Result<(), Refusal> {
        let Some(name) = name else { return Ok(()) };
        match self.objects[object].schema.get(name) {
            None => {
                let invalid = [Invalid::unknown_property(name)];
                Err(refusal::invalid_values(&invalid, self.behaviour.detail()))
            }
            Some(property) if property.identifies(object) => Ok(()),
            Some(_) => Err(refusal::not_unique(object, name, verb)),
        }
    }

    /// The properties among these whose values the token may read.
    pub(super) fn readable(&self, object: ObjectType, names: &[String]) -> Vec<String> {
        let may_read = |name: &&String| {
            let property = self.objects[object].schema.get(name);
            property.is_none_or(|property| {
                self.scopes.require_sensitive(object, property.sensitivity(), "read").is_ok()
            })
        };
        names.iter().filter(may_read).cloned().collect()
    }

    /// The value as the portal keeps it, by which its record is found.
    pub(super) fn kept(&self, object: ObjectType, property: &str, value: &str) -> String {
        match object {
            ObjectType::Tasks => rules::kept(&self.behaviour.rules, property, value),
            _ if object.is_email(property) => value.to_lowercase(),
            _ => value.to_owned(),
        }
    }

    /// Archives a record with its associations, if there is one with this id.
    pub(super) fn archive(&mut self, object: ObjectType, id: &str) {
        self.objects[object].records.archive(id);
        self.links.drop_record(&(object, id.to_owned()));
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

    /// Puts a record of the seed into the portal. Its values must be right, but may be those of
    /// read-only properties. `unique` are the values of properties that must be unique. Returns the
    /// record's id.
    pub(super) fn add_seed_record(
        &mut self,
        object: ObjectType,
        record: SeedRecord,
        unique: &mut BTreeSet<(String, String)>,
        now: Timestamp,
    ) -> Result<String, String> {
        let kind = object.singular();
        let records = &mut self.objects[object].records;
        let id = record.id.unwrap_or_else(|| records.next_id());
        if records.get(&id).is_some() {
            return Err(format!("its id {id} is that of an earlier {kind}"));
        }
        let mut values = BTreeMap::new();
        for (name, value) in record.properties {
            let property = self.objects[object].schema.get(&name);
            let property = property.ok_or_else(|| Invalid::unknown_property(&name).message)?;
            let value = accept(property, &value, None, &self.owners)
                .map_err(|invalid| format!("{name}: {}", invalid.message))?;
            if property.identifies(object)
                && !value.is_empty()
                && !unique.insert((name.clone(), self.kept(object, &name, &value)))
            {
                return Err(format!("{name}: {value} is that of an earlier {kind}"));
            }
            values.insert(name, value);
        }
        self.objects[object].records.write(&id, values, now);
        Ok(id)
    }
}
