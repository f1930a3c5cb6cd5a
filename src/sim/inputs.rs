//! The inputs of a batch, and the checks of a batch as a whole.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::{
    fault::Fault,
    object::ObjectType,
    portal::Portal,
    refusal::{self, Refusal},
    route::Operation,
    seed::TraceIds,
};

/// The body of a batch that writes.
#[derive(Debug, Deserialize)]
pub(super) struct Batch {
    pub(super) inputs: Vec<Input>,
}

/// The values to write to one record.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Input {
    id: Option<String>,
    id_property: Option<String>,
    pub(super) object_write_trace_id: Option<String>,
    pub(super) properties: BTreeMap<String, String>,
}

impl Input {
    /// The record id or the unique value; `""` in a `batch/create`.
    pub(super) fn id(&self) -> &str {
        self.id.as_deref().unwrap_or_default()
    }
}

/// An input that is nothing but an id.
#[derive(Debug, Deserialize)]
pub(super) struct Id {
    pub(super) id: String,
}

impl Batch {
    /// Checks the batch as a whole, and returns the `idProperty` of all its inputs.
    pub(super) fn check(
        &self,
        portal: &Portal,
        object: ObjectType,
        operation: Operation,
    ) -> Result<Option<String>, Refusal> {
        check_size(self.inputs.len(), MOST_INPUTS)?;
        if operation == Operation::Create {
            return Ok(None);
        }
        if self.inputs.iter().any(|input| input.id.is_none()) {
            return Err(refusal::required_field("id"));
        }
        let name = |input: &Input| input.id_property.clone();
        let names: BTreeSet<Option<String>> = self.inputs.iter().map(name).collect();
        for name in names.iter().flatten() {
            portal.check_id_property(object, Some(name), "update/upsert")?;
        }
        if names.len() > 1 {
            // Not yet proven: L13. The stricter way keeps clients honest.
            return Err(refusal::several_id_properties());
        }
        let id_property = names.into_iter().next().flatten();
        let (mut seen, mut twice) = (BTreeSet::new(), BTreeSet::new());
        for input in &self.inputs {
            // HubSpot compares ids as it keeps them (not yet proven: L9, L10).
            let id = match &id_property {
                Some(name) => portal.kept(object, name, input.id()),
                None => input.id().to_owned(),
            };
            if !seen.insert(id.clone()) {
                twice.insert(id);
            }
        }
        if !twice.is_empty() {
            return Err(refusal::duplicate_ids(&Vec::from_iter(twice)));
        }
        Ok(id_property)
    }

    /// Whether a bad input fails alone: each input must carry a trace id of its own.
    /// Not yet proven: L25, L27, L28.
    pub(super) fn fails_alone(&self, setting: TraceIds, operation: Operation) -> bool {
        let trace_id = |input: &Input| input.object_write_trace_id.clone();
        let trace_ids: Option<BTreeSet<String>> = self.inputs.iter().map(trace_id).collect();
        let heeded = match setting {
            TraceIds::Never => false,
            TraceIds::Upsert => operation != Operation::Update,
            TraceIds::Always => true,
        };
        heeded && trace_ids.is_some_and(|ids| ids.len() == self.inputs.len())
    }
}

/// Refuses more inputs than HubSpot takes.
pub(super) fn check_size(count: usize, most: usize) -> Result<(), Refusal> {
    if count > most {
        return Err(refusal::too_many_inputs(count, most));
    }
    Ok(())
}

/// How many inputs a fault leaves to HubSpot.
pub(super) fn kept(count: usize, fault: &Fault) -> usize {
    if fault.empty { 0 } else { count.saturating_sub(fault.ignore) }
}

/// HubSpot's most records in one batch.
pub(super) const MOST_INPUTS: usize = 100;
