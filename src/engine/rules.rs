//! Whose property it is: values that are written only when their task is made, or only where it has
//! none. Pure.

use std::collections::BTreeMap;

use super::row::{HeldBack, Resolved};
use crate::hubspot::Record;
use crate::update::{Update, Write};

/// Whether an update has a value that depends on what its task has.
pub(super) fn fills_gaps(update: &Update) -> bool {
    update.properties.iter().any(|(name, _)| update.write.get(name) == Some(&Write::Empty))
}

/// Whether an update has values, and all of them only for a task that it makes.
pub(super) fn only_creates(update: &Update) -> bool {
    let is_for_creation = |(name, _): &(String, _)| update.write.get(name) == Some(&Write::Create);
    !update.properties.is_empty() && update.properties.iter().all(is_for_creation)
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
