//! Records of one change: an object with the name of a field, and its new value.

use serde_json::Value;

use super::names::{self, Role};
use super::path::{Path, text};
use super::tree::Node;
use super::words::words;

/// Names of the field that says which field changed, the best first.
const FIELD: [&str; 12] = [
    "propertyName",
    "property_name",
    "fieldName",
    "field_name",
    "field",
    "columnId",
    "column_id",
    "property",
    "attribute",
    "attributeName",
    "columnTitle",
    "name",
];

/// Names of the field with the new value, the best first.
const NEW: [&str; 10] = [
    "propertyValue",
    "property_value",
    "newValue",
    "new_value",
    "after",
    "new",
    "value",
    "to",
    "current",
    "toString",
];

/// A change of a field.
pub(super) struct Change<'t, 'p> {
    /// The object that records it.
    pub(super) record: &'t Node<'p>,
    /// The place with the field's name.
    pub(super) field: &'t Node<'p>,
    /// The field's name.
    pub(super) name: String,
    /// The new values of that field.
    pub(super) new: Node<'p>,
}

/// The changes of fields that mean a role.
pub(super) fn find<'t, 'p>(root: &'t Node<'p>, role: Role) -> Option<Change<'t, 'p>> {
    let mut best = None;
    let mut surest = 40;
    for record in root.all() {
        let Some((field, new)) = parts(record) else { continue };
        for name in field.texts() {
            let sure = names::score(role, &words(&name));
            if sure > surest && name.chars().count() <= 60 {
                surest = sure;
                let of_field = |record: &&&Value| record[field.key] == name;
                let values = record.values.iter().filter(of_field);
                let values = values.filter_map(|record| record.get(new.key)).collect();
                let new = Node::with(new.key, new.path.clone(), values);
                best = Some(Change { record, field, name, new });
            }
        }
    }
    best
}

/// The fields of a record with the name of the changed field, and with its new value.
fn parts<'t, 'p>(record: &'t Node<'p>) -> Option<(&'t Node<'p>, &'t Node<'p>)> {
    let field = FIELD.iter().find_map(|key| record.field(key));
    let new = NEW.iter().find_map(|key| record.field(key));
    field.zip(new)
}

impl Change<'_, '_> {
    /// Whether it is one of the ticket's own fields, as in a list of those that a person defined.
    pub(super) fn is_own_field(&self) -> bool {
        self.field.key == "name"
    }

    /// The new values of that field that were seen, at `inner` below each.
    pub(super) fn seen(&self, inner: &Path) -> Vec<String> {
        self.new.at(inner).map(Node::texts).unwrap_or_default()
    }

    /// The expression that gives the new value, at `inner` below it, from a place above the record.
    /// `None` if the record isn't below `base`.
    pub(super) fn expression(&self, base: &Path, inner: &Path) -> Option<String> {
        let path = self.record.path.below(base)?;
        let field = Path::default().field(self.field.key).jq();
        let mut value = Path::default().field(self.new.key);
        value.0.extend(inner.0.clone());
        let name = text(&self.name);
        let chosen = format!("select({field} == {name}) | {}", value.jq());
        Some(if path.0.is_empty() {
            chosen
        } else if path.has_items() {
            // Of several changes of one field the last one counts.
            format!("[{} | {chosen}] | select(. != []) | .[-1]", path.jq())
        } else {
            format!("{} | {chosen}", path.jq())
        })
    }
}
