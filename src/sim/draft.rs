//! The draft of a batch: it changes all tasks at once, or none.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::{
    property::Property,
    seed::Owner,
    tasks::{Task, Tasks},
    values::{Invalid, accept},
};

/// Why one input can't be written.
#[derive(Debug)]
pub(super) enum Failure {
    /// Some of its values are wrong.
    Values(Vec<Invalid>),
    /// A task can't be created without these properties.
    Required(Vec<String>),
}

/// Changes that nobody sees until [`Draft::finish`].
#[derive(Debug)]
pub(super) struct Draft<'portal> {
    schema: &'portal BTreeMap<String, Property>,
    owners: &'portal [Owner],
    tasks: Tasks,
    /// For each unique property that was asked for: its values and the tasks that hold them.
    holders: HashMap<String, HashMap<String, String>>,
    now: Timestamp,
}

impl<'portal> Draft<'portal> {
    pub(super) fn new(
        schema: &'portal BTreeMap<String, Property>,
        owners: &'portal [Owner],
        tasks: &Tasks,
        now: Timestamp,
    ) -> Self {
        Self { schema, owners, tasks: tasks.clone(), holders: HashMap::new(), now }
    }

    pub(super) fn finish(self) -> Tasks {
        self.tasks
    }

    pub(super) fn get(&self, id: &str) -> Option<&Task> {
        self.tasks.get(id)
    }

    /// The record id of the task whose unique property has this value; without a property, of the task with this id.
    pub(super) fn find(&mut self, id_property: Option<&str>, id: &str) -> Option<String> {
        match id_property {
            Some(name) => self.holders(name).get(id).cloned(),
            None => self.tasks.get(id).map(|task| task.id.clone()),
        }
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
    pub(super) fn update(&mut self, id: &str, properties: &BTreeMap<String, String>) -> Result<(), Failure> {
        let values = self.check(id, properties)?;
        self.write(id, values);
        Ok(())
    }

    /// Creates a task and returns its record id.
    pub(super) fn create(&mut self, properties: &BTreeMap<String, String>) -> Result<String, Failure> {
        let id = self.tasks.next_id();
        let values = self.check(&id, properties)?;
        let is_set = |name: &str| values.get(name).is_some_and(|value| !value.is_empty());
        if !is_set("hs_timestamp") {
            return Err(Failure::Required(vec!["hs_timestamp".into()]));
        }
        self.write(&id, values);
        Ok(id)
    }

    fn check_value(&mut self, id: &str, name: &str, value: &str) -> Result<String, Invalid> {
        let property = self.schema.get(name).ok_or_else(|| Invalid::unknown_property(name))?;
        if property.modification_metadata.read_only_value {
            return Err(Invalid::read_only(name));
        }
        let held = self.tasks.get(id).and_then(|task| task.properties.get(name));
        let value = accept(property, value, held.map(String::as_str), self.owners)?;
        if property.has_unique_value
            && let Some(holder) = self.holders(name).get(&value)
            && holder != id
        {
            return Err(Invalid::conflict(name, &value, id, holder));
        }
        Ok(value)
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
        self.holders.entry(name.into()).or_insert_with(|| {
            let value = |task: &Task| task.properties.get(name).cloned();
            let holder = |task: &Task| Some((value(task)?, task.id.clone()));
            self.tasks.all().filter_map(holder).collect()
        })
    }
}
