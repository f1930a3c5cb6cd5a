//! The draft of a batch: it changes all tasks at once, or none.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::{
    invalid::Invalid,
    portal::Portal,
    rules::kept,
    seed::EmptyDueDate,
    tasks::{Task, Tasks},
    values::accept,
    version::Version,
};

/// Why one input can't be written.
#[derive(Debug)]
pub(super) enum Failure {
    /// Some of its values are wrong.
    Values(Vec<Invalid>),
    /// A task can't be created (or else updated) without these properties.
    Required { creating: bool, names: Vec<String> },
}

/// Changes that nobody sees until [`Draft::finish`].
#[derive(Debug)]
pub(super) struct Draft<'portal> {
    portal: &'portal Portal,
    version: Version,
    tasks: Tasks,
    /// For each unique property that was asked for: its values and the tasks that hold them.
    holders: HashMap<String, HashMap<String, String>>,
    now: Timestamp,
}

impl<'portal> Draft<'portal> {
    pub(super) fn new(portal: &'portal Portal, version: Version, now: Timestamp) -> Self {
        Self { portal, version, tasks: portal.tasks.clone(), holders: HashMap::new(), now }
    }

    pub(super) fn finish(self) -> Tasks {
        self.tasks
    }

    pub(super) fn get(&self, id: &str) -> Option<&Task> {
        self.tasks.get(id)
    }

    /// The record id of the task whose unique property has this value; without a property, of the
    /// task with this id. A task that was merged answers with the one that it was merged into.
    pub(super) fn find(&mut self, id_property: Option<&str>, id: &str) -> Option<String> {
        let found = match id_property {
            Some(name) => {
                let value = self.kept(name, id);
                self.holders(name).get(&value).cloned()?
            }
            None => id.to_owned(),
        };
        let found = self.portal.behaviour.merged.get(&found).unwrap_or(&found);
        self.tasks.get(found).map(|task| task.id.clone())
    }

    /// Checks values for a task that exists, or for one that doesn't (`id` is then in no use).
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

    /// Updates a task that exists.
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

    /// Creates a task and returns its record id.
    pub(super) fn create(
        &mut self,
        properties: &BTreeMap<String, String>,
    ) -> Result<String, Failure> {
        let id = self.tasks.next_id();
        let values = self.check(&id, properties)?;
        let mut names = self.missing(&id, &values);
        let has_due_date = values.get("hs_timestamp").is_some_and(|value| !value.is_empty());
        if !has_due_date && !names.iter().any(|name| name == "hs_timestamp") {
            names.insert(0, "hs_timestamp".into());
        }
        if !names.is_empty() {
            return Err(Failure::Required { creating: true, names });
        }
        self.write(&id, values);
        Ok(id)
    }

    /// The properties that the rules require and that the task would lack.
    fn missing(&self, id: &str, values: &BTreeMap<String, String>) -> Vec<String> {
        let held = self.tasks.get(id).map(|task| &task.properties);
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
        for rule in &behaviour.rules {
            let holds = rule.in_every_version || self.version.enforces_rules();
            if holds && rule.misses(value) && !missing.contains(&rule.property) {
                missing.push(rule.property.clone());
            }
        }
        missing
    }

    fn check_value(&mut self, id: &str, name: &str, value: &str) -> Result<String, Invalid> {
        let Portal { schema, owners, behaviour, .. } = self.portal;
        let property = schema.get(name).ok_or_else(|| Invalid::unknown_property(name))?;
        if property.modification_metadata.read_only_value {
            return Err(Invalid::read_only(name));
        }
        if name == "hs_timestamp"
            && value.is_empty()
            && behaviour.empty_due_date == EmptyDueDate::Invalid
        {
            return Err(Invalid::new(name, "INVALID_LONG", " was not a valid long.".into()));
        }
        let held = self.tasks.get(id).and_then(|task| task.properties.get(name));
        let value = accept(property, value, held.map(String::as_str), owners)?;
        if !value.is_empty() {
            for rule in behaviour.rules.iter().filter(|rule| rule.property == name) {
                rule.check(&value)?;
            }
        }
        let value = self.kept(name, &value);
        if property.has_unique_value
            && let Some(holder) = self.holders(name).get(&value)
            && holder != id
        {
            return Err(Invalid::conflict(name, &value, id, holder));
        }
        Ok(value)
    }

    /// The value as the portal's rules keep it.
    fn kept(&self, property: &str, value: &str) -> String {
        kept(&self.portal.behaviour.rules, property, value)
    }

    fn write(&mut self, id: &str, values: BTreeMap<String, String>) {
        for (name, holders) in &mut self.holders {
            let Some(value) = values.get(name) else {
                continue;
            };
            let held = self.tasks.get(id).and_then(|task| task.properties.get(name));
            if let Some(held) = held {
                holders.remove(held);
            }
            if !value.is_empty() {
                holders.insert(value.clone(), id.into());
            }
        }
        self.tasks.write(id, values, self.now);
    }

    fn holders(&mut self, name: &str) -> &HashMap<String, String> {
        let rules = &self.portal.behaviour.rules;
        self.holders.entry(name.into()).or_insert_with(|| {
            let value =
                |task: &Task| task.properties.get(name).map(|value| kept(rules, name, value));
            let holder = |task: &Task| Some((value(task)?, task.id.clone()));
            self.tasks.all().filter_map(holder).collect()
        })
    }
}
