//! Whose property it is: values that are written only when their task is made, or only where it has
//! none. Pure.

use std::collections::BTreeMap;

use super::row::{DUE, HeldBack, Resolved};
use crate::hubspot::Record;
use crate::update::{Unknown, Update, Value, Write};

/// Whether an update has a value that depends on what its task has.
pub(super) fn fills_gaps(update: &Update) -> bool {
    update.properties.iter().any(|(name, _)| update.write.get(name) == Some(&Write::Empty))
}

/// Whether an update may have nothing to write to a task that is there: by its rules, or as HubSpot has
/// no such owner, or doesn't let a due date be removed.
pub(super) fn may_write_nothing(update: &Update) -> bool {
    let may_be_left = |(name, value): &(String, Value)| match value {
        _ if update.write.contains_key(name) => true,
        Value::Owner { unknown, .. } => *unknown == Unknown::Skip,
        Value::Text(text) => name == DUE && text.is_empty(),
    };
    update.properties.iter().all(may_be_left)
}

/// Whether an update names an owner whom only a task that it makes gets: others need no look-up.
pub(super) fn creates_with_owner(update: &Update) -> bool {
    let is_owner = |(name, value): &(String, Value)| {
        matches!(value, Value::Owner { .. }) && update.write.get(name) == Some(&Write::Create)
    };
    update.properties.iter().any(is_owner)
}

/// Whether the rule of a property holds its value back; `record` is the task, where it was read and is
/// there.
pub(super) fn is_held_back(update: &Update, property: &str, record: Option<&Record>) -> bool {
    match (update.write.get(property), record) {
        (None, _) | (_, None) => false,
        (Some(Write::Create), Some(_)) => true,
        (Some(Write::Empty), Some(_)) => has_value(record, property),
    }
}

/// Takes those values out of the updates of one task, the oldest first, that their rules hold back.
/// `record` is the task, where it was read and is there.
///
/// The values of updates are seen as if they had been written one after the other.
pub(super) fn hold_back<'u>(
    updates: &mut [Resolved<'u>],
    record: Option<&Record>,
) -> BTreeMap<String, HeldBack> {
    let mut held = BTreeMap::new();
    let mut filled: BTreeMap<&'u str, bool> = BTreeMap::new();
    for Resolved { update, values, .. } in updates {
        if update.write.is_empty() {
            filled.extend(values.iter().map(|value| (value.property, !value.text.is_empty())));
            continue;
        }
        for value in std::mem::take(values) {
            let is_filled = filled.get(value.property).copied();
            let has_value = is_filled.unwrap_or_else(|| has_value(record, value.property));
            match update.write.get(value.property) {
                None => {}
                Some(Write::Empty) if !has_value && !value.text.is_empty() => {}
                // The first that a task would have got, and the last that it would be made with.
                Some(Write::Empty) if value.text.is_empty() => continue,
                Some(Write::Empty) => {
                    held.entry(value.property.to_owned()).or_insert_with(|| HeldBack::from(value));
                    continue;
                }
                Some(Write::Create) => {
                    held.insert(value.property.to_owned(), HeldBack::from(value));
                    continue;
                }
            }
            filled.insert(value.property, !value.text.is_empty());
            values.push(value);
        }
    }
    held
}

fn has_value(record: Option<&Record>, property: &str) -> bool {
    record.and_then(|record| record.text(property)).is_some_and(|text| !text.is_empty())
}
