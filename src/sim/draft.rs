//! The draft of a batch: it changes all records at once, or none.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::{
    invalid::Invalid,
    object::ObjectType,
    portal::Portal,
    records::{Record, Records},
    rules::Rule,
    seed::EmptyDueDate,
    values::accept,
    version::Version,
};

/// Why one input can't be written.
#[derive(Debug)]
pub(super) enum Failure {
    /// Some of its values are wrong.
    Values(Vec<Invalid>),
    /// A record can't be created (or else updated) without these properties.
    Required { creating: bool, names: Vec<String> },
}

/// Changes that nobody sees until [`Draft::finish`].
#[derive(Debug)]
pub(super) struct Draft<'portal> {
    portal: &'portal Portal,
    object: ObjectType,
    version: Version,
    records: Records,
    /// For each unique property that was asked for: its values and the records that hold them.
    holders: HashMap<String, HashMap<String, String>>,
    now: Timestamp,
}

impl<'portal> Draft<'portal> {
    pub(super) fn new(
        portal: &'portal Portal,
        object: ObjectType,
        version: Version,
        now: Timestamp,
    ) -> Self {
        let records = portal.objects[object].records.clone();
        Self { portal, object, version, records, holders: HashMap::new(), now }
    }

    pub(super) fn finish(self) -> Records {
        self.records
    }

    pub(super) fn get(&self, id: &str) -> Option<&Record> {
        self.records.get(id)
    }

    /// The id of the record whose unique property has this value; without a property, of the record
    /// with this id. A task that was merged answers with the one that it was merged into.
    pub(super) fn find(&mut self, id_property: Option<&str>, id: &str) -> Option<String> {
        let found = match id_property {
            Some(name) => {
                let value = self.portal.kept(self.object, name, id);
                self.holders(name).get(&value).cloned()?
            }
            None => id.to_owned(),
        };
        let merged = &self.portal.behaviour.merged;
        let survivor = merged.get(&found).filter(|_| self.object == ObjectType::Tasks);
        self.records.get(survivor.unwrap_or(&found)).map(|record| record.id.clone())
    }

    /// Checks values for a record that exists, or for one that doesn't (`id` is then in no use).
    pub(super) fn check(
        &mut self,
        id: &str,
        properties: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>, Failure> {
        let mut values = BTreeMap::new();
        let mut invalid = Vec::new();
        for (name, value) in properties {
            match self.check_value(id, name, value) {
                Ok(value) => _ = values.insert(name.clone(), value),
                Err(reason) => invalid.push(reason),
            }
        }
        if invalid.is_empty() { Ok(values) } else { Err(Failure::Values(invalid)) }
    }

    /// Updates a record that exists.
    pub(super) fn update(
        &mut self,
        id: &str,
        properties: &BTreeMap<String, String>,
    ) -> Result<(), Failure> {
        let values = self.check(id, properties)?;
        let names = self.missing(id, &values);
        if !names.is_empty() {
            return Err(Failure::Required { creating: false, names });
        }
        self.write(id, values);
        Ok(())
    }

    /// Creates a record and returns its id.
    pub(super) fn create(
        &mut self,
        properties: &BTreeMap<String, String>,
    ) -> Result<String, Failure> {
        let id = self.records.next_id();
        let values = self.check(&id, properties)?;
        let lacks = |name: &&str| values.get(*name).is_none_or(String::is_empty);
        let required = self.object.required().iter().copied().filter(lacks);
        let mut names: Vec<String> = required.map(str::to_owned).collect();
        for name in self.missing(&id, &values) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        if !names.is_empty() {
            return Err(Failure::Required { creating: true, names });
        }
        self.write(&id, values);
        Ok(id)
    }

    /// The properties that the rules require and that the record would lack.
    fn missing(&self, id: &str, values: &BTreeMap<String, String>) -> Vec<String> {
        let held = self.records.get(id).map(|record| &record.properties);
        let value = |name: &str| {
            let value = values.get(name).or_else(|| held?.get(name));
            value.map(String::as_str)
        };
        let behaviour = &self.portal.behaviour;
        let mut missing = Vec::new();
        let clears_due_date = values.get("hs_timestamp").is_some_and(String::is_empty);
        if clears_due_date && behaviour.empty_due_date == EmptyDueDate::Required {
            missing.push("hs_timestamp".into());
        }
        for rule in self.rules() {
            let holds = rule.in_every_version || self.version.enforces_rules();
            if holds && rule.misses(value) && !missing.contains(&rule.property) {
                missing.push(rule.property.clone());
            }
        }
        missing
    }

    fn check_value(&mut self, id: &str, name: &str, value: &str) -> Result<String, Invalid> {
        let Portal { objects, owners, behaviour, .. } = self.portal;
        let object = self.object;
        let property =
            objects[object].schema.get(name).ok_or_else(|| Invalid::unknown_property(name))?;
        if property.modification_metadata.read_only_value {
            return Err(Invalid::read_only(name));
        }
        if name == "hs_timestamp"
            && value.is_empty()
            && behaviour.empty_due_date == EmptyDueDate::Invalid
        {
            return Err(Invalid::new(name, "INVALID_LONG", " was not a valid long.".into()));
        }
        let held = self.records.get(id).and_then(|record| record.properties.get(name));
        let value = accept(property, value, held.map(String::as_str), owners)?;
        if !value.is_empty() {
            for rule in self.rules().iter().filter(|rule| rule.property == name) {
                rule.check(&value)?;
            }
        }
        let value = self.portal.kept(object, name, &value);
        if property.identifies(object)
            && let Some(holder) = self.holders(name).get(&value)
            && holder != id
        {
            return Err(if object.is_email(name) {
                Invalid::contact_exists(holder)
            } else {
                Invalid::conflict(name, &value, id, holder)
            });
        }
        Ok(value)
    }

    /// The rules about properties, which are those of tasks.
    fn rules(&self) -> &'portal [Rule] {
        if self.object == ObjectType::Tasks { &self.portal.behaviour.rules } else { &[] }
    }

    fn write(&mut self, id: &str, values: BTreeMap<String, String>) {
        // Of a contact's addresses the additional ones count as well: they are looked up anew.
        self.holders.retain(|name, _| !self.object.is_email(name));
        for (name, holders) in &mut self.holders {
            let Some(value) = values.get(name) else {
                continue;
            };
            let held = self.records.get(id).and_then(|record| record.properties.get(name));
            if let Some(held) = held {
                holders.remove(held);
            }
            if !value.is_empty() {
                holders.insert(value.clone(), id.into());
            }
        }
        self.records.write(id, values, self.now);
    }

    fn holders(&mut self, name: &str) -> &HashMap<String, String> {
        let Self { portal, object, records, holders, .. } = self;
        holders.entry(name.into()).or_insert_with(|| {
            let mut holders = HashMap::new();
            for record in records.all() {
                for value in record.values(*object, name) {
                    holders.insert(portal.kept(*object, name, value), record.id.clone());
                }
            }
            holders
        })
    }
}
